"""The exercises of lesson 30: a generator and a discriminator, and the game that they play."""

import math

import torch
from torch import nn
from torch.distributions import Normal
from torch.nn import functional as F

from minigen import game, gan
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.probing.observe import unwatched

exercise = lesson("30_gan")

ROUNDED = (
    "The formula is right, but rounding breaks it: for large log-odds a probability becomes exactly 0 or 1, or exp(a) "
    "becomes infinite, and the logarithm is not finite. Stay with the log-odds: `softplus`, `logsigmoid`, or `binary_cross_entropy_with_logits`."
)
CUT = (
    "You go over to probabilities and keep their logarithms finite by force. A sure and wrong answer then costs too little, and "
    "gives no gradient. Stay with the log-odds: `softplus` or `logsigmoid`."
)


def split_finite(raw):
    """Whether rounding spoils extreme inputs is compared by itself: so it can be told of a formula that is right."""
    extreme = {name: value for name, value in raw.items() if name.startswith("extreme")}
    flags = {f"{name}: finite": value.isfinite() for name, value in extreme.items()}
    return raw | flags | {name: value.where(value.isfinite(), 0) for name, value in extreme.items()}


def probe_discriminator_loss(answer, rng):
    n = rng.size(6, 9)
    return {
        "loss": answer(2 * rng.normal(n, leaf="real"), 2 * rng.normal(n, leaf="fake")),
        "extreme: loss of a sure discriminator": answer(1000 * rng.normal(n), 1000 * rng.normal(n)),
    }


def labelled(real, fake, *, of_real=1.0, of_fake=0.0):
    """Both cross-entropies, with these labels."""
    entropy = F.binary_cross_entropy_with_logits
    return entropy(real, torch.full_like(real, of_real)) + entropy(fake, torch.full_like(fake, of_fake))


TWICE = """real, fake = torch.sigmoid(real), torch.sigmoid(fake)
    cross_entropy = F.binary_cross_entropy_with_logits
    return cross_entropy(real, torch.ones_like(real)) + cross_entropy(fake, torch.zeros_like(fake))"""


def by_probabilities(real, fake, log=torch.log):
    return -log(real.sigmoid()).mean() - log(1 - fake.sigmoid()).mean()


exercise(
    target=gan.discriminator_loss,
    title="Repair: a discriminator that is never sure",
    probe=probe_discriminator_loss,
    judge=split_finite,
    repair="sigmoid twice",
    mistakes={
        "sigmoid twice": (
            edited(gan.discriminator_loss, "return F.softplus(-real).mean() + F.softplus(fake).mean()", TWICE),
            "The sigmoid is applied twice: you apply it, and the function that you call expects log-odds and applies it again. Then "
            "no image can seem surer than 0.73, and the loss never falls far.",
        ),
        "logarithm of a rounded probability": (by_probabilities, ROUNDED),
        "torch's own clamp": (
            lambda real, fake: F.binary_cross_entropy(real.sigmoid(), torch.ones_like(real))
            + F.binary_cross_entropy(fake.sigmoid(), torch.zeros_like(fake)),
            CUT + " (torch stops the logarithm at −100.)",
        ),
        "a small number added": (lambda real, fake: by_probabilities(real, fake, lambda p: (p + 1e-8).log()), CUT),
        "probabilities clamped": (
            lambda real, fake: by_probabilities(real, fake, lambda p: p.clamp(1e-6, 1 - 1e-6).log()),
            CUT,
        ),
        "log-odds clamped": (
            lambda real, fake: gan.discriminator_loss(real.clamp(-20, 20), fake.clamp(-20, 20)),
            "You clamp the log-odds. A discriminator that is sure and wrong then pays too little, and gets no gradient.",
        ),
        "labels flipped": (
            lambda real, fake: gan.discriminator_loss(-real, -fake),
            "The labels are flipped: this trains the discriminator to call real images fake. High log-odds are to mean *real*.",
        ),
        "all labelled real": (
            lambda real, fake: labelled(real, fake, of_fake=1.0),
            "You label the fakes as real too. That is what the generator wants of them; the discriminator is to find them out.",
        ),
        "all labelled fake": (
            lambda real, fake: labelled(real, fake, of_real=0.0),
            "You label the real images as fake too. A discriminator that says “fake” to everything would be perfect.",
        ),
        "the value": (
            lambda real, fake: -gan.discriminator_loss(real, fake),
            "This is the value V itself. The discriminator makes V large, and training makes a loss small: the loss is −V.",
        ),
        "one sign": (
            lambda real, fake: F.softplus(-real).mean() - F.softplus(fake).mean(),
            "Your half of the fakes has the wrong sign: it rewards the discriminator for being fooled. Both halves are "
            "surprises, at least 0, and they are added.",
        ),
        "other sign": (
            lambda real, fake: F.softplus(fake).mean() - F.softplus(-real).mean(),
            "Your half of the real images has the wrong sign: it rewards calling them fake. Both halves are surprises, at least "
            "0, and they are added.",
        ),
        "sum for mean": (
            edited(gan.discriminator_loss, "(-real).mean()", "(-real).sum()", "(fake).mean()", "(fake).sum()"),
            "You add up the images of the batch, so a larger batch takes larger steps. Average over each of the two crowds.",
        ),
        "1 − log-odds": (
            lambda real, fake: -F.logsigmoid(real).mean() - F.logsigmoid(1 - fake).mean(),
            "You take 1 minus the *log-odds* of the fakes. It is the probability that is taken from 1, and sigmoid(−a) is "
            "1 − sigmoid(a).",
        ),
        "1 − log D": (
            lambda real, fake: -F.logsigmoid(real).mean() - (1 - F.logsigmoid(fake)).mean(),
            "You have 1 − log D for the fakes, where log(1 − D) is wanted: 1 − D first, and then the logarithm.",
        ),
        "log D of the fakes": (
            lambda real, fake: F.logsigmoid(fake).mean() - F.logsigmoid(real).mean(),
            "Your half of the fakes is log D, which has no lower end. It is −log(1 − D), the surprise at a fake.",
        ),
        "real images only": (
            lambda real, fake: F.softplus(-real).mean() + 0 * fake.sum(),
            "Only the real images count. A discriminator that says “real” to everything would be perfect: add the half of the "
            "fakes.",
        ),
        "fakes only": (
            lambda real, fake: F.softplus(fake).mean() + 0 * real.sum(),
            "Only the fakes count. A discriminator that says “fake” to everything would be perfect: add the half of the real "
            "images.",
        ),
        "mean of both halves": (
            lambda real, fake: labelled(real, fake) / 2,
            "This is the mean over both crowds together, half of −V. Many programs use that; here the two means are added, so that "
            "the numbers are those of the formula.",
        ),
        "one value for each image": (
            lambda real, fake: F.softplus(-real) + F.softplus(fake),
            "You have one value for each pair. One number is wanted: the mean over the real ones plus the mean over the fakes.",
        ),
        "mean before the logarithm": (
            lambda real, fake: F.softplus(-real.mean()) + F.softplus(fake.mean()),
            "You average the log-odds first. The value is the average of logarithms: the surprise of each image, and then the mean.",
        ),
        "probabilities averaged first": (
            lambda real, fake: -real.sigmoid().mean().log() - (1 - fake.sigmoid()).mean().log(),
            "You take the logarithm of the mean probability. The value has the mean of the logarithms.",
        ),
        "no logarithm": (
            lambda real, fake: 1 - real.sigmoid().mean() + fake.sigmoid().mean(),
            "You add up probabilities of being wrong. The value has their logarithms: a sure mistake is to cost much more than a "
            "doubtful one.",
        ),
        "no sigmoid": (
            gan.wasserstein_loss,
            "You subtract the mean log-odds, without a sigmoid and a logarithm. Such a loss has no lower end; lesson 31 shows when "
            "it makes sense.",
        ),
        "squares": (
            lambda real, fake: (real - 1).square().mean() + fake.square().mean(),
            "You take squared errors. That is another game (least squares GAN); the value here has logarithms of probabilities.",
        ),
        "hinge": (
            lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
            "This is the hinge loss of later GANs. The value here has logarithms of probabilities.",
        ),
        "in bits": (
            lambda real, fake: gan.discriminator_loss(real, fake) / math.log(2),
            "This is in bits. Nats are wanted: the natural logarithm.",
        ),
        "fakes detached": (
            lambda real, fake: gan.discriminator_loss(real, fake.detach()),
            "You detach the log-odds of the fakes, so the discriminator learns nothing from them. What gets detached, elsewhere, "
            "are the *images* before it looks at them.",
        ),
    },
    accepts=[
        labelled,
        lambda real, fake: -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean(),
        lambda real, fake: 2 * F.binary_cross_entropy_with_logits(
            torch.cat([real, fake]), torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
        ),
        lambda real, fake: (torch.logaddexp(-real, 0 * real) + torch.logaddexp(0 * fake, fake)).sum() / len(real),
    ],
    hints=[
        "What does a function with `with_logits` in its name expect: probabilities, or log-odds?",
        "The loss is −V. For one real image it is −log D, and for one fake −log(1 − D). What are D and 1 − D in terms of log-odds?",
        "D is the sigmoid of the log-odds a, and 1 − sigmoid(a) = sigmoid(−a).",
        "−log sigmoid(a) = log(1 + exp(−a)); torch calls it `softplus(-a)`, and computes it without overflow.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def probe_optimal_discriminator(answer, rng):
    n = rng.size(5, 9)
    log_p, log_q = (3 * rng.normal(n, dtype=torch.float64) for _ in range(2))
    far = 3000 * rng.normal(n, dtype=torch.float64)
    return {
        "D": answer(rng.normal(n, leaf="log_p"), 2 * rng.normal(n, leaf="log_q")),
        "extreme: D far out": answer(log_p - 2000, log_q - 2000),
        "extreme: D where one density is much larger": answer(far, log_q),
    }


def quotient(log_p, log_q, *, more=0.0, least=-math.inf):
    p, q = (log.clamp(min=least).exp() for log in (log_p, log_q))
    return p / (p + q + more)


exercise(
    target=game.optimal_discriminator,
    title="The best discriminator",
    probe=probe_optimal_discriminator,
    judge=split_finite,
    mistakes={
        "by the densities themselves": (
            quotient,
            "The formula is right, but far out both densities are rounded to 0, or one of them to infinity, and the quotient is not "
            "a number. Divide p and q by the same thing before you leave the logarithms.",
        ),
        "a small number added": (
            lambda log_p, log_q: quotient(log_p, log_q, more=1e-8),
            "You add a small number below the fraction. Where both densities are much smaller than it, your D is 0; the true one "
            "depends on their *ratio* alone, however small they are.",
        ),
        "logarithms cut off": (
            lambda log_p, log_q: quotient(log_p, log_q.clamp(max=80), least=-80),
            "You cut off the logarithms. Far out D depends on the ratio of two tiny densities, and you have made them equal.",
        ),
        "of being fake": (
            lambda log_p, log_q: game.optimal_discriminator(log_q, log_p),
            "This is the probability of being *fake*. p is the density of the real data.",
        ),
        "ratio": (
            lambda log_p, log_q: (log_p - log_q).exp(),
            "This is p / q, the odds. A probability is odds / (1 + odds).",
        ),
        "odds that overflow": (
            lambda log_p, log_q: (log_p - log_q).exp() / (1 + (log_p - log_q).exp()),
            "The formula is right, but where p is very much larger than q the odds become infinite, and infinity by infinity is not a "
            "number. Divide by p instead of q, or use `sigmoid`, which knows both ends.",
        ),
        "a sigmoid for each": (
            lambda log_p, log_q: log_p.sigmoid() / (log_p.sigmoid() + log_q.sigmoid()),
            "You take the sigmoid of each logarithm. The densities are their exponentials.",
        ),
        "log-odds": (
            lambda log_p, log_q: log_p - log_q,
            "This is log p − log q, the log-odds. The probability is their sigmoid.",
        ),
        "logarithm of it": (
            lambda log_p, log_q: F.logsigmoid(log_p - log_q),
            "This is log D. The probability itself is wanted.",
        ),
        "logarithms for densities": (
            lambda log_p, log_q: log_p / (log_p + log_q),
            "You put the logarithms into the formula as if they were the densities.",
        ),
        "probabilities in the sigmoid": (
            lambda log_p, log_q: torch.sigmoid(log_p.clamp(max=80).exp() - log_q.clamp(max=80).exp()),
            "You take the sigmoid of p − q. The log-odds are a difference of *logarithms*.",
        ),
        "sigmoid of log p": (
            lambda log_p, log_q: torch.sigmoid(log_p + 0 * log_q),
            "q does not enter. How sure one can be of an image depends on how many fakes look like it.",
        ),
        "over the points": (
            lambda log_p, log_q: (log_p - log_q).softmax(0),
            "Your softmax runs over the points, so that all your answers add up to 1. The two that compete are p and q, at each point.",
        ),
        "yes or no": (
            lambda log_p, log_q: (log_p > log_q).to(log_p) + 0 * log_q,
            "You decide for the larger density. The best answer is a probability: near 1/2 where both are alike.",
        ),
        "from −1 to 1": (
            lambda log_p, log_q: ((log_p - log_q) / 2).tanh(),
            "This is (p − q) / (p + q), which runs from −1 to 1. A probability runs from 0 to 1.",
        ),
        "halved": (
            lambda log_p, log_q: game.optimal_discriminator(log_p, log_q) / 2,
            "This is p / (2 (p + q)). The halves of the data cancel: above and below the fraction stands 1/2.",
        ),
        "half of the log-odds": (
            lambda log_p, log_q: torch.sigmoid((log_p - log_q) / 2),
            "Your log-odds are halved: this is √p / (√p + √q).",
        ),
        "p over the mean": (
            lambda log_p, log_q: 2 * game.optimal_discriminator(log_p, log_q),
            "This is p over the mean of both densities, twice the probability: where p = q it should be 1/2.",
        ),
    },
    accepts=[
        lambda log_p, log_q: torch.stack([log_p, log_q]).softmax(0)[0],
        lambda log_p, log_q: (log_p - torch.logaddexp(log_p, log_q)).exp(),
        lambda log_p, log_q: 1 / (1 + (log_q - log_p).exp()),
    ],
    hints=[
        "Divide above and below the fraction by p. What is left is one number, q / p.",
        "q / p is exp(log q − log p). And 1 / (1 + exp(−a)) has a name.",
    ],
    points=1,
    minutes=8,
)  # fmt: skip


def probe_jensen_shannon(answer, rng):
    def gaussians(gap, step):
        """Points with steps of different sizes, which hold nearly all of two Gaussians `gap` apart, and their logarithms."""
        n = round((gap + 20) / step)
        x = rng.uniform(n, low=0.5 * step, high=1.5 * step, dtype=torch.float64).cumsum(0)
        x = x - x[n // 2]
        std = rng.uniform(2, low=0.7, high=1.3, dtype=torch.float64)
        means = torch.tensor([-gap / 2, gap / 2], dtype=torch.float64, device=x.device)
        return *(Normal(means[i], std[i]).log_prob(x) for i in range(2)), x

    log_p, log_q, x = gaussians(rng.size(10, 30) / 10, 0.004 * rng.size(2, 3))
    far = torch.stack(gaussians(100.0, 0.01 * rng.size(2, 3)))
    wide = 1e9  # so wide that all densities are tiny: the divergence is the same
    denormal = ((far[:2] > -760) & (far[:2] < -700)).any(0)  # a density that is not 0, and half of it is
    return {
        "divergence": answer(log_p, log_q, x),
        "divergence of wide densities": answer(log_p - math.log(wide), log_q - math.log(wide), wide * x),
        "divergence of equal densities": 1 + answer(log_p, log_p.clone(), x),
        "extreme: divergence of densities far apart": answer(*far[:, ~denormal]),
    }


def integral(integrand, *, rule=torch.trapezoid):
    """A Jensen–Shannon divergence whose integrand is replaced, or the rule by which it is integrated."""

    def wrong(log_p, log_q, x):
        log_m = torch.logaddexp(log_p, log_q) - math.log(2)
        return rule(integrand(log_p, log_q, log_m), x)

    return wrong


def surprise(log_p, log_q, log_m):
    return (log_p.exp() * (log_p - log_m) + log_q.exp() * (log_q - log_m)) / 2


def by_the_densities(log_p, log_q, x):
    p, q = log_p.exp(), log_q.exp()
    m = (p + q) / 2
    return torch.trapezoid(p * (p / m).log() + q * (q / m).log(), x) / 2


def by_masks(log_p, log_q, x):
    """Right wherever no density is so small that its half is rounded to 0."""
    p, q = log_p.exp(), log_q.exp()
    m = (p + q) / 2
    return torch.trapezoid(sum(torch.where(d > 0, d * (d / m).log(), 0) for d in (p, q)), x) / 2


def by_xlogy(log_p, log_q, x):
    p, q = log_p.exp(), log_q.exp()
    m = (p + q) / 2
    return torch.trapezoid(p.xlogy(p) - p.xlogy(m) + q.xlogy(q) - q.xlogy(m), x) / 2


def by_entropies(log_p, log_q, x):
    p, q = log_p.exp(), log_q.exp()
    entropy = torch.special.entr
    return torch.trapezoid(entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2, x)


exercise(
    target=game.jensen_shannon,
    title="How far apart are two densities?",
    probe=probe_jensen_shannon,
    judge=split_finite,
    mistakes={
        "by the densities themselves": (
            by_the_densities,
            "The formula is right, but far from its centre a density is rounded to 0, and 0 · log 0 is not a number. (Nor is 0 / 0, "
            "where p and q are both rounded to 0, and so m.) Stay with the logarithms: the logarithm of a quotient is a difference, and `logaddexp` gives the logarithm of a sum.",
        ),
        "a small number added": (
            integral(lambda p, q, m: sum(d.exp() * ((d.exp() + 1e-8) / (m.exp() + 1e-8)).log() for d in (p, q)) / 2),
            "You add a small number to the densities. Where they are smaller than it their ratio is lost, and wide densities are small "
            "everywhere.",
        ),
        "KL(p ‖ q)": (
            integral(lambda p, q, m: p.exp() * (p - q)),
            "This is KL(p ‖ q), which is infinite where q forgets something of p. Here both are compared with their mean m.",
        ),
        "KL(q ‖ p)": (
            integral(lambda p, q, m: q.exp() * (q - p)),
            "This is KL(q ‖ p). Here both densities are compared with their mean m.",
        ),
        "both ways, averaged": (
            integral(lambda p, q, m: (p.exp() - q.exp()) * (p - q) / 2),
            "You average KL(p ‖ q) and KL(q ‖ p). Neither compares with the mean m, and both may be infinite.",
        ),
        "half missing": (
            integral(lambda p, q, m: 2 * surprise(p, q, m)),
            "This is the sum of the two divergences from m; their mean is wanted.",
        ),
        "p alone": (
            integral(lambda p, q, m: p.exp() * (p - m)),
            "This is KL(p ‖ m) alone. Average it with KL(q ‖ m).",
        ),
        "half of p alone": (
            integral(lambda p, q, m: p.exp() * (p - m) / 2),
            "Only KL(p ‖ m) is there, halved. Add the half of KL(q ‖ m).",
        ),
        "sum for the mean density": (
            integral(lambda p, q, m: surprise(p, q, m + math.log(2))),
            "You compare with p + q. The mean m is half of it: without the 1/2, equal densities get −log 2.",
        ),
        "mean of the logarithms": (
            integral(lambda p, q, m: surprise(p, q, (p + q) / 2)),
            "You take the mean of the logarithms, which is the logarithm of √(p q). m is the mean of the *densities*.",
        ),
        "half outside of the logarithm": (
            integral(lambda p, q, m: surprise(p, q, (m + math.log(2)) / 2)),
            "You halve the logarithm of p + q. The half belongs inside: log((p + q) / 2) = log(p + q) − log 2.",
        ),
        "logarithms for densities": (
            integral(lambda p, q, m: (p * (p - m) + q * (q - m)) / 2),
            "You put the logarithm in front, where the density belongs: p(x) is exp(log p(x)).",
        ),
        "mean compared with both": (
            integral(lambda p, q, m: m.exp() * (2 * m - p - q) / 2),
            "You average over draws of m. The average is over draws of p in one term, and of q in the other: KL(p ‖ m), not KL(m ‖ p).",
        ),
        "mixed up": (
            integral(lambda p, q, m: (q.exp() * (p - m) + p.exp() * (q - m)) / 2),
            "p and q have changed places in front: log(p / m) is averaged over draws of p.",
        ),
        "not weighted": (
            integral(lambda p, q, m: (p + q - 2 * m) / 2),
            "You add up log(p / m) and log(q / m) without the densities in front. An average over draws of p is an integral "
            "with p(x) in it.",
        ),
        "sign": (
            integral(lambda p, q, m: -surprise(p, q, m)),
            "This is the divergence with a minus. Either the logarithm is of m / p instead of p / m, or the arguments of "
            "`torch.trapezoid` are swapped: heights first, then x.",
        ),
        "in bits": (
            integral(lambda p, q, m: surprise(p, q, m) / math.log(2)),
            "This is in bits. Nats are wanted: the natural logarithm.",
        ),
        "root": (
            lambda *a: game.jensen_shannon(*a).clamp(min=0).sqrt(),
            "This is the root of it, which is a true distance. The divergence itself is wanted.",
        ),
        "summed, steps forgotten": (
            integral(surprise, rule=lambda y, x: y.sum() + 0 * x.sum()),
            "You add up the heights. An integral also needs the widths between the points: the result must not double when there "
            "are twice as many points. (`torch.trapezoid` takes all steps for 1 unless it gets `x`.)",
        ),
        "the mean over the points": (
            integral(surprise, rule=lambda y, x: y.mean() + 0 * x.sum()),
            "You average over the points. An integral is a sum of heights times widths: how far the points reach matters.",
        ),
        "all steps like the first": (
            integral(surprise, rule=lambda y, x: y.sum() * (x[1] - x[0])),
            "You take all steps for as wide as the first. The points need not be evenly spaced: `torch.trapezoid` takes `x`.",
        ),
        "all steps alike": (
            integral(surprise, rule=lambda y, x: y.mean() * (x[-1] - x[0])),
            "You take all steps for equally wide. The points need not be evenly spaced: `torch.trapezoid` takes `x`.",
        ),
        "absolute values": (
            integral(lambda p, q, m: (p.exp() * (p - m).abs() + q.exp() * (q - m).abs()) / 2),
            "You take absolute values. Where p is below m its term is negative, and has to be: else equal crowds look far apart.",
        ),
        "total variation": (
            integral(lambda p, q, m: (p.exp() - q.exp()).abs() / 2),
            "This is half the area between the densities, the total variation. Here logarithms of ratios are averaged.",
        ),
    },
    accepts=[
        by_entropies,
        by_masks,
        by_xlogy,
        lambda log_p, log_q, x: torch.trapezoid(
            log_p.exp() * F.logsigmoid(log_p - log_q) + log_q.exp() * F.logsigmoid(log_q - log_p), x
        ) / 2 + math.log(2),
        integral(surprise, rule=lambda y, x: ((y[1:] + y[:-1]) / 2 * x.diff()).sum()),
    ],
    equivalents={"log_m = torch.logaddexp(log_q, log_p) - math.log(2)": "a sum is the same both ways"},
    hints=[
        "Two KLs, one from p to m and one from q to m, and their mean. Each is an integral of density times difference of logarithms.",
        "log m is log(exp(log p) + exp(log q)) − log 2, and `torch.logaddexp` computes the first part without rounding to 0.",
        "`torch.trapezoid(heights, x)` integrates.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


def reading_log_4() -> str:
    """You train a GAN. The discriminator's loss goes to 1.386, which is log 4, and stays there. What do you know?
    "a": the generated pictures cannot be told from real ones any more
    "b": this discriminator does no better than one that answers 1/2 to everything, and nothing else
    "c": the generator gets no gradient any more
    "d": the game has diverged
    """
    return "b"


exercise(
    target=reading_log_4,
    title="The loss is log 4",
    mistakes={
        "the generator has won": (
            "a",
            "If it were the *best* discriminator, you would be right. But a poor one, with few layers or a step size too large, "
            "has this loss on rubbish as well.",
        ),
        "no gradient": (
            "c",
            "The loss does not tell. At answers near 1/2 the generator's losses have a good slope; what reaches its weights depends "
            "on the critic's own slope, which this number does not show.",
        ),
        "diverged": (
            "d",
            "A game that diverges has losses that grow. This one stands still, and that may be good or bad.",
        ),
    },
    hints=[
        "What is the loss of a discriminator that says 1/2 to everything, and has never looked at a picture?",
        "The theorem about p = q speaks of the best discriminator. Do you know that yours is?",
    ],
    minutes=3,
)


def probe_non_saturating_loss(answer, rng):
    n = rng.size(6, 9)
    return {
        "loss": answer(2 * rng.normal(n, leaf="fake")),
        "extreme: loss before a sure discriminator": answer(1000 * rng.normal(n)),
    }


exercise(
    target=gan.non_saturating_loss,
    title="Repair: a generator that is never heard",
    probe=probe_non_saturating_loss,
    judge=split_finite,
    repair="minimax",
    mistakes={
        "minimax": (
            edited(gan.non_saturating_loss, "F.softplus(-fake)", "-F.softplus(fake)"),
            "This is still the minimax loss, the mean of log(1 − D). Where the discriminator is sure that an image is fake, it is "
            "flat, and there the generator would need its gradient most. What is the surprise that an image was taken for *real*?",
        ),
        "minimax by rounded probabilities": (
            lambda fake: (1 - fake.sigmoid()).log().mean(),
            "This is still the minimax loss, and for large log-odds it is not even finite. What is the surprise that an image was "
            "taken for *real*?",
        ),
        "minimax, the other sign": (
            lambda fake: F.softplus(fake).mean(),
            "This is the surprise that a fake was taken for a *fake*. It is small when the discriminator finds it out: the generator "
            "would learn to be found out. A sign inside of the `softplus` is wrong.",
        ),
        "minimax, the other sign, rounded": (
            lambda fake: -(1 - fake.sigmoid()).log().mean(),
            "This is −log(1 − D), the surprise that a fake was taken for a *fake*: the generator would learn to be found out. And for "
            "large log-odds it is not finite.",
        ),
        "sign": (
            lambda fake: -gan.non_saturating_loss(fake),
            "This is the mean of log D, which the generator would like to be *large*. A loss is made small: it is −log D.",
        ),
        "sum for mean": (
            edited(gan.non_saturating_loss, ".mean()", ".sum()"),
            "You add up the images of the batch, so a larger batch takes larger steps. Take the mean.",
        ),
        "one value for each image": (
            edited(gan.non_saturating_loss, ".mean()", ""),
            "You have one value for each image. Take the mean.",
        ),
        "logarithm of a rounded probability": (lambda fake: -fake.sigmoid().log().mean(), ROUNDED),
        "torch's own clamp": (
            lambda fake: F.binary_cross_entropy(fake.sigmoid(), torch.ones_like(fake)),
            CUT + " (torch stops the logarithm at −100.)",
        ),
        "a small number added": (lambda fake: -(fake.sigmoid() + 1e-8).log().mean(), CUT),
        "probabilities clamped": (lambda fake: -fake.sigmoid().clamp(1e-6, 1 - 1e-6).log().mean(), CUT),
        "log-odds clamped": (
            lambda fake: gan.non_saturating_loss(fake.clamp(-20, 20)),
            "You clamp the log-odds. Where the fakes are found out with certainty, the gradient is gone again.",
        ),
        "sigmoid twice": (
            lambda fake: gan.non_saturating_loss(fake.sigmoid()),
            "The sigmoid is applied twice. `fake` are log-odds, and the loss applies it once.",
        ),
        "labelled fake": (
            lambda fake: F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake)) / 1.0 + 0 * fake.sum() - 1e-3,
            "You label the generator's images as fake. That is what the discriminator learns; the generator wants them called real.",
        ),
        "no logarithm": (
            lambda fake: -fake.sigmoid().mean(),
            "You make the mean probability large. Without the logarithm, the slope is gone again where D is near 0.",
        ),
        "1 − D": (
            lambda fake: 1 - fake.sigmoid().mean(),
            "You make 1 − D small. Without the logarithm, the slope is gone again where D is near 0.",
        ),
        "no sigmoid": (
            lambda fake: -fake.mean(),
            "You make the log-odds themselves large. Such a loss has no lower end: the generator would go on even where it has won. "
            "(Lesson 31 uses it, with another critic.)",
        ),
        "mean first": (
            lambda fake: F.softplus(-fake.mean()),
            "You average the log-odds first. Each image has its surprise, and the mean is over those.",
        ),
        "logarithm of the mean": (
            lambda fake: -fake.sigmoid().mean().log(),
            "You take the logarithm of the mean probability. It is the mean of the logarithms.",
        ),
        "detached": (
            lambda fake: gan.non_saturating_loss(fake.detach()),
            "You detach the log-odds. The generator learns through them, and through nothing else.",
        ),
        "in bits": (
            lambda fake: gan.non_saturating_loss(fake) / math.log(2),
            "This is in bits. Nats are wanted: the natural logarithm.",
        ),
        "halved": (
            lambda fake: gan.non_saturating_loss(fake) / 2,
            "Your loss is halved.",
        ),
        "squares": (
            lambda fake: (fake - 1).square().mean(),
            "You take squared errors. That is another game (least squares GAN); here it is the logarithm of a probability.",
        ),
    },
    accepts=[
        lambda fake: -F.logsigmoid(fake).mean(),
        lambda fake: F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake)),
        lambda fake: torch.logaddexp(torch.zeros_like(fake), -fake).sum() / len(fake),
        lambda fake: gan.minimax_loss(fake) * 0 - gan.minimax_loss(-fake),
    ],
    hints=[
        "The surprise at an event of probability D is −log D. D is the sigmoid of the log-odds.",
        "−log sigmoid(a) is `softplus(-a)`. Which two signs must change?",
    ],
    points=1,
    minutes=6,
)  # fmt: skip


class Points(nn.Module):
    """A generator of points that has noise of its own, so that it does not matter how often or how much anyone draws.

    It keeps what it was given.
    """

    def __init__(self, noise, outputs, classes, rng):
        super().__init__()
        self.weight = nn.Parameter(rng.normal(noise.shape[1], outputs))
        self.shift = nn.Parameter(rng.normal(classes, outputs))
        self.register_buffer("noise", noise)
        self.given = []

    def forward(self, z, labels=None):
        self.given.append(z.detach())
        z = self.noise[torch.arange(len(z), device=z.device) % len(self.noise)]
        return z @ self.weight if labels is None else z @ self.weight + self.shift[labels]


class Judge(nn.Module):
    """A critic of points, with one hidden layer."""

    def __init__(self, inputs, classes, rng):
        super().__init__()
        self.hidden, self.out = nn.Parameter(rng.normal(inputs, 6)), nn.Parameter(rng.normal(6))
        self.shift = nn.Parameter(rng.normal(classes, 6))

    def forward(self, x, labels=None):
        hidden = x @ self.hidden if labels is None else x @ self.hidden + self.shift[labels]
        return hidden.tanh() @ self.out


def played(model, batch, lr=0.2):
    """What each turn of a game shows, with a step of its player before the next one."""
    values, turns = {}, iter(model.losses(batch))
    for turn in range(1, 9):  # no game here has as many
        try:
            player, loss = next(turns)
        except StopIteration:
            return values
        name = f"turn {turn}, {player}"
        for p in model.parameters():
            p.grad = None
        if loss.requires_grad:
            loss.backward(retain_graph=True)  # an answer may use the same fakes at both turns
        slopes = {p: [w.grad for w in m.parameters()] for p, m in model.players().items()}
        flat = {
            p: torch.cat([(torch.zeros_like(w) if g is None else g).flatten() for w, g in zip(m.parameters(), slopes[p], strict=True)])
            for p, m in model.players().items()
        }  # fmt: skip
        values[f"{name}: loss"] = loss.detach()
        values[f"{name}: gradient of the generator"] = flat["generator"]
        if player == "critic":  # at the generator's turn its own gradient is nobody's business
            values[f"{name}: gradient of the critic"] = flat["critic"]
        for w, g in (
            zip(model.players()[player].parameters(), slopes[player], strict=True) if player in slopes else ()
        ):
            if g is not None:
                w.data = w.data - lr * g  # not in place: a loss made too early is to be compared, not to fail
    return values


def probe_gan(answer, rng):
    n, latent, size, classes = rng.size(3, 5), rng.size(2, 4), rng.size(2, 3), 3

    def model(critic_steps):
        noise = rng.normal(n, latent)
        return unwatched(
            answer(Points(noise, size, classes, rng), Judge(size, classes, rng), latent, critic_steps)
        )

    labels = rng.integers(n, high=classes)
    values = {}
    for steps, condition in (1, None), (3, labels):
        condition = None if condition is None else condition.repeat(steps)
        players = model(steps)
        for batch in "", "next batch, ":  # which meets what the first has left behind
            game_seen = played(players, (rng.normal(steps * n, size), condition))
            kind = batch + ("labels, " if steps > 1 else "")
            values |= {f"{kind}{name}": value for name, value in game_seen.items()}
    other = played(model(2), (rng.normal(2 * n, size), rng.integers(2 * n, high=classes)))
    values |= {f"other labels, {name}": v for name, v in other.items() if "critic" in name.split(":")[0]}

    subclass = model(1)  # has losses of its own
    subclass.critic_loss = lambda real, fake: gan.wasserstein_loss(
        subclass.critic(real), subclass.critic(fake)
    )
    subclass.generator_loss = lambda fake: gan.minimax_loss(subclass.critic(fake))
    game_seen = played(subclass, (rng.normal(n, size), None))
    values |= {f"other losses, {name}": value for name, value in game_seen.items()}

    many = model(1)
    for _ in many.losses((rng.normal(500, size), None)):
        pass
    return values | {"noise": torch.cat(many.generator.given)}


def judge_gan(raw):
    """Any draws of N(0, I) will do: at least 500 rows have mean 0 and covariance I, within 5 standard errors."""
    noise = raw.pop("noise")
    raw["noise: mean 0"] = noise.mean(0).abs() < 0.25
    raw["noise: covariance I"] = (noise.T.cov() - torch.eye(noise.shape[1])).abs() < 0.35
    return raw


FAKE = "fake = self.fakes(real, *condition).detach()"
CRITIC = 'yield "critic", self.critic_loss(real, fake, *condition)'
LAST = 'yield "generator", self.generator_loss(self.fakes(real, *condition), *condition)'
BODY = f"""for real, *condition in self.turns(batch):
            {FAKE}
            {CRITIC}
        {LAST}"""
FIRST = """made = []
        for real, *condition in self.turns(batch):
            fake = self.fakes(real, *condition).detach()
            made.append(("critic", self.critic_loss(real, fake, *condition)))
        made.append(("generator", self.generator_loss(self.fakes(real, *condition), *condition)))
        yield from made"""
GENERATOR_FIRST = f"""real, *condition = self.turns(batch)[-1]
        {LAST}
        for real, *condition in self.turns(batch):
            {FAKE}
            {CRITIC}"""

LEAK = (
    "At the critic's turn a gradient reaches the generator: the critic's loss wants its fakes to be easy to tell apart. Unless "
    "somebody throws it away, it is added to the generator's own, which wants the opposite. Detach the fakes that the critic gets."
)
DEAF = (
    "No gradient reaches the generator at its own turn. Its only teacher is the critic: the fakes that it is judged by must not be "
    "detached, and nothing may stop the gradient on its way back through the critic."
)

exercise(
    target=gan.GAN,
    title="Repair: whose gradient is this?",
    probe=probe_gan,
    judge=judge_gan,
    blank=("losses",),
    repair="detach missing",
    mistakes={
        "detach missing": (edited(gan.GAN, ".detach()", ""), LEAK),
        "detach at the wrong turn": (
            edited(gan.GAN, ".detach()", "", LAST, LAST.replace("*condition), *", "*condition).detach(), *")),
            f"You detach at the wrong turn. {LEAK} {DEAF}",
        ),
        "detached at both turns": (
            edited(gan.GAN, LAST, LAST.replace("*condition), *", "*condition).detach(), *")),
            DEAF,
        ),
        "critic's answers detached": (
            edited(gan.GAN, CRITIC, CRITIC.replace("*condition)", "*condition).detach()")),
            "The critic's loss is detached, so the critic learns nothing. Detach its *fakes*: a gradient must reach the critic, and "
            "must not reach the generator.",
        ),
        "real and fake swapped": (
            edited(gan.GAN, "(real, fake, *condition)", "(fake, real, *condition)"),
            "Real images and fakes have changed places in the critic's loss: it learns to call fakes real.",
        ),
        "real images for the generator": (
            edited(gan.GAN, LAST, 'yield "generator", self.generator_loss(real, *condition)'),
            "The generator is judged by the real images. They do not depend on it, so it learns nothing.",
        ),
        "fakes on both sides": (
            edited(gan.GAN, "(real, fake, *condition)", "(fake, fake, *condition)"),
            "The critic never sees a real image: it gets fakes on both sides.",
        ),
        "all losses first": (
            edited(gan.GAN, BODY, FIRST),
            "You compute all losses before the first step is taken: the generator hears the opinion of yesterday's critic. Whoever "
            "asks for the next loss has taken the step by then, so compute each one when it is asked for.",
        ),
        "generator first": (
            edited(gan.GAN, BODY, GENERATOR_FIRST),
            "The generator moves first. The critic's turns come first, so that the generator learns from one that knows its "
            "latest fakes.",
        ),
        "generator after each turn of the critic": (
            edited(gan.GAN, BODY, BODY.replace("        " + LAST, "            " + LAST)),
            "The generator moves after each turn of the critic. It has one turn, after all of the critic's: mind the indentation.",
        ),
        "one turn for the critic": (
            edited(gan.GAN, "self.turns(batch)", "self.turns(batch)[-1:]"),
            "The critic gets one turn only, and most of the batch is never used. It has `critic_steps` of them, each with its own "
            "part of the batch, as `turns` gives them.",
        ),
        "the first part only": (
            edited(gan.GAN, "self.turns(batch)", "self.turns(batch)[:1]"),
            "The critic gets one turn only, and most of the batch is never used. It has `critic_steps` of them, each with its own "
            "part of the batch, as `turns` gives them.",
        ),
        "the whole batch, once": (
            edited(gan.GAN, "in self.turns(batch)", "in [tuple(b for b in batch if b is not None)]"),
            "The critic gets one turn, with the whole batch. It has `critic_steps` of them: `turns` shares the batch out.",
        ),
        "critic not told the labels": (
            edited(gan.GAN, CRITIC, CRITIC.replace("real, fake, *condition", "real, fake")),
            "The critic's loss does not get the condition. Where a batch has one, both players take it.",
        ),
        "generator's loss without the labels": (
            edited(gan.GAN, LAST, LAST.replace("*condition), *condition)", "*condition))")),
            "The generator's loss does not get the condition. Where a batch has one, both players take it.",
        ),
        "fakes without the labels": (
            edited(gan.GAN, FAKE, FAKE.replace("real, *condition", "real"), LAST, LAST.replace("fakes(real, *condition)", "fakes(real)")),
            "The fakes are drawn without the condition. Where a batch has one, both players take it.",
        ),
        "the first part at each turn": (
            edited(gan.GAN, "self.turns(batch)", "self.turns(batch)[:1] * self.critic_steps"),
            "The critic sees the same part of the batch at each of its turns. `turns` gives a part for each.",
        ),
        "the whole batch at each turn": (
            edited(gan.GAN, "in self.turns(batch)", "in [tuple(b for b in batch if b is not None)] * self.critic_steps"),
            "The critic sees the whole batch at each of its turns. A batch is shared out among them: `turns` does that.",
        ),
        "names swapped": (
            edited(gan.GAN, CRITIC, CRITIC.replace('"critic"', '"generator"'), LAST, LAST.replace('"generator"', '"critic"')),
            "The names have changed places: each loss is handed to the other player's optimizer.",
        ),
        "other names": (
            edited(gan.GAN, CRITIC, CRITIC.replace('"critic"', '"discriminator"')),
            "There is no player \"discriminator\". `players` names them: \"critic\" and \"generator\".",
        ),
        "loss written out": (
            edited(gan.GAN, LAST, 'yield "generator", non_saturating_loss(self.critic(self.fakes(real, *condition), *condition))'),
            "You write the loss out. Ask `self.critic_loss` and `self.generator_loss`: other GANs are subclasses that change these "
            "two, and nothing else.",
        ),
        "critic switched off": (
            edited(gan.GAN, LAST, "self.critic.requires_grad_(False)\n        " + LAST),
            "You switch the critic's weights off for the generator's turn, and never on again: from the next batch on it learns "
            "nothing.",
        ),
        "losses swapped": (
            edited(gan.GAN, CRITIC, 'yield "critic", self.generator_loss(fake, *condition)', LAST,
                   'yield "generator", self.critic_loss(real, self.fakes(real, *condition), *condition)'),
            "The losses have changed places: each player gets what the other one wants.",
        ),
        "the opposite for the generator": (
            edited(gan.GAN, LAST, LAST.replace("self.generator_loss", "-self.generator_loss")),
            "The generator's loss has the wrong sign: it is made small as it is. With this sign it learns to be found out.",
        ),
        "the critic's loss, negated": (
            edited(gan.GAN, LAST, 'yield "generator", -self.critic_loss(real, self.fakes(real, *condition), *condition)'),
            "The generator gets the critic's loss with the other sign. That is the minimax game, and a subclass may ask for it; here "
            "it is `generator_loss` that says what it wants.",
        ),
        "one step for both": (
            edited(gan.GAN, LAST, "pass", CRITIC, CRITIC.replace("(real, fake, *condition)",
                   "(real, fake, *condition) + self.generator_loss(self.fakes(real, *condition), *condition)")),
            "You add both losses and hand them to the critic. Each player has a loss, a turn and an optimizer of its own.",
        ),
        "noise of another kind": (
            edited(gan.GAN, FAKE, "fake = self.generator(torch.rand(len(real), self.latent), *condition).detach()", LAST,
                   'yield "generator", self.generator_loss(self.generator(torch.rand(len(real), self.latent), *condition), *condition)'),
            "`torch.rand` draws from 0 to 1. The generator takes draws from N(0, I), as `fakes` gives them.",
        ),
        "no noise": (
            edited(gan.GAN, FAKE, "fake = self.generator(torch.zeros(len(real), self.latent), *condition).detach()", LAST,
                   'yield "generator", self.generator_loss(self.generator(torch.zeros(len(real), self.latent), *condition), *condition)'),
            "Your generator gets zeros, and so it can only make one picture. It takes draws from N(0, I), as `fakes` gives them.",
        ),
    },
    accepts=[
        edited(gan.GAN, FAKE, "with torch.no_grad():\n                fake = self.fakes(real, *condition)"),
        edited(gan.GAN, ".detach()", "", CRITIC, CRITIC.replace("real, fake,", "real, fake.detach(),"), LAST,
               'yield "generator", self.generator_loss(fake, *condition)'),
        edited(gan.GAN, FAKE, "fake = self.generator(torch.randn(len(real), self.latent), *condition).data"),
        edited(gan.GAN, LAST, "everything = [part for part in batch if part is not None]\n"
               '        yield "generator", self.generator_loss(self.fakes(*everything), *everything[1:])'),
    ],
    hints=[
        "Two losses, two players. Which networks does a gradient of the critic's loss run through on its way back?",
        "`tensor.detach()` is the same numbers, and lets no gradient through. Which of the two turns needs it, and which must not "
        "have it?",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def probe_play(answer, rng):
    x, y = rng.uniform(2, low=0.5, high=2.0).tolist()
    lr, steps = float(rng.uniform(1, low=0.1, high=0.4)), rng.size(4, 8)
    return {
        "at once": answer(x, -y, lr, steps, False),
        "in turns": answer(-x, y, lr, steps, True),
        "one step in turns": answer(x, y, 2 * lr, 1, True),
    }


def judge_play(raw):
    """The precision is free."""
    return {name: value.double() for name, value in raw.items()}


def moving(step, start=True, extra=0):
    """A way made by `step(x, y, lr, turns)`, which gives the next place."""

    def wrong(x, y, lr, steps, turns):
        way = [(x, y)]
        for _ in range(steps + extra):
            way.append(step(*way[-1], lr, turns))
        return torch.tensor(way if start else way[1:])

    return wrong


def both(slope_x, slope_y):
    """The step of players whose slopes are these functions of x and y."""

    def step(x, y, lr, turns):
        after = x + lr * slope_x(x, y)
        return after, y + lr * slope_y(after if turns else x, y)

    return step


right_step = both(lambda x, y: -y, lambda x, y: x)


def play_by_matrices(x, y, lr, steps, turns):
    first, second = torch.tensor([[1.0, -lr], [0, 1]]).double(), torch.tensor([[1.0, 0], [lr, 1]]).double()
    step = second @ first if turns else first + second - torch.eye(2).double()
    return torch.stack(
        [torch.linalg.matrix_power(step, t) @ torch.tensor([x, y]).double() for t in range(steps + 1)]
    )


def play_by_autograd(x, y, lr, steps, turns):
    place = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
    way = [place.detach().clone()]
    for _ in range(steps):
        slopes = torch.autograd.grad(place.prod(), place)[0]
        moved = torch.stack([place[0] - lr * slopes[0], place[1]])
        if turns:
            slopes = torch.autograd.grad(moved.prod(), place, retain_graph=True)[0]
            slopes = torch.stack([slopes[0], moved[0]])
        place = torch.stack([moved[0], place[1] + lr * slopes[1]]).detach().requires_grad_()
        way.append(place.detach().clone())
    return torch.stack(way)


exercise(
    target=game.play,
    title="Two players and one number",
    probe=probe_play,
    judge=judge_play,
    mistakes={
        "always at once": (
            lambda x, y, lr, steps, turns: game.play(x, y, lr, steps, False),
            "Your players always move at once. With `turns`, the second sees where the first has just gone.",
        ),
        "always in turns": (
            lambda x, y, lr, steps, turns: game.play(x, y, lr, steps, True),
            "Your players always move in turns: your second one sees the new x. Without `turns`, both see the old place: keep the "
            "new x apart until y has moved.",
        ),
        "turns turned round": (
            lambda x, y, lr, steps, turns: game.play(x, y, lr, steps, not turns),
            "You do the one where the other is asked for: with `turns`, the second sees the new x.",
        ),
        "both downhill": (
            moving(both(lambda x, y: -y, lambda x, y: -x)),
            "Both of your players make f small. The second one makes it large: y moves *along* the gradient.",
        ),
        "both uphill": (
            moving(both(lambda x, y: y, lambda x, y: x)),
            "Both of your players make f large. The first one makes it small: x moves *against* the gradient.",
        ),
        "signs swapped": (
            moving(both(lambda x, y: y, lambda x, y: -x)),
            "The signs have changed places: x is to make f small, y to make it large.",
        ),
        "their own number as the gradient": (
            moving(both(lambda x, y: -x, lambda x, y: y)),
            "You use x as the slope for x, and y for y. The derivative of x y by x is y.",
        ),
        "own number for x": (
            moving(both(lambda x, y: -x, lambda x, y: x)),
            "The slope for the first player is wrong: the derivative of x y by x is y.",
        ),
        "the product as the gradient": (
            moving(both(lambda x, y: -x * y, lambda x, y: x * y)),
            "You step by f itself. A step goes by its derivative.",
        ),
        "the second moves first": (
            lambda x, y, lr, steps, turns: -game.play(y, -x, lr, steps, turns).flip(1) * torch.tensor([1.0, -1])
            if turns else game.play(x, y, lr, steps, turns),
            "In turns, your y moves first, and x sees it. The first to move is x.",
        ),
        "y sees an x of two steps": (
            moving(lambda x, y, lr, turns: (
                x - lr * y, y + lr * ((x - 2 * lr * y) if turns else x))),
            "Your second player sees an x that has moved twice.",
        ),
        "x stays": (
            edited(game.play, "        x = after\n", ""),
            "Your first player never gets anywhere: its new place is computed, and not kept.",
        ),
        "start left out": (
            moving(right_step, start=False),
            "The start is missing: the way has steps + 1 places, and the first is where they began.",
        ),
        "a step too many": (
            moving(right_step, extra=1),
            "There is a step too many: steps + 1 places, with the start.",
        ),
        "a step too few": (
            moving(right_step, extra=-1),
            "There is a step too few: steps + 1 places, with the start.",
        ),
        "only the end": (
            lambda *a: game.play(*a)[-1],
            "You return the last place. The whole way is wanted, (steps + 1, 2).",
        ),
        "as columns": (
            lambda *a: game.play(*a).T,
            "Your way is (2, steps + 1). One row for each place is wanted, (steps + 1, 2).",
        ),
        "y first": (
            lambda *a: game.play(*a).flip(1),
            "Each row is to be (x, y); yours is (y, x).",
        ),
        "lr forgotten": (
            lambda x, y, lr, steps, turns: game.play(x, y, 1.0, steps, turns),
            "`lr` does not enter: it multiplies the gradient.",
        ),
        "lr for one player": (
            moving(lambda x, y, lr, turns: (x - lr * y, y + (x - lr * y if turns else x))),
            "Only the first player's step is multiplied by `lr`.",
        ),
        "half of the gradient": (
            lambda x, y, lr, steps, turns: game.play(x, y, lr / 2, steps, turns),
            "Your steps are half as long as asked for.",
        ),
        "divided by lr": (
            lambda x, y, lr, steps, turns: game.play(x, y, 1 / lr, steps, turns),
            "You divide by `lr`. A step is `lr` times the gradient.",
        ),
    },
    accepts=[play_by_matrices, moving(right_step), play_by_autograd],
    hints=[
        "f(x, y) = x y. What are its derivatives by x and by y?",
        "x goes to x − lr · y. Put that into a new name: whether y sees the old x or the new one is what `turns` decides.",
    ],
    points=1,
    minutes=8,
)  # fmt: skip


def probe_modes_covered(answer, rng):
    crowds, k, d, least = rng.size(2, 4), rng.size(6, 8), rng.size(2, 3), rng.size(6, 8)
    n = 4 * k * least  # so that `least` points are a quarter of the fair share, to the point
    std = float(rng.uniform(1, low=0.06, high=0.2))
    apart = 2.0 * torch.arange(k, device=rng.device)[:, None]
    means = torch.cat([apart, rng.uniform(k, d - 1, low=-1.0)], dim=1)

    def around(which, low, high):
        """A point around each of these modes, between two distances in units of std."""
        way = F.normalize(rng.normal(len(which), d), dim=1)
        return means[which] + std * rng.uniform(len(which), 1, low=low, high=high) * way

    points, more = [], [1, *(rng.size(0, 3 * least) for _ in range(k - 6))]
    for i in range(crowds):
        counts = torch.tensor([least, least - 1, (k + 1) * least, 3 * least + i, 4 * least + i, *more])
        which = torch.arange(k).roll(i).repeat_interleave(counts).to(rng.device)
        others = torch.full((n - len(which),), i, device=rng.device)  # beside a mode that has `least` already
        crowd = torch.cat([around(which, 0.0, 2.9), around(others, 3.1, 4.2)])
        crowd[-least:, 1] += 20  # and some of them further from all modes than these are from each other
        points.append(crowd[rng.uniform(n).argsort()])
    points = torch.stack(points)
    modes, near = answer(points, means, std)
    nowhere = torch.full(
        (crowds, rng.size(1, 3), d), 30.0, device=rng.device
    )  # now `least` points are too few
    modes_of_more, near_of_more = answer(torch.cat([nowhere, points], dim=1), means, std)
    return {
        "modes": modes,
        "near": near,
        "modes, N / K not whole": modes_of_more,
        "near, N / K not whole": near_of_more,
    }


def judge_modes_covered(raw):
    """The precision is free."""
    return {name: value.double() for name, value in raw.items()}


def modes_from(near_of, covered_of=None, share_of=None):
    """Counts from another idea of near, (S, N, K); of covered, from counts (S, K); or of the share."""

    def wrong(points, means, std):
        near = near_of(points[:, :, None] - means.to(points), std)
        counts, fair = near.sum(1), points.shape[1] / len(means)
        covered = counts >= fair / 4 if covered_of is None else covered_of(counts, fair)
        share = near.any(2).double().mean(1) if share_of is None else share_of(near, covered)
        return covered.sum(1), share

    return wrong


def modes_by_point(covered_of):
    """Counts from an idea of covered that looks at each point, (S, N), where it should look at each mode."""

    def wrong(points, means, std):
        near = within(points[:, :, None] - means, std)
        return covered_of(near, points.shape[1], len(means)).sum(1), near.any(2).double().mean(1)

    return wrong


def plain(points, means, std):
    near = torch.cdist(points, means) < 3 * std
    return (near.sum(1) >= points.shape[1] / len(means) / 4).sum(1), near.any(2).float().mean(1)


def within(away, std, reach=3):
    return away.norm(dim=-1) < reach * std


def nearest_mode(points, means, std):
    """Each point belongs to its nearest mode, if that is near."""
    distance, mode = torch.cdist(points, means.expand(len(points), -1, -1)).min(2)
    mode = mode.where(distance <= 3 * std, len(means))
    counts = torch.stack([m.bincount(minlength=len(means) + 1)[:-1] for m in mode])
    return (counts >= points.shape[1] / len(means) / 4).sum(1), 1 - (mode == len(means)).float().mean(1)


exercise(
    target=game.modes_covered,
    title="Count the modes",
    probe=probe_modes_covered,
    judge=judge_modes_covered,
    mistakes={
        "one point is enough": (
            modes_from(within, lambda counts, fair: counts > 0),
            "You call a mode covered when one point is near. A quarter of its fair share is asked for: that is N / K / 4 points, and N "
            "is the size of one crowd, `points.shape[1]` (`len(points)` is the number of crowds).",
        ),
        "the whole fair share": (
            modes_from(within, lambda counts, fair: counts >= fair),
            "You ask for the whole fair share, N / K points. A quarter of it is enough.",
        ),
        "half of the fair share": (
            modes_from(within, lambda counts, fair: counts >= fair / 2),
            "You ask for half of the fair share. A quarter is enough.",
        ),
        "a quarter of all": (
            modes_from(within, lambda counts, fair: counts >= counts.shape[1] * fair / 4),
            "You ask for a quarter of all points. There are K modes: the fair share of one is N / K, and a quarter of *that* is enough.",
        ),
        "fair share rounded down": (
            modes_from(within, lambda counts, fair: counts >= fair // 4),
            "You round the fair share, or the quarter of it, to a whole number. It need not be whole: compare with N / K / 4.",
        ),
        "counted over the modes": (
            modes_by_point(lambda near, n, k: near.sum(2) >= n / k / 4),
            "You count, for each point, the modes near it. Count the points near each mode: sum over dimension 1.",
        ),
        "averaged over the modes": (
            modes_by_point(lambda near, n, k: near.double().mean(2) >= 1 / k / 4),
            "You ask, for each point, which share of the modes is near it. Ask for each mode which share of the points is near: "
            "average over dimension 1.",
        ),
        "more than a quarter": (
            modes_from(within, lambda counts, fair: counts > fair / 4),
            "You ask for more than a quarter of the fair share. Exactly a quarter is enough: *at least*.",
        ),
        "within 1 std": (
            modes_from(lambda away, std: within(away, std, 1)),
            "You count points within 1 std. A round Gaussian in the plane has only 39 % of its points there; 3 std are asked for.",
        ),
        "within 2 std": (
            modes_from(lambda away, std: within(away, std, 2)),
            "You count points within 2 std; 3 are asked for.",
        ),
        "within 3": (
            modes_from(lambda away, std: within(away, 1.0)),
            "You count points within a distance of 3, whatever `std` is.",
        ),
        "variance for std": (
            modes_from(lambda away, std: within(away, std**2)),
            "You compare the distance with 3 std². Lengths go with std.",
        ),
        "squared distance": (
            modes_from(lambda away, std: away.square().sum(-1) < 3 * std),
            "You compare the *squared* distance with 3 std. Take the root, or square the other side, with its 3.",
        ),
        "3 not squared": (
            modes_from(lambda away, std: away.square().sum(-1) < 3 * std**2),
            "You compare the squared distance with 3 std². The 3 has to be squared too.",
        ),
        "a box for a ball": (
            modes_from(lambda away, std: (away.abs() < 3 * std).all(-1)),
            "You compare each coordinate by itself, so your neighbourhoods are boxes, and their corners are further away than 3 std. "
            "Take the distance.",
        ),
        "any coordinate": (
            modes_from(lambda away, std: (away.abs() < 3 * std).any(-1)),
            "You call a point near when one of its coordinates is. Take the distance.",
        ),
        "sum of the coordinates": (
            modes_from(lambda away, std: away.abs().sum(-1) < 3 * std),
            "You add up the coordinates' distances. The Euclidean distance is the root of the sum of squares.",
        ),
        "everyone is near": (
            modes_from(lambda away, std: away.norm(dim=-1) == away.norm(dim=-1).amin(2, keepdim=True)),
            "You give each point to its nearest mode, however far that is. A point further than 3 std from all of them belongs to none.",
        ),
        "all crowds as one": (
            lambda points, means, std: tuple(
                v.expand(len(points)) for v in game.modes_covered(points.flatten(0, 1)[None], means, std)
            ),
            "You pool all crowds. Each has its own counts: a crowd that lost a mode must not be covered up by another.",
        ),
        "share of the modes": (
            lambda points, means, std: (
                game.modes_covered(points, means, std)[0].double() / len(means),
                game.modes_covered(points, means, std)[1],
            ),
            "Your first result is a share. The number of modes is wanted, from 0 to K.",
        ),
        "share that is far": (
            modes_from(within, share_of=lambda near, covered: 1 - near.any(2).double().mean(1)),
            "Your second result is the share of points that are *far* from all modes.",
        ),
        "share over points and modes": (
            modes_from(within, share_of=lambda near, covered: near.double().mean((1, 2))),
            "Your share is K times too small: you average over the modes too. A point is near if *any* mode is.",
        ),
        "share of modes that have a point": (
            modes_from(within, share_of=lambda near, covered: near.any(1).double().mean(1)),
            "Your second result asks for each *mode* whether any point is near. Ask for each point whether any mode is.",
        ),
        "number of points near": (
            modes_from(within, share_of=lambda near, covered: near.any(2).sum(1)),
            "Your second result counts points. A share is wanted, from 0 to 1.",
        ),
        "points of covered modes": (
            modes_from(
                within, share_of=lambda near, covered: (near & covered[:, None]).any(2).double().mean(1)
            ),
            "Your share leaves out the points near modes that are not covered. Near is near.",
        ),
        "results swapped": (
            lambda *a: game.modes_covered(*a)[::-1],
            "The two results have changed places: first the number of modes, then the share.",
        ),
        "over the crowds": (
            lambda points, means, std: tuple(
                v[: len(points)] for v in game.modes_covered(points.roll(1, 0), means, std)
            ),
            "The crowds have changed places.",
        ),
    },
    accepts=[
        modes_from(within),
        plain,
        nearest_mode,
        modes_from(lambda away, std: away.square().sum(-1) <= 9 * std**2),
    ],
    equivalents={
        "near = torch.cdist(points, means.to(points).expand(len(points), -1, -1)) <= 3 * std":
            "a point at exactly 3 std does not occur",
        "near = torch.cdist(points, means.expand(len(points), -1, -1)) < 3 * std":
            "points and means of two types are more than the lesson asks for",
        "near = torch.cdist(points, means.to(points)) < 3 * std": "`cdist` repeats the centres by itself",
    },
    hints=[
        "First all distances, (S, N, K): `torch.cdist(points, means)` does it. Which are below 3 std?",
        "That is a table of yes and no. Count over the points to get (S, K), and compare with a quarter of N / K.",
        "For the share, ask for each point whether *any* mode is near, and average over the points.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip
