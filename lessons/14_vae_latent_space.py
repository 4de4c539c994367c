# %% [markdown]
# # 14 · A walk in the latent space
#
# **What lies between a small red circle on the left and a big blue one on the right?** To mix their pixels gives two pale
# circles. A VAE can do better, because to it the two pictures are two points in a space of a few numbers, and all around them
# are other pictures.
#
# You walk between codes on straight lines and on arcs, find the directions of "bigger" and "bluer", see what a heavier KL
# does to the numbers of a code, and get a tighter bound than the ELBO. Then two models that do as they are told: one draws the
# digit that you name, and one turns the pictures of one family into those of another. That last one is how faces are swapped
# in videos.
#
# About 90 minutes · 7 exercises · needs: lesson 13.

# %%
import inspect
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigen import show
from minigen.core import Generative, budget
from minigen.course import check, hint, measured, progress, solution
from minigen.data import SHAPES, Factors, batches, digits, draw
from minigen.latent_space import check_codes, check_fits, check_labels
from minigen.layers import image_decoder, image_encoder
from minigen.train import train
from minigen.vae import VAE, gaussian_nll, kl_standard, reparameterize

# %% [markdown]
# ## 1 · A world of three factors
#
# We draw the pictures ourselves, so that we know all about each of them. A picture has three **factors**, each
# uniform in its range: how far to the right it is, how big, and how blue (from red over purple to blue).

# %%
FACTORS = ("position", "size", "blue")
LOW, HIGH = torch.tensor([-0.2, 0.5, 0.0]), torch.tensor([0.2, 1.06, 1.0])


def paint(shape: Tensor, factors: Tensor) -> Tensor:
    """Shapes (N,), as indices, and factors (N, 3) to pictures (N, 3, 16, 16) in [-1, 1]."""
    one = torch.ones_like(shape)
    offset = torch.stack([factors[:, 0], torch.zeros(len(factors))], dim=1)
    red, blue = (
        draw(Factors(shape, c * one, 2 * one, one, 4 * one, offset, factors[:, 1]), 16) for c in (0, 2)
    )
    return torch.lerp(red, blue, factors[:, 2, None, None, None])


def random_factors(n: int, seed: int) -> Tensor:
    """Factors (n, 3), uniform between LOW and HIGH."""
    return LOW + (HIGH - LOW) * torch.rand(n, 3, generator=torch.Generator().manual_seed(seed))


def circles(factors: Tensor) -> Tensor:
    return paint(torch.full((len(factors),), SHAPES.index("circle")), factors)


factors, factors_test = random_factors(4096, seed=0), random_factors(500, seed=1)
x, x_test = circles(factors), circles(factors_test)
show.grid(x[:20], title="A world of circles: position, size and colour")

# %% [markdown]
# Knowing the world has a second use: we can measure what a model draws. Take a fine net of true pictures, and look for the
# one that is nearest to the drawn picture. Its factors tell what was drawn; its distance tells how far the drawing is from
# anything that exists.

# %%
grid = (torch.linspace(*ends, n) for *ends, n in zip(LOW.tolist(), HIGH.tolist(), (17, 15, 15), strict=True))
net = torch.cartesian_prod(*grid)
true = {
    name: paint(torch.full((len(net),), SHAPES.index(name)), net) for name in ("circle", "square", "ring")
}


def recognise(pictures: Tensor, shape: str = "circle") -> tuple[Tensor, Tensor]:
    """Pictures (N, 3, 16, 16) to the factors (N, 3) of the nearest true picture, and the distance to it (N,)."""
    distance, nearest = torch.cdist(pictures.flatten(1), true[shape].flatten(1)).min(1)
    return net[nearest], distance


found, _ = recognise(x_test)
print("error of the recognised factors, as a share of their range:")
for name, error in zip(FACTORS, ((found - factors_test).abs().mean(0) / (HIGH - LOW)).tolist(), strict=True):
    print(f"  {name}: {error:.3f}")

# %% [markdown]
# Here is the VAE of lesson 13, with a code of 6 numbers for these 3 factors. One thing is changed: the σ of a pixel stays at
# 0.1. When it is learned it answers every change of the KL's weight, and in part 4 we want to change that weight alone.


# %%
def fit(model: Generative, data, steps: int, lr: float = 5e-3) -> Generative:
    """Trains the model, and returns the one with averaged weights, on the CPU."""
    for _, _, averaged in train(model, data, steps, lr=lr, decay=0.99):
        pass
    return averaged.cpu()


def circle_vae(beta: float, seed: int = 0) -> VAE:
    """A VAE of the world of circles, trained with this weight of the KL from this random start."""
    torch.manual_seed(seed)
    model = VAE(channels=3, size=16, latent=6, width=8, beta=beta)
    model.log_std.requires_grad_(False).fill_(math.log(0.1))
    return fit(model, batches(x, size=64), steps=budget(10, 800, 6000))


vae = circle_vae(beta=1)

# %%
with torch.no_grad():
    codes, _ = vae.encode(x)
    codes_test, _ = vae.encode(x_test)
    rebuilt = vae.decode(codes_test)
show.rows({"original": x_test[:12], "through 6 numbers": rebuilt[:12]}, title="Test pictures through the VAE")

# %% [markdown]
# ## 2 · Straight lines and arcs
#
# A straight way from code $a$ to code $b$: at $t = 0$ we are at $a$, at $t = 1$ at $b$. The English name is *linear
# interpolation*, the programmers' name `lerp`:
#
# $$ \mathrm{lerp}(a, b, t) = (1 - t)\,a + t\,b $$

# %%
from minigen.latent_space import lerp

ends = torch.tensor([[-0.12, 0.65, 0.1], [0.1, 1.0, 0.8]])  # small, red, left; big, blue, right
t = torch.linspace(0, 1, 9)
with torch.no_grad():
    start, end = vae.encode(circles(ends))[0].split(1)
    between = vae.decode(lerp(start, end, t))
first, last = circles(ends).split(1)
show.rows(
    {"pixels mixed": torch.lerp(first, last, t[:, None, None, None]), "codes mixed": between},
    title="Between two pictures",
)

# %% [markdown]
# Mixed pixels show two ghosts. Mixed codes show one circle that moves, grows and changes its colour on the way, through
# pictures that were never given. It is not sharp everywhere: a long way may lead through a place that the decoder knows less
# well, and the farther apart the ends are, the more often it does.
#
# **Look at the lengths, though.** The VAE was trained for codes that look like draws of $N(0, I)$, and those have nearly all
# the same length when there are many numbers. First, a guess.

# %% exercise
from minigen.exercises.lesson_14_vae_latent_space import middle_of_two

# %%
middle_of_two = check("middle_of_two", middle_of_two)

# %% [markdown]
# So in many dimensions all draws live in a thin shell around 0. The straight way leaves it, and passes through a place where a
# decoder has never been trained. An arc around 0 avoids that. It is called *spherical interpolation*, `slerp`, and was invented
# to animate rotations (Shoemake, 1985).
#
# Think of two arrows of length 1 with the angle $\Omega$ between them. The point at $t$ has the angle $t\,\Omega$ behind it,
# and $(1-t)\,\Omega$ ahead of it. To get there, go some way along $a$, and then some way in the direction of $b$. These two ways
# are the weights of $a$ and $b$, and with the line from 0 to the point, of length 1, they make a triangle. Draw it. In a triangle
# the sides are to each other as the sines of the angles opposite to them (the law of sines); opposite to the side of length 1
# is the angle $\pi - \Omega$, whose sine is that of $\Omega$. So each weight is a sine over a sine. Which? For arrows of other
# lengths we keep these weights; then the turn is no longer quite even.
#
# **Your turn.** What goes in: codes `a` and `b`, (N, k), and `t`, one number or N. What comes out: points (N, k). It matters
# wherever you walk between draws of $N(0, I)$: here, in GANs, and between the noises of diffusion models.

# %% exercise
from minigen.latent_space import slerp

# %%
slerp = check("slerp", slerp)

# %%
generator = torch.Generator().manual_seed(0)
a, b = torch.randn(2, 500, 100, generator=generator)
length = {"straight": lerp, "spherical": slerp}
length = {name: {float(s): float(way(a, b, s).norm(dim=1).mean()) for s in t} for name, way in length.items()}
shortest = float(a.norm(dim=1).quantile(0.05))
show.curves(
    length | {"95 % of draws are longer": dict.fromkeys(t.tolist(), shortest)},
    xlabel="share of the way",
    ylabel="length of the code",
    title="Between two draws of N(0, I) in 100 dimensions",
)

# %%
measured(
    "length of the middle / length of the ends, straight", length["straight"][0.5] / length["straight"][0.0]
)
measured(
    "length of the middle / length of the ends, spherical",
    length["spherical"][0.5] / length["spherical"][0.0],
    at_least=0.98,
)

# %% [markdown]
# And in our world of circles? Its codes have 6 numbers, and so few are not all of one length. Watch both ways, and
# measure how far the middle is from the nearest true picture.

# %%
pairs = torch.randperm(500, generator=generator).view(2, 250)
with torch.no_grad():
    a, b = codes_test[pairs]
    middle = {
        "pixels mixed": torch.lerp(*x_test[pairs], 0.5),
        "straight": vae.decode(lerp(a, b, 0.5)),
        "spherical": vae.decode(slerp(a, b, 0.5)),
        "only rebuilt": rebuilt[pairs[0]],
    }
    ways = {
        f"{name} {i + 1}": vae.decode(way(a[i : i + 1], b[i : i + 1], t))
        for i in range(3)
        for name, way in {"straight": lerp, "spherical": slerp}.items()
    }
show.rows(ways, title="Three walks, each on the straight way and on the arc")

# %%
off = {name: float(recognise(pictures)[1].mean()) for name, pictures in middle.items()}
show.bars(off, ylabel="distance to the nearest true picture", title="Pictures half-way between two pictures")

# %%
measured(
    "straight middle / mixed pixels, distance to the nearest true picture",
    off["straight"] / off["pixels mixed"],
    at_most=0.5,
)
measured(
    "spherical middle / mixed pixels, distance to the nearest true picture",
    off["spherical"] / off["pixels mixed"],
    at_most=0.75,
)

# %% [markdown]
# Either way is much better than mixed pixels. ("Only rebuilt" is one of the two ends, for comparison.) But here the
# arc is not better than the straight way. Count the draws that are as near to 0 as the middle of a straight way:

# %%
for k, promise in {6: {"at_least": 0.1}, 100: {"at_most": 0.001}}.items():
    u, v = torch.randn(2, 20_000, k, generator=torch.Generator().manual_seed(k))
    near = float(lerp(u, v, 0.5).norm(dim=1).mean())
    print(f"{k} dimensions: the middle of a straight way is about {near:.2f} long;")
    less = (u.norm(dim=1) < near).double().mean()
    measured(f"share of the draws in {k} dimensions that are shorter", less, **promise)

# %% [markdown]
# With a few numbers, enough draws are that short: the straight way leads through known land, and the arc makes a
# detour around it. Choose the arc where codes have many numbers and all of them are about equally long.
#
# ## 3 · Directions that mean something
#
# Is there a direction for "bigger"? Nobody told the VAE what size is. But we can ask it. Take the pictures
# that *have* an attribute, such as "big", and those that do not. In every other respect the two groups are alike, because the
# factors were drawn independently, and the groups are large. So what is different between their codes, on average, is the
# attribute. Faces were given smiles and glasses in this way (Larsen et al., 2016).
#
# **Your turn.** Codes (N, k) go in, with a yes or no for each. A direction (k,) comes out: one whole step along
# it should turn a typical picture without the attribute into one with it.

# %% exercise
from minigen.latent_space import attribute_vector

# %%
attribute_vector = check("attribute_vector", attribute_vector)

# %%
middle_of_world = (LOW + HIGH) / 2
directions = {
    name: attribute_vector(codes, factors[:, i] > middle_of_world[i]) for i, name in enumerate(FACTORS)
}
steps_along = (-1.0, -0.5, 0.0, 0.5, 1.0)
inside = ((factors_test - middle_of_world).abs() < 0.2 * (HIGH - LOW)).all(1)  # there is room on both sides
with torch.no_grad():
    walked = {
        f"{name} {s:+g}" if s else f"{name} as it is": vae.decode(codes_test[inside][:10] + s * v)
        for name, v in directions.items()
        if name != "position"
        for s in steps_along
    }
show.rows(walked, title="Arithmetic with codes: less and more of an attribute")

# %% [markdown]
# Down each column, one picture gets bigger, and then bluer. Since we know the world, we can do more than look: draw a
# random step for each of the test pictures, walk it, and recognise what came out. Does the requested factor move as it was asked?

# %%
share = 2 * torch.rand(len(codes_test), generator=generator) - 1  # of a whole step, for each picture


@torch.no_grad()
def moved(model: VAE, z: Tensor, direction: Tensor) -> Tensor:
    """How much each factor (N, 3) changes on a walk of `share`, in shares of its range."""
    return (recognise(model.decode(z + share[:, None] * direction))[0] - recognise(model.decode(z))[0]) / (
        HIGH - LOW
    )


def correlation(u: Tensor, v: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([u, v]))[0, 1])


asked = {name: moved(vae, codes_test, directions[name]) for name in ("size", "blue")}
for name, change in asked.items():
    i = FACTORS.index(name)
    print(f"a step of 1 along {name!r} moves, in shares of the range:")
    for factor, column in zip(FACTORS, change.T, strict=True):
        print(f"   {factor}: {float((column * share).sum() / share.square().sum()):+.2f} on average")
    measured(
        f"correlation of the asked and the measured change of {name}",
        correlation(share, change[:, i]),
        at_least=0.75,
    )

# %% [markdown]
# The two halves of a range differ by half of it on average, so +0.50 is what to hope for. Here it is less, partly because the net
# of true pictures ends where the range does: a circle drawn larger than all is recognised as the largest. The other factors
# hardly move on average, but in single pictures of the rows above they do. A code is a curved map, and one straight
# direction for the whole map is only the best straight answer.
#
# ## 4 · A heavier KL: the β-VAE
#
# Is there one *number* of the code for each factor? Walk along one number at a time, and leave the others. Such a walk is
# called a **traversal**, and is given:

# %%
from minigen.latent_space import separation, squared_correlations, traversal

print(inspect.getsource(traversal))

# %%
values = torch.linspace(-2, 2, 9)


@torch.no_grad()
def all_traversals(model: VAE, z: Tensor) -> dict[str, Tensor]:
    """A walk along each number of one code (k,)."""
    return {f"number {i + 1}": model.decode(traversal(z, i, values)) for i in range(len(z))}


show.rows(all_traversals(vae, codes_test[inside][0]), title="One number at a time, from −2 to 2: β = 1")

# %% [markdown]
# Each number does something, but most of them move several things at once. Little in the ELBO asks for more: turn all codes by
# some angle, let the decoder turn them back, and every picture is rebuilt as before, from codes that look as much like $N(0, I)$.
# Only the shape of the clouds $q(z \mid x)$, whose axes lie along the numbers, has a word in this.
#
# The **β-VAE** (Higgins et al., 2017) makes the KL heavier, by a factor $\beta > 1$. The loss is now
#
# $$ -\log p(x \mid z) + \beta\; \mathrm{KL}\big(q(z \mid x) \,\|\, p(z)\big) $$
#
# Every bit of information in the code is expensive now. The model should drop what is not worth its price; and the hope is that it
# keeps different things apart. Before you look, a question about the numbers that it drops.

# %% exercise
from minigen.exercises.lesson_14_vae_latent_space import number_without_kl

# %%
number_without_kl = check("number_without_kl", number_without_kl)

# %% [markdown]
# To compare models we need three measures. A number of the code is *in use* when its KL is above 0.1 nats. **r²**, the squared
# correlation, says how well a number predicts a factor by a straight line: 0 is not at all, 1 is exactly. The **separation**
# asks, for each factor, how much larger the r² of the best number is than that of the second best, and takes the mean; 1
# would be one number for one factor.

# %%
heavy = circle_vae(beta=10)


@torch.no_grad()
def describe(model: VAE) -> dict:
    mu, logvar = model.encode(x_test)
    y = model.decode(mu)
    each = torch.stack(
        [kl_standard(m[:, None], v[:, None]).mean() for m, v in zip(mu.T, logvar.T, strict=True)]
    )
    return {
        "error": float((y - x_test).square().flatten(1).sum(1).mean()),
        "each": each,
        "kl": float(each.sum()),
        "r2": squared_correlations(mu, factors_test),
        "separation": separation(mu, factors_test),
        "codes": mu,
    }


one, ten = describe(vae), describe(heavy)
show.curves(
    {
        "β = 1": one["each"].sort(descending=True).values.tolist(),
        "β = 10": ten["each"].sort(descending=True).values.tolist(),
    },
    xlabel="numbers of the code, the most expensive first",
    ylabel="KL of this number, nats",
    title="What each number of the code costs",
)

# %%
show.rows(all_traversals(heavy, ten["codes"][inside][0]), title="One number at a time, from −2 to 2: β = 10")

# %%
print("r² of each number of the code (row) with position, size and blue (columns):")
for name, found in {"β = 1": one, "β = 10": ten}.items():
    print(name, *(" ".join(f"{r:.2f}" for r in row) for row in found["r2"].tolist()), sep="\n   ")

# %%
measured("KL with β = 1, nats", one["kl"])
measured("KL with β = 10 / KL with β = 1", ten["kl"] / one["kl"], at_most=0.75)
measured("numbers in use with β = 1", int((one["each"] > 0.1).sum()))
measured("numbers in use with β = 10", int((ten["each"] > 0.1).sum()), at_most=5)
measured("reconstruction error with β = 10 / with β = 1", ten["error"] / one["error"], at_least=1)
measured("separation of the factors with β = 1", one["separation"])
measured("separation of the factors with β = 10", ten["separation"])

# %% [markdown]
# With β = 10 the model gave up numbers that it did not need, and it paid with a larger error. Walks along the numbers that it
# dropped show the same picture all along, and a number that is hardly in use moves hardly anything. And the factors? They are a
# little better separated, and still mixed. Now watch the very same two trainings from another random start.

# %%
lucky = circle_vae(beta=10, seed=3)
found, found_one = describe(lucky), describe(circle_vae(beta=1, seed=3))
show.rows(
    all_traversals(lucky, found["codes"][inside][0]),
    title="One number at a time, from −2 to 2: β = 10, another start",
)

# %%
print("r² of each number of the code (row) with position, size and blue (columns):")
print(*(" ".join(f"{r:.2f}" for r in row) for row in found["r2"].tolist()), sep="\n")
measured("KL with β = 10 / KL with β = 1, another start", found["kl"] / found_one["kl"], at_most=0.75)
measured("separation of the factors with β = 1, another start", found_one["separation"])
measured("separation of the factors with β = 10, another start", found["separation"], at_least=0.5)

# %% [markdown]
# One number for each factor! It looks as if the model had found position, size and colour by itself. But we picked this start
# because it looks so well. Compare fairly: β = 10 with β = 1 from the *same* start, and then the two starts. From this
# one even β = 1 separates better than β = 10 did from the first. β lowered the KL from both. But what the numbers come to mean
# depends on luck as well, and only because we know the factors can we tell the lucky start. Locatello et al. (2019) trained more
# than ten thousand such models and came to the same conclusion.
#
# ## 5 · A tighter bound
#
# The ELBO is below $\log p(x)$. By how much? Its gap is $\mathrm{KL}(q(z \mid x) \,\|\, p(z \mid x))$, which we cannot compute.
# But we can tighten the bound by spending more draws. Draw $z_1, \dots, z_K$ from $q(z \mid x)$, and give each a **weight**
#
# $$ w_k = \frac{p(x \mid z_k)\; p(z_k)}{q(z_k \mid x)} . $$
#
# The mean of a weight over draws of $q$ is $p(x)$ exactly: in $\int q \cdot p(x \mid z)\, p(z) / q \; dz$ the $q$ cancels. And the
# ELBO is the mean of $\log w = \log p(x \mid z) + \log p(z) - \log q(z \mid x)$, since the mean of the last two is $-\mathrm{KL}$.
# Burda, Grosse and Salakhutdinov (2016) take the mean first, and the logarithm after it:
#
# $$ L_K = \mathbb{E}\left[ \log \frac{1}{K} \sum_{k=1}^{K} w_k \right] $$
#
# The logarithm of a mean is never less than the mean of the logarithms (Jensen), so this is never below the ELBO of the same
# draws. And as $K$ grows, the mean comes nearer to $p(x)$.
#
# The weights come as logarithms, and they must stay so: a density in 3 · 16 · 16 = 768 dimensions can have a logarithm of
# +900 or −900, and its exponential is `inf` or 0.

# %%
from minigen.latent_space import log_weights

with torch.no_grad():
    example = log_weights(vae, x_test[:3], torch.randn(4, 3, 6, generator=generator))
print("log w of 4 draws (rows) for 3 pictures (columns), in nats:")
print(example.round(decimals=1))
print("their exponentials:", example.exp().flatten()[:3].tolist(), "…")

# %% [markdown]
# **Your turn.** In go the logarithms of the weights, (K, N): K draws for each of N pictures. Out comes the bound of each
# picture, (N,), finite also where every weight alone would overflow.

# %% exercise
from minigen.latent_space import importance_weighted_bound

# %%
importance_weighted_bound = check("importance_weighted_bound", importance_weighted_bound)

# %%
repeats, draws, pictures = budget(4, 16, 64), budget(4, 64, 512), 32
with torch.no_grad():
    eps = torch.randn(repeats * draws, pictures, 6, generator=generator)
    weights = log_weights(vae, x_test[:pictures], eps).double().view(repeats, draws, pictures)
numbers = [2**i for i in range(draws.bit_length())]
bound = {
    k: torch.stack([importance_weighted_bound(w[:k]) for w in weights]) for k in numbers
}  # (repeats, pictures)
elbo = {k: weights[:, :k].mean(1) for k in numbers}  # of the same draws
show.curves(
    {
        "importance-weighted bound": {k: float(v.mean()) for k, v in bound.items()},
        "ELBO of the same draws": {k: float(v.mean()) for k, v in elbo.items()},
    },
    xlabel="draws for each picture",
    ylabel="lower bound of log p(x), nats",
    title="More draws, a tighter bound",
)

# %%
least = min(float((bound[k] - elbo[k]).min()) for k in numbers[1:])  # with one draw the two are the same
means = [float(bound[k].mean()) for k in numbers]
rise = float(torch.tensor(means).diff().min())
measured(
    "least of bound − ELBO of the same draws, 2 or more, over all repeats and pictures, nats",
    least,
    at_least=-1e-9,
)
measured("smallest rise of the mean bound when the draws are doubled, nats", rise, at_least=0)
measured("what the draws gain over one draw, nats", means[-1] - means[0], at_least=0.1)

# %% [markdown]
# Up to chance, the ELBO stays where it is, however many draws there are: it is a mean. The bound climbs, quickly at first and
# then more and more slowly. One warning: trained with $L_K$ and a large $K$, a model has a tighter bound and may get a *worse*
# encoder, since the encoder's gradient drowns in noise as $K$ grows (Rainforth et al., 2018). We use it to measure.
#
# ## 6 · Told what to draw: the conditional VAE
#
# A VAE draws *something*. To ask for a 7, tell both networks the class $c$ of each picture in training:
#
# $$ \log p(x \mid c) \;\ge\; \mathbb{E}_{q(z \mid x, c)}\big[\log p(x \mid z, c)\big] - \mathrm{KL}\big(q(z \mid x, c) \,\|\, N(0, I)\big) $$
#
# The code need not say any more which digit it is, so it says *how* it is written: slope, width, weight of the
# stroke. How do you hand a class to a network? Not as a number: a 4 is not between a 3 and a 5. As ten numbers, a 1 at
# the class and 0 elsewhere (**one-hot**). Beside a code they are simply ten more numbers. A convolution wants planes, so for the
# encoder each of them fills a plane as large as the picture.
#
# **Your turn.** Write `encode` and `decode`; the rest is given, and is the VAE's.

# %% exercise
from minigen.latent_space import ConditionalVAE

# %%
ConditionalVAE = check("ConditionalVAE", ConditionalVAE)

# %%
written, labels = digits("train")
torch.manual_seed(0)
told = fit(ConditionalVAE(), batches(written, labels, size=64), steps=budget(10, 1200, 6000), lr=3e-3)

# %%
classes = torch.arange(10)
torch.manual_seed(1)
hands = torch.randn(6, 8)  # six draws of the code, each used for all ten classes
with torch.no_grad():
    asked_for = {f"hand {i + 1}": told.decode(z.expand(10, -1), classes) for i, z in enumerate(hands)}
show.rows(asked_for, title="Each row: one code, ten classes")

# %% [markdown]
# One row is one code with each of the ten classes: thick or thin, upright or leaning. Do the digits say what was asked? Ask an
# **independent** judge, a classifier trained on real digits that has nothing to do with this model:

# %%
from minigen.features import DigitFeatures

judge = DigitFeatures()
wanted = classes.repeat(100)
torch.manual_seed(2)
samples = told.sample(len(wanted), wanted)
measured("accuracy of the judge on real test digits", judge.accuracy(*digits("test")))
measured(
    "samples that the judge takes for the class that was asked for",
    judge.accuracy(samples, wanted),
    at_least=0.9,
)
mistaken = judge(samples).argmax(1) != wanted
print(f"{int(mistaken.sum())} of {len(wanted)} samples are taken for another class")

# %%
show.grid(
    samples[:40],
    columns=20,
    labels=wanted[:40],
    title="Drawn from N(0, I), with the class that was asked for",
)

# %% [markdown]
# ## 7 · One encoder, two decoders: how faces are swapped
#
# Here is a machine that is told nothing about what it swaps. Take two families of pictures: rings and squares. Or: the face
# of one person in many pictures, and the face of another. **One encoder** for both, with a narrow code. **Two decoders**: one
# draws only rings, the other only squares.
#
# What changes from picture to picture (where, how large, which colour; or with faces, where they look and whether they
# smile) has to go through the code. What is always the same within a family, its decoder can know by heart, and a narrow
# code has little room to say it again. So encode a square, and decode it as a ring: if all goes well a ring appears, in the
# place and the colour of the square.

# %%
from minigen.autoencoder import reconstruction_error

FAMILIES = ("square", "ring")
INDEX = torch.tensor([SHAPES.index(name) for name in FAMILIES])


def family_pictures(n: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """n pictures, the same ones as the other family would show them, their families (n,), and their factors."""
    f = random_factors(n, seed)
    family = torch.randint(2, (n,), generator=torch.Generator().manual_seed(seed))
    return paint(INDEX[family], f), paint(INDEX[1 - family], f), family, f


y, _, family, _ = family_pictures(4096, seed=10)
y_test, other_test, family_test, f_test = family_pictures(500, seed=11)
show.rows(
    {name: y[family == i][:12] for i, name in enumerate(FAMILIES)},
    title="Two families, and no picture in both",
)

# %% [markdown]
# No picture of one family has a partner in the other: nobody could film two people with exactly the same expression,
# pose and light.
#
# **Your turn.** The class below trains, its error falls nicely, and every picture is rebuilt well. Yet nothing is ever
# swapped. Repair it.

# %% exercise
from minigen.latent_space import SwapAutoencoder

# %%
SwapAutoencoder = check("SwapAutoencoder", SwapAutoencoder)

# %%
torch.manual_seed(0)
swapper = fit(
    SwapAutoencoder(channels=3, size=16, latent=4, width=8),
    batches(y, family, size=64),
    steps=budget(10, 700, 6000),
)

# %% picture
with torch.no_grad():
    swapped = swapper.swap(y_test, family_test)
show.rows(
    {"goes in": y_test[:12], "swapped": swapped[:12], "as it should be": other_test[:12]},
    title="One encoder, two decoders",
)

# %% [markdown]
# The last row is drawn by us, with the same factors in the other family. The model has never seen such a pair. We measure how
# far it is from that, beside doing nothing, and what the swapped pictures show.

# %%
error = {
    "swapped": float(reconstruction_error(swapped, other_test)),
    "left as it is": float(reconstruction_error(y_test, other_test)),
}
show.bars(error, ylabel="squared error to the true swap", title="How far from the picture that it should be?")

# %%
looks = [recognise(swapped, name) for name in FAMILIES]
nearer = torch.stack([distance for _, distance in looks]).argmin(0)
shown = torch.where(
    (family_test == 1)[:, None], looks[0][0], looks[1][0]
)  # read in the family that it should be
measured("error of the swap / error of doing nothing", error["swapped"] / error["left as it is"], at_most=0.5)
measured(
    "swapped pictures that are recognised as the other family",
    (nearer == 1 - family_test).float().mean(),
    at_least=0.95,
)
for i, name in enumerate(FACTORS):
    kept = correlation(shown[:, i], f_test[:, i])
    measured(f"correlation of {name} before and after the swap", kept, at_least=0.8)

# %% [markdown]
# **What this means.** With faces in place of shapes, more layers and some days of training, this is how the face of one
# person is put on the body of another in a video, with the expression of the other. It has honest uses: a film dubbed into another
# language with matching lips, a witness whose face must not be shown. Mostly it is used to put people who never agreed,
# nearly always women, into sexual pictures, and to make people seem to say what they never said, for fraud and for lies in
# politics. That does harm to real people, and in many countries it is a crime.
#
# Ask before you use somebody's face. Say of every such picture that it was made. And now that you know how little it
# takes, do not take a video as proof.
#
# ## What goes wrong in practice
#
# - **Straight ways between draws of many dimensions.** The middle is too short, and the decoder gives pale or typical pictures.
# - **An attribute vector that carries something else.** When most big circles of the training set are blue, "bigger" also
#   means "bluer". The two groups must be alike in every other respect.
# - **Comparing ELBOs of different β.** β changes what is trained. To compare, compute the ELBO with β = 1; we printed the KL
#   without its β.
# - **`exp` of a logarithm.** The weights of part 5 are `inf` or 0 as plain numbers. Stay with logarithms until the end.
# - **A class that only the decoder knows.** It still trains, but the encoder must recognise the class by itself, and samples
#   obey less often.
# - **Both decoders see everything.** Each learns to draw both families, and the swap is the identity: your repair exercise.
# - **A code that is too wide for a swap.** The encoder may keep the family in the code too, each family in its own corner, and the
#   other decoder has never seen that corner. (Not in our small world: try `latent=32`.)
#
# ## Where to read on
#
# - Shoemake, 1985, *Animating Rotation with Quaternion Curves*; White, 2016, *Sampling Generative Networks*.
# - Larsen, Sønderby, Larochelle and Winther, 2016, *Autoencoding beyond Pixels Using a Learned Similarity Metric*.
# - Higgins et al., 2017, *beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework*.
# - Kumar, Sattigeri and Balakrishnan, 2018, *Variational Inference of Disentangled Latent Concepts from Unlabeled Observations*.
# - Locatello et al., 2019, *Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations*.
# - Burda, Grosse and Salakhutdinov, 2016, *Importance Weighted Autoencoders*.
# - Rainforth et al., 2018, *Tighter Variational Bounds Are Not Necessarily Better*.
# - Sohn, Lee and Yan, 2015, *Learning Structured Output Representation using Deep Conditional Generative Models*.
# - Tolosana et al., 2020, *DeepFakes and Beyond: A Survey of Face Manipulation and Fake Detection*.
#
# **Next: 20 · Fréchet distance.** Which of two models draws better, and by how much?

# %%
progress()
