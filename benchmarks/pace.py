"""What a step of training costs: minigen's loop beside three other programs', and what makes it fast.

    PYTHONPATH=. .venv-peers/bin/python benchmarks/pace.py [--quick]

Images a second and memory at equal numbers of weights and what each part of `minigen.speed` gives, in turns;
the share of what this machine's convolutions can do, and where the time of a step goes.  Writes its section
of RESULTS.md (--quick: seconds, and writes nothing).  The environment: peers.txt.
"""

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import report
import torch
from diffusion import PACKAGES
from pictures import SIDE
from racing import Learner, Turn, together
from torch import Tensor, nn
from torch.optim import Adam
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from minigen import speed, train
from minigen.data.named import Kind
from minigen.recipes import RECIPES

THREADS, BATCH, AIM = 2, 64, 1.3
OURS = "minigen"
NETWORKS = {  # U-Nets of three levels, with as many weights as their widths allow
    OURS: "widths 32, 64, 128",
    "denoising-diffusion-pytorch": "widths 24, 48, 96",
    "diffusers": "widths 24, 48, 96, one block a level",
    "smalldiffusion": "widths 32, 64, 64, one block a level",
}
GREY = Kind("any", 1, SIDE, SIDE, 10, torch.zeros(1, SIDE, SIDE))
COLOUR = Kind("any", 3, 32, 32, 10, torch.zeros(3, 32, 32))
SUBJECTS = {
    "`ddpm`, grey, 16×16": (GREY, {}),
    "`ddpm`, colour, 32×32": (COLOUR, {}),
    "the U-Net of lesson 61, colour, 32×32": (COLOUR, {"patch": 1, "multiples": (1, 2, 2)}),
}


class OneByOne:
    """In the place of `speed.Average`: the average as the lessons compute it."""

    def __init__(self, averaged: nn.Module, model: nn.Module):
        self.move = partial(train.update_average, averaged, model)


class Loop(Learner):
    """minigen's own loop, for as long as it is asked to go on.

    parts: what of `minigen.speed` is used: "layout", "Adam", "average", and of what is not, "halves" and
    "compile".  batch: images in one.  draw: draws one, as for `train`; unless given, from as many images
    of noise as `images` says, which are in memory.
    """

    def __init__(
        self,
        kind: Kind,
        settings: dict,
        parts: tuple[str, ...],
        batch: int = BATCH,
        images: int = 1000,
        draw: Callable[[torch.Generator], train.Batch] | None = None,
    ):
        if "layout" not in parts:
            speed.arrange = lambda model: model
        if "average" not in parts:
            speed.Average = OneByOne
        speed.multiplies_halves = lambda device: "halves" in parts
        recipe = RECIPES["ddpm"]
        model = recipe.make(kind, settings)
        self.networks = (model,)
        if "compile" in parts:
            model.network.compile()
        draw = draw or noise(kind, images, batch)
        fused = "Adam" in parts or None
        self.run = train.train(
            model, draw, 10**9, optimizer=lambda p: Adam(p, lr=1e-3, fused=fused), progress=False,
            device="cpu", fast=True,
        )  # fmt: skip

    def step(self, share: float) -> bool:
        next(self.run)
        return True

    def draw(self, n: int) -> Tensor:
        raise NotImplementedError


def noise(kind: Kind, images: int, batch: int) -> Callable[[torch.Generator], train.Batch]:
    """Batches of images of noise."""
    x = torch.empty(images, kind.channels, kind.size, kind.size).uniform_(-1, 1)
    return lambda generator: (x[torch.randint(len(x), (batch,), generator=generator)], None)


FAST = ("layout", "Adam", "average")
VARIANTS = {
    "torch's plain way": (),
    "channels last": ("layout",),
    "Adam in one call": ("Adam",),
    "average in one call": ("average",),
    "all three, as `fast` has it": FAST,
    "and bfloat16": (*FAST, "halves"),
    "and compiled": (*FAST, "compile"),
}


def program(name: str) -> Learner:
    """A program with its network of NETWORKS; called in a process of its own."""
    import painters

    if name == OURS:
        return Loop(GREY, {"width": 32, "multiples": (1, 2, 4), "patch": 1}, FAST)
    x = torch.rand(1000, 1, SIDE, SIDE) * 2 - 1
    makers = {
        "denoising-diffusion-pytorch": partial(
            painters.lucid_tuned, width=24, mults=(1, 2, 4), heads=4, batch=BATCH
        ),
        "diffusers": partial(painters.hugging_tuned, widths=(24, 48, 96), batch=BATCH),
        "smalldiffusion": partial(painters.small_tuned, width=32, mults=(1, 2, 2), batch=BATCH),
    }
    return makers[name](x)


def rates(turn: Turn) -> list[float]:
    """Images a second in each turn."""
    return [BATCH * steps / seconds for seconds, steps in turn.slices]


def peak() -> float:
    """GFLOP a second of the fastest 3×3 convolution of some sizes and both layouts, by their medians."""
    best = 0.0
    for channels, side in (64, 32), (128, 32), (128, 16), (256, 16):
        for layout in torch.contiguous_format, torch.channels_last:
            layer = nn.Conv2d(channels, channels, 3, padding=1, bias=False).to(memory_format=layout)
            x = torch.randn(BATCH, channels, side, side).to(memory_format=layout)
            with torch.no_grad():
                times = timed(lambda: layer(x), 10)  # noqa: B023
            best = max(best, 2 * 9 * channels**2 * side**2 * BATCH / statistics.median(times) / 1e9)
    return best


def timed(work: Callable[[], object], times: int) -> list[float]:
    """The seconds that it takes, again and again, when it is warm."""
    seconds = []
    for _ in range(times + 5):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds[5:]


def work(learner: Learner) -> float:
    """GFLOP of a training step, counted by torch: convolutions and products of matrices."""
    with FlopCounterMode(display=False) as counter:
        learner.step(0.0)
    return counter.get_total_flops() / 1e9


GROUPS = {
    "convolutions": ("aten::convolution_backward", "aten::mkldnn_convolution"),
    "group norms": ("aten::native_group_norm", "aten::native_group_norm_backward"),
    "SiLU": ("aten::silu", "aten::silu_backward"),
    "Adam": ("Optimizer.step", "aten::_fused_adam_", "Optimizer.zero_grad"),
    "average": ("aten::lerp_", "aten::_foreach_lerp_"),
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::linear"),
    "copies": ("aten::copy_", "aten::_to_copy", "aten::cat"),
}


def where(kind: Kind, settings: dict) -> dict[str, float]:
    """The share of a step's time that goes to each group of operations, by torch's profiler."""
    loop = Loop(kind, settings, FAST)
    for _ in range(5):
        loop.step(0)
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(20):
            loop.step(0)
    shares: Counter[str] = Counter()
    for event in seen.key_averages():
        group = next((g for g, names in GROUPS.items() if event.key.startswith(names)), "all else")
        shares[group] += event.self_cpu_time_total
    return {group: share / shares.total() for group, share in shares.most_common()}


def race(learners: dict[str, Callable[[], Learner]], seconds: float) -> dict[str, Turn]:
    with together(learners, seconds, THREADS, warm=5) as turns:
        for turn in turns:
            print(turn.name, report.spread(rates(turn)), f"{turn.megabytes:.0f} MB", flush=True)
        return {turn.name: turn for turn in turns}


def beside_others(seconds: float) -> str:
    found = race({name: partial(program, name) for name in NETWORKS}, seconds)
    middle = {name: statistics.median(rates(turn)) for name, turn in found.items()}
    best = max((name for name in middle if name != OURS), key=middle.get)
    cells = [
        [
            name,
            NETWORKS[name],
            f"{turn.parameters / 1e6:.2f}",
            f"{work(program(name)):.1f}",
            report.spread(rates(turn)),
            f"{middle[OURS] / middle[name]:.2f}×",
            f"{turn.megabytes:.0f}",
        ]
        for name, turn in found.items()
    ]
    header = ["", "network", "million weights", "GFLOP a step", "images a second", "minigen reaches"]
    ratio = middle[OURS] / middle[best]
    verdict = "reached" if ratio >= AIM else "not reached"
    said = f"{ratio:.2f} times {best}'s; {AIM:g} is the aim: {verdict}.\n\n"
    return BESIDE + report.table([*header, "MB for learning"], cells) + said


def parts(seconds: float) -> str:
    cells = []
    for subject, (kind, settings) in SUBJECTS.items():
        found = race({v: partial(Loop, kind, settings, p) for v, p in VARIANTS.items()}, seconds)
        plain = statistics.median(rates(found["torch's plain way"]))
        row = [f"{statistics.median(rates(found[v])) / plain:.2f}×" for v in VARIANTS]
        row[0] = f"{plain:.0f} a second"
        cells.append([subject, *row])
    return PARTS + report.table(["images", *VARIANTS], cells)


def shares() -> str:
    cells = []
    for subject, (kind, settings) in SUBJECTS.items():
        loop, most = Loop(kind, settings, FAST), peak()
        gflop = work(loop)
        rate = gflop / statistics.median(timed(partial(loop.step, 0), 30))
        cells.append([subject, f"{gflop:.1f}", f"{rate:.0f}", f"{most:.0f}", f"{100 * rate / most:.0f} %"])
    header = ["images", "GFLOP a step", "GFLOP a second", "of a convolution", "share"]
    text = SHARE + report.table(header, cells)
    found = {subject: where(*about) for subject, about in SUBJECTS.items()}
    groups = list(dict.fromkeys(group for parts in found.values() for group in parts))
    cells = [
        [subject, *(f"{100 * parts.get(g, 0):.0f} %" for g in groups)] for subject, parts in found.items()
    ]
    return text + WHERE + report.table(["images", *groups], cells)


BESIDE = f"""Training steps of {BATCH} grey images of {SIDE}×{SIDE}: loss, gradient, Adam, averaged weights.
minigen's are those of its own `train`, with all its checks; the others have the bare loop that `painters.py`
calls tuned. At equal weights the networks do not have equal work (GFLOP, as torch counts convolutions and
products of matrices): most of minigen's weights are where an image has the fewest places. Medians of four
turns of 10 s (least–most); memory is what learning adds to a process with its data and network.

"""
PARTS = """### What makes a step fast

minigen's `train`, images a second in torch's plain way, and how many times that it reaches. bfloat16 is used
where a device has units that multiply it, and otherwise left alone; compiling takes its time before the first
step, which is not counted here, and is not used. Two turns of 10 s each, so differences of a tenth say
nothing. What was tried of the recipe itself is in TRIALS.md.

"""
SHARE = """### Where the time goes

A training step, as torch counts its convolutions and products of matrices, beside the fastest 3×3 convolution
of some sizes, which is timed just before:

"""
WHERE = """By torch's profiler, the share of the time inside its operations, forward and backward together:

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="seconds, and write nothing")
    quick = parser.parse_args().quick
    torch.set_num_threads(THREADS)
    text = report.circumstances(PACKAGES, THREADS) + beside_others(2 if quick else 40)
    text += shares() + parts(2 if quick else 20)
    print(text)
    if not quick:
        report.write("Pace", text)


if __name__ == "__main__":
    main()
