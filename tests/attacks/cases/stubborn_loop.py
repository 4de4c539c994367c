# tries: deny service: ignores every exception and signal that it can
# stopped by: limit of computing, kill from outside
# outcome: timed out
import signal

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    try:
        while True:
            pass
    except:
        pass


def reparameterize(mu, logvar, eps):
    return mu
