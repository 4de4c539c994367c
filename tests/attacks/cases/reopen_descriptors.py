# tries: escape: opens what stands behind its descriptors again, to write to it
# protections: /proc
# outcome: raised
# canary: says reopened
import os

opened = 0
for descriptor in os.listdir("/proc/self/fd"):
    try:
        opened += os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK) > 0
    except OSError:
        pass
if opened:
    raise RuntimeError("re" + "opened")


def reparameterize(mu, logvar, eps):
    return mu
