# tries: find the answer: counts what processors do, through which other processes show
# protections: seccomp
# outcome: raised
# canary: says a counter
import ctypes
import struct

libc = ctypes.CDLL(None, use_errno=True)
wanted = struct.pack("<IIQQQQQ", 1, 112, 1, 0, 0, 0, 0x61) + bytes(64)  # the task's clock, not the kernel's
if libc.syscall(298, wanted, 0, -1, -1, 0) < 0:
    raise OSError(ctypes.get_errno(), "perf_event_open")
raise RuntimeError("a " + "counter")


def reparameterize(mu, logvar, eps):
    return mu
