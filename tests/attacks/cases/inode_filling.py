# tries: deny service: uses up the number of files
# protections: files, disk
# outcome: raised
# canary: files
for i in range(10**6):
    open(f"/work/{i}", "w").close()


def reparameterize(mu, logvar, eps):
    return mu
