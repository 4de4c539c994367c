"""Walks in a latent space, a tighter bound, and autoencoders that are told what to draw."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigen.autoencoder import reconstruction_error
from minigen.core import Generative, check_images
from minigen.layers import image_decoder, image_encoder
from minigen.vae import VAE, gaussian_nll, kl_standard, reparameterize


def lerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Points on the straight line from a to b: a at t = 0, b at t = 1.

    a, b: (N, k), or (1, k) for one line with many points.  t: a number, or (N,).  Returns (N, k).
    """
    t = torch.as_tensor(t, dtype=a.dtype, device=a.device).reshape(-1, 1)
    return (1 - t) * a + t * b


def slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Points on the arc around 0 from a to b: a at t = 0, b at t = 1.

    a, b: (N, k), or (1, k) for one arc with many points; none of them 0.  t: a number, or (N,).
    Between two codes of one length all points have that length, and at t the share t of the angle is behind.
    Codes of other lengths get the same weights; then the turn is no longer quite even.
    Where a and b point the same way or opposite ways (the sine of their angle is below 1e-3) there is no such
    arc, and the points are those of `lerp`.
    Returns (N, k).
    Source: Shoemake 1985, Animating Rotation with Quaternion Curves; for codes, White 2016, Sampling
    Generative Networks.
    """
    cosine = F.cosine_similarity(a, b)[:, None]  # (N, 1)
    angle = cosine.clamp(-1, 1).arccos()  # rounding may leave a cosine just outside
    t = torch.as_tensor(t, dtype=a.dtype, device=a.device).reshape(-1, 1)
    arc = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
    return torch.where(angle.sin() < 1e-3, lerp(a, b, t), arc)


def attribute_vector(codes: Tensor, has: Tensor) -> Tensor:
    """The direction in which an attribute grows: from the mean code without it to the mean code with it.

    codes: (N, k).  has: (N,) bool, True where the picture has the attribute; some have it and some do not.
    Returns (k,).
    Source: Larsen et al. 2016, Autoencoding beyond Pixels Using a Learned Similarity Metric, section 4.
    """
    return codes[has].mean(0) - codes[~has].mean(0)


def traversal(z: Tensor, i: int, values: Tensor) -> Tensor:
    """One code, many times, with number i set to one value after the other; the other numbers stay.

    z: (k,), left as it is.  i: from 0 to k - 1.  values: (n,).  Returns (n, k).
    """
    codes = z.repeat(len(values), 1)  # a copy for each value; `expand` would write into z itself
    codes[:, i] = values
    return codes


def squared_correlations(codes: Tensor, factors: Tensor) -> Tensor:
    """How well each number of a code predicts each factor by a straight line: r² of each pair, 0 to 1.

    codes: (N, k).  factors: (N, f).  N >= 2.  A column that is constant predicts nothing: 0.
    Returns (k, f) float64.
    """
    z, f = ((c.double() - c.double().mean(0)) for c in (codes, factors))
    z, f = (c / c.norm(dim=0).clamp(min=1e-12) for c in (z, f))
    return (z.T @ f).square()


def separation(codes: Tensor, factors: Tensor) -> float:
    """How much better its best number of the code predicts a factor than the second best, mean over factors.

    codes: (N, k), k >= 2.  factors: (N, f).  Returns 0 (no number stands out) to 1 (one number for a factor).
    Source: Kumar, Sattigeri and Balakrishnan 2018, Variational Inference of Disentangled Latent Concepts from
    Unlabeled Observations, section 3: the SAP score, here with r².
    """
    best, second = squared_correlations(codes, factors).topk(2, dim=0).values
    return float((best - second).mean())


def log_weights(vae: VAE, x: Tensor, eps: Tensor) -> Tensor:
    """log p(x | z) + log p(z) - log q(z | x) of each image, in nats, for K draws z of its own q(z | x).

    x: (N, C, H, W) in [-1, 1].  eps: (K, N, latent), drawn from N(0, I).  Returns (K, N).
    Raises ValueError for anything that is no such images or no such draws.
    Source: Burda, Grosse and Salakhutdinov 2016, Importance Weighted Autoencoders, eq. 7.
    """
    check_images("x", x)
    if eps.ndim != 3 or eps.shape[1:] != (len(x), vae.latent) or len(eps) == 0:
        wanted = f"eps should be (K, {len(x)}, {vae.latent}), K >= 1, for these images and this model"
        raise ValueError(f"{wanted}; got {tuple(eps.shape)}")
    mu, logvar = vae.encode(x)
    zero = torch.zeros((), device=x.device)

    def one_draw(eps: Tensor) -> Tensor:
        z = reparameterize(mu, logvar, eps)
        log_q = -gaussian_nll(eps, zero, zero) - logvar.sum(1) / 2  # of z, through its ε
        return -vae.nll(x, z) - gaussian_nll(z, zero, zero) - log_q

    return torch.stack([one_draw(e) for e in eps])  # one draw at a time, so that memory stays flat


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """The importance-weighted lower bound of log p(x) of each image, in nats.

    log_weights: (K, N), the logarithms of the weights w = p(x, z) / q(z | x) of K draws.  Returns (N,).
    Source: Burda, Grosse and Salakhutdinov 2016, Importance Weighted Autoencoders, eq. 8.
    """
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def check_fits(name: str, x: Tensor, shape: tuple[int, int, int]) -> None:
    """Raises a ValueError that names the argument unless it is images (N, *shape) in [-1, 1]."""
    check_images(name, x)
    if x.shape[1:] != shape:
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"{name} should be images (N, {wanted}); got shape {tuple(x.shape)}")


def check_codes(name: str, z: Tensor, latent: int) -> None:
    """Raises a ValueError that names the argument unless it is codes (N, latent), N >= 1, all finite."""
    wanted = f"{name} should be codes (N, {latent}), N >= 1"
    if not isinstance(z, Tensor) or z.ndim != 2 or z.shape[1] != latent or len(z) == 0:
        got = f"shape {tuple(z.shape)}" if isinstance(z, Tensor) else type(z).__name__
        raise ValueError(f"{wanted}; got {got}")
    if not z.isfinite().all():
        raise ValueError(f"{wanted}, all finite; got values that are not")


def check_labels(name: str, labels: Tensor | None, n: int, classes: int) -> None:
    """Raises a ValueError that names the argument unless it is n whole numbers from 0 to classes - 1."""
    wanted = f"{name} should be {n} whole numbers from 0 to {classes - 1}, one for each picture"
    if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.dtype == torch.bool:
        got = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise ValueError(f"{wanted}; got {got}")
    if labels.shape != (n,):
        raise ValueError(f"{wanted}; got shape {tuple(labels.shape)}")
    if n and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(f"{wanted}; got {labels.min()} to {labels.max()}")


class ConditionalVAE(VAE):
    """A VAE that knows the class c on both sides: q(z | x, c) and p(x | z, c); p(z) stays N(0, I).

    classes: how many, at least 1; the rest is as for VAE.  After the image's own channels the encoder gets a
    further plane for each class, all 1 for the class of the image and all 0 for the others; the decoder gets
    the same ones and zeros as further numbers after the code.
    Source: Kingma et al. 2014, Semi-supervised Learning with Deep Generative Models; Sohn, Lee and Yan 2015,
    Learning Structured Output Representation using Deep Conditional Generative Models.
    """

    def __init__(self, classes: int = 10, channels: int = 1, size: int = 8, latent: int = 8, width: int = 16):
        super().__init__(channels, size, latent, width)
        self.classes = classes
        self.encoder = image_encoder(channels + classes, size, width, 2 * latent)
        self.decoder = image_decoder(latent + classes, channels, size, width)

    def one_hot(self, labels: Tensor, n: int) -> Tensor:
        """Labels (n,) to rows (n, classes) with a 1 at the label and 0 elsewhere."""
        check_labels("labels", labels, n, self.classes)
        return F.one_hot(labels.long(), self.classes).float()

    def encode(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) and labels (N,) to mu and logvar (N, latent) of q(z | x, c)."""
        check_fits("x", x, self.shape)
        planes = self.one_hot(labels, len(x))[:, :, None, None].expand(-1, -1, *x.shape[2:])
        mu, logvar = self.encoder(torch.cat([x, planes], dim=1)).chunk(2, dim=1)
        return mu, logvar

    def decode(self, z: Tensor, labels: Tensor) -> Tensor:
        """Codes (N, latent) and labels (N,) to images (N, C, H, W) in [-1, 1]: the mean of p(x | z, c)."""
        check_codes("z", z, self.latent)
        return self.decoder(torch.cat([z, self.one_hot(labels, len(z))], dim=1)).tanh()

    def terms(self, x: Tensor, eps: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """−log p(x | z, c) and KL(q(z | x, c) ‖ p(z)) of each image, in nats: two of (N,).

        x: (N, C, H, W).  eps: (N, latent), drawn from N(0, I).  labels: (N,).
        """
        mu, logvar = self.encode(x, labels)
        mean = self.decode(reparameterize(mu, logvar, eps), labels)
        return gaussian_nll(x, mean, self.log_std), kl_standard(mu, logvar)

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> dict[str, Tensor]:
        """Means over a batch (x, labels): −log p(x | z, c), summed over pixels; KL, summed over the code."""
        x, labels = batch
        nll, kl = self.terms(x, torch.randn(len(x), self.latent, device=self.log_std.device), labels)
        return {"reconstruction": nll.mean(), "kl": kl.mean()}

    @torch.no_grad()
    def sample(self, n: int, condition: Tensor | None = None) -> Tensor:
        """n images (n, C, H, W) in [-1, 1] of the classes condition (n,), from draws of N(0, I)."""
        return self.decode(torch.randn(n, self.latent, device=self.log_std.device), condition)


class SwapAutoencoder(Generative):
    """One encoder for two families of images, and a decoder for each: family f is drawn by decoder f.

    channels, size: of the images.  latent: how many numbers are in a code.  width: channels at full size.
    Source: the two-decoder autoencoders of face-swapping programs, from 2017 on; reviewed by Tolosana et al.
    2020, DeepFakes and Beyond: A Survey of Face Manipulation and Fake Detection.
    """

    def __init__(self, channels: int = 3, size: int = 16, latent: int = 8, width: int = 16):
        super().__init__()
        self.shape, self.latent = (channels, size, size), latent
        self.encoder = image_encoder(channels, size, width, latent)
        self.decoders = nn.ModuleList(image_decoder(latent, channels, size, width) for _ in range(2))

    def encode(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) of either family to codes (N, latent)."""
        check_fits("x", x, self.shape)
        return self.encoder(x)

    def decode(self, z: Tensor, family: Tensor) -> Tensor:
        """Codes (N, latent) and families (N,), 0 or 1, to images (N, C, H, W) in [-1, 1]."""
        check_codes("z", z, self.latent)
        check_labels("family", family, len(z), 2)
        drawn = torch.stack([decoder(z).tanh() for decoder in self.decoders])  # (2, N, C, H, W)
        return drawn[family, torch.arange(len(z), device=z.device)]

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> Tensor:
        """The reconstruction error of a batch (x, family), each picture drawn in its own family: a scalar."""
        x, family = batch
        return reconstruction_error(x, self.decode(self.encode(x), family))

    def swap(self, x: Tensor, family: Tensor) -> Tensor:
        """Images (N, C, H, W) of families (N,), each drawn as one of the other family: (N, C, H, W)."""
        return self.decode(self.encode(x), 1 - family)
