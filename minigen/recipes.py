"""Models that lessons and the command line start from, trained the same way each time or read from a file."""

import hashlib
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from minigen import checkpoint
from minigen.autoencoder import ConvAutoencoder
from minigen.core import Generative, budget
from minigen.data import batches, cache_folder, digits
from minigen.ddpm import DDPM, ConditionalDDPM
from minigen.diffusion import Schedule, cosine_betas
from minigen.guidance import NoisyClassifier
from minigen.latent_space import ConditionalVAE
from minigen.train import Batch, train
from minigen.unet import LabelledUNet, UNet
from minigen.vae import VAE


def digit_ddpm() -> DDPM:
    """A small U-Net on the cosine chain of 1,000 steps, for digits (N, 1, 8, 8)."""
    return DDPM(UNet(), Schedule(cosine_betas()), (1, 8, 8))


def digit_conditional_ddpm() -> ConditionalDDPM:
    """The same with labels, of which some are dropped in training."""
    return ConditionalDDPM(LabelledUNet(), Schedule(cosine_betas()), (1, 8, 8))


def digit_noisy_classifier() -> NoisyClassifier:
    """Names digits in any noise of that chain."""
    return NoisyClassifier(Schedule(cosine_betas()))


@dataclass(frozen=True)
class Recipe:
    """How one model is trained.

    model: makes it, untrained.  data: makes the function that draws a batch.  steps: at the three budgets.
    """

    model: Callable[[], Generative]
    data: Callable[[], Callable[[torch.Generator], Batch]]
    steps: tuple[int, int, int]
    lr: float = 3e-3


RECIPES = {
    "digit_autoencoder": Recipe(ConvAutoencoder, lambda: batches(digits()[0]), (10, 1200, 6000)),
    "digit_vae": Recipe(VAE, lambda: batches(digits()[0], size=128), (10, 1500, 6000)),
    "digit_ddpm": Recipe(digit_ddpm, lambda: batches(digits()[0]), (10, 1500, 20_000), lr=2e-3),
    "digit_conditional_ddpm": Recipe(
        digit_conditional_ddpm, lambda: batches(*digits()), (10, 1500, 20_000), lr=2e-3
    ),
    "digit_noisy_classifier": Recipe(
        digit_noisy_classifier, lambda: batches(*digits()), (10, 600, 3000), lr=2e-3
    ),
    "digit_conditional_vae": Recipe(ConditionalVAE, lambda: batches(*digits()), (10, 1500, 6000)),
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
        path = cache_folder() / "models" / f"{name}-{_version(name)}.safetensors"
        try:
            return load(path)
        except ValueError:  # not there, or damaged
            *_, (_, _, model) = train(model, recipe.data(), budget(*recipe.steps), lr=recipe.lr)
            save(name, model, path)
    return load(path)


def save(name: str, model: Generative, path: str | Path) -> None:
    """Writes a model's weights and the name of its recipe to a file, whole or not at all."""
    checkpoint.write(path, {"version": checkpoint.VERSION, "recipe": name}, model.state_dict())


def load(path: str | Path) -> Generative:
    """The model that `save` wrote, in eval mode, on the CPU.  Raises ValueError for any other file."""
    header, state = checkpoint.read(path)
    recipe = RECIPES.get(header.get("recipe"))
    if recipe is None:
        known = f"one of {', '.join(RECIPES)}"
        raise ValueError(f"{path} should name its recipe, {known}; it names {header.get('recipe')!r}")
    with torch.random.fork_rng():  # what the weights are before they are read is nobody's business
        model = recipe.model()
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} does not hold the weights of a {header['recipe']}") from error
    return model.eval().requires_grad_(False)


def fingerprint(name: str) -> str:
    """A key that changes with a recipe and its model's code, for measurements to say of what they are."""
    recipe = RECIPES[name]
    with torch.random.fork_rng():
        model = recipe.model()
    code = inspect.getsource(recipe.model) + inspect.getsource(type(model)) + repr(model)
    return hashlib.sha256(f"{code} {recipe.steps} {recipe.lr}".encode()).hexdigest()[:12]


def _version(name: str) -> str:
    """A key that changes with whatever the trained weights depend on."""
    settings = f"{fingerprint(name)} {os.environ.get('MINIGEN_BUDGET', 'normal')} {torch.__version__}"
    return hashlib.sha256(settings.encode()).hexdigest()[:12]
