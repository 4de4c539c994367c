"""Codes for images, each against another way to compute it."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from minigen import autoencoder
from minigen.autoencoder import (
    ConvAutoencoder,
    LinearAutoencoder,
    pca,
    principal_angles,
    project,
    quantise,
    reconstruct,
    reconstruction_error,
)
from minigen.data import digits
from minigen.train import train

ROUNDING = 1e-10  # float64 has 16 digits; these sums have a few thousand terms of order 1 to 100


def random_data(n=50, d=7, seed=0):
    """Correlated rows whose mean is far from zero: forgetting to centre must show."""
    g = torch.Generator().manual_seed(seed)
    mix = torch.randn(d, d, generator=g, dtype=torch.float64)
    return torch.randn(n, d, generator=g, dtype=torch.float64) @ mix + 10


@pytest.mark.parametrize("n, d, k", [(50, 7, 1), (50, 7, 3), (5, 7, 4), (50, 7, 7)])
def test_pca_finds_the_mean_and_the_subspace_that_scikit_learn_finds(n, d, k):
    x = random_data(n, d)
    mean, axes = pca(x, k)
    ours, theirs = axes, torch.from_numpy(PCA(k, svd_solver="full").fit(x.numpy()).components_)
    assert axes.shape == (k, d) and (mean - x.mean(0)).abs().max() < ROUNDING
    assert (ours.T @ ours - theirs.T @ theirs).abs().max() < ROUNDING  # signs are free, projectors are not


def test_pca_sorts_its_axes_by_the_variance_along_them():
    x = random_data()
    mean, axes = pca(x, 7)
    eigenvalues = torch.from_numpy(np.linalg.eigvalsh(np.cov(x.numpy().T))).flip(0)
    assert (project(x, mean, axes).var(0) - eigenvalues).abs().max() < ROUNDING * eigenvalues[0]
    assert (axes @ axes.T - torch.eye(7)).abs().max() < ROUNDING


@pytest.mark.parametrize("shape, k", [((5, 7), 0), ((5, 7), 6), ((7, 5), 6), ((5, 1, 8, 8), 2)])
def test_pca_says_what_it_wants(shape, k):
    with pytest.raises(ValueError, match=r"x \(N, D\) and 1 <= k <= min\(N, D\); got x .* and k = "):
        pca(torch.zeros(shape), k)


@pytest.mark.parametrize("k", [1, 4, 7])
def test_project_and_reconstruct_agree_with_scikit_learn(k):
    x, new = random_data(), random_data(n=9, seed=1)
    other = PCA(k, svd_solver="full").fit(x.numpy())
    mean, axes = torch.from_numpy(other.mean_), torch.from_numpy(other.components_)
    codes = project(new, mean, axes)
    assert (codes - torch.from_numpy(other.transform(new.numpy()))).abs().max() < ROUNDING
    back = torch.from_numpy(other.inverse_transform(codes.numpy()))
    assert (reconstruct(codes, mean, axes) - back).abs().max() < ROUNDING


def test_reconstruction_error_sums_over_pixels_and_means_over_the_batch():
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 6, 3, 4, 5, generator=g)
    d = (x - y).numpy().astype(np.float64)
    expected = np.einsum("nchw,nchw->", d, d) / 6
    # float32 here: 60 squares of order 1 to an image, so about 1e-6 of the result
    assert abs(reconstruction_error(x, y).item() - expected) < 1e-5 * expected


def test_reconstruction_error_of_pca_is_the_sum_of_the_variances_left_out():
    x = random_data()
    left_out = np.linalg.eigvalsh(np.cov(x.numpy().T, bias=True))[: 7 - 3].sum()
    mean, axes = pca(x, 3)
    error = reconstruction_error(x, reconstruct(project(x, mean, axes), mean, axes))
    assert abs(error.item() - left_out) < ROUNDING * left_out * 100


@pytest.mark.parametrize("k, d", [(1, 2), (3, 8), (5, 6), (6, 6)])
def test_principal_angles_agree_with_scipy(k, d):
    g = torch.Generator().manual_seed(k)
    a, b = torch.randn(2, k, d, generator=g, dtype=torch.float64)
    theirs = np.rad2deg(subspace_angles(a.numpy().T, b.numpy().T))[::-1]
    # a cosine is known to some 1e-15, and near 1 the angle errs by the root of it: 4e-8 rad, 3e-6 degrees
    assert np.abs(principal_angles(a, b).numpy() - theirs).max() < 1e-5


def test_principal_angles_are_those_that_were_built_in():
    turn = torch.tensor([0.0, 1.5, 30.0, 90.0], dtype=torch.float64)
    eye = torch.eye(8, dtype=torch.float64)
    a, away = eye[:4], eye[4:]
    b = turn.deg2rad().cos()[:, None] * a + turn.deg2rad().sin()[:, None] * away
    assert (principal_angles(a, b) - turn).abs().max() < 2e-6


def test_principal_angles_compare_subspaces_and_not_the_rows_that_span_them():
    g = torch.Generator().manual_seed(0)
    a = torch.randn(3, 9, generator=g, dtype=torch.float64)
    other_rows = 100 * torch.randn(3, 3, generator=g, dtype=torch.float64) @ a
    angles = principal_angles(a, other_rows)
    assert (angles < 2e-6).all()  # and so no NaN, which a cosine rounded to above 1 would give


def test_principal_angles_compute_in_float64_whatever_comes_in():
    """Float32 cosines would be 6e-8 off, which near 1 is an angle of 0.02 degrees."""
    a = torch.randn(4, 30, generator=torch.Generator().manual_seed(0))
    angles = principal_angles(a, a.flip(0))
    assert angles.dtype == torch.float64 and (angles < 2e-6).all()


def test_pca_is_the_best_that_a_linear_autoencoder_can_do():
    """With PCA's axes as weights its error is PCA's, no gradient is left, and no other axes do better."""
    x = random_data().view(-1, 1, 1, 7)
    mean, axes = pca(x.flatten(1), 3)
    model = LinearAutoencoder(x.mean(0), 3).double()
    model.encoder.weight.data, model.decoder.weight.data = axes.clone(), axes.T.clone()

    best = model.loss((x, None))
    flat = reconstruct(project(x.flatten(1), mean, axes), mean, axes)
    assert abs(best - reconstruction_error(x.flatten(1), flat)).item() < ROUNDING * best
    for gradient in torch.autograd.grad(best, list(model.parameters())):
        assert gradient.abs().max() < ROUNDING * best

    g = torch.Generator().manual_seed(1)
    for _ in range(20):
        other = torch.linalg.qr(torch.randn(7, 3, generator=g, dtype=torch.float64))[0].T
        model.encoder.weight.data, model.decoder.weight.data = other, other.T
        assert model.loss((x, None)) > best


def test_a_trained_linear_autoencoder_spans_the_subspace_of_pca():
    x = random_data(n=200, d=6).float()
    x = (x - x.mean(0)) / x.std() + 2
    images = x.view(-1, 1, 2, 3)
    torch.manual_seed(0)
    model = LinearAutoencoder(images.mean(0), 2)
    for _ in train(model, lambda generator: (images, None), steps=200, lr=0.05, progress=False):
        pass
    angles = principal_angles(pca(x, 2)[1], model.decoder.weight.detach().T)
    assert (
        angles.max() < 0.5
    )  # over six seeds it is 0.05 at most after 300 steps, and 40 to 87 after the first


def test_a_linear_autoencoder_keeps_the_mean_and_does_not_train_it():
    mean = torch.rand(3, 4, 4)
    model = LinearAutoencoder(mean, 5)
    assert torch.equal(model.decode(torch.zeros(2, 5)), mean.expand(2, 3, 4, 4))
    assert model.encode(mean[None]).abs().max() == 0
    assert sum(p.numel() for p in model.parameters()) == 2 * 5 * 48 and "mean" in model.state_dict()


@pytest.mark.parametrize("latent, width", [(8, 16), (2, 4)])
def test_a_convolutional_autoencoder_gives_codes_and_images(latent, width):
    x = digits("test")[0][:5]
    model = ConvAutoencoder(latent, width)
    codes = model.encode(x)
    assert codes.shape == (5, latent)
    wild = model.decode(1e3 * torch.randn(5, latent))
    assert wild.shape == (5, 1, 8, 8) and wild.abs().max() <= 1
    assert torch.equal(model.loss((x, None)), reconstruction_error(x, model.decode(codes)))


def test_a_convolutional_autoencoder_learns_in_a_few_steps():
    x = digits()[0][:32]
    torch.manual_seed(0)
    model = ConvAutoencoder(latent=4, width=4)
    *_, (_, losses, _) = train(model, lambda generator: (x, None), steps=100, lr=0.01, progress=False)
    mean_image = reconstruction_error(x, x.mean(0).expand_as(x)).item()
    # a dead code can do no better than the mean image; over six seeds this comes to 0.28 to 0.47 of that
    assert losses["loss"] < 0.75 * mean_image


@pytest.mark.parametrize("model", [LinearAutoencoder(torch.zeros(1, 8, 8), 2), ConvAutoencoder(2, 4)])
def test_the_losses_use_the_reconstruction_error_that_the_module_holds_now(model, monkeypatch):
    """A learner's right answer is installed in the module, and has to be what training runs on."""
    monkeypatch.setattr(autoencoder, "reconstruction_error", lambda x, y: "the learner's")
    assert model.loss((torch.zeros(3, 1, 8, 8), None)) == "the learner's"


@pytest.mark.parametrize("bits", [1, 2, 5])
def test_quantise_goes_to_the_nearest_level(bits):
    g = torch.Generator().manual_seed(bits)
    codes = 2 * torch.randn(40, 3, generator=g, dtype=torch.float64)  # some lie outside
    low, high = torch.tensor([[-1.0, -2.0, 0.5], [1.0, 3.0, 4.0]], dtype=torch.float64)
    levels = np.linspace(low.numpy(), high.numpy(), 2**bits)  # (levels, 3)
    nearest = np.abs(codes.numpy()[:, None] - levels).argmin(1)  # (40, 3)
    expected = np.take_along_axis(levels, nearest, 0)
    assert np.abs(quantise(codes, low, high, bits).numpy() - expected).max() < ROUNDING


@pytest.mark.parametrize(
    "call",
    [
        lambda x, k: pca(x, 2)[1],
        lambda x, k: project(x, x[0], x[:2]),
        lambda x, k: reconstruct(k, x[0], x[:2]),
        lambda x, k: reconstruction_error(x, x),
        lambda x, k: principal_angles(x[:2], x[1:3]),
        lambda x, k: quantise(k, k[0], k[1], 3),
        lambda x, k: LinearAutoencoder(x[0], 2).to("meta").loss((x, None)),
        lambda x, k: ConvAutoencoder(2, 4).to("meta").loss((x.view(-1, 1, 8, 8), None)),
    ],
)
def test_results_live_where_the_inputs_live(call):
    """The meta device stands for a GPU: it refuses to mix with tensors made on the CPU."""
    x, codes = torch.empty(9, 64, device="meta"), torch.empty(9, 2, device="meta")
    assert call(x, codes).device.type == "meta"
