"""The exercises of lesson 14: walks in a latent space, a tighter bound, and models that are told what to draw."""

import copy
import math

import torch
from torch.nn import functional as F

from minigen import latent_space
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.probing.observe import unwatched

exercise = lesson("14_vae_latent_space")
REFUSES = "it refuses what is no such argument, which right arguments do not show"


def middle_of_two() -> str:
    """Two codes are drawn from N(0, I) in 100 dimensions. Each is about 10 long, and they stand nearly at a right angle,
    as two draws in so many dimensions almost always do. How long is the point half-way on the straight line between them?
    "a": about 10, as long as both ends
    "b": about 7
    "c": about 5
    "d": about 0
    """
    return "b"


exercise(
    target=middle_of_two,
    title="How long is the middle?",
    mistakes={
        "as long as the ends": (
            "a",
            "A straight line between two points of a circle runs inside of it. Its middle is nearer to 0 than the ends are.",
        ),
        "half of the length": (
            "c",
            "Half of one end alone would be 5 long. The half of the other end is added to it, at a right angle: Pythagoras.",
        ),
        "cancelled": (
            "d",
            "Only opposite codes would cancel. At a right angle, the halves add up by Pythagoras.",
        ),
    },
    hints=[
        "The middle is a / 2 + b / 2. Draw the two halves, at a right angle.",
        "Pythagoras: the square of its length is 5² + 5².",
    ],
    minutes=3,
)


def probe_slerp(answer, rng):
    n, k = rng.size(3, 6), rng.size(4, 8)

    def some(n, dtype=torch.float32, leaf=False):  # short ones, so that a · b could be taken for a cosine
        return rng.uniform(n, k, low=-0.4, high=0.4, dtype=dtype, leaf=leaf)

    ends = some(40, torch.float64)  # enough for rounding to take some of the cosines beyond ±1
    shares = rng.uniform(40, dtype=torch.float64)
    return {
        "one point on each arc": answer(some(n, leaf="a"), 0.5 * some(n), rng.uniform(n, low=0.1, high=0.9)),
        "the same share of each arc": answer(some(n), some(n), 0.3),
        "many points on one arc": answer(some(1), some(1), rng.uniform(n + 3)),
        "the same direction": answer(ends, 0.7 * ends, shares),
        "opposite directions": answer(ends, -0.5 * ends, shares),
        "pairs of all kinds": answer(
            ends[: n + 4],
            torch.cat([0.7 * ends[:2], some(n, torch.float64), -0.5 * ends[n + 2 : n + 4]]),
            0.4,
        ),
    }


def judge_slerp(raw):
    """Right points are short. How many times too long a wrong one is, is a matter of rounding between opposite codes."""
    return {name: value.clamp(-1, 1) for name, value in raw.items()}


def share(t, a):
    return torch.as_tensor(t, dtype=a.dtype, device=a.device).reshape(-1, 1)


def slerp_with(angle_of, weight=torch.sin, turned=lambda t: t, fallback=True):
    """slerp with its parts replaced: the angle, the function of it that gives the weights, and the share."""

    def wrong(a, b, t):
        t, angle = turned(share(t, a)), angle_of(a, b)
        arc = (weight((1 - t) * angle) * a + weight(t * angle) * b) / weight(angle)
        return torch.where(angle.sin() < 1e-3, latent_space.lerp(a, b, t), arc) if fallback else arc

    return wrong


def angle_between(a, b):
    return F.cosine_similarity(a, b).clamp(-1, 1).arccos()[:, None]


def slerp_by_right_angle(a, b, t):
    """The other way to say it: a turned by an angle towards the part of b at a right angle to a; lengths as slerp's."""
    t = share(t, a)
    u, v = F.normalize(a, dim=1), F.normalize(b, dim=1)
    cosine = (u * v).sum(1, keepdim=True).clamp(-1, 1)
    angle = torch.acos(cosine)
    first, second = torch.sin((1 - t) * angle) / torch.sin(angle), torch.sin(t * angle) / torch.sin(angle)
    straight = (1 - t) * a + t * b
    return torch.where(torch.sin(angle).abs() < 1e-3, straight, first * a + second * b)


def slerp_of_lengths_one(a, b, t):
    return latent_space.slerp(F.normalize(a, dim=1), F.normalize(b, dim=1), t)


LENGTHS_MIXED = (
    "You walk the angle evenly and mix the lengths. That is a good walk too; here the weights are to stay those of length 1, "
    "and they multiply a and b as they are."
)


def slerp_line_put_on_circle(a, b, t):
    straight = latent_space.lerp(a, b, t)
    length = latent_space.lerp(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), t)
    return length * straight / straight.norm(dim=1, keepdim=True).clamp(min=1e-9)


def slerp_angle_of_batch(a, b, t):
    cosine = F.cosine_similarity(a.flatten(), b.flatten(), dim=0)
    angle, t = cosine.clamp(-1, 1).arccos(), share(t, a)
    arc = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
    return torch.where(angle.sin() < 1e-3, latent_space.lerp(a, b, t), arc)


exercise(
    target=latent_space.slerp,
    title="Along the arc",
    probe=probe_slerp,
    judge=judge_slerp,
    mistakes={
        "straight line": (
            latent_space.lerp,
            "This is the straight line. Its middle is nearer to 0 than its ends; the arc should keep away from 0.",
        ),
        "the other end first": (
            lambda a, b, t: latent_space.slerp(b, a, t),
            "You start at b. At t = 0 the point should be a: the weight of a is the sine of (1 − t) times the angle.",
        ),
        "not divided": (
            edited(latent_space.slerp, " / angle.sin()", ""),
            "The division by the sine of the whole angle is missing: at t = 0 your point is not a, but shorter.",
        ),
        "divided by the angle": (
            edited(latent_space.slerp, " / angle.sin()", " / angle"),
            "You divide by the angle. At t = 0 the weight of a must be 1, so divide by the *sine* of the whole angle.",
        ),
        "cosine taken for the angle": (
            slerp_with(lambda a, b: F.cosine_similarity(a, b)[:, None]),
            "You use the cosine of the angle as if it were the angle. The arccosine is missing.",
        ),
        "angle from codes of any length": (
            slerp_with(lambda a, b: (a * b).sum(1, keepdim=True).clamp(-1, 1).arccos()),
            "You take the arccosine of a · b. That is the cosine of the angle only when both have length 1: divide by the "
            "two lengths first.",
        ),
        "divided by one length": (
            slerp_with(
                lambda a, b: (
                    ((a * b).sum(1, keepdim=True) / a.norm(dim=1, keepdim=True).square()).clamp(-1, 1).arccos()
                )
            ),
            "You divide a · b by the square of the length of a. The cosine has both lengths below it, |a| and |b|.",
        ),
        "cosines for sines": (
            slerp_with(angle_between, weight=torch.cos),
            "Your weights are cosines. At t = 0 b must have the weight 0, and that is what the sine of 0 is.",
        ),
        "weights not curved": (
            lambda a, b, t: torch.where(
                angle_between(a, b).sin() < 1e-3,
                latent_space.lerp(a, b, t),
                latent_space.lerp(a, b, t) / angle_between(a, b).sin(),
            ),
            "Your weights are 1 − t and t over the sine of the angle. Each share must be multiplied by the angle, and then "
            "its sine taken.",
        ),
        "sine of the angle, times the share": (
            lambda a, b, t: torch.where(
                angle_between(a, b).sin() < 1e-3,
                latent_space.lerp(a, b, t),
                ((1 - share(t, a)).sin() * a + share(t, a).sin() * b) / angle_between(a, b).sin(),
            ),
            "You take the sine of the share alone. The angle belongs inside: sin((1 − t) · angle) and sin(t · angle).",
        ),
        "quarter of a turn for every pair": (
            lambda a, b, t: torch.where(
                angle_between(a, b).sin() < 1e-3,
                latent_space.lerp(a, b, t),
                (share(t, a) * math.pi / 2).cos() * a + (share(t, a) * math.pi / 2).sin() * b,
            ),
            "Your weights are those of a right angle, whatever the two codes are. Each pair has an angle of its own.",
        ),
        "one angle for the whole batch": (
            slerp_angle_of_batch,
            "You compute one angle of the whole batch, as if it were one long code. Each row has its own angle: reduce over "
            "dimension 1 and keep the rows.",
        ),
        "lengths lost": (
            slerp_of_lengths_one,
            "You make a and b of length 1 and stay there: at t = 0 your point is not a. Use the lengths for the angle only.",
        ),
        "straight line, put on the circle": (
            slerp_line_put_on_circle,
            "You take the straight line and stretch it to the right length. Between codes of one length it lies on the "
            "arc, but does not run along it evenly. The weights are to be sines.",
        ),
        "weights exchanged": (
            edited(latent_space.slerp, "((1 - t) * angle).sin() * a + (t * angle).sin() * b",
                   "(t * angle).sin() * a + ((1 - t) * angle).sin() * b"),
            "The two weights have changed places: at t = 0 your point is b. The weight of a is the sine of (1 − t) times the angle.",
        ),
        "parentheses around 1 − t missing": (
            edited(latent_space.slerp, "((1 - t) * angle).sin() * a", "(1 - t * angle).sin() * a"),
            "You have the sine of 1 − t · angle. In Python a product comes before a difference: (1 - t) * angle.",
        ),
        "in degrees": (
            slerp_with(lambda a, b: angle_between(a, b).rad2deg()),
            "Your angle is in degrees. `sin` takes radians.",
        ),
        "angle of the columns": (
            slerp_with(lambda a, b: F.cosine_similarity(a, b, dim=0).clamp(-1, 1).arccos()),
            "You compute the angle down the batch, dimension 0. Each code is a row: reduce over dimension 1.",
        ),
        "straight line, at length 1": (
            lambda a, b, t: F.normalize(latent_space.lerp(a, b, t), dim=1),
            "You make the points of the straight line of length 1. At t = 0 the point should be a, at its own length, and "
            "the weights are to be sines.",
        ),
        "half of the angle": (
            slerp_with(lambda a, b: angle_between(a, b) / 2),
            "Your angle is half of the one between a and b.",
        ),
        "no line between opposite codes": (
            edited(latent_space.slerp, "angle.sin() < 1e-3", "angle < 1e-3"),
            "Codes that point the same way are on the straight line, as they should be. Opposite ones have no arc either: the "
            "sine of their angle is 0 too, and your points there are many times too long. The docstring says what is wanted.",
        ),
        "line for the whole batch": (
            edited(latent_space.slerp, "angle.sin() < 1e-3", "(angle.sin() < 1e-3).any()"),
            "One pair without an arc puts your whole batch on straight lines. Choose row by row: `torch.where` takes a "
            "condition for each row.",
        ),
        "cosine kept away from ±1": (
            slerp_with(lambda a, b: F.cosine_similarity(a, b)[:, None].clamp(-1 + 1e-6, 1 - 1e-6).arccos(), fallback=False),
            "You keep the cosine a little away from ±1, so that nothing is divided by 0. Between opposite codes there is still no "
            "arc, and your points are hundreds of times too long. The docstring says what is wanted there.",
        ),
        "lengths mixed": (
            lambda a, b, t: slerp_of_lengths_one(a, b, t)
            * latent_space.lerp(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), t),
            LENGTHS_MIXED,
        ),
        "lengths mixed, where there is an arc": (
            lambda a, b, t: torch.where(
                angle_between(a, b).sin() < 1e-3,
                latent_space.lerp(a, b, t),
                slerp_of_lengths_one(a, b, t)
                * latent_space.lerp(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), t),
            ),
            LENGTHS_MIXED,
        ),
        "cosine and sine of the way": (
            lambda a, b, t: torch.where(
                angle_between(a, b).sin() < 1e-3,
                latent_space.lerp(a, b, t),
                (share(t, a) * angle_between(a, b)).cos() * a + (share(t, a) * angle_between(a, b)).sin() * b,
            ),
            "You take cos and sin of the way behind. That is right when b stands at a right angle to a; here it need not, and at "
            "t = 1 your point is not b. Both weights are a sine over a sine.",
        ),
        "one sine, and the rest to 1": (
            lambda a, b, t: torch.where(
                angle_between(a, b).sin() < 1e-3,
                latent_space.lerp(a, b, t),
                latent_space.lerp(a, b, ((share(t, a) * angle_between(a, b)).sin() / angle_between(a, b).sin())),
            ),
            "Your two weights add up to 1, so your point is on the straight line. The weight of a is a sine over a sine of its "
            "own, of (1 − t) times the angle.",
        ),
        "sine for a alone": (
            lambda a, b, t: latent_space.slerp(a, b, t)
            + torch.where(
                angle_between(a, b).sin() < 1e-3, 0, share(t, a) - (share(t, a) * angle_between(a, b)).sin() / angle_between(a, b).sin()
            ) * b,
            "Only the weight of a is a sine over a sine; that of b is t, as on the straight line.",
        ),
        "sine for b alone": (
            edited(latent_space.slerp, "((1 - t) * angle).sin() * a", "(1 - t) * angle.sin() * a"),
            "Only the weight of b is a sine over a sine; that of a is 1 − t, as on the straight line.",
        ),
        "a where there is no arc": (
            edited(latent_space.slerp, "lerp(a, b, t), arc", "a, arc"),
            "Where there is no arc you give a. The docstring wants the points of the straight line there.",
        ),
    },
    accepts=[slerp_by_right_angle],
    equivalents={
        "cosine = F.cosine_similarity(b, a)[:, None]": "a cosine is the same both ways",
        "t = torch.as_tensor(t, device=a.device).reshape(-1, 1)": "torch mixes the precisions of numbers by itself",
        "t = torch.as_tensor(t, dtype=a.dtype).reshape(-1, 1)": "nothing changes on a CPU, where checks run",
        "return torch.where(angle.sin() <= 0.001, lerp(a, b, t), arc)": "a sine of exactly 0.001 does not occur",
        "return torch.where(angle.sin() < 0.002, lerp(a, b, t), arc)": "where exactly the line takes over is free",
        "return torch.where(angle.sin() < 0.0005, lerp(a, b, t), arc)": "where exactly the line takes over is free",
    },
    hints=[
        "First the angle between a and b, of each row: the arccosine of a · b / (|a| |b|). Keep it as a column, (N, 1).",
        "Then two weights: of a, sin((1 − t) · angle), and of b, sin(t · angle). At t = 0 the weight of a must be 1: what do "
        "you divide by?",
        "`torch.where(condition, one, other)` chooses row by row: the straight line where the sine of the angle is small.",
    ],
    points=2,
    minutes=15,
)  # fmt: skip


def probe_attribute_vector(answer, rng):
    n, m, k = rng.size(3, 5), rng.size(6, 9), rng.size(3, 6)
    has = torch.cat([torch.ones(n, device=rng.device), torch.zeros(m, device=rng.device)]).bool()
    order = rng.uniform(n + m).argsort()
    return {
        "direction": answer(rng.normal(n + m, k, leaf="codes") + 1, has[order]),
        "one picture has it": answer(rng.normal(m + 1, k), torch.arange(m + 1, device=rng.device) == 2),
    }


exercise(
    target=latent_space.attribute_vector,
    title="The direction of an attribute",
    probe=probe_attribute_vector,
    mistakes={
        "the other way round": (
            lambda codes, has: codes[~has].mean(0) - codes[has].mean(0),
            "Your direction leads away from the attribute. It should start at the mean without it and end at the mean with it.",
        ),
        "mean with the attribute alone": (
            lambda codes, has: codes[has].mean(0),
            "This is a place, the mean code of pictures with the attribute. The direction is from the mean *without* it to there.",
        ),
        "against the mean of all": (
            lambda codes, has: codes[has].mean(0) - codes.mean(0),
            "You subtract the mean of all codes. Those with the attribute are among them, so your step is too short.",
        ),
        "sums for means": (
            lambda codes, has: codes[has].sum(0) - codes[~has].sum(0),
            "You subtract sums. More pictures lack the attribute than have it, so the sums differ even where the means agree.",
        ),
        "divided by all": (
            lambda codes, has: ((2.0 * has - 1)[:, None] * codes).mean(0),
            "You divide both sums by the number of all pictures, as a mean does in which the others count as zeros. Each mean is "
            "over its own pictures.",
        ),
        "mean over the code": (
            lambda codes, has: codes[has].mean() - codes[~has].mean(),
            "Your result is one number. The mean is over the pictures, dimension 0, so that a direction of k numbers is left.",
        ),
        "sign lost": (
            lambda codes, has: latent_space.attribute_vector(codes, has).abs(),
            "You took the absolute value. A number of the code may well have to shrink for the attribute to grow.",
        ),
        "numbers for yes and no": (
            lambda codes, has: codes[has.long()].mean(0) - codes[(~has).long()].mean(0),
            "You turned yes and no into 1 and 0, and then they are row numbers: you took rows 0 and 1 many times. `has` must stay "
            "bool to choose rows.",
        ),
        "quotient": (
            lambda codes, has: codes[has].mean(0) / codes[~has].mean(0),
            "You divide one mean by the other. A step is added to a code, so take the difference.",
        ),
        "length 1": (
            lambda codes, has: F.normalize(latent_space.attribute_vector(codes, has), dim=0),
            "You made it of length 1. Its length says how far apart the two means are: a step of 1 is then one attribute.",
        ),
        "half of the way": (
            lambda codes, has: latent_space.attribute_vector(codes, has) / 2,
            "This is half of the way between the two means.",
        ),
        "middle for the difference": (
            lambda codes, has: (codes[has].mean(0) + codes[~has].mean(0)) / 2,
            "This is the point half-way between the two means. The difference of the two is wanted.",
        ),
        "median": (
            lambda codes, has: codes[has].median(0).values - codes[~has].median(0).values,
            "You take medians. Means are wanted.",
        ),
        "first of each": (
            lambda codes, has: codes[has][0] - codes[~has][0],
            "You subtract one picture's code from another's. They differ in everything else too; that goes away in the means.",
        ),
        "divided by the spread": (
            lambda codes, has: latent_space.attribute_vector(codes, has) / codes.std(0),
            "You divide by the spread of each number of the code. Codes live in the space as it is; nothing is to be scaled.",
        ),
    },
    accepts=[
        lambda codes, has: codes[has].sum(0) / has.sum() - codes[~has].sum(0) / (~has).sum(),
        lambda codes, has: (has / has.sum() - (~has) / (~has).sum()) @ codes,
        lambda codes, has: torch.stack([c for c, h in zip(codes, has, strict=True) if h]).mean(dim=0)
        - torch.mean(codes[torch.logical_not(has)], dim=0),
    ],
    hints=[
        "`codes[has]` are the codes of the pictures that have the attribute, `codes[~has]` those of the others.",
        "Average each of them over its pictures, and subtract. Where does a direction start, and where does it end?",
    ],
    points=1,
    minutes=5,
)  # fmt: skip


def number_without_kl() -> str:
    """With a large beta, one number of the code has a KL of 0 on every picture, and the decoder has noticed. What does
    q(z | x) say of this number, and what does a walk along it show?
    "a": q is N(0, 1) for every picture; the walk shows the same picture all along
    "b": q is N(0, 1) for every picture; the walk shows all the pictures there are, one after the other
    "c": q is a narrow peak at 0 for every picture; the walk shows the same picture all along
    "d": q is a narrow peak at its own place for each picture; the walk changes one factor of the picture
    """
    return "a"


exercise(
    target=number_without_kl,
    title="A number that costs nothing",
    mistakes={
        "all pictures": (
            "b",
            "q is right. But a number that is drawn anew for every picture, whatever it shows, tells the decoder nothing, so "
            "it learns to ignore it.",
        ),
        "a narrow peak at 0": (
            "c",
            "A narrow peak is far from N(0, 1), so its KL is large: −log σ grows as σ shrinks. KL 0 means that q *is* N(0, 1).",
        ),
        "a number that is used": (
            "d",
            "This describes a number that is used, and it costs: its q differs from N(0, 1), for most pictures by a lot.",
        ),
    },
    hints=[
        "KL(q ‖ p) is 0 only where q = p. What is p(z)?",
        "If the number is the same noise for each picture, what can the decoder learn from it?",
    ],
    minutes=3,
)


def probe_importance_weighted_bound(answer, rng):
    k, n = rng.size(3, 6), rng.size(4, 8)
    one = rng.normal(1, n)
    return {
        "bound": answer(2 * rng.normal(k, n, leaf="log_weights")),
        "bound far below 0": answer(rng.normal(k + 2, n) - 900),
        "bound far above 0": answer(rng.normal(2 * k, n) + 900),
        "images hundreds apart": answer(rng.normal(k, n) + 300 * torch.arange(n, device=rng.device) - 500),
        "draws hundreds apart": answer(rng.normal(k, n) + 1000 * torch.arange(k, device=rng.device)[:, None]),
        "one draw": answer(one),
    }


def judge_bound(raw):
    """No difference with infinity can be small, so whether a bound is finite is a value of its own."""
    finite = {f"is it finite: {name}": torch.isfinite(value) for name, value in raw.items()}
    return finite | {name: value.nan_to_num(0, 0, 0) for name, value in raw.items()}


exercise(
    target=latent_space.importance_weighted_bound,
    title="A tighter bound",
    probe=probe_importance_weighted_bound,
    judge=judge_bound,
    tolerance=1e-6,  # beside values of 900, an error of 0.001 should show
    mistakes={
        "mean of the logarithms": (
            lambda log_weights: log_weights.mean(0),
            "You average the logarithms: this is the ELBO. Here the weights themselves are averaged, and then the logarithm "
            "is taken, which is never less.",
        ),
        "sum for mean": (
            edited(latent_space.importance_weighted_bound, " - math.log(len(log_weights))", ""),
            "This is the logarithm of the *sum* of the weights: it grows by log 2 whenever you double the draws, and is no "
            "bound. Divide by K, which is to subtract log K.",
        ),
        "divided outside": (
            lambda log_weights: log_weights.logsumexp(0) / len(log_weights),
            "You divide the logarithm by K. The division is inside of it, and log(s / K) is log s − log K.",
        ),
        "log K added": (
            edited(latent_space.importance_weighted_bound, "- math.log", "+ math.log"),
            "You add log K. To divide inside the logarithm is to subtract log K outside.",
        ),
        "over the images": (
            lambda log_weights: log_weights.logsumexp(1) - math.log(log_weights.shape[1]),
            "You average over the images. The draws are dimension 0; one bound for each image is wanted.",
        ),
        "number of images for number of draws": (
            lambda log_weights: log_weights.logsumexp(0) - math.log(log_weights.shape[1]),
            "You subtract the logarithm of the number of images. The mean is over the K draws, dimension 0.",
        ),
        "ELBO less log K": (
            lambda log_weights: log_weights.mean(0) - math.log(len(log_weights)),
            "You average the logarithms, and then subtract log K as well. It is the weights that are averaged, inside the logarithm.",
        ),
        "sum of the logarithms": (
            lambda log_weights: log_weights.sum(0) - math.log(len(log_weights)),
            "You add up the logarithms: that multiplies the weights. The sum of the weights themselves is wanted.",
        ),
        "logarithms divided by K": (
            lambda log_weights: (log_weights / len(log_weights)).logsumexp(0),
            "You divide the logarithms by K. It is the weights that are divided: of a logarithm, subtract log K.",
        ),
        "K for log K": (
            lambda log_weights: log_weights.logsumexp(0) - len(log_weights),
            "You subtract K, not its logarithm.",
        ),
        "weights, not their logarithm": (
            lambda log_weights: log_weights.softmax(0).mean(0),
            "A softmax makes the weights of each image add up to 1, so that their size, which is the result, is gone.",
        ),
        "weighted by themselves": (
            lambda log_weights: (log_weights.softmax(0) * log_weights).sum(0),
            "You average the logarithms with the weights as weights. That is not a bound; average the weights, and take the "
            "logarithm of that.",
        ),
        "best draw": (
            lambda log_weights: log_weights.amax(0),
            "You take the best draw. That is more than the mean, and no bound: with many draws it rises above log p(x).",
        ),
        "plain numbers": (
            lambda log_weights: log_weights.exp().mean(0).log(),
            "The formula is right, but `exp` of 900 is `inf`, and of −900 it is 0. Stay with logarithms from end to end.",
        ),
        "plain numbers in float64": (
            lambda log_weights: log_weights.double().exp().mean(0).log().to(log_weights.dtype),
            "float64 only moves the border: `exp` of 900 is `inf` there too, and of −900 it is 0. Stay with logarithms from end "
            "to end.",
        ),
        "largest of the batch subtracted": (
            lambda log_weights: (log_weights - log_weights.max()).exp().mean(0).log() + log_weights.max(),
            "You subtract the largest logarithm of the whole batch. An image whose weights are far smaller is then left with "
            "zeros, and their logarithm. Each column has a largest of its own.",
        ),
        "least of the batch subtracted": (
            lambda log_weights: (log_weights - log_weights.min()).exp().mean(0).log() + log_weights.min(),
            "You subtract the least logarithm, so that the others are far above 0 and `exp` gives `inf`. Subtract the largest "
            "of each column.",
        ),
        "mean subtracted": (
            lambda log_weights: (log_weights - log_weights.mean(0)).exp().mean(0).log() + log_weights.mean(0),
            "From each column you subtract its mean or its least logarithm. A draw that is 100 above that still gives `inf`. "
            "Subtract the largest.",
        ),
        "largest not added again": (
            lambda log_weights: (log_weights - log_weights.amax(0)).exp().mean(0).log(),
            "You subtract the largest logarithm for safety, and do not add it again afterwards.",
        ),
        "sign": (
            lambda log_weights: -latent_space.importance_weighted_bound(log_weights),
            "This is the negative bound, a loss. The bound itself is wanted.",
        ),
        "harmonic": (
            lambda log_weights: -((-log_weights).logsumexp(0) - math.log(len(log_weights))),
            "You average 1/w. The mean of the weights themselves is wanted.",
        ),
        "averaged over the images": (
            lambda log_weights: latent_space.importance_weighted_bound(log_weights).mean(),
            "You average over the images as well. One bound for each image is wanted: (N,).",
        ),
        "whole batch as draws of one image": (
            lambda log_weights: log_weights.flatten().logsumexp(0) - math.log(log_weights.numel()),
            "You take all numbers as draws of one image. Each column belongs to an image of its own.",
        ),
        "log to the base 2": (
            lambda log_weights: log_weights.logsumexp(0) - math.log2(len(log_weights)),
            "You subtract the logarithm of K to the base 2. In nats, all logarithms are natural.",
        ),
        "one draw fewer": (
            lambda log_weights: log_weights.logsumexp(0) - math.log(max(len(log_weights) - 1, 1)),
            "You divide by K − 1. This is a mean of K weights.",
        ),
    },
    accepts=[
        lambda log_weights: torch.logsumexp(log_weights - math.log(log_weights.shape[0]), dim=0),
        lambda log_weights: (log_weights - log_weights.amax(0)).exp().mean(0).log() + log_weights.amax(0),
        lambda log_weights: torch.logsumexp(log_weights, 0) - torch.log(torch.tensor(float(len(log_weights)))),
    ],
    hints=[
        "log of a mean of exponentials. `exp` alone gives 0 or inf for logarithms of −900 or 900: torch has a function for the "
        "logarithm of a sum of exponentials that does not.",
        "It is `logsumexp`. A mean is a sum divided by K. What does that division become outside the logarithm?",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def louder(model, factor):
    """A copy of a model that has been called already, all of whose parameters are this many times as large."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(factor)
    return model


def probe_conditional(answer, rng):
    n, classes, channels, latent = rng.size(4, 6), rng.size(3, 5), rng.size(1, 2), rng.size(2, 4)
    model = unwatched(answer(classes, channels, 8, latent, width=4))
    labels = torch.cat([torch.arange(2, device=rng.device), rng.integers(n - 2, high=classes)])
    mu, logvar = model.encode(rng.images(n, channels, leaf="x"), labels)
    pictures = model.decode(rng.normal(n, latent, leaf="z"), labels.flip(0))
    bright = model.decode(50 * rng.normal(n, latent), labels)  # what comes before the tanh is far beyond ±1
    _, far = louder(model, 3).encode(rng.images(n, channels), labels)
    return {
        "mu": mu,
        "logvar": logvar,
        "pictures": pictures,
        "pictures of far codes": bright,
        "far logvar": far,
    }


ENCODE = "planes = self.one_hot(labels, len(x))[:, :, None, None].expand(-1, -1, *x.shape[2:])"
SEEN = "self.encoder(torch.cat([x, planes], dim=1)).chunk(2, dim=1)"
DRAWN = "self.decoder(torch.cat([z, self.one_hot(labels, len(z))], dim=1)).tanh()"
NUMBER = "(labels.float() / self.classes)[:, None].repeat(1, self.classes)"
conditional = latent_space.ConditionalVAE

exercise(
    target=conditional,
    title="Told what to draw",
    probe=probe_conditional,
    blank=("encode", "decode"),
    mistakes={
        "encoder not told": (
            edited(conditional, "torch.cat([x, planes], dim=1)", "torch.cat([x, 0 * planes], dim=1)"),
            "The planes that you give the encoder do not depend on the class. Then it must spend numbers of the code on what "
            "the label says already.",
        ),
        "decoder not told": (
            edited(conditional, "torch.cat([z, self.one_hot(labels, len(z))]",
                   "torch.cat([z, 0 * self.one_hot(labels, len(z))]"),
            "The numbers that you give the decoder do not depend on the class, so nobody can ask for a class.",
        ),
        "planes before the picture": (
            edited(conditional, "[x, planes]", "[planes, x]"),
            "Your planes come before the channels of the picture. The docstring of the class says after.",
        ),
        "class before the code": (
            edited(conditional, "[z, self.one_hot(labels, len(z))]", "[self.one_hot(labels, len(z)), z]"),
            "Your class comes before the code. The docstring of the class says after.",
        ),
        "planes scrambled": (
            edited(conditional, ENCODE, "planes = self.one_hot(labels, len(x)).repeat(1, x[0, 0].numel())\n"
                   "        planes = planes.view(len(x), self.classes, *x.shape[2:])"),
            "`repeat` along dimension 1 puts whole rows behind each other, so after `view` every plane is striped with all the "
            "classes. First make two further dimensions, then `expand` or repeat along these.",
        ),
        "logvar limited": (
            edited(conditional, "return mu, logvar", "return mu, logvar.clamp(-1, 1)"),
            "You limit logvar. A code that is known well has a logvar far below −1, and must be able to say so.",
        ),
        "class as a number": (
            edited(conditional, ENCODE, f"planes = {NUMBER}[:, :, None, None].expand(-1, -1, *x.shape[2:])",
                   "self.one_hot(labels, len(z))]", f"{NUMBER}]"),
            "You give the class as one number. Then 4 lies between 3 and 5, as if classes were sizes. One plane, and one "
            "number, for each class: `one_hot`.",
        ),
        "class number in the planes": (
            edited(conditional, ENCODE, "planes = labels.float()[:, None, None, None].expand(-1, self.classes, *x.shape[2:])"),
            "Your planes hold the number of the class. Then 4 lies between 3 and 5, as if classes were sizes. One plane for each "
            "class, 1 or 0: `one_hot`.",
        ),
        "class number beside the code": (
            edited(conditional, "self.one_hot(labels, len(z))]", "labels[:, None].float().expand(-1, self.classes)]"),
            "The decoder gets the number of the class. Then 4 lies between 3 and 5, as if classes were sizes. One number for "
            "each class, 1 or 0: `one_hot`.",
        ),
        "zeros painted black": (
            edited(conditional, ENCODE, f"{ENCODE} * 2 - 1"),
            "Your planes are −1 and 1. Like the code's further numbers they should be 0 and 1.",
        ),
        "one pixel only": (
            edited(conditional, ENCODE, "planes = x.new_zeros(len(x), self.classes, *x.shape[2:])\n"
                   "        planes[:, :, 0, 0] = self.one_hot(labels, len(x))"),
            "You wrote the class into one pixel of each plane. A convolution sees 3×3 pixels at a time, so fill the plane.",
        ),
        "no tanh": (
            edited(conditional, f"{DRAWN}", DRAWN.removesuffix(".tanh()")),
            "Your pictures are not limited to [-1, 1]. As in the VAE, a tanh comes last.",
        ),
        "sigmoid": (
            edited(conditional, f"{DRAWN}", DRAWN.replace("tanh", "sigmoid")),
            "Your pictures lie in [0, 1]. Pictures lie in [-1, 1] here: as in the VAE, a tanh comes last.",
        ),
        "limited by clamp": (
            edited(conditional, f"{DRAWN}", DRAWN.replace("tanh()", "clamp(-1, 1)")),
            "You cut pixels off at −1 and 1, and there the gradient is 0: they never learn. As in the VAE, use a tanh.",
        ),
        "mu and logvar swapped": (
            edited(conditional, "mu, logvar = self.encoder", "logvar, mu = self.encoder"),
            "mu and logvar have changed places: the first half of what the encoder gives is mu.",
        ),
        "every second number": (
            edited(conditional, SEEN, "(h := self.encoder(torch.cat([x, planes], dim=1)))[:, ::2], h[:, 1::2]"),
            "You take every second number for mu. The first half is mu and the second half logvar, as in the VAE.",
        ),
        "σ² for log σ²": (
            edited(conditional, "return mu, logvar", "return mu, logvar.exp()"),
            "Your second result is the variance. `terms` expects its logarithm, as the VAE's encoder gives it.",
        ),
        "σ for log σ²": (
            edited(conditional, "return mu, logvar", "return mu, (logvar / 2).exp()"),
            "Your second result is σ. `terms` expects log σ², as the VAE's encoder gives it.",
        ),
        "class of another picture": (
            edited(conditional, "self.one_hot(labels, len(x))", "self.one_hot(labels.roll(1), len(x))"),
            "Each picture gets the class of another one of the batch.",
        ),
        "same class for the whole batch": (
            edited(conditional, "self.one_hot(labels, len(z))", "self.one_hot(labels[:1].expand(len(z)), len(z))"),
            "The whole batch is drawn as the class of its first picture.",
        ),
        "class of the code detached": (
            edited(conditional, "torch.cat([z, self", "torch.cat([z.detach(), self"),
            "The code is detached, so the pictures cannot teach the encoder.",
        ),
    },
    accepts=[
        edited(conditional, ENCODE, "planes = torch.zeros(len(x), self.classes, *x.shape[2:], device=x.device)\n"
               "        planes[torch.arange(len(x)), labels] = 1"),
        edited(conditional, ENCODE, "planes = F.one_hot(labels, self.classes).float()[..., None, None] * torch.ones_like(x[:, :1])",
               DRAWN, "torch.tanh(self.decoder(torch.hstack([z, F.one_hot(labels, self.classes).float()])))"),
    ],
    equivalents={"": REFUSES},
    hints=[
        "`self.one_hot(labels, len(x))` is (N, classes). The decoder gets it beside the code: `torch.cat(…, dim=1)`.",
        "For the encoder each of these numbers becomes a plane of the size of the picture: two further dimensions, then "
        "`expand`.",
        "Then as in the VAE: the encoder gives 2 · latent numbers, mu and then logvar; a tanh ends the decoder.",
    ],
    points=2,
    minutes=15,
)  # fmt: skip


def probe_swap(answer, rng):
    n, latent, channels = 2 * rng.size(2, 3) + 1, rng.size(2, 4), rng.size(1, 3)  # odd: unequal families
    model = unwatched(answer(channels, 8, latent, width=4))
    family = torch.cat([torch.arange(2, device=rng.device), rng.integers(n - 2, high=2)])
    x = rng.images(n, channels, leaf="x")
    model.loss((x, family))  # the first call settles the weights
    model = louder(model, 1.7)  # an untrained network draws nearly the same grey picture of everything
    loss, frozen = model.loss((x, family)), copy.deepcopy(model)
    return {"loss": loss, "swapped": frozen.swap(rng.images(n + 1, channels), family[[*range(n), 0]])}


LOSS = "return reconstruction_error(x, self.decode(self.encode(x), family))"
SWAP = "return self.decode(self.encode(x), 1 - family)"
BOTH = "sum(reconstruction_error(x, self.decode(z, torch.full_like(family, f))) for f in (0, 1))"
swapper = latent_space.SwapAutoencoder

exercise(
    target=swapper,
    title="Repair: decoders that see too much",
    probe=probe_swap,
    blank=("decode", "loss", "swap"),
    repair="both decoders learn everything",
    mistakes={
        "both decoders learn everything": (
            edited(swapper, LOSS, f"z = self.encode(x)\n        return {BOTH} / 2"),
            "Each decoder learns to draw both families, so to swap the decoder changes nothing: a square comes back as a "
            "square. A decoder must only ever see its own family.",
        ),
        "both decoders learn everything, summed": (
            edited(swapper, LOSS, f"z = self.encode(x)\n        return {BOTH}"),
            "Still, each decoder learns from every picture. A decoder must only ever see its own family.",
        ),
        "trained on the other family": (
            edited(swapper, LOSS, LOSS.replace("family)", "1 - family)")),
            "Each picture is drawn by the decoder of the *other* family, and compared with itself. Then decoder 0 draws "
            "family 1, and a swap gives the same family back.",
        ),
        "one decoder for all": (
            edited(swapper, LOSS, LOSS.replace("family)", "torch.zeros_like(family))")),
            "Decoder 0 draws every picture, and decoder 1 learns nothing. Each picture is drawn in its own family.",
        ),
        "decoder 1 for all": (
            edited(swapper, LOSS, LOSS.replace("family)", "torch.ones_like(family))")),
            "Decoder 1 draws every picture, and decoder 0 learns nothing. Each picture is drawn in its own family.",
        ),
        "first family only": (
            edited(swapper, LOSS, "x, family = x[family == 0], family[family == 0]\n        " + LOSS),
            "You train on family 0 alone; decoder 1 learns nothing.",
        ),
        "an error for each family, added": (
            edited(swapper, LOSS, "return sum(reconstruction_error(x[family == f], self.decode(self.encode("
                                  "x[family == f]), family[family == f])) for f in (0, 1))"),
            "You average within each family and add the two. The loss is the mean over all pictures of the batch: about half.",
        ),
        "mean of the two families": (
            edited(swapper, LOSS, "return sum(reconstruction_error(x[family == f], self.decode(self.encode("
                                  "x[family == f]), family[family == f])) for f in (0, 1)) / 2"),
            "You average within each family, and then over the two. The loss is the mean over all pictures of the batch, and "
            "these are not equally many of both.",
        ),
        "the better of the two": (
            edited(swapper, LOSS, "drawn = [self.decode(self.encode(x), torch.full_like(family, f)) for f in (0, 1)]\n"
                   "        errors = [(x - y).square().flatten(1).sum(1) for y in drawn]\n"
                   "        return torch.minimum(*errors).mean()"),
            "Each picture is learned by the decoder that happens to draw it better. Nothing says then which decoder is whose; a "
            "decoder must see its own family, and all of it.",
        ),
        "neighbour's family in the loss": (
            edited(swapper, LOSS, LOSS.replace("family)", "family.roll(1))")),
            "Your loss draws each picture in the family of another picture of the batch.",
        ),
        "there and back as well": (
            edited(swapper, LOSS, LOSS + " + reconstruction_error(x, self.swap(self.swap(x, family), 1 - family))"),
            "To the error of each picture you add that of the picture swapped twice. That is another idea, and not needed here: "
            "draw each picture once, in its own family.",
        ),
        "there and back": (
            edited(swapper, LOSS, "return reconstruction_error(x, self.swap(self.swap(x, family), 1 - family))"),
            "You compare a picture that was swapped twice. Training on that is another idea; here a picture is drawn once, in its "
            "own family.",
        ),
        "not squared": (
            edited(swapper, LOSS, "return (x - self.decode(self.encode(x), family)).abs().flatten(1).sum(1).mean()"),
            "You add up absolute differences. The course's error squares them.",
        ),
        "code detached": (
            edited(swapper, LOSS, LOSS.replace("self.encode(x)", "self.encode(x).detach()")),
            "The code is detached: the decoders learn, and the encoder never does.",
        ),
        "mean over the pixels": (
            edited(swapper, LOSS, "return (x - self.decode(self.encode(x), family)).square().mean()"),
            "You average over the pixels. The course's error is a sum over the pixels, averaged over the batch.",
        ),
        "sum over the batch": (
            edited(swapper, LOSS, "return (x - self.decode(self.encode(x), family)).square().sum()"),
            "You add up the pictures of the batch. The error is a sum over the pixels, averaged over the batch.",
        ),
        "same family in swap": (
            edited(swapper, SWAP, SWAP.replace("1 - family", "family")),
            "Your `swap` draws each picture in its own family, so nothing is swapped. The other one of 0 and 1 is 1 − family.",
        ),
        "always family 1": (
            edited(swapper, SWAP, SWAP.replace("1 - family", "torch.ones_like(family)")),
            "Your `swap` draws all pictures in family 1. Those that are of it already should become family 0.",
        ),
        "always family 0": (
            edited(swapper, SWAP, SWAP.replace("1 - family", "torch.zeros_like(family)")),
            "Your `swap` draws all pictures in family 0. Those that are of it already should become family 1.",
        ),
        "neighbour's family": (
            edited(swapper, SWAP, SWAP.replace("1 - family", "family.roll(1)")),
            "Your `swap` uses the family of another picture of the batch. The other one of 0 and 1 is 1 − family.",
        ),
        "swapped twice": (
            edited(swapper, SWAP, "once = self.decode(self.encode(x), 1 - family)\n"
                                  "        return self.decode(self.encode(once), family)"),
            "You swap the swapped picture back.",
        ),
        "not limited": (
            edited(swapper, "decoder(z).tanh()", "decoder(z)"),
            "`decode` lost its tanh, so that pixels are not limited to [-1, 1].",
        ),
        "decoders exchanged": (
            edited(swapper, "drawn[family,", "drawn[1 - family,"),
            "`decode` draws family 0 by decoder 1. Family f is drawn by decoder f.",
        ),
        "both decoders mixed": (
            edited(swapper, "drawn[family, torch.arange(len(z), device=z.device)]", "drawn.mean(0)"),
            "`decode` gives the mean of both decoders' pictures. Each picture is drawn by the decoder of its family alone.",
        ),
        "the darker of both": (
            edited(swapper, "drawn[family, torch.arange(len(z), device=z.device)]", "drawn.amin(0)"),
            "`decode` takes the darker of both decoders' pixels. Each picture is drawn by the decoder of its family alone.",
        ),
        "decoder 0 draws everything": (
            edited(swapper, "drawn[family, torch.arange(len(z), device=z.device)]", "drawn[0]"),
            "`decode` always uses decoder 0. Each picture is drawn by the decoder of its family.",
        ),
        "decoder 1 draws everything": (
            edited(swapper, "drawn[family, torch.arange(len(z), device=z.device)]", "drawn[1]"),
            "`decode` always uses decoder 1. Each picture is drawn by the decoder of its family.",
        ),
        "one family for the whole batch": (
            edited(swapper, "drawn[family, torch.arange(len(z), device=z.device)]", "drawn[family[0]]"),
            "`decode` draws the whole batch in the family of its first picture.",
        ),
        "drawn before it is swapped": (
            edited(swapper, SWAP, "own = self.decode(self.encode(x), family)\n"
                                  "        return self.decode(self.encode(own), 1 - family)"),
            "You rebuild the picture first, and swap what came out. One encoder and one decoder are enough: fewer errors.",
        ),
    },
    accepts=[
        edited(swapper, LOSS, "y = self.decode(self.encode(x), family)\n        return (x - y).square().flatten(1).sum(1).mean()",
               SWAP, "return self.decode(self.encode(x), (family == 0).long())"),
        edited(swapper, LOSS, "z, errors = self.encode(x), 0\n        for f in (0, 1):\n            mine = family == f\n"
               "            y = self.decode(z[mine], family[mine])\n"
               "            errors = errors + (x[mine] - y).square().sum()\n        return errors / len(x)"),
    ],
    equivalents={
        "": REFUSES,
        "check_labels('family', family, len(z), 3)": REFUSES,
        "return drawn[family, torch.arange(len(z))]": "nothing changes on a CPU, where checks run",
        "return reconstruction_error(self.decode(self.encode(x), family), x)": "a squared error is the same both ways",
    },
    hints=[
        "Train it in your mind: after this loss, what does decoder 0 draw from the code of a picture of family 1?",
        "That should never have happened in training. Which decoder may draw which picture?",
        "`decode` takes a family for each picture, so one call draws the whole batch, each picture by the decoder that you name.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip
