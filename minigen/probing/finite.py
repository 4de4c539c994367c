"""What is compared where a wrong answer may well give nan or inf."""

import torch
from torch import Tensor


def finite_apart(raw: dict[str, Tensor]) -> dict[str, Tensor]:
    """A judge: the values with 0 for what is not finite, and before them whether all of it is.

    So an answer that breaks at some places only is told from one that is wrong at all, and a known mistake
    that gives nan has a name like any other.
    """
    finite = torch.stack([value.isfinite().all() for value in raw.values()]).all()
    return {"all numbers are finite": finite} | {
        name: value.where(value.isfinite(), 0) for name, value in raw.items()
    }
