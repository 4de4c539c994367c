# %% [markdown]
# # 53 · Fewer steps
#
# **A thousand calls of the network for one picture: which of them are needed?** Lesson 52 walked from noise to digits along the whole chain, because that is how
# the chain was made. Below are 64 digits from that walk, and beside them 64 from the *same network*, called 20 times. Nothing was trained anew.
#
# In this lesson you write the sampler behind the right half. It leaves out most of the steps, chooses how much fresh noise to add in those that are left
# (none at all makes **DDIM**; Song, Meng and Ermon, 2021), and looks a little ahead in each. A walk without fresh noise can also be walked backwards: from a
# real digit to the noise that it could have come from.
#
# About 90 minutes · 6 exercises · needs: lessons 50 to 52; `slerp` of lesson 14; FID from lesson 20.

# %%
import math
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from minigen import samplers, show
from minigen.core import budget
from minigen.course import check, hint, measured, measured_model, progress, reference, solution
from minigen.data import digits, ring
from minigen.diffusion import (
    Predict,
    Schedule,
    Times,
    cosine_betas,
    data_from_noise,
    exact_noise,
    linear_betas,
    posterior,
    q_sample,
)
from minigen.features import DigitFeatures
from minigen.latent_space import lerp, slerp
from minigen.metrics import fid
from minigen.recipes import trained
from minigen.samplers import ancestral

# %%
ddpm = trained("digit_ddpm")  # the network of lesson 51, from the cache, or trained now
chain = ddpm.schedule
TWENTY, FIFTY = budget(3, 20, 20), budget(4, 50, 50)  # a smoke test takes fewer


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def fresh(*shape: int, seed: int) -> Callable[[int], Tensor]:
    """noise(t) for a sampler: draws from N(0, I), another one at each call."""
    generator = torch.Generator().manual_seed(seed)
    return lambda t: torch.randn(*shape, generator=generator)


@torch.no_grad()
def predict_digits(x_t: Tensor, t: Times) -> Tensor:
    return ddpm.predict(x_t, t)


def beside(left: Tensor, right: Tensor) -> Tensor:
    """64 images, a white column, and 64 others: (136, 1, 8, 8), for a grid of 17 columns."""
    white = torch.ones(8, 1, 1, 8, 8)
    return torch.cat([left.view(8, 8, 1, 8, 8), white, right.view(8, 8, 1, 8, 8)], dim=1).flatten(0, 1)


whole = Schedule(chain.beta[1 : budget(20, chain.steps, chain.steps) + 1])  # a smoke test takes its beginning
IMAGES = 64, 1, 8, 8
start, clock = normal(*IMAGES, seed=0), [time.perf_counter()]
slow = ancestral(predict_digits, start, whole, fresh(*IMAGES, seed=1), whole.variance, clip=True)
clock.append(time.perf_counter())
quick = samplers.few_steps(
    predict_digits, start, chain.alpha_bar, TWENTY, 1.0, fresh(*IMAGES, seed=2), second_order=True, clip=True
)
clock.append(time.perf_counter())
show.grid(
    beside(slow, quick), columns=17, title=f"64 digits of {whole.steps:,} calls each, and 64 of {TWENTY}"
)

# %%
seconds = [b - a for a, b in pairwise(clock)]
print(f"64 digits: {seconds[0]:.2f} s with {whole.steps:,} calls, {seconds[1]:.2f} s with {TWENTY}")
measured("time for 1,000 calls / time for 20", seconds[0] / seconds[1], at_least=20)

# %% [markdown]
# The eye finds some poor digits in both halves. Part 5 measures which half is better.
#
# ## 1 · Which times to visit
#
# A walk in few steps visits a few times of the chain: the first has to be $T$, where the noise is, and the last has to be 0, the data. In between we
# want steps that are as equally long as can be. With $T = 1000$ and 20 steps that is easy. With 7 steps, or with a chain of another length, it
# takes some care: times are whole numbers.
#
# **Your turn.** The time $T$ and the number of steps go in; a list of falling whole numbers comes out. (The network knows all times of the chain, so
# each of them may be visited. And $t = 0$ is data, as in the last lessons.)

# %% exercise
from minigen.samplers import times

# %%
times = check("times", times)

# %%
for last, steps in (1000, 5), (1000, 7), (50, 8):
    print(f"T = {last}, {steps} steps: {times(last, steps)}")

# %% [markdown]
# ## 2 · A step of any length
#
# Why may steps be left out at all? The chain was built so that $x_{t-1}$ follows from $x_t$, and we are about to skip what lies between.
#
# But think of the training. In lesson 51 the network *never saw a chain*. It saw $x_t$, made from the data in one jump, and it was told $t$:
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x + \sqrt{1 - \bar\alpha_t}\, \varepsilon . $$
#
# How $x_t$ and $x_s$ of the same picture hang together did not matter, because no term of the loss contains both. So the network is a network for
# *every* process in which $x_t$ looks like this at each single $t$. Song, Meng and Ermon wrote down a whole family of them: from DDPM's chain, in which much
# is random, to a process in which nothing is. The bound of each that has noise in it is the same sum of squared errors, with other weights of the times, and
# $L_{\text{simple}}$ ignores the weights.
#
# So let us build a step from $t$ to $s$, both of our choice. The network has looked at $x_t$, and we know its opinion of the data, $x_0$. At time $s$ we need
#
# - the share of the data that belongs there, which is $\sqrt{\bar\alpha_s}$;
# - and noise of variance $1 - \bar\alpha_s$. We have a candidate: what is left of $x_t$ when the predicted data is taken out, scaled to variance 1. Call it $\hat\varepsilon$. We may
#   keep it, or draw fresh noise, or *take a part of each*. If the fresh part has variance $\sigma^2$, then the rest of $1 - \bar\alpha_s$ is for
#   $\hat\varepsilon$.
#
# And how large is σ? Imagine a chain whose only times are 0, $s$ and $t$. A step there, from $s$ to $t$, leaves $\bar\alpha_t / \bar\alpha_s$ of the variance. The
# way back is the posterior of lesson 51, whose variance was
#
# $$ \tilde\beta_t = \frac{1 - \bar\alpha_{t-1}}{1 - \bar\alpha_t}\, \beta_t , $$
#
# and you can translate it to the long step: what stands in the place of $\bar\alpha_{t-1}$, and what in the place of $\beta_t$? Its root is DDPM's σ. We allow any share
# **η** (say: eta) of it, so η is a factor of σ: 1 is DDPM, and 0 is no fresh noise.
#
# **Your turn.** In go $x_t$, the predicted data, the two times, the table of $\bar\alpha$, η, and noise from $N(0, I)$ to draw from. Out comes $x_s$. Take care of one
# more thing: with η = 0 the step should also work for $s > t$.

# %% exercise
from minigen.samplers import ddim_step

# %%
ddim_step = check("ddim_step", ddim_step)

# %% [markdown]
# In one line, the step is
#
# $$ x_s = \sqrt{\bar\alpha_s}\, x_0 + \sqrt{1 - \bar\alpha_s - \sigma^2}\; \hat\varepsilon + \sigma\, \varepsilon, \qquad
# \sigma^2 = \eta^2\, \frac{1 - \bar\alpha_s}{1 - \bar\alpha_t} \Big( 1 - \frac{\bar\alpha_t}{\bar\alpha_s} \Big) . $$
#
# Two claims about it can be tested to many digits, and a third with many draws. With η = 1 and $s = t - 1$ it *is* the posterior, in mean and in variance. With η = 0 it keeps data and noise apart: it
# is the jump of lesson 50 to time $s$, with the old noise. And for *every* η, if the prediction is right, $x_s$ has the mean and the variance that it has
# in training.

# %%
one, two, three = (normal(100, 2, seed=seed).double() for seed in range(3))
apart = {"η = 1, s = t − 1, and the posterior": 0.0, "η = 0, and the jump with the old noise": 0.0}
for each in chain, Schedule(linear_betas()), Schedule(cosine_betas()):
    a_bar = each.alpha_bar
    for t in range(2, each.steps, 83):
        mean, variance = posterior(one, two, t, each)
        stepped = ddim_step(two, one, t, t - 1, a_bar, eta=1.0, noise=three)
        jumped = ddim_step(q_sample(one, t, three, a_bar), one, t, t // 2, a_bar)
        found = stepped - (mean + variance.sqrt() * three), jumped - q_sample(one, t // 2, three, a_bar)
        apart = {
            name: max(e, float(f.abs().max())) for (name, e), f in zip(apart.items(), found, strict=True)
        }
for name, error in apart.items():
    measured(f"largest difference: {name}", error, at_most=1e-10)

# %%
many, t, s = 100_000, chain.steps // 2, chain.steps // 4
x = torch.full((many, 1), 0.7).double()
wrong = []
for eta in 0.0, 0.5, 1.0:
    x_t = q_sample(x, t, normal(many, 1, seed=5).double(), chain.alpha_bar)
    x_s = ddim_step(x_t, x, t, s, chain.alpha_bar, eta, normal(many, 1, seed=6).double())
    wanted = 0.7 * float(chain.alpha_bar[s].sqrt()), float(1 - chain.alpha_bar[s])
    print(
        f"η = {eta}: mean {x_s.mean():.3f}, variance {x_s.var():.3f}; wanted {wanted[0]:.3f}, {wanted[1]:.3f}"
    )
    wrong += [abs(float(x_s.mean()) - wanted[0]), abs(float(x_s.var()) - wanted[1])]
measured("largest error of a mean or a variance, 100,000 draws", max(wrong), at_most=0.015)

# %% [markdown]
# ## 3 · With fresh noise, and without
#
# Now the walk is a short loop: ask, step, go on. As in lesson 52 we keep the predicted data of pictures in $[-1, 1]$. Let us start from the same ten $x_T$ again
# and again, each time with new fresh noise, for three values of η.


# %%
def walk(x: Tensor, steps: int, eta: float, noise: Callable[[int], Tensor]) -> Tensor:
    """Digits out of noise: the plain loop, of first order."""
    for t, s in pairwise(times(chain.steps, steps)):
        x0 = data_from_noise(x, predict_digits(x, t), t, chain.alpha_bar).clamp(-1, 1)
        x = ddim_step(x, x0, t, s, chain.alpha_bar, eta, noise(t))
    return x


ten = normal(10, 1, 8, 8, seed=7)
tries = {
    eta: [walk(ten, FIFTY, eta, fresh(10, 1, 8, 8, seed=seed)) for seed in (8, 9)] for eta in (0.0, 0.5, 1.0)
}
show.rows(
    {
        f"η = {eta:g}" + ",\nagain" * i: x.clamp(-1, 1)
        for eta, pair in tries.items()
        for i, x in enumerate(pair)
    },
    title=f"The same ten x_T, {FIFTY} steps, two tries for each η",
)

# %%
moved = {eta: float((a - b).square().mean().sqrt()) for eta, (a, b) in tries.items()}
print("root mean squared difference of two tries:", {eta: round(v, 3) for eta, v in moved.items()})
measured("difference of two tries, η = 0", moved[0.0], at_most=0.0)
measured("difference of two tries, η = 1", moved[1.0], at_least=0.3)

# %% [markdown]
# With η = 0 the two tries are the same to the last bit: all that is random is $x_T$, so the walk is a *function* from noise to digits. Parts 6 and 7 live on that. With η = 1
# two walks from one $x_T$ come to different digits, since most of what decides is drawn on the way. Even with η = 0.5 most digits are others.
#
# ## 4 · A step that looks ahead
#
# Without fresh noise, the walk with very many steps follows a smooth curve. A walk in few steps cuts its corners: in each step it aims at the data that is predicted
# *at the beginning* of the step, and that prediction changes on the way. First a guess.

# %% exercise
from minigen.exercises.lesson_53_ddim import twice_the_steps

# %%
twice_the_steps = check("twice_the_steps", twice_the_steps)

# %% [markdown]
# Solvers are named after this: if the error at the end is divided by $2^p$ when the number of steps is doubled, the solver is of **order** $p$. A solver of
# second order wins more by each doubling, if it does not cost more calls.
#
# Here is one that does not (Lu and others, 2022, *DPM-Solver++*). From the second step on we know *two* predictions of the data: the one of now, and that of
# one step earlier. If the prediction has been moving, it will go on moving, so do not aim at where it is. Aim at **where it will be in the middle of the coming step**,
# which is a fair stand-in for the whole of it.
#
# "Middle" needs a scale. In $t$ the prediction may move quickly here and slowly there, and $t$ depends on the chain. The natural scale is the logarithm of the
# signal-to-noise ratio of lesson 50; half of that logarithm is called $\lambda$. It grows on the way to data. The prediction is taken to move evenly in $\lambda$: at the same rate in the coming step as
# in the one behind.
#
# **Your turn.** In go the prediction of now and the one before, three times (of the earlier prediction, of this one, and of the end of the step), and the table. Out comes the aim.

# %% exercise
from minigen.samplers import extrapolate

# %%
extrapolate = check("extrapolate", extrapolate)

# %% [markdown]
# **Your turn, a repair.** Now all of it in one function: the times, the prediction (clipped if asked), the aim, the fresh noise, the step. Two steps have to do without looking ahead: the
# first, since there is no earlier prediction, and the last, since at the data λ is infinite. The function below draws good digits. But it is not what its docstring says.

# %% exercise
from minigen.samplers import few_steps

# %%
few_steps = check("few_steps", few_steps)

# %% [markdown]
# What did the fault cost? That can be seen where the end of the curve is known. Take data from one Gaussian, of variance $v$ in one direction. Then all is linear: the exact noise
# is $x_t$ times a number, and the whole walk multiplies $x_T$ by $\sqrt{v / m_T}$, where $m_T = \bar\alpha_T v + 1 - \bar\alpha_T$ is the variance of $x_T$. We take three directions, of different width, and
# double the number of steps again and again.

# %%
wide = torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64)  # standard deviations of the data


def variance_at(t: int) -> Tensor:
    return chain.alpha_bar[t] * wide**2 + 1 - chain.alpha_bar[t]


def predict_gaussian(x_t: Tensor, t: int) -> Tensor:
    return (1 - chain.alpha_bar[t]).sqrt() * x_t / variance_at(t)


def careless(steps: int) -> Tensor:
    """The walk before your repair."""
    x, earlier = torch.ones(1, 3).double(), None
    for t, s in pairwise(times(chain.steps, steps)):
        x0 = aim = data_from_noise(x, predict_gaussian(x, t), t, chain.alpha_bar)
        if earlier is not None and s > 0:
            aim = extrapolate(x0, earlier[1], (earlier[0], t, s), chain.alpha_bar)
        x, earlier = ddim_step(x, aim, t, s, chain.alpha_bar), (t, aim)
    return x


def plain(steps: int, second_order: bool) -> Tensor:
    return few_steps(
        predict_gaussian, torch.ones(1, 3).double(), chain.alpha_bar, steps, second_order=second_order
    )


walks = {
    "DDIM": lambda steps: plain(steps, False),
    "before the repair": careless,
    "second order": lambda steps: plain(steps, True),
}
exact_end = wide / variance_at(chain.steps).sqrt()
doubled = (6, 12, 25, 50, 100)
errors = {
    name: {steps: float((made(steps) / exact_end - 1).square().mean().sqrt()) for steps in doubled}
    for name, made in walks.items()
}
for name, found in errors.items():
    print(f"{name:18}" + "   ".join(f"{steps:3} steps {error:.5f}" for steps, error in found.items()))
show.curves(
    {name: {math.log10(steps): e for steps, e in found.items()} for name, found in errors.items()},
    xlabel="log10 of the number of steps",
    ylabel="relative error at the end",
    title="One Gaussian, exact predictions, no fresh noise",
    log=True,
)

# %%
fall = {name: found[25] / found[100] for name, found in errors.items()}
measured("DDIM: error with 25 steps / with 100", fall["DDIM"], at_least=3)
measured("DDIM: error with 25 steps / with 100 (order 1: 4)", fall["DDIM"], at_most=5)
measured("before the repair: error with 25 steps / with 100", fall["before the repair"], at_most=8)
measured("second order: error with 25 steps / with 100", fall["second order"], at_least=9)
measured(
    "100 steps: error of DDIM / of second order",
    errors["DDIM"][100] / errors["second order"][100],
    at_least=4,
)

# %% [markdown]
# Two doublings divide DDIM's error by about $2 \cdot 2$, and that of the second order by much more. (In theory by $4 \cdot 4$, once the steps are small. Here
# the fall is steeper: with few steps the rule has not set in yet.) The walk before your repair is better than DDIM, so nobody would miss anything. But its curve is *parallel* to DDIM's in the end: the order is lost. It took its own aims, which
# had been moved ahead already, for predictions, and so saw only a part of each change. A fault in a solver seldom breaks it; it costs an order, and only a measurement like this one shows it.
#
# ## 5 · Quality against steps
#
# What counts are pictures, and an error of the solver is not the only one: the network is wrong as well. So we measure with FID, on the features of lesson 20's judge of digits: 1,000 samples each, for four
# samplers, with 5 to 50 calls. The grey band is what 1,000 calls of ancestral sampling give, from lowest to highest of three sets of 1,000.

# %%
ALL_STEPS = reference("digit_ddpm, ancestral")[
    "fid"
]  # measured by benchmarks/steps.py: it takes a quarter of an hour
N = budget(32, 1000, 1000)
judge = DigitFeatures()
real = judge.features(digits("train")[0])


def drawn(n: int, steps: int, eta: float, second_order: bool, seed: int) -> Tensor:
    """n digits (n, 1, 8, 8) in [-1, 1]; the seed decides on x_T and the fresh noise."""
    shape = n, 1, 8, 8
    noise = fresh(*shape, seed=1000 + seed)
    return few_steps(
        predict_digits, normal(*shape, seed=seed), chain.alpha_bar, steps, eta, noise, second_order, clip=True
    ).clamp(-1, 1)


kinds = {
    "DDIM (η = 0)": (0.0, False),
    "fresh noise (η = 1)": (1.0, False),
    "second order, η = 0": (0.0, True),
    "second order, η = 1": (1.0, True),
}
lengths = (budget(1, 5, 5), budget(2, 10, 10), TWENTY, FIFTY)
samples = {name: {n: drawn(N, n, *kind, seed=20) for n in lengths} for name, kind in kinds.items()}
quality = {name: {n: fid(real, judge.features(x)) for n, x in row.items()} for name, row in samples.items()}
print("FID          " + "".join(f"{n:>4} steps" for n in lengths))
for name, row in quality.items():
    print(f"{name:22}" + "   ".join(f"{value:7.3f}" for value in row.values()))
figure = show.curves(
    {name: {math.log10(n): value for n, value in row.items()} for name, row in quality.items()},
    xlabel="log10 of the number of steps",
    ylabel="FID, less is better",
    title="Quality against steps; grey: ancestral sampling, 1,000 steps",
    log=True,
)
figure.axes[0].axhspan(min(ALL_STEPS), max(ALL_STEPS), color="#bbbbbb", alpha=0.6, zorder=0)
figure

# %%
pictures = [samples[name][TWENTY][:32] for name in ("DDIM (η = 0)", "second order, η = 1")]
show.rows(
    {f"{' ' * i}{label}": x[16 * i : 16 * i + 16] for label, x in zip(("DDIM", "second order\nη = 1"), pictures, strict=True) for i in (0, 1)},
    title=f"{TWENTY} calls of the network",
)  # fmt: skip

# %% [markdown]
# Three things stand out.
#
# - **The second order pays.** At 5 and at 10 steps it is clearly better than the first, with fresh noise and without.
# - **Without fresh noise there is a floor.** From 20 to 50 steps the second order with η = 0 gains next to nothing. Its error as a *solver* is small by then, as part 4 showed. What is left is the error of the *network*: without fresh noise it
#   stays in $x$ and is carried along to the end.
# - **Fresh noise corrects.** With η = 1 a part of the old noise is thrown away in each step, errors and all, and the next prediction is made at a place that looks more like those of the training. The price is that a plain step
#   then needs to be shorter, so with 5 steps η = 1 is the worst of all, and with 50 it is better than both walks without. From 10 steps on, the second order pays that price.
#
# With large, long-trained networks the picture can be another one: their errors are smaller, and with few steps η = 0 is then often the better choice. Measure, before you believe in either.
#
# Now the promise of the title. Three sets of 1,000 digits with 20 calls, against three with 1,000. It is kept if the mean FID is at most higher by a tenth, or by two standard errors of the
# difference, whichever is more. The third set is also the one that goes into the table of all models (lesson 21).

# %%
seeds = iter((20, 22))  # `measured_model` first draws a single one
entry = measured_model("DDPM, 20 steps", lambda n: drawn(n, TWENTY, 1.0, True, seed=next(seeds)))
second = fid(real, judge.features(drawn(N, TWENTY, 1.0, True, seed=21)))
sets = [quality["second order, η = 1"][TWENTY], second, entry["fid"]]


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """The mean, and its standard error."""
    return statistics.mean(values), statistics.stdev(values) / math.sqrt(len(values))


(mine, my_error), (theirs, their_error) = mean_and_error(sets), mean_and_error(ALL_STEPS)
allowed = max(0.1 * theirs, 2 * math.hypot(my_error, their_error))
print(f"second order with fresh noise, {TWENTY} steps: FID {mine:.3f}, standard error {my_error:.3f}")
print(f"ancestral sampling, 1,000 steps: FID {theirs:.3f}, standard error {their_error:.3f}")
measured("second order, 20 steps: (FID − ancestral) / allowed", (mine - theirs) / allowed, at_most=1)
ddim = quality["DDIM (η = 0)"][TWENTY]
measured("20 steps: FID of DDIM / of the second order with fresh noise", ddim / mine, at_least=1.3)
single = quality["fresh noise (η = 1)"][TWENTY]
measured("20 steps, η = 1: FID of first order / of second", single / mine, at_least=1.2)
floor = quality["second order, η = 0"]
measured("second order, η = 0: FID with 20 steps / with 50", floor[TWENTY] / floor[FIFTY], at_most=1.3)
lowest = floor[FIFTY] / quality["second order, η = 1"][FIFTY]
measured("second order, 50 steps: FID without fresh noise / with", lowest, at_least=1.2)

# %% [markdown]
# The mean is even below that of 1,000 calls: ancestral sampling is no lower limit, and more calls with more fresh noise are not always better. (The
# sets differ by much, so do not read more into it.) So 980 of 1,000 calls were not needed, for this network and this judge.
#
# ## 6 · There and back
#
# A walk without fresh noise is a function. Can it be turned around? From a digit to the noise that the walk would have made it from: this is called **inversion**. It is how a real photograph gets into
# a diffusion model, to be changed there and brought back.
#
# The step knows both directions: `ddim_step` works for $s > t$ with η = 0. (Below it is written with `data_from_noise` and `q_sample`: at $t = 0$ there is no
# noise to divide by.) But there is a catch. The step from $t$ down to $s$ asks the network at $x_t$. On the way up we stand at $x_s$, and $x_t$ is what we are looking for. The
# simple way is to ask at $x_s$ in its place, and to hope that the answer is about the same. A better way takes several **rounds**: the first gives a place that may be $x_t$; ask there, and you get a better one; and so on. If the place
# settles, it is exactly the one from which the step down leads to $x_s$.
#
# **Your turn, a repair.** Data goes in, and a number of steps and of rounds. Noise comes out. With one round the function below is right.

# %% exercise
from minigen.samplers import invert

# %%
invert = check("invert", invert)

# %% [markdown]
# First with predictions that are exact and smooth: a ring of wide Gaussians (σ = 0.3) on the linear chain of lesson 50, in float64. (The linear one, since
# it leaves a little of the data at $T$. On a chain that leaves nothing, the last step cannot be undone.) With enough rounds the way back should end where the way there began.

# %%
linear, plane = Schedule(linear_betas()), ring(std=0.3)
points = plane.sample(50, torch.Generator().manual_seed(0)).double()


def predict_ring(x_t: Tensor, t: int) -> Tensor:
    return exact_noise(x_t, t, plane, linear.alpha_bar)


def round_trip(rounds: int, steps: int = 20) -> float:
    noise = invert(predict_ring, points, linear.alpha_bar, steps, rounds)
    return float((few_steps(predict_ring, noise, linear.alpha_bar, steps) - points).abs().max())


trips = {rounds: round_trip(rounds) for rounds in (1, 2, 3, 5, 10, 20, 40)}
print("largest error of the round trip: " + ", ".join(f"{r} rounds {e:.1e}" for r, e in trips.items()))
measured("zero-noise round trip, 40 rounds, float64", trips[40], at_most=1e-10)
measured("zero-noise round trip, 1 round", trips[1], at_least=1e-3)

# %% [markdown]
# Each round divides the error by about the same number, down to what float64 can hold. Now the network and real test digits. On the way back we clip, as always with digits, which
# the way there does not know of; and the network is not as smooth as a Gaussian. So here an error remains, and more rounds need not make it smaller.

# %%
ab = chain.alpha_bar
test = digits("test")[0]
subjects = test[torch.randperm(len(test), generator=torch.Generator().manual_seed(1))[:32]]


def there_and_back(steps: int, rounds: int) -> tuple[Tensor, Tensor]:
    noise = invert(predict_digits, subjects, ab, steps, rounds)
    return noise, few_steps(predict_digits, noise, ab, steps, clip=True).clamp(-1, 1)


def rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


trip = {(steps, rounds): there_and_back(steps, rounds) for steps in lengths for rounds in (1, 2, 3)}
shown = {"digits": subjects[:12]}
for steps, rounds in (lengths[0], 1), (TWENTY, 1), (TWENTY, 3):
    noise, back = trip[steps, rounds]
    label = f"{steps} steps,\n{rounds} round" + "s" * (rounds > 1)
    shown |= {label: (noise[:12] / 3).clamp(-1, 1), f"{' ' * len(shown)}and back": back[:12]}
show.rows(shown, title="Digits, the noise found for them (divided by 3), and the way back")

# %%
off = {key: rms(back - subjects) for key, (_, back) in trip.items()}
show.curves(
    {f"{r} round" + "s" * (r > 1): {math.log10(n): off[n, r] for n in lengths} for r in (1, 2, 3)},
    xlabel="log10 of the number of steps",
    ylabel="root mean squared error of a pixel",
    title="There and back again",
    log=True,
)

# %%
for rounds in (1, 2, 3):
    print(
        f"{rounds} round{'s' * (rounds > 1):1}: "
        + ", ".join(f"{n} steps {off[n, rounds]:.4f}" for n in lengths)
    )
measured("error of the round trip, 20 steps, 3 rounds", off[TWENTY, 3], at_most=0.08)
measured("error of 5 steps / of 50, 1 round", off[lengths[0], 1] / off[FIFTY, 1], at_least=2)
measured("10 steps: error of 1 round / of 2", off[lengths[1], 1] / off[lengths[1], 2], at_least=1.4)

# %% [markdown]
# To the eye every row is the digit again; with 5 steps it comes back a little greyer. (A pixel reaches from −1 to 1, and one of the 17 grey levels is 0.125 wide.) With one round, more steps help. With few steps a second round helps as well: 10 steps of two
# rounds are about as good as 20 steps of one, which cost as many calls.
#
# With 50 steps more rounds do harm, and most of it seems to be done in the step to $T$. Hardly anything of the data is left there, so $x_T$ is nothing but the noise
# that the network sees, and each further round puts the network's opinion of $x_T$ in the place of $x_T$: a network that is not exact lets it drift away.
# And the way back clips, which the way there does not know of. It has to: at $t = T$ the data is found by dividing by $\sqrt{\bar\alpha_T}$, and lies far
# outside of $[-1, 1]$.
#
# Is what we found *noise*? If the walk were perfect, real digits would turn into draws from $N(0, I)$: mean 0, variance 1, and a length near $\sqrt{64} = 8$.

# %%
found_noise = {"drawn from N(0, I)": normal(*subjects.shape, seed=12)}
found_noise |= {f"found, {r} round" + "s" * (r > 1): trip[TWENTY, r][0] for r in (1, 3)}
for name, z in found_noise.items():
    length = z.flatten(1).norm(dim=1)
    print(
        f"{name:20} mean {z.mean():6.3f}, variance {z.var():.3f}, length {length.mean():.2f} ± {length.std():.2f}"
    )
show.histogram(
    {name: z.flatten() for name, z in found_noise.items()},
    xlabel="a number of x_T",
    title=f"What {TWENTY} steps turn digits into",
)

# %%
measured("variance of the noise found, 20 steps, 1 round", found_noise["found, 1 round"].var(), at_most=0.8)
measured(
    "|variance − 1| of the noise found, 20 steps, 3 rounds",
    abs(found_noise["found, 3 rounds"].var() - 1),
    at_most=0.25,
)

# %% [markdown]
# With one round it is not: many numbers crowd just below 0. Some pixels are black in nearly every digit, and there the network knows the noise at once. Asked in the wrong place, a little closer to the data than it
# believes, it sees less noise than there should be, in each step again. With three rounds the variance is near 1, though the outline is still no bell: too many numbers near 0, and some far out. Keep it in mind when you read that inversion "finds the noise of a picture": it finds *some* $x_T$ that leads back, and how much it
# looks like noise depends on how it was sought.
#
# ## 7 · Walks between noises
#
# If $x_T$ decides on the digit, then $x_T$ is a code, like the codes of a VAE, only as large as the picture. Can one walk from one code to another? Along which way? Lesson 14 had two: the straight line, and the arc around 0 (`slerp`).

# %% picture
SHARES = torch.linspace(0, 1, 9)


def between(way: Callable, a: Tensor, b: Tensor) -> Tensor:
    """Noises on the way from a to b, each (1, 8, 8): (9, 1, 8, 8)."""
    return way(a.flatten()[None], b.flatten()[None], SHARES).view(-1, 1, 8, 8)


codes = torch.cat([normal(2, 1, 8, 8, seed=seed) for seed in (34, 32)])
ways = {
    f"{' ' * i}{name}": between(way, codes[2 * i], codes[2 * i + 1])
    for i in (0, 1)
    for name, way in (("arc", slerp), ("straight", lerp))
}
made = few_steps(predict_digits, torch.cat(list(ways.values())), ab, FIFTY, second_order=True, clip=True)
show.rows(
    dict(zip(ways, made.clamp(-1, 1).split(9), strict=True)),
    title="From one noise to another, and the digits that they lead to",
)

# %% [markdown]
# All rows lead through digits, or nearly so. In a few rows the two ways are hard to tell apart. So let us look at the middles of many.

# %%
pairs = normal(2, N, 64, seed=33)
middles = {"arc": slerp(*pairs, 0.5), "straight": lerp(*pairs, 0.5)}
in_middle = {}
for name, z in middles.items():
    x = few_steps(predict_digits, z.view(-1, 1, 8, 8), ab, TWENTY, second_order=True, clip=True).clamp(-1, 1)
    in_middle[name] = fid(real, judge.features(x))
    print(
        f"{name:9} length in the middle {z.norm(dim=1).mean():.2f}, FID of the digits there {in_middle[name]:.3f}"
    )
measured(
    "length in the middle of the arc / at its ends",
    middles["arc"].norm(dim=1).mean() / pairs.norm(dim=2).mean(),
    at_least=0.95,
)
measured(
    "length in the middle of the line / at its ends",
    middles["straight"].norm(dim=1).mean() / pairs.norm(dim=2).mean(),
    at_most=0.8,
)
measured("FID in the middle: straight line / arc", in_middle["straight"] / in_middle["arc"], at_least=1.5)

# %% [markdown]
# The middle of the line is clearly worse. A draw from $N(0, I)$ in 64 dimensions has a length near 8, and hardly ever 5.7. But that is what the middle of the straight line has: two independent draws, half of each, and the variance is one half. The network is told that all is noise, and is
# shown something with too little of it. It was never trained for that. On the arc the length stays, and each point could have been a draw.
#
# With inversion the ends may be *real* digits. Between them lies no mixture of pixels but a row of digits that the network believes in.

# %%
ends = subjects[[0, 5, 2, 9]]
noise = invert(predict_digits, ends, ab, TWENTY, rounds=2)
ways = torch.cat([between(slerp, noise[i], noise[i + 1]) for i in (0, 2)])
walked = few_steps(predict_digits, ways, ab, TWENTY, clip=True).clamp(-1, 1).split(9)
mixed = [torch.lerp(ends[i], ends[i + 1], SHARES[:, None, None, None]) for i in (0, 2)]
show.rows(
    {"arc": walked[0], "pixels mixed": mixed[0], " arc": walked[1], " pixels mixed": mixed[1]},
    title="From one real digit to another",
)

# %% [markdown]
# ## 8 · The same step on any path
#
# Nothing in the step needs $\bar\alpha$. It takes $x_t$ apart into data and noise and puts them together again with other shares. That works on *any* path $x = \alpha \cdot \text{data} + \sigma \cdot \text{noise}$. The library has the step in this form
# as well, as `jump`. On our path, $\alpha^2 + \sigma^2 = 1$, it is your `ddim_step`.
#
# And on the straight path $\alpha = 1 - t$, $\sigma = t$, with η = 0? There $x$ moves at the constant velocity $\text{noise} - \text{data}$, and the step is nothing but Euler's method,
#
# $$ x_s = x_t + (s - t)\, (\text{noise} - \text{data}) . $$
#
# This is **rectified flow** (Liu, Gong and Liu, 2022), which many of the large models of today are trained with.

# %%
from minigen.samplers import jump

differences = []
for t, s, eta in ((900, 600, 0.0), (500, 499, 1.0), (300, 40, 0.5)):
    ends_of_step = [(ab[i].sqrt(), (1 - ab[i]).sqrt()) for i in (t, s)]
    other = jump(two, one, *ends_of_step, eta, three)
    differences.append(float((other - ddim_step(two, one, t, s, ab, eta, three)).abs().max()))
measured("largest difference: jump and ddim_step", max(differences), at_most=1e-10)
t, s = torch.tensor(0.8, dtype=torch.float64), torch.tensor(0.3, dtype=torch.float64)
x_t = (1 - t) * one + t * three
euler = x_t + (s - t) * (three - one)
measured(
    "largest difference: jump on the straight path and Euler's step",
    (jump(x_t, one, (1 - t, t), (1 - s, s)) - euler).abs().max(),
    at_most=1e-10,
)

# %% [markdown]
# ## What goes wrong in practice
#
# - **Too few steps for the sampler.** 20 are enough for one and not for another: look at the curve of *your* sampler with *your* network.
# - **η = 0 with a weak network.** Its errors stay. A little fresh noise, and some more steps, may help more than a better solver.
# - **No clipping.** At $t = T$ the data is found by dividing by $\sqrt{\bar\alpha_T}$, which is tiny; on some chains the first step throws pictures far outside. But remember that what has been clipped cannot be inverted.
# - **The last step.** At $s = 0$ λ is infinite and the fresh noise has to be 0. Most samplers treat it in a way of its own.
# - **A table read off by one.** The paper's code counts times from 0, tables like ours count from data. One step off is hardly seen with 1,000 steps; with 10 it is.
# - **A solver that lost its order.** It still draws. Test it where the end of the curve is known.
# - **Inversion with few steps, or with strong guidance** (lesson 56): the way back goes elsewhere. More rounds help up to a point, and then harm. With guidance people fit something to the one picture, as Mokady and others do with the embedding of the empty text.
# - **Straight lines between noises.** The middle is too short. Take the arc.
#
# ## Where to read on
#
# - Song, Meng and Ermon (2021), *Denoising Diffusion Implicit Models*: the family of processes, the step, inversion and interpolation.
# - Lu, Zhou, Bao, Chen, Li and Zhu (2022), *DPM-Solver*, and *DPM-Solver++*: solvers of second and third order in λ.
# - Karras, Aittala, Aila and Laine (2022), *Elucidating the Design Space of Diffusion-Based Generative Models*: Heun's method, where to put the steps, and what fresh noise is good for.
# - Mokady, Hertz, Aberman, Pritch and Cohen-Or (2023), *Null-text Inversion for Editing Real Images using Guided Diffusion Models*.
# - Pan, Gherardi, Xie and Huang (2023), *Effective Real Image Editing with Accelerated Iterative Diffusion Inversion*: rounds.
# - Liu, Gong and Liu (2022), *Flow Straight and Fast: Learning to Generate and Transfer Data with Rectified Flow*.

# %%
progress()
