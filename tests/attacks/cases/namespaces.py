# tries: escape: new namespaces, to have capabilities again
# protections: seccomp
# outcome: raised
# canary: says new namespaces
import ctypes

if ctypes.CDLL(None, use_errno=True).unshare(0x10000000) != 0:
    raise OSError(ctypes.get_errno(), "unshare")
raise RuntimeError("new" + " namespaces")


def reparameterize(mu, logvar, eps):
    return mu
