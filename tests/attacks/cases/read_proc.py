# tries: find the answer: reads other processes
# stopped by: /proc is empty
# outcome: raised
import os

assert os.listdir("/proc") == []
open("/proc/1/environ", "rb").read()


def reparameterize(mu, logvar, eps):
    return mu
