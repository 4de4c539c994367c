# tries: deny service: ignores every exception and signal that it can
# protections: cpu, cpu time, clock
# outcome: timed out
# canary: late
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
