# tries: deny service: crashes the interpreter
# stopped by: a process of its own
# outcome: malformed output
import ctypes

ctypes.string_at(0)


def reparameterize(mu, logvar, eps):
    return mu
