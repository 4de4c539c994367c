"""The parts of a variational autoencoder, each against another way to compute it."""

import math
import re

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence

from minigen import vae
from minigen.autoencoder import reconstruction_error
from minigen.data import digits
from minigen.train import train
from minigen.vae import (
    VAE,
    BernoulliVAE,
    bernoulli_nll,
    gaussian_nll,
    kl_1d,
    kl_full,
    kl_standard,
    reparameterize,
)

ROUNDING = 1e-10  # float64 has 16 digits; these sums have a few hundred terms of order 1 to 100


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def positive(*shape, seed=0):
    return normal(*shape, seed=seed).div(2).exp()


def covariance(k, seed=0):
    root = normal(k, k + 3, seed=seed)
    return root @ root.T / k


def black_and_white(*shape, seed=0):
    return torch.where(normal(*shape, seed=seed) > 0, 1.0, -1.0).double()


def random_images(n, model, seed=0):
    return normal(n, *model.shape, seed=seed).clamp(-1, 1).float()


@pytest.mark.parametrize(
    "mean_q, std_q, mean_p, std_p", [(0, 1, 0, 1), (1, 0.5, 0, 1), (-2, 2, 1, 0.7), (0.3, 0.05, 0, 3)]
)
def test_kl_1d_is_the_integral_that_defines_it(mean_q, std_q, mean_p, std_p):
    def integrand(z):
        return norm.pdf(z, mean_q, std_q) * (norm.logpdf(z, mean_q, std_q) - norm.logpdf(z, mean_p, std_p))

    # beyond 12 standard deviations less than 1e-30 is left, and quad is asked for 1e-12
    integral, _ = quad(integrand, mean_q - 12 * std_q, mean_q + 12 * std_q, epsabs=1e-12, limit=200)
    args = (torch.tensor(float(a), dtype=torch.float64) for a in (mean_q, std_q, mean_p, std_p))
    assert abs(kl_1d(*args).item() - integral) < 1e-9


def test_kl_1d_agrees_with_torch_distributions_and_broadcasts():
    mean_q, std_q = normal(4, 5), positive(4, 5, seed=1)
    mean_p, std_p = normal(5, seed=2), positive(1, seed=3)
    theirs = kl_divergence(Normal(mean_q, std_q), Normal(mean_p, std_p))
    assert (kl_1d(mean_q, std_q, mean_p, std_p) - theirs).abs().max() < ROUNDING


def test_kl_1d_is_zero_for_equal_gaussians_and_positive_for_others():
    mean, std = normal(50), positive(50, seed=1)
    assert kl_1d(mean, std, mean, std).abs().max() < ROUNDING
    assert (kl_1d(mean, std, mean.flip(0), std.flip(0)) > 1e-6).all()


def test_kl_standard_agrees_with_torch_distributions_and_with_both_other_forms():
    mu, logvar = normal(6, 4), normal(6, 4, seed=1)
    std, zero, one = (
        (logvar / 2).exp(),
        torch.zeros((), dtype=torch.float64),
        torch.ones((), dtype=torch.float64),
    )
    ours = kl_standard(mu, logvar)
    theirs = kl_divergence(Normal(mu, std), Normal(zero, one)).sum(1)
    full = torch.stack(
        [
            kl_full(m, s.square().diag(), torch.zeros_like(m), torch.eye(4).double())
            for m, s in zip(mu, std, strict=True)
        ]
    )
    assert ours.shape == (6,)
    for other in (theirs, full, kl_1d(mu, std, zero, one).sum(1)):
        assert (ours - other).abs().max() < ROUNDING


@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_kl_full_agrees_with_torch_distributions(k):
    q, p = (normal(k), covariance(k)), (normal(k, seed=1), covariance(k, seed=2))
    theirs = kl_divergence(MultivariateNormal(*q), MultivariateNormal(*p))
    assert abs(kl_full(*q, *p) - theirs) < ROUNDING * max(1, theirs)
    assert abs(kl_full(*q, *q)) < ROUNDING


def test_kl_full_is_the_average_log_ratio_of_draws():
    """An oracle without any of the algebra: scipy's log-densities on 400,000 draws of q."""
    (mean_q, cov_q), (mean_p, cov_p) = (normal(2), covariance(2)), (normal(2, seed=1), covariance(2, seed=2))
    q, p = multivariate_normal(mean_q, cov_q), multivariate_normal(mean_p, cov_p)
    z = q.rvs(400_000, random_state=np.random.default_rng(0))
    ratios = q.logpdf(z) - p.logpdf(z)
    error = 5 * ratios.std() / math.sqrt(len(z))  # five standard errors
    assert abs(kl_full(mean_q, cov_q, mean_p, cov_p).item() - ratios.mean()) < error


def test_kl_full_stays_finite_where_a_determinant_underflows():
    narrow = 1e-8 * torch.eye(64, dtype=torch.float64)  # |Σ| is 1e-512, and float64 ends at 1e-308
    zero, eye = torch.zeros(64, dtype=torch.float64), torch.eye(64, dtype=torch.float64)
    expected = 32 * (1e-8 - 1 - math.log(1e-8))
    assert abs(kl_full(zero, narrow, zero, eye).item() - expected) < 1e-9 * expected


def test_a_reparameterized_draw_has_the_mean_and_the_spread():
    mu, logvar = torch.tensor([[1.0, -3.0]]).double(), torch.tensor([[4.0, 0.25]]).double().log()
    z = reparameterize(mu.expand(200_000, 2), logvar.expand(200_000, 2), normal(200_000, 2))
    # the standard error of the mean is σ/√n = 0.0045, that of the spread 0.0032
    assert (z.mean(0) - torch.tensor([1.0, -3.0])).abs().max() < 0.02
    assert (z.std(0) - torch.tensor([2.0, 0.5])).abs().max() < 0.02


def test_the_gradient_through_a_draw_is_the_finite_difference():
    mu, logvar, eps = normal(3, 4), normal(3, 4, seed=1), normal(3, 4, seed=2)

    def cost(mu, logvar):
        z = reparameterize(mu, logvar, eps)
        return (z.sin() + z.square()).sum()

    leaves = mu.clone().requires_grad_(), logvar.clone().requires_grad_()
    gradients = torch.autograd.grad(cost(*leaves), leaves)
    h = 1e-6  # the error of a central difference is of order h² + 1e-16/h
    for which, gradient in enumerate(gradients):
        for place in np.ndindex(3, 4):
            step = torch.zeros(3, 4, dtype=torch.float64)
            step[place] = h
            up, down = [mu, logvar], [mu, logvar]
            up[which], down[which] = up[which] + step, down[which] - step
            assert abs((cost(*up) - cost(*down)) / (2 * h) - gradient[place]) < 1e-7


def test_gaussian_nll_agrees_with_torch_distributions():
    x, mean, log_std = normal(5, 3, 4, 4), normal(5, 3, 4, 4, seed=1), torch.tensor(-0.7).double()
    theirs = -Normal(mean, log_std.exp()).log_prob(x).sum((1, 2, 3))
    assert gaussian_nll(x, mean, log_std).shape == (5,)
    assert (gaussian_nll(x, mean, log_std) - theirs).abs().max() < ROUNDING * 100


def test_gaussian_nll_with_spread_one_is_half_of_the_squared_error_and_a_constant():
    x, mean = normal(5, 1, 8, 8), normal(5, 1, 8, 8, seed=1)
    nll = gaussian_nll(x, mean, torch.zeros((), dtype=torch.float64)).mean()
    assert abs(nll - reconstruction_error(x, mean) / 2 - 32 * math.log(2 * math.pi)) < ROUNDING * 100


def test_bernoulli_nll_agrees_with_torch_distributions():
    x, logits = black_and_white(5, 1, 8, 8), 3 * normal(5, 1, 8, 8, seed=1)
    theirs = -Bernoulli(logits=logits).log_prob((x + 1) / 2).sum((1, 2, 3))
    assert bernoulli_nll(x, logits).shape == (5,)
    assert (bernoulli_nll(x, logits) - theirs).abs().max() < ROUNDING * 100


def test_bernoulli_probabilities_of_all_pictures_add_up_to_one():
    bits = torch.arange(2**6)[:, None] >> torch.arange(6) & 1
    pictures = (2.0 * bits - 1).double().view(-1, 1, 2, 3)
    logits = 2 * normal(1, 1, 2, 3).expand(len(pictures), -1, -1, -1)
    assert abs((-bernoulli_nll(pictures, logits)).exp().sum() - 1) < ROUNDING


def test_bernoulli_nll_is_exact_for_a_decoder_that_is_sure_and_wrong():
    logits = torch.full((1, 1, 1, 1), 200.0, requires_grad=True)
    nll = bernoulli_nll(torch.full((1, 1, 1, 1), -1.0), logits)
    assert nll.item() == 200 and torch.autograd.grad(nll.sum(), logits)[0].item() == 1


@pytest.mark.parametrize("model", [VAE(3, 16, 5, 4), BernoulliVAE(1, 8, 3, 4)])
def test_shapes_and_ranges_of_a_vae(model):
    torch.manual_seed(0)
    x = black_and_white(4, *model.shape).float()
    mu, logvar = model.encode(x)
    assert mu.shape == logvar.shape == (4, model.latent)
    assert model.decode(100 * mu).shape == x.shape and model.decode(100 * mu).abs().max() <= 1
    assert [term.shape for term in model.terms(x, torch.randn(4, model.latent))] == [(4,), (4,)]
    drawn = model.sample(7)
    assert (
        drawn.shape == (7, *model.shape) and not drawn.requires_grad and not torch.equal(drawn[0], drawn[1])
    )


def test_the_loss_is_the_negative_elbo_of_torch_distributions():
    """The whole objective once more from torch's parts, for the noise that the loss draws."""
    model = VAE(2, 8, 3, 4, beta=2.5)
    x = random_images(6, model)
    torch.manual_seed(1)
    loss = model.loss((x, None))
    torch.manual_seed(1)
    mu, logvar = model.encode(x)
    q = Normal(mu, (logvar / 2).exp())
    p_x = Normal(model.decode(q.loc + q.scale * torch.randn(6, 3)), model.log_std.exp())
    nll = -p_x.log_prob(x).sum((1, 2, 3)).mean()
    kl = kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean()
    # float32: 128 terms of order 1 to 10
    assert torch.allclose(loss["reconstruction"], nll, rtol=1e-5)
    assert torch.allclose(loss["kl"], 2.5 * kl, rtol=1e-5)


def linear_vae(slope, spread):
    """A VAE of one pixel whose evidence is known: p(x | z) = N(slope · z, spread²), p(z) = N(0, 1)."""

    class Linear(VAE):
        def __init__(self):
            super().__init__(1, 4, 1, 4)
            self.q = torch.zeros(2, dtype=torch.float64)
            self.log_std = torch.nn.Parameter(torch.tensor(math.log(spread), dtype=torch.float64))

        def encode(self, x):
            return tuple(v.expand(len(x), 1) for v in self.q)

        def decode(self, z):
            return slope * z.view(-1, 1, 1, 1)

    return Linear()


def test_evidence_is_elbo_plus_gap_where_all_three_are_known():
    """p(x) = N(0, a² + s²) and p(z | x) = N(a x / (a² + s²), s² / (a² + s²)); Gauss–Hermite is exact."""
    slope, spread, x = 2.0, 0.8, torch.full((1, 1, 1, 1), 0.7, dtype=torch.float64)
    total = slope**2 + spread**2
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(8))
    model = linear_vae(slope, spread)
    for mean, std in [(0.0, 1.0), (0.5, 0.3), (slope * 0.7 / total, spread / math.sqrt(total))]:
        model.q = torch.tensor([mean, 2 * math.log(std)], dtype=torch.float64)
        nll, kl = model.terms(x.expand(8, 1, 1, 1), nodes[:, None])
        elbo = -(weights * nll).sum() / weights.sum() - kl[0]
        q, posterior = Normal(mean, std), Normal(slope * 0.7 / total, spread / math.sqrt(total))
        evidence = Normal(0.0, math.sqrt(total)).log_prob(torch.tensor(0.7, dtype=torch.float64))
        # torch.distributions makes float32 of Python numbers: 7 digits
        assert abs(evidence - elbo - kl_divergence(q, posterior)).item() < 1e-6


def test_a_vae_learns_in_a_few_steps_and_uses_its_code():
    x = digits()[0][:32]
    torch.manual_seed(0)
    model = VAE(latent=2, width=4)
    history = [
        losses for _, losses, _ in train(model, lambda g: (x, None), steps=100, lr=0.01, progress=False)
    ]
    assert history[-1]["loss"] < history[0]["loss"] - 60  # over four seeds it falls by 117 to 144 nats
    assert set(history[0]) == {"loss", "reconstruction", "kl"}


def broken_vae(bug):
    class Broken(VAE):
        def loss(self, batch):
            terms = super().loss(batch)
            return {"mean over the pixels": terms["reconstruction"] / 64, "none": terms["reconstruction"]}[
                bug
            ] + terms["kl"]

    return Broken(latent=4, width=4)


def test_a_mean_over_the_pixels_in_one_term_makes_the_code_collapse():
    x = digits()[0][:64]
    kl = {}
    for bug in ("none", "mean over the pixels"):
        torch.manual_seed(0)
        model = broken_vae(bug)
        for _ in train(model, lambda g: (x, None), steps=120, lr=0.01, progress=False):
            pass
        kl[bug] = kl_standard(*model.encode(x)).mean().item()
    assert kl["mean over the pixels"] < 0.1 < 1 < kl["none"]  # over four seeds 0.000, and 2.5 to 6 nats


NAN = torch.full((2, 1, 8, 8), math.nan)


@pytest.mark.parametrize("model", [VAE(1, 8, 2, 4), BernoulliVAE(1, 8, 2, 4)])
@pytest.mark.parametrize(
    "x, what_came",
    [
        (torch.zeros(2, 3, 8, 8), r"should be images \(N, 1, 8, 8\); got shape \(2, 3, 8, 8\)"),
        (torch.zeros(2, 1, 16, 16), r"should be images \(N, 1, 8, 8\); got shape \(2, 1, 16, 16\)"),
        (torch.zeros(2, 64), r"should be images \(N, C, H, W\).* got shape \(2, 64\)"),
        (torch.zeros(1, 8, 8), r"should be images \(N, C, H, W\).* got shape \(1, 8, 8\)"),
        (torch.zeros(0, 1, 8, 8), "should be images .* empty"),
        (torch.full((2, 1, 8, 8), 255.0), r"in \[-1, 1\]; got values from 255 to 255"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.uint8), "floating point.* got .*uint8"),
        (NAN, "not finite"),
        (NAN.nan_to_num(math.inf), "not finite"),
        (np.zeros((2, 1, 8, 8), dtype=np.float32), "should be images .* got ndarray"),
    ],
)
def test_a_vae_says_what_it_wants(model, x, what_came):
    for call in (model.encode, lambda x: model.loss((x, None)), lambda x: model.terms(x, torch.zeros(2, 2))):
        with pytest.raises(ValueError, match=f"^x .*{what_came}"):
            call(x)


@pytest.mark.parametrize("model", [VAE(1, 8, 2, 4), BernoulliVAE(1, 8, 2, 4)])
@pytest.mark.parametrize("shape", [(3, 5), (3,), (1, 3, 2)])
def test_a_vae_refuses_codes_of_a_wrong_shape(model, shape):
    with pytest.raises(ValueError, match=rf"^z should be of shape \({shape[0]}, 2\); got \({shape[0]},"):
        model.decode(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(1, 2), (3, 1), (2,), (), (4, 2), (3, 3)])
def test_a_vae_refuses_noise_that_would_only_broadcast(shape):
    model, got = VAE(1, 8, 2, 4), re.escape(str(shape))
    with pytest.raises(ValueError, match=rf"^eps should be of shape \(3, 2\); got {got}$"):
        model.terms(torch.zeros(3, 1, 8, 8), torch.zeros(shape))


def test_a_bernoulli_vae_refuses_grey():
    with pytest.raises(
        ValueError, match=r"^x should be black and white, every pixel −1 or 1; got grey pixels"
    ):
        BernoulliVAE(1, 8, 2, 4).encode(torch.full((2, 1, 8, 8), 0.3))


@pytest.mark.parametrize("size", [2, 6, 28])
def test_a_vae_refuses_sizes_that_it_cannot_halve(size):
    with pytest.raises(ValueError, match=f"size should be a power of two, at least 4; got {size}"):
        VAE(1, size)


@pytest.mark.parametrize("name", ["reparameterize", "kl_standard", "gaussian_nll"])
def test_the_vae_runs_on_what_the_module_holds_now(name, monkeypatch):
    """A learner's right answer is installed in the module, and has to be what training runs on."""
    called, original = [], getattr(vae, name)
    monkeypatch.setattr(vae, name, lambda *a: called.append(name) or original(*a))
    VAE(1, 8, 2, 4).loss((torch.zeros(2, 1, 8, 8), None))
    assert called == [name]


@pytest.mark.parametrize(
    "call",
    [
        lambda x, k: reparameterize(k, k, k),
        lambda x, k: kl_1d(k, k, k, k),
        lambda x, k: kl_standard(k, k),
        lambda x, k: kl_full(k[0], k, k[0], k),
        lambda x, k: gaussian_nll(x, x, k[0, 0]),
        lambda x, k: bernoulli_nll(x, x),
    ],
)
def test_results_live_where_the_inputs_live(call):
    """The meta device stands for a GPU: it refuses to mix with tensors made on the CPU."""
    assert (
        call(torch.empty(3, 1, 8, 8, device="meta"), torch.empty(4, 4, device="meta")).device.type == "meta"
    )
