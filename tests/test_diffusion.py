"""The chain of DDPM against simulation, Bayes' rule and exact densities; float64 where it is an identity."""

import math
import statistics

import pytest
import torch
from torch import nn

from minigen.data import GaussianMixture, ring
from minigen.ddpm import DDPM
from minigen.diffusion import (
    Schedule,
    alpha_bars,
    cosine_betas,
    data_from_noise,
    exact_noise,
    forward_step,
    linear_betas,
    middle_betas,
    noisy_mixture,
    posterior,
    q_sample,
    snr,
    target_weights,
    unmix,
)
from minigen.metrics import mmd
from minigen.samplers import ancestral, step_back, step_back_clipped

BETAS = {"linear": linear_betas(50, 0.01, 0.3), "cosine": cosine_betas(50), "middle": middle_betas(50)}


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed), dtype=torch.float64)


def test_the_linear_betas_are_those_of_the_paper():
    betas = linear_betas()
    assert len(betas) == 1000 and betas[0] == 1e-4 and betas[-1] == 0.02
    assert (betas.diff() - (0.02 - 1e-4) / 999).abs().max() < 1e-15


def test_the_cosine_betas_give_the_cosine_back_except_at_the_end():
    a_bar = alpha_bars(cosine_betas(1000))
    angle = [(t / 1000 + 0.008) / 1.008 * math.pi / 2 for t in range(1000)]
    wanted = torch.tensor([math.cos(a) ** 2 / math.cos(angle[0]) ** 2 for a in angle], dtype=torch.float64)
    assert (a_bar[:1000] - wanted).abs().max() < 1e-12
    assert cosine_betas(1000)[-1] == 0.999


@pytest.mark.parametrize(("centre", "spread"), [(0.0, 1.0), (0.25, 1.0), (-0.5, 0.7)])
def test_the_times_of_the_middle_chain_are_distributed_as_asked(centre, spread):
    """How far the squared cosine has come after each step, as a logit: quantiles of a Gaussian."""
    a_bar = alpha_bars(middle_betas(1000, centre, spread))
    tau = a_bar[1:1000].sqrt().acos() / (math.pi / 2)
    gauss = statistics.NormalDist(centre, spread)
    wanted = torch.tensor([gauss.inv_cdf(t / 1000) for t in range(1, 1000)], dtype=torch.float64)
    assert (tau.logit() - wanted).abs().max() < 1e-9
    assert a_bar[1000] < 1e-4


@pytest.mark.parametrize("betas", BETAS.values(), ids=BETAS)
def test_tables_are_indexed_by_t_and_start_with_untouched_data(betas):
    chain = Schedule(betas)
    assert chain.steps == 50 and len(chain.alpha_bar) == 51
    assert chain.beta[0] == 0 and chain.alpha_bar[0] == 1 and chain.variance[1] == 0
    assert torch.equal(chain.beta[1:], betas) and chain.alpha_bar[7] == torch.prod(1 - betas[:7])
    t = 20
    wanted = chain.beta[t] * (1 - chain.alpha_bar[t - 1]) / (1 - chain.alpha_bar[t])
    assert abs(chain.variance[t] - wanted) < 1e-16 and (chain.variance[1:] <= chain.beta[1:]).all()


@pytest.mark.parametrize(
    "wrong", [torch.tensor([0.1, 1.0]), torch.tensor([-0.1]), torch.zeros(0), torch.ones(2, 2)]
)
def test_a_schedule_refuses_what_are_no_variances(wrong):
    with pytest.raises(ValueError, match=r"betas should be \(T,\), all in \(0, 1\); got"):
        Schedule(wrong)


def test_one_jump_has_the_mean_and_the_variance_of_the_chain_walked_step_by_step():
    chain, t = Schedule(BETAS["linear"]), 12
    x = torch.full((200_000, 1), 0.7, dtype=torch.float64)
    walked = x
    for s in range(1, t + 1):
        walked = forward_step(walked, normal(*x.shape, seed=s), chain.beta[s])
    jumped = q_sample(x, t, normal(*x.shape, seed=99), chain.alpha_bar)
    error = 5 / math.sqrt(200_000)  # five standard errors of a mean of draws with variance below 1
    assert abs(walked.mean() - jumped.mean()) < 2 * error
    assert abs(walked.var() - (1 - chain.alpha_bar[t])) < 2 * error
    assert abs(jumped.mean() - 0.7 * chain.alpha_bar[t].sqrt()) < error


def test_each_image_of_a_batch_has_its_own_time():
    chain, x, noise = Schedule(BETAS["linear"]), normal(3, 2, 4, 4), normal(3, 2, 4, 4, seed=1)
    t = torch.tensor([0, 17, 50])
    together = q_sample(x, t, noise, chain.alpha_bar)
    for i, time in enumerate(t.tolist()):
        assert torch.equal(together[i], q_sample(x[i : i + 1], time, noise[i : i + 1], chain.alpha_bar)[0])
    assert torch.equal(together[0], x[0])
    assert q_sample(x.float(), t, noise.float(), chain.alpha_bar).dtype == torch.float32


def test_snr_is_the_ratio_of_the_variances():
    chain, x = Schedule(BETAS["cosine"]), normal(100_000, 1)
    t = 15
    noisy = q_sample(x, t, torch.zeros_like(x), chain.alpha_bar)
    rest = q_sample(torch.zeros_like(x), t, normal(100_000, 1, seed=3), chain.alpha_bar)
    assert abs(noisy.var() / rest.var() / snr(chain.alpha_bar[t]) - 1) < 0.03


def test_the_posterior_is_what_bayes_says_of_two_gaussians():
    """By brute force: the density of x_{t-1} on a grid is proportional to q(x_t | x_{t-1}) q(x_{t-1} | x)."""
    chain = Schedule(BETAS["linear"])
    grid = torch.linspace(-8, 8, 200_001, dtype=torch.float64)
    for t, x, x_t in (2, 0.3, -1.0), (10, -0.8, 0.4), (50, 1.0, 2.0):
        alpha, before = chain.alpha[t], chain.alpha_bar[t - 1]
        forward = -0.5 * (x_t - alpha.sqrt() * grid).square() / chain.beta[t]
        prior = -0.5 * (grid - before.sqrt() * x).square() / (1 - before)
        weights = (forward + prior).softmax(0)
        mean = (weights * grid).sum()
        variance = (weights * (grid - mean).square()).sum()
        found = posterior(*(torch.tensor([[v]], dtype=torch.float64) for v in (x, x_t)), t, chain)
        assert abs(found[0] - mean) < 1e-8 and abs(found[1] - variance) < 1e-8


def test_the_last_step_back_is_the_data_itself():
    chain, x, x_t = Schedule(BETAS["cosine"]), normal(4, 3), normal(4, 3, seed=1)
    mean, variance = posterior(x, x_t, 1, chain)
    assert (mean - x).abs().max() < 1e-12 and variance.abs().max() == 0


@pytest.mark.parametrize("betas", [linear_betas(), cosine_betas(), middle_betas()], ids=BETAS)
def test_algorithm_2_is_the_mean_of_the_posterior_for_the_data_that_the_noise_implies(betas):
    chain, x_t, noise = Schedule(betas), normal(5, 1, 4, 4), normal(5, 1, 4, 4, seed=1)
    for t in 1, 2, 500, 900:
        x0 = data_from_noise(x_t, noise, t, chain.alpha_bar)
        assert (step_back(x_t, noise, t, chain) - posterior(x0, x_t, t, chain)[0]).abs().max() < 1e-10


def test_clipping_changes_nothing_for_data_inside_and_moves_what_is_outside_to_the_edge():
    chain, t = Schedule(BETAS["linear"]), 20
    x, noise = 0.9 * normal(6, 2).tanh(), normal(6, 2, seed=1)
    x_t = q_sample(x, t, noise, chain.alpha_bar)
    assert (step_back_clipped(x_t, noise, t, chain) - step_back(x_t, noise, t, chain)).abs().max() < 1e-12
    far = q_sample(5 * torch.ones_like(x), t, noise, chain.alpha_bar)
    wanted = posterior(torch.ones_like(x), far, t, chain)[0]
    assert (step_back_clipped(far, noise, t, chain) - wanted).abs().max() < 1e-12


@pytest.mark.parametrize("target", ["noise", "data", "velocity", "flow"])
def test_data_and_noise_come_back_out_of_every_target(target):
    x, noise = normal(7, 3), normal(7, 3, seed=1)
    alpha, sigma = torch.rand(2, 7, 1, generator=rng(2), dtype=torch.float64) + 0.1
    p, q = target_weights(target, alpha, sigma)
    found = unmix(alpha * x + sigma * noise, p * x + q * noise, alpha, sigma, p, q)
    assert (found[0] - x).abs().max() < 1e-10 and (found[1] - noise).abs().max() < 1e-10


def test_another_target_is_refused_by_name():
    with pytest.raises(ValueError, match="one of noise, data, velocity, flow; got 'score'"):
        target_weights("score", torch.ones(1), torch.ones(1))


MIXTURE = GaussianMixture(
    torch.tensor([[-0.6, 0.2], [0.5, 0.5], [0.1, -0.7]]),
    stds=torch.tensor([0.1, 0.2, 0.15]),
    weights=torch.tensor([1.0, 2.0, 1.0]),
)


def exact(mixture, chain):
    return lambda x_t, t: exact_noise(x_t, t, mixture, chain.alpha_bar)


def test_the_exact_noise_is_the_mean_of_the_noises_that_may_be_in_it():
    """By brute force: of many draws (x, ε), those whose x_t is near a place, and the mean of their ε."""
    chain, t, n = Schedule(BETAS["linear"]), 15, 2_000_000
    x, noise = MIXTURE.sample(n, rng()), torch.randn(n, 2, generator=rng(1))
    x_t = q_sample(x, t, noise, chain.alpha_bar)
    for place in torch.tensor([[-0.5, 0.3], [0.3, 0.2]]):
        near = (x_t - place).square().sum(1) < 0.05**2
        found = exact_noise(place[None], t, MIXTURE, chain.alpha_bar)[0]
        assert (noise[near].mean(0) - found).abs().max() < 5 / near.sum().sqrt() + 0.02


def test_the_noisy_mixture_is_the_mixture_after_the_jump():
    a_bar = alpha_bars(BETAS["linear"])
    x = MIXTURE.sample(4000, rng())
    jumped = q_sample(x, 9, torch.randn(4000, 2, generator=rng(1)), a_bar)
    drawn = noisy_mixture(MIXTURE, float(a_bar[9])).sample(4000, rng(2))
    assert mmd(jumped, drawn) < 3e-3 < mmd(x, drawn)


@pytest.mark.parametrize("variances", ["variance", "beta"])
def test_the_exact_noise_gives_the_mixture_back(variances):
    """Both choices of σ_t² end at the mixture when steps are small; skipping the noise does not."""
    chain = Schedule(linear_betas(400, 1e-4, 0.03))
    start = torch.randn(3000, 2, generator=rng(5))
    draw = rng(6)
    noise = lambda t: torch.randn(3000, 2, generator=draw)  # noqa: E731
    made = ancestral(exact(MIXTURE, chain), start, chain, noise, getattr(chain, variances))
    true = MIXTURE.sample(3000, rng(7))
    numb = ancestral(exact(MIXTURE, chain), start, chain, noise, torch.zeros_like(chain.variance))
    assert mmd(made, true) < 4e-3 < mmd(numb, true)
    assert (made.mean(0) - true.mean(0)).abs().max() < 0.05


def test_ancestral_sampling_asks_for_noise_at_every_step_but_the_last():
    chain, asked, x = Schedule(BETAS["cosine"]), [], torch.zeros(1, 1)
    ancestral(lambda x, t: x, x, chain, lambda t: asked.append(t) or x, chain.beta)
    assert asked == list(range(50, 1, -1))


class Knows(nn.Module):
    """A network that knows the data, one image for all, and so what every target should be."""

    def __init__(self, x, chain, target):
        super().__init__()
        self.x, self.chain, self.target = nn.Parameter(x), chain, target

    def forward(self, x_t, t):
        a = self.chain.alpha_bar.to(x_t)[t].view(-1, 1, 1, 1)
        noise = (x_t - a.sqrt() * self.x) / (1 - a).sqrt()
        p, q = target_weights(self.target, a.sqrt(), (1 - a).sqrt())
        return p * self.x + q * noise


@pytest.mark.parametrize("target", ["noise", "data", "velocity"])
def test_a_model_that_knows_the_data_has_no_loss_and_draws_it(target):
    chain, x = Schedule(BETAS["linear"]), 0.8 * normal(1, 1, 4, 4).tanh()
    model = DDPM(Knows(x, chain, target), chain, (1, 4, 4), target).double()
    assert model.loss((x.repeat(64, 1, 1, 1), None)) < 1e-20
    assert model.loss((-x.repeat(64, 1, 1, 1), None)) > 0.01
    x_t = normal(3, 1, 4, 4, seed=2)
    noise = model.predict(x_t, torch.tensor([3, 20, 50]))
    a = chain.alpha_bar[[3, 20, 50]].view(-1, 1, 1, 1)
    assert (a.sqrt() * x + (1 - a).sqrt() * noise - x_t).abs().max() < 1e-9
    with torch.no_grad():
        assert (model.float().sample(2) - x).abs().max() < 1e-4


def test_the_loss_draws_a_time_from_1_to_t_for_each_image():
    seen = []

    class Watches(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(()))

        def forward(self, x_t, t):
            seen.append(t)
            return self.weight * x_t

    torch.manual_seed(0)
    loss = DDPM(Watches(), Schedule(BETAS["linear"][:5]), (1, 2, 2)).loss((torch.zeros(5000, 1, 2, 2), None))
    counts = torch.bincount(seen[0], minlength=7)
    assert counts[0] == counts[6] == 0 and (counts[1:6] > 800).all()
    assert abs(loss.item() - 1) < 0.05  # of noise alone: the mean over pixels and batch of ε²


def test_the_chain_of_the_ring_ends_in_pure_noise():
    chain = Schedule(linear_betas())
    end = noisy_mixture(ring(), float(chain.alpha_bar[-1]))
    assert end.means.abs().max() < 0.01 and (end.covariances - torch.eye(2)).abs().max() < 1e-3
