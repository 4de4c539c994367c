"""Guidance on a mixture of Gaussians, where the class of a point and its exact noise are known."""

import pytest
import torch
from torch import nn

from minigen.data import GaussianMixture, batches
from minigen.ddpm import ConditionalDDPM
from minigen.diffusion import Schedule, cosine_betas, exact_noise, linear_betas, noisy_mixture, q_sample
from minigen.guidance import (
    NoisyClassifier,
    classifier_free,
    classifier_gradient,
    classifier_guided,
    classifier_shifted,
    drop_labels,
    tilted,
)
from minigen.samplers import few_steps, step_back
from minigen.train import train
from minigen.unet import LabelledUNet

CHAINS = {"linear": Schedule(linear_betas(200, 1e-3, 0.1)), "cosine": Schedule(cosine_betas(200))}
PARTS = [
    GaussianMixture(torch.tensor([[-1.5, 0.0], [0.5, 1.0]]), stds=torch.tensor([0.3, 0.5])),
    GaussianMixture(torch.tensor([[1.0, -0.5]]), stds=0.4),
]
SHARES = torch.tensor([0.3, 0.7], dtype=torch.float64)


def whole():
    """The mixture of both classes."""
    means = torch.cat([p.means for p in PARTS])
    covariances = torch.cat([p.covariances for p in PARTS])
    weights = torch.cat([share * p.weights for share, p in zip(SHARES, PARTS, strict=True)])
    return GaussianMixture(means, covariances=covariances, weights=weights)


def of(mixture, chain):
    return lambda x_t, t: exact_noise(x_t, t, mixture, chain.alpha_bar)


def log_class(k, chain):
    """log p(class k | x_t), by Bayes' rule."""

    def log_probability(x_t, t):
        a_bar = chain.alpha_bar[t].item()
        logs = [
            s.log() + noisy_mixture(p, a_bar).log_density(x_t) for s, p in zip(SHARES, PARTS, strict=True)
        ]
        return torch.stack(logs).log_softmax(0)[k]

    return log_probability


def points(n=50, seed=0):
    return 1.5 * torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("k", [0, 1])
def test_a_classifier_with_scale_one_is_bayes_rule(chain, k):
    guided = classifier_guided(of(whole(), chain), log_class(k, chain), chain.alpha_bar)
    for t in 1, 20, 100, 199:
        assert (guided(points(), t) - of(PARTS[k], chain)(points(), t)).abs().max() < 1e-10


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("which", ["beta", "variance"])
def test_the_mean_of_a_step_back_is_shifted_by_the_variance_times_the_slope(chain, which):
    variances, scale, x = getattr(chain, which), 2.5, points()
    plain = of(whole(), chain)
    shifted = classifier_shifted(plain, log_class(0, chain), chain, variances, scale)
    for t in 1, 2, 100, 199:
        slope = classifier_gradient(log_class(0, chain), x, t)
        means = (step_back(x, p(x, t), t, chain) for p in (shifted, plain))
        moved = next(means) - next(means)
        assert (moved - scale * variances[t] * slope).abs().max() < 1e-10


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_both_algorithms_agree_but_for_the_root_of_alpha(chain):
    plain, log = of(whole(), chain), log_class(1, chain)
    shifted = classifier_shifted(plain, log, chain, chain.beta)
    guided = classifier_guided(plain, log, chain.alpha_bar)
    for t in 1, 50, 199:
        noise = plain(points(), t)
        ratio = (shifted(points(), t) - noise) / (guided(points(), t) - noise)
        assert (ratio - chain.alpha[t].sqrt()).abs().max() < 1e-8


@pytest.mark.parametrize("gamma", [0.0, 0.4, 1.0, 3.0])
def test_a_tilted_gaussian_is_the_product_on_a_grid(gamma):
    x = torch.linspace(-20, 20, 40_001, dtype=torch.float64)
    numbers = [torch.tensor([value], dtype=torch.float64) for value in (0.5, 4.0, 1.0, 0.49)]
    base, told = (torch.distributions.Normal(m, v.sqrt()).log_prob(x) for m, v in (numbers[:2], numbers[2:]))
    p = (base + gamma * (told - base)).softmax(0)
    mean = (p * x).sum()
    found = tilted(*numbers, gamma)
    assert found[0].item() == pytest.approx(mean.item(), abs=1e-9)
    assert found[1].item() == pytest.approx((p * (x - mean) ** 2).sum().item(), abs=1e-9)


def test_a_tilt_without_an_end_is_refused():
    one = torch.ones(2)
    with pytest.raises(ValueError, match="should have an end; with γ = 3"):
        tilted(0 * one, one, one, torch.tensor([0.5, 2.0]), 3.0)


@pytest.mark.parametrize("w", [0.0, 0.5, 1.0, 3.0])
def test_guidance_without_a_classifier_is_guidance_by_the_exact_one(w):
    chain = CHAINS["linear"]
    free = classifier_free(of(whole(), chain), of(PARTS[0], chain), w)
    bent = classifier_guided(of(whole(), chain), log_class(0, chain), chain.alpha_bar, scale=w)
    for t in 1, 20, 100, 199:
        assert (free(points(), t) - bent(points(), t)).abs().max() < 1e-10
    ends = {0.0: whole(), 1.0: PARTS[0]}
    if w in ends:
        assert (free(points(), 20) - of(ends[w], chain)(points(), 20)).abs().max() < 1e-10


def test_the_slope_is_that_of_finite_differences_and_leaves_the_classifier_alone():
    chain, x, h = CHAINS["linear"], points(5), 1e-6
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    slope = classifier_gradient(lambda x, t: weight * log_class(1, chain)(x, t), x, 30)
    for i in range(2):
        away = torch.zeros(2, dtype=torch.float64).index_fill(0, torch.tensor([i]), h)
        rise = (log_class(1, chain)(x + away, 30) - log_class(1, chain)(x - away, 30)) / (2 * h)
        assert (slope[:, i] - rise).abs().max() < 1e-7
    assert weight.grad is None and not slope.requires_grad and not x.requires_grad


def test_the_slope_is_found_where_gradients_are_switched_off():
    with torch.no_grad():
        assert classifier_gradient(log_class(0, CHAINS["linear"]), points(), 30).abs().max() > 0


def test_points_drawn_with_guidance_are_of_their_class_and_a_higher_scale_draws_them_together():
    chain = CHAINS["cosine"]
    start = torch.randn(2000, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    drawn = {}
    for w in 0.0, 1.0, 3.0:
        predict = classifier_free(of(whole(), chain), of(PARTS[0], chain), w)
        drawn[w] = few_steps(predict, start, chain.alpha_bar, 100)
    sure = {w: log_class(0, chain)(x, 1).exp().mean() for w, x in drawn.items()}
    of_class = PARTS[0].sample(20_000, torch.Generator().manual_seed(2)).double()
    assert abs(sure[0.0] - SHARES[0]) < 0.05
    assert abs(sure[1.0] - log_class(0, chain)(of_class, 1).exp().mean()) < 0.02
    assert sure[3.0] > sure[1.0] + 0.02
    assert drawn[3.0].var(0).sum() < drawn[1.0].var(0).sum()


class Shelf(nn.Module):
    """Stands for a network of three classes: what it answers grows with the label, 3 for none."""

    classes = 3

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.1))
        self.seen = []

    def forward(self, x_t, t, labels):
        self.seen.append(labels)
        return self.gain * (x_t + labels[:, None, None, None])


def test_a_conditional_model_is_told_its_labels_but_for_those_that_are_dropped():
    model = ConditionalDDPM(Shelf(), CHAINS["cosine"], (1, 2, 2), dropped=0.25)
    labels = torch.arange(4000) % 3
    loss = model.loss((torch.zeros(4000, 1, 2, 2), labels))
    (seen,) = model.network.seen
    assert abs((seen == 3).double().mean() - 0.25) < 0.03 and torch.equal(seen[seen < 3], labels[seen < 3])
    loss.backward()
    assert model.network.gain.grad != 0


def test_a_conditional_model_without_guidance_is_that_of_its_labels_and_with_w_0_of_none():
    model = ConditionalDDPM(Shelf(), CHAINS["cosine"], (1, 2, 2))
    x, labels = torch.randn(3, 1, 2, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2])
    for w, asked in (0.0, torch.full((3,), 3)), (1.0, labels):
        assert torch.allclose(model.guided(labels, w)(x, 50), model.told(asked).predict(x, 50), atol=1e-6)
    far = model.guided(labels, 3.0)(x, 50) - model.told(torch.full((3,), 3)).predict(x, 50)
    near = model.told(labels).predict(x, 50) - model.told(torch.full((3,), 3)).predict(x, 50)
    assert torch.allclose(far, 3 * near, atol=1e-5)


def test_a_conditional_model_draws_images_in_range_with_labels_and_without():
    model = ConditionalDDPM(LabelledUNet(classes=3, width=16), Schedule(cosine_betas(5)), (1, 4, 4))
    for labels in None, torch.tensor([0, 2]):
        made = model.sample(2, labels, w=2.0)
        assert made.shape == (2, 1, 4, 4) and made.abs().max() <= 1


def test_a_network_with_labels_starts_as_zeros_and_learns_to_tell_them_apart():
    network = LabelledUNet(classes=2, width=16)
    x, t = torch.randn(3, 1, 4, 4), torch.tensor([1, 2, 3])
    assert network(x, t, torch.tensor([0, 1, 2])).abs().max() == 0
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    same = [network(x[:1], t[:1], torch.tensor([label])) for label in (0, 1, 2)]
    assert (same[0] - same[1]).abs().max() > 1e-4 and (same[1] - same[2]).abs().max() > 1e-4


def test_a_noisy_classifier_knows_clean_images_and_knows_that_it_knows_nothing_of_noise():
    pattern = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(0)).sign()
    x = torch.cat([pattern, -pattern]).repeat(200, 1, 1, 1)
    labels = torch.arange(400) % 2
    torch.manual_seed(0)
    model = NoisyClassifier(CHAINS["cosine"], classes=2, size=4, width=16)
    for _ in train(model, batches(x, labels), 150, lr=3e-3, progress=False):
        pass
    model.eval()
    sure = {}
    for t in 1, 199:
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(t))
        x_t = q_sample(x, t, noise, CHAINS["cosine"].alpha_bar)
        sure[t] = model.log_probability(labels)(x_t, t).exp().mean().item()
    assert sure[1] > 0.95 and abs(sure[199] - 0.5) < 0.1


def test_labels_are_dropped_each_by_itself_in_the_share_that_is_asked_for():
    labels = torch.arange(10).repeat(1000)
    draws = torch.rand(10_000, generator=torch.Generator().manual_seed(0))
    kept = drop_labels(labels, draws, 0.2, 10)
    assert abs((kept == 10).double().mean() - 0.2) < 0.02
    assert torch.equal(kept[kept < 10], labels[kept < 10]) and kept.dtype == labels.dtype
    assert torch.equal(drop_labels(labels, draws, 0.0, 10), labels)
