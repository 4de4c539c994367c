# tries: find the answer: watches what other processes open
# protections: seccomp
# outcome: raised
# canary: says seen
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
watch = libc.inotify_init()
if watch < 0:
    raise OSError(ctypes.get_errno(), "inotify")
libc.inotify_add_watch(watch, b"/site", 0xFFF)
if os.fork() == 0:
    os.listdir("/site")
    os._exit(0)
os.wait()
if os.read(watch, 100):
    raise RuntimeError("se" + "en")


def reparameterize(mu, logvar, eps):
    return mu
