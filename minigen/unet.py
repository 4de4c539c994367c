"""The U-Net of diffusion models: from noisy images and the time to images of the same size."""

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigen.layers import MultiHeadAttention, downsample, upsample

WORD = 64  # numbers for a word


def time_embedding(t: Tensor, dim: int, longest: float = 10_000.0) -> Tensor:
    """Times as many waves, from fast to slow: half of the numbers are sines of t, half are cosines.

    t: (N,), of any dtype, in steps.  dim: even, at least 4.  longest: the wave lengths, over 2π, go from 1 to
    this number of steps, in equal ratios.  Returns (N, dim), floating point, in [-1, 1]: all the sines, then
    all the cosines.
    Source: Vaswani et al. 2017, Attention Is All You Need, section 3.5; with both ends of the range included
    as in the published code of Ho et al. 2020.
    """
    frequencies = torch.logspace(0, -1, dim // 2, base=longest, device=t.device)  # 1 to 1 / longest
    angles = t[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class ResidualBlock(nn.Module):
    """Two convolutions with a way around them; in between, every channel is shifted by what the time says.

    channels_in, channels_out: multiples of 8, the second not 8 itself: the norm of a group of one channel
    would undo the shift.  time: numbers in the embedding of the time.
    x: (N, channels_in, H, W), e: (N, time) -> (N, channels_out, H, W).  At first it only adds 0 to its input.
    Source: Ho et al. 2020, Denoising Diffusion Probabilistic Models, appendix B.
    """

    def __init__(self, channels_in: int, channels_out: int, time: int):
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(8, channels_in), nn.SiLU(), nn.Conv2d(channels_in, channels_out, 3, padding=1)
        )
        self.shift = nn.Sequential(nn.SiLU(), nn.Linear(time, channels_out))
        self.second = nn.Sequential(
            nn.GroupNorm(8, channels_out),
            nn.SiLU(),
            silent(nn.Conv2d(channels_out, channels_out, 3, padding=1)),
        )
        self.around = (
            nn.Conv2d(channels_in, channels_out, 1) if channels_in != channels_out else nn.Identity()
        )

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        h = self.first(x) + self.shift(e)[:, :, None, None]  # (N, channels_out, H, W)
        return self.around(x) + self.second(h)


class Attention(nn.Module):
    """Every pixel looks at all pixels, and adds a mean of what they show, weighted by how well they match.

    channels: a multiple of 8.  (N, channels, H, W) -> the same shape.  At first it only adds 0 to its input.
    Source: Vaswani et al. 2017, equation 1; on pixels: Ho et al. 2020, appendix B.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.query, self.key, self.value = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.out = silent(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        query, key, value = (
            layer(h).flatten(2) for layer in (self.query, self.key, self.value)
        )  # (N, C, HW)
        weights = (query.mT @ key / math.sqrt(x.shape[1])).softmax(2)  # (N, HW, HW), each row sums to 1
        return x + self.out((value @ weights.mT).view_as(x))


class UNet(nn.Module):
    """Down to small images and up again, with what was found at each size carried across to the way up.

    channels: of the images.  width: at full size, a multiple of 8 above 8.  multiples: of the width, at full
    size, at half size, and so on.  Attention works at the smallest size alone.  At first it returns zeros.
    patch: squares of so many pixels in height and width are taken as one pixel of more channels.
    Source: Ronneberger et al. 2015, U-Net; Ho et al. 2020, appendix B, here with one block at each size;
    squares: Luhman and Luhman 2022, Improving Diffusion Model Efficiency Through Patching.
    """

    def __init__(
        self, channels: int = 1, width: int = 32, multiples: tuple[int, ...] = (1, 2), patch: int = 1
    ):
        super().__init__()
        self.width, self.patch, time = width, patch, 4 * width
        channels = channels * patch**2
        widths = [width * m for m in multiples]
        pairs = list(pairwise([width, *widths]))
        self.time = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))
        self.into = nn.Conv2d(channels, width, 3, padding=1)
        self.down = nn.ModuleList(self.block(a, b, time) for a, b in pairs)
        self.shrink = nn.ModuleList([*(downsample(w, w) for w in widths[:-1]), nn.Identity()])
        self.first = self.block(widths[-1], widths[-1], time)
        self.attention = Attention(widths[-1])
        self.second = self.block(widths[-1], widths[-1], time)
        self.up = nn.ModuleList(self.block(2 * b, a, time) for a, b in reversed(pairs))
        self.grow = nn.ModuleList([*(upsample(w, w) for w in reversed(widths[:-1])), nn.Identity()])
        last = silent(nn.Conv2d(width, channels, 3, padding=1))
        self.out = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), last)

    def block(self, channels_in: int, channels_out: int, time: int) -> nn.Module:
        """What the network is made of; given as for ResidualBlock."""
        return ResidualBlock(channels_in, channels_out, time)

    def forward(self, x: Tensor, t: Tensor, told: Tensor | float = 0.0) -> Tensor:
        """x: (N, channels, H, W), t: (N,) in steps -> as x.

        Sides are multiples of patch · 2 ** (len(multiples) - 1).  told: (N, 4 width), what else the
        blocks are told beside the time.
        """
        return self.through(x, self.time(time_embedding(t, self.width)) + told)

    def through(self, x: Tensor, e: Any) -> Tensor:
        """The way down and up.  e: what every block is told."""
        h, carried = self.into(F.pixel_unshuffle(x, self.patch)), []
        for block, shrink in zip(self.down, self.shrink, strict=True):
            carried.append(block(h, e))
            h = shrink(carried[-1])
        h = self.second(self.attention(self.first(h, e)), e)
        for block, grow in zip(self.up, self.grow, strict=True):
            h = grow(block(torch.cat([h, carried.pop()], dim=1), e))
        return F.pixel_shuffle(self.out(h), self.patch)


class LabelledUNet(UNet):
    """A U-Net that is told a label as well; the label `classes` says that there is none.

    classes: how many there are.  The rest is as for UNet.
    Source: Ho and Salimans 2022, Classifier-Free Diffusion Guidance, section 3.2.
    """

    def __init__(
        self,
        classes: int = 10,
        channels: int = 1,
        width: int = 32,
        multiples: tuple[int, ...] = (1, 2),
        patch: int = 1,
    ):
        super().__init__(channels, width, multiples, patch)
        self.classes = classes
        self.label = nn.Embedding(classes + 1, 4 * width)

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """x: (N, channels, H, W), t: (N,) in steps, labels: (N,), from 0 to `classes` -> as x."""
        return super().forward(x, t, self.label(labels))


class CrossAttention(nn.Module):
    """Every pixel looks at all words, and adds a mean of what they say, weighted by how well they match.

    channels: a multiple of 8.  words: numbers for a word.  At first it only adds 0 to its input.
    Source: Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion Models, section 3.3.
    """

    def __init__(self, channels: int, words: int, heads: int = 4):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.look = MultiHeadAttention(channels, words, heads)
        silent(self.look.out)

    def forward(self, x: Tensor, words: Tensor, keep: Tensor) -> Tensor:
        """x: (N, channels, H, W), words: (N, K, words), keep: (N, K), False for what is no word -> as x."""
        pixels = self.norm(x).flatten(2).mT  # (N, HW, channels)
        return x + self.look(pixels, words, keep).mT.view_as(x)


class WordBlock(nn.Module):
    """A residual block that then looks at the words; made as a ResidualBlock."""

    def __init__(self, channels_in: int, channels_out: int, time: int):
        super().__init__()
        self.residual = ResidualBlock(channels_in, channels_out, time)
        self.look = CrossAttention(channels_out, WORD)

    def forward(self, x: Tensor, told: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """x: (N, channels_in, H, W), told: embeddings of the time, the words, and which of them are some."""
        e, words, keep = told
        return self.look(self.residual(x, e), words, keep)


class TextUNet(UNet):
    """A U-Net whose blocks look at a text.

    text: a network from tokens (N, L) to words (N, L, WORD), and which of them are some (N, L); it is trained
    with the rest.  The others are as for UNet.
    Source: Rombach et al. 2022, section 3.3; the encoder of text is trained along, as there.
    """

    def __init__(
        self, text: nn.Module, channels: int = 4, width: int = 48, multiples: tuple[int, ...] = (1, 2)
    ):
        super().__init__(channels, width, multiples)
        self.text = text

    def block(self, channels_in: int, channels_out: int, time: int) -> nn.Module:
        return WordBlock(channels_in, channels_out, time)

    def forward(self, x: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
        """x: (N, channels, H, W), t: (N,) in steps, tokens: (N, L) -> as x."""
        words, keep = self.text(tokens)
        return self.through(x, (self.time(time_embedding(t, self.width)), words, keep))


def silent(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """The layer with all its weights at 0, so that what it feeds into starts as if it were not there."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
