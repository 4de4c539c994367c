"""Variational autoencoders: an encoder and a decoder that are distributions, and the bound between them."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigen.core import Generative, check_images
from minigen.layers import image_decoder, image_encoder


def reparameterize(mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
    """A draw from N(mu, σ²), as a function of mu and σ that gradients pass through.

    mu, logvar: (N, k), the mean and the logarithm of the variance σ².  eps: (N, k), drawn from N(0, I).
    Returns (N, k).
    Source: Kingma and Welling 2013, Auto-Encoding Variational Bayes, section 2.4.
    """
    return mu + (logvar / 2).exp() * eps


def kl_1d(mean_q: Tensor, std_q: Tensor, mean_p: Tensor, std_p: Tensor) -> Tensor:
    """KL(q ‖ p) between two Gaussians in one dimension, elementwise, in nats.

    All of one shape, or shapes that broadcast; standard deviations above 0.  Returns that shape, at least 0.
    Source: Kullback and Leibler 1951, On Information and Sufficiency.
    """
    ratio = (std_q / std_p).square()
    return 0.5 * (ratio + ((mean_q - mean_p) / std_p).square() - 1 - ratio.log())


def kl_standard(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, diag σ²) ‖ N(0, I)) of each row, in nats: a sum over the k dimensions.

    mu, logvar: (N, k), the mean and the logarithm of the variance σ².  Returns (N,), at least 0.
    Source: Kingma and Welling 2013, appendix B.
    """
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)


def kl_full(mean_q: Tensor, covariance_q: Tensor, mean_p: Tensor, covariance_p: Tensor) -> Tensor:
    """KL(q ‖ p) between two Gaussians with full covariances, in nats.

    means: (k,).  covariances: (k, k), symmetric and positive definite.  Returns a scalar, at least 0.
    Source: Kullback 1959, Information Theory and Statistics, chapter 9, section 1.
    """
    factor_q, factor_p = torch.linalg.cholesky(covariance_q), torch.linalg.cholesky(covariance_p)
    whitened = torch.linalg.solve_triangular(factor_p, factor_q, upper=False)
    away = torch.linalg.solve_triangular(factor_p, (mean_q - mean_p)[:, None], upper=False)
    log_ratio = factor_p.diagonal().log().sum() - factor_q.diagonal().log().sum()
    return 0.5 * (whitened.square().sum() + away.square().sum() - len(mean_q)) + log_ratio


def gaussian_nll(x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """−log N(x; mean, σ² I) of each image, in nats: a sum over its pixels and channels.

    x, mean: images (N, C, H, W).  log_std: log σ, one number for all pixels.  Returns (N,).
    """
    squares = ((x - mean) / log_std.exp()).square()
    return (0.5 * squares + log_std + 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)


def bernoulli_nll(x: Tensor, logits: Tensor) -> Tensor:
    """−log of the probability of each black and white image, in nats: a sum over its pixels.

    x: images (N, C, H, W), −1 for black and 1 for white.  logits: (N, C, H, W), the log-odds of white.
    Returns (N,), finite and right for large logits too.
    """
    return F.softplus(-x * logits).flatten(1).sum(1)


class VAE(Generative):
    """A variational autoencoder: q(z | x) and p(x | z) are Gaussians, and p(z) is N(0, I).

    channels, size: of the images; size is a power of two, at least 4.  latent: how many numbers are in a
    code.  width: channels of the networks at full resolution.  beta: the weight of the KL term.
    Source: Kingma and Welling 2013, Auto-Encoding Variational Bayes.
    """

    def __init__(self, channels: int = 1, size: int = 8, latent: int = 8, width: int = 16, beta: float = 1.0):
        super().__init__()
        self.shape, self.latent, self.beta = (channels, size, size), latent, beta
        self.encoder = image_encoder(channels, size, width, 2 * latent)
        self.decoder = image_decoder(latent, channels, size, width)
        self.log_std = nn.Parameter(torch.tensor(-1.0))  # of a pixel, given the code: learned, one for all

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) in [-1, 1] to mu and logvar (N, latent) of q(z | x)."""
        check_images("x", x)
        if x.shape[1:] != self.shape:
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(f"x should be images (N, {wanted}); got shape {tuple(x.shape)}")
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar

    def decode(self, z: Tensor) -> Tensor:
        """Codes (N, latent) to images (N, C, H, W) in [-1, 1]: the mean of p(x | z)."""
        self._check("z", z, len(z))
        return self.decoder(z).tanh()

    def _check(self, name: str, codes: Tensor, n: int) -> None:
        """Raises a ValueError that names the argument unless codes are n codes (n, latent)."""
        if codes.shape != (n, self.latent):
            raise ValueError(f"{name} should be of shape ({n}, {self.latent}); got {tuple(codes.shape)}")

    def nll(self, x: Tensor, z: Tensor) -> Tensor:
        """−log p(x | z) of each image, in nats: (N,)."""
        return gaussian_nll(x, self.decode(z), self.log_std)

    def terms(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """The two terms of the negative ELBO of each image, in nats: −log p(x | z), and KL(q(z | x) ‖ p(z)).

        x: (N, C, H, W).  eps: (N, latent), drawn from N(0, I).  Returns two of (N,): the one is a sum over
        pixels, the other over the numbers of the code.
        """
        mu, logvar = self.encode(x)
        self._check("eps", eps, len(x))
        return self.nll(x, reparameterize(mu, logvar, eps)), kl_standard(mu, logvar)

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> dict[str, Tensor]:
        """Means over the batch: −log p(x | z), a sum over pixels; beta times the KL, a sum over the code.

        batch: (x, condition), x (N, C, H, W) in [-1, 1]; the condition is not used.
        """
        x, _ = batch
        nll, kl = self.terms(x, torch.randn(len(x), self.latent, device=x.device))
        return {"reconstruction": nll.mean(), "kl": self.beta * kl.mean()}

    @torch.no_grad()
    def sample(self, n: int, condition: Tensor | None = None) -> Tensor:
        """n images (n, C, H, W) in [-1, 1], decoded from draws of N(0, I); the condition is not used."""
        return self.decode(torch.randn(n, self.latent, device=next(self.parameters()).device))


class BernoulliVAE(VAE):
    """A VAE of black and white images: p(x | z) says for each pixel how probable white is.

    Its ELBO is a bound on the logarithm of a probability, not of a density.
    Source: Kingma and Welling 2013, appendix C.1.
    """

    def __init__(self, channels: int = 1, size: int = 8, latent: int = 8, width: int = 16, beta: float = 1.0):
        super().__init__(channels, size, latent, width, beta)
        self.log_std = None  # a probability has no spread of its own to learn

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Black and white images (N, C, H, W) of −1 and 1 to mu and logvar (N, latent) of q(z | x)."""
        mu, logvar = super().encode(x)
        if not (x.abs() == 1).all():
            raise ValueError("x should be black and white, every pixel −1 or 1; got grey pixels")
        return mu, logvar

    def decode(self, z: Tensor) -> Tensor:
        """Codes (N, latent) to images (N, C, H, W) in [-1, 1]: the mean of p(x | z)."""
        self._check("z", z, len(z))
        return (self.decoder(z) / 2).tanh()

    def nll(self, x: Tensor, z: Tensor) -> Tensor:
        """−log p(x | z) of each image, in nats: (N,)."""
        return bernoulli_nll(x, self.decoder(z))
