# tries: escape: writes outside of the work folder
# protections: read-only
# outcome: raised
# canary: file /escaped
with open("/escaped", "w") as file:
    file.write("x")


def reparameterize(mu, logvar, eps):
    return mu
