# tries: escape: becomes root
# stopped by: system calls, no capabilities
# outcome: raised
import os

os.setuid(0)


def reparameterize(mu, logvar, eps):
    return mu
