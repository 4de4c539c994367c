"""The exercises of lesson 60: what makes a decoder draw detail, and the scale of its codes."""

import torch
from torch import nn

from minigen import codec
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.probing.observe import unwatched

exercise = lesson("60_perceptual_autoencoder")


def the_best_pixel():
    """One pixel, seen through a code that does not say all. What should a decoder paint for the smallest error?

    Of all pictures with this code, a quarter have the pixel bright, at 1, and the others have it dark, at −1.
    The loss is the mean squared error.
    "a": -1, which is right for most of them
    "b": 1 in a quarter of the cases and -1 in the others, drawn at random
    "c": -0.5, a grey that is right for none of them
    "d": 0, in the middle between dark and bright
    """
    return "c"


exercise(
    target=the_best_pixel,
    title="The best guess",
    mistakes={
        "the most frequent": (
            "a",
            "That is best for the absolute error, which wants the median. Squared, the error at a bright pixel is 4, and a quarter of them gives a mean of 1. "
            "A little lighter is better.",
        ),
        "a draw": (
            "b",
            "Then the pictures look right, and the error is larger: where draw and pixel differ, it is 4, and they differ in 2 · 1/4 · 3/4 of the cases: 1.5 on average.",
        ),
        "the middle": (
            "d",
            "At 0 the error is 1 in every case. Dark is three times as frequent as bright, so move towards it.",
        ),
    },
    hints=[
        "Write the mean error of a grey g: (1 − g)² in a quarter of the cases, (−1 − g)² in the others.",
        "Where is its slope 0? That is the mean of the pixel.",
    ],
    minutes=4,
)


# ---- what a network sees


def probe_perceptual(answer, rng):
    n, values = rng.size(2, 4), {}
    shapes = [
        (rng.size(2, 4), rng.size(4, 6), rng.size(2, 3)),
        (rng.size(5, 7), 2, 2),
        (3, 1, rng.size(4, 6)),
    ]
    for name, chosen in {"three depths": shapes, "one depth": shapes[:1]}.items():
        maps = [
            rng.normal(n, *shape, leaf=f"map {i}" if name == "three depths" else False)
            for i, shape in enumerate(chosen)
        ]
        others = [
            1.5 * rng.normal(n, *shape, leaf=f"other {i}" if name == "three depths" else False)
            for i, shape in enumerate(chosen)
        ]
        values[name] = answer(maps, others)
    return values


UNIT = "(F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean((1, 2))"


def perceptual_with(code):
    return edited(codec.perceptual_distance, UNIT, code)


def perceptual_by_cosines(maps, others):
    total = 0
    for a, b in zip(maps, others, strict=True):
        total = total + (2 - 2 * nn.functional.cosine_similarity(a, b, dim=1)).flatten(1).mean(1)
    return total


def perceptual_by_norms(maps, others):
    parts = []
    for a, b in zip(maps, others, strict=True):
        a, b = (m / m.norm(dim=1, keepdim=True) for m in (a, b))
        parts.append(((a - b) ** 2).sum(1).flatten(1).mean(1))
    return torch.stack(parts).sum(0)


exercise(
    target=codec.perceptual_distance,
    title="How different two pictures look",
    probe=probe_perceptual,
    mistakes={
        "no gradient to the others": (
            perceptual_with(UNIT.replace("F.normalize(b,", "F.normalize(b.detach(),")),
            "You cut the gradient of `others`. Either batch may be the one that is to change; in the loss below it is the second.",
        ),
        "not brought to length 1": (
            perceptual_with("(a - b).square().sum(1).mean((1, 2))"),
            "You compare what the network gives as it is. Bring the numbers at each place to length 1 first, or places and depths with large numbers decide alone.",
        ),
        "only one of them": (
            perceptual_with("(F.normalize(a, dim=1) - b).square().sum(1).mean((1, 2))"),
            "Only the first map is brought to length 1. Both have to be, or equal pictures are not at distance 0.",
        ),
        "length over the whole map": (
            perceptual_with("(F.normalize(a.flatten(1)) - F.normalize(b.flatten(1))).square().sum(1)"),
            "You bring each whole map to length 1. At each place, the numbers of all channels are one arrow; it is that arrow which gets length 1.",
        ),
        "length over the places": (
            perceptual_with("(F.normalize(a.flatten(2), dim=2) - F.normalize(b.flatten(2), dim=2)).square().sum(1).mean(1)"),
            "You bring each channel to length 1 over the places. The arrow at a place runs over the channels: axis 1.",
        ),
        "length along the rows": (
            perceptual_with("(F.normalize(a, dim=3) - F.normalize(b, dim=3)).square().sum(1).mean((1, 2))"),
            "You bring rows of pixels to length 1. The arrow at a place runs over the channels: axis 1.",
        ),
        "mean over the channels": (
            perceptual_with("(F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().mean((1, 2, 3))"),
            "You take the mean over the channels. Add them up: the squared distance of two arrows is a sum.",
        ),
        "sum over the places": (
            perceptual_with("(F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum((1, 2, 3))"),
            "You add up over the places, so the depth with the largest map decides nearly alone. Take the mean over the places.",
        ),
        "not squared": (
            perceptual_with("(F.normalize(a, dim=1) - F.normalize(b, dim=1)).abs().sum(1).mean((1, 2))"),
            "You add up absolute differences. Square them.",
        ),
        "the distance itself": (
            perceptual_with("(F.normalize(a, dim=1) - F.normalize(b, dim=1)).norm(dim=1).mean((1, 2))"),
            "You take the root at each place: the length of the difference. The square of it is wanted.",
        ),
        "one number for the batch": (
            edited(codec.perceptual_distance, "return sum(", "return torch.stack([", "for a, b in zip(maps, others, strict=True)\n    )", "for a, b in zip(maps, others, strict=True)]).sum(0).mean()"),
            "You take the mean over the batch. Each pair of images has a distance of its own: (N,).",
        ),
        "mean over the depths": (
            edited(codec.perceptual_distance, "return sum(", "return 1 / len(maps) * sum("),
            "You take the mean over the depths. They are added up.",
        ),
        "the first depth alone": (
            edited(codec.perceptual_distance, "zip(maps, others, strict=True)", "zip(maps[:1], others[:1], strict=True)"),
            "You look at the first depth alone. Add up all of them: edges at the first, whole shapes at the last.",
        ),
        "the last depth alone": (
            edited(codec.perceptual_distance, "zip(maps, others, strict=True)", "zip(maps[-1:], others[-1:], strict=True)"),
            "You look at the last depth alone. Add up all of them: edges at the first, whole shapes at the last.",
        ),
        "half": (
            perceptual_with("(1 - nn.functional.cosine_similarity(a, b, dim=1)).mean((1, 2))"),
            "1 − cosine is half of the squared distance of two arrows of length 1: |a − b|² = 2 − 2 cos.",
        ),
    },
    accepts=[perceptual_by_cosines, perceptual_by_norms],
    equivalents={
        "return sum(((F.normalize(a) - F.normalize(b, dim=1)).square().sum(1).mean((1, 2)) for a, b in zip(maps, others, strict=True)))": "dim=1 is what `normalize` does by itself",
        "return sum(((F.normalize(a, dim=1) - F.normalize(b)).square().sum(1).mean((1, 2)) for a, b in zip(maps, others, strict=True)))": "dim=1 is what `normalize` does by itself",
        "return sum(((F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean((1, 2)) for a, b in zip(others, maps, strict=True)))": "a squared difference is the same both ways",
        "return sum(((F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean((1, 2)) for a, b in zip(maps, others)))": "both lists have a map for each depth",
        "return sum(((F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean((1, 2)) for a, b in zip(maps, others, strict=False)))": "both lists have a map for each depth",
    },
    hints=[
        "At one place of one map stand C numbers: an arrow. Which axis is that, and how does one bring an arrow to length 1?",
        "`F.normalize(a, dim=1)` does that at all places. Then squares, a sum over axis 1, a mean over the two axes that are left.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


# ---- the critic of patches


def probe_hinge(answer, rng):
    n, size = rng.size(3, 5), rng.size(2, 4)
    return {
        "patches": answer(
            2 * rng.normal(n, 1, size, size, leaf="real"), 2 * rng.normal(n, 1, size, size, leaf="fake")
        ),
        "another number of fakes": answer(2 * rng.normal(n), 2 * rng.normal(n + 2)),
        "some are far from both margins": answer(
            torch.cat([5 + rng.uniform(n), rng.normal(2)]), torch.cat([rng.uniform(n) - 5, rng.normal(2)])
        ),
        "on the wrong side": answer(-5 - rng.uniform(n), 5 + rng.uniform(n)),
    }


HINGE = "(F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2"


def hinge_with(code):
    return edited(codec.hinge_loss, HINGE, code)


def hinge_by_clamp(real, fake):
    return 0.5 * (1 - real).clamp(min=0).mean() + 0.5 * (1 + fake).clamp(min=0).mean()


exercise(
    target=codec.hinge_loss,
    title="Sure enough is enough",
    probe=probe_hinge,
    mistakes={
        "real and fake exchanged": (
            hinge_with("(F.relu(1 + real).mean() + F.relu(1 - fake).mean()) / 2"),
            "Your critic would learn to give real patches low numbers and fakes high ones. High is for real.",
        ),
        "no margin": (
            hinge_with("(F.relu(-real).mean() + F.relu(fake).mean()) / 2"),
            "There is no margin: your loss is 0 as soon as the sign is right. It is 0 from 1 on for real ones, and from −1 on for fakes.",
        ),
        "no hinge": (
            hinge_with("((1 - real).mean() + (1 + fake).mean()) / 2"),
            "Nothing stops a critic that is sure enough: your loss falls without end. Cut each term off at 0, for each patch.",
        ),
        "hinge after the mean": (
            hinge_with("(F.relu((1 - real).mean()) + F.relu((1 + fake).mean())) / 2"),
            "You cut the mean off at 0. Cut each patch off, then take the mean: a patch beyond its margin must not make up for one that is wrong.",
        ),
        "not halved": (
            hinge_with("F.relu(1 - real).mean() + F.relu(1 + fake).mean()"),
            "You add both means. The loss is half of their sum.",
        ),
        "the fakes' sign": (
            hinge_with("(F.relu(1 - real).mean() + F.relu(1 - fake).mean()) / 2"),
            "Fakes and real ones are both to be above 1. Fakes are to be below −1.",
        ),
        "real ones alone": (
            hinge_with("F.relu(1 - real).mean() / 2"),
            "The fakes do not count in your loss. A critic that finds everything real would be perfect.",
        ),
        "fakes alone": (
            hinge_with("F.relu(1 + fake).mean() / 2"),
            "The real ones do not count in your loss. A critic that finds nothing real would be perfect.",
        ),
        "squared": (
            hinge_with("(F.relu(1 - real).square().mean() + F.relu(1 + fake).square().mean()) / 2"),
            "You square what is beyond the margin. It counts as it is.",
        ),
        "sum over the patches": (
            hinge_with("(F.relu(1 - real).sum() + F.relu(1 + fake).sum()) / 2"),
            "You add up over the patches, so the loss grows with the size of the images. Take means.",
        ),
        "softened": (
            hinge_with("(F.softplus(1 - real).mean() + F.softplus(1 + fake).mean()) / 2"),
            "`softplus` is never 0: it is close to the loss of lesson 30. The hinge is flat beyond its margin.",
        ),
        "mean over all": (
            hinge_with("torch.cat([F.relu(1 - real).flatten(), F.relu(1 + fake).flatten()]).mean()"),
            "You take one mean over both. With more fakes than real ones the fakes would count more: take each mean by itself.",
        ),
    },
    accepts=[hinge_by_clamp],
    hints=["For a real patch with the number r: what is the loss at r = 0, at r = 1, at r = 3?", "`F.relu(1 - real)` is that. And for fakes?"],
    points=1,
    minutes=8,
)  # fmt: skip


def probe_field(answer, rng):
    values = {}
    for i, layers in enumerate((1, 3, 4)):
        kernels, strides = ([rng.size(low, 6) for _ in range(layers)] for low in (2, 1))
        strides[0] += 1
        values[f"network {i + 1}"] = rng.uniform(1) * 0 + answer(kernels, strides)
        values[f"network {i + 1}, the other way round"] = rng.uniform(1) * 0 + answer(
            kernels[::-1], strides[::-1]
        )
    values["nothing at all"] = rng.uniform(1) * 0 + answer([], [])
    return {name: value * values["network 3"] for name, value in values.items()}


def field_with(*changes):
    return edited(codec.receptive_field, *changes)


GROWS, JUMPS = "field += (kernel - 1) * jump", "jump *= stride"


def field_from_the_end(kernels, strides):
    field = 1
    for kernel, stride in reversed(list(zip(kernels, strides, strict=True))):
        field = (field - 1) * stride + kernel
    return field


exercise(
    target=codec.receptive_field,
    title="How much does the critic see?",
    probe=probe_field,
    mistakes={
        "strides ignored": (
            field_with(JUMPS, "pass"),
            "You leave the strides out. After a layer of stride 2, neighbours look at places 2 pixels apart, so the next kernel reaches twice as far.",
        ),
        "the stride of this layer": (
            field_with(f"{GROWS}\n        {JUMPS}", f"{JUMPS}\n        {GROWS}"),
            "A layer's own stride does not widen what one of its numbers sees. It spreads what comes after.",
        ),
        "whole kernels": (
            field_with(GROWS, "field += kernel * jump"),
            "A kernel of 3 reaches 2 places further than the one place in its middle: kernel − 1.",
        ),
        "strides added": (
            field_with(JUMPS, "jump += stride"),
            "You add the strides up. Two layers of stride 2 put neighbours 2 · 2 pixels apart.",
        ),
        "kernels multiplied": (
            field_with(GROWS, "field *= kernel"),
            "You multiply by the kernels. They overlap: two kernels of 3 see 5 pixels and not 9.",
        ),
        "begins with nothing": (
            field_with("field, jump = 1, 1", "field, jump = 0, 1"),
            "You are one short: without any layer a number sees one pixel, itself.",
        ),
        "the last stride alone": (
            field_with(JUMPS, "jump = stride"),
            "Only the stride of the layer before counts in your sum. All strides before multiply.",
        ),
        "a stride too many at the start": (
            field_with("field, jump = 1, 1", "field, jump = 1, strides[0] if strides else 1"),
            "You start with the first stride. The first layer stands on pixels, which are 1 apart.",
        ),
        "half a kernel": (
            field_with(GROWS, "field += kernel // 2 * jump"),
            "You count one side of the kernel. It reaches to both sides: kernel − 1 places in all.",
        ),
    },
    accepts=[field_from_the_end],
    equivalents={
        "for kernel, stride in zip(kernels, strides):": "each layer has a kernel and a stride",
        "for kernel, stride in zip(kernels, strides, strict=False):": "each layer has a kernel and a stride",
    },
    hints=[
        "Start at the pixels: one number sees 1 pixel. How many more does it see after a kernel of 3? And after another one?",
        "Keep two numbers: how many pixels one place sees, and how many pixels apart two neighbours are.",
        "Each layer adds (kernel − 1) times the distance of neighbours *before* it; then its stride multiplies that distance.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


# ---- the weight of the critic


def probe_weight(answer, rng):
    values = {}
    for name, gain in {"a weak critic": 0.01, "a strong critic": 30.0}.items():
        n, k = rng.size(3, 5), rng.size(2, 4)
        last, x, wanted = rng.normal(k, k + 1).requires_grad_(), rng.normal(n, k), rng.normal(n, k + 1)
        y = (x @ last).tanh()
        reconstruction, adversarial = (y - wanted).square().mean(), gain * y.mean()
        weight = answer(reconstruction, adversarial, last)
        values |= {
            name: weight.detach() if isinstance(weight, torch.Tensor) else weight,
            f"no gradient goes through it, {name}": torch.tensor(not getattr(weight, "requires_grad", False)),
            f"nothing is added to the weights' gradient, {name}": torch.tensor(last.grad is None),
        }
        (slope,) = torch.autograd.grad(reconstruction + adversarial, last)  # both can still be used
        values[f"slope afterwards, {name}"] = slope
    last = rng.normal(3, 3).requires_grad_()
    pull, push = rng.uniform(1, low=0.5, high=1.5) * last.sum(), 1e-9 * last.sum()
    values["a critic that does not care"] = answer(pull.sum(), push, last) * rng.uniform(1, low=0.5)
    return values


PULL, PUSH = (
    "torch.autograd.grad(reconstruction, last, retain_graph=True)",
    "torch.autograd.grad(adversarial, last, retain_graph=True)",
)
WEIGHT = "(pull.norm() / (push.norm() + 1e-4)).clamp(max=1e4)"


def weight_with(*changes):
    return edited(codec.adaptive_weight, *changes)


def by_flat_norms(reconstruction, adversarial, last):
    pull, push = (
        torch.autograd.grad(loss, last, retain_graph=True)[0].flatten()
        for loss in (reconstruction, adversarial)
    )
    return ((pull @ pull).sqrt() / ((push @ push).sqrt() + 1e-4)).clamp(max=10_000).detach()


exercise(
    target=codec.adaptive_weight,
    title="As strong as the others",
    probe=probe_weight,
    mistakes={
        "upside down": (
            weight_with(WEIGHT, "(push.norm() / (pull.norm() + 1e-4)).clamp(max=1e4)"),
            "Your ratio is upside down: where the critic pulls too hard, its weight would grow. What the others ask for stands above, what the critic asks for below.",
        ),
        "ratio of the losses": (
            weight_with(WEIGHT, "(reconstruction / (adversarial + 1e-4)).abs().clamp(max=1e4).detach()"),
            "You compare the losses. Their values say nothing about how hard they pull: compare the lengths of their gradients.",
        ),
        "squared": (
            weight_with(WEIGHT, "(pull.square().sum() / (push.square().sum() + 1e-4)).clamp(max=1e4)"),
            "You compare squared lengths. The weight multiplies a gradient, so it is the ratio of the lengths themselves.",
        ),
        "sums": (
            weight_with(WEIGHT, "(pull.sum() / (push.sum() + 1e-4)).clamp(max=1e4)"),
            "You add up the gradient, where numbers of both signs cancel. Its length is the root of the sum of squares.",
        ),
        "not limited": (
            weight_with(".clamp(max=1e4)", ""),
            "Your weight has no upper end. Where the critic does not care its gradient is nearly 0, and the weight goes through the roof: at most 10,000.",
        ),
        "limited to one": (
            weight_with(".clamp(max=1e4)", ".clamp(max=1)"),
            "Your weight is at most 1. A weak critic may be strengthened, too: at most 10,000.",
        ),
        "the largest entries": (
            weight_with(WEIGHT, "(pull.abs().max() / (push.abs().max() + 1e-4)).clamp(max=1e4)"),
            "You compare the largest entries of the gradients. Their lengths are meant.",
        ),
        "mean absolute entries": (
            weight_with(WEIGHT, "(pull.abs().mean() / (push.abs().mean() + 1e-4)).clamp(max=1e4)"),
            "You compare means of absolute entries. The length is the root of the sum of squares.",
        ),
        "twice the same": (
            weight_with(PUSH, PULL),
            "Both gradients are those of the reconstruction, so the weight is nearly 1 whatever the critic says.",
        ),
    },
    accepts=[by_flat_norms, weight_with("pull.norm()", "torch.linalg.vector_norm(pull)")],
    hints=[
        "`torch.autograd.grad(loss, last, retain_graph=True)` gives a tuple with one gradient, and leaves the graph for the training step that follows.",
        "Lengths: `.norm()`. Divide that of the reconstruction by that of the critic plus 0.0001, and `clamp`.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


# ---- the whole game


class Mirror(nn.Module):
    """Stands for the eyes: two maps of an image, which are simple functions of it."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def maps(self, x):
        first = torch.einsum("oc,nchw->nohw", self.weight, x)
        return [first.tanh() + 0.3, first[..., ::2, ::2] + 1]


def convolution(weight):
    """A layer with a given matrix of weights: one pixel at a time, from all its channels."""
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=False)
    layer.weight = nn.Parameter(weight.detach().clone()[..., None, None])
    return layer


def slope(loss, weights):
    """The gradient of a loss, 0 where there is none."""
    (found,) = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
    return torch.zeros_like(weights) if found is None else found


def probe_losses(answer, rng):
    start, n, values = rng.size(2, 3), rng.size(3, 4), {}
    perceptual, adversarial, kl = (
        0.4 + 0.1 * rng.size(0, 3),
        0.3 + 0.1 * rng.size(0, 3),
        0.02 * rng.size(1, 4),
    )
    model = unwatched(
        answer(
            Mirror(rng.normal(4, 1)),
            start,
            perceptual,
            adversarial,
            channels=1,
            factor=2,
            code=1,
            width=8,
            kl=kl,
        )
    )
    last, see = convolution(rng.normal(1, 3)), convolution(rng.normal(1, 1))
    model.decoder, model.critic = nn.Sequential(last, nn.Identity(), nn.Identity()), see
    hidden, divergence = iter(rng.normal(9, n, 3, 4, 4)), rng.uniform(n, high=20.0).requires_grad_()
    model.rebuild = lambda x: (model.decoder(next(hidden)).tanh(), divergence)  # another draw in each call
    x, unit = rng.images(n, 1, 4), rng.uniform(1, low=1.0, high=2.0)
    names = {1: "step 1", start: "step start", start + 1: "step start + 1", start + 2: "step start + 2"}
    for step in range(1, start + 3):
        turns, found = [], {}
        for player, loss in model.losses((x, None)):
            terms = loss if isinstance(loss, dict) else {"loss": loss}
            turns.append(player)
            total = sum(terms.values())
            found |= {f"{player}, {name}": term.detach() for name, term in terms.items()}
            found[f"slope for the decoder, {player}"] = slope(total, last.weight)
            found[f"slope for the divergence, {player}"] = slope(total, divergence)
            found[f"slope for the critic, {player}"] = slope(total, see.weight)
        kept = {name: found.get(name, 0 * unit) for name in (ALONE if step <= start else TOGETHER)}
        kept |= {
            "turns": unit * len(turns),
            "the codec's turn is the first": turns[:1] == ["codec"],
            "the critic's loss leaves the decoder alone": not found.get(
                "slope for the decoder, critic", unit * 0
            ).any(),
        }
        values |= {f"{name}, {names[step]}": value for name, value in kept.items() if step in names}
    values["steps counted"] = unit * model.step
    return values


ALONE = (
    "codec, pixels",
    "codec, perceptual",
    "codec, kl",
    "slope for the decoder, codec",
    "slope for the divergence, codec",
)
TOGETHER = (*ALONE, "codec, adversarial", "critic, loss", "slope for the critic, critic")


def losses_with(*changes):
    return edited(codec.PerceptualCodec, *changes)


WAIT = "if self.step <= self.start:"
EQUAL = 'weight = adaptive_weight(terms["pixels"] + terms["perceptual"], adversarial, self.last.weight)'
JOINED = '"adversarial": self.adversarial * weight * adversarial'
CRITIC = "hinge_loss(self.critic(x), self.critic(y.detach()))"

exercise(
    target=codec.PerceptualCodec,
    title="Four terms, two players, and when",
    probe=probe_losses,
    blank=("losses",),
    repair="from the first step",
    mistakes={
        "from the first step": (
            losses_with(WAIT, "if self.step < 0:"),
            "The critic takes part from the first step. Then it meets a decoder that draws nothing yet, wins at once, and what it asks for is noise. It waits until `start` steps are over.",
        ),
        "one step early": (
            losses_with(WAIT, "if self.step < self.start:"),
            "The critic takes part one step early: `start` steps without it come first.",
        ),
        "one step late": (
            losses_with(WAIT, "if self.step <= self.start + 1:"),
            "The critic takes part one step late: it comes with the step after the first `start` ones.",
        ),
        "critic first": (
            losses_with(
                'yield "codec", terms | {"adversarial": self.adversarial * weight * adversarial}\n        yield "critic", ' + CRITIC,
                'yield "critic", ' + CRITIC + '\n        yield "codec", terms | {"adversarial": self.adversarial * weight * adversarial}',
            ),
            "The critic has its turn before the codec. Its step changes its weights in place, and the codec's loss, which was computed with the old ones, has no gradient then. First the codec.",
        ),
        "KL without a gradient": (
            losses_with("self.kl * kl.mean()", "self.kl * kl.mean().detach()"),
            "The divergence has the right value, and no gradient goes through it: the encoder never hears of it.",
        ),
        "steps not counted": (
            losses_with("self.step += 1", "pass"),
            "Nobody counts the steps, so the critic never takes part.",
        ),
        "never": (
            losses_with(WAIT, "if self.step > 0:"),
            "The critic never takes part. It joins when `start` steps are over.",
        ),
        "the other way round": (
            losses_with(WAIT, "if self.step > self.start:"),
            "Your critic takes part in the first steps, and leaves when it should come.",
        ),
        "fakes not detached": (
            losses_with("y.detach()", "y"),
            "The critic's loss reaches the decoder, and asks it to draw what is easier to tell from real ones. Cut it: `y.detach()`.",
        ),
        "against the critic's wish": (
            losses_with("adversarial = -self.critic(y).mean()", "adversarial = self.critic(y).mean()"),
            "Your decoder wants low numbers from the critic. High is for real: minimise the negative mean.",
        ),
        "weight not used": (
            losses_with(JOINED, '"adversarial": self.adversarial * adversarial'),
            "The adaptive weight is not used, so the critic pulls as hard as it happens to.",
        ),
        "adversarial not used": (
            losses_with(JOINED, '"adversarial": weight * adversarial'),
            "`self.adversarial` is not used: the critic pulls as hard as all the others together, whatever was asked for.",
        ),
        "weighed against pixels alone": (
            losses_with('terms["pixels"] + terms["perceptual"]', 'terms["pixels"]'),
            "You weigh the critic against the error of the pixels alone. The perceptual term belongs to the reconstruction.",
        ),
        "weighed against all": (
            losses_with('terms["pixels"] + terms["perceptual"], adversarial', 'terms["perceptual"], adversarial'),
            "You weigh the critic against the perceptual term alone. The error of the pixels belongs to the reconstruction.",
        ),
        "perceptual not weighted": (
            losses_with("self.perceptual * seen", "seen"),
            "`self.perceptual` is not used: the perceptual term has weight 1, whatever was asked for.",
        ),
        "KL not weighted": (
            losses_with("self.kl * kl.mean()", "kl.mean()"),
            "The divergence has weight 1: codes are pressed into N(0, I) until they say nothing. Its weight is `self.kl`.",
        ),
        "critic's images exchanged": (
            losses_with(CRITIC, "hinge_loss(self.critic(y.detach()), self.critic(x))"),
            "You hand the critic real images as fakes, and fakes as real ones.",
        ),
        "critic alone after the start": (
            losses_with('yield "codec", terms | {"adversarial": self.adversarial * weight * adversarial}', "pass"),
            "After the start the codec has no turn any more. It goes on learning, with one term more.",
        ),
        "no turn for the critic": (
            losses_with(f'yield "critic", {CRITIC}', "pass"),
            "The critic has no turn, so it stays as it began and its opinion is noise.",
        ),
        "pixels left out": (
            losses_with('yield "codec", terms | {', 'yield "codec", {"perceptual": terms["perceptual"], "kl": terms["kl"]} | {'),
            "After the start the error of the pixels is missing. The critic comes in addition to the other terms.",
        ),
        "the eyes see one of them": (
            losses_with("self.eyes.maps(y)).mean()", "self.eyes.maps(x)).mean()"),
            "You compare what the eyes see in x with itself. That is 0, whatever the decoder draws.",
        ),
    },
    equivalents={
        "seen = perceptual_distance(self.eyes.maps(y), self.eyes.maps(x)).mean()": "a distance is the same both ways",
        "terms = {'pixels': F.mse_loss(x, y), 'perceptual': self.perceptual * seen, 'kl': self.kl * kl.mean()}": "a squared difference is the same both ways",
    },
    hints=[
        "Read the docstring: which terms are there before `start`, and which after? Follow `self.step` by hand for start = 2.",
        "In steps 1 … start there is one turn, the codec's. From start + 1 on there are two.",
    ],
    points=3,
    minutes=20,
)  # fmt: skip


# ---- the scale of the codes


def probe_scale(answer, rng):
    n = rng.size(30, 40)
    grow = rng.uniform(1, low=0.2, high=6.0)
    codes = grow * rng.normal(n, 4, 4, 4) * torch.tensor([0.5, 1.0, 2.0, 3.0]).to(grow).view(1, 4, 1, 1)
    return {
        "codes": answer(codes + 2 * grow),
        "one channel": answer(grow * rng.normal(n, 1, 6, 6)),
        "rows": answer(5 + rng.normal(20 * n, 3)),
    }


def scale_with(code):
    return edited(codec.unit_scale, "1 / z.std()", code)


exercise(
    target=codec.unit_scale,
    title="Codes of unit variance",
    probe=probe_scale,
    tolerance=2e-3,
    mistakes={
        "the spread itself": (
            scale_with("z.std()"),
            "This is the spread. Codes that are *multiplied* by the scale get spread 1 if it is one divided by the spread.",
        ),
        "variance": (
            scale_with("1 / z.var()"),
            "You divide by the variance. A number multiplies the variance by its square, so divide by the root of it.",
        ),
        "mean square": (
            scale_with("1 / z.square().mean().sqrt()"),
            "You divide by the root mean square, which counts the mean of the codes as spread. The variance is around their mean.",
        ),
        "each channel by itself": (
            scale_with("1 / z.std(tuple(i for i in range(z.ndim) if i != 1))"),
            "You give each channel a scale of its own. One number for all keeps the channels as they are to one another.",
        ),
        "each image by itself": (
            scale_with("1 / z.flatten(1).std(1)"),
            "You give each image a scale of its own, so the decoder could not know by what to divide. One number for all.",
        ),
        "mean spread of the channels": (
            scale_with("1 / z.std(tuple(i for i in range(z.ndim) if i != 1)).mean()"),
            "You take the mean of the channels' spreads. The spread of all numbers together is another one: variances add up, and means differ.",
        ),
        "mean absolute value": (
            scale_with("1 / z.abs().mean()"),
            "You divide by the mean absolute value. Divide by the standard deviation.",
        ),
        "largest value": (
            scale_with("1 / z.abs().max()"),
            "You bring the largest number to 1. The chain expects variance 1; a few numbers may well be at 3 or 4.",
        ),
        "of the first image": (
            scale_with("1 / z[0].std()"),
            "You look at the first code alone. Take all of them.",
        ),
    },
    accepts=[scale_with("z.var() ** -0.5"), scale_with("1 / z.std(correction=0)"), scale_with("(z - z.mean()).square().mean().rsqrt()")],
    hints=["If z is multiplied by s, what happens to its standard deviation?", "It is multiplied by s as well. It should become 1."],
    points=1,
    minutes=5,
)  # fmt: skip


def what_decibels_do():
    """With the critic, grain comes back and the Fréchet distance of patches falls. And the PSNR, the decibels of lesson 11?

    "a": rises, since the pictures look more like the real ones
    "b": stays, since the code is the same and nothing more is known about the picture
    "c": falls, since grain at the wrong places is farther from the picture than no grain
    """
    return "c"


exercise(
    target=what_decibels_do,
    title="What is lost?",
    mistakes={
        "better in all": (
            "a",
            "PSNR compares pixel by pixel. The code does not say where each grain is, so what is drawn is grain of another picture.",
        ),
        "nothing": (
            "b",
            "Nothing more is known, that is right. But the best guess for each pixel was the mean, and the decoder does not draw the mean any more.",
        ),
    },
    hints=[
        "Compare two pictures with grain of spread σ, each its own, with a smooth and a grainy one: what is the mean squared difference?",
        "σ² + σ² against σ².",
    ],
    minutes=3,
)
