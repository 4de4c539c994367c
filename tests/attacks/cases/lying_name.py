# tries: deny service: a name that misleads who reads its use of the processor
# protections: cpu, cpu time, clock
# outcome: timed out
# canary: late
import ctypes

ctypes.CDLL(None).prctl(15, b") S 0 0 0 (", 0, 0, 0)
while True:
    pass


def reparameterize(mu, logvar, eps):
    return mu
