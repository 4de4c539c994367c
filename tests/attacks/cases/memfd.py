# tries: deny service: memory that belongs to no process, as a file without a name
# protections: seccomp, file size
# outcome: raised
# canary: memory
import os
import time

file = os.memfd_create("hoard")
for _ in range(240):  # more than a run may have, less than the machine of the canary lets a file be
    os.write(file, bytes(1 << 20))
time.sleep(0.5)  # long enough to be seen


def reparameterize(mu, logvar, eps):
    return mu
