# tries: deny service: asks for memory without end
# stopped by: limit of address space
# outcome: out of memory
hoard = []
while True:
    hoard.append(bytearray(10**8))


def reparameterize(mu, logvar, eps):
    return mu
