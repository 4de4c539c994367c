# tries: deny service: an exception whose text never ends
# protections: cpu, cpu time, clock
# outcome: timed out
# canary: late
class Endless(Exception):
    def __str__(self):
        while True:
            pass


raise Endless


def reparameterize(mu, logvar, eps):
    return mu
