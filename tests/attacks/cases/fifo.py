# tries: deny service: a pipe in the place of a report, at which a reader waits for ever
# protections: seccomp, earlier files
# outcome: raised
# canary: collected stuck
import os

os.mkfifo("/work/report")


def reparameterize(mu, logvar, eps):
    return mu
