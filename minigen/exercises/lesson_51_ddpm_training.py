"""The exercises of lesson 51: the step back, what the network is asked for, its parts, and its training."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from minigen import ddpm, diffusion, samplers, train, unet
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.probing.finite import finite_apart
from minigen.probing.observe import unwatched

exercise = lesson("51_ddpm_training")


def chain(rng):
    """A short schedule of strong steps, in which neighbouring entries of every table differ."""
    return diffusion.Schedule(rng.uniform(rng.size(6, 9), low=0.05, high=0.5, dtype=torch.float64).cpu())


def probe_posterior(answer, rng):
    n, size, schedule = rng.size(3, 5), rng.size(2, 3), chain(rng)
    last = schedule.steps
    t = torch.cat([torch.tensor([1, last], device=rng.device), rng.integers(n - 2, low=2, high=last)])
    values = {}
    for name, times in {"a time for each": t, "one time": last - 2, "the first step": 1}.items():
        x, x_t = rng.normal(n, 1, size, size, leaf="x"), rng.normal(n, 1, size, size)
        mean, variance = answer(x, x_t, times, schedule)
        values |= {f"mean, {name}": mean, f"variance, {name}": variance + 0 * x_t.detach()}
    mean, variance = answer(rng.normal(n, 2), rng.normal(n, 2, leaf="x_t"), t, schedule)
    return values | {"mean, rows of numbers": mean, "variance, rows of numbers": variance}


OF_X, OF_X_T = "before.sqrt() * schedule.beta / (1 - a_bar)", "a.sqrt() * (1 - before) / (1 - a_bar)"
MEAN = "at(of_x, t, x) * x + at(of_x_t, t, x) * x_t"
VARIANCE = "at(schedule.variance, t, x)"


def changed_posterior(*changes):
    return edited(diffusion.posterior, *changes)


def posterior_from_the_two_gaussians(x, x_t, t, schedule):
    """Each guess times the variance of the other, over the sum of both."""
    beta, alpha = (diffusion.at(table, t, x) for table in (schedule.beta, schedule.alpha))
    before = diffusion.at(schedule.alpha_bar, torch.as_tensor(t) - 1, x)
    total = beta + alpha * (1 - before)
    mean = (beta * before.sqrt() * x + alpha.sqrt() * (1 - before) * x_t) / total
    return mean, beta * (1 - before) / total


def posterior_through_the_noise(x, x_t, t, schedule):
    a_bar = diffusion.at(schedule.alpha_bar, t, x)
    noise = (x_t - a_bar.sqrt() * x) / (1 - a_bar).sqrt()
    return samplers.step_back(x_t, noise, t, schedule), diffusion.at(schedule.variance, t, x_t)


exercise(
    target=diffusion.posterior,
    title="Repair: a step back that misses",
    probe=probe_posterior,
    repair="ᾱ of t in front of the data",
    mistakes={
        "ᾱ of t in front of the data": (
            changed_posterior(OF_X, "a_bar.sqrt() * schedule.beta / (1 - a_bar)"),
            "In front of x stands √ᾱ_t. The data reached x_{t-1} after t − 1 steps, so what is left of it *there* counts: ᾱ_{t-1}. With "
            "the other, x_{t-1} comes out a little too small in every step, and nothing crashes.",
        ),
        "ᾱ in front of x_t": (
            changed_posterior(OF_X_T, "a_bar.sqrt() * (1 - before) / (1 - a_bar)"),
            "In front of x_t stands √ᾱ_t. Between x_{t-1} and x_t lies a single step, which shrinks by √α_t.",
        ),
        "ᾱ of t in both": (
            changed_posterior(OF_X, "a_bar.sqrt() * schedule.beta / (1 - a_bar)", OF_X_T, "a_bar.sqrt() * (1 - before) / (1 - a_bar)"),
            "Both roots are of ᾱ_t, which is t steps at once. From the data to x_{t-1} it is t − 1 steps, and from there to x_t a single one.",
        ),
        "α in front of the data": (
            changed_posterior(OF_X, "a.sqrt() * schedule.beta / (1 - a_bar)"),
            "In front of x stands √α_t, the shrinking of one step. From the data to x_{t-1} it is t − 1 steps: √ᾱ_{t-1}.",
        ),
        "root missing in front of the data": (
            changed_posterior(OF_X, "before * schedule.beta / (1 - a_bar)"),
            "You have ᾱ_{t-1} in front of x. It is a variance; the data itself was multiplied by its root.",
        ),
        "root missing in front of x_t": (
            changed_posterior(OF_X_T, "a * (1 - before) / (1 - a_bar)"),
            "You have α_t in front of x_t. It is a variance; one step multiplies by its root.",
        ),
        "coefficients exchanged": (
            changed_posterior(MEAN, "at(of_x, t, x) * x_t + at(of_x_t, t, x) * x"),
            "The two coefficients have changed places. In the last step, t = 1, the mean must be the data itself.",
        ),
        "divided by α": (
            changed_posterior(OF_X_T, "(1 - before) / (1 - a_bar) / a.sqrt()"),
            "You divide x_t by √α_t, as if the step were undone. In the weighted mean x_t counts by √α_t over its variance β_t.",
        ),
        "noise at t, not before": (
            changed_posterior(OF_X_T, "a.sqrt()"),
            "In front of x_t the factor (1 − ᾱ_{t-1}) / (1 − ᾱ_t) is missing. As it stands, x_t would count even in the last step, where "
            "the data alone decides.",
        ),
        "not divided": (
            changed_posterior(OF_X, "before.sqrt() * schedule.beta", OF_X_T, "a.sqrt() * (1 - before)"),
            "The division by 1 − ᾱ_t is missing. The precisions of the two Gaussians add up, and the mean is divided by their sum.",
        ),
        "data not divided": (
            changed_posterior(OF_X, "before.sqrt() * schedule.beta"),
            "The coefficient of x is not divided by 1 − ᾱ_t. In the last step it must be exactly 1.",
        ),
        "√(1 − ᾱ_t) below": (
            changed_posterior(OF_X, OF_X.replace("(1 - a_bar)", "(1 - a_bar).sqrt()"),
                              OF_X_T, OF_X_T.replace("(1 - a_bar)", "(1 - a_bar).sqrt()")),
            "You divide by √(1 − ᾱ_t). Precisions are one over *variances*, so 1 − ᾱ_t stands below without a root.",
        ),
        "√β in front of the data": (
            changed_posterior(OF_X, "(before * schedule.beta).sqrt() / (1 - a_bar)"),
            "You have √β_t in front of x. The other Gaussian's variance weighs it: β_t without a root.",
        ),
        "before is t": (
            changed_posterior("schedule.alpha_bar.roll(1)", "schedule.alpha_bar"),
            "Your ᾱ_{t-1} is ᾱ_t. Of a table indexed by t, the entry before is at t − 1.",
        ),
        "before is t + 1": (
            changed_posterior("schedule.alpha_bar.roll(1)", "schedule.alpha_bar.roll(-1)"),
            "Your ᾱ_{t-1} is ᾱ_{t+1}: `roll(-1)` moves the table to the left. To find the entry of t − 1 at place t, move it to the right.",
        ),
        "all times one too early": (
            lambda x, x_t, t, schedule: diffusion.posterior(x, x_t, (torch.as_tensor(t) - 1).clamp(min=1), schedule),
            "You read the tables at t − 1. They are indexed by the paper's own t, with t = 0 for data.",
        ),
        "variance of the step forward": (
            changed_posterior(VARIANCE, "at(schedule.beta, t, x)"),
            "Your variance is β_t, that of the step forward. Who knows the data as well is less in doubt: β̃_t, smaller, and 0 at t = 1.",
        ),
        "standard deviation": (
            changed_posterior(VARIANCE, "at(schedule.variance.sqrt(), t, x)"),
            "Your second result is the standard deviation. The variance is wanted.",
        ),
        "variance of the jump": (
            changed_posterior(VARIANCE, "at(1 - a_bar, t, x)"),
            "Your variance is 1 − ᾱ_t, that of x_t when only the data is known. Here x_t is known, and x_{t-1} is asked for.",
        ),
        "data alone": (
            changed_posterior(MEAN, "at(before.sqrt(), t, x) * x"),
            "This is the mean of x_{t-1} when only the data is known. x_t has something to say as well: it lies one small step away.",
        ),
        "the time of the first image": (
            lambda x, x_t, t, s: diffusion.posterior(x, x_t, int(torch.as_tensor(t).reshape(-1)[0]), s),
            "The whole batch is put at the time of its first image. `at` finds an entry for each.",
        ),
    },
    accepts=[posterior_from_the_two_gaussians, posterior_through_the_noise],
    hints=[
        "Try t = 1: the step before is the data itself. What must both coefficients be there?",
        "x is t − 1 steps away from x_{t-1}, and x_t is one step away. Which table belongs to which?",
        "The mean adds up two guesses: of the data, √ᾱ_{t-1} x, and of x_t. Each counts by the variance of the other.",
        "If t = 1 gives nan: 1 − ᾱ_0 and β̃_1 are 0. Multiply out until only 1 − ᾱ_t stands below.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


def heaviest_term() -> str:
    """The bound multiplies the squared error in the noise at time t by a weight; the simple loss gives all times weight 1.
    On the linear chain of 1,000 steps, β_t grows from 0.0001 to 0.02. Where is the weight of the bound largest?
    "a": at small t, where there is little noise in the image
    "b": in the middle
    "c": at large t, where the image is nearly all noise
    "d": it is the same everywhere
    """
    return "a"


exercise(
    target=heaviest_term,
    title="Which step does the bound care about?",
    mistakes={
        "the middle": (
            "b",
            "The weight has no hump: with σ_t² = β_t it is β_t / (2 α_t (1 − ᾱ_t)). The numerator β_t grows 200 times; in the denominator "
            "1 − ᾱ_t grows from 0.0001 to 1.",
        ),
        "much noise": (
            "c",
            "The squares of the steps are larger there, but the weight also divides by 1 − ᾱ_t, which grows 10,000 times from the first "
            "step to the last, while β_t grows 200 times.",
        ),
        "no difference": (
            "d",
            "That is the simple loss. The bound's weight depends on t: put in β_t and 1 − ᾱ_t at the first and at the last step.",
        ),
    },
    hints=[
        "With σ_t² = β_t, one β_t of the weight cancels: β_t / (2 α_t (1 − ᾱ_t)). What is 1 − ᾱ_1?",
        "At t = 1, 1 − ᾱ_1 = β_1, so the weight is about 1/2. At the end 1 − ᾱ_T is nearly 1.",
    ],
    minutes=5,
)


def probe_unmix(answer, rng):
    n, size = rng.size(3, 5), rng.size(2, 4)

    def some(low, high):
        return rng.uniform(n, 1, low=low, high=high)

    angle = some(0.2, 1.3)
    alpha, sigma, one, zero = angle.cos(), angle.sin(), torch.ones_like(angle), torch.zeros_like(angle)
    asked = {
        "any two sums": (some(0.5, 1.5), some(0.5, 1.5), -some(0.5, 1.5), some(0.5, 1.5)),
        "noise asked for": (alpha, sigma, zero, one),
        "data asked for": (alpha, sigma, one, zero),
        "velocity asked for": (alpha, sigma, -sigma, alpha),
        "plain numbers": (0.8, 0.3, -1.0, 0.7),
    }
    values = {}
    for name, weights in asked.items():
        by = name not in (
            "noise asked for",
            "data asked for",
        )  # where who divides by 0 has no gradient to compare
        x_t, u = (
            rng.normal(n, size, leaf="x_t" if by else False),
            rng.normal(n, size, leaf="u" if by else False),
        )
        x0, noise = answer(x_t, u, *weights)
        values |= {f"data, {name}": x0, f"noise, {name}": noise}
    return values


DATA_OUT, NOISE_OUT = "(q * x_t - sigma * u) / determinant", "(alpha * u - p * x_t) / determinant"


def unmix_by_solving(x_t, u, alpha, sigma, p, q):
    rows = [torch.as_tensor(v).to(x_t).expand_as(x_t) for v in (alpha, sigma, p, q)]
    matrix = torch.stack(rows, dim=-1).unflatten(-1, (2, 2))
    found = torch.linalg.solve(matrix, torch.stack([x_t, u], dim=-1))
    return found[..., 0], found[..., 1]


def unmix_data_first(x_t, u, alpha, sigma, p, q):
    x0 = (q * x_t - sigma * u) / (alpha * q - sigma * p)
    return x0, (x_t - alpha * x0) / sigma


def unmix_noise_first(x_t, u, alpha, sigma, p, q):
    noise = (u - p * x_t / alpha) / (q - p * sigma / alpha)
    return (x_t - sigma * noise) / alpha, noise


def changed_unmix(*changes):
    return edited(diffusion.unmix, *changes)


def unmix_divided_by_p(x_t, u, alpha, sigma, p, q):
    noise = (alpha * u - p * x_t) / (alpha * q - sigma * p)
    return (u - q * noise) / p, noise


def unmix_divided_by_q(x_t, u, alpha, sigma, p, q):
    x0 = (q * x_t - sigma * u) / (alpha * q - sigma * p)
    return x0, (u - p * x0) / q


exercise(
    target=diffusion.unmix,
    title="Data and noise out of two sums",
    probe=probe_unmix,
    judge=finite_apart,
    mistakes={
        "u taken for the noise": (
            lambda x_t, u, alpha, sigma, p, q: ((x_t - sigma * u) / alpha, u),
            "You take u for the noise itself. That is so when p = 0 and q = 1; here u may be any sum of data and noise.",
        ),
        "u taken for the data": (
            lambda x_t, u, alpha, sigma, p, q: (u, (x_t - alpha * u) / sigma),
            "You take u for the data itself. That is so when p = 1 and q = 0; here u may be any sum of data and noise.",
        ),
        "u taken for the velocity": (
            lambda x_t, u, alpha, sigma, p, q: (alpha * x_t - sigma * u, sigma * x_t + alpha * u),
            "This is right for the velocity, with p = −σ and q = α, and only when α² + σ² = 1. Solve for any four weights.",
        ),
        "velocity with the signs exchanged": (
            lambda x_t, u, alpha, sigma, p, q: (alpha * x_t + sigma * u, sigma * x_t - alpha * u),
            "You rotate the wrong way, and by α and σ alone. The weights p and q have to enter.",
        ),
        "not divided": (
            changed_unmix(DATA_OUT, "(q * x_t - sigma * u)", NOISE_OUT, "(alpha * u - p * x_t)"),
            "The noise is gone from the first sum and the data from the second, but what is left is multiplied by α q − σ p. Divide by it.",
        ),
        "determinant with a plus": (
            changed_unmix("alpha * q - sigma * p", "alpha * q + sigma * p"),
            "You divide by α q + σ p. Multiply x_t by q and u by σ, and subtract: in front of the data stays α q − σ p.",
        ),
        "determinant the other way": (
            changed_unmix("alpha * q - sigma * p", "sigma * p - alpha * q"),
            "Both results have the wrong sign: the determinant is α q − σ p.",
        ),
        "determinant mixed up": (
            changed_unmix("alpha * q - sigma * p", "alpha * p - sigma * q"),
            "You divide by α p − σ q. In the determinant each weight of the data meets a weight of the *noise*: α q − σ p.",
        ),
        "sign in the data": (
            changed_unmix(DATA_OUT, DATA_OUT.replace("-", "+")),
            "In your data the noise adds up and does not cancel: q x_t has q σ noise in it, and σ u as much.",
        ),
        "sign in the noise": (
            changed_unmix(NOISE_OUT, NOISE_OUT.replace("-", "+")),
            "In your noise the data adds up and does not cancel: α u has α p data in it, and p x_t as much.",
        ),
        "noise upside down": (
            changed_unmix(NOISE_OUT, "(p * x_t - alpha * u) / determinant"),
            "Your noise has the wrong sign. Multiply u by α and x_t by p: the first minus the second leaves noise times α q − σ p.",
        ),
        "data upside down": (
            changed_unmix(DATA_OUT, "(sigma * u - q * x_t) / determinant"),
            "Your data has the wrong sign. q x_t minus σ u leaves data times α q − σ p.",
        ),
        "results exchanged": (
            lambda *a: diffusion.unmix(*a)[::-1],
            "The data comes first, then the noise.",
        ),
        "x_t and u exchanged": (
            lambda x_t, u, *weights: diffusion.unmix(u, x_t, *weights),
            "x_t and u have changed places: x_t is the sum with α and σ, u the sum with p and q.",
        ),
        "p and q exchanged": (
            lambda x_t, u, alpha, sigma, p, q: diffusion.unmix(x_t, u, alpha, sigma, q, p),
            "p and q have changed places: p stands in front of the data, q in front of the noise.",
        ),
        "α and σ exchanged": (
            lambda x_t, u, alpha, sigma, p, q: diffusion.unmix(x_t, u, sigma, alpha, p, q),
            "α and σ have changed places: α stands in front of the data, σ in front of the noise.",
        ),
        "divided by p": (
            unmix_divided_by_p,
            "Your noise is right. For the data you divide by p, which is 0 when the network is asked for the noise. Take it out of x_t, or "
            "solve for both at once.",
        ),
        "divided by q": (
            unmix_divided_by_q,
            "Your data is right. For the noise you divide by q, which is 0 when the network is asked for the data. Take it out of x_t, or "
            "solve for both at once.",
        ),
        "difference of the sums": (
            lambda x_t, u, alpha, sigma, p, q: ((x_t - u) / (alpha - p), (x_t - u) / (sigma - q)),
            "You subtract u from x_t as they are. That removes neither data nor noise, unless their weights happen to agree: multiply "
            "first, so that one of the two cancels.",
        ),
        "gradient cut at the data": (
            lambda *a: (diffusion.unmix(*a)[0].detach(), diffusion.unmix(*a)[1]),
            "Your data is detached, so that nothing could be trained through it.",
        ),
    },
    accepts=[unmix_by_solving, unmix_data_first, unmix_noise_first],
    hints=[
        "Two equations, two unknowns: the data and the noise. Get rid of one of them.",
        "Multiply the first equation by q and the second by σ, and subtract. Which unknown has gone?",
        "What is left is the data times α q − σ p. The same with p and α gives the noise.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


def probe_time_embedding(answer, rng):
    n, half = rng.size(4, 7), rng.size(3, 6)
    return {
        "whole times": answer(rng.integers(n, low=1, high=200), 2 * half),
        "times between steps": answer(rng.uniform(n + 1, low=0.0, high=20.0), 2 * half + 2),
        "another longest wave": answer(rng.integers(n, low=0, high=100), 2 * half, 50.0 * rng.size(2, 5)),
        "the fewest": answer(rng.integers(n, low=1, high=100), 4),
    }


def judge_time_embedding(raw):
    """Either precision will do."""
    return {name: value.float() for name, value in raw.items()}


FREQUENCIES = "torch.logspace(0, -1, dim // 2, base=longest, device=t.device)"
WAVES = "torch.cat([angles.sin(), angles.cos()], dim=1)"


def waves(frequencies, joined=lambda a: torch.cat([a.sin(), a.cos()], dim=1)):
    """An embedding with these frequencies, a function of k = 0, 1, … below the half, the half, and the longest."""

    def embedding(t, dim, longest=10_000.0):
        k = torch.arange(dim // 2, device=t.device, dtype=torch.float64)
        return joined(t[:, None] * frequencies(k, dim // 2, longest)).float()

    return embedding


def right_waves(k, half, longest):
    return longest ** (-k / (half - 1))


exercise(
    target=unet.time_embedding,
    title="The time, as many waves",
    probe=probe_time_embedding,
    judge=judge_time_embedding,
    mistakes={
        "sines and cosines in turn": (
            waves(right_waves, lambda a: torch.stack([a.sin(), a.cos()], dim=2).flatten(1)),
            "Your sines and cosines take turns, as in the paper on attention. Here all sines come first.",
        ),
        "cosines first": (
            edited(unet.time_embedding, WAVES, "torch.cat([angles.cos(), angles.sin()], dim=1)"),
            "The cosines come first. The docstring wants the sines first.",
        ),
        "slowest wave missing": (
            waves(lambda k, half, longest: longest ** (-k / half)),
            "Your slowest wave is not slow enough. Both ends of the range are included, so the last exponent is −1: with h frequencies there "
            "are h − 1 ratios between them.",
        ),
        "fastest wave missing": (
            waves(lambda k, half, longest: longest ** (-(k + 1) / half)),
            "Your fastest wave is too slow: the first frequency is 1.",
        ),
        "slow first": (
            waves(lambda k, half, longest: right_waves(k, half, longest).flip(0)),
            "Your waves go from slow to fast. The fast ones come first.",
        ),
        "evenly spaced frequencies": (
            edited(unet.time_embedding, FREQUENCIES, "torch.linspace(1, 1 / longest, dim // 2, device=t.device)"),
            "Your frequencies are evenly spaced, so nearly all waves are about as fast. In equal *ratios*, some are fast and some slow.",
        ),
        "evenly spaced wave lengths": (
            waves(lambda k, half, longest: 1 / (1 + (longest - 1) * k / (half - 1))),
            "Your wave lengths are evenly spaced, so nearly all waves are slow. They should grow in equal *ratios*.",
        ),
        "wave lengths for frequencies": (
            waves(lambda k, half, longest: 1 / right_waves(k, half, longest)),
            "You multiply t by the wave lengths. From one step to the next such waves turn around many times, so that neighbouring times look "
            "unrelated: divide.",
        ),
        "2π": (
            waves(lambda k, half, longest: 2 * math.pi * right_waves(k, half, longest)),
            "You multiply by 2π. The wave lengths over 2π go from 1 to `longest`, so the angle is t itself in the fastest wave. (With 2π the "
            "fastest sine is 0 at every whole t.)",
        ),
        "divided by 2π": (
            waves(lambda k, half, longest: right_waves(k, half, longest) / (2 * math.pi)),
            "You divide by 2π. The angle of the fastest wave is t itself.",
        ),
        "10,000 written down": (
            waves(lambda k, half, longest: right_waves(k, half, 10_000)),
            "`longest` is not used: you always take 10,000.",
        ),
        "exponent doubled": (
            waves(lambda k, half, longest: right_waves(2 * k, half, longest)),
            "Your exponents go to −2. In the paper on attention 2i counts places in the whole embedding; with a half of it, i / (half − 1).",
        ),
        "exponent over all places": (
            waves(lambda k, half, longest: longest ** (-k / (2 * half))),
            "Your exponents stop at −1/2: you divide by the number of all places, and there are half as many waves.",
        ),
        "base 10": (
            waves(lambda k, half, longest: right_waves(k, half, 10.0) + 0 * longest),
            "Your slowest wave is 10 steps long (over 2π) and not `longest`: `torch.logspace` has the base 10 unless told.",
        ),
        "sines alone": (
            edited(unet.time_embedding, WAVES, "torch.cat([angles.sin(), angles.sin()], dim=1)"),
            "The sines are there twice. A sine alone leaves open on which side of its hill the time is; the cosine tells.",
        ),
        "cosines alone": (
            edited(unet.time_embedding, WAVES, "torch.cat([angles.cos(), angles.cos()], dim=1)"),
            "The cosines are there twice, and the sines not at all.",
        ),
        "time divided by the longest": (
            edited(unet.time_embedding, "t[:, None] * ", "t[:, None] / longest * "),
            "You divide t by `longest`. t comes in steps and stays in steps; else no wave ever turns around.",
        ),
        "times added": (
            edited(unet.time_embedding, "t[:, None] * frequencies", "t[:, None] + frequencies"),
            "You add the frequencies to the time. An angle is frequency times time.",
        ),
        "sign of the angle": (
            waves(lambda k, half, longest: -right_waves(k, half, longest)),
            "Your angles are negative: all sines have the wrong sign.",
        ),
        "angles themselves": (
            edited(unet.time_embedding, WAVES, "torch.cat([angles, angles], dim=1)"),
            "These are the angles. Take their sine and their cosine, so that all numbers stay in [-1, 1].",
        ),
        "the time of the first": (
            edited(unet.time_embedding, "t[:, None] * ", "t[:1].expand_as(t)[:, None] * "),
            "Every row holds the time of the first image.",
        ),
    },
    accepts=[
        waves(right_waves),
        edited(unet.time_embedding, FREQUENCIES,
               "torch.exp(-math.log(longest) * torch.arange(dim // 2, device=t.device) / (dim // 2 - 1))"),
        edited(unet.time_embedding, WAVES, "torch.hstack([angles.sin(), (angles + math.pi / 2).sin()])"),
    ],
    equivalents={
        "frequencies = torch.logspace(0, -1, dim // 2, base=longest)": "nothing changes on a CPU, where checks run",
    },
    tolerance=1e-3,
    hints=[
        "First dim / 2 frequencies, from 1 down to 1 / longest, in equal ratios: `torch.logspace` takes exponents and a base.",
        "Every time meets every frequency: t as a column, (N, 1), times the frequencies, (dim / 2,).",
        "Then `torch.cat` puts sines and cosines of these angles side by side, dim=1.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


def probe_block(answer, rng):
    n, time = rng.size(3, 4), rng.size(3, 5)
    values = {}
    for name, (a, b) in {"more channels": (8, 16), "as many channels": (16, 16)}.items():
        block = unwatched(answer(a, b, time))
        x, e = rng.normal(n, a, 4, rng.size(4, 5), leaf="x"), 3 * rng.normal(n, time, leaf="e")
        values[name] = block(x, e)
    return values


SHIFTED = "h = self.first(x) + self.shift(e)[:, :, None, None]"
ADDED = "return self.around(x) + self.second(h)"
block = unet.ResidualBlock


def changed_block(*changes):
    return edited(block, *changes)


exercise(
    target=block,
    title="Repair: a block that hears one time",
    probe=probe_block,
    blank=("forward",),
    repair="the time of the first image",
    mistakes={
        "the time of the first image": (
            changed_block(SHIFTED, SHIFTED.replace("[:, :,", "[:1, :,")),
            "All images are shifted by what the *first* image's time says. In training every image has a time of its own, so most hear a wrong "
            "one; the loss still falls, since most of what can be learned does not need the time.",
        ),
        "the time of the last image": (
            changed_block(SHIFTED, SHIFTED.replace("[:, :,", "[-1:, :,")),
            "All images are shifted by what the last image's time says. Each has a time of its own.",
        ),
        "one number for all channels": (
            changed_block(SHIFTED, SHIFTED.replace("[:, :,", "[:, :1,")),
            "All channels are shifted by the number of the first. Each has its own.",
        ),
        "the mean of all embeddings": (
            changed_block(SHIFTED, SHIFTED.replace("(e)", "(e.mean(0, keepdim=True))")),
            "You average the embeddings of the batch. Each image is shifted by its own time.",
        ),
        "the mean of all times": (
            changed_block(SHIFTED, SHIFTED.replace("[:, :, None, None]", ".mean(0)[:, None, None]")),
            "All images are shifted by the mean over the batch. Each has a time of its own: an image must not depend on its neighbours.",
        ),
        "the sum of all times": (
            changed_block(SHIFTED, SHIFTED.replace("[:, :, None, None]", ".sum(0)[:, None, None]")),
            "All images are shifted by the sum over the batch. Each has a time of its own.",
        ),
        "the time of a neighbour": (
            changed_block(SHIFTED, SHIFTED.replace("(e)", "(e.roll(1, 0))")),
            "Each image is shifted by what its neighbour's time says.",
        ),
        "the same shift for all channels": (
            changed_block(SHIFTED, SHIFTED.replace("(e)[:, :, None, None]", "(e).mean(1)[:, None, None, None]")),
            "You average the shift over the channels, so that all move alike, and the norm of `second` takes nearly all of that out. Each channel has a number "
            "of its own.",
        ),
        "deaf": (
            changed_block(SHIFTED, "h = self.first(x)"),
            "The time does not enter: e is not used.",
        ),
        "time multiplied": (
            changed_block(SHIFTED, SHIFTED.replace("+", "*")),
            "You multiply by what the time says. Each channel is *shifted* by it.",
        ),
        "time scales": (
            changed_block(SHIFTED, "h = self.first(x) * (1 + self.shift(e)[:, :, None, None])"),
            "You scale each channel by 1 + what the time says. Newer networks do that besides; here it is a shift alone.",
        ),
        "time subtracted": (
            changed_block(SHIFTED, SHIFTED.replace("+", "-")),
            "You subtract the shift. A network could learn that as well, but it is not what is asked for.",
        ),
        "time after the second": (
            changed_block(SHIFTED, "h = self.first(x)", ADDED, f"{ADDED} + self.shift(e)[:, :, None, None]"),
            "The time comes in after both convolutions, where it can only make whole channels lighter or darker. It belongs in between, so that "
            "`second` can react to it.",
        ),
        "shift added twice": (
            changed_block(SHIFTED, "h = self.first(x) + self.shift(e)[:, :, None, None]\n        h = h + self.shift(e)[:, :, None, None]"),
            "The shift is added twice.",
        ),
        "no SiLU on the time": (
            changed_block("self.shift(e)", "self.shift[1](e)"),
            "The embedding goes into the linear layer without its SiLU. Call `self.shift` as a whole.",
        ),
        "no way around": (
            changed_block(ADDED, "return self.second(h)"),
            "The way around is missing: the block starts with `second` at 0, and would pass nothing on.",
        ),
        "around from the middle": (
            changed_block(ADDED, "return h + self.second(h)"),
            "The way around starts in the middle, from h. It goes from the input x to the end.",
        ),
        "subtracted": (
            changed_block(ADDED, "return self.around(x) - self.second(h)"),
            "You subtract what the block has found. It is added to the way around.",
        ),
        "mean of both ways": (
            changed_block(ADDED, "return (self.around(x) + self.second(h)) / 2"),
            "You average the two ways. They are added, so that a fresh block leaves its input as it is.",
        ),
        "over √2": (
            changed_block(ADDED, "return (self.around(x) + self.second(h)) / 2**0.5"),
            "You divide the sum by √2. Some networks do; here the two ways are only added.",
        ),
        "the way around alone": (
            changed_block(ADDED, "return self.around(x) + 0 * self.second(h)"),
            "What the block has found is not added.",
        ),
        "second without the first": (
            changed_block(SHIFTED, "h = self.first(x) * 0 + self.shift(e)[:, :, None, None]"),
            "Only the shift reaches `second`. It is added to what `first` gives.",
        ),
        "SiLU at the end": (
            changed_block(ADDED, "return nn.functional.silu(self.around(x) + self.second(h))"),
            "You apply a SiLU to the sum. The way around must stay plain, so that many blocks in a row still let the input through.",
        ),
        "shift detached": (
            changed_block("self.shift(e)", "self.shift(e).detach()"),
            "The shift is detached: nobody could learn what a time means.",
        ),
    },
    accepts=[
        changed_block(SHIFTED, "s = self.shift(e)\n        h = self.first(x) + s.unsqueeze(-1).unsqueeze(-1)"),
        changed_block(SHIFTED, "around = self.around(x)\n        h = self.first(x)\n        h = (h.movedim(1, -1) + self.shift(e)[:, None, None]).movedim(-1, 1)",
                      ADDED, "return self.second(h) + around"),
    ],
    equivalents={},
    hints=[
        "Put two images with different times through it, and then each alone. What differs?",
        "`self.shift(e)` is (N, channels): a row for each image. Which rows survive the index?",
        "Two further axes of length 1 let it broadcast over height and width: nothing else has to be cut.",
    ],
    points=1,
    minutes=8,
)  # fmt: skip


def probe_attention(answer, rng):
    n, channels, height, width = rng.size(2, 3), 8 * rng.size(1, 2), rng.size(2, 3), rng.size(4, 5)
    layer = unwatched(answer(channels))
    x = rng.normal(n, channels, height, width, leaf="x")
    for part in layer.children():
        part(x.detach())  # settles the weights, in the order in which the layers were made
    with torch.no_grad():
        for part in list(layer.children())[1:3]:
            part.weight.mul_(2)  # so that some pixels match clearly better than others
    return {"pixels": layer(x), "one image alone": layer(rng.normal(1, channels, 2, 2))}


def changed_attention(*changes):
    return edited(unet.Attention, *changes)


SCORES = "(query.mT @ key / math.sqrt(x.shape[1])).softmax(2)"
MIXED = "(value @ weights.mT).view_as(x)"
RETURN = f"return x + self.out({MIXED})"
PARTS = """query, key, value = (
            layer(h).flatten(2) for layer in (self.query, self.key, self.value)
        )"""

exercise(
    target=unet.Attention,
    title="Every pixel looks at all pixels",
    probe=probe_attention,
    blank=("forward",),
    mistakes={
        "not divided by the root": (
            changed_attention(" / math.sqrt(x.shape[1])", ""),
            "The products are not divided by √channels. They grow with the number of channels, and the softmax would listen to one pixel alone.",
        ),
        "divided too late": (
            changed_attention(SCORES, "(query.mT @ key).softmax(2) / math.sqrt(x.shape[1])"),
            "You divide after the softmax, so the weights add up to 1 / √C. Divide the products, before it.",
        ),
        "torch's attention, axes exchanged": (
            changed_attention(SCORES, "None", MIXED, "nn.functional.scaled_dot_product_attention(query, key, value).reshape(x.shape)"),
            "`scaled_dot_product_attention` takes (N, pixels, channels), and you give it (N, channels, pixels): channels look at channels.",
        ),
        "divided by the channels": (
            changed_attention("math.sqrt(x.shape[1])", "x.shape[1]"),
            "You divide by the number of channels. A sum of so many random products is about as large as the *root* of their number.",
        ),
        "multiplied by the root": (
            changed_attention("/ math.sqrt", "* math.sqrt"),
            "You multiply by √channels. Divide, so that the products stay near 1.",
        ),
        "root of the pixels": (
            changed_attention("x.shape[1])", "query.shape[2])"),
            "You divide by the root of the number of pixels. A product adds up the *channels*.",
        ),
        "softmax over the wrong axis": (
            changed_attention(".softmax(2)", ".softmax(1)"),
            "Your softmax runs over the pixels that look. The weights of one looking pixel must add up to 1 over all pixels that it looks at.",
        ),
        "softmax over the batch": (
            changed_attention(".softmax(2)", ".softmax(0)"),
            "Your softmax runs over the batch, so that images look at each other. It runs over the pixels looked at.",
        ),
        "no softmax": (
            changed_attention(".softmax(2)", ""),
            "The softmax is missing: the weights must be positive and add up to 1 for each pixel.",
        ),
        "sigmoid": (
            changed_attention(".softmax(2)", ".sigmoid()"),
            "A sigmoid gives weights that do not add up to 1. A mean needs a softmax.",
        ),
        "weights transposed": (
            changed_attention("weights.mT", "weights"),
            "The weights are transposed: pixel i gets a mixture by how much *others* look at it. Row i of the weights belongs to the pixel that looks.",
        ),
        "query and key exchanged": (
            changed_attention("query.mT @ key", "key.mT @ query"),
            "Query and key have changed places: the first axis of the weights, the pixel that looks, is that of the query.",
        ),
        "queries match queries": (
            changed_attention("query.mT @ key", "query.mT @ query"),
            "You match queries with queries. What a pixel looks for is compared with what the others show: their keys.",
        ),
        "no values": (
            changed_attention(MIXED, "(h.flatten(2) @ weights.mT).view_as(x)"),
            "You mix the normed input itself. What is handed over is the value that each pixel makes of it.",
        ),
        "key for value": (
            changed_attention("(value @", "(key @"),
            "You mix the keys. Keys say how well pixels match; the values are what is handed over.",
        ),
        "channels look at channels": (
            changed_attention("query.mT @ key", "query @ key.mT", MIXED, "(weights @ value).view_as(x)"),
            "Your weights are (C, C): channels look at channels. Pixels should look at pixels, (HW, HW).",
        ),
        "reshaped, not transposed": (
            changed_attention(MIXED, "(weights @ value.mT).reshape(x.shape)"),
            "Your mixture is (N, HW, C), and `reshape` reads it as (N, C, H, W). That has as many numbers and scatters them: transpose first.",
        ),
        "tokens by reshape": (
            changed_attention("layer(h).flatten(2)", "layer(h).reshape(len(x), -1, x.shape[1]).mT"),
            "You reshape (N, C, H, W) to (N, HW, C). That has as many numbers, but a row is then no pixel: flatten the pixels and transpose.",
        ),
        "no way around": (
            changed_attention("return x + ", "return "),
            "The input is not added. The layer starts with `out` at 0, and would pass nothing on.",
        ),
        "normed input added": (
            changed_attention("return x + ", "return h + "),
            "You add the normed input. The way around carries x itself.",
        ),
        "not normed": (
            changed_attention("h = self.norm(x)", "h = x"),
            "The norm is missing: query, key and value are made of what it gives.",
        ),
        "values not normed": (
            changed_attention(MIXED, "(self.value(x).flatten(2) @ weights.mT).view_as(x)"),
            "The values are made of x itself. All three come from the normed input.",
        ),
        "no last convolution": (
            changed_attention(f"self.out({MIXED})", MIXED),
            "`out` is not used. It starts at 0, which is why a fresh layer changes nothing.",
        ),
        "all pixels alike": (
            changed_attention(SCORES, "torch.full_like(query.mT @ key, 1 / query.shape[2])"),
            "Every pixel gets the plain mean of all. The weights come from how well query and key match.",
        ),
        "weights detached": (
            changed_attention(".softmax(2)", ".softmax(2).detach()"),
            "The weights are detached: nobody could learn where to look.",
        ),
        "subtracted": (
            changed_attention("return x + ", "return x - "),
            "You subtract the mixture. It is added.",
        ),
    },
    accepts=[
        changed_attention(SCORES, "(torch.einsum('nci,ncj->nij', query, key) * x.shape[1] ** -0.5).softmax(dim=-1)",
                          MIXED, "torch.einsum('nij,ncj->nci', weights, value).reshape(x.shape)"),
        changed_attention(SCORES, "None", MIXED,
                          "nn.functional.scaled_dot_product_attention(query.mT, key.mT, value.mT).mT.reshape(x.shape)"),
    ],
    hints=[
        "Norm first. Each of `query`, `key` and `value` gives (N, C, H, W); `flatten(2)` makes it (N, C, HW): a column for each pixel.",
        "How well pixel i's query matches pixel j's key is a product over the channels: `query.mT @ key` is (N, HW, HW). Over √C, then a softmax "
        "along j.",
        "The new pixel i is the mean of all values, weighted by row i. Put it back into (N, C, H, W), through `out`, and add it to x.",
    ],
    points=3,
    minutes=20,
)  # fmt: skip


class Listener(nn.Module):
    """Stands for the network: writes down what it is shown and told, and answers with a number times that."""

    def __init__(self, gain, steps):
        super().__init__()
        self.gain, self.steps = gain.detach().requires_grad_(), steps
        self.seen = []

    def forward(self, x_t, t):
        self.seen.append((x_t.detach(), t))
        return self.gain * x_t + 0.1 * t.to(x_t).view(-1, *[1] * (x_t.ndim - 1)) / self.steps


def audited(answer, target, rng):
    """One loss of a model that the answer makes, beside that of the same images, times and noise."""
    n, channels, schedule = 3000, rng.size(1, 2), chain(rng)
    network = Listener(rng.uniform(1, low=0.3, high=0.7), schedule.steps)
    model = unwatched(answer(network, schedule, (channels, 2, 2), target))
    x, labels = rng.images(n, channels, 2), rng.integers(n, high=3)
    loss = model.loss((x, labels if target == "noise" else None))
    (x_t, t), index = network.seen[0], network.seen[0][1].long().clamp(0, schedule.steps)
    a_bar = schedule.alpha_bar.to(x_t)[index].view(-1, 1, 1, 1)
    noise = (x_t - a_bar.sqrt() * x) / (1 - a_bar).sqrt().clamp(min=1e-3)
    p, q = diffusion.target_weights(target, a_bar.sqrt(), (1 - a_bar).sqrt())
    wanted = F.mse_loss(network(x_t, t), p * x + q * noise)
    (slope,) = torch.autograd.grad(wanted, network.gain)
    (found,) = torch.autograd.grad(loss, network.gain, allow_unused=True) if loss.requires_grad else (None,)
    unit = rng.uniform(
        1, low=1.0, high=3.0
    )  # these ratios are 1; another unit for each draw, so that no fixed answer is
    return {
        "loss": unit * loss / wanted.detach(),
        "slope of the loss": unit * (0 * slope if found is None else found) / slope,
        "times": (t.to(x) / schedule.steps).expand(n),
        "noise": noise,
        "data": x,
    }


def probe_ddpm(answer, rng):
    values = {}
    for target in "noise", "velocity":
        values |= {f"{name}, {target}": value for name, value in audited(answer, target, rng).items()}
    return values


def judge_ddpm(raw):
    """Any draws will do: 3,000 images have times and noise whose means are right within five standard errors."""
    facts = {}
    for target in "noise", "velocity":
        t, noise, x = (raw[f"{name}, {target}"] for name in ("times", "noise", "data"))
        kinds, counts = t.unique(return_counts=True)
        fair = (counts / len(t) - 1 / len(kinds)).abs().max() < 0.04
        rows = noise.flatten(1)
        covariance = rows.T.cov()
        spreads = torch.stack([noise[t == kind].var() for kind in kinds[:10]])
        mixed = torch.stack([(noise * x)[t == kind].mean() for kind in kinds[:10]])
        facts |= {
            f"times: smallest, {target}": t.min(),
            f"times: largest, {target}": t.max(),
            f"times: how many, {target}": len(kinds),
            f"times: all as often, {target}": fair,
            f"noise: mean 0, {target}": rows.mean(0).abs().max() < 0.1,
            f"noise: independent pixels, {target}": (covariance - covariance.diag().diag()).abs().max()
            < 0.12,
            f"noise: its own for each image, {target}": rows.std(0).min() > 0.01,
            f"noise: variance 1 at every time, {target}": (spreads - 1).abs().max() < 0.2,
            f"noise: knows nothing of the data, {target}": mixed.abs().max() < 0.1,
        }
        facts |= {f"{name}, {target}": raw[f"{name}, {target}"] for name in ("loss", "slope of the loss")}
    return facts


algorithm_1 = ddpm.DDPM
TIMES = "torch.randint(1, self.schedule.steps + 1, (len(x),), device=x.device)"
NOISE = "torch.randn_like(x)"
NOISY = "q_sample(x, t, noise, self.schedule.alpha_bar)"
ASKED = "p, q = target_weights(self.target, *self.rates(t, x))"
TOLD = "self.network(x_t, t), p"
ERROR = "return F.mse_loss(self.network(x_t, t), p * x + q * noise)"


def changed_ddpm(*changes):
    return edited(algorithm_1, *changes)


exercise(
    target=algorithm_1,
    title="Algorithm 1",
    probe=probe_ddpm,
    judge=judge_ddpm,
    blank=("loss",),
    mistakes={
        "times from 0": (
            changed_ddpm(TIMES, TIMES.replace("randint(1, self.schedule.steps + 1", "randint(0, self.schedule.steps")),
            "Your times go from 0 to T − 1. At t = 0 there is no noise to be found, and the last step never comes up. Times go from 1 to T.",
        ),
        "times from 0 to T": (
            changed_ddpm(TIMES, TIMES.replace("randint(1", "randint(0")),
            "t = 0 comes up as well. That is data as it is, with no noise in it to be found: times go from 1 to T.",
        ),
        "last time missing": (
            changed_ddpm(TIMES, TIMES.replace("steps + 1", "steps")),
            "T never comes up, and that is where drawing begins. `randint` leaves its upper end out.",
        ),
        "one time for the batch": (
            changed_ddpm(TIMES, TIMES.replace("(len(x),), device=x.device)", "(1,), device=x.device).expand(len(x))")),
            "All images of the batch are at the same time. It is right on average, and the loss jumps far more: give each image a time of its own.",
        ),
        "uniform noise": (
            changed_ddpm(NOISE, "torch.rand_like(x)"),
            "Your noise is uniform in [0, 1): `rand` for `randn`. It has mean 1/2 and other tails, and drawing starts from N(0, I).",
        ),
        "uniform noise around 0": (
            changed_ddpm(NOISE, "(torch.rand_like(x) * 2 - 1)"),
            "Your noise has mean 0, but its variance is not 1 (uniform in [−1, 1] it is 1/3). It has to be drawn from N(0, 1): `randn`.",
        ),
        "one noise for the batch": (
            changed_ddpm(NOISE, "torch.randn_like(x[:1]).expand_as(x)"),
            "All images get the same noise. Each one needs a draw of its own.",
        ),
        "one number for the image": (
            changed_ddpm(NOISE, "torch.randn_like(x[:, :1, :1, :1]).expand_as(x)"),
            "Every pixel of an image gets the same noise. Draw as many numbers as there are pixels.",
        ),
        "noise drawn twice": (
            changed_ddpm("q * noise)", "q * torch.randn_like(x))"),
            "You compare with *another* draw of noise than the one in the image. Nobody could predict that.",
        ),
        "summed": (
            changed_ddpm(ERROR, ERROR.replace("q * noise)", "q * noise, reduction='sum')")),
            "You add up all pixels of all images. Average over both.",
        ),
        "summed over pixels": (
            changed_ddpm(ERROR, "return (self.network(x_t, t) - p * x - q * noise).square().flatten(1).sum(1).mean()"),
            "You add up the pixels. Here the loss is a mean over pixels as well.",
        ),
        "half": (
            changed_ddpm(ERROR, ERROR.replace("return ", "return 0.5 * ")),
            "You take half of the squared error. It is a plain mean of squares.",
        ),
        "root": (
            changed_ddpm(ERROR, ERROR + ".sqrt()"),
            "You take the root of the mean square. It is left out: squares of all images add up evenly.",
        ),
        "absolute error": (
            changed_ddpm(ERROR, ERROR.replace("mse_loss", "l1_loss")),
            "You take absolute errors. The KL of two Gaussians is a *squared* distance, and only its best answer is the mean.",
        ),
        "always the noise": (
            changed_ddpm("p * x + q * noise", "0 * p * x + noise"),
            "You compare with the noise whatever the target. `self.target` says what the network is asked for: p · data + q · noise.",
        ),
        "always the data": (
            changed_ddpm("p * x + q * noise", "x"),
            "You compare with the data. `self.target` says what the network is asked for: p · data + q · noise.",
        ),
        "noise added minus data": (
            changed_ddpm("p * x + q * noise", "x_t - x"),
            "You compare with x_t − x, all that has changed. The network is asked for p · data + q · noise.",
        ),
        "p and q exchanged": (
            changed_ddpm("p, q =", "q, p ="),
            "p and q have changed places: p belongs to the data, q to the noise.",
        ),
        "α for ᾱ": (
            changed_ddpm(NOISY, NOISY.replace("alpha_bar", "alpha")),
            "You jump with α_t, one step's share. After t steps the product of all of them is left: ᾱ_t.",
        ),
        "β for ᾱ": (
            changed_ddpm(NOISY, NOISY.replace("alpha_bar", "beta")),
            "You jump with the table of β. What is left of the data after t steps is ᾱ_t.",
        ),
        "tables one too early": (
            changed_ddpm(NOISY, NOISY.replace("x, t,", "x, t - 1,")),
            "The image has had t − 1 steps, and the network is told t. The tables are indexed by t itself.",
        ),
        "roots forgotten": (
            changed_ddpm(NOISY, "at(self.schedule.alpha_bar, t, x) * x + at(1 - self.schedule.alpha_bar, t, x) * noise"),
            "You multiply by the variances ᾱ_t and 1 − ᾱ_t. Data and noise are multiplied by their roots: `q_sample` does it.",
        ),
        "noise added whole": (
            changed_ddpm(NOISY, "x + noise"),
            "You add the noise as it is, so every image has the same amount, whatever its time. Jump to time t: `q_sample`.",
        ),
        "rates exchanged": (
            changed_ddpm(NOISY, "(lambda a, s: s * x + a * noise)(*self.rates(t, x))"),
            "Data and noise have each other's rates: at small t your image is nearly all noise.",
        ),
        "weighted by the signal": (
            changed_ddpm(ERROR, "return (self.rates(t, x)[0].square() * (self.network(x_t, t) - p * x - q * noise).square()).mean()"),
            "You weight the error by ᾱ_t. In the simple loss all times count the same.",
        ),
        "the data compared": (
            changed_ddpm(ERROR, "x0 = (q * x_t - self.rates(t, x)[1] * self.network(x_t, t)) / (self.rates(t, x)[0] * q - self.rates(t, x)[1] * p)\n"
                                "        return F.mse_loss(x0, x)"),
            "You compare the data that the answer implies. That weights the times, and heavily: compare the answer itself with what was asked for.",
        ),
        "noise compared, whatever is asked for": (
            changed_ddpm(ERROR, "return F.mse_loss(self.predict(x_t, t), noise)"),
            "You take the noise out of the network's answer first (`predict`), and compare that. For the target noise it is the same; for "
            "others it weights the times, and heavily. Compare what the network gives with what it was asked for.",
        ),
        "told the time before": (
            changed_ddpm(TOLD, "self.network(x_t, t - 1), p"),
            "The network is told t − 1, but the image is at t.",
        ),
        "told a share of T": (
            changed_ddpm(TOLD, "self.network(x_t, t / self.schedule.steps), p"),
            "The network is told t / T. It expects steps: its waves are made for whole numbers up to T.",
        ),
        "told the time of another": (
            changed_ddpm(TOLD, "self.network(x_t, t.roll(1)), p"),
            "Each image comes with the time of its neighbour.",
        ),
        "shown the data": (
            changed_ddpm(TOLD, "self.network(x, t), p"),
            "The network is shown the data. It must see x_t: the noise is only in there.",
        ),
        "shown the noise": (
            changed_ddpm(TOLD, "self.network(noise, t), p"),
            "The network is shown the noise that it is asked for.",
        ),
        "answer detached": (
            changed_ddpm(TOLD, "self.network(x_t, t).detach(), p"),
            "What the network gives is detached: no gradient reaches it, and it cannot learn.",
        ),
        "weighted by the noise": (
            changed_ddpm(ERROR, "return (self.rates(t, x)[1].square() * (self.network(x_t, t) - p * x - q * noise).square()).mean()"),
            "You weight the error by 1 − ᾱ_t. In the simple loss all times count the same.",
        ),
    },
    accepts=[
        changed_ddpm(f"t = {TIMES}\n        noise = {NOISE}",
                     "noise = torch.randn(x.shape, device=x.device)\n        t = 1 + torch.randint(self.schedule.steps, (len(x),), device=x.device)"),
        changed_ddpm(NOISY, "(lambda a, s: a * x + s * noise)(*self.rates(t, x))",
                     ERROR, "return (p * x + q * noise - self.network(x_t, t)).pow(2).mean()"),
        changed_ddpm(ERROR, "return (self.network(x_t, t) - p * x - q * noise).square().flatten(1).mean(1).mean()"),
    ],
    equivalents={
        "t = torch.randint(1, self.schedule.steps + 1, (len(x),))": "nothing changes on a CPU, where checks run",
        "return F.mse_loss(p * x + q * noise, self.network(x_t, t))": "a squared error is the same both ways",
    },
    tolerance=0.03,
    hints=[
        "Draw a time for each image, from 1 to T, and noise like x. `q_sample` makes x_t of them.",
        "`self.rates(t, x)` gives α and σ, and `target_weights` what the network is asked for: p and q.",
        "Then the mean squared difference of `self.network(x_t, t)` and p · x + q · noise.",
    ],
    points=2,
    minutes=15,
)  # fmt: skip


def probe_update_average(answer, rng):
    inner = rng.size(3, 5)

    def network():
        model = nn.Sequential(nn.Linear(2, inner), nn.BatchNorm1d(inner), nn.Linear(inner, 1)).to(rng.device)
        with torch.no_grad():
            for tensor in (*model.parameters(), *model.buffers()):
                tensor.copy_(rng.normal(*tensor.shape) if tensor.is_floating_point() else rng.size(1, 99))
        return model

    averaged, model = network().requires_grad_(False), network()
    values = {}
    for turn, decay in enumerate((rng.uniform(1, low=0.6, high=0.95).item(), 0.0, 0.3)):
        answer(averaged, model, decay)
        for name, one in ("averaged", averaged), ("model", model):
            values |= {
                f"{name} {k}, update {turn + 1}": v.detach().clone() for k, v in one.named_parameters()
            }
            values |= {f"{name} {k}, update {turn + 1}": v.clone() for k, v in one.named_buffers()}
        model = network()  # another model: what training makes of it between two updates
    return values


AVERAGE = "average.lerp_(weight, 1 - decay)"
BUFFER = "copied.copy_(buffer)"


def changed_average(*changes):
    return edited(train.update_average, *changes)


exercise(
    target=train.update_average,
    title="Repair: an average that stands still",
    probe=probe_update_average,
    repair="never moves",
    mistakes={
        "never moves": (
            changed_average(AVERAGE, "average.lerp(weight, 1 - decay)"),
            "The averaged weights stay what they were. `lerp` makes a new tensor, which is thrown away here: as in all of torch, the name that "
            "changes a tensor in place ends in an underscore. (`average = …` would only give the new tensor the old one's name.)",
        ),
        "shares exchanged": (
            changed_average(AVERAGE, "average.lerp_(weight, decay)"),
            "The model's weights get the share `decay`, and nearly nothing is left of the past. `decay` is the share that the average *keeps*.",
        ),
        "copied": (
            changed_average(AVERAGE, "average.copy_(weight)"),
            "The weights are copied, so the average is the model of this step. It should keep the share `decay` of what it was.",
        ),
        "the model moves": (
            changed_average(AVERAGE, "weight.lerp_(average, decay)"),
            "You move the *model's* weights, and that would undo its training. Only the average moves.",
        ),
        "the model moves a little": (
            changed_average(AVERAGE, "weight.lerp_(average, 1 - decay)"),
            "You move the *model's* weights towards the average. Only the average moves.",
        ),
        "both move": (
            changed_average(AVERAGE, "average.copy_(weight.lerp_(average, decay))"),
            "You move the model's weights as well. The average looks at the training and must not touch it.",
        ),
        "a sum": (
            changed_average(AVERAGE, "average.mul_(decay).add_(weight)"),
            "The new weights come in whole: after many steps the average is 1 / (1 − decay) times too large. Their share is 1 − decay.",
        ),
        "nothing is given up": (
            changed_average(AVERAGE, "average.add_(weight, alpha=1 - decay)"),
            "The average keeps all that it was, so it grows without end. It keeps the share `decay`.",
        ),
        "only shrinks": (
            changed_average(AVERAGE, "average.mul_(decay)"),
            "The average keeps the share `decay` and gets nothing: it shrinks to 0.",
        ),
        "away from the model": (
            changed_average(AVERAGE, "average.add_(average - weight, alpha=1 - decay)"),
            "The average moves *away* from the model: the difference has the wrong sign.",
        ),
        "plain mean": (
            changed_average(AVERAGE, "average.lerp_(weight, 0.5)"),
            "You take the mean of both. The share that is kept is `decay`.",
        ),
        "decay squared": (
            changed_average(AVERAGE, "average.lerp_(weight, 1 - decay**2)"),
            "The average keeps decay². Is it moved twice?",
        ),
        "buffers forgotten": (
            changed_average(BUFFER, "copied"),
            "The buffers are not copied. What a batch norm knows of its inputs stays as it was at the start.",
        ),
        "buffers and weights stand still": (
            changed_average(AVERAGE, "average.lerp(weight, 1 - decay)", BUFFER, "copied"),
            "Neither weights nor buffers move. Change the tensors in place: such names end in an underscore.",
        ),
        "buffers averaged": (
            changed_average(BUFFER, "copied.copy_(torch.lerp(copied.double(), buffer.double(), 1 - decay))"),
            "You average the buffers. They are copied: some are counts, which have no mean.",
        ),
        "buffers the other way": (
            changed_average(BUFFER, "buffer.copy_(copied)"),
            "You copy the average's buffers into the model.",
        ),
        "first tensor alone": (
            changed_average("averaged.parameters(), model.parameters(), strict=True", "[next(averaged.parameters())], model.parameters()"),
            "Only the first weights move. There are more.",
        ),
        "biases left out": (
            changed_average(AVERAGE, f"if weight.ndim > 1:\n            {AVERAGE}"),
            "Only the matrices move. Biases, and the weights of norms, are parameters too.",
        ),
    },
    accepts=[
        changed_average(AVERAGE, "average.mul_(decay).add_(weight, alpha=1 - decay)"),
        changed_average(AVERAGE, "average.copy_(decay * average + (1 - decay) * weight)"),
        changed_average(AVERAGE, "average.data = average.data * decay + weight.data * (1 - decay)"),
        changed_average(AVERAGE, "average += (1 - decay) * (weight - average)"),
    ],
    equivalents={
        f"for {one}, {other} in zip(averaged.{kind}(), model.{kind}(){strict}):": "the two models are always of one make"
        for one, other, kind in (("average", "weight", "parameters"), ("copied", "buffer", "buffers"))
        for strict in ("", ", strict=False")
    },
    hints=[
        "Look at one weight of the average before and after. What does `lerp` return, and where does it go?",
        "Torch has two of many methods: one gives a new tensor, the other changes the tensor itself.",
    ],
    points=1,
    minutes=8,
)  # fmt: skip
