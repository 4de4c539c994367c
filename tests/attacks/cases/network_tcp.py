# tries: escape: a TCP connection
# stopped by: system calls, namespace of networks
# outcome: raised
import socket

socket.create_connection(("127.0.0.1", 22), timeout=1)


def reparameterize(mu, logvar, eps):
    return mu
