# tries: escape: changes the root of its namespace
# protections: seccomp, capabilities
# outcome: raised
# canary: says another root
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
os.mkdir("/work/old")
os.chdir("/work")
if libc.syscall(155, b".", b"old") != 0:
    raise OSError(ctypes.get_errno(), "pivot_root")
if "old" in os.listdir("/"):
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"another" + b" root")
        except OSError:
            pass
    os._exit(0)


def reparameterize(mu, logvar, eps):
    return mu
