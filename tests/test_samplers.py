"""Fewer steps: against DDPM's posterior, the exact flow of a Gaussian, and each other; float64 identities."""

from itertools import pairwise

import pytest
import torch

from minigen.course import reference
from minigen.data import ring
from minigen.diffusion import (
    Schedule,
    cosine_betas,
    data_from_noise,
    exact_noise,
    linear_betas,
    middle_betas,
    posterior,
    q_sample,
)
from minigen.metrics import mmd
from minigen.recipes import fingerprint
from minigen.samplers import ddim_step, extrapolate, few_steps, invert, jump, times, times_by_noise

CHAINS = {"linear": Schedule(linear_betas()), "cosine": Schedule(cosine_betas())}


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed), dtype=torch.float64)


def exact(mixture, chain):
    return lambda x_t, t: exact_noise(x_t, t, mixture, chain.alpha_bar)


def gaussian(chain, std):
    """The exact noise in data from N(0, std²), and the number by which its flow multiplies x from T to 0."""

    def predict(x_t, t):
        a = chain.alpha_bar[t]
        return (1 - a).sqrt() * x_t / (a * std**2 + 1 - a)

    last = chain.alpha_bar[-1]
    return predict, std / (last * std**2 + 1 - last).sqrt()


@pytest.mark.parametrize("steps", [1, 3, 7, 50, 999, 1000])
def test_times_fall_from_t_to_0_evenly(steps):
    found = times(1000, steps)
    assert found[0] == 1000 and found[-1] == 0 and len(found) == steps + 1
    gaps = [t - s for t, s in pairwise(found)]
    assert min(gaps) >= 1 and max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize("steps", [0, 1001])
def test_times_refuse_a_number_of_steps_that_the_chain_does_not_have(steps):
    with pytest.raises(ValueError, match=f"from 1 to 1000, the number of steps in the chain; got {steps}"):
        times(1000, steps)
    with pytest.raises(ValueError, match=f"from 1 to 1000, the number of steps in the chain; got {steps}"):
        times_by_noise(CHAINS["cosine"].alpha_bar, steps)


@pytest.mark.parametrize("steps", [1, 2, 3, 12, 50, 999, 1000])
@pytest.mark.parametrize("chain", [*CHAINS.values(), Schedule(middle_betas())], ids=[*CHAINS, "middle"])
def test_times_by_noise_fall_from_t_to_0_and_none_comes_twice(chain, steps):
    found = times_by_noise(chain.alpha_bar, steps)
    assert found[0] == 1000 and found[-1] == 0 and len(found) == steps + 1
    assert all(t > s for t, s in pairwise(found))


def test_times_by_noise_are_even_in_the_root_of_noise_over_signal():
    roots = torch.linspace(0.1, 4, 1000, dtype=torch.float64)  # 3, the root of `most`, at t = 744
    alpha_bar = torch.cat([torch.ones(1), 1 / (1 + roots**4)])
    even = [round(t) for t in torch.linspace(744, 1, 7).tolist()]
    assert times_by_noise(alpha_bar, 8, most=9.0) == [1000, *even, 0]
    assert times_by_noise(alpha_bar, 4, most=100.0) == [1000, 999, 500, 1, 0]  # not so much noise is there


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_ddim_with_eta_one_is_the_ddpm_posterior(chain):
    x0, x_t, noise = normal(4, 3), normal(4, 3, seed=1), normal(4, 3, seed=2)
    for t in 2, 100, 999:
        mean, variance = posterior(x0, x_t, t, chain)
        found = ddim_step(x_t, x0, t, t - 1, chain.alpha_bar, eta=1.0, noise=noise)
        assert (found - (mean + variance.sqrt() * noise)).abs().max() < 1e-10


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_ddim_with_eta_zero_keeps_data_and_noise(chain):
    x, noise = normal(4, 3), normal(4, 3, seed=1)
    x_t = q_sample(x, 800, noise, chain.alpha_bar)
    found = ddim_step(x_t, x, 800, 300, chain.alpha_bar)
    assert (found - q_sample(x, 300, noise, chain.alpha_bar)).abs().max() < 1e-10


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_one_update_serves_every_path(chain, eta):
    x0, x_t, noise = normal(4, 3), normal(4, 3, seed=1), normal(4, 3, seed=2)
    for t, s in (1000, 700), (500, 499), (3, 0):
        start, end = (((a := chain.alpha_bar[i]).sqrt(), (1 - a).sqrt()) for i in (t, s))
        mine = ddim_step(x_t, x0, t, s, chain.alpha_bar, eta, noise)
        assert (jump(x_t, x0, start, end, eta, noise) - mine).abs().max() < 1e-10


def test_on_a_straight_path_the_update_is_a_step_of_euler():
    x, noise = normal(4, 3), normal(4, 3, seed=1)
    t, s = torch.tensor(0.8, dtype=torch.float64), torch.tensor(0.3, dtype=torch.float64)
    x_t = (1 - t) * x + t * noise
    assert (jump(x_t, x, (1 - t, t), (1 - s, s)) - (x_t + (s - t) * (noise - x))).abs().max() < 1e-12


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_the_second_order_step_is_that_of_the_paper(chain):
    """DPM-Solver++ (2M), algorithm 2, in its own symbols."""
    x, now, before = normal(4, 3), normal(4, 3, seed=1), normal(4, 3, seed=2)
    alpha, sigma = chain.alpha_bar.sqrt(), (1 - chain.alpha_bar).sqrt()
    lam = (alpha / sigma).log()
    for r, t, s in (900, 850, 790), (40, 20, 10):
        h, ratio = lam[s] - lam[t], (lam[t] - lam[r]) / (lam[s] - lam[t])
        d = (1 + 1 / (2 * ratio)) * now - 1 / (2 * ratio) * before
        wanted = sigma[s] / sigma[t] * x - alpha[s] * ((-h).exp() - 1) * d
        aim = extrapolate(now, before, (r, t, s), chain.alpha_bar)
        assert (ddim_step(x, aim, t, s, chain.alpha_bar) - wanted).abs().max() < 1e-10
        noise = normal(4, 3, seed=3)  # its SDE version
        decay = (1 - (-2 * h).exp()).sqrt()
        wanted = sigma[s] / sigma[t] * (-h).exp() * x + alpha[s] * decay**2 * d + sigma[s] * decay * noise
        assert (ddim_step(x, aim, t, s, chain.alpha_bar, 1.0, noise) - wanted).abs().max() < 1e-10


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_twice_the_steps_halve_the_error_of_first_order_and_quarter_that_of_second(chain):
    """On the flow of a Gaussian, whose end is known."""
    predict, scale = gaussian(chain, 0.5)
    x = normal(100, 1)

    def error(steps, second):
        found = few_steps(predict, x, chain.alpha_bar, steps, second_order=second)
        return (found - scale * x).abs().max().item()

    assert 1.7 < error(10, False) / error(20, False) < 2.2
    assert error(10, True) / error(20, True) > 4
    assert error(20, True) < 0.35 * error(20, False)


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("second_order", [False, True])
def test_the_exact_noise_gives_the_ring_back(eta, second_order):
    chain, plane, draw = CHAINS["linear"], ring(), rng(1)
    start = torch.randn(2000, 2, generator=rng())
    noise = lambda t: torch.randn(2000, 2, generator=draw)  # noqa: E731
    made = few_steps(exact(plane, chain), start, chain.alpha_bar, 60, eta, noise, second_order)
    true = plane.sample(2000, rng(2))
    assert mmd(made, true) < 5e-3 < mmd(0.8 * true, true)
    nearest = torch.cdist(made.double(), plane.means).min(1).values
    assert (nearest < 0.3).double().mean() > 0.9


def test_all_steps_with_eta_one_and_zeros_for_noise_are_ancestral_means():
    chain = Schedule(linear_betas(30, 0.01, 0.2))
    predict, _ = gaussian(chain, 0.7)
    x = start = normal(5, 2)
    for t in range(30, 0, -1):
        x, _ = posterior(data_from_noise(x, predict(x, t), t, chain.alpha_bar), x, t, chain)
    found = few_steps(predict, start, chain.alpha_bar, 30, eta=1.0, noise=lambda t: torch.zeros_like(start))
    assert (found - x).abs().max() < 1e-10


def test_fresh_noise_is_asked_for_in_every_step_but_the_last_and_never_without_eta():
    chain, asked = CHAINS["cosine"], []
    noise = lambda t: asked.append(t) or torch.zeros(1, 1)  # noqa: E731
    few_steps(lambda x, t: 0 * x, torch.zeros(1, 1), chain.alpha_bar, 5, eta=0.5, noise=noise)
    assert asked == [1000, 800, 600, 400]
    few_steps(lambda x, t: 0 * x, torch.zeros(1, 1), chain.alpha_bar, 5, noise=noise)
    assert len(asked) == 4


def test_clipping_keeps_the_data_that_is_aimed_at_inside():
    chain = CHAINS["cosine"]
    found = few_steps(lambda x, t: -3 * torch.ones_like(x), normal(9, 1), chain.alpha_bar, 10, clip=True)
    assert found.max() == 1


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_there_and_back_without_fresh_noise(chain):
    """With many rounds the backward walk is the inverse; with one it is near, nearer with more steps."""
    predict, x = exact(ring(std=0.3), chain), ring(std=0.3).sample(50, rng()).double()

    def error(steps, rounds):
        noise = invert(predict, x, chain.alpha_bar, steps, rounds)
        return (few_steps(predict, noise, chain.alpha_bar, steps) - x).abs().max().item()

    assert error(50, 30) < (1e-10 if chain is CHAINS["linear"] else 1e-3)  # the last cosine step is too wide
    assert 1e-3 < error(200, 1) < 0.3 * error(50, 1)


def test_the_noise_of_inverted_draws_is_standard_normal():
    chain, plane = CHAINS["linear"], ring()
    noise = invert(exact(plane, chain), plane.sample(4000, rng()).double(), chain.alpha_bar, 200)
    assert mmd(noise.float(), torch.randn(4000, 2, generator=rng(1))) < 5e-3


def test_what_all_steps_give_was_measured_with_the_recipe_as_it_stands():
    measured = reference("digit_ddpm, ancestral")
    assert measured["recipe"] == fingerprint("digit_ddpm"), "benchmarks/steps.py should be run again"
    assert measured["samples"] >= 1000 and len(measured["fid"]) >= 3
