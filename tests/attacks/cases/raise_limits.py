# tries: deny service: takes back its own limits, then asks for memory without end
# protections: address space, memory
# outcome: out of memory, raised, timed out
# canary: memory
import resource

for limit in resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_CPU:
    try:
        resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ValueError, OSError):
        pass
hoard = []
while True:
    hoard.append(b"x" * 10**7)


def reparameterize(mu, logvar, eps):
    return mu
