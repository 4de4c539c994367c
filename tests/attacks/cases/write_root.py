# tries: escape: writes outside of the work folder
# stopped by: read-only file system
# outcome: raised
with open("/escaped", "w") as file:
    file.write("x")


def reparameterize(mu, logvar, eps):
    return mu
