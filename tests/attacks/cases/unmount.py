# tries: escape: takes away what covers /tmp
# protections: seccomp, capabilities
# outcome: raised
# canary: says uncovered
import ctypes
import os

if ctypes.CDLL(None, use_errno=True).umount2(b"/tmp", 2) != 0:
    raise OSError(ctypes.get_errno(), "umount2")
open("/tmp/x", "w").close()
if os.path.exists("/tmp/x"):
    raise RuntimeError("un" + "covered")


def reparameterize(mu, logvar, eps):
    return mu
