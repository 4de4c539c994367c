# tries: deny service: waits without computing
# stopped by: limit on the clock
# outcome: timed out
import time

time.sleep(1000)


def reparameterize(mu, logvar, eps):
    return mu
