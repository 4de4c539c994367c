"""Densities in closed form, each against another way to compute it."""

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture as TheirMixture

from minigen import density
from minigen.data import GaussianMixture, moons, ring
from minigen.density import (
    choose_components,
    em_step,
    first_guess,
    fit_gaussian,
    fit_mixture,
    gaussian_log_density,
    log_joint,
    mixture_log_density,
    mixture_score,
    responsibilities,
    sample_gaussian,
)

ROUNDING = 1e-10  # float64 has 16 digits; these sums have a few thousand terms of order 1 to 100


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_data(n=50, d=7, seed=0):
    """Correlated rows whose mean is far from zero: forgetting to centre must show."""
    g = generator(seed)
    mix = torch.randn(d, d, generator=g, dtype=torch.float64)
    return torch.randn(n, d, generator=g, dtype=torch.float64) @ mix + 10


def random_mixture(k=4, d=3, seed=0):
    g = generator(seed)
    weights = torch.rand(k, generator=g, dtype=torch.float64) + 0.2
    root = torch.randn(k, d, d + 2, generator=g, dtype=torch.float64)
    return (
        weights / weights.sum(),
        3 * torch.randn(k, d, generator=g, dtype=torch.float64),
        root @ root.mT / d,
    )


def test_fit_gaussian_agrees_with_numpy():
    codes = random_data()
    mean, covariance = fit_gaussian(codes)
    assert np.abs(mean.numpy() - codes.numpy().mean(0)).max() < ROUNDING
    assert np.abs(covariance.numpy() - np.cov(codes.numpy().T)).max() < ROUNDING * 100


def test_sample_gaussian_has_exactly_the_moments_of_its_noise():
    """Noise whose own mean is 0 and covariance is I makes draws that have what was asked for, to rounding."""
    mean, covariance = fit_gaussian(random_data(d=4))
    noise = torch.randn(30, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    centred = noise - noise.mean(0)
    white = torch.linalg.qr(centred)[0] * 29**0.5  # orthonormal columns that still sum to 0
    drawn = sample_gaussian(mean, covariance, white).numpy()
    assert np.abs(drawn.mean(0) - mean.numpy()).max() < ROUNDING
    assert np.abs(np.cov(drawn.T) - covariance.numpy()).max() < ROUNDING * 100


def test_sample_gaussian_moves_the_noise_through_a_lower_triangle():
    """So the first number of a draw depends on the first of its noise alone, as with Cholesky's factor."""
    mean, covariance = fit_gaussian(random_data(d=4))
    moved = sample_gaussian(mean, covariance, torch.eye(4, dtype=torch.float64)) - mean
    assert np.abs(moved.T.numpy() - np.linalg.cholesky(covariance.numpy())).max() < ROUNDING


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_gaussian_log_density_agrees_with_scipy(d):
    mean, covariance = fit_gaussian(random_data(d=d))
    x = random_data(n=9, d=d, seed=1)
    theirs = np.atleast_1d(multivariate_normal(mean.numpy(), covariance.numpy()).logpdf(x.numpy()))
    ours = gaussian_log_density(x, mean, covariance).numpy()
    assert ours.shape == (9,) and np.abs(ours - theirs).max() < ROUNDING * np.abs(theirs).max()


def test_the_gaussian_density_integrates_to_one():
    mean = torch.tensor([0.3, -0.2], dtype=torch.float64)
    covariance = torch.tensor([[0.5, 0.3], [0.3, 0.4]], dtype=torch.float64)

    def p(y, x):
        return float(
            gaussian_log_density(torch.tensor([[x, y]], dtype=torch.float64), mean, covariance).exp()
        )

    assert dblquad(p, -5, 5, -5, 5, epsabs=1e-4)[0] == pytest.approx(1, abs=1e-4)


def test_the_gaussian_log_density_survives_a_determinant_that_does_not():
    """1e-8 to the power of 64 is below the smallest float64; each coordinate alone is no problem."""
    x = 1e-4 * torch.randn(5, 64, generator=generator(), dtype=torch.float64)
    covariance = 1e-8 * torch.eye(64, dtype=torch.float64)
    assert torch.linalg.det(covariance) == 0
    one_by_one = torch.distributions.Normal(0, torch.tensor(1e-4, dtype=torch.float64)).log_prob(x).sum(1)
    difference = gaussian_log_density(x, torch.zeros_like(x[0]), covariance) - one_by_one
    assert difference.abs().max() < 1e-9  # of values around 500


def test_maximum_likelihood_is_where_no_small_change_helps():
    """The fitted mean, and the covariance divided by N instead of N - 1, beat every neighbour."""
    x = random_data(d=3)
    mean, covariance = fit_gaussian(x)
    covariance = covariance * (len(x) - 1) / len(x)
    best = gaussian_log_density(x, mean, covariance).mean()
    g = generator(1)
    for _ in range(20):
        root = 0.05 * torch.randn(3, 3, generator=g, dtype=torch.float64)
        wider = (torch.eye(3) + root) @ covariance @ (torch.eye(3) + root).T
        moved = mean + 0.05 * torch.randn(3, generator=g, dtype=torch.float64)
        assert gaussian_log_density(x, mean, wider).mean() < best
        assert gaussian_log_density(x, moved, covariance).mean() < best


@pytest.mark.parametrize("k, d", [(1, 1), (4, 3), (3, 10)])
def test_the_joint_is_the_weight_times_the_gaussian_of_each_component(k, d):
    weights, means, covariances = random_mixture(k, d)
    x = 3 * torch.randn(9, d, generator=generator(2), dtype=torch.float64)
    parts = zip(weights, means, covariances, strict=True)
    one_by_one = torch.stack([w.log() + gaussian_log_density(x, m, c) for w, m, c in parts], 1)
    assert (log_joint(x, weights, means, covariances) - one_by_one).abs().max() < 1e-9


def test_the_mixture_log_density_agrees_with_torch_distributions():
    weights, means, covariances = random_mixture()
    x = 3 * torch.randn(50, 3, generator=generator(2), dtype=torch.float64)
    components = torch.distributions.MultivariateNormal(means, covariances)
    theirs = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(weights), components)
    assert (mixture_log_density(x, weights, means, covariances) - theirs.log_prob(x)).abs().max() < 1e-9


def test_the_mixture_agrees_with_scikit_learn_on_densities_responsibilities_and_one_step_of_em():
    x = ring().sample(200, generator()).double()
    weights, means, covariances = first_guess(x, 5, generator(3), 1e-3)
    theirs = TheirMixture(
        5,
        max_iter=1,
        reg_covar=1e-3,
        weights_init=weights.numpy(),
        means_init=means.numpy(),
        precisions_init=torch.linalg.inv(covariances).numpy(),
    )
    with pytest.warns(match="did not converge"):
        theirs.fit(x.numpy())
    ours = em_step(x, weights, means, covariances, 1e-3)
    for mine, other in zip(ours, (theirs.weights_, theirs.means_, theirs.covariances_), strict=True):
        assert np.abs(mine.numpy() - other).max() < 1e-9  # they add 1e-16 or so to the sums
    assert np.abs(mixture_log_density(x, *ours).numpy() - theirs.score_samples(x.numpy())).max() < 1e-9
    assert np.abs(responsibilities(x, *ours).numpy() - theirs.predict_proba(x.numpy())).max() < 1e-9


def test_the_mixture_log_density_is_right_where_the_density_underflows():
    """So far away one component is all that counts, and its logarithm needs no exponential."""
    weights, means, covariances = random_mixture()
    x = torch.full((1, 3), 500.0, dtype=torch.float64, requires_grad=True)
    joint = log_joint(x, weights, means, covariances)
    log_p = mixture_log_density(x, weights, means, covariances)
    assert joint.max() < -800 and joint.exp().sum() == 0
    assert 0 <= (log_p - joint.max()).item() < np.log(4)
    assert torch.autograd.grad(log_p.sum(), x)[0].norm() > 1


def test_a_step_of_em_never_makes_the_points_less_likely():
    """Without a ridge this is a theorem (Dempster, Laird and Rubin 1977)."""
    x = moons().sample(200, generator()).double()
    mixture = first_guess(x, 4, generator(1), 0.1)
    before = mixture_log_density(x, *mixture).mean()
    for _ in range(30):
        mixture = em_step(x, *mixture, ridge=0.0)
        after = mixture_log_density(x, *mixture).mean()
        assert after > before - ROUNDING
        before = after


def test_a_step_of_em_with_one_component_is_the_fitted_gaussian():
    x = random_data(d=3)
    start = torch.ones(1).double(), torch.zeros(1, 3).double(), torch.eye(3).double()[None]
    weights, means, covariances = em_step(x, *start, ridge=0.25)
    mean, covariance = fit_gaussian(x)
    assert weights.tolist() == [1.0] and (means[0] - mean).abs().max() < ROUNDING
    wanted = covariance * 49 / 50 + 0.25 * torch.eye(3)
    assert (covariances[0] - wanted).abs().max() < ROUNDING * 100


def test_a_component_that_shrinks_onto_one_point_keeps_the_ridge():
    x = torch.cat([torch.zeros(1, 2), torch.randn(50, 2, generator=generator()) + 20]).double()
    weights, means, covariances = fit_mixture(x, 2, generator(), steps=20, ridge=1e-3)
    alone = weights.argmin()
    assert (means[alone]).abs().max() < 1e-6
    assert (covariances[alone] - 1e-3 * torch.eye(2)).abs().max() < 1e-6


def test_the_first_guess_sits_on_different_points():
    x = torch.tensor([[0.0, 0.0]] * 97 + [[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]], dtype=torch.float64)
    weights, means, covariances = first_guess(x, 4, generator(), 1e-3)
    assert len(means.unique(dim=0)) == 4  # equal points have distance 0, and are never drawn again
    assert weights.tolist() == [0.25] * 4 and torch.equal(
        covariances, 1e-3 * torch.eye(2).double().repeat(4, 1, 1)
    )


def test_a_fitted_mixture_finds_the_ring():
    toy = ring()
    x = toy.sample(400, generator()).double()
    weights, means, covariances = fit_mixture(x, 8, generator(1), restarts=5)
    nearest = torch.cdist(toy.means, means).min(1)
    assert sorted(nearest.indices.tolist()) == list(range(8))  # one for each
    assert (
        nearest.values.max() < 0.06
    )  # 50 points of spread 0.1 place a mean to 0.014; this is four times that
    assert (weights - 1 / 8).abs().max() < 0.06
    assert mixture_log_density(x, weights, means, covariances).mean() > toy.log_density(x).mean()


def test_of_several_restarts_the_likeliest_stays():
    x = ring().sample(100, generator()).double()
    g = generator(5)
    singles = [fit_mixture(x, 8, g, steps=5) for _ in range(6)]
    best = max(float(mixture_log_density(x, *m).mean()) for m in singles)
    kept = fit_mixture(x, 8, generator(5), steps=5, restarts=6)
    assert float(mixture_log_density(x, *kept).mean()) == best


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": torch.zeros(9)}, r"x should be finite floating point \(N, D\); got \(9,\)"),
        ({"x": torch.zeros(9, 2).long()}, "x should be finite floating point.*int64"),
        ({"x": torch.full((9, 2), torch.nan)}, "x should be finite"),
        ({"k": 0}, "k should be 1 to the number of different points, 9; got 0"),
        ({"k": 10}, "k should be 1 to the number of different points, 9; got 10"),
        ({"x": torch.ones(9, 2), "k": 2}, "different points, 1; got 2"),
        ({"steps": 0}, "steps, restarts and ridge should be positive; got 0, 1 and 0.0001"),
        ({"restarts": 0}, "steps, restarts and ridge should be positive"),
        ({"ridge": 0.0}, "steps, restarts and ridge should be positive"),
    ],
)
def test_fit_mixture_names_what_is_wrong(arguments, message):
    given = {"x": torch.randn(9, 2, generator=generator()), "k": 3, "generator": generator()} | arguments
    with pytest.raises(ValueError, match=message):
        fit_mixture(**given)


def test_held_out_points_choose_the_number_and_the_fitted_points_do_not():
    g = generator()
    x, held_out = (ring().sample(n, g).double() for n in (300, 1000))

    def fit(points, k):
        return fit_mixture(points, k, generator(k), restarts=5)

    numbers = [4, 8, 20]
    best, scores = choose_components(x, held_out, numbers, fit)
    wanted = [mixture_log_density(held_out, *fit(x, k)).mean() for k in numbers]
    assert best == 8 and torch.equal(scores, torch.stack(wanted))
    assert choose_components(x, x, numbers, fit)[0] == 20


@pytest.mark.parametrize("k, d", [(1, 1), (4, 3), (3, 10)])
def test_the_score_is_the_gradient_of_the_log_density(k, d):
    parts = random_mixture(k, d)
    x = (3 * torch.randn(50, d, generator=generator(2), dtype=torch.float64)).requires_grad_()
    (gradient,) = torch.autograd.grad(mixture_log_density(x, *parts).sum(), x)
    assert (mixture_score(x, *parts) - gradient).abs().max() < 1e-10 * gradient.abs().max()


def test_the_score_is_the_slope_that_finite_differences_find():
    parts = random_mixture(d=2)
    x, h = torch.randn(20, 2, generator=generator(2), dtype=torch.float64), 1e-5
    for i, step in enumerate(h * torch.eye(2, dtype=torch.float64)):
        slope = (mixture_log_density(x + step, *parts) - mixture_log_density(x - step, *parts)) / (2 * h)
        # the third derivative times h² is 1e-9 or so, and so is rounding divided by h
        assert (mixture_score(x, *parts)[:, i] - slope).abs().max() < 1e-6


def test_under_its_own_mixture_the_score_is_zero_on_average():
    """E ∇ log p = 0, since it is the integral of ∇p; a wrong sign or weight of any component shows."""
    toy = GaussianMixture(
        torch.tensor([[-2.0, 0.0], [1.0, 1.0]]), stds=torch.tensor([0.5, 1.0]), weights=torch.tensor([1.0, 3])
    )
    x = toy.sample(100_000, generator()).double()
    mean = mixture_score(x, toy.weights, toy.means, toy.covariances).mean(0)
    assert mean.abs().max() < 0.02  # five standard errors of 100,000 scores of spread 1.3


def test_the_toys_run_on_the_functions_that_stand_in_their_module(monkeypatch):
    """So a learner's own score is the oracle of the lessons that sample the toys."""
    import minigen.data.toys as module

    monkeypatch.setattr(module, "mixture_score", lambda x, *parts: "the learner's score")
    monkeypatch.setattr(module, "mixture_log_density", lambda x, *parts: "the learner's density")
    assert ring().score(torch.zeros(1, 2)) == "the learner's score"
    assert ring().log_density(torch.zeros(1, 2)) == "the learner's density"


@pytest.mark.parametrize("name", ["em_step", "mixture_log_density"])
def test_fitting_runs_on_the_functions_that_the_module_holds_now(name, monkeypatch):
    def stop(*arguments):
        raise InterruptedError(name)

    monkeypatch.setattr(density, name, stop)
    with pytest.raises(InterruptedError, match=name):
        fit_mixture(random_data(d=2), 2, generator())


@pytest.mark.parametrize(
    "call",
    [
        lambda x, m: fit_gaussian(x)[1],
        lambda x, m: sample_gaussian(x[0], m[2][0], x),
        lambda x, m: gaussian_log_density(x, x[0], m[2][0]),
        lambda x, m: mixture_log_density(x, *m),
        lambda x, m: responsibilities(x, *m),
        lambda x, m: em_step(x, *m, 0.1)[2],
        lambda x, m: mixture_score(x, *m),
    ],
)
def test_results_live_where_the_inputs_live(call):
    """The meta device stands for a GPU: it refuses to mix with tensors made on the CPU."""
    shapes = (4,), (4, 2), (4, 2, 2)
    mixture = tuple(torch.empty(shape, device="meta") for shape in shapes)
    assert call(torch.empty(9, 2, device="meta"), mixture).device.type == "meta"
