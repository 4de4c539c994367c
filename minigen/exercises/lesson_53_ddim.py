"""The exercises of lesson 53: fewer steps, fresh noise or none, a step of second order, and the way back."""

from itertools import pairwise

import torch

from minigen import diffusion, samplers
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.data import GaussianMixture
from minigen.diffusion import Schedule, cosine_betas, linear_betas
from minigen.probing.finite import finite_apart

exercise = lesson("53_ddim")


def linear_chain(rng):
    """A chain of few large steps, another one in each draw."""
    return Schedule(linear_betas(rng.size(12, 17), 0.01 * rng.size(2, 4), 0.1 * rng.size(3, 4)))


def cosine_chain(rng):
    """Another, whose last step takes nearly everything."""
    return Schedule(cosine_betas(rng.size(11, 18), largest=0.9))


def some_mixture(rng, d):
    """Three Gaussians of different widths and weights in d dimensions."""
    widths = [0.2 + 0.1 * rng.size(0, 3) for _ in range(3)]
    weights = torch.tensor([0.5, 0.3, 0.1 * rng.size(1, 4)])
    return GaussianMixture(1.5 * rng.normal(3, d), stds=torch.tensor(widths), weights=weights)


def probe_times(answer, rng):
    steps, last = rng.size(5, 9), rng.size(20, 999)
    return {
        "some steps": torch.tensor(answer(steps * last + rng.size(2, 4), steps)),
        "few steps": torch.tensor(answer(3 * rng.size(7, 300) + 1, 3)),
        "all steps": torch.tensor(answer(steps + 4, steps + 4)),
        "one step": torch.tensor(answer(last, 1)),
    }


def judge_times(raw):
    """Whether a time that falls between two whole numbers is rounded up or down may be chosen freely."""
    facts = {}
    for name, path in raw.items():
        gaps = -path.diff()
        ends = [gaps.min()[None], gaps.max()[None]] if len(gaps) else []
        facts[f"{name}: first, last, shortest and longest step"] = torch.cat([path[:1], path[-1:], *ends])
        facts[f"{name}: how many, and the largest"] = torch.tensor([len(path), int(path.max())])
    return facts


TIMES = "[round(last * i / steps) for i in range(steps, -1, -1)]"


def other_times(code):
    """times with other code in the place of its list."""
    return edited(samplers.times, TIMES, code)


exercise(
    target=samplers.times,
    title="Which steps to keep",
    probe=probe_times,
    judge=judge_times,
    mistakes={
        "T missing": (
            other_times("[round(last * i / steps) for i in range(steps - 1, -1, -1)]"),
            "The first time is missing: your walk does not begin at T, where the noise is. Between steps + 1 times there are `steps` "
            "steps.",
        ),
        "0 missing": (
            other_times("[round(last * i / steps) for i in range(steps, 0, -1)]"),
            "The last time, 0, is missing: your walk stops before the data. `range` stops before its end, so its end has to be −1.",
        ),
        "upwards": (
            other_times("[round(last * i / steps) for i in range(steps + 1)]"),
            "Your times grow. The walk goes from noise at T to data at 0, so they have to fall.",
        ),
        "fixed stride": (
            other_times("[*range(last, 0, -(last // steps)), 0]"),
            "You walk with a stride of T // steps, and what does not divide evenly makes further steps. Exactly `steps` of them are "
            "wanted: spread the rest over all.",
        ),
        "rest in one step": (
            other_times("[last] + [last // steps * i for i in range(steps - 1, -1, -1)]"),
            "All of the remainder of T / steps goes into one step, which gets longer than the others. Compute each time by itself, "
            "as a share of T, and round it.",
        ),
        "not whole": (
            other_times("[last * i / steps for i in range(steps, -1, -1)]"),
            "Your times are no whole numbers. They are used as indices of a table: round them, and give `int`s.",
        ),
        "as floats": (
            other_times("[round(last * i / steps, 0) for i in range(steps, -1, -1)]"),
            "`round(x, 0)` gives a float. Times are indices of a table: `round(x)` gives an int.",
        ),
        "ends at 1": (
            other_times("[round(1 + (last - 1) * i / steps) for i in range(steps, -1, -1)]"),
            "Your walk ends at t = 1. The data is at 0, and the last step leads there.",
        ),
        "rounded stride": (
            other_times("[last - round(last / steps) * i for i in range(steps + 1)]"),
            "You round the length of a step, and what that is off by adds up along the walk. Compute each time by itself, as a share of T, and round "
            "that.",
        ),
        "counted from 0": (
            other_times("[round((last - 1) * i / steps) for i in range(steps, -1, -1)]"),
            "Your walk begins at T − 1. In tables that begin with t = 1 that is the place of T; ours begin with t = 0, so the last index is T.",
        ),
        "one beyond the end": (
            other_times("[round((last + 1) * i / steps) for i in range(steps, -1, -1)]"),
            "Your walk begins at T + 1, where the table has no entry. T + 1 is the number of entries; the last index is T.",
        ),
        "steps times": (
            other_times("[round(last * i / max(steps - 1, 1)) for i in range(steps - 1, -1, -1)]"),
            "You give `steps` times. A step lies *between* two times, so one more is needed.",
        ),
        "0 twice": (
            other_times("[round(last * i / steps) for i in range(steps, -1, -1)] + [0]"),
            "0 stands twice at the end of your list. The step between them goes nowhere, and at t = 0 the network cannot be asked.",
        ),
        "all of them": (
            other_times("list(range(last, -1, -1))"),
            "These are all times from T to 0. Only steps + 1 of them are wanted.",
        ),
        "crowded at the end": (
            other_times("[round(last * (i / steps) ** 2) for i in range(steps, -1, -1)]"),
            "Your times crowd towards 0. Such spacings are in use as well, but here the steps are to be as equal as can be.",
        ),
        "the last ones of the chain": (
            other_times("list(range(steps, -1, -1))"),
            "Your times begin at `steps`, and leave nothing out. The walk has to begin at T and reach 0 in few steps.",
        ),
    },
    accepts=[
        other_times("[last * i // steps for i in range(steps, -1, -1)]"),
        other_times("[-(-last * i // steps) for i in range(steps, -1, -1)]"),
        other_times("torch.linspace(last, 0, steps + 1, dtype=torch.float64).round().int().tolist()"),
        other_times("sorted({round(last * i / steps) for i in range(steps + 1)}, reverse=True)"),
    ],
    hints=[
        "How many times are needed for 3 steps? Write the list for T = 9 by hand, and then that for T = 10.",
        "Time number i, counted from the end, is the share i / steps of T. Round it.",
        "i has to run from `steps` down to 0, and both are in the list.",
    ],
    points=1,
    minutes=10,
)  # fmt: skip


def probe_ddim_step(answer, rng):
    n, size, chain = rng.size(3, 5), rng.size(2, 4), linear_chain(rng)
    a_bar, last = chain.alpha_bar, chain.steps
    images, points = (n, 1, size, size), (n + 2, 2)
    t, eta = rng.size(8, last - 1), 0.3 + 0.1 * rng.size(0, 3)
    one = answer(
        rng.normal(*images, leaf="x_t"), rng.normal(*images, leaf="x0"), t, t - rng.size(3, 5), a_bar
    )
    return {
        "without fresh noise": one,
        "with some": answer(
            rng.normal(*images), rng.normal(*images), t, t - rng.size(2, 4), a_bar, eta, rng.normal(*images)
        ),
        "η = 1, one step of the chain": answer(
            rng.normal(*points), rng.normal(*points), last, last - 1, a_bar, eta=1.0, noise=rng.normal(*points)
        ),
        "to the end": answer(rng.normal(*points), rng.normal(*points), rng.size(3, 6), rng.size(0, 1), a_bar),
        "η = 0, s above t": answer(rng.normal(*points), rng.normal(*points), 6, 6 + rng.size(1, 5), a_bar),
    }  # fmt: skip


RATES = "a_t, a_s = alpha_bar[t], alpha_bar[s]"
IN_X = "(x_t - a_t.sqrt() * x0) / (1 - a_t).sqrt()"
SIGMA = "eta**2 * (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)"
DATA, KEPT, ADDED = "a_s.sqrt() * x0", "(1 - a_s - variance).sqrt() * noise_hat", "variance.sqrt() * noise"


def step_with(*changes):
    return edited(samplers.ddim_step, *changes)


def step_by_shares_of_x(x_t, x0, t, s, alpha_bar, eta=0.0, noise=0.0):
    """The same, written as so much of x_t and so much of the data."""
    a_t, a_s = alpha_bar[t], alpha_bar[s]
    fresh = eta * ((1 - a_s) * (a_s - a_t) / (a_s * (1 - a_t))).clamp(min=0).sqrt()
    kept = ((1 - a_s - fresh**2) / (1 - a_t)).sqrt()
    return kept * x_t + (a_s.sqrt() - kept * a_t.sqrt()) * x0 + fresh * noise


def step_by_q_sample(x_t, x0, t, s, alpha_bar, eta=0.0, noise=0.0):
    """The noise that is kept and the fresh noise make up one noise of variance 1."""
    a_t, a_s = (diffusion.at(alpha_bar, i, x_t) for i in (t, s))
    share = eta * ((1 - a_t / a_s) / (1 - a_t)).clamp(min=0).sqrt()
    both = (1 - share**2).sqrt() * (x_t - a_t.sqrt() * x0) / (1 - a_t).sqrt() + share * noise
    return diffusion.q_sample(x0, s, both, alpha_bar)


exercise(
    target=samplers.ddim_step,
    title="A step of any length",
    probe=probe_ddim_step,
    judge=finite_apart,
    mistakes={
        "no room for the fresh noise": (
            step_with(KEPT, "(1 - a_s).sqrt() * noise_hat"),
            "You add fresh noise and keep all of the old. Both together must have the variance 1 − ᾱ_s, so what is added has to be taken "
            "from the old.",
        ),
        "spreads subtracted": (
            step_with(KEPT, "((1 - a_s).sqrt() - variance.sqrt()) * noise_hat"),
            "You subtract spreads. Of independent noises the *variances* add up: subtract those, and take the root then.",
        ),
        "η not squared": (
            step_with("eta**2", "eta"),
            "η stands in your variance as it is. It is a factor of the spread σ, so in σ² it is squared.",
        ),
        "σ² in the place of σ": (
            step_with(SIGMA, "(eta * (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)) ** 2"),
            "You take for σ what is σ². β̃ is a variance: σ is η times its root.",
        ),
        "root of a negative number": (
            step_with(SIGMA, "(eta * ((1 - a_s) / (1 - a_t) * (1 - a_t / a_s)).sqrt()) ** 2"),
            "For s > t, ᾱ_t / ᾱ_s is above 1, so that you take the root of a negative number; and 0 times nan is nan. Compute σ² with η² in it: the "
            "root of 0 is 0.",
        ),
        "η of DDPM's noise, room for all": (
            step_with(SIGMA, "((1 - a_s) / (1 - a_t) * (1 - a_t / a_s)).clamp(min=0)", ADDED, "eta * variance.sqrt() * noise"),
            "You make room for all of DDPM's fresh noise, and add only η of it. What is added and what is made room for have to agree.",
        ),
        "spread subtracted from a variance": (
            step_with(KEPT, "(1 - a_s - variance.sqrt()).sqrt() * noise_hat"),
            "You subtract σ from a variance. Subtract σ².",
        ),
        "step to t − 1": (
            step_with(SIGMA, "eta**2 * (1 - alpha_bar[t - 1]) / (1 - a_t) * (1 - a_t / alpha_bar[t - 1])"),
            "Your σ² is that of one step of the chain, to t − 1. This step leads to s: put s for t − 1 throughout.",
        ),
        "quotient upside down": (
            step_with("(1 - a_t / a_s)", "(1 - a_s / a_t)"),
            "Your quotient is upside down. What the jump from s to t leaves is ᾱ_t / ᾱ_s, which is below 1.",
        ),
        "η without effect": (
            step_with("eta**2 * ", ""),
            "Your step always adds as much fresh noise as DDPM. η scales its spread; with η = 0 there is none.",
        ),
        "never fresh": (
            step_with(SIGMA, "0 * a_s"),
            "Your step never adds fresh noise. With η above 0 a part of the old noise is replaced.",
        ),
        "variance for the spread": (
            step_with(ADDED, "variance * noise"),
            "You multiply the fresh noise by its variance. The factor is the root.",
        ),
        "fresh noise subtracted": (
            step_with("+ " + ADDED, "- " + ADDED),
            "You subtract the fresh noise. Its density is the same both ways, but here results are compared one by one: add it.",
        ),
        "fresh noise forgotten": (
            step_with(" + " + ADDED, ""),
            "You make room for fresh noise and do not add it. The result has too little noise for time s.",
        ),
        "kept noise not rooted": (
            step_with(KEPT, "(1 - a_s - variance) * noise_hat"),
            "The predicted noise is multiplied by a variance. The factor is its root.",
        ),
        "noise still scaled": (
            step_with(" / (1 - a_t).sqrt()", ""),
            "x_t − √ᾱ_t x0 is the noise as it stands in x_t, √(1 − ᾱ_t) ε̂. Divide, so that ε̂ has variance 1.",
        ),
        "noise over its variance": (
            step_with("/ (1 - a_t).sqrt()", "/ (1 - a_t)"),
            "You divide by 1 − ᾱ_t, the variance of the noise in x_t. Its spread is the root.",
        ),
        "data not scaled in x_t": (
            step_with("(x_t - a_t.sqrt() * x0)", "(x_t - x0)"),
            "You take x0 itself out of x_t. Only √ᾱ_t of it is in there.",
        ),
        "data by ᾱ in x_t": (
            step_with("(x_t - a_t.sqrt() * x0)", "(x_t - a_t * x0)"),
            "You take ᾱ_t of x0 out of x_t. The share of the data in x_t is the root of ᾱ_t.",
        ),
        "x_t taken for its noise": (
            step_with(KEPT, "(1 - a_s - variance).sqrt() * x_t"),
            "You keep x_t in the place of its noise. There is data in x_t as well; take it out first.",
        ),
        "data by ᾱ": (
            step_with(DATA, "a_s * x0"),
            "You multiply x0 by ᾱ_s. The share of the data at time s is the root of it.",
        ),
        "data as it is": (
            step_with(DATA, "x0"),
            "You put x0 in as it is. At time s only √ᾱ_s of the data is there.",
        ),
        "data of time t": (
            step_with(DATA, "a_t.sqrt() * x0"),
            "The share of the data in your result is that of t. The result is at s.",
        ),
        "noise of time t": (
            step_with(KEPT, "(1 - a_t - variance).sqrt() * noise_hat"),
            "The noise in your result has the variance of time t. The result is at s, where there is 1 − ᾱ_s of it.",
        ),
        "noise seen from s": (
            step_with(IN_X, "(x_t - a_s.sqrt() * x0) / (1 - a_s).sqrt()"),
            "You take the noise out of x_t with the shares of time s. x_t was mixed with those of t.",
        ),
        "table read one entry early": (
            step_with(RATES, "a_t, a_s = alpha_bar[t - 1], alpha_bar[s - 1]"),
            "You read the table at t − 1 and s − 1. Its first entry is that of t = 0, so t is the index.",
        ),
        "variance of one step of the chain": (
            step_with("1 - a_t / a_s", "1 - a_t / alpha_bar[t - 1]"),
            "Your fresh noise is that of one step of the chain, from t to t − 1. This step leads from t to s: put ᾱ_s for ᾱ_{t−1} throughout.",
        ),
        "β in the place of β̃": (
            step_with("eta**2 * (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)", "eta**2 * (1 - a_t / a_s)"),
            "Your fresh noise has the variance that the jump from s to t has *added*. The posterior is narrower: its variance is that "
            "times (1 − ᾱ_s) / (1 − ᾱ_t).",
        ),
        "β of no jump": (
            step_with("(1 - a_t / a_s)", "(a_s - a_t)"),
            "In your σ² stands ᾱ_s − ᾱ_t. What is left of x_s after the jump to t is the *quotient* of the two; β is 1 less that.",
        ),
        "all noise fresh at η = 1": (
            step_with(SIGMA, "eta**2 * (1 - a_s)"),
            "With η = 1 all of your noise is fresh. In DDPM's step a part of the old noise stays, even then.",
        ),
        "mixed by η": (
            step_with(f"{KEPT} + {ADDED}", "(1 - a_s).sqrt() * ((1 - eta) * noise_hat + eta * noise)"),
            "You mix the old noise and the fresh by 1 − η and η. Their variances have to add up to 1 − ᾱ_s, and with η = 1 a part of the old "
            "noise stays.",
        ),
        "limited": (
            step_with(f"{DATA} + {KEPT} + {ADDED}", f"({DATA} + {KEPT} + {ADDED}).clamp(-1, 1)"),
            "You limit the result to [−1, 1]. It is noisy, and reaches further than that.",
        ),
    },
    accepts=[step_by_shares_of_x, step_by_q_sample],
    hints=[
        "What is x_t made of? With x0 known, its noise is left: take √ᾱ_t x0 away, and divide by the noise's spread.",
        "x_s is √ᾱ_s x0 plus noise of variance 1 − ᾱ_s. Of that, σ² is fresh and the rest is the old noise.",
        "For σ², read β̃_t = (1 − ᾱ_{t−1}) / (1 − ᾱ_t) · β_t of lesson 51 with s in the place of t − 1. What is β of a jump from s to t, if ᾱ_t / ᾱ_s "
        "of the variance is left?",
    ],
    points=3,
    minutes=20,
)  # fmt: skip


def twice_the_steps() -> str:
    """Without fresh noise, a walk along the chain follows a smooth curve, as the number of steps grows. Each step treats the
    predicted data as if it did not change until the end of the step. The step is half as long: the error made in it falls to a
    quarter. By what factor does the error at the end of the walk fall when the number of steps is doubled?
    "a": by about 1.4
    "b": by 2
    "c": by 4
    "d": not at all, once there are enough steps
    """
    return "b"


exercise(
    target=twice_the_steps,
    title="Twice the steps",
    mistakes={
        "as noise would": (
            "a",
            "The root of 2 is how an average over random draws gets better. Here nothing is random, and the errors of the steps add up.",
        ),
        "as a single step": (
            "c",
            "That is the error of one step. There are twice as many of them, and their errors add up.",
        ),
        "never": (
            "d",
            "That is so for what the *network* gets wrong. The error of the steps goes on falling; how fast is the question.",
        ),
    },
    hints=[
        "The error at the end is about the number of steps times the error of each.",
        "Twice as many steps, each with a quarter of the error.",
    ],
    minutes=3,
)


def probe_extrapolate(answer, rng):
    n, size, long, short = rng.size(3, 5), rng.size(2, 4), linear_chain(rng), cosine_chain(rng)
    images, now = (n, 1, size, size), rng.size(6, 8)
    x0, before = rng.normal(*images, leaf="x0"), rng.normal(*images, leaf="before")
    path = (now + rng.size(2, 3), now, now - rng.size(1, 2))
    fast = (long.steps, 5, rng.size(1, 3))
    points = rng.normal(n, 2), rng.normal(n, 2)
    return {
        "images": answer(x0, before, path, short.alpha_bar),
        "points, a long step and a short": answer(*points, fast, long.alpha_bar),
        "points, a short step and a long": answer(
            *points, (long.steps, long.steps - 1, rng.size(2, 4)), long.alpha_bar
        ),
    }


LAMBDA = "0.5 * (alpha_bar[t] / (1 - alpha_bar[t])).log()"
AIM = "x0 + (end - now) / 2 * (x0 - before) / (now - earlier)"


def aim_with(*changes):
    return edited(samplers.extrapolate, *changes)


def on_the_scale(code):
    """Extrapolated on another scale than λ."""
    return aim_with(LAMBDA, code)


def by_the_paper(x0, before, times, alpha_bar):
    lam = (alpha_bar.sqrt() / (1 - alpha_bar).sqrt()).log()
    r, t, s = (lam[i] for i in times)
    ratio = (t - r) / (s - t)
    return (1 + 1 / (2 * ratio)) * x0 - 1 / (2 * ratio) * before


exercise(
    target=samplers.extrapolate,
    title="Where the prediction will be",
    probe=probe_extrapolate,
    mistakes={
        "at the end of the step": (
            aim_with("(end - now) / 2 *", "(end - now) *"),
            "You aim at where the prediction will be at the end of the step. On the way it passes through all values in between; the one in the "
            "middle stands for them.",
        ),
        "the middle itself": (
            aim_with("(end - now) / 2", "(end + now) / 2"),
            "You multiply by λ in the middle of the step. What counts is the way from now to there.",
        ),
        "way from the earlier time": (
            aim_with("(end - now) / 2 *", "((end + now) / 2 - earlier) *"),
            "You start at x0, and count the way from the earlier time. x0 is the prediction of now.",
        ),
        "noise over signal": (
            on_the_scale("-((1 - alpha_bar[t]) / alpha_bar[t]).sqrt()"),
            "Your scale is noise over signal. λ is a logarithm: half of that of the signal-to-noise ratio.",
        ),
        "half of one logarithm": (
            on_the_scale("0.5 * alpha_bar[t].log() - (1 - alpha_bar[t]).log()"),
            "The half belongs to both logarithms, that of ᾱ and that of 1 − ᾱ.",
        ),
        "times in another order": (
            aim_with("earlier, now, end =", "now, earlier, end ="),
            "You read the times in another order. The first is that of the earlier prediction.",
        ),
        "middle of both steps": (
            aim_with("(end - now) / 2", "(end - earlier) / 2"),
            "You go half of both steps ahead. What counts is the middle of the coming step alone, from now to its end.",
        ),
        "slope over both steps": (
            aim_with("(now - earlier)", "(end - earlier)"),
            "You divide by the length of both steps. The change x0 − before has happened in one, from the earlier prediction to this one.",
        ),
        "slope upside down": (
            aim_with(AIM, "x0 + (now - earlier) / 2 * (x0 - before) / (end - now)"),
            "Your fraction is upside down, or the times are read in the other order: the first is the earliest in the walk. Change divided by the step in which it has happened, times half of the coming step.",
        ),
        "steps taken as equal": (
            aim_with(AIM, "x0 + (x0 - before) / 2"),
            "You add half of the last change, as if both steps were equally long. On the scale of λ they are not.",
        ),
        "not divided": (
            aim_with(" / (now - earlier)", ""),
            "You do not divide the change by the length of the step in which it has happened.",
        ),
        "not times the step": (
            aim_with("(end - now) / 2 * (x0 - before)", "(x0 - before) / 2"),
            "You do not multiply by the length of the coming step.",
        ),
        "backwards": (
            aim_with("x0 + (end", "x0 - (end"),
            "Your aim moves back to where the prediction came from. It is to go on as it went.",
        ),
        "from the earlier prediction": (
            aim_with("x0 + (end", "before + (end"),
            "You go on from the earlier prediction. The newest is x0: start there.",
        ),
        "predictions exchanged": (
            aim_with(AIM, "before + (end - now) / 2 * (before - x0) / (now - earlier)"),
            "The two predictions have changed places. x0 is the one of now.",
        ),
        "the mean of both": (
            aim_with(AIM, "(x0 + before) / 2"),
            "That is the middle of the *last* step, seen from its two ends. The middle of the coming step is wanted.",
        ),
        "no second order": (
            aim_with(AIM, "x0"),
            "You aim at the prediction of now. That is the step of first order.",
        ),
        "evenly in t": (
            on_the_scale("torch.tensor(-float(t))"),
            "You take the data to change evenly in t. The scale is λ, half the logarithm of the signal-to-noise ratio.",
        ),
        "ratio without its logarithm": (
            on_the_scale("alpha_bar[t] / (1 - alpha_bar[t])"),
            "Your scale is the signal-to-noise ratio itself. Its logarithm is missing.",
        ),
        "ratio of spreads without its logarithm": (
            on_the_scale("(alpha_bar[t] / (1 - alpha_bar[t])).sqrt()"),
            "Your scale is √ᾱ / √(1 − ᾱ). λ is the logarithm of that.",
        ),
        "logarithm of the data's share": (
            on_the_scale("alpha_bar[t].log()"),
            "Your scale is log ᾱ. The signal is to be divided by the noise, 1 − ᾱ, first.",
        ),
        "logarithm of the noise's share": (
            on_the_scale("-(1 - alpha_bar[t]).log()"),
            "Your scale is made of the noise 1 − ᾱ alone. λ is about signal *over* noise.",
        ),
        "ᾱ itself": (
            on_the_scale("alpha_bar[t]"),
            "Your scale is ᾱ. It is λ: half the logarithm of ᾱ / (1 − ᾱ).",
        ),
        "spread of the noise": (
            on_the_scale("-(1 - alpha_bar[t]).sqrt()"),
            "Your scale is √(1 − ᾱ), the spread of the noise. It is λ: half the logarithm of ᾱ / (1 − ᾱ).",
        ),
        "root of the noise below": (
            on_the_scale("0.5 * (alpha_bar[t] / (1 - alpha_bar[t]).sqrt()).log()"),
            "You divide ᾱ, a variance, by a spread. Signal-to-noise is variance over variance, 1 − ᾱ without the root.",
        ),
        "table read one entry early": (
            on_the_scale("(alpha_bar[t - 1] / (1 - alpha_bar[t - 1]).clamp(min=1e-9)).log()"),
            "You read the table one entry early. Its first entry is that of t = 0, so t is the index.",
        ),
    },
    equivalents={
        f"earlier, now, end = ({code}(alpha_bar[t] / (1 - alpha_bar[t])).log() for t in times)": "all three on one scale: a factor "
        "cancels"
        for code in ("", "1.0 * ", "0.25 * ")
    },
    accepts=[
        by_the_paper,
        on_the_scale("(alpha_bar[t] / (1 - alpha_bar[t])).log()"),
        on_the_scale("alpha_bar[t].logit()"),
        aim_with(AIM, "torch.lerp(before, x0, ((now + end) / 2 - earlier).div(now - earlier).to(x0))"),
    ],
    hints=[
        "First write down λ of all three times. λ grows on the way to data.",
        "How much did the prediction change, for each unit of λ, from the earlier to this one?",
        "From now to the middle of the step is half of λ_end − λ_now. So far the prediction moves on, at the same rate.",
    ],
    points=2,
    minutes=15,
)  # fmt: skip


def watched(mixture, alpha_bar, seen):
    """The exact noise; notes the times at which it is asked for."""

    def predict(x_t, t):
        seen.append(int(t))
        return diffusion.exact_noise(x_t, int(t), mixture, alpha_bar)

    return predict


def probe_few_steps(answer, rng):
    n, d, steps = rng.size(4, 7), rng.size(2, 3), rng.size(5, 6)
    values, x, mixture = {}, rng.normal(n, d), some_mixture(rng, d)
    cases = {
        "without fresh noise": (linear_chain(rng), {}),
        "with some": (cosine_chain(rng), {"eta": 0.4 + 0.1 * rng.size(0, 3)}),
        "second order": (cosine_chain(rng), {"second_order": True}),
        "second order, η = 1, clipped": (
            linear_chain(rng),
            {"eta": 1.0, "second_order": True, "clip": True},
        ),
        "clipped": (linear_chain(rng), {"clip": True}),
    }
    for name, (chain, settings) in cases.items():
        kept = (
            chain.steps - 1 if name in ("with some", "second order") else steps
        )  # so that one step ends at 1
        fresh, asked, drawn = rng.normal(chain.steps + 1, n, d), [], []

        def noise(t, fresh=fresh, drawn=drawn):
            drawn.append(int(t))
            return fresh[int(t)]

        if "eta" in settings:
            settings["noise"] = noise
        predict = watched(mixture, chain.alpha_bar, asked)
        far = 2 * x if "clip" in settings else x  # where there is something to clip
        values[name] = answer(predict, far, chain.alpha_bar, kept, **settings)
        values[f"{name}: asked at"] = torch.tensor(asked)
        if "eta" in settings:
            values[f"{name}: noise drawn at"] = torch.tensor(drawn)
    return values


PATH = "times(len(alpha_bar) - 1, steps)"
GUESS = "x0 = data_from_noise(x, predict(x, t), t, alpha_bar)"
CLIP = "x0 = x0.clamp(-1, 1) if clip else x0"
WHEN = "second_order and earlier is not None and s > 0"
EARLIER = "extrapolate(x0, earlier[1], (earlier[0], t, s), alpha_bar)"
NOISE = "noise(t) if eta > 0 and s > 0 else 0.0"
STEP = "ddim_step(x, aim, t, s, alpha_bar, eta, fresh)"
KEEP = f"x, earlier = {STEP}, (t, x0)"


def walk_with(*changes):
    return edited(samplers.few_steps, *changes)


exercise(
    target=samplers.few_steps,
    title="Repair: not quite second order",
    probe=probe_few_steps,
    judge=finite_apart,
    repair="remembers what it aimed at",
    mistakes={
        "remembers what it aimed at": (
            walk_with(", (t, x0)", ", (t, aim)"),
            "You keep the aim of a step as its prediction. The aim was moved ahead already, so the change that you see in the next step is too "
            "small, and the walk is of first order again.",
        ),
        "remembers x": (
            walk_with(KEEP, f"earlier = (t, x)\n        x = {STEP}"),
            "You remember the noisy x, and not the data that was predicted from it.",
        ),
        "remembers the first only": (
            walk_with(KEEP, f"x, earlier = {STEP}, earlier or (t, x0)"),
            "You remember the first prediction for the whole walk. The one of the step before is wanted.",
        ),
        "never of second order": (
            walk_with(WHEN, "False"),
            "You do not look at `second_order`. With it, all steps but the first and the last aim as `extrapolate` says.",
        ),
        "always of second order": (
            walk_with(WHEN, "earlier is not None and s > 0"),
            "You always extrapolate. Without `second_order` the aim is the prediction of now.",
        ),
        "no finite λ": (
            walk_with(WHEN, "second_order and earlier is not None"),
            "Where you extrapolate, the result is not finite. Either it is the last step as well, and at the data λ is infinite; or you note the time "
            "to which a step leads, and the prediction was made at t, where it begins.",
        ),
        "prediction and aim clipped": (
            walk_with(f"x, earlier = {STEP}", f"aim = aim.clamp(-1, 1) if clip else aim\n        x, earlier = {STEP}"),
            "You clip the aim as well. The prediction is clipped; the aim, a little ahead of it, may lie outside.",
        ),
        "no second order in the last two": (
            walk_with(WHEN, f"{WHEN} and s > path[-2]"),
            "You leave out `extrapolate` in the last two steps. Only the last one, to s = 0, has to do without, since λ is infinite there.",
        ),
        "order of times": (
            walk_with("(earlier[0], t, s)", "(t, earlier[0], s)"),
            "The times that you hand to `extrapolate` are in the wrong order: first that of the earlier prediction, then now, then the end.",
        ),
        "exchanged predictions": (
            walk_with("extrapolate(x0, earlier[1],", "extrapolate(earlier[1], x0,"),
            "You hand the two predictions to `extrapolate` in the wrong order: the newest comes first.",
        ),
        "network told s": (
            walk_with("predict(x, t)", "predict(x, s)"),
            "You tell the network the time s, to which the step leads. What it sees is x_t.",
        ),
        "data read at s": (
            walk_with(GUESS, "x0 = data_from_noise(x, predict(x, t), s, alpha_bar)"),
            "You take the noise out of x with the shares of s. x is x_t, so those of t count.",
        ),
        "step of the chain": (
            walk_with(STEP, "ddim_step(x, aim, t, t - 1, alpha_bar, eta, fresh)"),
            "Your step leads to t − 1 and not to s. The next one then starts from a place that it is not at.",
        ),
        "all steps": (
            walk_with(PATH, "times(len(alpha_bar) - 1, len(alpha_bar) - 1)"),
            "You take all steps of the chain. Only `steps` of them are wanted.",
        ),
        "one step too few": (
            walk_with(PATH, "times(len(alpha_bar) - 1, steps - 1)"),
            "You take one step too few. `times` gives steps + 1 times, with `steps` steps between them.",
        ),
        "last step left out": (
            walk_with("pairwise(path)", "pairwise(path[:-1])"),
            "You leave the last step out, so what you give is still noisy. The walk ends at 0.",
        ),
        "η forgotten": (
            walk_with("alpha_bar, eta, fresh", "alpha_bar, 0.0, fresh"),
            "`ddim_step` does not get η, so the fresh noise is drawn and never used.",
        ),
        "η always 1": (
            walk_with("alpha_bar, eta, fresh", "alpha_bar, float(eta > 0), fresh"),
            "Whenever there is fresh noise you add as much as DDPM. How much is said by η.",
        ),
        "the same noise": (
            walk_with("noise(t)", "noise(path[0])"),
            "You draw the noise of T in each step, so all steps push in one direction. It has to be fresh each time.",
        ),
        "noise of s": (
            walk_with("noise(t)", "noise(s)"),
            "You ask for noise(s). It is asked for by the time at which the step begins.",
        ),
        "noise drawn in the last step": (
            walk_with("eta > 0 and s > 0", "eta > 0"),
            "You draw noise for the last step too. There it has no weight, so the draw is wasted, and whoever repeats the walk with drawn noise "
            "gets out of step.",
        ),
        "never clipped": (
            walk_with(CLIP, "pass"),
            "You do not look at `clip`. With it, predicted data is moved into [−1, 1] before it is used.",
        ),
        "always clipped": (
            walk_with(CLIP, "x0 = x0.clamp(-1, 1)"),
            "You clip always. Points of a mixture may well lie outside of [−1, 1].",
        ),
        "aim clipped": (
            walk_with(CLIP, "pass", f"x, earlier = {STEP}", "aim = aim.clamp(-1, 1) if clip else aim\n        "
                      f"x, earlier = {STEP}"),
            "You clip the aim. It is the *prediction* that is clipped, before `extrapolate` uses it, now and in the next step.",
        ),
        "x clipped": (
            walk_with(CLIP, "pass", KEEP, f"{KEEP}\n        x = x.clamp(-1, 1) if clip else x"),
            "With `clip` you limit x itself. On the way it is noisy, and reaches further; it is the predicted data that lies in [−1, 1].",
        ),
    },
    accepts=[
        walk_with(WHEN, "second_order and 0 < s and t < path[0]"),
        walk_with("return x", "return x0"),
        walk_with(CLIP, "x0 = torch.clamp(x0, -1, 1) if clip else x0", "pairwise(path)", "zip(path[:-1], path[1:])"),
    ],
    hints=[
        "`extrapolate` wants two predictions, of now and of one step earlier. Follow what the loop hands on to the next round.",
        "aim and x0 differ from the second step on. Which of them did the network predict?",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def probe_invert(answer, rng):
    n, d, steps = rng.size(4, 7), rng.size(2, 3), rng.size(4, 6)
    values, mixture = {}, some_mixture(rng, d)
    for name, chain, rounds in (
        ("one round", linear_chain(rng), ()),
        ("two rounds", cosine_chain(rng), (2,)),
        ("more rounds", linear_chain(rng), (rng.size(3, 4),)),
    ):
        asked = []
        predict = watched(mixture, chain.alpha_bar, asked)
        values[name] = answer(predict, 1.2 * rng.normal(n, d), chain.alpha_bar, steps, *rounds)
        values[f"{name}: asked at"] = torch.tensor(asked)
    return values


BACK = "times(len(alpha_bar) - 1, steps)[::-1]"
DATA_AT_S = "data_from_noise(x, noise_hat, s, alpha_bar)"
THERE = f"there = q_sample({DATA_AT_S}, t, noise_hat, alpha_bar)"


def back_with(*changes):
    return edited(samplers.invert, *changes)


def invert_by_shares(predict, x, alpha_bar, steps, rounds=1):
    """So much of x, and so much of the noise."""
    path = samplers.times(len(alpha_bar) - 1, steps)
    for s, t in pairwise(path[::-1]):
        a_s, a_t, start = alpha_bar[s], alpha_bar[t], x
        kept = (a_t / a_s).sqrt()
        for _ in range(rounds):
            x = kept * start + ((1 - a_t).sqrt() - kept * (1 - a_s).sqrt()) * predict(x, t)
    return x


exercise(
    target=samplers.invert,
    title="Repair: asked again, gone astray",
    probe=probe_invert,
    repair="walks on in each round",
    mistakes={
        "walks on in each round": (
            back_with("data_from_noise(x,", "data_from_noise(there,"),
            "Each further round takes another step, from the place that the last one has found. All rounds are about *one* step: they start "
            "from x, and only the place where the network is asked moves.",
        ),
        "asks at the start in each round": (
            back_with("predict(there, t)", "predict(x, t)"),
            "You ask at the place where the step starts, in each round, so all rounds give the same. From the second on, ask at the place found "
            "last.",
        ),
        "walks on, and asks at the start": (
            back_with("data_from_noise(x,", "data_from_noise(there,", "predict(there, t)", "predict(x, t)"),
            "Now you ask where the step starts, and still walk on from `there`. It is the other way round: walk from x, and ask at `there`.",
        ),
        "asks for the time s": (
            back_with("predict(there, t)", "predict(there, s)"),
            "You ask the network about the time s. The way from noise to data asks at t, where its step begins, and it is that step that has to be undone.",
        ),
        "never arrives": (
            back_with("        x = there\n", ""),
            "What you give is the data that came in. Either no step hands on what it has found, or the noise is taken out and put in with the "
            "shares of one and the same time; x is at s, and the step leads to t.",
        ),
        "one round only": (
            back_with("range(rounds)", "range(1)"),
            "You ask once, however many rounds are wanted.",
        ),
        "one round too many": (
            back_with("range(rounds)", "range(rounds + 1)"),
            "You ask once more than is wanted: `rounds` times in all.",
        ),
        "one round too few": (
            back_with("range(rounds)", "range(rounds - 1)"),
            "You ask once less than is wanted; with one round nothing happens at all.",
        ),
        "forwards": (
            back_with("[::-1]", ""),
            "You walk from T to 0. These are data, and the way leads from 0 to T.",
        ),
        "all steps": (
            back_with(BACK, "range(len(alpha_bar))"),
            "You take every step of the chain. The walk is to have `steps` of them, the same as on the way from noise to data.",
        ),
        "one jump": (
            back_with(BACK, "[0, len(alpha_bar) - 1]"),
            "You jump to T at once. The noise has to be asked for on the way, `steps` times.",
        ),
        "first step left out": (
            back_with("[::-1]", "[-2::-1]"),
            "Your walk does not begin at 0. The data is at t = 0, and the first step leads from there.",
        ),
        "last step left out": (
            back_with("[::-1]", "[:0:-1]"),
            "Your walk stops before T.",
        ),
        "noise removed": (
            back_with(THERE, "there = data_from_noise(x, noise_hat, t, alpha_bar)"),
            "This is the data that would be in x. The step has to put the noise in again, as much as there is at t.",
        ),
        "noise put into x": (
            back_with(DATA_AT_S, "x"),
            "You put noise into x as if x were data. From the second step on there is noise in it already: take that out first.",
        ),
        "mean of the rounds": (
            back_with(THERE, f"there = (there + q_sample({DATA_AT_S}, t, noise_hat, alpha_bar)) / 2"),
            "You go only half of the way to the place that is found. Here each round takes the new place as it is.",
        ),
        "limited": (
            back_with(DATA_AT_S, DATA_AT_S + ".clamp(-1, 1)"),
            "You limit the predicted data to [−1, 1]. What is limited cannot be undone, so the way back would lead elsewhere.",
        ),
    },
    accepts=[
        invert_by_shares,
        back_with(BACK, "reversed(times(len(alpha_bar) - 1, steps))"),
        back_with("there = x\n", "there = 1 * x\n"),
    ],
    hints=[
        "With one round the code below is right. What differs between the first round of a step and the second?",
        "Each round answers the same question: where at time t was the walk that has come to x at time s?",
        "So x is the starting place in each round. What changes is where the network is asked.",
    ],
    points=2,
    minutes=15,
)  # fmt: skip
