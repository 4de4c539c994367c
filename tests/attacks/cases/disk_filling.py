# tries: deny service: fills the disk
# stopped by: limit of a file, size of the work folder
# outcome: raised
with open("/work/x", "wb") as file:
    while True:
        file.write(b"x" * 10**6)


def reparameterize(mu, logvar, eps):
    return mu
