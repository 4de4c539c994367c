# tries: deny service: files in shared memory, which count for nobody
# protections: earlier files, file size
# outcome: raised
# canary: disk
with open("/dev/shm/hoard", "wb") as file:
    for _ in range(60):
        file.write(bytes(10**6))


def reparameterize(mu, logvar, eps):
    return mu
