"""The exercises of lesson 20: the Fréchet distance of two crowds, and what it makes of few pictures."""

import numpy as np
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from minigen import metrics
from minigen.course.catalogue import lesson
from minigen.course.source import edited

exercise = lesson("20_fid")
SAME_NUMBER = "both ways give the same number"
REFUSES = "it refuses what is no such argument, which right arguments do not show"


def number(value):
    """A number in float64, whether it came as a float or as a tensor."""
    if isinstance(value, (int, float, np.number)) or (isinstance(value, Tensor) and not value.is_complex()):
        return torch.as_tensor(value, dtype=torch.float64)
    return value


def probe_transport_1d(answer, rng):
    n = rng.size(5, 8)
    a, b = 2 * rng.normal(n), rng.normal(n) + 0.5
    return {
        "p = 2": answer(rng.normal(n, leaf="a"), rng.normal(n, leaf="b") + 1),
        "p = 1": answer(a, b, 1),
        "p = 3": answer(a, b, 3),
        "p = 4": answer(rng.normal(n + 2), 2 * rng.normal(n + 2), p=4),
    }


def by_quantiles(a, b, p=2):
    a, b = (torch.stack([x.kthvalue(k + 1).values for k in range(len(x))]) for x in (a, b))
    return torch.mean(torch.abs(a - b) ** p)


def by_ranks(a, b, p=2):
    paired = torch.empty_like(b)
    paired[a.argsort()] = b.sort()[0]
    return (a - paired).abs().pow(p).sum() / a.shape[0]


ONE_TO_ONE = "Each b must be taken exactly once."
transport = metrics.transport_1d

exercise(
    target=transport,
    title="The cheapest pairing on a line",
    probe=probe_transport_1d,
    mistakes={
        "as they come": (lambda a, b, p=2: (a - b).abs().pow(p).mean(),
            "You pair the numbers as they come (or put both sets into one order, which keeps the pairs). Sort each set by itself."),
        "only a sorted": (lambda a, b, p=2: (a.sort().values - b).abs().pow(p).mean(),
            "You sort a and leave b as it came. Both must be sorted, so that smallest meets smallest."),
        "only b sorted": (lambda a, b, p=2: (a - b.sort().values).abs().pow(p).mean(),
            "You sort b and leave a as it came. Both must be sorted, so that smallest meets smallest."),
        "largest to smallest": (lambda a, b, p=2: (a.sort().values - b.sort(descending=True).values).abs().pow(p).mean(),
            "The largest goes to the smallest: every two lines cross, and this is the dearest pairing, not the cheapest."),
        "sum for mean": (lambda a, b, p=2: (a.sort().values - b.sort().values).abs().pow(p).sum(),
            "You add up over the pairs. A mean is wanted, so that larger crowds are not farther apart."),
        "root taken": (lambda a, b, p=2: transport(a, b, p) ** (1 / p),
            "You took the root at the end. That is the Wasserstein distance itself; here its p-th power is wanted, the mean cost."),
        "always squared": (lambda a, b, p=2: (a.sort().values - b.sort().values).square().mean(),
            "You square the distances, whatever p is. To move by a distance d costs d to the power p."),
        "p forgotten": (lambda a, b, p=2: (a.sort().values - b.sort().values).abs().mean(),
            "You take the plain distances, whatever p is. To move by a distance d costs d to the power p."),
        "no absolute value": (lambda a, b, p=2: (a.sort().values - b.sort().values).pow(p).mean(),
            "With an odd p, moves to the left are negative and cancel moves to the right. Take the absolute value first."),
        "p-norm": (lambda a, b, p=2: (a.sort().values - b.sort().values).norm(p),
            "`norm(p)` adds up the powers and takes a root. Here the *mean* of the powers is wanted, without a root."),
        "p-norm, divided": (lambda a, b, p=2: (a.sort().values - b.sort().values).norm(p) / len(a),
            "`norm(p)` takes the root of the sum of the powers, and you divide that by N. No root is wanted: the mean of the powers."),
        "places for values": (lambda a, b, p=2: (a.sort().indices - b.sort().indices).abs().to(a).pow(p).mean(),
            "You compare the places where the numbers stood, not the numbers. `sort` gives both: `.values` and `.indices`."),
        "places for ranks": (lambda a, b, p=2: (a - b.sort().values[a.argsort()]).abs().pow(p).mean(),
            "`a.argsort()` says where the smallest of a stands, not which rank each a has. It is simpler to sort both."),
        "only b, by the places of a": (lambda a, b, p=2: (a - b[a.argsort()]).abs().pow(p).mean(),
            "You order b by the places of a, and leave a as it came. Each set is sorted by its own values."),
        "formula for Gaussians": (lambda a, b, p=2: (a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2,
            "That is the distance of two Gaussians with the means and spreads of a and b. The sets may have any shape: pair the numbers."),
        "mean before the power": (lambda a, b, p=2: (a.sort().values - b.sort().values).abs().mean().pow(p),
            "You average the distances and raise the mean to the power p. Each move has a cost of its own: the power comes first."),
        "distance of the means": (lambda a, b, p=2: (a.mean() - b.mean()).abs().pow(p),
            "This is how far apart the two means are. Crowds with one mean may still differ, and then points have to move."),
        "nearest b for each a": (lambda a, b, p=2: (a[:, None] - b).abs().amin(1).pow(p).mean(),
            f"You send each a to the b that is nearest, so that some b are taken several times and others never. {ONE_TO_ONE}"),
        "nearest a for each b": (lambda a, b, p=2: (a[:, None] - b).abs().amin(0).pow(p).mean(),
            f"You fetch for each b the a that is nearest, so that some a go to several places. {ONE_TO_ONE}"),
        "all pairs": (lambda a, b, p=2: (a[:, None] - b).abs().pow(p).mean(),
            "You average over all N² pairs, as if each a went to every b. Each a goes to one b, the best for the whole."),
        "divided by N − 1": (lambda a, b, p=2: (a.sort().values - b.sort().values).abs().pow(p).sum() / (len(a) - 1),
            "You divide by N − 1. That belongs to a variance; this is the mean over N pairs."),
        "no gradient": (lambda a, b, p=2: transport(a.detach(), b.detach(), p),
            "The number is right, but no gradient reaches a and b. Leave out `detach`, `item` and numpy."),
    },
    accepts=[by_quantiles, by_ranks],
    hints=[
        "Which a goes to the smallest b, if no two lines may cross?",
        "`t.sort().values` are the numbers of t in order. Then subtract pair by pair.",
        "Absolute value, power p, mean.",
    ],
    points=1,
    minutes=10,
)  # fmt: skip


def probe_gaussian_statistics(answer, rng):
    n, d = rng.size(6, 9), rng.size(3, 5)
    mean, covariance = answer(rng.normal(n, d) * (1 + torch.arange(d, device=rng.device)) + 0.5)
    far_mean, far_covariance = answer(1000 + rng.normal(2 * n, d))
    few_mean, few_covariance = answer(rng.normal(3, d + 3, dtype=torch.float64))
    return {
        "mean": mean, "covariance": covariance,
        "mean, far from 0": far_mean - 1000, "covariance, far from 0": far_covariance,
        "mean of three rows": few_mean, "covariance of three rows": few_covariance,
    }  # fmt: skip


statistics = metrics.gaussian_statistics


def centred(x):
    return x.double() - x.double().mean(0)


def with_covariance(covariance):
    """The right mean, with another covariance."""
    return lambda features: (features.double().mean(0), covariance(features))


def with_mean(mean):
    """The right covariance, with another mean."""
    return lambda features: (mean(features.double()), statistics(features)[1])


exercise(
    target=statistics,
    title="The statistics of a crowd",
    probe=probe_gaussian_statistics,
    mistakes={
        "divided by N": (with_covariance(lambda x: centred(x).T @ centred(x) / len(x)),
            "You divide by N. Rows lie nearer to their own mean than to the true one, so that is too small: divide by N − 1."),
        "not centred": (with_covariance(lambda x: x.double().T @ x.double() / (len(x) - 1)),
            "You do not subtract the mean first. Then where the crowd lies counts as if it were its width."),
        "not divided": (with_covariance(lambda x: centred(x).T @ centred(x)),
            "You add up the products of all rows. A covariance is their mean: divide by N − 1."),
        "mean of squares less square of the mean": (
            with_covariance(lambda x: x.double().T @ x.double() / (len(x) - 1) - x.double().mean(0).outer(x.double().mean(0))),
            "You divide the products by N − 1 and then subtract the square of the mean, which would fit a division by N. Subtract the "
            "mean from the rows first: it is right, and more precise too."),
        "the rows with each other": (with_covariance(lambda x: centred(x) @ centred(x).T / (len(x) - 1)),
            "Yours is (N, N), the products of rows with rows. Between the columns it is (D, D): the transpose belongs on the left."),
        "covariance of the rows": (with_covariance(lambda x: torch.cov(x.double())),
            "`torch.cov` takes its variables as rows, and our variables are columns, so yours is (N, N). Give it the transpose."),
        "correlations": (with_covariance(lambda x: torch.corrcoef(x.double().T)),
            "These are correlations, with 1 on the diagonal. The widths are lost; FID needs them."),
        "variances only": (with_covariance(lambda x: x.double().var(0)),
            "These are the variances of the columns alone, (D,). How two columns go together is what the rest of (D, D) says."),
        "variances on a diagonal": (with_covariance(lambda x: x.double().var(0).diag()),
            "Your matrix has the variances and zeros beside them, as if no two features went together."),
        "one mean for all columns": (
            with_covariance(lambda x: (x.double() - x.double().mean()).T @ (x.double() - x.double().mean()) / (len(x) - 1)),
            "You subtract one number, the mean of everything. Each column has a mean of its own: `mean(0)`."),
        "mean of each row subtracted": (with_covariance(lambda x: (x.double() - x.double().mean(1, keepdim=True)).T
                            @ (x.double() - x.double().mean(1, keepdim=True)) / (len(x) - 1)),
            "You subtract from each row its own mean. The mean is over the rows, dimension 0."),
        "divided by D − 1": (with_covariance(lambda x: centred(x).T @ centred(x) / (x.shape[1] - 1)),
            "You divide by the number of columns less 1. The products are added up over the N rows."),
        "mean over the columns": (with_mean(lambda x: x.mean(1)),
            "Your mean has one number for each row. It is over the rows, dimension 0, so that D numbers are left."),
        "one number for a mean": (with_mean(lambda x: x.mean()),
            "Your mean is one number. Each of the D columns has its own."),
        "mean divided by N − 1": (with_mean(lambda x: x.sum(0) / (len(x) - 1)),
            "You divide by N − 1 in the mean as well. Only the covariance needs that: the mean is a sum over N rows, by N."),
        "the other way round": (lambda features: statistics(features)[::-1],
            "You return the covariance first. The mean comes first."),
        "in float32": (lambda features: (features.float().mean(0), torch.cov(features.float().T)),
            "You compute in float32, and what that loses does not come back when the result is made float64. A Fréchet distance is a "
            "small difference between large numbers: make the rows float64 before you compute."),
        "float64 at the end": (lambda features: (
                features.mean(0).double(),
                ((features.T @ features - len(features) * features.mean(0).outer(features.mean(0))) / (len(features) - 1)).double(),
            ),
            "You compute in float32 and make the result float64. What was lost is lost: far from 0, this is off by more than the "
            "variances themselves. Make the rows float64 first, and subtract the mean before you multiply."),
    },
    accepts=[
        lambda features: (features.double().mean(dim=0), torch.cov(features.double().T)),
        lambda features: (
            features.double().sum(0) / len(features),
            torch.einsum("ni,nj->ij", centred(features), centred(features)) / (features.shape[0] - 1),
        ),
    ],
    hints=[
        "`x = features.double()` first, then the mean over the rows, dimension 0.",
        "The covariance of two columns is the mean product of their deviations. A product of two matrices makes them all at "
        "once: which of the two is transposed, if (D, D) should come out?",
        "On average it is right when you divide by N − 1.",
    ],
    points=1,
    minutes=8,
)  # fmt: skip


def covariance_of(rng, d, rank):
    """A covariance (d, d) of this rank, in float64; with an even d no entry is negative, so that each has a root."""
    root = rng.normal(d, rank, dtype=torch.float64)
    root = root if d % 2 else root.abs()
    return root @ root.T / rank


def probe_frechet_distance(answer, rng):
    d = rng.size(3, 6)

    def gaussian(rank, shift=0.0):
        return rng.normal(d, dtype=torch.float64) + shift, covariance_of(rng, d, rank)

    mean, covariance = gaussian(d + 2)
    other_mean, other = gaussian(d + 3, shift=0.5)
    axes = torch.linalg.qr(rng.normal(d, d, dtype=torch.float64)).Q
    axes = axes if d % 2 else torch.eye(d).to(axes)
    flat = axes[:, :-1] @ axes[:, :-1].T  # variance 0 in one direction
    return {
        "distance": number(answer(mean, covariance, other_mean, 2 * other)),
        "equal means": number(answer(mean, covariance, mean, 3 * other)),
        "equal covariances": number(answer(mean, covariance, other_mean, covariance)),
        "a has few directions": number(answer(*gaussian(2), *gaussian(d + 4))),
        "b has few directions": number(answer(*gaussian(d + 4), *gaussian(2))),
        "both have few directions": number(answer(*gaussian(1), *gaussian(2))),
        "one direction without variance": number(answer(mean, flat, other_mean, flat @ other @ flat)),
    }


distance = metrics.frechet_distance


def means_apart(mean_a, mean_b):
    return (mean_a - mean_b).square().sum()


def root_of(covariance):
    """The symmetric square root."""
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def with_cross(cross):
    """The distance with another number in the place of tr √(ΣaΣb), made from the two covariances."""

    def wrong(mean_a, cov_a, mean_b, cov_b):
        return float(means_apart(mean_a, mean_b) + cov_a.trace() + cov_b.trace() - 2 * cross(cov_a, cov_b))

    return wrong


def also_cut(name, wrong, why):
    """The same mistake twice: as it is, and with distances below 0 cut off."""
    return {
        name: (wrong, why),
        f"{name}, cut off at 0": (lambda *gaussians: max(0.0, float(wrong(*gaussians))), why),
    }


def singular_values(cov_a, cov_b):
    """Those of BᵀA."""
    return torch.linalg.svdvals(metrics.matrix_root(cov_b).T @ metrics.matrix_root(cov_a))


SUMS = {  # other numbers in the place of the sum of the singular values S
    "largest only": (lambda S: S.max(), "You take the largest singular value. All of them are added up."),
    "length of the product": (lambda S: S.norm(),
        "You take the root of the summed squares of the singular values, the root of the trace of ΣaΣb. Their plain sum is wanted."),
    "roots of singular values": (lambda S: S.sqrt().sum(),
        "You take the root once too often. The singular values are roots of the eigenvalues of ΣaΣb already: add them up."),
    "squares of singular values": (lambda S: S.square().sum(),
        "You add up the squares of the singular values, which is the trace of ΣaΣb itself. Without the squares it is that of its root."),
    "once, not twice": (lambda S: S.sum() / 2,
        "You subtract the sum of the singular values once. It has a factor of 2, like the middle term of any square of a difference."),
    "added": (lambda S: -S.sum(),
        "You add the sum of the singular values. It is what the best pairing saves: subtract it."),
}  # fmt: skip
ENTRIES = (
    "You take the root of each entry of ΣaΣb. The root of a matrix R is a matrix with R R = ΣaΣb, which is another thing "
    "unless everything is diagonal."
)


def with_spread(spread):
    """The distance with another number for all that depends on the covariances."""
    return lambda mean_a, cov_a, mean_b, cov_b: float(means_apart(mean_a, mean_b) + spread(cov_a, cov_b))


def with_means(apart):
    """The distance with another number in the place of ‖μa − μb‖²."""

    def wrong(mean_a, cov_a, mean_b, cov_b):
        return distance(mean_a, cov_a, mean_a, cov_b) + float(apart(mean_a - mean_b))

    return wrong


def distance_by_singular_values(mean_a, cov_a, mean_b, cov_b):
    S = singular_values(cov_a, cov_b)
    return means_apart(mean_a, mean_b) + torch.trace(cov_a) + torch.trace(cov_b) - 2 * S.sum()


def distance_by_eigenvalues(mean_a, cov_a, mean_b, cov_b):
    values = torch.linalg.eigvals(cov_a @ cov_b).real.clamp(min=0)
    return ((mean_a - mean_b) ** 2).sum() + torch.trace(cov_a + cov_b) - 2 * values.sqrt().sum()


def distance_by_scipy(mean_a, cov_a, mean_b, cov_b):
    half = root_of(cov_a)
    root = sqrtm((half @ cov_b @ half).numpy()).real
    return float(means_apart(mean_a, mean_b) + (cov_a + cov_b).trace()) - 2 * float(np.trace(root))


exercise(
    target=distance,
    title="The Fréchet distance of two Gaussians",
    probe=probe_frechet_distance,
    mistakes={
        **{name: (with_cross(lambda a, b, total=total: total(singular_values(a, b))), why) for name, (total, why) in SUMS.items()},
        **also_cut("roots of the entries", with_cross(lambda a, b: (a @ b).sqrt().trace()),
            f"{ENTRIES} A negative entry has the root nan, and `max(0.0, nan)` is 0."),
        **also_cut("roots of the entries that have one", with_cross(lambda a, b: (a @ b).clamp(min=0).sqrt().trace()),
            f"{ENTRIES} Leaving out the nan of negative entries only hides that."),
        "root of the product by matrix_root": (with_cross(lambda a, b: metrics.matrix_root(a @ b).trace()),
            "`matrix_root` is for covariances, and ΣaΣb is not even symmetric. And its L has L Lᵀ = Σ, where a square root R would have "
            "R R = Σ. Take a root of each covariance, and the singular values of BᵀA."),
        "eigenvalues of each": (
            with_cross(lambda a, b: (torch.linalg.eigvalsh(a).clamp(min=0) * torch.linalg.eigvalsh(b).clamp(min=0)).sqrt().sum()),
            "You multiply the eigenvalues of Σa by those of Σb. Unless the two have the same axes, the *product* has others."),
        "roots of the diagonal": (with_cross(lambda a, b: (a.diagonal() * b.diagonal()).sqrt().sum()),
            "You use the variances only. That ignores how the features go together, and is right for diagonal covariances alone."),
        **also_cut("singular values of the product, no root", with_cross(lambda a, b: torch.linalg.svdvals(a @ b).sum()),
            "You take the singular values of ΣaΣb itself. Put the *roots* in the place of the covariances: those of BᵀA are wanted."),
        "singular values of the product": (with_cross(lambda a, b: torch.linalg.svdvals(a @ b).sqrt().sum()),
            "You take the roots of the singular values of ΣaΣb. It is not symmetric, so they are not its eigenvalues. Take those of BᵀA."),
        "eigvalsh of the product": (with_cross(lambda a, b: torch.linalg.eigvalsh(a @ b).clamp(min=0).sqrt().sum()),
            "`eigvalsh` is for symmetric matrices, and reads one half only. ΣaΣb is not symmetric; AᵀΣbA is, with the same eigenvalues."),
        "not turned": (with_cross(lambda a, b: (metrics.matrix_root(b).T @ metrics.matrix_root(a)).trace()),
            "This is the trace of BᵀA, without the best turn. With it, it is the sum of the singular values, which is never less."),
        "symmetric roots multiplied": (with_cross(lambda a, b: (root_of(a) @ root_of(b)).trace()),
            "You multiply √Σa by √Σb. That is √(ΣaΣb) only when the two covariances have the same axes."),
        "distance of the covariances": (with_spread(lambda a, b: (a - b).square().sum()),
            "You square the difference of the two matrices, entry by entry. The unit is wrong: a covariance is a square already."),
        "only trace of a": (with_spread(lambda a, b: a.trace() - 2 * singular_values(a, b).sum()),
            "The trace of Σb is missing."),
        "only trace of b": (with_spread(lambda a, b: b.trace() - 2 * singular_values(a, b).sum()),
            "The trace of Σa is missing."),
        "sum for trace": (with_spread(lambda a, b: (a + b).sum() - 2 * singular_values(a, b).sum()),
            "You add up all entries of the covariances. The trace is the sum of the diagonal alone: the variances."),
        "covariances forgotten": (with_spread(lambda a, b: 0 * a.trace()),
            "Only the means are compared. Two crowds with the same mean can be of quite different width."),
        "means forgotten": (with_means(lambda difference: 0),
            "The means are not compared: a crowd that is moved away would have the distance 0."),
        "distance of the means not squared": (with_means(lambda difference: difference.norm()),
            "You add the distance of the means. Its square is wanted, in the unit of the variances beside it."),
        "mean of the squares": (with_means(lambda difference: difference.square().mean()),
            "You average the squared difference of the means over the D features. The square of a length is a sum."),
        "means not squared": (with_means(lambda difference: difference.sum()),
            "You add up the differences of the means, so that positive and negative ones cancel. Square them first."),
        "root at the end": (lambda *gaussians: distance(*gaussians) ** 0.5,
            "You took the root at the end. What is published as FID is the *squared* distance."),
    },
    accepts=[distance_by_singular_values, distance_by_eigenvalues, distance_by_scipy],
    equivalents={
        "mean_a, cov_a, mean_b, cov_b = (t for t in (mean_a, cov_a, mean_b, cov_b))": "statistics come in float64 already",
        "return max(float(distance), 0.0)": SAME_NUMBER,
    },
    hints=[
        "Three parts: the squared distance of the means; the two traces; and what the best pairing saves.",
        "The last is twice a sum of singular values. `matrix_root` gives an A with A Aᵀ = Σa, and a B for Σb. Of which product? The "
        "roots may have fewer columns than rows; only their rows are sure to match.",
        "`torch.linalg.svdvals(B.T @ A).sum()`. Or: the eigenvalues of AᵀΣbA, which is symmetric (`eigvalsh`); cut off at 0, "
        "where rounding leaves −1e-17, and take roots.",
    ],
    points=3,
    minutes=20,
)  # fmt: skip


def probe_fid(answer, rng):
    d = rng.size(6, 9)

    def crowd(n, shift=1.0, scale=1.0):
        mix = torch.eye(d, device=rng.device) + 0.5 * rng.normal(d, d)
        return scale * rng.normal(n, d) @ mix + shift

    few, more = d - 2, d - 1
    return {
        "many rows": number(answer(crowd(3 * d), crowd(4 * d + 1, shift=0.0, scale=2.0))),
        "fewer rows than columns": number(answer(crowd(more), crowd(few, shift=3.0, scale=2.0))),
        "few real rows": number(answer(crowd(few, scale=3.0), crowd(5 * d, shift=2.0))),
        "few fake rows": number(answer(crowd(5 * d, shift=2.0), crowd(few))),
        "equally few": number(answer(crowd(few, shift=-1.0), crowd(few, scale=2.0))),
        "two rows": number(answer(crowd(2), crowd(2, shift=4.0))),
    }


def of_few(root, total=torch.sum, other=None, means=1, product=None):
    """`fid` whose shortcut has other parts. root, other: what to make of x, real or fake, each with its own name, where y is the
    other crowd; total: of the singular values; product: of the product of the roots; means: how often their difference counts."""

    def wrong(features_real, features_fake):
        a, b = features_real.double(), features_fake.double()
        if min(len(a), len(b)) > a.shape[1]:
            return metrics.fid(a, b)
        root_a, root_b = root(a, b), (other or root)(b, a)
        saved = product(root_a @ root_b.T) if product else total(torch.linalg.svdvals(root_a @ root_b.T))
        apart = means * means_apart(a.mean(0), b.mean(0))
        return float(apart + root_a.square().sum() + root_b.square().sum() - 2 * saved)

    return wrong


def scaled(centre):
    """A root for `of_few`: the rows of x less a centre, over √(N − 1)."""
    return lambda x, y: (x - centre(x, y)) / (len(x) - 1) ** 0.5


def ridged(features):
    mean, covariance = metrics.gaussian_statistics(features)
    return mean, covariance + 1e-2 * torch.eye(len(mean)).to(covariance)


def by_statistics(features_real, features_fake):
    return metrics.frechet_distance(
        *metrics.gaussian_statistics(features_real), *metrics.gaussian_statistics(features_fake)
    )


def equally_many(features_real, features_fake):
    n = min(len(features_real), len(features_fake))
    return metrics.fid(features_real[:n], features_fake[:n])


def of_points(features_real, features_fake):
    """The whole distance by the statistics, with another root for each side, whatever the number of rows."""
    (mean_a, cov_a), (mean_b, cov_b) = (statistics(x) for x in (features_real, features_fake))
    product = (root_of(cov_a) @ cov_b @ root_of(cov_a)).double()
    cross = torch.linalg.eigvalsh(product).clamp(min=0).sqrt().sum()
    return means_apart(mean_a, mean_b) + torch.trace(cov_a) + torch.trace(cov_b) - 2 * cross


ROOT = scaled(lambda x, y: x.mean(0))
NOT_CENTRED = scaled(lambda x, y: 0)
OTHERS_MEAN = scaled(lambda x, y: y.mean(0))

exercise(
    target=metrics.fid,
    title="Repair: FID with few rows",
    probe=probe_fid,
    repair="not centred",
    mistakes={
        "not centred": (edited(metrics.fid, "(x - x.mean(0)) / ", "x / "),
            "With few rows, the mean is still in the rows that stand for the root of Σ. So where a crowd lies counts twice: as a "
            "difference of the means, and as if it were width."),
        "used less often": (edited(metrics.fid, "(x - x.mean(0)) / ", "x / ", "min(len(a)", "max(len(a)"),
            "The shortcut was chosen rightly. What it computes is wrong; now it only runs less often."),
        "only real rows centred": (of_few(ROOT, other=NOT_CENTRED),
            "You centre the real rows and leave the fake ones as they are. Both roots are of centred rows."),
        "only fake rows centred": (of_few(NOT_CENTRED, other=ROOT),
            "You centre the fake rows and leave the real ones as they are. Both roots are of centred rows."),
        "one mean for both": (of_few(scaled(lambda x, y: torch.cat([x, y]).mean(0))),
            "You subtract the mean of all rows together. Each crowd has its own; the difference of the two is counted already."),
        "mean of the real rows for both": (of_few(ROOT, other=OTHERS_MEAN),
            "You subtract the mean of the real rows from the fake ones too. Each crowd is centred at its own mean."),
        "the other's mean": (of_few(OTHERS_MEAN),
            "You subtract from each crowd the mean of the other. Each is centred at its own."),
        "mean of the fake rows for both": (of_few(OTHERS_MEAN, other=ROOT),
            "You subtract the mean of the fake rows from the real ones too. Each crowd is centred at its own mean."),
        "means left out instead": (of_few(NOT_CENTRED, means=0),
            "You saw that the means count twice, and left out their difference, which belongs there. It is the roots that should be without."),
        "difference of the means lost": (
            lambda features_real, features_fake: by_statistics(centred(features_real), centred(features_fake)),
            "The difference of the means is not counted: are they subtracted before, or is one mean used twice?"),
        "only equally many rows": (
            equally_many,
            "You leave out rows of the larger crowd, so that both are equally many. All rows count: the two numbers of rows may differ."),
        "N − 1 exchanged for N": (of_few(lambda x, y: x / len(x) ** 0.5),
            "N − 1 was right, as in `gaussian_statistics`. Something else is missing: a covariance is the mean product of *deviations*."),
        "N of the real rows for both": (of_few(ROOT, other=lambda x, y: centred(x) / (len(y) - 1) ** 0.5),
            "Both roots are divided by the number of real rows. The fake ones may be more or fewer."),
        "mean of each row": (of_few(scaled(lambda x, y: x.mean(1, keepdim=True))),
            "You subtract from each row its own mean. The mean of a crowd is over its rows, dimension 0."),
        "one number for a mean": (of_few(scaled(lambda x, y: x.mean())),
            "You subtract one number from everything. Each column has its own mean."),
        "divided by N": (of_few(lambda x, y: centred(x) / len(x) ** 0.5),
            "The centring is right now, but with few rows you divide by N, and with many rows by N − 1. One function, one covariance."),
        "not divided": (of_few(lambda x, y: centred(x)),
            "The centred rows are not divided by √(N − 1), so their products add up to N − 1 times the covariance."),
        "root forgotten": (of_few(lambda x, y: centred(x) / (len(x) - 1)),
            "You divide the rows by N − 1. Two of them are multiplied in Σ, so each gets the *root* of N − 1."),
        "N of the other": (of_few(lambda x, y: centred(x) / (len(y) - 1) ** 0.5),
            "Each root is divided by the number of rows of the other crowd. The two may differ."),
        "divided by the spread": (of_few(lambda x, y: ROOT(x, y) / x.std(0)),
            "You divide each column by its spread. Then every crowd is equally wide, and width is what should be compared."),
        "trace for singular values": (of_few(ROOT, product=torch.trace),
            "You take the trace of the product, which depends on the order of the rows. The best turn gives the sum of singular values."),
        **{name: (of_few(ROOT, total), why) for name, (total, why) in SUMS.items()},
        "means forgotten": (of_few(ROOT, means=0),
            "With few rows, the means are not compared any more."),
        "root at the end": (lambda features_real, features_fake: metrics.fid(features_real, features_fake) ** 0.5,
            "You took the root at the end. What is published as FID is the *squared* distance."),
        "variance added to the diagonal": (lambda features_real, features_fake: distance(*ridged(features_real), *ridged(features_fake)),
            "You add a little to the diagonals of the covariances, as some programs do where a root fails. It changes the result, and "
            "is not needed: the sum of singular values exists always."),
    },
    accepts=[
        by_statistics,
        of_points,
        edited(metrics.fid, "(x - x.mean(0)) / math.sqrt(len(x) - 1)", "centred / (len(centred) - 1) ** 0.5",
               "for x in (a, b))", "for centred in (a - mean_a, b - mean_b))"),
    ],
    equivalents={
        "if min(len(b), len(a)) > a.shape[1]:": "the smaller of the two is the same",
        "if min(len(a), len(b)) >= a.shape[1]:": SAME_NUMBER,
        "if min(len(a), len(b)) > a.shape[0]:": SAME_NUMBER,
        "a, b = comparable(features_fake, features_real)": "a distance is the same both ways",
        "return frechet_distance(*gaussian_statistics(b), *gaussian_statistics(a))": "a distance is the same both ways",
        "return max(float(distance), 0.0)": SAME_NUMBER,
    },
    hints=[
        "Try it: move both crowds by the same step, with 5 rows and 10 columns. A distance must not change.",
        "Σ is the mean product of *deviations*. Which line takes the rows as if they were deviations?",
        "What goes wrong where the crowds lie far from 0, and is right where both have mean 0?",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def hundred_real_digits() -> str:
    """Take 100 real digits at random out of the 1,797, and compute their FID to the other 1,697, which are real as well. A
    thousand digits drawn by B scored about half a unit. What do the 100 real ones score, on average over many choices?
    "a": about 0, for both crowds are real
    "b": more than 0, but less than B's digits
    "c": more than B's digits
    "d": a number near 0 that is as often negative as positive
    """
    return "c"


exercise(
    target=hundred_real_digits,
    title="The FID of real digits",
    mistakes={
        "zero": (
            "a",
            "The two *distributions* are one. But FID sees 100 rows, and their mean and covariance miss those of the distribution. The "
            "covariance alone has 2,080 different numbers.",
        ),
        "less than B": (
            "b",
            "More than 0 is right. But 100 rows are few for a mean of 64 numbers and a covariance of 2,080, and all that they miss "
            "adds up. Look at the bars below.",
        ),
        "both signs": (
            "d",
            "A squared distance is never negative, so errors cannot cancel: whatever the 100 miss makes it larger.",
        ),
    },
    hints=[
        "How many numbers does FID estimate from the 100 rows of 64 features?",
        "Can an error in one of them make a squared distance smaller than the 0 that it should be?",
    ],
    minutes=3,
)


def probe_intercept(answer, rng):
    n = rng.size(6, 9)
    x = 0.5 + rng.uniform(n, dtype=torch.float64)
    value, error = answer(x, 3 - 2 * x + 0.3 * rng.normal(n, dtype=torch.float64))
    far = 10 + rng.uniform(2 * n, dtype=torch.float64)
    far_value, far_error = answer(far, rng.normal(2 * n, dtype=torch.float64))
    exact_value, exact_error = answer(x, 0.5 + rng.uniform(dtype=torch.float64) + 5 * x)
    small_value, small_error = answer(x / 1000, 0.2 + x + 0.1 * rng.normal(n, dtype=torch.float64))
    return {
        "intercept": number(value), "standard error": number(error),
        "intercept, far from 0": number(far_value), "standard error, far from 0": number(far_error),
        "intercept of an exact line": number(exact_value), "standard error of an exact line": number(exact_error),
        "intercept, steep": number(small_value), "standard error, steep": number(small_error),
    }  # fmt: skip


def line(x, y):
    """The slope, the intercept, what is left, and the sum of the squared deviations of x."""
    deviation = x - x.mean()
    slope = (deviation * y).sum() / deviation.square().sum()
    height = y.mean() - slope * x.mean()
    return slope, height, y - height - slope * x, deviation.square().sum()


def with_height(height):
    """The right standard error, with another height of the line."""
    return lambda x, y: (float(height(x, y)), metrics.intercept(x, y)[1])


def with_error(error):
    """The right height; the error is error(n, s², x̄, Sxx) with s² the left squares, not yet divided."""

    def wrong(x, y):
        _, height, left, spread = line(x, y)
        return float(height), float(error(len(x), left.square().sum(), x.mean(), spread))

    return wrong


def intercept_by_lstsq(x, y):
    design = torch.stack([torch.ones_like(x), x], 1)
    coefficients = torch.linalg.lstsq(design, y).solution
    s2 = (y - design @ coefficients).square().sum() / (len(x) - 2)
    return float(coefficients[0]), float((s2 * torch.linalg.inv(design.T @ design)[0, 0]).sqrt())


def intercept_by_scipy(x, y):
    from scipy.stats import linregress  # here, since it takes most of a second to import

    found = linregress(x.numpy(), y.numpy())
    return found.intercept, found.intercept_stderr


def intercept_by_polyfit(x, y):
    fit, covariance = np.polyfit(x.numpy(), y.numpy(), 1, cov=True)
    return torch.tensor(fit[1]), torch.tensor(covariance[1, 1]).sqrt()


def from_line(laid, own_error):
    """The answer of another line. laid(x, y, dx, dy), with the deviations from the means: its slope, and perhaps its
    height at 0, if that is not ȳ − slope · x̄. own_error: with the standard error that this line gives, or the right one."""

    def wrong(x, y):
        laid_so = laid(x, y, x - x.mean(), y - y.mean())
        slope, value = laid_so if isinstance(laid_so, tuple) else (laid_so, y.mean() - laid_so * x.mean())
        s2, spread = (y - value - slope * x).square().sum() / (len(x) - 2), line(x, y)[3]
        own = (s2 * (1 / len(x) + x.mean() ** 2 / spread)).sqrt()
        return float(value), float(own) if own_error else metrics.intercept(x, y)[1]

    return wrong


def wrong_lines(lines):
    """Two mistakes for each of {name: (laid, why)}: with the standard error of the wrong line, and of the right one."""
    return {
        name + more: (from_line(laid, not more), why)
        for name, (laid, why) in lines.items()
        for more in ("", ", only in the height")
    }


def through_the_ends(x, y, dx, dy):
    slope = (y[-1] - y[0]) / (x[-1] - x[0])
    return slope, y[0] - slope * x[0]


NOT_THAT_BELOW = "Below the fraction line belong the squares of the deviations of x, added up."
WRONG_LINES = {
    "the wrong way": (lambda x, y, dx, dy: (line(x, y)[0], y.mean() + line(x, y)[0] * x.mean()),
        "From the mean of x you went away from 0. To get to 0, x falls by its mean, so the height changes by minus slope times that mean."),
    "through two points": (through_the_ends,
        "You laid the line through the first and the last point. All points should count: the least squares."),
    "slope of two points": (lambda x, y, dx, dy: (y[-1] - y[0]) / (x[-1] - x[0]),
        "Your slope is that of the first and the last point. All points should count: the least squares."),
    "mean of the slopes": (lambda x, y, dx, dy: (dy / dx).mean(),
        "You average the slopes of the single points. Those near the mean of x know hardly anything: weight them by their deviation."),
    "x not centred in the slope": (lambda x, y, dx, dy: (x * dy).sum() / x.square().sum(),
        "In your slope the deviations of y are divided by the squares of x. They should be those of the deviations of x."),
    "nothing centred above": (lambda x, y, dx, dy: (x * y).sum() / dx.square().sum(),
        "Above the fraction line you multiply x and y themselves. One of the two at least must be a deviation from its mean."),
    "line through 0": (lambda x, y, dx, dy: (x * y).sum() / x.square().sum(),
        "Your slope is that of a line through the origin: its x are not centred. Subtract the mean of x first."),
    "n and n − 1 mixed": (lambda x, y, dx, dy: (dx * dy).mean() / x.var(),
        "Above you divide by n, below (`var`) by n − 1, so the slope is a little too small. Use sums in both."),
    "n − 1 and n mixed": (lambda x, y, dx, dy: (dx * dy).sum() / (len(x) - 1) / x.var(correction=0),
        "Above you divide by n − 1 (as `torch.cov` does), below by n, so the slope is a little too large. Use sums in both."),
    "slope not divided": (lambda x, y, dx, dy: (dx * dy).sum(),
        f"Your slope is only the products of the deviations, added up. {NOT_THAT_BELOW}"),
    "slope is a covariance": (lambda x, y, dx, dy: (dx * dy).mean(),
        f"Your slope is the mean product of the deviations, a covariance: it is not divided by the spread of x. {NOT_THAT_BELOW}"),
    "divided by distances": (lambda x, y, dx, dy: (dx * dy).sum() / dx.abs().sum(),
        f"Your slope is divided by the deviations of x without their sign. {NOT_THAT_BELOW}"),
    "divided by the spread of y": (lambda x, y, dx, dy: (dx * dy).sum() / dy.square().sum(),
        f"Your slope is divided by the squares of the deviations of y: that is how x depends on y. {NOT_THAT_BELOW}"),
    "spreads for the slope": (lambda x, y, dx, dy: y.std() / x.std(),
        "Your slope is the spread of y over that of x. How the two go together is missing from it."),
    "slope forgotten": (lambda x, y, dx, dy: (line(x, y)[0], y.mean() - x.mean()),
        "From the mean height you subtract the mean of x. It is the slope times that: how much the line falls on the way to 0."),
}  # fmt: skip

exercise(
    target=metrics.intercept,
    title="Where a line meets 0",
    probe=probe_intercept,
    mistakes={
        "slope": (with_height(lambda x, y: line(x, y)[0]),
            "Your first number is the slope of the line. Its height at x = 0 is wanted."),
        "mean height": (with_height(lambda x, y: y.mean()),
            "Your first number is the mean height, where the line is at the mean of x. Follow the line from there to x = 0."),
        "fitted without a height": (with_height(lambda x, y: (x * y).sum() / x.square().sum()),
            "This is the slope of a line through the origin: there the height at 0 is 0 by force. Fit slope and height together."),
        "x and y exchanged": (lambda x, y: metrics.intercept(y, x),
            "You fitted x over y. The heights are y."),
        **wrong_lines(WRONG_LINES),
        "divided by n": (with_error(lambda n, s, m, q: (s / n * (1 / n + m**2 / q)).sqrt()),
            "You divide the squared errors by n. Two numbers were fitted to the points, so n − 2 is right on average."),
        "divided by n − 1": (with_error(lambda n, s, m, q: (s / (n - 1) * (1 / n + m**2 / q)).sqrt()),
            "You divide the squared errors by n − 1, as for a variance. Here *two* numbers were fitted: n − 2."),
        "squared errors not divided": (with_error(lambda n, s, m, q: (s * (1 / n + m**2 / q)).sqrt()),
            "The squared errors are added up and not divided by n − 2."),
        "variance": (with_error(lambda n, s, m, q: s / (n - 2) * (1 / n + m**2 / q)),
            "This is the square of the standard error. The root is missing."),
        "error of the slope": (with_error(lambda n, s, m, q: (s / (n - 2) / q).sqrt()),
            "This is the standard error of the slope. That of the height at 0 grows with how far the points are from 0."),
        "error of the mean height": (with_error(lambda n, s, m, q: (s / (n - 2) / n).sqrt()),
            "This is the error at the mean of x. On the way to 0 the error of the slope adds to it."),
        "1 / n forgotten": (with_error(lambda n, s, m, q: (s / (n - 2) * m**2 / q).sqrt()),
            "Only the error of the slope is counted. The height at the mean of x has one too: 1/n."),
        "s, not its square": (with_error(lambda n, s, m, q: ((s / (n - 2)).sqrt() * (1 / n + m**2 / q)).sqrt()),
            "Before the bracket you have s, a root already. There it is s², and the root is taken of the whole."),
        "divided by √n once more": (with_error(lambda n, s, m, q: (s / (n - 2) * (1 / n + m**2 / q) / n).sqrt()),
            "You divide the error by √n at the end, as for a mean. The number of points is in it already: 1/n, and a sum over all points."),
        "mean of the squares of x": (with_error(lambda n, s, m, q: (s / (n - 2) * (1 / n + (q / n + m**2) / q)).sqrt()),
            "Above the fraction line you have the mean of the squares of x. It is the square of the mean."),
        "mean not squared": (with_error(lambda n, s, m, q: (s / (n - 2) * (1 / n + m / q)).sqrt()),
            "The mean of x is not squared."),
        "mean of the squared deviations": (with_error(lambda n, s, m, q: (s / (n - 2) * (1 / n + m**2 / (q / n))).sqrt()),
            "You average the squared deviations of x below the fraction line. They are added up there."),
        "variance of x": (with_error(lambda n, s, m, q: (s / (n - 2) * (1 / n + m**2 / (q / (n - 1)))).sqrt()),
            "You put the variance of x below the fraction line. There it is the sum of the squared deviations, not divided."),
        "x not centred below": (lambda x, y: (metrics.intercept(x, y)[0],
                          float((line(x, y)[2].square().sum() / (len(x) - 2) * (1 / len(x) + x.mean() ** 2 / x.square().sum())).sqrt())),
            "Below the fraction line you have the squares of x itself. They are those of its deviations from the mean."),
        "spread of what is left": (with_error(lambda n, s, m, q: (s / (n - 2)).sqrt()),
            "This is s, how far single points lie from the line. How well the line is known at 0 is another question."),
        "error of a mean of y": (lambda x, y: (metrics.intercept(x, y)[0], float(y.std() / len(y) ** 0.5)),
            "That is the standard error of a mean of heights. What counts is how far they lie from the line, and how far from 0."),
        "errors from the mean height": (lambda x, y: (metrics.intercept(x, y)[0],
                          float(((y - y.mean()).square().sum() / (len(x) - 2) * (1 / len(x) + x.mean() ** 2 / line(x, y)[3])).sqrt())),
            "Your s² is of how far the points lie from their mean height. It should be of how far they lie from the line."),
        "error first": (lambda x, y: metrics.intercept(x, y)[::-1],
            "You return the error first. The intercept comes first."),
    },
    accepts=[intercept_by_lstsq, intercept_by_scipy, intercept_by_polyfit],
    hints=[
        "The slope: the deviations of x from its mean, times y, added up; divided by the squares of these deviations, added up.",
        "The line goes through the point of the two means. How high is it at x = 0?",
        "s²: subtract the line from y, square, add up, divide by n − 2.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


def crowds(rng, n):
    """Real rows and n fakes of which any m different ones are like any other m: only their number matters.

    The fakes are the corners of a simplex, each as far from every other; the real rows, two for each, lie about its axis.
    """
    turn = torch.linalg.qr(rng.normal(n, n, dtype=torch.float64)).Q
    size = 4 + 2 * rng.uniform(dtype=torch.float64)
    corners = size * torch.eye(n, dtype=torch.float64, device=rng.device)
    towards = (0.5 + rng.uniform(dtype=torch.float64)) * torch.ones(n, dtype=torch.float64, device=rng.device)
    return torch.cat([0.4 * corners + towards, towards - 0.4 * corners]) @ turn, corners @ turn


def probe_fid_infinity(answer, rng):
    n = 10 * rng.size(3, 5)  # with 5 or 6 points no size lies half-way between two whole numbers
    value, error = answer(*crowds(rng, n), rng.generator(), rng.size(5, 6))
    default, default_error = answer(*crowds(rng, 20), rng.generator())
    real, fake = rng.normal(30, 3, dtype=torch.float64), rng.normal(40, 3, dtype=torch.float64)
    seed = rng.size(0, 10**6)
    runs = [
        answer(real, fake, torch.Generator().manual_seed(s), 5)[0] for s in (seed, seed, seed + 1, seed + 2)
    ]
    first, again, *others = (number(v) for v in runs)
    return {
        "value": number(value), "standard error": number(error),
        "value with 15 points": number(default), "standard error with 15 points": number(default_error),
        "the same generator gives the same": torch.as_tensor(first == again),
        "another generator gives another": torch.stack([torch.as_tensor(first != v) for v in others]),
    }  # fmt: skip


infinity = metrics.fid_infinity


def line_of(sizes, over=lambda size: 1 / size, subset=None, choose=None):
    """`fid_infinity` with other parts: which sizes, what the line is fitted over, how rows are chosen."""

    def wrong(features_real, features_fake, generator, points=15):
        n, heights = len(features_fake), []
        chosen = [max(2, round(float(s))) for s in sizes(n, points)]
        for size in chosen:
            rows = (choose or different)(n, size, generator)
            heights.append(
                (subset or (lambda real, fake, rows, generator: metrics.fid(real, fake[rows])))(
                    features_real, features_fake, rows, generator
                )
            )
        x = over(torch.tensor(chosen, dtype=torch.float64))
        return metrics.intercept(x, torch.tensor(heights, dtype=torch.float64))

    return wrong


def different(n, size, generator):
    return torch.randperm(n, generator=generator)[:size]


def spaced(low, high):
    """Sizes whose inverses are evenly spaced between those of low(n) and high(n)."""
    return lambda n, points: 1 / torch.linspace(1 / low(n), 1 / high(n), points, dtype=torch.float64)


RIGHT = spaced(lambda n: n / 10, lambda n: n)


def scores(features_real, features_fake, generator, points):
    """Sizes and their FIDs, both (points,) in float64."""
    n = len(features_fake)
    sizes = RIGHT(n, points).round().long()
    drawn = [features_fake[torch.randperm(n, generator=generator)[: int(size)]] for size in sizes]
    return sizes.double(), torch.tensor([metrics.fid(features_real, rows) for rows in drawn]).double()


def by_hand(features_real, features_fake, generator, points):
    """The same in one subset inside of the next: a shuffled crowd, of which more and more is taken."""
    n = len(features_fake)
    order, x, y = torch.randperm(n, generator=generator), [], []
    for k in range(points):
        size = round(1 / (10 / n + k * (1 / n - 10 / n) / (points - 1)))
        x.append(1 / size)
        y.append(metrics.fid(features_real, features_fake[order[:size]]))
    return metrics.intercept(torch.tensor(x, dtype=torch.float64), torch.tensor(y, dtype=torch.float64))


def averaged(features_real, features_fake, generator, points):
    _, heights = scores(features_real, features_fake, generator, points)
    return float(heights.mean()), float(heights.std() / points**0.5)


def shifted(place):
    """The line read at 1/N = place."""

    def wrong(features_real, features_fake, generator, points):
        sizes, heights = scores(features_real, features_fake, generator, points)
        return metrics.intercept(1 / sizes - place, heights)

    return wrong


def first_rows(n, size, generator):
    return torch.arange(size)


def with_repeats(n, size, generator):
    return torch.randint(n, (size,), generator=generator)


def both_drawn(real, fake, rows, generator):
    return metrics.fid(real[different(len(real), len(rows), generator)], fake[rows])


BOTH = {  # real rows of the same numbers as the fakes, or drawn after them, or before them
    "both drawn": (lambda real, fake, rows, generator: metrics.fid(real[rows % len(real)], fake[rows]), None),
    "both drawn, fakes first": (both_drawn, None),
    "both drawn, real rows first": (lambda real, fake, n, g: both_drawn(fake, real, different(len(real), n, g), g), lambda n, size, g: size),
}  # fmt: skip


exercise(
    target=infinity,
    title="FID of endlessly many fakes",
    probe=probe_fid_infinity,
    tolerance=1e-5,
    mistakes={
        "sizes evenly spaced": (line_of(lambda n, points: torch.linspace(n / 10, n, points, dtype=torch.float64)),
            "Your sizes are evenly spaced. One over the size should be: most points then have few fakes, where the line can be seen."),
        "sizes evenly spaced, and cut": (line_of(lambda n, points: torch.linspace(n / 10, n, points, dtype=torch.float64).floor()),
            "Your sizes are evenly spaced. One over the size should be. (And they should be rounded, not cut.)"),
        "sizes evenly spaced, over the sizes": (
            line_of(lambda n, points: torch.linspace(n / 10, n, points, dtype=torch.float64), over=lambda size: size),
            "Your sizes are evenly spaced, and you fit over them. Use one over the size for both: there 0 means endlessly many."),
        "over the logarithm": (line_of(RIGHT, over=lambda size: size.log()),
            "You fit over log N, and read the line at N = 1. The bias falls like 1/N: fit over that."),
        "sizes spaced by a factor": (line_of(lambda n, points: torch.logspace(0, 1, points, dtype=torch.float64) * n / 10),
            "Each of your sizes is the same multiple of the one before. One over the size should grow by equal steps."),
        "from half of the fakes": (line_of(spaced(lambda n: n / 2, lambda n: n)),
            "Your sizes begin with half of the fakes. They should begin with a tenth, so that the points reach farther."),
        "without the whole set": (
            line_of(lambda n, points: 1 / torch.linspace(10 / n, 1 / n, points + 1, dtype=torch.float64)[:-1]),
            "Your last size is not N. The last point should have all the fakes: it is the one nearest to the goal."),
        "a point too many": (line_of(lambda n, points: RIGHT(n, points + 1)),
            "You have one point more than asked for."),
        "cut, not rounded": (line_of(lambda n, points: RIGHT(n, points).floor()),
            "You cut the sizes down to whole numbers. They should be rounded to the nearest."),
        "over the sizes": (line_of(RIGHT, over=lambda size: size),
            "Your line is fitted over N, and where it meets N = 0 there are no pictures at all. Fit over 1/N: there 0 means endlessly many."),
        "over the root": (line_of(RIGHT, over=lambda size: size.rsqrt()),
            "You fit over 1/√N, as for an error bar. The bias falls like 1/N."),
        "over the sizes before rounding": (lambda features_real, features_fake, generator, points=15: line_of(
                RIGHT, over=lambda size: torch.linspace(10 / len(features_fake), 1 / len(features_fake), points, dtype=torch.float64)
            )(features_real, features_fake, generator, points),
            "You fit over one over the sizes *before* they were rounded. The scores belong to the numbers of rows that you drew."),
        "real rows drawn": (line_of(RIGHT, subset=lambda real, fake, rows, generator: metrics.fid(real[rows % len(real)], fake)),
            "You draw fewer *real* rows, and use all fakes. It is the number of fakes that should go to infinity."),
        **{how: (line_of(RIGHT, subset=subset, choose=choose), "You draw fewer rows on both sides. All real rows belong into every point.")
           for how, (subset, choose) in BOTH.items()},
        "number of the real rows": (
            edited(infinity, "n = len(features_fake)", "n = len(features_real)", "torch.randperm(n,", "torch.randperm(len(features_fake),"),
            "Your sizes go up to the number of the *real* rows. They are parts of the fakes, of which there may be more or fewer."),
        "rows not drawn": (line_of(RIGHT, choose=first_rows),
            "Your subsets do not depend on the generator: either you always take the first rows, or you made a generator of your own. First "
            "rows may all be of one class, and with a seed of your own nobody can draw other subsets. Use the generator that was given."),
        "rows drawn with repeats": (line_of(RIGHT, choose=with_repeats),
            "You draw with repeats, so the same fake may come several times. Draw different ones: `torch.randperm`."),
        "generator not used": (line_of(RIGHT, choose=lambda n, size, generator: torch.randperm(n)[:size]),
            "You draw from the global generator and not from the one that was given, so a result cannot be had again."),
        "mean of the scores": (lambda real, fake, generator, points=15: averaged(real, fake, generator, points),
            "You average the scores of all sizes. Each of them is too large; the line is to be followed to where 1/N is 0."),
        "the plain FID": (
            lambda real, fake, generator, points=15: (metrics.fid(real, fake), infinity(real, fake, generator, points)[1]),
            "Your value is the FID of all fakes. Go on along the line, to where there are endlessly many."),
        "at one fake": (lambda real, fake, generator, points=15: shifted(1.0)(real, fake, generator, points),
            "You read the line at 1/N = 1: a single fake. Endlessly many are at 1/N = 0."),
        "at all fakes": (lambda real, fake, generator, points=15: shifted(1 / len(fake))(real, fake, generator, points),
            "You read the line at the number of fakes that there are. That is FID again, smoothed. Endlessly many are at 1/N = 0."),
        "points as asked by default": (lambda real, fake, generator, points=15: infinity(real, fake, generator, 15),
            "You always use 15 points. The argument `points` says how many."),
    },
    accepts=[
        line_of(RIGHT),
        line_of(lambda n, points: RIGHT(n, points).flip(0)),
        lambda features_real, features_fake, generator, points=15: by_hand(features_real, features_fake, generator, points),
    ],
    equivalents={
        "": REFUSES,
        "check_at_least('points', points, 4)": REFUSES,
        "check_at_least('points', points, 2)": REFUSES,
        "comparable(features_fake, features_real)": REFUSES,
        "check_at_least('the number of fakes', n, 19)": REFUSES,
        "inverse = torch.linspace(1 / n, 10 / n, points, dtype=torch.float64)": "a line does not ask for the order of its points",
        "inverse = torch.linspace(10 / n, 1 / n, points)": "the sizes are rounded to whole numbers anyway",
        "draws = [torch.randperm(n, generator=generator)[:size] for size in sizes]": "a tensor of one whole number ends a slice too",
        "scores = [fid(features_fake[rows.to(features_fake.device)], features_real) for rows in draws]":
            "a distance is the same both ways",
        "scores = [fid(features_real, features_fake[rows]) for rows in draws]": "nothing changes on a CPU, where checks run",
        "return intercept(2 / sizes.double(), torch.tensor(scores, dtype=torch.float64))": "stretched, a line meets 0 at the same height",
        "return intercept(1 / sizes, torch.tensor(scores, dtype=torch.float64))": "float32 is precise enough for these points",
        "return intercept(1 / sizes.double(), torch.tensor(scores))": "float32 is precise enough for these points",
    },
    hints=[
        "`torch.linspace(10 / n, 1 / n, points, dtype=torch.float64)` are numbers spaced evenly. Of what? And how do you get sizes?",
        "`torch.randperm(n, generator=generator)[:size]` are the numbers of `size` different rows.",
        "One `fid` for each size, all real rows in each; then `intercept`, of these scores over one over the sizes.",
    ],
    points=3,
    minutes=20,
)  # fmt: skip
