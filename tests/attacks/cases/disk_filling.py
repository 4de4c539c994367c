# tries: deny service: fills the disk
# protections: disk, file size
# outcome: raised
# canary: disk
with open("/work/x", "wb") as file:
    while True:
        file.write(b"x" * 10**6)


def reparameterize(mu, logvar, eps):
    return mu
