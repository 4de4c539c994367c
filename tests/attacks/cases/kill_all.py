# tries: escape: a signal to every process
# stopped by: namespace of processes
# outcome: raised
import os

os.kill(-1, 9)


def reparameterize(mu, logvar, eps):
    return mu
