"""The exercises of lesson 32: players that are told the class, and what their digits are taken for."""

import torch
from torch.nn import functional as F

from minigen import gan, metrics
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.probing.observe import unwatched

exercise = lesson("32_conditional_gan")


def kinds(rng, n, classes):
    """Labels (n,) of which the first ones are all different, so that an exchange of labels is seen."""
    first = min(n, classes)
    return torch.cat([torch.arange(first, device=rng.device), rng.integers(n - first, high=classes)])


def given(value):
    """What `forward` gave back, which has to be one tensor."""
    if value is None:
        raise TypeError("your `forward` gives None, so a `return` seems to be missing")
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"your `forward` gives a {type(value).__name__}, and one tensor is wanted")
    return value


def learns(value, rows):
    """The gradient of an output by the learned vectors of a model, (classes, D); zeros where none flows."""
    weights = torch.linspace(1, 2, value.numel(), device=value.device).view(value.shape)
    if not value.requires_grad:
        return torch.zeros_like(rows)
    (gradient,) = torch.autograd.grad((weights * value).sum(), rows, retain_graph=True, allow_unused=True)
    return torch.zeros_like(rows) if gradient is None else gradient


def loud(model, factor):
    """The model itself, each of its weights multiplied: untrained networks answer nearly the same to all."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(factor)
    return model


# ---- the generator


class AnyWidth(torch.nn.Module):
    """A network that answers the wrong ways to join that are in the list below, so that each can be named.

    Any other rows of a wrong shape get torch's own message.
    """

    def __init__(self, network, width):
        super().__init__()
        self.network, self.width, self.wrong = network, width, []

    def forward(self, rows):
        if rows.shape[1:] == (self.width,):
            return self.network(rows)
        for wrong in (w for w in self.wrong if w.shape == rows.shape):
            if torch.allclose(rows, wrong):
                return rows.tanh()
            if rows.shape[1] == self.width // 2 + 1 and torch.equal(order(rows), order(wrong)):
                return wrong.tanh()  # the number of the class, on another scale
        return self.network(rows)


def order(rows):
    """How many numbers of its column each number exceeds."""
    return (rows[:, None] > rows).sum(1)


def joined_wrongly(z, vectors, labels, classes):
    """Rows of a wrong shape, of which the list below speaks."""
    number, hot = labels[:, None].to(z), F.one_hot(labels, classes).to(z)
    beside = [torch.cat(pair, 1) for pair in ([z, number], [number, z], [z, hot], [hot, z])]
    others = [torch.stack([z, vectors], 1), torch.cat([z, vectors])]
    return [z, vectors, z + vectors, z * vectors, z + number, z * number, *beside, *others]


def probe_generator(answer, rng):
    n, classes, latent, channels = rng.size(4, 6), rng.size(3, 5), rng.size(3, 5), rng.size(1, 2)
    model = unwatched(answer(classes, latent, channels, 8, width=4))
    model.network = AnyWidth(model.network, 2 * latent)
    labels = kinds(rng, n, classes)

    def drawn(z, labels):
        model.network.wrong = joined_wrongly(z, model.embedding.weight[labels], labels, classes)
        return model(z, labels)

    drawn(rng.normal(n, latent), labels)  # the first call settles the weights
    loud(model, 1.5)
    pictures = given(drawn(rng.normal(n, latent, leaf="z"), labels.flip(0)))
    return {"pictures": pictures, "gradient of the embedding": learns(pictures, model.embedding.weight)}


generator = gan.ConditionalGenerator
CAT = "torch.cat([z, self.embedding(labels)], dim=1)"
DRAWN = f"self.network({CAT})"

exercise(
    target=generator,
    title="A generator that is told the class",
    probe=probe_generator,
    blank=("forward",),
    mistakes={
        "label not used": (
            edited(generator, CAT, "torch.cat([z, 0 * self.embedding(labels)], dim=1)"),
            "Your pictures do not depend on the labels, so nobody can ask for a class. The label's vector must reach the network.",
        ),
        "noise not used": (
            edited(generator, CAT, "torch.cat([0 * z, self.embedding(labels)], dim=1)"),
            "Your pictures do not depend on the noise: each class would have a single picture. Both belong in the input.",
        ),
        "noise twice": (
            edited(generator, CAT, "torch.cat([z, z], dim=1)"),
            "You put the noise in twice, and the label not at all. The second half of the input is the label's vector.",
        ),
        "label's vector twice": (
            edited(generator, CAT, "torch.cat([self.embedding(labels), self.embedding(labels)], dim=1)"),
            "You put the label's vector in twice, and the noise not at all: each class would have a single picture.",
        ),
        "label before the noise": (
            edited(generator, CAT, "torch.cat([self.embedding(labels), z], dim=1)"),
            "Your label's vector comes before the noise. It would train as well; here the noise comes first, so that your network "
            "can be compared.",
        ),
        "joined along the batch": (
            edited(generator, CAT, "torch.cat([z, self.embedding(labels)])"),
            "You join along the batch: 2 · N rows of half the length. Each picture's noise and vector belong in one row: join along "
            "dimension 1.",
        ),
        "added": (
            edited(generator, CAT, "z + self.embedding(labels)"),
            "You add the label's vector to the noise, so the rows are half as long as the network expects. It goes in beside the "
            "noise: join them along dimension 1.",
        ),
        "multiplied": (
            edited(generator, CAT, "z * self.embedding(labels)"),
            "You multiply the noise by the label's vector, so the rows are half as long as the network expects. It goes in beside "
            "the noise: join them along dimension 1.",
        ),
        "stacked": (
            edited(generator, CAT, "torch.stack([z, self.embedding(labels)], dim=1)"),
            "You stack the two along a new dimension. The network wants rows: join them along dimension 1 with `torch.cat`.",
        ),
        "label's number beside the noise": (
            edited(generator, CAT, "torch.cat([z, labels[:, None].float()], dim=1)"),
            "You put the number of the class beside the noise. Then 4 lies between 3 and 5, as if classes were sizes; and the network "
            "expects the class's vector, `self.embedding`.",
        ),
        "label's number before the noise": (
            edited(generator, CAT, "torch.cat([labels[:, None].float(), z], dim=1)"),
            "You put the number of the class before the noise. Then 4 lies between 3 and 5, as if classes were sizes; and the network "
            "expects the class's vector, `self.embedding`, after the noise.",
        ),
        "label's number added to the noise": (
            edited(generator, CAT, "z + labels[:, None]"),
            "You add the number of the class to the noise, as if classes were sizes, and the rows are half as long as the network "
            "expects. Join the noise and the class's vector, `self.embedding`, along dimension 1.",
        ),
        "noise multiplied by the label's number": (
            edited(generator, CAT, "z * labels[:, None]"),
            "You multiply the noise by the number of the class, as if classes were sizes: class 0 has no noise left. Join the noise and "
            "the class's vector, `self.embedding`, along dimension 1.",
        ),
        **{
            f"label as a number {name}": (
                edited(generator, CAT, f"torch.cat([z, ({number}).expand(-1, z.shape[1])], dim=1)"),
                "You give the network the number of the class, on another scale. Then 4 lies between 3 and 5 all the same, as if classes "
                "were sizes. Each class has a vector of its own: `self.embedding`.",
            )
            for name, number in {
                "in ninths": "labels[:, None] / 9",
                "in ninths, from -1": "2 * labels[:, None] / 9 - 1",
                "up to 1": "labels[:, None] / (self.embedding.num_embeddings - 1)",
                "from -1 to 1": "2 * labels[:, None] / (self.embedding.num_embeddings - 1) - 1",
            }.items()
        },
        "one-hot beside the noise": (
            edited(generator, CAT, "torch.cat([z, nn.functional.one_hot(labels, self.embedding.num_embeddings).to(z)], dim=1)"),
            "You put a 1 at the class, and 0 elsewhere, beside the noise, as in lesson 14. Here each class has a learned vector, "
            "`self.embedding`, and the network is made for its length.",
        ),
        "one-hot before the noise": (
            edited(generator, CAT, "torch.cat([nn.functional.one_hot(labels, self.embedding.num_embeddings).to(z), z], dim=1)"),
            "You put a 1 at the class, and 0 elsewhere, before the noise. Here each class has a learned vector, `self.embedding`, which "
            "comes after the noise, and the network is made for its length.",
        ),
        "only the label's vector": (
            edited(generator, CAT, "self.embedding(labels)"),
            "Only the label's vector goes in: each class would have a single picture, and the rows are half as long as the network "
            "expects. The noise comes first, the vector after it.",
        ),
        "label forgotten": (
            edited(generator, CAT, "z"),
            "Only the noise goes in, so nobody can ask for a class, and the rows are half as long as the network expects.",
        ),
        "joined along the batch, cut anew": (
            edited(generator, CAT, "torch.cat([z, self.embedding(labels)]).view(len(z), -1)"),
            "You join noise and vectors along the batch and cut the rows anew. Then a row holds the noise of two pictures, or two "
            "labels. Join along dimension 1.",
        ),
        "number by number": (
            edited(generator, CAT, "torch.stack([z, self.embedding(labels)], dim=2).flatten(1)"),
            "You put the noise and the label's vector into each other, number by number. All of the noise comes first.",
        ),
        "label added to the noise as well": (
            edited(generator, CAT, "torch.cat([z + self.embedding(labels), self.embedding(labels)], dim=1)"),
            "You add the label's vector to the noise. Then the noise of each class has another mean. It goes in beside it, untouched.",
        ),
        "sum beside the noise": (
            edited(generator, CAT, "torch.cat([z, z + self.embedding(labels)], dim=1)"),
            "You add the noise to the label's vector. The noise has a place of its own; the vector goes in beside it, untouched.",
        ),
        "product beside the noise": (
            edited(generator, CAT, "torch.cat([z, z * self.embedding(labels)], dim=1)"),
            "You multiply the label's vector by the noise. The vector goes in beside the noise, untouched.",
        ),
        "halved": (
            edited(generator, CAT, f"{CAT} / 2"),
            "You halve what goes in. The two are joined, not averaged: leave the numbers as they are.",
        ),
        "doubled": (
            edited(generator, CAT, f"2 * {CAT}"),
            "You double what goes in. The network takes the noise and the label's vector as they are.",
        ),
        "noise multiplied by the label": (
            edited(generator, CAT, "torch.cat([z * self.embedding(labels), self.embedding(labels)], dim=1)"),
            "You multiply the noise by the label's vector. Some programs do; here the vector goes in beside the noise, which stays "
            "as it is.",
        ),
        "label as a number": (
            edited(generator, CAT, "torch.cat([z, labels[:, None].float().expand(-1, z.shape[1])], dim=1)"),
            "You give the network the number of the class. Then 4 lies between 3 and 5, as if classes were sizes. Each class has a "
            "vector of its own: `self.embedding`.",
        ),
        "vector scaled to length 1": (
            edited(generator, CAT, "torch.cat([z, nn.functional.normalize(self.embedding(labels))], dim=1)"),
            "You scale the label's vector to length 1. It is learned, its length too: leave it as it is.",
        ),
        "vector squeezed": (
            edited(generator, CAT, "torch.cat([z, self.embedding(labels).tanh()], dim=1)"),
            "You squeeze the label's vector. It is learned: leave it as it is.",
        ),
        "label of the neighbour": (
            edited(generator, "self.embedding(labels)", "self.embedding(labels.roll(1))"),
            "Each picture is drawn for the label of another one of the batch.",
        ),
        "labels in order": (
            edited(generator, "self.embedding(labels)", "self.embedding(labels.sort().values)"),
            "You sort the labels. They belong to the rows of z, in the order in which they come.",
        ),
        "one label for the batch": (
            edited(generator, "self.embedding(labels)", "self.embedding(labels[:1]).expand_as(z)"),
            "The whole batch is drawn for its first label. Each row has a label of its own.",
        ),
        "place for the label": (
            edited(generator, "self.embedding(labels)",
                   "self.embedding(torch.arange(len(z), device=z.device) % self.embedding.num_embeddings)"),
            "You look up the place in the batch, not the label. It would seem to work wherever the labels come as 0, 1, 2, …",
        ),
        "classes counted from 1": (
            edited(generator, "self.embedding(labels)", "self.embedding((labels + 1) % self.embedding.num_embeddings)"),
            "You shift the labels by one. They start at 0, as the rows of the embedding do.",
        ),
        "same noise for the batch": (
            edited(generator, "[z, self", "[z[:1].expand_as(z), self"),
            "The whole batch is drawn from the first row of z. Each picture has noise of its own.",
        ),
        "vector detached": (
            edited(generator, "self.embedding(labels)", "self.embedding(labels).detach()"),
            "The pictures are right, but you detach the label's vector: it never learns, and stays as random as it began.",
        ),
        "no gradient": (
            edited(generator, f"return {DRAWN}", f"with torch.no_grad():\n            return {DRAWN}"),
            "The pictures are right, but no gradient flows through them, so this generator would never learn.",
        ),
        "limited twice": (
            edited(generator, DRAWN, f"{DRAWN}.tanh()"),
            "You take the tanh of the pictures once more. `image_generator` ends with one, and with two no pixel is white or black.",
        ),
        "from 0 to 1": (
            edited(generator, DRAWN, f"({DRAWN} + 1) / 2"),
            "Your pixels lie in [0, 1]. Images lie in [-1, 1] here, as the network makes them.",
        ),
        "sigmoid": (
            edited(generator, DRAWN, f"{DRAWN}.sigmoid()"),
            "You squeeze the pictures into [0, 1]. The network gives them in [-1, 1], and that is how they are wanted.",
        ),
        "cut at 0": (
            edited(generator, DRAWN, f"{DRAWN}.clamp(0, 1)"),
            "You cut the pixels off at 0, so half of all greys are black. Images lie in [-1, 1] here, as the network makes them.",
        ),
        "noise of length 1": (
            edited(generator, "[z, self", "[nn.functional.normalize(z), self"),
            "You scale each row of the noise to length 1. It goes in as it was drawn.",
        ),
        "flattened": (
            edited(generator, DRAWN, f"{DRAWN}.flatten(1)"),
            "The right pixels, as rows. Images are wanted: (N, channels, size, size), as the network makes them.",
        ),
    },
    accepts=[
        edited(generator, CAT, "torch.hstack((z, self.embedding.weight[labels]))"),
        edited(generator, CAT, "torch.cat([z, nn.functional.one_hot(labels, self.embedding.num_embeddings).to(z) @ "
                               "self.embedding.weight], 1)"),
    ],
    hints=[
        "`self.embedding(labels)` is (N, latent): a row for each label. `self.network` wants rows of 2 · latent numbers.",
        "Beside each other means along dimension 1: `torch.cat([…, …], dim=1)`, the noise first.",
    ],
    points=1,
    minutes=5,
)  # fmt: skip


def one_player_told() -> str:
    """The generator gets noise and a label. The critic is that of lesson 31, and never sees a label. After training, a thousand
    digits are asked for, a hundred of each class. How many, on average over many such trainings, are the digit that was asked for?
    "a": nearly all of them: the generator is told what to draw
    "b": about half
    "c": about a tenth
    "d": none: no digit can be made out at all
    """
    return "c"


exercise(
    target=one_player_told,
    title="Only one player is told",
    mistakes={
        "told is enough": (
            "a",
            "It is told, but what would it lose by drawing something else? Look at its loss: the critic asks only whether a digit is "
            "real, and a perfect 3 is as good as a perfect 7.",
        ),
        "half": (
            "b",
            "Nothing in its loss speaks for the right digit. So on average it is right as often as a guess: one time in ten.",
        ),
        "no digits": (
            "d",
            "The digits can be as good as those of lesson 31, where no label was used either. The label is just more noise. How often "
            "does noise guess one of ten classes?",
        ),
    },
    hints=["Who would punish a generator that is asked for a 7 and draws a perfect 3?"],
    minutes=3,
)


# ---- the critic


def probe_critic(answer, rng):
    n, classes, channels, features = rng.size(4, 6), rng.size(3, 5), rng.size(1, 2), rng.size(9, 11)
    model = unwatched(answer(classes, channels, 8, width=4, features=features))
    labels = kinds(rng, n, classes)
    model(rng.images(n, channels), labels)  # the first call settles the weights
    judged = given(loud(model, 2)(rng.images(n, channels, leaf="x"), labels.flip(0)))
    return {"judged": judged, "gradient of the embedding": learns(judged, model.embedding.weight)}


critic = gan.ProjectionCritic
REAL, SUITS = "self.real(phi).squeeze(1)", "(self.embedding(labels) * phi).sum(1)"
BOTH = f"{REAL} + {SUITS}"
EVERY = "(phi @ self.embedding.weight.T)"  # (N, classes): each image with each class

exercise(
    target=critic,
    title="A critic that is told the class",
    probe=probe_critic,
    blank=("forward",),
    mistakes={
        "label not used": (
            edited(critic, BOTH, REAL),
            "Only the first term is there: how real the image is, whatever its label. Add how well it suits the label.",
        ),
        "unconditional term forgotten": (
            edited(critic, BOTH, SUITS),
            "The term without the label, `self.real`, is missing. How real an image is at all then has to be said ten times, once in "
            "each class's vector.",
        ),
        "unconditional term twice": (
            edited(critic, BOTH, f"2 * {REAL} + {SUITS}"),
            "The term without the label counts twice.",
        ),
        "product of both terms": (
            edited(critic, BOTH, f"{REAL} * {SUITS}"),
            "You multiply the two terms. In the formula they are logarithms of ratios, and the logarithm of a product is a sum: "
            "add them.",
        ),
        "difference of both terms": (
            edited(critic, BOTH, f"{REAL} - {SUITS}"),
            "You subtract the label's term, so an image that suits its label less is judged better. Add it.",
        ),
        "difference, the other way round": (
            edited(critic, BOTH, f"{SUITS} - {REAL}"),
            "You subtract the first term, so an image that looks more real is judged worse. Add it.",
        ),
        "mean of both terms": (
            edited(critic, BOTH, f"({BOTH}) / 2"),
            "You average the two terms. They are added: in the formula they are two logarithms, and their sum is the logarithm of a product.",
        ),
        "mean over the features": (
            edited(critic, ".sum(1)", ".mean(1)"),
            "You average the products over the features, so the label's term is smaller by their number. A scalar product is a sum.",
        ),
        "summed over the batch too": (
            edited(critic, ".sum(1)", ".sum()"),
            "You sum over the batch as well, so each image is judged by the labels of all others too. Sum over dimension 1, the "
            "features.",
        ),
        "mean over the batch": (
            edited(critic, SUITS, f"{SUITS}.mean()"),
            "You average the label's term over the batch, or over a table (N, N) into which a column (N, 1) and a row (N,) were "
            "spread: all images get the same. Each has its own.",
        ),
        "squeeze forgotten": (
            edited(critic, ".squeeze(1)", ""),
            "`self.real(phi)` is a column, (N, 1). Added to (N,) it becomes a table (N, N): every image with the label's term of "
            "every other one, without any error. Make it (N,) first.",
        ),
        "squeeze forgotten, first column": (
            edited(critic, f"return {BOTH}", f"return (self.real(phi) + {SUITS})[:, 0]"),
            "A column (N, 1) and a row (N,) add up to a table (N, N), and you take its first column: every image with the label's term "
            "of the first one. Make `self.real(phi)` (N,) before you add.",
        ),
        "squeeze forgotten, first row": (
            edited(critic, f"return {BOTH}", f"return (self.real(phi) + {SUITS})[0]"),
            "A column (N, 1) and a row (N,) add up to a table (N, N), and you take its first row: every label's term with the first "
            "image's `self.real(phi)`. Make that (N,) before you add.",
        ),
        "label's vector added, not multiplied": (
            edited(critic, f"return {BOTH}", "return (self.real(phi) + self.embedding(labels)).sum(1)"),
            "You add the label's vector to `self.real(phi)`. The label's term has to look at the image: multiply the vector by `phi`, sum "
            "over the features, and add that.",
        ),
        "squeeze forgotten, then summed": (
            edited(critic, f"return {BOTH}", f"return (self.real(phi) + {SUITS}).sum(1)"),
            "A column (N, 1) and a row (N,) add up to a table (N, N), and you sum over it. Make `self.real(phi)` (N,) first.",
        ),
        "unconditional term for each feature": (
            edited(critic, BOTH, "(self.real(phi) + self.embedding(labels) * phi).sum(1)"),
            "You add `self.real(phi)` to each of the products before you sum, so it counts as often as there are features. Add it after "
            "the sum.",
        ),
        "unconditional term averaged": (
            edited(critic, REAL, "self.real(phi).mean()"),
            "You average the first term over the batch: all images get the same. Each is more or less real by itself.",
        ),
        "as a column": (
            edited(critic, f"return {BOTH}", f"return ({BOTH})[:, None]"),
            "The right numbers, as a column (N, 1). (N,) is wanted: wherever a column meets a row (N,), torch "
            "spreads them out to a table (N, N), without any error.",
        ),
        "every image with every label": (
            edited(critic, SUITS, "(self.embedding(labels) @ phi.T).sum(1)"),
            "A matrix product multiplies every label with every image of the batch, and you add them all up. Only the image of the "
            "same row belongs to a label.",
        ),
        "every image with every label, averaged": (
            edited(critic, SUITS, "(self.embedding(labels) @ phi.T).mean(1)"),
            "A matrix product multiplies every label with every image of the batch, and you average over them. Only the image of the "
            "same row belongs to a label.",
        ),
        "every label with each image": (
            edited(critic, SUITS, "(phi @ self.embedding(labels).T).sum(1)"),
            "A matrix product multiplies every image with every label of the batch, and you add up all labels for each image. Only the "
            "label of the same row belongs to an image.",
        ),
        "every label with each image, averaged": (
            edited(critic, SUITS, "(phi @ self.embedding(labels).T).mean(1)"),
            "A matrix product multiplies every image with every label of the batch, and you average over all labels for each image. Only "
            "the label of the same row belongs to an image.",
        ),
        "table of all pairs": (
            edited(critic, BOTH, f"{REAL} + self.embedding(labels) @ phi.T"),
            "Your result is a table (N, N): every label of the batch with every image. Take row by row: multiply, then sum over the "
            "features.",
        ),
        "products not summed": (
            edited(critic, BOTH, "self.real(phi) + self.embedding(labels) * phi"),
            "You have the products, and a sum over the features is missing: one number for each image is wanted.",
        ),
        "label's vector added to the features": (
            edited(critic, BOTH, "self.real(phi + self.embedding(labels)).squeeze(1)"),
            "You add the label's vector to the features. Then the label only adds a number of its own, the same for every image: "
            "whether an image *suits* it is never asked. Multiply.",
        ),
        "label's vector times the features, weighed": (
            edited(critic, BOTH, "self.real(phi * self.embedding(labels)).squeeze(1)"),
            "You put the products through `self.real`. It is for the term without the label; the products are just summed.",
        ),
        "both through self.real": (
            edited(critic, BOTH, "self.real(phi + phi * self.embedding(labels)).squeeze(1)"),
            "You put the products through `self.real` too. It is for the features alone; the products are just summed.",
        ),
        "label of the neighbour": (
            edited(critic, "self.embedding(labels)", "self.embedding(labels.roll(1))"),
            "Each image is judged by the label of another one of the batch.",
        ),
        "labels in order": (
            edited(critic, "self.embedding(labels)", "self.embedding(labels.sort().values)"),
            "You sort the labels. They belong to the images, in the order in which they come.",
        ),
        "one label for the batch": (
            edited(critic, "self.embedding(labels)", "self.embedding(labels[:1])"),
            "The whole batch is judged by its first label. Each image has a label of its own.",
        ),
        "place for the label": (
            edited(critic, "self.embedding(labels)",
                   "self.embedding(torch.arange(len(x), device=x.device) % self.embedding.num_embeddings)"),
            "You look up the place in the batch, not the label.",
        ),
        "classes counted from 1": (
            edited(critic, "self.embedding(labels)", "self.embedding((labels + 1) % self.embedding.num_embeddings)"),
            "You shift the labels by one. They start at 0, as the rows of the embedding do.",
        ),
        "best class for the label": (
            edited(critic, "self.embedding(labels)", f"self.embedding({EVERY}.argmax(1))"),
            "You look up the class that suits the image best, not its label. Then every image suits.",
        ),
        "all classes": (
            edited(critic, SUITS, f"{EVERY}.sum(1)"),
            "You add up the terms of all classes, whatever the label is. Only the row of the image's own label counts.",
        ),
        "classifier": (
            edited(critic, SUITS, f"{EVERY}.log_softmax(1)[torch.arange(len(x)), labels]"),
            "You take the log-probability of the label under a softmax, as a classifier does. That is never above 0; the term wanted "
            "is the plain scalar product.",
        ),
        "probability of the class": (
            edited(critic, SUITS, f"{EVERY}.softmax(1)[torch.arange(len(x)), labels]"),
            "You take the probability of the label under a softmax, as a classifier does. That lies between 0 and 1; the term wanted is "
            "the plain scalar product.",
        ),
        "cosine": (
            edited(critic, SUITS, "nn.functional.cosine_similarity(self.embedding(labels), phi)"),
            "You divide by both lengths. The lengths say how sure the critic is; the scalar product keeps them.",
        ),
        "scaled by the root of the features": (
            edited(critic, ".sum(1)", ".sum(1) / phi.shape[1] ** 0.5"),
            "You divide by the root of the number of features, as attention does. Here it is the plain scalar product.",
        ),
        "features of length 1": (
            edited(critic, "self.network(x)", "nn.functional.normalize(self.network(x))"),
            "You scale the features to length 1. Both terms take them as the network gives them.",
        ),
        "distance": (
            edited(critic, SUITS, "(self.embedding(labels) - phi).square().sum(1).neg()"),
            "You take the squared distance of the label's vector and the features. Multiply them and sum: it has to be linear in the "
            "features.",
        ),
        "sum of the label's vector": (
            edited(critic, SUITS, "self.embedding(labels).sum(1)"),
            "Your second term does not look at the image: it is one number for each label. Multiply by the features first.",
        ),
        "probability": (
            edited(critic, f"return {BOTH}", f"return ({BOTH}).sigmoid()"),
            "You make a probability of it. A critic gives a plain number of any size: the sigmoid flattens its slope, and the Wasserstein "
            "loss needs the slope.",
        ),
        "squeezed": (
            edited(critic, f"return {BOTH}", f"return ({BOTH}).tanh()"),
            "You squeeze the result into [-1, 1]. A critic gives a plain number of any size: the tanh flattens its slope, and the "
            "Wasserstein loss needs the slope.",
        ),
        "log-probability": (
            edited(critic, f"return {BOTH}", f"return nn.functional.logsigmoid({BOTH})"),
            "You take the logarithm of a probability. The plain number is wanted: any sigmoid or logarithm belongs to the loss.",
        ),
        "averaged over the batch": (
            edited(critic, f"return {BOTH}", f"return ({BOTH}).mean()"),
            "You average over the batch. The losses do that; a number for each image is wanted, (N,).",
        ),
        "features cut at 0": (
            edited(critic, SUITS, "(self.embedding(labels) * phi.relu()).sum(1)"),
            "You cut the features off at 0. Both terms take the features as the network gives them.",
        ),
        "features before their last layer": (
            edited(critic, "phi = self.network(x)", "phi = self.network[0](x)"),
            "You leave out the SiLU at the end of `self.network`. Call all of it.",
        ),
        "features detached for the label": (
            edited(critic, SUITS, "(self.embedding(labels) * phi.detach()).sum(1)"),
            "The numbers are right, but you detach the features in the label's term. The generator is then never told that its image "
            "does not suit the label.",
        ),
        "vector detached": (
            edited(critic, "self.embedding(labels)", "self.embedding(labels).detach()"),
            "The numbers are right, but you detach the label's vector: it never learns what its class looks like.",
        ),
        "features detached": (
            edited(critic, "self.network(x)", "self.network(x).detach()"),
            "The numbers are right, but you detach the features: the network never learns, and no gradient reaches the generator.",
        ),
    },
    accepts=[
        edited(critic, BOTH, "self.real(phi)[:, 0] + torch.einsum('nf,nf->n', phi, self.embedding(labels))"),
        edited(critic, BOTH, f"self.real(phi).flatten() + {EVERY}.gather(1, labels[:, None]).squeeze(1)"),
        edited(critic, BOTH, "torch.linalg.vecdot(self.real.weight + self.embedding(labels), phi) + self.real.bias"),
    ],
    hints=[
        "First the features, `phi = self.network(x)`: (N, features). Both terms are made of them.",
        "How well the image suits its label: the scalar product of `self.embedding(labels)` and `phi`, row by row, (N,).",
        "How real it is: `self.real(phi)`, which is (N, 1). Before you add, look at the shapes of both.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


# ---- a turn of the critic


def probe_turn(answer, rng):
    n, classes, latent = rng.size(4, 6), rng.size(3, 4), rng.size(2, 4)
    draw, judge = rng.normal(36), rng.normal(36, leaf="critic")
    offset = rng.normal(36, leaf="generator")

    def number(rows):  # one for each row, of images and of labels, so that exchanged arguments run as well
        rows = rows.float().reshape(len(rows), -1)
        return rows @ torch.linspace(1, 2, rows.shape[1], device=rows.device)[:, None] / rows.shape[1]

    def generator(z, labels):
        return (3 * number(z) * draw + number(labels) + offset).tanh().view(-1, 1, 6, 6)

    def critic(x, labels):
        x = x.float().reshape(len(x), -1)
        return (x * (judge * (number(labels) + 1)).expand(len(x), -1)[:, : x.shape[1]]).sum(1)

    labels = kinds(rng, n, classes)
    real, fake = answer(
        generator, critic, rng.images(n, 1, 6), labels, rng.normal(n, latent), (labels.flip(0) + 1) % classes
    )
    return {"real": real, "fake": fake}


turn = gan.class_turn
JUDGED = "return critic(x, labels), critic(fake, asked)"
REALS, FAKES = "critic(x, labels)", "critic(fake, asked)"

exercise(
    target=turn,
    title="Repair: fakes under other names",
    probe=probe_turn,
    repair="fakes judged by the labels of the real ones",
    mistakes={
        "fakes judged by the labels of the real ones": (
            edited(turn, FAKES, "critic(fake, labels)"),
            "The fakes are drawn for the classes `asked`, and judged as `labels`. So the critic compares real images with fakes of any "
            "class, and rewards the image that speaks most clearly for its label, as far from the other nine as it can get: always right, always "
            "nearly the same.",
        ),
        "real ones judged by the classes of the fakes": (
            edited(turn, REALS, "critic(x, asked)"),
            "The real images are judged as `asked`. That is what the fakes are to show; the real ones have `labels`.",
        ),
        "labels exchanged": (
            edited(turn, JUDGED, "return critic(x, asked), critic(fake, labels)"),
            "Real images and fakes have exchanged their labels, so neither suits its own.",
        ),
        "everything judged as asked": (
            edited(turn, "generator(z, asked)", "generator(z, labels)", REALS, "critic(x, asked)"),
            "Everything is judged as `asked`, but the images are of the classes `labels`. Each crowd keeps its own labels.",
        ),
        "drawn for the labels of the real ones": (
            edited(turn, "generator(z, asked)", "generator(z, labels)"),
            "The generator draws the classes `labels`, and the critic is told `asked`: again two different labels for one image.",
        ),
        "one label for both": (
            edited(turn, "generator(z, asked)", "generator(z, labels)", FAKES, "critic(fake, labels)"),
            "Each fake has one label now, but it is that of a real image. The fakes are to show the classes `asked`.",
        ),
        "asked shuffled": (
            edited(turn, FAKES, "critic(fake, asked.roll(1))"),
            "The labels of the fakes are out of step with them: each one is judged by its neighbour's.",
        ),
        "asked turned round": (
            edited(turn, FAKES, "critic(fake, asked.flip(0))"),
            "The labels of the fakes come in the opposite order. Each fake keeps the label that it was drawn for.",
        ),
        "both out of step": (
            edited(turn, "generator(z, asked)", "generator(z, asked.roll(1))", FAKES, "critic(fake, asked.roll(1))"),
            "Each fake is judged by the label that it was drawn for, but row i of z is to show `asked[i]`.",
        ),
        "no detach": (
            edited(turn, "with torch.no_grad():\n        fake = generator(z, asked)", "fake = generator(z, asked)"),
            "The numbers are right, but the critic's loss now reaches the generator. At its own turn the critic moves itself alone: "
            "lesson 30.",
        ),
        "critic without gradient": (
            edited(turn, f"    {JUDGED}", f"        {JUDGED}"),
            "The numbers are right, but what the critic gives has no gradient, so it cannot learn. Only the drawing of the fakes "
            "needs none.",
        ),
        "fakes without gradient": (
            edited(turn, FAKES, f"{FAKES}.detach()"),
            "The numbers are right, but you detach what the critic says of the fakes: it never learns to refuse them. Detach the "
            "fakes themselves.",
        ),
        "real ones without gradient": (
            edited(turn, REALS, f"{REALS}.detach()"),
            "The numbers are right, but you detach what the critic says of the real images: it never learns to like them.",
        ),
        "one label for both, no detach": (
            edited(turn, "with torch.no_grad():\n        fake = generator(z, asked)", "fake = generator(z, labels)", FAKES,
                   "critic(fake, labels)"),
            "Each fake has one label now, but it is that of a real image: the fakes are to show the classes `asked`. And no gradient "
            "should reach the generator.",
        ),
        "fakes first": (
            edited(turn, JUDGED, f"return {FAKES}, {REALS}"),
            "The two results have changed places: the real images come first.",
        ),
        "real twice": (
            edited(turn, FAKES, REALS),
            "Both results are those of the real images.",
        ),
        "real images under the asked labels": (
            edited(turn, FAKES, "critic(x, asked)"),
            "Your second result judges the real images as `asked`. The fakes are what should be judged there.",
        ),
        "probabilities": (
            edited(turn, JUDGED, f"return {REALS}.sigmoid(), {FAKES}.sigmoid()"),
            "You make probabilities of them. The loss takes what the critic gives, as it is.",
        ),
        "everything exchanged": (
            edited(turn, JUDGED, "return critic(fake, labels), critic(x, asked)"),
            "Images and labels have both changed places: the fakes come first, and neither crowd is judged by its own labels.",
        ),
        "fakes twice": (
            edited(turn, JUDGED, "return critic(fake, labels), critic(fake, asked)"),
            "Both results are those of the fakes. The real images `x`, of the classes `labels`, come first.",
        ),
        "squeezed": (
            edited(turn, JUDGED, f"return {REALS}.tanh(), {FAKES}.tanh()"),
            "You squeeze the results into [-1, 1]. The loss takes what the critic gives, as it is.",
        ),
        "averaged": (
            edited(turn, JUDGED, f"return {REALS}.mean(), {FAKES}.mean()"),
            "You average over the batch. That is the loss's work: a number for each image is wanted, (N,).",
        ),
        "arguments exchanged": (
            edited(turn, JUDGED, "return critic(labels, x), critic(asked, fake)"),
            "The critic takes the images first, and then the labels.",
        ),
        "one label for the whole batch": (
            edited(turn, "generator(z, asked)", "generator(z, asked[:1].expand_as(asked))", FAKES,
                   "critic(fake, asked[:1].expand_as(asked))"),
            "All fakes are of the first class that was asked for. Each has its own.",
        ),
    },
    accepts=[
        edited(turn, "with torch.no_grad():\n        fake = generator(z, asked)", "fake = generator(z, asked).detach()"),
        edited(turn, JUDGED, "return tuple(critic(torch.cat([x, fake]), torch.cat([labels, asked])).chunk(2))"),
    ],
    hints=[
        "Follow one fake through the program: for which class is it drawn, and as which class is it judged?",
        "There are two lists of labels, and two crowds of images. Write down which list belongs to which crowd, and look at every "
        "place where a label goes in.",
    ],
    points=1,
    minutes=6,
)  # fmt: skip


# ---- what they are taken for


def probe_confusion(answer, rng):
    n, classes = rng.size(20, 30), rng.size(4, 6)
    asked = rng.integers(n, high=classes - 1)  # nobody asks for the last class
    asked = torch.cat([asked, torch.zeros(5, dtype=torch.int64, device=rng.device)])
    found = torch.where(rng.uniform(n + 5) < 0.4, asked, rng.integers(n + 5, high=classes))
    return {
        "table": numbers(answer(asked, found, classes)),
        "one picture": numbers(answer(asked[:1], found[:1], classes + 1)),
    }


def numbers(table):
    """The table itself, if it holds numbers: nan alone would not say where it comes from."""
    if isinstance(table, torch.Tensor) and not table.is_meta and table.isnan().any():
        raise ValueError("a class that nobody asked for has the sum 0, and 0 / 0 is nan; its row should be 0")
    return table


confusion = metrics.confusion
COUNTS = "counts.index_put_((asked, found), counts.new_ones(len(asked)), accumulate=True)"
SHARES = "counts / counts.sum(1, keepdim=True).clamp(min=1)"

exercise(
    target=confusion,
    title="What is taken for what?",
    probe=probe_confusion,
    mistakes={
        "rows and columns exchanged": (
            edited(confusion, "(asked, found)", "(found, asked)"),
            "Your rows are what the pictures were taken for. Row i belongs to those that were *asked for* as i.",
        ),
        "columns sum to 1": (
            edited(confusion, "counts.sum(1, keepdim=True)", "counts.sum(0, keepdim=True)"),
            "Your columns sum to 1: of the pictures that look like j, how many were asked for as i. The rows are to sum to 1, so "
            "that the diagonal is the accuracy of each class.",
        ),
        "divided along the wrong axis": (
            edited(confusion, "counts.sum(1, keepdim=True)", "counts.sum(1)"),
            "The sums of the rows are right, but as (classes,) they are spread along the columns: row i is divided by the sums of all "
            "rows in turn. Keep the dimension.",
        ),
        "columns summed, rows divided": (
            edited(confusion, "counts.sum(1, keepdim=True)", "counts.sum(0)[:, None]"),
            "You divide row i by how often i was *found*. It should be divided by how often i was asked for.",
        ),
        "table turned over": (
            edited(confusion, f"return {SHARES}", f"return ({SHARES}).T"),
            "The right shares, but your columns belong to what was asked for. Row i belongs to those that were asked for as i.",
        ),
        "share of all pictures": (
            edited(confusion, SHARES, "counts / len(asked)"),
            "You divide by the number of all pictures, so the whole table sums to 1. Each row should.",
        ),
        "counted, not shared": (
            edited(confusion, f"return {SHARES}", "return counts"),
            "These are the counts. Divide each row by how many pictures were asked for as that class.",
        ),
        "each pair once": (
            edited(confusion, ", accumulate=True", ""),
            "Each pair is counted once, however often it comes: `counts[asked, found] += 1` reads, adds and writes, and the last write "
            "wins. `index_put_` with `accumulate=True`, or `bincount`, adds them up.",
        ),
        "nobody asked, a small number added": (
            edited(confusion, ".clamp(min=1)", ".add(0.01)"),
            "You add a small number to the sums, so your rows do not sum to 1. Only a row without pictures needs help.",
        ),
        "nobody asked, filled with 1": (
            edited(confusion, f"return {SHARES}", "return (counts / counts.sum(1, keepdim=True)).nan_to_num(1)"),
            "You fill the row of a class that nobody asked for with 1. Nothing was found there: it should be 0.",
        ),
        "nobody asked, all alike": (
            edited(confusion, f"return {SHARES}", f"shares = {SHARES}\n    shares[counts.sum(1) == 0] = 1 / classes\n    return shares"),
            "You fill the row of a class that nobody asked for with equal shares. Nothing was found there: it should be 0.",
        ),
        "sums one larger": (
            edited(confusion, ".clamp(min=1)", ".add(1)"),
            "You add 1 to each sum, so your rows do not sum to 1. Only a row without pictures needs help.",
        ),
        "one added to every count": (
            edited(confusion, SHARES, "(counts + 1) / (counts + 1).sum(1, keepdim=True)"),
            "You add 1 to each count, as if every mistake had happened once. The plain shares are wanted.",
        ),
        "only the mistakes": (
            edited(confusion, f"return {SHARES}", f"return ({SHARES}).fill_diagonal_(0)"),
            "Your diagonal is 0. What was taken for what it is belongs in the table too.",
        ),
        "only the diagonal": (
            edited(confusion, f"return {SHARES}", f"return ({SHARES}).diag().diag()"),
            "Only the diagonal is left. The table also says what a class is mistaken *for*.",
        ),
        "accuracy of each class": (
            edited(confusion, f"return {SHARES}", f"return ({SHARES}).diag()"),
            "This is the diagonal, the accuracy of each class. The whole table is wanted, (classes, classes).",
        ),
        "softmax of the counts": (
            edited(confusion, f"return {SHARES}", "return counts.softmax(1)"),
            "A softmax makes rows that sum to 1, but not of counts: it takes their exponentials. Divide by the sum.",
        ),
        "root of the squares": (
            edited(confusion, SHARES, "torch.nn.functional.normalize(counts)"),
            "`normalize` divides by the root of the sum of squares. Shares are divided by the plain sum.",
        ),
        "same for both": (
            edited(confusion, f"return {SHARES}",
                   "both = counts + counts.T\n    return both / both.sum(1, keepdim=True).clamp(min=1)"),
            "You count each pair in both directions. A 9 that is taken for a 4 is not a 4 that is taken for a 9.",
        ),
        "divided by the largest": (
            edited(confusion, "counts.sum(1, keepdim=True)", "counts.amax(1, keepdim=True)"),
            "You divide each row by its largest count. Shares are divided by the sum.",
        ),
        "one class fewer": (
            edited(confusion, f"return {SHARES}", f"return ({SHARES})[:-1, :-1]"),
            "Your table lacks the last class. Labels go from 0 to classes − 1, which are `classes` of them.",
        ),
        "in whole numbers": (
            edited(confusion, f"return {SHARES}", f"return ({SHARES}).floor()"),
            "Your shares are whole numbers: `//` rounds down. Divide with `/`.",
        ),
    },
    accepts=[
        lambda asked, found, classes: (
            (t := torch.bincount(classes * asked + found, minlength=classes**2).view(classes, classes).double())
            / t.sum(1, keepdim=True).clamp(min=1)
        ),
        lambda asked, found, classes: (
            (t := F.one_hot(asked, classes).double().T @ F.one_hot(found, classes).double()) / t.sum(1)[:, None]
        ).nan_to_num(0),
        lambda asked, found, classes: torch.stack(
            [
                torch.stack([((asked == i) & (found == j)).sum().double() for j in range(classes)])
                / max(1, int((asked == i).sum()))
                for i in range(classes)
            ]
        ),
    ],
    equivalents={
        "counts = torch.zeros(classes, classes, dtype=torch.float64)": "nothing changes on a CPU, where checks run",
    },
    hints=[
        "First a table of counts, zeros (classes, classes) in float64: at row `asked`, column `found`, one more for each picture.",
        "`counts[asked, found] += 1` loses repeated pairs. `index_put_(…, accumulate=True)` or `torch.bincount(classes * asked + "
        "found, minlength=classes**2)` does not.",
        "Then divide each row by its own sum. Keep the dimension, and mind a row in which nothing was counted.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


# ---- a guess


def one_picture_each() -> str:
    """A generator has one perfect picture for each class, and draws it a hundred times, whatever the noise is. Which of these
    numbers tell that something is wrong?
    "a": the class accuracy
    "b": the smallest number on the diagonal of the confusion matrix
    "c": the precision
    "d": the recall, and none of the other three
    """
    return "d"


exercise(
    target=one_picture_each,
    title="The perfect pupil",
    mistakes={
        "accuracy": (
            "a",
            "All thousand pictures show what was asked for, so the accuracy is 1. It asks about each picture alone.",
        ),
        "worst class": (
            "b",
            "All hundred pictures of each class show that class, so the whole diagonal is 1. It asks about each picture alone.",
        ),
        "precision": (
            "c",
            "Precision asks whether each fake looks real. All of them do.",
        ),
    },
    hints=[
        "Which of these numbers looks at the real digits that the model does *not* draw?",
        "See the cheat of lesson 21.",
    ],
    minutes=3,
)
