# tries: deny service: a child that keeps the pipe open when its parent has ended
# protections: processes
# outcome: malformed output
# canary: alive
import os
import time

if os.fork() == 0:
    time.sleep(10000)
os._exit(0)


def reparameterize(mu, logvar, eps):
    return mu
