# tries: deny service: recursion without end, past Python's own limit
# protections: fork
# outcome: raised, malformed output, out of memory
# canary: killed
import sys

sys.setrecursionlimit(10**9)


def deeper(f):
    return sorted([1], key=lambda _: deeper(f))


deeper(deeper)


def reparameterize(mu, logvar, eps):
    return mu
