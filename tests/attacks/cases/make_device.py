# tries: escape: a device file for the main memory
# protections: seccomp, capabilities, namespaces
# outcome: raised
# canary: none, because no kernel lets a user namespace make devices
import os
import stat

os.mknod("/work/mem", stat.S_IFCHR | 0o600, os.makedev(1, 1))


def reparameterize(mu, logvar, eps):
    return mu
