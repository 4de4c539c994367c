"""`minigen train`: a recipe on a data set, in a folder that a run can always be taken up from."""

import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from minigen import processes, settings
from minigen.core import Generative, budget
from minigen.data.folder import write_image
from minigen.data.named import Supply, supply
from minigen.data.rows import nearest
from minigen.drawing import COLUMNS, RUN, across, draw, middle, sheet
from minigen.recipes import RECIPES, Kind, Recipe, about
from minigen.train import to_device

PICTURES = 60  # on a sheet


def table() -> str:
    """The recipes, each with what can be set."""
    lines = ["recipe, and what can be set as NAME=VALUE:", ""]
    for name, recipe in RECIPES.items():
        said = (recipe.model.__doc__ or "").strip()
        lines += [f"{name}: {said}", f"    {settings.table(recipe.settings())}"]
    return "\n".join(lines)


def train(
    name: str,
    words: list[str],
    data: str = "digits",
    steps: int | None = None,
    out: Path | None = None,
    device: str | None = None,
    every: int | None = None,
) -> None:
    """Trains a recipe, or goes on with the run in `out`, and says how far it is.

    words: settings, such as "width=64".  data: as for `supply`.  steps: those of the recipe at this budget
    unless given.  out: runs/NAME-DATA unless given.  every: steps from one checkpoint and sheet of pictures
    to the next; a tenth of all unless given.
    Raises ValueError for bad input; KeyboardInterrupt, after saying how to go on, when someone stops it.
    """
    if name not in RECIPES:
        raise ValueError(f"there is no recipe {name}{nearest(name, RECIPES)}")
    recipe = RECIPES[name]
    chosen = settings.read(words, recipe.settings())
    steps = budget(*recipe.steps) if steps is None else steps
    every = max(1, steps // 10) if every is None else every
    out = Path("runs", f"{name}-{data.replace(':', '-')}") if out is None else out
    source = supply(data)
    kind = Kind(data, source.channels, source.size, source.crop, source.classes, source.mean)
    model = recipe.make(kind, chosen)
    with processes.together(device) as where:
        report = Report(out, kind, source, steps, every)
        options = {
            "device": where,
            "checkpoint": out / RUN,
            "every": every,
            "about": about(name, kind, chosen),
        }
        try:
            for step, losses, averaged in recipe.train(model, source, steps, chosen, **options):
                report.after(step, losses, averaged, recipe)
        except KeyboardInterrupt:
            report.stopped()
            raise


class Report:
    """What a run says on its way: a line and a sheet of pictures with each checkpoint.

    out: the folder.  kind, source: of the data.  steps: in all.  every: from one checkpoint to the next.
    Only the first of several processes says anything.
    """

    def __init__(self, out: Path, kind: Kind, source: Supply, steps: int, every: int):
        self.out, self.kind, self.source, self.steps, self.every = out, kind, source, steps, every
        self.quiet = processes.rank() > 0
        self.saved, self.first, self.start = 0, None, 0.0

    def after(self, step: int, losses: dict[str, float], averaged: Generative, recipe: Recipe) -> None:
        """To be called after each step."""
        if self.quiet:
            return
        if self.first is None:
            self.first, self.start = step, time.perf_counter()
            if step > 1:
                self.saved = step
                self.say(f"{self.out / RUN} is at step {step:,} of {self.steps:,}{self.over(step)}")
                return
        if step % self.every == 0 or step >= self.steps:
            self.saved = step
            shown = "  ".join(f"{name} {value:.4g}" for name, value in losses.items())
            pace = (time.perf_counter() - self.start) / max(1, step - self.first)
            picture = self.picture(step, averaged, recipe)
            self.say(f"step {step:,} of {self.steps:,}  {shown}  {1000 * pace:.3g} ms a step  {picture}")

    def over(self, step: int) -> str:
        """What to add when nothing is left to do."""
        return ": nothing is left to do; --steps asks for more" if step >= self.steps else ", and goes on"

    def say(self, line: str) -> None:
        """A line above the progress bar, if there is one."""
        clear = "\r\033[K" if sys.stdout.isatty() else ""
        print(clear + line, flush=True)

    def picture(self, step: int, averaged: Generative, recipe: Recipe) -> str:
        """Writes what the model draws by now; returns the path, or "" for a model that draws nothing."""
        images = look(averaged, self.source, recipe)
        if images is None:
            return ""
        path = self.out / "pictures" / f"{step:06}.png"
        write_image(path, sheet(middle(images, self.kind.crop), across(averaged)))
        return str(path)

    def stopped(self) -> None:
        """Says how to go on."""
        if not self.quiet:
            kept = f"the same command goes on from step {self.saved:,}" if self.saved else "nothing is kept"
            self.say(f"stopped; {kept}")


def look(model: Generative, source: Supply, recipe: Recipe) -> Tensor | None:
    """Images that show what a model can do: its own, or images of the data above what becomes of them.

    None for a model that makes no images.
    """
    if type(model).sample is not Generative.sample:
        return draw(model, PICTURES)
    if recipe.remade is None:
        return None
    generator, where = torch.Generator().manual_seed(0), next(model.parameters()).device
    batch = recipe.shown(*source.batches(PICTURES // 2)(generator), generator)
    with torch.no_grad():
        before, after = recipe.remade(model, to_device(batch, where))
    rows = zip(before.cpu().split(COLUMNS), after.cpu().clamp(-1, 1).split(COLUMNS), strict=True)
    return torch.cat([part for row in rows for part in row])
