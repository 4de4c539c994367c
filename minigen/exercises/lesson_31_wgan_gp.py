"""The exercises of lesson 31: Wasserstein distances, clipped critics and gradient penalties."""

import torch
from torch import nn

from minigen import game, gan
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.probing.observe import unwatched

exercise = lesson("31_wgan_gp")


def two_points() -> str:
    """All real data are one point, and all fakes are another, θ > 0 away. What are the Jensen–Shannon divergence (JSD)
    and the Wasserstein-1 distance (W1) of the two crowds?
    "a": both grow with θ
    "b": the JSD is log 2 for every θ, and W1 is θ
    "c": the JSD is infinite for every θ, and W1 is θ
    "d": the JSD is log 2 for every θ, and W1 is θ²
    """
    return "b"


exercise(
    target=two_points,
    title="Two points, some way apart",
    mistakes={
        "both grow": (
            "a",
            "W1 grows. But the JSD looks only at how probable each point is in each crowd. Does that change with the distance?",
        ),
        "infinite": (
            "c",
            "The Kullback–Leibler divergence of two crowds that do not meet is infinite. The JSD compares each with the "
            "*mean* of both, and at its own point a crowd is at most twice as probable as the mean.",
        ),
        "squared": (
            "d",
            "The JSD is right. W1 is the mean of the distance moved, in the unit of the data. The *square* of a distance is "
            "what W2, the distance behind the FID, averages.",
        ),
    },
    hints=[
        "At a real point p = 1 and q = 0. The mean of both is 1/2, so what is the logarithm of p over the mean?",
        "W1: how far has each fake to be moved, until the fakes are the real data?",
    ],
    minutes=3,
)


def probe_wasserstein_1d(answer, rng):
    n, m = rng.size(3, 5), rng.size(6, 9)
    whole = [rng.integers(k, high=5).float() for k in (n + 3, m)]  # with numbers that both crowds have
    return {
        "crowds of two sizes": answer(rng.normal(n), 1 + rng.normal(m)),
        "the larger first": answer(rng.normal(m), rng.normal(n) - 1),
        "equal sizes, one inside the other": answer(rng.normal(n), 3 * rng.normal(n)),
        "whole numbers": answer(*whole),
        "a hundred times as large": answer(100 * rng.normal(n), 100 * rng.normal(m)),
    }


def judge_wasserstein_1d(raw):
    """The area may come in any floating dtype."""
    return {name: value.float() for name, value in raw.items()}


def of_quantiles(count):
    """Quantiles of both crowds, which torch interpolates, paired at count(a, b) levels."""

    def wrong(a, b):
        levels = torch.linspace(0, 1, count(a, b))
        return (a.quantile(levels) - b.quantile(levels)).abs().mean()

    return wrong


INTERPOLATED = (
    "You pair interpolated quantiles. A quantile of a crowd of numbers is one of these numbers, up to the next stair; a line drawn "
    "between two of them invents sand in the gap. The area between the staircases is exact."
)


def in_pairs(a, b):
    """Both crowds in equal numbers, in order: each number of a as often as b has numbers, and the reverse."""
    return a.repeat_interleave(len(b)).sort().values, b.repeat_interleave(len(a)).sort().values


def area_by_counting(a, b):
    steps = torch.cat([a, b]).sort().values
    f = (a[None] <= steps[:, None]).to(steps).mean(1)
    g = (b[None] <= steps[:, None]).to(steps).mean(1)
    return ((f - g).abs()[:-1] * (steps[1:] - steps[:-1])).sum()


AREA = "((f_a - f_b).abs()[:-1] * steps.diff()).sum()"
OF_W1 = game.wasserstein_1d

exercise(
    target=OF_W1,
    title="The area between two crowds",
    probe=probe_wasserstein_1d,
    judge=judge_wasserstein_1d,
    mistakes={
        "only the first of the larger crowd": (
            lambda a, b: (a.sort().values[: min(len(a), len(b))] - b.sort().values[: min(len(a), len(b))]).abs().mean(),
            "You sort both, pair them from the left, and drop what is left of the larger crowd. But every number of both "
            "crowds counts: the larger crowd only has smaller shares.",
        ),
        "paired as they came": (
            lambda a, b: (a[: min(len(a), len(b))] - b[: min(len(a), len(b))]).abs().mean(),
            "You pair the numbers in the order in which they came. A crowd has no order, and the least work pairs them sorted.",
        ),
        "all pairs": (
            lambda a, b: (a[:, None] - b).abs().mean(),
            "This is the mean distance of all pairs. It is not 0 for equal crowds: everybody would be moved to everybody.",
        ),
        "distance of the means": (
            lambda a, b: (a.mean() - b.mean()).abs(),
            "This is the distance of the two means, which is also what is left of the area where strips of both signs cancel. A "
            "narrow and a wide crowd around one point would be no distance apart. Each strip needs its own absolute value.",
        ),
        "signs cancel": (
            edited(OF_W1, "(f_a - f_b).abs()", "(f_a - f_b)"),
            "Where F is below G your area counts as negative, and cancels the other. What is left is the difference of the "
            "means. Take the absolute value of each height.",
        ),
        "heights squared": (
            edited(OF_W1, ".abs()[:-1]", ".square()[:-1]"),
            "You square the heights. That is another distance (Cramér's); the area has the heights as they are.",
        ),
        "largest gap": (
            edited(OF_W1, AREA, "(f_a - f_b).abs().max()"),
            "This is the largest height between the two distributions (of Kolmogorov and Smirnov). It has no unit, and is 1 for "
            "all crowds that do not meet, however far apart. The area also knows how wide each strip is.",
        ),
        "widths forgotten": (
            edited(OF_W1, AREA, "(f_a - f_b).abs()[:-1].sum()"),
            "You add up heights. An area needs the width of each strip: how far it is to the next number.",
        ),
        "mean of the heights": (
            edited(OF_W1, AREA, "(f_a - f_b).abs().mean()"),
            "You average the heights. An area needs the width of each strip: how far it is to the next number.",
        ),
        "mean of the strips": (
            edited(OF_W1, ".diff()).sum()", ".diff()).mean()"),
            "You average the strips. The area is their sum; more numbers only make narrower strips.",
        ),
        "counts for shares": (
            edited(OF_W1, ".to(steps) / len(c)", ".to(steps)"),
            "Your distributions count numbers. F(t) is a *share*, from 0 to 1: divide each by the size of its own crowd.",
        ),
        "shares of both crowds": (
            edited(OF_W1, "/ len(c)", "/ len(steps)"),
            "You divide by the number of both crowds together. Each distribution ends at 1: divide by the size of its own crowd.",
        ),
        "one size for both": (
            edited(OF_W1, "/ len(c)", "/ len(a)"),
            "You divide both counts by the size of the first crowd. Each distribution ends at 1: divide by the size of its own.",
        ),
        "numbers below, not at most": (
            edited(OF_W1, "right=True", "right=False"),
            "You count the numbers *below* t. F(t) counts those at most t: the number at t itself has jumped already, and "
            "the strip to the right of it knows. (`searchsorted(…, right=True)`)",
        ),
        "height at the right end": (
            edited(OF_W1, ".abs()[:-1]", ".abs()[1:]"),
            "You take the height at the right end of each strip. F jumps there; inside of the strip it is what it was at the "
            "left end.",
        ),
        "mean of both ends": (
            edited(OF_W1, AREA, "torch.trapezoid((f_a - f_b).abs(), steps)"),
            "You take the mean of the heights at both ends (the trapezoidal rule). F is a staircase: within a strip it is flat, "
            "and the height is that at the left end.",
        ),
        "steps not sorted": (
            edited(OF_W1, "torch.cat([a, b]).sort().values", "torch.cat([a, b])"),
            "The numbers of both crowds are not in one order, so some of your strips have negative widths. Sort them together.",
        ),
        "crowds not sorted": (
            edited(OF_W1, "c.sort().values, steps", "c, steps"),
            "`searchsorted` expects a sorted crowd, and says nothing when it is not. Sort each crowd first.",
        ),
        "jumps of one crowd": (
            edited(OF_W1, "torch.cat([a, b]).sort()", "a.sort()"),
            "You look only at the numbers of a. The distribution of b jumps in between, and beyond them.",
        ),
        "jumps of the other crowd": (
            edited(OF_W1, "torch.cat([a, b]).sort()", "b.sort()"),
            "You look only at the numbers of b. The distribution of a jumps in between, and beyond them.",
        ),
        "interpolated quantiles": (of_quantiles(lambda a, b: max(len(a), len(b))), INTERPOLATED),
        "many interpolated quantiles": (of_quantiles(lambda a, b: 1001), INTERPOLATED),
        "root mean square": (
            lambda a, b: (lambda pair: (pair[0] - pair[1]).square().mean().sqrt())(in_pairs(a, b)),
            "This is W2, the root of the mean squared distance. W1 is the mean of the distance itself.",
        ),
        "mean square": (
            lambda a, b: (lambda pair: (pair[0] - pair[1]).square().mean())(in_pairs(a, b)),
            "You average the *squares* of the distances moved. W1 is the mean of the distance itself.",
        ),
        "half of it": (
            edited(OF_W1, AREA, AREA + " / 2"),
            "Your area is halved. The JSD has a half, since it compares each crowd with the mean of both; W1 has none.",
        ),
    },
    accepts=[
        area_by_counting,
        lambda a, b: (lambda pair: (pair[0] - pair[1]).abs().mean())(in_pairs(a, b)),
    ],
    equivalents={
        "f_a, f_b = (torch.searchsorted(c.sort().values, steps, right=True) / len(c) for c in (a, b))": "a share of whole "
        "numbers is float32 already, as precise as the check",
    },
    hints=[
        "Both distributions are flat between two neighbouring numbers of a and b together. So the area is a sum of rectangles.",
        "`steps = torch.cat([a, b]).sort().values`; the widths are `steps.diff()`. What are F and G at the left end of each?",
        "`torch.searchsorted(sorted_crowd, steps, right=True)` counts how many numbers of a crowd are at most each step.",
    ],
    points=2,
    minutes=15,
)  # fmt: skip


def probe_wasserstein_loss(answer, rng):
    n, m = rng.size(2, 5), rng.size(6, 9)
    return {
        "loss": answer(3 * rng.normal(n, leaf="real") + 1, rng.normal(m, leaf="fake")),
        "more real ones": answer(rng.normal(m), 2 + rng.normal(n)),
        "fakes rated far lower": answer(50 + rng.normal(m), 9 * rng.normal(n)),
        "fakes rated far higher": answer(rng.normal(n) - 20, rng.normal(m)),
    }


LOSS_1 = gan.wasserstein_loss

exercise(
    target=LOSS_1,
    title="Repair: a critic upside down",
    probe=probe_wasserstein_loss,
    repair="wrong sign",
    mistakes={
        "wrong sign": (
            edited(LOSS_1, "fake.mean() - real.mean()", "real.mean() - fake.mean()"),
            "This is what the critic wants to be *large*, and training makes a loss small. With this sign it learns to give "
            "real images low numbers, and the generator, which wants high ones, is sent away from the data.",
        ),
        "added": (
            edited(LOSS_1, "fake.mean() - real.mean()", "fake.mean() + real.mean()"),
            "You add the two means. Then the critic only learns to give low numbers to everything; it has to tell the two apart.",
        ),
        "both negative": (
            edited(LOSS_1, "fake.mean() - real.mean()", "-fake.mean() - real.mean()"),
            "Both means are negative, so the critic learns to give high numbers to everything. Fakes should get low ones.",
        ),
        "absolute value": (
            edited(LOSS_1, "fake.mean() - real.mean()", "-(fake.mean() - real.mean()).abs()"),
            "You take the absolute value, so the critic may turn either way round. The generator must know which way is up: "
            "real images get the high numbers.",
        ),
        "absolute value, positive": (
            edited(LOSS_1, "fake.mean() - real.mean()", "(fake.mean() - real.mean()).abs()"),
            "The absolute value is made small here: the critic learns to see no difference at all.",
        ),
        "real ones only": (
            edited(LOSS_1, "fake.mean() - real.mean()", "-real.mean()"),
            "The fakes are missing: a critic that adds a large number to everything would be perfect.",
        ),
        "fakes only": (
            edited(LOSS_1, "fake.mean() - real.mean()", "fake.mean()"),
            "The real images are missing. (And −mean of the fakes is the *generator's* loss.)",
        ),
        "sums": (
            edited(LOSS_1, "fake.mean() - real.mean()", "fake.sum() - real.sum()"),
            "You add up each batch. A distance is of the *means*: it must not grow with the number of images, and the two "
            "batches may have different sizes.",
        ),
        "one mean over both": (
            edited(LOSS_1, "fake.mean() - real.mean()", "torch.cat([fake, -real]).mean()"),
            "You average over both batches together. Each has a mean of its own; yours is half of it where they are equally "
            "large.",
        ),
        "halved": (
            edited(LOSS_1, "fake.mean() - real.mean()", "(fake.mean() - real.mean()) / 2"),
            "You halve the difference. Then minus the loss is no longer the distance, but half of it.",
        ),
        "logarithms of a discriminator": (
            gan.discriminator_loss,
            "This is the loss of lesson 30, for log-odds. A critic's number is no probability; the loss is linear in it.",
        ),
        "sigmoid": (
            edited(LOSS_1, "fake.mean() - real.mean()", "fake.sigmoid().mean() - real.sigmoid().mean()"),
            "You put a sigmoid on the critic. It flattens out where the critic is sure, which is what we want to get rid of.",
        ),
        "tanh": (
            edited(LOSS_1, "fake.mean() - real.mean()", "fake.tanh().mean() - real.tanh().mean()"),
            "You limit the critic's numbers by a tanh. Its *slope* is to be limited; its numbers grow with the distance.",
        ),
        "squares": (
            edited(LOSS_1, "fake.mean() - real.mean()", "fake.square().mean() + (real - 1).square().mean()"),
            "These are squared errors to the labels 0 and 1 (a least-squares GAN). Here there are no labels, only two means.",
        ),
        "hinge": (
            edited(LOSS_1, "fake.mean() - real.mean()", "F.relu(1 + fake).mean() + F.relu(1 - real).mean()"),
            "This is the hinge loss of other GANs. It stops to care beyond ±1, and estimates no distance.",
        ),
        "square of the difference": (
            edited(LOSS_1, "fake.mean() - real.mean()", "-(fake.mean() - real.mean()).square()"),
            "You square the difference. The critic's estimate is the difference itself, in the unit of the data.",
        ),
        "fakes detached": (
            edited(LOSS_1, "fake.mean()", "fake.detach().mean()"),
            "You detach what the critic gives to the fakes. It must learn from them too. (That the generator gets no gradient "
            "from this loss is seen to where the fakes are made.)",
        ),
        "real ones detached": (
            edited(LOSS_1, "real.mean()", "real.detach().mean()"),
            "You detach what the critic gives to the real images, so it learns from fakes alone.",
        ),
    },
    accepts=[
        lambda real, fake: -(real.mean() - fake.mean()),
        lambda real, fake: fake.sum() / fake.numel() - real.sum() / real.numel(),
        lambda real, fake: torch.cat([fake / len(fake), -real / len(real)]).sum(),
    ],
    hints=[
        "The estimate is the mean over real images minus the mean over fakes. The critic wants it as large as possible.",
        "A loss is made small.",
    ],
    points=1,
    minutes=5,
)  # fmt: skip


def probe_clip_weights(answer, rng):
    inputs, width = rng.size(2, 4), rng.size(5, 7)
    first = nn.Sequential(nn.Linear(inputs, width), nn.Tanh())
    critic = nn.Sequential(first, nn.Linear(width, width), nn.Sequential(nn.Linear(width, 2))).to(rng.device)
    weights = list(critic.parameters())  # an optimizer would hold these
    for p in weights:
        p.data.copy_(2 * rng.normal(*p.shape))
        for place, side in ((0, 1), (-1, -1)):  # each of them has something to clip, on both sides
            p.data.view(-1)[place] = side * (1 + float(rng.size(1, 3)))
        p.grad = rng.normal(*p.shape)
    answer(critic, 0.3 + 0.1 * rng.size(1, 6))
    learnable = [float(p.requires_grad) for p in critic.parameters()]
    return {f"weight {i + 1}": p for i, p in enumerate(critic.parameters())} | {
        "what an optimizer holds": torch.cat([p.detach().flatten() for p in weights]),
        "gradients": torch.cat([p.grad.flatten() for p in weights]),
        "still to be learned": torch.tensor(learnable) * rng.uniform(1, low=1, high=2),
    }


def clips(change, which=lambda i, p, n: True):
    """An answer that changes some of the weights: change(weight, limit) gives their new values."""

    def wrong(critic, limit):
        weights = list(critic.parameters())
        for i, p in enumerate(weights):
            if which(i, p, len(weights)):
                p.data.copy_(change(p.data, limit))

    return wrong


def clamp(p, limit):
    return p.clamp(-limit, limit)


def gradients_clipped(critic, limit):
    nn.utils.clip_grad_value_(critic.parameters(), limit)


def gradient_norm_clipped(critic, limit):
    nn.utils.clip_grad_norm_(critic.parameters(), limit)


def weights_replaced(critic, limit):
    for module in list(critic.modules()):
        for name, p in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(p.detach().clamp(-limit, limit)))
            getattr(module, name).grad = p.grad


def weights_frozen(critic, limit):
    for p in critic.parameters():
        p.requires_grad_(False).clamp_(-limit, limit)


exercise(
    target=gan.clip_weights,
    title="Clip the weights",
    probe=probe_clip_weights,
    mistakes={
        "gradients clipped": (
            gradients_clipped,
            "You clip the *gradients*. That makes the steps smaller, and in many small steps the weights still grow without "
            "bounds. Here the weights themselves are clipped.",
        ),
        "norm of the gradients clipped": (
            gradient_norm_clipped,
            "You clip the norm of the *gradients*, a well-known trick of training. Here the weights themselves are clipped.",
        ),
        "nothing written back": (
            lambda critic, limit: [p.clamp(-limit, limit) for p in critic.parameters()] and None,
            "You compute the clipped weights, and nobody keeps them: the critic is as it was. `clamp_`, with an underscore, "
            "writes in place.",
        ),
        "new parameters": (
            weights_replaced,
            "You put new parameters into the critic. The optimizer still holds the old ones, and moves weights that nobody "
            "uses any more. Change the values in place.",
        ),
        "frozen": (
            weights_frozen,
            "Your weights cannot learn any more: `requires_grad` is off. Use `torch.no_grad()` for the clipping only.",
        ),
        "upper limit only": (
            clips(lambda p, limit: p.clamp(max=limit)),
            "Only the upper limit holds. A weight of −5 makes as steep a critic as one of 5.",
        ),
        "lower limit only": (
            clips(lambda p, limit: p.clamp(min=-limit)),
            "Only the lower limit holds. A weight of 5 makes as steep a critic as one of −5.",
        ),
        "never negative": (
            clips(lambda p, limit: p.clamp(0, limit)),
            "You clip to [0, limit], so every negative weight becomes 0. The interval is [−limit, limit].",
        ),
        "biases left": (
            clips(clamp, lambda i, p, n: p.ndim > 1),
            "The biases are left as they were. In the paper's algorithm every parameter of the critic is clipped.",
        ),
        "first layer only": (
            clips(clamp, lambda i, p, n: i < 2),
            "You clip the first layer only. The slope of the critic is a product over all its layers.",
        ),
        "first level only": (
            clips(clamp, lambda i, p, n: i in (2, 3)),
            "You look at the critic's own layers, and not into those that are made of layers themselves. "
            "`critic.parameters()` gives the weights of all of them.",
        ),
        "first level only, without biases": (
            clips(clamp, lambda i, p, n: i == 2),
            "You look at the critic's own layers only, and there at `weight` alone. `critic.parameters()` gives all weights and "
            "biases of all layers.",
        ),
        "last layer left": (
            clips(clamp, lambda i, p, n: i < n - 2),
            "The last layer is not clipped. The slope of the critic is a product over all its layers.",
        ),
        "last layer only": (
            clips(clamp, lambda i, p, n: i >= n - 2),
            "You clip the last layer only. The slope of the critic is a product over all its layers.",
        ),
        "set to 0": (
            clips(lambda p, limit: torch.where(p.abs() <= limit, p, torch.zeros_like(p))),
            "A weight beyond the limit becomes 0. It should become the nearest allowed number, which is ±limit.",
        ),
        "all at the limits": (
            clips(lambda p, limit: limit * p.sign()),
            "You put every weight at a limit. Those between the limits stay what they are.",
        ),
        "limits exchanged": (
            clips(lambda p, limit: p.clamp(limit, -limit)),
            "Your two limits are exchanged, and then `clamp` sets every weight to the second one, −limit. The lower limit "
            "comes first.",
        ),
        "all at one limit": (
            clips(lambda p, limit: torch.full_like(p, limit)),
            "You set every weight to the limit. Only those beyond a limit move, and each to its own side.",
        ),
        "what is beyond": (
            clips(lambda p, limit: p - clamp(p, limit)),
            "You subtract the clipped weights, and keep what lay *beyond* the limits. The clipped weights themselves should be left.",
        ),
        "scaled": (
            clips(lambda p, limit: p * limit),
            "You multiply the weights by the limit. Those between the limits stay what they are; the others move to a limit.",
        ),
        "scaled to the largest": (
            clips(lambda p, limit: p * (limit / p.abs().max()).clamp(max=1)),
            "You shrink a whole layer until its largest weight fits. Each weight is clipped by itself, and small ones stay.",
        ),
        "norm of each layer": (
            clips(lambda p, limit: p * (limit / p.norm()).clamp(max=1)),
            "You limit the *norm* of each layer. The paper's limit is on each weight by itself.",
        ),
        "soft limits": (
            clips(lambda p, limit: limit * (p / limit).tanh()),
            "Your limits are soft (a tanh), so every weight moves. Those between the limits stay what they are.",
        ),
        "twice the limit": (
            clips(lambda p, limit: p.clamp(-2 * limit, 2 * limit)),
            "Your limits are twice too far out: [−limit, limit] has the width 2 · limit, but each side has one limit.",
        ),
        "half of the limit": (
            clips(lambda p, limit: p.clamp(-limit / 2, limit / 2)),
            "Your limits are at half of the limit: the interval is [−limit, limit], of width 2 · limit.",
        ),
    },
    accepts=[
        clips(clamp),
        clips(lambda p, limit: torch.minimum(torch.maximum(p, torch.full_like(p, -limit)), torch.full_like(p, limit))),
    ],
    hints=[
        "`critic.parameters()` gives all of them, of all layers.",
        "They are leaves of autograd, so they may be changed in place only inside `with torch.no_grad():`.",
        "`clamp_(low, high)` writes in place.",
    ],
    points=1,
    minutes=5,
)  # fmt: skip


def probe_between(answer, rng):
    """As many images as they have rows and columns: a wrong shape of eps then goes through, as it may in training."""
    n = rng.size(3, 6)
    shapes = {"images": (n, 2, n, n), "images of one channel": (n, 1, n, n), "points in the plane": (n, n)}
    made = {name: (rng.normal(*s), rng.normal(*s), rng.uniform(n)) for name, s in shapes.items()}
    return {name: answer(*arguments) for name, arguments in made.items()}


def rows_of(eps, x):
    return eps.view(-1, *[1] * (x.ndim - 1))


def mixed(share):
    """fake + share · (real − fake), with share(eps, real) instead of one eps for each image."""
    return lambda real, fake, eps: fake + share(eps, real) * (real - fake)


exercise(
    target=gan.between,
    title="Points on the way",
    probe=probe_between,
    mistakes={
        "eps along the columns": (
            mixed(lambda eps, x: eps),
            "Your eps has shape (N,) as it came, and torch lines up shapes from the *right*: each column of pixels gets an eps, "
            "not each image. With as many images as columns nothing complains. Give it a 1 for every further dimension.",
        ),
        "eps along the rows": (
            mixed(lambda eps, x: eps[:, None]),
            "Your eps has shape (N, 1). torch lines up shapes from the *right*, so on images (N, C, H, W) each row of pixels "
            "gets an eps, not each image. It needs as many dimensions as the images have: (N, 1, 1, 1).",
        ),
        "every eps for every pair": (
            lambda real, fake, eps: torch.stack([fake + e * (real - fake) for e in eps]),
            "Every eps meets every pair, so you have N · N points. Pair i has eps i.",
        ),
        "for images only": (
            lambda real, fake, eps: fake + eps.view(-1, 1, 1, 1) * (real - fake),
            "Right for images (N, C, H, W); but points (N, D) come back in four dimensions. Take the number of dimensions from "
            "`real.ndim`.",
        ),
        "one eps for the whole batch": (
            mixed(lambda eps, x: eps[0]),
            "The whole batch gets the eps of its first image, so all points of a step lie equally far on the way. Each pair has "
            "an eps of its own.",
        ),
        "mean of eps": (
            mixed(lambda eps, x: eps.mean()),
            "You average eps: all points lie half-way, more or less. Each pair has an eps of its own.",
        ),
        "half-way": (
            mixed(lambda eps, x: 0.5),
            "All your points lie half-way, whatever eps is. The slope should be 1 all along the way.",
        ),
        "from the real end": (
            lambda real, fake, eps: real + rows_of(eps, real) * (fake - real),
            "Your eps is measured from the real image. In the docstring it says how far from the *fake* a point lies: eps = 0 "
            "is the fake. (In training both are equally good, since eps and 1 − eps are drawn alike.)",
        ),
        "the fake whole": (
            lambda real, fake, eps: fake + rows_of(eps, real) * real,
            "You add a share of the real image to the whole fake. At eps = 1 that is the sum of both, not the real image: the "
            "fake's share is 1 − eps.",
        ),
        "the real one whole": (
            lambda real, fake, eps: real + rows_of(eps, real) * fake,
            "You add a share of the fake to the whole real image. The two shares are eps and 1 − eps.",
        ),
        "away from the real one": (
            lambda real, fake, eps: fake + rows_of(eps, real) * (fake - real),
            "You walk from the fake *away* from the real image. The difference is real − fake.",
        ),
        "away from the fake": (
            lambda real, fake, eps: real + rows_of(eps, real) * (real - fake),
            "You walk from the real image away from the fake. The way starts at the fake: eps = 0 is the fake, eps = 1 the real "
            "image.",
        ),
        "brackets forgotten": (
            lambda real, fake, eps: fake + rows_of(eps, real) * real - fake,
            "Without brackets eps multiplies the real image alone, and the fake cancels. A share of the *difference* is added to the fake.",
        ),
        "difference only": (
            lambda real, fake, eps: rows_of(eps, real) * (real - fake),
            "This is a share of the difference. It starts at the fake: add it.",
        ),
        "share of the sum": (
            lambda real, fake, eps: rows_of(eps, real) * (real + fake),
            "You take a share of the sum of both. The shares of the real image and the fake are eps and 1 − eps.",
        ),
        "real images": (
            lambda real, fake, eps: real.clone(),
            "These are the real images. The points should lie between them and the fakes.",
        ),
        "fakes": (
            lambda real, fake, eps: fake.clone(),
            "These are the fakes. The points should lie between them and the real images.",
        ),
        "either one": (
            lambda real, fake, eps: torch.where(rows_of(eps, real) > 0.5, real, fake),
            "You choose one of the two for each pair. The points should lie anywhere on the line between them.",
        ),
        "weights of equal power": (
            lambda real, fake, eps: rows_of(eps, real).sqrt() * real + (1 - rows_of(eps, real)).sqrt() * fake,
            "Your weights are roots, so their sum is more than 1, and the points lie beside the straight line.",
        ),
        "neighbour's fake": (
            lambda real, fake, eps: gan.between(real, fake.roll(1, 0), eps),
            "You pair each real image with the fake of another row. (For training that would do as well; the docstring pairs "
            "them row by row.)",
        ),
        "flipped in order": (
            lambda real, fake, eps: gan.between(real, fake, eps.flip(0)),
            "Your eps are in the opposite order: each pair gets that of another one.",
        ),
        "noise instead of fakes": (
            lambda real, fake, eps: real + rows_of(eps, real) * fake.std() * (real - real.mean()),
            "Your points lie around the real images, and the fakes play no part. (That is the penalty of DRAGAN.) Here they lie "
            "between real images and fakes.",
        ),
    },
    accepts=[
        lambda real, fake, eps: rows_of(eps, real) * real + (1 - rows_of(eps, real)) * fake,
        lambda real, fake, eps: torch.lerp(fake, real, rows_of(eps, real)),
        lambda real, fake, eps: torch.stack([f + e * (r - f) for r, f, e in zip(real, fake, eps, strict=True)]),
    ],
    equivalents={
        "eps = eps.unflatten(-1, (-1, *[1] * (real.ndim - 1)))": "an eps (N,) has no other dimension",
    },
    hints=[
        "A share eps of the real image, and 1 − eps of the fake.",
        "torch lines up shapes from the right. To meet the first dimension of (N, C, H, W), eps has to be (N, 1, 1, 1).",
        "For any number of dimensions: `eps.view(-1, *[1] * (real.ndim - 1))`.",
    ],
    points=1,
    minutes=8,
)  # fmt: skip


def probe_gradient_penalty(answer, rng):
    n, channels, size, width = rng.size(3, 6), rng.size(2, 3), rng.size(2, 4), rng.size(4, 6)
    inner = rng.normal(channels * size**2, width, leaf="the critic's first weights")
    outer = rng.normal(width, leaf="the critic's last weights")
    plane = rng.normal(2, width, leaf="weights of the critic of points")

    def critic(x):
        return torch.tanh(x.flatten(1) @ inner / 2) @ outer / 2

    return {
        "penalty, images": answer(critic, rng.normal(n, channels, size, size)),
        "penalty, points in the plane": answer(
            lambda x: (x @ plane).square().sum(1) / 4, rng.normal(n + 2, 2)
        ),
        "a flat critic": answer(lambda x: 0.1 * critic(x), rng.normal(n, channels, size, size)),
    }


PENALTY = gan.gradient_penalty
NORMS = "(gradients.flatten(1).norm(dim=1) - 1).square().mean()"
BATCH_NORM = (
    "You take one norm over the gradients of the whole batch. It is 1 when every single slope is 1 / √N: the larger the batch, "
    "the flatter the critic is asked to be. Each point has a slope of its own."
)


def penalised(code):
    return edited(PENALTY, NORMS, code)


def penalty_of_slopes_without_graph(critic, points):
    points = points.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(critic(points).sum(), points)
    return (gradients.flatten(1).norm(dim=1) - 1).square().mean()


def penalty_point_by_point(critic, points):
    terms = []
    for point in points:
        point = point[None].detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(critic(point)[0], point, create_graph=True)
        terms.append((slope.square().sum().sqrt() - 1) ** 2)
    return sum(terms) / len(terms)


def penalty_with_ones(critic, points):
    points = points.clone().requires_grad_(True)
    values = critic(points)
    slopes = torch.autograd.grad(
        values, points, grad_outputs=torch.ones_like(values), create_graph=True, retain_graph=True
    )[0]
    return ((slopes.reshape(len(points), -1).norm(2, dim=1) - 1) ** 2).mean()


exercise(
    target=PENALTY,
    title="Repair: one slope for all",
    probe=probe_gradient_penalty,
    repair="one norm for the whole batch",
    mistakes={
        "one norm for the whole batch": (penalised("(gradients.norm() - 1).square()"), BATCH_NORM),
        "one norm, divided by N": (
            penalised("(gradients.norm() / len(points) - 1).square()"),
            "You divide the norm of the whole batch by N. No division makes one norm into N: each point has a slope of its own, "
            "and steep and flat ones must not make up for each other.",
        ),
        "one norm, divided by the root of N": (
            penalised("(gradients.norm() / len(points) ** 0.5 - 1).square()"),
            "This is the root of the mean squared slope. Half of the points may be far too steep and half of them flat, and it "
            "is satisfied. Each point has a slope of its own, and pays for it.",
        ),
        "penalty divided by N": (
            penalised("(gradients.norm() - 1).square() / len(points)"),
            "Still one norm for the whole batch, and its penalty divided by N. Each point has a slope of its own.",
        ),
        "mean of the gradients": (
            penalised("(gradients.mean(0).norm() - 1).square()"),
            "You average the gradients, and take the norm of that. Gradients of different points point in different directions "
            "and cancel: the mean can be 0 while every slope is 10. First the norms, then the mean.",
        ),
        "mean of the slopes": (
            penalised("(gradients.flatten(1).norm(dim=1).mean() - 1).square()"),
            "You average the slopes before you square. Then one point of slope 2 makes up for one of slope 0. Each of them "
            "should pay.",
        ),
        "norm down the batch": (
            penalised("(gradients.flatten(1).norm(dim=0) - 1).square().mean()"),
            "Your norm runs down the batch, one for each pixel. A slope belongs to a point: reduce over its own numbers, "
            "dimension 1.",
        ),
        "norm over the channels": (
            penalised("(gradients.norm(dim=1) - 1).square().mean()"),
            "Dimension 1 of images is the channels, so you get a norm for each pixel, and each pixel is asked for a slope of 1. "
            "(On points in the plane it is right.) Flatten each image first.",
        ),
        "norm over the last dimension": (
            penalised("(gradients.norm(dim=-1) - 1).square().mean()"),
            "Your norm is over the last dimension only, a row of pixels. (On points in the plane it is right.) Flatten each "
            "image first.",
        ),
        "each number alone": (
            penalised("(gradients.abs() - 1).square().mean()"),
            "You ask every single derivative to be ±1. The slope of a point is the norm of all its derivatives together.",
        ),
        "norm squared": (
            penalised("(gradients.flatten(1).square().sum(1) - 1).square().mean()"),
            "You use the squared norm: (‖∇‖² − 1)². It is smallest at the same place, but its force is another: far out it "
            "grows with the fourth power. The root is missing.",
        ),
        "1 missing": (
            penalised("gradients.flatten(1).norm(dim=1).square().mean()"),
            "The 1 is missing: you ask for a slope of 0. (On real images alone that is the R1 penalty of later GANs.)",
        ),
        "1 inside of the square": (
            penalised("(gradients.flatten(1).norm(dim=1).square() - 1).mean()"),
            "You square the norm, and then subtract 1. Subtract first: (‖∇‖ − 1)² is 0 at slope 1 and positive on both sides.",
        ),
        "not squared": (
            penalised("(gradients.flatten(1).norm(dim=1) - 1).abs().mean()"),
            "You take the absolute difference from 1. The paper squares it.",
        ),
        "sign left": (
            penalised("(gradients.flatten(1).norm(dim=1) - 1).mean()"),
            "You average the differences with their signs, so the flattest critic pays least, less than nothing. Square each.",
        ),
        "upper side only": (
            penalised("(gradients.flatten(1).norm(dim=1) - 1).clamp(min=0).square().mean()"),
            "Only slopes above 1 pay. That is a later variant (and a good one, WGAN-LP); eq. 3 of the paper also makes flat "
            "places pay.",
        ),
        "sum over the batch": (
            penalised("(gradients.flatten(1).norm(dim=1) - 1).square().sum()"),
            "You add up the batch. The penalty is a mean: a larger batch must not count more against the distance.",
        ),
        "root at the end": (
            penalised("(gradients.flatten(1).norm(dim=1) - 1).square().mean().sqrt()"),
            "You take the root of the mean. The squared differences are averaged, and that is all.",
        ),
        "without create_graph": (
            penalty_of_slopes_without_graph,
            "The number is right, and it has no slope for the weights: `create_graph=True` is missing, or something is detached. autograd then forgets "
            "how the gradients were computed, the penalty is a constant, and the critic never learns from it.",
        ),
        "gradient of the mean": (
            edited(PENALTY, "critic(points).sum()", "critic(points).mean()"),
            "You differentiate the *mean* over the batch, so every gradient is N times too small. With a sum, each point "
            "gets the gradient of its own value, since no other value depends on it.",
        ),
        "gradient of the first": (
            edited(PENALTY, "critic(points).sum()", "critic(points)[0]"),
            "You differentiate the value of the first point alone, so all others have the slope 0.",
        ),
        "length of the points": (
            penalised("(points.flatten(1).norm(dim=1) - 1).square().mean() + 0 * gradients.sum()"),
            "You take the norm of the points. The slope is the norm of the *gradients* at the points.",
        ),
        "values instead of slopes": (
            penalised("(critic(points) - 1).square().mean() + 0 * gradients.sum()"),
            "You ask the critic's *value* to be 1. Its slope is meant: the norm of its gradient.",
        ),
        "sum of absolute derivatives": (
            penalised("(gradients.flatten(1).abs().sum(1) - 1).square().mean()"),
            "You add up absolute derivatives (the 1-norm). The slope in the steepest direction is the Euclidean norm.",
        ),
        "largest derivative": (
            penalised("(gradients.flatten(1).abs().amax(1) - 1).square().mean()"),
            "You take the largest derivative. The slope in the steepest direction is the Euclidean norm of all of them.",
        ),
        "mean over the pixels": (
            penalised("(gradients.flatten(1).square().mean(1).sqrt() - 1).square().mean()"),
            "Within each point you average the squares. The norm is the root of their *sum*: yours allows a slope of √D.",
        ),
        "sum of the derivatives": (
            penalised("(gradients.flatten(1).sum(1) - 1).square().mean()"),
            "You add up the derivatives with their signs. The norm squares them first.",
        ),
    },
    accepts=[penalty_point_by_point, penalty_with_ones,
             penalised("(gradients.flatten(1).square().sum(1).sqrt() - 1).pow(2).mean()")],
    equivalents={
        "points = points.requires_grad_()": "the points of the probe hang on nothing; whoever makes them detaches the fakes",
    },
    hints=[
        "What is the shape of `gradients`, and over which of its dimensions is the norm taken? How many slopes are there?",
        "`gradients.flatten(1)` has one row for each point. A norm of each row, over dimension 1, gives N slopes.",
        "Subtract 1 from each slope and square it; the mean over the points comes last.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def found_slope() -> float:
    """On a line, every real number is 2 larger than its fake, so W1 = 2. Let the critic be f(x) = s · x, with s to be learned.
    Its loss is −2 s + λ (s − 1)²: minus its estimate, plus the penalty, with λ = 10.
    Which slope s does it learn?
    """
    return 1 + 2 / (2 * 10)


exercise(
    target=found_slope,
    title="Which slope pays best?",
    mistakes={
        "just 1": (
            1,
            "At s = 1 the penalty is 0 *and flat*: a little more slope costs next to nothing there, and earns 2 for each unit of "
            "slope. So the best s is a little more than 1.",
        ),
        "factor of the square": (
            1.2,
            "The derivative of (s − 1)² is 2 (s − 1): you lost the 2.",
        ),
        "below 1": (
            0.9,
            "The size is right, the side is not. The first term, −2 s, falls as s grows, so it pulls s *above* 1.",
        ),
        "without the distance": (
            1.05,
            "You have 1 + 1 / (2 λ). The first term of the loss is −2 s, and its derivative −2.",
        ),
        "the rise": (
            0.1,
            "That is s − 1, how much more than 1 the slope is. Asked is s itself.",
        ),
        "the distance": (
            2,
            "That is W1, the distance. Asked is the slope s of the critic.",
        ),
        "the estimate": (
            2.2,
            "That is the critic's estimate, 2 s. Asked is its slope s.",
        ),
    },
    hints=["Where is the derivative of the loss by s zero?", "−2 + 2 λ (s − 1) = 0."],
    minutes=4,
)


def places(model, asked, fake, away):
    """Where on the way from fakes to fake + away the penalty of one turn is taken: (N, D), 0 at the fakes, 1 at the
    real images; or -1 everywhere, where it is not taken at one point for each pair."""
    asked.clear()
    model.critic_loss(fake + away, fake)
    if asked and asked[0].shape == fake.shape and all(torch.equal(asked[0], again) for again in asked):
        return ((asked[0] - fake) / away).flatten(1)
    return torch.full_like(fake, -1).flatten(1)


def probe_wgan_gp(answer, rng):
    """Three critics: a linear one, whose slope is the same everywhere; a curved one, at fakes that *are* the real
    images; and one that writes down where its slope is asked for. There are as many images as they have rows and
    columns, so that a wrong shape of eps goes through."""
    n, width = rng.size(3, 5), rng.size(4, 6)
    d = n * n
    line = rng.normal(d, leaf="weights of a linear critic")
    inner = rng.normal(d, width, leaf="weights of a curved critic")
    asked = []

    def linear(x, labels=0):
        return x.flatten(1)[:, :d] @ line * (1 + labels)

    def curved(x, labels=0):
        return (x.flatten(1)[:, :d] @ inner).tanh().sum(1) * (1 + labels)

    def flat(x, labels=0):
        return curved(x, labels) / 20

    def watching(x, labels=0):
        if x.requires_grad:
            asked.append(x.detach())
        return linear(x, labels)

    def model(critic):
        made = unwatched(answer(nn.Identity(), critic, 2))
        made.weight = float(rng.size(2, 9))
        return made

    labels = rng.integers(n, high=3)
    real, fake = rng.normal(n, 1, n, n), rng.normal(n, 1, n, n)
    losses = {
        "critic": model(linear).critic_loss(real, fake),
        "with labels": model(linear).critic_loss(real, fake, labels),
        "where all are equal": model(curved).critic_loss(real, real.clone(), labels),
        "where all are equal, of a flat critic": model(flat).critic_loss(real, real.clone(), labels),
    }
    shares = {}
    for name, shape in {"points": (d, d), "images": (n, 1, n, n)}.items():  # points as on the ring
        start, away, watched = rng.normal(*shape), 1 + rng.uniform(*shape), model(watching)
        turns = [places(watched, asked, start, away) for _ in range(250 // shape[0])]
        shares[f"places of the penalty, {name}"] = torch.stack(turns)
    found = {}
    for name, loss in losses.items():
        terms = loss if isinstance(loss, dict) else {"loss": loss}
        found |= {f"{name}: {term}": value for term, value in terms.items()}
    return (
        found
        | shares
        | {
            "generator": model(curved).generator_loss(fake),
            "generator with labels": model(curved).generator_loss(fake, labels),
        }
    )


def judge_wgan_gp(raw):
    """Any draw of the places will do, of about 250: uniform on the line from its fake (0) to its real image (1)."""
    for kind in ("points", "images"):
        share = raw.pop(f"places of the penalty, {kind}")  # (turns, N, D)
        each = share.mean(2)  # (turns, N)
        one = (share - each[..., None]).abs().max() < 1e-3
        anew = (share[0] - share[1]).abs().max() > 1e-3
        quarters = torch.stack([(each < q).double().mean() - q for q in (0.25, 0.5, 0.75)])
        facts = {
            "one point for each pair, of its shape": (share != -1).any(),
            "one share for all numbers of each": one,
            "between fake and real": ((each > -1e-3) & (each < 1 + 1e-3)).all(),
            "a share of its own for each": (share[:, 0] - share[:, 1]).abs().max() > 1e-3,
            "drawn anew at each turn": anew,
            "not all at the fakes": (each > 0.05).any(),
            "not all real": (each < 0.95).any(),
            "not only at both ends": ((each > 0.05) & (each < 0.95)).any(),
            "uniform": (quarters.abs().max() < 0.14) | ~one | ~anew,
        }
        raw |= {f"{kind}: {name}": value for name, value in facts.items()}
    return raw


GP = gan.WGANGP
POINTS = "points = between(real, fake, torch.rand(len(real), device=real.device))"
SLOPES = "penalty = gradient_penalty(lambda x: self.critic(x, *condition), points)"
DISTANCE = "distance = wasserstein_loss(self.critic(real, *condition), self.critic(fake, *condition))"
RETURNED = 'return {"distance": distance, "penalty": self.weight * penalty}'
GENERATOR = "return -self.critic(fake, *condition).mean()"


def at(points):
    """The class with the penalty at other points."""
    return edited(GP, POINTS, points)


def priced(code):
    """The class with another penalty of the slopes."""
    graph = (
        "gradients = torch.autograd.grad(self.critic(points, *condition).sum(), points, create_graph=True)[0]"
    )
    return edited(
        GP, SLOPES, f"points = points.detach().requires_grad_()\n        {graph}\n        penalty = {code}"
    )


def trained_on(code):
    return edited(GP, RETURNED, f"return {code}")


exercise(
    target=GP,
    title="Repair: a slope that nobody checked",
    probe=probe_wgan_gp,
    judge=judge_wgan_gp,
    blank=("critic_loss", "generator_loss"),
    repair="at real images only",
    mistakes={
        "at real images only": (
            at("points = real"),
            "The penalty is taken at real images only. Between them and the fakes, where the generator has to find its way, the "
            "slope may be anything. It still trains on easy data, and so nobody notices.",
        ),
        "at fakes only": (
            at("points = fake"),
            "The penalty is taken at fakes only. On the way from there to the data, where the generator has to go, the slope "
            "may be anything.",
        ),
        "half-way": (
            at("points = (real + fake) / 2"),
            "The penalty is taken half-way only. Draw a place on the way for each pair: the slope should be 1 all along it.",
        ),
        "at both ends": (
            at("points = torch.cat([real, fake])[torch.randperm(2 * len(real))[: len(real)]]"),
            "The penalty is taken at real images and at fakes, and nowhere between them. The way between them is what counts.",
        ),
        "either end": (
            at("points = torch.where(torch.rand(len(real)).view(-1, *[1] * (real.ndim - 1)) < 0.5, real, fake)"),
            "For each pair you choose one of its two ends. The slope is to be 1 all along the way between them.",
        ),
        "one eps for the batch": (
            at("points = between(real, fake, torch.rand(1, device=real.device).expand(len(real)))"),
            "You draw one eps for the whole batch. Each pair needs a place of its own on the way.",
        ),
        "eps for each pixel": (
            at("points = fake + torch.rand_like(real) * (real - fake)"),
            "You draw an eps for each number of an image, so your points fill a box, and do not lie on the line between the "
            "two. One eps for an image.",
        ),
        "for images only": (
            at("points = fake + torch.rand(len(real), 1, 1, 1, device=real.device) * (real - fake)"),
            "Right for images (N, C, H, W). But the data may also be points (N, D), as on the ring, and these come back in four "
            "dimensions. Your `between` takes care of that: call it.",
        ),
        "eps along the columns": (
            at("eps = torch.rand(len(real), device=real.device)\n        points = fake + eps * (real - fake)"),
            "Your eps has shape (N,), and torch lines up shapes from the *right*: each column of pixels gets an eps, not each image. "
            "With a batch of another size it stops. Your `between` gives it the missing dimensions: call it.",
        ),
        "eps along the rows": (
            at("eps = torch.rand(len(real), 1, device=real.device)\n        points = fake + eps * (real - fake)"),
            "Your eps has shape (N, 1). That is right for points (N, D); but on images (N, C, H, W) torch lines it up from the "
            "*right*, so each row of pixels gets an eps, and with a batch of another size it stops. Your `between` takes an eps of "
            "shape (N,), and does this for you: call it.",
        ),
        "eps of shape (N, 1) for between": (
            at("points = between(real, fake, torch.rand(len(real), 1, device=real.device))"),
            "Your eps has more than one dimension, as (N, 1). `between` asks for one number for each image, (N,), and adds the "
            "other dimensions itself: `torch.rand(len(real))`, without a further size.",
        ),
        "at both ends, apart": (
            edited(GP, SLOPES, "critic = lambda x: self.critic(x, *condition)\n"
                               "        penalty = (gradient_penalty(critic, real) + gradient_penalty(critic, fake)) / 2"),
            "You ask for the slope at more points than there are pairs, as at real images and at fakes. One point on the way "
            "between them for each pair is wanted.",
        ),
        "not evenly": (
            at("points = between(real, fake, torch.rand(len(real)) / 2)"),
            "Your points lie on the way, but not evenly: some parts of it are visited more often than others, or never. eps is "
            "uniform on the whole of [0, 1], as `torch.rand` draws it.",
        ),
        "distance alone": (
            edited(GP, RETURNED, "return distance"),
            "You return one number, the distance without the penalty. Then nothing holds the slope. Return both terms by name: "
            "`{\"distance\": …, \"penalty\": …}`.",
        ),
        "beyond the real end": (
            at("points = real + torch.rand(len(real)).view(-1, *[1] * (real.ndim - 1)) * (real - fake)"),
            "Your points lie beyond the real images, on the side away from the fakes. The way starts at the fake and ends at "
            "the real image.",
        ),
        "beyond the fake end": (
            at("points = fake + torch.rand(len(real)).view(-1, *[1] * (real.ndim - 1)) * (fake - real)"),
            "Your points lie beyond the fakes, on the side away from the real images. The difference is real − fake.",
        ),
        "same places at each turn": (
            at("points = between(real, fake, torch.linspace(0, 1, len(real), device=real.device))"),
            "Your eps are the same at each turn: an even row of numbers, or a draw from a fixed seed. Draw new ones with "
            "`torch.rand` each time, so that in the long run every place on the way is checked.",
        ),
        "pairs shuffled": (
            at("points = between(real, fake.roll(1, 0), torch.rand(len(real), device=real.device))"),
            "You pair each real image with the fake of another row. For training without labels that would do as well; but "
            "with a condition row i of both belongs to label i, so pair them row by row.",
        ),
        "eps from a normal distribution": (
            at(POINTS.replace("torch.rand(", "torch.randn(")),
            "Some of your points lie beyond the ends of the way, since your eps leaves [0, 1]: `torch.randn` draws from a normal "
            "distribution. `torch.rand` is uniform on [0, 1] as it is.",
        ),
        "one slope for the whole batch": (
            priced("(gradients.norm() - 1).square()"),
            "One norm for the whole batch. You have repaired that in `gradient_penalty` already: call it.",
        ),
        "upper side only": (
            priced("(gradients.flatten(1).norm(dim=1) - 1).clamp(min=0).square().mean()"),
            "Only slopes above 1 pay. That is a later variant; call `gradient_penalty`, which also makes flat places pay.",
        ),
        "one sum": (
            trained_on("distance + self.weight * penalty"),
            "You return the sum. It trains in the same way, but the code that you were given returned both terms by name, since the "
            "distance alone is what you will look at: `{\"distance\": …, \"penalty\": …}`.",
        ),
        "weight forgotten": (
            trained_on('{"distance": distance, "penalty": penalty}'),
            "The penalty is not multiplied by `self.weight`.",
        ),
        "weight of the paper": (
            trained_on('{"distance": distance, "penalty": 10 * penalty}'),
            "You multiply by 10, whatever `self.weight` says. On the ring we shall need another one.",
        ),
        "weight on the distance": (
            trained_on('{"distance": self.weight * distance, "penalty": penalty}'),
            "`self.weight` multiplies the distance. It is the weight of the penalty.",
        ),
        "weight on both": (
            trained_on('{"distance": self.weight * distance, "penalty": self.weight * penalty}'),
            "`self.weight` multiplies both terms, so it changes nothing but the size of the loss. It belongs to the penalty.",
        ),
        "sign of the penalty": (
            trained_on('{"distance": distance, "penalty": -self.weight * penalty}'),
            "The penalty has the wrong sign: it is a reward. A flat critic becomes quite flat, and a steep "
            "one ever steeper.",
        ),
        "penalty detached": (
            trained_on('{"distance": distance, "penalty": self.weight * penalty.detach()}'),
            "The penalty is detached: it is printed, and the critic never learns from it.",
        ),
        "terms exchanged": (
            trained_on('{"distance": self.weight * penalty, "penalty": distance}'),
            "The two terms have each other's name. The sum is right, and what you would look at in training is not.",
        ),
        "sign of the distance": (
            edited(GP, DISTANCE, DISTANCE.replace("= wasserstein_loss", "= -wasserstein_loss")),
            "The distance has the wrong sign, or real images and fakes have changed places. `wasserstein_loss(real's, fake's)` is "
            "what the critic minimises. With yours the fakes get the high numbers, and the generator, which wants high numbers, "
            "is sent away from the data.",
        ),
        "loss of a discriminator": (
            edited(GP, DISTANCE, DISTANCE.replace("wasserstein_loss", "discriminator_loss")),
            "This is the loss of lesson 30, with a penalty. A WGAN's critic estimates a distance: `wasserstein_loss`.",
        ),
        "penalty without the condition": (
            edited(GP, SLOPES, "penalty = gradient_penalty(self.critic, points)"),
            "The penalty does not pass the condition on, so it checks the slope of another critic: that without a label.",
        ),
        "real images without the condition": (
            edited(GP, DISTANCE, DISTANCE.replace("self.critic(real, *condition)", "self.critic(real)")),
            "The critic is not told the condition of the real images.",
        ),
        "fakes without the condition": (
            edited(GP, DISTANCE, DISTANCE.replace("self.critic(fake, *condition)", "self.critic(fake)")),
            "The critic is not told the condition of the fakes.",
        ),
        "generator without the condition": (
            edited(GP, GENERATOR, "return -self.critic(fake).mean()"),
            "In `generator_loss` the critic is not told the condition.",
        ),
        "sign of the generator": (
            edited(GP, GENERATOR, GENERATOR.replace("-self", "self")),
            "The generator's loss has the wrong sign. Real images have the high numbers, so the generator wants high numbers, "
            "and its loss is minus their mean.",
        ),
        "generator of a GAN": (
            edited(GP, GENERATOR, "return non_saturating_loss(self.critic(fake, *condition))"),
            "This is the generator's loss of lesson 30. A critic's number is no probability: the loss is minus its mean.",
        ),
        "sum in the generator": (
            edited(GP, GENERATOR, "return -self.critic(fake, *condition).sum()"),
            "The generator's loss is a sum over the batch. It is a mean.",
        ),
        "fakes detached in the generator": (
            edited(GP, GENERATOR, "return -self.critic(fake.detach(), *condition).mean().exp()"),
            "The generator's loss should be minus the mean of the critic's numbers, and its gradient flows through the critic "
            "to the fakes.",
        ),
    },
    accepts=[
        edited(GP, POINTS, "eps = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)\n"
                           "        points = (1 - eps) * real + eps * fake"),
        edited(GP, DISTANCE, "distance = self.critic(fake, *condition).mean() - self.critic(real, *condition).mean()",
               GENERATOR, "return self.critic(fake, *condition).neg().mean()"),
        priced("(gradients.flatten(1).norm(dim=1) - 1).square().mean()"),
    ],
    equivalents={
        "points = between(real, fake, torch.rand(len(real)))": "nothing changes on a CPU, where checks run",
        "points = between(fake, real, torch.rand(len(real), device=real.device))": "eps and 1 − eps are drawn alike",
    },
    hints=[
        "Where does the docstring of `WGANGP` say that the slope should be 1? Where is it checked here?",
        "You have written a function that gives points on the way from a fake to a real image.",
        "`between(real, fake, eps)` wants one eps for each image, of shape (N,), drawn uniformly from [0, 1]: `torch.rand` of "
        "`len(real)` numbers.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip
