"""What the game of two players promises, each against another way to compute it."""

import math

import pytest
import torch
from scipy import integrate, stats
from scipy.spatial.distance import jensenshannon
from torch.distributions import Normal

from minigen.data import ring
from minigen.game import jensen_shannon, modes_covered, optimal_discriminator, play, wasserstein_1d
from minigen.metrics import transport_1d

X = torch.linspace(-8.5, 8.5, 6001, dtype=torch.float64)  # holds all but 1e-13 of what is on it
ROUNDING = 1e-9  # of sums of some thousand float64


def gaussians(gap=2.0, std=0.7):
    gap, std = torch.tensor([gap, std], dtype=torch.float64)
    return Normal(-gap / 2, torch.ones_like(std)).log_prob(X), Normal(gap / 2, std).log_prob(X)


def at_each_point(d, log_p, log_q):
    """p log D + q log(1 − D), what the value of the game is the integral of."""
    return log_p.exp() * d.clamp(1e-300).log() + log_q.exp() * (1 - d).clamp(1e-300).log()


def test_the_optimal_discriminator_is_p_over_p_plus_q():
    log_p, log_q = gaussians()
    p, q = log_p.exp(), log_q.exp()
    seen = p + q > 1e-300  # beyond, the quotient is 0 / 0
    assert (optimal_discriminator(log_p, log_q) - p / (p + q))[seen].abs().max() < ROUNDING


def test_it_is_finite_where_both_densities_underflow():
    d = optimal_discriminator(torch.tensor([-2000.0, -3000.0]), torch.tensor([-2001.0, -2000.0]))
    assert torch.allclose(d, torch.tensor([1 / (1 + math.exp(-1)), 0.0]))


def test_no_other_discriminator_has_a_higher_value():
    log_p, log_q = gaussians()
    best = optimal_discriminator(log_p, log_q)
    inside = (X > -6) & (X < 6)  # further out the best one rounds to 0 or 1
    for seed in range(5):
        noise = torch.randn(len(X), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        other = torch.where(
            inside, torch.sigmoid(torch.logit(best.clamp(1e-12, 1 - 1e-12)) + noise / 10), best
        )
        gain = at_each_point(best, log_p, log_q) - at_each_point(other, log_p, log_q)
        assert gain[inside].min() > -1e-12  # nowhere, not in the mean alone


def test_its_value_is_twice_jensen_shannon_minus_log_4():
    log_p, log_q = gaussians()
    d, other = optimal_discriminator(log_p, log_q), optimal_discriminator(log_q, log_p)
    best = torch.trapezoid(log_p.exp() * d.log() + log_q.exp() * other.log(), X)
    assert abs(best - (2 * jensen_shannon(log_p, log_q, X) - math.log(4))) < ROUNDING


def test_jensen_shannon_is_scipys():
    log_p, log_q = gaussians()

    def half(x):
        p, q = stats.norm.pdf(x, -1, 1), stats.norm.pdf(x, 1, 0.7)
        m = (p + q) / 2
        return (p * math.log(p / m) + q * math.log(q / m)) / 2

    assert abs(jensen_shannon(log_p, log_q, X) - integrate.quad(half, -8.5, 8.5)[0]) < 1e-7
    assert abs(jensen_shannon(log_p, log_q, X).sqrt() - jensenshannon(log_p.exp(), log_q.exp())) < 1e-7


def test_jensen_shannon_lies_between_zero_and_log_2():
    same, _ = gaussians()
    assert jensen_shannon(same, same, X).abs() < ROUNDING
    far = Normal(-6.0, 0.1).log_prob(X), Normal(6.0, 0.1).log_prob(X)
    assert abs(jensen_shannon(*far, X) - math.log(2)) < 1e-6  # of the rule, whose steps are 0.003


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 7), (50, 50), (50, 31)])
def test_wasserstein_1d_is_scipys(n, m):
    a, b = torch.randn(n + m, dtype=torch.float64, generator=torch.Generator().manual_seed(n)).split([n, m])
    assert abs(wasserstein_1d(a, 3 * b + 1) - stats.wasserstein_distance(a, 3 * b + 1)) < ROUNDING


def test_of_crowds_of_one_size_it_is_the_best_pairing():
    a, b = torch.randn(2, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert abs(wasserstein_1d(a, b) - transport_1d(a, b, p=1)) < ROUNDING


def test_moving_a_sample_moves_its_distance_as_far():
    a = torch.randn(40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert abs(wasserstein_1d(a, a[torch.randperm(40)] - 2.5) - 2.5) < ROUNDING


@pytest.mark.parametrize("lr", [0.05, 0.3])
def test_at_once_the_players_spiral_out_by_a_known_factor(lr):
    radius = play(1.0, 0.5, lr, 100, turns=False).double().norm(dim=1)
    grown = radius[0] * (1 + lr**2) ** (torch.arange(101) / 2)
    assert (radius / grown - 1).abs().max() < 1e-5  # float32


@pytest.mark.parametrize("lr", [0.05, 0.3])
def test_in_turns_they_stay_on_an_ellipse(lr):
    x, y = play(1.0, 0.5, lr, 500, turns=True).double().T
    kept = x**2 + y**2 - lr * x * y  # the invariant of the symplectic step
    assert (kept / kept[0] - 1).abs().max() < 1e-4


def test_modes_are_counted_for_each_crowd():
    toy = ring()
    everywhere = toy.sample(4000, torch.Generator().manual_seed(0))
    one = toy.means[3].float() + 0.05 * torch.randn(4000, 2, generator=torch.Generator().manual_seed(1))
    nowhere = torch.zeros(4000, 2)
    modes, near = modes_covered(torch.stack([everywhere, one, nowhere]), toy.means, 0.1)
    assert modes.tolist() == [8, 1, 0]
    assert abs(near[0] - (1 - math.exp(-4.5))) < 0.01  # of a round Gaussian in the plane, within 3 σ
    assert near[1:].tolist() == [1, 0]


@pytest.mark.parametrize(("share", "covered"), [(0.03, 1), (0.032, 2)])
def test_a_mode_needs_a_quarter_of_its_fair_share(share, covered):
    toy = ring()
    few = round(share * 1000)
    points = torch.cat([toy.means[0].expand(1000 - few, 2), toy.means[4].expand(few, 2)]).float()
    assert modes_covered(points[None], toy.means, 0.1)[0].item() == covered
