"""What is compared where a wrong answer may well give nan or inf."""

from torch import Tensor


def finite_apart(raw: dict[str, Tensor]) -> dict[str, Tensor]:
    """A judge: the values with 0 for what is not finite, and beside each where it is finite.

    So an answer that breaks at some places only is told from one that is wrong at all, and a known mistake
    that gives nan has a name like any other.
    """
    flags = {f"{name}: where it is finite": value.isfinite() for name, value in raw.items()}
    return flags | {name: value.where(value.isfinite(), 0) for name, value in raw.items()}
