"""Walks, bounds and told models, each against another way to compute it."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from torch import nn
from torch.distributions import MultivariateNormal, Normal

from minigen import latent_space
from minigen.autoencoder import reconstruction_error
from minigen.latent_space import (
    ConditionalVAE,
    SwapAutoencoder,
    attribute_vector,
    importance_weighted_bound,
    lerp,
    log_weights,
    separation,
    slerp,
    squared_correlations,
    traversal,
)
from minigen.train import train
from minigen.vae import VAE, kl_standard

ROUNDING = 1e-10  # float64 has 16 digits; these sums have some hundred terms of order 1 to 100


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def angle(a, b):
    """In radians, well conditioned also near 0 and π (Kahan)."""
    u, v = nn.functional.normalize(a, dim=1), nn.functional.normalize(b, dim=1)
    return 2 * torch.atan2((u - v).norm(dim=1), (u + v).norm(dim=1))


def images(n, channels=1, size=8, seed=0):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("way", [lerp, slerp])
def test_both_ways_lead_from_a_to_b_and_back(way):
    a, b = normal(20, 7), 3 * normal(20, 7, seed=1)
    t = torch.rand(20, dtype=torch.float64)
    assert (way(a, b, 0) - a).abs().max() < ROUNDING and (way(a, b, 1) - b).abs().max() < ROUNDING
    assert (way(a, b, t) - way(b, a, 1 - t)).abs().max() < ROUNDING


def test_lerp_is_what_torch_calls_lerp():
    a, b, t = normal(9, 4), normal(9, 4, seed=1), torch.rand(9, dtype=torch.float64)
    assert (lerp(a, b, t) - torch.lerp(a, b, t[:, None])).abs().max() < ROUNDING
    assert (lerp(a[:1], b[:1], t) - torch.lerp(a[:1], b[:1], t[:, None])).abs().max() < ROUNDING


@pytest.mark.parametrize("k", [2, 3, 50])
def test_slerp_stays_on_the_sphere_and_walks_its_angle_evenly(k):
    a, b = (nn.functional.normalize(normal(30, k, seed=s), dim=1) for s in (0, 1))
    for t in (0.1, 0.5, 0.8):
        point = slerp(a, b, t)
        assert (point.norm(dim=1) - 1).abs().max() < 1e-9
        assert (angle(a, point) - t * angle(a, b)).abs().max() < 1e-6
        assert (angle(point, b) - (1 - t) * angle(a, b)).abs().max() < 1e-6


def test_slerp_in_the_plane_is_a_turn():
    start, turn = torch.tensor([0.3, 2.0, -1.0]), torch.tensor([1.0, 2.5, -2.9])
    corner = lambda at: torch.stack([at.cos(), at.sin()], 1).double()  # noqa: E731
    t = torch.tensor([0.25, 0.5, 0.9])
    assert (slerp(corner(start), corner(start + turn), t) - corner(start + t * turn)).abs().max() < 1e-6


def test_slerp_scales_with_both_lengths_at_once():
    a, b = normal(9, 5), normal(9, 5, seed=1)
    assert (slerp(7 * a, 7 * b, 0.3) - 7 * slerp(a, b, 0.3)).abs().max() < ROUNDING


def test_slerp_of_codes_of_two_lengths_keeps_the_weights_of_length_1_and_leans_to_the_longer_one():
    point = slerp(torch.tensor([[1.0, 0.0]]).double(), torch.tensor([[0.0, 2.0]]).double(), 0.5)
    assert (
        point - torch.tensor([[1.0, 2.0]]).double() * 0.5**0.5
    ).abs().max() < ROUNDING  # at 63.4 degrees, not 45


def test_slerp_of_many_shares_on_one_arc_takes_them_one_by_one():
    a, b, t = normal(1, 6), normal(1, 6, seed=1), torch.linspace(0, 1, 7, dtype=torch.float64)
    one_by_one = torch.cat([slerp(a, b, float(s)) for s in t])
    assert (slerp(a, b, t) - one_by_one).abs().max() < ROUNDING


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("factor", [1, 3, -1, -2])
def test_where_there_is_no_arc_slerp_is_the_straight_line(factor, dtype):
    """Rounding takes the cosines of some of these rows beyond ±1: their arccosine would be NaN."""
    a = normal(500, 6).to(dtype)
    assert (slerp(a, factor * a, 0.4) - lerp(a, factor * a, 0.4)).abs().max() < 1e-6


def test_middles_of_draws_are_too_short_on_the_line_and_right_on_the_arc():
    a, b = normal(4000, 200), normal(4000, 200, seed=1)
    typical = a.norm(dim=1).mean()
    # lengths of 200 dimensions vary by 5 %, means of 4,000 of them by 0.1 %
    assert abs(lerp(a, b, 0.5).norm(dim=1).mean() / typical - 0.5**0.5) < 0.01
    assert abs(slerp(a, b, 0.5).norm(dim=1).mean() / typical - 1) < 0.01


def test_an_attribute_vector_is_the_slope_of_least_squares_on_the_attribute():
    codes, has = normal(40, 5), torch.arange(40) % 3 == 0
    slope = LinearRegression().fit(has.numpy()[:, None].astype(float), codes.numpy()).coef_[:, 0]
    assert np.abs(attribute_vector(codes, has).numpy() - slope).max() < ROUNDING


def test_an_attribute_vector_finds_the_step_that_was_built_in():
    base, step = normal(3000, 6), torch.tensor([0, 2.0, 0, -1, 0, 0.5], dtype=torch.float64)
    has = torch.arange(3000) < 1000
    found = attribute_vector(base + has[:, None] * step, has)
    assert (found - step).abs().max() < 5 * (1 / 1000 + 1 / 2000) ** 0.5  # five standard errors
    assert torch.equal(attribute_vector(base, ~has), -attribute_vector(base, has))


def test_a_traversal_changes_one_number_and_leaves_the_code_that_it_was_given():
    z, values = normal(5), torch.tensor([-2.0, 0.0, 2.0], dtype=torch.float64)
    before = z.clone()
    walk = traversal(z, 3, values)
    assert torch.equal(walk[:, 3], values) and torch.equal(z, before)
    others = [0, 1, 2, 4]
    assert torch.equal(walk[:, others], z[others].expand(3, -1))


def test_squared_correlations_agree_with_numpy_whatever_the_scale():
    codes, factors = normal(60, 4) * 100 + 7, normal(60, 3, seed=1)
    factors[:, 0] += codes[:, 2] / 50
    theirs = np.corrcoef(codes.T.numpy(), factors.T.numpy())[:4, 4:] ** 2
    assert np.abs(squared_correlations(codes, factors).numpy() - theirs).max() < ROUNDING


def test_squared_correlations_of_a_constant_are_0():
    codes = torch.cat([torch.full((9, 1), 0.1), normal(9, 1).float()], dim=1)
    r2 = squared_correlations(codes, normal(9, 2, seed=1))
    assert r2.dtype == torch.float64 and (r2[0] < 1e-6).all() and (r2[1] > 0).all()


def test_separation_is_1_for_factors_themselves_and_0_for_copies_of_one_number():
    factors = torch.linalg.qr(normal(50, 3) - normal(50, 3).mean(0)).Q  # uncorrelated
    spare = torch.zeros(50, 1, dtype=torch.float64)
    assert abs(separation(torch.cat([factors.flip(1) * 5 + 2, spare], 1), factors) - 1) < 1e-9
    assert separation(factors[:, [0, 0]], factors[:, :1]) < 1e-9


def test_turning_the_code_lowers_the_separation_and_not_what_a_decoder_can_know():
    factors = torch.linalg.qr(normal(50, 2) - normal(50, 2).mean(0)).Q
    eighth = torch.tensor([[1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64) * 0.5**0.5
    assert separation(factors @ eighth, factors) < 1e-9 < 0.99 < separation(factors, factors)


class LinearVAE(VAE):
    """p(x | z) = N(A z + c, s² I): here log p(x), the posterior and the best q are known exactly."""

    def __init__(self):
        super().__init__(channels=1, size=4, latent=2, width=2)
        self.a, self.c, self.s = 0.2 * normal(16, 2), 0.1 * normal(16, seed=1), 0.3
        self.mean_of_q, self.std_of_q = None, None
        self.log_std = nn.Parameter(torch.tensor(math.log(self.s), dtype=torch.float64))

    def encode(self, x):
        """A diagonal Gaussian, around the true mean of the posterior, that is a little too wide."""
        precision = torch.eye(2, dtype=torch.float64) + self.a.T @ self.a / self.s**2
        mu = torch.linalg.solve(precision, self.a.T @ (x.flatten(1) - self.c).T / self.s**2).T
        return mu, (1.3 / precision.diagonal()).log().expand_as(mu)

    def decode(self, z):
        return (z @ self.a.T + self.c).view(-1, 1, 4, 4)

    def evidence(self, x):
        covariance = self.a @ self.a.T + self.s**2 * torch.eye(16, dtype=torch.float64)
        return MultivariateNormal(self.c, covariance).log_prob(x.flatten(1))


@torch.no_grad()
def linear_weights(draws, n=6):
    model = LinearVAE()
    z = normal(n, 2, seed=2)
    x = (model.decode(z) + model.s * normal(n, 1, 4, 4, seed=3)).clamp(-1, 1)
    return model, x, log_weights(model, x, normal(draws, n, 2, seed=4))


def test_log_weights_are_those_of_torch_distributions():
    torch.manual_seed(0)
    model, x, eps = VAE(channels=3, latent=4, width=4).double(), images(5, 3).double(), normal(3, 5, 4)
    with torch.no_grad():
        mu, logvar = model.encode(x)
        q = Normal(mu, (logvar / 2).exp())
        for found, e in zip(log_weights(model, x, eps), eps, strict=True):
            z = q.mean + q.stddev * e
            p_x = Normal(model.decode(z), model.log_std.exp()).log_prob(x).sum((1, 2, 3))
            wanted = p_x + Normal(0, 1).log_prob(z).sum(1) - q.log_prob(z).sum(1)
            # the constants that come in are float32 where torch makes them of Python numbers
            assert (found - wanted).abs().max() < 1e-4


def test_the_mean_log_weight_is_the_elbo():
    torch.manual_seed(0)
    model, x = VAE(latent=3, width=4), images(4)
    with torch.no_grad():
        eps = torch.randn(400, 4, 3)
        elbo = log_weights(model, x, eps).mean(0)
        mu, logvar = model.encode(x)
        nll = torch.stack([model.nll(x, z) for z in mu + (logvar / 2).exp() * eps])
        exact = -nll.mean(0) - kl_standard(mu, logvar)
    assert (elbo - exact).abs().max() < 0.2  # the KL by draws: 3 numbers of variance 1/2, over 400 draws


def test_the_bound_of_a_linear_model_converges_to_its_known_evidence_from_below():
    model, x, weights = linear_weights(4000)
    exact = model.evidence(x)
    elbo, bound = weights.mean(0), importance_weighted_bound(weights)
    assert (bound - exact).abs().max() < 0.05  # 4,000 draws, weights that vary by a factor of order 1
    assert (exact - elbo > 0.01).all(), "q is too wide, so that a gap is left"
    gaps = []
    for k in (1, 4, 16, 64):
        bounds = importance_weighted_bound(weights[: 3840 // k * k].view(k, -1, len(x)).flatten(1))
        gaps.append(exact.mean() - bounds.mean())
    assert all(a > b for a, b in pairwise(gaps)) and gaps[-1] > -0.01


def test_with_the_true_posterior_every_weight_is_the_evidence():
    """In one dimension a diagonal q can be exact."""
    model, x, _ = linear_weights(1)
    model.a = torch.cat([model.a[:, :1], torch.zeros(16, 1, dtype=torch.float64)], 1)
    precision = torch.eye(2, dtype=torch.float64) + model.a.T @ model.a / model.s**2
    mu, _ = model.encode(x)
    model.encode = lambda x: (mu, (1 / precision.diagonal()).log().expand_as(mu))
    with torch.no_grad():
        weights = log_weights(model, x, normal(50, len(x), 2))
    assert (weights - model.evidence(x)).abs().max() < 1e-4  # σ is a float32 of log 0.3


@pytest.mark.parametrize("shift", [0, 900, -900])
@pytest.mark.parametrize("k", [1, 2, 30])
def test_the_bound_is_the_logarithm_of_the_mean_weight(k, shift):
    log_w = 2 * normal(k, 8)
    wanted = np.log(np.exp(log_w.numpy()).mean(0)) + shift
    assert np.abs(importance_weighted_bound(log_w + shift).numpy() - wanted).max() < ROUNDING


def test_the_bound_is_never_below_the_elbo_of_its_draws_and_no_higher_than_the_best_draw():
    log_w = 5 * normal(16, 500)
    bound = importance_weighted_bound(log_w)
    assert (bound >= log_w.mean(0)).all() and (bound <= log_w.amax(0)).all()


def test_the_mean_bound_of_halves_is_never_above_the_bound_of_the_whole():
    log_w = 5 * normal(16, 500)
    halves = torch.stack([importance_weighted_bound(half) for half in log_w.chunk(2)]).mean(0)
    assert (importance_weighted_bound(log_w) >= halves).all()


@pytest.mark.parametrize("eps", [(3, 4), (0, 4, 3), (2, 5, 3), (2, 4, 2)])
def test_log_weights_say_which_draws_they_want(eps):
    wanted = r"eps should be \(K, 4, 3\), K >= 1, for these images and this model; got "
    with pytest.raises(ValueError, match=wanted):
        log_weights(VAE(latent=3, width=4), images(4), torch.zeros(eps))


BAD_IMAGES = [
    (torch.zeros(0, 1, 8, 8), "empty"),
    (127.5 * (images(4) + 1), "got values from"),
    (images(4).where(images(4) < 0.9, torch.nan), "not finite"),
    (images(4)[0], "got shape"),
    (images(4, size=16), "got shape"),
    (images(4, channels=2), "got shape"),
    (images(4).int(), "got shape"),
    ([1, 2], "list"),
]


@pytest.mark.parametrize("x, said", BAD_IMAGES, ids=[said for _, said in BAD_IMAGES])
def test_what_is_no_batch_of_images_is_refused_by_name(x, said):
    n = len(x)
    calls = [
        lambda: ConditionalVAE(3, latent=2, width=4).encode(x, torch.zeros(n, dtype=torch.long)),
        lambda: ConditionalVAE(3, latent=2, width=4).loss((x, torch.zeros(n, dtype=torch.long))),
        lambda: SwapAutoencoder(1, 8, 2, width=4).encode(x),
        lambda: SwapAutoencoder(1, 8, 2, width=4).swap(x, torch.zeros(n, dtype=torch.long)),
        lambda: log_weights(VAE(latent=2, width=4), x, torch.zeros(3, n, 2)),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=f"^x should be images .*; got .*|^x should .*{said}") as raised:
            call()
        assert said in str(raised.value)


BAD_LABELS = [
    (None, "NoneType"),
    (torch.zeros(4), "torch.float32"),
    (torch.ones(4, dtype=torch.bool), "torch.bool"),
    (torch.zeros(3, dtype=torch.long), r"shape \(3,\)"),
    (torch.zeros(4, 1, dtype=torch.long), r"shape \(4, 1\)"),
    (torch.tensor([0, 1, 3, 9]), "0 to 9"),
    (torch.tensor([0, -1, 1, 1]), "-1 to 1"),
]


@pytest.mark.parametrize("labels, said", BAD_LABELS, ids=[said for _, said in BAD_LABELS])
def test_wrong_labels_are_refused_by_name(labels, said):
    told, swapper = ConditionalVAE(3, latent=2, width=4), SwapAutoencoder(1, 8, 2, width=4)
    wanted = f"^labels should be 4 whole numbers from 0 to 2, one for each picture; got {said}"
    for call in (
        lambda: told.encode(images(4), labels),
        lambda: told.decode(torch.zeros(4, 2), labels),
        lambda: told.sample(4, labels),
        lambda: told.loss((images(4), labels)),
    ):
        with pytest.raises(ValueError, match=wanted):
            call()
    wanted = f"^family should be 4 whole numbers from 0 to 1, one for each picture; got {said}"
    with pytest.raises(ValueError, match=wanted):
        swapper.decode(torch.zeros(4, 2), labels)
    with pytest.raises(ValueError, match=wanted):
        swapper.loss((images(4), labels))


@pytest.mark.parametrize(
    "z", [torch.zeros(4, 3), torch.zeros(0, 2), torch.zeros(2), None, torch.full((4, 2), torch.inf)]
)
def test_codes_that_are_none_are_refused_by_name(z):
    labels = torch.zeros(4, dtype=torch.long)
    for model in (ConditionalVAE(3, latent=2, width=4), SwapAutoencoder(1, 8, 2, width=4)):
        with pytest.raises(ValueError, match=r"^z should be codes \(N, 2\), N >= 1.* got "):
            model.decode(z, labels)


def conditional(classes=3, seed=0, **settings):
    torch.manual_seed(seed)
    return ConditionalVAE(classes, **{"latent": 4, "width": 4, **settings})


def test_a_conditional_vae_depends_on_the_class_on_both_sides_and_on_each_picture_s_own_class_alone():
    model, x, labels = conditional(), images(6), torch.tensor([0, 1, 2, 0, 1, 2])
    other = labels.clone()
    other[2] = 0
    z = torch.randn(6, 4)
    with torch.no_grad():
        for first, second in (
            (model.encode(x, labels)[0], model.encode(x, other)[0]),
            (model.encode(x, labels)[1], model.encode(x, other)[1]),
            (model.decode(z, labels), model.decode(z, other)),
        ):
            changed = (first - second).abs().flatten(1).amax(1) > 1e-6
            assert changed.tolist() == [False, False, True, False, False, False]


def test_a_conditional_vae_whose_networks_do_not_listen_to_the_class_is_a_vae():
    told, plain = conditional(channels=2), VAE(channels=2, latent=4, width=4)
    seen, drawn = told.encoder[0], told.decoder[0]
    with torch.no_grad():
        seen.weight[:, 2:] = 0
        drawn.weight[:, 4:] = 0
        plain.load_state_dict(
            told.state_dict()
            | {"encoder.0.weight": seen.weight[:, :2], "decoder.0.weight": drawn.weight[:, :4]}
        )
        x, eps, labels = images(5, 2), torch.randn(5, 4), torch.tensor([0, 2, 1, 1, 0])
        for mine, theirs in zip(told.terms(x, eps, labels), plain.terms(x, eps), strict=True):
            assert (mine - theirs).abs().max() < 1e-3  # nats, of some hundred


def test_the_loss_of_a_conditional_vae_is_its_terms_averaged_over_the_batch():
    model, x, labels = conditional(), images(6), torch.tensor([0, 1, 2, 0, 1, 2])
    torch.manual_seed(5)
    loss = model.loss((x, labels))
    torch.manual_seed(5)
    nll, kl = model.terms(x, torch.randn(6, 4), labels)
    assert list(loss) == ["reconstruction", "kl"]
    assert torch.equal(loss["reconstruction"], nll.mean()) and torch.equal(loss["kl"], kl.mean())


def test_a_conditional_vae_learns_to_draw_what_it_is_told():
    """Two grey levels as two classes: the code need not say which, and the sample must."""
    torch.manual_seed(0)
    labels = torch.arange(64) % 2
    x = (0.8 * (2.0 * labels - 1)).view(-1, 1, 1, 1) + 0.1 * torch.randn(64, 1, 8, 8)
    model = conditional(classes=2, latent=2)
    *_, (_, _, averaged) = train(
        model, lambda g: (x.clamp(-1, 1), labels), steps=100, lr=1e-2, decay=0.9, progress=False, device="cpu"
    )
    wanted = torch.tensor([0] * 20 + [1] * 20)
    grey = averaged.sample(40, wanted).mean((1, 2, 3))
    # over five seeds the largest of dark is below -0.6 and the least of bright above 0.6
    assert grey[:20].max() < -0.4 and grey[20:].min() > 0.4


def swapping(seed=0):
    torch.manual_seed(seed)
    return SwapAutoencoder(channels=1, size=8, latent=2, width=4)


def test_each_family_is_drawn_by_its_own_decoder_and_swapped_by_the_other():
    model, x, family = swapping(), images(5), torch.tensor([0, 1, 1, 0, 1])
    with torch.no_grad():
        z = model.encode(x)
        by_hand = [torch.tanh(model.decoders[f](z[i : i + 1])) for i, f in enumerate(family.tolist())]
        other = [torch.tanh(model.decoders[1 - f](z[i : i + 1])) for i, f in enumerate(family.tolist())]
        assert (model.decode(z, family) - torch.cat(by_hand)).abs().max() < 1e-6
        assert (model.swap(x, family) - torch.cat(other)).abs().max() < 1e-6
        assert model.swap(x, family).abs().max() <= 1


def test_a_decoder_learns_from_its_own_family_alone_and_the_encoder_from_both():
    for f in (0, 1):
        model = swapping()
        model.loss((images(4), torch.full((4,), f))).backward()
        gradients = [sum(p.grad.abs().sum() for p in d.parameters()) for d in model.decoders]
        assert gradients[f] > 0 and gradients[1 - f] == 0
        assert all(p.grad.abs().sum() > 0 for p in model.encoder.parameters())


def test_the_loss_of_the_swap_is_the_error_of_each_picture_in_its_own_family():
    model, x, family = swapping(), images(4), torch.tensor([1, 0, 1, 1])
    assert torch.equal(
        model.loss((x, family)), reconstruction_error(x, model.decode(model.encode(x), family))
    )


@pytest.mark.parametrize(
    "name, call",
    [
        ("lerp", lambda: slerp(torch.ones(1, 2), torch.ones(1, 2), 0.5)),
        ("reconstruction_error", lambda: swapping().loss((images(2), torch.tensor([0, 1])))),
        ("kl_standard", lambda: conditional().terms(images(2), torch.zeros(2, 4), torch.tensor([0, 1]))),
        ("reparameterize", lambda: log_weights(VAE(latent=2, width=4), images(2), torch.zeros(1, 2, 2))),
    ],
)
def test_targets_are_reached_through_the_module(name, call, monkeypatch):
    """A learner's right answer is installed in the module, and has to be what runs."""

    class Reached(Exception):
        pass

    def stop(*args):
        raise Reached

    monkeypatch.setattr(latent_space, name, stop)
    with pytest.raises(Reached):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda z, x, y: lerp(z, z, 0.5),
        lambda z, x, y: slerp(z, z, torch.zeros(4, device="meta")),
        lambda z, x, y: traversal(z[0], 1, torch.zeros(3, device="meta")),
        lambda z, x, y: squared_correlations(z, z),
        lambda z, x, y: importance_weighted_bound(z),
    ],
)
def test_results_live_where_the_inputs_live(call):
    """The meta device stands for a GPU: it refuses to mix with tensors made on the CPU."""
    z, x, y = (torch.empty(s, device="meta") for s in ((4, 3), (4, 1, 8, 8), (4,)))
    assert call(z, x, y).device.type == "meta"
