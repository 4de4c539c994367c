# tries: deny service: prints without end
# protections: printed, address space, memory, cpu, cpu time, clock
# outcome: timed out, out of memory
# canary: memory
while True:
    print("x" * 10**6)


def reparameterize(mu, logvar, eps):
    return mu
