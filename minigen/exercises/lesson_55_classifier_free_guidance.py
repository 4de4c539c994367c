"""The exercises of lesson 55: guidance without a classifier, what it asks for, and one network for both."""

import torch
from torch import nn
from torch.nn import functional as F

from minigen import ddpm, diffusion, guidance
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.probing.observe import unwatched

exercise = lesson("55_classifier_free_guidance")


def some_network(rng, *shape):
    """Stands for a denoiser: its answer depends on the image, the time and what it was told."""
    told, gain = rng.normal(*shape), 0.5 + 0.1 * rng.size(0, 5)

    def predict(x_t, t):
        t = torch.as_tensor(t).to(x_t).view(-1, *[1] * (x_t.ndim - 1))
        return gain * x_t.tanh() + told[: len(x_t)] * (1 + t / 10)

    return predict


def probe_classifier_free(answer, rng):
    n, size, values = rng.size(3, 5), rng.size(2, 4), {}
    images, points = (n, 1, size, size), (n + 2, 2)
    without, told = some_network(rng, *images), some_network(rng, *images)
    x, times = rng.normal(*images, leaf="x_t"), rng.integers(n, low=1, high=30)
    values["images, each at its own time, w above 1"] = answer(without, told, 1.5 + 0.5 * rng.size(0, 4))(
        x, times
    )
    without, told = some_network(rng, *points), some_network(rng, *points)
    x, t = rng.normal(*points), rng.size(2, 9)
    for name, w in {"above 1": 2.0 + rng.size(0, 3), "below 1": 0.3 + 0.1 * rng.size(0, 3)}.items():
        values[f"points, w {name}"] = answer(without, told, w)(x, t)
    values["w = 1"] = answer(without, told, 1.0)(x, t)
    values["w = 0"] = answer(without, told, 0.0)(x, t)
    return values


LERP = "torch.lerp(unconditional(x_t, t), conditional(x_t, t), w)"


def free_with(code):
    """Another prediction in the place of the guided one; u and c stand for the two that it is made of."""
    return edited(
        guidance.classifier_free, f"return {LERP}",
        f"u, c = unconditional(x_t, t), conditional(x_t, t)\n        return {code}",
    )  # fmt: skip


def free_written_out(unconditional, conditional, w):
    def guided(x_t, t):
        return (1 - w) * unconditional(x_t, t) + w * conditional(x_t, t)

    return guided


exercise(
    target=guidance.classifier_free,
    title="Repair: one too many",
    probe=probe_classifier_free,
    repair="w of the paper",
    mistakes={
        "w of the paper": (
            edited(guidance.classifier_free, LERP, "(1 + w) * conditional(x_t, t) - w * unconditional(x_t, t)"),
            "This is the paper's equation, word for word, and the paper counts w from 0: its 0 is without guidance. Here 1 is without guidance, and 0 "
            "is without the class, so your w is one too large.",
        ),
        "one less": (
            free_with("torch.lerp(u, c, w - 1)"),
            "You take one off. It is the other way round: the paper's w is one less than ours. With w = 1 your prediction does not know the class.",
        ),
        "condition scaled": (
            free_with("w * c"),
            "You multiply what is predicted with the class, and the prediction without it does not enter. The noise is then predicted w times too large, "
            "whatever the class is. It is the *difference* of the two that the class makes.",
        ),
        "condition added": (
            free_with("u + w * c"),
            "You add the second prediction to the first. What is added is the difference between them; with w = 1 only the second should be left.",
        ),
        "mean of the two, weighted": (
            free_with("(u + w * c) / (1 + w)"),
            "You take a weighted mean, so you never get further than the conditional prediction. Guidance goes beyond it.",
        ),
        "ends exchanged": (
            free_with("torch.lerp(c, u, w)"),
            "The two ends have changed places: with w = 0 you give the prediction with the class, with w = 1 the one without.",
        ),
        "away from the class": (
            free_with("u + w * (u - c)"),
            "You walk away from the class. The difference is what is predicted with it, minus what is predicted without.",
        ),
        "difference alone": (
            free_with("w * (c - u)"),
            "This is only what is added. It starts from the prediction without the class.",
        ),
        "difference without w": (
            free_with("c - u"),
            "This is only the difference that the class makes. It is taken w times, and added to the prediction without the class.",
        ),
        "weights that add up to 2": (
            free_with("(1 + w) * c - (w - 1) * u"),
            "The weights of the two predictions have to add up to 1, whatever w is. Yours add up to 2.",
        ),
        "sign of the second weight": (
            free_with("w * c - (1 - w) * u"),
            "The weights of the two predictions have to add up to 1, whatever w is. With yours, w = 0 gives minus the prediction without the class.",
        ),
        "one weight forgotten": (
            free_with("(1 - w) * u + c"),
            "The weights of the two predictions have to add up to 1, whatever w is. With yours, w = 0 gives the sum of both.",
        ),
        "never above 1": (
            free_with("torch.lerp(u, c, min(w, 1.0))"),
            "You stop at w = 1. To guide is to go further.",
        ),
        "w squared": (
            free_with("torch.lerp(u, c, w * w)"),
            "Your way is w² times the difference.",
        ),
        "w halved": (
            free_with("torch.lerp(u, c, w / 2)"),
            "You go only half of the way: with w = 1 you give the middle of the two predictions.",
        ),
        "always with the class": (
            free_with("c"),
            "You give the prediction with the class, whatever w is.",
        ),
        "always without": (
            free_with("u"),
            "You give the prediction without the class, whatever w is.",
        ),
        "kept as large as it was": (
            free_with("torch.lerp(u, c, w) * c.std() / torch.lerp(u, c, w).std()"),
            "You scale the result until it is as large as the conditional prediction. That is done, against washed-out pictures, but it is another "
            "formula, and the batch decides on the scale.",
        ),
        "one asked about the other": (
            free_with("torch.lerp(u, conditional(u, t), w)"),
            "You ask the second network about the first one's answer. Both see the same x_t.",
        ),
        "asked a step early": (
            free_with("torch.lerp(u, conditional(x_t, t - 1), w)"),
            "The two are asked about different times. Both see x_t, and both are told t.",
        ),
    },
    accepts=[
        free_written_out,
        free_with("u + w * (c - u)"),
        free_with("c + (w - 1) * (c - u)"),
        lambda unconditional, conditional, w: lambda x_t, t: w * conditional(x_t, t) - (w - 1) * unconditional(x_t, t),
    ],
    hints=[
        "Put w = 0 and w = 1 into the code below. What does the docstring say that they are?",
        "With w = 0 only the prediction without the class may be left, with w = 1 only the other.",
        "Start at the one, and add w times the way to the other.",
    ],
    points=1,
    minutes=5,
)  # fmt: skip


def beyond_the_mean():
    """Without a class, one number is drawn from N(0, 1). With it, from a Gaussian of mean 1 and variance 1/2.

    Bring p(x) p(y | x)^3 to area 1. It is a Gaussian again. What is its mean?
    """
    return 1.5


exercise(
    target=beyond_the_mean,
    title="Beyond the mean",
    mistakes={
        "stays": (
            1.0,
            "That is where p(x | y)³ has its mean: a power makes a Gaussian narrower and leaves it where it is. But p(y | x) is p(x | y) / p(x) up to a factor. "
            "The division by p(x) pushes away from 0.",
        ),
        "three times as far": (
            3.0,
            "The means do not add up like that: each pulls as strongly as its Gaussian is narrow, and what comes out is divided by the sum of all pulls.",
        ),
        "p(x) not divided by": (
            6 / 7,
            "That is the mean of p(x) p(x | y)³. But p(y | x) is p(x | y) / p(x) up to a factor, so p(x) stands there to the power 1 − 3.",
        ),
        "to the power 4": (1.6, "That is with γ = 4. The paper's w is 3 then; here γ itself is 3."),
        "to the power 2": (4 / 3, "That is with γ = 2."),
        "from p(y | x) alone": (
            2.0,
            "That is the mean of p(y | x)³ alone. There is also a factor p(x), which pulls back to 0.",
        ),
    },
    hints=[
        "By Bayes' rule p(x) p(y | x)³ is p(x)⁻² p(x | y)³, up to a factor.",
        "The logarithm of a Gaussian of mean m and variance v is −(x − m)² / (2 v), up to a constant. Collect what stands before x² and before x.",
        "−(−2) x² / 2 − 3 (x − 1)² / (2 · 0.5) = x² − 3 (x − 1)². Where is its top?",
    ],
    minutes=8,
)  # fmt: skip


def probe_tilted(answer, rng):
    n, size, values = rng.size(3, 5), rng.size(2, 4), {}
    # p(x | y) is so wide that wrong answers have a precision above 0 as well
    kinds = (
        ("γ above 1, images", (n, 1, size, size), 1.5 + 0.5 * rng.size(0, 3), 0.7, 0.95),
        ("γ far above 1, points", (n + 2, 2), 4.0 + rng.size(0, 3), 0.88, 0.97),
        ("γ below 1, points", (n, 2), 0.6 + 0.1 * rng.size(0, 3), 0.5, 0.9),
    )
    for name, shape, gamma, low, high in kinds:
        variance = rng.uniform(*shape, low=1.0, high=2.5)
        told = variance * rng.uniform(*shape, low=low, high=high)
        mean, spread = answer(rng.normal(*shape), variance, rng.normal(*shape), told, gamma)
        values |= {f"mean, {name}": mean, f"variance, {name}": spread}
    return values


PRECISION = "(1 - gamma) / variance + gamma / told_variance"
PULLS = "(1 - gamma) * mean / variance + gamma * told_mean / told_variance"
ANSWER = "pulls / precision, 1 / precision"


def tilt_with(*changes):
    return edited(guidance.tilted, *changes)


def tilt_of(found):
    """found(m, v, n, u, γ) in the place of the mean and the variance: of p(x) m and v, of p(x | y) n and u."""
    return lambda mean, variance, told_mean, told_variance, gamma: found(
        mean, variance, told_mean, told_variance, gamma
    )


def tilt_from_the_class(mean, variance, told_mean, told_variance, gamma):
    """The same, as p(x | y) times the ratio to the power γ − 1."""
    share = 1 / (gamma + (1 - gamma) * told_variance / variance)
    new = told_variance * share
    return told_mean + new * (1 - gamma) * (mean - told_mean) / variance, new


exercise(
    target=guidance.tilted,
    title="Repair: narrower, and not moved",
    probe=probe_tilted,
    repair="power of p(x | y) alone",
    mistakes={
        "power of p(x | y) alone": (
            tilt_with(PRECISION, "gamma / told_variance", PULLS, "gamma * told_mean / told_variance"),
            "This is p(x | y)^γ: narrower than p(x | y), and exactly where it was. p(y | x) is p(x | y) / p(x) up to a factor, so p(x) remains, to the power "
            "1 − γ; it moves the mean away from that of p(x).",
        ),
        "p(x) whole": (
            tilt_with(PRECISION, "1 / variance + gamma / told_variance",
                      PULLS, "mean / variance + gamma * told_mean / told_variance"),
            "This is p(x) p(x | y)^γ. What stands to the power γ is p(y | x), which is p(x | y) / p(x) up to a factor: p(x) has the power 1 − γ.",
        ),
        "p(y | x) alone": (
            tilt_with(PRECISION, "gamma / told_variance - gamma / variance",
                      PULLS, "gamma * told_mean / told_variance - gamma * mean / variance"),
            "This is p(y | x)^γ without the first factor, p(x).",
        ),
        "γ of the paper": (
            tilt_with(PRECISION, "-gamma / variance + (1 + gamma) / told_variance",
                      PULLS, "-gamma * mean / variance + (1 + gamma) * told_mean / told_variance"),
            "Your γ is one too large: with 0 you give p(x | y). Here 0 gives p(x), and 1 gives p(x | y).",
        ),
        "ends exchanged": (
            tilt_with(PRECISION, "gamma / variance + (1 - gamma) / told_variance",
                      PULLS, "gamma * mean / variance + (1 - gamma) * told_mean / told_variance"),
            "γ and 1 − γ have changed places: with γ = 1 you give p(x).",
        ),
        "p(x) of mean 0": (
            tilt_with(PULLS, "gamma * told_mean / told_variance"),
            "The mean of p(x) does not enter. Your formula is right only where that mean is 0.",
        ),
        "means interpolated": (
            tilt_with(ANSWER, "torch.lerp(mean, told_mean, gamma), 1 / precision"),
            "You walk from one mean to the other, γ times as far. So it would be if both Gaussians had one and the same variance; otherwise the narrow one pulls "
            "more.",
        ),
        "variances interpolated": (
            tilt_of(lambda m, v, n, u, gamma: (((1 - gamma) * m / v + gamma * n / u) / ((1 - gamma) / v + gamma / u), (1 - gamma) * v + gamma * u)),
            "You interpolate the variances. In a product of Gaussians it is their inverses, the precisions, that add up.",
        ),
        "means interpolated, power alone": (
            tilt_of(lambda m, v, n, u, gamma: (torch.lerp(m, n, gamma), u / gamma)),
            "The variance is that of p(x | y)^γ, and the mean a point on the line through both means. Both Gaussians have their share in both: collect what stands "
            "before x² and before x.",
        ),
        "all interpolated": (
            tilt_of(lambda m, v, n, u, gamma: (torch.lerp(m, n, gamma), torch.lerp(v, u, gamma))),
            "You interpolate means and variances. In the logarithm of a product it is what stands before x² and before x that adds up: 1 / variance, and mean / "
            "variance.",
        ),
        "precision for variance": (
            tilt_with("1 / precision", "precision"),
            "The second thing that you give is the precision. The variance is its inverse.",
        ),
        "standard deviation": (
            tilt_with("1 / precision", "precision.rsqrt()"),
            "The second thing that you give is a standard deviation. The variance is wanted.",
        ),
        "pulls not divided": (
            tilt_with("pulls / precision", "pulls"),
            "The first thing that you give is mean times precision. Divide by the precision.",
        ),
        "pulls multiplied": (
            tilt_with("pulls / precision", "pulls * precision"),
            "You multiply by the precision. What stands before x is mean times precision: divide.",
        ),
        "means not weighted": (
            tilt_with(PULLS, "(1 - gamma) * mean + gamma * told_mean"),
            "You add the means, and divide by the precision. Each mean has to be weighted by its own precision first.",
        ),
        "standard deviations divided by": (
            tilt_with(PRECISION, "(1 - gamma) / variance.sqrt() + gamma / told_variance.sqrt()",
                      PULLS, "(1 - gamma) * mean / variance.sqrt() + gamma * told_mean / told_variance.sqrt()"),
            "You divide by standard deviations. The exponent of a Gaussian holds its variance.",
        ),
        "variances squared": (
            tilt_with(PRECISION, "(1 - gamma) / variance**2 + gamma / told_variance**2",
                      PULLS, "(1 - gamma) * mean / variance**2 + gamma * told_mean / told_variance**2"),
            "You square what are variances already.",
        ),
        "variance and mean": (
            tilt_with(ANSWER, "1 / precision, pulls / precision"),
            "You give the variance first. The mean comes first.",
        ),
        "added, not subtracted": (
            tilt_with(PRECISION, "(gamma - 1) / variance + gamma / told_variance",
                      PULLS, "(gamma - 1) * mean / variance + gamma * told_mean / told_variance"),
            "p(x) has the power 1 − γ, and with you it is γ − 1. Above 1 it is divided by, so its share is negative.",
        ),
        "p(x) ignored in the width": (
            tilt_with(PRECISION, "gamma / told_variance"),
            "The precision is that of p(x | y)^γ. p(x) has its share in the precision as well as in the mean.",
        ),
    },
    accepts=[
        tilt_from_the_class,
        lambda mean, variance, told_mean, told_variance, gamma: (
            lambda a, b: ((a * mean + b * told_mean) / (a + b), (a + b).reciprocal())
        )((1 - gamma) * variance.reciprocal(), gamma * told_variance.reciprocal()),
    ],
    hints=[
        "The code below is right for p(x | y)^γ. Which power of p(x) is missing? Write p(y | x) by Bayes' rule.",
        "It is p(x) to the power 1 − γ. In the logarithm of a Gaussian, −(x − m)² / (2 v), what stands before x², and what before x?",
        "What stands before x² adds up to the new precision, 1 / variance; what stands before x adds up to mean times precision.",
    ],
    points=2,
    minutes=15,
)  # fmt: skip


def probe_drop_labels(answer, rng):
    n, classes, chance = rng.size(40, 60), rng.size(4, 7), 0.3 + 0.1 * rng.size(0, 3)
    labels, draws = rng.integers(n, high=classes), rng.uniform(n)
    other, nought = rng.integers(n // 2, high=classes), rng.uniform(n // 2)
    nought[0] = 0.0  # [0, 1) begins with 0 itself
    return {
        "some": answer(labels, draws, chance, classes),
        "few": answer(labels, rng.uniform(n), 0.1, classes),
        "another label for none": answer(other, nought, 0.5, classes + rng.size(2, 5)),
        "chance 0": answer(other, nought, 0.0, classes),
    }


DROPPED = "torch.where(draws < chance, nothing, labels)"


def dropped_by(code):
    """drop_labels with other code in the place of its condition or of all of it."""
    return edited(guidance.drop_labels, DROPPED, code)


exercise(
    target=guidance.drop_labels,
    title="Repair: all or none",
    probe=probe_drop_labels,
    repair="one draw for the batch",
    mistakes={
        "one draw for the batch": (
            dropped_by("torch.where(draws[0] < chance, nothing, labels)"),
            "One draw decides for the whole batch: all labels are dropped, or none. On average it is the right share, but each step then learns only one of the two "
            "tasks. Each label has a draw of its own.",
        ),
        "the mean draw": (
            dropped_by("torch.where(draws.mean() < chance, nothing, labels)"),
            "You compare the mean of the draws, so all labels share one fate, and since the mean is near 1/2 it is nearly always the same.",
        ),
        "all, if any": (
            dropped_by("torch.where((draws < chance).any(), nothing, labels)"),
            "As soon as one label is to be dropped, you drop them all.",
        ),
        "the others": (
            dropped_by("torch.where(draws < chance, labels, nothing)"),
            "You keep what should be dropped, and drop the rest. `where` takes first what holds where the condition is true.",
        ),
        "the others, and those at the chance": (
            dropped_by("torch.where(draws > chance, nothing, labels)"),
            "You drop where the draw is above the chance, so you keep the share that should be dropped.",
        ),
        "above the chance": (
            dropped_by("torch.where(draws > 1 - chance, nothing, labels)"),
            "You drop where the draw is *large*. The share is right, and it would train as well, but results are compared one by one: drop where the draw is below the "
            "chance.",
        ),
        "the chance rooted": (
            dropped_by("torch.where(draws.square() < chance, nothing, labels)"),
            "You square the draws, so the share that is dropped is the root of the chance.",
        ),
        "always as many": (
            dropped_by("labels.masked_fill(draws.argsort().argsort() < int(chance * len(labels)), nothing)"),
            "You take away the same number of labels each time. Each label is taken away by itself, whatever happens to the others, so now there are more and now fewer.",
        ),
        "class 0": (
            dropped_by("torch.where(draws < chance, 0, labels)"),
            "You put 0 in the place of a dropped label. 0 is a class, and the network would take what it is told for a zero.",
        ),
        "the draw at the chance": (
            dropped_by("torch.where(draws <= chance, nothing, labels)"),
            "You drop a label also when its draw is exactly the chance. Draws begin with 0 itself, so with chance 0 a label could be dropped.",
        ),
        "minus one": (
            dropped_by("torch.where(draws < chance, -1, labels)"),
            "You put −1 in the place of a dropped label, which no embedding knows. Put `nothing`.",
        ),
        "the last class": (
            dropped_by("torch.where(draws < chance, nothing - 1, labels)"),
            "Your label for none is one too small: that is the last of the classes.",
        ),
        "one beyond": (
            dropped_by("torch.where(draws < chance, nothing + 1, labels)"),
            "Your label for none is one too large. `nothing` is the label itself.",
        ),
        "another's label": (
            dropped_by("torch.where(draws < chance, labels.roll(1), labels)"),
            "In the place of a dropped label you put the label of another image. That teaches wrong classes; the network should be told that there is none.",
        ),
        "images left out": (
            dropped_by("labels[draws >= chance]"),
            "You leave the dropped labels out, so fewer come back than went in. Each image keeps its place, and is told `nothing`.",
        ),
        "the first of the batch": (
            dropped_by("torch.where(torch.arange(len(labels)) < chance * len(labels), nothing, labels)"),
            "You drop the first labels of the batch, always the same places. Where the data is sorted, always the same classes would lose theirs. The draws decide.",
        ),
        "exactly that share": (
            dropped_by("torch.where(draws.argsort().argsort() < chance * len(labels), nothing, labels)"),
            "You drop those with the smallest draws, until the share is exact. Each label has its own chance here, whatever the others do.",
        ),
        "never": (
            dropped_by("labels"),
            "You drop nothing, so the network never learns what it is to be told nothing.",
        ),
        "always": (
            dropped_by("torch.full_like(labels, nothing)"),
            "You drop all labels. The network never hears of a class.",
        ),
        "one draw beside": (
            dropped_by("torch.where(draws.roll(1) < chance, nothing, labels)"),
            "Each label goes by the draw of its neighbour. The share is right, but results are compared one by one.",
        ),
    },
    accepts=[
        dropped_by("labels.masked_fill(draws < chance, nothing)"),
        dropped_by("torch.stack([label if draw >= chance else torch.full_like(label, nothing) for label, draw in zip(labels, draws)])"),
        dropped_by("labels + (nothing - labels) * (draws < chance)"),
    ],
    hints=[
        "How many of the labels of one batch does the code below drop? Try it with chance 0.5 and ten labels.",
        "`draws` has one number for each label. Which of them are compared with the chance?",
    ],
    points=1,
    minutes=5,
)  # fmt: skip


class Listener(nn.Module):
    """Stands for the network: writes down what it is shown and told, and answers with a number for each label."""

    def __init__(self, gain, table):
        super().__init__()
        self.gain, self.table, self.classes = gain.detach().requires_grad_(), table, len(table) - 1
        self.seen = []

    def forward(self, x_t, t, labels):
        self.seen.append((x_t.detach(), t, labels))
        known = labels.clamp(0, self.classes)  # another label is heard as well, and as another
        told = (self.table[known.long()] + (labels - known)).view(len(x_t), *[1] * (x_t.ndim - 1))
        return self.gain * x_t + told


BATCHES, SIZE = 12, 400


def loss_beside(model, network, x, labels, chain, target):
    """(loss, its slope), both over those of the same images, times, noise and labels; and what was told."""
    network.seen.clear()
    loss = model.loss((x, labels))
    (x_t, t, told), calls = network.seen[0], len(network.seen)
    a_bar = chain.alpha_bar.to(x_t)[t.long().clamp(1, chain.steps)].view(-1, 1, 1, 1)
    noise = (x_t - a_bar.sqrt() * x) / (1 - a_bar).sqrt()
    p, q = diffusion.target_weights(target, a_bar.sqrt(), (1 - a_bar).sqrt())
    wanted = F.mse_loss(network(x_t, t, told), p * x + q * noise)
    (slope,) = torch.autograd.grad(wanted, network.gain)
    (found,) = torch.autograd.grad(loss, network.gain, allow_unused=True) if loss.requires_grad else (None,)
    return (
        (loss / wanted).detach(),
        (0 * slope if found is None else found) / slope,
        told,
        torch.tensor(float(calls)),
    )


def probe_conditional(answer, rng):
    classes, chain = rng.size(4, 7), diffusion.Schedule(diffusion.linear_betas(12, 0.02, 0.3))
    values, unit = {}, rng.uniform(1, low=1.0, high=3.0)  # the unit of what is 1 in every draw
    for target in "noise", "velocity":
        network = Listener(rng.uniform(1, low=0.3, high=0.7), rng.normal(classes + 1))
        dropped = 0.28 + 0.01 * rng.size(0, 3)
        model = unwatched(answer(network, chain, (1, 2, 2), target, dropped))
        x, labels = rng.images(BATCHES * SIZE, 1, 2), rng.integers(BATCHES, SIZE, high=classes)
        before = labels.clone()
        seen = [
            loss_beside(model, network, *pair, chain, target)
            for pair in zip(x.split(SIZE), labels, strict=True)
        ]
        losses, slopes, told, calls = (torch.stack(parts) for parts in zip(*seen, strict=True))
        n, t, w = rng.size(3, 5), rng.size(3, 10), 1.5 + 0.5 * rng.size(0, 4)
        shown, wish = rng.normal(n, 1, 2, 2), rng.integers(n, high=classes)
        values |= {
            f"loss, {target}": unit * losses.mean(),
            f"slope of the loss, {target}": unit * slopes.mean(),
            f"labels, {target}": before,
            f"labels afterwards, {target}": labels,
            f"told, {target}": told,
            f"calls, {target}": rng.uniform(1) * 0 + calls.max(),
            f"chance, {target}": rng.uniform(1) * 0 + dropped,
            f"label for none, {target}": classes + 0 * labels[0, :1],
            f"guided, {target}": model.guided(wish, w)(shown, t).detach(),
            f"guided, w below 1, {target}": model.guided(wish.flip(0), w / 10)(shown, t).detach(),
        }
    return values


def judge_conditional(raw):
    """Any draws will do: of 400 labels the share that is dropped is right within five standard errors."""
    facts = {}
    for target in "noise", "velocity":
        told, labels = raw[f"told, {target}"], raw[f"labels, {target}"]
        none = told == raw[f"label for none, {target}"]
        share, chance = none.double().mean(1), raw[f"chance, {target}"]  # (batches,), (1,)
        instead = told[told != labels]
        facts |= {
            f"the network is called once for each loss, {target}": (raw[f"calls, {target}"] == 1).all(),
            f"not too few are dropped in any batch, {target}": (share - chance).min() > -0.13,
            f"not too many are dropped in any batch, {target}": (share - chance).max() < 0.13,
            f"about as many are dropped as should be kept, {target}": (share.mean() - 1 + chance).abs()
            < 0.035,
            f"no batch loses all labels, {target}": share.max() < 1,
            f"no batch keeps all labels, {target}": share.min() > 0,
            f"labels that are kept are right, {target}": torch.equal(told[~none], labels[~none]),
            f"smallest and largest label told, {target}": torch.stack(told.aminmax()),
            f"smallest and largest label told in the place of another, {target}": torch.stack(
                instead.aminmax()
            )
            if len(instead)
            else -torch.ones(2, dtype=told.dtype),
            f"each batch takes other places, {target}": none.double().mean(0).var() < 0.06,
            f"the labels of the batch are left as they are, {target}": torch.equal(
                raw[f"labels afterwards, {target}"], labels
            ),
        }
        names = "loss", "slope of the loss", "guided", "guided, w below 1"
        facts |= {f"{name}, {target}": raw[f"{name}, {target}"] for name in names}
    return facts


DRAWS = "torch.rand(len(x), device=x.device)"
TAKEN = "drop_labels(labels, draws, self.dropped, self.network.classes)"
LOSS = f"return self.told({TAKEN}).loss((x, None))"
NONE = "torch.full_like(labels, self.network.classes)"
GUIDED = "classifier_free(self.told(nothing).predict, self.told(labels).predict, w)"


def model_with(*changes):
    return edited(ddpm.ConditionalDDPM, *changes)


def loss_with(labels):
    return model_with(LOSS, f"return self.told({labels}).loss((x, None))")


exercise(
    target=ddpm.ConditionalDDPM,
    title="One network for both",
    probe=probe_conditional,
    judge=judge_conditional,
    blank=("loss", "guided"),
    mistakes={
        "never dropped": (
            loss_with("labels"),
            "You drop no labels. The network is then never told `nothing` in training, and guidance asks it for just that.",
        ),
        "always dropped": (
            loss_with(NONE),
            "You drop all labels, so the network never learns what they mean.",
        ),
        "the others dropped": (
            loss_with(TAKEN.replace("self.dropped", "1 - self.dropped")),
            "You keep the share that should be dropped. `dropped` is the share that is taken away.",
        ),
        "one draw for the batch": (
            model_with(DRAWS, "torch.rand(1, device=x.device)"),
            "There is one draw for the whole batch. Each image needs a draw of its own: (N,).",
        ),
        "normal draws": (
            model_with(DRAWS, DRAWS.replace("rand(", "randn(")),
            "Your draws are normal: `randn` for `rand`. Half of them are below 0, so too many labels are dropped.",
        ),
        "always a tenth": (
            loss_with(TAKEN.replace("self.dropped", "0.1")),
            "You drop a tenth, whatever `dropped` says.",
        ),
        "none is the last class": (
            loss_with(TAKEN.replace(".classes", ".classes - 1")),
            "In training, your label for none is `classes` − 1. Labels begin with 0, so that is the last class.",
        ),
        "none is class 0": (
            loss_with(TAKEN.replace("self.network.classes", "0")),
            "In training, your label for none is 0, which is a class.",
        ),
        "none is −1": (
            loss_with(TAKEN.replace("self.network.classes", "-1")),
            "In training, your label for none is −1, which no embedding knows. It is `self.network.classes`.",
        ),
        "none is one beyond": (
            loss_with(TAKEN.replace(".classes", ".classes + 1")),
            "In training, your label for none is `classes` + 1. The labels are 0 to `classes` − 1, so `classes` itself is free, and the embedding has no more rows.",
        ),
        "none is ten": (
            loss_with(TAKEN.replace("self.network.classes", "10")),
            "In training, your label for none is 10, which is right for ten classes only. It is `self.network.classes`.",
        ),
        "another class at random": (
            loss_with("torch.where(draws < self.dropped, torch.randint_like(labels, self.network.classes), labels)"),
            "In the place of a dropped label you tell another class, by chance. That teaches wrong classes; tell it that there is none.",
        ),
        "labels changed in place": (
            model_with(LOSS, "labels[draws < self.dropped] = self.network.classes\n        return self.told(labels).loss((x, None))"),
            "You write into the labels of the batch. They belong to the data: whoever shows the batch again has lost these labels for good.",
        ),
        "always the same places": (
            loss_with("torch.where(torch.arange(len(x)) < self.dropped * len(x), self.network.classes, labels)"),
            "In each batch the same places lose their labels. Where the data is sorted, always the same classes would lose theirs; draw anew for each image.",
        ),
        "asked for ten": (
            model_with(NONE, "torch.full_like(labels, 10)"),
            "In `guided` you ask for label 10 in the place of none. That is right for ten classes only; it is `self.network.classes`.",
        ),
        "asked for −1": (
            model_with(NONE, "torch.full_like(labels, -1)"),
            "In `guided` you ask for label −1, which no embedding knows. None is `self.network.classes`.",
        ),
        "ten in both": (
            model_with(TAKEN, TAKEN.replace("self.network.classes", "10"), NONE, "torch.full_like(labels, 10)"),
            "Your label for none is 10, which is right for ten classes only. It is `self.network.classes`.",
        ),
        "the last class in both": (
            model_with(TAKEN, TAKEN.replace(".classes", ".classes - 1"), NONE, "torch.full_like(labels, self.network.classes - 1)"),
            "Your label for none is `classes` − 1, in training and in `guided`. Labels begin with 0, so that is the last class.",
        ),
        "labels of others": (
            loss_with(TAKEN.replace("(labels,", "(labels[torch.randperm(len(labels), device=x.device)],")),
            "The labels are shuffled against the images, so the network learns that they mean nothing.",
        ),
        "two losses": (
            model_with(LOSS, f"return self.told(labels).loss((x, None)) + self.told({NONE}).loss((x, None))"),
            "You add two losses, one with labels and one without. That trains too, at twice the price and with another share; here each image is shown once, "
            "with its label or without.",
        ),
        "weighted losses": (
            model_with(LOSS, f"return (1 - self.dropped) * self.told({TAKEN}).loss((x, None))"),
            "You scale the loss by the share that is kept. It is a plain mean over all images.",
        ),
        "detached": (
            model_with(LOSS, LOSS + ".detach()"),
            "The loss is detached, so nothing is learned.",
        ),
        "summed": (
            model_with(LOSS, LOSS + " * len(x)"),
            "You multiply by the number of images. The loss is a mean over the batch.",
        ),
        "ends exchanged": (
            model_with(GUIDED, "classifier_free(self.told(labels).predict, self.told(nothing).predict, w)"),
            "In `guided` the two predictions have changed places: the one without the label comes first.",
        ),
        "guidance off": (
            model_with(GUIDED, "self.told(labels).predict"),
            "`guided` does not guide: it gives the prediction for the labels, whatever w is.",
        ),
        "labels not asked for": (
            model_with(GUIDED, "self.told(nothing).predict"),
            "`guided` does not look at the labels: it gives the prediction for none.",
        ),
        "w of the paper": (
            model_with(GUIDED, GUIDED.replace(", w)", ", w + 1)")),
            "In `guided` your w is one too large. With w = 1 it should be the plain prediction for the labels.",
        ),
        "asked for the last class": (
            model_with(NONE, "torch.full_like(labels, self.network.classes - 1)"),
            "In `guided` you ask for the last class in the place of none.",
        ),
        "asked for class 0": (
            model_with(NONE, "torch.zeros_like(labels)"),
            "In `guided` you ask for class 0 in the place of none.",
        ),
        "one less": (
            model_with(GUIDED, GUIDED.replace(", w)", ", w - 1)")),
            "In `guided` your w is one too small. With w = 1 it should be the plain prediction for the labels.",
        ),
        "condition scaled": (
            model_with(GUIDED, "lambda x_t, t: w * self.told(labels).predict(x_t, t)"),
            "In `guided` you multiply the prediction for the labels by w, and do not ask for the other one. The noise is then w times too large.",
        ),
        "images wiped": (
            model_with(LOSS, "x = x.where((draws >= self.dropped).view(-1, *[1] * (x.ndim - 1)), 0)\n        return self.told(labels).loss((x, None))"),
            "You take the image away, and keep the label. It is the label that is dropped.",
        ),
        "the network's own answer": (
            model_with(
                GUIDED,
                "classifier_free(lambda x_t, t: self.network(x_t, torch.as_tensor(t).expand(len(x_t)), nothing), "
                "lambda x_t, t: self.network(x_t, torch.as_tensor(t).expand(len(x_t)), labels), w)",
            ),
            "In `guided` you use what the network gives. That is the noise only if noise is its target; `predict` gives the noise whatever the target.",
        ),
    },
    accepts=[
        model_with(TAKEN, "labels.masked_fill(draws < self.dropped, self.network.classes)"),
        model_with(LOSS, f"return DDPM.loss(self.told({TAKEN}), (x, labels))"),
        model_with(GUIDED, "lambda x_t, t: torch.lerp(self.told(nothing).predict(x_t, t), self.told(labels).predict(x_t, t), w)"),
    ],
    equivalents={
        "draws = torch.rand(len(x))": "on the CPU, where answers are checked, it is the same device",
    },
    hints=[
        "`self.told(labels)` is an ordinary DDPM, with its own `loss` and `predict`. Which labels does it have to be told?",
        "In `loss`: a draw from `torch.rand` for each image, `drop_labels` with the label `self.network.classes` for none, and the loss of the model that is told what is left.",
        "In `guided`: the model that is told none for each image, and the one that is told the labels; `classifier_free` makes one prediction of both.",
    ],
    points=3,
    minutes=20,
)  # fmt: skip


def what_recall_does():
    """At w = 1 the judge takes nearly all digits for what was asked, at w = 3 every one. What about recall?

    Recall (lesson 21) is the share of real digits that have a drawn one near them. From w = 1 to w = 3 it
    "a": rises, since the digits that were wrong are right now
    "b": stays about as it is, since guidance changes the class and not the hand
    "c": falls, since digits that could be taken for another class are no longer drawn
    "d": falls to about a tenth, since there is one picture for each class
    """
    return "c"


exercise(
    target=what_recall_does,
    title="Right, and what else?",
    mistakes={
        "more right, more covered": (
            "a",
            "There were only a few wrong digits. What guidance does to all the others counts more: it moves each of them to where its class is beyond doubt.",
        ),
        "only the class": (
            "b",
            "Guidance does not know what is class and what is hand. It moves a picture to where p(y | x) is larger, and a careless hand makes it smaller.",
        ),
        "one picture each": (
            "d",
            "So far it does not go at w = 3. Look at `tilted`: the variance shrinks, and does not vanish.",
        ),
    },
    hints=[
        "Think of the two Gaussians above: what has happened to the variance at γ = 3?",
        "And which real digits are farthest from what is drawn then?",
    ],
    minutes=3,
)
