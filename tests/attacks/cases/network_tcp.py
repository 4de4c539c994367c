# tries: escape: a TCP connection
# protections: seccomp, network
# outcome: raised
# canary: knock
import socket

socket.create_connection(("127.0.0.1", 22), timeout=1)


def reparameterize(mu, logvar, eps):
    return mu
