# tries: deny service: leaves an image of its memory as a file
# protections: core, file size, disk, files
# outcome: malformed output
# canary: says an image of memory
import os
import signal

os.chdir("/work")
if os.fork() == 0:
    os.kill(os.getpid(), signal.SIGSEGV)
os.wait()
found = [n for n in os.listdir("/work") if n.startswith("core")]
for descriptor in range(3, 64):
    try:
        os.write(descriptor, b"an image" + b" of memory" if found else b"nothing")
    except OSError:
        pass
os._exit(0)


def reparameterize(mu, logvar, eps):
    return mu
