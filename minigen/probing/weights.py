"""Gives two models of one architecture the same weights, whatever their layers are called.

A layer gets its weights when it is called for the first time, drawn from a seed made of its type, its shapes,
and how many such layers were called before it. A learner's model with other attribute names and another order
of construction therefore computes what the library's does, if it calls the same layers in the same order. A
layer that is never called, since its weight is used directly, keeps those of its place in the construction.
"""

import zlib

import torch
from torch import Tensor, nn


class Weights:
    """Settles the weights of every model that one run of a probe constructs."""

    def __init__(self, seed: int):
        self.seed = seed
        self.layers: list[str] = []  # what was called, in order: "Linear 8×64, 8"
        self._built: list[str] = []  # what was constructed, in order

    def settle(self, model: nn.Module) -> None:
        """Prepares a model that has just been constructed."""
        for module in model.modules():
            if not module._parameters:
                continue
            if type(module).__module__.startswith("torch.nn"):
                self._fill(module, self._built)
                module.register_forward_pre_hook(lambda layer, _: self._on_call(layer))
            else:  # parameters that a model holds itself have no call of their own: shape and order decide
                for name, parameter in module._parameters.items():
                    holder = nn.Module()
                    holder.register_parameter(name, parameter)
                    self._fill(holder, self.layers)

    def _on_call(self, layer: nn.Module) -> None:
        if not hasattr(layer, "_settled"):
            layer._settled = True  # on the layer, so that a deep copy of a settled model stays as it is
            self._fill(layer, self.layers)

    def _fill(self, layer: nn.Module, before: list[str]) -> None:
        """Fills a layer by its description and how often that is in `before`, and adds the description."""
        parameters = [p for p in layer._parameters.values() if p is not None]
        kind = "Parameter" if type(layer) is nn.Module else type(layer).__name__
        key = f"{kind} {', '.join(map(_shape, parameters))}"
        seed = zlib.crc32(f"{self.seed} {key} {before.count(key)}".encode())
        generator = torch.Generator().manual_seed(seed)
        before.append(key)
        with torch.no_grad():
            for p in parameters:
                noise = torch.randn(p.shape, generator=generator).to(p)
                fan_in = p[0].numel() if p.ndim > 1 else 100  # a bias is about 0.1
                p.copy_(noise * fan_in**-0.5 + self._gain(layer, p))

    def _gain(self, layer: nn.Module, p: Tensor) -> float:
        """Normalising layers multiply by something near 1, and everything else is centred on 0."""
        return 1.0 if p.ndim == 1 and p is getattr(layer, "weight", None) else 0.0


def _shape(p: Tensor) -> str:
    return "×".join(map(str, p.shape))
