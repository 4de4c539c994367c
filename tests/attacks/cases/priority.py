# tries: deny service: gives all processes of its user the lowest priority
# protections: seccomp, namespaces, capabilities
# outcome: raised
# canary: slowed
import os

os.setpriority(os.PRIO_USER, os.getuid(), 19)


def reparameterize(mu, logvar, eps):
    return mu
