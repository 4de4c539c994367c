# %% [markdown]
# # 50 · The forward process
#
# **Where does a picture go when it drowns in noise?** Below, one row of digits is covered with more and more of it. In the last row
# nobody can read anything. Is the digit still there?
#
# Noise is easy to add. Lesson 11 trained a network to take it away, at one strength. Suppose we had one for every strength. Then
# we could begin with *nothing but* noise, take a little of it away, again and again, and end with a digit that nobody has ever
# written. That is a **diffusion model**: the one that makes most of the generated pictures you see today.
#
# It has two halves. One adds noise, is fixed, and has nothing to learn: the **forward process**, this lesson. The other
# takes it away, and is learned: lesson 51. The first half decides what the second has to do, so it pays to know it
# exactly. And it can be known exactly: there is not one trained network in this lesson.
#
# About 90 minutes · 7 exercises · needs: lesson 01 (mixtures, Bayes' rule), lesson 13 (KL of Gaussians); lesson 11 helps.

# %%
import itertools
import math

import matplotlib.pyplot as plt
import torch
from torch import Tensor
from torch.distributions import Normal

from minigen import show
from minigen.core import budget
from minigen.course import check, hint, measured, progress, solution
from minigen.data import GaussianMixture, digits, ring
from minigen.denoising import add_noise

# %%
x, labels = digits("train")  # (1438, 1, 8, 8) in [-1, 1]
generator = torch.Generator().manual_seed(0)
ten = torch.stack([x[labels == k][3] for k in range(10)])


def visible(pictures: Tensor) -> Tensor:
    """Pictures with numbers beyond black and white, for drawing only: -2 to 2 of their standard deviations, each at
    least 0.5, squeezed into [-1, 1]."""
    spread = pictures.flatten(1).std(1).clamp(min=0.5).view(-1, 1, 1, 1)
    return (pictures / (2 * spread)).clamp(-1, 1)


strengths = (0, 0.25, 0.5, 1, 2, 4, 8)
drowned = {
    f"σ = {std:g}": add_noise(ten, torch.randn(ten.shape, generator=generator), std) for std in strengths
}
show.rows({name: visible(row) for name, row in drowned.items()}, title="How long can you read them?")

# %% [markdown]
# Why not go all the way in one step, from pure noise to a digit? Because from pure noise *every* digit is equally likely. A network that is asked for one
# answer, and is judged by squared error, would say the mean of all of them (lesson 11). From a picture with *a little less* noise
# to one with a little less still, there is hardly any doubt. So the noise comes in many small steps, and each is
# to be taken back by itself.
#
# ## 1 · One small step
#
# Write $x_0$ for data and $x_t$ for what is left of it after $t$ steps, $t = 1, \dots, T$. **Time $t = 0$ is data.** Remember this
# sentence. More diffusion code is wrong by one step than by anything else.
#
# Step $t$ adds noise of a small variance $\beta_t$. If that were all, numbers would grow and grow, and a network would be
# shown numbers of quite different sizes. So the step first makes $x_{t-1}$ a little *smaller*, by just so much that data of variance 1
# keeps its variance 1. Such a chain is called **variance-preserving**.
#
# **Your turn.** What goes in: $x_{t-1}$, noise from $N(0, I)$ of the same shape, and $\beta_t$. What comes out: $x_t$. Nobody
# gives you the formula. You need two facts: $\mathrm{Var}(c\,x) = c^2\,\mathrm{Var}(x)$, and that variances of independent numbers add up.

# %% exercise
from minigen.diffusion import forward_step

# %%
forward_step = check("forward_step", forward_step)

# %% [markdown]
# Written as a density, with $\alpha_t = 1 - \beta_t$, this is equation 2 of Ho and others (2020), the paper that most of this part
# follows:
#
# $$ q(x_t \mid x_{t-1}) = N\!\left(x_t;\; \sqrt{\alpha_t}\, x_{t-1},\; \beta_t I\right) . $$
#
# $x_t$ depends on $x_{t-1}$ and on fresh noise, and on nothing else of the past. A process with this property is a **Markov
# chain**. The paper takes $T = 1000$ steps, with $\beta$ growing evenly from 0.0001 to 0.02:

# %%
from minigen.diffusion import linear_betas

betas = linear_betas()
print(f"{len(betas)} steps; β_1 = {betas[0]:.4g}, β_500 = {betas[499]:.4g}, β_1000 = {betas[999]:.4g}")

# %% [markdown]
# Let 12 points walk this chain, half of them from $-1$ and half from $+1$. (Their variance is 1.)

# %%
generator = torch.Generator().manual_seed(1)
points = torch.tensor([-1.0, 1.0]).repeat(6)
paths = [points]
for beta in betas:
    paths.append(forward_step(paths[-1], torch.randn(12, generator=generator), float(beta)))
paths = torch.stack(paths)  # (1001, 12): row t is x_t


@show.styled
def walks(paths: Tensor):
    """Each column of a (T + 1, N) tensor as a line over t, coloured by where it begins."""
    figure, axes = plt.subplots(figsize=(6.4, 3.0))
    plt.close(figure)
    every = range(0, len(paths), 20)  # a finer line would not look different
    for way in paths.T:
        axes.plot(every, way[every], color=show.PALETTE[int(way[0] > 0)], linewidth=1)
    axes.set(xlabel="t, steps", ylabel="$x_t$", title="12 walks: where did each begin?")
    return figure


walks(paths)

# %% [markdown]
# On the left you can tell the two crowds by their height. On the right you cannot: only the colours know. The place at
# $t = 1000$ says next to nothing about the place at $t = 0$, though each step was small.
#
# Does the variance stay 1? For more walkers, and for data of another variance. (Digits are of that kind. The mean square of their pixels
# is below 1, and the pixels around their mean have still less variance.)

# %%
walkers = budget(500, 20_000, 100_000)
spread_over_time = {}
for start in (0.25, 1.0, 2.0):  # the variance at t = 0
    way, spread = math.sqrt(start) * torch.randn(walkers, generator=generator), {}
    for t, beta in enumerate(betas, 1):
        way = forward_step(way, torch.randn(walkers, generator=generator), float(beta))
        if t % 20 == 0:
            spread[t] = float(way.double().var())
    spread_over_time[f"data of variance {start:g}"] = spread
show.curves(
    spread_over_time,
    xlabel="t, steps",
    ylabel="variance of $x_t$",
    title="Variance 1 is kept, and every other one becomes 1",
)

# %%
drift = max(abs(v - 1) for v in spread_over_time["data of variance 1"].values())
measured("data of variance 1: largest |variance of x_t − 1| on the way", drift, at_most=0.05)
measured("mean square of the digits' pixels", x.double().square().mean(), at_most=1)
measured("variance of the digits' pixels, each around its own mean", x.double().var(0).mean(), at_most=0.5)

# %% [markdown]
# ## 2 · A thousand steps in one jump
#
# To train on $x_{500}$ we would have to walk 500 steps for every picture of every batch. Put one step into the next instead, with
# $\varepsilon_t$ for the noise of step $t$:
#
# $$ x_t = \sqrt{\alpha_t}\, x_{t-1} + \sqrt{\beta_t}\, \varepsilon_t
#       = \sqrt{\alpha_t \alpha_{t-1}}\, x_{t-2} + \underbrace{\sqrt{\alpha_t \beta_{t-1}}\, \varepsilon_{t-1} + \sqrt{\beta_t}\, \varepsilon_t}_{\text{noise}} . $$
#
# The noise is a sum of two independent Gaussians, so it is *one* Gaussian, with the sum of their variances:
# $\alpha_t \beta_{t-1} + \beta_t = \alpha_t (1 - \alpha_{t-1}) + 1 - \alpha_t = 1 - \alpha_t \alpha_{t-1}$. It is the same pattern
# again: the variance of the data is multiplied by a number, and noise fills up what is missing to 1. Now do it
# $t$ times. What is left of the variance of the data is called $\bar\alpha_t$ ("alpha bar"). Each step leaves its own share
# $1 - \beta_t$ of whatever it is given.
#
# **Your turn.** What goes in: $\beta_1 \dots \beta_T$. What comes out: the table $\bar\alpha_0 \dots \bar\alpha_T$, which has
# $T + 1$ entries. After no step nothing is lost, so begin with 1; then the paper's $t$ is the index, and nobody has to subtract one.

# %% exercise
from minigen.diffusion import alpha_bars

# %%
alpha_bars = check("alpha_bars", alpha_bars)

# %% [markdown]
# So the whole chain up to $t$ is one Gaussian, equation 4 of the paper:
#
# $$ q(x_t \mid x_0) = N\!\left(x_t;\; \sqrt{\bar\alpha_t}\, x_0,\; (1 - \bar\alpha_t) I\right) . $$
#
# In training, each image of a batch gets a time of its own. So a table has to be read at N times at once, in a shape that
# multiplies images. That is a helper of the library:

# %%
from minigen.diffusion import Times, at  # Times: one whole number for all images, or (N,), one for each

a_bar = alpha_bars(betas)
print("three numbers, in the shape", tuple(at(a_bar, torch.tensor([0, 500, 1000]), x[:3]).shape))

# %% [markdown]
# **Your turn.** This function is wrong, as it is in many programs. It runs, it adds noise, and with $T = 1000$ you would see nothing wrong
# in the pictures from $t = 1$ on. What goes in: data $x$ (N, …), times $t$, noise, and the table that you have just made. What comes out: $x_t$.

# %% exercise
from minigen.diffusion import q_sample

# %%
q_sample = check("q_sample", q_sample)

# %%
for steps, chain_betas in {1000: betas, 10: linear_betas(10, 0.01, 0.5)}.items():
    print(
        f"{steps} steps: reading one entry too early changes ᾱ by {-alpha_bars(chain_betas).diff().min():.4f} at most"
    )

# %% [markdown]
# With a thousand small steps, an entry and its neighbour are nearly equal, so the bug can live for years. It comes to light when somebody takes fewer
# steps, or asks for $t = 0$.
#
# Is a jump really the same as a walk? We take one digit, let many copies of it walk 300 steps, and as many jump. The
# two crowds should have the same mean and the same variance, up to chance, and so should the formula.

# %%
copies, t = budget(200, 10_000, 40_000), 300
one = x[:1]
walked = one.expand(copies, -1, -1, -1)
for beta in betas[:t]:
    walked = forward_step(walked, torch.randn(walked.shape, generator=generator), float(beta))
jumped = q_sample(one.expand(copies, -1, -1, -1), t, torch.randn(walked.shape, generator=generator), a_bar)
crowds = {"walked": walked.double(), "jumped": jumped.double()}
for name, crowd in crowds.items():
    factor = float((crowd.mean(0) * one[0]).sum() / one.square().sum())  # what the picture is multiplied by
    print(f"{name}: the picture times {factor:.4f}, noise of variance {crowd.var(0).mean():.4f}")
print(f"formula: the picture times {a_bar[t].sqrt():.4f}, noise of variance {1 - a_bar[t]:.4f}")
show.rows(
    {name: visible(crowd[:10].float()) for name, crowd in crowds.items()},
    title=f"x_{t}, after {t} steps or one jump",
)

# %%
gap = (crowds["walked"].mean(0) - crowds["jumped"].mean(0)).abs().max()
measured("walked − jumped, mean, the largest of 64 pixels", gap, at_most=0.06)
gap = (crowds["walked"].var(0) / crowds["jumped"].var(0) - 1).abs().max()
measured("walked / jumped − 1, variance, the largest of 64 pixels", gap, at_most=0.1)

# %% [markdown]
# ### Does it end in pure noise?
#
# When we draw, we shall begin with $N(0, I)$, and nothing else. So the end of the chain has to be $N(0, I)$, whatever the data was.
# How far is it from that? Both are Gaussians, so their KL is the one of lesson 13; for a picture of $D$ pixels
#
# $$ \mathrm{KL}\!\left(q(x_T \mid x_0) \,\|\, N(0, I)\right) = \tfrac12 \left( \bar\alpha_T |x_0|^2 - D \bar\alpha_T - D \log (1 - \bar\alpha_T) \right) . $$


# %%
def kl_to_noise(x: Tensor, a_bar: Tensor) -> Tensor:
    """KL of q(x_t | x) from N(0, I), in nats, for each picture: (N,). a_bar: ᾱ_t."""
    squares = x.double().flatten(1).square().sum(1)
    return 0.5 * (a_bar * squares - x[0].numel() * (a_bar + torch.log1p(-a_bar)))


measured("factor of the data in x_1000", a_bar[-1].sqrt(), at_most=0.01)
measured(
    "KL of x_1000 from N(0, I), mean over the digits, nats", kl_to_noise(x, a_bar[-1]).mean(), at_most=0.002
)
measured("the same at half of the chain, nats", kl_to_noise(x, a_bar[500]).mean(), at_least=1)

# %% [markdown]
# A thousandth of a nat for a whole picture: from one picture nobody, and no program, can tell it from pure noise noticeably better than by guessing. And now somebody is in a hurry.

# %% exercise
from minigen.exercises.lesson_50_forward_process import chain_of_a_hundred

# %%
chain_of_a_hundred = check("chain_of_a_hundred", chain_of_a_hundred)

# %%
short = alpha_bars(linear_betas(100))
measured("ᾱ at the end of the chain of 100 steps", short[-1], at_least=1 / 3)
measured(
    "KL of its end from N(0, I), mean over the digits, nats", kl_to_noise(x, short[-1]).mean(), at_least=1
)
ends = {}
for name, (t, table) in {"1,000 steps": (1000, a_bar), "100 steps": (100, short)}.items():
    copies = ten.repeat(300, 1, 1, 1)
    last = q_sample(copies, t, torch.randn(copies.shape, generator=generator), table).view(300, *ten.shape)
    ends[f"{name}: one end"] = visible(last[0])
    ends[f"{name}: mean of 300"] = visible(last.mean(0))
show.rows(ends, title="Where does the chain end?")

# %% [markdown]
# In a single end it is hard to see. In the mean of 300 ends of the same digit, where the noise cancels, there is no doubt: with 100 steps the
# digits are still there. A model trained on this chain only ever sees ends with a digit in them, and
# is then started from pure noise, which it has never seen. What it makes of that is anybody's guess, and no error is raised. (Lin and others,
# 2024, found that well-known models of large pictures had just this fault, in a weaker form.)
#
# ## 3 · How fast? The cosine schedule
#
# Nothing says that $\beta_t$ must grow evenly. The list of the $\beta_t$ is called the **schedule**; the one so far is the *linear* one. Nichol and Dhariwal (2021) looked at pictures on their way and saw that the linear
# schedule destroys them too soon; the last part of the chain is noise that turns into noise. They began at the other end: decide how
# $\bar\alpha_t$ should fall, and take the $\beta_t$ that make it so. Their curve is a squared cosine,
#
# $$ \bar\alpha_t = \frac{f(t)}{f(0)} , \qquad f(t) = \cos^2\!\left( \frac{t / T + s}{1 + s} \cdot \frac{\pi}{2} \right) , \qquad s = 0.008 . $$
#
# The small offset $s$ keeps the first steps from being too small: noise so weak is hard for a network to predict. At the end $\bar\alpha_T = 0$, so
# the last $\beta$ would be 1, nothing of the data would be left, and the way back would divide by 0: no $\beta_t$ may be larger than 0.999.
#
# **Your turn.** What goes in: $T$, the offset, and the largest $\beta$ that is allowed. What comes out: $\beta_1 \dots \beta_T$, in float64. The
# formula gives you $\bar\alpha$; which step leads from $\bar\alpha_{t-1}$ to $\bar\alpha_t$?

# %% exercise
from minigen.diffusion import cosine_betas

# %%
cosine_betas = check("cosine_betas", cosine_betas)

# %% [markdown]
# The library keeps all tables of a chain in a `Schedule`, each of them indexed by $t$ itself, from 0 to $T$.

# %%
from minigen.diffusion import Schedule

chains = {"linear": Schedule(linear_betas()), "cosine": Schedule(cosine_betas())}
every = range(0, 1001, 5)
show.curves(
    {name: {t: float(chain.alpha_bar[t]) for t in every} for name, chain in chains.items()},
    xlabel="t, steps",
    ylabel="$\\bar\\alpha_t$",
    title="How much of the variance of the data is left",
)

# %% picture
shown = (0, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000)
same_noise = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(3))
ways = {}
for digit in (ten[:1], ten[2:3]):
    for name, chain in chains.items():
        ways[f"{name}, a {int(labels[(x == digit).flatten(1).all(1)][0])}"] = torch.cat(
            [visible(q_sample(digit, t, same_noise, chain.alpha_bar)) for t in shown]
        )
show.rows(ways, title=f"The same digit, the same noise, two schedules: t = {', '.join(map(str, shown))}")

# %%
for name, chain in chains.items():
    late = (chain.alpha_bar[1:] < 0.01).double().mean()
    bounds = {"at_least": 0.3} if name == "linear" else {"at_most": 0.1}
    measured(f"{name}: share of the steps with less than 1 % of the data's variance", late, **bounds)

# %% [markdown]
# The linear chain spends about a third of its steps where there is next to nothing to see. A model that learns to undo
# it spends a third of its training there too, and a third of its time when it draws. The cosine chain also ends closer to pure noise. The network of the
# next lessons is trained on it.
#
# ## 4 · Signal and noise
#
# Two chains, and any number of others: how can they be compared? Not by $t$, which only counts. Engineers compare
# the power of a signal with that of the noise in it, the **signal-to-noise ratio** (SNR).
#
# **Your turn.** What goes in: $\bar\alpha$, any number of them. What comes out: the variance of what is left of the data, over the
# variance of the noise, if the data has variance 1.

# %% exercise
from minigen.diffusion import snr

# %%
snr = check("snr", snr)

# %%
log_snr = {
    name: {t: float(10 * snr(chain.alpha_bar[t]).log10()) for t in range(1, 1001, 3)}
    for name, chain in chains.items()
}
show.curves(log_snr, xlabel="t, steps", ylabel="SNR, decibels", title="The same descent, at another pace")

# %%
for name, chain in chains.items():
    equal = 1 + int((snr(chain.alpha_bar[1:]) - 1).abs().argmin())
    bounds = {"at_most": 300} if name == "linear" else {"at_least": 450}
    measured(f"{name}: the step at which signal and noise are equal", equal, **bounds)

# %% [markdown]
# A factor of 10 is 10 decibels (lesson 11), so 0 dB means equal parts, for data of variance 1. (Digits have less, as measured above: their signal is a
# little weaker as a mean square, and some 5 dB weaker around their means.) Both chains go down from high above to far below; the linear one is under
# the other nearly all the way. Only at the very end does the cosine one fall off a cliff, since it has to get rid of everything that is left.
#
# For what $x_t$ shows, the SNR is all that matters. Divide $x_t$ by $\sqrt{\bar\alpha_t}$, and it is $x_0$ plus noise of variance $1 / \mathrm{SNR}$: the noise of lesson 11, with
# $\sigma = 1 / \sqrt{\mathrm{SNR}}$. Two times of two chains with the same SNR show the same picture, only scaled. Let us check it:

# %%
pair = {"linear": 400}
pair["cosine"] = 1 + int(
    (snr(chains["cosine"].alpha_bar[1:]).log() - snr(chains["linear"].alpha_bar[400]).log()).abs().argmin()
)
noise = torch.randn(ten.shape, generator=generator)
scaled = {
    name: q_sample(ten, t, noise, chains[name].alpha_bar) / chains[name].alpha_bar[t].sqrt().float()
    for name, t in pair.items()
}
sigma = float(1 / snr(chains["linear"].alpha_bar[400]).sqrt())
print(
    f"t = {pair['linear']} of the linear chain, t = {pair['cosine']} of the cosine chain, σ = {sigma:.3f} of lesson 11"
)
gap = (scaled["linear"] - add_noise(ten, noise, sigma)).abs().max()
measured("largest difference of x_400 / √ᾱ from lesson 11's noisy pictures", gap, at_most=1e-4)
gap = (scaled["linear"] - scaled["cosine"]).abs().max() / sigma
measured("largest difference of the two chains at the nearest SNR, in σ", gap, at_most=0.05)

# %% [markdown]
# ## 5 · Where the information goes
#
# ### On the ring
#
# The data of lesson 30: eight small Gaussians on a circle, a density that is known exactly. A crowd of points on its way:

# %%
plane = ring()
crowd = plane.sample(300, torch.Generator().manual_seed(0))
noise = torch.randn(crowd.shape, generator=generator)
moments = (0, 50, 100, 200, 300, 500, 1000)
show.clouds(
    {
        name: {f"t = {t}": q_sample(crowd, t, noise, chain.alpha_bar) for t in moments}
        for name, chain in chains.items()
    },
    title="300 points of the ring on their way",
    reach=2.6,
)

# %% [markdown]
# At $t = 200$ the linear chain has filled the ring, and the cosine one has not yet.
#
# What is the density of $x_t$? Not $q(x_t \mid x_0)$, that of one point's future, but $q(x_t)$, that of the whole
# crowd: the density of data, *blurred*. For pictures nobody can write it down. For a mixture of Gaussians you can. Take one of them first: all its points are
# multiplied by $\sqrt{\bar\alpha_t}$, and then independent noise of variance $1 - \bar\alpha_t$ is added to each coordinate. A Gaussian stays
# a Gaussian under both. And which hill a point came from does not change.
#
# **Your turn.** What goes in: a `GaussianMixture` (its `means` (K, D), `covariances` (K, D, D) and `weights` (K,)) and
# $\bar\alpha_t$, a number. What comes out: the `GaussianMixture` of $x_t$, a new one, made with `GaussianMixture(means, covariances=…, weights=…)`.

# %% exercise
from minigen.diffusion import noisy_mixture

# %%
noisy_mixture = check("noisy_mixture", noisy_mixture)

# %%
line = torch.linspace(-2.6, 2.6, 105, dtype=torch.float64)
board = torch.cartesian_prod(line, line)  # (105², 2)


@show.styled
def landscapes(chain: Schedule, times: tuple[int, ...]):
    """The density of x_t on the plane, for data of the ring, at several times."""
    figure, every = plt.subplots(1, len(times), figsize=(7.2, 2.2), sharey=True)
    plt.close(figure)
    for axes, t in zip(every, times, strict=True):
        density = noisy_mixture(plane, float(chain.alpha_bar[t])).log_density(board).exp()
        axes.imshow(
            density.view(105, 105).T, origin="lower", extent=(-2.6, 2.6, -2.6, 2.6), cmap="Blues", vmin=0
        )
        axes.set_title(f"t = {t}\nhighest: {density.max():.2f}", fontsize=10)
        axes.set_xticks([-2, 0, 2])
        axes.tick_params(labelsize=8)
    figure.suptitle("The exact density of $x_t$, linear schedule", fontsize=12)
    return figure


landscapes(chains["linear"], (0, 50, 100, 200, 1000))

# %% [markdown]
# Each picture has its own scale of blue; above it stands the highest density, per unit of area. Eight hills grow wide, flow into a ring, the ring fills
# up, and a single round hill remains, the same for any data.
#
# Is the formula right? Let many points jump to $t = 100$, count how many of them land in each cell of a chessboard, and compare with the integral of the
# density over the cell.

# %%
many, t = budget(20_000, 400_000, 1_000_000), 100
points = q_sample(
    plane.sample(many, generator), t, torch.randn(many, 2, generator=generator), chains["linear"].alpha_bar
)
cells, fine = 12, 20  # 12 × 12 cells, and in each 20 × 20 places at which the density is evaluated
edges = torch.linspace(-2.4, 2.4, cells + 1)
counted = torch.histogramdd(points, [edges, edges])[0].double() / many
middle = (torch.arange(cells * fine, dtype=torch.float64) + 0.5) / (cells * fine) * 4.8 - 2.4
density = noisy_mixture(plane, float(chains["linear"].alpha_bar[t])).log_density(
    torch.cartesian_prod(middle, middle)
)
share = density.exp().view(cells, fine, cells, fine).mean((1, 3)) * (4.8 / cells) ** 2
measured("largest share of a cell by the formula", share.max())
measured("formula − counted, largest of 144 cells", (share - counted).abs().max(), at_most=0.002)

# %% [markdown]
# ### In the digits
#
# The training digits are 1,438 points in 64 dimensions. Somebody draws one of them, noises it, and shows us $x_t$. Which one was it? Bayes' rule answers
# *exactly*, since all were equally likely and $q(x_t \mid x_0)$ is a Gaussian:
#
# $$ p(i \mid x_t) \;\propto\; \exp\!\left( - \frac{|x_t - \sqrt{\bar\alpha_t}\, x^{(i)}|^2}{2\,(1 - \bar\alpha_t)} \right) . $$
#
# The entropy of this distribution is what we do not know. What $x_t$ still tells is $\log_2 1438 = 10.5$ bits *minus* this entropy. Adding up $p(i \mid x_t)$ over
# the digits of one class gives the probability of each class, and we can see how often the most probable class is the true one.

# %%
flat = x.flatten(1).double()
asked = torch.arange(0, len(x), budget(40, 4, 1))  # which digits are drawn
its_noise = torch.randn(len(asked), 64, generator=torch.Generator().manual_seed(4)).double()


def known(a_bar: Tensor) -> tuple[float, float]:
    """What x_t tells of the digit, in bits, and the share of those whose class is found. a_bar: ᾱ_t."""
    x_t = a_bar.sqrt() * flat[asked] + (1 - a_bar).sqrt() * its_noise
    log_p = (-torch.cdist(x_t, a_bar.sqrt() * flat).square() / (2 * (1 - a_bar))).log_softmax(1)
    entropy = -(log_p.exp() * log_p).sum(1).mean() / math.log(2)
    of_class = log_p.exp() @ torch.nn.functional.one_hot(labels, 10).double()
    right = (of_class.argmax(1) == labels[asked]).double().mean()
    return math.log2(len(x)) - float(entropy), float(right)


times = [1, *range(20, 1001, 20)]
tells = {name: {t: known(chain.alpha_bar[t]) for t in times} for name, chain in chains.items()}
show.curves(
    {name: {t: bits for t, (bits, _) in row.items()} for name, row in tells.items()},
    xlabel="t, steps",
    ylabel="bits",
    title="What $x_t$ still tells about which of the 1,438 digits it was",
)

# %%
show.curves(
    {name: {t: 100 * right for t, (_, right) in row.items()} for name, row in tells.items()},
    xlabel="t, steps",
    ylabel="percent",
    title="How often the most probable class is the true one",
)

# %% [markdown]
# At first nothing is lost: there is noise, but only one digit fits to what is seen. The class is known longer than the
# very digit: first it is forgotten *which* 3 it was, and only then that it was a 3. On the way back it will be the other way round: what
# the picture shows is decided first, and its details come last.

# %%
bits, right = known(chains["linear"].alpha_bar[200])
measured("linear, t = 200: bits lost of which digit it was", math.log2(len(x)) - bits, at_least=0.7)
measured("linear, t = 200: share of the classes that are still found", right, at_least=0.95)

# %% [markdown]
# Against the SNR there is only one curve. It does not depend on how the time is cut into steps.

# %%
decibels = {
    name: {
        float(10 * snr(chains[name].alpha_bar[t]).log10()): bits
        for t, (bits, _) in row.items()
        if 1 < t < 1000
    }
    for name, row in tells.items()
}


@show.styled
def against_snr(curves: dict):
    """{name: {decibels: bits}}, as a line and as marks on it, with much noise on the right."""
    figure, axes = plt.subplots(figsize=(7.2, 3.6))
    plt.close(figure)
    for (name, curve), style in zip(curves.items(), ("-", "s"), strict=True):
        axes.plot(
            list(curve),
            list(curve.values()),
            style,
            markersize=4,
            label=name,
            color=show.PALETTE[style == "s"],
        )
    axes.set(xlabel="SNR, decibels", ylabel="bits", title="One curve for both schedules", xlim=(25, -40))
    axes.legend(frameon=False)
    axes.grid(color="#dddddd")
    return figure


against_snr(decibels)

# %%
linear_line, worst = sorted(decibels["linear"].items()), 0.0
for level, bits in decibels["cosine"].items():
    for (low, bits_low), (high, bits_high) in itertools.pairwise(linear_line):
        if low <= level <= high:
            between = bits_low + (bits_high - bits_low) * (level - low) / (high - low)
            worst = max(worst, abs(bits - between))
measured("cosine − linear at the same SNR, largest difference, bits", worst, at_most=0.3)
useful = {
    name: sum(0.1 < bits < math.log2(1438) - 0.1 for bits, _ in row.values()) / len(row)
    for name, row in tells.items()
}
for name, part in useful.items():
    measured(f"{name}: share of these times between 0.1 bits lost and 0.1 bits left", part)
gone = {name: min(t for t, (bits, _) in row.items() if bits < 0.1) for name, row in tells.items()}
measured("first of these times with less than 0.1 bits left, linear", gone["linear"], at_most=760)
measured("first of these times with less than 0.1 bits left, cosine", gone["cosine"], at_least=860)

# %% [markdown]
# The linear chain still has 30 % of its steps before it when the last tenth of a bit is gone, the cosine one 4 %. It pays for it at the other end, where
# it takes about twice as many steps to lose the first tenth of a bit. In all, more of its steps do something.
#
# And the last row of the first picture, with σ = 8?

# %%
measured(
    "σ = 8: bits left of which digit it was", known(torch.tensor(1 / (1 + 8**2)).double())[0], at_most=0.5
)

# %% [markdown]
# The digit is nearly gone, but not quite.
#
# ## 6 · Why so many small steps?
#
# The way back needs $q(x_{t-1} \mid x_t)$: where may the walker have been one step earlier? By Bayes' rule it is proportional to
# $q(x_t \mid x_{t-1})\, q(x_{t-1})$. The first factor, seen as a function of $x_{t-1}$, is a narrow Gaussian around $x_t / \sqrt{\alpha_t}$. The second is
# the blurred density of data, with all its hills. If the step is *small*, the first factor is so narrow that under it the logarithm of the second is nearly
# a straight line. That only moves a Gaussian, so the product is one, nearly. That is
# why the model of lesson 51 gets along with Gaussians. If the step is large, the product can have as many hills as the data.
#
# We can look at it. Data on a line with two hills, at $\pm 1$; a walker found at 0.3 at $t = 300$; and $s$, from 299 down to 0, is when we ask for its earlier
# place. From $s$ to $t$ the chain leaves the share $\bar\alpha_t / \bar\alpha_s$.

# %%
two_hills = GaussianMixture(torch.tensor([[-1.0], [1.0]]), stds=0.15)
here, t = 0.3, 300
a_bar = chains["linear"].alpha_bar
places = torch.linspace(-6, 6, 24_001, dtype=torch.float64)


def earlier(s: int) -> tuple[Tensor, Tensor]:
    """q(x_s | x_t = here) at all places, by Bayes' rule on a grid, and the Gaussian with its mean and variance."""
    left = a_bar[t] / a_bar[s]
    prior = noisy_mixture(two_hills, float(a_bar[s])).log_density(places[:, None])
    log_p = Normal(left.sqrt() * places, (1 - left).sqrt()).log_prob(torch.tensor(here).double()) + prior
    p = log_p.exp() / torch.trapezoid(log_p.exp(), places)
    mean = torch.trapezoid(p * places, places)
    variance = torch.trapezoid(p * (places - mean) ** 2, places)
    return p, Normal(mean, variance.sqrt()).log_prob(places).exp()


@show.styled
def looking_back(times: tuple[int, ...]):
    """q(x_s | x_t) for several s, and its Gaussian."""
    figure, every = plt.subplots(1, len(times), figsize=(8.4, 3.0))
    plt.close(figure)
    for axes, s in zip(every, times, strict=True):
        p, gaussian = earlier(s)
        inside = (p > 1e-3 * p.max()) | (gaussian > 1e-3 * gaussian.max())
        axes.plot(places[inside], p[inside], color=show.PALETTE[0], linewidth=2, label="exact")
        axes.plot(
            places[inside], gaussian[inside], "--", color=show.PALETTE[1], linewidth=2, label="Gaussian"
        )
        axes.set_title(f"{t - s} step{'s' * (t - s > 1)} back", fontsize=11)
        axes.set_xlabel("earlier place")
        axes.locator_params(nbins=5)
    every[0].set_ylabel("density per unit")
    figure.legend(*every[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


looking_back((299, 260, 150, 0))

# %%
strides = (1, 2, 5, 10, 20, 40, 70, 100, 150, 200, 250, 300)
off = {}
for stride in strides:
    p, gaussian = earlier(t - stride)
    kept = p > 1e-300
    off[stride] = float(
        torch.trapezoid(
            torch.where(kept, p * (p.clamp(min=1e-300).log() - gaussian.clamp(min=1e-300).log()), 0), places
        )
    )
show.curves(
    {"KL": off},
    xlabel="steps taken back at once",
    ylabel="nats",
    title="How far the way back is from a Gaussian",
    log=True,
)

# %%
measured("one step back: KL from a Gaussian, nats", off[1], at_most=1e-5)
measured("300 steps back: KL from a Gaussian, nats", off[300], at_least=0.5)

# %% [markdown]
# One step back from $t = 300$ is a Gaussian for all purposes. Three hundred at once are not: the walker came from one hill or from the other, and the
# Gaussian puts its weight in between, where no data is. So there is a price for quality: a thousand steps, each with a run of a network. Most
# work on diffusion since then has been about paying less, and lesson 53 is about that.
#
# ## What goes wrong in practice
#
# - **Off by one.** Tables of $T$ entries that begin with $\bar\alpha_1$ in one function, and tables of $T + 1$ in another. With 1,000 steps the pictures
#   hide it, but the step from $t = 1$ to data does not. Decide once what index 0 is, and test $t = 0$, $t = 1$ and $t = T$.
# - **$\beta$ for a standard deviation.** Variances add up, standard deviations do not. Whenever a root is missing, the variance of $x_t$ drifts
#   away from 1: measure it.
# - **$\alpha_t$ for $\bar\alpha_t$.** At nearly every $t$ the pictures are then nearly clean, and the network hardly ever sees the noise from which it will
#   have to begin. Look at a batch of $x_t$ before you train.
# - **The chain that does not end in noise.** Fewer steps need larger $\beta_t$. Print $\bar\alpha_T$ before you train.
# - **Data of another range.** Pixels from 0 to 255 have a variance of thousands: then $x_T$ of the linear chain is full of picture
#   ($0.006 \cdot 255 = 1.6$, beside noise of 1), and at every other time of any chain there is far too little noise. Pixels in $[0, 1]$ have a mean that is
#   not 0 and little variance. Bring data to $[-1, 1]$. Larger pictures need more noise as well: neighbouring pixels tell the same, and their average hides
#   noise (Hoogeboom and others, 2023).
# - **float32 tables.** A product of a thousand factors near 1 should be made in float64, and turned into float32 when it meets the pictures.
#
# ## Where to read on
#
# - Jascha Sohl-Dickstein and others, 2015, *Deep Unsupervised Learning using Nonequilibrium Thermodynamics*: the idea, five years early.
# - Jonathan Ho, Ajay Jain and Pieter Abbeel, 2020, *Denoising Diffusion Probabilistic Models*: the paper that made it work.
# - Alexander Nichol and Prafulla Dhariwal, 2021, *Improved Denoising Diffusion Probabilistic Models*: the cosine schedule.
# - Diederik Kingma and others, 2021, *Variational Diffusion Models*: why only the SNR matters.
# - Emiel Hoogeboom, Jonathan Heek and Tim Salimans, 2023, *Simple Diffusion*: schedules for large pictures.
# - Shanchuan Lin and others, 2024, *Common Diffusion Noise Schedules and Sample Steps are Flawed*: chains that do not end in noise.

# %%
progress()
