# tries: deny service: asks for memory without end
# protections: address space, memory
# outcome: out of memory
# canary: memory
hoard = []
while True:
    hoard.append(bytearray(10**8))


def reparameterize(mu, logvar, eps):
    return mu
