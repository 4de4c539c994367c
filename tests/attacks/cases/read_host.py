# tries: find the answer: looks for the repository and home folders
# stopped by: only the runtime is bound
# outcome: raised
import os

found = [p for p in ("/home", "/root/.ssh", "/etc/passwd", "/var", "/run") if os.path.exists(p)]
assert not found, found
open("/etc/passwd").read()


def reparameterize(mu, logvar, eps):
    return mu
