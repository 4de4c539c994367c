# tries: escape: a ring of requests, which seccomp does not see
# protections: seccomp, locked memory
# outcome: raised
# canary: says a ring
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
if libc.syscall(425, 4, ctypes.create_string_buffer(200)) < 0:
    raise OSError(ctypes.get_errno(), "io_uring_setup")
raise RuntimeError("a" + " ring")


def reparameterize(mu, logvar, eps):
    return mu
