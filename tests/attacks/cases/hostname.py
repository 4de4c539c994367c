# tries: escape: renames the machine
# protections: seccomp, capabilities, namespaces
# outcome: raised
# canary: hostname
import socket

socket.sethostname("taken")


def reparameterize(mu, logvar, eps):
    return mu
