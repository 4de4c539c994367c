# tries: deny service: ignores every request to end, and waits
# protections: kill
# outcome: timed out
# canary: late
import signal
import time

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    time.sleep(1000)


def reparameterize(mu, logvar, eps):
    return mu
