"""What kind of thing an answer gave back: a tensor, two of them, nothing. Arrays alone do not show it."""

from typing import Any

from torch import Tensor

from minigen.probing.observe import Observation

Kind = dict[
    str, Any
]  # of one result: {"kind", "called": in words, "parts": [[kind, called, shape], …]}; JSON values


def kinds(seen: Observation) -> list[Kind]:
    """The kinds of the results of all calls."""
    return [
        {
            "kind": _kind(call.result),
            "called": _called(call.result),
            "parts": [[_kind(p), _called(p), _shape(p)] for p in _parts(call.result)],
        }
        for call in seen.calls
    ]


def returned(seen: Observation, wanted: list[Kind]) -> str | None:
    """The kind of object that came back, where that alone is wrong."""
    for call, theirs in zip(seen.calls, wanted, strict=False):
        if not call.ended:  # it raised, and the probe went on
            continue
        if call.result is None and theirs["kind"] != "None":
            return "Your code returns None: is a `return` missing?"
        mine, parts = _parts(call.result), theirs["parts"]
        if len(mine) != len(parts):
            return f"Your code returns {_called(call.result)}; {theirs['called']} was wanted."
        for i, (part, (kind, called, _)) in enumerate(zip(mine, parts, strict=True)):
            if _kind(part) != kind:
                which = "What your code returns" if len(parts) == 1 else f"Part {i + 1} of what you return"
                return f"{which} is {_called(part)}; {called} was wanted."
        shapes = [_shape(p) for p in mine], [shape for *_, shape in parts]
        if len(mine) == 2 and shapes[0] != shapes[1] and shapes[0] == shapes[1][::-1]:
            return "You return the two results in the other order."
    return None


def _parts(x: Any) -> list:
    """What a function returned, as a list: a tuple's (or list's) parts, or the one thing."""
    return list(x) if isinstance(x, (tuple, list)) else [x]


def _shape(x: Any) -> list[int] | None:
    return list(x.shape) if isinstance(x, Tensor) else None


def _kind(x: Any) -> str:
    if isinstance(x, (tuple, list)):
        return f"a tuple of {len(x)}"
    if isinstance(x, (Tensor, int, float, bool)):
        return "a tensor"  # a number serves as a tensor without dimensions
    if type(x).__module__ == "numpy":
        return "a numpy array" if hasattr(x, "shape") and x.shape else "a numpy number"
    return "None" if x is None else f"a {type(x).__name__}"


def _called(x: Any) -> str:
    """What a learner would call the thing, where that says more than its kind."""
    if isinstance(x, list):
        return f"a list of {len(x)}"
    return "a plain number" if isinstance(x, (int, float)) else _kind(x)
