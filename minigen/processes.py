"""One training run in several processes: each has its share of every batch, and the run stays the same.

torchrun starts them and says in the environment who is who. Every process draws the whole batch and all
random numbers that belong to it, and keeps the rows that are its own; gradients are averaged. So the losses
are those of one process, up to rounding, and a run may go on with another number of processes. A loss that is
no mean over the batch, such as the adaptive weight of `codec`, is each process's own.

torch.distributed.nn is imported here, while there is no group: the first optimizer would import it later, and
its default arguments are the group of that moment, whose threads then live on and may abort Python's end.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
import torch.distributed.nn.functional
from torch import Tensor, distributed
from torch.overrides import TorchFunctionMode

from minigen.core import device

LIKE = {torch.rand_like, torch.randn_like}
SIZED = {torch.rand, torch.randn, torch.randint}


def count() -> int:
    """How many processes train together; 1 unless `together` has begun."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this one is, from 0; the first one writes files and talks."""
    return distributed.get_rank() if distributed.is_initialized() else 0


@contextmanager
def together(name: str | None = None) -> Iterator[torch.device]:
    """A block in which the processes that torchrun started work together; gives the device of this one.

    name: of the device, as for `core.device`.  On GPUs each process of a machine has its own.  Without
    torchrun the block is nothing special.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield device(name)
        return
    where = device(name)
    if where.type == "cuda":
        where = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(where)
    distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        yield where
    finally:
        distributed.destroy_process_group()


def share(batch: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
    """The rows of a batch (x, condition or None) that are this process's: every n-th of them.

    Raises ValueError when the processes cannot have equally many.
    """
    if len(batch[0]) % count():
        raise ValueError(f"{count()} processes should share a batch evenly; it has {len(batch[0])} rows")
    x, condition = (part if part is None else part[rank() :: count()] for part in batch)
    return x, condition


def average(tensors: Iterable[Tensor]) -> None:
    """Replaces tensors of one dtype by their means over all processes, in place."""
    if count() > 1:
        tensors = list(tensors)
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor) / count())


def agree(what: str, value: int, where: torch.device) -> None:
    """Raises a ValueError, which says what, unless all processes have the same value.  where: a device."""
    if count() > 1:
        values = torch.zeros(count(), dtype=torch.int64, device=where)
        values[rank()] = value
        distributed.all_reduce(values)
        if len(values.unique()) > 1:
            raise ValueError(f"{what} should be the same for all processes; they have {values.tolist()}")


def shared_draws() -> AbstractContextManager:
    """A block with SharedDraws; with one process it is nothing special, and costs nothing."""
    return SharedDraws() if count() > 1 else nullcontext()


class SharedDraws(TorchFunctionMode):
    """A block in which random tensors are the rows, of those for the whole batch, that are this process's.

    For `rand`, `randn`, `randint` and `rand_like`, `randn_like`, with as many rows as this process has.
    Nothing else that is random is shared, dropout for one.
    """

    def __torch_function__(self, draw: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if draw not in LIKE | SIZED:
            return draw(*args, **kwargs or {})
        args, kwargs = more_rows(draw in LIKE, args, kwargs or {})
        return draw(*args, **kwargs)[rank() :: count()].contiguous()


def more_rows(like: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """The arguments of a draw, asking for as many rows as all processes have together."""
    if like:  # randn_like(x)
        return (torch.cat([args[0]] * count()), *args[1:]), kwargs
    if "size" in kwargs:
        n, *others = kwargs["size"]
        return args, kwargs | {"size": (n * count(), *others)}
    if isinstance(args[-1], int):  # randn(n, …)
        return (args[0] * count(), *args[1:]), kwargs
    *before, (n, *others) = args  # randint(high, (n, …))
    return (*before, (n * count(), *others)), kwargs
