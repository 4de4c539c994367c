# %% [markdown]
# # 21 · Scores: ugly, or all the same?
#
# **One number said how far two crowds of pictures are apart. But is a bad crowd ugly, or is it all the same? And can a cheat
# get a perfect score?** The FID of lesson 20 cannot tell you. It is one number, and there are many ways to be bad.
#
# In this lesson you build the scores that papers print beside it: the Inception Score, precision and recall, and KID. You fool
# each of them, and learn from that what it sees. Then you measure all models that you have built so far: how good their
# pictures are, how varied, and how fast they come.
#
# About 80 minutes · 7 exercises · needs: lesson 20; entropy and KL, as in lesson 13; the models of lessons 01, 10, 13 and 14.

# %%
import math
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.nn import functional as F

from minigen import show
from minigen.core import budget
from minigen.course import check, hint, measured, measured_model, measured_models, progress, solution
from minigen.data import GaussianMixture, digits, ring
from minigen.density import fit_gaussian, sample_gaussian
from minigen.evaluation import all_scores
from minigen.features import DigitFeatures
from minigen.metrics import BLOCK, check_probabilities, comparable, cubic_kernel, fid
from minigen.recipes import trained

# %% [markdown]
# ## 1 · Four crowds, one number
#
# We cut the training digits into two halves by taking every second one. One half is what is *real* here. From the `rest`, which
# we shuffle, we make four crowds of equal size, each bad in its own way:
#
# - **noisy**: noise on every picture,
# - **some rubbish**: 32 % of the pictures are nothing but noise, and the others are untouched,
# - **only 0 to 4**: perfect digits, but no 5, 6, 7, 8 or 9 among them,
# - **blurred**: every picture a little out of focus.

# %%
x, labels = digits("train")  # (1438, 1, 8, 8) in [-1, 1]
x_test, _ = digits("test")  # (359, 1, 8, 8)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


order = torch.randperm(len(x[1::2]), generator=seeded(0))  # the data are not in random order
real, rest, kinds = x[0::2], x[1::2][order], labels[1::2][order]


def rubbish(n: int, seed: int = 0) -> Tensor:
    """n pictures (n, 1, 8, 8) of uniform noise."""
    return 2 * torch.rand(n, 1, 8, 8, generator=seeded(seed)) - 1


def blurred(pictures: Tensor, share: float) -> Tensor:
    """Pictures (N, 1, H, W), mixed with their local means: this share of them."""
    weights = torch.tensor([1.0, 2, 1]) / 4
    around = F.pad(pictures, (1, 1, 1, 1), value=-1)
    return pictures.lerp(F.conv2d(around, weights.outer(weights)[None, None]), share)


def with_rubbish(pictures: Tensor, share: float) -> Tensor:
    """As many pictures, of which this share is noise."""
    n = round(share * len(pictures))
    return torch.cat([rubbish(n), pictures[n:]])


half = rest[kinds < 5]
n = len(half)  # all crowds have as many pictures
crowds = {
    "noisy": (rest[:n] + 0.88 * torch.randn(n, 1, 8, 8, generator=seeded(0))).clamp(-1, 1),
    "some rubbish": with_rubbish(rest[:n], 0.32)[torch.randperm(n, generator=seeded(1))],
    "only 0 to 4": half,
    "blurred": blurred(rest[:n], 0.865),
}
print(f"real: {len(real)} digits; each crowd: {n} pictures")
show.rows({"real": real[:14]} | {name: crowd[:14] for name, crowd in crowds.items()}, title="Four bad crowds")

# %% [markdown]
# Which one is the worst? Ask the number of lesson 20, in the features of the course's judge of digits:

# %%
judge = DigitFeatures()
seen_real = judge.features(real)
seen = {name: judge.features(crowd) for name, crowd in crowds.items()}
distance = {name: fid(seen_real, features) for name, features in seen.items()}
show.bars(
    {"untouched": fid(seen_real, judge.features(rest[:n]))} | distance,
    ylabel="FID to the real digits",
    title="One number for four faults",
)

# %%
measured(
    "largest / smallest FID of the four crowds", max(distance.values()) / min(distance.values()), at_most=1.15
)

# %% [markdown]
# We chose the strength of each fault so that this would happen. But nothing in the number itself would warn you. A paper that
# reports one FID may report any of these four.
#
# ## 2 · The Inception Score, and how to fool it
#
# The oldest score of this kind asks a classifier for two things (Salimans et al., 2016):
#
# 1. **Each picture is clearly something.** For a picture $x$ the classifier gives a probability to each class $y$. This
#    distribution $p(y \mid x)$ should be a sharp peak.
# 2. **The crowd shows everything.** The mean of all these distributions, $p(y)$, should be flat.
#
# Here are both, for three crowds. Each thin row is a picture, each column a class; below them is the mean of all rows.


# %%
@show.styled
def opinions(crowds: dict[str, Tensor], rows: int = 60):
    """p(y | x) of some pictures of each crowd, and p(y) of the whole crowd."""
    shape = {"figsize": (8.6, 4.0), "sharex": True, "sharey": "row", "height_ratios": [3, 1]}
    figure, axes = plt.subplots(2, len(crowds), **shape)
    plt.close(figure)
    for (above, below), (name, crowd) in zip(axes.T, crowds.items(), strict=True):
        p = judge.probabilities(crowd)
        shades = above.imshow(p[:rows], cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        above.set_title(name, fontsize=11)
        below.bar(range(10), p.mean(0), color=show.PALETTE[0])
        below.set(xlabel="class y", xticks=range(10))
    axes[0, 0].set_ylabel("pictures")
    axes[1, 0].set_ylabel("p(y)")
    figure.colorbar(shades, ax=axes[0], label="p(y | x)")
    return figure


opinions({"test digits": x_test, "only 0 to 4": half, "nothing but noise": rubbish(1000)})

# %% [markdown]
# Test digits have sharp rows and a flat mean. The digits 0 to 4 have sharp rows, and a mean that is half empty. Noise has rows
# that are less sharp, though in many of them one class has nearly everything; and some classes come often, others hardly ever.
#
# Both wishes fit into one number. How far is what we know of a picture, $p(y \mid x)$, from what is known without seeing it
# (that is $p(y)$)? That is a KL, of two distributions over the classes, and for discrete ones it is a sum:
# $\mathrm{KL}(p \,\|\, q) = \sum_y p(y) \log \frac{p(y)}{q(y)}$. The score is the exponential of its mean over the pictures:
#
# $$ \mathrm{IS} = \exp\; \mathbb{E}_x \; \mathrm{KL}\big(p(y \mid x) \,\|\, p(y)\big) . $$
#
# What stands in the exponent is the *mutual information* of picture and class: how much a picture tells about its class. Read
# the score as "how many classes it draws, clearly": it goes from 1 to the number of classes, 10 here.
#
# It is usually reported as a mean with a standard deviation: cut the pictures into `splits` parts, and score each part for
# itself.
#
# **Your turn.** What goes in: rows of probabilities (N, classes), and the number of splits. What comes out: the mean and the
# standard deviation of the scores of the parts, two numbers. Mind that a probability may be exactly 0. (`check_probabilities`
# refuses impossible input; it is given, and your version may leave it out.)

# %% exercise
from minigen.metrics import inception_score

# %%
inception_score = check("inception_score", inception_score)

# %% [markdown]
# Digits, our four crowds, and noise, each scored in one part. (The judge was trained on all training digits. So it has seen all
# "untouched" digits, and the originals of our crowds. Only the test digits are new to it.)


# %%
def in_one_part(crowd: Tensor) -> float:
    return inception_score(judge.probabilities(crowd), splits=1)[0]


scored = {"test digits": x_test, "untouched": rest[:n]} | crowds | {"only noise": rubbish(1000)}
by_inception = {name: in_one_part(crowd) for name, crowd in scored.items()}
in_two_lines = {name.replace(" ", "\n", 1): score for name, score in by_inception.items()}
show.bars(in_two_lines, ylabel="Inception Score", title="The Inception Score of seven crowds")

# %% [markdown]
# Look at the last bar: the classifier has no answer "this is no digit", so pure noise scores about as well as perfect digits of
# five kinds. And the blurred crowd scores nearly as well as real digits. (One part for all, because a part needs many pictures.
# Here are the test digits in ten parts of about 36: by chance, p(y) is less even in each of them.)

# %%
print(
    "test digits in ten parts: {:.2f} ± {:.2f}".format(
        *inception_score(judge.probabilities(x_test), splits=10)
    )
)

# %% [markdown]
# ### A cheat
#
# Now somebody sends you this "model". It has memorised ten training pictures, one of each class, those of which the classifier
# is most certain. That is all that it ever draws.

# %%
p = judge.probabilities(x)
memorised = x[p.argmax(0)].repeat(100, 1, 1, 1)  # (1000, 1, 8, 8)
show.grid(memorised[:40], columns=20, title="Ten pictures, again and again")

# %% exercise
from minigen.exercises.lesson_21_scores import score_of_a_cheat

# %%
score_of_a_cheat = check("score_of_a_cheat", score_of_a_cheat)

# %%
measured("Inception Score of ten memorised pictures", in_one_part(memorised), at_least=9.95)
measured("Inception Score of test digits", by_inception["test digits"], at_most=9.95)
measured("Inception Score of all training digits", in_one_part(x))
measured("FID of ten memorised pictures", fid(seen_real, judge.features(memorised)), at_most=5)

# %% [markdown]
# Higher than new digits get, and it cannot be beaten. (All training digits, which the judge has learned, score nearly as high.)
# Within a class, the score never asks for variety. And it never looks at a single real picture: all that it knows of the world
# are the names that one classifier was taught.
#
# The FID does look at real pictures, and here it is not much wiser: these ten pictures are *nearer* to the real digits than any
# of our four crowds. The mean and the covariance of ten good digits are not so wrong.
#
# ## 3 · Precision and recall
#
# So let us ask two questions instead of one, and keep two numbers (Kynkäänniemi et al., 2019):
#
# - **Precision**: which share of the fakes looks real? It falls when pictures are ugly.
# - **Recall**: which share of the real pictures could have been a fake? It falls when kinds, or variants of a kind, are
#   missing.
#
# What is "looks real"? To be near to something real. And how near is near? Let the data say: around each real picture, put a
# ball that reaches to its $k$-th nearest neighbour among the real ones. Where there are many pictures the balls are small,
# where there are few they are large. All balls together are our idea of where the real pictures live. Here it is in the plane,
# with $k = 3$. The real points are a ring of eight hills. The model has forgotten three of the hills, and draws some rubbish in
# the middle.

# %%
plane = ring()
points = plane.sample(80, seeded(0))
drawn = plane.sample(200, seeded(1))
kept = torch.cdist(drawn, plane.means.float()).argmin(1) < 5
drawn = torch.cat([drawn[kept][:64], 0.25 * torch.randn(16, 2, generator=seeded(2))])


@show.styled
def balls(scenes: dict, k: int = 3, limit: float = 1.7):
    """Points, the balls around some others, and who lies in them.

    scenes: {title: ((name, points), (name, others))}, all points (N, 2).
    """
    figure, every = plt.subplots(1, len(scenes), figsize=(8.6, 4.3), sharex=True, sharey=True)
    plt.close(figure)
    for axes, (title, ((name, points), (others_name, others))) in zip(every, scenes.items(), strict=True):
        distances, _ = NearestNeighbors(n_neighbors=k).fit(others).kneighbors()
        circles = [plt.Circle(c, r[-1]) for c, r in zip(others.tolist(), distances, strict=True)]
        found = [any(circle.contains_point(p) for circle in circles) for p in points.tolist()]
        for circle in circles:
            circle.set(color=show.PALETTE[5], alpha=0.18, linewidth=0)
            axes.add_patch(circle)
        inside = torch.tensor(found)
        axes.scatter(*others.T, s=7, color=show.PALETTE[0], label=others_name)
        axes.scatter(*points[inside].T, s=22, color=show.PALETTE[2], marker="+", label=f"{name}, inside")
        axes.scatter(*points[~inside].T, s=22, color=show.PALETTE[1], marker="x", label=f"{name}, outside")
        axes.set(aspect="equal", xlim=(-limit, limit), ylim=(-limit, limit), xlabel="first number")
        axes.set_title(f"{title}: {sum(found)} of {len(points)} inside", fontsize=11)
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "ncols": 3}
        axes.legend(**place, frameon=False, fontsize=9, handletextpad=0.1, columnspacing=0.8)
    every[0].set_ylabel("second number")
    return figure


in_the_plane = ("real", points), ("fakes", drawn)
balls({"precision": in_the_plane[::-1], "recall": in_the_plane})

# %% [markdown]
# On the left, the balls are around the real points, and the fakes fall into them or not: the rubbish in the middle costs
# precision. On the right, the balls are around the fakes, and it is the real points that fall into them or not: the three
# forgotten hills cost recall. It is the same question twice, with the roles exchanged.
#
# **Your turn.** Points (N, D) go in, the others (M, D) that the balls are drawn around, and `k`. Out comes one number: the
# share of the points that lie in at least one ball. (`BLOCK` is how many rows of distances the library makes at a time, so that
# 10,000 pictures need little memory. You can do without it.)

# %% exercise
from minigen.metrics import share_within

# %%
share_within = check("share_within", share_within)

# %% [markdown]
# **Your turn**, and now it is short. Two sets of features go in; out come precision and recall, in this order. (`comparable`
# refuses what cannot be compared, and gives both sets in float64.)

# %% exercise
from minigen.metrics import precision_recall

# %%
precision_recall = check("precision_recall", precision_recall)

# %% [markdown]
# Back to the four crowds with one FID, to untouched digits, and to the cheat, which draws each of its ten 100 times, or once:

# %%
looked_at = {
    "untouched": rest[:n],
    **crowds,
    "ten, 100 times each": memorised,
    "ten, once each": memorised[:10],
}
both = {name: precision_recall(seen_real, judge.features(crowd)) for name, crowd in looked_at.items()}
print(f"against {len(real)} real digits, k = 3\n{'crowd':20} pictures  precision  recall")
for name, (precision, recall) in both.items():
    print(f"{name:20} {len(looked_at[name]):8,}  {precision:9.3f}  {recall:6.3f}")

# %%
measured("recall of the ten pictures, drawn 100 times each", both["ten, 100 times each"][1], at_most=0.05)
measured("recall of the ten pictures, drawn once each", both["ten, once each"][1], at_least=0.95)
measured("precision of the digits 0 to 4 only", both["only 0 to 4"][0], at_least=0.85)
measured("recall of the digits 0 to 4 only", both["only 0 to 4"][1], at_most=0.6)
measured("precision of some rubbish", both["some rubbish"][0], at_most=0.7)
measured("recall of some rubbish", both["some rubbish"][1], at_least=0.75)

# %% [markdown]
# There they are, told apart. Rubbish costs precision alone, missing kinds cost recall alone, and noise on every picture costs
# both. Also note the first row: one half of the *same* digits, and half of the other half, do not get 1 and 1. About 0.9 is
# what a perfect model can expect here.
#
# The cheat is caught, but look why. Each picture comes 100 times, so its third neighbour is its own copy, and its ball is a
# point: only the real digits that it has copied lie inside. Drawn once each, the same ten get precision 1 *and* recall 1: ten
# balls as wide as the gaps between digits, and together they reach everywhere. So always look at the number of pictures.
#
# The blurred crowd is a surprise: to the eye it is ugly, but its *precision* is high, and its recall is low. The judge sees
# pale and typical digits, in the middle of the real ones, and no strong strokes. Precision and recall speak about places in a
# space of features; "ugly" is our word.
#
# ### What each of them does not see
#
# Make each fault stronger, step by step, and watch both numbers. Only the digits 9 are left when nine kinds are missing, so we
# draw as many pictures as there are of them in every step, and take the mean of five draws.


# %%
def both_curves(by: dict[float, tuple[float, float]], xlabel: str, title: str):
    """{where: (precision, recall)} as two lines, on an axis from 0 to 1."""
    lines = {name: {at: pair[i] for at, pair in by.items()} for i, name in enumerate(("precision", "recall"))}
    figure = show.curves(lines, xlabel=xlabel, ylabel="share", title=title)
    figure.axes[0].set_ylim(0, 1.03)
    return figure


def drawn_from(rows: Tensor, size: int, seed: int) -> Tensor:
    """Some rows of features, or some pictures, none of them twice."""
    return rows[torch.randperm(len(rows), generator=seeded(seed))[:size]]


untouched, fewest = judge.features(rest), int((kinds == 9).sum())
missing = {}
for j in range(10):
    left = [drawn_from(untouched[kinds >= j], fewest, seed) for seed in range(5)]
    missing[j] = torch.tensor([precision_recall(seen_real, features) for features in left]).mean(0).tolist()
print(f"{fewest} pictures in every step")
both_curves(missing, "kinds that are missing, of ten", "Precision does not see missing kinds")

# %%
shares = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
spoiled = {s: precision_recall(seen_real, judge.features(with_rubbish(rest, s))) for s in shares}
both_curves(spoiled, "share of the pictures that are noise", "Recall hardly sees rubbish")

# %%
measured("precision lost when five kinds are missing", missing[0][0] - missing[5][0], at_most=0.03)
measured("recall lost when five kinds are missing", missing[0][1] - missing[5][1], at_least=0.35)
measured("precision lost when half are noise", spoiled[0.0][0] - spoiled[0.5][0], at_least=0.35)
measured("recall lost when half are noise", spoiled[0.0][1] - spoiled[0.5][1], at_most=0.12)

# %% [markdown]
# So neither is enough alone, and a paper that shows one of them has chosen it. Together they are much better than one number.
# But they can be fooled too, and it takes less than you may think. First a guess.

# %% exercise
from minigen.exercises.lesson_21_scores import one_outlier

# %%
one_outlier = check("one_outlier", one_outlier)

# %%
noise = judge.features(rubbish(len(real)))
spoilt_real = torch.cat([seen_real, judge.features(rubbish(1, seed=5))])
before, _ = precision_recall(seen_real, noise)
after, _ = precision_recall(spoilt_real, noise)
measured("precision of nothing but noise", before, at_most=0.05)
measured("precision of nothing but noise, one picture of noise among the real ones", after, at_least=0.9)

# %% [markdown]
# One picture of noise among the real digits, and *all* noise counts as real! In the plane you can see why. The outlier has no
# neighbours close by, so its ball reaches as far as the digits, and this one ball covers more than all others together:

# %%
outlier = torch.tensor([[-2.2, 2.2]])
junk = torch.tensor([-2.0, 2.0]) + 0.6 * torch.randn(40, 2, generator=seeded(3))
spoilt = torch.cat([points, outlier])
scenes = {"no outlier": points, "one outlier": spoilt}
balls({title: (("fakes", junk), ("real", around)) for title, around in scenes.items()}, limit=4.6)

# %% [markdown]
# Real data has outliers: wrong files, black frames, a digit that somebody crossed out. So look at your real pictures before you
# believe a precision. (A strange *fake* has a large ball too, and may lift the recall in the same way.)
#
# The two knobs matter as well. How does the number of neighbours $k$ change what we see?

# %%
by_k = {
    name: {k: precision_recall(seen_real, features, k)[0] for k in (1, 2, 3, 5, 10, 20, 35, 50, 75, 100)}
    for name, features in {"untouched digits": untouched, "only noise": noise}.items()
}
show.curves(
    by_k,
    xlabel="number of neighbours k",
    ylabel="precision",
    title="With large balls, everything is real",
)

# %%
measured("precision of only noise with k = 100", by_k["only noise"][100], at_least=0.9)

# %% [markdown]
# The usual $k = 3$ is a habit, not a law. And the number of pictures? Here is the VAE of lesson 13, always the same one.
# (`trained` reads it from a cache, or trains it anew, within a minute.)

# %%
torch.manual_seed(0)
vae = trained("digit_vae")
vae_digits = vae.sample(budget(1000, 10_000, 20_000))
pool = judge.features(vae_digits)


print("  real   fakes   precision  recall")
by_size = {}
for many, few in [(50, 50), (200, 200), (700, 700), (719, 50), (719, 200), (719, 700), (719, 4000)]:
    draws = range(budget(2, 10, 10) if few < 1000 else 1)
    pairs = [precision_recall(drawn_from(seen_real, many, s), drawn_from(pool, few, s)) for s in draws]
    by_size[many, few] = precision, recall = torch.tensor(pairs).mean(0).tolist()
    print(f"{many:6,}  {few:6,}  {precision:9.3f}  {recall:6.3f}")

# %%
ratio = by_size[50, 50][0] / by_size[700, 700][0]
measured("precision of the VAE, 50 against 50 / 700 against 700", ratio, at_least=1.15)
lost = by_size[719, 700][1] - by_size[719, 4000][1]
measured("recall lost with 4,000 fakes against 700, of the same VAE", lost, at_least=0.015)

# %% [markdown]
# One model, and different numbers. Between 50 and 50 pictures the balls are so large that nearly everything looks real. And
# the two sets should have **equal numbers**. Recall takes its balls from the fakes: with more fakes there are more balls, and
# smaller ones. Up to 700 the two nearly cancel; at 4,000 the balls have shrunk too far. In the last row it looks as if the
# model had lost variety, and somebody has only drawn more pictures.
#
# ## 4 · KID: no bias at small N
#
# Lesson 20 showed that the FID of few pictures is too large. Is there a distance of two crowds without that fault? Let
# $\varphi(x)$ be a list of numbers that is made from a picture $x$, and compare the means of the lists,
# $\|\mathbb{E}\,\varphi(a) - \mathbb{E}\,\varphi(b)\|^2$. If the list held only the features of the judge, two crowds with
# equal means could still be quite different. So let $\varphi$ be a long list: all features, their squares and cubes, and all
# products of two and of three of them. Its mean knows the covariance too, and more.
#
# Nobody has to write the list down. Multiply out the squared distance, with $a, a'$ two pictures drawn from one crowd,
# independently of each other, and $b, b'$ two from the other:
#
# $$ \|\mathbb{E}\,\varphi(a) - \mathbb{E}\,\varphi(b)\|^2 = \mathbb{E}[\varphi(a) \cdot \varphi(a')]
# + \mathbb{E}[\varphi(b) \cdot \varphi(b')] - 2\, \mathbb{E}[\varphi(a) \cdot \varphi(b)] , $$
#
# since a product of two means is the mean of a product when the two are independent. Only scalar products of two lists are
# left. And if each entry of the list has the right weight, the scalar product of two such lists is just
#
# $$ k(x, y) = \left( \frac{x \cdot y}{D} + 1 \right)^3 , $$
#
# where on the right $x$ and $y$ are the $D$ features of the two pictures. (Multiply out the cube: every product of up to three
# features is in it.) Such a function is called a **kernel**, and `cubic_kernel` is this one. So the squared distance is
#
# $$ \mathrm{MMD}^2 = \mathbb{E}\,k(a, a') + \mathbb{E}\,k(b, b') - 2\, \mathbb{E}\,k(a, b) . $$
#
# It is called the squared **maximum mean discrepancy** (Gretton et al., 2012). In the features of Inception, and with this
# kernel, it is the **kernel inception distance**, KID (Bińkowski et al., 2018). It is 0 when the two crowds agree in the mean
# of all those products.
#
# Here is a program that estimates it. It runs, and gives a small number for equal crowds. Look closer: we give it two random
# draws from *one* crowd, again and again, with fewer and fewer pictures in them.


# %%
def careless_mmd(a: Tensor, b: Tensor) -> Tensor:
    return cubic_kernel(a, a).mean() + cubic_kernel(b, b).mean() - 2 * cubic_kernel(a, b).mean()


every = judge.features(x).double()


def two_draws(size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two sets of different training digits, as features."""
    a, b = drawn_from(every, 2 * size, seed).split(size)
    return a, b


sizes, repeats = (10, 20, 50, 100, 200), budget(5, 100, 100)
careless = torch.tensor([[float(careless_mmd(*two_draws(n, s))) for s in range(repeats)] for n in sizes])
show.curves(
    {
        "the program": dict(zip(sizes, careless.mean(1).tolist(), strict=True)),
        "the truth": dict.fromkeys(sizes, 0.0),
    },
    xlabel="pictures in each draw",
    ylabel="mean over many pairs of draws",
    title="The distance of a crowd from itself?",
)

# %% [markdown]
# It says that small crowds are far apart, and so it has the fault that we wanted to get rid of.
#
# **Your turn.** Find the reason, and repair it. Read again what $a$ and $a'$ are.

# %% exercise
from minigen.metrics import mmd

# %%
mmd = check("mmd", mmd)

# %%
unbiased = torch.tensor([[float(mmd(*two_draws(n, s))) for s in range(repeats)] for n in sizes])
print("mean ± standard error\npictures    the program           repaired")
for size, *rows in zip(sizes, careless, unbiased, strict=True):
    means = [f"{v.mean():+.4f} ± {v.std() / math.sqrt(repeats):.4f}" for v in rows]
    print(f"{size:8}    {'    '.join(means)}")
for name, values in {"the program": careless[0], "repaired": unbiased[0]}.items():
    bounds = {"at_least": 10} if name == "the program" else {"at_most": 3}
    in_errors = (values.mean() / values.std() * math.sqrt(repeats)).abs()
    measured(f"{name}, 10 pictures: distance of the mean from 0, in its standard errors", in_errors, **bounds)

# %% [markdown]
# Now the match. We take the VAE, all 719 real digits, and $N$ of its pictures, many times. How do FID and KID depend on $N$?
# Both are divided by their value for 10,000 pictures, so 1 is right. (For that KID we take the mean of ten parts. Without a
# bias, that aims at the same value as one matrix with 100 million entries.)

# %%
real_double, pool = seen_real.double(), pool.double()


def kid_of(fakes: Tensor) -> float:
    """The KID of some pictures of the VAE, in parts of 1,000."""
    return float(torch.stack([mmd(real_double, part) for part in fakes.split(1000)]).mean())


def at_sizes(score: Callable[[Tensor], float]) -> dict[int, Tensor]:
    """{N: the scores of many draws of N fakes, divided by the score of all of them}."""
    whole, draws = score(pool), range(budget(2, 50, 200))
    return {
        n: torch.tensor([score(drawn_from(pool, n, seed)) for seed in draws]) / whole
        for n in (20, 50, 100, 200, 500)
    }


match = {"FID": at_sizes(lambda fakes: fid(real_double, fakes)), "KID": at_sizes(kid_of)}


# %%
@show.styled
def with_spread(match: dict[str, dict[int, Tensor]]):
    """Mean and standard deviation of the draws of each score, over the number of pictures."""
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    plt.close(figure)
    for i, (name, by_n) in enumerate(match.items()):
        at = [n * (1.03 if i else 0.97) for n in by_n]  # side by side
        mean, spread = ([float(f(v)) for v in by_n.values()] for f in (torch.mean, torch.std))
        style = {"marker": "os"[i], "capsize": 4, "linewidth": 2, "color": show.PALETTE[i]}
        axes.errorbar(at, mean, spread, label=name, **style)
    axes.axhline(1, color=show.INK, linewidth=1, linestyle=":")
    axes.set(xscale="log", xlabel="pictures N of the VAE", ylabel="score / score of 10,000")
    axes.set(xticks=list(by_n), xticklabels=[f"{n:,}" for n in by_n])
    axes.minorticks_off()
    axes.set_title("Mean and spread over many draws of N pictures")
    axes.legend(frameon=False)
    return figure


with_spread(match)

# %%
few_fid, few_kid = match["FID"][50], match["KID"][50]
measured("mean FID of 50 pictures / FID of 10,000", few_fid.mean(), at_least=1.8)
away = (few_kid.mean() - 1).abs() / (few_kid.std() / math.sqrt(len(few_kid)))
measured("mean KID of 50 pictures: its distance from KID of 10,000, in standard errors", away, at_most=3)
measured("spread of KID of 50 pictures / KID of 10,000", few_kid.std(), at_least=0.5)
measured("spread of FID of 50 pictures / its mean", few_fid.std() / few_fid.mean())

# %% [markdown]
# KID is right on average at every size, and FID is far too large for few pictures. But see the price: the bars. One KID of 50
# pictures may well be twice the true value, or below 0. "No bias" is a word about the mean of many measurements, and you make
# one. The bars of FID are shorter, around a wrong place. So `kid` draws many subsets, and reports their mean and their
# spread:

# %%
from minigen.metrics import kid

print(f"{'crowd':20} FID    KID ± spread over 30 subsets of 150")
for name, features in seen.items():
    value, spread = kid(seen_real, features, seeded(0), subsets=30, size=150)
    print(f"{name:20} {distance[name]:.2f}   {value:.3f} ± {spread:.3f}")

# %% [markdown]
# (The spread is that of one subset. Subsets of all pictures would have none, and it would say nothing: take the size well
# below the number of pictures.) And it sorts the four crowds, which have one FID, in an order of its own. Which of two scores
# is right? They weigh the faults differently, and neither knows which fault is worse *for you*.
#
# ## 5 · What no score sees
#
# Here is the perfect cheat. It has memorised *all* real pictures, our first half, and draws one of them each time. Beside it
# stand new digits from the `rest`, which it has not seen, and the VAE: 359 pictures of each. What do the scores say?
# `all_scores` prints them all at once.

# %%
size = len(x_test)
copies = drawn_from(real, size, seed=1)
tried = {"copies": copies, "VAE": vae_digits[:size], "new digits": drawn_from(rest, size, seed=1)}
found = {name: all_scores(judge.look(real), judge.look(crowd)) for name, crowd in tried.items()}
print(f"{'':16}" + "".join(f"{name:>17}" for name in found) + "   good")
for score, first in found["copies"].items():
    values = ""
    for line in (lines[score] for lines in found.values()):
        values += f"{line.value:9.3f}" + (" " * 8 if line.error is None else f" ± {line.error:.3f}")
    print(f"{score:16}{values}   {first.better:7}{first.said}".rstrip())

# %% [markdown]
# That was one draw. Is it chance? Here are the means over many draws of 359 copies, and of 359 new digits.

# %%
by_draws = {}
for name, features in {"copies": seen_real, "new digits": untouched}.items():
    draws = [drawn_from(features, size, seed) for seed in range(budget(3, 20, 50))]
    scores = [
        (fid(seen_real, d), *precision_recall(seen_real, d), mmd(real_double, d.double())) for d in draws
    ]
    by_draws[name] = dict(zip(("FID", "precision", "recall", "KID"), torch.tensor(scores).T, strict=True))
    print(f"{name:10}  " + "   ".join(f"{score} {v.mean():.4f}" for score, v in by_draws[name].items()))
told = {name: {score: v.mean() for score, v in scores.items()} for name, scores in by_draws.items()}
measured("FID of copies / FID of new digits", told["copies"]["FID"] / told["new digits"]["FID"], at_most=0.6)
measured("least precision of copies", by_draws["copies"]["precision"].min(), at_least=1)
measured("precision of new digits", told["new digits"]["precision"], at_most=0.95)
measured(
    "recall: copies − new digits", told["copies"]["recall"] - told["new digits"]["recall"], at_least=0.02
)
measured("KID of copies", told["copies"]["KID"], at_most=-0.005)

# %% [markdown]
# By FID and precision, and on average a little by recall, the copies are better than new digits, which are as good as
# pictures can be. So there is a first warning: **better than new digits, in equal number, is too good to be true**. And the
# KID of the copies is below 0 on average, because some real pictures meet their own copies. A KID or a FID∞ may come out
# below 0; below 0 by more than its error is one more sign that the two sets are not independent, or that a line was a bad
# guess. (The ± of KID is the spread of one small subset, and larger than the error of its mean.)
#
# What helps is a question that none of these scores asks: how near is each picture to its *nearest training picture*, and how
# near are test digits, which cannot have been copied? We look at pixels, not at features. To make it harder, one cheat hides
# its copies under a little noise.

# %%
suspects = {
    "test digits": x_test,
    "VAE": vae_digits[: 2 * size],
    "hidden copies": (copies + 0.1 * torch.randn(copies.shape, generator=seeded(2))).clamp(-1, 1),
}


def nearest(pictures: Tensor) -> Tensor:
    """The distance of each picture to the nearest training digit, over all pixels."""
    return torch.cdist(pictures.flatten(1).double(), x.flatten(1).double()).amin(1)


show.histogram(
    {name: nearest(pictures) for name, pictures in suspects.items()},
    xlabel="Euclidean distance to the nearest training digit (pixels are −1 to 1)",
    title="Copies are too near",
)

# %%
limit = nearest(x_test).quantile(0.05)  # 5 % of the test digits are nearer than that
for name, pictures in suspects.items():
    near = (nearest(pictures) < limit).double().mean()
    bounds = {"VAE": {"at_most": 0.05}, "hidden copies": {"at_least": 0.95}}.get(name, {})
    measured(f"share nearer to the training digits than 95 % of test digits are: {name}", near, **bounds)

# %%
in_pairs = {}
for name in ("VAE", "hidden copies"):
    looked_up = suspects[name][:12]
    in_pairs[name] = looked_up
    in_pairs[f"nearest to {name.split()[-1]}"] = x[torch.cdist(looked_up.flatten(1), x.flatten(1)).argmin(1)]
show.rows(in_pairs, title="Each picture, and below it its nearest training digit")

# %% [markdown]
# The VAE is acquitted: it is not nearer to its training digits than test digits are. The copies are caught, with their noise. A
# better cheat would shift each copy by one pixel, and then distances of pixels are no help any more: such a test can find a
# copy, and can never prove that there is none.
#
# On the command line all these scores come at once, for two data sets or folders of pictures, for a checkpoint, or for a model
# by its name:
#
# ```
# minigen evaluate digits digit_vae
# ```
#
# and `minigen.recipes.save("digit_vae", model, path)` writes a checkpoint of your own model, whose path you can give instead.
#
# ## 6 · The trilemma, measured
#
# Lesson 01 said what we want: quality, coverage, speed; and that each family is good at two of the three. Now we have a number
# for each: precision, recall, and the seconds for 1,000 pictures. Here are the models of the lessons before this one. (AE is
# the autoencoder of lesson 10, with codes from $N(0, I)$, or from a Gaussian fitted to the codes of digits.)

# %%
pixels = x.flatten(1).double()
ridge = 0.003 * torch.eye(64).double()  # some pixels are always black, and have no variance of their own
mean, covariance = fit_gaussian(pixels)
fitted = [fit_gaussian(pixels[labels == k]) for k in range(10)]
ten = GaussianMixture(
    torch.stack([m for m, _ in fitted]),
    covariances=torch.stack([c for _, c in fitted]) + ridge,
    weights=torch.bincount(labels).double() / len(labels),
)
autoencoder, conditional = trained("digit_autoencoder"), trained("digit_conditional_vae")
with torch.no_grad():
    of_codes = fit_gaussian(autoencoder.encode(x))  # mean and covariance


def as_digits(rows: Tensor) -> Tensor:
    return rows.view(-1, 1, 8, 8).float().clamp(-1, 1)


@torch.no_grad()
def decoded(codes: Tensor) -> Tensor:
    return autoencoder.decode(codes)


models = {
    "one Gaussian": (
        "01",
        lambda n: as_digits(sample_gaussian(mean, covariance + ridge, torch.randn(n, 64).double())),
    ),
    "ten Gaussians": ("01", lambda n: as_digits(ten.sample(n, torch.default_generator))),
    "AE, N(0, I)": ("10", lambda n: decoded(torch.randn(n, 8))),
    "AE, fitted": ("10", lambda n: decoded(sample_gaussian(*of_codes, torch.randn(n, 8)))),
    "VAE": ("13", vae.sample),
    "conditional VAE": ("14", lambda n: conditional.sample(n, torch.randint(10, (n,)))),
}
torch.manual_seed(0)
show.rows(
    {name: sample(12) for name, (_, sample) in models.items()}, title="Everything that we can draw so far"
)

# %%
torch.manual_seed(0)
here = [measured_model(name, sample) | {"lesson": lesson} for name, (lesson, sample) in models.items()]

# %% [markdown]
# `measured_model` notes what it measures. Lessons after this one do the same with their models, and `measured_models` adds the
# notes of all lessons that the authors have executed. So this table grows with the course. (The seconds of those rows come from
# the machine that executed them; yours may be faster. Add your own model to `models` above, and it has its row too.)
#
# One thing here is against our own rule of equal numbers: each model draws 1,000 digits, and there are only 359 test digits to
# compare with. How much does it matter? Here is the recall of the VAE with both numbers.

# %%
all_real = judge.features(x)


def mean_recall(few: int) -> float:
    """The recall of so many pictures of the VAE, mean of some draws."""
    draws = range(budget(2, 10, 20))
    return sum(precision_recall(all_real, drawn_from(pool, few, seed))[1] for seed in draws) / len(draws)


measured("recall of the VAE with 359 pictures", mean_recall(359))
measured(
    "recall of the VAE: with 359 pictures − with 1,000", mean_recall(359) - mean_recall(1000), at_most=0.03
)


# %%
def no_model(name: str, pictures: Tensor) -> dict:
    """The row of a crowd that no model drew, for comparison."""
    features = judge.features(pictures)
    precision, recall = precision_recall(all_real, features)
    scores = {"fid": fid(all_real, features), "precision": precision, "recall": recall}
    return scores | {"model": name, "lesson": "", "seconds": math.nan}


rows = measured_models(here)
references = [no_model("359 test digits", x_test), no_model("ten digits, 100 times each", memorised)]

# %% [markdown]
# Which of them should one use? If one model is no worse than another in *everything*, and better in something, forget the other
# one. For that nobody has to weigh quality against time. What is left when all such models are gone is called the **Pareto
# front**.
#
# **Your turn.** What goes in: scores (M, K), a row for each of M candidates and a column for each of K scores, larger is better
# in all of them. What comes out: (M,) booleans, True for each candidate that no other one beats. Think of two candidates with
# equal rows: neither beats the other. Such a choice comes
# wherever there is more than one wish.

# %% exercise
from minigen.metrics import undominated

# %%
undominated = check("undominated", undominated)

# %%
scores = torch.tensor(
    [[row["precision"], row["recall"], -row["seconds"]] for row in rows], dtype=torch.float64
)
for row, front in zip(rows, undominated(scores).tolist(), strict=True):
    row["front"] = front
print(f"{'model':24} lesson  quality  diversity    FID   seconds for 1,000   on the front")
for row in [*rows, *references]:
    seconds = "–" if math.isnan(row["seconds"]) else f"{row['seconds']:.2g}"
    numbers = f"{row['precision']:7.3f}  {row['recall']:9.3f}  {row['fid']:5.2f}   {seconds:>17}"
    print(f"{row['model']:24} {row['lesson']:>6}  {numbers}   {'yes' if row.get('front') else ''}")


# %% picture
@show.styled
def map_of_models(rows: list[dict], references: list[dict]):
    """Precision over recall, the time as colour. Names stand at the right, each as near to its height as can be."""
    every = sorted([*rows, *references], key=lambda row: row["precision"])
    figure, axes = plt.subplots(figsize=(8.6, max(4.2, 0.3 * len(every))))
    plt.close(figure)
    style = {"cmap": "viridis", "norm": "log", "edgecolors": show.INK, "zorder": 3}
    at = [[row[name] for row in rows] for name in ("recall", "precision", "seconds")]
    dots = axes.scatter(*at[:2], c=at[2], s=[150 if row.get("front") else 55 for row in rows], **style)
    places = [row["recall"] for row in references], [row["precision"] for row in references]
    axes.scatter(*places, s=60, marker="s", color=show.PAPER, edgecolors=show.INK, zorder=3)
    top, gap, heights = 1.04, min(0.07, 1 / len(every)), [-1.0]
    for row in every:
        heights.append(max(row["precision"], heights[-1] + gap))
    for i, row in enumerate(every):
        height = min(heights[i + 1], top - gap * (len(every) - i - 0.5))
        name = f"{row['model']} · {row['lesson']}" if row["lesson"] else row["model"]
        axes.plot([row["recall"], 1.06], [row["precision"], height], color="#bbbbbb", linewidth=0.8, zorder=1)
        axes.text(
            1.07, height, name, va="center", fontsize=10, weight="bold" if row.get("front") else "normal"
        )
    axes.set(xlim=(-0.03, 1.05), ylim=(0, top), xlabel="diversity: recall", ylabel="quality: precision")
    axes.set_title("Quality, diversity and time of every model so far")
    axes.grid(color="#dddddd", linewidth=0.6)
    figure.colorbar(dots, label="seconds for 1,000 digits", location="left", pad=0.02)
    return figure


map_of_models(rows, references)

# %%
by_name = {row["model"]: row for row in here}
plain, told_class = by_name["VAE"], by_name["conditional VAE"]
measured("precision: conditional VAE − VAE", told_class["precision"] - plain["precision"], at_least=0.1)
measured("recall: VAE − conditional VAE", plain["recall"] - told_class["recall"], at_least=0.05)
first = torch.tensor([[row["precision"], row["recall"], -row["seconds"]] for row in here])
beaten = [row["model"] for row, front in zip(here, undominated(first).tolist(), strict=True) if not front]
print("of the first six models, beaten by another one of them:", ", ".join(beaten))
without_time = [
    row["model"] for row, front in zip(here, undominated(first[:, :2]).tolist(), strict=True) if front
]
print("on the front of quality and diversity, whatever the time:", ", ".join(without_time))
measured("how many of the first six that are", len(beaten), at_least=1, at_most=3)

# %% [markdown]
# Large dots and bold names are on the front; squares are no models. (The ten digits stand at the far left only because each
# is drawn 100 times; you saw where they are when each is drawn once.) And with 359 pictures, like the test digits, the VAE
# would stand a little farther right. Rows of later lessons may be there already. What do we *see* of the six models that we
# have built so far?
#
# - **With three wishes, few are beaten.** A front is no ranking. It only says whom you may forget: above all the autoencoder
#   with codes from $N(0, I)$, which also looks the worst. (Narrow decisions may fall the other way when one draws or times
#   again.) And a wish that matters little may keep a model there: ten Gaussians beat one Gaussian in precision and in recall,
#   so if one Gaussian is on the front, then by its time alone.
# - **Quality and diversity pull against each other.** The conditional VAE and the ten Gaussians, which were told the classes,
#   draw the most precise digits, and show less of the variety within a class. The VAE and the fitted autoencoder show more, and
#   more of what they draw looks like nothing. None of the six stands where the test digits are.
# - **The table of lesson 01 holds for the plain VAE**: poor quality, good coverage, fast. A family is not a fate, though: told
#   the classes, the same network changed sides.
# - **Ten Gaussians of pixels have a lower FID than the VAE.** Pictures of 64 pixels are a small world. Do not expect this of
#   photographs.
# - **Time says little about these six.** Each draws in one pass, a thousand digits in less than a second. The slow families
#   come later, and so do the adversaries, which are said to be sharp, fast and forgetful. Their rows will show whether it is
#   so.
#
# ## What goes wrong in practice
#
# - **An Inception Score of other data.** It is about the classes that the classifier was taught. For faces or bedrooms it says
#   nothing, and even the version of the weights moves it (Barratt and Sharma, 2018).
# - **Scores in different features.** FID, KID, precision and recall of two papers can be compared only if the same network,
#   with the same resizing, looked at the pictures. Inception is blind to much that people see, and other features rank models
#   differently (Stein et al., 2023).
# - **Different numbers of pictures**, or another $k$, or one part for ten: each moves a score by more than most papers improve
#   it.
# - **One outlier among the real pictures.** *Density* counts in how many balls a fake lies, and *coverage* draws balls around
#   the real pictures only; both are steadier than precision and recall (Naeem et al., 2020).
# - **A KID without its spread**, or of a few dozen pictures: right on average, and wrong today.
# - **A score that was trained for.** Choose the best of a hundred checkpoints by FID, and the FID of the winner is too good.
# - **No look at the nearest training pictures.** None of the scores punishes a copy.
#
# ## Where to read on
#
# - Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen, 2016, *Improved Techniques for Training GANs*.
# - Barratt and Sharma, 2018, *A Note on the Inception Score*.
# - Kynkäänniemi, Karras, Laine, Lehtinen and Aila, 2019, *Improved Precision and Recall Metric for Assessing Generative
#   Models*.
# - Naeem, Oh, Uh, Choi and Yoo, 2020, *Reliable Fidelity and Diversity Metrics for Generative Models*.
# - Gretton, Borgwardt, Rasch, Schölkopf and Smola, 2012, *A Kernel Two-Sample Test*.
# - Bińkowski, Sutherland, Arbel and Gretton, 2018, *Demystifying MMD GANs*.
# - Meehan, Chaudhuri and Dasgupta, 2020, *A Non-Parametric Test to Detect Data-Copying in Generative Models*.
# - Stein et al., 2023, *Exposing Flaws of Generative Model Evaluation Metrics and Their Unfair Treatment of Diffusion Models*.
# - Xiao, Kreis and Vahdat, 2022, *Tackling the Generative Learning Trilemma with Denoising Diffusion GANs*.
#
# **Next come adversaries.** What if the judge learned too, and the model had to deceive it?

# %%
progress()
