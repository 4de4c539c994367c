"""Pictures out of any model: drawn a few hundred at a time, and laid out on a sheet."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from minigen import core, recipes
from minigen.core import Generative, check_folder
from minigen.data.folder import ENDINGS, write_image
from minigen.data.rows import nearest
from minigen.ddpm import DDPM, ConditionalDDPM
from minigen.images import tile
from minigen.latent import STEPS, Latent
from minigen.models import SMALL
from minigen.samplers import few_steps, times, times_by_noise
from minigen.text import TextDDPM, tokenize

RUN = "run.safetensors"  # in a run's folder: all that it needs to go on, and all that drawing needs
BATCH = 250  # pictures that are drawn at once
GUIDANCE = 3.0  # of a model that is told what to draw in words: see lesson 63
LARGE_STEPS = 12  # of a diffusion model above SMALL pixels, at other times: benchmarks/TRIALS.md
SHEET = ".png"  # the ending of a sheet
COLUMNS = 10  # pictures in a row of a sheet, at most
SEEN = 32  # pixels that a picture on a sheet has at least, to be seen
Draw = Callable[[int, Tensor | None], Tensor]  # how many, and what each is told or None, to images


def find_model(name: str, device: str | None = None) -> tuple[Generative, int]:
    """A model, and the height and width of its pictures without the frame that some data sets are given.

    name: of a checkpoint, of the folder of a run, or of a model that `recipes.trained` gives, such as
    "digit_vae" or "text_to_image".  device: where it is to draw, as for `core.device`.
    Raises ValueError, with the nearest name, for another, and for a file that is none.
    """
    where = core.device(device)
    path = Path(name) / RUN if Path(name).is_dir() else Path(name)
    if path.is_file():
        model, found = recipes.read(path)
        return model.to(where), found["crop"]
    if Path(name).is_dir():
        raise ValueError(f"the folder {name} has no {RUN}, so it is not that of a run")
    recipe_names = recipes.named_models()
    if name not in recipe_names:
        also = "; the folder of a run and a checkpoint will do too"
        raise ValueError(f"there is no {name}{nearest(name, recipe_names)}{also}")
    return recipes.trained(name).to(where), recipes.of_name(name)[1]["crop"]


def middle(images: Tensor, side: int) -> Tensor:
    """The middle of images (N, C, H, W), without a frame: (N, C, side, side)."""
    edge = (images.shape[-1] - side) // 2
    return images[..., edge : edge + side, edge : edge + side]


def draw(
    model: Generative,
    n: int,
    seed: int = 0,
    labels: Sequence[int] | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    progress: bool = False,
    prompts: Sequence[str] | None = None,
) -> Tensor:
    """n images (n, C, H, W) in [-1, 1] of a model, on the CPU; the caller's random stream stays as it was.

    labels: classes to ask for, one after the other and again from the start; all of them unless given, for a
    model that is told what to draw.  steps: of a diffusion model, at most all of its chain; unless given,
    STEPS, or LARGE_STEPS where its pictures are above SMALL pixels and no codes.  guidance: w, for a
    diffusion model that is told what to draw, 1 for none; unless given, 1 for labels and GUIDANCE for words.
    progress: a bar on stderr where someone looks at it.  prompts: captions to ask for, one after the other
    and again from the start, for a model that is told words; unless given, the empty one, which asks for
    nothing.
    The same seed gives the same images on one device.
    Raises ValueError for what this model cannot be asked for.
    """
    where = next(model.parameters()).device
    asked = _asked(model, labels, prompts)
    one = _how(model, steps, guidance)
    parts = []
    with torch.random.fork_rng(), tqdm(total=n, unit=" pictures", disable=None if progress else True) as bar:
        torch.manual_seed(seed)
        for start in range(0, n, BATCH):
            rows = torch.arange(start, min(start + BATCH, n))
            told = None if asked is None else asked[rows % len(asked)].to(where)
            with torch.no_grad():
                parts.append(one(len(rows), told).cpu())
            bar.update(len(rows))
    return torch.cat(parts)


def _asked(model: Generative, labels: Sequence[int] | None, prompts: Sequence[str] | None) -> Tensor | None:
    """The labels or captions to ask a model for, in turn."""
    if reads(model):
        if labels is not None:
            raise ValueError('this model is told words, as in "a red circle"; got labels')
        return tokenize([""] if prompts is None else prompts)
    if prompts is not None:
        raise ValueError(f"prompts are for a model that is told words; this is a {_name(model)}")
    if model.classes is None:
        if labels is not None:
            raise ValueError(f"labels are for a model that is told what to draw; this is a {_name(model)}")
        return None
    chosen = list(range(model.classes)) if labels is None else list(labels)
    if not chosen or min(chosen) < 0 or max(chosen) >= model.classes:
        raise ValueError(f"labels should be whole numbers from 0 to {model.classes - 1}; got {chosen}")
    return torch.tensor(chosen)


def reads(model: Generative) -> bool:
    """Whether a model is told what to draw in words."""
    return isinstance(model, Latent) and isinstance(model.prior, TextDDPM)


def _how(model: Generative, steps: int | None, guidance: float | None) -> Draw:
    """The function that draws from a model."""
    if guidance is not None and not math.isfinite(guidance):
        raise ValueError(f"guidance should be a finite number; got {guidance}")
    if guidance is not None and not (reads(model) or isinstance(model, ConditionalDDPM)):
        raise ValueError(f"guidance is for a diffusion model with classes or words; this is a {_name(model)}")
    if isinstance(model, Latent):
        w = GUIDANCE if guidance is None else guidance
        return lambda n, told: model.sample(n, told, w, steps or STEPS)
    if isinstance(model, DDPM | ConditionalDDPM):
        w = 1.0 if guidance is None else guidance
        return lambda n, labels: _diffuse(model, n, labels, steps, w)
    if steps is not None:
        raise ValueError(f"steps are for a diffusion model; a {_name(model)} draws in one")
    return model.sample


def _diffuse(
    model: DDPM | ConditionalDDPM, n: int, labels: Tensor | None, steps: int | None, guidance: float
) -> Tensor:
    """n images of a diffusion model, in few steps: along the chain that is left of its own at their times."""
    predict = model.predict if labels is None else model.guided(labels, guidance)
    where, alpha_bar = next(model.parameters()).device, model.schedule.alpha_bar
    if model.shape[-1] <= SMALL:
        path = times(len(alpha_bar) - 1, steps or STEPS)[::-1]
    else:
        most = 10 * math.sqrt(math.prod(model.shape) / 16**2)  # hides how bright they are: see models.chain
        path = times_by_noise(alpha_bar, steps or LARGE_STEPS, most)[::-1]

    def noise(t: int) -> Tensor:
        return torch.randn(n, *model.shape, device=where)

    x = few_steps(
        lambda x_t, i: predict(x_t, path[i]), noise(0), alpha_bar[path], len(path) - 1, 1.0, noise,
        second_order=True, clip=True,
    )  # fmt: skip
    return x.clamp(-1, 1)


def across(model: Generative, labels: Sequence[int] | None = None) -> int:
    """How many pictures fit in a row of a sheet, so that one class stands in one column."""
    classes = len(labels or range(model.classes or 1))
    return COLUMNS // classes * classes or COLUMNS


def sheet(images: Tensor, columns: int) -> Tensor:
    """Images (N, C, H, W) side by side, with a grey line between them, as one image (C, rows, columns).

    Small ones are enlarged by a whole number, each pixel to a sharp square.
    """
    times = -(-SEEN // images.shape[-1])
    large = images.repeat_interleave(times, 2).repeat_interleave(times, 3)
    return F.pad(tile(F.pad(large, (0, 2, 0, 2), value=0.0), columns), (2, 0, 2, 0), value=0.0)


def sample(
    name: str,
    out: Path,
    n: int = 60,
    prompt: str | None = None,
    labels: str | None = None,
    guidance: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str | None = None,
    force: bool = False,
) -> str:
    """`minigen sample`: draws from the model of that name, writes to `out`, and says what it wrote.

    prompt: what to draw, in words.  labels: whole numbers with commas between them.  device: as for
    `core.device`.  The rest as for `find_model`, `draw` and `write`.
    """
    try:
        asked = None if labels is None else [int(label) for label in labels.split(",")]
    except ValueError:
        raise ValueError(f"labels should be whole numbers, as in 3,7; got {labels!r}") from None
    check_free(out, force)
    model, side = find_model(name, device)
    try:
        prompts = None if prompt is None else [prompt]
        images = draw(model, n, seed, asked, steps, guidance, progress=True, prompts=prompts)
    except NotImplementedError as error:
        raise ValueError(f"{name} draws nothing: {error}") from error
    return write(middle(images, side), out, across(model, asked), force)


def write(images: Tensor, out: Path, columns: int, force: bool = False) -> str:
    """Writes images (N, C, H, W): on one sheet if `out` ends in .png, else each in a file of its own there.

    columns: pictures in a row of the sheet.  force: whether what is there may be replaced.  Returns what it
    wrote, in words.
    Raises ValueError for another ending, and, with nothing written, when something is there.
    """
    check_free(out, force)
    if is_sheet(out):
        write_image(out, sheet(images, columns))
        return f"{out}: {len(images):,} pictures on a sheet"
    for old in out.glob("[0-9]" * 6 + ".png"):
        old.unlink()
    for i, image in enumerate(images):
        write_image(out / f"{i:06}.png", image)
    return f"{out}/: {len(images):,} pictures"


def check_free(out: Path, force: bool) -> None:
    """Raises a ValueError for a path that pictures cannot be written to, or that is taken, unless force."""
    if out.suffix.lower() in ENDINGS - {SHEET}:
        raise ValueError(f"--out should be FILE.png, for a sheet, or a folder, for single files; got {out}")
    if out.exists() and out.is_dir() == is_sheet(out):
        raise ValueError(f"--out should be {'a file' if is_sheet(out) else 'a folder'}; {out} is not")
    check_folder("--out", out.parent if is_sheet(out) else out)
    taken = any(out.iterdir()) if out.is_dir() else out.exists()
    if taken and not force:
        raise ValueError(f"{out} is already there; --force replaces it, or give another --out")


def is_sheet(out: Path) -> bool:
    """Whether a path asks for one sheet; a folder is asked for by any other."""
    return out.suffix.lower() == SHEET


def _name(model: Generative) -> str:
    return type(model).__name__
