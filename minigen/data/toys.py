"""Toy distributions whose density and score are known exactly, so that a model of them can be judged exactly.

All are mixtures, p(x) = Σ_k w_k p_k(x), and give the same three things: `sample(n, generator)`,
`log_density(x)`, the natural logarithm of p(x): (N, D) -> (N,), and `score(x)`, the gradient ∇ log p(x):
(N, D) -> (N, D). Parameters are kept in float64; results have the dtype and the device of x.
"""

import math

import torch
from torch import Tensor
from torch.special import erfcx, log_ndtr

from minigen.density import mixture_log_density, mixture_score


class GaussianMixture:
    """A mixture of K Gaussians in D dimensions.

    means: (K, D).  stds: a number or (K,), for round Gaussians; or covariances: (K, D, D), positive definite.
    weights: (K,), positive, scaled to sum to 1; equal when None.
    Raises ValueError unless exactly one of stds and covariances is given, shapes agree, weights are positive.
    Source: Bishop 2006, Pattern Recognition and Machine Learning, section 2.3.9.
    """

    def __init__(
        self,
        means: Tensor,
        stds: float | Tensor | None = None,
        covariances: Tensor | None = None,
        weights: Tensor | None = None,
    ):
        k, d = means.shape
        if (stds is None) == (covariances is None):
            raise ValueError("give exactly one of stds and covariances")
        if covariances is None:
            variances = torch.as_tensor(stds, dtype=torch.float64).expand(k) ** 2
            covariances = variances[:, None, None] * torch.eye(d, dtype=torch.float64)
        if covariances.shape != (k, d, d):
            raise ValueError(
                f"covariances should have shape {(k, d, d)}, since means has {(k, d)}; "
                f"got {tuple(covariances.shape)}"
            )
        weights = torch.ones(k) if weights is None else weights
        if weights.shape != (k,) or not (weights > 0).all():
            raise ValueError(
                f"weights should be {k} positive numbers, one for each mean; got {weights.tolist()}"
            )
        self.means, self.covariances = means.double(), covariances.double()
        self.weights = weights.double() / weights.double().sum()
        self.factors = torch.linalg.cholesky(self.covariances)  # (K, D, D), lower triangular: L Lᵀ = Σ

    def parameters(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights (K,), means (K, D) and covariances (K, D, D), in the dtype and on the device of x."""
        return self.weights.to(x), self.means.to(x), self.covariances.to(x)

    def log_density(self, x: Tensor) -> Tensor:
        return mixture_log_density(x, *self.parameters(x))

    def score(self, x: Tensor) -> Tensor:
        return mixture_score(x, *self.parameters(x))

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        device = generator.device
        k = torch.multinomial(self.weights.to(device), n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator, device=device)
        factors, means = self.factors.float().to(device), self.means.float().to(device)
        return means[k] + torch.einsum("nde,ne->nd", factors[k], noise)


def ring(k: int = 8, radius: float = 1.0, std: float = 0.1) -> GaussianMixture:
    """k equal round Gaussians, evenly spaced on a circle around the origin: does a model keep all the modes?

    radius: of the circle.  std: of each Gaussian, along each axis.
    """
    angle = 2 * math.pi * torch.arange(k, dtype=torch.float64) / k
    return GaussianMixture(radius * _on_circle(angle), stds=std)


def moons(std: float = 0.1, k: int = 32) -> GaussianMixture:
    """Two half circles of radius 1 that reach into each other, centred on the origin, blurred by a Gaussian.

    std: of the blur, along each axis.  k: Gaussians laid evenly along each arc; there are no ripples between
    them as long as neighbours are at most one std apart, that is k ≥ π / std.
    """
    angle = math.pi * (torch.arange(k, dtype=torch.float64) + 0.5) / k
    upper = _on_circle(angle) - torch.tensor([0.5, 0.25], dtype=torch.float64)
    return GaussianMixture(torch.cat([upper, -upper]), stds=std)  # the lower moon is the upper one, turned


def _on_circle(angle: Tensor) -> Tensor:
    return torch.stack([angle.cos(), angle.sin()], 1)


class Checkerboard:
    """Uniform on the dark squares of a board centred on the origin, plus Gaussian noise.

    cells: squares along a side of the board.  width: of the board.  std: of the noise along each axis, above
    0, since without noise the score would be zero inside the squares and undefined at their edges.
    """

    def __init__(self, cells: int, width: float, std: float):
        if cells < 1 or width <= 0 or std <= 0:
            raise ValueError(f"cells, width and std should be positive; got {cells}, {width} and {std}")
        self.side, self.std = width / cells, std
        i = torch.arange(cells)
        dark = torch.nonzero((i[:, None] + i) % 2 == 0)  # (K, 2)
        self.centres = (dark.double() + 0.5) * self.side - width / 2

    def components(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log(w_k p_k(x)): (N, K), and ∇ log p_k(x): (N, K, 2), of each square at x: (N, 2)."""
        away = x[:, None] - self.centres.to(x)  # (N, K, 2)
        log_density, scores = blurred_uniform(away, self.side, self.std)
        log_joint = log_density.sum(2) - math.log(len(self.centres))  # in a square, the axes are independent
        return log_joint, scores

    def log_density(self, x: Tensor) -> Tensor:
        return self.components(x)[0].logsumexp(1)

    def score(self, x: Tensor) -> Tensor:
        log_joint, scores = self.components(x)
        return (log_joint.softmax(1)[..., None] * scores).sum(1)  # weighted by how likely x is from each

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        device = generator.device
        k = torch.randint(len(self.centres), (n,), generator=generator, device=device)
        inside = self.side * (torch.rand(n, 2, generator=generator, device=device) - 0.5)
        noise = torch.randn(n, 2, generator=generator, device=device)
        return self.centres.float().to(device)[k] + inside + self.std * noise


def checkerboard(cells: int = 4, width: float = 4.0, std: float = 0.05) -> Checkerboard:
    """The board on which flows and diffusion models are often shown; see Checkerboard."""
    return Checkerboard(cells, width, std)


def blurred_uniform(x: Tensor, width: float, std: float) -> tuple[Tensor, Tensor]:
    """Log-density and its derivative of U(−width/2, width/2) + N(0, std²), elementwise.

    The density is [Φ(a) − Φ(b)] / width with a, b = (±width/2 − x) / std. It is even, so it is computed at
    |x|, as Φ(a) · (1 − Φ(b)/Φ(a)): these factors, and φ/Φ, stay accurate far outside, where Φ underflows.
    """

    def phi_over_cdf(u: Tensor) -> Tensor:  # φ(u) / Φ(u), the inverse Mills ratio
        return math.sqrt(2 / math.pi) / erfcx(-u / math.sqrt(2))

    z = x.abs()
    a, b = (width / 2 - z) / std, (-width / 2 - z) / std
    ratio = (log_ndtr(b) - log_ndtr(a)).exp()
    log_density = log_ndtr(a) + torch.log1p(-ratio) - math.log(width)
    slope = (ratio * phi_over_cdf(b) - phi_over_cdf(a)) / (1 - ratio) / std  # with respect to |x|
    return log_density, x.sign() * slope
