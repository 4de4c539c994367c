# tries: deny service: crashes the interpreter
# protections: fork
# outcome: malformed output
# canary: killed
import ctypes

ctypes.string_at(0)


def reparameterize(mu, logvar, eps):
    return mu
