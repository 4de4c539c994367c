"""The data sets by their names, as training wants them: batches without end, of a size that halves well."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from minigen.data.classics import cifar10, fashion_mnist, mnist
from minigen.data.digits import digits
from minigen.data.rows import batches, nearest
from minigen.data.shapes import SHAPES, Factors, draw, held_out, indices, random_factors, shapes

DATASETS = {"digits": digits, "mnist": mnist, "fashion_mnist": fashion_mnist, "cifar10": cifar10}
ENDLESS = 1  # the sequence of shapes that is for training; those of `shapes` itself are for tests
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Kind:
    """Which images a data set has, and a model is for.

    data: the name of the data set.  channels, size: of the images, size a power of two.  crop: height and
    width without the dark frame that brought them to that size.  classes: how many.  mean: (C, size, size),
    of the images; for a model that is read from a file, which has its own, any.
    """

    data: str
    channels: int
    size: int
    crop: int
    classes: int
    mean: Tensor | None = None


@dataclass(frozen=True)
class Supply:
    """A data set for training.

    batches: from the number of images in a batch to what draws one, as `data.batches`.
    """

    kind: Kind
    batches: Callable[[int], Callable[[torch.Generator], Batch]]


def supply(name: str) -> Supply:
    """A data set by its name, fetched when it is not here yet.

    name: digits, mnist, fashion_mnist or cifar10; or shapes, of which "shapes:16" is another size: pictures
    without end, none twice, whose class is their shape; or scenes, which are shapes without those that
    `held_out` keeps for tests, each with all its named factors (5,) in place of a class.
    Raises ValueError for another name, and DownloadError as `fetch` does.
    """
    start, colon, rest = name.partition(":")
    if start in DRAWN and (rest.isdecimal() or not colon):
        return _drawn(name, int(rest or 32), DRAWN[start])
    if name not in DATASETS:
        raise ValueError(f"there is no data set {name}{nearest(name, [*DATASETS, *DRAWN])}")
    images, labels = DATASETS[name]("train")
    crop = images.shape[-1]
    size = 2 ** (crop - 1).bit_length()
    x = F.pad(images, [(size - crop) // 2] * 4, value=-1)
    kind = Kind(name, x.shape[1], size, crop, int(labels.max()) + 1, x.mean(0))
    return Supply(kind, lambda n: batches(x, labels, n))


def _drawn(name: str, size: int, chosen: Callable[[int, int], tuple[Factors, Tensor]]) -> Supply:
    """Shapes of size × size pixels, drawn when they are needed.

    chosen: chosen(n, start) gives what n of them show, and what is said of each.
    """
    if size < 8 or size & (size - 1):
        raise ValueError(f"shapes should have a size that is a power of two, at least 8; got {size}")

    def of(n: int) -> Callable[[torch.Generator], Batch]:
        def draw_batch(generator: torch.Generator) -> Batch:
            factors, told = chosen(n, int(torch.randint(2**31, (), generator=generator)))
            return draw(factors, size), told

        return draw_batch

    return Supply(Kind(name, 3, size, size, len(SHAPES), shapes(1000, size, ENDLESS)[0].mean(0)), of)


def _any_shapes(n: int, start: int) -> tuple[Factors, Tensor]:
    factors = random_factors(n, ENDLESS, start)
    return factors, factors.shape


def _scenes(n: int, start: int) -> tuple[Factors, Tensor]:
    factors = random_factors(2 * n + 20, ENDLESS, start)  # a sixth is held out, so n are left
    factors = factors[~held_out(factors)][:n]
    return factors, indices(factors)


DRAWN = {"shapes": _any_shapes, "scenes": _scenes}
