# tries: deny service: prints without end
# stopped by: limit of computing
# outcome: timed out, out of memory
while True:
    print("x" * 10**6)


def reparameterize(mu, logvar, eps):
    return mu
