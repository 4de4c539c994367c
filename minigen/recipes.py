"""How each model of the course is made and trained: one recipe each, whose settings have plain names.

`trained("digit_vae")` gives a model of digits that several lessons need: trained once, then read from the
cache, since a lesson should not take a minute before its first page. `minigen train vae` trains any recipe on
any data set.
"""

import hashlib
import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam

from minigen import checkpoint, models
from minigen.core import Generative, budget
from minigen.data import cache_folder
from minigen.data.named import Kind, Supply, supply
from minigen.data.rows import nearest
from minigen.models import SMALL
from minigen.train import Batch, train

# ---- what each model is shown: (images, labels, generator) to a batch


def images_alone(x: Tensor, labels: Tensor, generator: torch.Generator) -> Batch:
    return x, None


def with_labels(x: Tensor, labels: Tensor, generator: torch.Generator) -> Batch:
    return x, labels


def with_families(x: Tensor, labels: Tensor, generator: torch.Generator) -> Batch:
    return x, labels % 2


def black_and_white(x: Tensor, labels: Tensor, generator: torch.Generator) -> Batch:
    return torch.where(x > 0, 1.0, -1.0), None


def with_noise(x: Tensor, labels: Tensor, generator: torch.Generator) -> Batch:
    return x, x + 0.5 * torch.randn(x.shape, generator=generator)


# ---- what shows how far a model that draws nothing of its own is: (model, batch) to images before and after


def rebuilt(model: Generative, batch: Batch) -> tuple[Tensor, Tensor]:
    x, _ = batch
    return x, model.decode(model.encode(x))


def restored(model: Generative, batch: Batch) -> tuple[Tensor, Tensor]:
    _, spoiled = batch
    return spoiled.clamp(-1, 1), model(spoiled)


def swapped(model: Generative, batch: Batch) -> tuple[Tensor, Tensor]:
    x, family = batch
    return x, model.swap(x, family)


# ---- the recipes


@dataclass(frozen=True)
class Recipe:
    """How one model is made and trained.

    model: makes it, untrained, of a Kind and its settings.  steps: at the three budgets.  shown: what it is
    shown of images and labels.  remade: images before and after it, for a model that draws nothing of its
    own.  batch: images in one.  lr, betas: of Adam.  lr_large: lr for images that are not small, if another.
    decay: of the averaged weights.
    """

    model: Callable[..., Generative]
    steps: tuple[int, int, int]
    shown: Callable[[Tensor, Tensor, torch.Generator], Batch] = images_alone
    remade: Callable[[Generative, Batch], tuple[Tensor, Tensor]] | None = None
    batch: int = 64
    lr: float = 3e-3
    lr_large: float | None = None
    betas: tuple[float, float] = (0.9, 0.999)
    decay: float = 0.999

    def settings(self, size: int = SMALL) -> dict[str, inspect.Parameter]:
        """What can be set by name: what the model is made with, then how it is trained.

        size: of the images, on which the default of lr depends.
        """
        lr = self.lr if size <= SMALL else self.lr_large or self.lr
        _, *of_model = inspect.signature(self.model).parameters.values()
        of_training = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=type(default))
            for name, default in (("batch", self.batch), ("lr", lr), ("decay", self.decay), ("seed", 0))
        ]
        return {parameter.name: parameter for parameter in (*of_model, *of_training)}

    def defaults(self, size: int = SMALL) -> dict[str, Any]:
        """What each setting is unless it is set, for images of a size."""
        return {name: parameter.default for name, parameter in self.settings(size).items()}

    def make(self, kind: Kind, settings: dict[str, Any]) -> Generative:
        """The model, with random weights that depend on the seed alone."""
        names = list(inspect.signature(self.model).parameters)[1:]
        with torch.random.fork_rng():
            torch.manual_seed(settings.get("seed", 0))
            return self.model(kind, **{name: settings[name] for name in names if name in settings})

    def train(
        self, model: Generative, data: Supply, steps: int, settings: dict[str, Any], **options: Any
    ) -> Iterator[tuple[int, dict[str, float], Generative]]:
        """`train` as the recipe has it.  options: further ones of `train`."""
        chosen = self.defaults(data.kind.size) | settings
        draw, adam = data.batches(chosen["batch"]), partial(Adam, lr=chosen["lr"], betas=self.betas)
        return train(
            model, lambda generator: self.shown(*draw(generator), generator), steps, optimizer=adam,
            decay=chosen["decay"], seed=chosen["seed"], **options,
        )  # fmt: skip


ADVERSARIAL = {"lr": 1e-3, "betas": (0.5, 0.9), "decay": 0.995}
DEEP = {"lr_large": 1e-3}  # the networks are deeper then
GUIDED = {"shown": with_labels, "lr": 2e-3}
RECIPES = {
    "linear_autoencoder": Recipe(models.linear_autoencoder, (10, 1200, 6000), remade=rebuilt),
    "autoencoder": Recipe(models.autoencoder, (10, 1200, 6000), remade=rebuilt, **DEEP),
    "denoiser": Recipe(models.denoiser, (10, 1200, 6000), with_noise, restored),
    "vae": Recipe(models.vae, (10, 1500, 6000), batch=128, **DEEP),
    "bernoulli_vae": Recipe(models.bernoulli_vae, (10, 1500, 6000), black_and_white, batch=128, **DEEP),
    "conditional_vae": Recipe(models.conditional_vae, (10, 1500, 6000), with_labels, **DEEP),
    "swap_autoencoder": Recipe(models.swap_autoencoder, (10, 1200, 6000), with_families, swapped, **DEEP),
    "gan": Recipe(models.gan, (5, 1200, 10_000), **ADVERSARIAL),
    "minimax_gan": Recipe(models.minimax_gan, (5, 1200, 10_000), **ADVERSARIAL),
    "wgan": Recipe(models.wgan, (4, 600, 3000), batch=320, **ADVERSARIAL),
    "wgan_gp": Recipe(models.wgan_gp, (4, 600, 3000), batch=192, **ADVERSARIAL),
    "conditional_gan": Recipe(models.conditional_gan, (5, 1200, 6000), with_labels, **ADVERSARIAL),
    "conditional_wgan_gp": Recipe(
        models.conditional_wgan_gp, (4, 900, 5000), with_labels, batch=128, **ADVERSARIAL
    ),
    "ddpm": Recipe(models.ddpm, (10, 1500, 20_000), lr=2e-3),
    "conditional_ddpm": Recipe(models.conditional_ddpm, (10, 1500, 20_000), **GUIDED),
    "noisy_classifier": Recipe(models.noisy_classifier, (10, 600, 3000), **GUIDED),
}
OF_KIND = ("data", "channels", "size", "crop", "classes")  # what a file says of a Kind
OF_DIGITS = "digit_"  # what the names of the models that `trained` gives start with


def trained(name: str) -> Generative:
    """A model of digits in eval mode, on the CPU: read from the cache, or trained now, within a minute.

    name: "digit_" and the name of a recipe.  It is trained anew when its recipe, its code, the budget or
    torch has changed.  A file that cannot be read is made anew.  Raises ValueError, listing the names, for
    another name.
    """
    recipe, found = of_digits(name)
    path = cache_folder() / "models" / f"{name}-{_version(name)}.safetensors"
    try:
        return load(path)
    except (FileNotFoundError, ValueError):  # not there, or damaged
        model = recipe.make(kind_of(found), {})
        *_, (_, _, model) = recipe.train(model, supply("digits"), budget(*recipe.steps), {})
        save(name, model, path)
    return load(path)


def of_digits(name: str) -> tuple[Recipe, dict[str, Any]]:
    """The recipe of a model that `trained` gives, and what a file says about it."""
    recipe = RECIPES.get(name.removeprefix(OF_DIGITS)) if name.startswith(OF_DIGITS) else None
    if recipe is None:
        raise ValueError(f"there is no {name}{nearest(name, named_models())}")
    kind = Kind("digits", channels=1, size=8, crop=8, classes=10)
    return recipe, about(name.removeprefix(OF_DIGITS), kind, {})


def named_models() -> list[str]:
    """The names of the models that `trained` gives."""
    return [OF_DIGITS + name for name in RECIPES]


def about(name: str, kind: Kind, settings: dict[str, Any]) -> dict[str, Any]:
    """What a file says of a model, so that it can be made again: JSON values.

    settings: those that were set; the others are as the recipe has them.
    """
    return (
        {"recipe": name}
        | {f: getattr(kind, f) for f in OF_KIND}
        | RECIPES[name].defaults(kind.size)
        | settings
    )


def kind_of(about: dict[str, Any]) -> Kind:
    """The images that a model is for, by what its file says."""
    return Kind(*(about[field] for field in OF_KIND))


def save(name: str, model: Generative, path: str | Path) -> None:
    """Writes a model of digits and the name of its recipe to a file, whole or not at all.

    name: as for `trained`.  Raises ValueError for another.
    """
    header = {"version": checkpoint.VERSION, "settings": of_digits(name)[1]}
    checkpoint.write(path, header, {f"averaged.{key}": value for key, value in model.state_dict().items()})


def load(path: str | Path) -> Generative:
    """The model of a file that `save` or `minigen train` wrote: averaged weights, eval mode, on the CPU.

    Raises ValueError for any other file.
    """
    return read(path)[0]


def read(path: str | Path) -> tuple[Generative, dict[str, Any]]:
    """The same, and what the file says about it: see `about`."""
    header, state = checkpoint.read(path)
    found = header["settings"] if isinstance(header.get("settings"), dict) else {}
    recipe = RECIPES.get(str(found.get("recipe")))
    if recipe is None:
        known = f"one of {', '.join(RECIPES)}"
        raise ValueError(f"{path} should name its recipe, {known}; it names {found.get('recipe')!r}")
    try:
        model = recipe.make(kind_of(found), found)
        model.load_state_dict(checkpoint.below("averaged.", state))
    except (LookupError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} does not hold the weights of a {found['recipe']}") from error
    return model.eval().requires_grad_(False), found


def fingerprint(name: str) -> str:
    """A key that changes with a recipe and its model's code, for measurements to say of what they are.

    name: as for `trained`.
    """
    recipe, found = of_digits(name)
    model = recipe.make(kind_of(found), {})
    code = inspect.getsource(recipe.model) + inspect.getsource(type(model)) + repr(model)
    training = (recipe.shown.__name__, recipe.steps, recipe.batch, recipe.lr, recipe.betas, recipe.decay)
    return hashlib.sha256(f"{code} {training} {found}".encode()).hexdigest()[:12]


def _version(name: str) -> str:
    """A key that changes with whatever the trained weights depend on."""
    settings = f"{fingerprint(name)} {os.environ.get('MINIGEN_BUDGET', 'normal')} {torch.__version__}"
    return hashlib.sha256(settings.encode()).hexdigest()[:12]
