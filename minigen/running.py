"""`minigen train`: a recipe on a data set, in a folder that a run can always be taken up from."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from minigen import processes, settings
from minigen.core import Generative, budget, check_folder
from minigen.data.folder import write_image
from minigen.data.named import Supply, supply
from minigen.data.rows import nearest
from minigen.data.shapes import captions, random_factors
from minigen.drawing import COLUMNS, RUN, across, draw, middle, reads, sheet
from minigen.models import SMALL, check_share
from minigen.recipes import RECIPES, Recipe, about
from minigen.train import to_device

FIRST = "first.safetensors"  # in a run's folder: the training of the model's codec
PICTURES = 60  # on a sheet


def table() -> str:
    """The recipes, each with what can be set."""
    lines = [
        "recipe, and what can be set as NAME=VALUE, with what it is for the digits unless it is set:",
        "",
    ]
    for name, recipe in RECIPES.items():
        said = (recipe.model.__doc__ or "").strip()
        lines += [
            f"{name}: {said}",
            f"    --steps {budget(*recipe.steps)}  {settings.table(recipe.settings())}",
        ]
        if recipe.large:
            lines.append(f"    above {SMALL} pixels: {settings.shown(recipe.large)}")
    return "\n".join(lines)


def train(
    name: str,
    words: list[str],
    data: str | None = None,
    steps: int | None = None,
    out: Path | None = None,
    device: str | None = None,
    every: int | None = None,
) -> None:
    """Trains a recipe, or goes on with the run in `out`, and says how far it is.

    words: settings, such as "width=64".  data: as for `supply`; digits unless given, or what the
    recipe learns from alone.  steps: those of the recipe at this budget
    unless given.  out: runs/NAME-DATA unless given.  every: steps from one checkpoint and sheet of pictures
    to the next; a tenth of all unless given.
    Raises ValueError for bad input, OSError for what cannot be written, and KeyboardInterrupt, after saying
    how to go on, when someone stops it.
    """
    if name not in RECIPES:
        raise ValueError(f"there is no recipe {name}{nearest(name, RECIPES)}")
    recipe = RECIPES[name]
    chosen = settings.read(words, recipe.settings())
    steps = budget(*recipe.steps) if steps is None else steps
    every = max(1, steps // 10) if every is None else every
    data = data or recipe.data or "digits"
    if recipe.data and data.partition(":")[0] != recipe.data:
        raise ValueError(f"{name} learns from {recipe.data}, in which pictures have captions; got {data}")
    if recipe.data is None and data.startswith("scenes"):
        raise ValueError(f"scenes have captions, not classes; for {name} take shapes")
    out = Path("runs", f"{name}-{data.replace(':', '-')}") if out is None else out
    source = supply(data)
    model = recipe.make(source.kind, chosen)
    with processes.together(device) as where:
        check_training(recipe.defaults(source.kind.size) | chosen, getattr(model, "critic_steps", 1))
        with alone(out):
            if recipe.first and not (out / RUN).exists():
                train_first(recipe, model, source, chosen, out, device=where)
            report = Report(out, source, recipe, steps, every)
            run = recipe.train(
                model, source, steps, chosen, device=where, checkpoint=out / RUN, every=every,
                about=about(name, source.kind, chosen),
            )  # fmt: skip
            try:
                for step, losses, averaged in run:
                    report.after(step, losses, averaged)
            except KeyboardInterrupt:
                report.stopped()
                raise


def train_first(
    recipe: Recipe, model: Generative, source: Supply, chosen: dict[str, Any], out: Path, device: torch.device
) -> None:
    """Trains the codec of a model, or goes on with that, and gives it to the model."""
    if processes.rank() == 0:
        print(f"first its {recipe.first}, in {out / FIRST}", flush=True)
    about = {"first": recipe.first, "data": source.kind.data}
    run = recipe.train_first(source, chosen, device=device, checkpoint=out / FIRST, every=500, about=about)
    *_, (_, losses, codec) = run
    if processes.rank() == 0:
        print("  ".join(f"{name} {value:.4g}" for name, value in losses.items()), flush=True)
    recipe.adopt(model, codec.cpu(), source)


def check_training(chosen: dict[str, Any], turns: int) -> None:
    """Raises a ValueError for settings with which nothing can be trained.

    A batch has to be shared by all processes, and by the turns of a critic.
    """
    if len(chosen["betas"]) != 2 or max(chosen["betas"]) >= 1:
        got = ",".join(map(str, chosen["betas"]))
        raise ValueError(f"betas should be two numbers below 1, as in betas=0.9,0.99; got {got}")
    if chosen["decay"] >= 1:
        raise ValueError(f"decay should be in [0, 1); got {chosen['decay']}")
    check_share("cooldown", chosen["cooldown"])
    batch = chosen["batch"]
    if batch % (processes.count() * turns):
        parts = {"processes": processes.count(), "turns of the critic": turns}
        shared = " × ".join(f"{n} {what}" for what, n in parts.items() if n > 1)
        raise ValueError(f"batch should be a multiple of {shared}; got {batch}")


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """A block in which no other training works in a folder, which is made if it is not there.

    Only the first of several processes looks.  What killed ones left half written is removed.
    Raises ValueError for a folder that cannot be written to, or where another training is at work.
    """
    if processes.rank() > 0:
        yield
        return
    check_folder("--out", out)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".lock", timeout=0):
            for left in out.glob(f".{RUN}.*.tmp"):
                left.unlink()
            yield
    except Timeout:
        raise ValueError(f"another training is at work in {out}; stop it, or give another --out") from None


class Report:
    """What a run says on its way: a line and a sheet of pictures with each checkpoint.

    out: the folder.  source: the data.  steps: in all.  every: from one checkpoint to the next.
    Only the first of several processes says anything.
    """

    def __init__(self, out: Path, source: Supply, recipe: Recipe, steps: int, every: int):
        self.out, self.source, self.recipe, self.steps, self.every = out, source, recipe, steps, every
        self.quiet = processes.rank() > 0
        self.resumed = (out / RUN).exists()  # then what comes first is the step that was found
        self.saved, self.timed, self.since = 0, 0, time.perf_counter()

    def after(self, step: int, losses: Mapping[str, float], averaged: Generative) -> None:
        """To be called after each step."""
        if self.quiet:
            return
        if self.resumed:
            self.found(step, averaged)
            return
        self.timed += 1
        if step % self.every == 0 or step == self.steps:
            self.saved = step
            shown = "  ".join(f"{name} {value:.4g}" for name, value in losses.items())
            pace = 1000 * (time.perf_counter() - self.since) / self.timed
            path = self.picture(step, averaged)
            self.say(f"step {step:,} of {self.steps:,}  {shown}  {pace:.3g} ms a step  {path}".rstrip())
            self.timed, self.since = 0, time.perf_counter()
        if step == self.steps and draws(averaged):
            self.say(f"draw from it with: minigen sample {self.out}")

    def found(self, step: int, averaged: Generative) -> None:
        """Says where a run is taken up; its pictures are drawn if there was no time for them."""
        self.resumed, self.saved, self.since = False, step, time.perf_counter()
        done = ": nothing is left to do; --steps asks for more" if step >= self.steps else ", and goes on"
        self.say(f"{self.out / RUN} is at step {step:,} of {self.steps:,}{done}")
        if not self.path(step).exists():
            self.picture(step, averaged)

    def say(self, line: str) -> None:
        """A line above the progress bar, if there is one."""
        clear = "\r\033[K" if sys.stdout.isatty() else ""
        print(clear + line, flush=True)

    def path(self, step: int) -> Path:
        """Of the sheet of a step."""
        return self.out / "pictures" / f"{step:06}.png"

    def picture(self, step: int, averaged: Generative) -> str:
        """Writes what the model draws by now; returns the path, or "" for a model that draws nothing."""
        images = progress(averaged, self.source, self.recipe)
        if images is None:
            return ""
        write_image(self.path(step), sheet(middle(images, self.source.kind.crop), across(averaged)))
        return str(self.path(step))

    def stopped(self) -> None:
        """Says how to go on."""
        if not self.quiet:
            kept = f"the same command goes on from step {self.saved:,}" if self.saved else "nothing is kept"
            self.say(f"stopped; {kept}")


def progress(model: Generative, source: Supply, recipe: Recipe) -> Tensor | None:
    """Images that show what a model can do: its own, or images of the data above what becomes of them.

    None for a model that makes no images.
    """
    if draws(model):
        prompts = captions(random_factors(COLUMNS), position=True) if reads(model) else None
        return draw(model, PICTURES, prompts=prompts)
    if recipe.remade is None:
        return None
    generator, where = torch.Generator().manual_seed(0), next(model.parameters()).device
    batch = recipe.shown(*source.batches(PICTURES // 2)(generator), generator)
    with torch.no_grad():
        before, after = recipe.remade(model, to_device(batch, where))
    rows = zip(before.cpu().split(COLUMNS), after.cpu().clamp(-1, 1).split(COLUMNS), strict=True)
    return torch.cat([part for row in rows for part in row])


def draws(model: Generative) -> bool:
    """Whether a model makes images out of nothing."""
    return type(model).sample is not Generative.sample
