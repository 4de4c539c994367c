"""Pictures we draw ourselves, so that we know exactly what each one shows.

The idea: a picture is a function of its factors, shape × colour × size × background × position.
`random_factors` chooses them; `draw` turns them into pixels, `mask` into the silhouette (edges and paired
domains start there) and `captions` into words. The same factors drawn at two sizes give a low- and a
high-resolution view of one scene; an `offset` that changes over time gives a film.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring")
COLOURS = {  # red, green, blue in [0, 1]; any two of these, or one of these and a background, are far apart
    "red": (0.90, 0.10, 0.10),
    "green": (0.05, 0.65, 0.15),
    "blue": (0.10, 0.25, 0.95),
    "yellow": (0.95, 0.85, 0.05),
    "purple": (0.65, 0.05, 0.80),
    "cyan": (0.10, 0.85, 0.90),
}
SIZES = {"small": 0.12, "medium": 0.18, "big": 0.26}  # radius, in picture widths
BACKGROUNDS = {"dark": (0.08, 0.08, 0.08), "grey": (0.50, 0.50, 0.50), "light": (0.95, 0.95, 0.95)}
POSITIONS = {  # of the centre of the shape, in picture widths: to the right and down from the top left corner
    "top left": (0.31, 0.31),
    "top": (0.50, 0.31),
    "top right": (0.69, 0.31),
    "left": (0.31, 0.50),
    "centre": (0.50, 0.50),
    "right": (0.69, 0.50),
    "bottom left": (0.31, 0.69),
    "bottom": (0.50, 0.69),
    "bottom right": (0.69, 0.69),
}
VOCABULARY = {  # factor: its names, in the order of their indices
    "shape": SHAPES,
    "colour": tuple(COLOURS),
    "size": tuple(SIZES),
    "background": tuple(BACKGROUNDS),
    "position": tuple(POSITIONS),
}
WORDS = tuple(  # all that captions are made of
    dict.fromkeys(
        word
        for name in (
            "a shape at the on background",
            *(name for names in VOCABULARY.values() for name in names),
        )
        for word in name.split()
    )
)
MAX_OFFSET = 0.03  # picture widths by which equally named positions differ: 1 pixel of 32
MAX_SCALE = 0.06  # share by which equally named sizes differ; the largest shape still stays in the picture
CHUNK = 4096  # pictures drawn at a time: 50 MB at 32×32; with fewer, threads wait for one another more often


@dataclass(frozen=True, eq=False)
class Factors:
    """What N pictures show: five named factors, and two continuous ones so that no two are equal."""

    shape: Tensor  # (N,) int64, index into SHAPES, as the next four into their vocabularies
    colour: Tensor
    size: Tensor
    background: Tensor
    position: Tensor
    offset: Tensor  # (N, 2) float32, to the right and down from the named position, in picture widths
    scale: Tensor  # (N,) float32, the radius divided by that of the named size

    def __len__(self) -> int:
        return len(self.shape)

    def __getitem__(self, rows: slice | Tensor) -> "Factors":
        """The factors of some of the pictures.  rows: a slice, indices or booleans."""
        return Factors(*(getattr(self, field.name)[rows] for field in fields(self)))


def shapes(
    n: int, size: int = 32, seed: int = 0, position: bool = False
) -> tuple[Tensor, Factors, list[str]]:
    """n pictures of one shape each, with what they show and a caption.

    size: height and width in pixels.  seed: which endless sequence of pictures; the first n are returned, and
    picture k depends on (seed, k) alone, not on n.  position: whether captions name the position.
    Returns images (n, 3, size, size) float32 in [-1, 1]; their Factors; n captions.
    """
    factors = random_factors(n, seed)
    images = torch.empty(n, 3, size, size)
    for part in _chunks(n, CHUNK):
        images[part] = draw(factors[part], size)
    return images, factors, captions(factors, position)


def shape_stream(
    n: int, size: int = 32, seed: int = 0, position: bool = False, chunk: int = CHUNK
) -> Iterator[tuple[Tensor, Factors, list[str]]]:
    """The pictures of `shapes(n, size, seed, position)`, `chunk` at a time: memory stays flat for any n."""
    for part in _chunks(n, chunk):
        factors = random_factors(part.stop - part.start, seed, part.start)
        yield draw(factors, size), factors, captions(factors, position)


def _chunks(n: int, length: int) -> Iterator[slice]:
    return (slice(start, min(start + length, n)) for start in range(0, n, length))


def random_factors(n: int, seed: int = 0, start: int = 0) -> Factors:
    """Factors of the pictures start … start + n - 1 of the sequence `seed`, independent and uniform.

    Picture k depends on (seed, k) alone: a counter-based generator (Philox) makes its k-th numbers without
    those before them.
    Source: Salmon et al. 2011, Parallel Random Numbers: As Easy as 1, 2, 3.
    """
    generator = np.random.Philox(seed).advance(2 * start)  # four numbers a count, and eight a picture
    numbers = generator.random_raw(8 * n).reshape(n, 8)
    u = torch.from_numpy((numbers >> 11) * 2.0**-53)  # (n, 8) float64, uniform in [0, 1)
    indices = ((u[:, i] * len(names)).long() for i, names in enumerate(VOCABULARY.values()))
    offset, scale = MAX_OFFSET * (2 * u[:, 5:7] - 1), 1 + MAX_SCALE * (2 * u[:, 7] - 1)
    return Factors(*indices, offset.float(), scale.float())


def scene(
    shape: str, colour: str, size: str = "medium", background: str = "dark", position: str = "centre"
) -> Factors:
    """The factors of one chosen picture (N = 1), exactly placed.  Raises ValueError for an unknown name."""
    chosen = dict(zip(VOCABULARY, (shape, colour, size, background, position), strict=True))
    for factor, name in chosen.items():
        if name not in VOCABULARY[factor]:
            raise ValueError(f"{factor} should be one of {', '.join(VOCABULARY[factor])}; got {name!r}")
    indices = (torch.tensor([VOCABULARY[factor].index(name)]) for factor, name in chosen.items())
    return Factors(*indices, offset=torch.zeros(1, 2), scale=torch.ones(1))


def captions(factors: Factors, position: bool = False, named: Tensor | None = None) -> list[str]:
    """What each picture shows, in words: "a big red circle on a dark background".

    position: True says where, too: "a big red circle at the top left on a dark background".  named: (N, 5)
    booleans, in the order of VOCABULARY, which factors each caption names, in place of position; one that
    does not name the shape calls it "shape".
    """
    if named is None:
        named = torch.tensor([True] * 4 + [position]).expand(len(factors), -1)
    found = []
    for row, said in zip(indices(factors).tolist(), named.tolist(), strict=True):
        shape, colour, size, background, place = (
            list(names)[i] if told else ""
            for names, i, told in zip(VOCABULARY.values(), row, said, strict=True)
        )
        where, ground = place and f"at the {place}", background and f"on a {background} background"
        found.append(" ".join(filter(None, ("a", size, colour, shape or "shape", where, ground))))
    return found


def indices(factors: Factors) -> Tensor:
    """The named factors as one table: (N, 5) int64, in the order of VOCABULARY."""
    return torch.stack([getattr(factors, name) for name in VOCABULARY], 1)


def some_named(n: int, generator: torch.Generator, chance: float = 0.8) -> Tensor:
    """Which factors n captions are to name, each with this chance: (n, 5) booleans, for `captions`."""
    return torch.rand(n, len(VOCABULARY), generator=generator) < chance


def held_out(factors: Factors) -> Tensor:
    """Which pictures show a shape in the one colour that it never has in "scenes": (N,) booleans.

    So six of the 36 pairs of a shape and a colour are kept for tests; each shape and each colour is in one.
    """
    return factors.colour == (factors.shape + 2) % len(COLOURS)


def draw(factors: Factors, size: int = 32) -> Tensor:
    """The pictures: (N, 3, size, size) float32 in [-1, 1], on the device of the factors."""
    paint = 2 * _look_up(COLOURS, factors.colour)[:, :, None, None] - 1  # (N, 3, 1, 1)
    ground = 2 * _look_up(BACKGROUNDS, factors.background)[:, :, None, None] - 1
    return torch.lerp(ground, paint, mask(factors, size))


def mask(factors: Factors, size: int = 32) -> Tensor:
    """How much of each pixel the shape covers: (N, 1, size, size) float32, from 0 to 1."""
    pixels = (
        torch.arange(size, device=factors.scale.device) + 0.5
    ) / size  # their centres, in picture widths
    centre = _look_up(POSITIONS, factors.position) + factors.offset
    radius = (_look_up(SIZES, factors.size) * factors.scale)[:, None, None]
    x = (pixels - centre[:, 0, None, None]) / radius  # (N, 1, size), in radii
    y = (pixels[:, None] - centre[:, 1, None, None]) / radius  # (N, size, 1)
    coverage = torch.zeros(len(factors), 1, size, size, device=pixels.device)
    for index, shape in enumerate(SHAPES):
        rows = factors.shape == index
        distance = signed_distance(shape, x[rows], y[rows]) * radius[rows] * size  # in pixels
        coverage[rows, 0] = (0.5 - distance).clamp(0, 1)  # a soft edge, one pixel wide
    return coverage


def signed_distance(shape: str, x: Tensor, y: Tensor) -> Tensor:
    """Distance from points to the outline of a shape of radius 1 around the origin, negative inside.

    x, y: to the right and down, they broadcast.  For straight shapes it is the largest of the distances to
    the lines of their sides: exact, but for places near a corner, where it is too small.
    Raises ValueError for an unknown shape.
    """

    def box(width: float, height: float) -> Tensor:
        return torch.maximum(x.abs() - width, y.abs() - height)

    match shape:
        case "circle":
            return (x**2 + y**2).sqrt() - 1
        case "ring":
            return ((x**2 + y**2).sqrt() - 0.75).abs() - 0.25
        case "square":
            return box(0.85, 0.85)
        case "diamond":
            return (x.abs() + y.abs() - 1) / 2**0.5
        case "triangle":  # equilateral, point up, its corners on the circle of radius 1
            return torch.maximum(0.75**0.5 * x.abs() - y / 2, y) - 0.5
        case "cross":
            return torch.minimum(box(0.95, 0.3), box(0.3, 0.95))
    raise ValueError(f"shape should be one of {', '.join(SHAPES)}; got {shape!r}")


def _look_up(vocabulary: dict[str, object], indices: Tensor) -> Tensor:
    """What a vocabulary gives for each index: (N,) or (N, numbers) float32."""
    return torch.tensor(list(vocabulary.values()), device=indices.device)[indices]
