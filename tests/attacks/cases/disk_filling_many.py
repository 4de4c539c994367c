# tries: deny service: fills the disk with many files
# protections: disk
# outcome: raised
# canary: disk
for i in range(100):
    with open(f"/work/{i}", "wb") as file:
        file.write(b"x" * 10**6)


def reparameterize(mu, logvar, eps):
    return mu
