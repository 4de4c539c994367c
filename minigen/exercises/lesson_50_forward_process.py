"""The exercises of lesson 50: data turns into noise, in small steps and in one jump."""

import math

import torch

from minigen import diffusion
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.data import GaussianMixture

exercise = lesson("50_forward_process")


def probe_forward_step(answer, rng):
    n, size = rng.size(3, 6), rng.size(4, 6)
    shape = (n, 1, size, size)
    return {
        "after the step": answer(
            rng.normal(*shape, leaf=True), rng.normal(*shape), 0.08 + 0.09 * rng.size(0, 9)
        ),
        "points": answer(rng.normal(n, 2), rng.normal(n, 2), torch.tensor(0.05 * rng.size(1, 9))),
        "in float64": answer(
            rng.normal(n, 3, dtype=torch.float64),
            rng.normal(n, 3, dtype=torch.float64),
            0.03 * rng.size(1, 30),
        ),
    }


def step_with(of_x, of_noise):
    """A step whose two factors are other functions of β."""

    def wrong(x, noise, beta):
        beta = torch.as_tensor(beta).to(x)
        return of_x(beta) * x + of_noise(beta) * noise

    return wrong


def root(b):
    return b**0.5


exercise(
    target=diffusion.forward_step,
    title="One small step towards noise",
    probe=probe_forward_step,
    mistakes={
        "nothing taken away": (
            step_with(lambda b: 1, root),
            "You add noise and take nothing away, so the variance grows with each step. Data of variance 1 should keep it: first make x a "
            "little smaller.",
        ),
        "variance taken for the spread": (
            step_with(lambda b: root(1 - b), lambda b: b),
            "You multiply the noise by β, so its variance is β². β is to be the variance: what do you multiply by?",
        ),
        "two things": (
            step_with(lambda b: 1, lambda b: b),
            "You multiply the noise by β, so that its variance is β², and you take nothing away from x. β is the *variance* of the noise, and x has "
            "to become smaller by as much.",
        ),
        "data shrunk too much": (
            step_with(lambda b: 1 - b, root),
            "You multiply x by 1 − β, so its variance is multiplied by (1 − β)². Variance is to be kept: 1 − β is what should be left of the "
            "*variance* of x.",
        ),
        "no root at all": (
            step_with(lambda b: 1 - b, lambda b: b),
            "Your two factors add up to 1, as in a mean. It is the *variances* that should add up to 1, and these are the squares of the factors.",
        ),
        "1 minus the root": (
            step_with(lambda b: 1 - root(b), root),
            "You multiply x by 1 − √β. The root comes last: the squares of both factors should add up to 1.",
        ),
        "β taken for the spread throughout": (
            step_with(lambda b: root(1 - b * b), lambda b: b),
            "This keeps the variance, but it takes β for the standard deviation of the noise. It is the variance.",
        ),
        "factors exchanged": (
            step_with(root, lambda b: root(1 - b)),
            "The two factors have changed places: for a small β, your step throws nearly all of x away.",
        ),
        "noise subtracted": (
            step_with(lambda b: root(1 - b), lambda b: -root(b)),
            "You subtract the noise. Its density is the same both ways, but in lesson 51 a network is asked for exactly the noise that was *added*.",
        ),
        "no noise": (
            step_with(lambda b: root(1 - b), lambda b: 0),
            "Your x becomes smaller, and no noise is added.",
        ),
        "grown": (
            step_with(lambda b: root(1 + b), root),
            "You make x larger. Noise adds variance, so x has to give some away.",
        ),
        "divided": (
            step_with(lambda b: 1 / root(1 - b), root),
            "You divide x by √(1 − β), so it grows. That belongs to the way back; here x has to shrink.",
        ),
        "added, then divided": (
            step_with(lambda b: 1 / root(1 + b), lambda b: root(b) / root(1 + b)),
            "You add noise of variance β and then make the sum smaller, so that the variance is kept. A good step too; but then the noise in the "
            "result has less variance than β.",
        ),
        "noise shrunk as well": (
            step_with(lambda b: root(1 - b), lambda b: root(b) * root(1 - b)),
            "You add the noise first and make the sum smaller, so the noise has less variance than β. Only x is to shrink.",
        ),
        "exponential": (
            step_with(lambda b: torch.exp(-b / 2), root),
            "exp(−β/2) is what √(1 − β) is for a very small β, or in continuous time. For a larger β the variance is not kept.",
        ),
        "both shrunk": (
            step_with(lambda b: root(1 - b), lambda b: root(1 - b)),
            "You add noise of full size and make everything smaller. The noise should have the variance β, which is small.",
        ),
        "limited to [−1, 1]": (
            lambda x, noise, beta: diffusion.forward_step(x, noise, beta).clamp(-1, 1),
            "You limit the result to [−1, 1]. Noisy numbers may lie beyond black and white, and with the limit they are Gaussian no longer.",
        ),
    },
    accepts=[
        lambda x, noise, beta: (1 - beta) ** 0.5 * x + beta**0.5 * noise,
        lambda x, noise, beta: math.sqrt(1 - beta) * x + math.sqrt(beta) * noise,
        lambda x, noise, beta: torch.distributions.Normal(math.sqrt(1 - beta) * x, beta**0.5).mean + noise * beta**0.5,
    ],
    equivalents={
        "beta = torch.as_tensor(beta)": "torch mixes a single number into any precision by itself",
    },
    hints=[
        "To multiply numbers by c multiplies their variance by c². And variances of independent numbers add up.",
        "So the noise is multiplied by the number whose square is β, and x by the one whose square is what remains to 1.",
    ],
    points=1,
    minutes=7,
)  # fmt: skip


def probe_alpha_bars(answer, rng):
    steps = rng.size(4, 9)
    return {
        "what is left": answer(rng.uniform(steps, low=0.05, high=0.6, dtype=torch.float64)),
        "in float32": answer(rng.uniform(steps + 2, low=0.05, high=0.6)),
    }


def after_one(left):
    """A wrong table with the right beginning: 1, and then left(betas)."""
    return lambda betas: torch.cat([betas.new_ones(1), left(betas)])


exercise(
    target=diffusion.alpha_bars,
    title="What is left after t steps?",
    probe=probe_alpha_bars,
    mistakes={
        "begins with the first step": (
            lambda betas: (1 - betas).cumprod(0),
            "Your table begins after the first step, so everything stands one place too early. ᾱ_0 = 1 is to be its first entry: T + 1 numbers.",
        ),
        "begins with 1, ends too early": (
            lambda betas: torch.cat([betas.new_ones(1), (1 - betas).cumprod(0)[:-1]]),
            "Your table begins rightly and ends one step too early: ᾱ_T is missing. There are T + 1 entries.",
        ),
        "the 1 at the end": (
            lambda betas: torch.cat([(1 - betas).cumprod(0), betas.new_ones(1)]),
            "The 1 stands at the end. It belongs to t = 0, so it comes first.",
        ),
        "to the power of t": (
            after_one(lambda b: (1 - b) ** torch.arange(1, len(b) + 1)),
            "That is as if all t steps were like step t. Each has a β of its own.",
        ),
        "begins with 0": (
            lambda betas: torch.cat([betas.new_zeros(1), (1 - betas).cumprod(0)]),
            "Your table begins with 0. After no step nothing is lost: ᾱ_0 = 1.",
        ),
        "added up": (
            after_one(lambda betas: 1 - betas.cumsum(0)),
            "You add up what each step takes away. A step takes a share of what is *still there*, so what is left is multiplied, and is never "
            "below 0.",
        ),
        "product of the betas": (
            after_one(lambda betas: betas.cumprod(0)),
            "You multiply the β_t. Each is what a step takes away; multiply what it leaves.",
        ),
        "what is gone": (
            lambda betas: 1 - diffusion.alpha_bars(betas),
            "This is 1 − ᾱ_t, the variance of the noise.",
        ),
        "not multiplied": (
            after_one(lambda betas: 1 - betas),
            "These are the α_t, what each step leaves by itself. ᾱ_t is what is left after *all* steps from 1 to t.",
        ),
        "roots": (
            lambda betas: diffusion.alpha_bars(betas).sqrt(),
            "These are the factors of x, √ᾱ_t. ᾱ_t itself is the share of the variance.",
        ),
        "squares": (
            lambda betas: diffusion.alpha_bars(betas).square(),
            "These are the squares of what is wanted: 1 − β_t is already a share of the variance, so do not square it.",
        ),
        "exponential": (
            lambda betas: torch.cat([betas.new_zeros(1), betas]).cumsum(0).neg().exp(),
            "You take exp of minus the sum of the β_t. That is near the product when all β_t are small. Here it is wanted exactly.",
        ),
        "sum of the betas": (
            lambda betas: torch.cat([betas.new_zeros(1), betas]).cumsum(0),
            "You add up the β_t. Each is a share of what is still there, so shares that are *left*, 1 − β_t, are multiplied.",
        ),
        "sum of what is left": (
            after_one(lambda betas: (1 - betas).cumsum(0)),
            "You add up the shares that are left. A share of a share is a product.",
        ),
        "1 minus the product of the betas": (
            after_one(lambda betas: 1 - betas.cumprod(0)),
            "You multiply the β_t and take that from 1. Take each of them from 1 first, and multiply what is left.",
        ),
        "β squared": (
            after_one(lambda betas: (1 - betas**2).cumprod(0)),
            "You take β_t for a standard deviation, and square it. It is the variance already.",
        ),
        "from the end": (
            lambda betas: torch.cat([betas.new_ones(1), (1 - betas).flip(0).cumprod(0)]),
            "You multiply from the last step backwards. Data goes through the first step first.",
        ),
        "backwards": (
            lambda betas: diffusion.alpha_bars(betas).flip(0),
            "Your table stands upside down: it should begin with 1 and fall.",
        ),
    },
    accepts=[
        lambda betas: torch.cumprod(torch.nn.functional.pad(1 - betas, (1, 0), value=1.0), dim=0),
        lambda betas: torch.cat([betas.new_zeros(1), torch.log1p(-betas).cumsum(0)]).exp(),
        lambda betas: torch.stack([(1 - betas[:t]).prod() for t in range(len(betas) + 1)]),
    ],
    equivalents={
        "return torch.cat([betas.new_ones(1), (1 - betas).cumprod(-1)])": "it has one axis: the first is the last",
    },
    hints=[
        "A step leaves the share 1 − β of the variance of what it is given. What do two steps leave of it?",
        "`cumprod(0)` gives all the products. Which entry is missing at the beginning? `torch.cat` puts it there.",
    ],
    points=1,
    minutes=7,
)  # fmt: skip


def table(rng, steps):
    """ᾱ_0 … ᾱ_T as the chain has it: in float64 and on the CPU, wherever the images are."""
    betas = 0.05 + 0.3 * torch.rand(steps, generator=rng.generator(), dtype=torch.float64)
    return torch.cat([torch.ones(1, dtype=torch.float64), (1 - betas).cumprod(0)])


def probe_q_sample(answer, rng):
    n, size, steps = rng.size(4, 7), rng.size(3, 5), rng.size(6, 9)
    shape, a_bar = (n, 2, size, size), table(rng, steps)
    t = rng.integers(n, low=1, high=steps + 1)
    return {
        "each at its own time": answer(rng.normal(*shape, leaf="x"), t, rng.normal(*shape), a_bar),
        "all at one time": answer(rng.normal(*shape), rng.size(2, 4), rng.normal(*shape), a_bar),
        "points": answer(rng.normal(n, 2), t, rng.normal(n, 2), a_bar),
        "at the last time, float64": answer(
            rng.normal(n, 2, dtype=torch.float64), steps, rng.normal(n, 2, dtype=torch.float64), a_bar
        ),
        "at time 0": answer(rng.normal(n, 2), 0, rng.normal(n, 2), a_bar),
    }


def jump_with(of_x, of_noise, turned=lambda t: t):
    """A jump whose two factors are other functions of ᾱ, read at another time."""

    def wrong(x, t, noise, alpha_bar):
        return (
            diffusion.at(of_x(alpha_bar), turned(t), x) * x
            + diffusion.at(of_noise(alpha_bar), turned(t), x) * noise
        )

    return wrong


def rest(a):
    return (1 - a).sqrt()


exercise(
    target=diffusion.q_sample,
    title="Repair: one jump, to the wrong time",
    probe=probe_q_sample,
    repair="read at t − 1",
    mistakes={
        "read at t − 1": (
            edited(
                diffusion.q_sample,
                "alpha_bar.sqrt(), t,", "alpha_bar.sqrt(), t - 1,",
                "(1 - alpha_bar).sqrt(), t,", "(1 - alpha_bar).sqrt(), t - 1,",
            ),
            "The table is read at t − 1, as if it began with ᾱ_1. It begins with ᾱ_0, so every image gets the noise of the step before, and at "
            "t = 0 the index −1 gives the last entry: pure noise.",
        ),
        "read at t − 1, but not below 0": (
            jump_with(torch.sqrt, rest, lambda t: torch.as_tensor(t).sub(1).clamp(min=0)),
            "t = 0 is right now, and all other times are still those of the step before: the paper's t is itself the index.",
        ),
        "read at t − 1 for the noise alone": (
            lambda x, t, noise, alpha_bar: diffusion.at(alpha_bar.sqrt(), t, x) * x
            + diffusion.at(rest(alpha_bar), torch.as_tensor(t) - 1, x) * noise,
            "You read the right entry for x, and still the one before it for the noise. Both belong to the same t.",
        ),
        "read at t − 1 for the data alone": (
            lambda x, t, noise, alpha_bar: diffusion.at(alpha_bar.sqrt(), torch.as_tensor(t) - 1, x) * x
            + diffusion.at(rest(alpha_bar), t, x) * noise,
            "You read the right entry for the noise, and still the one before it for x. Both belong to the same t.",
        ),
        "read at t + 1": (
            lambda x, t, noise, alpha_bar: diffusion.q_sample(
                x, (torch.as_tensor(t) + 1).clamp(max=len(alpha_bar) - 1), noise, alpha_bar
            ),
            "You read the table one place too far. The paper's t is itself the index: entry 0 is ᾱ_0 = 1.",
        ),
        "no roots": (
            jump_with(lambda a: a, lambda a: 1 - a),
            "You multiply by ᾱ_t and 1 − ᾱ_t. These are the *variances* of the two parts, so multiply by their roots.",
        ),
        "no root at the data": (
            edited(diffusion.q_sample, "at(alpha_bar.sqrt()", "at(alpha_bar"),
            "You multiply x by ᾱ_t. That is what is left of its variance, so x itself is multiplied by the root.",
        ),
        "no root at the noise": (
            edited(diffusion.q_sample, "(1 - alpha_bar).sqrt()", "1 - alpha_bar"),
            "You multiply the noise by 1 − ᾱ_t. That is to be its variance, so the noise itself is multiplied by the root.",
        ),
        "1 minus the root": (
            jump_with(torch.sqrt, lambda a: 1 - a.sqrt()),
            "You multiply the noise by 1 − √ᾱ_t. The variances add up to 1, not the factors: the root comes last.",
        ),
        "factors exchanged": (
            jump_with(rest, torch.sqrt),
            "The two factors have changed places: at t = 0 your x is pure noise, and at t = T it is data.",
        ),
        "noise subtracted": (
            lambda x, t, noise, alpha_bar: diffusion.q_sample(x, t, -noise, alpha_bar),
            "You subtract the noise. Its density is the same both ways, but a network will be asked for the noise that was *added*.",
        ),
        "data not shrunk": (
            jump_with(torch.ones_like, rest),
            "You add noise to x as it is. The chain has also made x smaller at each step, by √ᾱ_t in all.",
        ),
        "noise of full size": (
            jump_with(torch.sqrt, torch.ones_like),
            "You add noise of variance 1, at every time. After t steps it has the variance 1 − ᾱ_t.",
        ),
        "one time for all": (
            lambda x, t, noise, alpha_bar: diffusion.q_sample(
                x, t if isinstance(t, int) else t[:1], noise, alpha_bar
            ),
            "The whole batch gets the first image's time. Each image may have a time of its own.",
        ),
        "no entry for t = 0": (
            jump_with(lambda a: a[1:].sqrt(), lambda a: rest(a[1:]), lambda t: torch.as_tensor(t) - 1),
            "You cut the first entry off and read at t − 1. That is right from t = 1 on; at t = 0, it reads the last entry: pure noise. The table "
            "has an entry for every t from 0 on, so read it at t.",
        ),
        "from the end": (
            lambda x, t, noise, alpha_bar: diffusion.q_sample(x, t, noise, alpha_bar.flip(0)),
            "Your time runs backwards: at t = 0 there is most noise. t = 0 is data.",
        ),
        "root of 1 minus the root": (
            jump_with(torch.sqrt, lambda a: rest(a.sqrt())),
            "Your noise has the variance 1 − √ᾱ_t. It is 1 − ᾱ_t: the table has variances, not factors.",
        ),
        "ᾱ squared in the noise": (
            jump_with(torch.sqrt, lambda a: rest(a**2)),
            "Your noise has the variance 1 − ᾱ_t². ᾱ_t is a variance already, so it is not squared.",
        ),
        "noise shrunk as well": (
            jump_with(torch.sqrt, lambda a: rest(a) * a.sqrt()),
            "You multiply the sum of both by √ᾱ_t. Only x is to shrink.",
        ),
        "limited to [−1, 1]": (
            lambda x, t, noise, alpha_bar: diffusion.q_sample(x, t, noise, alpha_bar).clamp(-1, 1),
            "You limit the result to [−1, 1]. Noisy numbers may lie beyond black and white, and with the limit they are Gaussian no longer.",
        ),
        "the last step alone": (
            lambda x, t, noise, alpha_bar: jump_with(torch.sqrt, rest)(
                x, t, noise, torch.cat([alpha_bar[:1], alpha_bar[1:] / alpha_bar[:-1]])
            ),
            "You use α_t, that of step t alone. After t steps it is the product of all of them, ᾱ_t.",
        ),
        "product of the table": (
            lambda x, t, noise, alpha_bar: diffusion.q_sample(x, t, noise, alpha_bar.cumprod(0)),
            "You multiply the table up once more. Its entries are already the products ᾱ_t.",
        ),
    },
    accepts=[
        lambda x, t, noise, alpha_bar: diffusion.at(alpha_bar, t, x).sqrt() * x
        + (1 - diffusion.at(alpha_bar, t, x)).sqrt() * noise,
        lambda x, t, noise, alpha_bar: (
            (a := alpha_bar.to(x)[t].reshape([-1] + [1] * (x.ndim - 1))) ** 0.5 * x + (1 - a) ** 0.5 * noise
        ),
        lambda x, t, noise, alpha_bar: noise
        * diffusion.at(torch.sqrt(1 - alpha_bar), t, x)
        + x * diffusion.at(torch.sqrt(alpha_bar), t, x),
    ],
    hints=[
        "The roots and the variances are right. What does it give at t = 0, where nothing should have happened yet?",
        "Print the table: which entry is that of t = 0, and which is read?",
    ],
    points=2,
    minutes=8,
)  # fmt: skip


def chain_of_a_hundred() -> str:
    """Somebody wants to save time: T = 100 steps instead of 1,000, and leaves β_1 = 0.0001 and β_T = 0.02 as they were,
    with even steps between them. How much of the variance of the data is left in x_T?
    "a": as little as before, less than a thousandth: the last step is the same
    "b": about ten times as much as before, still next to nothing
    "c": more than a third
    "d": nothing at all
    """
    return "c"


exercise(
    target=chain_of_a_hundred,
    title="A shorter chain",
    mistakes={
        "last step decides": (
            "a",
            "The last β says what the last step takes away. What is left is the product of what *all* steps leave, and there are only a tenth as many.",
        ),
        "ten times": (
            "b",
            "What is left is a product, so its *logarithm* is a tenth of what it was. Add up the 100 β_t: that is about −log ᾱ_T.",
        ),
        "nothing": (
            "d",
            "No chain of such steps leaves nothing: each leaves at least 98 % of what it is given. Multiply a hundred such shares.",
        ),
    },
    hints=[
        "The β_t are about 0.01 on average, and there are 100 of them. Each step leaves 1 − β_t, about exp(−β_t).",
        "The product of all exp(−β_t) is exp of minus their sum, which is about 1.",
    ],
    minutes=4,
)


def probe_cosine_betas(answer, rng):
    return {
        "many": answer(rng.size(500, 2000)),  # so that the first β_t are tiny
        "with another offset": answer(rng.size(5, 9), offset=0.01 * rng.size(2, 30)),
        "all but the last": answer(rng.size(9, 20))[:-1],  # which may be so large that no other is seen
        "with another limit": answer(rng.size(20, 60), largest=0.01 * rng.size(30, 90)),
    }


def cosine_with(f, betas=lambda a: 1 - a[1:] / a[:-1], last=1):
    """The schedule with another curve f(t, offset), or with other β_t made of it."""

    def wrong(steps=1000, offset=0.008, largest=0.999):
        t = torch.arange(steps + last, dtype=torch.float64) / steps
        return betas(f(t, offset)).clamp(max=largest)

    return wrong


def cosine_at(times):
    """The schedule with other times, made of the number of steps."""

    def wrong(steps=1000, offset=0.008, largest=0.999):
        f = squared_cosine(times(steps), offset)
        return (1 - f[1:] / f[:-1]).clamp(max=largest)

    return wrong


def squared_cosine(t, s):
    return ((t + s) / (1 + s) * math.pi / 2).cos() ** 2


COSINE = "(t + offset) / (1 + offset) * math.pi / 2"


exercise(
    target=diffusion.cosine_betas,
    title="From a curve to a chain",
    probe=probe_cosine_betas,
    tolerance=1e-7,
    mistakes={
        "not limited": (
            edited(diffusion.cosine_betas, ".clamp(max=largest)", ""),
            "No β_t is limited. The last one is then 1, nothing of x is left after it, and a way back would divide by 0: limit them to `largest`.",
        ),
        "in float32": (
            lambda steps=1000, offset=0.008, largest=0.999: (
                1 - (f := squared_cosine(torch.arange(steps + 1) / steps, offset))[1:] / f[:-1]).clamp(max=largest).double(),
            "Your numbers are made in float32 and become float64 too late. The first β_t are differences of numbers that are nearly equal: give the "
            "times `dtype=torch.float64`.",
        ),
        "offset added to t": (
            cosine_with(lambda t, s: (((len(t) - 1) * t + s) / (len(t) - 1 + s) * math.pi / 2).cos() ** 2),
            "You add s to t itself, and it has hardly any effect beside T. It is added to t / T.",
        ),
        "times 1 … T + 1": (
            cosine_at(lambda steps: torch.arange(1, steps + 2, dtype=torch.float64) / steps),
            "Your times begin with 1, and the last is beyond T. They are 0 … T.",
        ),
        "all at the limit": (
            cosine_with(squared_cosine, lambda a: a[:-1] / a[1:]),
            "All your β_t were above `largest` and have been cut to it. β_t is 1 minus what the step leaves, and that is the later entry over the "
            "earlier one.",
        ),
        "limited from below": (
            edited(diffusion.cosine_betas, "max=largest", "min=largest"),
            "You make all β_t at least `largest`. They should be at most that: `clamp(max=…)`.",
        ),
        "limit of 0.999 written down": (
            lambda steps=1000, offset=0.008, largest=0.999: diffusion.cosine_betas(steps, offset),
            "You limit the β_t to 0.999, whatever `largest` is.",
        ),
        "offset of 0.008 written down": (
            lambda steps=1000, offset=0.008, largest=0.999: diffusion.cosine_betas(steps, largest=largest),
            "You use 0.008, whatever `offset` is.",
        ),
        "at least 0.0001": (
            edited(diffusion.cosine_betas, "clamp(max=largest)", "clamp(1e-4, largest)"),
            "You also limit the β_t from below, as some programs on the web do. With many steps the first ones are smaller than that, and your chain is no "
            "longer the cosine.",
        ),
        "limit taken from 1": (
            edited(diffusion.cosine_betas, "max=largest", "max=1 - largest"),
            "You limit the β_t to 1 − `largest`. That is the least that a step leaves; `largest` is the most that it takes.",
        ),
        "what each step leaves": (
            cosine_with(squared_cosine, lambda a: a[1:] / a[:-1]),
            "These are the α_t, what each step leaves. β_t is what it takes away.",
        ),
        "upside down": (
            cosine_with(squared_cosine, lambda a: 1 - a[:-1] / a[1:]),
            "Your ratio is upside down, and your β_t are below 0. Step t leads from ᾱ_{t−1} to the smaller ᾱ_t: the later one is the numerator.",
        ),
        "the curve itself": (
            cosine_with(squared_cosine, lambda a: a[1:] / a[0]),
            "This is ᾱ_t, the curve itself. What is wanted is the β_t of the chain that has this curve.",
        ),
        "what is gone by then": (
            cosine_with(squared_cosine, lambda a: 1 - a[1:] / a[0]),
            "This is 1 − ᾱ_t, what *all* steps up to t have taken. β_t is what step t takes of what it is given: divide by ᾱ_{t−1}.",
        ),
        "the curve itself, from t = 0": (
            cosine_with(squared_cosine, lambda a: a / a[0]),
            "This is ᾱ_t, the curve itself, with T + 1 entries. What is wanted is the β_t of the T steps that make this curve.",
        ),
        "what is gone by then, from t = 0": (
            cosine_with(squared_cosine, lambda a: 1 - a / a[0]),
            "This is 1 − ᾱ_t, what *all* steps up to t have taken, with T + 1 entries. β_t is what step t takes of what it is given.",
        ),
        "with β_0": (
            cosine_with(squared_cosine, lambda a: torch.cat([a.new_zeros(1), 1 - a[1:] / a[:-1]])),
            "Right, but with a β_0 = 0 before it. The T steps have β_1 … β_T; the library puts β_0 in front of them later.",
        ),
        "logarithm": (
            cosine_with(squared_cosine, lambda a: -(a[1:] / a[:-1]).log()),
            "You take minus the logarithm of what a step leaves. That is near β_t for a small one only; it is 1 minus what is left.",
        ),
        "divided by what comes after": (
            cosine_with(squared_cosine, lambda a: a[:-1] / a[1:] - 1),
            "You divide what is lost by what is left *after* the step. A step takes its share of what was there before.",
        ),
        "differences": (
            cosine_with(squared_cosine, lambda a: (a[:-1] - a[1:]) / a[0]),
            "These are differences of ᾱ. A step takes its share of what is still there, so divide the difference by ᾱ_{t−1}.",
        ),
        "not squared": (
            edited(diffusion.cosine_betas, f"({COSINE}) ** 2", f"({COSINE})"),
            "Your curve is the cosine itself. ᾱ is a share of variance, and here the cosine is the factor of x: its square is wanted.",
        ),
        "half a turn": (
            edited(diffusion.cosine_betas, "math.pi / 2", "math.pi"),
            "Your angle goes up to π, where the squared cosine is 1 again. It should end at π/2, where it is 0.",
        ),
        "no offset": (
            cosine_with(lambda t, s: (t * math.pi / 2).cos() ** 2),
            "Your curve has no offset, so its first steps are very small. The time is first moved by s.",
        ),
        "offset not divided away": (
            edited(diffusion.cosine_betas, "(t + offset) / (1 + offset)", "(t + offset)"),
            "You move the time by s, and it ends at 1 + s, where the cosine is already below 0. Divide by 1 + s.",
        ),
        "precedence": (
            edited(diffusion.cosine_betas, "(t + offset) / (1 + offset)", "(t + offset / (1 + offset))"),
            "Only the offset is divided by 1 + s. In Python a quotient comes before a sum: parentheses around t/T + s.",
        ),
        "precedence of 1 + s": (
            edited(diffusion.cosine_betas, "/ (1 + offset) * math.pi / 2", "/ 1 + offset * math.pi / 2"),
            "You divide by 1 and then add. In Python a quotient comes before a sum: parentheses around 1 + s.",
        ),
        "sine": (
            edited(diffusion.cosine_betas, "torch.cos", "torch.sin"),
            "Your curve is a squared sine: it grows with t. ᾱ falls from 1 to 0.",
        ),
        "steps − 1 times": (
            cosine_with(squared_cosine, last=0),
            "You have steps − 1 numbers. T steps lie between T + 1 times, 0 and T included.",
        ),
        "times squeezed": (
            cosine_at(lambda steps: torch.linspace(0, 1, steps, dtype=torch.float64)),
            "You spread T times evenly from 0 to 1, so there are only T − 1 steps between them. There are T + 1 times, 0 and T included.",
        ),
        "divided by T + 1": (
            cosine_at(lambda steps: torch.arange(steps + 1, dtype=torch.float64) / (steps + 1)),
            "You divide the times by T + 1, so the last is not 1, and data is left at the end. There are T + 1 times, but the last of them is T.",
        ),
        "divided by T − 1": (
            cosine_at(lambda steps: torch.arange(steps + 1, dtype=torch.float64) / (steps - 1)),
            "You divide the times by T − 1, so the last is beyond 1, where the cosine grows again. The last time is T, so divide by T.",
        ),
    },
    accepts=[
        lambda steps=1000, offset=0.008, largest=0.999: torch.tensor(
            [
                min(
                    1
                    - math.cos((t / steps + offset) / (1 + offset) * math.pi / 2) ** 2
                    / math.cos(((t - 1) / steps + offset) / (1 + offset) * math.pi / 2) ** 2,
                    largest,
                )
                for t in range(1, steps + 1)
            ],
            dtype=torch.float64,
        ),
        cosine_with(lambda t, s: squared_cosine(t, s) / squared_cosine(torch.zeros(()).double(), s)),
        cosine_with(lambda t, s: (1 + ((t + s) / (1 + s) * math.pi).cos()) / 2, lambda a: (a[:-1] - a[1:]) / a[:-1]),
    ],
    hints=[
        "Make the table of f at t = 0 … T first, T + 1 numbers in float64. What do you know about ᾱ_t and ᾱ_{t−1}, from α_t?",
        "ᾱ_t / ᾱ_{t−1} = α_t = 1 − β_t, and f(0) cancels. `f[1:]` and `f[:-1]` are neighbours.",
        "At the end, `clamp(max=largest)`.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


def probe_snr(answer, rng):
    n = rng.size(5, 9)
    return {
        "ratio": answer(rng.uniform(n, low=0.05, high=0.95)),
        "a table": answer(rng.uniform(n, 3, low=0.05, high=0.95, dtype=torch.float64)),
    }


exercise(
    target=diffusion.snr,
    title="How loud is the signal?",
    probe=probe_snr,
    mistakes={
        "ratio of the factors": (
            lambda a: (a / (1 - a)).sqrt(),
            "This is the ratio of the two factors, √ᾱ and √(1 − ᾱ). The ratio of the *variances* is wanted, which is its square.",
        ),
        "noise to signal": (
            lambda a: (1 - a) / a,
            "Your ratio is upside down: the signal is the numerator. At t near 0, where there is hardly any noise, it should be large.",
        ),
        "taken for an amplitude": (
            lambda a: a**2 / (1 - a**2),
            "You square ᾱ as if it were the factor of x. It is already a share of the variance.",
        ),
        "spread of the noise": (
            lambda a: a / (1 - a).sqrt(),
            "You divide a variance by a standard deviation. Both should be variances.",
        ),
        "share of the signal": (
            lambda a: a / (a + (1 - a)),
            "This is ᾱ, the share of the signal in the sum of both variances. Divide it by the variance of the noise alone.",
        ),
        "precedence": (
            lambda a: a / 1 - a,
            "In Python a quotient comes before a difference: put 1 − ᾱ in parentheses.",
        ),
        "spread of the signal": (
            lambda a: a.sqrt() / (1 - a),
            "You divide a standard deviation by a variance. Both should be variances.",
        ),
        "noise squared": (
            lambda a: a / (1 - a**2),
            "The variance of the noise is 1 − ᾱ. ᾱ is a variance already, so it is not squared.",
        ),
        "1 minus the root": (
            lambda a: a.sqrt() / (1 - a.sqrt()),
            "You take √ᾱ, the factor of x, and 1 minus it. Variances are wanted, and those are ᾱ and 1 − ᾱ.",
        ),
        "signal squared": (
            lambda a: a**2 / (1 - a),
            "You square ᾱ, as if it were the factor of x. It is already a share of the variance.",
        ),
        "one over the noise": (
            lambda a: 1 / (1 - a),
            "You divide the variance 1 of the untouched data by that of the noise. Of the data only the share ᾱ is left.",
        ),
        "divided by 1 + ᾱ": (
            lambda a: a / (1 + a),
            "The variance of the noise is 1 − ᾱ: more signal, less noise.",
        ),
        "logarithm": (
            lambda a: a.log() - (1 - a).log(),
            "This is the logarithm of the ratio, which is what people like to plot. Here the ratio itself is wanted.",
        ),
        "decibels": (
            lambda a: 10 * (a / (1 - a)).log10(),
            "These are decibels. The ratio itself is wanted, without a unit.",
        ),
    },
    accepts=[
        lambda a: 1 / (1 / a - 1),
        lambda a: a.logit().exp(),
        lambda a: a.sqrt().square() / (1 - a).sqrt().square(),
    ],
    hints=["In one jump, x is multiplied by one number and the noise by another. What do they do to variances of 1?"],
    points=1,
    minutes=4,
)  # fmt: skip


def probe_noisy_mixture(answer, rng):
    k, d = rng.size(2, 4), rng.size(2, 3)
    factors = rng.normal(k, d, d, dtype=torch.float64)
    mixture = GaussianMixture(
        rng.normal(k, d, dtype=torch.float64),
        covariances=factors @ factors.mT + 0.2 * torch.eye(d),
        weights=rng.uniform(k, low=0.5, high=2.0),
    )
    made = answer(mixture, 0.08 + 0.09 * rng.size(0, 9))
    at = rng.normal(5, d, dtype=torch.float64)
    return {
        "the data's means, afterwards": mixture.means.clone(),
        "the data's covariances, afterwards": mixture.covariances.clone(),
        "means": made.means,
        "covariances": made.covariances,
        "weights": made.weights,
        "log-density": made.log_density(at),
    }


def mixture_with(of_means=math.sqrt, of_covariances=lambda a: a, of_noise=lambda a: 1 - a, weights=None):
    """The noisy mixture with other factors, functions of ᾱ."""

    def wrong(mixture, alpha_bar):
        eye = torch.eye(mixture.means.shape[1])
        covariances = of_covariances(alpha_bar) * mixture.covariances + of_noise(alpha_bar) * eye
        kept = mixture.weights if weights is None else weights(mixture, alpha_bar)
        return GaussianMixture(of_means(alpha_bar) * mixture.means, covariances=covariances, weights=kept)

    return wrong


def with_covariances(change):
    """The noisy mixture with covariances made in another way."""
    return lambda mixture, alpha_bar: GaussianMixture(
        math.sqrt(alpha_bar) * mixture.means, covariances=change(mixture, alpha_bar), weights=mixture.weights
    )


def changed_in_place(mixture, alpha_bar):
    mixture.means = math.sqrt(alpha_bar) * mixture.means
    eye = torch.eye(mixture.means.shape[1])
    mixture.covariances = alpha_bar * mixture.covariances + (1 - alpha_bar) * eye
    return mixture


def one_hill_more(mixture, alpha_bar):
    d = mixture.means.shape[1]
    return GaussianMixture(
        torch.cat([mixture.means, mixture.means.new_zeros(1, d)]),
        covariances=torch.cat([mixture.covariances, torch.eye(d).double()[None]]),
        weights=torch.cat([alpha_bar * mixture.weights, mixture.weights.new_tensor([1 - alpha_bar])]),
    )


exercise(
    target=diffusion.noisy_mixture,
    title="The exact density of noisy data",
    probe=probe_noisy_mixture,
    mistakes={
        "means stay": (
            mixture_with(of_means=lambda a: 1),
            "Your hills stay where they were. x is multiplied by √ᾱ, so the middle of each hill moves towards 0 as well.",
        ),
        "changed in place": (
            changed_in_place,
            "You change the mixture that came in. Make a new one: the lesson blurs the same data again and again, and it would shrink each time.",
        ),
        "noise shrunk as well": (
            with_covariances(lambda m, a: a * (m.covariances + (1 - a) * torch.eye(m.means.shape[1]))),
            "You multiply the noise by ᾱ as well. The points shrink first; then noise of variance 1 − ᾱ is added.",
        ),
        "means times ᾱ": (
            mixture_with(of_means=lambda a: a),
            "You multiply the means by ᾱ. Points are multiplied by √ᾱ, and so is the mean of points.",
        ),
        "covariances times √ᾱ": (
            mixture_with(of_covariances=math.sqrt),
            "You multiply the covariances by √ᾱ. That is the factor of the points; a covariance goes with the square of it.",
        ),
        "factors exchanged": (
            mixture_with(lambda a: a, math.sqrt),
            "You multiply the means by ᾱ and the covariances by √ᾱ. It is the other way round: means go with the factor of the points, covariances "
            "with its square.",
        ),
        "covariances times ᾱ²": (
            mixture_with(of_covariances=lambda a: a * a),
            "You multiply the covariances by ᾱ². Points are multiplied by √ᾱ, and the square of that is ᾱ.",
        ),
        "no noise": (
            mixture_with(of_noise=lambda a: 0),
            "Your hills only shrink. The noise makes each of them wider: add its variance.",
        ),
        "spread of the noise": (
            mixture_with(of_noise=lambda a: math.sqrt(1 - a)),
            "You add √(1 − ᾱ), the standard deviation of the noise. Variances add up: 1 − ᾱ.",
        ),
        "noise of variance 1": (
            mixture_with(of_noise=lambda a: 1),
            "You add noise of variance 1. In x_t the noise is multiplied by √(1 − ᾱ).",
        ),
        "shares exchanged": (
            mixture_with(lambda a: math.sqrt(1 - a), lambda a: 1 - a, lambda a: a),
            "ᾱ and 1 − ᾱ have changed places. ᾱ is the share of the data: at ᾱ = 1 the mixture stays as it is.",
        ),
        "noise that is the same in all directions": (
            with_covariances(lambda m, a: a * m.covariances + (1 - a)),
            "You add 1 − ᾱ to *every* entry of the covariance. That would be one draw of noise, added to all coordinates. Each coordinate has noise "
            "of its own: add to the diagonal only.",
        ),
        "diagonal only": (
            with_covariances(lambda m, a: torch.diag_embed((a * m.covariances + (1 - a) * torch.eye(m.means.shape[1])).diagonal(dim1=1, dim2=2))),
            "You keep only the diagonals of the covariances. The hills may be slanted, and stay so.",
        ),
        "equal weights": (
            mixture_with(weights=lambda m, a: torch.ones_like(m.weights)),
            "Your hills have equal weights. Noise moves every point, but no point changes the hill that it came from: the weights stay.",
        ),
        "hills of noise alone": (
            with_covariances(lambda m, a: ((1 - a) * torch.eye(m.means.shape[1]).double()).expand_as(m.covariances)),
            "Your hills have the width of the noise and have lost their own. The points of a hill are spread before noise is added: two covariances add up.",
        ),
        "roots of both": (
            mixture_with(of_covariances=math.sqrt, of_noise=lambda a: math.sqrt(1 - a)),
            "You use the factors of the points, √ᾱ and √(1 − ᾱ), for the covariances. A covariance goes with the square of a factor.",
        ),
        "pushed by the noise": (
            lambda mixture, alpha_bar: GaussianMixture(
                math.sqrt(alpha_bar) * mixture.means + math.sqrt(1 - alpha_bar),
                covariances=alpha_bar * mixture.covariances + (1 - alpha_bar) * torch.eye(mixture.means.shape[1]),
                weights=mixture.weights,
            ),
            "You add the factor of the noise to the means. The noise has mean 0, so it moves no mean; it makes hills wider.",
        ),
        "nothing shrinks": (
            mixture_with(lambda a: 1, lambda a: 1),
            "You add the noise and shrink nothing. First all points are multiplied by √ᾱ, and their means and covariances with them.",
        ),
        "lesson 11's noise": (
            mixture_with(lambda a: 1, lambda a: 1, lambda a: (1 - a) / a),
            "This is the density of x_t / √ᾱ, data plus noise that is not scaled. x_t itself is wanted.",
        ),
        "one hill more": (
            one_hill_more,
            "You throw a coin for each point: data, or pure noise. That is another mixture. Here *every* point is partly data and partly noise, so "
            "each hill moves and grows wider, and their number stays.",
        ),
        "not changed": (
            lambda mixture, alpha_bar: mixture_with(lambda a: 1, lambda a: 1, lambda a: 0)(mixture, alpha_bar),
            "This is the mixture of the data.",
        ),
    },
    accepts=[
        lambda mixture, alpha_bar: GaussianMixture(
            means=mixture.means * alpha_bar**0.5,
            covariances=mixture.covariances * alpha_bar + torch.diag(torch.full((mixture.means.shape[1],), 1 - alpha_bar)),
            weights=mixture.weights,
        ),
        lambda mixture, alpha_bar: GaussianMixture(
            torch.stack([math.sqrt(alpha_bar) * mean for mean in mixture.means]),
            covariances=torch.stack([torch.lerp(torch.eye(len(c)).double(), c, alpha_bar) for c in mixture.covariances]),
            weights=mixture.weights.clone(),
        ),
    ],
    hints=[
        "Take one Gaussian. What happens to its mean and its covariance when every point is multiplied by √ᾱ?",
        "Then independent noise of variance 1 − ᾱ is added to each coordinate. What is the covariance of that noise, as a matrix?",
        "`torch.eye(d)` is 1 on the diagonal. The weights stay: GaussianMixture(means, covariances=…, weights=…).",
    ],
    points=2,
    minutes=12,
)  # fmt: skip
