# tries: escape: mounts over a folder that others use
# protections: seccomp, capabilities, namespaces
# outcome: raised
# canary: mounted
import ctypes

if ctypes.CDLL(None, use_errno=True).mount(b"none", b"/home", b"tmpfs", 0, None) != 0:
    raise OSError(ctypes.get_errno(), "mount")


def reparameterize(mu, logvar, eps):
    return mu
