# tries: escape: a signal to its own group, in which the process that started it was
# protections: session
# outcome: wrong
# canary: killed
import os

os.kill(0, 9)


def reparameterize(mu, logvar, eps):
    return mu
