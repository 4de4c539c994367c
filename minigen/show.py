"""Pictures of images, curves and codes.

Every function returns a matplotlib Figure that pyplot does not know: Jupyter shows it once, as the last value
of a cell or by `display(figure)`, and `figure.savefig(path)` writes it. A figure brings its own light, opaque
background, so that it reads the same in a dark notebook.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from minigen.core import check_images
from minigen.images import to_bytes

# Okabe and Ito 2008, Color Universal Design, without its yellow, which is hard to see on white; for more than
# seven classes three of Tol's muted scheme, and classes differ by their marks as well
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
PALETTE += ("#999933", "#882255", "#888888")
MARKERS = "osD^vP*X"
INK, PAPER = "#222222", "#ffffff"
STYLE = {
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "font.size": 11,
    "axes.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}
CELL, WIDTH = 0.9, 9.0  # inches: a picture at most, a row of pictures at most
GAP = 0.08  # between two pictures, in widths of a picture
CROWD = {"s": 2, "color": PALETTE[0], "linewidths": 0}
FRAME = {"color": "#dddddd", "linewidth": 0.6, "clip_on": False}
CROSS = {"s": 26, "color": PALETTE[1], "linewidths": 1, "marker": "x"}

styled = plt.style.context(STYLE, after_reset=True)  # a decorator: the reader's own settings hold outside


@styled
def grid(images: Tensor, columns: int = 10, title: str = "", labels: Iterable | None = None) -> Figure:
    """A batch of images, row by row, every pixel a sharp square.

    images: (N, 1 or 3, H, W) in [-1, 1], on any device.  columns: pictures in a row, at least 1.  labels: N
    values of any kind, each written above its picture.
    Raises ValueError for anything that is not such images, and for a number of labels that is not N.
    """
    if columns < 1:
        raise ValueError(f"columns should be at least 1; got {columns}")
    pictures = _pictures("images", images)
    names = None if labels is None else _texts(labels, len(pictures))
    lines = [pictures[i : i + columns] for i in range(0, len(pictures), columns)]
    return _mosaic(lines, title, above=names)


@styled
def picture(image: Tensor, title: str = "", width: float = 5.0) -> Figure:
    """One image, large.

    image: (1 or 3, H, W) in [-1, 1], on any device.  width: inches.
    Raises ValueError for anything that is not such an image.
    """
    if not isinstance(image, Tensor) or image.ndim != 3:
        got = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
        raise ValueError(f"image should be one image (C, H, W); got {got}")
    return _mosaic([_pictures("image", image[None])], title, cell=width)


@styled
def rows(images: Mapping[str, Tensor], title: str = "") -> Figure:
    """Batches of images below each other, each row with its name: originals above their reconstructions.

    images: {name: (N, 1 or 3, H, W) in [-1, 1]}; rows may differ in every size.
    Raises ValueError, naming the row, for anything that is not such images.
    """
    _check_some("images", images)
    lines = [_pictures(f"images[{name!r}]", batch) for name, batch in images.items()]
    return _mosaic(lines, title, left=list(images))


@styled
def curves(
    values: Mapping[str, Sequence[float] | Mapping[float, float]],
    xlabel: str = "step",
    ylabel: str = "",
    title: str = "",
    log: bool = False,
) -> Figure:
    """Lines over one horizontal axis.

    values: {name: the heights at 1, 2, 3, …} or {name: {where: height}}.  log: a logarithmic vertical axis.
    Raises ValueError when there is no line.
    """
    _check_some("values", values)
    figure, axes = _plot(xlabel, ylabel, title)
    for i, (name, line) in enumerate(values.items()):
        points = line.items() if isinstance(line, Mapping) else enumerate(line, 1)
        xy = np.array([(float(x), float(y)) for x, y in points]).reshape(-1, 2)
        axes.plot(*xy.T, color=_colour(i), linewidth=2, label=name)
    axes.set_yscale("log" if log else "linear")
    if len(values) > 1:
        _legend(axes)
    return figure


@styled
def bars(values: Mapping[str, float], ylabel: str = "", title: str = "") -> Figure:
    """One bar for each name, with its value above it.

    values: {name: value}.  Raises ValueError when there is none.
    """
    _check_some("values", values)
    figure, axes = _plot("", ylabel, title)
    drawn = axes.bar(list(values), [float(value) for value in values.values()], color=PALETTE[0], width=0.6)
    axes.bar_label(drawn, fmt="{:.3g}", padding=3)
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.12)  # room for the values
    return figure


@styled
def histogram(values: Mapping[str, Tensor], xlabel: str = "", title: str = "", bins: int = 40) -> Figure:
    """How often values occur: one outline for each name, over the same bins, each of area 1.

    values: {name: (N,) numbers, N >= 1}, on any device.  bins: at least 1.
    Raises ValueError when there is none.
    """
    _check_some("values", values)
    arrays = {name: v.detach().cpu().double().numpy() for name, v in values.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(arrays.values())), bins)
    figure, axes = _plot(xlabel, "share, per unit", title)
    for i, (name, array) in enumerate(arrays.items()):
        axes.hist(array, edges, density=True, histtype="stepfilled", color=_colour(i), alpha=0.5, label=name)
    if len(values) > 1:
        _legend(axes)
    return figure


@styled
def scatter(
    points: Tensor,
    labels: Iterable | None = None,
    title: str = "",
    xlabel: str = "first number of the code",
    ylabel: str = "second number of the code",
) -> Figure:
    """A map of points in the plane, equally scaled both ways; each class has its colour and its mark.

    points: (N, 2), N >= 1, on any device.  labels: N values of any kind.  A label of one letter or digit is
    its own mark; longer ones get a legend, in the order in which they first come, later ones drawn on top.
    Raises ValueError for points of another shape, and for a number of labels that is not N.
    """
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
        raise ValueError(f"points should be (N, 2) with N >= 1; got shape {tuple(points.shape)}")
    xy = points.detach().cpu().numpy()
    names = np.array([""] * len(xy) if labels is None else _texts(labels, len(xy)))
    glyphs = all(len(name) == 1 and name.isalnum() for name in names)
    figure, axes = _plot(xlabel, ylabel, title, height=6)
    for i, name in enumerate(sorted(set(names)) if glyphs else dict.fromkeys(names)):
        marker, size = (f"${name}$", 40) if glyphs else (MARKERS[i % len(MARKERS)], 14)
        here = xy[names == name]
        axes.scatter(*here.T, s=size, color=_colour(i), marker=marker, linewidths=0.3, label=name)
    axes.set_aspect("equal")
    axes.locator_params(nbins=7)
    if labels is not None and not glyphs:
        _legend(axes)
    return figure


@styled
def clouds(
    points: Mapping[str, Mapping[str, Tensor]],
    marks: Tensor | None = None,
    title: str = "",
    reach: float = 1.6,
) -> Figure:
    """Crowds of points side by side, all at one scale: a row and a column for each name.

    points: {row: {column: (N, 2)}}, the same columns in every row; each shows its first 300 points.  marks:
    (K, 2), a cross at each in every cell, such as the middle of a mode.  reach: a cell shows the square from
    -reach to reach; points outside are left out.
    Raises ValueError for points of another shape, and for rows whose columns differ.
    """
    _check_some("points", points)
    columns = list(next(iter(points.values())))
    for name, row in points.items():
        _check_some(f"points[{name!r}]", row)
        if list(row) != columns:
            raise ValueError(f"every row should have the columns {columns}; points[{name!r}] has {list(row)}")
        for column, crowd in row.items():
            if crowd.ndim != 2 or crowd.shape[1] != 2:
                raise ValueError(
                    f"points[{name!r}][{column!r}] should be (N, 2); got shape {tuple(crowd.shape)}"
                )
    cell = min(1.6, WIDTH / len(columns))
    left, top = max(map(len, "\n".join(points).split("\n"))) * 0.09, 0.6 if title else 0.3
    figure = _figure(len(columns) * cell + left, len(points) * cell + top)
    axes = figure.add_subplot(frameon=False, title=title, aspect="equal")
    axes.xaxis.tick_top()
    axes.tick_params(length=0, colors=INK, labelsize=9)
    axes.set_xticks([2 * reach * i for i in range(len(columns))], columns)
    axes.set_yticks([2 * reach * i for i in range(len(points))], list(points))
    for i, row in enumerate(points.values()):
        for j, crowd in enumerate(row.values()):
            middle = torch.tensor([2 * reach * j, 2 * reach * i])
            flip = torch.tensor([1, -1])  # the first row is the upper one, and in a cell y grows upwards
            for some, style in (crowd[:300], CROWD), (marks, CROSS):
                if some is not None:
                    xy = some.detach().cpu().float()
                    axes.scatter(*(middle + flip * xy[(xy.abs() <= reach).all(1)]).T, **style)
    edges = [2 * reach * i - reach for i in range(max(len(columns), len(points)) + 1)]
    axes.hlines(edges[: len(points) + 1], edges[0], edges[len(columns)], **FRAME)
    axes.vlines(edges[: len(columns) + 1], edges[0], edges[len(points)], **FRAME)
    axes.set(xlim=(edges[0], edges[len(columns)]), ylim=(edges[len(points)], edges[0]))
    return figure


def _pictures(name: str, images: Tensor) -> list[np.ndarray]:
    """What imshow wants, and draws soonest: (H, W, 3) bytes for each image, grey or in colour."""
    check_images(name, images)
    if images.shape[1] not in (1, 3):
        raise ValueError(
            f"{name} should have 1 channel (grey) or 3 (red, green, blue); got {images.shape[1]}"
        )
    return list(to_bytes(images.detach().cpu().float()).expand(-1, 3, -1, -1).movedim(1, -1).numpy())


def _mosaic(
    lines: list[list[np.ndarray]],
    title: str,
    above: list[str] | None = None,
    left: list[str] | None = None,
    cell: float | None = None,
) -> Figure:
    """Lines of pictures in one Axes whose unit is a picture's width; text above each picture, or left of
    each line."""
    columns = max(map(len, lines))
    cell = cell or min(CELL, WIDTH / columns)
    above = [textwrap.fill(text, max(6, int(cell * 13))) for text in above or []]  # 13 letters to an inch
    room = max((0.17 / cell * (text.count("\n") + 1) for text in above), default=0.0)  # 0.17 inch a line
    captions = iter(above)

    margin = max(map(len, left)) * 0.1 / cell if left else 0.0
    width = columns * (1 + GAP) - GAP
    height = sum(room + max(map(_aspect, line)) + GAP for line in lines) - GAP
    figure = _figure((margin + width) * cell + 0.1, height * cell + (0.45 if title else 0.1))
    axes = figure.add_subplot(frameon=False, xticks=[], yticks=[], title=title)
    top = 0.0
    for i, line in enumerate(lines):
        top += room
        for column, picture in enumerate(line):
            x = column * (1 + GAP)
            box = (x, x + 1, top + _aspect(picture), top)
            axes.imshow(picture, interpolation="nearest", extent=box)
            axes.text(x + 0.5, top - 0.04, next(captions, ""), fontsize=9, ha="center", va="bottom")
        tallest = max(map(_aspect, line))
        if left:
            axes.text(-0.15, top + tallest / 2, left[i], ha="right", va="center")
        top += tallest + GAP
    axes.set(xlim=(0, width), ylim=(height, 0))
    return figure


def _aspect(picture: np.ndarray) -> float:
    return picture.shape[0] / picture.shape[1]


def _plot(xlabel: str, ylabel: str, title: str, height: float = 3.6) -> tuple[Figure, Axes]:
    figure = _figure(7.2, height)
    axes = figure.add_subplot(xlabel=xlabel, ylabel=ylabel, title=title)
    axes.tick_params(which="both", colors=INK)  # ticks are made when drawn, when our style is over
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _figure(width: float, height: float) -> Figure:
    figure = plt.figure(figsize=(width, height))
    plt.close(figure)  # or Jupyter would show it twice: as the value of its cell, and as pyplot's open figure
    return figure


def _legend(axes: Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def _colour(i: int) -> str:
    return PALETTE[i % len(PALETTE)]


def _texts(labels: Iterable, n: int) -> list[str]:
    labels = labels.tolist() if isinstance(labels, Tensor) else list(labels)
    if len(labels) != n:
        raise ValueError(f"labels should be {n} values, one for each; got {len(labels)}")
    return [str(label) for label in labels]


def _check_some(name: str, values: Mapping) -> None:
    if not values:
        raise ValueError(f"{name} should have at least one entry, {{name: …}}; got none")
