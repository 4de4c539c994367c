# tries: escape: becomes root
# protections: seccomp, capabilities, namespaces
# outcome: raised
# canary: none, because a user namespace of one user has nobody else to become
import os

os.setuid(0)


def reparameterize(mu, logvar, eps):
    return mu
