# tries: deny service: starts processes without end
# protections: number of processes, cpu, cpu time, clock
# outcome: timed out
# canary: processes
import os

while True:
    try:
        os.fork()
    except OSError:
        pass


def reparameterize(mu, logvar, eps):
    return mu
