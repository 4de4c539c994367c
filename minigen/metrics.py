"""Scores of generated images, as functions of features: rows of numbers that a network gives for each image.

Statistics are computed in float64, on the device of the features. Which network gave them is the caller's
choice, and scores of two networks cannot be compared.
"""

import math

import torch
from torch import Tensor

BLOCK = 1000  # rows of a distance matrix at a time: 80 MB beside 10,000 others


def transport_1d(a: Tensor, b: Tensor, p: float = 2) -> Tensor:
    """The least mean of |distance moved|ᵖ, when the numbers a are paired with the numbers b one to one.

    a, b: (N,), N >= 1, in any order.  p: at least 1.  Returns a scalar tensor, through which gradients flow:
    for p = 2 the squared 2-Wasserstein distance of the two sets.  Raises ValueError for sets of other shapes,
    and for p < 1.
    Source: Peyré and Cuturi 2019, Computational Optimal Transport, section 2.6.
    """
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise ValueError(f"a and b should be (N,), one N >= 1; got {tuple(a.shape)} and {tuple(b.shape)}")
    if not p >= 1:  # below 1, sorting does not give the least
        raise ValueError(f"p should be at least 1; got {p}")
    return (a.sort().values - b.sort().values).abs().pow(p).mean()


def gaussian_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (D,) and the unbiased covariance (D, D) of features (N, D), N >= 2, in float64."""
    x = check_features("features", features)
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
    A = matrix_root(cov_a)
    # the squares of the singular values of BᵀA are the eigenvalues of AᵀΣbA, whatever B with BBᵀ = Σb
    saved = torch.linalg.eigvalsh(A.T @ cov_b @ A).clamp(min=0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * saved
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
    Few rows take little time, even with many columns.
    Source: Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule, eq. 6.
    """
    a, b = comparable(features_real, features_fake)
    if min(len(a), len(b)) > a.shape[1]:
        return frechet_distance(*gaussian_statistics(a), *gaussian_statistics(b))
    mean_a, mean_b = a.mean(0), b.mean(0)
    root_a, root_b = ((x - x.mean(0)) / math.sqrt(len(x) - 1) for x in (a, b))  # Σ = rootᵀ root
    # root_a @ root_bᵀ is (Na, Nb); its squared singular values are the eigenvalues of ΣaΣb, but for zeros
    saved = torch.linalg.svdvals(root_a @ root_b.T).sum()
    distance = (mean_a - mean_b).square().sum() + root_a.square().sum() + root_b.square().sum() - 2 * saved
    return max(0.0, float(distance))


def fid_infinity(
    features_real: Tensor, features_fake: Tensor, generator: torch.Generator, points: int = 15
) -> tuple[float, float]:
    """The FID of endlessly many fakes, from a line through FIDs of fewer of them: (value, standard error).

    features: (N, D), at least 20 fakes.  generator: draws a subset of the fakes for each size, without
    repeats; a CPU one.  points: how many sizes, at least 3: from a tenth of N to N, one over the size evenly
    spaced, and then the sizes rounded to whole rows.  The line is fitted over one over the rounded sizes.
    The standard error is the line's, as if its points were independent: it does not know that all of them
    share the same N fakes.  All real rows are used, so the bias that they cause stays.
    Source: Chong and Forsyth 2020, Effectively Unbiased FID and Inception Score.
    """
    check_at_least("points", points, 3)
    comparable(features_real, features_fake)
    n = len(features_fake)
    check_at_least("the number of fakes", n, 20)
    inverse = torch.linspace(10 / n, 1 / n, points, dtype=torch.float64)
    sizes = (1 / inverse).round().long()
    draws = [torch.randperm(n, generator=generator)[:size] for size in sizes.tolist()]
    scores = [fid(features_real, features_fake[rows.to(features_fake.device)]) for rows in draws]
    return intercept(1 / sizes.double(), torch.tensor(scores, dtype=torch.float64))


def intercept(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Where the least-squares line through points meets x = 0: (its height there, the standard error).

    x, y: (n,), n >= 3, float64; the x not all equal.
    """
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

    features: (N, D).  generator: draws the subsets, a CPU one.  size: rows in a subset, 2 to the smaller N.
    Unbiased, so it may be a little below 0 for two sets of one distribution.  The deviation is that of one
    subset, no error of the mean.  Subsets of all rows would have none: take size well below N.
    Source: Bińkowski et al. 2018, Demystifying MMD GANs, section 4.
    """
    a, b = comparable(features_real, features_fake)
    check_at_least("subsets", subsets, 1)
    check_at_least("size", size, 2)
    if size > (most := min(len(a), len(b))):
        raise ValueError(f"size should be at most {most}, the smaller number of rows; got {size}")
    draws = [[torch.randperm(len(x), generator=generator)[:size] for x in (a, b)] for _ in range(subsets)]
    scores = torch.stack([mmd(a[i.to(a.device)], b[j.to(b.device)]) for i, j in draws])
    return float(scores.mean()), float(scores.std(correction=0))


def cubic_kernel(x: Tensor, y: Tensor) -> Tensor:
    """(x · y / D + 1)³ of each row of x with each row of y: (N, D) and (M, D) to (N, M)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def mmd(a: Tensor, b: Tensor) -> Tensor:
    """The squared maximum mean discrepancy of two sets, by `cubic_kernel`, estimated without bias.

    a, b: (n, D) and (m, D), n, m >= 2.  Returns a scalar: 0 on average for two sets of one distribution, and
    so sometimes negative.
    Source: Gretton et al. 2012, A Kernel Two-Sample Test, eq. 3.
    """
    aa, bb, ab = cubic_kernel(a, a), cubic_kernel(b, b), cubic_kernel(a, b)
    n, m = ab.shape
    within_a = (aa.sum() - aa.trace()) / (n * (n - 1))  # the mean over pairs of different rows
    within_b = (bb.sum() - bb.trace()) / (m * (m - 1))
    return within_a + within_b - 2 * ab.mean()


def inception_score(probabilities: Tensor, splits: int = 10) -> tuple[float, float]:
    """The exponential of the mean KL(p(y | x) ‖ p(y)): (its mean, its standard deviation) over splits.

    probabilities: (N, classes), rows p(y | x) that sum to 1, in random order.  splits: 1 to N, into how many
    parts the rows are cut, one after the other and as equal as can be, the longer parts first, each with a
    score and p(y) of its own.  The deviation is the root of the mean squared deviation of the parts' scores
    (divided by their number, not by one less): 0 for one part.
    From 1 (all alike, or nothing certain) to the number of classes (all certain, all classes alike).
    Source: Salimans et al. 2016, Improved Techniques for Training GANs, section 4.
    """
    check_probabilities(probabilities, splits)
    scores = []
    for p in probabilities.double().tensor_split(splits):
        overall = p.mean(0)  # p(y)
        divergence = (torch.xlogy(p, p) - torch.xlogy(p, overall)).sum(1)  # 0 · log 0 is 0
        scores.append(divergence.mean().exp())
    scores = torch.stack(scores)
    return float(scores.mean()), float(scores.std(correction=0))


def check_probabilities(p: Tensor, splits: int) -> None:
    """Raises a ValueError that names the argument unless p can be scored in so many splits."""
    if p.ndim != 2 or not len(p) or (p < 0).any() or not ((p.sum(1) - 1).abs() < 1e-3).all():
        raise ValueError(f"probabilities should be (N, classes), rows that sum to 1; got {tuple(p.shape)}")
    if not 1 <= splits <= len(p):
        raise ValueError(f"splits should be 1 to {len(p)}, the number of rows; got {splits}")


def precision_recall(features_real: Tensor, features_fake: Tensor, k: int = 3) -> tuple[float, float]:
    """(precision, recall): how many fakes look real, and how much of what is real the fakes show.

    features: (N, D).  k: of the balls of `share_within`; at least 1, and below both numbers of rows.
    Both are shares, from 0 to 1.
    Source: Kynkäänniemi et al. 2019, Improved Precision and Recall Metric, eq. 1 and 2.
    """
    real, fake = comparable(features_real, features_fake)
    if not 1 <= k < min(len(real), len(fake)):
        raise ValueError(f"k should be at least 1 and below both numbers of rows; got {k}")
    return share_within(fake, real, k), share_within(real, fake, k)


def share_within(points: Tensor, others: Tensor, k: int) -> float:
    """The share of the points that lie in at least one ball around one of the others.

    points: (N, D).  others: (M, D).  The ball around each of the others reaches to its k-th nearest neighbour
    among them; nobody is a neighbour of itself.  What lies on the border is inside.  k: 1 to M - 1.
    Source: Kynkäänniemi et al. 2019, Improved Precision and Recall Metric, eq. 1.
    """
    near = [torch.cdist(part, others).kthvalue(k + 1).values for part in others.split(BLOCK)]
    radius = torch.cat(near)  # (M,); the nearest of all is the point itself, at distance 0
    inside = [(torch.cdist(part, others) <= radius).any(1) for part in points.split(BLOCK)]
    return float(torch.cat(inside).double().mean())


def confusion(asked: Tensor, found: Tensor, classes: int) -> Tensor:
    """What pictures of each class are taken for: row i holds the shares of those asked for as i.

    asked, found: (N,), int64, labels from 0 to classes - 1.
    Returns (classes, classes) float64; each row sums to 1, or is 0 where no picture was asked for.
    """
    counts = torch.zeros(classes, classes, dtype=torch.float64, device=asked.device)
    counts.index_put_((asked, found), counts.new_ones(len(asked)), accumulate=True)
    return counts / counts.sum(1, keepdim=True).clamp(min=1)


def undominated(scores: Tensor) -> Tensor:
    """The candidates that no other one beats: none is at least as good in every score, and better in some.

    scores: (M, K), K scores of M candidates; larger is better.  Returns (M,) bool.  Of equal candidates, none
    beats another.  Raises ValueError for another shape, and for nan.
    Source: Pareto 1906, Manuale di economia politica, for the idea.
    """
    if scores.ndim != 2 or scores.isnan().any():
        raise ValueError(f"scores should be numbers (M, K), none of them nan; got {tuple(scores.shape)}")
    no_worse = (scores[:, None] >= scores).all(2)  # (M, M): is the row no worse than the column?
    better = (scores[:, None] > scores).any(2)
    return ~(no_worse & better).any(0)


def comparable(features_real: Tensor, features_fake: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets of features in float64; a ValueError names the one that is not as it should be."""
    real = check_features("features_real", features_real)
    fake = check_features("features_fake", features_fake)
    if real.shape[1] != fake.shape[1]:
        wanted = "features_real and features_fake should have equally many columns"
        raise ValueError(f"{wanted}; got {real.shape[1]} and {fake.shape[1]}")
    return real, fake


def check_features(name: str, x: Tensor) -> Tensor:
    """The features x in float64; a ValueError with the name unless they are finite floats (N, D), N >= 2."""
    if x.ndim != 2 or len(x) < 2 or not x.is_floating_point():
        raise ValueError(f"{name} should be floats (N, D) with N >= 2; got {x.dtype} {tuple(x.shape)}")
    if not torch.isfinite(x).all():
        raise ValueError(f"{name} should be finite; got nan or inf")
    return x.double()


def check_at_least(name: str, value: int, least: int) -> None:
    """Raises a ValueError with the name unless the value is at least this."""
    if value < least:
        raise ValueError(f"{name} should be at least {least}; got {value}")
