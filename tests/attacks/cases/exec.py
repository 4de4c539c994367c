# tries: escape: another program in its place
# protections: seccomp
# outcome: raised
# canary: says another program
import os
import sys

for descriptor in range(3, 64):
    try:
        os.set_inheritable(descriptor, True)
    except OSError:
        pass
code = "import os\nfor d in range(3, 64):\n try: os.write(d, b'another' + b' program')\n except OSError: pass"
os.execve(sys.executable, ["python", "-I", "-S", "-c", code], {})


def reparameterize(mu, logvar, eps):
    return mu
