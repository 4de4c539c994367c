"""On a GPU: the diffusion recipe in bfloat16 beside diffusers, and whether the exercises' checks hold there.

    PYTHONPATH=. .venv-peers/bin/python benchmarks/gpu.py [--quick]

Writes its section of RESULTS.md; without a GPU that says so, unless it holds what was measured on one.
--quick: a small network, on the CPU where there is no GPU, and writes nothing.  The environment: peers.txt,
with a torch for the GPU.
"""

import argparse
import copy
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace

import report
import torch
from pace import noise
from torch import nn
from torch.nn.functional import mse_loss
from torch.optim import Adam
from torch.utils.flop_counter import FlopCounterMode

from minigen import speed
from minigen.course.agree import agree
from minigen.course.catalogue import Exercise, exercises
from minigen.course.runs import DRAWS, reference, result, run
from minigen.data.named import Kind
from minigen.recipes import RECIPES
from minigen.train import train

KIND = Kind("any", 3, 32, 32, 10, torch.zeros(3, 32, 32))
AIM = 1.5
NOT_RUN = "Not run: no GPU was at hand.\n"
WHERE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def settled() -> float:
    """The time, when all that was asked of the device is done."""
    if WHERE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def peak(size: int) -> float:
    """TFLOP a second of a large product of bfloat16 matrices."""
    a, b = (torch.randn(size, size, device=WHERE, dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(10):
        start = settled()
        a @ b
        seconds.append(settled() - start)
    return 2 * size**3 / statistics.median(seconds) / 1e12


def ours(width: int, multiples: tuple[int, ...], batch: int) -> tuple[Iterator, nn.Module]:
    """minigen's loop, a step each time that it is asked for the next, and its network."""
    model = RECIPES["ddpm"].make(KIND, {"width": width, "multiples": multiples, "patch": 1})
    loop = train(
        model, noise(KIND, 4096, batch), 10**9, optimizer=lambda p: Adam(p, lr=1e-4, fused=True),
        progress=False, device=WHERE, fast=True,
    )  # fmt: skip
    return loop, model.network


def theirs(width: int, multiples: tuple[int, ...], batch: int) -> tuple[Iterator, nn.Module]:
    """The loop that `painters.py` calls tuned in bfloat16, around diffusers' U-Net of the same widths."""
    import peers  # noqa: F401  (first: it makes diffusers importable)
    from diffusers import DDPMScheduler, UNet2DModel

    last = len(multiples) - 1
    network = UNet2DModel(
        sample_size=32, layers_per_block=1, block_out_channels=[width * m for m in multiples],
        norm_num_groups=8, down_block_types=("DownBlock2D",) * last + ("AttnDownBlock2D",),
        up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * last,
    ).to(WHERE)  # fmt: skip
    network.to(memory_format=torch.channels_last)
    chain, average = DDPMScheduler(1000), speed.Average(copy.deepcopy(network), network)
    optimizer, draw = Adam(network.parameters(), lr=1e-4, fused=True), noise(KIND, 4096, batch)

    def loop() -> Iterator[None]:
        while True:
            x = speed.send(draw(torch.default_generator)[0], WHERE)
            fresh, t = torch.randn_like(x), torch.randint(1000, (batch,), device=WHERE)
            with torch.autocast(WHERE.type, torch.bfloat16):
                loss = mse_loss(network(chain.add_noise(x, fresh, t), t, return_dict=False)[0].float(), fresh)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            average.move(0.999)
            yield

    return loop(), network


def rates(loops: dict[str, Iterator], batch: int, rounds: int, steps: int) -> dict[str, list[float]]:
    """Images a second of each loop, in turn; the first round is to get warm."""
    found: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(rounds + 1):
        for name, loop in loops.items():
            start = settled()
            for _ in range(steps):
                next(loop)
            found[name].append(steps * batch / (settled() - start))
    return {name: values[1:] for name, values in found.items()}


def waits(loop: Iterator, steps: int = 10) -> float:
    """How many calls of a step make the processor wait for the GPU, of those that torch can warn of."""
    if WHERE.type != "cuda":
        return float("nan")
    torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(steps):
            next(loop)
    torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in said) / steps


def work(network: nn.Module, batch: int) -> float:
    """TFLOP of a step of training, counted by torch."""
    x, t = torch.randn(batch, 3, 32, 32, device=WHERE), torch.ones(batch, device=WHERE)
    with FlopCounterMode(display=False) as counter:
        network(x, t).square().mean().backward()
    return counter.get_total_flops() / 1e12


def failing() -> tuple[int, list[str]]:
    """How many probes there are, and those that give other results on the device, each with why."""
    torch.backends.cudnn.allow_tf32 = False  # which has three digits
    tried = [exercise for exercise in exercises() if exercise.kind != "predict"]
    found = {e.id: next((why for draw in DRAWS if (why := other_there(e, draw))), "") for e in tried}
    return len(tried), [f"`{name}` ({why})" for name, why in found.items() if why]


def other_there(exercise: Exercise, draw: int) -> str:
    """How the library's own answer differs on the device, by more than ten times what a check allows."""
    seen = run(exercise, exercise.target, draw, device=WHERE.type, limited=False)
    if seen.error is not None:
        return str(seen.error).partition("\n")[0]
    seen = replace(seen, values={name: value.cpu() for name, value in seen.values.items()})
    mine, wanted = result(exercise, seen), result(exercise, reference(exercise, draw))
    return "" if agree(mine, wanted, 10 * exercise.tolerance) else "other numbers"


def through_torchrun(steps: int) -> str:
    """Milliseconds a step of `minigen train` by one GPU, and by all of them."""
    lines = []
    for processes in sorted({1, torch.cuda.device_count()}):
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
                str(processes), "-m", "minigen", "train", "ddpm", "--data", "shapes", "width=128", "patch=1",
                "batch=256", "--steps", str(steps), "--out", folder,
            ]  # fmt: skip
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        paces = [float(pace) for pace in re.findall(r"([0-9.e+]+) ms a step", said)]
        lines.append(f"- {processes} GPU: {statistics.median(paces):.0f} ms a step\n")
    return "`minigen train ddpm` through torchrun, drawing its shapes on the processor:\n\n" + "".join(lines)


def section(size: tuple[int, tuple[int, ...], int], rounds: int, steps: int) -> str:
    batch = size[2]
    (loop, network), (other, their_network) = ours(*size), theirs(*size)
    found = rates({"minigen": loop, "diffusers": other}, batch, rounds, steps)
    middle = {name: statistics.median(values) for name, values in found.items()}
    most, step = peak(8192 if WHERE.type == "cuda" else 512), work(network, batch)
    weights = [sum(p.numel() for p in n.parameters()) / 1e6 for n in (network, their_network)]
    cells = [
        [name, f"{count:.2f}", report.spread(values), f"{middle['minigen'] / middle[name]:.2f}×"]
        for (name, values), count in zip(found.items(), weights, strict=True)
    ]
    ratio, (tried, wrong) = middle["minigen"] / middle["diffusers"], failing()
    header = ["", "million weights", "images a second", "minigen reaches"]
    return WORDS.format(
        batch=batch, widths=", ".join(str(size[0] * m) for m in size[1]), table=report.table(header, cells),
        ratio=ratio, verdict="reached" if ratio >= AIM else "not reached", most=most, waits=waits(loop),
        share=100 * step * middle["minigen"] / batch / most, tried=tried, count=len(wrong),
        wrong=", ".join(wrong) or "none",
    )  # fmt: skip


WORDS = f"""Images of 32×32 in colour, {{batch}} in a batch, bfloat16; U-Nets of widths {{widths}}.
A step is loss, gradient, Adam and averaged weights; both have the same layout and parts.

{{table}}{{ratio:.2f}} times diffusers'; {AIM} is the aim: {{verdict}}. That is {{share:.0f}} % of the
{{most:.3g}} TFLOP a second that a product of matrices reaches. A step makes {{waits:.1f}} calls that wait for
the GPU; beside them, `train` waits for the losses of the step before.

Of {{tried}} probes, {{count}} give other results there than on the CPU: {{wrong}}.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small, and write nothing")
    if parser.parse_args().quick:
        return print(section((16, (1, 2), 8), 1, 2))
    if WHERE.type != "cuda":
        print(NOT_RUN)
        kept = report.RESULTS.read_text(encoding="utf-8")
        if "## GPU\n" not in kept or NOT_RUN.strip() in kept:
            report.write("GPU", report.circumstances(["torch"], torch.get_num_threads()) + NOT_RUN)
        return None
    text = report.circumstances(["torch", "diffusers"], torch.get_num_threads())
    text += f"{torch.cuda.device_count()} × {torch.cuda.get_device_name()}.\n\n"
    text += section((128, (1, 2, 2, 2), 256), 5, 50)
    text += through_torchrun(500)
    print(text)
    return report.write("GPU", text)


if __name__ == "__main__":
    main()
