"""Distances and scores of features, against closed forms, scipy, scikit-learn and the definitions."""

import itertools
import json
import math

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.stats
import torch
from sklearn.metrics import confusion_matrix
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

from minigen import metrics
from minigen.course import measure, measured_models
from minigen.metrics import (
    confusion,
    cubic_kernel,
    fid,
    fid_infinity,
    frechet_distance,
    gaussian_statistics,
    inception_score,
    kid,
    mmd,
    precision_recall,
    share_within,
    transport_1d,
    undominated,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(n, d, seed=0, shift=0.0, scale=1.0):
    return shift + scale * torch.randn(n, d, generator=generator(seed), dtype=torch.float64)


def random_gaussian(d, seed, rank=None):
    root = rows(d, rank or d + 3, seed)
    return rows(1, d, seed + 50)[0], root @ root.T / d


def by_sqrtm(mean_a, cov_a, mean_b, cov_b):
    root = scipy.linalg.sqrtm((cov_a @ cov_b).numpy()).real
    return float((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace()) - 2 * float(np.trace(root))


@pytest.mark.parametrize("p", [1, 1.5, 2, 3])
def test_transport_on_a_line_is_the_best_of_all_pairings(p):
    a, b = rows(2, 6, shift=0.3)
    every = [(a - b[list(pairing)]).abs().pow(p).mean() for pairing in itertools.permutations(range(6))]
    assert float(transport_1d(a, b, p)) == pytest.approx(float(min(every)), rel=1e-12)


def test_transport_with_p_one_is_scipys_earth_mover():
    a, b = rows(2, 50)
    assert float(transport_1d(a, b, 1)) == pytest.approx(scipy.stats.wasserstein_distance(a, b), rel=1e-12)


def test_gradients_flow_through_the_transport():
    a, b = rows(2, 6, shift=0.3).requires_grad_()
    assert torch.autograd.gradcheck(transport_1d, (a, b))


def test_transport_of_two_gaussians_is_their_frechet_distance():
    """On their quantiles; the tails, which no grid has, carry about 1e-4 of the variance."""
    u = torch.distributions.Normal(0, 1).icdf((torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000)
    apart = float(transport_1d(1 + 2 * u, 3 - 0.5 * u))
    mean_a, var_a, mean_b, var_b = (torch.tensor([v]) for v in (1.0, 4.0, 3.0, 0.25))
    wanted = frechet_distance(mean_a, var_a[None], mean_b, var_b[None])
    assert wanted == pytest.approx((1 - 3) ** 2 + (2 - 0.5) ** 2)
    assert apart == pytest.approx(wanted, rel=1e-3)


def test_no_pairing_of_points_is_cheaper_than_their_frechet_distance():
    a, b = rows(60, 3, 0), rows(60, 3, 1, shift=0.5) @ rows(3, 3, 2)
    cost = torch.cdist(a, b).square()
    best = float(cost[scipy.optimize.linear_sum_assignment(cost.numpy())].mean())
    of_points = [(x.mean(0), torch.cov(x.T, correction=0)) for x in (a, b)]
    least = frechet_distance(*of_points[0], *of_points[1])
    assert least <= best < 1.5 * least


def test_the_statistics_are_numpys():
    x = rows(30, 5)
    mean, covariance = gaussian_statistics(x.float())
    assert mean.dtype == covariance.dtype == torch.float64
    assert np.allclose(mean, x.float().numpy().mean(0, dtype=np.float64), atol=1e-12)
    assert np.allclose(covariance, np.cov(x.float().double().numpy().T), atol=1e-12)


@pytest.mark.parametrize("d", [1, 2, 17, 64])
def test_the_frechet_distance_is_that_of_a_matrix_square_root(d):
    gaussians = *random_gaussian(d, 0), *random_gaussian(d, 1)
    assert frechet_distance(*gaussians) == pytest.approx(by_sqrtm(*gaussians), rel=1e-9)


def test_with_equal_covariances_it_is_the_squared_distance_of_the_means():
    mean_a, cov = random_gaussian(5, 0)
    mean_b, _ = random_gaussian(5, 1)
    wanted = float((mean_a - mean_b).square().sum())
    assert frechet_distance(mean_a, cov, mean_b, cov) == pytest.approx(wanted, rel=1e-9)


def test_of_scaled_identities_it_is_the_squared_difference_of_the_spreads():
    zero, eye = torch.zeros(6), torch.eye(6)
    assert frechet_distance(zero, 4 * eye, zero, 9 * eye) == pytest.approx(6 * (3 - 2) ** 2)


def test_of_commuting_covariances_it_is_the_distance_of_the_roots():
    """With common eigenvectors, tr(Σa + Σb − 2√(ΣaΣb)) = Σ (√λa − √λb)²; some of them are 0 here."""
    axes = torch.linalg.qr(rows(6, 6)).Q
    a, b = torch.tensor([4.0, 1, 0, 0, 2, 9]).double(), torch.tensor([1.0, 0, 0, 3, 2, 4]).double()
    cov_a, cov_b = ((axes * v) @ axes.T for v in (a, b))
    wanted = float((a.sqrt() - b.sqrt()).square().sum())
    assert frechet_distance(torch.zeros(6), cov_a, torch.zeros(6), cov_b) == pytest.approx(wanted, rel=1e-7)


def test_two_points_are_gaussians_without_a_spread():
    zero = torch.zeros(3, 3)
    assert frechet_distance(torch.zeros(3), zero, torch.ones(3), zero) == pytest.approx(3)


@pytest.mark.parametrize(
    "n, m, d", [(200, 150, 4), (20, 30, 50), (20, 300, 50), (300, 20, 50), (2, 2, 3), (51, 51, 50)]
)
def test_fid_is_the_distance_of_the_fitted_gaussians_with_few_rows_too(n, m, d):
    a, b = rows(n, d, 0), rows(m, d, 1, shift=0.3, scale=1.5)
    wanted = frechet_distance(*gaussian_statistics(a), *gaussian_statistics(b))
    assert fid(a, b) == pytest.approx(wanted, rel=1e-7)
    assert fid(b, a) == pytest.approx(wanted, rel=1e-7)


@pytest.mark.parametrize("n, d", [(100, 1), (100, 20), (20, 100)])
def test_a_set_is_at_distance_0_from_itself(n, d):
    a = rows(n, d, shift=10)
    assert 0 <= fid(a, a) <= 1e-9 * float(a.var(0).sum())
    assert 0 <= fid(a, a.flip(0)) <= 1e-9 * float(a.var(0).sum())


def test_fid_does_not_see_a_rotation_or_a_shift_of_both_sets():
    a, b = rows(100, 6, 0), rows(80, 6, 1, scale=2)
    turn = torch.linalg.qr(rows(6, 6, 2)).Q
    assert fid(a @ turn + 5, b @ turn + 5) == pytest.approx(fid(a, b), rel=1e-9)


def test_fid_of_few_rows_is_too_large_and_its_extrapolation_is_not():
    """Two samples of N(0, I) in 10 dimensions: the truth is 0."""
    truth = rows(20_000, 10, 0)
    few = [rows(500, 10, seed) for seed in range(1, 9)]
    plain = [fid(truth, x) for x in few]
    without_end, errors = zip(*(fid_infinity(truth, x, generator(0)) for x in few), strict=True)
    assert np.mean(plain) == pytest.approx(10 / 500 + 10 * 11 / (4 * 500), rel=0.2)  # mean; covariance
    assert abs(np.mean(without_end)) < 0.25 * np.mean(plain)
    assert np.std(without_end) < 2 * np.mean(errors) < 4 * np.std(without_end)


def test_the_extrapolation_is_a_line_over_one_over_the_sizes():
    """Any m corners of a simplex are like any other m, so the points do not depend on what was drawn."""
    real, corners = 0.4 * torch.eye(30) + 1.0, 5 * torch.eye(30)
    sizes = [round(1 / inverse) for inverse in np.linspace(10 / 30, 1 / 30, 6)]
    scores = [fid(real, corners[:n]) for n in sizes]
    line, covariance = np.polyfit([1 / n for n in sizes], scores, 1, cov=True)
    found = fid_infinity(real, corners, generator(5), points=6)
    assert sizes[0] == 3 and sizes[-1] == 30
    assert found == pytest.approx((line[1], math.sqrt(covariance[1, 1])), rel=1e-6)


def test_the_extrapolation_draws_with_its_generator_and_needs_twenty_fakes():
    real, fake = rows(100, 4, 0), rows(20, 4, 1)
    value, error = fid_infinity(real, fake, generator(0))
    assert math.isfinite(value) and error > 0
    assert fid_infinity(real, fake, generator(0)) == (value, error)
    assert fid_infinity(real, fake, generator(1))[0] != value
    with pytest.raises(ValueError, match="the number of fakes should be at least 20; got 19"):
        fid_infinity(real, fake[:19], generator(0))


def test_the_extrapolation_is_the_intercept_of_a_least_squares_line_with_its_standard_error():
    x = torch.linspace(0.1, 1, 12, dtype=torch.float64)
    y = 3 + 2 * x + 0.1 * rows(1, 12)[0]
    fit, covariance = np.polyfit(x, y, 1, cov="unscaled")
    residual = y.numpy() - np.polyval(fit, x)
    error = math.sqrt(covariance[1, 1] * (residual**2).sum() / 10)
    assert metrics.intercept(x, y) == pytest.approx((fit[1], error), rel=1e-9)


def test_mmd_is_its_double_sum_over_pairs_of_different_rows():
    a, b = rows(7, 3, 0), rows(5, 3, 1, shift=0.5)
    k = lambda x, y: polynomial_kernel(x, y, degree=3, gamma=1 / 3, coef0=1)  # noqa: E731
    aa = np.mean([k(a[[i]], a[[j]]) for i in range(7) for j in range(7) if i != j])
    bb = np.mean([k(b[[i]], b[[j]]) for i in range(5) for j in range(5) if i != j])
    assert float(mmd(a, b)) == pytest.approx(aa + bb - 2 * k(a, b).mean(), rel=1e-12)


def test_the_kernel_is_that_of_scikit_learn():
    x, y = rows(4, 6, 0), rows(3, 6, 1)
    wanted = polynomial_kernel(x, y, degree=3, gamma=1 / 6, coef0=1)
    assert np.allclose(cubic_kernel(x, y), wanted, rtol=1e-12)


def test_mmd_of_one_number_is_the_distance_of_its_first_three_moments():
    """(xy + 1)³ = 1 + 3xy + 3x²y² + x³y³, so the distance of two populations is a weighted sum of squares."""
    a, b = rows(2000, 1, 0), rows(2000, 1, 1, shift=0.4, scale=1.3)
    moments = [((a**j).mean() - (b**j).mean()).square() for j in (1, 2, 3)]
    population = float(3 * moments[0] + 3 * moments[1] + moments[2])
    means = [cubic_kernel(p, q).mean() for p, q in ((a, a), (b, b), (a, b))]
    assert float(means[0] + means[1] - 2 * means[2]) == pytest.approx(population, rel=1e-9)
    draws = [torch.randint(2000, (2, 6), generator=generator(seed)) for seed in range(4000)]
    scores = torch.stack([mmd(a[i], b[j]) for i, j in draws])
    assert abs(float(scores.mean()) - population) < 4 * float(scores.std()) / math.sqrt(4000)


def test_kid_of_whole_sets_is_their_mmd():
    a, b = rows(40, 6, 0), rows(40, 6, 1, shift=0.2)
    assert kid(a, b, generator(), subsets=3, size=40) == pytest.approx((float(mmd(a, b)), 0), abs=1e-12)


def test_kid_has_no_bias():
    """Of two halves of one distribution it is 0 on average, and so sometimes negative."""
    scores = [
        kid(rows(30, 4, 2 * s), rows(30, 4, 2 * s + 1), generator(), subsets=1, size=30)[0]
        for s in range(300)
    ]
    error = np.std(scores) / math.sqrt(300)
    assert abs(np.mean(scores)) < 3 * error
    assert min(scores) < 0


@pytest.mark.parametrize("classes", [2, 10])
def test_the_inception_score_goes_from_1_to_the_number_of_classes(classes):
    certain = torch.eye(classes).repeat(20, 1)
    assert inception_score(certain, splits=1)[0] == pytest.approx(classes)
    assert inception_score(certain[:1].repeat(40, 1), splits=2) == pytest.approx((1, 0))
    assert inception_score(torch.full((40, classes), 1 / classes), splits=4)[0] == pytest.approx(1)


def test_the_inception_score_is_the_exponential_of_a_mean_kl():
    p = torch.rand(60, 5, generator=generator(), dtype=torch.float64)
    p = p / p.sum(1, keepdim=True)
    parts = []
    for part in p.chunk(3):
        kl = scipy.special.rel_entr(part.numpy(), part.numpy().mean(0)).sum(1)
        parts.append(np.exp(kl.mean()))
    assert inception_score(p, splits=3) == pytest.approx((np.mean(parts), np.std(parts)), rel=1e-9)


def test_ten_copies_are_points_for_precision_and_recall_and_ten_pictures_are_wide_balls():
    """Repeated k + 1 times, each ball has radius 0; the same pictures once cover nearly everything."""
    real = rows(200, 5)
    ten = real[:10]
    assert precision_recall(real, ten.repeat(4, 1), k=3) == (1, 10 / 200)
    assert precision_recall(real, ten, k=3)[1] > 0.8


def test_each_split_of_the_inception_score_has_a_distribution_of_its_own():
    """Two parts of one class each: all alike within a part, though not over both."""
    p = torch.eye(2).repeat_interleave(5, 0)
    assert inception_score(p, splits=2) == pytest.approx((1, 0))
    assert inception_score(p, splits=1) == pytest.approx((2, 0))


def test_the_splits_are_as_equal_as_can_be():
    p = torch.rand(11, 4, generator=generator(), dtype=torch.float64)
    p = p / p.sum(1, keepdim=True)
    parts = [inception_score(torch.from_numpy(part), splits=1)[0] for part in np.array_split(p.numpy(), 3)]
    assert inception_score(p, splits=3) == pytest.approx((np.mean(parts), np.std(parts)), rel=1e-9)


def test_precision_and_recall_are_those_of_a_search_for_neighbours(monkeypatch):
    monkeypatch.setattr(metrics, "BLOCK", 13)  # so that blocks end somewhere inside
    real, fake, k = rows(60, 3, 0), rows(50, 3, 1, shift=1.2, scale=0.7), 3

    def share(points, others):
        reach = NearestNeighbors(n_neighbors=k + 1).fit(others).kneighbors(others)[0][:, -1]
        distance = np.linalg.norm(points[:, None].numpy() - others[None].numpy(), axis=2)
        return (distance <= reach).any(1).mean()

    wanted = share(fake, real), share(real, fake)
    assert precision_recall(real, fake, k) == pytest.approx(wanted)
    assert min(wanted) > 0.1 and max(wanted) < 0.9  # the example decides something


def test_the_border_of_a_ball_belongs_to_it():
    """On a line of whole numbers, the ball around its end reaches exactly 2 with 2 neighbours."""
    line = torch.arange(6).double()[:, None]
    assert share_within(torch.tensor([[-2.0], [-2.001]]).double(), line, k=2) == 0.5


def test_one_outlier_makes_a_ball_in_which_everything_lies():
    real, junk = rows(50, 2, 0), rows(50, 2, 1, shift=20)
    assert share_within(junk, real, k=3) == 0
    assert share_within(junk, torch.cat([real, rows(1, 2, 2, shift=20)]), k=3) == 1


def test_what_precision_and_recall_see():
    real = torch.cat([rows(100, 2, 0, shift=-10), rows(100, 2, 1, shift=10)])
    half = rows(100, 2, 2, shift=-10, scale=0.8)  # good fakes, of one kind only
    precision, recall = precision_recall(real, half)
    assert precision > 0.9 and 0.3 < recall < 0.55
    assert precision_recall(real, real) == (1, 1)
    assert precision_recall(real, rows(100, 2, 3, shift=100)) == (0, 0)


def test_the_undominated_are_those_whom_a_loop_over_all_pairs_leaves():
    scores = torch.randint(4, (60, 3), generator=generator()).double()

    def beats(p, q):
        return all(a >= b for a, b in zip(p, q, strict=True)) and any(
            a > b for a, b in zip(p, q, strict=True)
        )

    wanted = [not any(beats(p, q) for p in scores.tolist()) for q in scores.tolist()]
    assert undominated(scores).tolist() == wanted
    assert 0 < sum(wanted) < len(wanted)


def test_equal_candidates_stay_and_of_one_score_only_the_best():
    assert undominated(torch.ones(3, 2)).all()
    assert undominated(torch.tensor([[1.0], [3.0], [3.0]])).tolist() == [False, True, True]
    assert undominated(torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.4, 0.5]])).tolist() == [True, True, False]


def test_confusion_is_scikit_learns():
    asked, found = torch.randint(4, (2, 200), generator=torch.Generator().manual_seed(0))
    assert np.allclose(
        confusion(asked, found, 4), confusion_matrix(asked, found, normalize="true"), atol=1e-12
    )


def test_a_class_that_nobody_asked_for_is_a_row_of_zeros():
    table = confusion(torch.tensor([0, 0, 2]), torch.tensor([1, 0, 2]), 3)
    assert table.tolist() == [[0.5, 0.5, 0], [0, 0, 0], [0, 0, 1]]


def test_the_table_of_lesson_21_grows_by_what_other_lessons_measured(tmp_path, monkeypatch):
    """Rows come by lesson, and models that a lesson measures itself come once."""
    row = {"fid": 1.0, "precision": 0.5, "recall": 0.5, "seconds": 1.0}
    planted = {
        "50_ddpm": {"measured": [], "models": [{"model": "DDPM"} | row, {"model": "VAE"} | row]},
        "30_gan": {"measured": [], "models": [{"model": "GAN"} | row]},
        "10_autoencoder": {"measured": []},
    }
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results.json")
    measure.RESULTS.write_text(json.dumps(planted))
    found = measured_models([{"model": "VAE", "lesson": "13"} | row, {"model": "flow", "lesson": "41"} | row])
    names = [("13", "VAE"), ("30", "GAN"), ("41", "flow"), ("50", "DDPM")]
    assert [(r["lesson"], r["model"]) for r in found] == names
    assert found[1]["precision"] == 0.5


BAD = {
    "features_real should be": (torch.zeros(5), torch.zeros(5, 3)),
    "features_fake should be": (torch.zeros(5, 3), torch.zeros(1, 3)),
    "int64": (torch.zeros(5, 3, dtype=torch.long), torch.zeros(5, 3)),
    "finite": (torch.zeros(5, 3), torch.full((5, 3), math.nan)),
    "equally many columns; got 3 and 4": (torch.zeros(5, 3), torch.zeros(5, 4)),
}


@pytest.mark.parametrize("said", BAD)
@pytest.mark.parametrize(
    "score",
    [
        fid,
        precision_recall,
        lambda a, b: kid(a, b, generator()),
        lambda a, b: fid_infinity(a, b, generator()),
    ],
)
def test_features_that_cannot_be_compared_are_refused(score, said):
    with pytest.raises(ValueError, match=said):
        score(*BAD[said])


def test_other_arguments_are_refused_by_name():
    a = rows(10, 2)
    for call, said in [
        (lambda: precision_recall(a, a, k=10), "k should be at least 1 and below"),
        (lambda: kid(a, a, generator(), subsets=0), "subsets should be at least 1; got 0"),
        (lambda: kid(a, a, generator(), size=1), "size should be at least 2; got 1"),
        (lambda: kid(a, a[:9], generator(), size=10), "size should be at most 9, .* got 10"),
        (lambda: kid(a, a, generator()), "size should be at most 10, .* got 1000"),
        (lambda: fid_infinity(a, a, generator(), points=2), "points should be at least 3; got 2"),
        (lambda: transport_1d(a[:, 0], a[:5, 0]), r"a and b should be \(N,\), .* got \(10,\) and \(5,\)"),
        (lambda: transport_1d(a, a), "a and b should be"),
        (lambda: transport_1d(a[:0, 0], a[:0, 0]), "a and b should be"),
        (lambda: transport_1d(a[:, 0], a[:, 0], 0.5), "p should be at least 1; got 0.5"),
        (lambda: inception_score(torch.full((4, 2), 0.7)), "rows that sum to 1"),
        (lambda: inception_score(torch.full((4, 2), 0.5), splits=5), "splits should be 1 to 4"),
        (lambda: inception_score(torch.zeros(4)), "probabilities should be"),
        (lambda: undominated(torch.zeros(4)), "scores should be numbers"),
        (lambda: undominated(torch.full((4, 2), math.nan)), "none of them nan"),
        (
            lambda: frechet_distance(torch.zeros(2), torch.eye(3), torch.zeros(2), torch.eye(2)),
            "cov_a should be",
        ),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
