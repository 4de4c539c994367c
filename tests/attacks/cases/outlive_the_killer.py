# tries: deny service: takes back the order to die with its parent
# stopped by: kill from outside
# outcome: timed out
import ctypes
import os
import time

ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
os.fork()
time.sleep(1000)


def reparameterize(mu, logvar, eps):
    return mu
