# tries: escape: a signal to every process
# protections: processes
# outcome: raised
# canary: killed
import os

os.kill(-1, 9)


def reparameterize(mu, logvar, eps):
    return mu
