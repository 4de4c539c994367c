# tries: escape: handles page faults, with which bugs of the kernel are easy to use
# protections: seccomp
# outcome: raised
# canary: says faults
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
if libc.syscall(323, 1) < 0:  # of its own code only, which needs no right
    raise OSError(ctypes.get_errno(), "userfaultfd")
raise RuntimeError("fa" + "ults")


def reparameterize(mu, logvar, eps):
    return mu
