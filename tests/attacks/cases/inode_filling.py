# tries: deny service: uses up the number of files
# stopped by: number of files in the work folder
# outcome: raised
for i in range(10**6):
    open(f"/work/{i}", "w").close()


def reparameterize(mu, logvar, eps):
    return mu
