"""What each process of tests/test_processes.py runs: `torchrun … several.py FILE` writes the losses there."""

import json
import sys
from pathlib import Path

import torch

from minigen import processes
from minigen.data.named import supply
from minigen.recipes import RECIPES

STEPS, BATCH = 3, 60  # a multiple of the critics' turns times the processes
ALONE = {"perceptual_codec"}  # its adaptive weight is a ratio of gradients, of each process's own share
NAMES = tuple(name for name in RECIPES if name not in ALONE)


def losses(name, device="cpu"):
    """Those of the first steps of a recipe, and a number that every weight has a part in."""
    recipe = RECIPES[name]
    source = supply(recipe.data or "digits")
    settings = {"batch": BATCH, "width": 16}
    model = recipe.make(source.kind, settings)
    run = list(recipe.train(model, source, STEPS, settings, device=device, progress=False))
    weights = torch.cat([p.detach().flatten() for p in model.parameters()])
    return [found for _, found, _ in run], weights.double().abs().sum().item()


def odd_batch():
    """What is said of a batch that two processes cannot share."""
    source, recipe = supply("digits"), RECIPES["autoencoder"]
    model = recipe.make(source.kind, {})
    try:
        list(recipe.train(model, source, 1, {"batch": 3}, device="cpu", progress=False))
    except ValueError as error:
        return str(error)


def threads():
    """The names of this process's, where the system tells."""
    return [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]


if __name__ == "__main__":
    torch.set_num_threads(1)
    with processes.together("cpu") as device:
        found = {name: losses(name, device) for name in NAMES}
        found |= {"processes": processes.count(), "odd": odd_batch()}
        first = processes.rank() == 0
    found["threads"] = threads()
    if first:
        Path(sys.argv[1]).write_text(json.dumps(found, default=dict))
