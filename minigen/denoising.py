"""Six ways to spoil a picture, and what undoes them: the best linear map, and a network that learns it."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from minigen.core import Generative, check_images
from minigen.layers import downsample, upsample

LUMA = (0.299, 0.587, 0.114)  # how bright red, green and blue look: ITU-R Recommendation BT.601
BLOCK = 8  # pixels along a side of the squares that JPEG works on


def psnr(clean: Tensor, other: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of pictures beside clean ones: decibels of each picture, and their mean.

    For one picture it is ten times the decimal logarithm of a ratio. Its numerator is the square of the
    distance from black to white, its denominator the squared error, averaged over all numbers of the picture.
    clean: (N, C, H, W) in [-1, 1].  other: of the same shape, in any range.  Returns one scalar, in dB: more
    is better, and infinite as soon as one of the pictures is equal to its clean one.
    Raises ValueError when clean is no batch of images, or the shapes differ.
    Source: Wang and Bovik 2009, Mean Squared Error: Love It or Leave It?
    """
    check_images("clean", clean)
    if other.shape != clean.shape:
        raise ValueError(f"other should have clean's shape {tuple(clean.shape)}; got {tuple(other.shape)}")
    error = (clean - other).square().flatten(1).mean(1)  # (N,)
    return (10 * torch.log10(2**2 / error)).mean()


def add_noise(x: Tensor, noise: Tensor, std: float) -> Tensor:
    """Pictures with Gaussian noise on every number; some numbers then lie beyond black or white.

    x: (N, C, H, W) in [-1, 1].  noise: of the same shape, each number drawn from N(0, 1).  std: of the noise
    that is added, at least 0.  Returns (N, C, H, W), not limited to [-1, 1].
    Raises ValueError when x is no batch of images, the shapes differ, or std is negative.
    """
    check_images("x", x)
    if noise.shape != x.shape:
        raise ValueError(f"noise should have x's shape {tuple(x.shape)}; got {tuple(noise.shape)}")
    if not std >= 0:
        raise ValueError(f"std should be at least 0; got {std}")
    return x + std * noise


def cut_block(x: Tensor, top: Tensor, left: Tensor, size: int) -> Tensor:
    """Pictures with a square hole: black (-1) in every channel, at a place of its own in each picture.

    x: (N, C, H, W) in [-1, 1].  top, left: (N,) whole numbers, the first row and the first column of each
    hole.  size: rows and columns of a hole, all of which lie inside the picture.  Returns (N, C, H, W).
    Raises ValueError when x is no batch of images, top or left has another shape, or a hole is not inside
    its picture.
    """
    check_images("x", x)
    n, _, h, w = x.shape
    if top.shape != (n,) or left.shape != (n,):
        raise ValueError(f"top and left should be ({n},); got {tuple(top.shape)} and {tuple(left.shape)}")
    if size < 1 or min(top.min(), left.min()) < 0 or top.max() + size > h or left.max() + size > w:
        raise ValueError(f"holes of size {size} should be inside {h}×{w} pixels; got top {top}, left {left}")
    rows, columns = torch.arange(h, device=x.device), torch.arange(w, device=x.device)
    in_rows = (rows >= top[:, None]) & (rows < top[:, None] + size)  # (N, H)
    in_columns = (columns >= left[:, None]) & (columns < left[:, None] + size)  # (N, W)
    hole = in_rows[:, None, :, None] & in_columns[:, None, None, :]  # (N, 1, H, W)
    return x.masked_fill(hole, -1)


def lower_resolution(x: Tensor, factor: int) -> Tensor:
    """Smaller pictures: each pixel is the average of the factor × factor pixels whose place it takes.

    x: (N, C, H, W) in [-1, 1].  factor: at least 1; H and W are multiples of it.
    Returns (N, C, H / factor, W / factor).
    Raises ValueError when x is no batch of images, or factor does not divide H and W.
    """
    check_images("x", x)
    if factor < 1 or x.shape[2] % factor or x.shape[3] % factor:
        raise ValueError(f"factor should divide height and width {tuple(x.shape[2:])}; got {factor}")
    squares = x.unflatten(3, (-1, factor)).unflatten(2, (-1, factor))  # (N, C, H/f, f, W/f, f)
    return squares.mean((3, 5))


def grey(x: Tensor) -> Tensor:
    """Colour pictures as grey ones, each pixel as bright as its colour looks.

    x: (N, 3, H, W) in [-1, 1], red, green, blue.  Returns (N, 1, H, W) in [-1, 1]: white stays white.
    Raises ValueError when x is no batch of images, or has other than 3 channels.
    Source: ITU-R Recommendation BT.601, which weighs red, green and blue by 0.299, 0.587 and 0.114 (LUMA).
    """
    check_images("x", x)
    if x.shape[1] != 3:
        raise ValueError(f"x should have 3 channels, red, green and blue; got {x.shape[1]}")
    weights = x.new_tensor(LUMA)
    return (x * weights[:, None, None]).sum(1, keepdim=True)


def check_mark(mark: Tensor, x: Tensor) -> None:
    """Raises a ValueError unless mark, (N or 1, 1, H, W) in [0, 1], can lie over pictures x (N, C, H, W)."""
    n, _, h, w = x.shape
    if mark.shape not in ((n, 1, h, w), (1, 1, h, w)) or not (mark.min() >= 0 and mark.max() <= 1):
        wanted = f"mark should be ({n} or 1, 1, {h}, {w}), in [0, 1]"
        raise ValueError(f"{wanted}; got {tuple(mark.shape)}, from {mark.min():.3g} to {mark.max():.3g}")


def watermark(x: Tensor, mark: Tensor, strength: float) -> Tensor:
    """Pictures that a white mark lies over, through which they still shine.

    x: (N, C, H, W) in [-1, 1].  mark: (N or 1, 1, H, W), how much of each pixel the mark covers, 0 to 1.
    strength: how much is lost where the mark covers all, from 0 (it is not seen) to 1 (all is white there).
    Returns (N, C, H, W) in [-1, 1].
    Raises ValueError when x is no batch of images, or mark or strength are not as said.
    Source: Porter and Duff 1984, Compositing Digital Images, the operator "over".
    """
    check_images("x", x)
    check_mark(mark, x)
    if not 0 <= strength <= 1:
        raise ValueError(f"strength should be in [0, 1]; got {strength}")
    opacity = strength * mark
    return (1 - opacity) * x + opacity


def dct(n: int) -> Tensor:
    """The n waves in which JPEG writes n pixels: the rows of an orthonormal matrix (n, n), in float64.

    Row k is a cosine that swings k / 2 times over the n pixels; row 0 is constant.
    Source: Ahmed, Natarajan and Rao 1974, Discrete Cosine Transform.
    """
    k = torch.arange(n, dtype=torch.float64)[:, None]
    waves = torch.cos(math.pi * k * (k.T + 0.5) / n)
    return waves / waves.norm(dim=1, keepdim=True)


def compress(x: Tensor, step: float) -> Tensor:
    """Pictures after a lossy file: in each square of 8×8 pixels, the strengths of the waves are rounded.

    x: (N, C, H, W) in [-1, 1], H and W multiples of 8.  step: above 0; each of a square's 64 strengths goes
    to the nearest multiple of it.  The larger it is, the more go to 0, which takes hardly any room in a file.
    Returns (N, C, H, W).
    Raises ValueError when x is no batch of images, its sides are no multiples of 8, or step is not above 0.
    Source: Wallace 1992, The JPEG Still Picture Compression Standard; without its colour transform, and with
    one step for all waves.
    """
    check_images("x", x)
    if x.shape[2] % BLOCK or x.shape[3] % BLOCK:
        raise ValueError(f"x should have sides that are multiples of {BLOCK}; got {tuple(x.shape[2:])}")
    if not step > 0:
        raise ValueError(f"step should be above 0; got {step}")
    waves = dct(BLOCK).to(x)
    squares = x.unflatten(3, (-1, BLOCK)).unflatten(2, (-1, BLOCK))  # (N, C, H/8, 8, W/8, 8)
    strengths = torch.einsum("ka,ncyaxb,lb->ncykxl", waves, squares, waves)
    rounded = step * (strengths / step).round()
    return torch.einsum("ka,ncykxl,lb->ncyaxb", waves, rounded, waves).reshape(x.shape)


def linear_denoiser(x_noisy: Tensor, mean: Tensor, covariance: Tensor, std: float) -> Tensor:
    """The best guess at clean data that a matrix and an offset can make of noisy data: the Wiener filter.

    x_noisy: (N, D), rows with noise of standard deviation std on each number.  mean: (D,) and covariance:
    (D, D), of the clean data.  std: above 0.  Returns (N, D).  No other matrix and offset has a smaller
    expected squared error, however clean data is distributed; if it is Gaussian, nothing at all has.
    Source: Bishop 2006, Pattern Recognition and Machine Learning, equation 2.116.
    """
    noisy_covariance = covariance + std**2 * torch.eye(len(mean)).to(covariance)
    return mean + torch.linalg.solve(noisy_covariance, (x_noisy - mean).T).T @ covariance


def tweedie(x_noisy: Tensor, score: Tensor, std: float) -> Tensor:
    """The mean of all clean points that x_noisy may come from, each weighted by its probability.

    x_noisy: (N, ...), clean data plus Gaussian noise of standard deviation std on each number.  score: of the
    same shape, the gradient of the log-density of *noisy* data at x_noisy.  Returns (N, ...).
    Source: Efron 2011, Tweedie's Formula and Selection Bias, section 1; first in Robbins 1956.
    """
    return x_noisy + std**2 * score


class Around(nn.Module):
    """Layers with a way around them: the input is added to the output, so they only learn what to change.

    Source: He et al. 2016, Deep Residual Learning for Image Recognition.
    """

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def hourglass(channels_in: int, channels_out: int, width: int = 16) -> nn.Sequential:
    """A small convolutional network that sees a picture at full, half and quarter size, for Restorer.

    (N, channels_in, H, W) -> (N, channels_out, H, W), for H and W that are multiples of 4.  width: channels
    at full size; they double as it halves.
    Source: Ronneberger et al. 2015, U-Net, in miniature, adding where it concatenates.
    """
    w = width
    conv = nn.Conv2d(4 * w, 4 * w, 3, padding=1)
    quarter = Around(downsample(2 * w, 4 * w), nn.SiLU(), conv, nn.SiLU(), upsample(4 * w, 2 * w), nn.SiLU())
    half = Around(downsample(w, 2 * w), nn.SiLU(), quarter, upsample(2 * w, w), nn.SiLU())
    first, last = nn.Conv2d(channels_in, w, 3, padding=1), nn.Conv2d(w, channels_out, 3, padding=1)
    return nn.Sequential(first, nn.SiLU(), half, last)


def restoration_error(restore: Callable[[Tensor], Tensor], clean: Tensor, spoiled: Tensor) -> Tensor:
    """Squared error of what a network makes of spoiled pictures: sum over pixels, mean over the batch.

    restore: the network, from spoiled pictures to restored ones.  clean: (N, ...), and all its numbers count
    as pixels.  spoiled: (N, ...), the same pictures after the damage.  Returns one scalar, at least 0.
    Source: Vincent et al. 2008, Extracting and Composing Robust Features with Denoising Autoencoders.
    """
    return (clean - restore(spoiled)).square().flatten(1).sum(1).mean()


class Restorer(Generative):
    """A network that is shown a spoiled picture, and says what to add to it.

    network: any module that maps spoiled pictures to corrections, as hourglass does.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, spoiled: Tensor) -> Tensor:
        """Spoiled pictures (N, C or 1, H, W) to restored ones (N, C, H, W)."""
        return (spoiled + self.network(spoiled)).contiguous()  # in the usual order in memory

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The restoration error of a batch (x, condition): clean pictures, and the same ones spoiled."""
        clean, spoiled = batch
        return restoration_error(self, clean, spoiled)
