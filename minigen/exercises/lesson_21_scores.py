"""The exercises of lesson 21: scores, how each is fooled, and the models that no other one beats."""

from itertools import pairwise

import torch
from torch.nn import functional as F

from minigen import metrics
from minigen.course.catalogue import lesson
from minigen.course.source import edited

exercise = lesson("21_scores")
REFUSES = "it refuses what is no such argument, which right arguments do not show"
BLOCKS = "in blocks of rows or all at once, the result is the same"


def score_of_a_cheat() -> str:
    """A "model" has memorised ten training pictures, one of each class, which the classifier names without doubt. It draws
    each of them 100 times. Test digits have an Inception Score of about 9.8. What is that of the thousand pictures?
    "a": 1, since within a class they are all the same
    "b": about 5, since each picture is clear, but there is little variety
    "c": 10, the best that there is
    "d": about 100, since each picture comes 100 times
    """
    return "c"


exercise(
    target=score_of_a_cheat,
    title="What does a cheat get?",
    mistakes={
        "sees copies": (
            "a",
            "A person would see that they are the same. The score sees only names: the name of each picture, and how often each "
            "name comes.",
        ),
        "sees some copies": (
            "b",
            "The score asks for variety of the classes, and these ten come equally often. Variety within a class is not in it.",
        ),
        "counts pictures": (
            "d",
            "The score is an exponential of a mean over pictures, so repeating all of them changes nothing. And it cannot be "
            "larger than the number of classes.",
        ),
    },
    hints=[
        "p(y | x) is a sharp peak for each picture. And p(y), their mean?",
        "KL of a certain class against ten equally probable ones: 1 · log(1 / 0.1). Its exponential?",
    ],
    minutes=3,
)


def probabilities(rng, n, classes):
    return (2 * rng.normal(n, classes, dtype=torch.float64)).softmax(1)


def probe_inception_score(answer, rng):
    n, classes, splits = rng.size(13, 20), rng.size(4, 7), rng.size(3, 4)
    certain = F.one_hot(rng.integers(n, high=classes), classes).double()
    three = answer(probabilities(rng, 4 * splits + 1, classes), splits)  # a row more than fills the parts
    one = answer(probabilities(rng, n, classes), 1)
    mixed = torch.cat([certain, probabilities(rng, n, classes)])
    some = answer(mixed[rng.uniform(2 * n).argsort()], 2)
    found = {"several parts": three, "one part": one, "two parts, some p of exactly 0": some}
    scores = {}
    for name, (mean, deviation) in found.items():
        scores |= {f"{name}: mean": mean, f"{name}: deviation": deviation}
    return scores


def judge_numbers(raw):
    """Numbers may come in any floating dtype. What is nan becomes −1, which no score is, so that it can be named."""
    return {
        name: v.double().nan_to_num(-1, 1e6, -1e6).clamp(-1e6, 1e6) if v.is_floating_point() else v
        for name, v in raw.items()
    }


def scored(score, parts=lambda p, splits: p.tensor_split(splits), summary=None):
    """inception_score with the score of one part, the way to cut, or the summary replaced."""
    summary = summary or (lambda s: (s.mean(), s.std(correction=0)))
    return lambda probabilities, splits=10: summary(
        torch.stack([score(p) for p in parts(probabilities.double(), splits)])
    )


def information(p, overall=None):
    overall = p.mean(0) if overall is None else overall
    return (torch.xlogy(p, p) - torch.xlogy(p, overall)).sum(1).mean()


def entropy(p):
    return -torch.xlogy(p, p).sum(-1)


def parts_of_equal_size(p, splits):
    size = len(p) // splits
    return [p[i * size : (i + 1) * size] for i in range(splits)]


def parts_cut_at(rounded):
    """Parts whose ends are the fractions of the length, rounded in some way."""
    return lambda p, splits: [
        p[a:b] for a, b in pairwise(rounded(i * len(p) / splits) for i in range(splits + 1))
    ]


def one_p_of_y(probabilities, splits=10):
    p = probabilities.double()
    scores = torch.stack([information(part, p.mean(0)).exp() for part in p.tensor_split(splits)])
    return scores.mean(), scores.std(correction=0)


KL = "(torch.xlogy(p, p) - torch.xlogy(p, overall)).sum(1)"
exercise(
    target=metrics.inception_score,
    title="Clear pictures of everything",
    probe=probe_inception_score,
    judge=judge_numbers,
    mistakes={
        "0 · log 0": (
            edited(metrics.inception_score, KL, "(p * (p.log() - overall.log())).sum(1)"),
            "Where a probability is exactly 0, 0 · log 0 is nan in floats, though its limit is 0. `torch.xlogy` knows it.",
        ),
        "no exponential": (
            edited(metrics.inception_score, "divergence.mean().exp()", "divergence.mean()"),
            "This is the mutual information, in nats. The score is its exponential, so that it can be read as a number of classes.",
        ),
        "2 to the power": (
            edited(metrics.inception_score, "divergence.mean().exp()", "2 ** divergence.mean()"),
            "You raise 2 to the power of the mean KL. That would fit bits; with the natural logarithm it is in nats, and those are to base e.",
        ),
        "exponential of each picture": (
            edited(metrics.inception_score, "divergence.mean().exp()", "divergence.exp().mean()"),
            "You take the exponential of each picture's KL, and then the mean. The mean comes first, inside.",
        ),
        "exponential after the parts": (
            scored(information, summary=lambda s: (s.mean().exp(), s.exp().std(correction=0))),
            "You average over the parts inside the exponential. Each part has a score of its own; the mean is over these scores.",
        ),
        "sum over the pictures": (
            edited(metrics.inception_score, "divergence.mean().exp()", "divergence.sum().exp()"),
            "You sum over the pictures, so more pictures give a larger score without end. It is a mean over pictures.",
        ),
        "dimension 0 for 1": (
            edited(metrics.inception_score, KL, KL.replace(".sum(1)", ".sum(0)")),
            "You sum over the pictures, dimension 0, and average over the classes. A KL is a sum over the classes, dimension 1; the mean is "
            "over the pictures.",
        ),
        "mean over the classes": (
            edited(metrics.inception_score, KL, KL.replace(".sum(1)", ".mean(1)")),
            "You average over the classes. A KL is a sum over them; the probabilities already weigh it.",
        ),
        "KL the other way round": (
            edited(metrics.inception_score, KL, "(torch.xlogy(overall, overall) - torch.xlogy(overall, p)).sum(1)"),
            "This is KL(p(y) ‖ p(y | x)). The picture's own distribution comes first: it weighs the sum, and stands above the other.",
        ),
        "one p(y) for all parts": (
            one_p_of_y,
            "You take p(y) over all pictures. Each part is scored for itself, with the mean of its own rows.",
        ),
        "splits ignored": (
            lambda probabilities, splits=10: (information(probabilities.double()).exp(), torch.zeros(()).double()),
            "You score all pictures at once. Cut them into `splits` parts, score each, and give mean and deviation of these scores.",
        ),
        "deviation of a sample": (
            edited(metrics.inception_score, "std(correction=0)", "std()"),
            "Your deviation divides by the number of parts less one, which is 0 for one part. The docstring says what is wanted.",
        ),
        "standard error": (
            scored(lambda p: information(p).exp(), summary=lambda s: (s.mean(), s.std(correction=0) / len(s) ** 0.5)),
            "You divide the deviation by the root of the number of parts: that is a standard error. The deviation itself is wanted.",
        ),
        "deviation over the number of parts": (
            edited(metrics.inception_score, "scores.std(correction=0)", "scores.std(correction=0) / splits"),
            "You divide the deviation by the number of parts once more. That number is already in it, under the root.",
        ),
        "variance": (
            edited(metrics.inception_score, "std(correction=0)", "var(correction=0)"),
            "This is the variance of the parts' scores. The standard deviation is its root.",
        ),
        "the two exchanged": (
            scored(lambda p: information(p).exp(), summary=lambda s: (s.std(correction=0), s.mean())),
            "You return the deviation first. The mean comes first.",
        ),
        "only the second wish": (
            scored(lambda p: entropy(p.mean(0)).exp()),
            "This is the exponential of the entropy of p(y): it asks for all classes, and not for clear pictures. log p(y | x) is missing.",
        ),
        "only the first wish": (
            scored(lambda p: (-entropy(p).mean()).exp()),
            "This looks at each picture alone, how sharp p(y | x) is. Against what? p(y) is missing.",
        ),
        "against equal classes": (
            scored(lambda p: information(p, torch.full_like(p[0], 1 / p.shape[1])).exp()),
            "You compare each picture with equally probable classes (the mean of one row is that too). Then a crowd of one class would score "
            "best as well. p(y) is the mean over the pictures, dimension 0.",
        ),
        "turned upside down": (
            edited(metrics.inception_score, "divergence.mean().exp()", "(-divergence.mean()).exp()"),
            "This is one over the score: a sign is wrong. A KL is at least 0, so the score is at least 1.",
        ),
        "names for probabilities": (
            scored(lambda p: entropy(F.one_hot(p.argmax(1), p.shape[1]).double().mean(0)).exp()),
            "You count the most probable names. How sure the classifier is gets lost: a row with 30 % counts as one with 100 %.",
        ),
        "logarithm to the base 2": (
            scored(lambda p: (information(p) / torch.tensor(2.0).double().log()).exp()),
            "Your logarithm has base 2, and your exponential base e. Take the natural one.",
        ),
        "every splits-th row": (
            scored(lambda p: information(p).exp(), lambda p, splits: [p[i::splits] for i in range(splits)]),
            "Your parts take every `splits`-th row. That is as good, but the docstring wants parts of rows that follow each other.",
        ),
        "rows left over": (
            scored(lambda p: information(p).exp(), parts_of_equal_size),
            "The rows that do not fill a part are left out. The parts should be as equal as can be: `tensor_split` does it.",
        ),
        **{
            f"ends by {rounded.__name__}": (
                scored(lambda p: information(p).exp(), parts_cut_at(rounded)),
                "Your parts are as equal as can be, but the longer ones are not the first. The docstring wants the longer parts first, as "
                "`tensor_split` cuts.",
            )
            for rounded in (int, round)
        },
        "a part of leftovers": (
            scored(lambda p: information(p).exp(), lambda p, splits: p.split(len(p) // splits)),
            "`split` takes the *size* of a part, and the rows left over become one more, small part. `tensor_split` takes the number.",
        ),
        "unequal chunks": (
            scored(lambda p: information(p).exp(), lambda p, splits: p.chunk(splits)),
            "`chunk` makes all parts but the last as large as possible. They should be as equal as can be: `tensor_split` does it.",
        ),
    },
    accepts=[
        scored(lambda p: (p * ((p + 1e-16).log() - (p.mean(0) + 1e-16).log())).sum(1).mean().exp()),
        scored(lambda p: (entropy(p.mean(0)) - entropy(p).mean()).exp()),
        scored(lambda p: F.kl_div(p.mean(0).log().clamp(min=-99).expand_as(p), p, reduction="batchmean").exp()),
    ],
    equivalents={
        "": REFUSES,
        "for p in probabilities.tensor_split(splits):": "in float32 the score is the same to six digits",
    },
    hints=[
        "For one part `p`: `overall = p.mean(0)` is p(y). Then a KL for each row, against `overall`: a sum over the classes.",
        "`torch.xlogy(p, q)` is p · log q, and 0 where p is 0. Mean over the rows, then the exponential.",
        "`tensor_split(splits)` cuts the rows. `torch.stack` the scores, then `.mean()` and `.std(correction=0)`.",
    ],
    points=2,
    minutes=15,
)  # fmt: skip


def probe_share_within(answer, rng):
    n, m, d, k = rng.size(60, 80), rng.size(20, 24), rng.size(2, 3), rng.size(2, 4)
    some = {"dtype": torch.float64}
    others = rng.normal(m, d, **some) * (1 + 2 * rng.uniform(m, 1, **some))
    line = 2 * torch.arange(m, device=rng.device, dtype=torch.float64)[:, None]
    end = 2.0 * (k - 1)  # so far does the ball around an end of the line reach with k - 1 neighbours
    around = torch.tensor(
        [[-end], [-end - 1], [-end - 2], [-3 * end - 9]], device=rng.device, dtype=torch.float64
    )
    crowd = torch.cat(
        [0.1 * rng.normal(m, d, **some), 0.1 * rng.normal(k, d, **some) + 9, rng.normal(1, d, **some) - 9]
    )
    near = crowd[rng.integers(n, high=len(crowd))] + rng.normal(n, d, **some)
    return {
        "share": answer(1.5 * rng.normal(n, d, **some), others, k),
        "of more of the others": answer(
            rng.normal(m - 5, d, **some), 0.8 * rng.normal(n, d, **some) + 0.7, k
        ),
        "with the nearest alone": answer(1.5 * rng.normal(n, d, **some), others, 1),
        "some of them on the border": answer(around, line, k - 1),
        "with an outlier": answer(near, crowd, k),
    }


def balls(k_of=lambda k: k + 1, reach=None, within=None):
    """share_within with its parts replaced: which neighbour, the radius, who is inside."""
    reach = reach or (lambda points, others, k: torch.cdist(others, others).kthvalue(k_of(k)).values)
    within = within or (lambda distance, radius: (distance <= radius).any(1).double().mean())
    return lambda points, others, k: within(torch.cdist(points, others), reach(points, others, k))


def balls_around_the_points(points, others, k):
    radius = torch.cdist(points, points).kthvalue(k + 1).values
    return (torch.cdist(points, others) <= radius[:, None]).any(1).double().mean()


def only_the_nearest(distance, radius):
    nearest, centre = distance.min(1)
    return (nearest <= radius[centre]).double().mean()


def own_radius(x, k):
    return torch.cdist(x, x).kthvalue(k + 1).values


def by_loops(points, others, k):
    inside = 0
    for p in points:
        for i in range(len(others)):
            distances = (others - others[i]).square().sum(1).sqrt().sort().values
            if (p - others[i]).square().sum().sqrt() <= distances[k]:
                inside += 1
                break
    return inside / len(points)


def with_topk(points, others, k):
    between = torch.linalg.vector_norm(others[:, None] - others, dim=2)
    between.fill_diagonal_(float("inf"))
    radius = between.topk(k, largest=False).values[:, -1]
    return torch.mean(
        (torch.linalg.vector_norm(points[:, None] - others, dim=2) <= radius).any(1).float()
    ).item()


exercise(
    target=metrics.share_within,
    title="Who lies in the balls?",
    probe=probe_share_within,
    judge=judge_numbers,
    mistakes={
        "itself counted": (
            balls(lambda k: k),
            "The nearest of the others to one of them is itself, at distance 0, and you count it as a neighbour. So your balls "
            "reach only to the neighbour before.",
        ),
        "one neighbour too far": (
            balls(lambda k: k + 2),
            "Your balls reach one neighbour too far. Counting itself, the k-th neighbour is the (k + 1)-th smallest distance.",
        ),
        "balls around the points": (
            balls_around_the_points,
            "You draw the balls around the points, to their own neighbours. The balls are drawn around the others; the points only fall "
            "into them or not.",
        ),
        "reach to the points": (
            balls(reach=lambda points, others, k: torch.cdist(others, points).kthvalue(k).values),
            "Your balls reach to the k-th nearest of the *points*. Then points make room for themselves. The reach is measured among "
            "the others alone.",
        ),
        "neighbours of both sets": (
            balls(reach=lambda points, others, k: torch.cdist(others, torch.cat([others, points])).kthvalue(k + 1).values),
            "You look for the neighbours in both sets together. The reach of a ball is measured among the others alone.",
        ),
        "one radius for all": (
            balls(reach=lambda points, others, k: own_radius(others, k).mean()),
            "You give all balls one radius, the mean. Each of the others has its own: small where they are dense, large where they are few.",
        ),
        "the largest radius for all": (
            balls(reach=lambda points, others, k: own_radius(others, k).max()),
            "You give all balls the largest radius. Each of the others has its own.",
        ),
        "in all balls": (
            balls(within=lambda distance, radius: (distance <= radius).all(1).double().mean()),
            "You ask whether a point lies in *every* ball. One is enough.",
        ),
        "only the nearest ball": (
            balls(within=only_the_nearest),
            "You look only at the ball of the nearest of the others. Another ball, with a centre farther away, may be large enough to "
            "reach the point.",
        ),
        "share of the balls": (
            balls(within=lambda distance, radius: (distance <= radius).any(0).double().mean()),
            "You return the share of the *balls* in which some point lies. The share of the points is wanted: `any` over the others, "
            "dimension 1.",
        ),
        "share of the pairs": (
            balls(within=lambda distance, radius: (distance <= radius).double().mean()),
            "You average over all pairs of a point and a ball. A point that lies in several balls counts once: first `any`, then the mean.",
        ),
        "balls counted": (
            balls(within=lambda distance, radius: (distance <= radius).double().sum(1).mean()),
            "You count in how many balls each point lies. A point that lies in several counts once: `any`.",
        ),
        "number for share": (
            balls(within=lambda distance, radius: (distance <= radius).any(1).double().sum()),
            "This is how many points lie inside. The share is that, divided by the number of points.",
        ),
        "outside for inside": (
            balls(within=lambda distance, radius: (distance > radius).all(1).double().mean()),
            "This is the share of the points that lie in no ball.",
        ),
        "border left out": (
            balls(within=lambda distance, radius: (distance < radius).any(1).double().mean()),
            "Points exactly on the border of a ball count as inside here: at most the radius, not below it.",
        ),
        "squared on one side": (
            balls(within=lambda distance, radius: (distance.square() <= radius).any(1).double().mean()),
            "You compare a squared distance with a radius that is not squared.",
        ),
        "sum of the coordinates' distances": (
            lambda points, others, k: (
                (torch.cdist(points, others, p=1) <= torch.cdist(others, others, p=1).kthvalue(k + 1).values).any(1).double().mean()
            ),
            "You add up absolute differences. The distance is the Euclidean one, the root of the sum of squares, as `torch.cdist` gives it.",
        ),
        "everything inside": (
            balls(reach=lambda points, others, k: torch.cdist(others, others).topk(k).values[:, -1]),
            "To you all points are inside, always. Do your balls reach to the k-th *farthest*, as `topk` without `largest=False` does, or as "
            "far as the points are? Or does one `any()` over everything answer for all points at once?",
        ),
        "the median radius for all": (
            balls(reach=lambda points, others, k: own_radius(others, k).median()),
            "You give all balls one radius, the median. Each of the others has its own: small where they are dense, large where they are few.",
        ),
        "mean of the k nearest": (
            balls(reach=lambda points, others, k: torch.cdist(others, others).topk(k + 1, largest=False).values[:, 1:].mean(1)),
            "Your radius is the mean distance to the k nearest. It should reach to the k-th of them.",
        ),
        "mean of the k nearest and itself": (
            balls(reach=lambda points, others, k: torch.cdist(others, others).topk(k + 1, largest=False).values.mean(1)),
            "Your radius is the mean of the k + 1 smallest distances, the 0 to itself among them. It should reach to the k-th nearest of the "
            "others.",
        ),
    },
    accepts=[by_loops, with_topk, balls()],
    equivalents={
        "near = [torch.cdist(others, part).kthvalue(k + 1).values for part in others.split(BLOCK)]": BLOCKS,
    },
    hints=[
        "`torch.cdist(a, b)` gives all distances, (len(a), len(b)). With a = b = others, each row holds one 0: the point itself.",
        "`kthvalue(j).values` gives the j-th smallest of each row, counted from 1. Which j, when the 0 is in the row?",
        "Then the distances of points and others, (N, M), against the radii (M,): `any` over the balls, and the mean over the points.",
    ],
    points=3,
    minutes=15,
)  # fmt: skip


def probe_precision_recall(answer, rng):
    n, m, d, k = rng.size(70, 80), rng.size(40, 50), rng.size(2, 3), rng.size(4, 6)
    some = {"dtype": torch.float64}
    real, fake = rng.normal(n, d, **some), 0.6 * rng.normal(m, d, **some) + 0.8
    precision, recall = answer(real, fake, k)
    (first, second), (a, b) = answer(fake, real, 1), answer(real, fake)
    return {"precision": precision, "recall": recall, "precision, other k": first, "recall, other k": second,
            "precision, no k given": a, "recall, no k given": b}  # fmt: skip


within = metrics.share_within
exercise(
    target=metrics.precision_recall,
    title="Two questions instead of one",
    probe=probe_precision_recall,
    judge=judge_numbers,
    mistakes={
        "exchanged": (
            lambda real, fake, k=3: (within(real, fake, k), within(fake, real, k)),
            "Your two numbers have changed places. Precision is a share of the *fakes*: those that lie in the balls around the real ones.",
        ),
        "twice precision": (
            lambda real, fake, k=3: (within(fake, real, k), within(fake, real, k)),
            "Both are the precision. Recall is a share of the *real* pictures: those that lie in the balls around the fakes.",
        ),
        "twice recall": (
            lambda real, fake, k=3: (within(real, fake, k), within(real, fake, k)),
            "Both are the recall. Precision is a share of the *fakes*: those that lie in the balls around the real ones.",
        ),
        "balls of the own set": (
            lambda real, fake, k=3: (within(fake, fake, k), within(real, real, k)),
            "You look for each set in its own balls, where all of it lies, always. Fakes are looked for around the real ones, and the "
            "other way round.",
        ),
        "k fixed": (
            lambda real, fake, k=3: (within(fake, real, 3), within(real, fake, 3)),
            "Your result does not depend on k. Hand it on.",
        ),
        "one more neighbour": (
            lambda real, fake, k=3: (within(fake, real, k + 1), within(real, fake, k + 1)),
            "You ask for k + 1 neighbours. `share_within` already leaves out the point itself.",
        ),
        "percent": (
            lambda real, fake, k=3: (100 * within(fake, real, k), 100 * within(real, fake, k)),
            "These are percent. Shares from 0 to 1 are wanted.",
        ),
        "what is missing": (
            lambda real, fake, k=3: (1 - within(fake, real, k), 1 - within(real, fake, k)),
            "These are the shares *outside* of the balls. Precision and recall are larger when the fakes are better.",
        ),
        "recall as 1 − precision": (
            lambda real, fake, k=3: (within(fake, real, k), 1 - within(fake, real, k)),
            "Your recall is what is missing from the precision. It is a question of its own: which share of the *real* pictures lies in the balls "
            "around the fakes? Both can be large, or both small.",
        ),
        "numbers for shares": (
            lambda real, fake, k=3: (len(fake) * within(fake, real, k), len(real) * within(real, fake, k)),
            "These are numbers of pictures. Shares are wanted, and `share_within` already gives them.",
        ),
        "another k given": (
            lambda real, fake, k=5: (within(fake, real, k), within(real, fake, k)),
            "The values for a given k are right. But when no k is given, it should be 3.",
        ),
    },
    accepts=[
        lambda real, fake, k=3: tuple(within(a, b, k) for a, b in ((fake, real), (real, fake))),
        lambda real, fake, k=3: (by_loops(fake, real, k), by_loops(real, fake, k)),
    ],
    hints=[
        "Precision: which share of the *fakes* lies in the balls around the *real* pictures? Recall is the same, with the roles exchanged.",
        "`share_within(points, others, k)`: the balls are those of the second argument.",
    ],
    points=1,
    minutes=5,
)  # fmt: skip


def one_outlier() -> str:
    """A crowd of fakes is nothing but noise, and its precision against 719 real digits is nearly 0, with k = 3. Now one single
    picture of noise slips in among the real digits. What becomes of the precision of the noise?
    "a": it stays where it was, since one real picture of 720 changes next to nothing
    "b": it rises to about 3 / 720, since one ball reaches to 3 neighbours
    "c": it rises to nearly 1
    """
    return "c"


exercise(
    target=one_outlier,
    title="One wrong picture",
    mistakes={
        "one of 720": (
            "a",
            "That would be so if each ball had the same size. How large is the ball around a picture that has no neighbours close by?",
        ),
        "three neighbours": (
            "b",
            "Only 3 *real* pictures lie in the ball. But how many fakes lie in it depends on how far it reaches, and it has to reach to "
            "the digits.",
        ),
    },
    hints=[
        "How far is it from the outlier to its third nearest neighbour, which is a digit?",
        "How far is it from the outlier to other pictures of noise? The judge finds all of them rather alike.",
    ],
    minutes=3,
)


def probe_mmd(answer, rng):
    n, m, d = rng.size(5, 8), rng.size(9, 12), rng.size(3, 5)
    some = {"dtype": torch.float64}
    a = rng.normal(n, d, **some)
    return {
        "two crowds": answer(rng.normal(n, d, leaf="a", **some), 0.7 * rng.normal(m, d, **some) + 0.5),
        "the larger one first": answer(rng.normal(m, d, **some), rng.normal(n - 3, d, **some)),
        "twice the same pictures": answer(a, a.flip(0)),
    }


DIAGONAL_A, DIAGONAL_B = "(aa.sum() - aa.trace()) / (n * (n - 1))", "(bb.sum() - bb.trace()) / (m * (m - 1))"
COMMENT = "  # the mean over pairs of different rows"
mmd = metrics.mmd


def mmd_with(within, across=lambda ab: ab.mean(), finish=lambda value: value):
    """mmd with the mean within a set, the mean across, or the last step replaced."""

    def wrong(a, b):
        k = metrics.cubic_kernel
        return finish(within(k(a, a)) + within(k(b, b)) - 2 * across(k(a, b)))

    return wrong


def some_pairs(within):
    """mmd with the mean within a set x, as a function of the set, replaced."""
    return lambda a, b: within(a) + within(b) - 2 * metrics.cubic_kernel(a, b).mean()


FEW_PAIRS = {
    "the first half beside the second": lambda x: metrics.cubic_kernel(x[: len(x) // 2], x[len(x) // 2 :]).mean(),
    "every second row beside the others": lambda x: metrics.cubic_kernel(x[::2], x[1::2]).mean(),
    "each row beside the one before": lambda x: metrics.cubic_kernel(x, x.roll(1, 0)).diagonal().mean(),
    "each row beside the next": lambda x: metrics.cubic_kernel(x[:-1], x[1:]).diagonal().mean(),
}  # fmt: skip


def off_diagonal(kk):
    return (kk.sum() - kk.trace()) / (len(kk) * (len(kk) - 1))


exercise(
    target=metrics.mmd,
    title="Repair: a crowd is far from itself",
    probe=probe_mmd,
    judge=judge_numbers,
    repair="pictures beside themselves",
    mistakes={
        "pictures beside themselves": (
            edited(mmd, "    n, m = ab.shape\n", "", DIAGONAL_A + COMMENT, "aa.mean()", DIAGONAL_B, "bb.mean()"),
            "The mean over all of aa has k(a, a) in it, a picture beside itself, and that is large. a and a' are drawn independently "
            "of each other: only pairs of different rows count. (Moving the rows does not change the mean over *all* pairs.)",
        ),
        "divided by all pairs": (
            edited(mmd, "(n * (n - 1))", "n**2", "(m * (m - 1))", "m**2"),
            "The diagonal is out of the sum (or 0), and you still divide by the number of all pairs. Without the diagonal there are fewer.",
        ),
        "diagonal in the sum": (
            edited(mmd, "(aa.sum() - aa.trace())", "aa.sum()", "(bb.sum() - bb.trace())", "bb.sum()"),
            "You divide by the number of pairs of different rows, but the pairs of equal rows are still in the sum.",
        ),
        "only the first set": (
            edited(mmd, DIAGONAL_B, "bb.mean()"),
            "The first set is right. In the second one, each picture still stands beside itself.",
        ),
        "only the second set": (
            edited(mmd, DIAGONAL_A, "aa.mean()"),
            "The second set is right. In the first one, each picture still stands beside itself.",
        ),
        "diagonal off everywhere": (
            mmd_with(off_diagonal, lambda ab: (ab.sum() - ab.trace()) / (ab.numel() - min(ab.shape))),
            "You leave out the diagonal of ab too. Its pairs are of one picture from each crowd, so they are independent, and all "
            "of them count.",
        ),
        "one row fewer twice": (
            edited(mmd, "(n * (n - 1))", "(n - 1) ** 2", "(m * (m - 1))", "(m - 1) ** 2"),
            "You divide by (n − 1)². Each of n rows has n − 1 others beside it.",
        ),
        "divided by less one": (
            mmd_with(lambda kk: kk.sum() / (len(kk) * (len(kk) - 1)) - kk.trace() / len(kk) ** 2),
            "Sum and diagonal are divided by different numbers. Subtract the diagonal first, and divide by n · (n − 1).",
        ),
        "mean of the diagonal taken off": (
            mmd_with(lambda kk: kk.mean() - kk.diagonal().mean()),
            "You subtract the *mean* of the diagonal from the mean of all. It is its n numbers that must not be in the sum.",
        ),
        "each pair once": (
            mmd_with(lambda kk: kk.triu(1).sum() / (len(kk) * (len(kk) - 1))),
            "Above the diagonal each pair stands once, and you divide as if it stood there twice.",
        ),
        "a picture beside itself taken for 1": (
            mmd_with(lambda kk: (kk.sum() - len(kk)) / (len(kk) * (len(kk) - 1))),
            "You subtract 1 for each picture, as if k(a, a) were 1. With this kernel it is not: take off what stands on the diagonal.",
        ),
        "one pair fewer": (
            mmd_with(lambda kk: (kk.sum() - kk.trace()) / (len(kk) ** 2 - 1)),
            "You divide by n² − 1. There are n pairs of equal rows among the n², not one.",
        ),
        "mean of a triangle": (
            mmd_with(lambda kk: kk.triu(1).mean()),
            "The mean of the upper triangle counts all the zeros below it, and on the diagonal, as pairs.",
        ),
        "no pairs within": (
            mmd_with(lambda kk: 0 * kk.sum()),
            "Only the pairs across are left. The two means within each set belong to it.",
        ),
        "across once": (
            edited(mmd, "2 * ab.mean()", "ab.mean()"),
            "The mean across counts twice, as the middle term of a squared difference does.",
        ),
        "added": (
            edited(mmd, "within_b - 2 * ab", "within_b + 2 * ab"),
            "You add the mean across. Crowds that are alike have large values there, and must come out near: subtract it.",
        ),
        "root": (
            mmd_with(off_diagonal, finish=lambda value: value.sqrt()),
            "You take a root, which is nan where the estimate is below 0. The squared one is wanted: it is unbiased, and its root is not.",
        ),
        "nothing below 0": (
            mmd_with(off_diagonal, finish=lambda value: value.clamp(min=0)),
            "You cut off what is below 0. An unbiased estimate of 0 must fall on both sides of it, or its mean is too large.",
        ),
        "absolute value": (
            mmd_with(off_diagonal, finish=lambda value: value.abs()),
            "You take the absolute value. An unbiased estimate of 0 must fall on both sides of it, or its mean is too large.",
        ),
        "means of the features": (
            lambda a, b: (a.mean(0) - b.mean(0)).square().sum(),
            "This compares the means of the features alone. The kernel is what adds their squares, cubes and products.",
        ),
        "numbers exchanged": (
            edited(mmd, "(n * (n - 1))", "(m * (m - 1))", DIAGONAL_B, "(bb.sum() - bb.trace()) / (n * (n - 1))"),
            "You divide the sum of the one set by the number of pairs of the other.",
        ),
        **{
            f"{mine} for both": (
                edited(mmd, f"({other} * ({other} - 1))", f"({mine} * ({mine} - 1))"),
                f"You divide both sums by {mine} · ({mine} − 1). Each set has a number of rows of its own: n of a, and m of b.",
            )
            for mine, other in (("n", "m"), ("m", "n"))
        },
        **{
            name: (
                some_pairs(within),
                "Each of your pairs is of two different rows, so there is no bias. But you leave out many pairs: all pairs of different rows "
                "count.",
            )
            for name, within in FEW_PAIRS.items()
        },
    },
    accepts=[
        mmd_with(lambda kk: kk[~torch.eye(len(kk), dtype=torch.bool, device=kk.device)].mean()),
        mmd_with(lambda kk: 2 * kk.triu(1).sum() / (len(kk) * (len(kk) - 1))),
        mmd_with(lambda kk: (kk.mean() * len(kk) - kk.diagonal().mean()) / (len(kk) - 1)),
    ],
    hints=[
        "aa is (n, n). What stands on its diagonal, and how large is it beside the rest?",
        "a and a' are two pictures, drawn independently. A picture and itself are not.",
        "Take the diagonal (`trace` is its sum) off the sum. How many pairs are left?",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def probe_undominated(answer, rng):
    m, k = rng.size(14, 20), rng.size(3, 4)
    whole = rng.integers(m, k, high=4).double()
    best = whole.amax(0) + torch.eye(k, device=rng.device, dtype=torch.float64)  # each the best in one score
    twins = torch.cat([whole, best, best, best[:1] - 0.5 * torch.eye(k, device=rng.device)[1]])
    order = rng.uniform(len(twins)).argsort()
    two = rng.normal(m + 3, 2, dtype=torch.float64) * torch.tensor([1.0, 50.0], device=rng.device)
    specialist = torch.tensor([[30.0, -500.0]], device=rng.device, dtype=torch.float64)  # poor on average
    return {
        "with ties and twins": answer(twins[order]),
        "two scores": answer(torch.cat([two, specialist])),
        "many that tie": answer(rng.integers(m, 2, high=3).double()),
        "one score": answer(rng.integers(m, 1, high=5).double()),
        "all equal": answer(torch.ones(k, 2, device=rng.device)),
    }


def front(no_worse=torch.ge, better=torch.gt, axis=0, over=2):
    """undominated with the comparison of two rows, or an axis, replaced."""

    def wrong(scores):
        one, other = scores[:, None], scores[None]
        return ~(no_worse(one, other).all(over) & better(one, other).any(over)).any(axis)

    return wrong


def never(one, other):
    return torch.zeros_like(one - other, dtype=torch.bool)


def always(one, other):
    return torch.ones_like(one - other, dtype=torch.bool)


def best_by(total):
    """A wrong answer: True for the candidates with the largest total."""
    return lambda scores: total(scores) == total(scores).max()


def by_hand(scores):
    rows = scores.tolist()

    def beats(p, q):
        return all(a >= b for a, b in zip(p, q, strict=True)) and p != q

    return torch.tensor([not any(beats(p, q) for p in rows) for q in rows], device=scores.device)


def without_twins(scores):
    kept = metrics.undominated(scores)
    first = torch.tensor([not any(torch.equal(row, r) for r in scores[:i]) for i, row in enumerate(scores)])
    return kept & first.to(kept.device)


exercise(
    target=metrics.undominated,
    title="Who is beaten by nobody?",
    probe=probe_undominated,
    mistakes={
        "strictly better in all": (
            front(torch.gt),
            "You call a candidate beaten only when another one is better in *every* score. No worse in every one, and better in one, "
            "is enough.",
        ),
        "twins beat each other": (
            front(better=always),
            "Each candidate is no worse than itself, so here each beats itself, and nobody is left. To beat, one must be *better* in some "
            "score.",
        ),
        "better in some": (
            front(no_worse=always),
            "You call a candidate beaten as soon as another one is better in some score; then only one who is best in everything is left. The "
            "other one must not be worse in any.",
        ),
        "who beats nobody": (
            front(axis=1),
            "These are the candidates who beat *nobody*. Wanted are those who are beaten *by* nobody: is your `any` over the other axis, or "
            "do you take smaller for better?",
        ),
        **{
            f"compared over dimension {over}, then over {axis}": (
                front(over=over, axis=axis),
                "Your `all` and `any` go over candidates. Of all pairs (M, M, K), dimension 2 holds the scores: two candidates are compared in "
                "each of these.",
            )
            for over, axis in ((0, 0), (0, 1), (1, 1))
        },
        "the beaten ones": (
            lambda scores: ~metrics.undominated(scores),
            "These are the beaten ones. True is for those whom no other one beats.",
        ),
        "who beats somebody": (
            lambda scores: (
                (scores[:, None] >= scores).all(2) & (scores[:, None] > scores).any(2)
            ).any(1),
            "These are the candidates who beat *somebody*. Whoever does so may still be beaten by a third. Wanted are those who are beaten by "
            "nobody.",
        ),
        "how many beat it": (
            lambda scores: ((scores[:, None] >= scores).all(2) & (scores[:, None] > scores).any(2)).sum(0),
            "You count by how many others each one is beaten. Wanted is True where that number is 0.",
        ),
        "beaten by all": (
            lambda scores: ~((scores[:, None] >= scores).all(2) & (scores[:, None] > scores).any(2)).all(0),
            "You ask that *all* candidates beat it, itself among them, so nobody is ever out. One that beats it is enough: `any`.",
        ),
        "best in some score": (
            lambda scores: (scores == scores.amax(0)).any(1),
            "You keep those who are the best in some score. One who is second in everything may be beaten by nobody; and of two who are best "
            "in one score, one may be beaten in the others.",
        ),
        "largest sum": (
            best_by(lambda scores: scores.sum(1)),
            "You add the scores up, and take the best. That weighs seconds against shares, which nobody asked for.",
        ),
        "above the mean": (
            lambda scores: (scores >= scores.mean(0)).all(1),
            "You keep those who are above the mean everywhere. Compare with the other candidates, one by one.",
        ),
        "second twin left out": (
            without_twins,
            "Of equal candidates you keep the first one only. Neither beats the other, so both stay.",
        ),
        "unique only": (
            lambda scores: metrics.undominated(scores) & ((scores[:, None] == scores).all(2).sum(1) == 1),
            "You drop candidates that have an equal one. Neither beats the other, so both stay.",
        ),
        "as numbers": (
            lambda scores: metrics.undominated(scores).double(),
            "The right ones, as numbers 0 and 1. Booleans are wanted.",
        ),
        "as places": (
            lambda scores: metrics.undominated(scores).nonzero().flatten(),
            "These are the places of the right ones. A boolean for each candidate is wanted.",
        ),
        "compared with the next alone": (
            lambda scores: ~((scores.roll(1, 0) >= scores).all(1) & (scores.roll(1, 0) > scores).any(1)),
            "You compare each candidate with one other. It must stand against all of them.",
        ),
    },
    accepts=[
        by_hand,
        lambda scores: torch.stack(
            [~((scores >= s).all(1) & (scores > s).any(1)).any() for s in scores]
        ),
        lambda scores: ~((scores[None] >= scores[:, None]).all(2) & ~(scores[None] == scores[:, None]).all(2)).any(1),
    ],
    hints=[
        "Start with two rows p and q of `scores`. When does p beat q? `(p >= q).all()` is one half of it.",
        "For all pairs at once: `scores[:, None] >= scores` is (M, M, K), row i against row j.",
        "A candidate is out when *some* other one beats it. Over which axis is that `any`?",
    ],
    points=3,
    minutes=15,
)  # fmt: skip
