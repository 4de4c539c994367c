"""What makes a step of training fast on the device at hand, in one place; `train` uses it when asked to.

Nothing here changes what is computed, only how it is rounded. What each part gives is measured by
benchmarks/pace.py, and so is what was tried and dropped.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


def arrange(model: nn.Module) -> nn.Module:
    """The model with the weights of its convolutions laid out channels last; what they give follows them."""
    return model.to(memory_format=torch.channels_last)


def multiplies_halves(device: torch.device) -> bool:
    """Whether a device has units that multiply matrices of bfloat16, which make it faster than with float32.

    Those are the tensor cores of GPUs since 2020 and the tiles (AMX) of some processors.  A processor that
    only has instructions for bfloat16 is slower with it, since torch converts before and after.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and torch.cpu.get_capabilities().get("amx_bf16", False)


def precision(device: torch.device) -> AbstractContextManager:
    """A block in which networks compute in bfloat16 where that is faster; their weights stay float32."""
    return torch.autocast(device.type, torch.bfloat16) if multiplies_halves(device) else nullcontext()


class Average:
    """What `train.update_average` does, in two calls for all weights, which a GPU need not wait for."""

    def __init__(self, averaged: nn.Module, model: nn.Module):
        self.weights = list(averaged.parameters()), list(model.parameters())
        self.buffers = list(averaged.buffers()), list(model.buffers())

    @torch.no_grad()
    def move(self, decay: float) -> None:
        """Moves the averaged weights towards the model's, and copies the buffers."""
        get_ema_multi_avg_fn(decay)(*self.weights, 0)
        if self.buffers[0]:
            torch._foreach_copy_(*self.buffers)
