# tries: escape: a signal to its parent, and to the one before
# protections: processes
# outcome: raised
# canary: killed
import os

if os.getppid() == 0:
    raise ProcessLookupError("its parent cannot be seen")
for process in os.getppid() - 1, os.getppid():
    os.kill(process, 9)


def reparameterize(mu, logvar, eps):
    return mu
