"""How cost grows: images a second and memory, against the size of images, the batch, weights and data.

    PYTHONPATH=. .venv/bin/python benchmarks/growth.py [--quick]

Draws benchmarks/growth.png, and writes its section of RESULTS.md (--quick: seconds, and writes nothing).
"""

import argparse
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path

import report
import torch
from matplotlib.figure import Figure
from pace import BATCH, FAST, THREADS, Loop, rates
from racing import Learner, Turn, together

from minigen.core import replacing
from minigen.data.named import Kind, supply

PICTURE = Path(__file__).with_suffix(".png")
PLAIN = {"patch": 1}


def kind(size: int, channels: int = 1) -> Kind:
    return Kind("any", channels, size, size, 10, torch.zeros(channels, size, size))


def stored(images: int) -> Learner:
    """Learns from images that are in memory."""
    return Loop(kind(32, 3), PLAIN, FAST, images=images)


def streamed() -> Learner:
    """Learns from shapes, which are drawn when they are needed, none twice."""
    return Loop(supply("shapes").kind, PLAIN, FAST, draw=supply("shapes").batches(BATCH))


def of_size(size: int) -> Learner:
    return Loop(kind(size), PLAIN, FAST)


def of_batch(batch: int) -> Learner:
    return Loop(kind(16), PLAIN, FAST, batch=batch)


def of_width(width: int) -> Learner:
    return Loop(kind(16), PLAIN | {"width": width}, FAST)


AXES: dict[str, dict[str, Callable[[], Learner]]] = {
    "height and width of the images": {f"{n}": partial(of_size, n) for n in (8, 16, 32, 64)},
    "images in a batch": {f"{n}": partial(of_batch, n) for n in (4, 16, 64, 256)},
    "width of the network": {f"{n}": partial(of_width, n) for n in (16, 32, 64, 96)},
    "images in the data set, 32×32 in colour": {
        **{f"{n:,}": partial(stored, n) for n in (1_000, 10_000, 60_000)},
        "∞ (shapes)": streamed,
    },
}
WORDS = f"""`ddpm` with a U-Net of width 32 and multiples 1, 2 that sees each pixel, on grey images of 16×16,
{BATCH} in a batch, where nothing else is said; memory is the most that the process ever
held. Points are the middle of two turns of 10 s, lines go from one to the other; all of a table take turns,
the tables do not, so the machine may be slower in one. ∞: shapes drawn as they are needed, none twice.
Attention compares all places of the smallest size with each other: that grows with the fourth power of the
side.

![Images a second and memory against four things](growth.png)

"""


def measure(learners: dict[str, Callable[[], Learner]], seconds: float) -> list[Turn]:
    with together(learners, seconds, THREADS, warm=3) as turns:
        for turn in turns:
            print(turn.name, report.spread(rates(turn)), f"{turn.held:.0f} MB", flush=True)
        return turns


def speeds(axis: str, turn: Turn) -> list[float]:
    """Images a second; a batch is that of the axis, if it is about batches."""
    share = int(turn.name) / BATCH if axis == "images in a batch" else 1.0
    return [share * rate for rate in rates(turn)]


def picture(found: dict[str, list[Turn]]) -> Figure:
    """Medians as points, from the least to the most that was seen as a line; a row has one scale."""
    figure = Figure(figsize=(13, 5), layout="constrained")
    for column, (axis, turns) in zip(figure.subplots(2, 4, sharey="row").T, found.items(), strict=True):
        names = [turn.name.partition(" ")[0] for turn in turns]
        seen = [speeds(axis, turn) for turn in turns]
        middles = [statistics.median(rates) for rates in seen]
        ends = [[m - min(s) for m, s in zip(middles, seen, strict=True)],
                [max(s) - m for m, s in zip(middles, seen, strict=True)]]  # fmt: skip
        column[0].errorbar(names, middles, ends, fmt="o", capsize=4, color="C0")
        column[0].set_yscale("log")
        column[1].bar(names, [turn.held for turn in turns], color="C1")
        column[1].set_xlabel(axis)
        for panel in column:
            panel.grid(axis="y", alpha=0.3)
    figure.axes[0].set_ylabel("images a second")
    figure.axes[4].set_ylabel("MB")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="seconds, and write nothing")
    quick = parser.parse_args().quick
    torch.set_num_threads(THREADS)
    text = report.circumstances(["torch"], THREADS) + WORDS
    found = {axis: measure(learners, 1 if quick else 20) for axis, learners in AXES.items()}
    for axis, turns in found.items():
        cells = []
        for t in turns:
            rate = report.spread(speeds(axis, t))
            cells.append([t.name, f"{t.parameters / 1e6:.2f}", rate, f"{t.held:,.0f}"])
        text += report.table([axis, "million weights", "images a second", "MB"], cells)
    print(text)
    if not quick:
        with replacing(PICTURE) as path:
            picture(found).savefig(path, format="png", dpi=80)
        report.write("Growth", text)


if __name__ == "__main__":
    main()
