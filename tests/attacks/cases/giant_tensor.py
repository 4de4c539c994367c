# tries: deny service: one tensor of 40 GB
# stopped by: limit of address space
# outcome: raised
import torch

giant = torch.ones(10**10)


def reparameterize(mu, logvar, eps):
    return mu
