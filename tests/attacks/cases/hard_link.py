# tries: escape: another name for a file that is not its own
# protections: seccomp, read-only
# outcome: raised
# canary: says linked
import os

open("/work/a", "w").close()
os.link("/work/a", "/work/report")
raise RuntimeError("lin" + "ked")


def reparameterize(mu, logvar, eps):
    return mu
