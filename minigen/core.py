"""What every part of minigen shares: the device, the budget, the protocol of a model, and safe files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import torch
from torch import Tensor, nn

BUDGETS = ("smoke", "normal", "full")  # seconds, for tests · minutes on two cores · better on a GPU


def device(name: str | None = None) -> torch.device:
    """Where to compute: `name` or $MINIGEN_DEVICE when given, else the GPU if there is one, else the CPU."""
    asked = "device" if name else "MINIGEN_DEVICE"
    if name := name or os.environ.get("MINIGEN_DEVICE"):
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:  # no such kind of device, or none here
            wanted = f"{asked} should be a device that torch has here, such as cpu, cuda or mps"
            raise ValueError(f"{wanted}; got {name!r}") from error
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def budget(smoke: int, normal: int, full: int) -> int:
    """The number of steps for this run, chosen by $MINIGEN_BUDGET (normal unless it says otherwise)."""
    name = os.environ.get("MINIGEN_BUDGET", "normal")
    if name not in BUDGETS:
        raise ValueError(f"MINIGEN_BUDGET should be one of {', '.join(BUDGETS)}; got {name!r}")
    return {"smoke": smoke, "normal": normal, "full": full}[name]


class Generative(nn.Module):
    """The protocol that every model of the course follows, so that one loop trains them all.

    A model has a `loss` (or, with several players, `losses` and `players`) and, if it generates, a `sample`.
    classes: how many `sample` can be asked for; None for a model that is not told what to draw.
    """

    classes: int | None = None

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> Tensor | dict[str, Tensor]:
        """One scalar, or {term: scalar} whose sum is minimised. batch: (x, condition)."""
        raise NotImplementedError(f"{type(self).__name__} defines no loss")

    def sample(self, n: int, condition: Tensor | None = None) -> Tensor:
        """n images (n, C, H, W) in [-1, 1]."""
        raise NotImplementedError(f"{type(self).__name__} cannot sample")

    def players(self) -> dict[str, nn.Module]:
        """Who has an optimizer of its own: {name: module}."""
        return {"model": self}

    def losses(self, batch: tuple[Tensor, Tensor | None]) -> Iterator[tuple[str, Tensor | dict[str, Tensor]]]:
        """Yields (player, its loss), once an optimizer step; a GAN: its critic's, then its generator's."""
        yield "model", self.loss(batch)


def check_images(name: str, x: Tensor) -> None:
    """Raises a ValueError that names the argument unless x is a batch of images.

    x: floating point (N, C, H, W), not empty, finite, in [-1, 1] up to rounding.
    """
    wanted = f"{name} should be images (N, C, H, W), floating point, in [-1, 1]"
    if not isinstance(x, Tensor):
        raise ValueError(f"{wanted}; got {type(x).__name__}")
    if x.ndim != 4 or not x.is_floating_point():
        raise ValueError(f"{wanted}; got shape {tuple(x.shape)}, {x.dtype}")
    if x.numel() == 0:
        raise ValueError(f"{wanted}; got shape {tuple(x.shape)}, which is empty")
    low, high = x.aminmax()
    if not (torch.isfinite(low) and torch.isfinite(high)):
        raise ValueError(f"{wanted}; got values that are not finite")
    if low < -1.001 or high > 1.001:
        raise ValueError(f"{wanted}; got values from {low:.4g} to {high:.4g}")


def check_folder(name: str, folder: str | Path) -> None:
    """Raises a ValueError that names the argument unless a folder can be written to, or made; makes none."""
    path = Path(folder).absolute()
    try:
        with TemporaryFile(dir=next(place for place in (path, *path.parents) if place.exists())):
            pass
    except OSError as error:
        wanted = f"{name} should be a folder that can be written to"
        raise ValueError(f"{wanted}; got {folder} ({error.strerror})") from error


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path that takes the place of `path` when the block ends well, and else is removed.

    The file at `path` is whole at every moment: the old one, then the new one, whatever kills the process.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # some libraries write files that only their owner may read
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)  # a write that fails does not say of which file
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """What this process takes away from the rights of new files; it can only be read by setting it."""
    os.umask(mask := os.umask(0o077))
    return mask
