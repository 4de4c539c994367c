# tries: deny service: never ends
# protections: cpu, cpu time, clock
# outcome: timed out
# canary: late
while True:
    pass


def reparameterize(mu, logvar, eps):
    return mu
