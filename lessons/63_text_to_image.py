# %% [markdown]
# # 63 · Pictures from words
#
# **How does a network draw what a sentence says?** In lesson 55 a model was told one of ten labels: one number, one row of an embedding. A sentence is another thing. It has many words. It may leave something open. It can ask for what nobody
# has ever seen together, and we still expect a picture.
#
# Below are six sentences, and what the model of this lesson draws for each. It has never seen the last two: no blue circle and no green ring was in its training, though it saw circles in five other colours, and many blue things.
#
# Where a sentence leaves something open, as the colour of the ring, the model chooses, and sometimes it chooses two. In this lesson you write all that stands between the sentence and the picture: a tokenizer, attention with several heads, pixels that look at words, the dropping of captions, and guidance. Then a judge reads a thousand pictures back, and we count how often *every* word was obeyed.
#
# About 90 minutes · 8 exercises · needs: lesson 51 (the U-Net and its attention), lesson 55 (guidance), lesson 61 (diffusion on codes).

# %%
import copy
import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from minigen import show, text
from minigen.core import budget
from minigen.course import check, hint, measured, progress, solution
from minigen.data.named import supply
from minigen.data.rows import nearest
from minigen.data.shapes import (
    COLOURS,
    SHAPES,
    VOCABULARY,
    WORDS,
    Factors,
    captions,
    draw,
    held_out,
    indices,
    mask,
    random_factors,
    scene,
    some_named,
)
from minigen.ddpm import ConditionalDDPM
from minigen.diffusion import Predict, Schedule, cosine_betas, q_sample
from minigen.features import ShapeFeatures
from minigen.guidance import classifier_free
from minigen.latent import Latent, to_codes
from minigen.metrics import confusion, fid, precision_recall
from minigen.recipes import RECIPES, trained
from minigen.text import LENGTH, PAD, START, TextEncoder, empty
from minigen.unet import silent

# %%
model = trained(
    "text_to_image"
)  # a codec of lesson 60, and a diffusion model of its codes; comes with the course
W, STEPS, MANY = 3.0, budget(2, 20, 20), budget(2, 4, 4)


@torch.no_grad()
def drawn(prompts: Sequence[str], w: float = W, seed: int = 0) -> Tensor:
    """A picture (N, 3, 32, 32) for each prompt, a hundred at a time; the seed decides on all noise."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        parts = text.tokenize(prompts).split(100)
        return torch.cat([model.sample(len(tokens), tokens, w=w, steps=STEPS) for tokens in parts])


def several(prompts: Sequence[str], n: int = MANY, w: float = W, seed: int = 0) -> dict[str, Tensor]:
    """n pictures of each prompt, by prompt."""
    found = drawn([prompt for prompt in prompts for _ in range(n)], w, seed)
    return dict(zip(prompts, found.split(n), strict=True))


opening = (
    "a big red circle on a dark background",
    "a small yellow cross at the top left",
    "a cyan square on a light background",
    "a big ring",
    "a blue circle on a dark background",
    "a big green ring on a grey background",
)
show.rows(several(opening), title=f"A sentence, and {MANY} pictures of it; w = {W:g}")

# %% [markdown]
# ## 1 · Sentences
#
# The pictures are those of `minigen.data.shapes`: one shape in one colour, small, medium or big, on one of three backgrounds, at one of nine positions. We drew them ourselves, so for each one we know what it shows, and can say it in words.
#
# A caption need not say everything. For each picture and each of the five factors we toss a coin that says "name it" four times out of five. So in training the model hears "a red circle" for pictures of any size, and learns that a caption that is silent about something leaves it open. (It also hears "a big red shape".)

# %%
some = random_factors(10, seed=7)
named = some_named(10, torch.Generator().manual_seed(1))
show.grid(
    draw(some), columns=5, labels=captions(some, named=named), title="Pictures, and what is said about them"
)

# %% [markdown]
# And we keep something back. Each shape has *one* colour that it never has in training:

# %%
never = [f"a {list(COLOURS)[(i + 2) % len(COLOURS)]} {shape}" for i, shape in enumerate(SHAPES)]
print(", ".join(never))
assert all(bool(held_out(scene(words.split()[2], words.split()[1]))) for words in never)

# %% [markdown]
# Nothing in these six is new. Every shape and every colour is seen in training, only not together. So they ask an honest question: has the model learned *words*, or has it learned sentences by heart? Now count.

# %% exercise
from minigen.exercises.lesson_63_text_to_image import never_seen

# %%
never_seen = check("never_seen", never_seen)

# %%
every = random_factors(budget(1000, 50_000, 50_000), seed=5)
shown = torch.unique(indices(every[~held_out(every)]), dim=0)
print(
    f"combinations that are seen: {len(shown):,}; share of all scenes that is held out: {held_out(every).double().mean():.3f}"
)

# %% [markdown]
# ### Words to numbers
#
# A network reads numbers. Our captions are made of 29 words, so the simplest thing will do: each word is a whole number, its **token**. Two tokens are no words. `START` stands first in every caption, even in an empty one, so that there is always something to look at. `PAD` fills up
# the end, since the rows of a tensor must be equally long.
#
# (Large models have tens of thousands of tokens, most of them *pieces* of words, so that no word is ever unknown. The idea is the same.)
#
# **Your turn.** Captions go in, and the list of words. Out come rows of tokens. A word that is not in the list is an error, and a good error says what may have been meant: a person reads it. The helper `nearest(name, names)` writes the end of such a sentence.

# %% exercise
from minigen.text import tokenize

# %%
tokenize = check("tokenize", tokenize)

# %%
for caption in ("a big red circle", "", "A circle, red."):
    print(f"{caption!r:20}", tokenize([caption])[0].tolist())
for caption in ("a big orange circle", "a big red circel", "a " * 16):
    try:
        tokenize([caption])
    except ValueError as error:
        print(f"{caption[:20]!r:24} → {str(error)[:88]} …")

# %% [markdown]
# ## 2 · Words that know their neighbours
#
# A token becomes a row of an embedding: 64 numbers. To these is added a row for its *place* in the caption, or "a circle red" and "a red circle" would be one and the same crowd of words.
#
# But alone, a row knows nothing of its caption. `right` in "at the top right" belongs to `top`, and `light` tells something about the background, not about the shape. So the words look at each other, as pixels did in lesson 51. Each word makes a **query** (what it looks for), a **key** (what it has to
# offer) and a **value** (what it hands over), and gets a mean of the values, weighted by how well keys match its query (Vaswani and others, 2017):
#
# $$ \text{attention}(Q, K, V) = \text{softmax}\Big( \frac{Q K^\top}{\sqrt{D}} \Big) V . $$
#
# There is one thing that the formula does not say, since it is about *one* sentence. Ours come in batches, and are filled up with `PAD`. Nobody should look at that. So `attend` has a fourth argument: `keep` is False for rows that are not to be looked at.
#
# **Your turn, a repair.** A colleague took the mask from another program, where True means "leave this out". Everything runs, the model even trains.

# %% exercise
from minigen.layers import attend

# %%
attend = check("attend", attend)

# %% [markdown]
# How bad was it? When training begins, queries and keys know nothing of each other, and all scores are small. If they were 0, every row that may be looked at would have the same weight. In a caption of three words, START and the words are 4 rows, and `PAD` is 12. As values take 1 for `PAD`, and 0 for all else: then the mean is the share of `PAD`.

# %%
alike, is_pad = torch.zeros(1, LENGTH, 8), (torch.arange(LENGTH) >= 4).float().view(1, LENGTH, 1)
masks = {
    "keep": is_pad[..., 0] == 0,
    "inverted": is_pad[..., 0] == 1,
    "all looked at": torch.ones(1, LENGTH) > 0,
}
for name, keep in masks.items():
    share = attend(alike[:, :1], alike, is_pad, keep)
    print(f"{name:14} share of the attention that goes to PAD: {share.item():.2f}")

# %% [markdown]
# With the mask inverted, each word hears the noise of empty places, and nothing else. Without any mask that is three quarters of what it hears, and *more* in a short caption than in a long one. (The same comes of giving those rows the score 0, "so that they do not count": $e^0$ is 1.) No error tells you. They are among the commonest bugs in code with attention.
#
# ### Several heads
#
# One attention gives each word one mean. But `circle` may want to know its colour *and* its size, from two different words. So the 64 numbers are cut into four stretches of 16. Each stretch has an attention of its own, a **head**, and may look elsewhere. What they find is put side by side again, and a last linear layer mixes it.
#
# **Your turn.** Linear layers for query, key, value and the mix are there. Write `split`, which makes heads of the numbers, and `forward`. One call of your `attend` is enough for all heads of all captions, if the heads go where the batch is: `(N heads, K, D)`. The two arguments `x` (who asks) and `context` (who is looked at) are the same when words look at words. In a moment they will not be.

# %% exercise
from minigen.layers import MultiHeadAttention

# %%
MultiHeadAttention = check("MultiHeadAttention", MultiHeadAttention)

# %% [markdown]
# The rest of the encoder you know: a norm, attention, a way around it; a norm, a small network for each word by itself, a way around it. Twice. That is a **transformer**, here with two layers. It is in `minigen.text.TextEncoder`:

# %%
encoder: TextEncoder = model.prior.network.text


def numbers(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


print(
    f"text encoder: {numbers(encoder):,} numbers; U-Net with it: {numbers(model.prior.network):,}; codec: {numbers(model.codec):,}"
)
print(
    f"embedding: {encoder.word.num_embeddings} tokens × {encoder.word.embedding_dim} numbers; places: {encoder.place.num_embeddings}"
)

# %% exercise
from minigen.exercises.lesson_63_text_to_image import one_more_word

# %%
one_more_word = check("one_more_word", one_more_word)

# %% [markdown]
# This is worth remembering. Lesson 71 will teach a trained model a new word in just this way: everything stays as it is, and one row is learned.
#
# First a test of the whole encoder: if the caption is filled up with more `PAD`, no word may change.


# %%
@torch.no_grad()
def vectors(prompts: Sequence[str], length: int = LENGTH) -> Tensor:
    """What the encoder makes of captions: (N, length, 64), START first."""
    return encoder(tokenize(prompts, length=length))[0]


short, long = (vectors(["a red circle on a dark background"], length)[:, :8] for length in (9, LENGTH))
measured("largest change of a word by seven PAD more", (short - long).abs().max(), at_most=1e-4)

# %% [markdown]
# And do the words know their neighbours? Take full captions, exchange *one* word, and see how far the vectors of the others turn. The number is 1 minus the cosine of the angle: 0 is not at all, 1 is a right angle, more is further. (The position is left out of the rows, as it has one word or two, and the words after it would change places.)

# %%
PLACES = {
    "size": 2,
    "colour": 3,
    "shape": 4,
    "background": -2,
}  # of a word among the tokens of a full caption


def with_other(factors: Factors, name: str) -> Factors:
    """The same scenes, but for one factor, which is the next of its names."""
    parts = {factor: getattr(factors, factor) for factor in VOCABULARY}
    parts[name] = (parts[name] + 1) % len(VOCABULARY[name])
    return Factors(**parts, offset=factors.offset, scale=factors.scale)


def word_of(prompts: list[str], place: int) -> Tensor:
    """The vectors of the words at a place, which is counted from the end if it is negative: (N, 64)."""
    rows, lengths = torch.arange(len(prompts)), torch.tensor([1 + len(prompt.split()) for prompt in prompts])
    return vectors(prompts)[rows, lengths + place if place < 0 else torch.full_like(lengths, place)]


scenes_read, turns = random_factors(budget(10, 300, 300), seed=644), []
print("exchanged:  how far the word of … turns")
print(" " * 12 + "".join(f"{name:>12}" for name in PLACES))
for changed in PLACES:
    before, after = (captions(f, position=True) for f in (scenes_read, with_other(scenes_read, changed)))
    row = {
        name: float(1 - torch.cosine_similarity(word_of(before, place), word_of(after, place)).mean())
        for name, place in PLACES.items()
    }
    turns += [turn for name, turn in row.items() if name != changed]
    print(f"{changed:12}" + "".join(f"{turn:12.3f}" for turn in row.values()))
measured("how far a word turns when another is exchanged: median", torch.tensor(turns).median(), at_most=0.2)

# %% [markdown]
# On the diagonal stands the word itself, which is another one then. Beside it, most numbers are small. These words *could* listen to each other, and hardly do! (The words of a position are not in the table; they may.) There is little to be learned from it in so simple a grammar: `red` means the same beside any shape. In "a red circle and a blue square" it would not. In section 8 we come back to this table.
#
# %% [markdown]
# ## 3 · Pixels that look at words
#
# Now the bridge. The label of lesson 55 was added to the embedding of the time: the same numbers for every pixel. A sentence could be squeezed into one vector as well. But then a pixel at the border would be told of the circle as loudly as the pixel in its middle.
#
# **Cross-attention** (Rombach and others, 2022) lets each pixel ask for itself: *queries are made of pixels, keys and values of words.*
#
# $$ Q = \text{pixels} \cdot W_Q , \qquad K = \text{words} \cdot W_K , \qquad V = \text{words} \cdot W_V . $$
#
# It stands in each block of the U-Net, after the convolutions: six times here. As all that is added to a network that works, it starts as if it were not there: its last layer begins at 0.
#
# **Your turn.** A picture goes in, the words, and which of them are some. A picture of the same size comes out: what was there, and at each pixel what the words say to it.

# %% exercise
from minigen.unet import CrossAttention

# %%
CrossAttention = check("CrossAttention", CrossAttention)

# %% [markdown]
# Here is a question that the formula answers: what does it cost? Pixels that look at pixels need a table of pixels × pixels; pixels that look at words, only pixels × words. That is why cross-attention may stand at the full size, also in large pictures, where attention among pixels would be too dear.
#
# ## 4 · Say nothing, now and then
#
# Guidance wants two predictions, with the caption and without. As in lesson 55 one network gives both, if in training some of the captions are emptied. Emptied as a *whole*, each by itself: START alone is left. (Single words are left out as well, by `some_named`. But that says "whatever size you like"; an
# empty caption says "whatever you like".)
#
# **Your turn.** Tokens go in, a draw for each caption, and the chance.

# %% exercise
from minigen.text import drop_captions

# %%
drop_captions = check("drop_captions", drop_captions)

# %% [markdown]
# All parts are there; here is the model. It is the one of lesson 55, with captions for labels.
#
# **Your turn, a repair.** The loss below is right, and the training ran well: the loss fell as it should. But whoever asks it for a red circle, with $w = 3$, gets anything but a red circle.

# %% exercise
from minigen.text import TextDDPM

# %%
TextDDPM = check("TextDDPM", TextDDPM)

# %%
prior = model.prior
model = Latent(
    model.codec, TextDDPM(prior.network, prior.schedule, prior.shape, prior.target, prior.dropped)
).eval()
asked = "a big red circle on a dark background"
show.rows(
    {f"w = {w:g}": several([asked], w=w)[asked] for w in budget((3.0, -2.0), *2 * [(3.0, 1.0, -2.0)])},
    title=f"{asked!r}; the same noise in each column",
)

# %% [markdown]
# With the two ends exchanged, $w = 3$ was in truth $w = -2$: the last row. It walks away from what was asked for. Look at what it draws: light or grey where dark was asked for, and cyan, which is all that red is not. This is of some use, too: it is how a *negative prompt* works.
#
# ### Training
#
# The model that comes with the course was trained by the same loop as every other one, `minigen train text_to_image`, on scenes without the held-out pairs. Its codec had the eyes of lesson 60. The text encoder has no loss of its own: what a word means is learned only because it helps to predict noise.
#
# One thing is new: the chain. Which time is worth a step of training? In weak noise everyone sees what the picture shows, in the strongest nobody does. What kind of shape it is gets decided in between, and this is what a text model must learn. So this chain (`middle_betas`) hurries through both ends, and spends most of its steps in the middle. (Esser and others, 2024, do the same by drawing the times of training unevenly.)

# %%
show.curves(
    {
        name: dict(enumerate(chain.alpha_bar.tolist()))
        for name, chain in {
            "cosine, lesson 50": Schedule(cosine_betas()),
            "this one": model.prior.schedule,
        }.items()
    },
    xlabel="t",
    ylabel="ᾱ: share of the variance that is signal",
    title="Two chains of a thousand steps",
)

# %% [markdown]
# Here are a few more steps of training, with your own code, and a low learning rate. What is there to see?

# %%
longer, recipe = copy.deepcopy(model).requires_grad_(True), RECIPES["text_to_image"]
longer.codec.requires_grad_(False)
losses = [
    step_losses["loss"]
    for _, step_losses, _ in recipe.train(
        longer, supply("scenes"), budget(2, 60, 2000), {"lr": 1e-4, "seed": 1}
    )
]
block = max(1, len(losses) // 10)
means = {i + block: sum(losses[i : i + block]) / block for i in range(0, len(losses) - block + 1, block)}
show.curves(
    {"loss": means}, xlabel="step", ylabel=f"loss, mean of {block} steps", title="A little further training"
)

# %% [markdown]
# Not much, and that is honest: it goes up and down from batch to batch and hardly falls. It was trained for thousands of steps before. And even in a good model the loss stays far above 0, since nobody can know the noise exactly. A curve of the loss says little about pictures. (`longer` is left here; we go on with the model as it came.)
#
# A better question: *what is a caption worth?* For real pictures that the model has not seen: how wrong is its prediction of the noise, when it is told the right caption, none, or that of another picture?

# %%
real = random_factors(budget(20, 200, 1000), seed=640)
real = real[~held_out(real)]
told_all = tokenize(captions(real, position=True))
kinds = {
    "the right caption": told_all,
    "none": empty(told_all),
    "that of another picture": told_all.roll(1, 0),
}
z, alpha_bar = to_codes(model.codec, draw(real)), model.prior.schedule.alpha_bar
error: dict[str, dict[float, float]] = {name: {} for name in kinds}
for t in budget((500,), *2 * [(100, 300, 500, 700, 900)]):
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(t))
    z_t = q_sample(z, t, noise, alpha_bar)
    with torch.no_grad():
        for name, tokens in kinds.items():
            error[name][t] = float((model.prior.told(tokens).predict(z_t, t) - noise).square().mean())
show.curves(
    {name: {t: row[t] / error["none"][t] for t in row} for name, row in error.items()},
    xlabel="t",
    ylabel="squared error / that without a caption",
    title="What a caption is worth",
)

# %%
for name, row in error.items():
    print(f"{name:24}" + "".join(f"   t = {t}: {value / error['none'][t]:.2f}" for t, value in row.items()))
late = max(t for t in error["none"])
measured(
    "error with the right caption / with none, at the largest t",
    error["the right caption"][late] / error["none"][late],
    at_most=0.8,
)
measured(
    "error with another's caption / with none, at the largest t",
    error["that of another picture"][late] / error["none"][late],
    at_least=1.1,
)

# %% [markdown]
# It is as with labels, and stronger. At small $t$ one sees what the picture shows, and the right caption adds little. Where there is mostly noise, the caption is nearly all that one knows. And a wrong caption does harm at any $t$: the model believes what it is told, even where it could see.
#
# ## 5 · Was it drawn as asked?
#
# Looking at sixteen pictures proves nothing. We have a judge: `ShapeFeatures`, a network that was trained by itself to read the five factors from a picture. It never saw the model or its pictures. How good a witness is it on real pictures, which nobody drew with a model?

# %%
judge, FACTORS = ShapeFeatures(), list(VOCABULARY)


def read_back(images: Tensor) -> Tensor:
    """What the judge sees: (N, 5) indices, in the order of VOCABULARY."""
    features = judge.features(images)
    return torch.stack([judge.named(features, factor).argmax(1) for factor in FACTORS], dim=1)


def as_asked(images: Tensor, factors: Factors, named: Tensor) -> Tensor:
    """Which pictures show every factor that their caption names: (N,) booleans; the others are free."""
    return ((read_back(images) == indices(factors)) | ~named).all(1)


witness = random_factors(budget(100, 2000, 2000), seed=641)
sure = as_asked(draw(witness), witness, torch.ones(len(witness), 5, dtype=torch.bool))
measured("judge: real pictures with all five factors read rightly", sure.double().mean(), at_least=0.99)

# %% [markdown]
# Now the exam. Five hundred prompts for combinations that were seen in training, five hundred for those that were not; both from a sequence of scenes that nobody has used. Each names every factor with chance 0.8. Of the held-out ones, shape and colour are always named: that is what is new about them. A prompt is obeyed if *every* factor that it names is right in the picture. One wrong factor is a wrong picture.


# %%
def prompts(new: bool, n: int, seed: int = 630) -> tuple[Factors, Tensor]:
    """Factors of n scenes, held out or not, and which of them their captions name: (n, 5)."""
    factors = random_factors(10 * n + 100, seed)
    factors = factors[held_out(factors) == new][:n]
    named = some_named(n, torch.Generator().manual_seed(seed + new), 0.8)
    named[:, :2] |= new
    return factors, named


exam = {"seen": prompts(False, budget(5, 500, 500)), "held out": prompts(True, budget(5, 500, 500))}
pictures = {name: drawn(captions(factors, named=said), seed=3) for name, (factors, said) in exam.items()}
obeyed = {name: as_asked(pictures[name], *exam[name]) for name in exam}
measured(
    "seen combinations: prompts with every named factor right, w = 3",
    obeyed["seen"].double().mean(),
    at_least=0.9,
)
measured(
    "held-out combinations: prompts with every named factor right, w = 3",
    obeyed["held out"].double().mean(),
    at_least=0.75,
)

# %% [markdown]
# And which factor goes wrong, when one does? The share of pictures in which a factor is right, of those whose prompt names it:

# %%
right = {name: read_back(pictures[name]) == indices(factors) for name, (factors, _) in exam.items()}
print(" " * 10 + "".join(f"{factor:>12}" for factor in FACTORS))
for name, (_, said) in exam.items():
    shares = [right[name][said[:, i], i].double().mean() for i in range(5)]
    print(f"{name:10}" + "".join(f"{share:12.3f}" for share in shares))

# %%
factors, said = exam["seen"]
table = confusion(factors.shape[said[:, 0]], read_back(pictures["seen"])[said[:, 0], 0], len(SHAPES))
print("asked for:  the judge reads")
print(" " * 10 + "".join(f"{shape:>10}" for shape in SHAPES))
for shape, row in zip(SHAPES, table.tolist(), strict=True):
    print(f"{shape:10}" + "".join(f"{share:10.2f}" for share in row))

# %% [markdown]
# Colours, backgrounds and positions are nearly always right. What is left to get wrong is mostly the **shape**. There is a reason. The others can be told from a few blurred pixels; a colour is right even in a blot. A shape is in its corners and edges, the finest thing in the picture. And a *small* one is a few
# pixels wide, in a code that has a sixteenth as many places as the picture.

# %%
kept_right = [
    right[name][said[:, i], i].double().mean() for name, (_, said) in exam.items() for i in (1, 3, 4)
]
measured("colour, background and position: the least share right", min(kept_right), at_least=0.95)
failed = torch.cat([~right[name] & said for name, (_, said) in exam.items()])
share_of_shape = failed[:, 0].sum() / failed.any(1).sum().clamp(min=1)
measured("wrong pictures: the share in which the shape is wrong", share_of_shape, at_least=0.5)

# %% [markdown]
# Here are some of those that the judge calls wrong, with what was asked, and what it reads in them.


# %%
def told_wrong(name: str, most: int = 5) -> tuple[Tensor, list[str]]:
    factors, said = exam[name]
    rows = (~obeyed[name]).nonzero()[:most, 0]
    seen, wanted, labels = read_back(pictures[name]), indices(factors), []
    for i in rows.tolist():
        wrong = [
            (list(v)[wanted[i, k]], list(v)[seen[i, k]])
            for k, v in enumerate(VOCABULARY.values())
            if said[i, k] and seen[i, k] != wanted[i, k]
        ]
        labels.append("; ".join(f"{a} → {b}" for a, b in wrong))
    return pictures[name][rows], labels


failures = [told_wrong(name) for name in exam]
wrong_pictures, wrong_labels = (
    torch.cat([x for x, _ in failures]),
    [label for _, part in failures for label in part],
)
shown_wrong = wrong_pictures if len(wrong_pictures) else pictures["seen"][:1]
show.grid(
    shown_wrong,
    columns=5,
    labels=wrong_labels or ["none is wrong"],
    title="Asked for → read by the judge; first seen, then held out",
)

# %% [markdown]
# And here are the six pairs that it has never seen. Whoever learned sentences by heart would have nothing to offer.

# %% picture
show.rows(several(never, n=budget(2, 4, 4), seed=4), title=f"Never seen together in training; w = {W:g}")

# %% [markdown]
# Mostly it works, since *words* were learned: `green` is one row of an embedding, `ring` another, and pixels look at both. But not always, as the picture shows, and the shape is right less often than in seen pairs, as the table above says. The model also learned what is never there. A cross in its training was never red, and a part of it believes that.
#
# ## 6 · How much guidance?
#
# The same prompts for several $w$. And what is paid? Beside the share of prompts obeyed: the Fréchet distance of lesson 20, from the pictures that were drawn to real pictures *of the same scenes*, and the recall of lesson 21, the share of real pictures that have a drawn one near them. Below stands what other real pictures would have, of *other* scenes: they are not at distance 0, and further than what is drawn for the very same prompts.

# %%
SOME = budget(5, 120, 500)
small_exam = {name: (factors[:SOME], said[:SOME]) for name, (factors, said) in exam.items()}
real_features = judge.features(torch.cat([draw(factors) for factors, _ in small_exam.values()]))
sweep: dict[str, dict[float, float]] = {
    name: {} for name in ("seen", "held out", "recall", "Fréchet distance")
}
for w in budget((1.0, 3.0), *2 * [(0.0, 1.0, 2.0, 3.0, 5.0, 8.0)]):
    by_kind = {
        name: drawn(captions(factors, named=said), w, seed=5) for name, (factors, said) in small_exam.items()
    }
    for name, x in by_kind.items():
        sweep[name][w] = float(as_asked(x, *small_exam[name]).double().mean())
    fake_features = judge.features(torch.cat(list(by_kind.values())))
    sweep["recall"][w] = precision_recall(real_features, fake_features)[1]
    sweep["Fréchet distance"][w] = fid(real_features, fake_features)
    print(f"w = {w:g}:" + "".join(f"   {name} {row[w]:.3f}" for name, row in sweep.items()))
again = [random_factors(20 * SOME, seed=642 + i) for i in (0, 1)]
again = torch.cat([draw(f[held_out(f) == bool(i)][:SOME]) for i, f in enumerate(again)])
again = judge.features(again)
print(
    f"real pictures of other scenes: recall {precision_recall(real_features, again)[1]:.3f}   Fréchet distance {fid(real_features, again):.3f}"
)

# %%
show.curves(
    {name: sweep[name] for name in ("seen", "held out", "recall")},
    xlabel="w",
    ylabel="share",
    title="Prompts obeyed, and what is paid",
)

# %%
show.curves(
    {"Fréchet distance": sweep["Fréchet distance"]},
    xlabel="w",
    ylabel="Fréchet distance",
    title="To real pictures of the same scenes: less is better",
)

# %%
measured("seen: share obeyed, w = 3 minus w = 1", sweep["seen"][3.0] - sweep["seen"][1.0], at_least=0.0)
gain = {name: sweep[name][3.0] - sweep[name][1.0] for name in exam}
measured("held out: share obeyed, w = 3 minus w = 1", gain["held out"], at_least=0.05)
measured("the same, minus that of seen combinations", gain["held out"] - gain["seen"])
most = {name: sweep[name][max(sweep[name])] - sweep[name][3.0] for name in exam}
measured("share obeyed, the largest w minus w = 3: the larger of both", max(most.values()), at_most=0.05)
best = max(sweep["held out"], key=sweep["held out"].get)
print(f"held-out prompts are obeyed most often with w = {best:g}")

# %% [markdown]
# With $w = 0$ nobody was told anything, and what is right is right by chance. With $w = 1$ the model is told, and obeys as well as it has learned. A $w$ of 2 or 3 helps, and it helps the pairs that were never seen as well. One may think of it like this: "there are no red crosses" is in *both* predictions, and
# the difference between them leaves some of it out. Beyond that nothing is gained, and with the largest $w$ much is lost.
#
# And the price? The recall hardly shows it, other than in lesson 55: here the *prompts* bring the variety, and they are the same for each $w$. The Fréchet distance does show it: it is least with $w = 1$ or little more, and from there it rises. The pictures are as asked, and less and less like real ones. One can see how:

# %%
square = "a big cyan square on a light background"
show.rows(
    {f"w = {w:g}": several([square], w=w, seed=7)[square] for w in budget((3.0,), *2 * [(1.0, 3.0, 8.0)])},
    title=f"{square!r}; the same noise in each column",
)

# %%
paid, recall = sweep["Fréchet distance"], sweep["recall"]
measured(
    "Fréchet distance: the largest w minus the smallest above 0", paid[max(paid)] - paid[1.0], at_least=0.5
)
measured("recall: w = 1 minus the largest w", recall[1.0] - recall[max(recall)], at_most=0.15)
measured("Fréchet distance: w = 1 minus the least", paid[1.0] - min(paid.values()), at_most=0.2)

# %% [markdown]
# It is a caricature, as in lesson 55. What tells a square from a circle is its corners, so the corners are pulled out. (The judge knows real squares only, and so at some point it takes the caricature for another shape. That may be why more guidance does not go on helping.)
#
# And where a caption leaves something open, guidance narrows that. What does "a shape" look like, if nothing else is asked?

# %%
OPEN = budget(5, 100, 500)
open_shares, large = {}, {}
for w in budget((1.0,), *2 * [(1.0, 3.0, 8.0)]):
    seen = read_back(drawn(["a blue shape on a dark background"] * OPEN, w, seed=6))
    open_shares[w] = torch.bincount(seen[:, 0], minlength=len(SHAPES)).double() / OPEN
    large[w] = float((seen[:, 2] == 2).double().mean())
    shares = "   ".join(
        f"{shape} {share:.2f}" for shape, share in zip(SHAPES, open_shares[w].tolist(), strict=True)
    )
    print(f"w = {w:g}: {shares}   (big: {large[w]:.2f})")
show.rows(
    {
        f"w = {w:g}": drawn(["a blue shape on a dark background"] * budget(2, 5, 5), w, seed=6)
        for w in open_shares
    },
    title="'a blue shape on a dark background': shape and size are left open",
)

# %% [markdown]
# An honest reader of the caption would draw each of the five shapes that can be blue equally often, a fifth of the pictures each, and no circle, which was never blue. And a third of them would be big. Already with $w = 1$ it is not so: small and roundish things are too frequent, those that the model knows least
# about. (The judge has to name some shape, even for a blot.) With more guidance it evens out. But now the *sizes* move: the larger $w$, the more big ones. Nobody asked for that. Guidance looks for pictures that could *only* have this caption, and the more blue there is in a picture, the surer one can be that the caption
# said "blue". (That is a guess at the reason; the numbers are no guess.)

# %%
first, most_w = min(open_shares), max(open_shares)
for w, shares in open_shares.items():
    measured(f"shape left open, w = {w:g}: share of the most frequent", shares.max())
measured(
    "size left open: share of big ones, largest w minus w = 1", large[most_w] - large[first], at_least=0.2
)

# %% [markdown]
# ## 7 · Where do pixels look?
#
# Cross-attention can be watched. While the model draws, we note the weights of the last block, which works at the full size of the code, 8 × 8: how much does each of its pixels look at each word? Below they are averaged over heads and over the steps. Each map is brought to its own largest value.


# %%
def looks(layer: nn.Module, kept: list[Tensor]) -> Callable:
    """Listens to a MultiHeadAttention: adds the weights (N, Q, K), mean of its heads, of each call to a list."""

    def heard(module: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        pixels, words, keep = inputs
        query, key = module.split(module.query(pixels)), module.split(module.key(words))
        scores = query @ key.mT / math.sqrt(query.shape[-1])
        hidden = ~keep.repeat_interleave(module.heads, 0)[:, None]
        weights = scores.masked_fill(hidden, -math.inf).softmax(-1)
        if (keep.sum(1) > 1).all():  # not the prediction without words
            kept.append(weights.unflatten(0, (len(pixels), -1)).mean(1))

    return layer.register_forward_hook(heard)


last = model.prior.network.up[-1].look.look
sentence = "a big red circle at the bottom right on a dark background"
kept: list[Tensor] = []
hook = looks(last, kept)
found = drawn([sentence] * MANY, seed=8)
hook.remove()
mean_weights = torch.stack(kept).mean(0)  # (N, 64 pixels, tokens)
tokens_said = ["START", *sentence.split()]
maps = {"drawn": found}
for word in ("START", "a", "big", "red", "circle", "bottom", "dark"):
    map_ = mean_weights[:, :, tokens_said.index(word)].view(-1, 1, 8, 8)
    maps[word] = 2 * map_ / map_.amax((1, 2, 3), keepdim=True) - 1
show.rows(maps, title="Where pixels look at a word, on average over the steps")

# %% [markdown]
# Some words have a place: their maps are bright where the shape is. Others are looked at from everywhere *but* there, and some maps show nothing. A number is better than an impression. Take real pictures, of which we know the exact silhouette, add noise up to $t = 300$, and compare the mean weight of a word at pixels of the shape with that elsewhere.

# %%
where = random_factors(budget(10, 200, 500), seed=643)
inside = mask(where, 8).flatten(1) > 0.5  # (N, 64)
where, inside = where[inside.any(1)], inside[inside.any(1)]
told = captions(where, position=True)
z = to_codes(model.codec, draw(where))
z_t = q_sample(z, 300, torch.randn(z.shape, generator=torch.Generator().manual_seed(0)), alpha_bar)
kept = []
hook = looks(last, kept)
with torch.no_grad():
    model.prior.told(tokenize(told)).predict(z_t, 300)
hook.remove()
(weights,) = kept
ratios: dict[str, list[float]] = {}
for row, caption, here in zip(weights, told, inside, strict=True):
    end = len(caption.split())
    kinds_of_word = {"START": 0, "size": 2, "colour": 3, "shape": 4, "position": 7, "ground": end - 1}
    for kind, place in kinds_of_word.items():
        ratios.setdefault(kind, []).append(float(row[here, place].mean() / row[~here, place].mean()))
by_word = {kind: float(torch.tensor(values).median()) for kind, values in ratios.items()}
show.bars(
    by_word,
    ylabel="weight on the shape / elsewhere (median)",
    title="Which words the pixels of the shape look at",
)

# %%
measured("weight of the colour at pixels of the shape / elsewhere", by_word["colour"], at_least=1.5)
print("   ".join(f"{kind} {ratio:.2f}" for kind, ratio in by_word.items()))

# %% [markdown]
# Above 1, the pixels of the shape look at the word more than the others do; below 1, less. ("Position" is the first word of it, "ground" is dark, grey or light.) So the maps do show something: nobody ever told the network where the shape is, and the words for it find it.
#
# But do not read too much into them. Here the words for colour, shape and size all light up on the shape. When the same network was trained at other times, only the colour was far above 1 for sure, and the bars of size and shape came out on either side of it, with pictures nearly as good. So not each bar has a reason that a person could name. A map says where a *vector* is read, not what is in it, and not what the layer does with it. A pixel that wants no word at all has to look somewhere, as weights add up to 1, and START or `a` will do. Other blocks have other maps, and some show nothing. (Hertz and others (2022) edit pictures by these maps: they keep them, and exchange a word.)
#
# ## 8 · What nobody taught it
#
# Now sentences that are mostly not in the grammar: no caption in training was turned round, cut short, or contradicted itself. (Empty ones there were, a tenth of them.)

# %%
odd = (
    "",
    "circle red big",
    "a red blue circle",
    "a circle square",
    "a big small green diamond",
    "red",
    "on a light background",
)
strange = several(odd, seed=9)
show.rows(
    {prompt or "(nothing)": x for prompt, x in strange.items()}, title=f"Sentences from outside; w = {W:g}"
)

# %% [markdown]
# An empty prompt is not an error: it is what the model was told for a tenth of its training, and it draws any scene. (And guidance does nothing then, as both predictions are the same.) Where two words contradict each other, the difference to "no words" points to a place where no picture is: one word may win, or something is drawn that no picture of the training shows, a mixture, or nothing but the background. And `red` alone contradicts nothing, but a caption of that form was never seen, and it is not much better. There is no error for that.
#
# And word order? The words of each seen prompt, shuffled:

# %%
generator = torch.Generator().manual_seed(0)
factors, said = small_exam["seen"]
shuffled = []
for caption in captions(factors, named=said):
    words_of = caption.split()
    shuffled.append(
        " ".join(words_of[i] for i in torch.randperm(len(words_of), generator=generator).tolist())
    )
turned = as_asked(drawn(shuffled, seed=5), factors, said).double().mean()
print(f"for example: {shuffled[0]!r}")
print(f"obeyed in order: {sweep['seen'][3.0]:.3f}   shuffled: {turned:.3f}")
measured(
    "seen prompts: share obeyed in order minus shuffled", sweep["seen"][3.0] - float(turned), at_least=0.05
)

# %% [markdown]
# A person would understand the shuffled words: each of them belongs to one factor alone, so the order says nothing that the words do not say. The model obeys them less often. The table of section 2 says that words hardly listen to what their neighbours *mean*. But each word also carries the row of its *place*, and `red` in the last place was never seen in training. So this is not about
# grammar. It is about sentences that look like none of the training. Large models see billions of sentences of all kinds, and forgive more.
#
# Where order does carry meaning, they have their own trouble: "a red circle and a blue square" holds the same words as "a blue circle and a red square". To put the colours on the right things is called *attribute binding*, and it is measured as we measure here.
#
# ## How far is this from Stable Diffusion?
#
# In kind, not far. These are the same parts: an autoencoder (lesson 60), diffusion on its codes (lesson 61), a text encoder, cross-attention in each block of a U-Net, dropped captions and guidance. In size, very far:
#
# | | here | Stable Diffusion 1 |
# |---|---|---|
# | picture, and its code | 32 × 32 × 3, 8 × 8 × 4 | 512 × 512 × 3, 64 × 64 × 4 |
# | U-Net | about one million numbers | 860 million |
# | text encoder | a tenth of a million, trained with the rest | 123 million, trained before, and kept as it is |
# | words | 29, in one order | 49,408 pieces of words, in any order |
# | tokens in a caption | 16 | 77 |
# | guidance | w = 3 | w = 7.5, as most programs have it |
#
# The greatest difference is in the third line. Rombach and others (2022) trained their text encoder along with the rest, as we do. Stable Diffusion took in its place that of **CLIP** (Radford and others, 2021), which had learned before, from 400 million pictures and their captions, what sentences have to do with pictures. Imagen (Saharia and others, 2022) took a large
# language model that had seen no picture at all, and found that its size matters more than that of the U-Net.
#
# And the same faults are known from the large models, only later: a shape that is wrong, a colour on the wrong thing, a pair that was never seen. They are measured in the same way, by a judge that reads the picture back (Ghosh and others, 2023, for example).
#
# ### In the shell
#
#     minigen sample text_to_image "a big red circle on a dark background" -n 16 --out grid.png
#     minigen train text_to_image
#
# The first draws sixteen pictures of a prompt; a word that it does not know is answered as in section 1. The second trains codec and model from the beginning, in about ten minutes on two cores.
#
# ## What goes wrong in practice
#
# - **PAD that is looked at.** It trains, and short captions are obeyed less often than long ones.
# - **The mask inverted.** Libraries differ: in one, True means "look at it", in another "leave it out". A caption that fills its row is then all hidden, and gives nan; the others are quietly wrong.
# - **An empty caption without a token.** The softmax of nothing is nan. That is one of the reasons for START.
# - **Two ends exchanged,** or $w$ counted from another place. Draw with $w = 0$ and $w = 1$, and look at both.
# - **Captions without gaps.** Whoever names all factors in each caption of the training has a model that is lost when one is not named.
# - **The masks of another caption.** Heads and batch share an axis: `repeat` and `repeat_interleave` differ in nothing but the order, and no shape is wrong.
# - **Only seen prompts measured.** The number is higher then, and nobody knows whether words were learned, or sentences.
# - **A judge nobody has judged.** First measure it on real pictures.
#
# ## Where to read on
#
# - Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin (2017), *Attention Is All You Need*.
# - Rombach, Blattmann, Lorenz, Esser and Ommer (2022), *High-Resolution Image Synthesis with Latent Diffusion Models*: section 3.3 is this lesson.
# - Ho and Salimans (2022), *Classifier-Free Diffusion Guidance*.
# - Radford and others (2021), *Learning Transferable Visual Models From Natural Language Supervision*: CLIP.
# - Saharia and others (2022), *Photorealistic Text-to-Image Diffusion Models with Deep Language Understanding*: Imagen.
# - Hertz, Mokady, Tenenbaum, Aberman, Pritch and Cohen-Or (2022), *Prompt-to-Prompt Image Editing with Cross Attention Control*.
# - Ghosh, Hajishirzi and Schmidt (2023), *GenEval: An Object-Focused Framework for Evaluating Text-to-Image Alignment*.

# %%
progress()
