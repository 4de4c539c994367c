# tries: deny service: one tensor of 1.6 GB
# protections: address space, memory
# outcome: raised
# canary: memory
import torch

giant = torch.ones(4 * 10**8)


def reparameterize(mu, logvar, eps):
    return mu
