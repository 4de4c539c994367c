"""The exercises of lesson 61: codes of unit variance, made once, and pictures that start from a picture."""

import torch
from torch.nn import functional as F

from minigen import diffusion, latent, samplers
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.data import GaussianMixture
from minigen.diffusion import Schedule, linear_betas

exercise = lesson("61_latent_diffusion")


class Standin:
    """A codec of halved pictures whose draw is the same in each call; it notes how many images come at once."""

    def __init__(self, rng, channels, code):
        self.scale = rng.uniform(1, low=0.3, high=0.7)[0]
        self.into = 4 * rng.normal(code, channels).requires_grad_()
        self.back = (0.1 * rng.normal(channels, code)).requires_grad_()
        self.grain = 1 + rng.uniform(code, 1, 1)
        self.largest, self.batches = 0, True

    def encode(self, x):
        if len(x) == 0:
            raise ValueError("the encoder wants images, and was given a batch of none")
        self.largest = max(self.largest, len(x))
        self.batches &= x.ndim == 4
        mu = torch.einsum("kc,...chw->...khw", self.into, F.avg_pool2d(x, 2))
        return mu, mu.cos() - 1.5

    def draw(self, mu, logvar):
        return mu + (logvar / 2).exp() * self.grain

    def decode(self, z):
        x = torch.einsum("ck,nkhw->nchw", self.back, z)
        return F.interpolate(x, scale_factor=2.0).tanh()


def probe_to_codes(answer, rng):
    values = {}
    for name, channels, code in ("colour", 3, 4), ("grey", 1, rng.size(2, 3)):
        codec, n, size = Standin(rng, channels, code), rng.size(2, 5), 2 * rng.size(2, 4)
        z = answer(codec, rng.images(n, channels, size))
        values |= {
            name: z.detach(),
            f"{name}: no gradient reaches the encoder": not z.requires_grad,
            f"{name}: the encoder is given batches": codec.batches,
        }
    return values


SCALED = "codec.scale * codec.draw(*codec.encode(x))"


def codes_of(code):
    return edited(latent.to_codes, SCALED, code)


def codes_with_gradient(codec, x):
    return codec.scale * codec.draw(*codec.encode(x))


def codes_in_two_lines(codec, x):
    with torch.no_grad():
        mu, logvar = codec.encode(x)
        return codec.draw(mu, logvar) * codec.scale


exercise(
    target=latent.to_codes,
    title="Repair: as the encoder gave them",
    probe=probe_to_codes,
    repair="not scaled",
    mistakes={
        "not scaled": (
            codes_of("codec.draw(*codec.encode(x))"),
            "You give the codes as they were drawn. Their variance is whatever the codec has chosen; `codec.scale` times them it is 1, as the chain expects.",
        ),
        "divided": (
            codes_of("codec.draw(*codec.encode(x)) / codec.scale"),
            "You divide by the scale. It is what codes are *multiplied* by to have variance 1; to divide is the way back, before the decoder.",
        ),
        "scaled twice": (
            codes_of(f"codec.scale * {SCALED}"),
            "You scale twice. Once brings the variance to 1.",
        ),
        "mean alone": (
            codes_of("codec.scale * codec.encode(x)[0]"),
            "You give the middle of q(z | x), and do not draw. The decoder was trained on drawn codes; `codec.draw` makes one of mu and logvar.",
        ),
        "neither drawn nor scaled": (
            codes_of("codec.encode(x)[0]"),
            "You give mu as it is: neither drawn from q(z | x), nor of unit variance.",
        ),
        "mean alone, scaled, the rest not": (
            codes_of("codec.draw(codec.scale * codec.encode(x)[0], codec.encode(x)[1])"),
            "You scale mu, and then draw with the old spread. The scale belongs to the whole code: draw first, then multiply.",
        ),
        "logvar scaled": (
            codes_of("codec.draw(*(codec.scale * part for part in codec.encode(x)))"),
            "You scale mu and logvar, and then draw. logvar is a logarithm, so to multiply it is another thing: draw first, then scale the code.",
        ),
        "images scaled": (
            codes_of("codec.draw(*codec.encode(codec.scale * x))"),
            "You scale the images. The encoder wants them as they are, in [−1, 1]; it is the code that is scaled.",
        ),
        "root of the scale": (
            codes_of("codec.scale.sqrt() * codec.draw(*codec.encode(x))"),
            "You multiply by the root of the scale. It is the inverse of a standard deviation already, not of a variance.",
        ),
        "scale squared off": (
            codes_of("codec.draw(*codec.encode(x)) / codec.scale.square()"),
            "You divide by the square of the scale. Multiply by the scale itself.",
        ),
        "variance 1 in this batch": (
            codes_of("(lambda z: z / z.std())(codec.draw(*codec.encode(x)))"),
            "You measure the spread in this batch. Then a code depends on what else is in its batch, and the way back does not know by what to multiply. "
            "`codec.scale` was measured once.",
        ),
        "gradients kept": (
            codes_with_gradient,
            "The values are right, and yet the work of the encoder is remembered for a gradient that nobody wants: the codec stays as it is. Keep "
            "`@torch.no_grad()` above the function.",
        ),
        "decoded again": (
            codes_of(f"codec.decode({SCALED})"),
            "You decode the codes again, so that what you give are images. The code is wanted.",
        ),
        "scale added": (
            codes_of("codec.scale + codec.draw(*codec.encode(x))"),
            "You add the scale. It is a factor.",
        ),
    },
    accepts=[codes_in_two_lines, codes_of("codec.draw(*codec.encode(x)).mul(codec.scale)")],
    hints=[
        "What is the variance of what the code below gives? Which variance does the docstring promise?",
        "A codec knows the number that its codes are multiplied by to have variance 1: `codec.scale`.",
    ],
    points=1,
    minutes=3,
)  # fmt: skip


def probe_to_images(answer, rng):
    values = {}
    for name, channels, code in ("colour", 3, 4), ("grey", 1, rng.size(2, 3)):
        codec, n, size = Standin(rng, channels, code), rng.size(2, 5), rng.size(2, 4)
        x = answer(codec, 3 * rng.normal(n, code, size, size + 1))  # codes reach further than images
        values |= {name: x.detach(), f"{name}: no gradient reaches the decoder": not x.requires_grad}
    return values


DECODED = "codec.decode(z / codec.scale)"


def images_of(code):
    return edited(latent.to_images, DECODED, code)


def images_with_gradient(codec, z):
    return codec.decode(z / codec.scale)


def images_in_two_lines(codec, z):
    with torch.no_grad():
        as_encoded = z * (1 / codec.scale)
        return codec.decode(as_encoded)


exercise(
    target=latent.to_images,
    title="Repair: the decoder's own units",
    probe=probe_to_images,
    repair="not scaled back",
    mistakes={
        "not scaled back": (
            images_of("codec.decode(z)"),
            "You hand the decoder codes of unit variance. It was trained on codes as the encoder gives them: divide by the scale first.",
        ),
        "multiplied": (
            images_of("codec.decode(z * codec.scale)"),
            "You multiply by the scale again. On the way in codes were multiplied by it, so on the way back they are divided.",
        ),
        "divided twice": (
            images_of("codec.decode(z / codec.scale / codec.scale)"),
            "You divide twice. Codes were multiplied by the scale once.",
        ),
        "images divided": (
            images_of("codec.decode(z) / codec.scale"),
            "You divide the images by the scale. It belongs to the code: divide before the decoder, which is not linear.",
        ),
        "images divided and limited": (
            images_of("(codec.decode(z) / codec.scale).clamp(-1, 1)"),
            "You divide the images by the scale, and limit them. It belongs to the code: divide before the decoder.",
        ),
        "images multiplied": (
            images_of("codec.decode(z) * codec.scale"),
            "You multiply the images by the scale. It belongs to the code: divide the code by it, before the decoder.",
        ),
        "root of the scale": (
            images_of("codec.decode(z / codec.scale.sqrt())"),
            "You divide by the root of the scale. On the way in codes were multiplied by the scale itself.",
        ),
        "scale subtracted": (
            images_of("codec.decode(z - codec.scale)"),
            "You subtract the scale. It was a factor on the way in, so divide.",
        ),
        "as wide as this batch": (
            images_of("codec.decode(z / z.std() / codec.scale)"),
            "You bring this batch to variance 1 before you scale it back. Then a picture depends on what else is in its batch; the codes of drawn pictures "
            "need not have variance 1 exactly.",
        ),
        "drawn once more": (
            images_of("codec.decode(codec.draw(z / codec.scale, torch.zeros_like(z)))"),
            "You add noise to the code, as if it were mu. It is a drawn code already; decode it as it is.",
        ),
        "code limited": (
            images_of("codec.decode((z / codec.scale).clamp(-1, 1))"),
            "You limit the code to [−1, 1]. Images lie there; codes reach further.",
        ),
        "to [0, 1]": (
            images_of(f"({DECODED} + 1) / 2"),
            "Your images lie in [0, 1]. In the course they are in [−1, 1], as the decoder gives them.",
        ),
        "gradients kept": (
            images_with_gradient,
            "The values are right, and yet the work of the decoder is remembered for a gradient that nobody wants. Keep `@torch.no_grad()` above the "
            "function.",
        ),
    },
    accepts=[images_in_two_lines, images_of(f"{DECODED}.clamp(-1, 1)")],
    hints=[
        "`to_codes` multiplied by something. Has anybody undone it?",
        "The decoder wants codes in the encoder's units, so the scale has to go before it is called.",
    ],
    points=1,
    minutes=2,
)  # fmt: skip


def fewer_pairs():
    """In attention every place looks at every place. A picture of 64 × 64 pixels has a code of 16 × 16 places.

    How many times fewer pairs of places are there in the code?
    """
    return 256


exercise(
    target=fewer_pairs,
    title="Pairs of places",
    mistakes={
        "places": (16, "That is how many times fewer *places* there are. Each of them looks at all, so the number of pairs is the square of that of places."),
        "sides": (4, "That is how many times shorter a side is. Two sides make the places, and two places make a pair."),
        "cubed": (64, "A side is 4 times shorter. Places are made of two sides, and pairs of two places: that is a fourth power, not a third."),
        "numbers": (
            12,
            "That is about the numbers that are stored: 3 for each pixel, 4 for each place. A pair is one of two places, however many numbers stand at each.",
        ),
        "numbers squared": (
            144,
            "That is the square of how many times fewer numbers are stored. How many numbers stand at a place does not change how many places look at each other.",
        ),
        "pairs in the code": (65_536, "That is how many pairs there are in the code: 256 places squared. How many times more are there in the picture?"),
        "pairs in the picture": (
            16_777_216,
            "That is how many pairs there are in the picture: 4,096 places squared. Divide by the number in the code.",
        ),
        "unordered": (128, "Who counts each pair once has half of the pairs in the picture, and half in the code too: the quotient stays as it is."),
    },
    hints=[
        "How many places has the picture, and how many the code?",
        "n places that look at n places are n² pairs.",
    ],
    minutes=3,
)  # fmt: skip


def probe_encode_once(answer, rng):
    values = {}
    cases = {
        "a rest at the end": lambda batch: (2 * batch + rng.size(1, batch - 1), (batch,)),
        "no rest": lambda batch: (3 * batch, (batch,)),
        "fewer than fit": lambda batch: (batch - 1, (batch,)),
        "many parts": lambda batch: (batch * batch + 1, (batch,)),
        "batch not given": lambda batch: (200 + batch, ()),
    }
    for name, case in cases.items():
        n, given = case(rng.size(3, 5))
        codec, size = Standin(rng, 3, rng.size(2, 4)), 2 * rng.size(2, 3)
        mu, logvar = answer(codec, rng.images(n, 3, size), *given)
        values |= {
            f"mu, {name}": mu.detach(),
            f"logvar, {name}": logvar.detach(),
            f"no gradient reaches the encoder, {name}": not (mu.requires_grad or logvar.requires_grad),
            f"never more at once than fit, {name}": codec.largest <= (*given, 200)[0],
        }
    return values


PARTS = "[codec.encode(part) for part in x.split(batch)]"
JOINED = "(torch.cat(half) for half in zip(*parts, strict=True))"
BOTH = "return mu, logvar"


def once_with(*changes):
    return edited(latent.encode_once, *changes)


def once_by_places(codec, x, batch=200):
    """With two lists, and by where a part begins."""
    mus, logvars = [], []
    with torch.no_grad():
        for start in range(0, len(x), batch):
            mu, logvar = codec.encode(x[start : start + batch])
            mus.append(mu)
            logvars.append(logvar)
    return torch.cat(mus), torch.cat(logvars)


def once_with_gradient(codec, x, batch=200):
    parts = [codec.encode(part) for part in x.split(batch)]
    return torch.cat([mu for mu, _ in parts]), torch.cat([logvar for _, logvar in parts])


exercise(
    target=latent.encode_once,
    title="Encode once",
    probe=probe_encode_once,
    mistakes={
        "rest forgotten": (
            once_with("x.split(batch)", "x[: max(1, len(x) // batch) * batch].split(batch)"),
            "You leave out what remains after the last full batch. The last part may be smaller than the others.",
        ),
        "all at once": (
            once_with(PARTS, "[codec.encode(x)]"),
            "More images go through the encoder at once than `batch` allows. The codes are right; with a large data set the memory would not do.",
        ),
        "batch axis lost": (
            once_with("in x.split(batch)", "in x"),
            "You go through x image by image, which takes the first axis away, and then the codes are joined along their channels. `x.split(batch)` gives parts that are "
            "batches themselves.",
        ),
        "gradients kept": (
            once_with_gradient,
            "The codes are right, and with them the work of the encoder is kept in memory for a gradient that nobody wants. Keep `@torch.no_grad()` above the "
            "function.",
        ),
        "first part alone": (
            once_with("in x.split(batch)", "in x.split(batch)[:1]"),
            "You give the codes of the first part alone.",
        ),
        "last part alone": (
            once_with("in x.split(batch)", "in x.split(batch)[-1:]"),
            "You give the codes of the last part alone. Keep those of all parts, and join them.",
        ),
        "each twice": (
            once_with("in x.split(batch)", "in (*x.split(batch), *x.split(batch))"),
            "Every code is there twice.",
        ),
        "last part first": (
            once_with("in x.split(batch)", "in x.split(batch)[::-1]"),
            "The parts are joined in the reverse order, so codes do not belong to their images any more.",
        ),
        "other way round": (
            once_with(BOTH, "return logvar, mu"),
            "You return the two in the other order: mu comes first.",
        ),
        "already drawn": (
            once_with(BOTH, "return codec.draw(mu, logvar), logvar"),
            "You draw, and give the drawn code for mu. A step of training draws anew each time; who draws from drawn codes adds noise twice.",
        ),
        "mu twice": (
            once_with(BOTH, "return mu, mu"),
            "You give mu twice. The second is logvar, so that a step of training can draw.",
        ),
        "no spread": (
            once_with(BOTH, "return mu, torch.zeros_like(logvar)"),
            "Your logvar is 0 everywhere. It is what the encoder says, at each place of each code.",
        ),
        "standard deviation": (
            once_with(BOTH, "return mu, (logvar / 2).exp()"),
            "The second thing that you give is a standard deviation. Give logvar as the encoder does, since `codec.draw` wants that.",
        ),
        "variance": (
            once_with(BOTH, "return mu, logvar.exp()"),
            "The second thing that you give is a variance. Give logvar as the encoder does, since `codec.draw` wants that.",
        ),
        "mu scaled": (
            once_with(BOTH, "return codec.scale * mu, logvar"),
            "You scale mu, and leave logvar as it is. Then a code that is drawn from the two has too much noise. Give both as the encoder does; the drawn code is "
            "scaled.",
        ),
        "logvar scaled too": (
            once_with(BOTH, "return codec.scale * mu, codec.scale * logvar"),
            "You scale both. Give them as the encoder does; the drawn code is scaled.",
        ),
    },
    accepts=[
        once_by_places,
        once_with(PARTS, "list(map(codec.encode, x.split(batch)))"),
        once_with(BOTH, "return mu.clone(), logvar.clone()"),
    ],
    equivalents={
        "mu, logvar = (torch.cat(half) for half in zip(*parts))": "each part is a pair, so there is nothing that could be of another length",
        "mu, logvar = (torch.cat(half) for half in zip(*parts, strict=False))": "each part is a pair, so there is nothing that could be of another length",
    },
    hints=[
        "`x.split(batch)` gives parts of at most `batch` images, the last of which may be smaller.",
        "For each part the encoder gives two tensors. Collect all the first ones, and all the second ones.",
        "`torch.cat` joins a list of tensors along the first axis.",
    ],
    points=1,
    minutes=8,
)  # fmt: skip


def some_chain(rng):
    """A chain of few large steps, another one in each draw."""
    return Schedule(linear_betas(rng.size(14, 18), 0.01 * rng.size(2, 4), 0.1 * rng.size(3, 4)))


def probe_redraw(answer, rng):
    n, d, values = rng.size(4, 7), rng.size(2, 3), {}
    widths = [0.3 + 0.1 * rng.size(0, 3) for _ in range(2)]
    mixture = GaussianMixture(1.5 * rng.normal(2, d), stds=torch.tensor(widths))
    for name in "early", "late", "as late as can be":
        chain = some_chain(rng)
        last = {"early": rng.size(6, 8), "late": rng.size(10, 12), "as late as can be": chain.steps}[name]
        fresh, asked = iter(rng.normal(4 * chain.steps, n, d)), []

        def predict(x_t, t, chain=chain, asked=asked):
            asked.append(int(t))
            return diffusion.exact_noise(x_t, int(t), mixture, chain.alpha_bar).to(x_t)

        def noise(t, fresh=fresh):
            return next(fresh)

        values[name] = answer(predict, rng.normal(n, d), last, chain.alpha_bar, rng.size(3, 5), noise)
        values[f"{name}: asked at"] = torch.tensor(asked)
    return values


START = "start = q_sample(z, t, noise(t), alpha_bar)"
WALK = "few_steps(predict, start, alpha_bar[: t + 1], steps, 1.0, noise, second_order=True)"


def redraw_with(*changes):
    return edited(latent.redraw, *changes)


def redraw_written_out(predict, z, t, alpha_bar, steps, noise):
    a_bar = alpha_bar[t].to(z)
    x = a_bar.sqrt() * z + (1 - a_bar).sqrt() * noise(t)
    return samplers.few_steps(predict, x, alpha_bar[: t + 1], steps, eta=1.0, noise=noise, second_order=True)


exercise(
    target=latent.redraw,
    title="Redraw",
    probe=probe_redraw,
    mistakes={
        "no noise at the start": (
            redraw_with(START, "start = z"),
            "Your walk starts from the data as it is, without noise. At time t the network expects so much noise in it; add it first.",
        ),
        "pure noise": (
            redraw_with(START, "start = noise(t)"),
            "Your walk starts from noise alone, so nothing of the data is left, whatever t is.",
        ),
        "starts at T": (
            redraw_with(START, "start = q_sample(z, len(alpha_bar) - 1, noise(t), alpha_bar)", "alpha_bar[: t + 1]", "alpha_bar"),
            "You start at T, whatever t is. Noise is added up to t, and only the steps from there are walked.",
        ),
        "walks from T": (
            redraw_with("alpha_bar[: t + 1]", "alpha_bar"),
            "You add noise up to t, and then walk as if it were T. `few_steps` starts at the last entry of the table that it is given: give it the table up to t.",
        ),
        "noise up to T": (
            redraw_with(START, "start = q_sample(z, len(alpha_bar) - 1, noise(t), alpha_bar)"),
            "You add noise up to T, and then walk from t. There is far more noise in your data than the network is told.",
        ),
        "noise not scaled": (
            redraw_with(START, "start = z + noise(t)"),
            "You add the noise as it is. At time t there is √ᾱ_t of the data and √(1 − ᾱ_t) of the noise.",
        ),
        "data not scaled": (
            redraw_with(START, "start = z + (1 - alpha_bar[t]).sqrt().to(z) * noise(t)"),
            "You add as much noise as there is at t, and leave the data as it is. Of the data there is √ᾱ_t.",
        ),
        "variances for spreads": (
            redraw_with(START, "start = alpha_bar[t].to(z) * z + (1 - alpha_bar[t]).to(z) * noise(t)"),
            "You mix with ᾱ_t and 1 − ᾱ_t. These are variances: the factors are their roots.",
        ),
        "table ends early": (
            redraw_with("alpha_bar[: t + 1]", "alpha_bar[:t]"),
            "The table that you give ends at t − 1, since a slice leaves out its end. So the walk starts one step too late, and takes the noise for less than it is.",
        ),
        "all steps from t": (
            redraw_with("steps, 1.0", "t, 1.0"),
            "You walk all t steps of the chain. `steps` of them are wanted.",
        ),
        "a share of the steps": (
            redraw_with("steps, 1.0", "max(1, steps * t // (len(alpha_bar) - 1)), 1.0"),
            "You take only a share of the steps, as many as fall below t. That is how many programs count; here `steps` are taken from t back to 0.",
        ),
        "one step less": (
            redraw_with("steps, 1.0", "steps - 1, 1.0"),
            "You walk one step too few. `few_steps` takes as many steps as it is told.",
        ),
        "no fresh noise": (
            redraw_with("steps, 1.0", "steps, 0.0"),
            "Your walk adds no fresh noise. Both are done; here η is 1.",
        ),
        "first order": (
            redraw_with(", second_order=True", ""),
            "Your walk is of first order. With `second_order=True` few steps go further.",
        ),
        "clipped": (
            redraw_with("second_order=True", "second_order=True, clip=True"),
            "You keep the predicted data in [−1, 1]. Images lie there; codes do not.",
        ),
        "the same noise in each step": (
            redraw_with(START, "first = noise(t)\n    start = q_sample(z, t, first, alpha_bar)", "1.0, noise,", "1.0, lambda s: first,"),
            "You draw noise once, and add it in each step. It has to be fresh each time: hand `noise` itself on.",
        ),
        "still noisy": (
            redraw_with(WALK, "start"),
            "You give the noisy data. The noise is still to be taken out, in `steps` steps.",
        ),
        "in one step": (
            redraw_with("steps, 1.0", "1, 1.0"),
            "You go back in one step, which gives the mean of all data that it may have been. Take `steps`.",
        ),
    },
    accepts=[
        redraw_written_out,
        redraw_with("steps, 1.0, noise, second_order=True", "steps, eta=1.0, noise=noise, second_order=True"),
    ],
    hints=[
        "Two lines: where the walk starts, and the walk. Which function of lesson 50 makes data noisy up to time t?",
        "`few_steps` starts at the last time of the table that it is given, and ends at 0. Which part of the table begins at 0 and ends at t?",
        "`q_sample` with `noise(t)`; then `few_steps` with `alpha_bar[: t + 1]`, fresh noise, and second order.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


def some_network(rng, *shape):
    """Stands for a denoiser: its answer depends on all of the image, the time, and a table of its own."""
    table, gain = rng.normal(*shape), 0.5 + 0.1 * rng.size(0, 5)

    def predict(x_t, t):
        t = torch.as_tensor(t).to(x_t).view(-1, *[1] * (x_t.ndim - 1))
        return gain * (x_t + x_t.flip(-1)).tanh() + table * (1 + t / 10)

    return predict


def probe_knowing(answer, rng):
    n, h, w, values = rng.size(3, 5), rng.size(3, 5), rng.size(3, 5), {}
    codes, points, chain = (n, 2, h, w), (n + 2, 3), some_chain(rng)
    some = rng.uniform(n, 1, h, w) < 0.4
    told = answer(some_network(rng, *codes), rng.normal(*codes), some, chain.alpha_bar)
    values["each at its own time"] = told(rng.normal(*codes, leaf="x_t"), rng.integers(n, low=2, high=13))
    same = torch.zeros(1, 1, h, w, dtype=torch.bool, device=rng.device)
    same[..., : rng.size(1, 2)] = True
    told = answer(some_network(rng, *codes), rng.normal(*codes), same, chain.alpha_bar)
    for name, t in {"early": rng.size(2, 5), "late": rng.size(9, 13)}.items():
        values[f"one mask for all, {name}"] = told(rng.normal(*codes), t)
    told = answer(
        some_network(rng, *points),
        rng.normal(*points),
        rng.uniform(1, 3) < rng.uniform(1, 3),
        chain.alpha_bar,
    )
    values["points"] = told(rng.normal(*points), rng.size(4, 8))
    return values


TAKEN = "noise = (x_t - a_bar.sqrt() * z) / (1 - a_bar).sqrt()"
CHOSEN = "torch.where(known, noise, predict(x_t, t))"


def knowing_with(*changes):
    return edited(latent.knowing, *changes)


def knowing_by_weights(predict, z, known, alpha_bar):
    def told(x_t, t):
        weight, data, scale = (
            known.to(x_t),
            diffusion.at(alpha_bar.sqrt(), t, x_t),
            diffusion.at((1 - alpha_bar).sqrt(), t, x_t),
        )
        return weight * (x_t - data * z) / scale + (1 - weight) * predict(x_t, t)

    return told


exercise(
    target=latent.knowing,
    title="Someone who knows a part",
    probe=probe_knowing,
    mistakes={
        "mask inverted": (
            knowing_with(CHOSEN, "torch.where(known, predict(x_t, t), noise)"),
            "The two sides have changed places: where the data is known you ask the network, and where it is not you use the data.",
        ),
        "data for noise": (
            knowing_with(CHOSEN, "torch.where(known, z, predict(x_t, t))"),
            "Where the data is known you give the data. What is asked for is the *noise* in x_t: take the data out of x_t, and scale what is left.",
        ),
        "no noise where known": (
            knowing_with(CHOSEN, "torch.where(known, 0.0, predict(x_t, t))"),
            "Where the data is known you say that there is no noise. There is noise in x_t everywhere; who knows the data knows how much.",
        ),
        "x replaced": (
            knowing_with(CHOSEN, "predict(torch.where(known, at(alpha_bar, t, x_t).sqrt() * z, x_t), t)"),
            "You put the known data into x_t, and ask the network about that. Leave x_t as it is, and put the known *noise* into the answer.",
        ),
        "network's answer alone": (
            knowing_with(CHOSEN, "predict(x_t, t)"),
            "You give what the network predicts, and do not look at what is known.",
        ),
        "all known": (
            knowing_with(CHOSEN, "noise + 0 * predict(x_t, t)"),
            "You use the data everywhere. Where `known` is False, nobody knows it: there the network is asked.",
        ),
        "table read one entry early": (
            knowing_with("at(alpha_bar, t, x_t)", "at(alpha_bar, t - 1, x_t)"),
            "You read the table at t − 1. Its first entry is that of t = 0, so t is the index.",
        ),
        "noise still scaled": (
            knowing_with(" / (1 - a_bar).sqrt()", ""),
            "You take the data out of x_t, and leave the noise as it stands there, √(1 − ᾱ_t) times. Divide, so that it has variance 1.",
        ),
        "noise over its variance": (
            knowing_with("/ (1 - a_bar).sqrt()", "/ (1 - a_bar)"),
            "You divide by 1 − ᾱ_t, the variance of the noise in x_t. Its spread is the root.",
        ),
        "data by ᾱ": (
            knowing_with("a_bar.sqrt() * z", "a_bar * z"),
            "You take ᾱ_t of the data out of x_t. The share of the data in x_t is the root of ᾱ_t.",
        ),
        "data whole": (
            knowing_with("a_bar.sqrt() * z", "z"),
            "You take the data out of x_t as it is. Only √ᾱ_t of it is in there.",
        ),
        "data left in": (
            knowing_with("(x_t - a_bar.sqrt() * z)", "x_t"),
            "You take x_t itself for noise. There is data in it as well: take √ᾱ_t z out first.",
        ),
        "sign of the noise": (
            knowing_with("(x_t - a_bar.sqrt() * z)", "(a_bar.sqrt() * z - x_t)"),
            "Your noise has the wrong sign: it is x_t minus the share of the data, not the other way round.",
        ),
        "shares exchanged": (
            knowing_with(TAKEN, "noise = (x_t - (1 - a_bar).sqrt() * z) / a_bar.sqrt()"),
            "The two shares have changed places. Of the data there is √ᾱ_t in x_t, of the noise √(1 − ᾱ_t).",
        ),
        "mean of both where known": (
            knowing_with(CHOSEN, "torch.where(known, (noise + predict(x_t, t)) / 2, predict(x_t, t))"),
            "Where the data is known you take a mean of the known noise and the predicted one. The known one is right; the guess adds nothing.",
        ),
        "known part hidden from the network": (
            knowing_with(CHOSEN, "torch.where(known, noise, predict(torch.where(known, 0.0, x_t), t))"),
            "You hide the known part from the network. It should see all of x_t: that is how what is drawn comes to fit what is known.",
        ),
        "the network sees clean data": (
            knowing_with(CHOSEN, "torch.where(known, noise, predict(torch.where(known, z, x_t), t))"),
            "You show the network clean data where it is known, and tell it time t. It expects noise everywhere: show it x_t as it is.",
        ),
        "nothing predicted elsewhere": (
            knowing_with(CHOSEN, "torch.where(known, noise, 0.0) + 0 * predict(x_t, t)"),
            "Where nothing is known you predict no noise. There the network is asked.",
        ),
    },
    accepts=[
        knowing_by_weights,
        knowing_with(CHOSEN, "torch.where(~known, predict(x_t, t), noise)"),
        knowing_with(CHOSEN, "predict(x_t, t).where(~known, noise)"),
    ],
    hints=[
        "x_t = √ᾱ_t · data + √(1 − ᾱ_t) · noise. You know x_t and the data: what is the noise?",
        "`at(alpha_bar, t, x_t)` is ᾱ_t in a shape that multiplies x_t, also where each image has its own t.",
        "`torch.where(known, a, b)` takes from a where `known` is True, and from b elsewhere.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


def probe_shrink_mask(answer, rng):
    values = {}
    for name, factor, chance in (
        ("halved", 2, 0.8),
        ("to a quarter", 4, 0.96),
        ("to a third", 3, 0.93),
        ("to an eighth", 8, 0.99),
    ):
        n, h, w = rng.size(6, 8), 2 * rng.size(1, 2), 2 * rng.size(3, 4)
        values[name] = answer(rng.uniform(n, 1, h * factor, w * factor) < chance, factor)
    n, h, w = rng.size(3, 5), rng.size(2, 3), rng.size(4, 5)
    known = torch.ones(n, 1, 2 * h, 2 * w, dtype=torch.bool, device=rng.device)
    corner = rng.integers(n, high=2), rng.integers(n, high=2)
    places = rng.integers(n, high=h), rng.integers(n, high=w)
    known[torch.arange(n), 0, 2 * places[0] + corner[0], 2 * places[1] + corner[1]] = False
    values["one pixel of each is hidden"] = answer(known, 2)
    return values


BLOCKS = "known.unflatten(3, (-1, factor)).unflatten(2, (-1, factor)).all(5).all(3)"


def shrink_by(code):
    return edited(latent.shrink_mask, BLOCKS, code)


def shrink_by_pooling(known, factor):
    return F.max_pool2d((~known).float(), factor) == 0


def shrink_by_slices(known, factor):
    small = known[:, :, ::factor, ::factor].clone()
    for i in range(factor):
        for j in range(factor):
            small &= known[:, :, i::factor, j::factor]
    return small


exercise(
    target=latent.shrink_mask,
    title="The mask on the coarse grid",
    probe=probe_shrink_mask,
    mistakes={
        "any pixel known": (
            shrink_by("known.unflatten(3, (-1, factor)).unflatten(2, (-1, factor)).any(5).any(3)"),
            "You call a place known when any of its pixels is. Its number of the code was made with hidden pixels then, and nobody knows it: *all* have to be known.",
        ),
        "most pixels known": (
            shrink_by("torch.nn.functional.avg_pool2d(known.float(), factor) > 0.5"),
            "You call a place known when more than half of its pixels are. One hidden pixel is enough to make it unknown.",
        ),
        "first pixel": (
            shrink_by("known[:, :, ::factor, ::factor]"),
            "You look at one pixel of each place, the first. (`F.interpolate` does so, too.) Look at all of them.",
        ),
        "last pixel": (
            shrink_by("known[:, :, factor - 1 :: factor, factor - 1 :: factor]"),
            "You look at one pixel of each place, the last. Look at all of them.",
        ),
        "one row of each": (
            shrink_by("known.unflatten(3, (-1, factor)).all(4)[:, :, ::factor]"),
            "You look at the first row of each place only. Look at all of its pixels.",
        ),
        "one column of each": (
            shrink_by("known.unflatten(2, (-1, factor)).all(3)[..., ::factor]"),
            "You look at the first column of each place only. Look at all of its pixels.",
        ),
        "all of some row": (
            shrink_by("known.unflatten(3, (-1, factor)).unflatten(2, (-1, factor)).all(5).any(3)"),
            "You call a place known when one of its rows is. All of its pixels have to be.",
        ),
        "unknown for known": (
            shrink_by(f"~{BLOCKS}"),
            "Your mask says where the code is *unknown*. It is to be True where it is known.",
        ),
        "hidden altogether": (
            shrink_by("~known.unflatten(3, (-1, factor)).unflatten(2, (-1, factor)).any(5).any(3)"),
            "Your mask is True where no pixel is known. It is to be True where all of them are.",
        ),
        "blocks not blocks": (
            shrink_by("known.unflatten(3, (factor, -1)).unflatten(2, (factor, -1)).all(4).all(2)"),
            "The pixels that you put together do not lie side by side: they are every so many apart. A place stands for a block of factor × factor neighbours.",
        ),
        "transposed": (
            shrink_by(f"{BLOCKS}.mT"),
            "Height and width have changed places in your result.",
        ),
        "as numbers": (
            shrink_by(f"{BLOCKS}.float()"),
            "Your mask is right, and made of numbers. `torch.where` wants booleans.",
        ),
        "as large as the image": (
            shrink_by(f"{BLOCKS}.repeat_interleave(factor, 2).repeat_interleave(factor, 3)"),
            "Your mask is of the size of the image. That of the code is smaller by the factor: one value for each block.",
        ),
        "rows alone smaller": (
            shrink_by("known.unflatten(2, (-1, factor)).all(3)"),
            "Only the height of your mask is smaller. The width is, too.",
        ),
        "columns alone smaller": (
            shrink_by("known.unflatten(3, (-1, factor)).all(4)"),
            "Only the width of your mask is smaller. The height is, too.",
        ),
        "always halved": (
            shrink_by("known.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).all(5).all(3)"),
            "You always halve. How much smaller is said by `factor`.",
        ),
    },
    accepts=[
        shrink_by_pooling,
        shrink_by_slices,
        shrink_by("torch.nn.functional.avg_pool2d(known.double(), factor) > 1 - 0.5 / factor**2"),
        shrink_by("known.unfold(2, factor, factor).unfold(3, factor, factor).all(5).all(4)"),
    ],
    hints=[
        "Draw a mask of 4 × 4 pixels by hand, with one of them hidden, and make it smaller by 2. Which of the four places are known?",
        "Pooling takes one number of each block. Which pooling, of which mask, tells you whether anything in the block is hidden?",
        "`F.max_pool2d` of the hidden pixels, as floats, is above 0 where one is hidden. Or cut both axes with `unflatten`, and use `all`.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def hole_in_the_code():
    """A codec makes pictures 4 times smaller on each side. A hole of 8 × 8 pixels can lie anywhere in the picture.

    As `shrink_mask` has it, up to how many pixels of the picture stand at places that count as unknown?
    """
    return 144


exercise(
    target=hole_in_the_code,
    title="How large the hole becomes",
    mistakes={
        "as it is": (64, "So it is when the hole begins where a place begins. One pixel to the right, and it touches a third column of places."),
        "four places": (4, "That is how many places the hole takes up at the least. At most it touches more; and pixels are asked for."),
        "nine places": (9, "That is how many places it touches at most. Each of them stands for 4 × 4 pixels."),
        "one way only": (96, "So it is when the hole is shifted in one direction: 2 × 3 places. It can be shifted in both."),
        "a frame of one": (100, "That is the hole with a frame of one pixel. It grows by whole places: on each axis it touches up to 3 of them, 12 pixels."),
        "a frame of four": (
            256,
            "That is 4 × 4 places. Eight pixels in a row touch at most 3 places of 4: to touch 4 there would have to be 10 at least.",
        ),
        "a frame of three": (196, "You add three pixels on either side. If the hole begins at the last pixel of a place there are three more before it, but then only one more after it."),
    },
    hints=[
        "First in one direction: how many places of 4 pixels can 8 pixels in a row touch?",
        "Three: for example 1 + 4 + 3 pixels. The same in the other direction.",
    ],
    minutes=4,
)  # fmt: skip
