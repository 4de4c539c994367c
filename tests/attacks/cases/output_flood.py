# tries: deny service: writes to every open descriptor without end
# protections: output, memory
# outcome: malformed output, timed out
# canary: memory
import os

for descriptor in range(3, 64):
    try:
        while True:
            os.write(descriptor, b"x" * 65536)
    except OSError:
        pass


def reparameterize(mu, logvar, eps):
    return mu
