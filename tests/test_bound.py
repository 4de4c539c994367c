"""The variational bound against distributions of torch, and data whose bits are known."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from minigen.bound import data_term, level_log_probability, prior_term, step_term
from minigen.diffusion import Schedule, cosine_betas, linear_betas, posterior, q_sample
from minigen.samplers import step_back

CHAIN = Schedule(linear_betas(100, 1e-3, 0.15))


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_prior_term_is_torchs_divergence():
    x = normal(5, 1, 3, 3).tanh()
    a = CHAIN.alpha_bar[-1]
    wanted = kl_divergence(Normal(a.sqrt() * x, (1 - a).sqrt()), Normal(torch.zeros_like(x), 1.0))
    assert (prior_term(x, CHAIN) - wanted.flatten(1).sum(1)).abs().max() < 1e-10


@pytest.mark.parametrize("variances", ["beta", "variance"])
def test_a_step_term_is_torchs_divergence(variances):
    x, noise, guess = normal(4, 1, 3, 3).tanh(), normal(4, 1, 3, 3, seed=1), normal(4, 1, 3, 3, seed=2)
    table = getattr(CHAIN, variances)
    for t in 2, 30, 100:
        x_t = q_sample(x, t, noise, CHAIN.alpha_bar)
        mean, variance = posterior(x, x_t, t, CHAIN)
        q = Independent(Normal(mean, variance.sqrt()), 3)
        p = Independent(Normal(step_back(x_t, guess, t, CHAIN), table[t].sqrt()), 3)
        found = step_term(lambda x_t, t: guess, x, t, noise, CHAIN, table)
        assert (found - kl_divergence(q, p)).abs().max() < 1e-9


def test_with_the_posteriors_variance_a_step_term_is_a_weighted_error_of_the_noise():
    x, noise, guess, t = normal(4, 2).tanh(), normal(4, 2, seed=1), normal(4, 2, seed=2), 40
    beta, alpha, a_bar = CHAIN.beta[t], CHAIN.alpha[t], CHAIN.alpha_bar[t]
    weight = beta**2 / (2 * CHAIN.variance[t] * alpha * (1 - a_bar))  # equation 12
    found = step_term(lambda x_t, t: guess, x, t, noise, CHAIN, CHAIN.variance)
    assert (found - weight * (noise - guess).square().sum(1)).abs().max() < 1e-10


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_the_probabilities_of_all_levels_sum_to_one(levels):
    x = torch.linspace(-1, 1, levels, dtype=torch.float64)
    for mean, std in (0.0, 1.0), (-0.9, 0.05), (3.0, 0.5):
        log_p = level_log_probability(x, torch.tensor(mean), torch.tensor(std), levels)
        assert (log_p <= 0).all() and abs(log_p.exp().sum() - 1) < 1e-9


def test_a_level_far_from_the_mean_has_a_finite_logarithm():
    x = torch.tensor([-1.0, 0.0, 1.0])
    log_p = level_log_probability(x, torch.tensor(0.0), torch.tensor(0.01), 3)
    assert torch.isfinite(log_p).all() and abs(log_p[1]) < 1e-6
    exact = Normal(0.0, 0.01).log_prob(torch.tensor(0.5))  # the tail is near its density, times σ²/0.5
    assert abs(log_p[0] - log_p[2]) < 1e-3 and abs(log_p[2] - (exact + math.log(0.01**2 / 0.5))) < 0.01


@pytest.mark.parametrize("betas", [linear_betas(), cosine_betas()], ids=["linear", "cosine"])
def test_the_bound_of_fair_coins_is_one_bit_each_and_a_little(betas):
    """Pixels of -1 or 1, whose best denoiser is a tanh; nobody can need less than one bit for each."""
    chain = Schedule(betas)
    x = normal(400, 4).sign()

    def predict(x_t, t):
        a = chain.alpha_bar[t]
        return (x_t - a.sqrt() * (a.sqrt() / (1 - a) * x_t).tanh()) / (1 - a).sqrt()

    def bits(guess):
        terms = [prior_term(x, chain), data_term(guess, x, normal(400, 4, seed=1), chain, levels=2)]
        terms += [
            step_term(guess, x, t, normal(400, 4, seed=t), chain, chain.variance) for t in range(2, 1001)
        ]
        return sum(term.mean().item() for term in terms) / 4 / math.log(2)

    best = bits(predict)
    assert 0.98 < best < 1.1  # less a few standard errors; and T is not endless
    assert bits(lambda x_t, t: 0.9 * predict(x_t, t)) > best + 0.05
