"""How each model of the course is made and trained: one recipe each, whose settings have plain names.

`trained("digit_vae")` gives a model that several lessons need: trained once, then read from the cache, since
a lesson should not take a minute before its first page. `minigen train vae` trains any recipe on any data
set.
"""

import hashlib
import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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
from minigen.data.shapes import Factors, captions, some_named
from minigen.features import WEIGHTS
from minigen.models import SMALL
from minigen.text import tokenize
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


def with_captions(x: Tensor, factors: Tensor, generator: torch.Generator) -> Batch:
    shown = Factors(*factors.T, offset=torch.zeros(len(x), 2), scale=torch.ones(len(x)))
    return x, tokenize(captions(shown, named=some_named(len(x), generator)))


# ---- what shows how far a model that draws nothing of its own is: (model, batch) to images before and after


def rebuilt(model: Generative, batch: Batch) -> tuple[Tensor, Tensor]:
    x, _ = batch
    return x, model.decode(model.encode(x))


def recoded(model: Generative, batch: Batch) -> tuple[Tensor, Tensor]:
    x, _ = batch
    mu, _ = model.encode(x)
    return x, model.decode(mu)


def restored(model: Generative, batch: Batch) -> tuple[Tensor, Tensor]:
    _, spoiled = batch
    return spoiled.clamp(-1, 1), model(spoiled)


def swapped(model: Generative, batch: Batch) -> tuple[Tensor, Tensor]:
    x, family = batch
    return x, model.swap(x, family)


# ---- the recipes

# how a recipe is trained, as far as that can be set, and of which type each is
SETTINGS = {
    "batch": int,
    "lr": float,
    "betas": tuple[float, ...],
    "decay": float,
    "cooldown": float,
    "seed": int,
}


@dataclass(frozen=True)
class Recipe:
    """How one model is made and trained.

    model: makes it, untrained, of a Kind and its settings.  steps: at the three budgets.  shown: what it is
    shown of images and labels.  remade: images before and after it, for a model that draws nothing of its
    own.  batch: images in one.  lr, betas: of Adam.  decay: of the averaged weights.  cooldown, seed: as for
    `train`.  large: settings by name, for images that are not small, if they are others.  first: the recipe
    of the model's codec, which is trained before, with the settings of_first.  data: what it learns from,
    where another data set would not do.
    Small images are trained on in torch's plain way, as in the lessons, larger ones as is fastest.
    """

    model: Callable[..., Generative]
    steps: tuple[int, int, int]
    shown: Callable[[Tensor, Tensor, torch.Generator], Batch] = images_alone
    remade: Callable[[Generative, Batch], tuple[Tensor, Tensor]] | None = None
    batch: int = 64
    lr: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.999)
    decay: float = 0.999
    cooldown: float = 0.0
    seed: int = 0
    large: dict[str, Any] = field(default_factory=dict)
    first: str | None = None
    of_first: dict[str, Any] = field(default_factory=dict)
    data: str | None = None

    def settings(self, size: int = SMALL) -> dict[str, inspect.Parameter]:
        """What can be set by name: what the model is made with, then how it is trained.

        size: of the images, on which the defaults depend.
        """
        _, *of_model = inspect.signature(self.model).parameters.values()
        of_training = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=getattr(self, name), annotation=kind
            )
            for name, kind in SETTINGS.items()
        ]
        other = self.large if size > SMALL else {}
        return {p.name: p.replace(default=other.get(p.name, p.default)) for p in (*of_model, *of_training)}

    def defaults(self, size: int = SMALL) -> dict[str, Any]:
        """What each setting is unless it is set, for images of a size."""
        return {name: parameter.default for name, parameter in self.settings(size).items()}

    def make(self, kind: Kind, settings: dict[str, Any]) -> Generative:
        """The model, with random weights that depend on the seed alone."""
        chosen = self.defaults(kind.size) | settings
        names = list(inspect.signature(self.model).parameters)[1:]
        with torch.random.fork_rng():
            torch.manual_seed(chosen["seed"])
            return self.model(kind, **{name: chosen[name] for name in names})

    def train(
        self, model: Generative, data: Supply, steps: int, settings: dict[str, Any], **options: Any
    ) -> Iterator[tuple[int, dict[str, float], Generative]]:
        """`train` as the recipe has it.  options: further ones of `train`."""
        chosen, fast = self.defaults(data.kind.size) | settings, data.kind.size > SMALL
        draw = data.batches(chosen["batch"])
        adam = partial(Adam, lr=chosen["lr"], betas=tuple(chosen["betas"]), fused=fast or None)
        return train(
            model, lambda generator: self.shown(*draw(generator), generator), steps, optimizer=adam,
            decay=chosen["decay"], cooldown=chosen["cooldown"], seed=chosen["seed"], fast=fast, **options,
        )  # fmt: skip

    def train_first(
        self, data: Supply, settings: dict[str, Any], **options: Any
    ) -> Iterator[tuple[int, dict[str, float], Generative]]:
        """The same for the model's codec, as its own recipe has it but for settings of the same name."""
        recipe = RECIPES[self.first]
        names = set(inspect.signature(recipe.model).parameters) | {"seed"}
        of_codec = self.of_first | {name: value for name, value in settings.items() if name in names}
        codec = recipe.make(data.kind, of_codec)
        return recipe.train(codec, data, budget(*recipe.steps), of_codec, **options)

    def adopt(self, model: Generative, codec: Generative, data: Supply) -> None:
        """Gives a model the weights of a trained codec, and the scale of its codes."""
        weights = codec.state_dict()
        model.codec.load_state_dict({name: weights[name] for name in model.codec.state_dict()})
        x, _ = data.batches(1000)(torch.Generator().manual_seed(0))
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model.codec.set_scale(x)


ADVERSARIAL = {"lr": 1e-3, "betas": (0.5, 0.9), "decay": 0.995}
DEEP = {"large": {"lr": 1e-3}}  # the networks are deeper then
COOLED = {"betas": (0.9, 0.99), "decay": 0.99, "cooldown": 0.4}  # for runs of minutes
CODED = {"batch": 32, "lr": 1e-3, **COOLED}
GUIDED = {"shown": with_labels, "lr": 2e-3}
DIFFUSED = {"patch": 2, "schedule": "middle", "target": "velocity", **COOLED}  # see benchmarks/TRIALS.md
RECIPES = {
    "linear_autoencoder": Recipe(models.linear_autoencoder, (10, 1200, 6000), remade=rebuilt),
    "autoencoder": Recipe(models.autoencoder, (10, 1200, 6000), remade=rebuilt, **DEEP),
    "denoiser": Recipe(models.denoiser, (10, 1200, 6000), with_noise, restored),
    "vae": Recipe(models.vae, (10, 1500, 6000), batch=128, large={"batch": 32, "lr": 2e-3, **COOLED}),
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
    "ddpm": Recipe(models.ddpm, (10, 1500, 20_000), lr=2e-3, large=DIFFUSED),
    "conditional_ddpm": Recipe(models.conditional_ddpm, (10, 1500, 20_000), large=DIFFUSED, **GUIDED),
    "codec": Recipe(models.codec, (10, 4000, 20_000), remade=recoded, **CODED),
    "perceptual_codec": Recipe(models.perceptual_codec, (10, 3700, 20_000), remade=recoded, **CODED),
    "latent_ddpm": Recipe(models.latent_ddpm, (10, 1500, 20_000), lr=2e-3, first="codec"),
    "text_to_image": Recipe(
        models.text_to_image,
        (10, 3200, 40_000),
        with_captions,
        lr=1.5e-3,
        decay=0.99,
        cooldown=0.4,
        first="perceptual_codec",
        of_first={"start": 1_000_000},  # eyes alone: plain shapes have no texture for a critic
        data="scenes",
    ),
    "noisy_classifier": Recipe(models.noisy_classifier, (10, 600, 3000), **GUIDED),
}
OF_KIND = ("data", "channels", "size", "crop", "classes")  # what a file says of a Kind
OF_TRAINING = ("steps", *SETTINGS, "large")
OF_DIGITS = "digit_"  # what the names of models of digits start with
SHIPPED = {"text_to_image": WEIGHTS / "text_to_image.safetensors"}  # trained for minutes, on scenes


def trained(name: str) -> Generative:
    """A model in eval mode, on the CPU: read from the cache, or trained on digits now, within a minute.

    name: "digit_" and the name of a recipe, or text_to_image, which comes with the course.  A model of digits
    is trained anew when its recipe, its code, the budget or torch has changed.  A file that cannot be read is
    made anew.  Raises ValueError, listing the names, for another name.
    """
    if name in SHIPPED:
        return load(SHIPPED[name])
    recipe, found = of_name(name)
    path = cache_folder() / "models" / f"{name}-{_version(name)}.safetensors"
    try:
        return load(path)
    except (FileNotFoundError, ValueError):  # not there, or damaged
        model, data = recipe.make(kind_of(found), {}), supply("digits")
        if recipe.first:
            recipe.adopt(model, trained(OF_DIGITS + recipe.first), data)
        *_, (_, _, model) = recipe.train(model, data, budget(*recipe.steps), {})
        save(name, model, path)
    return load(path)


def of_name(name: str) -> tuple[Recipe, dict[str, Any]]:
    """The recipe of a model that `trained` gives, and what a file says about it."""
    if name not in named_models():
        raise ValueError(f"there is no {name}{nearest(name, named_models())}")
    if name in SHIPPED:
        said = read(SHIPPED[name])[1]
    else:
        digits = Kind("digits", channels=1, size=8, crop=8, classes=10)
        said = about(name.removeprefix(OF_DIGITS), digits, {})
    return RECIPES[said["recipe"]], said


def named_models() -> list[str]:
    """The names of the models that `trained` gives."""
    return [OF_DIGITS + name for name in RECIPES if not RECIPES[name].data] + list(SHIPPED)


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
    """Writes a model and the name of its recipe to a file, whole or not at all.

    name: as for `trained`.  Raises ValueError for another.
    """
    header = {"version": checkpoint.VERSION, "settings": of_name(name)[1]}
    checkpoint.write(path, header, {f"averaged.{key}": value for key, value in model.state_dict().items()})


def ship(run: str | Path, path: str | Path) -> None:
    """Writes what drawing needs of a run's checkpoint to a file, in half precision: a sixth of its size.

    run: the checkpoint that `minigen train` has left.  Raises ValueError for another file.
    """
    model, found = read(run)
    weights = {
        f"averaged.{name}": value.half() if value.ndim and value.is_floating_point() else value
        for name, value in model.state_dict().items()
    }
    checkpoint.write(path, {"version": checkpoint.VERSION, "settings": found}, weights)


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
        model = recipe.make(kind_of(found), recipe.defaults() | found)
        model.load_state_dict(checkpoint.below("averaged.", state))
    except (LookupError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} does not hold the weights of a {found['recipe']}") from error
    return model.eval().requires_grad_(False), found


def fingerprint(name: str) -> str:
    """A key that changes with a recipe and its model's code, for measurements to say of what they are.

    name: as for `trained`.
    """
    recipe, found = of_name(name)
    model = recipe.make(kind_of(found), {})
    parts = (type(module) for module in model.modules() if isinstance(module, Generative))
    code = inspect.getsource(recipe.model) + "".join(map(inspect.getsource, parts)) + repr(model)
    code += fingerprint(OF_DIGITS + recipe.first) + str(recipe.of_first) if recipe.first else ""
    training = [recipe.shown.__name__] + [getattr(recipe, name) for name in OF_TRAINING]
    return hashlib.sha256(f"{code} {training} {found}".encode()).hexdigest()[:12]


def _version(name: str) -> str:
    """A key that changes with whatever the trained weights depend on."""
    settings = f"{fingerprint(name)} {os.environ.get('MINIGEN_BUDGET', 'normal')} {torch.__version__}"
    return hashlib.sha256(settings.encode()).hexdigest()[:12]
