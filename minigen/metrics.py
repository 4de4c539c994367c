"""Scores of generated images, as functions of features: rows of numbers that a network gives for each image.

Statistics are computed in float64, on the device of the features. Which network gave them is the caller's
choice, and scores of two networks cannot be compared.
"""

import math

import torch
from torch import Tensor

BLOCK = 1000  # rows of a distance matrix at a time: 80 MB beside 10,000 others


def gaussian_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (D,) and the unbiased covariance (D, D) of features (N, D), N >= 2, in float64."""
    x = _features("features", features)
    centred = x - x.mean(0)
    return x.mean(0), centred.T @ centred / (len(x) - 1)


def frechet_distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """The squared Fréchet distance of two Gaussians: ‖μa − μb‖² + tr(Σa + Σb − 2 √(ΣaΣb)).

    means: (D,).  covariances: (D, D), symmetric, positive semidefinite.  Returns a number of at least 0.
    Source: Dowson and Landau 1982, The Fréchet Distance between Multivariate Normal Distributions.
    """
    for name, mean, cov in ("a", mean_a, cov_a), ("b", mean_b, cov_b):
        if mean.ndim != 1 or cov.shape != (len(mean), len(mean)) or len(mean) != len(mean_a):
            wanted = f"mean_{name} and cov_{name} should be (D,) and (D, D), with one D for both Gaussians"
            raise ValueError(f"{wanted}; got {tuple(mean.shape)} and {tuple(cov.shape)}")
    mean_a, cov_a, mean_b, cov_b = (t.double() for t in (mean_a, cov_a, mean_b, cov_b))
    root = matrix_root(cov_a)
    # ΣaΣb has the eigenvalues of LᵀΣbL, which is symmetric, whatever L with LLᵀ = Σa
    cross = torch.linalg.eigvalsh(root.T @ cov_b @ root).clamp(min=0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross
    return max(0.0, float(distance))


def matrix_root(covariance: Tensor) -> Tensor:
    """Some L with L Lᵀ = covariance, (D, r): the Cholesky factor, or r = rank columns when it is singular."""
    smallest = len(covariance) * torch.finfo(covariance.dtype).eps  # relative to the largest
    factor, failed = torch.linalg.cholesky_ex(covariance)
    pivots = factor.diagonal().square()
    if not failed and pivots.min() > smallest * pivots.max():
        return factor
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > smallest * values.max()
    return vectors[:, kept] * values[kept].sqrt()


def fid(features_real: Tensor, features_fake: Tensor) -> float:
    """The Fréchet distance of two sets of features, each taken as a Gaussian.

    features: (N, D), N >= 2 rows each; the two may have different N.  Smaller is nearer; at least 0.
    With fewer rows than columns no (D, D) matrix is made.
    Source: Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule, eq. 6.
    """
    a, b = _features("features_real", features_real), _features("features_fake", features_fake)
    _check_columns(a, b)
    if min(len(a), len(b)) > a.shape[1]:
        return frechet_distance(*gaussian_statistics(a), *gaussian_statistics(b))
    mean_a, mean_b = a.mean(0), b.mean(0)
    root_a, root_b = ((x - x.mean(0)) / math.sqrt(len(x) - 1) for x in (a, b))  # Σ = rootᵀ root
    cross = torch.linalg.svdvals(root_a @ root_b.T).sum()  # (Na, Nb): its squares are ΣaΣb's eigenvalues
    distance = (mean_a - mean_b).square().sum() + root_a.square().sum() + root_b.square().sum() - 2 * cross
    return max(0.0, float(distance))


def fid_infinity(
    features_real: Tensor, features_fake: Tensor, generator: torch.Generator, points: int = 15
) -> tuple[float, float]:
    """The FID of endlessly many fakes, from a line through FIDs against 1/N: (its value, standard error).

    features: (N, D).  generator: draws the subsets of the fake features, a CPU one.  points: how many sizes,
    from a tenth of N to N, evenly spaced in 1/N; at least 3.
    The standard error is the line's: of its intercept, as if the points were independent.
    Source: Chong and Forsyth 2020, Effectively Unbiased FID and Inception Score.
    """
    _at_least("points", points, 3)
    _features("features_real", features_real), _features("features_fake", features_fake)
    n = len(features_fake)
    inverse = torch.linspace(10 / n, 1 / n, points, dtype=torch.float64)
    sizes = (1 / inverse).round().long().clamp(2, n)
    draws = [torch.randperm(n, generator=generator)[:size] for size in sizes.tolist()]
    scores = torch.tensor([fid(features_real, features_fake[d.to(features_fake.device)]) for d in draws])
    return intercept(1 / sizes.double(), scores.double())


def intercept(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Where the least-squares line through the points (x, y) meets x = 0, and the standard error of that."""
    centred = x - x.mean()
    slope = (centred * y).sum() / centred.square().sum()
    value = y.mean() - slope * x.mean()
    variance = (y - value - slope * x).square().sum() / (len(x) - 2)
    error = (variance * (1 / len(x) + x.mean().square() / centred.square().sum())).sqrt()
    return float(value), float(error)


def kid(
    features_real: Tensor,
    features_fake: Tensor,
    generator: torch.Generator,
    subsets: int = 100,
    size: int = 1000,
) -> tuple[float, float]:
    """The kernel inception distance: (its mean, its standard deviation) over random subsets of both sets.

    features: (N, D).  generator: draws the subsets, a CPU one.  size: rows in a subset, at most N.
    Unbiased, so it may be a little below 0 for two sets of one distribution.
    Source: Bińkowski et al. 2018, Demystifying MMD GANs, section 4.
    """
    a, b = _features("features_real", features_real), _features("features_fake", features_fake)
    _check_columns(a, b)
    _at_least("subsets", subsets, 1)
    _at_least("size", size, 2)
    size = min(size, len(a), len(b))
    draws = [[torch.randperm(len(x), generator=generator)[:size] for x in (a, b)] for _ in range(subsets)]
    scores = torch.stack([mmd(a[i.to(a.device)], b[j.to(b.device)]) for i, j in draws])
    return float(scores.mean()), float(scores.std(correction=0))


def mmd(a: Tensor, b: Tensor) -> Tensor:
    """The unbiased estimate of the squared maximum mean discrepancy, with the kernel (x·y / D + 1)³.

    a, b: (n, D) and (m, D), n, m >= 2.  Returns a scalar.
    Source: Gretton et al. 2012, A Kernel Two-Sample Test, eq. 3.
    """

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def mean_of_pairs(x: Tensor) -> Tensor:  # of different rows
        k = kernel(x, x)
        return (k.sum() - k.trace()) / (len(x) * (len(x) - 1))

    return mean_of_pairs(a) + mean_of_pairs(b) - 2 * kernel(a, b).mean()


def inception_score(probabilities: Tensor, splits: int = 10) -> tuple[float, float]:
    """exp of the mean KL(p(y | x) ‖ p(y)): (its mean, its standard deviation) over splits of the images.

    probabilities: (N, classes), rows that sum to 1, in random order.  splits: at least 1, at most N.
    From 1 (all alike, or nothing certain) to the number of classes (all certain, all classes alike).
    Source: Salimans et al. 2016, Improved Techniques for Training GANs, section 4.
    """
    p = probabilities.double()
    if p.ndim != 2 or not len(p) or (p < 0).any() or not ((p.sum(1) - 1).abs() < 1e-3).all():
        raise ValueError(f"probabilities should be (N, classes), rows that sum to 1; got {tuple(p.shape)}")
    if not 1 <= splits <= len(p):
        raise ValueError(f"splits should be 1 to {len(p)}, the number of rows; got {splits}")
    scores = torch.stack([_exp_mutual_information(part) for part in p.tensor_split(splits)])
    return float(scores.mean()), float(scores.std(correction=0))


def _exp_mutual_information(p: Tensor) -> Tensor:
    return (torch.xlogy(p, p).sum(1).mean() - torch.xlogy(p.mean(0), p.mean(0)).sum()).exp()


def precision_recall(features_real: Tensor, features_fake: Tensor, k: int = 3) -> tuple[float, float]:
    """(precision, recall): the share of fakes near some real image, and of real images near some fake.

    features: (N, D).  k: a set's manifold is the union of balls around its points, each reaching its k-th
    nearest neighbour within the set; 1 to N - 1.
    Source: Kynkäänniemi et al. 2019, Improved Precision and Recall Metric, eq. 1 and 2.
    """
    real, fake = _features("features_real", features_real), _features("features_fake", features_fake)
    _check_columns(real, fake)
    if not 1 <= k < min(len(real), len(fake)):
        raise ValueError(f"k should be at least 1 and below both numbers of rows; got {k}")
    return share_within(fake, real, k), share_within(real, fake, k)


def share_within(points: Tensor, others: Tensor, k: int) -> float:
    """The share of points (N, D) that lie in the manifold of the others (M, D)."""
    radius = torch.cat([torch.cdist(part, others).kthvalue(k + 1).values for part in others.split(BLOCK)])
    inside = [(torch.cdist(part, others) <= radius).any(1) for part in points.split(BLOCK)]
    return float(torch.cat(inside).double().mean())


def _features(name: str, x: Tensor) -> Tensor:
    if x.ndim != 2 or len(x) < 2 or not x.is_floating_point():
        raise ValueError(f"{name} should be floats (N, D) with N >= 2; got {x.dtype} {tuple(x.shape)}")
    if not torch.isfinite(x).all():
        raise ValueError(f"{name} should be finite; got nan or inf")
    return x.double()


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} should be at least {least}; got {value}")


def _check_columns(a: Tensor, b: Tensor) -> None:
    if a.shape[1] != b.shape[1]:
        wanted = "features_real and features_fake should have equally many columns"
        raise ValueError(f"{wanted}; got {a.shape[1]} and {b.shape[1]}")
