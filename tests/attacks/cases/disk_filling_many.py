# tries: deny service: fills the disk with many files
# stopped by: size of the work folder
# outcome: raised
for i in range(100):
    with open(f"/work/{i}", "wb") as file:
        file.write(b"x" * 10**6)


def reparameterize(mu, logvar, eps):
    return mu
