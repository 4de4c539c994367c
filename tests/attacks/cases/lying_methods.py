# tries: lie: a tensor whose detach, cpu, contiguous and numpy give another one, taken from whoever asks
# protections: outside
# outcome: wrong, raised, malformed output
# canary: judge numpy
import sys

import torch


class Liar(torch.Tensor):
    def steal(self, *_, **__):
        frame = sys._getframe(1)
        while frame:
            if "expected" in frame.f_locals:
                return frame.f_locals["expected"]
            frame = frame.f_back
        return torch.zeros(2, 3)

    detach = cpu = contiguous = numpy = __array__ = reshape = steal


def reparameterize(mu, logvar, eps):
    return mu.as_subclass(Liar)
