"""How far apart two sets of images are, as distances between the features of a network."""

import torch
from torch import Tensor


def frechet_distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """The squared 2-Wasserstein distance of two Gaussians: ‖μa − μb‖² + tr(Σa + Σb − 2 √(ΣaΣb)).

    means: (D,).  covariances: (D, D), symmetric, positive semidefinite.  Computed in float64; at least 0.
    Source: Dowson and Landau 1982, The Fréchet Distance between Multivariate Normal Distributions.
    """
    mean_a, cov_a, mean_b, cov_b = (t.double() for t in (mean_a, cov_a, mean_b, cov_b))
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T  # √Σa, symmetric
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()  # tr √(ΣaΣb)
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross
    return max(0.0, float(distance))


def fid(features_real: Tensor, features_fake: Tensor) -> float:
    """The Fréchet distance of two sets of features, each taken as a Gaussian.

    features: (N, D), N >= 2 rows each, of one feature extractor.  Smaller is nearer.
    Source: Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule, eq. 6.
    """
    real, fake = features_real.double(), features_fake.double()
    return frechet_distance(real.mean(0), real.T.cov(), fake.mean(0), fake.T.cov())
