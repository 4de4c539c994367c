"""Distances between sets of features."""

import numpy as np
import pytest
import scipy.linalg
import torch

from minigen.metrics import fid, frechet_distance


def random_gaussian(d, seed):
    g = torch.Generator().manual_seed(seed)
    root = torch.randn(d, d + 3, generator=g, dtype=torch.float64)
    return torch.randn(d, generator=g, dtype=torch.float64), root @ root.T / d


@pytest.mark.parametrize("d", [1, 2, 17])
def test_the_frechet_distance_is_that_of_a_matrix_square_root(d):
    (mean_a, cov_a), (mean_b, cov_b) = random_gaussian(d, 0), random_gaussian(d, 1)
    root = scipy.linalg.sqrtm((cov_a @ cov_b).numpy()).real
    wanted = float((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace()) - 2 * np.trace(root)
    assert frechet_distance(mean_a, cov_a, mean_b, cov_b) == pytest.approx(wanted, rel=1e-9)


def test_with_equal_covariances_it_is_the_squared_distance_of_the_means():
    mean_a, cov = random_gaussian(5, 0)
    mean_b, _ = random_gaussian(5, 1)
    wanted = float((mean_a - mean_b).square().sum())
    assert frechet_distance(mean_a, cov, mean_b, cov) == pytest.approx(wanted, rel=1e-9)


def test_of_two_scaled_identities_it_is_the_squared_difference_of_the_spreads():
    zero, eye = torch.zeros(6), torch.eye(6)
    assert frechet_distance(zero, 4 * eye, zero, 9 * eye) == pytest.approx(6 * (3 - 2) ** 2)


def test_a_set_is_at_distance_0_from_itself_even_with_fewer_rows_than_features():
    features = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))
    assert 0 <= fid(features, features) < 1e-6  # a root of a rounding error of 1e-16 is 1e-8, 50 times


def test_fid_is_the_distance_of_the_fitted_gaussians():
    g = torch.Generator().manual_seed(0)
    real, fake = torch.randn(300, 4, generator=g), 2 * torch.randn(200, 4, generator=g) + 1
    by_numpy = [
        torch.tensor(m) for x in (real, fake) for m in (x.double().mean(0).numpy(), np.cov(x.double().T))
    ]
    assert fid(real, fake) == pytest.approx(frechet_distance(*by_numpy), rel=1e-9)
    assert fid(real, fake) == pytest.approx(fid(fake, real), rel=1e-9)
