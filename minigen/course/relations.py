"""Plain facts about a wrong result: what it is beside what was wanted. Facts, never guesses at the cause.

Each fact holds on every draw that was tried, and the draws have different sizes.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from minigen.course.agree import Result, close
from minigen.probing.kinds import kinds, returned
from minigen.probing.observe import GRADIENT, Observation
from minigen.probing.trace import words

Pairs = list[tuple[Tensor, Tensor]]  # (learner's, wanted) of one array, on every draw


def facts(
    seen: list[Observation],
    mine: list[Result],
    wanted: list[Observation],
    theirs: list[Result],
    tolerance: float,
) -> tuple[str, bool]:
    """(what is true of the result, whether that already says what to look for)."""
    if said := returned(seen[0], kinds(wanted[0])):
        return said, True
    if seen[0].error is None and (said := _layers(seen[0], wanted[0])):
        return said, True
    if any(m.values is None for m in mine):
        return _unusable(seen[0], wanted[0]), True
    names = list(theirs[0].values)
    right = [n for n in names if all(_right(m, t, n, tolerance) for m, t in zip(mine, theirs, strict=True))]
    wrong = [n for n in names if n not in right]
    if not wrong:
        return _modified(mine, theirs), True
    said, explained = _cut(wrong[0], seen, wanted) or _array(wrong[0], mine, theirs, wanted)
    if any(s.drew for s in seen) and not any(w.drew for w in wanted):
        said = f"Your code draws random numbers of its own, so that each call gives another result. {said}"
        explained = True
    if changed := seen[0].modified - wanted[0].modified:
        said = f"Your code changes its argument {_list(sorted(changed))} in place. {said}"
    others = [label(n, wanted[0]) for n in right if not n.startswith(GRADIENT)]
    if others and not wrong[0].startswith(GRADIENT):
        said += f" Right: {', '.join(others)}."
    return said, explained


def ignored(results: Callable, answer: Any, target: Any, draws: Sequence[int]) -> str:
    """The argument that the answer's result does not depend on, though the library's does; or nothing."""
    if isinstance(target, type):
        return ""
    for name in inspect.signature(target).parameters:
        moves = [_moves(results, answer, target, name, draw) for draw in draws]
        if not any(moves) and all(_moves(results, target, target, name, draw) for draw in draws):
            return f" It does not depend on `{name}`."
    return ""


def label(name: str, seen: Observation) -> str:
    """How a sentence calls one array of a probe's result."""
    if name.startswith(GRADIENT):
        return f"gradient by `{seen.leaves[int(name.removeprefix(GRADIENT))]}`"
    return f"`{name}`"


def _moves(results: Callable, answer: Any, target: Any, name: str, draw: int) -> bool:
    """Whether the result changes when argument `name` becomes quite another one of the same shape."""

    def other(*args, **kwargs):
        bound = inspect.signature(target).bind(*args, **kwargs)
        value = bound.arguments.get(name)
        if isinstance(value, Tensor) and value.numel():
            mixed = value.detach().flatten().flip(0).view(value.shape)
            ends = mixed.max() + mixed.min()
            bound.arguments[name] = (ends - mixed) * 0.6 if value.is_floating_point() else ends - mixed
        return answer(*bound.args, **bound.kwargs)

    before, after = results(answer, draw), results(other, draw)
    if before.values is None or after.values is None:
        return True
    return any(not close(after.values.get(n, v), v, 1e-6) for n, v in before.values.items())


def _layers(seen: Observation, wanted: Observation) -> str | None:
    """The layers that one model called and the other did not: their weights cannot be matched."""
    extra, missing = _without(seen.layers, wanted.layers), _without(wanted.layers, seen.layers)
    if not extra and not missing:
        return None
    parts = [f"calls {_list(extra)}, which the library's does not"] if extra else []
    parts += [f"never calls {_list(missing)}"] if missing else []
    return f"Your model {', and '.join(parts)}."


def _unusable(seen: Observation, wanted: Observation) -> str:
    if changed := seen.modified - wanted.modified:
        names = _list(sorted(changed))
        return f"Your code changes its argument {names} in place; its old value is still needed."
    if seen.error is not None:
        return f"Your result could not be used: {words(seen.error)}."
    for name, value in wanted.values.items():
        got = seen.values.get(name)
        if got is None:
            return f"{label(name, wanted)} is missing."
        if said := _form([(got, value)]):
            return f"{label(name, wanted)}: {said}."
    return "Your result could not be used."


def _modified(mine: list[Result], theirs: list[Result]) -> str:
    changed = set().union(*(m.modified for m in mine)) - set().union(*(t.modified for t in theirs))
    if changed:
        return f"The values are right, but your code changes its argument {_list(sorted(changed))} in place."
    missed = set().union(*(t.modified for t in theirs)) - set().union(*(m.modified for m in mine))
    if not missed:
        return "The values are almost what is wanted, but not close enough."
    return f"The argument {_list(sorted(missed))} should be changed in place; your code leaves it as it was."


def _cut(name: str, seen: list[Observation], wanted: list[Observation]) -> tuple[str, bool] | None:
    if not name.startswith(GRADIENT):
        return None
    i = int(name.removeprefix(GRADIENT))
    if all(i in s.cut for s in seen) and not any(i in w.cut for w in wanted):
        return f"The values are right, but no gradient reaches `{wanted[0].leaves[i]}`.", True
    return None


def _array(
    name: str, mine: list[Result], theirs: list[Result], wanted: list[Observation]
) -> tuple[str, bool]:
    """The first fact that holds for one array on every draw."""
    words = _sentence(label(name, wanted[0]))
    if any(name not in m.values for m in mine):
        return f"{words} is missing.", True
    pairs = [(m.values[name], t.values[name]) for m, t in zip(mine, theirs, strict=True)]
    if said := _form(pairs):
        return f"{words}: {said}.", True
    if all(w.dtype == torch.bool and w.ndim == 0 and w for _, w in pairs):
        return f"{words}: not so.", False
    pairs = [(a.double(), w.double()) for a, w in pairs]
    for said in (_factor(pairs, wanted), _offset(pairs), _rearranged(pairs)):
        if said:
            return f"{words}: {said}.", said != "zero everywhere"
    return f"{words}: not what is wanted.", False


def _form(pairs: Pairs) -> str | None:
    """Shape, dtype and finiteness."""
    if all(w.ndim > 1 and a.shape == w.mT.shape and close(a, w.mT) for a, w in pairs):
        return "transposed"
    for a, w in pairs:
        if a.device != w.device:
            return f"it is on the device {a.device}; {w.device} was wanted"
        if a.shape != w.shape:
            return f"the shape is {tuple(a.shape)}; {tuple(w.shape)} was wanted"
        if a.dtype != w.dtype:
            return f"the dtype is {_dtype(a)}; {_dtype(w)} was wanted"
        if not torch.isfinite(a).all():
            return "some values are not finite (nan or inf)"
    return None


def _factor(pairs: Pairs, wanted: list[Observation]) -> str | None:
    if any(w.norm() == 0 for _, w in pairs):
        return None
    factors = [float((a * w).sum() / (w * w).sum()) for a, w in pairs]
    if not all(close(a, c * w) for c, (a, w) in zip(factors, pairs, strict=True)):
        return None
    if all(abs(c) < 1e-9 for c in factors):
        return "zero everywhere"
    if max(factors) - min(factors) <= 1e-3 * abs(factors[0]):
        if abs(factors[0] + 1) < 1e-3:
            return "right except for its sign"
        if abs(factors[0] - 1) < 1e-4:
            return "nearly what is wanted, but not close enough"
        return f"{factors[0]:.4g} times the wanted one"
    for where, sizes in _sizes(wanted):
        ratios = list(zip(factors, sizes, strict=True))
        if all(abs(c * n - 1) < 1e-3 for c, n in ratios):
            return f"the wanted one divided by {where}, as when a mean stands where a sum is wanted"
        if all(abs(c / n - 1) < 1e-3 for c, n in ratios):
            return f"the wanted one times {where}, as when a sum stands where a mean is wanted"
    return None


def _sizes(wanted: list[Observation]) -> Iterator[tuple[str, list[int]]]:
    """Every size that the inputs have, in words, with its value on each draw."""
    calls = [w.calls[0].arguments if w.calls else {} for w in wanted]
    for name, value in calls[0].items():
        if not all(isinstance(a.get(name), Tensor) and a[name].numel() for a in calls):
            continue
        for i in range(value.ndim):
            yield f"the size of dimension {i} of `{name}`", [a[name].shape[i] for a in calls]
        yield f"the number of elements of `{name}`", [a[name].numel() for a in calls]
        if value.ndim > 1:
            yield f"the number of elements of one row of `{name}`", [a[name][0].numel() for a in calls]


def _offset(pairs: Pairs) -> str | None:
    offsets = [float((a - w).mean()) if w.numel() else 0.0 for a, w in pairs]
    c = offsets[0]
    if abs(c) < 1e-6 or max(offsets) - min(offsets) > 1e-4 * abs(c):
        return None
    if not all(close(a, w + c) for a, w in pairs):
        return None
    return f"the wanted one {'plus' if c > 0 else 'minus'} {abs(c):.4g}"


def _rearranged(pairs: Pairs) -> str | None:
    for d in range(min(w.ndim for _, w in pairs)):
        if all(close(a, w.flip(d)) for a, w in pairs):
            return f"right but in reverse order along dimension {d}"
    return None


def _right(mine: Result, theirs: Result, name: str, tolerance: float) -> bool:
    return name in mine.values and close(mine.values[name], theirs.values[name], tolerance)


def _dtype(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


def _without(a: list[str], b: list[str]) -> list[str]:
    rest = list(a)
    for x in b:
        if x in rest:
            rest.remove(x)
    return rest


def _list(names: list[str]) -> str:
    quoted = [n if n.startswith(("`", "the ")) else f"`{n}`" for n in dict.fromkeys(names)]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " and " + quoted[-1]


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
