# tries: escape: a datagram
# protections: seccomp, network
# outcome: raised
# canary: knock
import socket

socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 53))


def reparameterize(mu, logvar, eps):
    return mu
