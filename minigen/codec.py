"""Codes that keep the layout of an image and lose its fine detail, and what makes a decoder draw it again.

The squared error of pixels wants the mean of all images that a code may stand for, which is blurred. Two more
terms ask for detail: the distance of what a network sees in both images, and a critic of small patches.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigen.core import Generative
from minigen.features import ShapeEyes
from minigen.layers import downsample, upsample
from minigen.vae import kl_standard, reparameterize


def perceptual_distance(maps: list[Tensor], others: list[Tensor]) -> Tensor:
    """How far apart two batches of images are to a network: at every place, the directions it points to.

    maps, others: what the network sees in either batch, (N, C, H, W) at each depth, of any C, H and W.  At
    each place the C numbers are brought to length 1; then squared differences: sum over C, mean over places,
    sum over depths.  Returns (N,), from 0 to 4 for each depth.
    Source: Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, eq. 1,
    with all weights at 1.
    """
    return sum(
        (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean((1, 2))
        for a, b in zip(maps, others, strict=True)
    )


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """What a critic of patches minimises: real ones are to get more than 1, fakes less than −1, no further.

    real, fake: any shape.  Returns half of the sum of both means, a scalar, at least 0.
    Source: Lim and Ye 2017, Geometric GAN; halved as in the published code of Esser et al. 2021.
    """
    return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last: Tensor) -> Tensor:
    """The weight that makes the critic's pull on the decoder's last layer as strong as the other terms' one.

    reconstruction, adversarial: scalars, what both ask for.  last: the weights of that layer.  Returns a
    scalar from 0 to 10,000, through which no gradient goes.
    Source: Esser et al. 2021, Taming Transformers for High-Resolution Image Synthesis, eq. 7.
    """
    (pull,) = torch.autograd.grad(reconstruction, last, retain_graph=True)
    (push,) = torch.autograd.grad(adversarial, last, retain_graph=True)
    return (pull.norm() / (push.norm() + 1e-4)).clamp(max=1e4)


def unit_scale(z: Tensor) -> Tensor:
    """What codes (N, ...) are multiplied by to have variance 1, one number for all: a scalar.

    Source: Rombach et al. 2022, appendix G.
    """
    return 1 / z.std()


def receptive_field(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """How many pixels in a row one number of the last of some convolutions depends on.

    kernels, strides: of each convolution, the first one first; both along one side.
    Source: Araujo et al. 2019, Computing Receptive Fields of Convolutional Neural Networks, section 2.
    """
    field, jump = 1, 1  # jump: how many pixels apart neighbours of this layer look
    for kernel, stride in zip(kernels, strides, strict=True):
        field += (kernel - 1) * jump
        jump *= stride
    return field


def patch_critic(channels: int = 3, width: int = 32) -> nn.Sequential:
    """A critic that gives a number to every patch of an image, not one to the whole: it sees mostly texture.

    (N, channels, H, W) -> (N, 1, H/4, W/4).  The convolutions of each see 18 × 18 pixels; only the norm
    looks at the whole image, for its mean and variance.
    Source: Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks, section
    3.2.2.
    """
    return nn.Sequential(
        nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.GroupNorm(8, 2 * width), nn.LeakyReLU(0.2),
        nn.Conv2d(2 * width, 1, 3, padding=1),
    )  # fmt: skip


class Residual(nn.Module):
    """Two convolutions with a way around them: (N, channels, H, W) -> the same; channels: a multiple of 8."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Codec(Generative):
    """A variational autoencoder whose code keeps the layout of the image: (code, H / factor, W / factor).

    channels: of the images, of any size that factor divides.  factor: 2, 4, 8, …  code: numbers at each place
    of the code.  width: channels at half size, a multiple of 8; they double once.  kl: the weight of the KL
    term, so small that it only keeps codes from growing.
    Source: Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion Models, section 3.1.
    """

    def __init__(self, channels: int = 3, factor: int = 4, code: int = 4, width: int = 32, kl: float = 1e-6):
        super().__init__()
        if factor < 2 or factor & (factor - 1):
            raise ValueError(f"factor should be a power of two, at least 2; got {factor}")
        self.channels, self.factor, self.code, self.kl = channels, factor, code, kl
        widths = [width * min(2**i, 2) for i in range(factor.bit_length() - 1)]  # at size / 2, size / 4, …
        # whole pixels are only put together and taken apart, 2×2 of them: convolutions there cost the most
        into = [nn.PixelUnshuffle(2), nn.Conv2d(4 * channels, width, 3, padding=1), nn.SiLU()]
        down = [layer for a, b in pairwise(widths) for layer in (downsample(a, b), nn.SiLU())]
        up = [layer for a, b in pairwise(widths[::-1]) for layer in (upsample(a, b), nn.SiLU())]
        last = [nn.Conv2d(width, 4 * channels, 3, padding=1), nn.PixelShuffle(2), nn.Tanh()]
        top = widths[-1]
        self.encoder = nn.Sequential(*into, *down, Residual(top), nn.Conv2d(top, 2 * code, 3, padding=1))
        self.decoder = nn.Sequential(nn.Conv2d(code, top, 3, padding=1), Residual(top), *up, *last)
        self.register_buffer("scale", torch.tensor(1.0))  # what brings codes to unit variance
        self.awaken()
        self.to(memory_format=torch.channels_last)  # faster where channels are few, here and in the eyes

    def awaken(self) -> None:
        """He's first weights, which keep the size of a signal from layer to layer; the last are small."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.last.weight.mul_(0.1)

    @property
    def last(self) -> nn.Conv2d:
        """The decoder's last layer."""
        return self.decoder[-3]

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) in [-1, 1] to mu and logvar (N, code, h, w) of q(z | x)."""
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar

    def draw(self, mu: Tensor, logvar: Tensor) -> Tensor:
        """A code (N, code, h, w) out of q(z | x)."""
        return reparameterize(mu, logvar, torch.randn_like(mu))

    def decode(self, z: Tensor) -> Tensor:
        """Codes (N, code, h, w) to images (N, C, H, W) in [-1, 1]."""
        return self.decoder(z)

    def rebuild(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) as they come back from a drawn code; KL(q(z | x) ‖ N(0, I)), (N,), in nats."""
        mu, logvar = self.encode(x)
        return self.decode(self.draw(mu, logvar)), kl_standard(mu.flatten(1), logvar.flatten(1))

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> dict[str, Tensor]:
        """Squared error, mean over pixels and batch; kl times the KL, sum over the code, mean over batch."""
        x, _ = batch
        y, kl = self.rebuild(x)
        return {"pixels": F.mse_loss(y, x), "kl": self.kl * kl.mean()}

    @torch.no_grad()
    def set_scale(self, x: Tensor) -> None:
        """Makes `scale` times the codes of images (N, C, H, W) of unit variance."""
        self.scale.copy_(unit_scale(self.draw(*self.encode(x))))


class PerceptualCodec(Codec):
    """A codec that is also asked to look right: to a network that sees, and to a critic of patches.

    eyes: what sees; it stays as it is.  start: the step after which the critic takes part.  perceptual,
    adversarial: weights.  The rest is as for Codec.
    Source: Esser et al. 2021, Taming Transformers for High-Resolution Image Synthesis, section 3.1.
    """

    def __init__(
        self, eyes: ShapeEyes, start: int, perceptual: float = 1.0, adversarial: float = 0.1, **of_codec: Any
    ):  # fmt: skip
        super().__init__(**of_codec)
        self.eyes, self.critic = eyes, patch_critic(self.channels)
        self.start, self.perceptual, self.adversarial = start, perceptual, adversarial
        self.register_buffer("step", torch.tensor(0))

    def players(self) -> dict[str, nn.Module]:
        return {"codec": nn.ModuleList([self.encoder, self.decoder]), "critic": self.critic}

    def losses(self, batch: tuple[Tensor, Tensor | None]) -> Iterator[tuple[str, Tensor | dict[str, Tensor]]]:
        """First the codec's loss, in named terms; after `start` steps the critic's, on the same images."""
        x, _ = batch
        self.step += 1
        y, kl = self.rebuild(x)
        seen = perceptual_distance(self.eyes.maps(x), self.eyes.maps(y)).mean()
        terms = {"pixels": F.mse_loss(y, x), "perceptual": self.perceptual * seen, "kl": self.kl * kl.mean()}
        if self.step <= self.start:
            yield "codec", terms
            return
        adversarial = -self.critic(y).mean()
        weight = adaptive_weight(terms["pixels"] + terms["perceptual"], adversarial, self.last.weight)
        yield "codec", terms | {"adversarial": self.adversarial * weight * adversarial}
        yield "critic", hinge_loss(self.critic(x), self.critic(y.detach()))
