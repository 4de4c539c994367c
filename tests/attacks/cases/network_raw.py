# tries: escape: a packet of its own making
# protections: seccomp, namespaces, capabilities
# outcome: raised
# canary: knock
import socket

socket.socket(socket.AF_INET, socket.SOCK_RAW, 253).sendto(b"x", ("127.0.0.1", 0))


def reparameterize(mu, logvar, eps):
    return mu
