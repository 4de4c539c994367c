"""Models that several lessons need, trained the same way in each of them, or read from the cache."""

import hashlib
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from minigen.core import Generative, budget, replacing
from minigen.data import batches, cache_folder, digits
from minigen.features import Classifier
from minigen.train import Batch, train


@dataclass(frozen=True)
class Recipe:
    """How one model is trained.

    model: makes it, untrained.  data: makes the function that draws a batch.  steps: at the three budgets.
    """

    model: Callable[[], Generative]
    data: Callable[[], Callable[[torch.Generator], Batch]]
    steps: tuple[int, int, int]
    lr: float = 1e-3


RECIPES = {
    "digit_classifier": Recipe(Classifier, lambda: batches(*digits("train")), steps=(20, 800, 800), lr=2e-3),
}


def trained(name: str) -> Generative:
    """A model of the course in eval mode, on the CPU: read from the cache, or trained now, within a minute.

    name: one of RECIPES.  It is trained anew when its recipe, its code, the budget or torch has changed.
    A file that cannot be read is made anew.  Raises ValueError, listing the names, for any other name.
    """
    if name not in RECIPES:
        raise ValueError(f"name should be one of {', '.join(RECIPES)}; got {name!r}")
    recipe = RECIPES[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = recipe.model()
        path = cache_folder() / "models" / f"{name}-{_version(recipe, model)}.safetensors"
        try:
            model.load_state_dict(load_file(path))
        except (FileNotFoundError, SafetensorError):
            *_, (_, _, model) = train(model, recipe.data(), budget(*recipe.steps), lr=recipe.lr)
            with replacing(path) as temporary:
                save_file(model.cpu().state_dict(), temporary)
    return model.eval().requires_grad_(False)


def _version(recipe: Recipe, model: Generative) -> str:
    """A key that changes with whatever the trained weights depend on."""
    code = inspect.getsource(type(model)) + repr(model)
    settings = f"{recipe.steps} {recipe.lr} {os.environ.get('MINIGEN_BUDGET', 'normal')} {torch.__version__}"
    return hashlib.sha256((code + settings).encode()).hexdigest()[:12]
