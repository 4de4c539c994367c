# tries: escape: a program of its own in the kernel
# protections: seccomp, capabilities, namespaces
# outcome: raised
# canary: none, because kernels refuse it to all but root since 2021
import ctypes
import struct

libc = ctypes.CDLL(None, use_errno=True)
if libc.syscall(321, 0, struct.pack("<IIII", 2, 4, 4, 1) + bytes(100), 72) < 0:
    raise OSError(ctypes.get_errno(), "bpf")


def reparameterize(mu, logvar, eps):
    return mu
