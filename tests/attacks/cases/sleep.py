# tries: deny service: waits without computing
# protections: clock
# outcome: timed out
# canary: late
import time

time.sleep(1000)


def reparameterize(mu, logvar, eps):
    return mu
