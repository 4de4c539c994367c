# tries: escape: another root, in which files are found that are not the grader's
# protections: seccomp, capabilities
# outcome: raised
# canary: says another root
import os

os.mkdir("/work/usr")
os.chroot("/work")
os.chdir("/")
if os.listdir("/") == ["usr"]:
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"another" + b" root")
        except OSError:
            pass
    os._exit(0)


def reparameterize(mu, logvar, eps):
    return mu
