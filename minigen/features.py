"""A small classifier: an independent judge of samples, and the features in which they are compared."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigen.core import Generative
from minigen.layers import image_encoder


class Classifier(Generative):
    """A convolutional network that names the class of an image.

    channels, size: of the images.  classes: how many.  width: channels at full resolution.  features: how
    many numbers stand before the last layer.
    """

    def __init__(
        self, classes: int = 10, channels: int = 1, size: int = 8, width: int = 32, features: int = 64
    ):
        super().__init__()
        self.body = nn.Sequential(image_encoder(channels, size, width, features), nn.SiLU())
        self.head = nn.Linear(features, classes)

    def features(self, x: Tensor) -> Tensor:
        """What the network sees in images (N, C, H, W), before it decides: (N, features)."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) to logits (N, classes)."""
        return self.head(self.features(x))

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> Tensor:
        """Cross-entropy of a batch (x, labels), in nats: the mean over the batch."""
        x, labels = batch
        return F.cross_entropy(self(x), labels)

    @torch.no_grad()
    def accuracy(self, x: Tensor, labels: Tensor) -> float:
        """The share of images (N, C, H, W) whose label (N,) is the class with the largest logit."""
        return float((self(x).argmax(1) == labels).float().mean())
