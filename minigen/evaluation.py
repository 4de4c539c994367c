"""All scores of the course for one crowd of pictures beside another, in the features of one network."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from minigen.core import device
from minigen.data import shapes
from minigen.data.folder import image_files, in_words, read_images, shape_of
from minigen.data.named import DATASETS
from minigen.data.rows import nearest
from minigen.drawing import RUN, draw, find_model, middle
from minigen.features import INCEPTION, DigitFeatures, InceptionFeatures, ShapeFeatures
from minigen.metrics import fid, fid_infinity, inception_score, kid, precision_recall
from minigen.recipes import named_models

Seen = tuple[Tensor, Tensor]  # what an extractor's `look` gives: features (N, D), probabilities (N, K)
FEATURES = ("digits", "shapes", "inception")
BATCH = 200  # pictures that are read or drawn at once
SUBSET = 1000  # pictures in a subset of KID, as in its paper
PART = 500  # pictures that a part of the Inception Score has at least: of fewer, it is too low
NEIGHBOURS = 3  # of the balls of precision and recall, as in theirs
LINE = 20  # pictures that FID infinity needs
Extractor = DigitFeatures | ShapeFeatures | InceptionFeatures


@dataclass(frozen=True)
class Crowd:
    """Pictures of one size, wherever they come from.

    shape: (channels, height, width).  size: how many.  parts: gives them, (n, C, H, W) in [-1, 1] at a time.
    """

    name: str
    shape: tuple[int, int, int]
    size: int
    parts: Callable[[], Iterator[Tensor]]


@dataclass(frozen=True)
class Score:
    """One score.

    value: None when there are too few pictures.  error: its standard error or its spread, where it has one;
    said: which of the two, and of what.  better: which way is good.
    """

    value: float | None
    error: float | None
    better: str
    said: str = ""


def crowd(name: str, draws: int = 1000, seed: int = 0, steps: int | None = None) -> Crowd:
    """The pictures behind a name.

    name: of a folder of images; of a checkpoint, or the folder of a run; of a model of digits, such as
    "digit_vae", which is trained now unless it is in the cache; or of a data set: digits, mnist,
    fashion_mnist or cifar10, of which "digits:test" is another split, or shapes, of which "shapes:16" is
    another size.  draws: how many pictures of a model, or of shapes.  steps: of a diffusion model, as for
    `drawing.draw`.
    Raises ValueError for a name that is none of these, or fewer than two pictures.
    """
    start, _, rest = name.partition(":")
    if Path(name, RUN).is_file():
        found = in_memory(name, sampled(name, draws, seed, steps))
    elif Path(name).is_dir():
        files = image_files(name)
        found = Crowd(name, shape_of(files), len(files), lambda: read_images(files, BATCH))
    elif Path(name).is_file() or name in named_models():
        found = in_memory(name, sampled(name, draws, seed, steps))
    elif start == "shapes" and (not rest or rest.isdecimal()):
        found = in_memory(name, shapes(draws, int(rest or 32), seed)[0])
    elif start in DATASETS:
        found = in_memory(name, DATASETS[start](rest or "train")[0])
    else:
        known = [*DATASETS, "shapes", *named_models()]
        also = "; a folder of images and a checkpoint will do too"
        raise ValueError(f"there is no {name}{nearest(name, known)}{also}")
    if found.size < 2:
        raise ValueError(f"{name} should have at least 2 pictures; it has {found.size}")
    return found


def in_memory(name: str, images: Tensor) -> Crowd:
    """A crowd of images (N, C, H, W) in [-1, 1]."""
    return Crowd(name, tuple(images.shape[1:]), len(images), lambda: iter(images.split(BATCH)))


def sampled(name: str, n: int, seed: int, steps: int | None) -> Tensor:
    """n pictures (n, C, H, W) drawn from a model, of its classes in turn if it has any.

    Raises ValueError, with the name, for a model that cannot draw.
    """
    model, side = find_model(name)
    try:
        return middle(draw(model, n, seed, steps=steps, progress=True), side)
    except NotImplementedError as error:
        raise ValueError(f"{name} cannot be evaluated: {error}") from error


def extractor(
    name: str | None, shape: tuple[int, int, int], weights: Path | None, download: bool
) -> Extractor:
    """The network in whose features pictures of a shape are compared.

    name: one of FEATURES, or None for the one that comes with minigen and sees such pictures.  weights,
    download: as `InceptionFeatures` has them.
    Raises ValueError for another name, or a network that does not see such pictures.
    """
    own = {1: "digits", 3: "shapes"}
    name = name or ("inception" if weights or download else own[shape[0]])
    if name not in FEATURES:
        raise ValueError(f"features should be one of {', '.join(FEATURES)}; got {name!r}")
    if name == "inception" and weights is None and not download:
        (file,) = INCEPTION.sha256
        raise ValueError(f"--features inception needs --weights {file}, or --download to fetch it (95 MB)")
    if name == "inception":
        return InceptionFeatures(weights, download).to(device())
    if name != own[shape[0]]:
        raise ValueError(f"the features {name} do not see such pictures ({in_words(shape)}); inception does")
    return {"digits": DigitFeatures, "shapes": ShapeFeatures}[name]().to(device())


def look(network: Extractor, crowd: Crowd) -> Seen:
    """What a network sees in a crowd, with a progress bar where someone looks at stderr."""
    seen = []
    with tqdm(total=crowd.size, desc=crowd.name, unit=" pictures", disable=None) as bar:
        for part in crowd.parts():
            seen.append(network.look(part))
            bar.update(len(part))
    features, probabilities = zip(*seen, strict=True)
    return torch.cat(features).cpu(), torch.cat(probabilities).cpu()


def all_scores(real: Seen, fake: Seen, seed: int = 0) -> dict[str, Score]:
    """Every score of fake pictures against real ones.  seed: of the order of rows, and of random subsets.

    Raises ValueError for fewer than two pictures on either side.
    """
    (a, _), (b, probabilities) = real, fake
    n, few = len(b), min(len(a), len(b))
    generator = torch.Generator().manual_seed(seed)
    shuffled = probabilities[torch.randperm(n, generator=generator)]  # so that its parts are alike
    size, parts = min(SUBSET, max(2, few // 2)), min(10, n // PART)
    subsets, neighbours = f"± spread over 100 subsets of {size:,}", f"at most 1; {NEIGHBOURS} neighbours"
    endless = "for endlessly many fakes; ± standard error"
    classes = f"at most {probabilities.shape[1]:,}; " + (
        f"± spread over {parts} parts" if parts > 1 else f"± needs {2 * PART:,} fakes"
    )
    near = cache(lambda: precision_recall(a, b, NEIGHBOURS))
    plan = {  # which way is good, what to say, how many are needed, and what to compute: (value, error)
        "fid": ("small", "", 2, lambda: (fid(a, b), None)),
        "fid_infinity": ("small", endless, LINE, lambda: fid_infinity(a, b, generator)),
        "kid": ("small", subsets, 2, lambda: kid(a, b, generator, size=size)),
        "inception_score": ("large", classes, 2, lambda: parted(shuffled, parts)),
        "precision": ("large", neighbours, NEIGHBOURS + 1, lambda: (near()[0], None)),
        "recall": ("large", neighbours, NEIGHBOURS + 1, lambda: (near()[1], None)),
    }
    scores = {}
    for name, (better, said, needed, measure) in tqdm(plan.items(), "scores", unit=" scores", disable=None):
        if few < needed:
            scores[name] = Score(None, None, better, f"needs {needed} pictures on either side")
        else:
            scores[name] = Score(*measure(), better, said)
    return scores


def parted(probabilities: Tensor, parts: int) -> tuple[float, float | None]:
    """The Inception Score and its spread over parts, which one part does not have."""
    score, spread = inception_score(probabilities, max(1, parts))
    return score, spread if parts > 1 else None


def report(
    real: Crowd, fake: Crowd, features: str | None, weights: Path | None, download: bool, seed: int
) -> dict[str, Any]:
    """All scores of one crowd against another, with the numbers of pictures, as JSON values.

    features, weights, download: as for `extractor`.
    Raises ValueError for grey against colour, and for sizes that differ.
    """
    sides = {"real": real, "fake": fake}
    if real.shape != fake.shape:
        unlike = "; ".join(f"{crowd.name}: {in_words(crowd.shape)}" for crowd in sides.values())
        raise ValueError(f"only pictures of one kind and size can be compared ({unlike})")
    network = extractor(features, real.shape, weights, download)
    seen = [look(network, crowd) for crowd in sides.values()]
    crowds = {side: {"name": c.name, "pictures": c.size, "shape": list(c.shape)} for side, c in sides.items()}
    judge = {"name": type(network).__name__, "numbers": seen[0][0].shape[1]}
    scores = {name: asdict(score) for name, score in all_scores(*seen, seed).items()}
    return crowds | {"features": judge, "scores": scores}


def table(found: dict[str, Any]) -> str:
    """A report for people."""
    lines = []
    for side in ("real", "fake"):
        crowd = found[side]
        lines.append(
            f"{side:8} {crowd['pictures']:>9,} pictures  {in_words(crowd['shape'])}  {crowd['name']}"
        )
    judge = found["features"]
    lines += [f"features {judge['numbers']:>9,} numbers   {judge['name']}", ""]
    lines.append(f"{'score':16} {'value':>9} {'±':>9}  good")
    for name, score in found["scores"].items():
        value, error = ("–" if score[key] is None else f"{score[key]:.4g}" for key in ("value", "error"))
        lines.append(f"{name:16} {value:>9} {error:>9}  {score['better']:6} {score['said']}")
    lines += ["", "Compare only scores in the same features, of equally many pictures."]
    return "\n".join(lines)
