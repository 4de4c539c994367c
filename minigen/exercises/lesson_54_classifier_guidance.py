"""The exercises of lesson 54: the slope of a class, a prediction bent by it, a classifier of noisy images."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from minigen import guidance
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.diffusion import Schedule, at, cosine_betas, linear_betas
from minigen.probing.observe import unwatched
from minigen.samplers import step_back

exercise = lesson("54_classifier_guidance")


def linear_chain(rng):
    """A chain of few large steps, another one in each draw."""
    return Schedule(linear_betas(rng.size(12, 17), 0.01 * rng.size(2, 4), 0.1 * rng.size(3, 4)))


def cosine_chain(rng):
    """Another, whose last step takes nearly everything."""
    return Schedule(cosine_betas(rng.size(11, 18), largest=0.9))


class Opinions:
    """A small classifier of noisy things of one shape; the class wanted for each of them is drawn as well."""

    def __init__(self, rng, n, numbers, steps):
        self.into, self.out = rng.normal(numbers, 5), rng.normal(5, 4)
        self.wanted = rng.integers(n, high=4)
        self.steps = steps

    def log_probability(self, x_t, t):
        share = torch.as_tensor(t).to(x_t).reshape(-1, 1) / self.steps
        logits = (x_t.flatten(1) @ self.into * (0.4 - 0.2 * share) + 0.5 * share).tanh() @ self.out
        return logits.log_softmax(1).gather(1, self.wanted[:, None]).squeeze(1)


def probe_gradient(answer, rng):
    n, size, steps = rng.size(3, 6), rng.size(2, 3), rng.size(20, 40)
    images, points = Opinions(rng, n, size * size, steps), Opinions(rng, n + 2, 2, steps)
    for part in (images.into, images.out):
        part.requires_grad_()
    each, one = rng.integers(n, low=1, high=steps + 1), rng.size(1, steps)
    x, y = rng.normal(n, 1, size, size), rng.normal(n + 2, 2)
    slope = answer(images.log_probability, x, each)
    values = {
        "images": slope,
        "the result is detached": torch.tensor(not getattr(slope, "requires_grad", False)),
        "x_t is left as it was": torch.tensor(not x.requires_grad and x.grad is None),
        "the classifier's weights got no gradient": torch.tensor(images.into.grad is None),
        "points": answer(points.log_probability, y, one),
    }
    with torch.no_grad():  # as a sampler calls it
        try:
            found = answer(points.log_probability, y, one)
        except RuntimeError:
            found = torch.zeros_like(y)
        still_off = not torch.is_grad_enabled()
    return values | {
        "points, gradients switched off": found,
        "gradients are as they were": torch.tensor(still_off),
    }


SLOPE = "(slope,) = torch.autograd.grad(log_probability(x, t).sum(), x)"
LEAF = "x = x_t.detach().requires_grad_()"


def slope_with(*changes):
    return edited(guidance.classifier_gradient, *changes)


def of_what(code):
    """The slope of something else than the sum of the logarithms."""
    return slope_with("log_probability(x, t).sum()", code)


def made_of_it(code):
    """Something made of the right slope."""
    return slope_with("return slope", f"return {code}")


def by_backward(log_probability, x_t, t):
    x = x_t.clone().requires_grad_()
    with torch.enable_grad():
        log_probability(x, t).sum().backward()
    return x.grad


def by_backward_alone(log_probability, x_t, t):
    """Each image by itself, and the classifier's weights left alone."""
    x = x_t.detach().clone().requires_grad_()
    with torch.enable_grad():
        values = log_probability(x, t)
        torch.autograd.backward(values, torch.ones_like(values), inputs=[x])
    return x.grad


def by_rows_of_the_jacobian(log_probability, x_t, t):
    with torch.enable_grad():
        whole = torch.autograd.functional.jacobian(lambda x: log_probability(x, t), x_t.detach())
    return torch.stack([whole[i, i] for i in range(len(x_t))])


exercise(
    target=guidance.classifier_gradient,
    title="Where the class gets more probable",
    probe=probe_gradient,
    mistakes={
        "mean over the batch": (
            of_what("log_probability(x, t).mean()"),
            "You take the mean over the batch, so every slope is divided by the number of images. How far one picture is pushed must not depend on "
            "how many others are drawn beside it: add up.",
        ),
        "slope of the probability": (
            of_what("log_probability(x, t).exp().sum()"),
            "This is the slope of the probability. That of its logarithm is wanted: it is the one that Bayes' rule adds, and it is still large where "
            "the probability is tiny.",
        ),
        "sum of the probabilities first": (
            of_what("log_probability(x, t).logsumexp(0)"),
            "You add up probabilities over the batch and take the logarithm then. So the images share one slope among them. Add up the logarithms.",
        ),
        "downhill": (
            of_what("-log_probability(x, t).sum()"),
            "Your slope points away from the class. In training one goes down a loss; here the probability is to rise.",
        ),
        "one image": (
            of_what("log_probability(x, t)[0]"),
            "Only the first image has a slope. The sum over the batch has one for each.",
        ),
        "the most probable one": (
            of_what("log_probability(x, t).max()"),
            "Only one image has a slope: the one whose class is the most probable. The sum over the batch has one for each.",
        ),
        "clean image claimed": (
            of_what("log_probability(x, 0 * t).sum()"),
            "You tell the classifier t = 0. Its images are noisy, and it wants to know how much: hand t on.",
        ),
        "unit length": (
            made_of_it("slope / slope.flatten(1).norm(dim=1).view(-1, *[1] * (slope.ndim - 1))"),
            "You bring each slope to length 1. Its length says how much there is to gain: a classifier that is sure already should hardly push.",
        ),
        "signs": (
            made_of_it("slope.sign()"),
            "You keep the sign of each number alone. That is how images are made that fool a classifier; Bayes' rule wants the slope itself.",
        ),
        "a step uphill": (
            made_of_it("x_t + slope"),
            "You have taken the step already: this is x_t plus the slope. The slope alone is wanted; what becomes of it is the sampler's affair.",
        ),
        "averaged over the batch": (
            made_of_it("slope.mean(0, keepdim=True).expand_as(slope)"),
            "All images get the same slope, the mean of theirs. Each has its own.",
        ),
        "still in the graph": (
            slope_with("log_probability(x, t).sum(), x)", "log_probability(x, t).sum(), x, create_graph=True)"),
            "Your slope is still in the graph of the classifier: `create_graph` and `torch.func.grad` keep it there. Over all steps of a sampler the "
            "graphs pile up, until memory is full. Give it back detached.",
        ),
        "switched on for good": (
            slope_with("with torch.enable_grad():", "if torch.set_grad_enabled(True):"),
            "You switch gradients on and leave them on, so from here on the sampler records all that it computes. `with torch.enable_grad():` puts "
            "back what it found.",
        ),
        "gradients left in the weights": (
            by_backward,
            "The slope is right, but `backward` has also left gradients in the classifier's weights, and in each step it adds more. "
            "`torch.autograd.grad` gives the one that you ask for and nothing else.",
        ),
        "x_t itself": (
            slope_with(LEAF, "x = x_t.requires_grad_()"),
            "You switch `requires_grad` on in x_t itself, which belongs to whoever called. Then all that is computed of it later is recorded too. "
            "Take a detached one.",
        ),
        "gradients still off": (
            slope_with("torch.enable_grad()", "torch.set_grad_enabled(torch.is_grad_enabled())"),
            "Where gradients are switched off there is no slope to be had, and samplers do switch them off. `with torch.enable_grad():` switches "
            "them on again for your lines.",
        ),
    },
    accepts=[
        by_backward_alone,
        by_rows_of_the_jacobian,
        slope_with("x_t.detach().requires_grad_()", "x_t.clone().detach().requires_grad_(True)"),
    ],
    hints=[
        "Make a detached x of x_t that wants a gradient, and ask for the log-probabilities of the batch: (N,).",
        "`torch.autograd.grad` wants one number. Image 3 does not enter the log-probability of image 5: what is the slope of their sum?",
        "Samplers run under `torch.no_grad()`. Your lines need `with torch.enable_grad():` around them.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


def probe_guided(answer, rng):
    values, asked = {}, []
    for name, chain, shape, settings in (
        ("images, scale 1", linear_chain(rng), (rng.size(3, 5), 1, 2, 2), {}),
        ("points", cosine_chain(rng), (rng.size(6, 8), 2), {"scale": 1.0 + 0.5 * rng.size(1, 5)}),
    ):
        n, numbers = shape[0], math.prod(shape[1:])
        opinions, weights = Opinions(rng, n, numbers, chain.steps), rng.normal(numbers, numbers)

        def predict(x_t, t, weights=weights, steps=chain.steps):
            asked.append(1)
            share = torch.as_tensor(t).to(x_t).reshape(-1, *[1] * (x_t.ndim - 1)) / steps
            return (x_t.flatten(1) @ weights).tanh().view_as(x_t) + share * x_t

        guided = answer(predict, opinions.log_probability, chain.alpha_bar, **settings)
        each, x = rng.integers(n, low=1, high=chain.steps + 1), rng.normal(*shape)
        one = rng.size(2, chain.steps)
        values[f"{name}: a time for each"] = guided(x, each)
        values[f"{name}: one time"] = guided(rng.normal(*shape), one)
        values[f"{name}: asked again"] = guided(x, each)
    return values | {"the denoiser is asked once": torch.tensor(len(asked) == 6)}


BENT = "return predict(x_t, t) - scale * sigma * classifier_gradient(log_probability, x_t, t)"
SIGMA = "at((1 - alpha_bar).sqrt(), t, x_t)"


def guided_with(*changes):
    return edited(guidance.classifier_guided, *changes)


def bent(code):
    """Another formula for the prediction."""
    return guided_with(BENT, f"return {code}")


def asked_about_the_picture(time):
    """The classifier is shown the data that the denoiser predicts."""
    return guided_with(
        SIGMA,
        f"{SIGMA}\n",
        BENT,
        f"""
        def of_the_picture(x, t):
            x0 = (x - sigma * predict(x, t)) / at(alpha_bar.sqrt(), t, x)
            return log_probability(x0, {time})

        return predict(x_t, t) - scale * sigma * classifier_gradient(of_the_picture, x_t, t)""".strip(),
    )


def made_of_the_picture(code):
    """Something made of the noise e that is predicted, and of the finished picture x0; the denoiser is asked once."""
    made = "e = predict(x_t, t)\n        x0 = (x_t - sigma * e) / at(alpha_bar.sqrt(), t, x_t)"
    return guided_with(BENT, f"{made}\n        return {code}")


def gradients_add_up(predict, log_probability, alpha_bar, scale=1.0):
    def guided(x_t, t):
        x_t.requires_grad_()
        with torch.enable_grad():
            log_probability(x_t, t).sum().backward()
        return (predict(x_t, t) - scale * at((1 - alpha_bar).sqrt(), t, x_t) * x_t.grad).detach()

    return guided


def by_scores(predict, log_probability, alpha_bar, scale=1.0):
    """From noise to a score, Bayes' rule, and back."""

    def guided(x_t, t):
        sigma = at((1 - alpha_bar).sqrt(), t, x_t)
        score = -predict(x_t, t) / sigma
        return -sigma * (score + scale * guidance.classifier_gradient(log_probability, x_t, t))

    return guided


def by_one_slope(predict, log_probability, alpha_bar, scale=1.0):
    """The scale inside, and the root outside."""

    def guided(x_t, t):
        x = x_t.detach().requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad((scale * log_probability(x, t)).sum(), x)
        return predict(x_t, t) - at(1 - alpha_bar, t, x_t).sqrt() * slope

    return guided


exercise(
    target=guidance.classifier_guided,
    title="Repair: the network is in the graph twice",
    probe=probe_guided,
    repair="asked about the finished picture",
    mistakes={
        "asked about the finished picture": (
            asked_about_the_picture("t"),
            "You show the classifier the data that the denoiser *predicts*, and tell it that this is x_t. It learned what x_t looks like at time t. "
            "And since the prediction is made of x_t, the slope runs back through the whole denoiser.",
        ),
        "finished picture, time 0": (
            asked_about_the_picture("0 * t"),
            "You show the classifier the predicted data and tell it t = 0. With a classifier of clean images this is a method of its own, at the price of "
            "a slope through the denoiser. Bayes' rule asks about x_t itself, at time t.",
        ),
        "slope at the finished picture": (
            made_of_the_picture("e - scale * sigma * classifier_gradient(log_probability, x0, t)"),
            "Now the slope no longer runs through the denoiser, but it is still taken at the predicted data. It is wanted at x_t: show the classifier "
            "x_t itself.",
        ),
        "slope at the finished picture, time 0": (
            made_of_the_picture("e - scale * sigma * classifier_gradient(log_probability, x0, 0 * t)"),
            "The slope no longer runs through the denoiser, and t = 0 fits a finished picture. But Bayes' rule asks about x_t itself, at time t.",
        ),
        "denoiser out of the graph": (
            made_of_the_picture(
                "e - scale * sigma * classifier_gradient(log_probability, x0, t) / at(alpha_bar.sqrt(), t, x_t)"
            ),
            "You keep the denoiser out of the graph, but the classifier is still shown the predicted data, as if they were x_t. Show it x_t itself.",
        ),
        "denoiser out of the graph, asked twice": (
            guided_with(BENT, """
        def of_the_picture(x, t):
            return log_probability((x - sigma * predict(x, t).detach()) / at(alpha_bar.sqrt(), t, x), t)

        return predict(x_t, t) - scale * sigma * classifier_gradient(of_the_picture, x_t, t)""".strip()),
            "You keep the denoiser out of the graph, but the classifier is still shown the predicted data, as if they were x_t. Show it x_t itself.",
        ),
        "asked about the noise": (
            made_of_the_picture("e - scale * sigma * classifier_gradient(log_probability, e, t)"),
            "You show the classifier the predicted noise. It learned to look at x_t.",
        ),
        "denoiser asked beside the place": (
            bent("predict(x_t + scale * sigma * classifier_gradient(log_probability, x_t, t), t)"),
            "You move x_t, and ask the denoiser there. It is the *prediction* that is moved.",
        ),
        "σ missing": (
            bent("predict(x_t, t) - scale * classifier_gradient(log_probability, x_t, t)"),
            "The slope is added to the noise as it is. It belongs to the score, and the score is the noise over −√(1 − ᾱ_t).",
        ),
        "σ²": (
            guided_with(SIGMA, "at(1 - alpha_bar, t, x_t)"),
            "You multiply by 1 − ᾱ_t, a variance. Between score and noise stands its root.",
        ),
        "σ below": (
            bent("predict(x_t, t) - scale * classifier_gradient(log_probability, x_t, t) / sigma"),
            "You divide the slope by √(1 − ᾱ_t). From noise to score one divides; the slope goes the other way.",
        ),
        "share of the data": (
            guided_with(SIGMA, "at(alpha_bar.sqrt(), t, x_t)"),
            "You multiply by √ᾱ_t, the share of the data. Between score and noise stands that of the noise, √(1 − ᾱ_t).",
        ),
        "away from the class": (
            bent("predict(x_t, t) + scale * sigma * classifier_gradient(log_probability, x_t, t)"),
            "Your prediction is bent away from the class. The noise is what gets *taken out* of x_t, so what leads to the class is subtracted from it.",
        ),
        "scale of the sum": (
            bent("scale * (predict(x_t, t) - sigma * classifier_gradient(log_probability, x_t, t))"),
            "You scale the prediction as well. A prediction of three times the noise takes too much away; only the slope is scaled.",
        ),
        "scale of the prediction": (
            bent("scale * predict(x_t, t) - sigma * classifier_gradient(log_probability, x_t, t)"),
            "You scale the prediction. It is the classifier's slope that is scaled.",
        ),
        "interpolated": (
            bent("(1 - scale) * predict(x_t, t) - scale * sigma * classifier_gradient(log_probability, x_t, t)"),
            "You take away from the prediction what you give to the slope. The prediction stays whole, and the slope comes on top.",
        ),
        "unit length": (
            bent("predict(x_t, t) - scale * sigma * torch.nn.functional.normalize(\n"
                 "            classifier_gradient(log_probability, x_t, t).flatten(1), dim=1).view_as(x_t)"),
            "You bring the slope to length 1. Its length says how much there is to gain.",
        ),
        "divided by the batch": (
            bent("predict(x_t, t) - scale * sigma * classifier_gradient(log_probability, x_t, t) / len(x_t)"),
            "You divide the slope by the number of images. How far one picture is pushed must not depend on how many others are drawn beside it.",
        ),
        "classifier told t − 1": (
            bent("predict(x_t, t) - scale * sigma * classifier_gradient(log_probability, x_t, t - 1)"),
            "You tell the classifier t − 1. What it is shown is x_t.",
        ),
        "classifier told 0": (
            bent("predict(x_t, t) - scale * sigma * classifier_gradient(log_probability, x_t, 0 * t)"),
            "You tell the classifier t = 0. What it is shown is x_t.",
        ),
        "σ of t − 1": (
            guided_with(SIGMA, "at((1 - alpha_bar).sqrt(), t - 1, x_t)"),
            "Your σ is that of t − 1. The table is indexed by t itself.",
        ),
        "gradients add up": (
            gradients_add_up,
            "The first call is right. But `backward` adds to `x_t.grad`, so when the same tensor comes again, its old slope is still in there. "
            "`classifier_gradient` begins with a fresh one.",
        ),
    },
    accepts=[by_scores, by_one_slope],
    hints=[
        "How often does the code ask the denoiser, and through what does the slope of `of_the_picture` run?",
        "Which images did the classifier see in training, at time t? Show it those.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


def push_when_sure() -> str:
    """Two classes whose densities are Gaussians of the same width. At a point A the classifier gives the class wanted a
    probability of 0.5, and at a point B already 0.999. Guidance adds scale times ∇ log p(y | x). How hard does it push at B?
    "a": about twice as hard as at A, as the probability is twice as high
    "b": just as hard as at A
    "c": about 500 times less than at A
    "d": not at all, not even a little
    """
    return "c"


exercise(
    target=push_when_sure,
    title="Who is sure already?",
    mistakes={
        "harder": (
            "a",
            "The slope says how fast the logarithm *grows*, not how large it is. log 0.999 is nearly 0, and 0 is as high as it can get.",
        ),
        "as hard": (
            "b",
            "So it would be if log p grew without end. It ends at 0, and near its end it is flat.",
        ),
        "nothing": (
            "d",
            "Nearly. With p = 1 / (1 + exp(−z)), the slope of log p in z is 1 − p. That is little at p = 0.999, but it is not 0.",
        ),
    },
    hints=[
        "With two such Gaussians p = 1 / (1 + exp(−z)), where z is linear in x. What is the slope of log p in z?",
        "It is 1 − p: 0.5 at A. And at B?",
    ],
    minutes=5,
)


class Pupil(nn.Module):
    """Stands for the network of a classifier: writes down what it is shown and told."""

    def __init__(self, rng, numbers, classes, steps):
        super().__init__()
        self.gain = rng.uniform(1, low=0.5, high=1.5).requires_grad_()
        self.into, self.steps, self.seen = rng.normal(numbers, classes), steps, []

    def forward(self, x_t, t):
        t = torch.as_tensor(t)
        self.seen.append((x_t.detach(), t.detach()))
        share = t.to(x_t).reshape(-1, 1) / self.steps
        return self.gain * (x_t.flatten(1) @ self.into) + share * torch.arange(self.into.shape[1])


def probe_classifier(answer, rng):
    """One loss of a model that the answer makes, beside that of the same images, times and noise."""
    n, channels, classes = 2000, rng.size(1, 2), rng.size(3, 5)
    chain = Schedule(rng.uniform(rng.size(6, 9), low=0.05, high=0.5, dtype=torch.float64).cpu())
    model = unwatched(answer(chain, classes, channels, 2, 16))
    pupil = Pupil(rng, 4 * channels, classes, chain.steps)
    model.forward = pupil.forward
    x, labels = rng.images(n, channels, 2), rng.integers(n, high=classes)
    loss = torch.as_tensor(model.loss((x, labels)))
    x_t, t = pupil.seen[0]
    t = t.expand(n)
    index = t.long().clamp(0, chain.steps)
    wanted = F.cross_entropy(pupil(x_t, t), labels)
    (slope,) = torch.autograd.grad(wanted, pupil.gain)
    (found,) = (
        torch.autograd.grad(loss.sum(), pupil.gain, allow_unused=True) if loss.requires_grad else (None,)
    )
    a_bar = at(chain.alpha_bar, index, x)
    unit = rng.uniform(1, low=1.0, high=3.0).squeeze()  # these ratios are 1; another unit for each draw
    return {
        "loss": unit * loss / wanted.detach(),
        "slope of the loss": unit * (0 * slope if found is None else found) / slope,
        "times": t.to(x) / chain.steps,
        "steps": torch.tensor(chain.steps),
        "noise": (x_t - a_bar.sqrt() * x) / (1 - a_bar).sqrt().clamp(min=1e-3),
        "change": x_t - x,
        "data": x,
    }


def judge_classifier(raw):
    """Any draws will do: of 2,000 images, times and noise have means that are right within five standard errors."""
    t, noise, x, steps = (raw[name] for name in ("times", "noise", "data", "steps"))
    kinds, counts = t.unique(return_counts=True)
    clean = noise[t == 0]
    rows, of_rows = noise[t > 0], t[t > 0]
    spreads = torch.stack(
        [
            rows[of_rows == kind].var() if (of_rows == kind).sum() > 1 else x.new_zeros(())
            for kind in kinds[-9:]
        ]
    )
    mixed = torch.stack([(noise * x)[t == kind].mean() for kind in kinds[-9:]])
    flat = rows.flatten(1) if len(rows) > 1 else x.new_zeros(2, x[0].numel())
    covariance = flat.T.cov()
    last, first = (raw["change"][t == end].square().mean() for end in (t.max(), t.min()))
    return {
        "times told: whole numbers": (t * steps - (t * steps).round()).abs().max() < 1e-3,
        "times told: 0 is one of them": t.min() == 0,
        "times told: T is one of them, and none is above": (t.max() - 1).abs() < 1e-4,
        "times told: all as often": (counts / len(t) - 1 / len(kinds)).abs().max() < 0.05,
        "times told: how many": torch.tensor(len(kinds)),
        "at t = 0: data as it is": clean.abs().max() < 1e-2 if len(clean) else torch.tensor(True),
        "noise: does not fall as the time told rises": last >= 0.7 * first,
        "noise: there is some": raw["change"].square().mean() > 0.02,
        "noise: little of it at small times": raw["change"].square().mean() < 0.94,
        "noise: mean 0": flat.mean(0).abs().max() < 0.13,
        "noise: its own for each image": flat.std(0).min() > 0.01,
        "noise: independent pixels": (covariance - covariance.diag().diag()).abs().max() < 0.15,
        "noise: variance 1 at every time": (spreads[kinds[-9:] > 0] - 1).abs().max() < 0.3
        if (kinds > 0).any()
        else torch.tensor(False),
        "noise: knows nothing of the data": mixed.abs().max() < 0.12,
        "loss": raw["loss"],
        "slope of the loss": raw["slope of the loss"],
    }


known = guidance.NoisyClassifier
TIMES = "torch.randint(self.schedule.steps + 1, (len(x),), device=x.device)"
NOISE = "torch.randn_like(x)"
NOISY = "q_sample(x, t, torch.randn_like(x), self.schedule.alpha_bar)"
SHOWN = "self(x_t, t), labels)"
LOSS = "return F.cross_entropy(self(x_t, t), labels)"


def taught_with(*changes):
    return edited(known, *changes)


exercise(
    target=known,
    title="A classifier for every amount of noise",
    probe=probe_classifier,
    judge=judge_classifier,
    blank=("loss",),
    mistakes={
        "times from 1": (
            taught_with(TIMES, "torch.randint(1, self.schedule.steps + 1, (len(x),), device=x.device)"),
            "t = 0 never comes up. A denoiser has nothing to do there, but a classifier has: those are the digits as they are. Times go from 0 to T.",
        ),
        "T missing": (
            taught_with(TIMES, "torch.randint(self.schedule.steps, (len(x),), device=x.device)"),
            "T never comes up, and that is where drawing begins. `randint` leaves its upper end out.",
        ),
        "times from 1 to T − 1": (
            taught_with(TIMES, "torch.randint(1, self.schedule.steps, (len(x),), device=x.device)"),
            "Both ends are missing: times go from 0 to T, and `randint` leaves its upper end out.",
        ),
        "one time for the batch": (
            taught_with(TIMES, "torch.randint(self.schedule.steps + 1, (1,), device=x.device).expand(len(x))"),
            "All images of the batch are at the same time. Each one gets a time of its own.",
        ),
        "clean images": (
            taught_with(SHOWN, "self(x, t), labels)"),
            "You show it clean images, and tell it a time. It would be a classifier of clean images that has been told not to care about t.",
        ),
        "clean images, time 0": (
            taught_with(TIMES, "torch.zeros(len(x), dtype=torch.long, device=x.device)"),
            "You train at t = 0 alone. What it says of noisy images is then a matter of luck; draw a time for each.",
        ),
        "time not told": (
            taught_with(SHOWN, "self(x_t, 0 * t), labels)"),
            "The image is noisy, and you tell the network t = 0. It needs t to know how much of what it sees it may believe.",
        ),
        "time told backwards": (
            taught_with(SHOWN, "self(x_t, self.schedule.steps - t), labels)"),
            "You tell the network T − t. t counts from the data: t = 0 is without noise.",
        ),
        "another time told": (
            taught_with(SHOWN, "self(x_t, t[torch.randperm(len(t))]), labels)"),
            "The time that you tell is not that of the image. Noise and network get the same t.",
        ),
        "time as a share": (
            taught_with(SHOWN, "self(x_t, t / self.schedule.steps), labels)"),
            "You tell the network t / T. `forward` wants it in steps.",
        ),
        "uniform noise": (
            taught_with(NOISE, "torch.rand_like(x)"),
            "Your noise is uniform in [0, 1): `rand` for `randn`. The chain's noise is drawn from N(0, I).",
        ),
        "one noise for the batch": (
            taught_with(NOISE, "torch.randn_like(x[:1]).expand_as(x)"),
            "All images get the same noise. Each one needs a draw of its own.",
        ),
        "one number for the image": (
            taught_with(NOISE, "torch.randn_like(x[:, :1, :1, :1]).expand_as(x)"),
            "Every pixel of an image gets the same noise. Draw as many numbers as there are pixels.",
        ),
        "noise added whole": (
            taught_with(NOISY, "x + torch.randn_like(x)"),
            "You add the noise as it is, so every image has the same amount, whatever its time. Jump to time t: `q_sample`.",
        ),
        "α for ᾱ": (
            taught_with(NOISY, NOISY.replace("alpha_bar", "alpha")),
            "You jump with α_t, one step's share. After t steps the product of all of them is left: ᾱ_t.",
        ),
        "roots forgotten": (
            taught_with(NOISY, "at(self.schedule.alpha_bar, t, x) * x + at(1 - self.schedule.alpha_bar, t, x) * torch.randn_like(x)"),
            "You multiply by the variances ᾱ_t and 1 − ᾱ_t. Data and noise are multiplied by their roots: `q_sample` does it.",
        ),
        "labels of others": (
            taught_with(SHOWN, "self(x_t, t), labels.roll(1))"),
            "The labels are those of other images. Noise does not change what an image shows: its own label stays.",
        ),
        "added up": (
            taught_with(LOSS, "return F.cross_entropy(self(x_t, t), labels, reduction='sum')"),
            "You add up the batch. The mean is wanted.",
        ),
        "one for each image": (
            taught_with(LOSS, "return F.cross_entropy(self(x_t, t), labels, reduction='none')[0]"),
            "This is the loss of one image alone. The mean over the batch is wanted.",
        ),
        "probabilities": (
            taught_with(LOSS, "return F.cross_entropy(self(x_t, t).softmax(1), labels)"),
            "`cross_entropy` wants logits and takes the softmax itself. Given probabilities, it takes a softmax of a softmax, which can never be sure.",
        ),
        "no softmax": (
            taught_with(LOSS, "return F.nll_loss(self(x_t, t), labels)"),
            "`nll_loss` wants logarithms of probabilities, and these are logits: nothing keeps them from growing for ever. `cross_entropy` takes the "
            "softmax first.",
        ),
        "mean of the probability": (
            taught_with(LOSS, "return 1 - self(x_t, t).softmax(1).gather(1, labels[:, None]).mean()"),
            "You average the probability of the label. Its logarithm is what has to be large, in the mean: cross-entropy.",
        ),
        "minus forgotten": (
            taught_with(LOSS, "return self.log_probability(labels)(x_t, t).mean()"),
            "This is the mean log-probability, which should get large. A loss is to get small: minus that.",
        ),
        "in bits": (
            taught_with(LOSS, "return F.cross_entropy(self(x_t, t), labels) / 0.6931471805599453"),
            "This is in bits. Nats are wanted: the natural logarithm.",
        ),
        "weighted by the signal": (
            taught_with(LOSS, "weight = at(self.schedule.alpha_bar, t, labels.to(x))\n"
                              "        return (weight * F.cross_entropy(self(x_t, t), labels, reduction='none')).mean()"),
            "You weight each image by ᾱ_t. All times count the same.",
        ),
        "softened labels": (
            taught_with(LOSS, "return F.cross_entropy(self(x_t, t), labels, label_smoothing=0.1)"),
            "You smooth the labels, so the network learns to be less sure than it could be. Its probabilities are to be taken at their word here.",
        ),
        "detached": (
            taught_with(LOSS, "return F.cross_entropy(self(x_t, t).detach(), labels)"),
            "The loss is detached from the network: nothing would be learned.",
        ),
    },
    accepts=[
        taught_with(LOSS, "return -self.log_probability(labels)(x_t, t).mean()"),
        taught_with(LOSS, "return F.nll_loss(self(x_t, t).log_softmax(1), labels)"),
        taught_with(TIMES, "(torch.rand(len(x), device=x.device) * (self.schedule.steps + 1)).long()",
                    NOISY, "at(self.schedule.alpha_bar.sqrt(), t, x) * x + at((1 - self.schedule.alpha_bar).sqrt(), t, x) * torch.randn_like(x)"),
    ],
    equivalents={
        "t = torch.randint(self.schedule.steps + 1, (len(x),))": "nothing changes on a CPU, where checks run",
    },
    hints=[
        "Three steps: a time for each image, the noisy images, the cross-entropy of what `self` says of them.",
        "Times are drawn from 0 to T, both included; `q_sample` makes x_t of x, t and noise.",
        "`F.cross_entropy` wants logits and labels, and gives the mean over the batch, in nats.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


def probe_shifted(answer, rng):
    values, asked = {}, []
    for name, chain, shape in (
        ("images", linear_chain(rng), (rng.size(3, 5), 1, 2, 2)),
        ("points", cosine_chain(rng), (rng.size(6, 8), 2)),
    ):
        n, numbers = shape[0], math.prod(shape[1:])
        opinions, weights = Opinions(rng, n, numbers, chain.steps), rng.normal(numbers, numbers)

        def predict(x_t, t, weights=weights, steps=chain.steps):
            asked.append(1)
            share = torch.as_tensor(t).to(x_t).reshape(-1, *[1] * (x_t.ndim - 1)) / steps
            return (x_t.flatten(1) @ weights).tanh().view_as(x_t) + share * x_t

        other = 0.1 * chain.beta + 0.02 * rng.size(1, 4)
        for kind, variances, settings in (
            ("β̃", chain.variance, {}),
            ("other variances, other scale", other, {"scale": 1.0 + 0.5 * rng.size(1, 5)}),
        ):
            guided = answer(predict, opinions.log_probability, chain, variances, **settings)
            each, x = rng.integers(n, low=2, high=chain.steps + 1), rng.normal(*shape)
            values[f"{name}, {kind}: a time for each"] = guided(x, each)
            values[f"{name}, {kind}: one time"] = guided(rng.normal(*shape), rng.size(2, chain.steps))
    return values | {"the denoiser is asked once": torch.tensor(len(asked) == 8)}


TO_NOISE = "schedule.alpha.sqrt() * (1 - schedule.alpha_bar).sqrt() / schedule.beta"
SHIFT = "scale * at(variances, t, x_t) * classifier_gradient(log_probability, x_t, t)"
MOVED = "return predict(x_t, t) - at(mean_to_noise, t, x_t) * shift"


def shifted_with(*changes):
    return edited(guidance.classifier_shifted, *changes)


def by_undoing(predict, log_probability, schedule, variances, scale=1.0):
    """Goes to the mean, moves it, and asks which noise leads there."""

    def guided(x_t, t):
        mean = step_back(x_t, predict(x_t, t), t, schedule)
        slope = guidance.classifier_gradient(log_probability, x_t, t)
        mean = mean + scale * at(variances, t, x_t) * slope
        left = x_t - at(schedule.alpha.sqrt(), t, x_t) * mean
        return left * at((1 - schedule.alpha_bar).sqrt() / schedule.beta, t, x_t)

    return guided


def slope_at_the_mean(predict, log_probability, schedule, variances, scale=1.0):
    def guided(x_t, t):
        noise = predict(x_t, t)
        mean = step_back(x_t, noise, t, schedule)
        shift = scale * at(variances, t, x_t) * guidance.classifier_gradient(log_probability, mean, t)
        return (
            noise
            - at(schedule.alpha.sqrt() * (1 - schedule.alpha_bar).sqrt() / schedule.beta, t, x_t) * shift
        )

    return guided


def the_mean_itself(predict, log_probability, schedule, variances, scale=1.0):
    def guided(x_t, t):
        slope = guidance.classifier_gradient(log_probability, x_t, t)
        return step_back(x_t, predict(x_t, t), t, schedule) + scale * at(variances, t, x_t) * slope

    return guided


def denoiser_moved(predict, log_probability, schedule, variances, scale=1.0):
    def guided(x_t, t):
        slope = guidance.classifier_gradient(log_probability, x_t, t)
        return predict(x_t + scale * at(variances, t, x_t) * slope, t)

    return guided


exercise(
    target=guidance.classifier_shifted,
    title="Algorithm 1: the mean of a step, moved",
    probe=probe_shifted,
    mistakes={
        "shift of the prediction": (
            shifted_with(MOVED, "return predict(x_t, t) - shift"),
            "You subtract the shift from the predicted noise as it is. It is a shift of the *mean* of x_{t−1}; look at how the noise enters the mean "
            "in `step_back`, and undo that.",
        ),
        "shift added to the prediction": (
            shifted_with(MOVED, "return predict(x_t, t) + shift"),
            "You add the shift to the predicted noise. It is a shift of the *mean* of x_{t−1}, in which the noise stands with a factor and a minus: "
            "undo both.",
        ),
        "the mean itself": (
            the_mean_itself,
            "You give the shifted mean. A prediction of the noise is wanted: the one from which `step_back` makes that mean.",
        ),
        "denoiser moved": (
            denoiser_moved,
            "You move x_t and ask the denoiser there. It is the mean of x_{t−1} that is moved.",
        ),
        "slope at the mean": (
            slope_at_the_mean,
            "You take the slope at the mean of x_{t−1}. The algorithm takes it at x_t, which is what the classifier was trained for at time t.",
        ),
        "wrong way": (
            shifted_with(MOVED, "return predict(x_t, t) + at(mean_to_noise, t, x_t) * shift"),
            "The mean is moved away from the class. In `step_back` the noise is subtracted, so more of the mean is less of the noise.",
        ),
        "algorithm 2": (
            shifted_with(SHIFT, "scale * classifier_gradient(log_probability, x_t, t)", TO_NOISE, "(1 - schedule.alpha_bar).sqrt()"),
            "This is `classifier_guided`. It knows nothing of `variances`.",
        ),
        "√α forgotten": (
            shifted_with(TO_NOISE, "(1 - schedule.alpha_bar).sqrt() / schedule.beta"),
            "`step_back` divides everything by √α_t at the end, the noise too. Your factor leaves that out.",
        ),
        "divided by √α": (
            shifted_with(TO_NOISE, "(1 - schedule.alpha_bar).sqrt() / schedule.beta / schedule.alpha.sqrt()"),
            "You divide by √α_t. `step_back` does that; to undo it, multiply.",
        ),
        "undone without √α": (
            edited(by_undoing, "at(schedule.alpha.sqrt(), t, x_t) * mean", "mean"),
            "You take the mean as it is from x_t. `step_back` divides by √α_t last, so undo that first: multiply the mean by it.",
        ),
        "undone, the factor upside down": (
            edited(by_undoing, "(1 - schedule.alpha_bar).sqrt() / schedule.beta", "schedule.beta / (1 - schedule.alpha_bar).sqrt()"),
            "You multiply by β_t / √(1 − ᾱ_t) once more. `step_back` does that to the noise; to undo it, divide.",
        ),
        "undone without β": (
            edited(by_undoing, "(1 - schedule.alpha_bar).sqrt() / schedule.beta", "(1 - schedule.alpha_bar).sqrt()"),
            "In `step_back` the noise is multiplied by β_t / √(1 − ᾱ_t). You undo the root alone.",
        ),
        "ᾱ for α": (
            shifted_with(TO_NOISE, "(schedule.alpha_bar * (1 - schedule.alpha_bar)).sqrt() / schedule.beta"),
            "You take the root of ᾱ_t. One step shrinks by √α_t.",
        ),
        "1 − α for 1 − ᾱ": (
            shifted_with(TO_NOISE, "schedule.alpha.sqrt() * (1 - schedule.alpha).sqrt() / schedule.beta"),
            "You take the root of 1 − α_t, which is β_t. The noise of all t steps stands in `step_back`: √(1 − ᾱ_t).",
        ),
        "√(1 − ᾱ) forgotten": (
            shifted_with(TO_NOISE, "schedule.alpha.sqrt() / schedule.beta"),
            "In `step_back` the noise is multiplied by β_t / √(1 − ᾱ_t). You undo β_t alone.",
        ),
        "β forgotten": (
            shifted_with(TO_NOISE, "schedule.alpha.sqrt() * (1 - schedule.alpha_bar).sqrt()"),
            "In `step_back` the noise is multiplied by β_t / √(1 − ᾱ_t). You undo the root alone.",
        ),
        "√β": (
            shifted_with(TO_NOISE, "schedule.alpha.sqrt() * (1 - schedule.alpha_bar).sqrt() / schedule.beta.sqrt()"),
            "You divide by √β_t. In `step_back` stands β_t itself.",
        ),
        "done, not undone": (
            shifted_with(TO_NOISE, "schedule.beta / (1 - schedule.alpha_bar).sqrt() / schedule.alpha.sqrt()"),
            "You multiply by what `step_back` multiplies the noise by. You come from the mean and want the noise: divide by it.",
        ),
        "root of the variances": (
            shifted_with("at(variances, t, x_t)", "at(variances.sqrt(), t, x_t)"),
            "You multiply the slope by the standard deviation of the step. It is the variance Σ that belongs there.",
        ),
        "always β": (
            shifted_with("at(variances, t, x_t)", "at(schedule.beta, t, x_t)"),
            "You take β_t for Σ, whatever is asked. The variances of the step back are an argument.",
        ),
        "Σ forgotten": (
            shifted_with("at(variances, t, x_t) * ", ""),
            "Σ is missing. The slope is multiplied by the variance of the step: where the step is wide there is room to give way.",
        ),
        "Σ of t − 1": (
            shifted_with("at(variances, t, x_t)", "at(variances, t - 1, x_t)"),
            "You read `variances` at t − 1. The table is indexed by t, the time at which the step begins.",
        ),
    },
    accepts=[
        by_undoing,
        shifted_with(MOVED, "factor = (schedule.alpha * (1 - schedule.alpha_bar)).sqrt() / schedule.beta\n"
                            "        return predict(x_t, t) - at(factor, t, shift) * shift"),
    ],
    hints=[
        "By how much does the mean of `step_back` change when the predicted noise grows by 1? That is a negative number, made of β_t, α_t and ᾱ_t.",
        "The mean is to change by the shift, scale times Σ_t times the slope. So by how much has the noise to change?",
        "By the shift, divided by that number.",
    ],
    points=3,
    minutes=20,
)  # fmt: skip


def sure_of_noise() -> str:
    """A classifier learned digits without noise; on test digits it is right nearly always. Now it is shown test digits at
    t = 900 of 1,000, where hardly anything of them is left, and gives a probability to each class. What will it say?
    "a": about one tenth for each class, since it cannot know
    "b": it is fairly sure of one class, and mostly wrong
    "c": it is fairly sure of one class, and mostly right
    "d": it is unsure, but mostly right
    """
    return "b"


exercise(
    target=sure_of_noise,
    title="What does a stranger to noise say?",
    mistakes={
        "knows that it cannot know": (
            "a",
            "That is what a classifier would say that has *learned* how little noise tells. This one was never shown noise, and nothing in its training "
            "told it what to do there.",
        ),
        "right": (
            "c",
            "Nobody can be: at t = 900 hardly anything of the digit is left. The classifier of all noises is right in less than a quarter there.",
        ),
        "modest and right": (
            "d",
            "Nobody can be right there: hardly anything of the digit is left. And to be unsure about noise has to be learned.",
        ),
    },
    hints=[
        "What did its loss ask of it? To be sure of the right class, on clean digits. Did anything ask it to be unsure elsewhere?",
        "On clean digits it learned to put its largest logit far above the others. Noise makes that gap smaller, but did anything teach it to make all logits equal?",
    ],
    minutes=5,
)
