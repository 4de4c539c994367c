"""Diffusion on codes: a codec that makes images small, a model of its codes, and what starts from an image.

An image goes through the codec once; all steps of the diffusion are taken on its code, which has a fraction
of the numbers. Codes are scaled to unit variance, as the chain expects of its data.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from minigen.codec import Codec
from minigen.core import Generative
from minigen.ddpm import DDPM, ConditionalDDPM
from minigen.diffusion import Predict, Times, at, q_sample
from minigen.samplers import few_steps

STEPS = 20  # of the second order with fresh noise: see lesson 53


@torch.no_grad()
def to_codes(codec: Codec, x: Tensor) -> Tensor:
    """Images (N, C, H, W) to codes (N, c, h, w) of unit variance, drawn from what the encoder says.

    codec: trained, with its scale set.
    Source: Rombach et al. 2022, section 3.2 and appendix G.
    """
    return codec.scale * codec.draw(*codec.encode(x))


@torch.no_grad()
def to_images(codec: Codec, z: Tensor) -> Tensor:
    """The way back: codes (N, c, h, w) of unit variance to images (N, C, H, W) in [-1, 1]."""
    return codec.decode(z / codec.scale)


class Latent(Generative):
    """A codec, which stays as it is, and a diffusion model that learns the codes of its images.

    codec: trained, with its scale set.  prior: its images are codes (codec.code, h, w).
    Source: Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion Models, section 3.2.
    """

    def __init__(self, codec: Codec, prior: DDPM | ConditionalDDPM):
        super().__init__()
        self.codec, self.prior = codec.requires_grad_(False), prior
        self.classes = prior.classes

    def players(self) -> dict[str, nn.Module]:
        return {"model": self.prior}

    def losses(self, batch: tuple[Tensor, Tensor | None]) -> Iterator[tuple[str, Tensor]]:
        """The prior's loss on the codes of the images.  batch: (x, condition)."""
        x, condition = batch
        yield from self.prior.losses((to_codes(self.codec, x), condition))

    def sample(
        self, n: int, condition: Tensor | None = None, w: float = 1.0, steps: int = STEPS,
        size: tuple[int, int] | None = None,
    ) -> Tensor:  # fmt: skip
        """n images (n, C, H, W) in [-1, 1], in few steps.

        condition: what the prior is told.  w: how much it is guided, if it is told anything.  size: height
        and width of the codes, if not those of the prior.
        """
        predict = self.prior.predict if condition is None else self.prior.guided(condition, w)
        c, *usual = self.prior.shape
        shape, where = (n, c, *(size or usual)), next(self.prior.parameters()).device

        def noise(t: int) -> Tensor:
            return torch.randn(shape, device=where)

        alpha_bar = self.prior.schedule.alpha_bar
        z = few_steps(predict, noise(0), alpha_bar, steps, 1.0, noise, second_order=True)
        return to_images(self.codec, z)


@torch.no_grad()
def encode_once(codec: Codec, x: Tensor, batch: int = 200) -> tuple[Tensor, Tensor]:
    """The codes of a data set, made before training, so that the encoder does not run again in each step.

    x: images (N, C, H, W).  batch: images that go through the encoder at once.  Returns mu and logvar, each
    (N, c, h, w): both, since a step of training draws a code anew.
    """
    parts = [codec.encode(part) for part in x.split(batch)]
    mu, logvar = (torch.cat(half) for half in zip(*parts, strict=True))
    return mu, logvar


def redraw(
    predict: Predict, z: Tensor, t: int, alpha_bar: Tensor, steps: int, noise: Callable[[int], Tensor]
) -> Tensor:
    """Other data like these: noise is added up to time t, and taken out again.

    predict, noise: as for `few_steps`.  z: (N, ...), data, such as codes.  t: from 1 to T; the later, the
    less is left of z.  alpha_bar: (T + 1,), the table.  steps: from t back to 0.  Returns (N, ...).
    Source: Meng et al. 2022, SDEdit: Guided Image Synthesis and Editing with Stochastic Differential
    Equations.
    """
    start = q_sample(z, t, noise(t), alpha_bar)
    return few_steps(predict, start, alpha_bar[: t + 1], steps, 1.0, noise, second_order=True)


def knowing(predict: Predict, z: Tensor, known: Tensor, alpha_bar: Tensor) -> Predict:
    """The prediction of the noise by someone who knows a part of the data, for `few_steps`.

    predict: predict(x_t, t) is the noise in x_t: (N, ...).  z: (N, ...), the data.  known: booleans that
    broadcast to it, True where the data is known.  alpha_bar: (T + 1,), the table.
    There, the predicted noise is the one that turns the known data into x_t; elsewhere it is as predicted.
    Gradients pass through.
    Source: the replaced part: Song et al. 2021, Score-Based Generative Modeling through Stochastic
    Differential Equations, appendix I.2; Lugmayr et al. 2022, RePaint, equation 8.
    """

    def told(x_t: Tensor, t: Times) -> Tensor:
        a_bar = at(alpha_bar, t, x_t)
        noise = (x_t - a_bar.sqrt() * z) / (1 - a_bar).sqrt()
        return torch.where(known, noise, predict(x_t, t))

    return told


def shrink_mask(known: Tensor, factor: int) -> Tensor:
    """Where a code is known, of an image that is known in part: where all pixels that it stands for are.

    known: (N, 1, H, W), booleans.  factor: by which the codec makes images smaller, a divisor of H and W.
    Returns (N, 1, H / factor, W / factor), booleans.
    """
    return known.unflatten(3, (-1, factor)).unflatten(2, (-1, factor)).all(5).all(3)
