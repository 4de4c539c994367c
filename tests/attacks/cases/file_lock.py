# tries: deny service: locks files that all runs share, and waits
# protections: seccomp, clock
# outcome: raised
# canary: locked
import fcntl
import os
import time

keep = [open(p) for p in ("/site/torch/__init__.py", "/victim/package.py") if os.path.exists(p)]
for file in keep:
    fcntl.flock(file, fcntl.LOCK_EX)
time.sleep(1000)


def reparameterize(mu, logvar, eps):
    return mu
