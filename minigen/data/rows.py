"""Choosing rows of a data set: those of a split, then those of one training batch."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a sentence about a name that is not there: the one that may be meant, then all."""
    names = list(names)
    meant = "".join(f", did you mean {n}?" for n in difflib.get_close_matches(name, names, 1, 0.5))
    return f"{meant} (there is: {', '.join(names)})"


def choose_split(split: str, splits: Mapping[str, T]) -> T:
    """What `splits` holds under the name `split`.  Raises ValueError, listing the names, for any other."""
    if split not in splits:
        raise ValueError(f"split should be one of {', '.join(splits)}; got {split!r}")
    return splits[split]


def batches(
    x: Tensor, condition: Tensor | None = None, size: int = 64
) -> Callable[[torch.Generator], tuple[Tensor, Tensor | None]]:
    """A function that draws a training batch: `size` rows of the data, each independently of the others.

    x: (N, ...), N >= 1.  condition: (N, ...) or None, what goes with each row.  size: rows in a batch, even
    more than N.
    Returns a function of a CPU torch.Generator that gives (x rows, condition rows or None), on their device.
    Rows are drawn with replacement, so a batch depends on the generator and on nothing else: training seeds
    one from (seed, step), and a run that is stopped at any step goes on as if it had not been.
    Raises ValueError when x is empty, size is below 1, or condition has another number of rows.
    """
    if len(x) == 0:
        raise ValueError("x should have at least one row; got none")
    if size < 1:
        raise ValueError(f"size should be at least 1; got {size}")
    if condition is not None and len(condition) != len(x):
        raise ValueError(
            f"condition should have one row for each of the {len(x)} rows of x; got {len(condition)}"
        )

    def draw_batch(generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        rows = torch.randint(len(x), (size,), generator=generator)
        return x[rows.to(x.device)], None if condition is None else condition[rows.to(condition.device)]

    return draw_batch
