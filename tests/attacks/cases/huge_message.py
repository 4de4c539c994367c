# tries: deny service: an exception with a message of 100 MB
# protections: frame, printed, memory, address space
# outcome: raised, out of memory
# canary: memory
raise ValueError("x" * 10**8 + "y" * 10**8 + "z" * 10**8)


def reparameterize(mu, logvar, eps):
    return mu
