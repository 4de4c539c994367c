# tries: escape: a Unix socket that has no file
# protections: seccomp, network
# outcome: raised
# canary: knock
import socket

socket.socket(socket.AF_UNIX).connect("\0victim")


def reparameterize(mu, logvar, eps):
    return mu
