# %% [markdown]
# # 20 · The Fréchet distance
#
# **Here are two sheets of drawn digits, from two generators. Which generator is better, and by how much?** You have an
# opinion. So has your neighbour, and it is another one. Nobody can train models by opinions: we need a number.
#
# In this lesson you build the number that nearly all papers on generated images print, the Fréchet inception distance
# (FID). You derive it from a simple question about moving points, compute it, and watch it fall as noise is removed from
# pictures. Then you find its two great weaknesses, what it makes of few pictures and what it cannot see at all, and repair
# the first.
#
# About 100 minutes · 7 exercises · needs: lessons 00, 01 and 10 (singular values); the VAE of lesson 13 as an example.

# %%
import itertools
import math

import matplotlib.pyplot as plt
import torch
from scipy.linalg import sqrtm
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F

from minigen import show
from minigen.core import budget
from minigen.course import check, hint, measured, progress, solution
from minigen.data import digits
from minigen.density import fit_gaussian, sample_gaussian
from minigen.metrics import check_at_least, check_features, comparable  # they refuse what cannot be used
from minigen.recipes import trained

# %%
x, labels = digits("train")
x_test, labels_test = digits("test")


def ten_gaussians(n: int, seed: int) -> Tensor:
    """n digits from the model of lesson 01: a Gaussian for each class, fitted to its training digits."""
    generator = torch.Generator().manual_seed(seed)
    drawn_labels = torch.randint(10, (n,), generator=generator)
    noise = torch.randn(n, 64, generator=generator, dtype=torch.float64)
    pixels = torch.empty(n, 64)
    for k in range(10):
        mean, covariance = fit_gaussian(x[labels == k].flatten(1).double())
        covariance = covariance + 0.003 * torch.eye(64)
        pixels[drawn_labels == k] = sample_gaussian(mean, covariance, noise[drawn_labels == k]).float()
    return pixels.clamp(-1, 1).view(-1, 1, 8, 8)


torch.manual_seed(0)
from_a = trained("digit_vae").sample(5000)  # the VAE of lesson 13
from_b = ten_gaussians(10_000, seed=0)
show.rows({"A": from_a[:14], "B": from_b[:14]}, title="Two generators. Which is better, and by how much?")

# %% [markdown]
# A is the VAE of lesson 13, and B the ten Gaussians of lesson 01. Decide now, and write it down. We come back to it.
#
# What should a number measure? No drawn digit has to be equal to a real one. The *crowd* of all drawn digits has to be like
# the crowd of all real ones. So we need a distance between two crowds, that is, between two distributions.
#
# ## 1 · Moving points on a line
#
# Start with crowds of six numbers. Think of the first six as heaps of sand, and of the others as holes of the same size.
# Each heap goes to one hole. To move a heap by a distance $d$ costs $d^2$. The cheapest plan says how far apart the two
# crowds are:
#
# $$ W(a, b) = \min_{\text{pairings } \pi} \; \frac{1}{N} \sum_{i=1}^{N} \big( a_i - b_{\pi(i)} \big)^2 $$
#
# Six numbers can be paired in 720 ways, so we simply try all of them.

# %%
a = torch.tensor([0.9, -0.4, 2.1, 0.2, -1.3, 1.2])
b = torch.tensor([3.1, 0.6, 1.4, 4.0, 2.3, 0.1])
pairings = torch.tensor(list(itertools.permutations(range(6))))  # (720, 6)
cost = (a - b[pairings]).square().mean(1)
print(f"{len(cost)} pairings, cost from {cost.min():.3f} to {cost.max():.3f}")


@show.styled
def pairing_panels(scenes: dict):
    """Two rows of points and the lines that pair them, side by side. scenes: {title: pairing (6,)}."""
    figure, every = plt.subplots(1, len(scenes), figsize=(9.4, 2.4), sharey=True)
    plt.close(figure)
    for axes, (title, pairing) in zip(every, scenes.items(), strict=True):
        for start, end in zip(a, b[pairing], strict=True):
            axes.plot([start, end], [0, 1], color="#888888", linewidth=1.5)
        axes.plot(a, 0 * a, "o", color=show.PALETTE[0])
        axes.plot(b, 0 * b + 1, "s", color=show.PALETTE[1])
        axes.set(yticks=[0, 1], yticklabels=["a", "b"], ylim=(-0.3, 1.3), xlabel="number")
        axes.set_title(title, fontsize=11)
    return figure


pairing_panels(
    {
        f"as they come: cost {cost[0]:.2f}": pairings[0],
        f"the worst of 720: {cost.max():.2f}": pairings[cost.argmax()],
        f"the best of 720: {cost.min():.2f}": pairings[cost.argmin()],
    }
)

# %% [markdown]
# In the best pairing no two lines cross. That is no accident. Let $a_1 < a_2$ and $b_1 < b_2$. Crossed pairs cost more than
# uncrossed ones, as you see when you multiply out the squares:
#
# $$ (a_1 - b_2)^2 + (a_2 - b_1)^2 \;-\; (a_1 - b_1)^2 - (a_2 - b_2)^2 \;=\; 2\,(a_2 - a_1)(b_2 - b_1) \;>\; 0 . $$
#
# So uncross them, again and again, until nothing crosses: the smallest goes to the smallest, and the largest to the
# largest. The same holds for every cost $d^p$ with $p \ge 1$ (since $d^p$ is convex; for $p = 1$ crossing may cost equally
# much).
#
# **Your turn.** In go two sets of N numbers in any order, and the power $p$. Out comes the cost of the best pairing: a mean
# over the pairs, without trying all of them. (The library's version also refuses sets that cannot be paired; yours may skip
# it.)

# %% exercise
from minigen.metrics import transport_1d

# %%
transport_1d = check("transport_1d", transport_1d)

# %%
print(f"best of 720 pairings: {cost.min():.6f}   transport_1d: {transport_1d(a, b):.6f}")

# %% [markdown]
# Its root, for $p = 2$, is called the **2-Wasserstein distance**. We stay with the square, as FID does.
#
# ### Two Gaussians on the line
#
# Now let the crowds grow without end: $a$ comes from $N(\mu_a, \sigma_a^2)$ and $b$ from $N(\mu_b, \sigma_b^2)$. The same
# rule holds: keep the order. The point that lies $u$ standard deviations above the one mean goes to the point that lies $u$
# standard deviations above the other:
#
# $$ \mu_a + \sigma_a u \;\longmapsto\; \mu_b + \sigma_b u, \qquad u \sim N(0, 1) . $$
#
# The mean squared distance moved is the mean of $\big((\mu_a - \mu_b) + (\sigma_a - \sigma_b)\,u\big)^2$. Since $u$ has
# mean 0 and variance 1, this is
#
# $$ (\mu_a - \mu_b)^2 + (\sigma_a - \sigma_b)^2 . $$
#
# A pretty result: two Gaussians are points of a plane, with $\mu$ to the right and $\sigma$ upwards, and this is
# Pythagoras. It must agree with sorted numbers:

# %%
generator = torch.Generator().manual_seed(0)
u, v = torch.randn(2, 100_000, generator=generator, dtype=torch.float64)
by_formula = (1.0 - 3.0) ** 2 + (2.0 - 0.5) ** 2
by_sorting = float(transport_1d(1.0 + 2.0 * u, 3.0 + 0.5 * v))
print(
    f"N(1, 2²) and N(3, 0.5²): {by_formula} by the formula, {by_sorting:.3f} by sorting 100,000 numbers of each"
)
measured(
    "error of the formula against sorted numbers, relative", abs(by_sorting / by_formula - 1), at_most=0.02
)

# %% [markdown]
# ## 2 · Many dimensions
#
# In the plane there is no "order", so nothing can be sorted. But with Gaussians we can go on as on the line: make both
# crowds from the same noise. By lesson 01, $x = \mu_a + A u$ with $u \sim N(0, I)$ is a draw of the one Gaussian if
# $A A^\top = \Sigma_a$. And $y = \mu_b + B u$ is a draw of the other if $B B^\top = \Sigma_b$. So let $x$ go to the $y$
# that comes from the same $u$.
#
# One thing is left open. Turn the noise by a rotation (or mirror) $Q$ before $B$, and $y = \mu_b + B Q u$ has the same
# distribution as before: noise is round. But each $x$ now goes to another place! Which $Q$ is the cheapest? Here are
# three.

# %%
mean_a, mean_b = torch.tensor([0.0, 0.0]).double(), torch.tensor([4.0, 1.0]).double()
A, B = torch.tensor([[1.6, 0.0], [1.0, 0.5]]).double(), torch.tensor([[0.5, 0.0], [-0.4, 1.2]]).double()
cov_a, cov_b = A @ A.T, B @ B.T


def expected_cost(Q: Tensor) -> float:
    """The mean squared distance moved, from x = μa + A u to y = μb + B Q u, for u ~ N(0, I)."""
    return float((mean_a - mean_b).square().sum() + (A - B @ Q).square().sum())


def turn(degrees: float) -> Tensor:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


U, S, Vh = torch.linalg.svd(B.T @ A)
turns = {"turned by 150°": turn(150), "not turned": torch.eye(2).double(), "the best": U @ Vh}


@show.styled
def ellipses(scenes: dict):
    """Both Gaussians, two standard deviations wide, and where each point of the first goes. scenes: {title: Q}."""
    figure, every = plt.subplots(1, len(scenes), figsize=(9.6, 3.1), sharex=True, sharey=True)
    plt.close(figure)
    angle = torch.linspace(0, 2 * math.pi, 121, dtype=torch.float64)
    circle = 2 * torch.stack([angle.cos(), angle.sin()], 1)
    for axes, (title, Q) in zip(every, scenes.items(), strict=True):
        start, end = mean_a + circle @ A.T, mean_b + circle @ (B @ Q).T
        for p, q in zip(start[:-1:8], end[:-1:8], strict=True):
            axes.annotate("", q.tolist(), p.tolist(), arrowprops={"arrowstyle": "->", "color": "#888888"})
        axes.plot(*start.T, color=show.PALETTE[0], linewidth=2, label="a")
        axes.plot(*end.T, color=show.PALETTE[1], linewidth=2, label="b")
        axes.set(aspect="equal", xlabel="first number")
        axes.set_title(f"{title}: {expected_cost(Q):.2f}", fontsize=11)
    every[0].set_ylabel("second number")
    every[0].legend(loc="upper left", frameon=False)
    return figure


ellipses(turns)

# %% [markdown]
# The number in each title is the mean squared distance moved. To find the best turn, multiply out. With
# $\mathbb{E}[u u^\top] = I$,
#
# $$ \mathbb{E}\,\|x - y\|^2 = \|\mu_a - \mu_b\|^2 + \mathrm{tr}\,\Sigma_a + \mathrm{tr}\,\Sigma_b - 2\,\mathrm{tr}(Q^\top B^\top A) . $$
#
# Only the last trace depends on $Q$, and it should be as large as possible. Take the singular value decomposition
# $B^\top A = U S V^\top$, and move $U$ round to the other end of the trace:
# $\mathrm{tr}(Q^\top U S V^\top) = \mathrm{tr}(S \cdot V^\top Q^\top U)$. The product $V^\top Q^\top U$ is itself a
# rotation (perhaps with a mirror), so none of its entries is above 1. The trace is therefore at most the **sum of the
# singular values** of $B^\top A$. And with $Q = U V^\top$ it is exactly that. (Look at the arrows of "the best": the crowd
# is stretched, but not twisted. For the matrix $B Q A^{-1}$, which takes $x - \mu_a$ to $y - \mu_b$, is symmetric, and its
# eigenvalues are positive: all that it does is stretch, along two perpendicular axes.)
#
# Could a pairing of another kind be better, one that is no rotation? No. What a pairing saves is $2\,\mathrm{tr}\,C$, where
# $C$ is the covariance of $x$ with its $y$, and any such $C$ is $A K B^\top$ for a $K$ with singular values of at most 1.
# The same argument gives the same bound. So this is the squared distance of two Gaussians, found by Dowson and Landau
# (1982) as the **Fréchet distance**. From here on, as in the literature on FID, "distance" means the square $d^2$:
#
# $$ d^2 = \|\mu_a - \mu_b\|^2 + \mathrm{tr}\,\Sigma_a + \mathrm{tr}\,\Sigma_b - 2\,(\text{sum of the singular values of } B^\top A) . $$
#
# In books the sum is written $\mathrm{tr} \sqrt{\Sigma_a \Sigma_b}$. It is the same number: the squares of the singular
# values are the eigenvalues of $A^\top B B^\top A$, and a product has the same eigenvalues (but for zeros) when its first
# factor is moved to its end: $B B^\top A A^\top = \Sigma_b \Sigma_a$ (its transpose is $\Sigma_a \Sigma_b$, which has the
# same eigenvalues). The square root is that of a *matrix*: $R R = \Sigma_a \Sigma_b$, not the roots of the entries.
#
# So the sum depends on $\Sigma_a$ and $\Sigma_b$ alone, and it does not matter which roots $A$ and $B$ we take. They may
# even be of different widths. And it has two forms, of which a program may choose the faster: the singular values of
# $B^\top A$, or the roots of the eigenvalues of $A^\top \Sigma_b A$, for which no $B$ is needed.

# %%
by_singular_values = expected_cost(U @ Vh)
root = sqrtm((cov_a @ cov_b).numpy()).real
stretch = B @ (U @ Vh) @ torch.linalg.inv(A)
print("B Q A⁻¹ =", [[round(v, 3) for v in row] for row in stretch.tolist()], end=", with the ")
print("eigenvalues", [round(v, 3) for v in torch.linalg.eigvals(stretch).real.tolist()])
by_matrix_root = float((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace()) - 2 * root.trace()
print(f"sum of singular values {float(S.sum()):.6f}, trace of scipy's matrix root {root.trace():.6f}")
measured(
    "difference to scipy's square root of a matrix", abs(by_singular_values - by_matrix_root), at_most=1e-6
)

# %% [markdown]
# And is it really the best of *all* pairings? Draw 1,000 points from each Gaussian. There are 1000! ways to pair them; the
# best of them all can still be found (`linear_sum_assignment` does it).

# %%
points_a = sample_gaussian(mean_a, cov_a, torch.randn(1000, 2, generator=generator, dtype=torch.float64))
points_b = sample_gaussian(mean_b, cov_b, torch.randn(1000, 2, generator=generator, dtype=torch.float64))
squared = torch.cdist(points_a, points_b).square()
i, j = linear_sum_assignment(squared.numpy())
best_pairing = float(squared[i, j].mean())
print(f"best pairing of 1,000 points: {best_pairing:.2f}   Fréchet: {by_singular_values:.2f}")

# %% [markdown]
# They differ a little because 1,000 points are not the Gaussian; below we use the statistics of the very same points.
#
# **Your turn**, twice. First the statistics of a crowd. In go features, rows of numbers (N, D). Out come the mean (D,) and
# the covariance (D, D), both in float64: a distance is a small difference between large numbers, and float32 would lose it.
# As in lesson 01, divide so that the covariance is right on average. (The library's version starts with `check_features`,
# which refuses what is no such rows and makes them float64. Yours may do without.)

# %% exercise
from minigen.metrics import gaussian_statistics

# %%
gaussian_statistics = check("gaussian_statistics", gaussian_statistics)

# %% [markdown]
# Then the distance. In go two means and two covariances, out comes one number. A root of a covariance is given:
# `matrix_root(Σ)` is some $L$ with $L L^\top = \Sigma$. It is the Cholesky factor where there is one. Where there is none,
# because some directions have variance 0, it is a narrower matrix that does the same: of its shape, only the number of rows
# is sure.

# %%
from minigen.metrics import matrix_root

flat = torch.tensor([[4.0, 2.0], [2.0, 1.0]], dtype=torch.float64)  # no variance across (2, 1)
print(f"a covariance of rank 1: {flat.tolist()}, and its root: {matrix_root(flat).tolist()}")

# %% exercise
from minigen.metrics import frechet_distance

# %%
frechet_distance = check("frechet_distance", frechet_distance)

# %%
of_points = frechet_distance(*gaussian_statistics(points_a), *gaussian_statistics(points_b))
print(f"Fréchet distance of the two Gaussians: {frechet_distance(mean_a, cov_a, mean_b, cov_b):.4f}")
print(
    f"of the statistics of the 1,000 points: {of_points:.4f}; the best pairing of these: {best_pairing:.4f}"
)
measured(
    "best of all 1000! pairings / Fréchet distance of the points", best_pairing / of_points, at_most=1.02
)

# %% [markdown]
# No pairing of the points can be cheaper than the formula for their own statistics (those divided by N, to be exact), and
# the best one costs hardly more, since the points are Gaussian.
#
# Remember this for part 6: the formula needs only means and covariances, and for *any* two crowds it is a lower bound. (The
# bound on $C$ used nothing else of them.) It is reached when the stretching that we found takes the one crowd to the other,
# as it does with Gaussians. Otherwise the cheapest pairing costs more, and it may cost a lot more.
#
# ## 3 · Which numbers?
#
# A picture of 8×8 pixels is a point in 64 dimensions, so we could compare crowds of pixels at once. Lesson 01 tells us what
# would come of it. *One* Gaussian, fitted to the pixels of all training digits, has by construction the mean and the
# covariance of the training digits. So before its pixels are cut off at black and white, it is almost perfect for this
# distance. Look at its digits:

# %%
from minigen.features import DigitFeatures

mean, covariance = gaussian_statistics(x.flatten(1))
factor = matrix_root(covariance)  # (64, r): some pixels are always black
noise = torch.randn(1000, factor.shape[1], generator=generator, dtype=torch.float64)
uncut = (mean + noise @ factor.T).float()  # (1000, 64)
from_one = uncut.clamp(-1, 1).view(-1, 1, 8, 8)
show.rows({"A": from_a[:14], "one Gaussian": from_one[:14]}, title="Which of them are digits?")

# %% [markdown]
# FID compares **features** instead: the numbers that a network computes on its way to an answer, just before it answers.
# Whatever is useless for telling what a picture shows, the network has dropped by then; what remains says what is in the
# picture. The published FID takes 2,048 features of the Inception network, which was trained on photographs of a thousand
# kinds of things. We have digits of 64 pixels, and use the course's own judge: a small convolutional network, trained on
# the training digits, which gives 64 features.

# %%
judge = DigitFeatures()
real = judge.features(x)  # (1438, 64)
measured("accuracy of the judge on test digits", judge.accuracy(x_test, labels_test), at_least=0.97)


def mean_distance_ratio(rows: Tensor) -> float:
    """How far two test digits of one class are apart on average, over two of different classes."""
    distance = torch.cdist(rows, rows)
    alike = labels_test[:, None] == labels_test
    return float(distance[alike & ~torch.eye(len(rows), dtype=torch.bool)].mean() / distance[~alike].mean())


in_pixels, in_features = mean_distance_ratio(x_test.flatten(1)), mean_distance_ratio(judge.features(x_test))
measured("two digits of one class / of two classes, distance in pixels", in_pixels)
measured("two digits of one class / of two classes, distance in features", in_features, at_most=0.6)

# %% [markdown]
# In pixels, two digits of one class are on average about 70 % as far apart as two of different classes. In features it is
# less than half.
#
# The last step is easy: `fid` takes two sets of features, each as a Gaussian, and gives their Fréchet distance. But one
# case needs thought. With Inception, D is 2048. If you have 500 pictures, the covariance (2048, 2048) has at most rank
# 499, and to take its root is slow work for nothing. Divide the right rows by $\sqrt{N - 1}$ and call them $X$, of shape
# (N, D), so that $\Sigma = X^\top X$; then $X^\top$ is already a root of $\Sigma$. Put these roots, $(D, N_a)$ and
# $(D, N_b)$, in the place of $A$ and $B$, and no (D, D) matrix is needed at all.
#
# **Your turn.** The function below has this shortcut. It passes the test that people write first: the distance of a set to
# itself is 0. With many rows it is right. Even with few rows its numbers look plausible. Still, it is wrong. Repair it.
# (`comparable` makes both sets float64, and refuses what cannot be compared. That line is right.)

# %% exercise
from minigen.metrics import fid

# %%
fid = check("fid", fid)

# %% [markdown]
# Now we can ask both questions, the one about pixels and the one from the beginning.

# %%
pictures = {"A": from_a[:1000], "B": from_b[:1000], "one Gaussian": from_one}
pixel_distance = {name: fid(x.flatten(1), y.flatten(1)) for name, y in pictures.items()}
feature_distance = {name: fid(real, judge.features(y)) for name, y in pictures.items()}
for name in pictures:
    print(f"{name:12}   in pixels {pixel_distance[name]:.3f}   in features {feature_distance[name]:.3f}")
print(f"one Gaussian, not cut off at black and white: in pixels {fid(x.flatten(1), uncut):.3f}")
measured(
    "one Gaussian / A, distance in pixels", pixel_distance["one Gaussian"] / pixel_distance["A"], at_most=0.9
)
measured(
    "one Gaussian / A, distance in features",
    feature_distance["one Gaussian"] / feature_distance["A"],
    at_least=1.5,
)
measured("B / A, distance in features", feature_distance["B"] / feature_distance["A"], at_most=0.7)

# %% [markdown]
# In pixels, the one Gaussian beats the VAE. In features it is far behind, as it should be. (Cutting its pixels off at black
# and white makes most of its distance in pixels, and so B comes out before it even there. The rest is because we drew 1,000
# times only.)
#
# And the answer to the question of the beginning: **B, the ten Gaussians, by a factor of about two.** Was that your choice?
# A's strokes look cleaner. What does the judge see in the two crowds?

# %%
for name, y in {"real": x_test, "A": from_a, "B": from_b}.items():
    probabilities = judge.probabilities(y)
    shares = torch.bincount(probabilities.argmax(1), minlength=10) / len(y)
    width = gaussian_statistics(judge.features(y))[1].trace() / gaussian_statistics(real)[1].trace()
    sure = (probabilities.amax(1) > 0.9).double().mean()
    print(f"{name:5} surely a digit: {100 * sure:.0f} %   ", end="")
    print(f"rarest class {100 * shares.min():.0f} %, commonest {100 * shares.max():.0f} %   ", end="")
    print(f"variance of the features, training digits' = 1: {width:.2f}")

# %% [markdown]
# For all its clean strokes, A draws more digits that could be this one or that one, too many of some classes and too few of
# others, and digits that differ less from each other. You do not see this on a sheet of 14. (And to be fair to A: B was
# *made* from means and covariances of training digits, and means and covariances are what FID looks at, though not in
# pixels.) One number cannot say what kind of wrong it is. Lesson 21 takes it apart.
#
# **The unit.** These numbers are squared features of *our* judge. Never compare them with a number from a paper, where 2 is
# good and 50 is bad: other features, other numbers.
#
# What does our judge mind, and how much? We spoil the test digits in some ways, and compare each sheet with the training
# digits.

# %% picture
speckle = torch.randn(x_test.shape, generator=generator)
smear = torch.tensor([1.0, 2.0, 1.0]) / 4
spoiled = {
    "test digits": x_test,
    "a little noise": (x_test + 0.3 * speckle).clamp(-1, 1),
    "much noise": (x_test + 0.7 * speckle).clamp(-1, 1),
    "only 0 to 4": x_test[labels_test < 5],
    "blurred": F.conv2d(F.pad(x_test, (1, 1, 1, 1), value=-1), (smear[:, None] * smear)[None, None]),
    "moved": F.pad(x_test, (1, 0, 0, 0), value=-1)[..., :-1],  # by one pixel to the right
}
scores = {name: fid(real, judge.features(y)) for name, y in spoiled.items()}
order = torch.randperm(180, generator=torch.Generator().manual_seed(1))[:12]
show.rows(
    {f"{name}: {scores[name]:.2f}": y[order % len(y)] for name, y in spoiled.items()},
    title="Sheets of digits, and their distance to the training digits",
)

# %%
measured("only 0 to 4 / all test digits", scores["only 0 to 4"] / scores["test digits"], at_least=10)
measured("moved by one pixel / much noise", scores["moved"] / scores["much noise"], at_least=1.2)

# %% [markdown]
# Every kind of fault costs something, and that is the strength of FID: noise, blur and also digits that are *missing*,
# though every picture of that sheet is a perfect digit. But look at the last row. To you these are good digits, just not
# centred. To our judge, who has only ever seen centred digits, they are stranger than digits in much noise. FID asks the
# judge, not you.
#
# ## 4 · It falls as noise is removed
#
# The least that we should ask: take noise away step by step, and the distance falls at every step. (A model of part 4 of
# the course will do just that, remove noise step by step, so this curve will come back.)

# %%
levels = [i / 20 for i in range(20, -1, -1)]
fall = {s: fid(real, judge.features((x_test + s * speckle).clamp(-1, 1))) for s in levels}
figure = show.curves(
    {"FID": fall},
    xlabel="standard deviation of the noise (pixels are −1 to 1)",
    ylabel="FID to the training digits",
    title="Less noise, smaller distance",
)
figure.axes[0].invert_xaxis()  # as the noise is removed: from left to right
figure

# %%
steps = list(fall.values())
measured(
    "largest rise of FID when noise is lowered by one level",
    max(b - a for a, b in itertools.pairwise(steps)),
    at_most=0,
)
measured("FID of real test digits, without any noise", fall[0.0])

# %% [markdown]
# It goes down all the way, and ends at the test digits. But why is the last number not 0? These *are* real digits, by the
# same writers.
#
# ## 5 · Few pictures
#
# First a guess.

# %% exercise
from minigen.exercises.lesson_20_fid import hundred_real_digits

# %%
hundred_real_digits = check("hundred_real_digits", hundred_real_digits)

# %%
everyone = torch.cat([real, judge.features(x_test)])  # features of all 1,797 real digits


def held_out_fid(n: int) -> float:
    """FID of n real digits, drawn at random, to all the others."""
    chosen = torch.randperm(len(everyone), generator=generator)
    return fid(everyone[chosen[n:]], everyone[chosen[:n]])


def shares_of_the_test_set(classes: Tensor) -> Tensor:
    """Numbers of 359 rows drawn at random, of each class as many as the test set has. classes: (N,)."""
    every = [(classes == k).nonzero()[:, 0] for k in range(10)]
    drawn = [rows[torch.randperm(len(rows), generator=generator)] for rows in every]
    return torch.cat([rows[: int((labels_test == k).sum())] for k, rows in enumerate(drawn)])


few_real = {f"{n} real": sum(held_out_fid(n) for _ in range(20)) / 20 for n in (50, 100, 200, 400)}
show.bars(
    few_real | {"1,000 from B": feature_distance["B"]},
    ylabel="FID to real digits",
    title="Real digits, when there are few (means over 20 choices)",
)

# %%
measured(
    "FID of 100 real digits / FID of 1,000 from B", few_real["100 real"] / feature_distance["B"], at_least=1.2
)
with_shares = 0.0
for _ in range(20):
    left_out = torch.ones(len(everyone), dtype=torch.bool)
    left_out[shares_of_the_test_set(torch.cat([labels, labels_test]))] = False
    with_shares += fid(everyone[left_out], everyone[~left_out]) / 20
at_random = sum(held_out_fid(359) for _ in range(20)) / 20
print(
    f"359 real digits: at random {at_random:.2f}, with the shares of the classes in the test set {with_shares:.2f}"
)
measured(
    "FID of 359 real digits: with the shares of the test set / at random",
    with_shares / at_random,
    at_most=0.75,
)

# %% [markdown]
# A hundred real digits look worse than a thousand made by the ten Gaussians. The reason is not bad luck. These crowds come
# from one distribution, so the true distance is 0. No distance is below that, so errors never cancel. The mean of N rows
# misses the true mean in some direction or other, and the square of that error is $\mathrm{tr}\,\Sigma / N$ on average. The
# covariance misses the true one too, and adds its own part. Both get smaller like $1/N$. A systematic error of this kind is
# called a **bias**.
#
# (The 359 test digits of part 3 had 0.16, less than 400 real digits here. It is because the test set holds the same share
# of each class as the training set, while the shares of digits drawn at random vary.)
#
# To measure it we need crowds whose true distance we *know*. So we take two Gaussians in the space of the 64 features: one
# with the statistics of the training digits, the other with those of A. For the real side we even make rows that have
# *exactly* the wanted mean and covariance: take any noise, remove its own mean and covariance, and put on those that we
# want. Then all the error comes from the fakes.


# %%
def exactly(mean: Tensor, covariance: Tensor, n: int) -> Tensor:
    """n Gaussian rows whose mean and covariance are not about, but exactly these."""
    noise = torch.randn(n, len(mean), generator=generator, dtype=torch.float64)
    own_mean, own_covariance = gaussian_statistics(noise)
    white = torch.linalg.solve(torch.linalg.cholesky(own_covariance), (noise - own_mean).T).T
    return sample_gaussian(mean, covariance, white)


real_statistics = gaussian_statistics(real)
fake_statistics = gaussian_statistics(judge.features(from_a))
truth = frechet_distance(*real_statistics, *fake_statistics)
exact = exactly(*real_statistics, n=400)
print(f"true distance {truth:.4f}; of the 400 exact rows to the training digits: {fid(real, exact):.1e}")


def fakes(n: int) -> Tensor:
    """n new rows of features of the other Gaussian."""
    return sample_gaussian(*fake_statistics, torch.randn(n, 64, generator=generator, dtype=torch.float64))


# %%
numbers = [100, 150, 200, 300, 500, 1000, 2000, 5000]
repeats = budget(3, 80, 300)
mean_fid = {n: sum(fid(exact, fakes(n)) for _ in range(repeats)) / repeats for n in numbers}


@show.styled
def against_n_and_its_inverse(values: dict[int, float]):
    """The same points twice: over N, and over 1/N with a straight line. values: {N: FID}."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.4), sharey=True)
    plt.close(figure)
    n, height = torch.tensor(list(values)).double(), torch.tensor(list(values.values())).double()
    design = torch.stack([torch.ones_like(n), 1 / n], 1)
    line = torch.linalg.lstsq(design[1:], height[1:]).solution  # without the smallest
    ends = torch.tensor([0, 1 / n.min()])
    left.plot(n, height, "o-", color=show.PALETTE[0])
    right.plot(
        ends, line[0] + line[1] * ends, color=show.PALETTE[1], label="a straight line, without N = 100"
    )
    right.plot(1 / n, height, "o", color=show.PALETTE[0], label="mean FID")
    for axes, label in ((left, "N, number of fakes"), (right, "1 / N")):
        axes.axhline(truth, color=show.INK, linestyle="--", linewidth=1, label="the truth")
        axes.set(xlabel=label)
        axes.grid(color="#dddddd", linewidth=0.6)
    left.set(ylabel="FID", title="Too large, for every N")
    right.set(title="Over 1/N, it is nearly a line")
    left.legend(frameon=False)
    right.legend(frameon=False)
    return figure


against_n_and_its_inverse(mean_fid)

# %% [markdown]
# On the right the points are nearly on a line. It was fitted without N = 100, the point at the far right: with few rows,
# compared to the 64 features, they bend upwards.
#
# Here the true distance is not 0, so a single error may go either way. But on average errors still do not cancel. For the
# mean $\bar b$ of $N$ fakes,
#
# $$ \mathbb{E}\,\|\bar b - \mu_a\|^2 = \|\mu_b - \mu_a\|^2 + \mathrm{tr}\,\Sigma_b / N . $$
#
# What remains of the bias comes from the covariance:

# %%
of_the_mean = float(fake_statistics[1].trace() / 100)
apart = float((fake_statistics[0] - real_statistics[0]).square().sum())
repeats = budget(50, 2000, 5000)
found = torch.stack([(fakes(100).mean(0) - real_statistics[0]).square().sum() for _ in range(repeats)])
print(f"squared distance of the means, mean of {repeats:,} draws of 100 fakes: {found.mean():.3f}, ", end="")
print(
    f"by the formula {apart:.3f} + {of_the_mean:.3f}; {(found < apart).double().mean():.0%} of the draws are below {apart:.3f}"
)
share = of_the_mean / (mean_fid[100] - truth)
print(
    f"bias of FID with 100 fakes {mean_fid[100] - truth:.3f}: {share:.0%} from the mean, {1 - share:.0%} from the covariance"
)
measured("bias of FID with 100 fakes / true distance", mean_fid[100] / truth - 1, at_least=0.5)
x_axis, y_axis = (torch.tensor([f(n) for n in numbers[1:]]) for f in (lambda n: 1 / n, mean_fid.get))
straight = torch.corrcoef(torch.stack([x_axis, y_axis]))[0, 1] ** 2
measured("mean FID from N = 150 on, and 1/N: squared correlation", straight, at_least=0.97)

# %% [markdown]
# About three quarters of the bias with 100 fakes come from the covariance. Whatever its parts, it is an ugly property for a
# number that ranks models: **who draws more pictures, wins**. Suppose that the authors of A
# publish the FID of 5,000 digits, and those of B, who are careful with electricity, take 80. We know who is better. What
# will the table say? We repeat it with other digits from B.

# %%
features_a, features_b = judge.features(from_a), judge.features(from_b)
groups = features_b.split(80)[: budget(3, 100, 100)]
published_a = fid(real, features_a)
wrong = sum(fid(real, group) > published_a for group in groups) / len(groups)
print(f"A with 5,000: {published_a:.3f}   B with 10,000: {fid(real, features_b):.3f}")
measured("share of repeats in which B with 80 digits loses against A", wrong, at_least=0.75)

# %% [markdown]
# ### Going on along the line
#
# If over $1/N$ the points lie on a straight line, we can go on along it to where $1/N = 0$: there are endlessly many
# pictures, and no bias (Chong and Forsyth, 2020). We need no new pictures for it. Take fewer of those we have, several
# times, and we have points on the line.
#
# So, first, the line. In go the places and heights of n points. Out come two numbers: where the **least-squares** line
# meets the height axis, the *intercept*, and how far to trust it, its *standard error*.
#
# The line is the one for which the squared errors of the heights add up to the least. With $\bar x$ and $\bar y$ for the
# means: it goes through $(\bar x, \bar y)$. Its slope is such that the errors left over have no connection with $x$:
# $\sum_i (x_i - \bar x)\,(\text{error})_i = 0$. Solve this for the slope.
#
# For the standard error, the second number, let $s^2$ be the squares of these errors, added up and divided by $n - 2$ (two
# numbers were fitted). Its square is
#
# $$ s^2 \left( \frac{1}{n} + \frac{\bar x^2}{\sum_i (x_i - \bar x)^2} \right) . $$
#
# The farther the points are from 0, compared with how far they reach, the less the intercept is known.
#
# **Your turn.**

# %% exercise
from minigen.metrics import intercept

# %%
intercept = check("intercept", intercept)

# %% [markdown]
# Now the whole. In go the features of all real digits, those of N fakes, a generator of random numbers, and how many points
# there should be. Choose the sizes so that one over the size is spaced evenly, from a tenth of the fakes to all of them.
# Round them to whole numbers. For each size draw so many *different* fakes at random, and compute their FID to **all** real
# digits. Then the line, and its intercept. We call this value **FID∞**.
#
# **Your turn.** Two things are easy to get wrong: what is spaced evenly, and what the line is fitted over.

# %% exercise
from minigen.metrics import fid_infinity

# %%
fid_infinity = check("fid_infinity", fid_infinity)

# %%
generator.manual_seed(1)
some = fakes(1000)  # a typical draw; many follow below
value, error = fid_infinity(exact, some, generator)
print(f"true distance {truth:.3f}; FID of 1,000 fakes {fid(exact, some):.3f}; FID∞ {value:.3f} ± {error:.3f}")

inverse = torch.linspace(0.01, 0.001, 15, dtype=torch.float64)
drawn = [some[torch.randperm(1000, generator=generator)[:n]] for n in (1 / inverse).round().int().tolist()]
heights = torch.tensor([fid(exact, rows) for rows in drawn], dtype=torch.float64)


@show.styled
def extrapolation():
    """FIDs of parts of the fakes over 1/N, and what fid_infinity made of parts that it drew itself."""
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    plt.close(figure)
    axes.plot(inverse, heights, "o", color=show.PALETTE[0], label="FID of N of them")
    slope = ((inverse - inverse.mean()) * heights).sum() / (inverse - inverse.mean()).square().sum()
    ends = torch.tensor([0.0, 0.01], dtype=torch.float64)
    height = heights.mean() + slope * (ends - inverse.mean())
    axes.plot(ends, height, color=show.PALETTE[0], linewidth=1, label="the line through them")
    label = "fid_infinity (it drew its own subsets)"
    axes.errorbar(0, value, error, fmt="s", color=show.PALETTE[1], capsize=4, label=label)
    axes.axhline(truth, color=show.INK, linestyle="--", linewidth=1, label="the truth")
    axes.set(xlabel="1 / N", ylabel="FID", title="Along the line to endlessly many fakes")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.legend(frameon=False)
    return figure


extrapolation()

# %% [markdown]
# In this draw FID is too large, and FID∞ nearly right. But once is nothing. Do it many times, each time with new fakes,
# and look at the mean and at how much single values differ from each other. The *spread* is their standard deviation; the
# *error* of a mean over $R$ repeats is the spread over $\sqrt R$.


# %%
def repeated(n: int, repeats: int, points: int = 15) -> dict[str, Tensor]:
    """Errors of FID and of fid_infinity against the truth, for new sets of n fakes; and what it reports."""
    sets = [fakes(n) for _ in range(repeats)]
    infinite = torch.tensor([fid_infinity(exact, rows, generator, points) for rows in sets])
    plain = torch.tensor([fid(exact, rows) for rows in sets])
    return {"FID": plain - truth, "FID∞": infinite[:, 0] - truth, "reported": infinite[:, 1]}


repeats = budget(3, 150, 400)
found = {n: repeated(n, repeats) for n in (200, 1000)}
for n, errors in found.items():
    print(f"{n} fakes, {repeats} repeats, true distance {truth:.3f}:")
    for name in ("FID", "FID∞"):
        e = errors[name]
        print(f"   {name:5} bias {e.mean():+.3f} ± {e.std() / math.sqrt(repeats):.3f}", end="")
        print(f"   spread {e.std():.3f}   typical error {e.square().mean().sqrt():.3f}")
    print(f"   standard error that FID∞ reports, mean: {errors['reported'].mean():.3f}")
show.histogram(
    {"FID": found[1000]["FID"], "FID∞": found[1000]["FID∞"]},
    xlabel="error, with 1,000 fakes",
    title="FID is mostly too large, FID∞ errs to both sides",
    bins=25,
)

# %%
bias = {n: {name: float(e[name].mean()) for name in ("FID", "FID∞")} for n, e in found.items()}
measured("bias of FID with 200 fakes / true distance", bias[200]["FID"] / truth)
measured("bias of FID∞ with 200 fakes / true distance", bias[200]["FID∞"] / truth, at_most=0)
measured(
    "|bias of FID∞| / bias of FID, 1,000 fakes", abs(bias[1000]["FID∞"]) / bias[1000]["FID"], at_most=0.5
)

# %% [markdown]
# With 1,000 fakes, FID∞ is nearly right on average. But look at the spread: it wobbles more than FID, because going on
# along a line enlarges the errors of its points. Its *typical error* (the root of the mean square) is about as large as
# that of FID, which is biased but steady. So "without bias" does not mean "near the truth". It pays where the bias is
# large, with few pictures, and where crowds of different size are compared.
#
# With 200 fakes, FID∞ overshoots and comes out too low. The smallest subsets have then 20 rows, far fewer than the 64
# features, and there the points are not on the line any more. A tenth of the fakes should be no fewer rows than D.
#
# And is the standard error that it reports honest? It should be like the spread.

# %%
denser = repeated(1000, budget(3, 100, 200), points=60)
for points, errors in ((15, found[1000]), (60, denser)):
    reported, spread = float(errors["reported"].mean()), float(errors["FID∞"].std())
    print(
        f"{points} points: FID∞ reports an error of {reported:.3f} on average, and its true spread is {spread:.3f}"
    )
    name = f"standard error that FID∞ reports / spread, {points} points, 1,000 fakes"
    measured(name, reported / spread, **({"at_most": 0.85} if points == 60 else {"at_least": 0.6}))

# %% [markdown]
# With 15 points it is about right. With 60 points it is much too small. The formula believes that each point is a new
# experiment, but all of them are made of the same 1,000 fakes. Points cost only time, so one could make the reported error
# as small as one likes, while the true one falls much less. For an honest error, draw new pictures and do all of it again.
#
# Does it put the ranking right?

# %%
infinity_a, _ = fid_infinity(real, features_a, generator)
by_group = [fid_infinity(real, group, generator)[0] for group in groups]
still_wrong = sum(v > infinity_a for v in by_group) / len(groups)
show.bars(
    {"A, 5,000 digits": published_a, "B, 80 digits": sum(fid(real, g) for g in groups) / len(groups)}
    | {"B, 10,000 digits": fid(real, features_b)}
    | {"A, FID∞": infinity_a, "B, 80 digits, FID∞": sum(by_group) / len(groups)},
    ylabel="FID (80 digits: mean of all repeats)",
    title="With 80 digits of B, FID ranks A first, and FID∞ B",
)

# %%
measured("share of repeats in which B with 80 digits loses against A, FID∞", still_wrong, at_most=0.3)

# %% [markdown]
# The ranking is mostly right now. But compare the last bar with the one of B's 10,000 digits. With 80 pictures FID∞
# overshoots by far: it errs the other way, and flatters whoever draws few. No formula makes 80 pictures into 10,000. The
# best remedy is the simple one: draw equally many pictures from every model, and many.

# %%
thousands = [[fid(real, rows) for rows in features.split(1000)] for features in (features_a, features_b)]
lost = sum(b > a for a, b in itertools.product(*thousands)) / math.prod(map(len, thousands))
measured("share of pairs in which B loses against A, FID, 1,000 digits of each", lost, at_most=0)

# %% [markdown]
# **What is left: the real side.** The formula does not know which of the two crowds is real, so few *real* pictures cause
# the same bias. Nobody can draw more of them. Here is FID∞ with 400 ordinary rows on the real side, in the place of the 400
# exact ones:

# %%
on_real_side = []
for _ in range(budget(3, 40, 200)):
    ordinary = sample_gaussian(
        *real_statistics, torch.randn(400, 64, generator=generator, dtype=torch.float64)
    )
    on_real_side.append(fid_infinity(ordinary, fakes(1000), generator)[0] - truth)
on_real_side = torch.tensor(on_real_side)
error = on_real_side.std() / math.sqrt(len(on_real_side))
print(f"bias of FID∞ with 400 real rows: {on_real_side.mean():+.3f} ± {error:.3f}")
measured("bias of FID∞ from 400 real rows / true distance", on_real_side.mean() / truth, at_least=0.05)

# %% [markdown]
# What one does about it: use the same real pictures for all models, as many as there are, so that all have the same bias.
# And print beside every FID what real pictures score that the model has never seen, in the same number. That is the floor.
# Ours, for 359 test digits, is the first row of the sheet in part 3: 0.16, nearly all of it bias. (It is lower than the
# bar of 400 real digits in this part, because the test set holds the same share of each class as the training set. A
# generator that draws its classes at random has the higher floor of that bar.)
#
# ## 6 · What it cannot see
#
# FID knows the mean and the covariance of the features, and nothing else. Two crowds with the same mean and the same
# covariance have the distance 0, whatever they are. We can make one in no time: Gaussian rows, with exactly the statistics
# of the training digits.

# %%
impostors = exactly(*real_statistics, n=1438)
lowest = float(F.silu(torch.linspace(-3, 0, 1001)).min() / judge.unit)  # the last layer is a SiLU
impossible = (impostors < lowest - 1e-6).any(1).double().mean()
axis = torch.linalg.eigh(real_statistics[1]).eigenvectors[:, -2:].flip(1)  # the two widest directions


@show.styled
def two_clouds(scenes: dict):
    """Features along the two widest directions, side by side. scenes: {title: (rows, labels or None)}."""
    figure, every = plt.subplots(1, len(scenes), figsize=(8.8, 3.6), sharex=True, sharey=True)
    plt.close(figure)
    for axes, (title, (rows, classes)) in zip(every, scenes.items(), strict=True):
        flat = (rows.double() - real_statistics[0]) @ axis
        if classes is None:
            axes.scatter(*flat.T, s=4, color=show.INK)
        for k in range(10) if classes is not None else ():
            axes.scatter(*flat[classes == k].T, s=22, marker=f"${k}$", color=show.PALETTE[k], linewidths=0.2)
        axes.set(aspect="equal", xlabel="first direction", xticks=range(-10, 11, 5), yticks=range(-5, 6, 5))
        axes.set_title(title, fontsize=11)
    every[0].set_ylabel("second direction")
    return figure


two_clouds(
    {"features of the training digits": (real, labels), "Gaussian rows, same statistics": (impostors, None)}
)

# %%
measured("FID of the Gaussian rows", fid(real, impostors), at_most=1e-6)
measured("share of them that have features which no picture can give", impossible, at_least=0.5)

# %% [markdown]
# On the left, each mark is the class of its digit. To FID the right crowd is perfect. But the left one lies in clusters,
# by class, and the right one is a single cloud. Most of its rows cannot be the features of any picture at all: the last
# step of the network never gives less than a certain number, and they have less.
#
# You may say: a generator makes pictures, not features. So let us make pictures. We start with noise and follow the
# gradient: change the *pixels* so that the FID of the whole sheet falls. Nobody asks for digits. (`fid` returns a float,
# through which no gradient flows, so we write the same formula again with tensors, by the eigenvalues of
# $A^\top \Sigma_b A$. The 1e-12 keeps the gradient of the root finite.)

# %%
pixels = (2 * torch.rand(359, 1, 8, 8, generator=generator) - 1).requires_grad_()
optimizer = torch.optim.Adam([pixels], lr=0.1)
A = matrix_root(real_statistics[1])
for _ in range(budget(3, 200, 200)):
    rows = (judge.body(pixels.tanh()) / judge.unit).double()  # the features, with a gradient
    covariance = torch.cov(rows.T)
    saved = torch.linalg.eigvalsh(A.T @ covariance @ A).clamp(min=1e-12).sqrt().sum()
    loss = (
        (rows.mean(0) - real_statistics[0]).square().sum() + covariance.trace() - 2 * saved
    )  # but for tr Σa
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
fooled = pixels.detach().tanh()
show.rows(
    {"test digits": x_test[:14], "made for FID": fooled[:14]},
    title="The lower sheet has the better FID",
)

# %%
fid_of = {
    name: fid(real, judge.features(y)) for name, y in {"test digits": x_test, "made for FID": fooled}.items()
}
print(
    f"FID of 359 test digits {fid_of['test digits']:.3f}, of 359 pictures made for it {fid_of['made for FID']:.3f}"
)
measured(
    "FID, pictures made for it / test digits", fid_of["made for FID"] / fid_of["test digits"], at_most=0.6
)

# %% [markdown]
# The lower sheet scores better than real digits, and most of its pictures are nothing that you can read. No honest
# generator will end there by itself. But whoever trains *on* a score, or chooses among hundreds of models by it, goes a
# step in this direction. The cure is to look at the pictures, and to look with other eyes: a network that had no part in
# it. Here are the codes of A's encoder as features, 8 numbers.

# %%
with torch.no_grad():
    encoder = trained("digit_vae").encode
    other = {
        name: fid(encoder(x)[0], encoder(y)[0])
        for name, y in {"test digits": x_test, "made for FID": fooled}.items()
    }
measured(
    "in other features: made for FID / test digits", other["made for FID"] / other["test digits"], at_least=5
)

# %% [markdown]
# One more thing that a good score may mean: the generator copies. Here are 359 training digits, as many of each class as in
# the test set.

# %%
copies = real[shares_of_the_test_set(labels)]
print(
    f"FID of 359 copies of training digits {fid(real, copies):.3f}, of 359 test digits {fid_of['test digits']:.3f}"
)
measured(
    "FID, 359 copies of training digits / 359 test digits",
    fid(real, copies) / fid_of["test digits"],
    at_most=0.95,
)

# %% [markdown]
# Copies beat real, new digits. FID does not ask where pictures come from.
#
# ## What goes wrong in practice
#
# - **Other features.** Another network, or the same one with other weights, gives other numbers. Inception has two sets of
#   weights in common use, and their scores differ.
# - **Another way to resize.** Pictures are brought to 299×299 before Inception sees them. Some libraries do it without
#   smoothing, some save as JPEG in between, and the score moves by more than the models differ (Parmar, Zhang and Zhu,
#   2022).
# - **Different numbers of pictures.** 5,000 against 50,000 is no comparison. You have seen why.
# - **Against which real pictures?** Training or test pictures give different numbers. Against the training pictures, copies
#   win.
# - **The root of the entries.** `(cov_a @ cov_b).sqrt()` is no square root of a matrix. It runs, and may even look
#   plausible.
# - **Small differences.** Two runs of one training differ, and so do two draws of one model. Without a spread, the third
#   digit means nothing.
# - **Pictures unlike photographs.** Inception has seen photographs of dogs and ships, never digits, brain scans or
#   drawings. It gives a number for these too.
# - **Choosing by FID.** The best of a hundred checkpoints by FID is partly the luckiest. Report it on pictures that did not
#   choose.
#
# **How to get numbers that can be compared with published ones.** They are in the features of Inception with one certain
# file of weights, usually for 50,000 drawn pictures against the training set. In Python, `InceptionFeatures(path)` of
# `minigen.features` reads that file (95 MB, which `download=True` fetches), and its `features` go into your `fid`. On the
# command line:
#
# ```
# minigen evaluate REAL FAKE --features inception --weights FILE
# ```
#
# where REAL and FAKE are folders of pictures, or a data set and a model. It prints all scores of this lesson and the next.
#
# ## Where to read on
#
# - Dowson and Landau, 1982, *The Fréchet Distance between Multivariate Normal Distributions*.
# - Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, 2017, *GANs Trained by a Two Time-Scale Update Rule Converge to a
#   Local Nash Equilibrium*: where FID comes from.
# - Chong and Forsyth, 2020, *Effectively Unbiased FID and Inception Score and Where to Find Them*.
# - Parmar, Zhang and Zhu, 2022, *On Aliased Resizing and Surprising Subtleties in GAN Evaluation*.
# - Peyré and Cuturi, 2019, *Computational Optimal Transport*: the moving of sand in general.
#
# **Next: 21 · Scores.** The Inception Score and how it is fooled, a distance without bias, and two numbers that tell dirt
# from missing pictures.

# %%
progress()
