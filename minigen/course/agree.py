"""When two runs of a probe gave the same result: names, kinds, shapes, and values within a tolerance."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from minigen.probing.observe import GRADIENT, Observation

TOLERANCE = 1e-4  # of the largest value of an array: float32 written another way differs by about 1e-6


@dataclass
class Result:
    """What of an observation is compared: judged values, gradients, and which inputs were modified."""

    values: dict[str, Tensor] | None  # None when the raw values could not even be judged
    modified: set[str] = field(default_factory=set)

    @property
    def finite(self) -> bool:
        values = None if self.values is None else self.values.values()
        return values is not None and all(not v.is_meta and bool(torch.isfinite(v).all()) for v in values)


def judged(seen: Observation, judge: Callable | None) -> Result:
    """The result of one run, after `judge` has removed from it what an answer is free to choose."""
    if seen.error is not None:
        return Result(None)
    if judge is None:
        return Result(seen.values, seen.modified)
    raw = {k: v for k, v in seen.values.items() if not k.startswith(GRADIENT)}
    gradients = {k: v for k, v in seen.values.items() if k.startswith(GRADIENT)}
    with contextlib.suppress(Exception):  # a judge may trust shapes; an answer need not have them
        return Result({k: torch.as_tensor(v) for k, v in judge(raw).items()} | gradients, seen.modified)
    return Result(None)


def close(a: Tensor, wanted: Tensor, tolerance: float = TOLERANCE, alike: bool = False) -> bool:
    """Whether a is `wanted`: dtype, shape, and every |difference| within tolerance of the largest value.

    alike: whether values that are not finite in both, at the same places, count as the same.
    """
    if a.shape != wanted.shape or a.dtype != wanted.dtype or a.device != wanted.device:
        return False
    a, wanted = (v.double() if not v.is_complex() else torch.view_as_real(v).double() for v in (a, wanted))
    if wanted.numel() == 0:
        return True
    if alike:
        kept = wanted.isfinite()
        if not torch.equal(kept, a.isfinite()):
            return False
        a, wanted = a.where(kept, 0.0), wanted.where(kept, 0.0)
    scale = wanted.abs().max().clamp(min=1e-3)
    return bool((a - wanted).abs().le(tolerance * scale).all())  # a NaN is not <= anything


def agree(a: Result, wanted: Result, tolerance: float = TOLERANCE, alike: bool = False) -> bool:
    """Whether a run gave the wanted result; alike: as for `close`."""
    if a.values is None or wanted.values is None or a.modified != wanted.modified:
        return False
    if a.values.keys() != wanted.values.keys():
        return False
    return all(close(a.values[name], wanted.values[name], tolerance, alike) for name in wanted.values)
