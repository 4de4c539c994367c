# %% [markdown]
# # 01 · What is a generative model?
#
# **Could a program write digits that nobody has written?** Show a child a few sevens, and she draws another one, which is like
# none of them and still a seven. To do the same, a program must know something about *all* sevens, also about those that it
# has not seen.
#
# In this lesson you turn "knowing what digits look like" into mathematics: a probability density over pictures. You fit one
# to real digits, draw new digits from it, let it judge pictures, and make it better, all without a neural network. At the end
# stands a map of all model families of this course.
#
# About 90 minutes · 8 exercises · needs: lesson 00; gradients; matrices and determinants; mean, variance and covariance; the
# normal distribution; conditional probability; a first idea of how networks are trained.

# %%
import math
from collections.abc import Callable
from functools import cache

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

from minigen import show
from minigen.core import budget
from minigen.course import check, hint, measured, progress, solution
from minigen.data import GaussianMixture, digits, ring

# %%
images, labels = digits("train")  # (1438, 1, 8, 8) in [-1, 1]
test_images, test_labels = digits("test")  # (359, 1, 8, 8)
show.grid(images[:20], labels=labels[:20], title="Digits that somebody wrote. Can we have more?")

# %% [markdown]
# ## 1 · Two questions about one picture
#
# Let $x$ be a picture and $c$ its class, one of the ten digits. There are two quite different things to ask:
#
# - **Which digit is this?** That is $p(c \mid x)$: for a given picture, the probability of each class. A model of it is
#   called **discriminative**, or a classifier.
# - **Which pictures are digits at all?** That is $p(x)$: how probable is each picture among all pictures. A model of it is
#   called **generative**, because one can draw from it: new pictures, the probable ones often, the improbable ones hardly
#   ever. (A model of $p(x \mid c)$ draws pictures of one class.)
#
# The first question is the easier one. Here is a classifier in a few lines: ten weighted sums of the pixels, made into ten
# positive numbers of sum 1 by a softmax. Adam, a kind of gradient descent, lowers the cross-entropy: −log of the probability
# of the right class.

# %%
torch.manual_seed(0)
classifier = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(classifier.parameters(), lr=0.05)
for _ in range(budget(50, 300, 300)):
    loss = nn.functional.cross_entropy(classifier(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %%
with torch.no_grad():
    guessed = classifier(test_images).argmax(1)
measured("accuracy of the classifier on test digits", (guessed == test_labels).double().mean(), at_least=0.94)

# %% [markdown]
# It knows the digits well. Does it know what a digit *is*? We are going to show it pictures of pure noise. What can it say?

# %% exercise
from minigen.exercises.lesson_01_what_is_a_generative_model import who_notices

# %%
who_notices = check("who_notices", who_notices)

# %%
noise = 2 * torch.rand(1000, 1, 8, 8, generator=torch.Generator().manual_seed(0)) - 1
with torch.no_grad():
    confidence, guess = classifier(noise).softmax(1).max(1)
said = [f"{guess[i]}: {100 * confidence[i]:.0f} %" for i in range(10)]
show.grid(noise[:10], labels=said, title="What the classifier sees in noise, and how sure it is")

# %% [markdown]
# It sees digits everywhere, and is often quite sure. The training is not to blame: the question "which of the ten?" has no
# answer "none".
#
# ## 2 · Almost all pictures are noise
#
# Read a picture as a point in a space of 64 dimensions, one for each pixel. In this data set, a pixel has 17 grey levels. How
# many pictures are there, and how many of them are digits?

# %%
print(f"pictures of 8×8 pixels with 17 levels: {17.0**64:.0e}; pictures in the data set: {1797}")
show.rows(
    {"any picture": noise[:12], "digits": images[:12]},
    title="Draw pictures at random, and you get the upper row",
)

# %% [markdown]
# You could draw pictures at random all your life, and would never see a digit. Digits fill almost none of the space.
# And they do not lie scattered in it: shift or tilt a digit a little, and it is still a digit. So the digits form a thin,
# curved sheet in a huge empty space. This is called the **image manifold**.
#
# Curved, since the straight way leaves it. Here are two ways from a one at the right to the same one at the left: in a
# straight line through the space of pixels, which mixes the two ends, and by moving it.

# %%
wide = nn.functional.pad(images[labels == 1][4], (2, 2), value=-1)  # with black at both sides: (1, 8, 12)
moving = torch.stack([wide[..., step : step + 8] for step in range(5)])
straight = torch.stack([moving[0].lerp(moving[4], t / 4) for t in range(5)])
show.rows(
    {"straight": straight, "moving": moving},
    title="Half-way in a straight line, there is no digit",
)

# %% [markdown]
# ## 3 · A density for pictures
#
# A generative model has to put its probability onto this sheet. Pixels are numbers, so we take a **density** $p(x)$: the
# probability of a small region is the density there times the volume of the region, and over the whole space it integrates
# to 1. So what is given to one picture is taken from the others.
#
# Which density is the right one? Choose a family of densities $p_\theta$ with parameters $\theta$, and take the member of it
# that makes the pictures that we have seen most probable:
#
# $$ \hat\theta = \arg\max_\theta \; \frac{1}{N} \sum_{n=1}^{N} \log p_\theta(x_n) . $$
#
# This is **maximum likelihood**. (The logarithm turns a product of probabilities into a sum, and does not move the maximum.)
# Most models of this course maximise this, or something that lies below it.
#
# The simplest family that knows how pixels go together is the **Gaussian**, or normal distribution, in $D = 64$ dimensions.
# Its parameters are a mean picture $\mu$ and a covariance matrix $\Sigma$, which says of each two pixels whether they are
# bright together. Its density is
#
# $$ \log p(x) = -\tfrac12 \left[ (x-\mu)^\top \Sigma^{-1} (x-\mu) + \log |\Sigma| + D \log 2\pi \right] . $$
#
# The first term is a squared distance from the mean, measured in the data's own spread. The second is what a wide Gaussian
# pays for being wide. Maximum likelihood needs no search here: the best $\mu$ is the mean of the data, and the best $\Sigma$
# is its covariance. (`fit_gaussian` divides by $N - 1$, maximum likelihood by $N$; here you would not see the difference.)
#
# We will need a root of $\Sigma$, a matrix $L$ with $L L^\top = \Sigma$. `torch.linalg.cholesky` finds one:

# %%
from minigen.density import fit_gaussian

mean, covariance = fit_gaussian(images.flatten(1).double())
try:
    torch.linalg.cholesky(covariance)
except torch.linalg.LinAlgError as error:
    print(error)

# %% [markdown]
# It fails, and the reason is worth knowing. Some pixels at the borders are black in *every* training picture. Their variance
# is 0. A Gaussian may become infinitely narrow there and infinitely high, so the likelihood has no maximum at all.
#
# The true fault is that our pixels have only 17 levels, and a density can put a needle on each of them. The remedy is called
# **dequantisation**: spread each value evenly over the width of its level, by adding uniform noise as wide as *one grey
# level*. Then there is nothing to win below this width.

# %%
LEVEL = 2 / 16  # the distance of two grey levels in [-1, 1]


def dequantised(pictures: Tensor, seed: int) -> Tensor:
    """Pictures as rows of 64 numbers, each spread evenly over the width of its grey level."""
    rows = pictures.flatten(1).double()  # float64, since we are going to invert covariances
    spread = torch.rand(rows.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return rows + LEVEL * (spread - 0.5)


order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
to_fit, to_choose = order[:1150], order[1150:]  # digits to fit to, and others to choose by
x, classes = dequantised(images[to_fit], seed=1), labels[to_fit]
x_validation, validation_classes = dequantised(images[to_choose], seed=2), labels[to_choose]
x_test, x_noise = dequantised(test_images, seed=3), dequantised(noise, seed=4)

# %% [markdown]
# **Your turn.** Write the log-density of a Gaussian. What goes in: points as rows (N, D), the mean, the covariance. What comes
# out: a logarithm for each row.
#
# A warning from practice: the determinant $|\Sigma|$ of 64 dimensions is a product of 64 numbers, and may be smaller than any
# float. So never compute it. The **Cholesky factor** $L$ is lower triangular, and both terms come out of it: dividing by $L$ is
# easy (`torch.linalg.solve_triangular`), and so is the logarithm of *its* determinant.

# %% exercise
from minigen.density import gaussian_log_density

# %%
gaussian_log_density = check("gaussian_log_density", gaussian_log_density)

# %% [markdown]
# Now there is a number for each picture, in **nats**, the unit of a natural logarithm: one nat less is $e$ times less dense.
# What does the Gaussian say of test digits, and what of noise?

# %%
mean, covariance = fit_gaussian(x)
of_digits = gaussian_log_density(x_test, mean, covariance)
of_noise = gaussian_log_density(x_noise, mean, covariance)
show.histogram(
    {"test digits": of_digits, "uniform noise": of_noise},
    xlabel="log p(x), in nats",
    title="A density knows that noise is no digit",
)

# %% [markdown]
# The two do not even come near each other. Here is the same test for both models. Each accepts a picture if it gives it more
# than it gives the lowest 5 % of the test digits: more confidence, or more density.

# %%
with torch.no_grad():
    sure = classifier(test_images).softmax(1).amax(1)
by_classifier = (confidence > sure.quantile(0.05)).double().mean()
by_density = (of_noise > of_digits.quantile(0.05)).double().mean()
measured("share of noise that the classifier accepts", by_classifier, at_least=0.3)
measured("share of noise that the density accepts", by_density, at_most=0)

# %% [markdown]
# ### What a log-likelihood is, and what it is not
#
# **It has a unit.** Save the same digits with pixels from −8 to 8, and the same probability is spread over more volume: every
# density changes, though no picture did. So only two log-densities in the same unit can be compared. (And a density above 1,
# with a positive logarithm, is nothing strange.)

# %%
wide = gaussian_log_density(8 * x_test, *fit_gaussian(8 * x)).mean()
print(
    f"mean log-density of test digits in [-1, 1]: {of_digits.mean():.1f} nats, and in [-8, 8]: {wide:.1f} nats"
)
print(f"the difference: {of_digits.mean() - wide:.2f} nats; 64 · log 8: {64 * math.log(8):.2f}")

# %% [markdown]
# **Bits per dimension** do not depend on it: how many bits a compressor that believes in the model needs for the grey level of
# a pixel. The probability of a level is about the density times the width of a level, so
#
# $$ \text{bits per dimension} = -\,\frac{\log p(x) + D \log(\text{width of a level})}{D \log 2} . $$
#
# (With dequantised pictures this is never too optimistic on average: Theis, van den Oord and Bethge, 2016.) A model that
# knows nothing, and calls all 17 levels equally probable, needs $\log_2 17$ bits. Fewer is better.


# %%
def bits(log_density: Tensor) -> float:
    """Bits per dimension of pictures of 64 pixels, the mean over the pictures, from log-densities in nats."""
    return float(-(log_density.mean() + 64 * math.log(LEVEL)) / (64 * math.log(2)))


one_gaussian = bits(of_digits)
print(f"a model that knows nothing: {math.log2(17):.2f} bits per dimension")
measured("test digits under one Gaussian, bits per dimension", one_gaussian, at_most=3.1)

# %% [markdown]
# **The densest picture looks like nothing.** Which picture has the highest density of all? The mean, which is a smear of all
# digits:

# %%
at_mean = gaussian_log_density(mean[None], mean, covariance).item()
print(f"log-density of the mean: {at_mean:.1f} nats; of the densest test digit: {of_digits.max():.1f} nats")
show.rows(
    {
        "the mean": mean.view(1, 1, 8, 8).float().clamp(-1, 1),
        "highest": test_images[of_digits.topk(10).indices],
        "lowest": test_images[of_digits.topk(10, largest=False).indices],
    },
    title="The mean, and the test digits of highest and lowest density",
)

# %% [markdown]
# This is no contradiction: there is hardly any *volume* close to the mean. In 64 dimensions almost everything that one draws
# lies at some distance from it, like the real digits. So a low density shows that something is odd, but a high one does not
# show that all is well; dull pictures fool even large models in this way (Nalisnick and others, 2019).
#
# ## 4 · Drawing
#
# A density judges. A generative model must also *draw*. For a Gaussian that takes one line. Start with noise $\varepsilon$: 64
# numbers, each drawn from the normal distribution with mean 0 and variance 1, independent of the others. This is written
# $\varepsilon \sim N(0, I)$, and almost all generators of this course start from it. Stretch it and shift it:
#
# $$ x = \mu + L\,\varepsilon, \qquad L L^\top = \Sigma . $$
#
# **Your turn.** The noise comes in as an argument, one row for each sample, so watch on which side the matrix has to stand.

# %% exercise
from minigen.density import sample_gaussian

# %%
sample_gaussian = check("sample_gaussian", sample_gaussian)


# %%
def pictures_of(rows: Tensor) -> Tensor:
    """Rows (N, 64) as pictures; what lies outside of [-1, 1] becomes black or white."""
    return rows.view(-1, 1, 8, 8).float().clamp(-1, 1)


epsilon = torch.randn(1000, 64, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
from_one = pictures_of(sample_gaussian(mean, covariance, epsilon))
show.rows(
    {"one Gaussian": from_one[:12], "real digits": test_images[:12]},
    title="One Gaussian knows where the ink is, and little more",
)

# %% [markdown]
# These are not digits. But they are far from noise: the sides are black, the ink is in the middle, and here and there is
# something like a stroke. The Gaussian knows how each *two* pixels go together, and that is all that it can know.
#
# ### A Gaussian for each digit
#
# We have labels. So fit a Gaussian to the zeros alone, one to the ones, and so on: ten densities $p(x \mid c)$. For each digit
# there are only about 115 pictures, and a covariance has 2,080 different numbers. It will be far too narrow in some
# directions. Adding a small number to all its variances, a **ridge**, helps. How large should it be? Ask pictures that the fit
# has not seen. Each has its label, and is judged by the Gaussian of its own class: $\log p(c) + \log p(x \mid c)$, the
# log-probability of picture and class together. (So do not compare these bits with those of one Gaussian, which are for the
# picture alone.)


# %%
def one_for_each_digit(ridge: float) -> tuple[Tensor, Tensor, Tensor]:
    """How often each digit comes (10,), and means (10, 64) and covariances (10, 64, 64) of their Gaussians."""
    fitted = [fit_gaussian(x[classes == k]) for k in range(10)]
    means, covariances = (torch.stack([pair[i] for pair in fitted]) for i in (0, 1))
    shares = torch.bincount(classes).double() / len(classes)
    return shares, means, covariances + ridge * torch.eye(64)


def log_p_with_class(points: Tensor, shares: Tensor, means: Tensor, covariances: Tensor) -> Tensor:
    """log p(c) + log p(x | c) for each of the ten classes: (N, 10)."""
    each = [gaussian_log_density(points, means[k], covariances[k]) for k in range(10)]
    return shares.log() + torch.stack(each, 1)


by_ridge = {}
for ridge in (0.0003, 0.001, 0.003, 0.01, 0.03):
    log_p = log_p_with_class(x_validation, *one_for_each_digit(ridge))
    by_ridge[ridge] = bits(log_p.gather(1, validation_classes[:, None]))
    print(f"ridge {ridge}: {by_ridge[ridge]:.3f} bits per dimension for validation digits and their classes")

# %% [markdown]
# With too small a ridge, the Gaussians remember the pictures that they were fitted to; with too large a one, they forget what
# digits look like. We take the best. Such a choice on held-out data comes back in every lesson.
#
# Now we can draw a digit that *we ask for*:

# %%
digit_mixture = one_for_each_digit(min(by_ridge, key=by_ridge.get))
_, means, covariances = digit_mixture
show.rows(
    {
        str(k): pictures_of(sample_gaussian(means[k], covariances[k], epsilon[10 * k : 10 * (k + 1)]))
        for k in range(10)
    },
    title="Drawn from ten Gaussians, one for each digit",
)

# %% [markdown]
# Better: most zeros, fives and sixes can be read, and many others can be guessed. And something comes with it for nothing. We have
# $p(x \mid c)$ and want $p(c \mid x)$. **Bayes' rule** gives it:
#
# $$ p(c \mid x) = \frac{p(c)\, p(x \mid c)}{\sum_{c'} p(c')\, p(x \mid c')} . $$
#
# So a generative model of each class is a classifier too. (No rule leads the other way, from $p(c \mid x)$ to pictures.)

# %%
by_bayes = (log_p_with_class(x_test, *digit_mixture).argmax(1) == test_labels).double().mean()
measured("accuracy of Bayes' rule on test digits", by_bayes, at_least=0.965)

# %% [markdown]
# Here it even beats the classifier, which was trained for nothing else. The match is not quite fair: between two classes, our
# classifier can draw only straight borders, and two Gaussians make curved ones. And do not expect it of photographs: with
# enough data, a model that has to answer only the easier question answers it better (Ng and Jordan, 2002).
#
# ## 5 · Mixtures, when nobody gives labels
#
# The sum below the fraction in Bayes' rule is $p(x)$ itself: choose a digit, then draw from its Gaussian. This is a **mixture
# of Gaussians**,
#
# $$ p(x) = \sum_{k=1}^{K} w_k \, N(x; \mu_k, \Sigma_k), \qquad \sum_k w_k = 1 , $$
#
# and its components need not be digits: with enough of them, a mixture can take any shape. Our example is the **ring**, points
# of the plane that come from eight round Gaussians. We know the truth about it, so we can judge exactly. What does one Gaussian
# make of it? (Each component is drawn as an ellipse, two standard deviations from its mean.)

# %%
toy = ring()
points = toy.sample(300, torch.Generator().manual_seed(0)).double()
new_points = toy.sample(2000, torch.Generator().manual_seed(1)).double()  # never used to fit


@show.styled
def panels(scenes: dict, width: float = 9.6):
    """Pictures of the plane, side by side. scenes: {title: (points, mixture or None)}."""
    size = (width, width / len(scenes) + 0.6)
    figure, every = plt.subplots(1, len(scenes), figsize=size, sharex=True, sharey=True)
    plt.close(figure)
    angle = torch.linspace(0, 2 * math.pi, 80, dtype=torch.float64)
    circle = 2 * torch.stack([angle.cos(), angle.sin()], 1)
    for axes, (title, (dots, mixture)) in zip(every, scenes.items(), strict=True):
        axes.scatter(*dots.T, s=4, color=show.PALETTE[5])
        for centre, spread in zip(*mixture[1:], strict=True) if mixture else ():
            axes.plot(*sample_gaussian(centre, spread, circle).T, color=show.PALETTE[1], linewidth=2)
        axes.set(aspect="equal", xlabel="first number", xlim=(-1.75, 1.75), ylim=(-1.75, 1.75))
        axes.set_title(title, fontsize=11)
    every[0].set_ylabel("second number")
    return figure


alone = torch.ones(1).double(), *(part[None] for part in fit_gaussian(points))
truth = toy.weights, toy.means, toy.covariances
drawn = sample_gaussian(alone[1][0], alone[2][0], epsilon[:150, :2])
panels(
    {
        "one Gaussian for the points": (points[:150], alone),
        "drawn from this Gaussian": (drawn, alone),
        "the truth: eight": (points[:150], truth),
    },
    width=7.4,
)

# %% [markdown]
# Most of what it draws lies where no point ever was. So, a mixture. First its density. For each point and each component,
# `log_joint` gives $\log(w_k\, N(x; \mu_k, \Sigma_k))$: the log-density of section 3, for all components at once. What is left
# is to add up the $K$ densities.
#
# Here is a program that does it, and models train well with it. Look at what it says further away from the ring. (Out there one
# component is nearly all there is, so we know what it should say.)

# %%
from minigen.density import log_joint

away = torch.stack([torch.linspace(1, 3, 200), torch.zeros(200)], 1).double()
each = log_joint(away, *truth)  # (200, 8)
distance = away[:, 0].tolist()
show.curves(
    {
        "the program": dict(zip(distance, (each.exp().sum(1) + 1e-12).log().tolist(), strict=True)),
        "nearest component": dict(zip(distance, each.amax(1).tolist(), strict=True)),
    },
    xlabel="distance from the middle of the ring (the ring is at 1)",
    ylabel="log p(x), in nats",
    title="A density that ends too early",
)

# %% [markdown]
# **Your turn.** Repair the program.

# %% exercise
from minigen.density import mixture_log_density

# %%
mixture_log_density = check("mixture_log_density", mixture_log_density)

# %% [markdown]
# ### Expectation-maximisation
#
# How does one fit a mixture? If we knew which component made which point, it would be easy: fit a Gaussian to the points of
# each, as we did with the labels. If we knew the components, it would be easy to say which one made a point: Bayes' rule again.
# The answer is called the **responsibility** of component $k$ for the point $x$:
#
# $$ r_k(x) = p(k \mid x) = \frac{w_k\, N(x; \mu_k, \Sigma_k)}{\sum_j w_j\, N(x; \mu_j, \Sigma_j)} . $$
#
# Here they are for two points of the plane, under the true mixture: one point beside a mean, one half-way between two means.

# %%
from minigen.density import responsibilities

two = torch.stack([toy.means[0] + 0.1, (toy.means[0] + toy.means[1]) / 2])
print((100 * responsibilities(two, *truth)).round().int(), "percent")

# %% [markdown]
# When we fit a mixture, we know neither the components nor the responsibilities. **Expectation-maximisation** (EM) starts with a
# guess, and does both in turn: with the present mixture, share each point out among the components; then, with these shares, fit
# each component to *its* part of the points.
#
# **Your turn.** A point may belong to one component for 70 % and to another for 30 %. Then it counts as 0.7 of a point here, and
# as 0.3 of a point there. Where fitting a Gaussian took means over points, take means that are weighted in this way. The new
# weight of a component is its part of all points. And add the ridge to every variance, or a component may shrink onto a single
# point, where its density is infinite. (Call `responsibilities`; it is given.)

# %% exercise
from minigen.density import em_step

# %%
em_step = check("em_step", em_step)

# %% [markdown]
# Let us watch it. The first guess is eight equal Gaussians, each on some point of the data:

# %%
chosen = torch.randperm(len(points), generator=torch.Generator().manual_seed(3))[:8]
film = [(torch.full((8,), 1 / 8).double(), points[chosen], 0.1 * torch.eye(2).double().repeat(8, 1, 1))]
for _ in range(60):
    film.append(em_step(points, *film[-1], 1e-4))
panels({f"{i} steps": (points[:150], film[i]) for i in (0, 3, 60)}, width=7.4)

# %%
likelihoods = torch.stack([mixture_log_density(points, *mixture).mean() for mixture in film])
measured("smallest gain of the 60 steps, nats for each point", likelihoods.diff().min(), at_least=-1e-4)

# %% [markdown]
# No step makes it worse, and that is a theorem (Dempster, Laird and Rubin, 1977; the ridge may cost a tiny bit). It does not say
# that EM finds the *best* mixture, and here it did not: look at the ellipses after the last step. EM climbs the nearest hill.
# So one starts it several times, on points that lie far apart, and keeps the likeliest mixture. `fit_mixture` does that.
#
# ### How many components?
#
# We happen to know that eight is right. Could we have found out? More components always fit the points better, in the end one
# for each point. What counts is how probable the mixture makes points that it has *not* seen: the **held-out** log-likelihood.
#
# **Your turn.** This function fits a mixture for each number of components, and returns the best number. It runs, and prefers 20
# components to 8. Repair it. (`fit` comes in as an argument, so that any way of fitting will do.)

# %% exercise
from minigen.density import choose_components

# %%
choose_components = check("choose_components", choose_components)

# %%
from minigen.density import fit_mixture


@cache  # the two lines below ask for the same fits
def fit_ring(data: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The best mixture of k components, of several first guesses."""
    return fit_mixture(data, k, torch.Generator().manual_seed(k), restarts=budget(1, 10, 20))


numbers = [1, 2, 4, 6, 7, 8, 9, 10, 12, 16, 20]
best, scores = choose_components(points, new_points, numbers, fit_ring)
_, fitted_scores = choose_components(points, points, numbers, fit_ring)  # the mistake, on purpose
show.curves(
    {
        "the 300 fitted points": dict(zip(numbers, fitted_scores.tolist(), strict=True)),
        "2,000 new points": dict(zip(numbers, scores.tolist(), strict=True)),
    },
    xlabel="number of components",
    ylabel="nats for each point",
    title="The log-likelihood of new points tells how many there are",
)

# %%
measured("number of components that new points choose on the ring", best, at_least=8, at_most=8)
fresh = toy.sample(2000, torch.Generator().manual_seed(2)).double()  # since new_points made the choice
reached = mixture_log_density(fresh, *fit_ring(points, best)).mean()
ideal = toy.log_density(fresh).mean()
print(f"fresh points, nats each: {reached:.3f} under the chosen mixture, {ideal:.3f} under the truth")

# %% [markdown]
# On the points that it was fitted to, the mixture only gets better. On new points it gets better up to eight components, and
# then worse: the further ones describe the accidents of these 300 points. The gap between the two curves is **overfitting**.
#
# ### Back to the digits
#
# The ten Gaussians of section 4 are a mixture too; there, the labels did EM's work. (EM can sort digits without labels. Try
# `fit_mixture(x, 10, torch.Generator().manual_seed(0), ridge=0.003)` when you have time, and show its means by `pictures_of`.) How many bits
# does the mixture save over one Gaussian, on digits that it has not seen?

# %%
ten_gaussians = bits(mixture_log_density(x_test, *digit_mixture))
measured("test digits under a mixture of ten Gaussians, bits per dimension", ten_gaussians)
measured("bits per dimension that it saves over one Gaussian", one_gaussian - ten_gaussians, at_least=0.2)

# %% [markdown]
# To draw from a mixture, pick a component for each picture, by the weights, and then draw from it as before. `GaussianMixture`
# does both.


# %%
def draw(mixture: tuple[Tensor, Tensor, Tensor], n: int, spread: float = 1.0) -> Tensor:
    """n pictures from a mixture. spread: the standard deviations of all components are multiplied by it."""
    weights, means, covariances = mixture
    model = GaussianMixture(means, covariances=spread**2 * covariances, weights=weights)
    return pictures_of(model.sample(n, torch.Generator().manual_seed(6)))


# %% picture
show.rows(
    {
        "uniform noise": noise[:12],
        "one Gaussian": from_one[:12],
        "ten Gaussians": draw(digit_mixture, 12),
        "real digits": test_images[:12],
    },
    title="From no model to better models",
)

# %% [markdown]
# From row to row the models know more, and the bits say the same as the eye. Gaussians will not go much further: a component is
# a flat cloud of pixels, and a digit that moves walks along a *curve*. Bending the clouds takes neural networks, and these
# are the rest of the course.
#
# ## 6 · The score: which way to a better picture?
#
# One more thing can be asked of a density: from a point $x$, in which direction does it grow fastest? That is the gradient of
# the log-density, called the **score**,
#
# $$ s(x) = \nabla_x \log p(x) . $$
#
# It has one great advantage: it does not contain the constant that makes a density integrate to 1, which in most models nobody
# can compute. A diffusion model learns just the score. For a mixture of Gaussians we can write it down *exactly*, so this
# function will be the judge when later lessons test networks and samplers.
#
# **Your turn**, with pencil and paper first. You need two facts: the gradient of a logarithm is $\nabla \log p = \nabla p / p$,
# and the logarithm of one Gaussian is $-\tfrac12$ of a squared distance, plus a constant. On the way you will meet an old
# friend.

# %% exercise
from minigen.density import mixture_score

# %%
mixture_score = check("mixture_score", mixture_score)

# %% [markdown]
# PyTorch can differentiate the log-density by itself. Do the two agree?

# %%
anywhere = 1.5 * torch.randn(500, 2, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
anywhere.requires_grad_()
(gradient,) = torch.autograd.grad(mixture_log_density(anywhere, *truth).sum(), anywhere)
difference = (mixture_score(anywhere.detach(), *truth) - gradient).abs().max()
measured("largest difference between our score and autograd's", difference, at_most=1e-8)


# %%
@show.styled
def arrows(mixture: tuple[Tensor, Tensor, Tensor], title: str):
    """The log-density of a mixture as shades, and the direction of its score as arrows, all of one length."""
    figure, axes = plt.subplots(figsize=(5.6, 4.4))
    plt.close(figure)
    fine = torch.linspace(-1.7, 1.7, 160, dtype=torch.float64)
    log_p = mixture_log_density(torch.cartesian_prod(fine, fine), *mixture).view(160, 160)
    shades = axes.contourf(fine, fine, log_p.T.clamp(min=-20), levels=range(-20, 5, 4), cmap="Blues")
    figure.colorbar(shades, label="log p(x), in nats (cut off at −20)")
    places = torch.cartesian_prod(fine[7::16], fine[7::16])
    direction = nn.functional.normalize(mixture_score(places, *mixture))
    axes.quiver(*places.T, *direction.T, color=show.PALETTE[1], scale=20, width=0.006)
    axes.set(title=title, aspect="equal", xlabel="first number", ylabel="second number")
    return figure


arrows(truth, "The score of the ring: everywhere, the way uphill")

# %% [markdown]
# If you follow the arrows, you come to a place of high density. But not to a *sample*: in the end everybody stands on one of
# eight tops. So add a little fresh noise $\varepsilon$ at every step:
#
# $$ x \leftarrow x + \eta\, s(x) + \sqrt{2 \eta}\; \varepsilon . $$
#
# With small steps $\eta$ the two balance, and the points soon spread out over their hill as the density does. This is
# **Langevin sampling**, and it turns a score into a generator. It has a weakness: to get to another hill, a point has to climb
# down against the score by luck. So let a second crowd start on one hill:


# %%
def follow(score: Callable[[Tensor], Tensor], start: Tensor, steps: int, noisy: bool) -> Tensor:
    """Points (N, D) after many small steps along the score, with fresh noise at every step or with none."""
    generator, eta, here = torch.Generator().manual_seed(8), 0.001, start
    for _ in range(steps):
        here = here + eta * score(here)
        if noisy:
            here = here + math.sqrt(2 * eta) * torch.randn(here.shape, generator=generator, dtype=here.dtype)
    return here


crowd = 3.2 * torch.rand(400, 2, generator=torch.Generator().manual_seed(9), dtype=torch.float64) - 1.6
on_one_hill, steps = toy.means[0].repeat(400, 1), budget(50, 500, 500)
climbed, settled = (follow(toy.score, crowd, steps, noisy) for noisy in (False, True))
stuck = follow(toy.score, on_one_hill, steps, noisy=True)
panels(
    {
        "start: anywhere": (crowd, None),
        "uphill, no noise": (climbed, None),
        "Langevin, from anywhere": (settled, None),
        "Langevin, from one hill": (stuck, None),
    }
)

# %%
hill = torch.cdist(settled, toy.means).argmin(1)
spread = (settled - toy.means[hill]).std()
measured(
    "spread of the Langevin samples around the eight means (truth: 0.1)", spread, at_least=0.09, at_most=0.115
)
print(
    "points on each hill, started anywhere:", hill.bincount(minlength=8).tolist(), "(truth: about 50 on each)"
)
at_home = (torch.cdist(stuck, toy.means).argmin(1) == 0).double().mean()
measured(
    "share of the second crowd that is still on its first hill (in the end: 1/8)", at_home, at_least=0.85
)

# %% [markdown]
# (`toy.score` runs on your `mixture_score`.) Within a hill all is right; how many points stand on which hill still depends on
# where they started, and would for a long time. Diffusion models too make pictures by many small steps along a score, and start
# where noise has melted the hills into one. What is missing is the score, since nobody knows the density of photographs. In
# lesson 11, a network learns it.
#
# ## 7 · The map
#
# You have now seen models that have everything: a density that can be computed, and samples. With networks, one cannot have
# everything. The families are best told apart by what becomes of $p(x)$ (Goodfellow, 2016):
#
# - **Explicit and tractable**: $p(x)$ can be computed. Examples are mixtures, autoregressive models (one pixel after the other,
#   each with its probability given the earlier ones), and normalizing flows (which bend a Gaussian, and keep account of the
#   volume).
# - **Explicit and approximate**: there is a $p(x)$, but it hides in an integral that nobody can compute; one maximises a bound
#   below it. Examples are variational autoencoders and diffusion models.
# - **Implicit**: there is only a machine that turns noise into pictures. It cannot say how probable a picture is, so it must
#   learn in another way. A GAN learns from an opponent, who tries to tell its pictures from real ones.
#
# Two more boxes are needed here. Denoising autoencoders learn **only the gradient** of $\log p(x)$, the score. And some models
# have **no density of pictures**: they describe pictures or scenes, and do not draw at random. Here is every family of this
# course, with the lessons in which it comes:

# %%
FAMILIES = {
    "explicit density,\ntractable": [
        "Gaussians and their mixtures · 01",
        "autoregressive: of pixels, PixelCNN · 40;  of tokens, DALL·E, Parti · 65, 66",
        "normalizing flows · 41",
    ],
    "explicit density,\napproximate": [
        "variational autoencoders · 13, 14;  VQ-VAE with a prior · 15",
        "diffusion · 50–55, 57;  flow matching · 56, 69",
        "latent diffusion · 60, 61;  text to image · 63, 67–75;  video · 84",
        "masked tokens: Muse · 66",
    ],
    "only its gradient": ["denoising autoencoders: the score · 11"],
    "implicit density": [
        "GAN, WGAN, conditional GAN · 30–32;  DatasetGAN · 81",
        "progressive GAN, StyleGAN, pix2pix, CycleGAN, SRGAN · 33–37",
        "few-step distillation of diffusion · 58",
    ],
    "no density\nof pictures": ["autoencoders · 10, 12;  CLIP · 62, 64;  radiance fields · 83"],
}


@show.styled
def family_tree(families: dict[str, list[str]]):
    """What becomes of p(x), and which families of models belong there."""
    figure, axes = plt.subplots(figsize=(8, 3.6))
    plt.close(figure)
    rows = sum(map(len, families.values()))
    axes.set(xlim=(0, 10), ylim=(-rows + 0.3, 0.7), title="What becomes of p(x), and in which lesson")
    axes.axis("off")
    box = {"boxstyle": "round,pad=0.3", "facecolor": show.PAPER}
    y = 0
    for i, (kind, members) in enumerate(families.items()):
        middle, colour = y - (len(members) - 1) / 2, show.PALETTE[i]
        axes.plot([0.7, 2.4], [-(rows - 1) / 2, middle], color=show.INK, linewidth=1, zorder=0)
        axes.text(2.4, middle, kind, ha="center", va="center", fontsize=9, bbox=box | {"edgecolor": colour})
        for member in members:
            axes.plot([2.4, 3.9], [middle, y], color=colour, linewidth=1.4, zorder=0)
            axes.text(4.0, y, member, va="center", fontsize=9)
            y -= 1
    axes.text(0.7, -(rows - 1) / 2, "models of\npictures", ha="center", va="center", fontsize=9, bbox=box)
    return figure


family_tree(FAMILIES)

# %% [markdown]
# Some stand between two boxes: what a diffusion model learns is a score, and its loss is, up to weights, a bound on the
# likelihood; DALL·E and Parti have an exact probability of tokens, not of pictures. And some are built of others: latent
# diffusion draws with a diffusion model in the codes of an autoencoder.
#
# ### The trilemma
#
# What do we want of a generator? **Quality**: each picture looks real. **Coverage**: all kinds of pictures come. **Speed**: they
# come fast. Each family is good at two of the three, and pays with the third (Xiao, Kreis and Vahdat, 2022):
#
# | family | quality | coverage | speed | why |
# |---|---|---|---|---|
# | GAN | good | poor | good | one pass of the network; nothing punishes it for leaving kinds of pictures out |
# | VAE, normalizing flow | poor | good | good | likelihood punishes every picture that is left out; the rest comes out too smooth |
# | diffusion | good | good | poor | tens to hundreds of passes of the network for one picture |
# | autoregressive | good | good | poor | one pass for every pixel, or every token |
#
# Much research goes into what is poor here: for diffusion, latent codes make each pass cheaper, and distillation makes them fewer.
#
# We can see quality and coverage pull against each other in our own model. Multiply all standard deviations of the mixture by a
# small number, and it draws only what is near the middle of its components. We call a picture *good* when it is as near to a
# training digit as 95 % of the test digits are, and a test digit *covered* when one of 1,150 drawn pictures is that near to it.


# %%
def nearest(pictures: Tensor, others: Tensor) -> Tensor:
    """The distance of each picture to the nearest of the others."""
    return torch.cdist(pictures.flatten(1), others.flatten(1)).amin(1)


limit = nearest(test_images, images).quantile(0.95)
quality, coverage = {}, {}
for spread in (0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0, 1.15, 1.3):
    pictures = draw(digit_mixture, 1150, spread)
    quality[spread] = float((nearest(pictures, images) <= limit).float().mean())
    coverage[spread] = float((nearest(test_images, pictures) <= limit).float().mean())
show.curves(
    {"quality": quality, "coverage": coverage},
    xlabel="spread of the components (1: as fitted)",
    ylabel="share of pictures",
    title="Down to a spread of 0.75 both rise; below it, they trade",
)

# %%
show.rows(
    {f"spread {spread}": draw(digit_mixture, 10, spread) for spread in (0.1, 0.75, 1.0, 1.3)},
    title="The same draws, with more and more spread",
)

# %%
measured("quality gained from spread 1 to 0.75", quality[0.75] - quality[1.0], at_least=0.05)
measured("coverage gained from spread 1 to 0.75", coverage[0.75] - coverage[1.0], at_least=0.005)
measured("quality gained from spread 0.75 to 0.3", quality[0.3] - quality[0.75], at_least=0.025)
measured("coverage lost from spread 0.75 to 0.3", coverage[0.75] - coverage[0.3], at_least=0.06)

# %% [markdown]
# Read the curves from the right. The fitted spread, 1, is too wide for this eye: down to about 0.75, quality and coverage rise
# together. Below that, better pictures are paid for with fewer kinds.
#
# The same knob comes back in every large model, as the *truncation* of a GAN or the *guidance scale* of a diffusion model. Mind
# that no number alone is enough. The smeared means in the row of spread 0.1 all count as good; and a "model" that returns its
# training pictures would score well on everything, and would only have forgotten to generate.
#
# A last question, about the map and the table together:

# %% exercise
from minigen.exercises.lesson_01_what_is_a_generative_model import which_family

# %%
which_family = check("which_family", which_family)

# %% [markdown]
# ## What goes wrong in practice
#
# - **A density on discrete data, without dequantisation**: the likelihood grows without limit, and so do the hopes.
# - **Log-likelihoods in different units**, of pixels in [0, 1] and in [0, 255] for example. Compare bits per dimension.
# - **`det` and `inv`** where a Cholesky factor should be: fine in two dimensions, infinite or zero in sixty.
# - **A small number under a logarithm**: no error message any more, and no gradient either. Use `logsumexp`.
# - **Choosing by the data that was fitted**: the largest model always wins.
# - **One start of EM**: it stops on the nearest hill. Start several times.
# - **Trusting a high density**: the densest picture of all is a smear.
#
# ## Where to read on
#
# - Bishop, 2006, *Pattern Recognition and Machine Learning*: section 2.3 (Gaussians) and chapter 9 (mixtures and EM).
# - Dempster, Laird and Rubin, 1977, *Maximum Likelihood from Incomplete Data via the EM Algorithm*.
# - Ng and Jordan, 2002, *On Discriminative vs. Generative Classifiers*.
# - Goodfellow, 2016, *NIPS 2016 Tutorial: Generative Adversarial Networks* (its section on how generative models work has the map).
# - Theis, van den Oord and Bethge, 2016, *A Note on the Evaluation of Generative Models*.
# - Nalisnick, Matsukawa, Teh, Gorur and Lakshminarayanan, 2019, *Do Deep Generative Models Know What They Don't Know?*
# - Xiao, Kreis and Vahdat, 2022, *Tackling the Generative Learning Trilemma with Denoising Diffusion GANs*.
#
# **Next: 10 · Autoencoders.** Can 64 pixels be squeezed into 8 numbers, and come back?

# %%
progress()
