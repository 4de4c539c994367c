"""Six kinds of damage and what undoes them, each against another way to compute it."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.fft import dctn, idctn
from torch import nn
from torch.distributions import MultivariateNormal

from minigen import denoising
from minigen.data import GaussianMixture, digits, moons
from minigen.denoising import (
    LUMA,
    Restorer,
    add_noise,
    compress,
    cut_block,
    dct,
    grey,
    hourglass,
    linear_denoiser,
    lower_resolution,
    psnr,
    restoration_error,
    tweedie,
    watermark,
)
from minigen.density import fit_gaussian
from minigen.train import train

ROUNDING = 1e-12  # float64 has 16 digits; these are sums of at most a few hundred terms of order 1


def images(n=4, c=3, h=16, w=24, seed=0):
    g = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(n, c, h, w, generator=g, dtype=torch.float64) - 1


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- PSNR


def test_psnr_is_the_mean_of_the_decibels_of_each_picture():
    clean = images()
    other = clean + normal(*clean.shape) * torch.tensor([0.1, 0.2, 0.5, 2.0]).view(4, 1, 1, 1)
    by_hand = []
    for a, b in zip(clean.numpy(), other.numpy(), strict=True):
        root = np.linalg.norm(a - b) / math.sqrt(a.size)
        by_hand.append(20 * math.log10(2 / root))
    assert abs(psnr(clean, other).item() - np.mean(by_hand)) < 1e-10  # of about 20 dB


def test_psnr_of_an_error_of_a_tenth_of_the_range_is_20_dB_and_white_for_black_0_dB():
    clean = images().clamp(max=0.8)
    assert abs(psnr(clean, clean + 0.2).item() - 20) < 1e-10
    black = -torch.ones(2, 1, 4, 4)
    assert abs(psnr(black, -black).item()) < 1e-6


def test_half_the_squared_error_is_three_decibels_more():
    clean, noise = images(), normal(4, 3, 16, 24)
    gain = psnr(clean, clean + noise / math.sqrt(2)) - psnr(clean, clean + noise)
    assert abs(gain.item() - 10 * math.log10(2)) < 1e-10


def test_psnr_of_equal_pictures_is_infinite():
    assert psnr(images(), images()) == math.inf


# --- the damages


def test_noise_is_scaled_and_added_and_not_cut_off():
    x, noise = images(), normal(4, 3, 16, 24, seed=1)
    y = add_noise(x, noise, 0.7)
    assert ((y - x) / 0.7 - noise).abs().max() < ROUNDING and y.abs().max() > 1.5
    assert torch.equal(add_noise(x, noise, 0), x)


@pytest.mark.parametrize("size", [1, 3, 16])
def test_a_hole_is_what_a_slice_of_each_picture_says(size):
    x, g = images(h=16, w=24), torch.Generator().manual_seed(size)
    top = torch.randint(16 - size + 1, (4,), generator=g)
    left = torch.randint(24 - size + 1, (4,), generator=g)
    expected = x.clone()
    for i in range(4):
        expected[i, :, top[i] : top[i] + size, left[i] : left[i] + size] = -1
    before = x.clone()
    assert torch.equal(cut_block(x, top, left, size), expected) and torch.equal(x, before)


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_lower_resolution_is_average_pooling(factor):
    x = images()
    small = lower_resolution(x, factor)
    assert (small - F.avg_pool2d(x, factor)).abs().max() < ROUNDING
    area = F.interpolate(x, scale_factor=1 / factor, mode="area")
    assert (small - area).abs().max() < ROUNDING
    assert (small.mean((2, 3)) - x.mean((2, 3))).abs().max() < ROUNDING  # no brightness is lost


def test_grey_keeps_greys_and_has_the_published_weights():
    assert LUMA == (0.299, 0.587, 0.114) and abs(sum(LUMA) - 1) < ROUNDING
    x = images()
    assert (
        grey(x) - torch.from_numpy(np.einsum("nchw,c->nhw", x.numpy(), LUMA)[:, None])
    ).abs().max() < ROUNDING
    only_grey = x[:, :1].expand(4, 3, 16, 24)
    assert (grey(only_grey) - x[:, :1]).abs().max() < ROUNDING


def test_grey_agrees_with_pillow():
    from PIL import Image

    levels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    theirs = np.asarray(Image.fromarray(levels).convert("L"))
    x = torch.from_numpy(levels).double().movedim(-1, 0)[None] / 127.5 - 1
    ours = (grey(x)[0, 0].numpy() + 1) * 127.5
    assert np.abs(ours - theirs).max() < 0.51  # theirs are rounded to whole levels


def test_a_watermark_mixes_the_picture_with_white_as_pillow_does():
    from PIL import Image

    rng = np.random.default_rng(0)
    levels, cover = (rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((20, 30, 3), (20, 30)))
    white = Image.new("RGB", (30, 20), "white")
    theirs = np.asarray(Image.composite(white, Image.fromarray(levels), Image.fromarray(cover)))
    x = torch.from_numpy(levels).double().movedim(-1, 0)[None] / 127.5 - 1
    ours = watermark(x, torch.from_numpy(cover).double()[None, None] / 255, 1.0)
    assert np.abs((ours[0].movedim(0, -1).numpy() + 1) * 127.5 - theirs).max() < 1  # whole levels, again


def test_a_watermark_of_strength_0_is_not_seen_and_of_strength_1_is_white():
    x, mark = images(), (torch.arange(24) < 10).double().expand(1, 1, 16, 24)
    assert torch.equal(watermark(x, mark, 0), x)
    covered = watermark(x, mark, 1)
    assert (covered[..., :10] == 1).all() and torch.equal(covered[..., 10:], x[..., 10:])
    assert watermark(x, mark, 0.6).abs().max() <= 1


@pytest.mark.parametrize("n", [1, 2, 8, 11])
def test_dct_is_the_orthonormal_one_of_scipy(n):
    waves = dct(n)
    assert (waves @ waves.T - torch.eye(n)).abs().max() < ROUNDING
    theirs = np.stack([dctn(row, norm="ortho") for row in np.eye(n)], 1)
    assert np.abs(waves.numpy() - theirs).max() < ROUNDING


@pytest.mark.parametrize("step", [0.1, 1.0, 3.0])
def test_compress_rounds_the_dct_of_each_square_as_scipy_says(step):
    x = images()
    expected = np.empty(x.shape)
    for n, c, i, j in np.ndindex(4, 3, 2, 3):
        square = (n, c, slice(8 * i, 8 * i + 8), slice(8 * j, 8 * j + 8))
        strengths = dctn(x.numpy()[square], norm="ortho")
        expected[square] = idctn(step * np.round(strengths / step), norm="ortho")
    assert np.abs(compress(x, step).numpy() - expected).max() < 1e-10  # no strength is so near a border


def test_compress_errs_by_at_most_half_a_step_in_the_root_mean_square():
    x = images()
    error = (compress(x, 0.4) - x).square().mean().sqrt()
    assert 0 < error <= 0.2
    assert abs(error - 0.4 / math.sqrt(12)) < 0.01  # of evenly spread strengths; 4,608 draws
    again = compress(compress(x, 0.4).clamp(-1, 1), 1e-6)
    assert (again - compress(x, 0.4).clamp(-1, 1)).abs().max() < 1e-4  # a tiny step loses nothing


# --- what undoes them


def correlated(n=300, d=5, seed=0):
    mix = normal(d, d, seed=seed)
    return normal(n, d, seed=seed + 1) @ mix + 3


def test_the_linear_denoiser_is_the_posterior_mean_of_a_gaussian():
    mean, covariance = fit_gaussian(correlated())
    y, std = correlated(7, seed=5), 0.8
    precision = torch.linalg.inv(covariance)
    posterior = torch.linalg.inv(precision + torch.eye(5) / std**2)  # Bishop, equation 2.117
    expected = (precision @ mean + y / std**2) @ posterior
    assert (linear_denoiser(y, mean, covariance, std) - expected).abs().max() < 1e-10


def test_no_least_squares_fit_to_many_noisy_copies_beats_the_linear_denoiser():
    x, std = correlated(200), 1.5
    centred = x - x.mean(0)
    mean, covariance = x.mean(0), centred.T @ centred / len(x)  # of exactly these points
    clean = x.repeat(1000, 1)
    y = clean + std * normal(*clean.shape, seed=9)
    ones = torch.ones(len(y), 1, dtype=torch.float64)
    fit = torch.linalg.lstsq(torch.cat([y, ones], 1), clean).solution
    by_fit = torch.cat([y, ones], 1) @ fit
    ours = linear_denoiser(y, mean, covariance, std)
    best, error = (float((z - clean).square().sum(1).mean()) for z in (by_fit, ours))
    assert best <= error < 1.0005 * best  # the fit also fits the noise of these 200,000 draws a little


def test_along_a_principal_axis_the_linear_denoiser_keeps_its_share_of_the_variance():
    mean, covariance = fit_gaussian(correlated())
    variances, axes = torch.linalg.eigh(covariance)
    kept = (linear_denoiser(mean + axes.T, mean, covariance, 0.8) - mean) @ axes
    assert (kept - torch.diag(variances / (variances + 0.64))).abs().max() < 1e-10


@pytest.mark.parametrize("std", [0.05, 0.4, 2.0])
def test_tweedie_is_the_posterior_mean_of_a_mixture_worked_out_by_numerical_integration(std):
    toy = GaussianMixture(torch.tensor([[-1.0], [0.5], [1.2]]), stds=torch.tensor([0.2, 0.4, 0.1]))
    noisy = GaussianMixture(toy.means, covariances=toy.covariances + std**2 * torch.eye(1).double())
    y = torch.linspace(-3, 3, 13, dtype=torch.float64)
    x = torch.linspace(-5, 5, 200_001, dtype=torch.float64)
    log_weight = toy.log_density(x[:, None]) - (x - y[:, None]).square() / (2 * std**2)  # (13, 200001)
    expected = (log_weight.softmax(1) * x).sum(1)
    ours = tweedie(y[:, None], noisy.score(y[:, None]), std)[:, 0]
    assert (ours - expected).abs().max() < 1e-7


def test_tweedie_is_the_wiener_filter_when_data_is_gaussian():
    mean, covariance = fit_gaussian(correlated())
    y, std = correlated(9, seed=4).requires_grad_(), 0.7
    noisy = MultivariateNormal(mean, covariance + std**2 * torch.eye(5).double())
    (score,) = torch.autograd.grad(noisy.log_prob(y).sum(), y)
    ours = tweedie(y.detach(), score, std)
    assert (ours - linear_denoiser(y.detach(), mean, covariance, std)).abs().max() < 1e-10


def test_tweedie_agrees_with_the_mean_of_weighted_clean_draws():
    toy, std = moons(0.1), 0.4
    noisy = GaussianMixture(toy.means, covariances=toy.covariances + std**2 * torch.eye(2).double())
    y = torch.tensor([[0.0, 0.0], [1.5, 1.0], [-1.0, -0.5]], dtype=torch.float64)
    x = toy.sample(400_000, torch.Generator().manual_seed(0)).double()
    weights = (-torch.cdist(y, x).square() / (2 * std**2)).softmax(1)
    # the worst has some 3,000 draws that count, each about 0.4 from their mean: 0.008 is a standard error
    assert (tweedie(y, noisy.score(y), std) - weights @ x).abs().max() < 0.03


def test_the_restoration_error_compares_with_the_clean_picture():
    clean, spoiled = images(seed=0), 2 * images(seed=1)
    d = (clean - 3 * spoiled).numpy()
    expected = np.einsum("nchw,nchw->", d, d) / 4
    assert abs(restoration_error(lambda y: 3 * y, clean, spoiled).item() - expected) < 1e-10 * expected
    assert restoration_error(lambda y: clean, clean, spoiled) == 0


def test_of_two_possible_pictures_the_mean_has_the_smallest_restoration_error():
    clean, spoiled = torch.stack([images(1)[0], images(1, seed=1)[0]]), torch.zeros(2, 3, 16, 24)
    answer = torch.zeros_like(clean[0]).requires_grad_()
    error = restoration_error(lambda y: answer.expand_as(clean), clean, spoiled)
    (gradient,) = torch.autograd.grad(error, answer)
    newton = answer.detach() - gradient / 2  # the error is quadratic, with a second derivative of 2
    assert (newton - clean.mean(0)).abs().max() < ROUNDING


@pytest.mark.parametrize("channels_in, channels_out, size", [(1, 1, 8), (3, 3, 16), (1, 3, 16)])
def test_a_restorer_keeps_the_size_and_may_add_channels(channels_in, channels_out, size):
    model = Restorer(hourglass(channels_in, channels_out, width=4))
    y = torch.randn(5, channels_in, size, size)
    assert model(y).shape == (5, channels_out, size, size)
    clean = torch.randn(5, channels_out, size, size)
    assert torch.equal(model.loss((clean, y)), restoration_error(model, clean, y))


@pytest.mark.parametrize(("channels_in", "channels_out"), [(1, 1), (3, 3), (1, 3)])
def test_what_a_restorer_says_can_be_viewed_in_rows_whatever_the_order_of_its_network_in_memory(
    channels_in, channels_out
):
    network = hourglass(channels_in, channels_out, 4).to(memory_format=torch.channels_last)
    y = torch.randn(3, channels_in, 8, 8)
    for spoiled in y, y.to(memory_format=torch.channels_last):
        restored = Restorer(network)(spoiled)
        clean = torch.zeros(3, channels_out, 8, 8)
        for difference in clean - restored, restored - clean:
            assert difference.view(3, -1).shape == (3, channels_out * 64)


def test_a_restorer_whose_network_says_nothing_changes_nothing():
    network = hourglass(3, 3, width=4)
    nn.init.zeros_(network[-1].weight)
    nn.init.zeros_(network[-1].bias)
    y = torch.randn(2, 3, 16, 16)
    assert torch.equal(Restorer(network)(y), y)


def test_every_pixel_of_an_hourglass_can_know_of_a_far_one():
    """At a quarter of the size, four convolutions of 3×3 see at least 16 pixels to every side."""
    torch.manual_seed(0)
    x = torch.randn(1, 1, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(hourglass(1, 1, width=4)(x)[0, 0, 16, 16], x)
    assert gradient[0, 0, 6, 6].abs() > 0 and gradient[0, 0, 26, 26].abs() > 0


def test_a_restorer_learns_to_denoise_and_with_the_noisy_target_it_does_not():
    x = digits("train")[0]
    held_out = digits("test")[0]
    noisy = add_noise(held_out, normal(*held_out.shape).float(), 0.5)

    def gained(mistake):
        def pairs(generator):
            clean = x[torch.randint(len(x), (32,), generator=generator)]
            spoiled = add_noise(clean, torch.randn(clean.shape, generator=generator), 0.5)
            return (spoiled if mistake else clean), spoiled

        torch.manual_seed(0)
        model = Restorer(hourglass(1, 1, width=4))
        *_, (_, _, averaged) = train(model, pairs, steps=100, lr=0.01, progress=False, device="cpu")
        with torch.no_grad():
            return (psnr(held_out, averaged(noisy)) - psnr(held_out, noisy)).item()

    assert gained(mistake=False) > 2  # over five seeds it is 4.0 to 4.5
    assert abs(gained(mistake=True)) < 0.5


def test_a_restorer_uses_the_error_that_the_module_holds_now(monkeypatch):
    """A learner's right answer is installed in the module, and has to be what training runs on."""
    monkeypatch.setattr(denoising, "restoration_error", lambda restore, clean, spoiled: "the learner's")
    assert Restorer(nn.Identity()).loss((images(), images())) == "the learner's"


# --- refusals


ROWS, X = torch.zeros(4, dtype=torch.long), images()


@pytest.mark.parametrize(
    "call",
    [
        lambda x: psnr(x, x),
        lambda x: add_noise(x, x, 0.1),
        lambda x: cut_block(x, ROWS, ROWS, 2),
        lambda x: lower_resolution(x, 2),
        lambda x: grey(x),
        lambda x: watermark(x, torch.zeros(1, 1, 16, 24), 0.5),
        lambda x: compress(x, 1.0),
    ],
)
@pytest.mark.parametrize(
    "x",
    [
        (X + 1) * 127.5,
        X[0],
        X[:0],
        torch.full_like(X, torch.nan),
        torch.zeros(4, 3, 16, 24, dtype=torch.uint8),
        X.numpy(),
    ],
)
def test_what_is_no_batch_of_images_is_refused_with_the_name_of_the_argument(call, x):
    with pytest.raises(
        ValueError, match=r"(x|clean) should be images \(N, C, H, W\), floating point.*; got "
    ):
        call(x)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: psnr(X, X[:1]), r"other should have clean's shape \(4, 3, 16, 24\); got \(1, 3, 16, 24\)"),
        (lambda: add_noise(X, X[:, :1], 0.1), r"noise should have x's shape .*; got \(4, 1, 16, 24\)"),
        (lambda: add_noise(X, X, -0.1), "std should be at least 0; got -0.1"),
        (lambda: add_noise(X, X, math.nan), "std should be at least 0; got nan"),
        (lambda: cut_block(X, ROWS + 12, ROWS, 5), "holes of size 5 should be inside 16×24 pixels; got top"),
        (lambda: cut_block(X, ROWS, ROWS + 20, 5), "holes of size 5 should be inside 16×24 pixels"),
        (lambda: cut_block(X, ROWS - 1, ROWS, 5), "holes of size 5 should be inside"),
        (lambda: cut_block(X, ROWS, ROWS, 0), "holes of size 0"),
        (lambda: cut_block(X, ROWS[:3], ROWS, 2), r"top and left should be \(4,\); got \(3,\) and \(4,\)"),
        (lambda: lower_resolution(X, 3), r"factor should divide height and width \(16, 24\); got 3"),
        (lambda: lower_resolution(X, 0), "factor should divide"),
        (lambda: grey(X[:, :1]), "x should have 3 channels, red, green and blue; got 1"),
        (lambda: watermark(X, X[:, :1], 0.5), r"mark should be \(4 or 1, 1, 16, 24\), in \[0, 1\]; got"),
        (lambda: watermark(X, torch.ones(4, 1, 8, 8), 0.5), r"mark should be .*; got \(4, 1, 8, 8\)"),
        (lambda: watermark(X, torch.ones(3, 1, 16, 24), 0.5), r"mark should be .*; got \(3, 1, 16, 24\)"),
        (lambda: watermark(X, torch.full((1, 1, 16, 24), torch.nan), 0.5), "mark should be"),
        (lambda: watermark(X, torch.ones(1, 1, 16, 24), 1.1), r"strength should be in \[0, 1\]; got 1.1"),
        (lambda: compress(images(h=12), 1.0), r"sides that are multiples of 8; got \(12, 24\)"),
        (lambda: compress(X, 0), "step should be above 0; got 0"),
    ],
)
def test_what_cannot_be_is_refused_in_words(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda x, k: tweedie(x, x, 0.5),
        lambda x, k: restoration_error(Restorer(hourglass(3, 3, 4).to("meta")), x, x),
        lambda x, k: linear_denoiser(k, k[0], k[:2], 0.5),
    ],
)
def test_results_live_where_the_inputs_live(call):
    """The meta device stands for a GPU: it refuses to mix with tensors made on the CPU."""
    x, rows = torch.empty(4, 3, 16, 16, device="meta"), torch.empty(5, 2, device="meta")
    assert call(x, rows).device.type == "meta"
