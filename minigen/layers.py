"""Building blocks that several networks of the course share."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn


def downsample(channels_in: int, channels_out: int) -> nn.Module:
    """A layer that halves height and width: a 3×3 convolution that visits every second pixel.

    (N, channels_in, H, W) -> (N, channels_out, H/2, W/2), for even H and W.
    """
    return nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1)


def upsample(channels_in: int, channels_out: int) -> nn.Module:
    """A layer that doubles height and width: every pixel is repeated as 2×2, then a 3×3 convolution.

    (N, channels_in, H, W) -> (N, channels_out, 2H, 2W).
    Source: Odena et al. 2016, Deconvolution and Checkerboard Artifacts: a transposed convolution gives some
    pixels more contributions than their neighbours, and leaves a checkerboard; this does not.
    """
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(channels_in, channels_out, 3, padding=1))


def image_encoder(channels: int, size: int, width: int, outputs: int) -> nn.Sequential:
    """A network from images to vectors: it halves them until they are 2×2, then one linear layer.

    size: height and width of the images, a power of two, at least 4.  width: channels at full resolution;
    they double as the image halves, up to 4 times.
    (N, channels, size, size) -> (N, outputs).  Raises ValueError for another size.
    """
    widths = _widths(size, width)
    layers = [nn.Conv2d(channels, width, 3, padding=1), nn.SiLU()]
    for before, after in pairwise(widths):
        layers += [downsample(before, after), nn.SiLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * widths[-1], outputs))


def image_decoder(inputs: int, channels: int, size: int, width: int) -> nn.Sequential:
    """A network from vectors to images, the mirror of `image_encoder`; what it gives is not limited.

    (N, inputs) -> (N, channels, size, size).  Raises ValueError unless size is a power of two, at least 4.
    """
    widths = _widths(size, width)[::-1]
    layers = [nn.Linear(inputs, 4 * widths[0]), nn.Unflatten(1, (widths[0], 2, 2)), nn.SiLU()]
    for before, after in pairwise(widths):
        layers += [upsample(before, after), nn.SiLU()]
    return nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1))


def attend(query: Tensor, key: Tensor, value: Tensor, keep: Tensor) -> Tensor:
    """Every row that asks gets a mean of the values, weighted by how well the keys match it.

    query: (N, Q, D).  key: (N, K, D).  value: (N, K, E).  keep: (N, K) booleans, False for rows that are not
    to be looked at, such as what fills up a short sentence; at least one is True.  Returns (N, Q, E).
    Source: Vaswani et al. 2017, Attention Is All You Need, equation 1 and section 3.2.3.
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # (N, Q, K)
    return scores.masked_fill(~keep[:, None, :], -math.inf).softmax(-1) @ value


class MultiHeadAttention(nn.Module):
    """Several small attentions side by side, each over its own share of the numbers, and a mix of what they
    found.

    inputs: numbers in a row that asks, a multiple of heads.  context: numbers in a row that is looked at.
    Source: Vaswani et al. 2017, section 3.2.2.
    """

    def __init__(self, inputs: int, context: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(inputs, inputs)
        self.key, self.value = nn.Linear(context, inputs), nn.Linear(context, inputs)
        self.out = nn.Linear(inputs, inputs)

    def forward(self, x: Tensor, context: Tensor, keep: Tensor) -> Tensor:
        """x: (N, Q, inputs), context: (N, K, context), keep: (N, K), as for `attend` -> (N, Q, inputs)."""
        query, key, value = map(self.split, (self.query(x), self.key(context), self.value(context)))
        found = attend(query, key, value, keep.repeat_interleave(self.heads, 0))  # (N heads, Q, D)
        return self.out(found.unflatten(0, (-1, self.heads)).transpose(1, 2).flatten(2))

    def split(self, h: Tensor) -> Tensor:
        """(N, K, heads D) -> (N heads, K, D)."""
        return h.unflatten(2, (self.heads, -1)).transpose(1, 2).flatten(0, 1)


class ManyLinear(nn.Module):
    """Linear layers side by side, for networks that train at once: the first has the first rows of a batch.

    many: how many layers.  inputs, outputs: numbers in a row, before and after.
    (many · n, inputs) -> (many · n, outputs): layer i sees rows i · n to (i + 1) · n, and no others.
    """

    def __init__(self, many: int, inputs: int, outputs: int):
        super().__init__()
        bound = 1 / math.sqrt(inputs)  # as nn.Linear starts
        self.weight = nn.Parameter(torch.empty(many, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(many, 1, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        many, inputs, _ = self.weight.shape
        if x.ndim != 2 or x.shape[1] != inputs or len(x) % many:
            raise ValueError(f"x should be ({many} · n, {inputs}); got {tuple(x.shape)}")
        return torch.baddbmm(self.bias, x.view(many, -1, inputs), self.weight).flatten(0, 1)


def point_networks(many: int, inputs: int, outputs: int, width: int = 64, depth: int = 3) -> nn.Sequential:
    """Networks of `depth` hidden layers from rows of numbers to rows, side by side; see `ManyLinear`."""
    widths = [inputs] + [width] * depth
    hidden = [layer for a, b in pairwise(widths) for layer in (ManyLinear(many, a, b), nn.ReLU())]
    return nn.Sequential(*hidden, ManyLinear(many, width, outputs))


def _widths(size: int, width: int) -> list[int]:
    """Channels at size, size / 2, …, 2."""
    halvings = size.bit_length() - 2
    if halvings < 1 or size != 2 ** (halvings + 1):
        raise ValueError(f"size should be a power of two, at least 4; got {size}")
    return [width * min(2**i, 4) for i in range(halvings + 1)]
