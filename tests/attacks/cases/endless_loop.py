# tries: deny service: never ends
# stopped by: limit of computing
# outcome: timed out
while True:
    pass


def reparameterize(mu, logvar, eps):
    return mu
