"""The exercises of lesson 01: densities, mixtures, and what tells one generative model from another."""

import math

import torch

from minigen import density
from minigen.course.catalogue import lesson
from minigen.course.source import edited

exercise = lesson("01_what_is_a_generative_model")


def who_notices() -> str:
    """A classifier was trained on digits; it gives ten probabilities, one for each digit.
    A density p(x) was fitted to the same digits.
    Both are shown pictures of pure noise. Which of them is able to say: none of this is a digit?
    "a": the classifier, since all ten probabilities will be near 0
    "b": the density, since p(x) may be small for all that is not like the data
    "c": neither, since both have seen nothing but digits
    """
    return "b"


exercise(
    target=who_notices,
    title="Who notices that it is no digit?",
    mistakes={
        "all ten near 0": (
            "a",
            "Ten probabilities sum to 1, whatever the picture is. They can all be 0.1, but the classifier has no way to "
            "give little to all ten: it answers *which* digit, and takes for granted *that* it is one.",
        ),
        "neither": (
            "c",
            "A density is high in some places only because it is low in others: its integral over all pictures is 1. So "
            "what is unlike the data gets next to nothing, though no example of it was ever seen.",
        ),
    },
    hints=["What do the ten probabilities sum to? And what does a density integrate to?"],
    minutes=3,
)


def covariance(rng, d, k=None):
    """Positive definite, far from diagonal: (D, D), or (K, D, D)."""
    shape = (d, d + 3) if k is None else (k, d, d + 3)
    root = rng.normal(*shape, dtype=torch.float64)
    return root @ root.mT / d


def probe_gaussian_log_density(answer, rng):
    n, d, many = rng.size(6, 9), rng.size(2, 4), rng.size(60, 70)
    mean, spread = rng.normal(d, dtype=torch.float64), covariance(rng, d)
    x = rng.normal(n, d, dtype=torch.float64, leaf="x")
    small = 1e-12 * covariance(rng, many)  # of a determinant below 1e-308, which is 0 as a float
    near = 1e-6 * rng.normal(n, many, dtype=torch.float64)
    return {
        "log density": answer(x, mean, spread),
        "log density in many dimensions": answer(near, torch.zeros_like(near[0]), small),
    }


def finite_first(raw, hard):
    """Before the values in `hard`, whether each is finite; of what is not, only the sign is kept.

    So a mistake that gives infinity can be known again, and what is shown of it is true.
    """
    values = {name: value.nan_to_num(0, 1, -1) if name in hard else value for name, value in raw.items()}
    return {f"{name}: finite?": raw[name].isfinite() for name in hard} | values


def judge_gaussian_log_density(raw):
    return finite_first(raw, ["log density in many dimensions"])


def log_density_by_inverse(x, mean, covariance):
    away = x - mean
    squared = (away @ torch.linalg.inv(covariance) * away).sum(1)
    return -0.5 * (squared + torch.linalg.slogdet(covariance).logabsdet + x.shape[1] * math.log(2 * math.pi))


def log_density_by_eigenvalues(x, mean, covariance):
    values, vectors = torch.linalg.eigh(covariance)
    along = (x - mean) @ vectors
    return -0.5 * (along**2 / values + values.log() + math.log(2 * math.pi)).sum(-1)


def log_density_by_distributions(x, mean, covariance):
    return torch.distributions.MultivariateNormal(mean, covariance).log_prob(x)


def log_density_by_determinant(x, mean, covariance):
    squared = ((x - mean) @ torch.linalg.inv(covariance) * (x - mean)).sum(1)
    return -0.5 * (squared + torch.linalg.det(covariance).log() + len(mean) * math.log(2 * math.pi))


def log_density_of_independent_pixels(x, mean, covariance):
    variance = covariance.diagonal()
    return -0.5 * ((x - mean) ** 2 / variance + variance.log() + math.log(2 * math.pi)).sum(1)


def log_density_with_covariance_for_inverse(x, mean, covariance):
    squared = ((x - mean) @ covariance * (x - mean)).sum(1)
    log_det = torch.linalg.slogdet(covariance).logabsdet
    return -0.5 * (squared + log_det + len(mean) * math.log(2 * math.pi))


exercise(
    target=density.gaussian_log_density,
    title="How likely is this picture? The log-density of a Gaussian",
    probe=probe_gaussian_log_density,
    judge=judge_gaussian_log_density,
    mistakes={
        "determinant, then logarithm": (
            log_density_by_determinant,
            "Right with few dimensions. With many, the determinant is a product of so many small numbers that it becomes "
            "0 as a float, and its logarithm infinite. Take logarithms first and sum: log |Σ| is twice the sum of the logs "
            "of the diagonal of L.",
        ),
        "half of the log-determinant": (
            edited(density.gaussian_log_density, "2 * factor", "factor"),
            "The diagonal of L gives log |L|, and Σ = L Lᵀ has twice that. (Think of log σ² = 2 log σ.)",
        ),
        "four times": (
            edited(density.gaussian_log_density, "2 * factor", "4 * factor"),
            "Your log |Σ| is twice too large: it is twice the sum of the logs of L's diagonal, and the ½ is still to come.",
        ),
        "sign of the determinant": (
            edited(density.gaussian_log_density, "+ log_det", "- log_det"),
            "The sign of log |Σ| is wrong: a wide Gaussian spreads the same total of 1 over more room, so its density is "
            "lower.",
        ),
        "no determinant": (
            edited(density.gaussian_log_density, "+ log_det", ""),
            "log |Σ| is missing. Without it, a wider Gaussian would always seem the better one, and maximum likelihood "
            "would make the covariance infinite.",
        ),
        "no 2π": (
            edited(density.gaussian_log_density, "+ len(mean) * math.log(2 * math.pi)", ""),
            "The constant D log 2π is missing, so the density does not integrate to 1.",
        ),
        "2π once": (
            edited(density.gaussian_log_density, "len(mean) * math.log", "math.log"),
            "You count log 2π once. Every dimension brings one: D log 2π.",
        ),
        "number of points for dimensions": (
            edited(density.gaussian_log_density, "len(mean)", "len(x)"),
            "You multiply log 2π by the number of points. It is wanted once for each *dimension*: x.shape[1].",
        ),
        "constant outside of the half": (
            edited(density.gaussian_log_density, "+ len(mean) * math.log(2 * math.pi))", ") - len(mean) * math.log(2 * math.pi)"),
            "D log 2π stands outside of the ½. The normalisation is (2π)^(-D/2) |Σ|^(-1/2), so this term is halved too.",
        ),
        "all pairs of points": (
            lambda x, mean, covariance: -0.5 * (
                ((x - mean) @ torch.linalg.solve(covariance, (x - mean).T)).sum(1)
                + torch.linalg.slogdet(covariance).logabsdet + len(mean) * math.log(2 * math.pi)
            ),
            "The product (x − μ) Σ⁻¹ (x − μ)ᵀ of all rows is (N, N), each point with each. You sum its rows; the squared "
            "distances are only its diagonal.",
        ),
        "no half": (
            edited(density.gaussian_log_density, "-0.5 *", "-"),
            "The ½ is missing: it stands before the squared distance, before log |Σ| and before D log 2π.",
        ),
        "half of the distance only": (
            edited(density.gaussian_log_density, "-0.5 * (z.square().sum(0) + log_det + len(mean) * math.log(2 * math.pi))",
                   "-0.5 * z.square().sum(0) - log_det - len(mean) * math.log(2 * math.pi)"),
            "You halve the squared distance only. The normalisation is (2π)^(-D/2) |Σ|^(-1/2), so its logarithm is halved "
            "too.",
        ),
        "negative": (
            edited(density.gaussian_log_density, "-0.5 *", "0.5 *"),
            "This is the *negative* log-density, as it would stand in a loss. Here the density itself is wanted, largest "
            "at the mean.",
        ),
        "mean over the dimensions": (
            edited(density.gaussian_log_density, "z.square().sum(0)", "z.square().mean(0)"),
            "You average the squares over the dimensions. The squared distance is their sum.",
        ),
        "logarithm of the sum": (
            edited(density.gaussian_log_density, ".log().sum()", ".sum().log()"),
            "You sum the diagonal of L and take the logarithm then. The determinant is the *product* of the diagonal, so its "
            "logarithm is the sum of the logarithms.",
        ),
        "the wrong triangle": (
            edited(density.gaussian_log_density, "upper=False", "upper=True"),
            "You divide by the diagonal of L alone. (`solve_triangular` with upper=True does just that, as L is 0 above its "
            "diagonal.) The numbers below it count too: solve with the whole lower triangle, upper=False.",
        ),
        "density for its logarithm": (
            edited(density.gaussian_log_density, "return -0.5 * (z.square().sum(0) + log_det + len(mean) * math.log(2 * math.pi))",
                   "return (-0.5 * (z.square().sum(0) + log_det + len(mean) * math.log(2 * math.pi))).exp()"),
            "This is the density, not its logarithm. With 64 pixels the density itself leaves the range of floats.",
        ),
        "distance not squared": (
            edited(density.gaussian_log_density, "z.square().sum(0)", "z.norm(dim=0)"),
            "You take the distance L⁻¹(x − μ) as a length; its square is wanted.",
        ),
        "multiplied by the factor": (
            edited(density.gaussian_log_density, "torch.linalg.solve_triangular(factor, (x - mean).T, upper=False)",
                   "factor @ (x - mean).T"),
            "You multiply by L where you should divide by it: far along a wide direction is *not* far. `solve_triangular` "
            "computes L⁻¹ times something.",
        ),
        "covariance for its inverse": (
            log_density_with_covariance_for_inverse,
            "You multiply by Σ, not by its inverse. Far along a direction in which the data varies much is not far.",
        ),
        "transposed factor": (
            edited(density.gaussian_log_density, "solve_triangular(factor, (x - mean).T, upper=False)",
                   "solve_triangular(factor.T, (x - mean).T, upper=True)"),
            "You solved with Lᵀ. Σ⁻¹ = L⁻ᵀ L⁻¹, so the squared length is that of L⁻¹(x − μ).",
        ),
        "half of Σ⁻¹ twice": (
            lambda x, mean, covariance: -0.5 * (
                torch.cholesky_solve((x - mean).T, torch.linalg.cholesky(covariance)).square().sum(0)
                + torch.linalg.slogdet(covariance).logabsdet + len(mean) * math.log(2 * math.pi)
            ),
            "You square the length of Σ⁻¹(x − μ). Square that of L⁻¹(x − μ), or multiply Σ⁻¹(x − μ) by (x − μ).",
        ),
        "correlations lost": (
            log_density_of_independent_pixels,
            "You use only the diagonal of Σ, as if the pixels were independent of each other.",
        ),
        "mean not subtracted": (
            edited(density.gaussian_log_density, "(x - mean).T", "x.T"),
            "You measure from 0. Measure from the mean.",
        ),
        "summed over the points": (
            edited(density.gaussian_log_density, ".sum(0)", ".sum()"),
            "You sum the squared distances of all points together. Each point has its own: sum over the dimensions only.",
        ),
    },
    accepts=[log_density_by_inverse, log_density_by_eigenvalues, log_density_by_distributions],
    hints=[
        "In one dimension it is −½ ((x − μ)²/σ² + log σ² + log 2π). With Σ = L Lᵀ: what becomes of (x − μ)/σ, and of log σ²?",
        "`torch.linalg.solve_triangular(factor, b, upper=False)` is L⁻¹ b. It works on columns, and the points are rows.",
        "The determinant of a triangular matrix is the product of its diagonal, and Σ has two such factors.",
    ],
    points=2,
    minutes=15,
)  # fmt: skip


def probe_sample_gaussian(answer, rng):
    n, k = rng.size(6, 9), rng.size(2, 4)
    root = rng.normal(k, k + 3, dtype=torch.float64)
    mean, noise = rng.normal(k, dtype=torch.float64), rng.normal(n, k, dtype=torch.float64)
    covariance = root @ root.T / k
    unit = torch.eye(k, dtype=torch.float64, device=rng.device)
    return {
        "samples": answer(mean, covariance, noise),
        "from unit noise": answer(mean, covariance, unit),
        "from no noise": answer(mean, covariance, torch.zeros_like(noise)),
        "noise": noise,
    }


def judge_sample_gaussian(raw):
    """Any root of the covariance will do: what counts is the covariance that samples get, and that they are linear."""
    middle = raw["from no noise"]
    root = raw["from unit noise"] - middle[:1]
    values = {
        "covariance of the samples": root.T @ root,
        "samples for noise 0": middle,
        "samples, less those for noise 0 and the stretched noise": raw["samples"]
        - middle
        - raw["noise"] @ root,
    }
    return {"samples: finite?": raw["samples"].isfinite()} | {
        n: v.nan_to_num(0, 1, -1) for n, v in values.items()
    }


def sample_by_eigenvectors(mean, covariance, noise):
    values, vectors = torch.linalg.eigh(covariance)
    return mean + noise @ (vectors * values.sqrt()).T


exercise(
    target=density.sample_gaussian,
    title="Draw from a Gaussian with a covariance",
    probe=probe_sample_gaussian,
    judge=judge_sample_gaussian,
    mistakes={
        "factor on the wrong side": (
            edited(density.sample_gaussian, "factor.T", "factor"),
            "A row times L has covariance LᵀL, and the covariance is LLᵀ. For rows of noise, multiply by Lᵀ.",
        ),
        "covariance for its root": (
            lambda mean, covariance, noise: mean + noise @ covariance,
            "You multiply by the covariance itself, as if a variance were a standard deviation: the result has the "
            "covariance squared. You need a matrix L with L Lᵀ = covariance.",
        ),
        "correlations lost": (
            lambda mean, covariance, noise: mean + noise * covariance.diagonal().sqrt(),
            "Each number has the right spread, but the numbers are independent of each other: you use only the diagonal.",
        ),
        "variances for spreads": (
            lambda mean, covariance, noise: mean + noise * covariance.diagonal(),
            "The diagonal of the covariance holds variances, and noise is stretched by their roots. And the numbers come "
            "out independent of each other: what is beside the diagonal is lost.",
        ),
        "root number by number": (
            lambda mean, covariance, noise: mean + noise @ covariance.abs().sqrt(),
            "You take the root of each number of the covariance. That is not a root of the matrix: multiplied by its own "
            "transpose, it does not give the covariance back.",
        ),
        "root number by number, of negative ones too": (
            lambda mean, covariance, noise: mean + noise @ covariance.sqrt(),
            "You take the root of each number of the covariance, and some of them are negative. A root of a *matrix* is not "
            "taken number by number: you need a matrix L with L Lᵀ = covariance.",
        ),
        "inverse of the factor": (
            lambda mean, covariance, noise: (
                mean + torch.linalg.solve(torch.linalg.cholesky(covariance), noise.T).T
            ),
            "You divide by the factor. That turns draws with this covariance *into* unit noise; here it goes the other way.",
        ),
        "not stretched": (
            lambda mean, covariance, noise: mean + noise,
            "You shift the noise and do not stretch it, so its covariance is still I.",
        ),
        "eigenvectors not transposed": (
            lambda mean, covariance, noise: (
                mean + noise @ (torch.linalg.eigh(covariance)[1] * torch.linalg.eigh(covariance)[0].sqrt())
            ),
            "Your samples have the eigenvalues as variances, and are independent along the axes, not along the "
            "eigenvectors. For rows of noise, multiply by the transpose.",
        ),
        "mean inside the product": (
            lambda mean, covariance, noise: (mean + noise) @ torch.linalg.cholesky(covariance).T,
            "You add the mean before the product, so it is stretched too. Stretch the noise first, then add the mean.",
        ),
        "mean forgotten": (
            edited(density.sample_gaussian, "mean + noise", "noise"),
            "Your samples are centred on 0. Add the mean.",
        ),
    },
    accepts=[
        lambda mean, covariance, noise: mean + (torch.linalg.cholesky(covariance) @ noise.T).T,
        sample_by_eigenvectors,
    ],
    equivalents={
        "return mean - noise @ factor.T": "the negative of a root is a root, and noise has no preferred sign"
    },
    hints=[
        "In one dimension: mean + σ · noise, where σ is the root of the variance. A matrix has roots too, but not number "
        "by number: you want L with L Lᵀ = covariance.",
        "`torch.linalg.cholesky` gives such an L.",
        "If each row of noise is multiplied by a matrix A from the right, the rows have covariance AᵀA.",
    ],
    points=2,
    minutes=10,
)


def mixture(rng, k, d):
    """Random weights (K,), means (K, D) and covariances (K, D, D), in float64."""
    weights = rng.uniform(k, low=0.2, high=1.0, dtype=torch.float64)
    return weights / weights.sum(), 2 * rng.normal(k, d, dtype=torch.float64), covariance(rng, d, k)


def probe_mixture_log_density(answer, rng):
    n, k, d = rng.size(7, 9), rng.size(4, 6), rng.size(2, 3)
    parts = mixture(rng, k, d)
    far = 200 + 50 * rng.normal(n, d, dtype=torch.float64)  # hundreds of standard deviations
    return {
        "log density": answer(2 * rng.normal(n, d, dtype=torch.float64, leaf="x"), *parts),
        "log density far away": answer(far, *parts),
    }


def judge_mixture_log_density(raw):
    return finite_first(raw, ["log density far away"])


LOGSUMEXP = "log_joint(x, weights, means, covariances).logsumexp(1)"


def edited_log_density(new):
    return edited(
        density.mixture_log_density, LOGSUMEXP, new.replace("J", "log_joint(x, weights, means, covariances)")
    )


exercise(
    target=density.mixture_log_density,
    title="Repair: a density that ends too early",
    probe=probe_mixture_log_density,
    judge=judge_mixture_log_density,
    repair="a small number under the logarithm",
    mistakes={
        "a small number under the logarithm": (
            edited_log_density("(J.exp().sum(1) + 1e-12).log()"),
            "The small number keeps the logarithm finite, and takes over as soon as the density is smaller than it: every "
            "point far away gets the same log-density, −27.6, and no gradient leads back. Never leave the logarithms: "
            "there is a function for log Σ exp.",
        ),
        "a smaller number under the logarithm": (
            edited_log_density("(J.exp().sum(1) + 1e-30).log()"),
            "A smaller number only moves the wall outwards. Never leave the logarithms: there is a function for log Σ exp.",
        ),
        "no small number at all, nearly": (
            edited_log_density("(J.exp().sum(1) + 1e-300).log()"),
            "So small a number only moves the wall outwards, to −690. Never leave the logarithms: there is a function for "
            "log Σ exp.",
        ),
        "a small number for every component": (
            edited_log_density("(J.exp() + 1e-12).sum(1).log()"),
            "Now there is a small number for every component, and the wall stands as before. Never leave the logarithms: "
            "there is a function for log Σ exp.",
        ),
        "largest not added back": (
            edited_log_density("J.logsumexp(1) - J.amax(1)"),
            "You subtract the largest logarithm before `exp`, which is right, and then it must be added again: "
            "log Σ exp(a) = m + log Σ exp(a − m).",
        ),
        "one maximum for all points": (
            edited_log_density("(J - J.max()).exp().sum(1).log() + J.max()"),
            "You subtract the largest logarithm of *all* points. A point whose own is much smaller still underflows: each "
            "point needs its own maximum.",
        ),
        "exp, then log": (
            edited_log_density("J.exp().sum(1).log()"),
            "Right near the data. Far away, `exp` gives exactly 0 as a float, and the logarithm of 0 is infinite. Never leave "
            "the logarithms: there is a function for log Σ exp.",
        ),
        "logarithms summed": (
            edited_log_density("J.sum(1)"),
            "You sum the logarithms, which *multiplies* the densities. A mixture adds densities: log Σ exp.",
        ),
        "mean of the logarithms": (
            edited_log_density("J.mean(1)"),
            "You average the logarithms. A mixture adds the densities, and then takes one logarithm: log Σ exp.",
        ),
        "largest component only": (
            edited_log_density("J.amax(1)"),
            "You keep only the most likely component. Between two components both count: add them.",
        ),
        "divided by the number of components": (
            edited_log_density("J.logsumexp(1) - math.log(len(weights))"),
            "You average over the components. The weights sum to 1 already, and `log_joint` contains them: only sum.",
        ),
        "weights forgotten": (
            edited_log_density("(J - weights.log()).logsumexp(1)"),
            "You took the weights out, so each component counts fully and p(x) integrates to K.",
        ),
        "weights twice": (
            edited_log_density("(J + weights.log()).logsumexp(1)"),
            "`log_joint` contains the logarithms of the weights already. You add them again.",
        ),
        "logarithms weighted": (
            edited_log_density("(weights * (J - weights.log())).sum(1)"),
            "You average the components' log-densities with the weights. That is never more than log p(x): the logarithm "
            "comes after the sum.",
        ),
        "logarithm forgotten": (
            edited_log_density("J.exp().sum(1)"),
            "This is the density p(x), not its logarithm. Far away it is 0 as a float.",
        ),
        "summed over the points": (
            edited_log_density("J.logsumexp(0)"),
            "You sum over the points and get a number for each component. Each point wants its own: sum over the "
            "components, dimension 1.",
        ),
    },
    accepts=[
        lambda x, weights, means, covariances: torch.logsumexp(density.log_joint(x, weights, means, covariances), dim=-1),
        lambda x, weights, means, covariances: torch.stack(
            [w.log() + log_density_by_inverse(x, m, c) for w, m, c in zip(weights, means, covariances, strict=True)]
        ).logsumexp(0),
    ],
    hints=[
        "What is exp(−800) as a float? And what does the function then return, for every point that is so far away?",
        "log Σ exp(a) = m + log Σ exp(a − m) for any m. With the largest a as m, nothing important underflows.",
        "PyTorch has this as `logsumexp`.",
    ],
    points=1,
    minutes=5,
)  # fmt: skip


def probe_em_step(answer, rng):
    n, k, d = rng.size(24, 30), rng.size(4, 5), rng.size(2, 3)
    start = mixture(rng, k, d)
    x = start[1].repeat(-(-n // k), 1)[:n] + rng.normal(n, d, dtype=torch.float64)  # some near each mean
    weights, means, covariances = answer(x, *start, 0.3)
    return {"weights": weights, "means": means, "covariances": covariances}


def em_around_old_means(x, weights, means, covariances, ridge):
    new_weights, new_means, _ = density.em_step(x, weights, means, covariances, ridge)
    r = density.responsibilities(x, weights, means, covariances)
    away = x[:, None] - means
    spread = torch.einsum("nk,nkd,nke->kde", r, away, away) / r.sum(0)[:, None, None]
    return new_weights, new_means, spread + ridge * torch.eye(x.shape[1], dtype=x.dtype)


def em_with_new_responsibilities(x, weights, means, covariances, ridge):
    new_weights, new_means, _ = density.em_step(x, weights, means, covariances, ridge)
    r = density.responsibilities(x, new_weights, new_means, covariances)
    away = x[:, None] - new_means
    spread = torch.einsum("nk,nkd,nke->kde", r, away, away) / r.sum(0)[:, None, None]
    return new_weights, new_means, spread + ridge * torch.eye(x.shape[1], dtype=x.dtype)


def em_with_pooled_covariance(x, weights, means, covariances, ridge):
    weights, means, covariances = density.em_step(x, weights, means, covariances, ridge)
    return weights, means, (weights[:, None, None] * covariances).sum(0).expand_as(covariances)


def em_by_loops(x, weights, means, covariances, ridge):
    r = density.log_joint(x, weights, means, covariances)
    r = (r - r.logsumexp(1, keepdim=True)).exp()
    new_means, new_covariances = [], []
    for share in r.T:
        mean = (share[:, None] * x).sum(0) / share.sum()
        spread = ((x - mean).T * share) @ (x - mean) / share.sum()
        new_means.append(mean)
        new_covariances.append(spread + ridge * torch.eye(len(mean), device=x.device, dtype=x.dtype))
    return r.mean(0), torch.stack(new_means), torch.stack(new_covariances)


def em_by_second_moments(x, weights, means, covariances, ridge):
    r = density.responsibilities(x, weights, means, covariances)
    share = r / r.sum(0)
    means = share.T @ x
    second = torch.einsum("nk,nd,ne->kde", share, x, x)
    return r.mean(0), means, second - means[:, :, None] * means[:, None] + ridge * torch.eye(x.shape[1]).to(x)


exercise(
    target=density.em_step,
    title="One step of expectation-maximisation",
    probe=probe_em_step,
    mistakes={
        "every point in one component": (
            edited(density.em_step, "r = responsibilities(x, weights, means, covariances)",
                   "r = torch.eye(len(weights)).to(x)[responsibilities(x, weights, means, covariances).argmax(1)]"),
            "You give each point wholly to its most likely component, as k-means does. EM shares it out: each component "
            "counts the point by its responsibility.",
        ),
        "responsibilities summed over the points": (
            edited(density.em_step, "responsibilities(x, weights, means, covariances)",
                   "log_joint(x, weights, means, covariances).softmax(0)"),
            "Your shares sum to 1 over the *points*. A point is made by one of the components, so for each point the "
            "shares sum to 1 over the components.",
        ),
        "weights left out of the responsibilities": (
            edited(density.em_step, "responsibilities(x, weights, means, covariances)",
                   "responsibilities(x, torch.ones_like(weights), means, covariances)"),
            "Your responsibilities ignore the weights. By Bayes' rule a common component is the likelier maker of a point "
            "that two components explain equally well.",
        ),
        "shares that do not sum to one": (
            edited(density.em_step, "responsibilities(x, weights, means, covariances)",
                   "log_joint(x, weights, means, covariances).exp()"),
            "Your shares are the densities times the weights, and do not sum to 1. Bayes' rule divides them by their sum over "
            "the components; `responsibilities` does all of it.",
        ),
        "weights counted twice": (
            edited(density.em_step, "r = responsibilities(x, weights, means, covariances)",
                   "r = responsibilities(x, weights, means, covariances) * weights"),
            "You multiply the responsibilities by the weights, which they contain already. They then no longer sum to 1 "
            "for each point.",
        ),
        "not centred": (
            edited(density.em_step, "x[:, None] - means", "x[:, None].expand(-1, len(means), -1)"),
            "Your covariances measure from 0. Subtract the *new* means first: a covariance is the spread around the mean.",
        ),
        "means not weighted": (
            edited(density.em_step, "means = r.T @ x / n[:, None]", "means = x.mean(0).expand(len(n), -1)"),
            "All your components get the same mean, that of all points. Each counts the points by its responsibilities.",
        ),
        "corrected by torch.cov": (
            lambda x, weights, means, covariances, ridge: (
                *density.em_step(x, weights, means, covariances, ridge)[:2],
                torch.stack([torch.cov(x.T, aweights=r).view(x.shape[1], -1) + ridge * torch.eye(x.shape[1], dtype=x.dtype)
                             for r in density.responsibilities(x, weights, means, covariances).T]),
            ),
            "`torch.cov` divides by a little less than the number of points, to be unbiased. The likelihood is largest without "
            "this: correction=0.",
        ),
        "weights not divided": (
            edited(density.em_step, "n / len(x)", "n"),
            "Your weights are numbers of points. Divide by the number of all points, so that they sum to 1.",
        ),
        "weights as they were": (
            lambda x, weights, means, covariances, ridge: (weights, *density.em_step(x, weights, means, covariances, ridge)[1:]),
            "You return the old weights. A component that explains more of the points gets a larger one.",
        ),
        "means divided by all points": (
            edited(density.em_step, "/ n[:, None]\n", "/ len(x)\n"),
            "You divide the sums by the number of all points. The mean of a component divides by how many points *it* has.",
        ),
        "covariances divided by all points": (
            edited(density.em_step, "/ n[:, None, None]", "/ len(x)"),
            "You divide the covariances by the number of all points. Divide by how many points each component has.",
        ),
        "covariances not divided": (
            edited(density.em_step, "/ n[:, None, None]", ""),
            "Your covariances are sums over the points. Divide by how many points each component has.",
        ),
        "one point less": (
            edited(density.em_step, "/ n[:, None, None]", "/ (n[:, None, None] - 1)"),
            "You divide by n − 1. That is the unbiased estimate; the one that makes the points most likely divides by n.",
        ),
        "covariances around the old means": (
            em_around_old_means,
            "You measure the spread from the old means. The likelihood is largest with the spread around the *new* ones.",
        ),
        "responsibilities taken again": (
            em_with_new_responsibilities,
            "You compute the responsibilities again between the means and the covariances. One step uses those of the old "
            "mixture throughout.",
        ),
        "one covariance for all": (
            em_with_pooled_covariance,
            "All components get the same covariance. Each has its own, from its own share of the points.",
        ),
        "correlations lost": (
            edited(density.em_step, "return n / len(x), means, covariances + ridge",
                   "return n / len(x), means, torch.diag_embed(covariances.diagonal(dim1=1, dim2=2)) + ridge"),
            "You keep only the diagonals of the covariances, so no component can be tilted.",
        ),
        "responsibilities squared": (
            edited(density.em_step, '"nk,nkd,nke->kde", r, away', '"nk,nkd,nke->kde", r.square(), away'),
            "The responsibilities enter the covariances squared, as if you had multiplied both factors by them. Each "
            "point counts by its responsibility once.",
        ),
        "points not weighted": (
            edited(density.em_step, '"nk,nkd,nke->kde", r, away, away) / n[:, None, None]', '"nkd,nke->kde", away, away) / len(x)'),
            "In the covariances every point counts fully for every component. It should count by its responsibility.",
        ),
        "no ridge": (
            edited(density.em_step, " + ridge * torch.eye(x.shape[1]).to(x)", ""),
            "The ridge is missing. A component that has shrunk onto one point then has variance 0 and an infinite density.",
        ),
        "ridge everywhere": (
            edited(density.em_step, "ridge * torch.eye(x.shape[1]).to(x)", "ridge"),
            "You add the ridge to all numbers of the covariances. It belongs on the variances, which are the diagonal.",
        ),
        "ridge squared": (
            edited(density.em_step, "ridge * torch", "ridge**2 * torch"),
            "You square the ridge. It is a variance already.",
        ),
    },
    accepts=[em_by_loops, em_by_second_moments],
    equivalents={
        "return (n / len(x), means, covariances + ridge * torch.eye(x.shape[1]))": "PyTorch brings both sides of a sum to the finer dtype, and here all is on the CPU"
    },
    hints=[
        "First the shares: `responsibilities` gives r, (N, K). Then everything is a *weighted* average over the points, "
        "with the column r[:, k] as the weights of component k.",
        "n = r.sum(0) says how many points each component has. Weights, means and covariances all divide by something; "
        "for the means and covariances of component k it is n[k].",
        "For the covariances: away = x[:, None] − means is (N, K, D), and `torch.einsum` sums r · away · awayᵀ over N. "
        "A loop over the K components is as good.",
    ],
    points=3,
    minutes=15,
)  # fmt: skip


def fit_to_slices(x, k):
    """A mixture of one component for each kth slice of the points: rough, and the same at every call."""
    parts = [density.fit_gaussian(x[i::k]) for i in range(k)]
    ridge = 0.5 * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    covariances = torch.stack([c + ridge for _, c in parts])
    return x.new_full((k,), 1 / k), torch.stack([m for m, _ in parts]), covariances


def probe_choose_components(answer, rng):
    d, first = rng.size(2, 3), rng.size(1, 2)
    numbers = [first, first + 2, first + 3, first + 5, first + 6]
    x = rng.normal(rng.size(30, 40), d, dtype=torch.float64)
    held_out = 1.5 * rng.normal(rng.size(20, 25), d, dtype=torch.float64)

    def fit(points, k):
        """Better, then worse, then best, then worse again: the first hill is not the highest."""
        weights, means, covariances = fit_to_slices(points, k)
        return weights, means + (2.0, 1.0, 3.0, 0.0, 1.5)[numbers.index(k)], covariances

    chosen, scores = answer(x, held_out, numbers, fit)
    return {"chosen": chosen, "scores": scores}


def judge_choose_components(raw):
    """Scores may come in any floating dtype, as from a list of numbers."""
    scores = raw["scores"]
    return {"chosen": raw["chosen"], "scores": scores.double() if scores.is_floating_point() else scores}


def choose_until_the_first_drop(kept):
    """A wrong answer that stops at the first drop. kept: what it returns of all the scores and the number of good ones."""

    def choose(x, held_out, numbers, fit):
        scores = torch.stack([density.mixture_log_density(held_out, *fit(x, k)).mean() for k in numbers])
        good = next((i for i in range(1, len(scores)) if scores[i] < scores[i - 1]), len(scores))
        return numbers[good - 1], kept(scores, good)

    return choose


FIRST_DROP = (
    "You stop at the first number that does worse than the one before. A larger one may be better again: try all, and take "
    "the best."
)
SCORE = "mixture_log_density(held_out, *mixture).mean()"


exercise(
    target=density.choose_components,
    title="Repair: how many components?",
    probe=probe_choose_components,
    judge=judge_choose_components,
    repair="scored on what it was fitted to",
    mistakes={
        "scored on what it was fitted to": (
            edited(density.choose_components, "density(held_out", "density(x"),
            "You score each mixture on the points that it was fitted to. There, more components can hardly lose: each may "
            "sit on a few points and call them very likely. Score on points that the fit has not seen.",
        ),
        "fitted to the held-out points": (
            edited(density.choose_components, "fit(x, k)", "fit(held_out, k)"),
            "You fit to the held-out points too, so nothing is held out any more.",
        ),
        "the two exchanged": (
            edited(density.choose_components, "fit(x, k)", "fit(held_out, k)", "density(held_out", "density(x"),
            "You fit to the held-out points and score on the others. It is the other way round.",
        ),
        "fitted to all points": (
            edited(density.choose_components, "fit(x, k)", "fit(torch.cat([x, held_out]), k)"),
            "You fit to all points, the held-out ones too. Then their likelihood says nothing about new points.",
        ),
        "scored on all points": (
            edited(density.choose_components, "density(held_out", "density(torch.cat([x, held_out])"),
            "The points that the mixtures were fitted to are among those that you score. Only held-out points count.",
        ),
        "sum for mean": (
            edited(density.choose_components, SCORE, SCORE.replace("mean", "sum")),
            "You sum over the points. The mean is wanted, so that sets of different sizes can be compared.",
        ),
        "the worst chosen": (
            edited(density.choose_components, "argmax", "argmin"),
            "You chose the number with the *lowest* log-likelihood. Larger is better; only a loss is made small.",
        ),
        "negative": (
            edited(density.choose_components, SCORE, f"-{SCORE}"),
            "You return the negative log-likelihoods, and chose the largest of those, which is the worst mixture.",
        ),
        "a loss, made small": (
            edited(density.choose_components, SCORE, f"-{SCORE}", "argmax", "argmin"),
            "The right choice. But the scores are the negative log-likelihoods; the log-likelihoods are wanted.",
        ),
        "divided by the fitted points": (
            edited(density.choose_components, SCORE, "mixture_log_density(held_out, *mixture).sum() / len(x)"),
            "You sum over the held-out points and divide by the number of fitted ones.",
        ),
        "held-out minus fitted": (
            edited(density.choose_components, SCORE, f"{SCORE} - mixture_log_density(x, *mixture).mean()"),
            "You score the gap between held-out and fitted points. A mixture that is equally bad on both has no gap: what "
            "counts is the log-likelihood of the held-out points itself.",
        ),
        "stopped at the first drop": (choose_until_the_first_drop(lambda scores, good: scores[:good]), FIRST_DROP),
        "stopped after the first drop": (choose_until_the_first_drop(lambda scores, good: scores[: good + 1]), FIRST_DROP),
        "chose before the first drop": (choose_until_the_first_drop(lambda scores, good: scores), FIRST_DROP),
        "position for number": (
            edited(density.choose_components, "numbers[int(scores.argmax())]", "int(scores.argmax())"),
            "You return the position in the list of candidates, not the number that stands there.",
        ),
        "mean before the logarithm": (
            edited(density.choose_components, SCORE, "mixture_log_density(held_out, *mixture).exp().mean().log()"),
            "You average the densities and take the logarithm afterwards. The log-likelihood of many points is the *sum of "
            "their logarithms*, so the mean is over logarithms too.",
        ),
        "median for mean": (
            edited(density.choose_components, ".mean()", ".median()"),
            "You take the median. It does not notice the few held-out points that a mixture calls impossible, and these "
            "are just what gives too many components away.",
        ),
    },
    accepts=[
        lambda x, held_out, numbers, fit: (
            lambda scores: (max(zip(scores.tolist(), numbers, strict=True))[1], scores)
        )(torch.tensor([density.mixture_log_density(held_out, *fit(x, k)).sum() / len(held_out) for k in numbers], dtype=x.dtype)),
        lambda x, held_out, numbers, fit: (
            lambda scores: (numbers[scores.argmax().item()], scores)
        )(torch.stack([torch.logsumexp(density.log_joint(held_out, *fit(x, k)), 1).mean() for k in numbers])),
        lambda x, held_out, numbers, fit: (
            lambda scores: (numbers[scores.index(max(scores))], torch.tensor(scores))
        )([density.mixture_log_density(held_out, *fit(x, k)).mean().item() for k in numbers]),
    ],
    hints=[
        "Which points does each of the two lines use? Which of them should the fit never see?",
    ],
    points=1,
    minutes=5,
)  # fmt: skip


def probe_mixture_score(answer, rng):
    n, k, d = rng.size(7, 9), rng.size(4, 6), rng.size(2, 3)
    parts = mixture(rng, k, d)
    far = 200 + 50 * rng.normal(n, d, dtype=torch.float64)
    return {
        "score": answer(2 * rng.normal(n, d, dtype=torch.float64), *parts),
        "score far away": answer(far, *parts),
    }


def score_by_autograd(x, weights, means, covariances):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(density.mixture_log_density(x, weights, means, covariances).sum(), x)[0]


def score_by_loop(x, weights, means, covariances):
    r = density.log_joint(x, weights, means, covariances).softmax(1)
    total = torch.zeros_like(x)
    for k in range(len(weights)):
        total = total + r[:, k, None] * torch.linalg.solve(covariances[k], (means[k] - x).T).T
    return total


def score_by_inverse(x, weights, means, covariances):
    r = density.responsibilities(x, weights, means, covariances)
    away = x[:, None, :, None] - means[:, :, None]
    return -(r[..., None] * (torch.linalg.inv(covariances) @ away)[..., 0]).sum(1)


def score_of_the_density(x, weights, means, covariances):
    p = density.mixture_log_density(x, weights, means, covariances).exp()
    return p[:, None] * density.mixture_score(x, weights, means, covariances)


def score_of_one_gaussian(x, weights, means, covariances):
    mean = weights @ means
    away = means - mean
    total = (weights[:, None, None] * (covariances + away[:, :, None] * away[:, None])).sum(0)
    return torch.linalg.solve(total, (mean - x).T).T


def score_with_mean_covariance(x, weights, means, covariances):
    r = density.responsibilities(x, weights, means, covariances)
    spread = torch.einsum("nk,kde->nde", r, covariances)
    return torch.linalg.solve(spread, (r @ means - x)[..., None])[..., 0]


exercise(
    target=density.mixture_score,
    title="The exact score of a mixture",
    probe=probe_mixture_score,
    mistakes={
        "wrong sign": (
            edited(density.mixture_score, "means[:, None] - x", "x - means[:, None]"),
            "Right except for the sign: yours points away from the means. The score points to where the density grows.",
        ),
        "weights for responsibilities": (
            edited(density.mixture_score, "responsibilities(x, weights, means, covariances)", "weights.expand(len(x), -1)"),
            "You average the components' scores with the weights, so every component pulls everywhere. At x, a component "
            "counts by how likely it is to have made x.",
        ),
        "shares over the points": (
            edited(density.mixture_score, "responsibilities(x, weights, means, covariances)",
                   "log_joint(x, weights, means, covariances).softmax(0)"),
            "Your shares sum to 1 over the *points*. At each point, those of the components sum to 1.",
        ),
        "a small number under the fraction": (
            edited(density.mixture_score, "responsibilities(x, weights, means, covariances)",
                   "(lambda p: p / (p.sum(1, keepdim=True) + 1e-12))(log_joint(x, weights, means, covariances).exp())"),
            "You divide the densities by their sum and a small number. Where p is smaller than that, your score is 0, and "
            "nothing leads back from there. `responsibilities` stays in the logarithms.",
        ),
        "plain sum": (
            edited(density.mixture_score, '"nk,kdn->nd", r, scores', '"kdn->nd", scores'),
            "You sum the scores of all components, as if p were their product. They want averaging, with the "
            "responsibilities as weights.",
        ),
        "plain mean": (
            edited(density.mixture_score, 'torch.einsum("nk,kdn->nd", r, scores)', "scores.mean(0).T"),
            "Every component counts equally in your average, also those that have nothing to do with x.",
        ),
        "nearest component only": (
            edited(density.mixture_score, "r = responsibilities(x, weights, means, covariances)",
                   "r = torch.eye(len(weights)).to(x)[responsibilities(x, weights, means, covariances).argmax(1)]"),
            "You follow the likeliest component alone. Between two components both pull: average with the responsibilities.",
        ),
        "gradient of the density": (
            score_of_the_density,
            "This is ∇p, the gradient of the density. The score is the gradient of its logarithm, ∇p / p. Far away, ∇p is "
            "0 as a float, while the score still points back.",
        ),
        "covariance for its inverse": (
            edited(density.mixture_score, "torch.cholesky_solve((means[:, None] - x).mT, factors)",
                   "covariances @ (means[:, None] - x).mT"),
            "You multiply by Σ where you should divide by it: a *narrow* component pulls hard.",
        ),
        "covariances left out": (
            edited(density.mixture_score, "torch.cholesky_solve((means[:, None] - x).mT, factors)", "(means[:, None] - x).mT"),
            "You forgot the covariances: each component pulls with Σ⁻¹(μ − x).",
        ),
        "divided by the factor once": (
            edited(density.mixture_score, "torch.cholesky_solve((means[:, None] - x).mT, factors)",
                   "torch.linalg.solve_triangular(factors, (means[:, None] - x).mT, upper=False)"),
            "You divide by L once. Σ⁻¹ = L⁻ᵀ L⁻¹ divides by both factors; `cholesky_solve` does.",
        ),
        "correlations lost": (
            edited(density.mixture_score, "torch.cholesky_solve((means[:, None] - x).mT, factors)",
                   "((means[:, None] - x) / covariances.diagonal(dim1=1, dim2=2)[:, None]).mT"),
            "You divide by the variances only. A tilted component does not pull straight to its mean: divide by the whole "
            "matrix.",
        ),
        "twice too large": (
            edited(density.mixture_score, "(means[:, None] - x).mT", "2 * (means[:, None] - x).mT"),
            "Twice too large: the ½ before the squared distance cancels the 2 of its derivative.",
        ),
        "covariances averaged": (
            score_with_mean_covariance,
            "You average means and covariances first, and take one score of the result. Each component's own score comes "
            "first, then the average.",
        ),
        "one Gaussian for all": (
            score_of_one_gaussian,
            "This is the score of the one Gaussian with the mixture's mean and covariance. It points to the middle of "
            "everything, where there may be nothing at all.",
        ),
        "weights counted twice": (
            edited(density.mixture_score, '"nk,kdn->nd", r, scores', '"nk,kdn->nd", r * weights, scores'),
            "You multiply the responsibilities by the weights, which they contain already. They then no longer sum to 1.",
        ),
        "weights left out of the responsibilities": (
            edited(density.mixture_score, "responsibilities(x, weights, means, covariances)",
                   "responsibilities(x, torch.ones_like(weights), means, covariances)"),
            "Your responsibilities ignore the weights: a rare component pulls as hard as a common one.",
        ),
    },
    accepts=[score_by_autograd, score_by_loop, score_by_inverse],
    hints=[
        "The chain rule: ∇ log p = ∇p / p, and ∇p is the sum of w_k ∇p_k. Write ∇p_k as p_k ∇ log p_k. What stands before "
        "each ∇ log p_k then?",
        "Before ∇ log p_k stands w_k p_k(x) / p(x), and that is a responsibility. What is left is ∇ log p_k of one "
        "Gaussian: differentiate −½ (x − μ)ᵀ Σ⁻¹ (x − μ).",
        "`torch.linalg.solve(covariances[k], columns)` is Σ⁻¹ times columns; `torch.cholesky_solve` does it for all k at once.",
    ],
    points=3,
    minutes=15,
)  # fmt: skip


def which_family() -> str:
    """A factory takes a photograph of each of its parts. You want to know exactly how probable each photograph is,
    and to draw new ones, of rare kinds too. It may take minutes to draw one. Which family of models do you take?
    "a": a GAN
    "b": a variational autoencoder
    "c": an autoregressive model
    "d": a diffusion model
    """
    return "c"


exercise(
    target=which_family,
    title="Which family for the factory?",
    mistakes={
        "a GAN": (
            "a",
            "A GAN has an implicit density: it draws, and cannot say how probable a photograph is. It also tends to leave "
            "rare kinds out. Its speed is not asked for here.",
        ),
        "a variational autoencoder": (
            "b",
            "Its density is explicit, but only approximate: it gives a bound that lies below log p(x), by an amount that "
            "nobody knows. Here the exact number is asked for.",
        ),
        "a diffusion model": (
            "d",
            "It would draw well, the rare kinds too. But what its training gives is a bound on log p(x), and here the exact "
            "number is asked for.",
        ),
    },
    hints=["Which families stand in the box “explicit density, tractable”? And may it be slow?"],
    minutes=3,
)
