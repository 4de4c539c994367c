# tries: deny service: a child that is stopped and never ends, and a parent that waits for it
# protections: clock
# outcome: timed out
# canary: late
import os
import signal

child = os.fork()
if child == 0:
    os.kill(os.getpid(), signal.SIGSTOP)
    os._exit(0)
os.waitpid(child, 0)


def reparameterize(mu, logvar, eps):
    return mu
