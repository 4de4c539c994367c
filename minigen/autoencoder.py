"""Codes for images: principal components and autoencoders."""

import torch
from torch import Tensor, nn

from minigen.core import Generative
from minigen.layers import image_decoder, image_encoder


def pca(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The mean of the data, and the k orthogonal directions in which the data varies most.

    x: (N, D), one flattened image a row.  k: 1 to min(N, D).
    Returns the mean (D,) and the principal axes (k, D): orthonormal rows, largest variance first, each
    free to come with either sign.  Raises ValueError when x is no matrix or k is out of range.
    Source: Bishop 2006, Pattern Recognition and Machine Learning, section 12.1.
    """
    if x.ndim != 2 or not 1 <= k <= min(x.shape):
        raise ValueError(f"pca wants x (N, D) and 1 <= k <= min(N, D); got x {tuple(x.shape)} and k = {k}")
    mean = x.mean(0)
    _, _, axes = torch.linalg.svd(x - mean, full_matrices=False)  # (N, r) · (r,) · (r, D)
    return mean, axes[:k]


def project(x: Tensor, mean: Tensor, axes: Tensor) -> Tensor:
    """The code of each row: its coordinates along the principal axes, measured from the mean.

    x: (N, D).  mean: (D,).  axes: (k, D), orthonormal rows.  Returns (N, k).
    Source: Bishop 2006, section 12.1.2.
    """
    return (x - mean) @ axes.T


def reconstruct(codes: Tensor, mean: Tensor, axes: Tensor) -> Tensor:
    """The point that each code stands for, on the flat k-dimensional sheet through the mean.

    codes: (N, k).  mean: (D,).  axes: (k, D), orthonormal rows.  Returns (N, D).
    Source: Bishop 2006, equation 12.20.
    """
    return mean + codes @ axes


def reconstruction_error(x: Tensor, y: Tensor) -> Tensor:
    """Squared error of a reconstruction: sum over pixels (and channels), mean over the batch.

    x, y: (N, ...), the images and their reconstructions, of equal shape.  Returns one scalar, at least 0.
    """
    return (x - y).square().flatten(1).sum(1).mean()


def principal_angles(a: Tensor, b: Tensor) -> Tensor:
    """The angles between two subspaces, each given as the span of the rows of a matrix.

    a, b: (k, D) with independent rows, of any length and at any angle to each other; k <= D.
    Returns (k,) in degrees, 0 to 90, smallest first, in float64: all 0 when both span the same subspace.
    Source: Björck and Golub 1973, Numerical Methods for Computing Angles between Linear Subspaces.
    """
    q, _ = torch.linalg.qr(a.double().T)  # (D, k): orthonormal columns
    r, _ = torch.linalg.qr(b.double().T)
    cosines = torch.linalg.svdvals(q.T @ r)  # (k,), largest first
    return cosines.clamp(max=1).arccos().rad2deg()  # rounding may leave a cosine just above 1


class LinearAutoencoder(Generative):
    """An encoder and a decoder that are one matrix each, around a mean that is given.

    mean: (C, H, W), the mean of the training images.  k: how many numbers are in a code.
    Source: Baldi and Hornik 1989, Neural Networks and Principal Component Analysis.
    """

    def __init__(self, mean: Tensor, k: int):
        super().__init__()
        self.register_buffer("mean", mean)  # moves with the model, and is not trained
        self.encoder = nn.Linear(mean.numel(), k, bias=False)
        self.decoder = nn.Linear(k, mean.numel(), bias=False)

    def encode(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) to codes (N, k)."""
        return self.encoder((x - self.mean).flatten(1))

    def decode(self, z: Tensor) -> Tensor:
        """Codes (N, k) to images (N, C, H, W)."""
        return self.mean + self.decoder(z).view(-1, *self.mean.shape)

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> Tensor:
        """The reconstruction error of a batch (x, condition), a scalar; the condition is not used."""
        x, _ = batch
        return reconstruction_error(x, self.decode(self.encode(x)))


class ConvAutoencoder(Generative):
    """A convolutional encoder and decoder, with a narrow code between them.

    latent: how many numbers are in a code.  width: channels at full resolution; they double as it halves.
    channels, size: of the images; size is a power of two, at least 4.
    Source: Hinton and Salakhutdinov 2006, Reducing the Dimensionality of Data with Neural Networks (there
    without convolutions).
    """

    def __init__(self, latent: int = 8, width: int = 16, channels: int = 1, size: int = 8):
        super().__init__()
        self.encoder = image_encoder(channels, size, width, latent)
        self.decoder = nn.Sequential(
            *image_decoder(latent, channels, size, width),
            nn.Tanh(),  # pixels lie in [-1, 1], and most of a digit is background at exactly -1
        )

    def encode(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) to codes (N, latent)."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """Codes (N, latent) to images (N, C, H, W) in [-1, 1]."""
        return self.decoder(z)

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> Tensor:
        """The reconstruction error of a batch (x, condition), a scalar; the condition is not used."""
        x, _ = batch
        return reconstruction_error(x, self.decode(self.encode(x)))


def quantise(codes: Tensor, low: Tensor, high: Tensor, bits: int) -> Tensor:
    """Each number of a code, replaced by the nearest of 2**bits levels.

    codes: (N, k).  low, high: (k,), the first and the last level of each coordinate, low < high; the levels
    are evenly spaced, and a code outside goes to the level at that end.  bits: at least 1.  Returns (N, k).
    """
    step = (high - low) / (2**bits - 1)
    return low + step * ((codes.clamp(low, high) - low) / step).round()
