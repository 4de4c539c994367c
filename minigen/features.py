"""What images are compared by: the numbers that a network computes on its way to naming what they show.

An extractor has `features(x)`: (N, D), between which distances are taken, `probabilities(x)`: (N, K), its
opinion of what each image shows, and `look(x)`, which is both at the price of one. All take any number of
images (N, C, H, W) in [-1, 1].
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigen import checkpoint
from minigen.core import Generative, check_images
from minigen.data import VOCABULARY, Factors, Source, fetch, verify
from minigen.inception import Inception
from minigen.layers import image_encoder

WEIGHTS = Path(__file__).parent / "weights"
BATCH = 200  # images that go through a network at once
INCEPTION = Source(
    "inception",
    ("https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights",),
    {
        "pt_inception-2015-12-05-6726825d.pth": (
            "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        )
    },
)


class Classifier(Generative):
    """A convolutional network that names the class of an image.

    channels, size: of the images.  classes: how many.  width: channels at full resolution.  dim: how many
    numbers stand before the last layer.
    """

    def __init__(self, classes: int = 10, channels: int = 1, size: int = 8, width: int = 32, dim: int = 64):
        super().__init__()
        self.shape = (channels, size, size)
        self.body = nn.Sequential(image_encoder(channels, size, width, dim), nn.SiLU())
        self.head = nn.Linear(dim, classes)
        self.register_buffer("unit", torch.tensor(1.0))  # what features are divided by; see `set_unit`

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) to logits (N, classes)."""
        return self.head(self.body(x))

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> Tensor:
        """Cross-entropy of a batch (x, labels), in nats: the mean over the batch."""
        x, labels = batch
        return F.cross_entropy(self(x), labels)

    def prepare(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) resized to the network's size.  Raises ValueError when it cannot use them."""
        check_images("x", x)
        if x.shape[1] != self.shape[0]:
            kind = {1: "grey", 3: "colour"}.get(self.shape[0], "")
            wanted = f"x should be {kind} images (N, {self.shape[0]}, H, W)"
            raise ValueError(f"{wanted}; got shape {tuple(x.shape)}")
        x = x.to(self.head.weight)
        if x.shape[1:] == self.shape:
            return x
        return F.interpolate(x, self.shape[1:], mode="bilinear", antialias=True).clamp(-1, 1)

    def set_unit(self, x: Tensor) -> None:
        """Makes the features of images (N, C, H, W) of size 1, root mean square: KID's kernel wants that."""
        self.unit.fill_(1.0).copy_(self.features(x).square().mean().sqrt())

    def features(self, x: Tensor) -> Tensor:
        """What the network sees in images (N, C, H, W), before it decides: (N, dim)."""
        return in_batches(lambda part: self.body(self.prepare(part)) / self.unit, x)

    def probabilities(self, x: Tensor) -> Tensor:
        """How probable each class is to the network for images (N, C, H, W): (N, classes)."""
        return self.look(x)[1]

    @torch.no_grad()
    def look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) to their features (N, dim) and class probabilities (N, classes)."""
        features = self.features(x)
        return features, self.head(features * self.unit).softmax(1)

    def accuracy(self, x: Tensor, labels: Tensor) -> float:
        """The share of images (N, C, H, W) whose label (N,) is the most probable class."""
        return float((self.probabilities(x).argmax(1) == labels.to(self.head.weight.device)).double().mean())


class FactorClassifier(Classifier):
    """A classifier that names every factor of a drawn shape: shape, colour, size, background and position."""

    def __init__(self, size: int = 32, width: int = 16, dim: int = 64):
        super().__init__(sum(map(len, VOCABULARY.values())), 3, size, width, dim)

    def split(self, logits: Tensor) -> dict[str, Tensor]:
        """Logits (N, all classes of all factors) to {factor: logits (N, its classes)}."""
        return dict(zip(VOCABULARY, logits.split([len(v) for v in VOCABULARY.values()], dim=1), strict=True))

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> dict[str, Tensor]:
        """Cross-entropy of each factor, in nats, means over a batch (x, labels): labels (N, 5), by factor."""
        x, labels = batch
        logits = self.split(self(x))
        return {name: F.cross_entropy(logits[name], labels[:, i]) for i, name in enumerate(VOCABULARY)}

    @torch.no_grad()
    def probabilities(self, x: Tensor, factor: str = "shape") -> Tensor:
        """How probable each value of one factor is, for images (N, 3, H, W): (N, values of the factor)."""
        return self.named(self.features(x), factor)

    @torch.no_grad()
    def look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 3, H, W) to their features (N, dim) and the probabilities of each shape (N, shapes)."""
        features = self.features(x)
        return features, self.named(features, "shape")

    def named(self, features: Tensor, factor: str) -> Tensor:
        """How probable each value of one factor is, for features (N, dim): (N, values of the factor)."""
        if factor not in VOCABULARY:
            raise ValueError(f"factor should be one of {', '.join(VOCABULARY)}; got {factor!r}")
        return self.split(self.head(features * self.unit))[factor].softmax(1)

    def accuracy(self, x: Tensor, factors: Factors) -> dict[str, float]:
        """{factor: the share of images (N, 3, H, W) in which it is named rightly}."""
        found = {name: self.probabilities(x, name).argmax(1).cpu() for name in VOCABULARY}
        return {name: float((found[name] == getattr(factors, name)).double().mean()) for name in VOCABULARY}


class DigitFeatures(Classifier):
    """The course's own judge of digits (N, 1, H, W), seen at 8×8: 64 features, 10 classes."""

    def __init__(self):
        super().__init__()
        load(self, "digits")


class ShapeFeatures(FactorClassifier):
    """The course's own judge of drawn shapes (N, 3, H, W), seen at 32×32: 64 features."""

    def __init__(self):
        super().__init__()
        load(self, "shapes")


class ShapeEyes(FactorClassifier):
    """What a codec is to please: a network like the judge of shapes, trained by itself from other weights."""

    def __init__(self):
        super().__init__()
        load(self, "eyes")
        self.to(memory_format=torch.channels_last)  # faster where channels are few

    def maps(self, x: Tensor) -> list[Tensor]:
        """What the network sees in images (N, 1 or 3, H, W) of any size, at five depths: (N, C, h, w) each.

        Gradients pass through to x.
        """
        x, found = x.expand(-1, 3, -1, -1), []
        for layer in self.body[0][:-2]:  # all but the last layers, which are for one size
            x = layer(x)
            if isinstance(layer, nn.SiLU):
                found.append(x)
        return found


class InceptionFeatures(nn.Module):
    """The 2048 numbers in which the Fréchet Inception distance is defined, for any images.

    path: of the published weights, pt_inception-2015-12-05-6726825d.pth.  download: True fetches that file
    (95 MB) when no path is given, and checks it.
    Raises ValueError when neither is given or the file is another one, DownloadError as `fetch` does.
    Source: Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule; the weights: Seitzer 2020,
    pytorch-fid.
    """

    def __init__(self, path: str | Path | None = None, download: bool = False):
        super().__init__()
        (name,) = INCEPTION.sha256
        if path is None and not download:
            raise ValueError(f"give the path of {name}, or download=True to fetch it (95 MB)")
        self.network = Inception()
        path = fetch(INCEPTION, name) if path is None else verify(INCEPTION, name, Path(path))
        self.network.load_state_dict(torch.load(path, weights_only=True))  # tensors only, no code of others
        self.eval().requires_grad_(False)

    def features(self, x: Tensor) -> Tensor:
        """The last pool of Inception for images (N, 1 or 3, H, W): (N, 2048)."""
        return in_batches(lambda part: self.network.features(self.prepare(part)), x)

    def probabilities(self, x: Tensor) -> Tensor:
        """How probable each class of photographs is, for images (N, 1 or 3, H, W): (N, 1008)."""
        return self.look(x)[1]

    @torch.no_grad()
    def look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 1 or 3, H, W) to their features (N, 2048) and class probabilities (N, 1008)."""
        features = self.features(x)
        return features, self.network.fc(features).softmax(1)

    def prepare(self, x: Tensor) -> Tensor:
        """Images (N, 1 or 3, H, W) in [-1, 1] as (N, 3, 299, 299), resized as the published scores do it."""
        check_images("x", x)
        x = x.to(next(self.network.parameters())).expand(-1, 3, -1, -1)
        return F.interpolate(x, (299, 299), mode="bilinear", align_corners=False)


@torch.no_grad()
def in_batches(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """f of images (N, C, H, W), BATCH at a time, joined."""
    return torch.cat([f(part) for part in x.split(BATCH)])


def load(model: nn.Module, name: str) -> None:
    """Puts the shipped weights of that name into a model, which then only judges."""
    _, state = checkpoint.read(WEIGHTS / f"{name}.safetensors")
    model.load_state_dict(state)
    model.eval().requires_grad_(False)
