"""Runs one probe on one answer and writes down everything that can be seen from outside.

The same code runs the library's object, a learner's, a known mistake and a mutant, so that they differ by
what they compute and by nothing else.
"""

import contextlib
import inspect
import random
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minigen.probing.limits import time_limit
from minigen.probing.outputs import Outputs, collected
from minigen.probing.rng import Rng
from minigen.probing.weights import Weights

GRADIENT = "∂"  # "∂0" is the name of the gradient by the first leaf among the values of an observation


@dataclass
class Call:
    """One call of the answer: the arguments by the names of its signature; what came back, if it ended."""

    arguments: dict[str, Any]
    result: Any = None
    ended: bool = False


@dataclass
class Observation:
    """What one run of a probe showed.

    values:    what the probe returned, as tensors, and the gradient by each leaf that the probe made.
    cut:       the leaves that no gradient reaches.
    modified:  the tensors among its arguments that the answer changed in place.
    drew:      whether the answer took numbers from a global random state.
    """

    values: dict[str, Tensor] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)
    cut: set[int] = field(default_factory=set)
    modified: set[str] = field(default_factory=set)
    layers: list[str] = field(default_factory=list)
    drew: bool = False
    outputs: Outputs = field(default_factory=Outputs)
    seconds: float = 0.0
    error: BaseException | None = None


class Watched:
    """Stands in the probe for the answer: passes every call on, and writes it down."""

    def __init__(
        self,
        answer: Callable,
        signature: inspect.Signature,
        seen: Observation,
        weights: Weights,
        device: torch.device,
    ):
        self._answer, self._signature, self._seen, self._weights = answer, signature, seen, weights
        self._device, self._inside = device, False

    def __call__(self, *args, **kwargs):
        if isinstance(self._answer, type):
            return self._construct(*args, **kwargs)
        with self._recorded(self._signature, args, kwargs) as call:
            call.result = self._answer(*args, **kwargs)
        return call.result

    def _construct(self, *args, **kwargs):
        with self._clocked():
            instance = self._answer(*args, **kwargs)
        if isinstance(instance, nn.Module):
            self._weights.settle(instance)
            if self._device.type not in ("cpu", "meta"):
                instance.to(self._device)
            instance.__class__ = self._watched_class
        return instance

    @cached_property
    def _watched_class(self) -> type:
        """The answer's class with every public method written down; deep copies are watched too."""
        methods = {n: m for n, m in vars(self._answer).items() if n[0] != "_" and inspect.isfunction(m)}
        return type(self._answer.__name__, (self._answer,), {n: self._watched(m) for n, m in methods.items()})

    def _watched(self, method: Callable) -> Callable:
        signature = inspect.signature(method)

        def watched(instance, *args, **kwargs):
            with self._recorded(signature, (instance, *args), kwargs) as call:
                call.result = method(instance, *args, **kwargs)
            return call.result

        return watched

    @contextlib.contextmanager
    def _recorded(self, signature: inspect.Signature, args, kwargs) -> Iterator[Call]:
        try:
            named = signature.bind(*args, **kwargs).arguments
        except TypeError:
            named = {f"argument {i + 1}": a for i, a in enumerate(args)} | kwargs
        named.pop("self", None)
        before = {place: x.detach().clone() for place, x in _tensors(named)}
        call = Call(named | {place: x for place, x in before.items() if place in named})
        self._seen.calls.append(call)
        with self._clocked():
            yield call
        call.ended = True
        after = dict(_tensors(named))
        self._seen.modified |= {place for place, x in after.items() if place not in before}
        self._seen.modified |= {p for p, x in before.items() if p not in after or not _same(after[p], x)}

    @contextlib.contextmanager
    def _clocked(self) -> Iterator[None]:
        start, outermost = time.perf_counter(), not self._inside
        self._inside = True
        try:
            yield
        finally:
            if outermost:  # a method that calls another is not counted twice
                self._inside = False
                self._seen.seconds += time.perf_counter() - start


def unwatched(model: Any) -> Any:
    """For a probe: the model without a record of its methods, which right answers may call in any order."""
    if isinstance(model, nn.Module):
        model.__class__ = type(model).__mro__[1]  # what `_watched_class` was made of
    return model


def observe(
    probe: Callable, answer: Callable, signature: inspect.Signature, seed: int,
    *, device: str, seconds: float | None, stuck: Callable[[], None] = lambda: None,
) -> Observation:  # fmt: skip
    """One run of `probe(answer, rng)` with the inputs of draw `seed`; never raises what the answer raises.

    seconds: the time limit, or None; `stuck` is called when even that does not end the run.
    """
    rng, weights, seen = Rng(seed, device), Weights(seed), Observation()
    watched = Watched(answer, signature, seen, weights, rng.device)
    with _isolated(seed), collected() as seen.outputs:
        untouched = _random_state()
        try:
            with time_limit(seconds, stuck) if seconds else contextlib.nullcontext():
                raw = probe(watched, rng)
                seen.values = {name: _as_tensor(name, value) for name, value in raw.items()}
                _add_gradients(seen, rng, seed)
        except BaseException as error:  # whatever an answer raises is an observation
            seen.error = error
        seen.drew = _random_state() != untouched
    seen.values = {name: value.detach() for name, value in seen.values.items()}
    seen.layers = weights.layers
    return seen


def _add_gradients(seen: Observation, rng: Rng, seed: int) -> None:
    """Gradients of a random combination of all outputs by every leaf; zeros where none reaches it."""
    outputs = [v for v in seen.values.values() if v.requires_grad]
    if not rng.leaves:
        return
    named = zip(rng.leaves, rng.names, strict=True)
    seen.leaves = [name or _name_of(leaf, i, seen.calls) for i, (leaf, name) in enumerate(named)]
    gradients: list[Tensor | None] = [None] * len(rng.leaves)
    if outputs:
        generator = torch.Generator().manual_seed(seed + 1)
        weights = [torch.randn(v.shape, generator=generator, dtype=torch.float64).to(v) for v in outputs]
        # a sum of its own: `grad_outputs=weights` would import sympy, which can take seconds
        combined = sum((w * v).sum() for w, v in zip(weights, outputs, strict=True))
        gradients = list(torch.autograd.grad(combined, rng.leaves, allow_unused=True))
    for i, (leaf, gradient) in enumerate(zip(rng.leaves, gradients, strict=True)):
        if gradient is None:
            seen.cut.add(i)
        seen.values[f"{GRADIENT}{i}"] = torch.zeros_like(leaf) if gradient is None else gradient


def _tensors(arguments: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """The tensors among a call's arguments and where they are: `x`, `pair[0]`, `dict[key]`, `model[bias]`."""
    for place, x in arguments.items():
        if isinstance(x, Tensor):
            yield place, x
        elif isinstance(x, (list, tuple)):
            yield from _tensors({f"{place}[{i}]": part for i, part in enumerate(x)})
        elif isinstance(x, (dict, nn.Module)):
            parts = x.state_dict() if isinstance(x, nn.Module) else x
            yield from _tensors({f"{place}[{key}]": part for key, part in parts.items()})


def _name_of(leaf: Tensor, i: int, calls: list[Call]) -> str:
    """What the answer's signature calls this leaf; recorded arguments are copies, so equal values decide."""
    for call in calls:
        for name, value in call.arguments.items():
            if isinstance(value, Tensor) and value.device == leaf.device and _same(value, leaf):
                return name
    return f"input {i + 1}"


def _same(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return a.is_meta or torch.equal(a.detach().nan_to_num(), b.detach().nan_to_num())


def _as_tensor(name: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        if value.layout is not torch.strided or value.is_quantized:
            raise TypeError(f"{name} should be an ordinary tensor; it is sparse or quantised")
        return value
    if isinstance(value, (bool, int, float)):
        return torch.as_tensor(value)
    if value is None:
        raise TypeError(f"{name} is None: is a `return` missing?")
    raise TypeError(f"{name} should be a tensor; it is of type {type(value).__name__}")


def _random_state() -> tuple:
    kind, keys, position, *_ = np.random.get_state()
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), kind, keys.tobytes(), position


@contextlib.contextmanager
def _isolated(seed: int) -> Iterator[None]:
    """Leaves no trace of a run in random states, gradient mode and default dtype, and no warning."""
    states = random.getstate(), np.random.get_state(), torch.get_default_dtype()
    cards = range(torch.cuda.device_count())
    default = torch.get_default_device()
    with torch.random.fork_rng(cards), torch.enable_grad(), warnings.catch_warnings(action="ignore"):
        random.seed(seed), np.random.seed(seed % 2**32), torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_default_dtype(states[2])
            if torch.get_default_device() != default:
                torch.set_default_device(default)
