"""What makes a step of training fast on the device at hand, in one place; `train` uses it when asked to.

Nothing here changes what is computed, only how it is rounded. What each part gives is measured by
benchmarks/pace.py, and so is what was tried and dropped.

A GPU works behind what it was told, and both go on as long as nobody asks it for a number.  A fast step does
not: what it found is read when the next one is under way, and the GPU itself leaves out one that went wrong.
Losses should not either; those of diffusion models do not.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
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
    known = getattr(torch.cpu, "get_capabilities", dict)  # an older torch does not tell
    return device.type == "cpu" and known().get("amx_bf16", False)


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


def send(x: Tensor, device: torch.device) -> Tensor:
    """A tensor on the device; a GPU fetches it when it gets there, and nobody waits."""
    if device.type != "cuda" or x.is_cuda:
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True)


class Later:
    """Numbers that a device may still have to compute, on their way from it; only `read` waits for them."""

    def __init__(self, numbers: Tensor):
        self.numbers = numbers.detach().to("cpu", non_blocking=numbers.is_cuda)
        self.arrived = torch.cuda.Event() if numbers.is_cuda else None
        if self.arrived:
            self.arrived.record(torch.cuda.current_stream(numbers.device))

    def read(self) -> list[float]:
        if self.arrived:
            self.arrived.synchronize()
        return self.numbers.tolist()


def may_leave_out(optimizer: Optimizer) -> bool:
    """Whether an optimizer can decide on its device not to take a step, as Adam in one call can."""
    return getattr(optimizer, "_step_supports_amp_scaling", False)


def step_if_finite(optimizer: Optimizer, numbers: Tensor) -> None:
    """A step of an optimizer that may leave it out, and does so unless all numbers are finite."""
    optimizer.found_inf = (~numbers.isfinite()).any().float()
    optimizer.step()
