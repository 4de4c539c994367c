# tries: deny service: one child after the other, each of which ends before anyone looks
# protections: cpu, cpu time, clock
# outcome: timed out
# canary: late
import os

while True:
    if os.fork() == 0:
        sum(range(10**6))
        os._exit(0)
    os.wait()


def reparameterize(mu, logvar, eps):
    return mu
