"""Gives two models of one architecture the same weights, whatever their layers are called.

A layer gets its weights when it is called for the first time, drawn from a seed made of its type, its shapes,
and how many such layers were called before it. A learner's model with other attribute names and another order
of construction therefore computes what the library's does, if it calls the same layers in the same order.
"""

import zlib

import torch
from torch import Tensor, nn


class Weights:
    """Settles the weights of every model that one run of a probe constructs."""

    def __init__(self, seed: int):
        self.seed = seed
        self.layers: list[str] = []  # what was called, in order: "Linear (64, 8)"

    def settle(self, model: nn.Module) -> None:
        """Prepares a model that has just been constructed."""
        for module in model.modules():
            if not module._parameters:
                continue
            if type(module).__module__.startswith("torch.nn"):
                module.register_forward_pre_hook(lambda layer, _: self._on_call(layer))
            else:  # parameters that a model holds itself have no call of their own: shape and order decide
                for parameter in module._parameters.values():
                    self._fill([parameter], f"Parameter {_shape(parameter)}")

    def _on_call(self, layer: nn.Module) -> None:
        if not hasattr(layer, "_settled"):
            layer._settled = True  # on the layer, so that a deep copy of a settled model stays as it is
            parameters = [p for p in layer._parameters.values() if p is not None]
            shapes = ", ".join(_shape(p) for p in parameters)
            self._fill(parameters, f"{type(layer).__name__} {shapes}")

    def _fill(self, parameters: list[Tensor | None], key: str) -> None:
        generator = torch.Generator().manual_seed(
            zlib.crc32(f"{self.seed} {key} {self.layers.count(key)}".encode())
        )
        self.layers.append(key)
        with torch.no_grad():
            for p in (p for p in parameters if p is not None):
                noise = torch.randn(p.shape, generator=generator).to(p)
                fan_in = p[0].numel() if p.ndim > 1 else 100  # a bias is about 0.1; a gain about 1 ± 0.1
                gain = 1.0 if p.ndim == 1 and p.eq(1).all() else 0.0
                p.copy_(gain + noise * fan_in**-0.5)


def _shape(p: Tensor | None) -> str:
    return "none" if p is None else "×".join(map(str, p.shape))
