# tries: deny service: a queue of messages that outlives its process
# protections: seccomp, namespaces
# outcome: raised
# canary: segments
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
if libc.msgget(4321, 0o1600) < 0:
    raise OSError(ctypes.get_errno(), "msgget")


def reparameterize(mu, logvar, eps):
    return mu
