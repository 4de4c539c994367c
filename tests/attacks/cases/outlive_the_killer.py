# tries: deny service: takes back the order to die with its parent
# protections: processes
# outcome: timed out
# canary: alive
import ctypes
import os
import time

ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
os.fork()
time.sleep(1000)


def reparameterize(mu, logvar, eps):
    return mu
