# tries: deny service: a process that outlives its parent
# protections: processes
# outcome: wrong
# canary: alive
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(10000)
    os._exit(0)


def reparameterize(mu, logvar, eps):
    return mu
