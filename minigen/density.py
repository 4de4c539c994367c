"""Densities in closed form: one Gaussian, and mixtures of Gaussians fitted by expectation-maximisation.

A mixture p(x) = Σ_k w_k N(x; μ_k, Σ_k) is three tensors: weights (K,), means (K, D), covariances (K, D, D).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def fit_gaussian(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the covariance of a set of points.

    x: (N, D), N >= 2.  Returns the mean (D,) and the unbiased covariance (D, D): its sum over points is
    divided by N - 1, as numpy.cov does and as the Fréchet distance will ask for.
    """
    mean = x.mean(0)
    centred = x - mean
    return mean, centred.T @ centred / (len(x) - 1)


def sample_gaussian(mean: Tensor, covariance: Tensor, noise: Tensor) -> Tensor:
    """Draws from a Gaussian with this mean and covariance, made out of standard normal noise.

    mean: (D,).  covariance: (D, D), symmetric and positive definite.  noise: (n, D), each number drawn from
    N(0, 1).  Returns (n, D).
    Source: Bishop 2006, section 11.1.1: through the Cholesky factor of the covariance.
    """
    factor = torch.linalg.cholesky(covariance)  # lower triangular
    return mean + noise @ factor.T


def gaussian_log_density(x: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """log N(x; μ, Σ) of each row: the natural logarithm of a density, so it may well be above 0.

    x: (N, D).  mean: (D,).  covariance: (D, D), symmetric and positive definite.  Returns (N,), right and
    finite even where the determinant is too small or too large for a float.
    Source: Bishop 2006, Pattern Recognition and Machine Learning, equation 2.43.
    """
    factor = torch.linalg.cholesky(covariance)  # L, lower triangular
    z = torch.linalg.solve_triangular(factor, (x - mean).T, upper=False)  # L⁻¹ (x − μ): (D, N)
    log_det = 2 * factor.diagonal().log().sum()  # log |Σ|
    return -0.5 * (z.square().sum(0) + log_det + len(mean) * math.log(2 * math.pi))


def log_joint(x: Tensor, weights: Tensor, means: Tensor, covariances: Tensor) -> Tensor:
    """log(w_k N(x; μ_k, Σ_k)) for every point and component: log w_k + gaussian_log_density, all K at once.

    x: (N, D).  weights: (K,), summing to 1.  means: (K, D).  covariances: (K, D, D).  Returns (N, K).
    """
    factors = torch.linalg.cholesky(covariances)
    z = torch.linalg.solve_triangular(factors, (x - means[:, None]).mT, upper=False)  # (K, D, N)
    log_det = 2 * factors.diagonal(dim1=1, dim2=2).log().sum(1)  # (K,)
    return weights.log() - 0.5 * (z.square().sum(1).T + log_det + x.shape[1] * math.log(2 * math.pi))


def mixture_log_density(x: Tensor, weights: Tensor, means: Tensor, covariances: Tensor) -> Tensor:
    """log p(x) of a mixture of Gaussians for each row, right and with a gradient however far away x is.

    x: (N, D).  weights: (K,), summing to 1.  means: (K, D).  covariances: (K, D, D).  Returns (N,).
    Source: Bishop 2006, equation 2.188.
    """
    return log_joint(x, weights, means, covariances).logsumexp(1)


def responsibilities(x: Tensor, weights: Tensor, means: Tensor, covariances: Tensor) -> Tensor:
    """p(k | x), the probability that component k made the point x, by Bayes' rule.

    x: (N, D).  weights: (K,), summing to 1.  means: (K, D).  covariances: (K, D, D).
    Returns (N, K); each row sums to 1.
    Source: Bishop 2006, equation 2.192.
    """
    return log_joint(x, weights, means, covariances).softmax(1)


def em_step(
    x: Tensor, weights: Tensor, means: Tensor, covariances: Tensor, ridge: float
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of expectation-maximisation: a mixture under which the points x are at least as likely.

    x: (N, D).  weights: (K,), summing to 1.  means: (K, D).  covariances: (K, D, D).  ridge: added to every
    variance of the new covariances, so that none collapses onto a single point (and with which a step may
    lose a little after all).
    Returns the new weights (K,), means (K, D) and covariances (K, D, D).
    Source: Bishop 2006, section 9.2.2, equations 9.24 to 9.26.
    """
    r = responsibilities(x, weights, means, covariances)  # (N, K)
    n = r.sum(0)  # how many points each component has: (K,)
    means = r.T @ x / n[:, None]
    away = x[:, None] - means  # (N, K, D)
    covariances = torch.einsum("nk,nkd,nke->kde", r, away, away) / n[:, None, None]
    return n / len(x), means, covariances + ridge * torch.eye(x.shape[1]).to(x)


def first_guess(x: Tensor, k: int, generator: torch.Generator, ridge: float) -> tuple[Tensor, Tensor, Tensor]:
    """A mixture for EM to start from: equal round Gaussians on k points of x that lie far apart.

    x: (N, D), with at least k different points.  generator: on the device of x.
    Source: Arthur and Vassilvitskii 2007, k-means++: each next point is drawn in proportion to its squared
    distance to those already chosen.
    """
    chosen = torch.randint(len(x), (1,), generator=generator, device=x.device)
    squared = (x - x[chosen]).square().sum(1)  # of the distance to the nearest chosen point: (N,)
    for _ in range(k - 1):
        chosen = torch.cat([chosen, torch.multinomial(squared, 1, generator=generator)])
        squared = squared.minimum((x - x[chosen[-1]]).square().sum(1))
    variance = squared.mean() / x.shape[1] + ridge
    return x.new_full((k,), 1 / k), x[chosen], (variance * torch.eye(x.shape[1]).to(x)).repeat(k, 1, 1)


def fit_mixture(
    x: Tensor, k: int, generator: torch.Generator, *, steps: int = 40, restarts: int = 1, ridge: float = 1e-4
) -> tuple[Tensor, Tensor, Tensor]:
    """A mixture of k Gaussians by maximum likelihood: EM from several first guesses, of which the best stays.

    x: (N, D) floating point, 1 <= k <= N.  generator: on the device of x.  steps: of EM.  restarts: first
    guesses.  ridge: added to every variance; in squared units of x.
    Returns weights (K,), means (K, D) and covariances (K, D, D), in the dtype of x.
    Raises ValueError for points of another shape, not finite, or fewer than k different ones; and for steps
    or restarts below 1, or a ridge that is not positive.
    """
    if x.ndim != 2 or not x.is_floating_point() or not torch.isfinite(x).all():
        raise ValueError(f"x should be finite floating point (N, D); got {tuple(x.shape)}, {x.dtype}")
    if k < 1 or len(x.unique(dim=0)) < k:
        raise ValueError(f"k should be 1 to the number of different points, {len(x.unique(dim=0))}; got {k}")
    if steps < 1 or restarts < 1 or not ridge > 0:
        raise ValueError(f"steps, restarts and ridge should be positive; got {steps}, {restarts} and {ridge}")
    found = []
    for _ in range(restarts):
        mixture = first_guess(x, k, generator, ridge)
        for _ in range(steps):
            mixture = em_step(x, *mixture, ridge)
        found.append(mixture)
    return max(found, key=lambda mixture: mixture_log_density(x, *mixture).mean().item())


def choose_components(
    x: Tensor, held_out: Tensor, numbers: list[int], fit: Callable[[Tensor, int], tuple]
) -> tuple[int, Tensor]:
    """The number of components whose mixture makes points likely that it was not fitted to.

    x: (N, D), to fit to.  held_out: (M, D), other points of the same kind.  numbers: the candidates, at least
    one.  fit: fit(points, k) gives the weights, means and covariances of a mixture of k components.
    Returns the chosen one of the numbers, and (len(numbers),) mean log-likelihoods, in nats for each point.
    Source: Bishop 2006, section 1.3.
    """
    mixtures = [fit(x, k) for k in numbers]
    scores = torch.stack([mixture_log_density(held_out, *mixture).mean() for mixture in mixtures])
    return numbers[int(scores.argmax())], scores


def mixture_score(x: Tensor, weights: Tensor, means: Tensor, covariances: Tensor) -> Tensor:
    """∇ log p(x) of a mixture of Gaussians: the direction in which its log-density grows fastest.

    x: (N, D).  weights: (K,), summing to 1.  means: (K, D).  covariances: (K, D, D).  Returns (N, D).
    Source: Hyvärinen 2005, Estimation of Non-Normalized Statistical Models by Score Matching, for the name.
    """
    r = responsibilities(x, weights, means, covariances)  # (N, K)
    factors = torch.linalg.cholesky(covariances)
    scores = torch.cholesky_solve((means[:, None] - x).mT, factors)  # of each component: (K, D, N)
    return torch.einsum("nk,kdn->nd", r, scores)
