# %% [markdown]
# # 55 · Guidance without a classifier
#
# **Can the model guide itself?** In lesson 54 a classifier of noisy images bent a model that knows no classes towards a seven. It worked, but one has to
# train that classifier, on noise of all strengths, and ask for its gradient in each step. All that it contributed was one arrow: *this way it looks more
# like a seven*.
#
# Below is a model that finds that arrow by itself. One and the same network, the same noise in each column, three rows. First it is told nothing. Then it is told which
# digit to draw. In the third row it is told as well, and then it is asked to *exaggerate*: it does three times what the label makes it do. Nearly every
# text-to-image program of the last years does this.
#
# In this lesson you write it: **classifier-free guidance** (Ho and Salimans, 2022). You find out what it asks for, and that one does not quite get it. And you measure what is
# gained, how many digits are right, and what is paid: how many different hands are left.
#
# About 75 minutes · 6 exercises · needs: lesson 32, lessons 50 to 54; precision and recall, from lesson 21.

# %%
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from minigen import show
from minigen.core import Generative, budget
from minigen.course import check, hint, measured, measured_model, measured_models, progress, results, solution
from minigen.data import GaussianMixture, digits
from minigen.ddpm import DDPM
from minigen.diffusion import (
    Predict,
    Schedule,
    Times,
    cosine_betas,
    exact_noise,
    linear_betas,
    noisy_mixture,
    q_sample,
)
from minigen.features import DigitFeatures
from minigen.guidance import classifier_guided
from minigen.metrics import fid, precision_recall
from minigen.recipes import trained
from minigen.samplers import ancestral, few_steps
from minigen.train import train
from minigen.unet import time_embedding

# %%
model = trained("digit_conditional_ddpm")  # one network, told a label or none: from the cache, or trained now
chain, CLASSES = model.schedule, torch.arange(10)
STEPS = budget(2, 20, 20)  # a smoke test takes fewer


def fresh(*shape: int, seed: int) -> Callable[[int], Tensor]:
    """noise(t) for a sampler: draws from N(0, I), another one at each call."""
    generator = torch.Generator().manual_seed(seed)
    return lambda t: torch.randn(*shape, generator=generator)


@torch.no_grad()
def drawn(predict: Predict, n: int, seed: int) -> Tensor:
    """n digits (n, 1, 8, 8) in [-1, 1], by the sampler of lesson 53; the seed decides on all noise."""
    noise = fresh(n, 1, 8, 8, seed=seed)
    path = few_steps(predict, noise(0), chain.alpha_bar, STEPS, 1.0, noise, second_order=True, clip=True)
    return path.clamp(-1, 1)


twice = CLASSES.repeat_interleave(2)
opening = {"told nothing": 0.0, "told the label": 1.0, "three times that": 3.0}
show.rows(
    {name: drawn(model.guided(twice, w), 20, seed=4) for name, w in opening.items()},
    title="Asked for 0 0 1 1 2 2 … 9 9; the same noise in each column",
)

# %% [markdown]
# ## 1 · Bayes, the other way round
#
# In lesson 54 we started from Bayes' rule, in scores:
#
# $$ \nabla \log p(x_t \mid y) = \nabla \log p(x_t) + \nabla \log p(y \mid x_t) . $$
#
# There we knew both terms on the right, and wanted what is on the left. Now suppose that we have a model that is told the class, and one that is not. Then the same line tells us the
# *classifier's* slope: it is the difference of two scores,
#
# $$ \nabla \log p(y \mid x_t) = \nabla \log p(x_t \mid y) - \nabla \log p(x_t) . $$
#
# Whoever has two denoisers has a classifier. It is hidden in the difference between them. It was never trained as a classifier, and its gradient costs nothing but a subtraction.
#
# Then guidance, with a scale $w$, is
#
# $$ \nabla \log p(x_t) + w \big( \nabla \log p(x_t \mid y) - \nabla \log p(x_t) \big) . $$
#
# Walk from the one score to the other, and go on in the same direction: $w$ times the way. And since a score is the predicted noise times $-1 / \sqrt{1 - \bar\alpha_t}$, the same number for both, the same may be
# done with the two predictions of the noise.
#
# **Your turn, a repair.** Two predictions go in, each a function of $(x_t, t)$, and $w$. Out comes a third function of this kind. So the samplers do not have to
# know of guidance at all. The code below was copied from the paper, without an error. But it is not what its docstring says.

# %% exercise
from minigen.guidance import classifier_free

# %%
classifier_free = check("classifier_free", classifier_free)

# %% [markdown]
# This is the classic confusion of guidance. There are two ways of counting, and a number alone does not say which is meant:
#
# | | without the class | not guided | guided |
# |---|---|---|---|
# | here, and in most programs | 0 | 1 | above 1 |
# | in the paper of Ho and Salimans | −1 | 0 | above 0 |
#
# If somebody tells you "with guidance 2", ask which 2. And note what 1 means here: guidance is *off*, the plain conditional model, and the other prediction cancels.
#
# Is it really the classifier of lesson 54? That can be tested where all is known. Two classes of points in the plane, one of two clouds and one of a single cloud. We have the exact noise of each class, that of
# both together, and the exact classifier.

# %%
PARTS = [
    GaussianMixture(torch.tensor([[-0.9, 0.3], [0.1, 0.8]]), stds=torch.tensor([0.25, 0.3])),
    GaussianMixture(torch.tensor([[0.5, -0.3]]), stds=0.35),
]
SHARES = torch.tensor([0.5, 0.5], dtype=torch.float64)
both = GaussianMixture(
    torch.cat([part.means for part in PARTS]),
    covariances=torch.cat([part.covariances for part in PARTS]),
    weights=torch.cat([share * part.weights for share, part in zip(SHARES, PARTS, strict=True)]),
)
NAMES = "the class of two clouds", "the class of one"


def exact(mixture: GaussianMixture, schedule: Schedule = chain) -> Predict:
    return lambda x_t, t: exact_noise(x_t, int(t), mixture, schedule.alpha_bar)


def log_class(k: int, schedule: Schedule = chain) -> Callable[[Tensor, Times], Tensor]:
    """log p(class k | x_t), by Bayes' rule on the noisy densities."""

    def log_probability(x_t: Tensor, t: Times) -> Tensor:
        a_bar = float(schedule.alpha_bar[t])
        pairs = zip(SHARES, PARTS, strict=True)
        logs = [share.log() + noisy_mixture(part, a_bar).log_density(x_t) for share, part in pairs]
        return torch.stack(logs).log_softmax(0)[k]

    return log_probability


points = 1.5 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0)).double()
apart = 0.0
for schedule in chain, Schedule(linear_betas()):
    for k in (0, 1):
        for w in (0.0, 0.5, 1.0, 3.0, 7.0):
            free = classifier_free(exact(both, schedule), exact(PARTS[k], schedule), w)
            bent = classifier_guided(exact(both, schedule), log_class(k, schedule), schedule.alpha_bar, w)
            errors = [free(points, t) - bent(points, t) for t in (1, 100, 400, 700, 999)]
            apart = max(apart, float(torch.stack(errors).abs().max()))
measured("largest difference: guidance without a classifier, and by the exact one", apart, at_most=1e-10)

# %% [markdown]
# With exact predictions the two kinds of guidance are one. Where they differ in practice, they differ by what their networks get wrong.
#
# Now draw with it: 300 points for each $w$, on the same chain as the digits. The crosses are the middles of the three clouds.

# %%
crowd = torch.randn(300, 2, generator=torch.Generator().manual_seed(1)).double()
SMOOTH = budget(3, 50, 50)


def guided_points(without: Predict, told: Predict, w: float) -> Tensor:
    return few_steps(classifier_free(without, told, w), crowd, chain.alpha_bar, SMOOTH, second_order=True)


table = {
    name.replace(" of ", "\nof "): {
        f"w = {w:g}": guided_points(exact(both), exact(part), w) for w in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
    }
    for name, part in zip(NAMES, PARTS, strict=True)
}
show.clouds(table, marks=both.means, title="Points drawn with exact predictions, against w", reach=2.2)

# %%
sure, spread, near = {}, {}, {}
for w in (1.0, 2.0, 4.0, 8.0):
    x = [guided_points(exact(both), exact(part), w) for part in PARTS]
    sure[w] = float(torch.cat([log_class(k)(x[k], 1).exp() for k in (0, 1)]).mean())
    spread[w] = float(torch.stack([each.var(0).sum() for each in x]).mean().sqrt())
    near[w] = float(((x[1] - PARTS[1].means[0]).norm(dim=1) < 0.35).double().mean())  # its standard deviation
    print(
        f"w = {w:g}: probability of the class asked for {sure[w]:.4f}, spread {spread[w]:.3f}, in the class of one within a standard deviation of the middle {near[w]:.2f}"
    )
measured("probability of the class asked for: w = 4, minus w = 1", sure[4.0] - sure[1.0], at_least=0.02)
measured("spread with w = 8 / with w = 1", spread[8.0] / spread[1.0], at_most=0.95)
measured("w = 8: share within a standard deviation of the middle", near[8.0], at_most=0.05)

# %% [markdown]
# With $w = 0$ both rows are all of the data, with $w = 1$ the class. Above that, the points leave the region where the two classes meet. They crowd together, and they move *away* from the
# other class, further and further: at $w = 8$ the lower cloud has left its cross behind, and hardly one of its points is
# within a standard deviation of it (with $w = 1$, about two of five are).
#
# ## 2 · What does it ask for?
#
# So $w > 1$ is not the class any more. What is it? Write the guided score as the slope of one logarithm. With $\gamma$ for the number that we called $w$,
#
# $$ \nabla \log p(x) + \gamma \, \nabla \log p(y \mid x) = \nabla \log \big( p(x) \, p(y \mid x)^\gamma \big) . $$
#
# So the density that is asked for is $p(x)\, p(y \mid x)^\gamma$, brought to area 1: the data, but each point is weighted by how sure the classifier is of it, to the power γ. With $\gamma = 1$
# this is Bayes' rule. With more, places where the class is certain keep their weight, and places where there is doubt lose theirs.
#
# A guess, on the simplest case of all. (Some paper and a pencil may help.)

# %% exercise
from minigen.exercises.lesson_55_classifier_free_guidance import beyond_the_mean

# %%
beyond_the_mean = check("beyond_the_mean", beyond_the_mean)

# %% [markdown]
# **Your turn, a repair.** The same for any two Gaussians. Mean and variance of $p(x)$ go in, those of $p(x \mid y)$, and γ. Out come mean and variance of what guidance asks for. A colleague has heard that guidance
# "sharpens the conditional model", and wrote that. It is a common belief: guidance as a lower *temperature*.

# %% exercise
from minigen.guidance import tilted

# %%
tilted = check("tilted", tilted)

# %% [markdown]
# A check that uses neither formula: multiply the two densities on a fine grid, and find the mean and the variance by adding up.

# %%
numbers = [torch.tensor([value], dtype=torch.float64) for value in (0.0, 1.0, 1.0, 0.5)]
line = torch.linspace(-8, 8, 16_001, dtype=torch.float64)
log_p, log_told = (Normal(m, v.sqrt()).log_prob(line) for m, v in (numbers[:2], numbers[2:]))
on_grid, wrong = {}, []
for gamma in (0.0, 0.5, 1.0, 2.0, 3.0, 5.0):
    weights = (log_p + gamma * (log_told - log_p)).softmax(0)
    mean = float((weights * line).sum())
    on_grid[gamma] = mean, float((weights * (line - mean) ** 2).sum())
    found = [float(number) for number in tilted(*numbers, gamma)]
    wrong += [abs(a - b) for a, b in zip(found, on_grid[gamma], strict=True)]
    print(f"γ = {gamma:g}: mean {found[0]:.3f}, variance {found[1]:.3f}; power alone: mean 1")
measured("largest difference to the sums on a grid", max(wrong), at_most=1e-6)

# %% [markdown]
# The mean moves on, beyond the mean of the class, away from what is not the class. A power of $p(x \mid y)$ alone would stay where it is. A caricature does the same: not the average face, but the face *minus what
# all faces have*, and more of it.
#
# ### Do we get it?
#
# Now the honest part. We asked for $p(x)\, p(y \mid x)^\gamma$. Do the samplers draw from it? All is known here, the two predictions are exact, there are many steps. So any
# difference is the fault of guidance itself.

# %%
LINE, MANY, LONG = Schedule(cosine_betas()), budget(200, 20_000, 20_000), budget(3, 200, 200)
alone, told = (GaussianMixture(torch.tensor([[m]]), stds=v**0.5) for m, v in ((0.0, 1.0), (1.0, 0.5)))
noises = torch.randn(MANY, 1, generator=torch.Generator().manual_seed(2)).double()


def on_the_line(w: float, eta: float) -> Tensor:
    predict = classifier_free(exact(alone, LINE), exact(told, LINE), w)
    again = fresh(MANY, 1, seed=3)
    return few_steps(
        predict, noises, LINE.alpha_bar, LONG, eta, lambda t: again(t).double(), second_order=True
    )[:, 0]


ends = {"no fresh noise": on_the_line(3.0, 0.0), "fresh noise": on_the_line(3.0, 1.0)}
figure = show.histogram(ends, xlabel="x", title="What is drawn with w = 3, and what is asked for")
axes = figure.axes[0]
asked = Normal(on_grid[3.0][0], on_grid[3.0][1] ** 0.5)
for label, density, style in (
    ("p(x)", log_p.exp(), ":"),
    ("p(x | y)", log_told.exp(), "--"),
    ("asked for, γ = 3", asked.log_prob(line).exp(), "-"),
):
    shown = (line > -3) & (line < 4)
    axes.plot(line[shown], density[shown], style, color=show.INK, linewidth=1.5, label=label)
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
figure

# %%
print(f"asked for:      mean {on_grid[3.0][0]:.3f}, standard deviation {on_grid[3.0][1] ** 0.5:.3f}")
for name, x in ends.items():
    print(f"{name + ':':15} mean {x.mean():.3f}, standard deviation {x.std():.3f}")
plain = on_the_line(1.0, 0.0)
measured("w = 1: mean minus that of the class", abs(float(plain.mean()) - 1), at_most=0.03)
too_far = ends["no fresh noise"]
measured(
    "w = 3, no fresh noise: mean minus the one asked for", too_far.mean() - on_grid[3.0][0], at_least=0.3
)
measured(
    "w = 3, fresh noise: mean minus the one asked for",
    ends["fresh noise"].mean() - on_grid[3.0][0],
    at_least=0.1,
)
measured(
    "w = 3, no fresh noise: standard deviation / asked for",
    too_far.std() / on_grid[3.0][1] ** 0.5,
    at_most=0.8,
)

# %% [markdown]
# With $w = 1$ the class comes out, as it must. With $w = 3$ we do not get what we asked for. What is drawn lies further out, and is narrower. Fresh noise helps, and does not
# cure it.
#
# Why? The line of logarithms above was about one density, that of the data. But the sampler never sees it. At each $t$ it walks along the score of
# $p(x_t)\, p(y \mid x_t)^\gamma$, made of the *noisy* densities. To make that the right way to $p(x)\, p(y \mid x)^\gamma$, these would have to be that density with noise
# added. They are not: to tilt and then to add noise is one thing, to add noise and then to tilt another. Only with γ = 0 and γ = 1 it is always the same. (For two Gaussians one can even say what the walk without fresh noise does: its standard deviation
# at the end is $\sigma_{\text{told}}^{\,w}\, \sigma^{1 - w}$, here $0.707^3 = 0.354$. Standard deviations are multiplied, where precisions should be added.)
#
# So "guided sampling draws from $p(x)\, p(y \mid x)^\gamma$" is a good picture of the *direction*, and false as a statement. It is in many texts all the same. (The last section names two papers that take it apart.)
#
# ## 3 · One network for both
#
# Guidance needs two predictions, with the class and without. Must one train two networks? No: one network with an *empty label*. The U-Net of lesson 51 has a list of numbers
# for the time, which all its blocks are told. To these we add a row of an embedding, as for the GAN of lesson 32: ten rows for the ten digits, and an eleventh that means "no label". The labels are whole numbers from 0 to 9, so the one for none
# is 10, the number of classes.
#
# And how does the network learn what the eleventh row means? By taking the label away from some of the images. The paper tried a tenth, a fifth and a half of them, and the half did worse.
#
# **Your turn, a repair.** Labels go in, one draw for each from $[0, 1)$, the chance, and the label for none. Labels come out, of which some are taken away. With the code below training goes on as ever, and
# the share is right as well, over a long time.

# %% exercise
from minigen.guidance import drop_labels

# %%
drop_labels = check("drop_labels", drop_labels)

# %% [markdown]
# What is the harm in dropping all labels of a batch at once? Let us count which share of a batch of 64 is dropped, in a thousand batches.

# %%
BATCH = 64
labels = torch.randint(10, (1000, BATCH), generator=torch.Generator().manual_seed(5))
draws = torch.rand(1000, BATCH, generator=torch.Generator().manual_seed(6))
pairs = list(zip(labels, draws, strict=True))
each = torch.stack([(drop_labels(y, u, 0.1, 10) == 10).double().mean() for y, u in pairs])
at_once = torch.stack([(u[0] < 0.1).double() for _, u in pairs])
for name, share in {"each by itself": each, "all at once": at_once}.items():
    print(
        f"{name:15} mean {share.mean():.3f}, standard deviation {share.std():.3f}, {(share > 0).double().mean():.1%} of the batches drop a label"
    )
measured("each by itself: share dropped, mean", each.mean(), at_least=0.09, at_most=0.11)
measured(
    "standard deviation of the share: all at once / each by itself", at_once.std() / each.std(), at_least=5
)

# %% [markdown]
# The mean is about the same. But with all at once, nine steps of ten teach nothing about being told nothing, and the tenth teaches nothing else: what is learned jumps about from step to step.
#
# **Your turn.** Now the model itself. `told(labels)` is given: it makes an ordinary DDPM of the network, by telling it these labels. Write
#
# - `loss`: a batch of images and labels goes in; the loss of lesson 51 comes out, with some of the labels taken away;
# - `guided`: labels and $w$ go in; a prediction of the noise comes out, for any sampler.
#
# No formula stands here, and none is needed: you have all the parts.

# %% exercise
from minigen.ddpm import ConditionalDDPM

# %%
ConditionalDDPM = check("ConditionalDDPM", ConditionalDDPM)


# %% [markdown]
# Nothing in it is about images. So let us train it on the points first, where we know what it should say. The network is three layers, and is given the point, the time, and a row for the label. Three
# trainings, which differ in the share of the labels that is dropped: none at all, a tenth, and nine tenths. (The chain is the linear one of lesson 50. Pictures are clipped to $[-1, 1]$; points have no such range, and with a linear chain one can draw without clipping.)


# %%
class PointNetwork(nn.Module):
    classes = 2

    def __init__(self, width: int = 96):
        super().__init__()
        self.label = nn.Embedding(self.classes + 1, 32)
        sizes = 2 + 32 + 32, width, width, 2
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.SiLU())]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        return self.layers(torch.cat([x_t, time_embedding(t, 32), self.label(labels)], dim=1))


def labelled_points(generator: torch.Generator, n: int = 128) -> tuple[Tensor, Tensor]:
    """n points of each class, and their labels."""
    x = torch.cat([part.sample(n, generator) for part in PARTS])
    return x, torch.arange(2).repeat_interleave(n)


def taught(dropped: float) -> Generative:
    torch.manual_seed(0)
    learner = ConditionalDDPM(PointNetwork(), linear, (2,), dropped=dropped)
    for _, _, averaged in train(learner, labelled_points, budget(2, 2500, 10_000), lr=5e-3, decay=0.99):
        pass
    return averaged.cpu()


linear = Schedule(linear_betas())
by_share = {share: taught(share) for share in budget((0.0, 0.9), *2 * [(0.0, 0.1, 0.9)])}

# %%
x, wish = labelled_points(torch.Generator().manual_seed(7), 1000)
grains = torch.randn(x.shape, generator=torch.Generator().manual_seed(8))


@torch.no_grad()
def error(learner: Generative, w: float) -> float:
    """Root mean squared difference to the exact prediction, over the times."""
    squares = []
    for t in range(50, 1000, 100):
        x_t = q_sample(x, t, grains, linear.alpha_bar)
        of_class = [exact(part, linear)(x_t[wish == k], t) for k, part in enumerate(PARTS)]
        truth = exact(both, linear)(x_t, t) if w == 0 else torch.cat(of_class)
        squares.append((learner.guided(wish, w)(x_t, t) - truth).square().mean())
    return float(torch.stack(squares).mean().sqrt())


costs = {share: (error(learner, 1.0), error(learner, 0.0)) for share, learner in by_share.items()}
for share, (with_label, without) in costs.items():
    print(f"dropped {share:3.0%}: error with the label {with_label:.3f}, without {without:.3f}")
worst, used = costs[0.0][1], [without for share, (_, without) in costs.items() if share > 0]
measured("error without a label: nothing dropped / worst of the others", worst / max(used), at_least=1.5)
measured(
    "error with the label: most dropped / nothing dropped",
    costs[max(costs)][0] / costs[0.0][0],
    at_least=1.15,
)

# %%
SHOWN = budget((0.0, 2.0), *2 * [(0.0, 1.0, 2.0, 4.0)])
first = torch.zeros(300, dtype=torch.long)


def by(predict: Predict) -> Tensor:
    return few_steps(predict, crowd.float(), linear.alpha_bar, SMOOTH, second_order=True)


ends_known = exact(both, linear), exact(PARTS[0], linear)
rows = {"exact": {f"w = {w:g}": by(classifier_free(*ends_known, w)) for w in SHOWN}}
for share, learner in by_share.items():
    rows[f"{share:.0%} dropped"] = {f"w = {w:g}": by(learner.guided(first, w)) for w in SHOWN}
show.clouds(
    rows, marks=both.means, title="The class of two clouds, by what was dropped in training", reach=2.2
)

# %% [markdown]
# Look at the last number of each line, and at the second row of clouds. Where nothing was dropped in training, the row of the embedding for "none" is as it was on the first day: random numbers. With $w = 1$ nobody notices. But with $w = 0$ the network draws something that means nothing, without any warning,
# and guidance then walks away from *that*: with $w = 4$ most points are far from the class that was asked for.
#
# With a tenth dropped, the network draws both classes when it is told none, if a little blurred. With nine tenths it does so better. The price is paid by the prediction *with* the label, which then sees fewer examples. And look at the last column: both are further from the exact cloud than
# at $w = 1$. What the two predictions get wrong is multiplied by $w$ and $w - 1$, too.
#
# ## 4 · Digits
#
# Now the digits of the beginning. The network was trained like that of lesson 51, for as many steps, with a tenth of the labels dropped. First its loss on test digits: when it is told the label, when it is told none, and
# beside it the network of lesson 51, which knows of no labels.

# %%
model = ConditionalDDPM(model.network, chain, (1, 8, 8))  # with your methods
unlabelled: DDPM = trained("digit_ddpm")
test, answers = (part[: budget(20, 359, 359)].repeat(2, *[1] * (part.ndim - 1)) for part in digits("test"))
kinds = {
    "told none": model.told(torch.full_like(answers, 10)).predict,
    "no labels (lesson 51)": unlabelled.predict,
    "told the label": model.told(answers).predict,
    "told a wrong label": model.told((answers + 1) % 10).predict,
}
TIMES = budget((500,), *2 * [range(50, 900, 100)])
losses: dict[str, dict[float, float]] = {name: {} for name in kinds}
for t in TIMES:
    noise = torch.randn(test.shape, generator=torch.Generator().manual_seed(t))
    x_t = q_sample(test, t, noise, chain.alpha_bar)
    with torch.no_grad():
        for name, predict in kinds.items():
            losses[name][t] = float((predict(x_t, t) - noise).square().mean())
base = losses["no labels (lesson 51)"]
show.curves(
    {name: {t: loss / base[t] for t, loss in row.items()} for name, row in losses.items()},
    xlabel="t",
    ylabel="loss / that of lesson 51's network",
    title="What a label is worth, on test digits",
)

# %%
ratio = {name: sum(row[t] / base[t] for t in TIMES) / len(TIMES) for name, row in losses.items()}
for name, value in ratio.items():
    print(f"{name:22} loss, in units of lesson 51's network, mean over t: {value:.3f}")
measured("loss when told the label / of the network without labels", ratio["told the label"], at_most=0.9)
measured("loss when told none / of the network without labels", ratio["told none"], at_least=1.02)

# %% [markdown]
# Three things to see.
#
# - **The label helps where the noise is.** At small $t$ one sees what the digit is, and need not be told. Later one cannot see it any more, and the loss of the network that is told falls below that of the others. The gap between the two predictions *is* the hidden
#   classifier: where there is no gap, guidance does nothing.
# - **A wrong label does harm,** most of all in the middle, where the network trusts what it is told and could have known better.
# - **Without a label it is worse than the network of lesson 51**, most of all in the middle too. It had a tenth of the training for this task. With more steps, or with more labels dropped, that could be made up for. It is worth knowing, because guidance leans on this poorer half.
#
# Now draw. One label for each column, one $w$ for each row, and all in one column start from the same noise.

# %% picture
shown_w = budget((1.0, 3.0), *2 * [(0.0, 1.0, 2.0, 3.0, 5.0, 8.0)])
show.rows(
    {f"w = {w:g}": drawn(model.guided(twice, w), 20, seed=11) for w in shown_w},
    title="Asked for 0 0 1 1 2 2 … 9 9",
)

# %% [markdown]
# With $w = 0$ it draws what it likes, and some of that are no digits. (It is the poorer half.) With $w = 1$ each column shows what was asked for, or nearly so. With more, what tells a digit from the other nine is drawn more and more clearly: the hole in the zero,
# the open top of the four. And the two of a pair become more alike. At $w = 8$ some have grey patches where a real digit has none.
#
# First a guess at what this means in numbers.

# %% exercise
from minigen.exercises.lesson_55_classifier_free_guidance import what_recall_does

# %%
what_recall_does = check("what_recall_does", what_recall_does)

# %% [markdown]
# Now measure. A thousand digits for each $w$, a hundred of each class. Whether a digit is the one that was asked for is said by the independent judge of lesson 32: a classifier of clean digits that was trained before, on its own. No gradient went from it to
# this model, and the guidance does not know of it. First, how good a witness is it?

# %%
judge = DigitFeatures()
measured("accuracy of the judge on real test digits", judge.accuracy(*digits("test")), at_least=0.97)
everything = CLASSES.repeat(budget(2, 100, 100))
real = judge.features(digits("train")[0])


def spread_within(features: Tensor, labels: Tensor) -> Tensor:
    """Mean squared distance from the mean of their class: (10,)."""
    groups = [features[labels == k] for k in range(10)]
    return torch.stack([(group - group.mean(0)).square().sum(1).mean() for group in groups])


real_spread = spread_within(real, digits("train")[1])


def scores(predict: Predict, seed: int = 21) -> dict[str, float]:
    """What the judge says of a hundred digits of each class; variety: within a class, 1 is as in real digits."""
    features, p = judge.look(drawn(predict, len(everything), seed))
    right = float((p.argmax(1) == everything).double().mean())
    precision, recall = precision_recall(real, features)
    variety = float((spread_within(features, everything) / real_spread).mean())
    row = {"class accuracy": right, "precision": precision, "recall": recall, "variety": variety}
    return row | {"FID": fid(real, features)}


def printed(table: dict[str, dict[str, float]]) -> None:
    columns = list(next(iter(table.values())))
    print(" " * 26 + "".join(f"{column:>16}" for column in columns))
    for name, row in table.items():
        print(f"{name:26}" + "".join(f"{row[column]:16.3f}" for column in columns))


by_w = {
    w: scores(model.guided(everything, w)) for w in budget((1.0, 3.0), *2 * [(0.0, 1.0, 1.5, 2.0, 3.0, 5.0)])
}
printed({f"w = {w:g}": row for w, row in by_w.items()})

# %%
lines = {
    name: {w: row[name] for w, row in by_w.items()}
    for name in ("class accuracy", "precision", "recall", "FID")
}
show.curves(lines, xlabel="w", ylabel="share; FID: less is better", title="Right, real, varied: against w")

# %%
measured("class accuracy at w = 1", by_w[1.0]["class accuracy"])
measured("class accuracy at w = 3", by_w[3.0]["class accuracy"], at_least=0.97)
falling = [by_w[w]["recall"] for w in (1.0, 2.0, 3.0, 5.0) if w in by_w]
measured("recall at w = 1", falling[0])
measured("recall from the lowest w of 1, 2, 3, 5 to the highest", falling[-1] - falling[0], at_most=-0.1)
measured("recall, largest step up on that way", max(b - a for a, b in pairwise(falling)), at_most=0)
measured(
    "variety within a class at w = 3 / at w = 1", by_w[3.0]["variety"] / by_w[1.0]["variety"], at_most=0.8
)
measured("FID at w = 3 minus FID at w = 1", by_w[3.0]["FID"] - by_w[1.0]["FID"], at_least=0.15)

# %% [markdown]
# - **Class accuracy** is high without guidance already. A little of it makes all thousand right, or nearly all. After that there is nothing left to gain.
# - **Precision** rises at first: fewer digits that look like no real one.
# - **Recall** falls and falls, and so does the variety within a class. Each step of $w$ costs hands. The class accuracy does not see it: who asks for a seven and always gets the same one cannot complain about the *class*.
# - **FID** compares the whole crowd, so it dislikes guidance from the beginning. Of these values of $w$ it likes 1 best.
#
# And $w = 0$? Nobody asked for a class there, so a tenth is right by chance. Its recall is the highest of all, and yet its precision and its FID are poor. A reason could be seen in the losses: it had a tenth of the training, and so it draws more things between digits. (The network of lesson 51, trained for this alone and drawn from in the same way, had a far better FID in lesson 53.) And its variety means little: ten classes are mixed
# in each of ours.
#
# In the large models people like pictures with $w$ far above 1 better, and FID often falls at first. One reason: their task is much harder. With thousands of classes or with texts, the plain conditional model is far
# from knowing everything, and a picture that is typical beats one that is broken. Our digits are so easy that $w = 1$ is nearly right. Which $w$ is best depends on what you want, so measure both sides.
#
# ## 5 · Beside the others
#
# Is it better than the classifier of lesson 54? Here are a thousand digits for each of two scales of it: the network without labels, and the classifier of noisy images. On paper scale 1 and $w = 1$ are the same, Bayes' rule.

# %%
noisy_classifier = trained("digit_noisy_classifier")
wish = noisy_classifier.log_probability(everything)
by_classifier = {
    scale: scores(classifier_guided(unlabelled.predict, wish, chain.alpha_bar, scale))
    for scale in budget((1.0,), (1.0, 3.0), (1.0, 3.0))
}
printed(
    {f"no classifier, w = {w:g}": by_w[w] for w in by_w if w >= 1}
    | {f"classifier, scale {scale:g}": row for scale, row in by_classifier.items()}
)

# %%
plain, once = by_w[1.0], by_classifier[1.0]
for name in "class accuracy", "precision":
    measured(f"{name}: w = 1 minus classifier with scale 1", plain[name] - once[name], at_least=0.05)

# %% [markdown]
# On paper the same, and yet the classifier is right much less often. Its slope is that of a network which was trained to *name* classes, and nobody ever asked that the slope be right. The difference of two denoisers is made of answers that *are* slopes. (The denoisers are also larger
# networks than that classifier, and were trained for longer: 1,500 steps against 600.) A larger scale repairs the accuracy: with 3 it is above that of $w = 1$. But precision and FID stay behind.
#
# And beside the other models that draw what they are asked for? The last row goes into the table of all models (lesson 21).

# %%
torch.manual_seed(0)
guided_row = measured_model(
    "guided DDPM, w = 3", lambda n: drawn(model.guided(torch.randint(10, (n,)), 3.0), n, seed=31)
)
kept = results()
right = {
    "conditional VAE": kept.get("14_vae_latent_space", {}).get(
        "samples that the judge takes for the class that was asked for"
    ),
    "conditional WGAN-GP": kept.get("32_conditional_gan", {}).get(
        "class accuracy, by a judge that the GAN never saw"
    ),
    "guided DDPM, w = 3": by_w[3.0]["class accuracy"],
}
entries = {entry["model"]: entry for entry in measured_models([guided_row | {"lesson": "55"}])}
print(f"{'model':20}    FID   precision  recall   class accuracy")
for name, share in right.items():
    if name in entries and share is not None:
        row = entries[name]
        print(f"{name:20} {row['fid']:6.3f}  {row['precision']:9.3f}  {row['recall']:6.3f}   {share:.3f}")
for w in (1.0, 1.5):
    if w in by_w:
        print(
            f"the same, w = {w:<6g} {by_w[w]['FID']:6.3f}  {by_w[w]['precision']:9.3f}  {by_w[w]['recall']:6.3f}   {by_w[w]['class accuracy']:.3f}"
        )

# %% [markdown]
# The rows of other lessons are what their authors measured. With $w = 3$ this is *not* a better model than the GAN: it is always right, and it has a higher FID and less recall. Without guidance it is better in both, and a little less often right. What guidance
# adds is the knob: one network and one training give all these rows, and a little of it is enough to be right more often than the GAN with more recall, if with a slightly higher FID. The GAN had a knob too, the size of its noise. And it needs one call for a digit, where guidance needs two in each of 20 steps.
#
# ## 6 · Other ends, and other times
#
# Nothing says that the prediction one walks away from has to be that of *nothing*. If it is told another label, or another text, one walks away from that: this is called a **negative prompt**. And between the two ends
# lie mixtures.

# %%
four, nine = torch.full((14,), 4), torch.full((14,), 9)
four_predicts, nine_predicts = model.told(four).predict, model.told(nine).predict
mixtures = {
    f"{name}": drawn(classifier_free(four_predicts, nine_predicts, w), 14, seed=41)
    for name, w in {"4, w = −1": -1.0, "w = 0": 0.0, "w = 0.5": 0.5, "w = 1": 1.0, "9, w = 2": 2.0}.items()
}
show.rows(mixtures, title="From 4 to 9, and beyond both: the two ends are told 4 and 9")

# %% [markdown]
# At $w = 2$ it is a nine and *not a four*: what the two have in common is left alone, and what tells them apart is drawn more clearly. Look at the top, which is open in the first row and closed in the last.
#
# And is guidance needed all the time? Kynkäänniemi and others (2024) guide only in an interval of the times, in the middle. At large $t$, they found for photographs, guidance does harm, since it decides too early for one of a few pictures; at small $t$
# it is of no use. Which times matter here?


# %%
def within(first: int, last: int, w: float) -> Predict:
    """Guided for first < t <= last, and not guided else."""
    on, off = model.guided(everything, w), model.told(everything).predict
    return lambda x_t, t: (on if first < t <= last else off)(x_t, t)


cuts = budget(((0, 1000),), *2 * [((0, 300), (300, 600), (600, 1000))])
at_times = {f"w = 3 for {a} < t <= {b}": scores(within(a, b, 3.0)) for a, b in cuts}
printed({f"w = {w:g} always": by_w[w] for w in by_w if w >= 1} | at_times)

# %%
least = min(row["class accuracy"] for row in at_times.values())
measured("guided in one of three intervals: least class accuracy", least, at_least=0.975)
poorest = min(row["recall"] for row in at_times.values())
measured(
    "recall: guided in an interval (the least) minus always, w = 3",
    poorest - by_w[3.0]["recall"],
    at_least=0.05,
)

# %% [markdown]
# *Any* third of the way is enough to make nearly all digits right, and costs less recall than guidance all the time. But compare with $w = 1.5$ all the time: for these digits no interval is better than that in every column. And the middle is nothing special: its FID is the highest of the three. Even the last 300 steps of the way, where the label hardly lowers the loss, are enough to make the digits right. What was found for photographs need not hold for
# digits of 64 pixels; it takes three lines to find out.
#
# ## What goes wrong in practice
#
# - **w and w − 1.** Two ways of counting are in use. Draw once with what should be "off", and compare it with the plain conditional model.
# - **All labels of a batch dropped at once.** The share is right, and the steps teach one thing or the other.
# - **Nothing dropped, and still asked for nothing.** An untrained row answers. No error, no warning; the pictures are only worse. Look at what $w = 0$ draws.
# - **A label for none that is a class.** 0, or the last one. The model then walks away from the zeros.
# - **The label scaled, not the difference.** $w \cdot \varepsilon$ is a prediction of too much noise. It is wrong by the same factor whatever the class is.
# - **Too large a w.** Pictures become alike, and grey patches appear where real ones have none. In large models the colours saturate, even with clipping; they scale the prediction back to its old size or range.
# - **Accuracy alone.** Here it is 1 from $w = 2$ on and stays there, while recall goes on falling. Ask for the recall beside it.
# - **Two calls in each step.** Guidance doubles the price. Both halves can go through the network as one batch; or one distils the guided model into a network that needs one call (Meng and others, 2023).
# - **Guidance on top of guidance.** Some published models have guidance built in by distillation. Guide such a model again, and it is too much.
#
# ## Where to read on
#
# - Ho and Salimans (2022), *Classifier-Free Diffusion Guidance*: both algorithms in a few lines each. Mind their $w$.
# - Dhariwal and Nichol (2021), *Diffusion Models Beat GANs on Image Synthesis*: the classifier of lesson 54.
# - Nichol and others (2022), *GLIDE: Towards Photorealistic Image Generation and Editing with Text-Guided Diffusion Models*: texts in the place of labels.
# - Kynkäänniemi, Aittala, Karras, Laine, Aila and Lehtinen (2024), *Applying Guidance in a Limited Interval Improves Sample and Distribution Quality in Diffusion Models*.
# - Karras, Aittala, Kynkäänniemi, Lehtinen, Aila and Laine (2024), *Guiding a Diffusion Model with a Bad Version of Itself*: away from a worse network, not from no label.
# - Bradley and Nakkiran (2024), *Classifier-Free Guidance is a Predictor-Corrector*; Chidambaram, Gatmiry, Chen, Lee and Lu (2024), *What does guidance do? A fine-grained analysis in a simple setting*: why the tilted density is not what comes out.
# - Meng, Rombach, Gao, Kingma, Ermon, Ho and Salimans (2023), *On Distillation of Guided Diffusion Models*.

# %%
progress()
