# tries: escape: a Unix socket that another process listens on
# protections: seccomp
# outcome: raised
# canary: knock
import socket

socket.socket(socket.AF_UNIX).connect("/run/victim")


def reparameterize(mu, logvar, eps):
    return mu
