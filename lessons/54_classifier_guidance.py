# %% [markdown]
# # 54 · Asking a classifier for directions
#
# **How do you make a model that knows no classes draw a seven?** The network of lesson 51 has never seen a label. It draws whatever it likes, and which digit
# that is, the noise decides: you see ten of them in the first row. The other rows come from the *same* network and the same noise. Not one of its weights
# was changed. Yet the second row is one of sevens, the third of threes and the last of zeros. (A few are poor. Part 4 counts.)
#
# What happened is that a second network was asked in each step. It is a classifier, it cannot draw at all, and it was asked one question only: *in which direction
# would this look more like a seven?* This is **classifier guidance** (Dhariwal and Nichol, 2021), the method with which diffusion models beat the best GANs
# on *large* photographs of a thousand classes.
#
# About 75 minutes · 6 exercises · needs: lessons 50 to 53; the judge of digits from lesson 20, precision and recall from lesson 21.

# %%
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigen import guidance, show
from minigen.core import Generative, budget
from minigen.course import check, hint, measured, progress, solution
from minigen.data import GaussianMixture, batches, digits
from minigen.diffusion import (
    Predict,
    Schedule,
    Times,
    at,
    cosine_betas,
    data_from_noise,
    exact_noise,
    noisy_mixture,
    q_sample,
)
from minigen.features import Classifier, DigitFeatures
from minigen.guidance import Score
from minigen.layers import downsample
from minigen.metrics import fid, precision_recall
from minigen.recipes import trained
from minigen.samplers import ancestral, few_steps, step_back
from minigen.train import train
from minigen.unet import ResidualBlock, time_embedding

# %%
ddpm = trained("digit_ddpm")  # the network of lesson 51: it knows no classes
chain = ddpm.schedule
STEPS = budget(2, 20, 20)


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def predict_digits(x_t: Tensor, t: Times) -> Tensor:
    return ddpm.predict(x_t, t)


def drawn(predict: Predict, n: int, seed: int) -> Tensor:
    """n digits (n, 1, 8, 8) in [-1, 1], by the sampler of lesson 53; the seed decides on all noise."""
    generator = torch.Generator().manual_seed(1000 + seed)

    def fresh(t: int) -> Tensor:
        return torch.randn(n, 1, 8, 8, generator=generator)

    x = few_steps(
        predict,
        normal(n, 1, 8, 8, seed=seed),
        chain.alpha_bar,
        STEPS,
        1.0,
        fresh,
        second_order=True,
        clip=True,
    )
    return x.clamp(-1, 1)


helper = trained("digit_noisy_classifier")
rows = {"as they come": drawn(predict_digits, 10, seed=5)}
for k in budget((7,), (7, 3, 0), (7, 3, 0)):
    asked = helper.log_probability(torch.full((10,), k))
    bent = guidance.classifier_guided(predict_digits, asked, chain.alpha_bar, scale=5.0)
    rows[f"asked for {k}"] = drawn(bent, 10, seed=5)
show.rows(rows, title="One network that knows no classes, the same noise down each column")

# %% [markdown]
# ## 1 · Bayes' rule, for slopes
#
# What does the sampler of lesson 52 need? The score: the slope $\nabla_{x_t} \log p(x_t)$ of the density of noisy images, by which the step back climbs to where there is
# data. To draw sevens, we need the slope for sevens alone, $\nabla_{x_t} \log p(x_t \mid y)$. Bayes' rule says how the two belong together:
#
# $$ p(x_t \mid y) = \frac{p(x_t)\; p(y \mid x_t)}{p(y)} . $$
#
# Take the logarithm, and then the slope in $x_t$. The last term, $\log p(y)$, is the same for all images, so it has none:
#
# $$ \nabla \log p(x_t \mid y) = \nabla \log p(x_t) + \nabla \log p(y \mid x_t) . $$
#
# The first term is what the network knows already. The second is the slope of a **classifier**: of a network to which you show a *noisy* image, and which
# says how probable each class is. Nothing is left to be trained but that. One thing looks unusual: a classifier's slope in training is taken in its
# weights. Here the weights stay as they are, and the slope is taken in the *image*.
#
# **Your turn.** In goes a function that gives the log-probability of the class wanted for each image, (N,); and noisy images and their times. Out
# comes the slope for each image, of the shape of the images. Three things to take care of: `torch.autograd.grad` wants a single number to differentiate; samplers
# run with gradients switched off; and neither the classifier nor the image that you are given should keep a trace of your question.

# %% exercise
from minigen.guidance import classifier_gradient

# %%
classifier_gradient = check("classifier_gradient", classifier_gradient)

# %% [markdown]
# Now test the claim where all of it is known. Two classes in the plane: *a* is two Gaussians, with 30 % of the points, and *b* is one, with the
# rest. At each noise level both are mixtures again (lesson 50), so scores and class probabilities are known exactly. The two sides of the formula
# should agree to many digits.

# %%
PARTS = {
    "a": GaussianMixture(torch.tensor([[-1.1, -0.3], [0.3, 0.9]]), stds=torch.tensor([0.25, 0.35])),
    "b": GaussianMixture(torch.tensor([[0.6, -0.4]]), stds=0.45),
}
SHARES = {"a": 0.3, "b": 0.7}
both = GaussianMixture(
    torch.cat([part.means for part in PARTS.values()]),
    covariances=torch.cat([part.covariances for part in PARTS.values()]),
    weights=torch.cat([SHARES[name] * part.weights for name, part in PARTS.items()]),
)


def log_class(name: str, schedule: Schedule = chain) -> Score:
    """log p(y | x_t) of one of the two classes, by Bayes' rule."""

    def log_probability(x_t: Tensor, t: int) -> Tensor:
        a_bar = schedule.alpha_bar[t].item()
        logs = {k: noisy_mixture(part, a_bar).log_density(x_t) for k, part in PARTS.items()}
        joint = torch.stack([logs[k] + math.log(SHARES[k]) for k in PARTS])  # (2, N)
        return joint.log_softmax(0)[list(PARTS).index(name)]

    return log_probability


places, apart = 1.5 * normal(200, 2, seed=0).double(), 0.0
for t in 1, chain.steps // 4, chain.steps // 2, chain.steps - 1:
    a_bar = chain.alpha_bar[t].item()
    for name, part in PARTS.items():
        slope = classifier_gradient(log_class(name), places, t)
        added = noisy_mixture(both, a_bar).score(places) + slope
        apart = max(apart, float((added - noisy_mixture(part, a_bar).score(places)).abs().max()))
measured("largest difference of both sides, float64", apart, at_most=1e-10)

# %% [markdown]
# ## 2 · Bending the prediction
#
# Our networks predict noise, not scores. But `exact_noise` of lesson 52 was made of a score: the score of $x_t$ is the noise in it, on average, over $-\sqrt{1 - \bar\alpha_t}$. So whoever adds something to the score
# has changed the predicted noise. And if we hand the sampler a *changed prediction*, the sampler itself can stay as it is: 1,000 steps or 20, with fresh noise or
# without. That is what algorithm 2 of the paper does.
#
# With one more number in it, the **scale** $s$, which multiplies the classifier's slope. $s = 0$ is no guidance, $s = 1$ is Bayes' rule. With
# $s > 1$ we ask for more than the rule says. We shall see what that gives.
#
# **Your turn, a repair.** A prediction goes in, and the log-probability of the classes wanted. A new prediction comes out. A colleague has thought: "A classifier
# should look at pictures, not at noise! The denoiser says at any time what the picture will be, so let us show it that." It runs, and digits drawn with it are of their class. But with $s = 1$ it is
# not Bayes' rule, and it is slow: the denoiser stands in the graph a second time, and the slope runs back through all of it.

# %% exercise
from minigen.guidance import classifier_guided

# %%
classifier_guided = check("classifier_guided", classifier_guided)


# %% [markdown]
# With $s = 1$ the new prediction should be the exact noise of the class. We compare it with what it was before your repair.


# %%
def exact_both(x_t: Tensor, t: int) -> Tensor:
    return exact_noise(x_t, t, both, chain.alpha_bar)


def finished(predict: Predict, log_probability: Score) -> Score:
    """Asks about the picture that is predicted: what the code did before your repair."""

    def of_the_picture(x_t: Tensor, t: Times) -> Tensor:
        return log_probability(data_from_noise(x_t, predict(x_t, t), t, chain.alpha_bar), t)

    return of_the_picture


off = {"after the repair": 0.0, "before": 0.0}
for t in 1, chain.steps // 4, chain.steps // 2, chain.steps - 1:
    wanted = exact_noise(places, t, PARTS["a"], chain.alpha_bar)
    asks = log_class("a"), finished(exact_both, log_class("a"))
    for name, ask in zip(off, asks, strict=True):
        found = classifier_guided(exact_both, ask, chain.alpha_bar)(places, t)
        off[name] = max(off[name], float((found - wanted).abs().max()))
measured("scale 1, after the repair: largest error of the noise", off["after the repair"], at_most=1e-10)
measured("scale 1, before: largest error of the noise", off["before"], at_least=0.3)

# %% [markdown]
# And a scale above 1? First a guess about the force that it multiplies.

# %% exercise
from minigen.exercises.lesson_54_classifier_guidance import push_when_sure

# %%
push_when_sure = check("push_when_sure", push_when_sure)

# %%
z = torch.tensor([0.5, 0.999], dtype=torch.float64).logit().requires_grad_()  # p = 0.5 at A, 0.999 at B
(force,) = torch.autograd.grad(F.logsigmoid(z).sum(), z)
print(f"slope of log p at A: {force[0]:.3f}, at B: {force[1]:.3f}; A / B = {force[0] / force[1]:.0f}")

# %% [markdown]
# So guidance is strongest where the classifier sees another class, still strong where it is in doubt, and lets go where the class is clear. A large scale mostly means:
# leave the wrong and the doubtful places, and go on pushing a little longer when it is nearly clear. Let us draw points with it. Each cloud begins with the same noise; the crosses are the means
# of the three Gaussians. In the table below the picture, *belongs to a* is the mean probability of a, and *spread* the root of the sum of both variances.

# %%
POINTS = budget(100, 2000, 2000)
start = normal(POINTS, 2, seed=1).double()


def fresh_points(seed: int) -> Callable[[int], Tensor]:
    """noise(t) for a sampler of points: another draw from N(0, I) at each call."""
    generator = torch.Generator().manual_seed(seed)
    return lambda t: torch.randn(start.shape, generator=generator, dtype=start.dtype)


def cloud(name: str, scale: float) -> Tensor:
    predict = classifier_guided(exact_both, log_class(name), chain.alpha_bar, scale)
    return few_steps(
        predict, start, chain.alpha_bar, budget(3, 100, 100), 1.0, fresh_points(2), second_order=True
    )


clouds = {}
for name, part in PARTS.items():
    clouds[f"asked for {name}"] = {f"scale {scale}": cloud(name, scale) for scale in (0, 1, 3)}
    clouds[f"asked for {name}"]["the class itself"] = part.sample(
        POINTS, torch.Generator().manual_seed(3)
    ).double()
show.clouds(clouds, marks=both.means, title="Exact predictions, exact classifier", reach=2.2)

# %%
print("asked for a     belongs to a   spread   share in the left blob")
of_a = {}
for column, points in clouds["asked for a"].items():
    belongs, spread = log_class("a")(points, 1).exp().mean(), points.var(0).sum().sqrt()
    left = (points[:, 0] < -0.5).double().mean()
    of_a[column] = [float(number) for number in (belongs, spread, left)]
    print(f"{column:16}" + "   ".join(f"{number:9.3f}" for number in of_a[column]))
exact, guided_once, guided_more = (of_a[k] for k in ("the class itself", "scale 1", "scale 3"))
measured(
    "scale 1: |probability of a − that of the class itself|", abs(guided_once[0] - exact[0]), at_most=0.03
)
measured("scale 1: |spread − that of the class itself|", abs(guided_once[1] - exact[1]), at_most=0.05)
measured("probability of a, scale 3 minus the class itself", guided_more[0] - exact[0], at_least=0.03)
measured("share in the left blob, scale 3 minus the class itself", guided_more[2] - exact[2], at_least=0.05)

# %% [markdown]
# Scale 0 draws both classes. With scale 1 the cloud *is* the class, as far as the eye and these numbers can tell. With scale 3 it is "more than the class": it keeps away from the places that *a* and
# *b* share, so nearly each of its points could be told from *b*. Look at what that costs. Of the two blobs of *a*, the one on the left is farther from *b*, and it gets
# more points than it should have. Guidance prefers what is *typical against the others*. Remember it when you see very typical pictures.
#
# ## 3 · A classifier of noisy images
#
# For digits there is no exact classifier. We train one, and it has to do something that no classifier so far could do: name the digit in $x_t$, for *every* $t$ that the sampler comes through, with a
# little noise and with nearly nothing but noise. So we show it such images, and tell it $t$, as we did with the denoiser. Its network is half of a U-Net: the way down, and then a linear
# layer.
#
# What should it say when there is hardly anything to see? Cross-entropy takes care of that. It is smallest when the probabilities are *honest*: where the digit cannot be known, one tenth for
# each class.
#
# **Your turn.** A batch of images and their labels goes in; the loss comes out. Each image gets a time of its own. Here $t = 0$ is of use as well: there is no noise to be predicted in it, but there is a class to be
# named.

# %% exercise
from minigen.guidance import NoisyClassifier

# %%
NoisyClassifier = check("NoisyClassifier", NoisyClassifier)

# %%
x, labels = digits("train")
torch.manual_seed(0)
for _, _, averaged in train(NoisyClassifier(chain), batches(x, labels), budget(2, 600, 3000), lr=2e-3):
    pass
noisy = averaged.cpu().eval().requires_grad_(False)

# %% [markdown]
# How good is it, and how good does it believe itself to be? For test digits at each noise level: the share that it names rightly, and the probability that it gives to its own answer, on average.

# %%
test, test_labels = digits("test")
LEVELS = budget((1, 500, 900), (1, *range(100, 1000, 100), 999), (1, *range(100, 1000, 100), 999))


@torch.no_grad()
def examined(logits: Callable[[Tensor, Tensor], Tensor]) -> tuple[dict[int, float], dict[int, float]]:
    """{t: the share that is right} and {t: the mean probability of its answer} on noisy test digits."""
    right, sure = {}, {}
    for t in LEVELS:
        four = test.repeat(4, 1, 1, 1)  # four draws of noise for each digit
        x_t = q_sample(four, t, normal(*four.shape, seed=t), chain.alpha_bar)
        p, answer = logits(x_t, torch.full((len(x_t),), t)).softmax(1).max(1)
        right[t], sure[t] = float((answer == test_labels.repeat(4)).double().mean()), float(p.double().mean())
    return right, sure


right, sure = examined(noisy)
show.curves(
    {"right": right, "believes itself right": sure},
    xlabel="t",
    ylabel="share of test digits",
    title="The classifier of noisy digits",
)

# %%
gap = max(abs(right[t] - sure[t]) for t in LEVELS)
measured("accuracy on test digits at t = 1", right[1], at_least=0.95)
measured("accuracy at t = 500", right[500], at_least=0.65)
measured("accuracy at t = 900", right[900], at_most=0.3)
measured("largest difference of what it believes and what is true", gap, at_most=0.1)

# %% [markdown]
# It falls, at last nearly to a tenth, as it must: at the end there is nothing to see. What counts more is that the two curves nearly coincide: at each noise level it is about as sure as it may be. Only at the very end it is a little too sure. Bayes' rule wants *probabilities*, not answers.
#
# And its slopes? One test digit, at three noise levels, and the slope for each of the ten classes. Grey is 0; where it is bright, more ink would help that class, and where it is dark, less. Each
# row is scaled by itself.

# %%
one = int((test_labels == 3).nonzero()[0])


def slopes_of(log_probability: Callable[[Tensor], Score], t: int) -> Tensor:
    """The digit, x_t, and its slope towards each class: (12, 1, 8, 8) in [-1, 1]."""
    x_t = q_sample(test[one : one + 1], t, normal(1, 1, 8, 8, seed=3), chain.alpha_bar)
    slope = classifier_gradient(log_probability(torch.arange(10)), x_t.expand(10, -1, -1, -1), t)
    return torch.cat([test[one : one + 1], x_t.clamp(-1, 1), slope / slope.abs().max()])


def slopes_at(log_probability: Callable[[Tensor], Score], times: tuple[int, ...], title: str):
    pictures = torch.cat([slopes_of(log_probability, t) for t in times])
    names = [n for t in times for n in ("a 3", f"t = {t}", *(f"to {k}" for k in range(10)))]
    return show.grid(pictures, columns=12, labels=names, title=title)


SEEN = budget((300,), (100, 300, 600), (100, 300, 600))
slopes_at(noisy.log_probability, SEEN, "Where ink should come and go, for each class")

# %% [markdown]
# Towards 3 there is nothing to be seen in the first rows: the classifier is sure of the 3 already, and lets go. With more noise it is in doubt, and pushes.
#
# The slopes are no digits, and they need not be. What a digit looks like is the denoiser's part. The classifier only says what would tell this class from the others.
#
# ## 4 · Digits by request
#
# The judge of digits from lesson 20 is **independent**: it was trained before, on real digits, no slope was ever taken from it, and it chose nothing here. (It learned from the same digits as our networks. What counts is that none of them has
# learned from another.) How good a witness is it?

# %%
judge = DigitFeatures()
measured("accuracy of the judge on real test digits", judge.accuracy(test, test_labels), at_least=0.97)

# %%
N = budget(20, 1000, 1000)
everything = torch.arange(10).repeat(N // 10)  # as many of each class
real_seen = judge.features(x)


def scores(images: Tensor) -> dict[str, float]:
    """What the judge says of N images, asked for in the order of `everything`."""
    features, p = judge.look(images)
    precision, recall = precision_recall(real_seen, features)
    accuracy = float((p.argmax(1) == everything).double().mean())
    return {"accuracy": accuracy, "fid": fid(real_seen, features), "precision": precision, "recall": recall}


def table(rows: dict[str, dict[str, float]]) -> None:
    print(" " * 34 + "  ".join(f"{column:>9}" for column in next(iter(rows.values()))))
    for name, row in rows.items():
        print(f"{name:34}" + "  ".join(f"{value:9.3f}" for value in row.values()))


SCALES = 0, 1, 3, 10
made = {}
for scale in SCALES:
    asked = noisy.log_probability(everything)
    made[scale] = drawn(classifier_guided(predict_digits, asked, chain.alpha_bar, scale), N, seed=0)

# %% picture
show.rows(
    {f"scale {scale}": made[scale][:10] for scale in SCALES} | {f"scale {scale}, again": made[scale][10:20] for scale in SCALES},
    title="Asked for 0, 1, 2, … 9; the same noise down each column",
)  # fmt: skip

# %%
measures = {scale: scores(images) for scale, images in made.items()}
table({f"scale {scale}": row for scale, row in measures.items()})
lines = {
    name: {scale: row[name] for scale, row in measures.items()}
    for name in ("accuracy", "precision", "recall")
}
figure = show.curves(
    lines,
    xlabel="scale of the classifier",
    ylabel="share",
    title="A classifier guides a model that knows no classes",
)
figure.axes[0].set_ylim(0, 1.03)
figure

# %%
plain, once, strong = (measures[scale] for scale in (0, 1, 10))
measured("class accuracy without guidance", plain["accuracy"], at_most=0.15)
measured("class accuracy, scale 1", once["accuracy"], at_least=0.75)
measured("class accuracy, scale 3", measures[3]["accuracy"], at_least=0.95)
measured(
    "class accuracy, scale 3 minus without guidance",
    measures[3]["accuracy"] - plain["accuracy"],
    at_least=0.8,
)
measured("recall, scale 10 minus scale 1", strong["recall"] - once["recall"], at_most=-0.05)
measured("precision, scale 10 minus scale 1", strong["precision"] - once["precision"], at_least=0.03)
measured("FID, scale 10 / scale 1", strong["fid"] / once["fid"], at_least=1.5)

# %% [markdown]
# The network that never saw a label draws what is asked for. Three remarks.
#
# - **Scale 1 should be enough, and is not.** On the plane it gave the class exactly. Here neither network is exact. The classifier's *probabilities* are nearly honest, but what guides is their *slope*, and no loss has ever
#   looked at that: probably that is why. (More steps do not help.) A larger scale makes up for it. (The paper needs one as well, and says so.)
# - **More scale, less variety.** From scale 1 on, accuracy and precision rise, and recall falls. As on the plane: the typical is preferred, and what could be mistaken for another class is given up.
# - **FID gets worse** from there on. It compares the whole crowd with real digits, and a crowd of typical digits is not what people write. Which scale is best depends on what you want, and
#   you should say which one you used.
#
# And what of the version before the repair? We ask it for some digits, and time both on one step of the walk: the quickest of a few tries, as a computer has other things to do as well.

# %%
few = budget(10, 200, 200)
asked = noisy.log_probability(everything[:few])
seconds = {}
for name, ask in {"after the repair": asked, "before the repair": finished(ddpm.predict, asked)}.items():
    predict, tries = classifier_guided(predict_digits, ask, chain.alpha_bar, 3.0), []
    images = drawn(predict, few, seed=1)
    share = judge.accuracy(images, everything[:few])
    measured(f"class accuracy, scale 3, {few} digits, {name}", share, at_least=0.9)
    for _ in range(budget(2, 10, 10)):
        since = time.perf_counter()
        predict(images, chain.steps // 2)
        tries.append(time.perf_counter() - since)
    seconds[name] = min(tries)
slower = seconds["before the repair"] / seconds["after the repair"]
measured("time of a step, before the repair / after", slower)

# %% [markdown]
# No picture and no class accuracy gives this fault away. A denoiser that predicts well hands the classifier something that it can name, even if it is told the wrong $t$. Only the plane, where the truth is known, and the clock show it. We come back to the idea in
# part 6, since with another classifier it is a good one.
#
# ## 5 · Algorithm 1: move the mean
#
# The paper has two algorithms. The second is what you have written. The first is for the sampler of lesson 52, and it does not speak of scores. A step back draws $x_{t-1}$ from a Gaussian with mean μ and variance Σ. For class $y$ its
# density has to be multiplied by $p(y \mid x_{t-1})$. That is no Gaussian any more; but a step is small, and over such a small distance $\log p(y \mid \cdot)$ is nearly a plane with slope $g$. And a Gaussian times $e^{g \cdot x}$ is the
# same Gaussian, **moved by Σ g**. So: go where the denoiser says, and then $s\, \Sigma\, \nabla \log p(y \mid x_t)$ further. Where a step is wide, there is room to give way to the classifier; where it is narrow, there is not.
#
# **Your turn.** Write it as a prediction of the noise again, so that samplers do not change: which noise has to be predicted for `step_back` (lesson 52, imported above) to end at the mean that is moved? In go the prediction, the log-probability, the schedule, the table of Σ
# and the scale.

# %% exercise
from minigen.guidance import classifier_shifted

# %%
classifier_shifted = check("classifier_shifted", classifier_shifted)

# %% [markdown]
# How far apart are the two algorithms? We compare by how much each of them bends the prediction, with Σ = β.

# %%
differences, moves = [], []
for t in 2, chain.steps // 2, chain.steps - 1:
    noise_hat = exact_both(places, t)
    first = classifier_shifted(exact_both, log_class("a"), chain, chain.beta)(places, t)
    second = classifier_guided(exact_both, log_class("a"), chain.alpha_bar)(places, t)
    differences.append((first - noise_hat - chain.alpha[t].sqrt() * (second - noise_hat)).abs().max())
    moved = step_back(places, first, t, chain) - step_back(places, noise_hat, t, chain)
    slope = classifier_gradient(log_class("a"), places, t)
    moves.append((moved - chain.beta[t] * slope).abs().max())
measured("mean of the step, moved: largest difference from Σ times the slope", max(moves), at_most=1e-10)
measured("algorithm 1 − √α · algorithm 2, largest difference", max(differences), at_most=1e-10)
print(
    "√α at t = 2, 500, 999:",
    [round(float(chain.alpha[t].sqrt()), 4) for t in (2, chain.steps // 2, chain.steps - 1)],
)

# %% [markdown]
# With Σ = β, one is the other times $\sqrt{\alpha_t}$, and that is nearly 1 but for the steps next to $T$. So it is the same method. The second form is the useful one: it needs neither Σ nor a step of length 1.
#
# With 200 long steps, does it draw the class too?

# %%
short = Schedule(cosine_betas(budget(20, 200, 200)))


def exact_short(x_t: Tensor, t: int) -> Tensor:
    return exact_noise(x_t, t, both, short.alpha_bar)


for kind, variances in {"β": short.beta, "β̃": short.variance}.items():
    predict = classifier_shifted(exact_short, log_class("a", short), short, variances)
    points = ancestral(predict, start, short, fresh_points(4), variances)
    belongs = float(log_class("a")(points, 1).exp().mean())
    measured(
        f"algorithm 1, Σ = {kind}: |probability of a − that of the class itself|",
        abs(belongs - exact[0]),
        at_most=0.05,
    )

# %% [markdown]
# It does, with both tables.
#
# ## 6 · A classifier that never saw noise
#
# Classifiers of clean images are everywhere, and a classifier of noisy ones has to be trained for each chain. Could we not take one of the first kind? First a guess.

# %% exercise
from minigen.exercises.lesson_54_classifier_guidance import sure_of_noise

# %%
sure_of_noise = check("sure_of_noise", sure_of_noise)

# %%
torch.manual_seed(1)
for _, _, averaged in train(Classifier(), batches(x, labels), budget(2, 300, 1500), lr=2e-3):
    pass
clean = averaged.cpu().eval().requires_grad_(False)  # neither the judge nor related to it
measured("accuracy of the clean classifier on test digits", clean.accuracy(test, test_labels), at_least=0.95)
clean_right, clean_sure = examined(lambda x_t, t: clean(x_t))
show.curves(
    {
        "noisy: right": right,
        "noisy: believes": sure,
        "clean: right": clean_right,
        "clean: believes": clean_sure,
    },
    xlabel="t",
    ylabel="share of test digits",
    title="Trained on noisy digits, and on clean ones",
)

# %%
measured("clean classifier at t = 900: believes itself right", clean_sure[900], at_least=0.6)
measured("clean classifier at t = 900: is right", clean_right[900], at_most=0.25)
measured("accuracy at t = 500, noisy minus clean", right[500] - clean_right[500], at_least=0.04)

# %% [markdown]
# On clean digits the two are equals. With noise the clean one is worse, which is no wonder. But look at the other curve: it *believes* itself right all the way, even where nothing is left to see. At $t = 900$ it is sure of some class, by chance. If that is not the one
# wanted, it pushes with all its force; and if it is, it lets go, long before there is any digit.


# %%
def log_clean(wanted: Tensor) -> Score:
    """log p(y | x_t) as the clean classifier sees it: it is not told the time."""

    def log_probability(x_t: Tensor, t: Times) -> Tensor:
        return clean(x_t).log_softmax(1).gather(1, wanted[:, None]).squeeze(1)

    return log_probability


by_clean = {}
for scale in SCALES[1:]:
    predict = classifier_guided(predict_digits, log_clean(everything), chain.alpha_bar, scale)
    by_clean[scale] = drawn(predict, N, seed=0)
clean_measures = {scale: scores(images) for scale, images in by_clean.items()}
table(
    {f"noisy classifier, scale {s}": row for s, row in measures.items() if s}
    | {f"clean classifier, scale {s}": row for s, row in clean_measures.items()}
)

# %%
show.rows(
    {f"noisy, {s}": made[s][:12] for s in (1, 3)} | {f"clean, {s}": by_clean[s][:12] for s in (1, 3)},
    title="Guided by the classifier of noisy digits, and by that of clean ones; the same noise",
)

# %% [markdown]
# Who is satisfied with the digits that the clean classifier has guided? Ask the judge, and ask the clean classifier itself.

# %%
itself = {scale: clean.accuracy(images, everything) for scale, images in by_clean.items()}
for scale in by_clean:
    print(
        f"scale {scale:2}: the judge {clean_measures[scale]['accuracy']:.3f}, the clean classifier itself {itself[scale]:.3f}"
    )
boast = itself[3] - clean_measures[3]["accuracy"]
measured("guided by the clean one, scale 3: its own opinion − the judge's", boast, at_least=0.02)
other = clean.accuracy(made[3], everything) - measures[3]["accuracy"]
measured("guided by the noisy one, scale 3: the clean one's opinion − the judge's", abs(other), at_most=0.015)
measured(
    "class accuracy, scale 1, noisy minus clean",
    measures[1]["accuracy"] - clean_measures[1]["accuracy"],
    at_least=0.02,
)
measured("FID, scale 1, clean / noisy", clean_measures[1]["fid"] / measures[1]["fid"], at_least=1.5)

# %% [markdown]
# It does guide. The denoiser may repair much of what it spoils. But at each scale here fewer digits are right, and the crowd is farther from real digits where the guidance is weak. And it is *proud*: of
# its own work it thinks better than the judge does. Some of the digits please the guide and nobody else: it has found, as slopes do, a change of the pixels that moves the classifier and not the digit. Such changes are known as adversarial examples, and
# the larger the pictures, the more room there is for them. For the same reason a guide must never be the judge. (It had no hand in the digits of part 4, and on those it agrees with the judge.)
#
# There is a better use for it, and it is the colleague's idea. A clean classifier should see clean pictures, and the denoiser predicts some in each step. The slope then has to run through the denoiser, for a
# prediction made of $x_t$. This is known as *universal guidance* (Bansal and others, 2023), and works with anything that has a slope.

# %%
predict = classifier_guided(
    predict_digits, finished(ddpm.predict, log_clean(everything)), chain.alpha_bar, 3.0
)
universal = drawn(predict, N, seed=0)
through = scores(universal)
table(
    {
        "noisy classifier, scale 3": measures[3],
        "clean, shown x_t, scale 3": clean_measures[3],
        "clean, shown the prediction, 3": through,
    }
)
measured("class accuracy, clean, scale 3, shown the prediction", through["accuracy"], at_least=0.93)
measured("the same minus shown x_t", through["accuracy"] - clean_measures[3]["accuracy"], at_least=0.01)
measured(
    "FID, shown the prediction − noisy classifier, scale 3", through["fid"] - measures[3]["fid"], at_most=0.02
)
measured(
    "precision, shown the prediction − noisy classifier, scale 3",
    through["precision"] - measures[3]["precision"],
    at_most=0,
)

# %% [markdown]
# So the fault of part 2 was not to ask about the finished picture. It was to ask a classifier of *noisy* images about it, to tell it the wrong time, and to call it Bayes' rule. As a method it is sound where the classifier fits, and it costs a slope through the denoiser in each step. Its FID and recall
# at this scale are no worse; fewer digits are right, and precision is lower. (With $s = 1$ it still is no Bayes' rule: the probability of the class given the *mean* picture is not the mean of the probabilities over all pictures that $x_t$ could become.)
#
# ## What goes wrong in practice
#
# - **A mean over the batch.** With a batch of 64 the slope is 64 times too small, guidance seems to need a scale of hundreds, and that scale changes with the size of the batch. Add up.
# - **Gradients switched off.** The sampler runs under `no_grad`. Then there is no slope, and the error says that a tensor "does not require grad".
# - **A graph that grows.** If $x_t$ is not detached in each step, all steps hang together, and memory fills up.
# - **The wrong $t$.** Classifier and denoiser have to be told the same time, and have to be trained on the same chain. A classifier of another schedule sees more noise than it is told, or less.
# - **A classifier of clean images,** shown noise: sure of everything.
# - **A scale too large.** Digits that are sure to be named rightly, and look alike. Beyond that, $x_t$ leaves the places that the denoiser knows, and pictures break.
# - **Judged by the guide.** Any class accuracy by the classifier that guided is worth nothing.
# - **Classes only.** For each new question a classifier has to be trained, on noisy images. That is the reason why lesson 55 does without one.
#
# ## Where to read on
#
# - Sohl-Dickstein, Weiss, Maheswaranathan and Ganguli (2015), *Deep Unsupervised Learning using Nonequilibrium Thermodynamics*: how to multiply the density of a diffusion model by another function, in the first paper of all.
# - Song, Sohl-Dickstein, Kingma, Kumar, Ermon and Poole (2021), *Score-Based Generative Modeling through Stochastic Differential Equations*: Bayes' rule for scores, with a classifier of noisy images.
# - Dhariwal and Nichol (2021), *Diffusion Models Beat GANs on Image Synthesis*: both algorithms, and the scale.
# - Bansal and others (2023), *Universal Guidance for Diffusion Models*.
# - Chung and others (2023), *Diffusion Posterior Sampling for General Noisy Inverse Problems*: a slope through the denoiser for blurred and incomplete pictures.
# - Santurkar and others (2019), *Image Synthesis with a Single (Robust) Classifier*: what has to be different about a classifier whose slopes draw pictures.

# %%
progress()
