# tries: escape: takes over its parent, which then dies with it
# protections: seccomp, processes, namespaces, capabilities
# outcome: raised
# canary: killed
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
SEIZE, DIES_WITH_ME = 0x4206, ctypes.c_void_p(0x100000)
for process in os.getppid(), os.getppid() - 1:
    if libc.ptrace(SEIZE, process, None, DIES_WITH_ME) != 0 and process == os.getppid():
        raise OSError(ctypes.get_errno(), "ptrace")


def reparameterize(mu, logvar, eps):
    return mu
