# tries: escape: writes to a folder above its own
# protections: read-only
# outcome: raised
# canary: file /results/escaped
with open("/work/../results/escaped", "w") as file:
    file.write("x")


def reparameterize(mu, logvar, eps):
    return mu
