# tries: escape: lays out its memory without chance, with which bugs of the kernel are easy to use
# protections: seccomp
# outcome: raised
# canary: says no chance
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
if libc.personality(0x40000) < 0:
    raise OSError(ctypes.get_errno(), "personality")
if libc.personality(0xFFFFFFFF) & 0x40000:
    raise RuntimeError("no" + " chance")


def reparameterize(mu, logvar, eps):
    return mu
