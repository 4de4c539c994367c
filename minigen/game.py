"""The game of a generator and a critic, seen from outside: best moves, distances, orbits, and modes."""

import math

import torch
from torch import Tensor


def optimal_discriminator(log_p: Tensor, log_q: Tensor) -> Tensor:
    """The best answer of a discriminator where real data have density p and generated ones q.

    log_p, log_q: (N,), logarithms of both densities at N points; any finite size.
    Returns (N,): the probability in [0, 1] that each point is real, when half of all points are.
    Source: Goodfellow et al. 2014, Generative Adversarial Nets, proposition 1.
    """
    return torch.sigmoid(log_p - log_q)


def jensen_shannon(log_p: Tensor, log_q: Tensor, x: Tensor) -> Tensor:
    """The Jensen–Shannon divergence of two densities on a line, in nats, integrated by the trapezoidal rule.

    log_p, log_q: (N,), logarithms of the densities at the points x: (N,), which rise and reach far enough to
    hold nearly all of both.  Returns a scalar from 0 (p = q) to log 2 (no common support).
    Source: Lin 1991, Divergence Measures Based on the Shannon Entropy, section IV.
    """
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    surprise = log_p.exp() * (log_p - log_m) + log_q.exp() * (log_q - log_m)
    return torch.trapezoid(surprise, x) / 2


def wasserstein_1d(a: Tensor, b: Tensor) -> Tensor:
    """The Wasserstein-1 distance of two crowds on a line, of any sizes: the area between their distributions.

    a: (N,).  b: (M,), in any order.  F(t) is the share of a crowd that is at most t.
    Returns a scalar, at least 0, in the unit of a and b.
    Source: Vallender 1974, Calculation of the Wasserstein Distance between Probability Distributions on
    the Line.
    """
    steps = torch.cat([a, b]).sort().values  # where one of the two distributions jumps
    f_a, f_b = (torch.searchsorted(c.sort().values, steps, right=True).to(steps) / len(c) for c in (a, b))
    return ((f_a - f_b).abs()[:-1] * steps.diff()).sum()


def play(x: float, y: float, lr: float, steps: int, turns: bool) -> Tensor:
    """Two players of f(x, y) = x y: the first moves x against the gradient of f, the other y along it.

    x, y: where they start.  lr: length of a step, relative to the gradient.  turns: whether the second sees
    what the first has just done, or both move at once.
    Returns (steps + 1, 2): their way, with the start.
    Source: Mescheder, Geiger and Nowozin 2018, Which Training Methods for GANs do actually Converge?
    """
    way = [(x, y)]
    for _ in range(steps):
        after = x - lr * y
        y = y + lr * (after if turns else x)
        x = after
        way.append((x, y))
    return torch.tensor(way)


def modes_covered(points: Tensor, means: Tensor, std: float) -> tuple[Tensor, Tensor]:
    """How many modes of a mixture of K round Gaussians a crowd covers, and how much of it is near a mode.

    points: (S, N, D), S crowds of N points.  means: (K, D), more than 6 std apart.  std: of each Gaussian.
    A point is near a mode within 3 std of its mean. A mode is covered by at least a quarter of its fair
    share, N / K.
    Returns (S,), whole numbers from 0 to K, and (S,), shares from 0 to 1.
    """
    near = torch.cdist(points, means.to(points).expand(len(points), -1, -1)) < 3 * std  # (S, N, K)
    covered = near.double().mean(1) >= 1 / (4 * len(means))
    return covered.sum(1), near.any(2).double().mean(1)
