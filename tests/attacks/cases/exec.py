# tries: escape: another program
# stopped by: system calls
# outcome: raised
import os

os.execv("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", ["x"])


def reparameterize(mu, logvar, eps):
    return mu
