# tries: deny service: memory that belongs to no process, as a file without a name
# protections: seccomp, file size
# outcome: raised
# canary: memory
import os
import time

file = os.memfd_create("hoard")
for _ in range(300):
    os.write(file, bytes(1 << 20))
time.sleep(0.2)


def reparameterize(mu, logvar, eps):
    return mu
