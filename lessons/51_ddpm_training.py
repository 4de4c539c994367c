# %% [markdown]
# # 51 · Training a diffusion model
#
# **How did this picture look one step earlier?** Lesson 50 turned digits into noise, a thousand small steps of it, and nothing in that
# had to be learned. If we could take each step *back*, we could start at pure noise and end at a digit. A step back is what a
# network will learn here.
#
# You will see which loss follows from the likelihood, and why most train with a simpler one; build the parts of the network,
# the **U-Net**; train it; and measure its digits with the same judge as the VAE's and the GANs'.
#
# t counts steps: t = 0 is data, t = T is noise. All tables have T + 1 entries and are indexed by t itself. One name to keep
# apart: $x$ is data, and `x0` in the code is data as the network *predicts* it.
#
# About 3 hours · 8 exercises · needs: lessons 13 and 50; KL of two Gaussians, Bayes' rule.

# %%
import copy
import inspect
import math
import statistics
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from minigen import show
from minigen.core import Generative, budget
from minigen.course import check, hint, measured, measured_model, measured_models, progress, solution
from minigen.data import batches, digits, ring
from minigen.diffusion import (
    Schedule,
    Times,
    at,
    cosine_betas,
    data_from_noise,
    exact_noise,
    forward_step,
    linear_betas,
    q_sample,
    target_weights,
)
from minigen.features import DigitFeatures
from minigen.metrics import fid
from minigen.samplers import ancestral, few_steps
from minigen.train import train
from minigen.unet import UNet, silent

# %%
x, _ = digits("train")  # (1438, 1, 8, 8) in [-1, 1]
x_test, _ = digits("test")
chain = Schedule(linear_betas())
torch.manual_seed(0)
ladder = [0, 100, 200, 300, 400, 600, 1000]
noise = torch.randn_like(x_test[:10])
show.rows(
    {f"t = {t}": q_sample(x_test[:10], t, noise, chain.alpha_bar).clamp(-1, 1) for t in ladder},
    title="Ten digits on their way to noise",
)

# %% [markdown]
# Cover the upper rows, and guess the digit in each lower one. At t = 100 it is easy, and at t = 600 hopeless. In between you see
# *something*, and your guess is a mixture of the digits that it may be. Keep this in mind: the network will be in the same position.
#
# ## 1 · The step back, when the data is known
#
# One step of the chain is $x_t = \sqrt{\alpha_t} \, x_{t-1} + \sqrt{\beta_t} \, \varepsilon$. Given $x_t$ alone, where $x_{t-1}$ was depends on all the data there
# is. Nobody can write that down. But suppose that a friend tells us the data $x$ from which the chain started. Then Bayes' rule says
#
# $$ q(x_{t-1} \mid x_t, x) \;\propto\; q(x_t \mid x_{t-1}) \; q(x_{t-1} \mid x) , $$
#
# and both factors are Gaussians of $x_{t-1}$. The right one is the jump of lesson 50, over t − 1 steps. So the product is a Gaussian too. Its
# logarithm is a sum of two squares, hence the **precisions** (one over the variance) add up:
#
# $$ \frac{1}{\tilde\beta_t} = \frac{\alpha_t}{\beta_t} + \frac{1}{1 - \bar\alpha_{t-1}} , \qquad
#    \tilde\mu_t = \tilde\beta_t \left( \frac{\sqrt{\alpha_t}}{\beta_t} \, x_t + \frac{\sqrt{\bar\alpha_{t-1}}}{1 - \bar\alpha_{t-1}} \, x \right) . $$
#
# $\tilde\mu_t$ is a compromise: between what $x_t$ says, one step away, and what $x$ says, $t - 1$ steps away. The variance $\tilde\beta_t$ is in the table
# `schedule.variance`.
#
# In code we want it without the division by $1 - \bar\alpha_{t-1}$, which is 0 at t = 1. So multiply out; $\beta_t + \alpha_t (1 - \bar\alpha_{t-1}) = 1 - \bar\alpha_t$ helps.
#
# **Your turn.** What goes in: data, where it was after t steps, the times, and the schedule. What comes out: the mean and the
# variance of the step back. The code below has one wrong coefficient. It is an easy slip, and a quiet one: nothing
# crashes, and training does not notice, since it never takes a step back.

# %% exercise
from minigen.diffusion import posterior

# %%
posterior = check("posterior", posterior)

# %% [markdown]
# Is it true? Simulate: many chains start at the same number $x = 0.7$. For each we keep $x_{t-1}$ and $x_t$. Among chains that
# passed through one narrow window of $x_t$, what was $x_{t-1}$? The chain here has 20 strong steps, so that the effects are large.

# %%
generator = torch.Generator().manual_seed(0)
strong, t, start = Schedule(linear_betas(20, 0.02, 0.3)), 8, 0.7
walk = torch.full((budget(20_000, 400_000, 400_000), 1), start, dtype=torch.float64)
for step in range(1, t + 1):
    before = walk
    walk = forward_step(walk, torch.randn(walk.shape, generator=generator), strong.beta[step])
there = torch.tensor([[0.9]], dtype=torch.float64)
near = ((walk - there).abs() < 0.02).squeeze(1)
mean, variance = posterior(torch.full_like(there, start), there, t, strong)
print(f"{int(near.sum())} chains passed near x_t = {there.item()}")
print(f"mean of x_(t-1) there: {before[near].mean():.3f}, by the formula {mean.item():.3f}")
print(f"variance of x_(t-1) there: {before[near].var():.4f}, by the formula {variance.item():.4f}")
measured("posterior mean, |simulated − formula|", (before[near].mean() - mean).abs(), at_most=0.03)
measured("posterior variance, simulated / formula", before[near].var() / variance, at_least=0.9, at_most=1.1)

# %% [markdown]
# ## 2 · From the bound to a simple loss
#
# A diffusion model is a VAE with many latent variables $x_1, \dots, x_T$, and an encoder that nobody trains: $q$. The bound of lesson 13
# becomes a sum, after every step of $q$ has been turned around with Bayes' rule as above (Ho, Jain and Abbeel 2020, equation 5):
#
# $$ -\log p(x) \;\le\; \underbrace{\mathrm{KL}\big(q(x_T \mid x) \,\|\, N(0, I)\big)}_{L_T}
#   + \sum_{t=2}^{T} \underbrace{\mathbb{E}\, \mathrm{KL}\big(q(x_{t-1} \mid x_t, x) \,\|\, p(x_{t-1} \mid x_t)\big)}_{L_{t-1}}
#   + \underbrace{\mathbb{E} \left[ - \log p(x \mid x_1) \right]}_{L_0} . $$
#
# Read it from the middle: at each time, a step back that knows the data is compared with a step back that does not. The model is $p$; it
# sees $x_t$ only.
#
# **$L_T$** has nothing to learn in it: it asks whether T steps are enough to forget the data. For digits, over the whole training set:

# %%
end = chain.alpha_bar[-1]
of_end = Normal(end.sqrt() * x.double(), (1 - end).sqrt())
forgotten = kl_divergence(of_end, Normal(torch.zeros_like(x).double(), 1.0)).flatten(1).sum(1).mean()
measured("L_T of digits, nats for each", forgotten, at_most=0.01)

# %% [markdown]
# **$L_{t-1}$** is a KL of two Gaussians. For $p$ we choose a Gaussian with a fixed variance $\sigma_t^2$; take $\sigma_t^2 = \tilde\beta_t$ for now, the same as
# that of $q$. Between two Gaussians of equal variance, everything in the KL cancels but the distance of the means:
#
# $$ L_{t-1} = \mathbb{E} \left[ \frac{1}{2 \sigma_t^2} \, \| \tilde\mu_t(x_t, x) - \mu(x_t, t) \|^2 \right] . $$

# %%
first, second, spread = torch.tensor(0.3), torch.tensor(-0.5), torch.tensor(0.2)
by_torch = kl_divergence(Normal(first, spread), Normal(second, spread))
print(
    f"KL by torch {by_torch:.4f}, squared distance over 2σ² {(first - second) ** 2 / (2 * spread**2):.4f} nats"
)

# %% [markdown]
# What should the network give? It could give $\mu$. But $x_t$ is known to it, and so only the *data* in $\tilde\mu_t$ is missing, or, what is the
# same, the *noise*: $x_t = \sqrt{\bar\alpha_t}\, x + \sqrt{1 - \bar\alpha_t}\, \varepsilon$. Let the network answer with a guess $\hat\varepsilon$ of the noise, take the data that
# this implies (`data_from_noise`), and put it where $x$ stood in $\tilde\mu_t$. Both means have the same $x_t$ in them; that cancels, and
#
# $$ L_{t-1} = \mathbb{E} \left[ w_t \, \| \varepsilon - \hat\varepsilon(x_t, t) \|^2 \right] , \qquad w_t = \frac{\beta_t^2}{2 \sigma_t^2 \alpha_t (1 - \bar\alpha_t)} . $$
#
# A squared error again, times a number that depends on t alone. Is that so? On the ring of eight Gaussians we need no network: the
# density of $x_t$ is known (`noisy_mixture`, lesson 50), and so is the best guess of the noise, its mean given $x_t$ (`exact_noise`; lesson 52 asks you
# for it). We compute both sides.

# %%
plane = ring()


def weight(t: int, variances: Tensor) -> Tensor:
    """w_t of the bound."""
    return chain.beta[t] ** 2 / (2 * variances[t] * chain.alpha[t] * (1 - chain.alpha_bar[t]))


points = plane.sample(2000, generator).double()
every = range(2, chain.steps + 1, budget(50, 1, 1))
by_means, by_noise, errors = {}, {}, {}
for t in every:
    noise = torch.randn(points.shape, generator=generator, dtype=torch.float64)
    x_t = q_sample(points, t, noise, chain.alpha_bar)
    noise_hat = exact_noise(x_t, t, plane, chain.alpha_bar)
    mean, variance = posterior(points, x_t, t, chain)
    mean_hat, _ = posterior(data_from_noise(x_t, noise_hat, t, chain.alpha_bar), x_t, t, chain)
    by_means[t] = ((mean - mean_hat).square().sum(1) / (2 * variance.squeeze())).mean()
    errors[t] = (noise - noise_hat).square().sum(1).mean()
    by_noise[t] = weight(t, chain.variance) * errors[t]

worst = max(abs(by_means[t] / by_noise[t] - 1) for t in by_means)
measured("L_(t-1) by the means / by the noise − 1, largest of all t", worst, at_most=1e-6)

# %% [markdown]
# **$L_0$** is the last step, from $x_1$ to data. There is no earlier picture to compare with, so it is a plain $-\log$ of a Gaussian density around
# the mean of that step. Its variance cannot be $\tilde\beta_1 = 0$; take $\beta_1$.
#
# Now all terms are on the table. Is their sum just above the true $-\log p$ of the ring? It depends on $\sigma_t^2$. With $\tilde\beta_t$, a step back is as sure
# as if it knew the data, which it does not. The other choice of the paper is $\sigma_t^2 = \beta_t$. Then the two variances differ, and each KL gets a constant besides,
# $\frac12 (r - 1 - \log r)$ with $r = \tilde\beta_t / \beta_t$ for each dimension (lesson 13), with nothing to learn in it.

# %%
noise = torch.randn(points.shape, generator=generator, dtype=torch.float64)
x_1 = q_sample(points, 1, noise, chain.alpha_bar)
last_mean, _ = posterior(
    data_from_noise(x_1, exact_noise(x_1, 1, plane, chain.alpha_bar), 1, chain.alpha_bar), x_1, 1, chain
)
l_0 = -Normal(last_mean, chain.beta[1].sqrt()).log_prob(points).sum(1).mean()
ends = Normal(end.sqrt() * points, (1 - end).sqrt())
l_T = kl_divergence(ends, Normal(torch.zeros_like(points), 1.0)).sum(1).mean()
truth = -plane.log_density(points).mean()
print(f"L_T {l_T:.5f} nats, L_0 {l_0:.3f} nats; −log p of the data, the truth: {truth:.3f} nats")
gaps = {}
for name, variances in {"β̃": chain.variance, "β": chain.beta}.items():
    r = chain.variance[2:] / variances[2:]
    between = sum(weight(t, variances) * errors[t] for t in every) + (r - 1 - r.log()).sum()  # two dimensions
    gaps[name] = l_T + between + l_0 - truth
    print(
        f"σ² = {name}: the sum of all L_(t-1) is {between:.3f}, and the bound {gaps[name] + truth:.3f} nats"
    )
measured("bound − truth on the ring, σ² = β̃, nats", gaps["β̃"])
measured("bound − truth on the ring, σ² = β, nats", gaps["β"], at_most=0.2, at_least=-0.1)

# %% [markdown]
# (Each term is an average over 2,000 draws, so expect some chance.) With exact guesses and $\sigma_t^2 = \beta_t$ the bound is nearly
# tight: as steps are small, a step back really is a Gaussian. Which variance to *draw* with is a question for lesson 52.
#
# What weights did the bound give to the times? Think before you scroll.

# %% exercise
from minigen.exercises.lesson_51_ddpm_training import heaviest_term

# %%
heaviest_term = check("heaviest_term", heaviest_term)

# %%
later = range(2, chain.steps + 1)
show.curves(
    {
        "the bound, σ² = β": {t: weight(t, chain.beta) for t in later},
        "the simple loss": dict.fromkeys(later, 1.0),
    },
    xlabel="t, steps",
    ylabel="weight of the squared error in the noise",
    title="The bound cares most about the first few steps",
    log=True,
)

# %%
measured(
    "weight of the bound at t = 2 / at t = 1000",
    weight(2, chain.beta) / weight(1000, chain.beta),
    at_least=20,
)

# %% [markdown]
# (Towards the end the weight rises again a little, since β grows.) The largest weights go to steps where so little noise is left that nobody
# could see it. They matter for the likelihood, which
# counts every last digit of a pixel, and hardly for the eye. Ho and others tried the bold thing and *dropped* the weight:
#
# $$ L_{\text{simple}} = \mathbb{E}_{t, x, \varepsilon} \, \| \varepsilon - \hat\varepsilon(x_t, t) \|^2 , \qquad t \text{ drawn evenly from } 1 \text{ to } T . $$
#
# Pictures got better and the likelihood a little worse. Nothing in the best answer has changed: at each t the mean of the noise given
# $x_t$ is best, whatever the weight. Only what a network of limited size and patience spends its effort on is different.
#
# ## 3 · Noise, data, or velocity?
#
# A guess of the noise is a guess of the data, since $x_t$ is known and $x_t = \alpha x + \sigma \varepsilon$ (with $\alpha = \sqrt{\bar\alpha_t}$ and $\sigma = \sqrt{1 - \bar\alpha_t}$ for
# short; without an index they are always these, and not the $\alpha_t$ and $\sigma_t$ of section 2).
# The network may be asked for any sum $u = p \, x + q \, \varepsilon$ that is not a multiple of $x_t$:
#
# | asked for | p | q |
# |---|---|---|
# | noise | 0 | 1 |
# | data | 1 | 0 |
# | **velocity** (Salimans and Ho 2022) | −σ | α |
#
# **Your turn.** The way back from any of them. What goes in: $x_t$ and $u$, which may be pictures, and the four weights, which may be
# plain numbers or of a shape that multiplies. What comes out: the data and the noise.

# %% exercise
from minigen.diffusion import unmix

# %%
unmix = check("unmix", unmix)

# %% [markdown]
# Why does it matter, if all say the same? Because networks err. Let each of the three be wrong by 0.1 in what it is asked for. How
# wrong is the *data*? We move $u$ by 0.1 and look.

# %%
alpha, sigma = chain.alpha_bar[1:].sqrt(), (1 - chain.alpha_bar[1:]).sqrt()
off = {}
for target in "noise", "data", "velocity":
    p, q = target_weights(target, alpha, sigma)
    right, wrong = (unmix(torch.zeros_like(alpha), u + 0 * alpha, alpha, sigma, p, q)[0] for u in (0.0, 0.1))
    off[target] = dict(enumerate((right - wrong).abs().tolist(), 1))
show.curves(
    off,
    xlabel="t, steps",
    ylabel="error in the data, for pixels in [−1, 1]",
    title="An error of 0.1 in what is asked for",
    log=True,
)

# %%
measured("error in the data at t = 1000, noise asked for", off["noise"][1000], at_least=10)
measured("largest error in the data, velocity asked for", max(off["velocity"].values()), at_most=0.11)

# %% [markdown]
# Asked for the noise, a network that is nearly right says nearly nothing about the data where there is much noise; where there is
# little, it is very exact. Asked for the velocity it is never far off. We stay with the noise, as the paper did. (Predicted data far
# outside of [−1, 1] is moved to the edge when we draw; lesson 52.)
#
# ## 4 · Telling the network the time
#
# One network serves all thousand steps, so it must know which one it is at. A single number from 1 to 1,000 is a poor input: the
# difference between t = 3 and t = 6 matters a lot, and is 0.3 % of the range. So t becomes many numbers: a row of **waves**, some fast and
# some slow. Like the hands of a clock, the fast ones tell neighbours apart and the slow ones tell early from late.
#
# **Your turn.** What goes in: N times. What comes out: (N, dim), in each row the sines of $\omega_k t$ for dim / 2 frequencies $\omega_k$, and then
# the cosines. The frequencies fall from 1 to 1 / longest in equal ratios, both ends included.

# %% exercise
from minigen.unet import time_embedding

# %%
time_embedding = check("time_embedding", time_embedding)


# %%
@show.styled
def heat(values: Tensor, title: str, xlabel: str, ylabel: str, label: str):
    """A matrix as a picture, with a scale beside it."""
    figure, axes = plt.subplots(figsize=(6.4, 3))
    plt.close(figure)
    drawn = axes.imshow(values, cmap="RdBu", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.grid(visible=False)
    figure.colorbar(drawn, label=label)
    return figure


waves = time_embedding(torch.arange(0, 201), 32)
heat(waves.T, "Clock hands: 16 sines above, 16 cosines below", "t, steps", "place in the embedding", "value")

# %%
alike = F.cosine_similarity(*torch.broadcast_tensors(waves[100], waves), dim=1)
print(f"cosine between the embeddings of t = 100 and t = 101: {alike[101]:.3f}; t = 110: {alike[110]:.3f}")
measured("cosine of the embeddings of t = 100 and 110", alike[110], at_most=0.95)

# %% [markdown]
# ## 5 · The U-Net
#
# What should the network look like? Images go in, and images of the same size come out: the noise in them. To tell noise from strokes
# it must look at a large part of the picture, and to give the noise of each pixel it must remember every pixel exactly. The **U-Net**
# (Ronneberger and others 2015) does both. On its way down it halves the picture, so that each pixel stands for a larger part; on its way up it
# doubles it again, and at every size it gets what was there on the way down, carried across.
#
# It is made of **residual blocks**: two convolutions, and a way around them on which the input goes through as it was. Between the two the
# time comes in: a small layer turns its embedding into a number for each channel, and every pixel of the channel is shifted by it.
#
# **Your turn.** This block shifts, and shifts wrongly. The network would still train. What goes in: images (N, channels, H, W), and the
# embedded times (N, time), one row for each image. Repair `forward`.

# %% exercise
from minigen.unet import ResidualBlock

# %%
ResidualBlock = check("ResidualBlock", ResidualBlock)

# %% [markdown]
# The docstring forbids `channels_out` = 8, the number of channels that meets the second norm. (A `GroupNorm` puts the channels in groups, and gives each
# group of each image mean 0 and variance 1.) Here is why: a norm over groups of *one* channel subtracts each channel's mean, and so
# takes every shift out again. With two channels in a group, something of it stays:

# %%
torch.manual_seed(0)
for channels in 8, 16:
    norm, picture = nn.GroupNorm(8, channels), torch.randn(1, channels, 8, 8)
    shift = torch.randn(1, channels, 1, 1)
    change = (norm(picture + shift) - norm(picture)).abs().mean()
    measured(f"change by a shift, after a norm of 8 groups of {channels} channels", change.item())

# %% [markdown]
# Convolutions see 3×3 pixels. At the smallest size there is one more layer, **attention**, in which every pixel sees all others. Each
# pixel makes three rows of numbers: a *query* (what am I looking for?), a *key* (what do I show?), and a *value* (what do I hand over?). How well
# pixel j's key matches pixel i's query is a product over the channels,
#
# $$ s_{ij} = \frac{1}{\sqrt{C}} \sum_c \text{query}_{ci} \, \text{key}_{cj} , $$
#
# and a softmax makes weights of it that add up to 1 for each pixel i that looks. The pixel gets the mean of all values with these weights.
#
# **Your turn.** What goes in and comes out: (N, C, H, W). The layers are made for you; write `forward`. It norms, mixes, sends the
# mixture through `out`, and adds it to what came in.

# %% exercise
from minigen.unet import Attention

# %%
Attention = check("Attention", Attention)

# %%
network = UNet()
print("weights of the U-Net:", sum(p.numel() for p in network.parameters()))
for name, part in network.named_children():
    print(f"{name:10} {sum(p.numel() for p in part.parameters()):7} weights   {type(part).__name__}")

# %% [markdown]
# Ours has two sizes, 8×8 and 4×4; networks for large pictures have four to six, and several blocks at each. `time` embeds the time. `into`, `down` and
# `shrink` lead down; `first`, `attention` and `second` work at the bottom; `up`, `grow` and `out` lead up. All layers that end a block start at 0
# (`silent`), and so the fresh network answers 0 to everything: a calm start. All of it, in the order of the way:

# %%
print(inspect.getsource(UNet.forward))

# %% [markdown]
#
# ## 6 · An average of the weights
#
# One more part belongs to nearly every diffusion model. Each batch has other digits, other times and other noise, so the weights tremble
# around where they should be. Their **moving average** (EMA) trembles less:
# after each step, the averaged weights keep a share `decay` of what they were, and take the rest from the model. We draw with the
# averaged weights and train with the others.
#
# **Your turn.** This one runs, and the average never moves from where it started. What goes in: two networks of one make, and the
# share. What comes out: nothing; the first network is changed in place, and the second is not. Buffers, what a layer counts besides its weights, are copied.

# %% exercise
from minigen.train import update_average

# %%
update_average = check("update_average", update_average)

# %% [markdown]
# How far back does it look? A weight that jumps from 0 to 1 at step 1:

# %%
answers = {}
for decay in 0.9, 0.99, 0.999:
    averaged, model = nn.Linear(1, 1), nn.Linear(1, 1)
    with torch.no_grad():
        averaged.weight.zero_(), model.weight.fill_(1.0)
    answers[f"decay {decay}"] = []
    for _ in range(1000):
        update_average(averaged, model, decay)
        answers[f"decay {decay}"].append(averaged.weight.item())
show.curves(
    answers, ylabel="averaged weight", title="The average follows, about 1 / (1 − decay) steps behind"
)

# %% [markdown]
# So the time that it looks back must not be longer than the training: `train` uses 0.999, and a smaller share while the run is young. (From now on `train`
# calls your function.)
#
# ## 7 · Algorithm 1
#
# Everything is there. Training, in the words of the paper's algorithm 1: take images; draw a time for each, evenly from 1 to T; draw
# noise; jump to $x_t$; let the network see $x_t$ and $t$; take a step down the squared error.
#
# **Your turn.** Write `loss`. What goes in: a batch `(x, condition)`, the second part of which we do not use. What comes out: the mean over pixels
# and images. The network is asked for `self.target`; let `target_weights` say which sum of data and noise that is.

# %% exercise
from minigen.ddpm import DDPM

# %%
DDPM = check("DDPM", DDPM)

# %% [markdown]
# Before training: what does a network pay that always answers 0? The fresh one does. Its error is the noise itself, which has
# variance 1. So 1 is what knowing nothing costs, and whoever sees a loss of 0.2 on the first page of a log should not be impressed.

# %%
torch.manual_seed(0)
digit_chain = Schedule(cosine_betas())
fresh = DDPM(UNet(), digit_chain, (1, 8, 8))
with torch.no_grad():
    measured("loss of a network that answers 0", fresh.loss((x, None)), at_least=0.97, at_most=1.03)

# %% [markdown]
# Now train, on the cosine chain: lesson 50 has shown that it spends fewer of its steps where there is nothing to see. It takes a minute or two. On the
# way we keep a copy after an eighth of the steps, for a comparison. (Later lessons start from `trained("digit_ddpm")`, the same with fewer steps.)


# %%
def train_ddpm(network: nn.Module, steps: int, moments: tuple[int, ...]) -> tuple[dict, dict, DDPM]:
    """{step: loss}, {step: the averaged model then}, and the model itself as it is after the last step."""
    model, losses, kept = DDPM(network, digit_chain, (1, 8, 8)), {}, {}
    for step, now, averaged in train(model, batches(x), steps, lr=2e-3):
        losses[step] = now["loss"]
        if step in moments:
            kept[step] = copy.deepcopy(averaged).cpu()
    return losses, kept, model.cpu().eval()


STEPS = budget(10, 2400, 20_000)
SHORT = max(1, STEPS // 8)
torch.manual_seed(0)
losses, kept, raw = train_ddpm(UNet(), STEPS, (SHORT, STEPS))
ddpm = kept[STEPS]


def smoothed(losses: dict[int, float], width: int) -> dict[int, float]:
    """Means over pieces of the curve."""
    steps = list(losses)
    return {
        steps[i]: sum(losses[s] for s in steps[i : i + width]) / len(steps[i : i + width])
        for i in range(0, len(steps), width)
    }


show.curves(
    {"each batch": losses, "means of 50": smoothed(losses, 50)},
    ylabel="mean squared error in the noise",
    title="The loss falls early, and then trembles",
    log=True,
)

# %%
final = list(losses.values())[-max(1, STEPS // 5) :]
measured("loss, mean of the last fifth of the steps", sum(final) / len(final), at_most=0.15)

# %% [markdown]
# Most of the fall happens in the first steps, and the jumps from batch to batch are larger than all progress after them: each batch has other
# times, and some times are much harder than others. From the curve alone you could not tell when to stop.
#
# ## 8 · Where is it hard?
#
# One loss hides a thousand tasks. Here is the error for each time by itself, on digits that the network has never seen:


# %%
@torch.no_grad()
def error_at(model: DDPM, t: int) -> float:
    """The mean squared error in the noise at one time; the same noise in every call."""
    images = x_test[: budget(8, 359, 359)]
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(t))
    x_t = q_sample(images, t, noise, digit_chain.alpha_bar)
    return F.mse_loss(model.predict(x_t, t), noise).item()


moments = [1, 5, 10, 20, 40, 60, 80, 100, 150, 200, 300, 400, 500, 600, 700, 800, 900, 1000]
by_time = {"last weights": raw, "averaged weights": ddpm}
by_time = {name: {t: error_at(model, t) for t in moments} for name, model in by_time.items()}
show.curves(
    by_time,
    xlabel="t, steps",
    ylabel="mean squared error in the noise",
    title="The network finds little of a small noise",
    log=True,
)

# %%
measured("error at t = 1, averaged weights", by_time["averaged weights"][1], at_least=0.5)
measured("error at t = 1000, averaged weights", by_time["averaged weights"][1000], at_most=0.05)
mean_ratio = sum(by_time["averaged weights"].values()) / sum(by_time["last weights"].values())
measured("error of averaged / last weights, mean over these times", mean_ratio, at_most=1.0)

# %% [markdown]
# At t = 1 the noise is more than a hundred times smaller than the strokes. The network finds little of it, and that hardly matters for the data. (Here it
# *could* be found: the pixels of these digits have 17 levels, and rounding to them leaves the noise. Nobody told the network, and photographs give no such
# help.) At t = 1000 the picture *is* the noise: copy it, and you are nearly done. But the little that is missing is what a digit is made of. So look at the *data*
# that the guess implies:

# %%
torch.manual_seed(0)
rows = {"data": x_test[:10]}
for t in 50, 200, 400, 700, 900, 1000:
    x_t = q_sample(x_test[:10], t, torch.randn_like(x_test[:10]), digit_chain.alpha_bar)
    with torch.no_grad():
        x0 = data_from_noise(x_t, ddpm.predict(x_t, t), t, digit_chain.alpha_bar).clamp(-1, 1)
    rows |= {f"t = {t}": x_t.clamp(-1, 1), f"x0 from {t}": x0}
show.rows(rows, title="What the network sees, and the data that its guess implies")

# %% [markdown]
# From little noise the digit comes back. From much noise comes a soft picture: the *mean* of all digits that it may have been, as a squared
# error wants it. (This is the blur of the VAE again.) And from t = 1000 comes nonsense: the network copies the noise nearly perfectly, and what it misses is
# divided by $\sqrt{\bar\alpha_t}$ on the way to the data, next to nothing here, as section 3 said. It should have given one soft mean for all.
#
# The difference to the VAE is that nobody stops here: the step back goes only a little way towards that mean, adds
# a little noise, and asks again. As digits become impossible one by one, the mean gets sharp.
#
# ## 9 · Does it need to know the time?
#
# Take the time away: this network is told 0 always. It gets as many steps as the copy that we kept, an eighth of the training.


# %%
class Timeless(UNet):
    """A U-Net that is told the same time whatever the time is."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return super().forward(x, torch.zeros_like(t))


torch.manual_seed(0)
_, timeless, _ = train_ddpm(Timeless(), SHORT, (SHORT,))
told = {
    "told the time": {t: error_at(kept[SHORT], t) for t in moments},
    "not told": {t: error_at(timeless[SHORT], t) for t in moments},
}
show.curves(
    told,
    xlabel="t, steps",
    ylabel="mean squared error in the noise",
    title=f"After {SHORT} steps of training",
    log=True,
)

# %%
for t in 1, 20, 100, 400, 1000:
    print(f"t = {t}: told {told['told the time'][t]:.4f}, not told {told['not told'][t]:.4f}")
measured(
    "error not told / told the time, t = 1000",
    told["not told"][1000] / told["told the time"][1000],
    at_least=1.5,
)
measured(
    "error not told / told the time, mean over these times",
    sum(told["not told"].values()) / sum(told["told the time"].values()),
    at_least=1.0,
)

# %% [markdown]
# It is worse, but by little where the work is. Why so little? How much noise a picture has can be *seen* in it, and the network learned to look. Where
# nearly all is noise it is several times worse: there t = 600 and t = 1000 look alike, and only who is told knows how much of a digit is
# still in the picture, to be taken off. That is also why a wrong time, as in the repair of section 5, is so easy to overlook. (One run of each, and a short one.)
#
# ## 10 · Digits
#
# Drawing is the subject of the next two lessons: lesson 52 walks all 1,000 steps, and lesson 53 explains how to skip most of them. Here we borrow
# its `few_steps`, with 50 steps; in each the network is asked once, and fresh noise is added.


# %%
def drawing(model: DDPM) -> Callable[[int], Tensor]:
    """n to n digits drawn by the model in 50 steps."""

    def sample(n: int) -> Tensor:
        made = few_steps(
            model.predict,
            model.noise(n),
            digit_chain.alpha_bar,
            budget(2, 50, 50),
            eta=1.0,
            noise=lambda t: model.noise(n),
            clip=True,
        )
        return made.clamp(-1, 1)

    return sample


# %% picture
torch.manual_seed(0)
show.rows(
    {
        "real digits": x_test[:26:2],
        "averaged weights": drawing(ddpm)(13),
        "": drawing(ddpm)(13),
        " ": drawing(ddpm)(13),
        "last weights": drawing(raw)(13),
    },
    title="Digits out of noise, in 50 steps back",
)

# %%
torch.manual_seed(0)
judge = DigitFeatures()
real, many = judge.features(x), budget(100, 1000, 1000)
here = measured_model("DDPM", drawing(ddpm)) | {"lesson": "51"}
sets = [here["fid"], *(fid(real, judge.features(drawing(ddpm)(many))) for _ in range(2))]
mean = statistics.mean(sets)
print("three sets of digits: FID", ", ".join(f"{value:.3f}" for value in sets))
of_raw = fid(real, judge.features(drawing(raw)(many)))
measured("Fréchet distance, DDPM, averaged weights, mean of three sets", mean)
measured("Fréchet distance, DDPM, last weights", of_raw)
measured("Fréchet distance, averaged / last weights", mean / of_raw, at_most=0.8)

# %%
print(f"{'lesson':8}{'model':26}    FID  precision  recall  seconds")
table = measured_models([here])
for row in table:
    numbers = f"{row['fid']:6.2f}  {row['precision']:9.3f}  {row['recall']:6.3f}  {row['seconds']:7.2g}"
    print(f"{row['lesson']:8}{row['model']:26} {numbers}")
found = {row["model"]: row["fid"] for row in table}
for name in "VAE", "conditional VAE", "GAN", "minimax GAN", "WGAN-GP", "conditional WGAN-GP":
    measured(f"Fréchet distance, DDPM / {name}", mean / found.get(name, math.nan), at_most=0.95)

# %% [markdown]
# Its distance is below that of the VAEs and of all GANs, even of the one that is told which digit to draw; to that one it is close. (Sets of 1,000 differ: look
# at the three. Models that are told the digit, and the ten Gaussians, have a higher precision and a lower recall.) The precision is higher than that of the VAE and of the GANs without labels, and the recall is about that of the best of these: quality
# *and* coverage. Remember the triangle of lesson 01. What is paid for it stands in the last column: fifty passes through a larger network, where a
# GAN needs one. Lesson 53 is about making that cheaper.
#
# Look at the pictures too. Most are digits; a few are scribbles, or two digits at once. By eye the last weights are hard to tell from their
# average; by the Fréchet distance they are clearly worse. Yet in section 8 the two errors lay close together, except where nearly all is noise. Perhaps that is where it
# matters, perhaps small differences add up over the steps; we have not separated the two. More training helps (`MINIGEN_BUDGET=full`).
#
# ## What goes wrong in practice
#
# - **Off by one in t.** Some code counts from 0 to T − 1, some from 1 to T. Tables of one kind with times of the other shift every picture by one step, and the
#   loss does not show it.
# - **A wrong coefficient in the step back.** The loss knows nothing of it, as the step back is not used in training at all.
# - **Noise of one kind in training, another in drawing**: `rand` for `randn`. And **one time for the whole batch**, which makes the loss jump.
# - **The time told in another unit**, t / T for t. The waves are made for steps.
# - **Drawing with the last weights.** Here it made a large difference. And an average that never moves draws as the fresh network does.
# - **Believing the loss.** Much of it comes from small t, which matter least for the eye, and it is nearly flat after a few hundred steps.
# - **Data in another range.** The chain is made for numbers of about [−1, 1]; with 0 to 255, the last $x_T$ is not N(0, I).
#
# ## Where to read on
#
# - Sohl-Dickstein, Weiss, Maheswaranathan and Ganguli, 2015, *Deep Unsupervised Learning using Nonequilibrium Thermodynamics*.
# - Ho, Jain and Abbeel, 2020, *Denoising Diffusion Probabilistic Models*.
# - Nichol and Dhariwal, 2021, *Improved Denoising Diffusion Probabilistic Models* (the weights, and learned variances).
# - Kingma, Salimans, Poole and Ho, 2021, *Variational Diffusion Models* (the bound, taken seriously).
# - Salimans and Ho, 2022, *Progressive Distillation for Fast Sampling of Diffusion Models* (the velocity).
# - Ronneberger, Fischer and Brox, 2015, *U-Net: Convolutional Networks for Biomedical Image Segmentation*.
# - Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin, 2017, *Attention Is All You Need*.
# - Karras, Aittala, Aila and Laine, 2022, *Elucidating the Design Space of Diffusion-Based Generative Models* (what a network should be asked for, and at which times).
#
# **Next: 52 · Drawing with a DDPM.** All the way back, and what can go wrong on it.

# %%
progress()
