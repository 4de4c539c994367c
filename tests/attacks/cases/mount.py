# tries: escape: mounts
# stopped by: system calls, no capabilities
# outcome: raised
import ctypes

if ctypes.CDLL(None, use_errno=True).mount(b"none", b"/work", b"tmpfs", 0, None) != 0:
    raise OSError(ctypes.get_errno(), "mount")


def reparameterize(mu, logvar, eps):
    return mu
