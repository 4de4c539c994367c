# %% [markdown]
# # 30 · Generative adversarial networks
#
# **Who should say whether a drawn picture looks real?** So far a formula said it. The VAE of lesson 13 compares pixels with
# pixels, so it hedges where it is not sure, and its strokes are soft. You would see at once that something is wrong with
# them. Could a *network* see it too, and show the one that draws how to do better?
#
# In this lesson you build that game of two networks: one draws, the other tells drawings from real pictures, and both learn. You
# will find out what the game computes when both play well, and see in which ways it goes wrong when they do not.
#
# About 2 hours · 8 exercises · needs: lessons 01 and 13; derivatives, integrals, KL. Lesson 21 helps.

# %%
import copy
import math
from collections.abc import Callable, Iterator

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional as F
from torch.optim import SGD, Adam

from minigen import show
from minigen.core import Generative, budget
from minigen.course import check, hint, measured, measured_model, progress, solution
from minigen.data import batches, digits, ring
from minigen.features import DigitFeatures
from minigen.gan import image_critic, image_generator, minimax_loss
from minigen.layers import point_networks
from minigen.metrics import fid
from minigen.recipes import trained
from minigen.train import train

# %%
x, _ = digits("train")  # (1438, 1, 8, 8) in [-1, 1]
x_test, _ = digits("test")
torch.manual_seed(0)
from_vae = trained("digit_vae").sample(
    1000
)  # the VAE of lesson 13; its first use trains it, for half a minute
show.rows({"real digits": x_test[:26:2], "the VAE's": from_vae[:13]}, title="Which ones are drawn?")


# %% [markdown]
# ## 1 · The game
#
# The **generator** $G$ is a decoder like that of the VAE: it turns noise $z \sim N(0, I)$ into a picture $G(z)$. There is no
# encoder, and nobody says which $z$ belongs to which picture.
#
# The **discriminator** $D$ looks at a picture and gives the probability $D(x)$ that it is real. It is shown real pictures and
# drawn ones, equally many, and learns to classify them as any classifier does. Goodfellow and others (2014) put what both want
# into one number, the **value** of the game:
#
# $$ V(D, G) = \mathbb{E}_{x \sim \text{data}} \left[ \log D(x) \right] + \mathbb{E}_{z \sim N(0, I)} \left[ \log (1 - D(G(z))) \right] . $$
#
# The discriminator wants $V$ large: it should answer near 1 for real pictures and near 0 for drawn ones. The generator wants
# $V$ small: $\min_G \max_D V(D, G)$. What one wins, the other loses (a **zero-sum** game).
# It is called **minimax** after the two signs min and max.
#
# Our network for $D$ does not answer with a probability but with **log-odds** $a$, any number, and $D = \mathrm{sigmoid}(a)$, as
# the coins of lesson 13 did. (The library calls the network that judges `critic` everywhere. In later GANs its number is no
# log-odds any more.)
#
# **Your turn.** Here is what a discriminator should minimise, $-V$, as a classifier's loss with labels: 1 for real pictures, 0 for
# drawn ones. It runs, and trains, and the loss never falls far. What goes in: log-odds for N real and for N drawn pictures. What comes
# out: one number, in nats. Find what is wrong, or write your own from the formula. A sure discriminator gives large log-odds, and
# your number must stay finite: in float32, $1 - \mathrm{sigmoid}(20)$ is exactly 0.

# %% exercise
from minigen.gan import discriminator_loss

# %%
discriminator_loss = check("discriminator_loss", discriminator_loss)

# %% [markdown]
# In words, it is the surprise at the truth: about each real picture, and about each drawn one. A discriminator that has learned
# nothing answers 1/2 to everything. What does it pay?

# %%
nothing = torch.zeros(64)  # log-odds 0: probability 1/2
print(f"1/2 to everything: {discriminator_loss(nothing, nothing):.4f} nats; log 4 = {math.log(4):.4f}")
print(f"sure and right: {discriminator_loss(nothing + 20, nothing - 20):.2g} nats")
print(f"sure and wrong: {discriminator_loss(nothing - 20, nothing + 20):.2f} nats")

# %% [markdown]
# ## 2 · The best discriminator
#
# Suppose for a moment that we know the density $p$ of real data, and $q$ of what the generator draws. What should $D$ answer? The
# value is an integral,
#
# $$ V = \int p(x) \log D(x) + q(x) \log (1 - D(x)) \; dx , $$
#
# and $D$ may answer at each $x$ as it likes. So make the integrand large at each $x$ by itself: its derivative by $D$ is
# $p / D - q / (1 - D)$, which is 0 at
#
# $$ D^*(x) = \frac{p(x)}{p(x) + q(x)} . $$
#
# **Your turn.** What goes in: the *logarithms* of both densities at N points. What comes out: $D^*$ there. Far from the data both
# densities are so small that a computer rounds them to 0, and 0/0 is no answer. There the ratio is still known: use the logarithms.

# %% exercise
from minigen.game import optimal_discriminator

# %%
optimal_discriminator = check("optimal_discriminator", optimal_discriminator)

# %% [markdown]
# Does a network find it? Here $p$ and $q$ are two Gaussians on a line. A small network sees draws only, no densities, and
# minimises your `discriminator_loss`.

# %%
real_law, fake_law = Normal(-1.0, 1.0), Normal(1.0, 0.7)
line = torch.linspace(-15, 15, 10_001, dtype=torch.float64)


def densities(real_law: Normal, fake_law: Normal, at: Tensor = line) -> tuple[Tensor, Tensor]:
    """The logarithms of both densities at some points, in their precision."""
    laws = (
        Normal(torch.as_tensor(law.loc).to(at), torch.as_tensor(law.scale).to(at))
        for law in (real_law, fake_law)
    )
    return tuple(law.log_prob(at) for law in laws)


torch.manual_seed(0)
small = nn.Sequential(
    nn.Linear(1, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 1), nn.Flatten(0)
)
optimizer = Adam(small.parameters(), lr=3e-3)
for _ in range(budget(5, 1000, 4000)):
    loss = discriminator_loss(small(real_law.sample((256, 1))), small(fake_law.sample((256, 1))))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

log_p, log_q = densities(real_law, fake_law)
best = optimal_discriminator(log_p, log_q)
with torch.no_grad():
    learned = small(line[:, None].float()).sigmoid().double()
part = slice(3500, 6501, 20)  # from -4.5 to 4.5
show.curves(
    {
        name: dict(zip(line[part].tolist(), values[part].tolist(), strict=True))
        for name, values in {
            "p, real": log_p.exp(),
            "q, drawn": log_q.exp(),
            "D*, the formula": best,
            "D of a network": learned,
        }.items()
    },
    xlabel="x",
    ylabel="density per unit, or probability",
    title="A network finds the ratio of two densities that nobody told it",
)

# %%
half = (log_p.exp() + log_q.exp()) / 2  # the density of all that it was shown
gap = torch.trapezoid(half * (learned - best).abs(), line)
measured("mean |D of the network − D*|", gap, at_most=0.05)

# %% [markdown]
# Look at the right end. $D^*$ rises again: the real Gaussian is the wider one, so far out nearly all points are real again. The
# network does not know that. There are hardly any data, and it says what it likes: nobody asked it there. Remember that.
#
# Is $D^*$ really the best? We integrate the value numerically, for the log-odds of $D^*$ times some factor: 0 means "1/2 to
# everything", more than 1 means too sure.


# %%
def value(log_odds: Tensor, log_p: Tensor, log_q: Tensor) -> Tensor:
    """V of a discriminator with these log-odds on the line, by the trapezoidal rule."""
    integrand = log_p.exp() * F.logsigmoid(log_odds) + log_q.exp() * F.logsigmoid(-log_odds)
    return torch.trapezoid(integrand, line)


factors = [i / 20 for i in range(61)]
values = {factor: float(value(factor * (log_p - log_q), log_p, log_q)) for factor in factors}
show.curves(
    {"V": values},
    xlabel="log-odds, as a multiple of those of D*",
    ylabel="nats",
    title="Too doubtful on the left of 1, too sure on the right",
)

# %%
at_best = torch.trapezoid(
    log_p.exp() * best.log() + log_q.exp() * optimal_discriminator(log_q, log_p).log(), line
)
bumps = [0.5 * torch.sin(k * line + k) for k in range(1, 20)]
gain = max(value(log_p - log_q + bump, log_p, log_q) - at_best for bump in bumps)
measured("most that V gains over D* when its log-odds are bent in 19 ways, nats", gain, at_most=0)

# %% [markdown]
# ## 3 · What the generator is after
#
# Let the discriminator be perfect. What number does the generator then make small? Compare each density with their mean
# $m = (p + q) / 2$. The **Jensen–Shannon divergence** is the mean of two KLs,
#
# $$ \mathrm{JSD}(p, q) = \tfrac12 \mathrm{KL}(p \,\|\, m) + \tfrac12 \mathrm{KL}(q \,\|\, m) . $$
#
# It is 0 only when $p = q$. And it can never be infinite, as a KL can: $m$ is at least half of each, so no logarithm exceeds
# $\log 2$.
#
# **Your turn.** What goes in: the logarithms of two densities at points on a line, and the points. What comes out: the divergence,
# a number of nats, integrated by `torch.trapezoid`. Mind again where a density is rounded to 0.

# %% exercise
from minigen.game import jensen_shannon

# %%
jensen_shannon = check("jensen_shannon", jensen_shannon)

# %% [markdown]
# Now put $D^* = p / (p + q) = p / (2m)$ into the value. Each logarithm gives a $\log \frac{p}{m}$ and a $-\log 2$:
#
# $$ V(D^*, G) = 2 \, \mathrm{JSD}(p, q) - \log 4 . $$

# %%
pairs = [
    (Normal(-1.0, 1.0), Normal(1.0, 0.7)),
    (Normal(0.0, 1.0), Normal(0.2, 1.1)),
    (Normal(-2.0, 0.5), Normal(2.0, 0.5)),
]
differences = []
for first, second in pairs:
    log_p, log_q = densities(first, second)
    by_game = value(log_p - log_q, log_p, log_q)
    by_divergence = 2 * jensen_shannon(log_p, log_q, line) - math.log(4)
    differences.append(abs(by_game - by_divergence))
    print(f"V(D*) = {by_game:.6f}, 2 JSD − log 4 = {by_divergence:.6f} nats")
measured("largest |V(D*) − (2 JSD − log 4)|, nats", max(differences), at_most=1e-8)

# %% [markdown]
# So against a perfect discriminator the generator pulls its density towards the data's, and the best that it can reach is
# $q = p$, where $V = -\log 4$ and $D^* = 1/2$ everywhere. Nobody ever had to compute a density of pictures. That is the beauty
# of it.
#
# Here is the first crack. Two Gaussians of width 1, at a growing distance:

# %%
distances = torch.linspace(0, 12, 49).tolist()
by_distance = {
    d: float(jensen_shannon(*densities(Normal(-d / 2, 1.0), Normal(d / 2, 1.0)), line)) for d in distances
}
show.curves(
    {"JSD": by_distance, "log 2": dict.fromkeys(distances, math.log(2))},
    xlabel="distance of the two centres, in widths",
    ylabel="nats",
    title="Far apart is far apart: the divergence goes flat",
)

# %%
measured(
    "slope of JSD at a distance of 1, nats for each width", (by_distance[1.25] - by_distance[0.75]) / 0.5
)
measured(
    "slope of JSD at a distance of 10 / at 1",
    (by_distance[10.25] - by_distance[9.75]) / (by_distance[1.25] - by_distance[0.75]),
    at_most=1e-4,
)

# %% [markdown]
# A generator whose pictures are easily told from real ones gets no hint which way to go. We come back to this in section 6, and
# lesson 31 replaces the divergence.

# %% exercise
from minigen.exercises.lesson_30_gan import reading_log_4

# %%
reading_log_4 = check("reading_log_4", reading_log_4)

# %% [markdown]
# ## 4 · Two ways to want the same
#
# What does the generator minimise? By the book, its part of $V$, the average of $\log(1 - D(G(z)))$: that is the **minimax** loss. The
# same paper says, half a page later, that this does not work well, and proposes another: instead of making it improbable that
# its pictures are taken for fakes, the generator makes it *probable* that they are taken for real. It minimises the surprise at
# being called real. This is named the **non-saturating** loss. Both want the same, $D(G(z))$ large. What differs is where they
# push hard.
#
# **Your turn.** The function has the right name, and computes the wrong loss. (This very bug, a text about one and code of the
# other, can be found on the web.) What goes in: log-odds of N drawn pictures. What comes out: one number, at least 0.

# %% exercise
from minigen.gan import non_saturating_loss

# %%
non_saturating_loss = check("non_saturating_loss", non_saturating_loss)

# %%
log_odds = torch.linspace(-8, 4, 121)
show.curves(
    {
        "minimax": dict(
            zip(log_odds.tolist(), [float(minimax_loss(a[None])) for a in log_odds], strict=True)
        ),
        "non-saturating": dict(
            zip(log_odds.tolist(), [float(non_saturating_loss(a[None])) for a in log_odds], strict=True)
        ),
    },
    xlabel="log-odds that the discriminator gives to a drawn picture",
    ylabel="nats",
    title="Both fall to the right. Only one has a slope on the left",
)

# %% [markdown]
# ## 5 · In turns
#
# In practice nobody has $D^*$. Both networks are trained in turns (algorithm 1 of the paper):
#
# 1. **The critic's turn**: draw fakes, and take one step that makes `critic_loss` small. The generator must not move.
# 2. **The generator's turn**: draw fakes, and take one step that makes `generator_loss` small. The critic must not move. But the
#    gradient comes *through* it: how should the pixels change, so that the critic is fooled? And then: how should the weights?
#
# The library's `train` asks a model's `losses` for a loss, takes a step of the player whose name stands beside it, and only then
# asks for the next one. So `losses` is a generator in Python's sense (another one): it says `yield` for each turn. There may be several
# turns of the critic for one of the generator, and a batch is shared out among them.
#
# **Your turn.** Here is the whole class, with one of the most common bugs of GAN code in `losses`: it runs, the losses look as
# they should, and a gradient goes where it must not. Change `losses` only.
# %% exercise
from minigen.gan import GAN

# %%
GAN = check("GAN", GAN)


# %% [markdown]
# How large is the gradient that the bug lets through? We ask for the gradient of each loss by each player's weights.


# %%
def reaching(loss: Tensor, player: nn.Module) -> Tensor:
    """The gradient of a loss by all weights of a player, as one long vector."""
    weights = list(player.parameters())
    gradients = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
    zeros = (torch.zeros_like(w) for w in weights)
    return torch.cat([(z if g is None else g).flatten() for g, z in zip(gradients, zeros, strict=True)])


torch.manual_seed(0)
gan = GAN(image_generator(16), image_critic(), 16)
turns = dict(gan.losses((x[:64], None)))
fake = gan.fakes(x[:64])  # not detached
own = reaching(gan.generator_loss(fake), gan.generator)
leaked = reaching(gan.critic_loss(x[:64], fake), gan.generator)

measured(
    "gradient that the critic's loss pushes into the generator",
    reaching(turns["critic"], gan.generator).norm(),
    at_most=0,
)
measured("the same without detach", leaked.norm(), at_least=1e-3)
measured("the generator's own gradient", reaching(turns["generator"], gan.generator).norm(), at_least=1e-3)
measured("own + leaked gradient / own gradient", (own + leaked).norm() / own.norm(), at_most=0.2)

# %% [markdown]
# The critic's loss wants fakes that are easy to find, the generator's wants the opposite. At the start both pull equally hard, and
# if a training loop adds them up, next to nothing is left of the gradient, and no error is raised. The usual loop
# calls `loss.backward()` for both, so there the missing `detach` does this harm whenever the gradients are not thrown away in between.
# (Our `train` asks for the gradients of one player only. With it the bug costs time and memory and nothing else. Do not rely on the
# loops of others.)
#
# And does the generator's gradient come through the critic rightly? One number of the generator, moved up and down a little:

# %%
exact = GAN(image_generator(16), image_critic(), 16).double()
z = torch.randn(64, 16, dtype=torch.float64)


def opinion() -> Tensor:
    return exact.generator_loss(exact.generator(z))


weight, h = exact.generator[0][-1].bias, 1e-5
through = torch.autograd.grad(opinion(), weight)[0][0]
with torch.no_grad():
    sides = []
    for move in (h, -2 * h):
        weight += move
        sides.append(opinion())
by_differences = (sides[0] - sides[1]) / (2 * h)
measured("generator's gradient / finite differences − 1", abs(through / by_differences - 1), at_most=1e-4)

# %% [markdown]
# ## 6 · Before a confident discriminator
#
# Back to the two losses of the generator. At the start of training, drawn pictures are bad, and a discriminator is quick to see
# it: we are far on the left of the picture in section 4. Let us measure
# the gradient that arrives in the *weights* of the generator. The generator stays as it is; the discriminator learns alone, and
# becomes more and more confident.

# %%
torch.manual_seed(0)
early = GAN(image_generator(16), image_critic(), 16)
step_of = Adam(early.critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
both = {"minimax": minimax_loss, "non-saturating": non_saturating_loss}
pushes, opinions = {name: {} for name in both}, {}
for step in range(1, budget(5, 201, 201)):
    seen = x[torch.randint(len(x), (64,))]
    loss = early.critic_loss(seen, early.fakes(seen).detach())
    step_of.zero_grad()
    loss.backward()
    step_of.step()
    if step % 5 == 0 or step == 1:
        answers = early.critic(early.fakes(x[:256]))
        opinions[step] = answers.mean().item()
        for name, generator_loss in both.items():
            pushes[name][step] = float(reaching(generator_loss(answers), early.generator).norm())
    if step == 100:
        confident = copy.deepcopy(early)
show.curves(
    pushes,
    xlabel="steps that the discriminator has learned alone",
    ylabel="length of the generator's gradient",
    title="One gradient dies, the other grows",
    log=True,
)

# %%
at = max(step for step in pushes["minimax"] if step <= 100)
print(f"after {at} steps, mean log-odds of fakes: {opinions[at]:.1f}")
measured("minimax gradient before a confident discriminator", pushes["minimax"][at])
measured("non-saturating gradient before the same discriminator", pushes["non-saturating"][at])
measured(
    "non-saturating / minimax gradient", pushes["non-saturating"][at] / pushes["minimax"][at], at_least=100
)

# %% [markdown]
# The ratio is no accident. By the log-odds $a$, the minimax loss has the slope $-D$ and the other one $-(1 - D)$. Their ratio is
# $(1 - D) / D = e^{-a}$, for each picture.
#
# Does it matter? We freeze this confident discriminator and let the generator alone learn to fool it, with both losses; once by plain
# gradient steps, once with Adam.

# %%
if not budget(0, 1, 1):
    confident = copy.deepcopy(early)  # a smoke run is shorter than 100 steps
fooled, drawn = {}, {}
for name, generator_loss in both.items():
    for optimizer in (SGD, Adam):
        painter = copy.deepcopy(confident.generator)
        stepper = optimizer(painter.parameters(), lr=1e-3)
        torch.manual_seed(1)
        way = {}
        for step in range(budget(3, 101, 101)):
            answers = confident.critic(painter(torch.randn(64, 16)))
            way[step] = answers.mean().item()
            stepper.zero_grad()
            generator_loss(answers).backward()
            stepper.step()
        fooled[f"{name}, {optimizer.__name__}"] = way
        drawn[f"{name}, {optimizer.__name__}"] = painter(torch.randn(13, 16)).detach()
show.curves(
    fooled,
    xlabel="steps of the generator",
    ylabel="mean log-odds of its pictures",
    title="Learning to fool a frozen discriminator",
)

# %%
last = max(fooled["minimax, SGD"])
rise = {name: way[last] - way[0] for name, way in fooled.items()}
measured("rise of the log-odds, minimax, plain steps", rise["minimax, SGD"], at_most=1)
measured("rise of the log-odds, non-saturating, plain steps", rise["non-saturating, SGD"], at_least=5)
measured("rise of the log-odds, minimax, Adam", rise["minimax, Adam"])

# %% [markdown]
# With plain steps the minimax generator hardly moves. With Adam it does, which is rarely told: Adam divides each
# gradient by its usual size, and makes the tiny ones large again. Expect the difference in real training to be smaller than the
# ratio above, and keep that in mind for sections 8 and 9.
#
# And what did the generators draw that the discriminator now takes for real? (The one in the first row has hardly moved.)

# %%
show.rows(drawn, title="Drawn for a judge who does not learn any more")

# %% [markdown]
# Not digits. The discriminator had only ever seen grey squares as fakes; elsewhere it says what it likes. Both players have to
# go on learning, and that makes it a game.
#
# ## 7 · A game is no descent
#
# Gradient descent on a loss goes downhill and arrives somewhere. Two players who walk on *one* surface, one downhill and the other
# uphill, need not arrive. The smallest game that shows it has one number for each player, and the value $f(x, y) = x \, y$. The
# first wants it small, the second large. The only place where neither wants to move is $(0, 0)$.
#
# **Your turn.** The first player moves $x$ against the gradient of $f$, the second moves $y$ along it, each by `lr` times the
# gradient. If they move in `turns`, the second sees what the first has just done, as in our GANs; if not, both move at once.
# What comes out: all places on their way, (steps + 1, 2), with the start.

# %% exercise
from minigen.game import play

# %%
play = check("play", play)

# %%
start, lr, steps = (1.0, 0.0), 0.1, 200
ways = {"at once": play(*start, lr, steps, False), "in turns": play(*start, lr, steps, True)}


@show.styled
def orbits(ways: dict[str, Tensor]):
    """Ways in the plane of x and y, with their common start and the solution."""
    figure, axes = plt.subplots(figsize=(5.4, 5.0))
    plt.close(figure)
    for i, (name, way) in enumerate(ways.items()):
        axes.plot(*way.T, color=show.PALETTE[i], linewidth=1.3, label=name)
    axes.plot(*start, "o", color=show.INK, label="start")
    axes.plot(0, 0, "*", color=show.INK, markersize=12, label="where both would rest")
    axes.set(aspect="equal", xlabel="x, which makes x y small", ylabel="y, which makes x y large")
    axes.set_title("Two players, 200 steps each")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


orbits(ways)

# %%
radius = {name: way.double().norm(dim=1) for name, way in ways.items()}
measured("distance from (0, 0) after 200 steps, at once", radius["at once"][-1], at_least=2)
measured("the same by the formula (1 + lr²) to the power 100", (1 + lr**2) ** (steps / 2))
measured("largest distance from (0, 0), in turns", radius["in turns"].max(), at_most=1.1)
measured("smallest distance from (0, 0), in turns", radius["in turns"].min(), at_least=0.9)
measured(
    "distance of the mean place from (0, 0), in turns", ways["in turns"].double().mean(0).norm(), at_most=0.15
)

# %% [markdown]
# At once they spiral *out*: each step goes along the circle's tangent, so it ends a little outside of it. In turns they stay on
# a closed way. Neither arrives, however small the steps are. A smaller `lr` only makes it slower.
#
# The last number offers a way out. The players go round and round, but the *mean* of all their places is near the middle. So
# the models of this course keep a moving average of a generator's weights, and it is often (not always) the better one to draw
# from. `train` yields it beside the losses.
#
# (Real games are not bilinear, and there are terms that pull inwards: lesson 31 has one. Mescheder, Geiger and Nowozin, 2018,
# work out which.)
#
# ## 8 · Mode collapse
#
# Eight small Gaussians on a ring: can a generator learn all of them? Nothing in its loss, for one fixed discriminator, asks for variety. If its pictures are
# taken for real, it has won, and they may all be one and the same. The discriminator's only answer is to stop believing in that one;
# then the generator moves to another.
#
# We need to count.
#
# **Your turn.** What goes in: `points`, S crowds of N points each; the `means` of the K modes; and the `std` of each of them. A point
# is *near* a mode when it is less than 3 std away from its mean. A mode is *covered* when the points near it are at least a
# quarter of its fair share, which is N / K. What comes out, for each crowd: how many modes it covers, and which share of its points is near
# any mode.

# %% exercise
from minigen.game import modes_covered

# %%
modes_covered = check("modes_covered", modes_covered)

# %% [markdown]
# Training GANs is full of chance, and one run proves nothing. So we train ten, from ten different starts. `point_networks(10, …)`
# makes ten small networks that lie side by side and never see each other's points: one training, ten games. And three kinds of game:
#
# - the **minimax** game, by the book;
# - the **non-saturating** game;
# - the non-saturating game once more, with one number changed and **more momentum**. The first two have Adam with
#   `betas=(0.5, 0.9)`; the 0.5 means that a step remembers about two gradients. Here it is 0.9, which is usual elsewhere: about ten.

# %%
plane = ring()  # eight modes, radius 1, std 0.1
centres = plane.means.float()
last_step = budget(1, 1200, 4000)
moments = [max(1, last_step * i // 8) for i in range(1, 9)]


class MinimaxGAN(GAN):
    """Your GAN, with the minimax loss for the generator."""

    def generator_loss(self, fake: Tensor, *condition: Tensor) -> Tensor:
        return minimax_loss(self.critic(fake, *condition))


def with_betas(*betas: float) -> Callable:
    return lambda parameters: Adam(parameters, lr=1e-3, betas=betas)


def ten_games(kind: type, betas: tuple[float, float]) -> tuple[dict[int, Tensor], Tensor]:
    """Ten GANs on the ring: {step: points drawn then (10, 1000, 2)}, and points from the averaged generators."""
    torch.manual_seed(0)
    critic = nn.Sequential(point_networks(10, 2, 1), nn.Flatten(0))
    model, crowds = kind(point_networks(10, 4, 2), critic, 4), {}
    for step, _, averaged in train(
        model,
        lambda generator: (plane.sample(10 * 64, generator), None),
        steps=last_step,
        optimizer=with_betas(*betas),
        decay=0.99,
    ):
        if step in moments:
            crowds[step] = model.sample(10 * 1000).view(10, -1, 2).cpu()
    return crowds, averaged.sample(10 * 1000).view(10, -1, 2).cpu()


games = {
    "minimax": ten_games(MinimaxGAN, (0.5, 0.9)),
    "non-saturating": ten_games(GAN, (0.5, 0.9)),
    "non-saturating, more momentum": ten_games(GAN, (0.9, 0.9)),
}


# %%
@show.styled
def counted(games: dict):
    """How many modes each of ten generators covers, over the training: a table for each game."""
    figure, every = plt.subplots(1, len(games), figsize=(8.4, 3.5), sharey=True)
    plt.close(figure)
    for axes, (name, (crowds, _)) in zip(every, games.items(), strict=True):
        table = torch.stack([modes_covered(c, centres, 0.1)[0] for c in crowds.values()], dim=1)
        axes.imshow(table, cmap="Blues", vmin=0, vmax=10, aspect="auto")
        for row, column in torch.cartesian_prod(torch.arange(10), torch.arange(table.shape[1])).tolist():
            count = int(table[row, column])
            axes.text(
                column,
                row,
                count,
                ha="center",
                va="center",
                fontsize=9,
                color="white" if count > 6 else show.INK,
            )
        axes.set_title(name, fontsize=10)
        axes.set(xlabel="step", xticks=range(len(crowds)), yticks=range(10))
        axes.set_xticklabels(list(crowds), rotation=60, fontsize=8)
    every[0].set(ylabel="game", yticklabels=range(1, 11))
    figure.suptitle("Modes covered, of 8")
    return figure


counted(games)

# %%
for name, (crowds, from_average) in games.items():
    modes, near = modes_covered(crowds[last_step], centres, 0.1)
    of_average, near_average = modes_covered(from_average, centres, 0.1)
    print(f"{name}: modes of the ten at the end {modes.tolist()}, averaged weights {of_average.tolist()}")
    measured(f"{name}: games of 10 with all 8 modes", (modes == 8).sum())
    measured(f"{name}: share of points near a mode, mean of 10 games", near.mean())
    measured(f"{name}: the same, averaged weights", near_average.mean())
    if (modes == 8).any():
        print(f"{name}: share near a mode, games with all 8 modes alone: {near[modes == 8].mean():.2f}")
true = plane.sample(10_000, torch.Generator().manual_seed(0)).view(1, -1, 2)
print(f"share near a mode, draws of the ring itself: {modes_covered(true, centres, 0.1)[1].item():.2f}")

# %%
counts_of = {name: modes_covered(crowds[last_step], centres, 0.1)[0] for name, (crowds, _) in games.items()}
collapsed = counts_of["non-saturating, more momentum"].double().mean()
measured("mean number of modes covered, more momentum", collapsed, at_most=4)
all_eight = {name: int((modes == 8).sum()) for name, modes in counts_of.items()}
measured(
    "games of 10 with all 8 modes, minimax − non-saturating",
    all_eight["minimax"] - all_eight["non-saturating"],
    at_least=-2,
)
measured(
    "fewest modes of the ten, after an eighth of the minimax training",
    modes_covered(games["minimax"][0][moments[0]], centres, 0.1)[0].min(),
    at_most=4,
)

# %% [markdown]
# Look along the rows. With more momentum hardly any game gets near eight: most cover a few modes or none, and modes that
# were covered are lost again. With less momentum many games find all modes in time, some early, some late, and some not at all. Nothing but
# chance differs between the ten games of a table, at the start and in the draws: report one of them, and you report chance.
#
# The two losses differ less than their fame. The minimax loss, which section 6 found so quiet, is not behind, perhaps because
# Adam makes small gradients large (section 6 again).
#
# What does a collapsed game look like? Three games with more momentum, over time:


# %%
def crowds_over_time(crowds: dict[int, Tensor], title: str):
    """Crowds of the first three of the ten games, a game in a row, with the middles of the modes."""
    shown = {f"step {step}": crowds[step] for step in moments[1::2]}
    return show.clouds(
        {f"game {i + 1}": {step: crowd[i] for step, crowd in shown.items()} for i in range(3)}, centres, title
    )


crowds_over_time(games["non-saturating, more momentum"][0], "Mode collapse, with more momentum")

# %% [markdown]
# Each cross is the middle of a mode; the blue points are 300 of the crowd (without those outside of the frame). Mostly it is at a few hills, or
# beside all of them, and by the next picture it has moved, since the discriminator has learned to mistrust that place: the circle of section 7,
# in a bigger game. And this is what three games with less momentum drew:

# %%
crowds_over_time(games["non-saturating"][0], "The same game with less momentum")

# %% [markdown]
# A game whose row in the table stays near 1, such as the third, sits at one hill or beside it, and somewhere else in the next
# picture.
#
# Be strict with the winners too. A crowd that covers all eight modes is still a ring rather than eight hills, with points on the
# way from one to the next: compare the shares near a mode of such crowds, printed above, with that of the ring itself. And the averaged weights are no
# remedy here. Between two places that a moving generator visits, the average may be at neither.

# %% [markdown]
# ## 9 · Digits
#
# Convolutional GANs became workable with a set of habits by Radford, Metz and Chintala (2016), known as **DCGAN**: convolutions that halve
# the picture and no pooling, a `tanh` at the end of the generator so that pixels lie in [−1, 1], Adam with less momentum. (They also use
# batch normalisation, which networks as small as ours can do without; and ours doubles the picture by copying pixels, where DCGAN uses
# transposed convolutions.) Here is the network that draws:

# %%
print(image_generator(16))
print("weights of the generator:", sum(p.numel() for p in image_generator(16).parameters()))
print("weights of the critic:   ", sum(p.numel() for p in image_critic().parameters()))


# %%
def digit_game(kind: type) -> tuple[Generative, Generative, dict[int, float]]:
    """A GAN of digits as it is after the last step; the same with averaged weights; and the critic's losses."""
    torch.manual_seed(0)
    model, history = kind(image_generator(16), image_critic(), 16), {}
    for step, losses, averaged in train(
        model, batches(x, size=64), steps=budget(5, 1200, 10_000), optimizer=with_betas(0.5, 0.9), decay=0.995
    ):
        if step % 10 == 0 or step == 1:
            history[step] = losses["critic"]
    return model.cpu(), averaged.cpu(), history


digit_games = {"GAN": digit_game(GAN), "minimax GAN": digit_game(MinimaxGAN)}

# %%
show.curves(
    {name: history for name, (_, _, history) in digit_games.items()}
    | {"log 4": dict.fromkeys(digit_games["GAN"][2], math.log(4))},
    ylabel="nats",
    title="What the discriminators pay: a curve that says little",
)

# %% [markdown]
# For a VAE the loss fell, and that was progress. These curves swing, and then sink slowly from log 4; who could tell from them when
# the pictures were best? A GAN has no number of its own that says how good it is. So look, and measure from outside.

# %% picture
torch.manual_seed(0)
by_model = {"real digits": x_test[:26:2], "VAE": from_vae[:13]}
for name, (raw, averaged, _) in digit_games.items():
    by_model |= {
        name: averaged.sample(13),
        f"{name} ": averaged.sample(13),
        f"{name}, last step": raw.sample(13),
    }
show.rows(by_model, title="Digits by two GANs, beside a VAE's and real ones")

# %%
torch.manual_seed(0)
entries = {name: measured_model(name, averaged.sample) for name, (_, averaged, _) in digit_games.items()}
judge = DigitFeatures()
real_features = judge.features(x)
frechet = {name: entry["fid"] for name, entry in entries.items()}
for name, (raw, _, _) in digit_games.items():
    frechet[f"{name},\nlast step"] = fid(real_features, judge.features(raw.sample(1000)))
frechet["VAE"] = fid(real_features, judge.features(from_vae))
show.bars(frechet, ylabel="Fréchet distance to the training digits", title="1,000 digits of each model")

# %%
measured("Fréchet distance of the GAN", frechet["GAN"], at_most=3)
measured("Fréchet distance of the minimax GAN", frechet["minimax GAN"])
measured("Fréchet distance of the VAE", frechet["VAE"])
measured(
    "Fréchet distance of the GAN, averaged weights / last step",
    frechet["GAN"] / frechet["GAN,\nlast step"],
    at_most=1,
)


def contrast(pictures: Tensor) -> Tensor:
    """The mean difference of neighbouring pixels: small for soft pictures."""
    return (pictures.diff(dim=2).abs().mean() + pictures.diff(dim=3).abs().mean()) / 2


torch.manual_seed(0)
by_contrast = {"VAE": contrast(from_vae)}
by_contrast |= {name: contrast(averaged.sample(1000)) for name, (_, averaged, _) in digit_games.items()}
for name, found in by_contrast.items():
    measured(f"contrast of neighbouring pixels, {name} / real digits", found / contrast(x_test))
measured("contrast of neighbouring pixels, GAN / VAE", by_contrast["GAN"] / by_contrast["VAE"], at_least=1.02)

# %% [markdown]
# These are single runs, and another seed or another number of steps may move a GAN's distance up or down by a factor of two or
# three: do not read a ranking of the two losses into it, or a victory over the VAE. What does hold: one pass through a small
# network makes a digit, so drawing is fast; here the averaged weights drew better than those of the last step, and on the ring they
# did not; and strokes have more contrast than the VAE's, since a soft stroke is easily found out. Some of these crisp pictures are no digit at all:
# compare the precision above with that of the VAE in lesson 21. (The distance of the VAE is not quite that of lessons 13 and 21: other
# draws, hence another number.)
#
# ## 10 · When a game blows up
#
# Nothing keeps the players from running away. Here is a game with two faults: its step size is far too large, and its critic's loss
# takes the logarithm of a *rounded* probability. `train` looks at each loss and each gradient before it takes a step. It stops, with the
# weights still usable, and says which player it was and when:


# %%
class Rounded(GAN):
    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -self.critic(real).sigmoid().log().mean() - (1 - self.critic(fake).sigmoid()).log().mean()


torch.manual_seed(0)
wild = Rounded(image_generator(16), image_critic(), 16)
try:
    for _ in train(wild, batches(x, size=64), steps=200, lr=0.1, progress=False):
        pass
except FloatingPointError as error:
    print(f"stopped: {error}")

# %% [markdown]
# With your `discriminator_loss` the same game goes on:

# %%
torch.manual_seed(0)
tame = GAN(image_generator(16), image_critic(), 16)
for step, losses, _ in train(tame, batches(x, size=64), steps=budget(5, 50, 50), lr=0.1, progress=False):
    latest = ", ".join(f"{name} {loss:.2g}" for name, loss in losses.items())
print(f"step {step}: {latest}")

# %% [markdown]
# All losses are finite. Good they are not: with such steps one player has won, and after 50 of
# them the other has not come back.
#
# ## What goes wrong in practice
#
# - **A missing `detach`**: the losses look right. With one at the wrong turn the critic's loss goes to 0, and the generator never
#   learns.
# - **The sigmoid twice**: in the network and again in `binary_cross_entropy_with_logits`. The discriminator can never be sure.
# - **"Non-saturating" in the text, minimax in the code.** Look at the sign *inside* of the `softplus`.
# - **Much momentum.** Adam's usual 0.9 made the collapse worse here.
# - **Reading the loss curve.** A loss near log 4 is no success, and a discriminator that always wins is no failure of the
#   generator's code: the discriminator may simply learn too fast.
# - **One seed.** Ten games, ten results: say how many you ran.
# - **Only looking at good pictures.** Mode collapse shows in a crowd, and by counting, never in one picture.
#
# ## Where to read on
#
# - Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville and Bengio, 2014, *Generative Adversarial Nets*.
# - Radford, Metz and Chintala, 2016, *Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
#   Networks* (DCGAN).
# - Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen, 2016, *Improved Techniques for Training GANs*.
# - Arjovsky and Bottou, 2017, *Towards Principled Methods for Training Generative Adversarial Networks* (why the gradient dies).
# - Mescheder, Geiger and Nowozin, 2018, *Which Training Methods for GANs do actually Converge?*
# - Lucic, Kurach, Michalski, Gelly and Bousquet, 2018, *Are GANs Created Equal? A Large-Scale Study*.
#
# **Next: 31 · Wasserstein GANs.** A distance that does not go flat, and a critic that may not be too steep.

# %%
progress()
