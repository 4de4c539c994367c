# tries: lie: a tensor whose comparisons are always true
# stopped by: only its numbers are sent
# outcome: wrong, raised
import torch


class Liar(torch.Tensor):
    def __eq__(self, other):
        return True

    @classmethod
    def __torch_function__(cls, f, types, args=(), kwargs=None):
        return super().__torch_function__(f, types, args, kwargs or {})


def reparameterize(mu, logvar, eps):
    return mu.as_subclass(Liar)
