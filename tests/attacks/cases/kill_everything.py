# tries: escape: signals to every process
# stopped by: namespace of processes, a session of its own
# outcome: raised, malformed output
import os

os.kill(0, 0)
os.kill(-1, 9)
os.kill(os.getppid(), 9)
raise OSError("nobody died")


def reparameterize(mu, logvar, eps):
    return mu
