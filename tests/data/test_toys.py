"""2-D toys: densities that integrate to one, scores that are their gradients, samples that follow them."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, multivariate_normal

from minigen.data import Checkerboard, GaussianMixture, checkerboard, moons, ring

TOYS = {
    "ring": ring(),
    "moons": moons(),
    "checkerboard": checkerboard(),
    "lopsided": GaussianMixture(
        means=torch.tensor([[-1.0, 0.5], [0.8, -0.3], [0.2, 1.0]]),
        covariances=torch.tensor(
            [[[0.3, 0.1], [0.1, 0.2]], [[0.05, 0.0], [0.0, 0.2]], [[0.2, -0.1], [-0.1, 0.1]]]
        ),
        weights=torch.tensor([5.0, 3.0, 2.0]),
    ),
}
toys = pytest.mark.parametrize("name", TOYS)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def points(n=500, spread=1.5, seed=0):
    return spread * torch.randn(n, 2, generator=generator(seed), dtype=torch.float64)


def midpoints(half_width, n):
    """The midpoints of n×n cells of a square around the origin, x running fastest; and the area of a cell."""
    step = 2 * half_width / n
    axis = (torch.arange(n, dtype=torch.float64) + 0.5) * step - half_width
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2), step**2


@toys
def test_the_density_integrates_to_one(name):
    grid, area = midpoints(half_width=5, n=250)
    mass = (TOYS[name].log_density(grid).exp() * area).sum().item()
    # for a Gaussian of width s the midpoint rule in steps of h is off by about 2 exp(−2π² s²/h²): below 1e-12
    # here, where s is at least 0.05 and h = 0.04
    assert mass == pytest.approx(1, abs=1e-9)


@toys
def test_the_score_is_the_gradient_of_the_log_density(name):
    x = points().requires_grad_()
    (gradient,) = torch.autograd.grad(TOYS[name].log_density(x).sum(), x)
    error = (TOYS[name].score(x) - gradient).abs().max()
    assert error < 1e-9  # of values up to 2,000, in float64


def binned(toy, half_width=3, cells=24, fine=10):
    """The expected share of samples in each cell, and a function that counts those of samples."""
    n = cells * fine
    grid, area = midpoints(half_width, n)
    mass = (toy.log_density(grid).exp() * area).reshape(cells, fine, cells, fine).sum((1, 3)).flatten()

    def count(x):
        edges = np.linspace(-half_width, half_width, cells + 1)
        return np.histogram2d(x[:, 1].numpy(), x[:, 0].numpy(), bins=(edges, edges))[0].flatten()

    return mass.numpy(), count


def p_value(toy, x):
    """Of a chi-square test that the points x were drawn from the toy; rare cells are put together."""
    share, count = binned(toy)
    expected, observed = len(x) * share, count(x)
    often = expected >= 5
    rest = len(x) - expected[often].sum(), len(x) - observed[often].sum()
    expected, observed = np.append(expected[often], rest[0]), np.append(observed[often], rest[1])
    return chisquare(observed, expected).pvalue


@toys
def test_samples_follow_the_density(name):
    toy = TOYS[name]
    assert (
        p_value(toy, toy.sample(20_000, generator(1))) > 0.01
    )  # the seed is fixed: this cannot fail by chance


@pytest.mark.parametrize(
    ("toy", "almost"),
    [(ring(), ring(std=0.11)), (moons(), moons(std=0.11)), (checkerboard(), checkerboard(width=4.1))],
)
def test_that_comparison_notices_a_distribution_that_is_slightly_wrong(toy, almost):
    assert p_value(toy, almost.sample(20_000, generator(1))) < 1e-6


def test_a_gaussian_mixture_agrees_with_scipy():
    toy, x = TOYS["lopsided"], points()
    parts = [
        weight * multivariate_normal(mean, covariance).pdf(x.numpy())
        for weight, mean, covariance in zip((0.5, 0.3, 0.2), toy.means, toy.covariances, strict=True)
    ]
    assert torch.allclose(toy.log_density(x).exp(), torch.from_numpy(sum(parts)), rtol=1e-12, atol=0)


def test_a_gaussian_mixture_may_have_any_number_of_dimensions():
    toy = GaussianMixture(torch.zeros(1, 5), stds=2.0)
    x = torch.randn(10, 5, generator=generator(), dtype=torch.float64)
    expected = multivariate_normal(np.zeros(5), 4 * np.eye(5)).logpdf(x.numpy())
    assert torch.allclose(toy.log_density(x), torch.from_numpy(expected), rtol=1e-12)
    assert torch.allclose(toy.score(x), -x / 4, rtol=1e-12)
    assert toy.sample(3, generator()).shape == (3, 5)


def test_the_ring_has_its_modes_on_the_circle():
    toy = ring(k=5, radius=2.0, std=0.1)
    assert toy.means.shape == (5, 2)
    assert torch.allclose(toy.means.norm(dim=1), torch.tensor(2.0, dtype=torch.float64))
    gaps = (toy.means - toy.means.roll(1, 0)).norm(dim=1)
    assert torch.allclose(gaps, torch.tensor(4 * np.sin(np.pi / 5)))  # chords of a fifth of the circle


def test_the_moons_are_smooth_and_turn_into_each_other():
    toy = moons()
    angle = torch.linspace(0.5, np.pi - 0.5, 200, dtype=torch.float64)
    along = torch.stack([angle.cos() - 0.5, angle.sin() - 0.25], 1)
    height = toy.log_density(along).exp()
    assert (
        height.max() - height.min()
    ) / height.mean() < 0.01  # no ripples; the other moon adds next to nothing
    x = points()
    assert torch.allclose(toy.log_density(x), toy.log_density(-x), rtol=1e-12)


def test_the_board_is_dark_and_light_by_turns():
    toy = checkerboard(cells=4, width=4.0, std=0.05)
    dark = toy.log_density(torch.tensor([[-1.5, -1.5], [0.5, 0.5], [-1.5, 0.5], [1.5, 1.5]]))
    light = toy.log_density(torch.tensor([[-0.5, -1.5], [1.5, 0.5], [2.5, 0.5]]))
    assert torch.allclose(dark.exp(), torch.tensor(1 / 8))  # eight dark squares of area 1
    assert (light < -40).all()  # ten standard deviations from the nearest dark square


def test_a_board_with_much_noise_is_that_noise():
    x = points()
    one_cell = Checkerboard(cells=1, width=0.01, std=1.0)
    normal = multivariate_normal(np.zeros(2), np.eye(2)).logpdf(x.numpy())
    assert (one_cell.log_density(x) - torch.from_numpy(normal)).abs().max() < 1e-3  # width²/24 · (x² − 1)
    assert (one_cell.score(x) + x).abs().max() < 1e-3


@toys
def test_far_away_float32_stays_finite_and_accurate(name):
    x = torch.tensor([[30.0, -50.0], [-40.0, 0.1], [0.0, 0.0], [7.0, 7.0]])
    toy = TOYS[name]
    for function in (toy.log_density, toy.score):
        value, exact = function(x), function(x.double())
        assert value.dtype == torch.float32
        assert torch.allclose(value.double(), exact, rtol=1e-4, atol=1e-4)  # float32 has seven digits


@toys
def test_samples_come_from_the_generator_alone(name):
    a, b = (TOYS[name].sample(100, generator(seed)) for seed in (3, 3))
    assert a.shape == (100, 2)
    assert a.dtype == torch.float32
    assert torch.equal(a, b)
    assert not torch.equal(a, TOYS[name].sample(100, generator(4)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of stds and covariances"),
        ({"stds": 1.0, "covariances": torch.eye(2).expand(3, 2, 2)}, "exactly one of stds and covariances"),
        ({"covariances": torch.eye(2)}, r"covariances should have shape \(3, 2, 2\).*got \(2, 2\)"),
        ({"stds": 1.0, "weights": torch.tensor([1.0, 0.0, 1.0])}, "weights should be 3 positive numbers"),
        ({"stds": 1.0, "weights": torch.ones(2)}, "weights should be 3 positive numbers"),
    ],
)
def test_a_mixture_names_what_is_wrong_with_its_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(torch.zeros(3, 2), **arguments)


def test_a_board_needs_noise():
    with pytest.raises(ValueError, match=r"cells, width and std should be positive; got 4, 4.0 and 0"):
        checkerboard(std=0)
