# tries: deny service: recursion without end
# stopped by: Python's own limit
# outcome: raised
def deeper():
    return deeper()


deeper()


def reparameterize(mu, logvar, eps):
    return mu
