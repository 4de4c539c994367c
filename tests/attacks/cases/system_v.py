# tries: deny service: shared memory that outlives its process
# protections: seccomp, namespaces
# outcome: raised
# canary: segments
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
if libc.shmget(4321, 1 << 20, 0o1600) < 0:
    raise OSError(ctypes.get_errno(), "shmget")


def reparameterize(mu, logvar, eps):
    return mu
