"""The exercises of lesson 52: pictures out of noise, step by step, and what the bound says they cost."""

import math

import torch
from torch.distributions import Normal, kl_divergence
from torch.special import log_ndtr

from minigen import bound, diffusion, samplers
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.data import GaussianMixture
from minigen.diffusion import Schedule, at, data_from_noise, linear_betas, posterior, q_sample
from minigen.probing.finite import finite_apart

exercise = lesson("52_ddpm_sampling")


def short_chain(rng):
    """A chain of a few large steps, another one in each draw."""
    return Schedule(linear_betas(rng.size(6, 9), 0.02 * rng.size(2, 4), 0.1 * rng.size(3, 4)))


def some_mixture(rng, d):
    """Three Gaussians of different widths and weights in d dimensions."""
    widths = [0.2 + 0.1 * rng.size(0, 3) for _ in range(3)]
    weights = torch.tensor([0.5, 0.3, 0.1 * rng.size(1, 4)])
    return GaussianMixture(1.5 * rng.normal(3, d), stds=torch.tensor(widths), weights=weights)


def probe_exact_noise(answer, rng):
    n, d, chain = rng.size(4, 7), rng.size(2, 3), short_chain(rng)
    mixture = some_mixture(rng, d)
    x = 1.2 * rng.normal(n, d, dtype=torch.float64)
    return {
        "early": answer(x.float(), rng.size(2, 3), mixture, chain.alpha_bar),
        "late": answer(x, chain.steps - 1, mixture, chain.alpha_bar),
        "after all steps": answer(x[1:], chain.steps, mixture, chain.alpha_bar),
    }


def noise_with(made):
    """made(x_t, score, ᾱ) in the place of the noise; the score is that of x_t's own density."""

    def wrong(x_t, t, mixture, alpha_bar):
        a_bar = alpha_bar[t].item()
        return made(x_t, diffusion.noisy_mixture(mixture, a_bar).score(x_t), a_bar)

    return wrong


def score_of(density):
    """√(1 - ᾱ) times the score of another density(mixture, t, alpha_bar), with the right sign."""

    def wrong(x_t, t, mixture, alpha_bar):
        return -math.sqrt(1 - alpha_bar[t].item()) * density(mixture, t, alpha_bar).score(x_t)

    return wrong


def by_hand(x_t, t, mixture, alpha_bar):
    """Each component's own guess at the noise, weighted by how probable the component is at x_t."""
    a_bar = alpha_bar[t].to(x_t)
    density = diffusion.noisy_mixture(mixture, float(a_bar))
    weights, means, covariances = density.parameters(x_t)
    away = x_t[:, None] - means  # (N, K, D)
    variances = covariances[:, 0, 0]
    logits = weights.log() - x_t.shape[1] / 2 * variances.log() - away.square().sum(2) / variances / 2
    return (logits.softmax(1)[..., None] * away / variances[:, None]).sum(1) * (1 - a_bar).sqrt()


def by_gradient(x_t, t, mixture, alpha_bar):
    x, a_bar = x_t.detach().clone().requires_grad_(), alpha_bar[t].item()
    (slope,) = torch.autograd.grad(diffusion.noisy_mixture(mixture, a_bar).log_density(x).sum(), x)
    return -slope * (1 - a_bar) ** 0.5


NOISY = diffusion.noisy_mixture
TWO_THINGS = (
    "Two things. Your sign is the other one: the score points to where the density grows, away from the noise. And the factor is another: "
    "ε has variance 1, the noise in x_t has 1 − ᾱ."
)

exercise(
    target=diffusion.exact_noise,
    title="The noise that nobody can predict better",
    probe=probe_exact_noise,
    mistakes={
        "sign lost": (
            noise_with(lambda x, score, a: math.sqrt(1 - a) * score),
            "Your sign is the other one. The score points to where the density grows, that is away from the noise: to denoise is to walk "
            "uphill.",
        ),
        "variance, and sign lost": (noise_with(lambda x, score, a: (1 - a) * score), TWO_THINGS),
        "divided, and sign lost": (noise_with(lambda x, score, a: score / math.sqrt(1 - a)), TWO_THINGS),
        "score as it is": (noise_with(lambda x, score, a: score), TWO_THINGS),
        "Tweedie's mean scaled again": (
            noise_with(lambda x, score, a: (x - math.sqrt(a) * (x + (1 - a) * score)) / math.sqrt(1 - a)),
            "x_t + (1 − ᾱ) · score is √ᾱ x already, the data as it stands in x_t. Do not multiply it by √ᾱ again.",
        ),
        "variance for the spread": (
            noise_with(lambda x, score, a: -(1 - a) * score),
            "You multiply the score by the variance 1 − ᾱ. That is the noise as it stands in x_t, √(1 − ᾱ) ε; ε itself has variance 1.",
        ),
        "divided by the spread": (
            noise_with(lambda x, score, a: -score / math.sqrt(1 - a)),
            "You divide by √(1 − ᾱ). For one point as data, the score is −(x_t − √ᾱ x) / (1 − ᾱ): what is left to do to get ε from it?",
        ),
        "score alone": (
            noise_with(lambda x, score, a: -score),
            "That is minus the score. It is large where there is little noise; ε has the same size at all times. A factor is missing.",
        ),
        "signal for noise": (
            noise_with(lambda x, score, a: -math.sqrt(a) * score),
            "Your factor is √ᾱ, the share of the data. The one of the noise is √(1 − ᾱ).",
        ),
        "ᾱ not rooted": (
            noise_with(lambda x, score, a: -(1 - math.sqrt(a)) * score),
            "Your factor is 1 − √ᾱ. The variance of the noise is 1 − ᾱ, and its spread is the root of *that*.",
        ),
        "score of clean data": (
            score_of(lambda mixture, t, alpha_bar: mixture),
            "You ask the density of clean data. x_t is not clean: its density is that of the mixture after t steps, `noisy_mixture`.",
        ),
        "score of clean data, other sign": (
            lambda x_t, t, mixture, alpha_bar: math.sqrt(1 - alpha_bar[t].item()) * mixture.score(x_t),
            "Two things: you ask the density of clean data, where that of x_t is wanted (`noisy_mixture`); and the sign is the other one.",
        ),
        "signal, not rooted": (
            noise_with(lambda x, score, a: -a * score),
            "Your factor is ᾱ, what is left of the data. The spread of the noise is wanted: √(1 − ᾱ).",
        ),
        "variance squared": (
            noise_with(lambda x, score, a: -((1 - a) ** 2) * score),
            "You square 1 − ᾱ, which is a variance already. Its root is the spread of the noise.",
        ),
        "score subtracted": (
            noise_with(lambda x, score, a: x - score),
            "You subtract the score from the point. The point itself does not enter any more: it cancels when Tweedie's mean is taken from x_t.",
        ),
        "spread of the step before": (
            lambda x_t, t, mixture, alpha_bar: -math.sqrt(1 - alpha_bar[t - 1].item())
            * NOISY(mixture, alpha_bar[t].item()).score(x_t),
            "Your factor is that of t − 1. The table is indexed by t itself.",
        ),
        "one step early": (
            score_of(lambda mixture, t, alpha_bar: NOISY(mixture, alpha_bar[t - 1].item())),
            "Your density is that of x_{t−1}. The table is indexed by t itself, since its first entry is t = 0.",
        ),
        "off by one throughout": (
            lambda x_t, t, mixture, alpha_bar: diffusion.exact_noise(x_t, t - 1, mixture, alpha_bar),
            "You read the table at t − 1. Its first entry is t = 0, so the paper's own t is the index.",
        ),
        "rate for its square": (
            score_of(lambda mixture, t, alpha_bar: NOISY(mixture, alpha_bar[t].sqrt().item())),
            "You hand √ᾱ to `noisy_mixture`. It wants ᾱ, and takes the root of it for the means by itself.",
        ),
        "noise for signal": (
            score_of(lambda mixture, t, alpha_bar: NOISY(mixture, 1 - alpha_bar[t].item())),
            "You hand 1 − ᾱ to `noisy_mixture`, so that it makes early densities noisy and late ones clean. It wants ᾱ, what is left "
            "of the data.",
        ),
        "the data": (
            noise_with(lambda x, score, a: (x + (1 - a) * score) / math.sqrt(a)),
            "This is the data x0 that Tweedie's formula gives. The noise is what is left of x_t without √ᾱ x0, divided by √(1 − ᾱ).",
        ),
        "the data, still scaled": (
            noise_with(lambda x, score, a: x + (1 - a) * score),
            "This is the mean of √ᾱ x, the part of x_t that is data. The other part is √(1 − ᾱ) ε, and ε is wanted.",
        ),
        "data not scaled": (
            noise_with(lambda x, score, a: (x - (x + (1 - a) * score) / math.sqrt(a)) / math.sqrt(1 - a)),
            "You subtract the data itself from x_t. Only √ᾱ of it is in there.",
        ),
        "density for its logarithm": (
            lambda x_t, t, mixture, alpha_bar: diffusion.exact_noise(x_t, t, mixture, alpha_bar)
            * NOISY(mixture, alpha_bar[t].item()).log_density(x_t).exp()[:, None],
            "Your slope is that of the density. The score is the slope of its *logarithm*, so that the density's own height cancels.",
        ),
        "all the rest": (
            noise_with(lambda x, score, a: x / math.sqrt(1 - a)),
            "You take all of x_t for noise. Some of it is data, even if less and less.",
        ),
    },
    accepts=[
        by_hand,
        by_gradient,
        noise_with(lambda x, score, a: (x - (x + (1 - a) * score)) / math.sqrt(1 - a)),
    ],
    equivalents={"a_bar = alpha_bar[t]": "torch computes with a tensor that holds one number, too"},
    hints=[
        "By Tweedie, the mean of the part that is data is x_t + (variance of the noise) · score. What is the rest?",
        "The rest is √(1 − ᾱ) ε. The variance of the noise is 1 − ᾱ. Divide.",
        "The score has to be that of the density of x_t: `noisy_mixture(mixture, ᾱ).score(x_t)`, where ᾱ is a plain number.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def probe_step_back(answer, rng):
    n, chain, size = rng.size(4, 6), short_chain(rng), rng.size(4, 6)
    times = 1 + rng.integers(n, high=chain.steps)
    one, two = rng.normal(n, 1, size, size, leaf="x_t"), rng.normal(n, 1, size, size, leaf="noise_hat")
    return {
        "each at its own time": answer(one, two, times, chain),
        "points, all at one time": answer(rng.normal(n, 2), rng.normal(n, 2), chain.steps - 1, chain),
        "the last step": answer(rng.normal(n, 2), rng.normal(n, 2), 1, chain),
    }


def back_with(of_noise, of_all=lambda c: c.alpha.sqrt()):
    """A step back with other tables: (x_t - of_noise · noise) / of_all."""

    def wrong(x_t, noise_hat, t, schedule):
        return (x_t - at(of_noise(schedule), t, x_t) * noise_hat) / at(of_all(schedule), t, x_t)

    return wrong


def right_share(c):
    return c.beta / (1 - c.alpha_bar).sqrt()


BACK = "of_noise = schedule.beta / (1 - schedule.alpha_bar).sqrt()"

exercise(
    target=samplers.step_back,
    title="Repair: a step that goes too far",
    probe=probe_step_back,
    repair="ᾱ where α belongs",
    mistakes={
        "ᾱ where α belongs": (
            edited(samplers.step_back, BACK, "of_noise = (1 - schedule.alpha_bar) / (1 - schedule.alpha_bar).sqrt()"),
            "1 − ᾱ_t is the variance of all noise so far; you subtract the whole of it in one step. One step back takes away what "
            "*one* step has added: its variance is 1 − α_t, without a bar.",
        ),
        "ᾱ below as well": (
            back_with(right_share, lambda c: c.alpha_bar.sqrt()),
            "You divide by √ᾱ_t, which undoes the shrinking of all steps at once. One step has shrunk x by √α_t.",
        ),
        "ᾱ in both places": (
            back_with(lambda c: (1 - c.alpha_bar).sqrt(), lambda c: c.alpha_bar.sqrt()),
            "This is the predicted data, all t steps back at once. Take one step: α_t without a bar for what one step did.",
        ),
        "no bar at all": (
            back_with(lambda c: c.beta / (1 - c.alpha).sqrt()),
            "You take away √β_t of the noise, which is β_t / √(1 − α_t). β_t is right, but the noise in x_t comes from all steps so far: "
            "divide by √(1 − ᾱ_t).",
        ),
        "root above": (
            back_with(lambda c: (c.beta / (1 - c.alpha_bar)).sqrt()),
            "You take the root of the whole fraction. Only what stands below it is a root: β_t is not.",
        ),
        "no root below": (
            back_with(lambda c: c.beta / (1 - c.alpha_bar)),
            "You divide by 1 − ᾱ_t, a variance. Put the x0 of `data_from_noise` into the posterior's mean, and see which root is left.",
        ),
        "no fraction": (
            back_with(lambda c: c.beta),
            "You subtract β_t times the noise. The predicted noise has variance 1 whatever t is, so it has to be divided by √(1 − ᾱ_t).",
        ),
        "ᾱ below, not rooted": (
            back_with(right_share, lambda c: c.alpha_bar),
            "You divide by ᾱ_t, which undoes the shrinking of all steps at once, and twice. One step has multiplied x by √α_t.",
        ),
        "ᾱ above, α below": (
            back_with(lambda c: (1 - c.alpha_bar) / (1 - c.alpha).sqrt()),
            "The bar stands in the wrong half of your fraction. Above is what one step has added, 1 − α_t; below is the spread of all noise so far.",
        ),
        "α for 1 − α": (
            back_with(lambda c: c.alpha / (1 - c.alpha_bar).sqrt()),
            "You have α_t above the fraction. What one step has added is 1 − α_t, which is β_t.",
        ),
        "spread of the data below": (
            back_with(lambda c: c.beta / c.alpha_bar.sqrt()),
            "Below the fraction you have √ᾱ_t, the share of the data. The spread of the noise is √(1 − ᾱ_t).",
        ),
        "all noise, and α not rooted": (
            back_with(lambda c: (1 - c.alpha_bar).sqrt(), lambda c: c.alpha),
            "You take all of the noise away in one step, and divide by α_t without the root. One step has added noise of variance β_t.",
        ),
        "posterior with its arguments exchanged": (
            lambda x_t, noise_hat, t, schedule: posterior(
                x_t, data_from_noise(x_t, noise_hat, t, schedule.alpha_bar), t, schedule)[0],
            "`posterior` takes the data first, and then x_t.",
        ),
        "noise as it is": (
            lambda x_t, noise_hat, t, schedule: x_t - noise_hat,
            "You subtract the predicted noise as it is. How much of it one step has added depends on t.",
        ),
        "not grown": (
            back_with(right_share, lambda c: torch.ones_like(c.alpha)),
            "You do not undo the shrinking: the step to x_t has multiplied x_{t−1} by √α_t.",
        ),
        "shrunk again": (
            back_with(right_share, lambda c: 1 / c.alpha.sqrt()),
            "You multiply by √α_t. That was the way there; the way back divides.",
        ),
        "divided by the square": (
            back_with(right_share, lambda c: c.alpha),
            "You divide by α_t. The step to x_t has multiplied by its root.",
        ),
        "divided by √β": (
            back_with(right_share, lambda c: c.beta.sqrt()),
            "You divide by √β_t, which is near 0. The step to x_t has multiplied x_{t−1} by √α_t.",
        ),
        "noise added": (
            back_with(lambda c: -right_share(c)),
            "You add the predicted noise. The way back takes noise away.",
        ),
        "only x grown": (
            lambda x_t, noise_hat, t, schedule: x_t / at(schedule.alpha.sqrt(), t, x_t)
            - at(right_share(schedule), t, x_t) * noise_hat,
            "Only x_t is divided by √α_t. First the noise is taken away, then *all* of it is divided: mind the bracket.",
        ),
        "the posterior's variance": (
            back_with(lambda c: c.variance / (1 - c.alpha_bar).sqrt()),
            "You put β̃_t above the fraction. It is the variance of the step back; what stands here is β_t, that of the step there.",
        ),
        "all noise so far, one step earlier": (
            back_with(lambda c: c.beta / (1 - c.alpha_bar.roll(1)).sqrt().clamp(min=1e-6)),
            "Below the fraction you have ᾱ of t − 1. The noise is that in x_t, so its spread is √(1 − ᾱ_t).",
        ),
        "table read one step earlier": (
            lambda x_t, noise_hat, t, schedule: samplers.step_back(
                x_t, noise_hat, (torch.as_tensor(t) - 1).clamp(min=1), schedule),
            "You read the tables at t − 1. Their first entry is t = 0, so the paper's own t is the index.",
        ),
        "first time for all": (
            lambda x_t, noise_hat, t, schedule: samplers.step_back(
                x_t, noise_hat, t if isinstance(t, int) else t[:1], schedule
            ),
            "The whole batch is moved as its first image. Each may be at a time of its own: `at(table, t, x_t)`.",
        ),
        "limited": (
            lambda x_t, noise_hat, t, schedule: samplers.step_back(x_t, noise_hat, t, schedule).clamp(-1, 1),
            "You limit the result to [−1, 1]. On its way x has a spread of 1, and most of it would be cut.",
        ),
        "half of the noise": (
            back_with(lambda c: right_share(c) / 2),
            "You take half of the noise away. That is the step of a sampler that adds no fresh noise (lesson 53); the mean of x_{t−1} has all "
            "of it.",
        ),
    },
    accepts=[
        lambda x_t, noise_hat, t, schedule: posterior(
            data_from_noise(x_t, noise_hat, t, schedule.alpha_bar), x_t, t, schedule
        )[0],
        back_with(lambda c: (1 - c.alpha) * (1 - c.alpha_bar) ** -0.5, lambda c: (1 - c.beta) ** 0.5),
        lambda x_t, noise_hat, t, schedule: at(schedule.alpha**-0.5, t, x_t) * x_t
        - at(right_share(schedule) / schedule.alpha.sqrt(), t, x_t) * noise_hat,
    ],
    hints=[
        "Take a late t. How much of x_t does this step remove, and how much has one step added?",
        "The mean of the posterior is the measure: x0 from `data_from_noise`, put into `posterior`. Work out its factor of the noise on paper.",
        "In that factor, one place speaks of one step and one of all steps. Which symbol has the bar?",
    ],
    points=2,
    minutes=15,
)  # fmt: skip


def probe_step_back_clipped(answer, rng):
    n, chain, size = rng.size(4, 6), short_chain(rng), rng.size(4, 6)
    times = 1 + rng.integers(n, high=chain.steps)
    one, two = 1.5 * rng.normal(n, 1, size, size), rng.normal(n, 1, size, size)
    return {
        "each at its own time": answer(one, two, times, chain),
        "points, all at one time": answer(rng.normal(n, 2), rng.normal(n, 2), chain.steps - 2, chain),
        "the last step": answer(2 * rng.normal(n, 2), rng.normal(n, 2), 1, chain),
    }


def clipped_with(x0=lambda x0: x0.clamp(-1, 1), made=lambda x0, x, t, c: posterior(x0, x, t, c)[0]):
    """A clipped step with another way to limit the data, or to go on from it."""

    def wrong(x_t, noise_hat, t, schedule):
        data = data_from_noise(x_t, noise_hat, t, schedule.alpha_bar)
        return made(x0(data), x_t, t, schedule)

    return wrong


def noise_left(x0, x, t, c):
    """The noise in x_t, if this is the data in it."""
    a_bar = at(c.alpha_bar, t, x)
    return (x - a_bar.sqrt() * x0) / (1 - a_bar).sqrt()


def straight_on(x0, noise_hat, t, c, x):
    before = at(c.alpha_bar.roll(1).index_fill(0, torch.tensor([0]), 1.0), t, x)
    return before.sqrt() * x0 + (1 - before).sqrt() * noise_hat


exercise(
    target=samplers.step_back_clipped,
    title="A step that stays among pictures",
    probe=probe_step_back_clipped,
    mistakes={
        "result limited": (
            lambda x_t, noise_hat, t, schedule: samplers.step_back(x_t, noise_hat, t, schedule).clamp(-1, 1),
            "You limit x_{t−1}. It is noisy, with a spread of about 1, and may well lie outside; what lies in [−1, 1] is the *data* that is predicted.",
        ),
        "not limited": (
            samplers.step_back,
            "Nothing is limited: this is `step_back`.",
        ),
        "data and result limited": (
            clipped_with(made=lambda x0, x, t, c: posterior(x0, x, t, c)[0].clamp(-1, 1)),
            "You limit the data, and then x_{t−1} as well. The second is noisy and may lie outside.",
        ),
        "x_t limited": (
            lambda x_t, noise_hat, t, schedule: samplers.step_back_clipped(x_t.clamp(-1, 1), noise_hat, t, schedule),
            "You limit x_t before you use it. It is noisy and may lie outside; limit the predicted data alone.",
        ),
        "x_t limited, data not": (
            lambda x_t, noise_hat, t, schedule: samplers.step_back(x_t.clamp(-1, 1), noise_hat, t, schedule),
            "You limit x_t. It is noisy and may lie outside; what is to be limited is the predicted data, and that you leave as it is.",
        ),
        "a step back from the data": (
            lambda x_t, noise_hat, t, schedule: samplers.step_back(
                data_from_noise(x_t, noise_hat, t, schedule.alpha_bar).clamp(-1, 1), noise_hat, t, schedule),
            "You hand the limited data to `step_back`, which starts at x_t. Data and x_t together are what `posterior` makes the step from.",
        ),
        "x_t made again": (
            lambda x_t, noise_hat, t, schedule: samplers.step_back(
                q_sample(data_from_noise(x_t, noise_hat, t, schedule.alpha_bar).clamp(-1, 1), t, noise_hat, schedule.alpha_bar),
                noise_hat, t, schedule),
            "You make another x_t, of the limited data and the predicted noise. x_t is known and stays; the noise in it is what is left when the "
            "limited data is taken out. `posterior` does that.",
        ),
        "noise limited": (
            lambda x_t, noise_hat, t, schedule: samplers.step_back(x_t, noise_hat.clamp(-1, 1), t, schedule),
            "You limit the predicted noise. Noise of spread 1 lies outside of [−1, 1] a third of the time, rightly.",
        ),
        "from 0 to 1": (
            clipped_with(lambda x0: x0.clamp(0, 1)),
            "You limit the data to [0, 1]. Pictures lie in [−1, 1] here.",
        ),
        "only from above": (
            clipped_with(lambda x0: x0.clamp(max=1)),
            "You limit the data from above only. It may also fall below −1.",
        ),
        "only from below": (
            clipped_with(lambda x0: x0.clamp(min=-1)),
            "You limit the data from below only. It may also rise above 1.",
        ),
        "tanh": (
            clipped_with(torch.tanh),
            "A tanh changes all data, even what was right. Only data outside of [−1, 1] is to be moved, and to the edge.",
        ),
        "divided by the largest": (
            clipped_with(lambda x0: x0 / x0.abs().max().clamp(min=1)),
            "You shrink all of the data until the largest number fits. Only what is outside is to be moved.",
        ),
        "the data": (
            clipped_with(made=lambda x0, x, t, c: x0),
            "You return the predicted data, all t steps back at once. One step is wanted: the posterior's mean with this data.",
        ),
        "arguments exchanged": (
            clipped_with(made=lambda x0, x, t, c: posterior(x, x0, t, c)[0]),
            "`posterior` takes the data first, and then x_t.",
        ),
        "noise as it was": (
            lambda x_t, noise_hat, t, schedule: straight_on(
                data_from_noise(x_t, noise_hat, t, schedule.alpha_bar).clamp(-1, 1), noise_hat, t, schedule, x_t),
            "You mix the limited data with the predicted noise as it was: another sampler's step (lesson 53). Here it is the posterior's mean.",
        ),
        "brought to the next time": (
            clipped_with(made=lambda x0, x, t, c: at(c.alpha_bar.roll(1).index_fill(0, torch.tensor([0]), 1.0).sqrt(), t, x) * x0),
            "You scale the data as it stands in x_{t−1}, and forget the noise that is still in there. The posterior's mean holds some of x_t too.",
        ),
        "data by α": (
            lambda x_t, noise_hat, t, schedule: posterior(
                data_from_noise(x_t, noise_hat, t, schedule.alpha).clamp(-1, 1), x_t, t, schedule)[0],
            "You compute the data with α_t. All t steps lie between data and x_t: ᾱ_t.",
        ),
        "first time for all": (
            lambda x_t, noise_hat, t, schedule: samplers.step_back_clipped(
                x_t, noise_hat, t if isinstance(t, int) else t[:1], schedule),
            "The whole batch is moved as its first image. Hand `t` on as it is.",
        ),
        "mean and variance": (
            lambda x_t, noise_hat, t, schedule: sum(
                posterior(data_from_noise(x_t, noise_hat, t, schedule.alpha_bar).clamp(-1, 1), x_t, t, schedule)),
            "You add the posterior's variance to its mean. Only the mean is wanted: the first of the two.",
        ),
    },
    accepts=[
        lambda x_t, noise_hat, t, schedule: samplers.step_back(
            x_t, noise_left(data_from_noise(x_t, noise_hat, t, schedule.alpha_bar).clamp(-1, 1), x_t, t, schedule), t, schedule),
        clipped_with(lambda x0: torch.maximum(torch.minimum(x0, x0.new_tensor(1.0)), x0.new_tensor(-1.0))),
        clipped_with(torch.nn.functional.hardtanh),
    ],
    hints=[
        "Which of the three, x_t, x_{t−1} and the predicted data, is known to lie in [−1, 1]?",
        "`data_from_noise` predicts the data. `.clamp(-1, 1)` moves what is outside to the edge.",
        "And where was the chain one step before x_t, if it started there? `posterior` gives the mean first and the variance second.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def probe_ancestral(answer, rng):
    n, d, chain = rng.size(4, 7), rng.size(2, 3), short_chain(rng)
    mixture = some_mixture(rng, d)
    fresh = rng.normal(chain.steps + 1, n, d)

    def predict(x_t, t):
        return diffusion.exact_noise(x_t, int(t), mixture, chain.alpha_bar)

    def noise(t):
        return fresh[int(t)]

    x, own = rng.normal(n, d), 0.1 + 0.5 * rng.uniform(chain.steps + 1, dtype=torch.float64)
    return {
        "with β": answer(predict, x, chain, noise, chain.beta),
        "with β̃": answer(predict, x[1:], chain, lambda t: noise(t)[1:], chain.variance),
        "with other variances": answer(predict, x, chain, noise, own),
        "clipped": answer(predict, x, chain, noise, chain.beta, clip=True),
    }


LOOP = "range(schedule.steps, 0, -1)"
STEP = "x = back(x, predict(x, t), t, schedule)"
FRESH = "if t > 1:\n            x = x + variances[t].sqrt() * noise(t)"
ADDED = "x = x + variances[t].sqrt() * noise(t)"
CHOICE = "back = step_back_clipped if clip else step_back"
walk = samplers.ancestral

exercise(
    target=samplers.ancestral,
    title="Repair: never quite finished",
    probe=probe_ancestral,
    repair="noise after the last step",
    mistakes={
        "noise after the last step": (
            edited(walk, FRESH, ADDED),
            "You add noise after the last step too. Nothing takes it away again, so every picture keeps a little of it; with σ_1² = β̃_1 = 0 "
            "it would not be seen, with β_1 it is.",
        ),
        "no noise": (
            edited(walk, FRESH, "pass"),
            "You add no fresh noise at all. `step_back` gives a *mean*; without the spread around it the points fall into the middles of the modes.",
        ),
        "variance for the spread": (
            edited(walk, "variances[t].sqrt()", "variances[t]"),
            "You multiply the noise by σ_t². The table holds variances; what multiplies is the root.",
        ),
        "noise at the last step alone": (
            edited(walk, "t > 1", "t == 1"),
            "You add noise at the last step and at no other. It is the other way round.",
        ),
        "none at the first step": (
            edited(walk, "t > 1", "t < schedule.steps"),
            "You leave out the noise of t = T, the first step that you take, and add it after t = 1, the last. The last is the one without.",
        ),
        "none after the last two": (
            edited(walk, "t > 1", "t > 2"),
            "You leave the noise out at t = 2 as well. Only the step from t = 1 is the last.",
        ),
        "last step not taken": (
            edited(walk, LOOP, "range(schedule.steps, 1, -1)"),
            "Your loop ends at t = 2, so you give x_1 and not x_0. `range` stops before its end.",
        ),
        "started one step late": (
            edited(walk, LOOP, "range(schedule.steps - 1, 0, -1)"),
            "Your loop begins at T − 1. x is x_T: the tables have T + 1 entries, from 0 to T.",
        ),
        "forward in time": (
            edited(walk, LOOP, "range(1, schedule.steps + 1)"),
            "Your t grows from 1 to T. x starts as x_T, pure noise, and the way leads back.",
        ),
        "noise first": (
            edited(walk, f"{STEP}\n        {FRESH}", f"{FRESH}\n        {STEP}"),
            "You add the noise before the step. The noise is to be predicted in x_t as it is; the fresh noise is the spread of x_{t−1}.",
        ),
        "variance one step early": (
            edited(walk, "variances[t]", "variances[t - 1]"),
            "You read the variances at t − 1. σ_t² belongs to the step from t.",
        ),
        "noise one step early": (
            edited(walk, "noise(t)", "noise(t - 1)"),
            "You ask for noise(t − 1). It is asked for by the time of the step that it follows, t = T … 2.",
        ),
        "the same noise": (
            edited(walk, "noise(t)", "noise(schedule.steps)"),
            "You add the same noise in every step. It should be fresh each time, so that the steps do not all push in one direction.",
        ),
        "subtracted": (
            edited(walk, ADDED, ADDED.replace("x +", "x -")),
            "You subtract the fresh noise. Its density is the same both ways, but here your points are compared one by one: add it.",
        ),
        "asked once": (
            edited(walk, STEP, "start = x if t == schedule.steps else start\n        x = back(x, predict(start, schedule.steps), t, schedule)"),
            "You predict the noise once and use it for all steps. The point of small steps is that each is predicted anew.",
        ),
        "asked for another time": (
            edited(walk, "predict(x, t)", "predict(x, t - 1)"),
            "You tell the network that it is t − 1. x is x_t, and the times of training were 1 to T.",
        ),
        "own variances": (
            edited(walk, "variances[t]", "schedule.variance[t]"),
            "You use the schedule's own β̃. Which variances to use is an argument.",
        ),
        "own β": (
            edited(walk, "variances[t]", "schedule.beta[t]"),
            "You use the schedule's own β. Which variances to use is an argument.",
        ),
        "never clipped": (
            edited(walk, CHOICE, "back = step_back"),
            "You do not look at `clip`. With it the steps are those of `step_back_clipped`.",
        ),
        "always clipped": (
            edited(walk, CHOICE, "back = step_back_clipped"),
            "You clip always. Without `clip` the steps are those of `step_back`.",
        ),
        "x clipped in each step": (
            edited(walk, CHOICE, "back = step_back", STEP, STEP + "\n        x = x.clamp(-1, 1) if clip else x"),
            "With `clip` you limit x itself in each step. x is noisy, with a spread of about 1; what lies in [−1, 1] is the predicted *data*.",
        ),
        "always clipped at the end": (
            edited(walk, "return x", "return x.clamp(-1, 1)"),
            "You limit the result, whatever `clip` says. Points of a mixture may well lie outside of [−1, 1].",
        ),
        "clipped at the end": (
            edited(walk, CHOICE, "back = step_back", "return x", "return x.clamp(-1, 1) if clip else x"),
            "With `clip` you limit the result alone. By then the faults of many steps have added up: the predicted data is limited in each "
            "step, by `step_back_clipped`.",
        ),
        "clipped the other way": (
            edited(walk, CHOICE, "back = step_back if clip else step_back_clipped"),
            "You clip when you are not asked to, and do not when you are.",
        ),
    },
    accepts=[
        edited(walk, FRESH, "x = x + (t > 1) * variances[t].sqrt() * noise(t)"),
        edited(
            walk, LOOP, "range(schedule.steps, 1, -1)", FRESH, ADDED,
            "return x", "return back(x, predict(x, 1), 1, schedule)",
        ),
        edited(walk, LOOP, "reversed(range(1, schedule.steps + 1))"),
    ],
    hints=[
        "Follow t = 1 through the loop. What is added to x after it, and what takes that away?",
        "The last step gives the mean of the data, and the mean is what is wanted: no noise then.",
        "Only one line needs a condition on t.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def variance_for_noise() -> str:
    """Suppose that the data is itself pure noise, N(0, I). Then so is x_t at every t, and the best prediction of the noise in
    it is √(1 − ᾱ_t) x_t. Put that into `step_back`: the mean of x_{t−1} is √α_t x_t. Which variance must the fresh noise
    have, if x_{t−1} is to be N(0, I) as well?
    "a": none: the mean is enough
    "b": β̃_t, the variance of the posterior
    "c": β_t, the variance that the step there has added
    "d": 1
    """
    return "c"


exercise(
    target=variance_for_noise,
    title="How much noise keeps noise as it is?",
    mistakes={
        "none": (
            "a",
            "The mean has variance α_t, less than 1. A thousand such steps without noise leave next to nothing.",
        ),
        "of the posterior": (
            "b",
            "That is smaller than β_t, so the sum is less than 1. β̃_t is right when the data is *known*; here nobody knows it.",
        ),
        "one": (
            "d",
            "Then the sum has variance α_t + 1. What is missing is 1 − α_t.",
        ),
    },
    hints=[
        "What is the variance of √α_t x_t?",
        "α_t, and independent noise adds its own variance. How much is missing from 1?",
    ],
    minutes=5,
)


def grey(rng, *shape, levels):
    """Grey levels, of which some are the lowest and some the highest."""
    index = rng.integers(*shape, high=levels)
    index[0], index[1] = 0, levels - 1
    return 2 * index.double() / (levels - 1) - 1


def probe_level_log_probability(answer, rng):
    levels, n, size = rng.size(4, 9), rng.size(4, 6), rng.size(3, 5)
    x = grey(rng, n, 1, size, size, levels=levels)
    mean, std = (
        0.8 * rng.normal(*x.shape, dtype=torch.float64),
        0.1 + rng.uniform(n, 1, 1, 1, dtype=torch.float64),
    )
    line, few = grey(rng, n + 3, levels=levels), torch.tensor(0.02 * rng.size(2, 4), dtype=torch.float64)
    return {
        "pictures": answer(x, mean, std, levels),
        "numbers": answer(line, mean.flatten()[: n + 3], 5 * few, levels),
        "far below and above the mean": answer(line, 2 * mean.flatten()[: n + 3], few, levels),
        "far above the mean": answer(line, -1.5 + 0 * line, few, levels),
    }


def edges(x, mean, std, levels, half=None, open_ends=True):
    """Both edges of each level, in units of σ from the mean."""
    half = 1 / (levels - 1) if half is None else half
    low, high = (x - half - mean) / std, (x + half - mean) / std
    if open_ends:
        low, high = low.masked_fill(x < -1 + 1e-6, -math.inf), high.masked_fill(x > 1 - 1e-6, math.inf)
    return low, high


def log_between(low, high):
    """log(Φ(high) - Φ(low)), of the tail in which both are small."""
    low, high = torch.where(low > 0, -high, low), torch.where(low > 0, -low, high)
    return log_ndtr(high) + torch.log1p(-(log_ndtr(low) - log_ndtr(high)).exp())


def levels_with(half=lambda levels: 1 / (levels - 1), open_ends=True, least=None, after=lambda p: p):
    """The right answer but for: half of a level's width, the open ends, a smallest probability, what comes after."""

    def wrong(x, mean, std, levels):
        low, high = edges(x, mean, std, levels, half(levels), open_ends)
        if least is None:
            return after(log_between(low, high))
        p = torch.special.ndtr(high) - torch.special.ndtr(low)
        return after((p + least[1] if least[0] == "added" else p.clamp(min=least[1])).log())

    return wrong


def one_tail(open_ends=True):
    def wrong(x, mean, std, levels):
        low, high = edges(x, mean, std, levels, open_ends=open_ends)
        return log_ndtr(high) + torch.log1p(-(log_ndtr(low) - log_ndtr(high)).exp())

    return wrong


def upper_tail(low, high):
    return log_ndtr(-low) + torch.log1p(-(log_ndtr(-high) - log_ndtr(-low)).exp())


def log_undone(open_ends=True):
    def wrong(x, mean, std, levels):
        low, high = edges(x, mean, std, levels, open_ends=open_ends)
        return (log_ndtr(high).exp() - log_ndtr(low).exp()).log()

    return wrong


def by_density(x, mean, std, levels, width=1.0):
    return -((x - mean) / std).square() / 2 - (std * math.sqrt(2 * math.pi) + 0 * x).log() + math.log(width)


def mirrored(x, mean, std, levels):
    """Everything turned around, so that the lower tail is the one that counts."""
    flip = torch.where(x > mean, -1.0, 1.0).to(x)
    low, high = edges(flip * x, flip * mean, std, levels)
    high, low = log_ndtr(high), log_ndtr(low)
    return high + torch.log(-torch.expm1(low - high))


CUT = (
    "You keep the logarithm finite by force. Then a level 20 σ away costs as much as one 10 σ away: a model that is badly wrong pays too "
    "little, and has no slope to learn from. Work with `log_ndtr`."
)
ROUNDED = (
    "far from the mean both values of Φ are rounded to the same number, and the logarithm of their difference, 0, is infinite. Work with "
    "`log_ndtr`, and in the tail where both values are small."
)
OVERFLOW = f"The formula is right, but {ROUNDED}"
UNDONE = (
    "You undo the logarithm before you subtract, so small probabilities are rounded to 0 after all. Stay with the logarithms A and B: "
    "log(eᴬ − eᴮ) = A + log1p(−exp(B − A))."
)
TWO = "Two things."
CLOSED = (
    "Your first and last levels end half a step outside of [−1, 1]. All that lies below −1 counts as −1, and all above 1 as 1, or "
    "the probabilities do not sum to 1."
)
COUNTED = "You divide by the number of levels. Between `levels` values from −1 to 1 there are one step less: a step is 2 / (levels − 1)."
OVERLAP = "Your levels overlap: they reach a whole step to each side. Rounding to the nearest gives each half a step."
GAPS = "Your levels have gaps between them. The values run from −1 to 1, so a step is 2 / (levels − 1), and half of it is 1 / (levels − 1)."
term = bound.level_log_probability

exercise(
    target=bound.level_log_probability,
    title="The probability of a grey level",
    probe=probe_level_log_probability,
    judge=finite_apart,
    mistakes={
        "rounded away": (levels_with(least=("clamped", 0.0)), OVERFLOW),
        "rounded away, closed ends": (levels_with(open_ends=False, least=("clamped", 0.0)), f"{TWO} {CLOSED} And {ROUNDED}"),
        "log_ndtr undone": (log_undone(), UNDONE),
        "log_ndtr undone, closed ends": (log_undone(open_ends=False), f"{TWO} {CLOSED} {UNDONE}"),
        "one tail only": (
            one_tail(),
            "Below the mean your result is right. Above it, both values of Φ are so near 1 that their logarithms are rounded to the same "
            "number. There, count from the other side: Φ(b) − Φ(a) = Φ(−a) − Φ(−b).",
        ),
        "one tail, closed ends": (
            one_tail(open_ends=False),
            f"{TWO} {CLOSED} And above the mean, where both values of Φ are near 1, you have to count from the other side.",
        ),
        "the other tail only": (
            lambda *a: upper_tail(*edges(*a)),
            "Above the mean your result is right. Below it, both areas to the right are near 1: there, count from the left.",
        ),
        "difference of logarithms": (
            lambda *a: (lambda low, high: log_ndtr(high) - log_ndtr(low))(*edges(*a)),
            "A difference of logarithms is the logarithm of a *quotient*. Wanted is the logarithm of Φ(high) − Φ(low).",
        ),
        **{f"{what}, rounded away": (levels_with(half, least=("clamped", 0.0)), f"{TWO} {why} And {ROUNDED}")
           for what, half, why in (("a quarter", lambda n: 0.5 / (n - 1), GAPS), ("overlapping", lambda n: 2 / (n - 1), OVERLAP),
                                   ("by levels", lambda n: 1 / n, COUNTED))},
        **{f"clamped at {least:g}": (levels_with(least=("clamped", least)), CUT)
           for least in (1e-300, torch.finfo(torch.float32).tiny, 1e-15, 1e-12, 1e-10, 1e-8)},
        **{f"{least:g} added": (levels_with(least=("added", least)), CUT) for least in (1e-12, 1e-10, 1e-8)},
        "infinity replaced": (
            levels_with(least=("clamped", 0.0), after=lambda log_p: log_p.nan_to_num(neginf=-100.0)),
            CUT,
        ),
        "256 grey levels": (
            levels_with(lambda levels: 1 / 255),
            "Your levels are those of pictures with 256 of them. How many there are is an argument.",
        ),
        "density": (
            by_density,
            "This is the logarithm of a density, which may be above 0. A grey level is a piece of the axis, and its probability is the "
            "area above it.",
        ),
        "density times width": (
            lambda x, mean, std, levels: by_density(x, mean, std, levels, 2 / (levels - 1)),
            "You take the density in the middle of the level, times its width. That is the area only where the density hardly changes over one "
            "level: σ may be much narrower. And the two end levels reach to infinity.",
        ),
        "closed ends": (
            levels_with(open_ends=False),
            CLOSED,
        ),
        "as many steps as levels": (
            levels_with(lambda levels: 1 / levels),
            COUNTED,
        ),
        "a whole step to each side": (
            levels_with(lambda levels: 2 / (levels - 1)),
            OVERLAP,
        ),
        "a quarter to each side": (
            levels_with(lambda levels: 0.5 / (levels - 1)),
            GAPS,
        ),
        "half of as many steps as levels": (
            levels_with(lambda levels: 0.5 / levels),
            "Your levels have gaps between them, and you divide by their number. A step is 2 / (levels − 1): from −1 to 1, and one step less "
            "than levels.",
        ),
        "rounded down": (
            lambda x, mean, std, levels: log_between(
                *edges(x + 1 / (levels - 1), mean, std, levels, open_ends=False)),
            "Your level begins at x and ends one step above it. Rounding to the *nearest* puts x into the middle.",
        ),
        "wrong ends open": (
            lambda x, mean, std, levels: log_between(
                edges(x, mean, std, levels, open_ends=False)[0].masked_fill(x > 1 - 1e-6, -math.inf),
                edges(x, mean, std, levels, open_ends=False)[1].masked_fill(x < -1 + 1e-6, math.inf)),
            "You opened the wrong ends. The lowest level reaches down to −∞, the highest up to ∞.",
        ),
        "only the lower end open": (
            lambda x, mean, std, levels: log_between(
                edges(x, mean, std, levels)[0], edges(x, mean, std, levels, open_ends=False)[1]),
            "The highest level still ends half a step above 1. All above counts as 1.",
        ),
        "only the upper end open": (
            lambda x, mean, std, levels: log_between(
                edges(x, mean, std, levels, open_ends=False)[0], edges(x, mean, std, levels)[1]),
            "The lowest level still begins half a step below −1. All below counts as −1.",
        ),
        "every level open below": (
            lambda x, mean, std, levels: log_ndtr(edges(x, mean, std, levels)[1]),
            "This is the probability of this level *or any darker one*. Subtract that of the darker ones.",
        ),
        "root of σ": (
            lambda x, mean, std, levels: term(x, mean, std**0.5, levels),
            "You take the root of `std`. It is a standard deviation already.",
        ),
        "variance for σ": (
            lambda x, mean, std, levels: term(x, mean, std**2, levels),
            "You divide by the square of `std`. Φ wants the distance from the mean in units of σ.",
        ),
        "σ not used": (
            lambda x, mean, std, levels: term(x, mean, 0 * std + 1, levels),
            "Your spread is 1. Φ wants the distance from the mean in units of `std`.",
        ),
        "in bits": (
            levels_with(after=lambda log_p: log_p / math.log(2)),
            "This is in bits. Nats are wanted: the natural logarithm.",
        ),
        "probability": (
            levels_with(after=torch.exp),
            "This is the probability itself. Its logarithm is wanted, which stays finite where the probability is rounded to 0.",
        ),
        "surprise": (
            levels_with(after=lambda log_p: -log_p),
            "This is the surprise, minus the log-probability. A log-probability is at most 0.",
        ),
        "added up": (
            levels_with(after=lambda log_p: log_p.flatten(1).sum(1) if log_p.ndim > 1 else log_p.sum()),
            "You add the numbers of a picture up. One log-probability for each number is wanted; `data_term` adds them.",
        ),
        "all added up": (
            levels_with(after=torch.sum),
            "You add everything up. One log-probability for each number is wanted; `data_term` adds them.",
        ),
        "all averaged": (
            levels_with(after=torch.mean),
            "You average. One log-probability for each number is wanted.",
        ),
    },
    accepts=[
        mirrored,
        lambda x, mean, std, levels: log_between(*edges(x, mean, std, levels)),
    ],
    equivalents={
        "low = torch.where(x <= -1 + half, -math.inf, (x - half - mean) / std)": "no grey level lies on the edge of one",
        "high = torch.where(x >= 1 - half, math.inf, (x + half - mean) / std)": "no grey level lies on the edge of one",
        "low, high = (torch.where(low >= 0, -high, low), torch.where(low > 0, -low, high))": "at 0 itself both sides give the same",
        "low, high = (torch.where(low > 0, -high, low), torch.where(low >= 0, -low, high))": "at 0 itself both sides give the same",
    },
    hints=[
        "Which piece of the axis is rounded to x? It ends half a step to each side, but for the first and the last level.",
        "Its probability is Φ(high) − Φ(low), in units of σ from the mean. −math.inf and math.inf are allowed as ends.",
        "With A = log Φ(high) and B = log Φ(low), both from `log_ndtr`: log(eᴬ − eᴮ) = A + log1p(−exp(B − A)).",
        "That fails where both Φ are near 1. There, turn the axis around: the piece from −high to −low has the same probability.",
    ],
    points=3,
    minutes=25,
)  # fmt: skip


def probe_step_term(answer, rng):
    n, chain, size = rng.size(4, 6), short_chain(rng), rng.size(3, 5)
    x, noise = rng.images(n, 1, size), rng.normal(n, 1, size, size)
    off = rng.normal(n, 1, size, size)

    def predict(x_t, t):  # a poor network, that looks at what it is given
        return (
            0.6 * x_t
            + 0.3
            * off[: len(x_t)]
            * torch.as_tensor(t).to(x_t).reshape(-1, *[1] * (x_t.ndim - 1))
            / chain.steps
        )

    def of_points(x_t, t):
        return 0.5 * x_t.tanh() * t / chain.steps

    points, fresh = rng.normal(n + 2, 2), rng.normal(n + 2, 2)
    return {
        "pictures, β": answer(predict, x, rng.size(2, 4), noise, chain, chain.beta),
        "points, β̃": answer(of_points, points, chain.steps, fresh, chain, chain.variance),
        "points, other variances": answer(of_points, points, 2, fresh, chain, 0.5 * chain.beta + 0.02),
    }


def gaussians(predict, x, t, noise, schedule, variances):
    """Mean and variance of the posterior and of the model's step, each as x."""
    x_t = q_sample(x, t, noise, schedule.alpha_bar)
    mean_q, variance_q = posterior(x, x_t, t, schedule)
    mean_p = samplers.step_back(x_t, predict(x_t, t), t, schedule)
    return mean_q, variance_q.expand_as(x), mean_p, at(variances, t, x).expand_as(x)


def divergence(mean_q, variance_q, mean_p, variance_p):
    """KL(q ‖ p) of one-dimensional Gaussians."""
    quotient = variance_q / variance_p
    return 0.5 * ((mean_q - mean_p).square() / variance_p + quotient - 1 - quotient.log())


def term_with(number=divergence, total=lambda kl: kl.flatten(1).sum(1)):
    """The term by another number for each pixel, or added up in another way."""

    def wrong(predict, x, t, noise, schedule, variances):
        return total(number(*gaussians(predict, x, t, noise, schedule, variances)))

    return wrong


def of_means(means, x_t, t, schedule, variances):
    """The term when the two means(x_t), of the posterior and of the model, are others."""
    mean_q, mean_p = means(x_t)
    kl = divergence(mean_q, at(schedule.variance, t, x_t), mean_p, at(variances, t, x_t))
    return kl.flatten(1).sum(1)


def error_of_noise(weight):
    def wrong(predict, x, t, noise, schedule, variances):
        error = (noise - predict(q_sample(x, t, noise, schedule.alpha_bar), t)).square()
        return (weight(schedule, variances)[t] * error).flatten(1).sum(1)

    return wrong


def by_torch(predict, x, t, noise, schedule, variances):
    mean_q, variance_q, mean_p, variance_p = gaussians(predict, x, t, noise, schedule, variances)
    return (
        kl_divergence(Normal(mean_q, variance_q.sqrt()), Normal(mean_p, variance_p.sqrt())).flatten(1).sum(1)
    )


each_term = bound.step_term

exercise(
    target=bound.step_term,
    title="What one step costs",
    probe=probe_step_term,
    mistakes={
        "the other way round": (
            term_with(lambda mean_q, variance_q, mean_p, variance_p: divergence(mean_p, variance_p, mean_q, variance_q)),
            "Your two Gaussians have changed places. The posterior comes first: it is the one that x_{t−1} is drawn from.",
        ),
        "posterior's arguments exchanged": (
            lambda predict, x, t, noise, schedule, variances: of_means(
                lambda x_t: (posterior(x_t, x, t, schedule)[0], samplers.step_back(x_t, predict(x_t, t), t, schedule)),
                q_sample(x, t, noise, schedule.alpha_bar), t, schedule, variances),
            "`posterior` takes the data first, and then x_t.",
        ),
        "x_t of the step before": (
            lambda predict, x, t, noise, schedule, variances: of_means(
                lambda x_t: (posterior(x, x_t, t, schedule)[0], samplers.step_back(x_t, predict(x_t, t), t, schedule)),
                q_sample(x, t - 1, noise, schedule.alpha_bar), t, schedule, variances),
            "You make x_{t−1} and go on as if it were x_t. The step back begins at x_t: `q_sample` at t.",
        ),
        "predicted data for the mean": (
            lambda predict, x, t, noise, schedule, variances: of_means(
                lambda x_t: (posterior(x, x_t, t, schedule)[0], data_from_noise(x_t, predict(x_t, t), t, schedule.alpha_bar)),
                q_sample(x, t, noise, schedule.alpha_bar), t, schedule, variances),
            "The mean of your model is the predicted data, all t steps back. One step back is wanted: `step_back`.",
        ),
        "prediction for the mean": (
            lambda predict, x, t, noise, schedule, variances: of_means(
                lambda x_t: (posterior(x, x_t, t, schedule)[0], predict(x_t, t)),
                q_sample(x, t, noise, schedule.alpha_bar), t, schedule, variances),
            "The network gives noise, and you take it for the mean of x_{t−1}. `step_back` makes the one of the other.",
        ),
        "variances left out": (
            term_with(lambda mean_q, variance_q, mean_p, variance_p: (mean_q - mean_p).square() / (2 * variance_p)),
            "You have only the squared distance of the means (or, which is the same, the weighted error of the noise). Where σ_t² is not "
            "β̃_t, the different widths cost something too: `kl_1d` knows both.",
        ),
        "posterior's variance for both": (
            term_with(lambda mean_q, variance_q, mean_p, variance_p: (mean_q - mean_p).square() / (2 * variance_q)),
            "You use the posterior's variance β̃ for the model too, whatever is asked. The model's is given in `variances`.",
        ),
        "model's variance for both, not halved": (
            term_with(lambda mean_q, variance_q, mean_p, variance_p: (mean_q - mean_p).square() / variance_p),
            "You have the squared distance of the means over σ², without the half, and nothing for the different widths. `kl_1d` knows it all.",
        ),
        "variances for standard deviations": (
            term_with(lambda mean_q, variance_q, mean_p, variance_p: divergence(mean_q, variance_q**2, mean_p, variance_p**2)),
            "You hand variances to `kl_1d`. It wants standard deviations, and squares them by itself.",
        ),
        "posterior's variance not rooted": (
            term_with(lambda mean_q, variance_q, mean_p, variance_p: divergence(mean_q, variance_q**2, mean_p, variance_p)),
            "`posterior` gives a variance, and `kl_1d` wants a standard deviation: the root is missing on the posterior's side.",
        ),
        "model's variance not rooted": (
            term_with(lambda mean_q, variance_q, mean_p, variance_p: divergence(mean_q, variance_q, mean_p, variance_p**2)),
            "`variances` holds σ², and `kl_1d` wants a standard deviation: the root is missing on the model's side.",
        ),
        "mean over the pixels": (
            term_with(total=lambda kl: kl.flatten(1).mean(1)),
            "You average over the numbers of a picture. The bits of a picture are the *sum* of the bits of its numbers.",
        ),
        "one value for the batch": (
            term_with(total=lambda kl: kl.flatten(1).sum(1).mean()),
            "You average over the batch. One value for each picture is wanted.",
        ),
        "batch added up": (
            term_with(total=torch.sum),
            "You add up the whole batch. One value for each picture is wanted.",
        ),
        "batch averaged, with its pixels": (
            term_with(total=torch.mean),
            "You average over everything. One value for each picture is wanted, the sum over its numbers.",
        ),
        "one value for each number": (
            term_with(total=lambda kl: kl),
            "You have one value for each number of a picture. Add those of each picture up.",
        ),
        "in bits": (
            term_with(total=lambda kl: kl.flatten(1).sum(1) / math.log(2)),
            "This is in bits. Nats are wanted here; the lesson converts.",
        ),
        "error of the noise": (
            error_of_noise(lambda schedule, variances: torch.ones_like(variances)),
            "This is the error that the network was trained with, summed up. In the bound each time has a weight of its own, and the widths of the "
            "two Gaussians count: take their divergence.",
        ),
        "data predicted for the posterior": (
            lambda predict, x, t, noise, schedule, variances: each_term(
                lambda x_t, t: noise, x, t, noise, schedule, variances),
            "Both of your Gaussians know the data. The model has to find x_{t−1} from its prediction alone.",
        ),
        "x_t without noise": (
            lambda predict, x, t, noise, schedule, variances: each_term(predict, x, t, 0 * noise, schedule, variances),
            "You show the network data without noise. x_t is made by `q_sample`, with the noise that you are given.",
        ),
        "network shown clean data": (
            lambda predict, x, t, noise, schedule, variances: each_term(
                lambda x_t, t: predict(x, t), x, t, noise, schedule, variances),
            "You show the network the clean data. It has to work from x_t.",
        ),
        "network told t − 1": (
            lambda predict, x, t, noise, schedule, variances: each_term(
                lambda x_t, t: predict(x_t, t - 1), x, t, noise, schedule, variances),
            "You tell the network t − 1. What it sees is x_t.",
        ),
        "variance of the step before": (
            lambda predict, x, t, noise, schedule, variances: each_term(
                predict, x, t, noise, schedule, variances.roll(1)),
            "You read `variances` at t − 1. Its index is the paper's t.",
        ),
        "schedule's own β": (
            lambda predict, x, t, noise, schedule, variances: each_term(
                predict, x, t, noise, schedule, schedule.beta),
            "You use β for the model whatever is asked. The model's variances are an argument.",
        ),
        "clipped": (
            lambda predict, x, t, noise, schedule, variances: term_with()(
                lambda x_t, t: noise_left(data_from_noise(x_t, predict(x_t, t), t, schedule.alpha_bar).clamp(-1, 1), x_t, t, schedule),
                x, t, noise, schedule, variances),
            "You limit the predicted data. That is another model; here the step is `step_back`.",
        ),
        "noise for the prediction": (
            lambda predict, x, t, noise, schedule, variances: each_term(
                lambda x_t, t: 0 * x_t, x, t, noise, schedule, variances),
            "The prediction does not enter: your step back takes no noise away.",
        ),
    },
    accepts=[
        term_with(),
        by_torch,
        lambda predict, x, t, noise, schedule, variances: by_torch(
            predict, x.double(), t, noise.double(), schedule, variances).to(x),
    ],
    equivalents={
        "std_p = at(variances.sqrt(), t, x)": "kl_1d broadcasts",
        "return kl_1d(mean_q, variance_q.sqrt(), mean_p, std_p).flatten(1).sum(1)": "kl_1d broadcasts",
    },
    hints=[
        "You have all the parts: `q_sample` makes x_t; `posterior` and `step_back` say where x_{t−1} is, with the data and without.",
        "`posterior` gives its variance too, and the model's is `variances` at t. `kl_1d` (lesson 13) wants standard deviations, and the posterior first.",
        "Pixels are independent in both Gaussians, so their divergences are added: one sum for each picture.",
    ],
    points=3,
    minutes=20,
)  # fmt: skip
