"""The exercises of lesson 63: captions as tokens, attention, pixels that look at words, and guidance by text."""

import torch
from torch import nn
from torch.nn import functional as F

from minigen import diffusion, layers, text, unet
from minigen.course.catalogue import lesson
from minigen.course.source import edited
from minigen.probing.observe import unwatched

exercise = lesson("63_text_to_image")

LEXICON = (
    "acorn", "basket", "candle", "dragon", "engine", "feather", "garden", "harbour", "island", "jacket",
    "kettle", "lantern", "meadow", "needle", "orchard", "pebble", "quilt", "ribbon", "saddle", "thimble",
)  # fmt: skip


def read(answer, captions, words, length):
    """What the answer gives; zeros where it refuses captions that are in order."""
    try:
        return answer(captions, words, length)
    except (ValueError, LookupError):
        return torch.zeros(len(captions), length, dtype=torch.int64)


def refusal(answer, caption, words, length):
    try:
        answer([caption], words, length)
    except (ValueError, LookupError, RuntimeError) as error:
        return error
    return None


def probe_tokenize(answer, rng):
    def pick(n, low=0, high=None):
        return rng.integers(n, low=low, high=high).tolist()

    order = torch.randperm(len(LEXICON), generator=rng.generator()).tolist()
    words, length = [LEXICON[i] for i in order[: rng.size(8, 14)]], rng.size(6, 9)

    def caption(n):
        return " ".join(words[i] for i in pick(n, high=len(words)))

    several = [caption(n) for n in (1, length - 3, length - 2, 0, 2)]
    twice = words[pick(1, high=len(words))[0]]
    loud, stops = (
        [f"{twice.capitalize()} {caption(1).upper()}"],
        [f"{caption(1)}. {caption(1)}, {caption(1)}."],
    )
    read_rows = read(answer, several, words, length)
    known = words[pick(1, high=len(words))[0]]
    misspelt = refusal(answer, f"{caption(1)} {known[:2] + known[3:]}", words, length)
    long = [refusal(answer, caption(length + more), words, length) for more in (0, 2)]
    return {
        "captions": read_rows,
        "a word that comes twice": read(answer, [f"{twice} {caption(1)} {twice}"], words, length),
        "capitals": read(answer, loud, words, length),
        "a comma and a full stop": read(answer, stops, words, length),
        "as long as it may be": read(answer, [caption(length - 1)], words, length),
        "rows of another length": read(answer, [caption(3), caption(2)], words, length + 4),
        "a word that is not known is refused": misspelt is not None,
        "that is a ValueError": misspelt is None or isinstance(misspelt, ValueError),
        "it says which word may be meant": misspelt is None or known in str(misspelt),
        "a caption of one word too many is refused": long[0] is not None,
        "a caption that is far too long is refused": long[1] is not None,
        "that is a ValueError as well": all(error is None or isinstance(error, ValueError) for error in long),
    }


START_OF = "enumerate(words, start=2)"
ROW = "row = [START, *(token[word] for word in found)]"
FILLED = "row + [PAD] * (length - len(row))"
UNKNOWN = 'raise ValueError(f"there is no word {word!r}{nearest(word, words)}")'
WHOLE = "if len(found) >= length"


def tokens_with(*changes):
    return edited(text.tokenize, *changes)


def tokens_by_filling(captions, words=text.WORDS, length=text.LENGTH):
    """The same, into a table of zeros; for each word all words are searched."""
    captions, words = list(captions), list(words)
    table = torch.zeros(len(captions), length, dtype=torch.int64)
    for row, caption in zip(table, captions, strict=True):
        row[0] = text.START
        found = "".join(" " if letter in ",." else letter for letter in caption.lower()).split()
        if len(found) + 1 > length:
            raise ValueError(f"too long: {caption!r}")
        for place, word in enumerate(found, 1):
            if word not in words:
                raise ValueError(f"{word} is not one of {words}")
            row[place] = words.index(word) + 2
    return table


exercise(
    target=text.tokenize,
    title="Captions as numbers",
    probe=probe_tokenize,
    mistakes={
        "no START": (
            tokens_with(ROW, "row = [token[word] for word in found]"),
            "Your rows do not begin with START. An empty caption would be all PAD then, and attention needs at least one token to look at.",
        ),
        "START at the end": (
            tokens_with(ROW, "row = [*(token[word] for word in found), START]"),
            "You put START after the words. It comes first.",
        ),
        "words from 1": (
            tokens_with(START_OF, "enumerate(words, start=1)"),
            "Your first word is 1, which is START. Two tokens are taken already: 0 and 1; words begin with 2.",
        ),
        "words from 0": (
            tokens_with(START_OF, "enumerate(words, start=0)"),
            "Your first word is 0, which is PAD: the network would not look at it. Words begin with 2.",
        ),
        "words from 3": (
            tokens_with(START_OF, "enumerate(words, start=3)"),
            "Your first word is 3, and 2 is never used. The embedding has a row for each word and two more, so your last word would have none.",
        ),
        "PAD and START exchanged": (
            tokens_with(ROW, ROW.replace("START", "PAD"), FILLED, FILLED.replace("PAD", "START")),
            "PAD and START have changed places.",
        ),
        "filled up with START": (
            tokens_with(FILLED, FILLED.replace("PAD", "START")),
            "You fill up with START. PAD fills up: it is what the network does not look at.",
        ),
        "filled up in front": (
            tokens_with(FILLED, "[PAD] * (length - len(row)) + row"),
            "You fill up in front of the caption. START is the first token of each row, and PAD stands behind the words.",
        ),
        "sorted": (
            tokens_with(START_OF, "enumerate(sorted(words), start=2)"),
            "You number the words by the alphabet. They have the order in which they are given.",
        ),
        "each word once": (
            tokens_with(ROW, "row = [START, *(token[word] for word in dict.fromkeys(found))]"),
            "A word that comes twice in a caption is only once in your row.",
        ),
        "words sorted in the caption": (
            tokens_with(ROW, "row = [START, *sorted(token[word] for word in found)]"),
            "You sort the tokens of a caption. Who does that has lost the order of the words.",
        ),
        "capitals count": (
            tokens_with("caption.lower()", "caption"),
            "A caption with capital letters is refused, or read wrongly. Capitals do not count.",
        ),
        "full stops count": (
            tokens_with('.replace(".", " ")', ""),
            "A word with a full stop behind it is refused, or read wrongly. Full stops do not count.",
        ),
        "unknown words left out": (
            tokens_with(UNKNOWN, "continue", ROW, "row = [START, *(token[word] for word in found if word in token)]"),
            "You say nothing about a word that is not known. Whoever asked for it would wonder why it is not in the picture: raise a ValueError.",
        ),
        "a KeyError": (
            tokens_with(UNKNOWN, "raise KeyError(word)"),
            "A word that is not known gives another error than a ValueError. An error should say what was wanted: the nearest word that is known.",
        ),
        "no word is proposed": (
            tokens_with(UNKNOWN, 'raise ValueError(f"there is no word {word!r}")'),
            "Your error does not say which known word may be meant. `nearest(word, words)` is the end of such a sentence.",
        ),
        "cut off": (
            tokens_with(WHOLE, "if False", FILLED, f"({FILLED})[:length]"),
            "You say nothing about a caption that is too long, and leave its last words out. Raise a ValueError.",
        ),
        "one word too few": (
            tokens_with(WHOLE, "if len(found) >= length - 1"),
            "You refuse captions of length − 1 words. With START they just fit.",
        ),
        "START not counted": (
            tokens_with(WHOLE, "if len(found) > length"),
            "A caption of as many words as a row is long is not refused with a ValueError, and with START it does not fit.",
        ),
    },
    accepts=[
        tokens_by_filling,
        tokens_with(WHOLE, "if len(found) > length - 1"),
        tokens_with('.replace(",", " ").replace(".", " ")', '.translate({ord(","): None, ord("."): None})'),
    ],
    equivalents={
        "return torch.tensor(rows)": "it has this shape already, unless there is no caption",
        "most = f'a caption should have at most {length + 1} words'": "how the error is worded is free",
        "most = f'a caption should have at most {length - 2} words'": "how the error is worded is free",
        "most = f'a caption should have at most {length - 0} words'": "how the error is worded is free",
        "most = f'a caption should have at most {length} words'": "how the error is worded is free",
        "most = f'a caption should have at most {-1} words'": "how the error is worded is free",
    },
    hints=[
        "A dictionary from words to whole numbers: `enumerate(words, start=2)`.",
        "`caption.lower()`, spaces in the place of commas and full stops, and `split()`: that gives the words. Refuse what is not in the dictionary.",
        "Each row is START, the numbers of the words, and as many PAD as are missing. All rows together make `torch.tensor(rows)`.",
    ],
    points=2,
    minutes=12,
)  # fmt: skip


def never_seen() -> int:
    """A scene has one of 6 shapes, 6 colours, 3 sizes, 3 backgrounds and 9 positions: 2,916 combinations.

    In training each shape is never shown in one of the six colours, another one for each shape. How many of
    the 2,916 combinations are never shown?
    """
    return 486


exercise(
    target=never_seen,
    title="How much is held out?",
    mistakes={
        "pairs": (
            6,
            "Six *pairs* of a shape and a colour are held out. Each pair comes in all sizes, on all backgrounds and at all positions.",
        ),
        "one pair": (81, "That is one pair, in 3 sizes, on 3 backgrounds and at 9 positions. There are six pairs."),
        "those that are shown": (2430, "So many are shown: 30 of the 36 pairs, 81 combinations each."),
        "a sixth of the shapes and a sixth of the colours": (
            972,
            "You count a sixth for the shapes and a sixth for the colours. But one and the same pair takes both: 6 of the 36 pairs are held out, a sixth.",
        ),
        "pairs without order": (
            1215,
            "That is 15 pairs: as many as there are ways to choose two of six things. A pair here is a shape and a colour; each of the six shapes is in one.",
        ),
        "without the positions": (54, "You have left out the positions: each of your combinations comes at 9 of them."),
    },
    hints=[
        "How many pairs of a shape and a colour are held out?",
        "And in how many sizes, on how many backgrounds, at how many positions could each be drawn?",
    ],
    minutes=3,
)  # fmt: skip


def probe_attend(answer, rng):
    values = {}
    kinds = {"few": (rng.size(2, 3), 2, rng.size(4, 5)), "many": (rng.size(4, 5), rng.size(6, 8), 7)}
    for name, (n, asking, words) in kinds.items():
        d, e = rng.size(3, 6), rng.size(7, 9)
        query, key = rng.normal(n, asking, d, leaf="query"), rng.normal(n, words, d, leaf="key")
        value = rng.normal(n, words, e, leaf="value")
        last = rng.integers(n, 1, low=2, high=words)  # some words are kept, and at least one is not
        keep = torch.arange(words, device=rng.device) < last
        values[f"{name} rows that ask, the ends not kept"] = answer(query, key, value, keep)
        values[f"{name} rows that ask, other ones kept"] = answer(query, 2 * key, value, keep.flip(1))
        way = query[:, :1].detach()
        badly = key.detach() - 60 * d**0.5 * way / way.square().sum(-1, keepdim=True)  # scores about -60
        values[f"{name} rows that ask, all match badly"] = answer(way, badly, value, keep)
    return values


ATTENDED = "return scores.masked_fill(~keep[:, None, :], -math.inf).softmax(-1) @ value"
SCORES = "query @ key.mT / math.sqrt(query.shape[-1])"


def attend_with(*changes):
    return edited(layers.attend, *changes)


def attend_then_brought_to_one(query, key, value, keep):
    weights = (query @ key.mT * query.shape[-1] ** -0.5).exp() * keep[:, None, :]
    return weights / weights.sum(-1, keepdim=True) @ value


def attend_by_torch(query, key, value, keep):
    return F.scaled_dot_product_attention(query, key, value, attn_mask=keep[:, None])


exercise(
    target=layers.attend,
    title="Repair: it listens to silence",
    probe=probe_attend,
    repair="the others",
    mistakes={
        "score 0 for what is no word": (
            attend_with("-math.inf", "0.0"),
            "What is not to be looked at gets the score 0. But e⁰ is 1: in the softmax that is as much as for a word that matches neither well nor badly. A "
            "weight of 0 needs the score −∞.",
        ),
        "score −1": (
            attend_with("-math.inf", "-1.0"),
            "What is not to be looked at gets the score −1. That makes its weight small beside others, not 0.",
        ),
        "the others": (
            attend_with("~keep", "keep"),
            "You leave out what is to be looked at, and look at the rest. `keep` is True for what stays.",
        ),
        "everything looked at": (
            attend_with(".masked_fill(~keep[:, None, :], -math.inf)", ""),
            "Everything is looked at, whatever `keep` says.",
        ),
        "taken out after the softmax": (
            attend_with(ATTENDED, "return (scores.softmax(-1) * keep[:, None, :]) @ value"),
            "The rows that are not kept add nothing, but they had their share in the softmax: the weights of the others do not add up to 1. Take them out before it.",
        ),
        "the first caption's words": (
            attend_with("~keep[:, None, :]", "~keep[:1, None, :]"),
            "Which rows are kept is decided by the first of the batch, for all.",
        ),
        "a row of the batch too far": (
            attend_with("~keep[:, None, :]", "~keep.roll(1, 0)[:, None, :]"),
            "Which rows are kept is taken from a neighbour in the batch.",
        ),
        "not divided": (
            attend_with(SCORES, "query @ key.mT"),
            "The scores are not divided by √D. They would grow with the number of channels, and the softmax would choose one row alone.",
        ),
        "divided by D": (
            attend_with("math.sqrt(query.shape[-1])", "query.shape[-1]"),
            "You divide by D. A sum of D random products is about as large as the *root* of D.",
        ),
        "multiplied by the root": (
            attend_with("/ math.sqrt", "* math.sqrt"),
            "You multiply by √D. Divide, so that the scores stay near 1.",
        ),
        "root of the values": (
            attend_with("math.sqrt(query.shape[-1])", "math.sqrt(value.shape[-1])"),
            "You divide by the root of the numbers in a *value*. A score adds up the numbers of a key.",
        ),
        "root of the words": (
            attend_with("math.sqrt(query.shape[-1])", "math.sqrt(key.shape[1])"),
            "You divide by the root of the number of keys. A score adds up the numbers *of* a key: D.",
        ),
        "the plain mean": (
            attend_with(SCORES, "0 * (query @ key.mT)"),
            "Every row that asks gets the plain mean of the values that are kept. How well the keys match it does not count.",
        ),
        "the best alone": (
            attend_with(ATTENDED, "best = scores.masked_fill(~keep[:, None, :], -math.inf).argmax(-1)\n"
                                  "    return F.one_hot(best, key.shape[1]).to(value) @ value".replace("F.", "nn.functional.")),
            "You take the value of the best key alone. It is a mean of all that are kept, and the weights need a slope to be learned.",
        ),
        "weights detached": (
            attend_with(".softmax(-1)", ".softmax(-1).detach()"),
            "The weights are detached, so nobody learns where to look.",
        ),
        "the worst match first": (
            attend_with(SCORES, "-" + SCORES),
            "Your weights are largest where the keys match worst: a sign.",
        ),
    },
    accepts=[
        attend_then_brought_to_one,
        attend_by_torch,
        attend_with("-math.inf", "-1e9"),
    ],
    hints=[
        "`masked_fill(mask, value)` writes the value where the mask is True. Which rows get −∞ here, and which weight does that give them?",
        "`keep` is True for what is to be looked at.",
        "`~mask` is True where the mask is False.",
    ],
    points=1,
    minutes=5,
)  # fmt: skip


def settled(module, *calls):
    """Calls layers in a fixed order, by which their weights are settled; returns the module."""
    with torch.no_grad():
        for layer, inputs in calls:
            layer(inputs)
    return module


def probe_heads(answer, rng):
    values = {}
    for name, heads, each in ("several heads", rng.size(2, 3), rng.size(3, 4)), ("more heads", 4, 2):
        n, asking, words, inputs, context = rng.size(2, 3), 5, 4, heads * each, rng.size(5, 7)
        layer = unwatched(answer(inputs, context, heads))
        x, about = rng.normal(n, asking, inputs, leaf="x"), rng.normal(n, words, context, leaf="context")
        parts = (layer.query, x), (layer.key, about), (layer.value, about), (layer.out, x)
        settled(layer, *parts)
        with torch.no_grad():
            for part in layer.query, layer.key:
                part.weight.mul_(3)  # so that some words match clearly better than others
        keep = (
            torch.arange(words, device=rng.device)
            < 1 + (torch.arange(n, device=rng.device)[:, None] + heads) % 3
        )
        values[name] = layer(x, about, keep)
    return values


FOUND = "found = attend(query, key, value, keep.repeat_interleave(self.heads, 0))"
JOINED = "return self.out(found.unflatten(0, (-1, self.heads)).transpose(1, 2).flatten(2))"
SPLIT = "return h.unflatten(2, (self.heads, -1)).transpose(1, 2).flatten(0, 1)"
THREE = "query, key, value = map(self.split, (self.query(x), self.key(context), self.value(context)))"


def heads_with(*changes):
    return edited(layers.MultiHeadAttention, *changes)


exercise(
    target=layers.MultiHeadAttention,
    title="Several heads",
    probe=probe_heads,
    blank=("forward", "split"),
    mistakes={
        "one head": (
            heads_with(FOUND, "found = attend(self.query(x), self.key(context), self.value(context), keep)",
                       JOINED, "return self.out(found)"),
            "You take one attention over all the numbers. Each head works with its own share of them, so that it may look elsewhere than the others.",
        ),
        "masks in another order": (
            heads_with("keep.repeat_interleave(self.heads, 0)", "keep.repeat(self.heads, 1)"),
            "Heads and masks are in different orders: an item of the batch is looked at with the mask of another. If the heads of one item stand side by "
            "side, so must the copies of its mask.",
        ),
        "split by reading on": (
            heads_with(SPLIT, "return h.reshape(len(h) * self.heads, h.shape[1], -1)"),
            "You read the numbers on as (N heads, K, D). That has the right shape, and puts parts of different words into one: make the heads an axis of their own first, then move "
            "it in front of the words.",
        ),
        "joined by reading on": (
            heads_with(JOINED, "return self.out(found.reshape(len(x), x.shape[1], -1))"),
            "When you join the heads, you read the numbers on as (N, Q, heads D). That has the right shape, and mixes different rows: the heads have to be moved behind the rows first.",
        ),
        "split and joined by reading on": (
            heads_with(SPLIT, "return h.reshape(len(h) * self.heads, h.shape[1], -1)",
                       JOINED, "return self.out(found.reshape(len(x), x.shape[1], -1))"),
            "You read the numbers on, into heads and back. That has the right shapes, and puts parts of different words into one.",
        ),
        "every so many": (
            heads_with(SPLIT, "return h.unflatten(2, (-1, self.heads)).movedim(3, 1).flatten(0, 1)"),
            "Your heads take every so many numbers, and are then joined one behind the other. Each head has a stretch of D numbers that stand side by side.",
        ),
        "no last layer": (
            heads_with(JOINED, "return found.unflatten(0, (-1, self.heads)).transpose(1, 2).flatten(2)"),
            "`out` is not used. It mixes what the heads have found.",
        ),
        "values are keys": (
            heads_with("self.value(context)", "self.key(context)"),
            "You mix the keys. Keys say how well a row matches; the values are what is handed over.",
        ),
        "keys are values": (
            heads_with("self.key(context)", "self.value(context)"),
            "You match with the values. How well a row matches is said by its key.",
        ),
        "everything looked at": (
            heads_with("keep.repeat_interleave(self.heads, 0)", "torch.ones_like(keep).repeat_interleave(self.heads, 0)"),
            "All rows of the context are looked at, whatever `keep` says.",
        ),
        "the others": (
            heads_with("keep.repeat_interleave", "(~keep).repeat_interleave"),
            "You look at what is not to be looked at: `keep` is True for what stays.",
        ),
        "heads in reverse": (
            heads_with("found.unflatten(0, (-1, self.heads))", "found.unflatten(0, (-1, self.heads)).flip(1)"),
            "The heads are joined in the reverse order.",
        ),
        "the mean of the heads": (
            heads_with(JOINED, "return self.out(found.unflatten(0, (-1, self.heads)).mean(1).repeat(1, 1, self.heads))"),
            "You give the mean of the heads. They are put side by side: each has found something of its own.",
        ),
    },
    accepts=[
        heads_with(SPLIT, "return h.unflatten(2, (self.heads, -1)).permute(2, 0, 1, 3).flatten(0, 1)",
                   "keep.repeat_interleave(self.heads, 0)", "keep.repeat(self.heads, 1)",
                   JOINED, "return self.out(torch.cat(found.chunk(self.heads), 2))"),
        heads_with(SPLIT, "return torch.stack(h.chunk(self.heads, 2), 1).flatten(0, 1)"),
        heads_with(FOUND, "found = nn.functional.scaled_dot_product_attention(query, key, value, "
                          "attn_mask=keep.repeat_interleave(self.heads, 0)[:, None])"),
    ],
    equivalents={
        "return self.out(found.unflatten(0, (-1, self.heads)).transpose(2, 1).flatten(2))": "the same two axes",
        "return h.unflatten(2, (self.heads, -1)).transpose(2, 1).flatten(0, 1)": "the same two axes",
    },
    hints=[
        "`split`: (N, K, heads D) becomes (N, K, heads, D) by `unflatten`, then (N, heads, K, D) by `transpose`, and the first two axes become one by `flatten`.",
        "`forward`: split all three, then one call of `attend`. Its batch has N heads rows: the heads of the first item, then those of the second. So each row of `keep` is "
        "needed as many times, one after the other: `repeat_interleave`.",
        "The way back takes the same steps in reverse: `unflatten(0, (-1, self.heads))`, `transpose(1, 2)`, `flatten(2)`. And `out` comes last.",
    ],
    points=3,
    minutes=15,
)  # fmt: skip


def probe_cross(answer, rng):
    values = {}
    for name, n in ("two captions", 2), ("more captions", rng.size(3, 4)):
        channels, height, width = 8 * rng.size(1, 2), rng.size(2, 3), rng.size(4, 5)
        inputs, count = rng.size(5, 7), rng.size(4, 6)
        layer = unwatched(answer(channels, inputs, 2))
        x = rng.normal(n, channels, height, width, leaf="x")
        words = rng.normal(n, count, inputs, leaf="words")
        pixels, look = x.flatten(2).mT, layer.look
        settled(
            layer,
            (layer.norm, x),
            (look.query, pixels),
            (look.key, words),
            (look.value, words),
            (look.out, pixels),
        )
        with torch.no_grad():
            for part in look.query, look.key:
                part.weight.mul_(3)
        keep = torch.arange(count, device=rng.device) < 1 + torch.arange(n, device=rng.device)[:, None] % 3
        values[name] = layer(x, words, keep)
    return values


PIXELS = "pixels = self.norm(x).flatten(2).mT"
LOOKED = "return x + self.look(pixels, words, keep).mT.view_as(x)"


def cross_with(*changes):
    return edited(unet.CrossAttention, *changes)


exercise(
    target=unet.CrossAttention,
    title="Every pixel looks at all words",
    probe=probe_cross,
    blank=("forward",),
    mistakes={
        "no way around": (
            cross_with("return x + ", "return "),
            "The picture itself is not added. The layer starts with `out` at 0, and would pass nothing on.",
        ),
        "normed input added": (
            cross_with("return x + ", "return self.norm(x) + "),
            "You add the normed picture. The way around carries x itself.",
        ),
        "subtracted": (cross_with("return x + ", "return x - "), "You subtract what the words say. It is added."),
        "not normed": (
            cross_with("self.norm(x)", "x"),
            "The norm is missing: the pixels that ask are those of the normed picture.",
        ),
        "pixels by reading on": (
            cross_with(PIXELS, "pixels = self.norm(x).reshape(len(x), -1, x.shape[1])"),
            "You read (N, C, H, W) on as (N, HW, C). That has as many numbers, but a row is then no pixel: flatten the pixels, and transpose.",
        ),
        "back by reading on": (
            cross_with(".mT.view_as(x)", ".reshape(x.shape)"),
            "On the way back you read (N, HW, C) on as (N, C, H, W). That has as many numbers and scatters them: transpose first.",
        ),
        "there and back by reading on": (
            cross_with(PIXELS, "pixels = self.norm(x).reshape(len(x), -1, x.shape[1])", ".mT.view_as(x)", ".reshape(x.shape)"),
            "You read (N, C, H, W) on as (N, HW, C), and back. That has the right shapes, but a row is then no pixel: flatten the pixels, and transpose.",
        ),
        "columns first": (
            cross_with("self.norm(x).flatten(2)", "self.norm(x).mT.flatten(2)"),
            "The pixels are taken column by column and put back row by row: height and width have changed places.",
        ),
        "the first caption for all": (
            cross_with("self.look(pixels, words, keep)", "self.look(pixels, words[:1].expand_as(words), keep[:1].expand_as(keep))"),
            "All pictures look at the first caption. Each has its own.",
        ),
        "a neighbour's caption": (
            cross_with("self.look(pixels, words, keep)", "self.look(pixels, words.roll(1, 0), keep.roll(1, 0))"),
            "Each picture looks at the caption of its neighbour in the batch.",
        ),
        "what fills up is looked at": (
            cross_with("words, keep)", "words, torch.ones_like(keep))"),
            "The pixels look at what fills up a caption as well. Hand `keep` on.",
        ),
        "the others": (
            cross_with("words, keep)", "words, ~keep)"),
            "The pixels look at what is no word, and at no word. `keep` is True for words.",
        ),
        "the mean of all words": (
            cross_with("self.look(pixels, words, keep)", "self.look(pixels, words.mean(1, keepdim=True).expand_as(words), keep)"),
            "You average the words before the pixels look at them. Each pixel chooses for itself.",
        ),
        "all pixels alike": (
            cross_with("pixels, words, keep)", "pixels.mean(1, keepdim=True).expand_as(pixels), words, keep)"),
            "All pixels ask with their mean, so all get the same answer. Each asks for itself.",
        ),
    },
    accepts=[
        cross_with(LOOKED, "found = self.look(pixels, words, keep)\n        return found.transpose(1, 2).reshape(x.shape) + x"),
        cross_with(PIXELS, "pixels = self.norm(x).permute(0, 2, 3, 1).flatten(1, 2)"),
    ],
    hints=[
        "`look` wants rows that ask: (N, Q, channels). Here they are the pixels of the normed picture, HW of them.",
        "`flatten(2)` makes (N, C, HW) of it, and `.mT` turns the last two axes round.",
        "What comes back is (N, HW, C). Turn it round again, give it the shape of x, and add it to x.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def one_more_word() -> int:
    """Our encoder knows 29 words, each word is 64 numbers, and a caption has at most 16 tokens.

    Now it is to know one more word, "orange", at any place of a caption. How many new numbers must the
    network have for that?
    """
    return 64


exercise(
    target=one_more_word,
    title="The price of a word",
    mistakes={
        "one": (1, "A token is one whole number, but it only says which row of the embedding to read. The network works with the row."),
        "for each place": (
            1024,
            "That is 64 numbers for each of 16 places. But the word has one row wherever it stands; the numbers of the place are another row, "
            "which is there already, and the two are added.",
        ),
        "places": (16, "16 is the number of places. They have their rows already."),
        "a new table": (2048, "That is a row for each of 32 tokens, PAD and START among them. Only the new word needs one; the others have theirs."),
        "what it looks for, too": (
            256,
            "Query, key and value are made of the row by layers that all words share. Those need no new numbers.",
        ),
    },
    hints=[
        "Which part of the encoder depends on how many words there are? Look at `TextEncoder.__init__`.",
        "It is `nn.Embedding(tokens, dim)`: one row a token.",
    ],
    minutes=3,
)  # fmt: skip


def some_tokens(rng, n, length, known):
    """Captions of at least one word: START, words, PAD. (n, length), int64."""
    last = rng.integers(n, 1, low=1, high=length)  # the place of the last word
    words = rng.integers(n, length, low=2, high=known)
    words[:, 0] = text.START
    return words.where(torch.arange(length, device=rng.device) <= last, text.PAD)


def probe_drop_captions(answer, rng):
    n, length, known = rng.size(30, 40), rng.size(5, 8), rng.size(12, 20)
    tokens, others = some_tokens(rng, n, length, known), some_tokens(rng, n // 2, length + 3, known)
    nought = rng.uniform(n // 2)
    nought[0] = 0.0  # [0, 1) begins with 0 itself
    return {
        "some": answer(tokens, rng.uniform(n), 0.3 + 0.1 * rng.size(0, 3)),
        "few": answer(tokens, rng.uniform(n), 0.1),
        "longer captions": answer(others, nought, 0.5),
        "chance 0": answer(others, nought, 0.0),
    }


DROPPED = "torch.where(draws[:, None] < chance, empty(tokens), tokens)"


def dropped_by(code):
    return edited(text.drop_captions, f"return {DROPPED}", code)


exercise(
    target=text.drop_captions,
    title="Say nothing, now and then",
    probe=probe_drop_captions,
    mistakes={
        "nothing dropped": (dropped_by("return tokens.clone()"), "No caption is dropped, whatever the draws are."),
        "all dropped": (dropped_by("return empty(tokens)"), "All captions are dropped, whatever the draws are."),
        "the others dropped": (
            dropped_by("return torch.where(draws[:, None] >= chance, empty(tokens), tokens)"),
            "You keep the share that should be dropped: those whose draw is below `chance` are emptied.",
        ),
        "a draw of 0 and no chance": (
            dropped_by("return torch.where(draws[:, None] <= chance, empty(tokens), tokens)"),
            "With chance 0 you drop a caption whose draw is 0. Draws come from [0, 1), so `<` gives the chance exactly, and 0 never drops.",
        ),
        "START dropped as well": (
            dropped_by("return torch.where(draws[:, None] < chance, PAD, tokens)"),
            "In a caption that you drop, START is gone as well. Then there is nothing left to look at, and the softmax of no score at all is nan. START stays.",
        ),
        "START everywhere": (
            dropped_by("return torch.where(draws[:, None] < chance, START, tokens)"),
            "In a caption that you drop, every place says START. START alone is left, and PAD fills up.",
        ),
        "the first word stays": (
            dropped_by("first = torch.arange(tokens.shape[1], device=tokens.device) <= 1\n"
                       "    return torch.where((draws[:, None] < chance) & ~first, PAD, tokens)"),
            "The first word of a dropped caption stays. Only START is left of it.",
        ),
        "the last word only": (
            dropped_by("last = (tokens != PAD).sum(1, keepdim=True) - 1\n"
                       "    at = torch.arange(tokens.shape[1], device=tokens.device) == last\n"
                       "    return torch.where((draws[:, None] < chance) & at, PAD, tokens)"),
            "You drop the last word alone. The caption is emptied as a whole.",
        ),
        "words shuffled": (
            dropped_by("return torch.where(draws[:, None] < chance, tokens.roll(1, 0), tokens)"),
            "In the place of a dropped caption you put that of a neighbour. That teaches wrong captions; say nothing.",
        ),
        "one draw for the batch": (
            dropped_by("return torch.where(draws[:1, None] < chance, empty(tokens), tokens)"),
            "One draw decides for the whole batch. Each caption has a draw of its own.",
        ),
        "all, if any": (
            dropped_by("return torch.where((draws < chance).any(), empty(tokens), tokens)"),
            "As soon as one caption is to be dropped, you drop them all.",
        ),
        "the first ones": (
            dropped_by("first = torch.arange(len(tokens), device=tokens.device) < chance * len(tokens)\n"
                       "    return torch.where(first[:, None], empty(tokens), tokens)"),
            "You drop the first ones of the batch. The draws decide which.",
        ),
        "always a tenth": (
            dropped_by("return torch.where(draws[:, None] < 0.1, empty(tokens), tokens)"),
            "You drop a tenth, whatever `chance` is.",
        ),
        "always a half": (
            dropped_by("return torch.where(draws[:, None] < 0.5, empty(tokens), tokens)"),
            "You drop a half, whatever `chance` is.",
        ),
        "the wrong way round": (
            dropped_by("return torch.where(draws[:, None] < 1 - chance, empty(tokens), tokens)"),
            "You drop the share 1 − `chance`. `chance` is the share to empty.",
        ),
    },
    accepts=[
        dropped_by("out = tokens.clone()\n    out[draws < chance, 1:] = PAD\n    return out"),
        dropped_by("keep = (draws >= chance)[:, None].long()\n"
                   "    return torch.cat([tokens[:, :1], tokens[:, 1:] * keep], dim=1)"),
    ],
    hints=[
        "Which captions? Those whose draw is below `chance`. That is (N,) booleans, and tokens are (N, L).",
        "`draws[:, None] < chance` is (N, 1), and holds for a whole row.",
        "`empty(tokens)` are as many captions without a word; `torch.where` chooses between two tables.",
    ],
    points=1,
    minutes=6,
)  # fmt: skip


class Listener(nn.Module):
    """Stands for the network: writes down what it is shown and told, and answers with a number for each caption."""

    def __init__(self, gain, table, places):
        super().__init__()
        self.gain, self.table, self.places = gain.detach().requires_grad_(), table, places
        self.seen = []

    def forward(self, x_t, t, tokens):
        self.seen.append((x_t.detach(), t, tokens))
        known = tokens.long().clamp(0, len(self.table) - 1)
        told = (self.table[known] * self.places).sum(1).view(len(x_t), *[1] * (x_t.ndim - 1))
        return self.gain * x_t + told


BATCHES, SIZE = 12, 400


def loss_beside(model, network, x, tokens, chain, target):
    """(loss, its slope), both over those of the same images, times, noise and captions; what was told; calls."""
    network.seen.clear()
    loss = model.loss((x, tokens))
    (x_t, t, told), calls = network.seen[0], len(network.seen)
    a_bar = chain.alpha_bar.to(x_t)[t.long().clamp(1, chain.steps)].view(-1, 1, 1, 1)
    noise = (x_t - a_bar.sqrt() * x) / (1 - a_bar).sqrt()
    p, q = diffusion.target_weights(target, a_bar.sqrt(), (1 - a_bar).sqrt())
    wanted = F.mse_loss(network(x_t, t, told), p * x + q * noise)
    (slope,) = torch.autograd.grad(wanted, network.gain)
    (found,) = torch.autograd.grad(loss, network.gain, allow_unused=True) if loss.requires_grad else (None,)
    told = told.expand(len(x), -1) if told.shape[1:] == tokens.shape[1:] else torch.full_like(tokens, -1)
    return (
        (loss / wanted).detach(),
        (0 * slope if found is None else found) / slope,
        told,
        torch.tensor(float(calls)),
    )


def probe_text_model(answer, rng):
    known, length = rng.size(9, 14), rng.size(5, 7)
    chain = diffusion.Schedule(diffusion.linear_betas(12, 0.02, 0.3))
    values, unit = {}, rng.uniform(1, low=1.0, high=3.0)  # the unit of what is 1 in every draw
    for target in "noise", "velocity":
        network = Listener(
            rng.uniform(1, low=0.3, high=0.7), rng.normal(known), rng.uniform(length, low=0.5, high=1.5)
        )
        dropped = 0.28 + 0.01 * rng.size(0, 3)
        model = unwatched(answer(network, chain, (1, 2, 2), target, dropped))
        x, tokens = rng.images(BATCHES * SIZE, 1, 2), some_tokens(rng, BATCHES * SIZE, length, known)
        before = tokens.clone()
        seen = [
            loss_beside(model, network, *pair, chain, target)
            for pair in zip(x.split(SIZE), tokens.split(SIZE), strict=True)
        ]
        losses, slopes, told, calls = (torch.stack(parts) for parts in zip(*seen, strict=True))
        n, t, w = rng.size(3, 5), rng.size(3, 10), 1.5 + 0.5 * rng.size(0, 4)
        shown, wish = rng.normal(n, 1, 2, 2), some_tokens(rng, n, length, known)
        values |= {
            f"loss, {target}": unit * losses.mean(),
            f"slope of the loss, {target}": unit * slopes.mean(),
            f"captions, {target}": before.view(BATCHES, SIZE, length),
            f"captions afterwards, {target}": tokens.view(BATCHES, SIZE, length),
            f"told, {target}": told,
            f"calls, {target}": rng.uniform(1) * 0 + calls.max(),
            f"chance, {target}": rng.uniform(1) * 0 + dropped,
            f"guided, {target}": model.guided(wish, w)(shown, t).detach(),
            f"guided, w below 1, {target}": model.guided(wish.flip(0), w / 10)(shown, t).detach(),
        }
    return values


def judge_text_model(raw):
    """Any draws will do: of 400 captions the share that is dropped is right within five standard errors."""
    facts = {}
    for target in "noise", "velocity":
        told, captions = raw[f"told, {target}"], raw[f"captions, {target}"]
        words = (told[..., 1:] != text.PAD).any(2)  # (batches, images): is a word left?
        gone = ~words
        share, chance = gone.double().mean(1), raw[f"chance, {target}"]  # (batches,), (1,)
        facts |= {
            f"the network is called once for each loss, {target}": (raw[f"calls, {target}"] == 1).all(),
            f"not too few are dropped in any batch, {target}": (share - chance).min() > -0.13,
            f"not too many are dropped in any batch, {target}": (share - chance).max() < 0.13,
            f"about as many are dropped as should be, {target}": (share.mean() - chance).abs() < 0.035,
            f"about as many are dropped as should be kept, {target}": (share.mean() - 1 + chance).abs()
            < 0.035,
            f"no batch loses all captions, {target}": share.max() < 1,
            f"no batch keeps all captions, {target}": share.min() > 0,
            f"captions that are kept are right, {target}": torch.equal(told[words], captions[words]),
            f"START is the first of those that are dropped, {target}": (told[gone][:, 0] == text.START).all(),
            f"each batch takes other places, {target}": gone.double().mean(0).var() < 0.06,
            f"the captions of the batch are left as they are, {target}": torch.equal(
                raw[f"captions afterwards, {target}"], captions
            ),
        }
        names = "loss", "slope of the loss", "guided", "guided, w below 1"
        facts |= {f"{name}, {target}": raw[f"{name}, {target}"] for name in names}
    return facts


DRAWS = "torch.rand(len(x), device=x.device)"
TAKEN = "drop_captions(tokens, draws, self.dropped)"
LOSS = f"return self.told({TAKEN}).loss((x, None))"
GUIDED = "classifier_free(self.told(empty(tokens)).predict, self.told(tokens).predict, w)"


def model_with(*changes):
    return edited(text.TextDDPM, *changes)


def loss_with(tokens):
    return model_with(LOSS, f"return self.told({tokens}).loss((x, None))")


exercise(
    target=text.TextDDPM,
    title="Repair: anything but a red circle",
    probe=probe_text_model,
    judge=judge_text_model,
    blank=("loss", "guided"),
    repair="ends exchanged",
    mistakes={
        "ends exchanged": (
            model_with(GUIDED, "classifier_free(self.told(tokens).predict, self.told(empty(tokens)).predict, w)"),
            "In `guided` the two predictions have changed places: the way goes from the caption to no caption, and with w above 1 beyond that, away from what is asked "
            "for. The prediction without words comes first.",
        ),
        "guidance off": (
            model_with(GUIDED, "self.told(tokens).predict"),
            "`guided` does not guide: it gives the prediction for the captions, whatever w is.",
        ),
        "captions not asked for": (
            model_with(GUIDED, "self.told(empty(tokens)).predict"),
            "`guided` does not look at the captions: it gives the prediction without words.",
        ),
        "w of the paper": (
            model_with(GUIDED, GUIDED.replace(", w)", ", w + 1)")),
            "In `guided` your w is one too large. With w = 1 it should be the plain prediction for the captions.",
        ),
        "one less": (
            model_with(GUIDED, GUIDED.replace(", w)", ", w - 1)")),
            "In `guided` your w is one too small. With w = 1 it should be the plain prediction for the captions.",
        ),
        "away from PAD": (
            model_with(GUIDED, GUIDED.replace("empty(tokens)", "torch.full_like(tokens, PAD)")),
            "In `guided` you start from captions that are all PAD. The network was never told that in training, and real attention has nothing to look at then. `empty(tokens)` "
            "keeps START.",
        ),
        "away from START everywhere": (
            model_with(GUIDED, GUIDED.replace("empty(tokens)", "torch.full_like(tokens, START)")),
            "In `guided` you start from captions that say START at each place. An empty caption is START once, and PAD.",
        ),
        "away from another caption": (
            model_with(GUIDED, GUIDED.replace("empty(tokens)", "tokens.roll(1, 0)")),
            "In `guided` you walk away from the caption of a neighbour. It goes from no words to the caption.",
        ),
        "condition scaled": (
            model_with(GUIDED, "lambda x_t, t: w * self.told(tokens).predict(x_t, t)"),
            "In `guided` you multiply the prediction for the captions by w, and do not ask for the other one. The noise is then w times too large.",
        ),
        "never dropped": (
            loss_with("tokens"),
            "You drop no captions. The network is then never told `nothing` in training, and guidance asks it for just that.",
        ),
        "always dropped": (
            loss_with("empty(tokens)"),
            "You drop all captions, so the network never learns what they mean.",
        ),
        "the others dropped": (
            loss_with(TAKEN.replace("self.dropped", "1 - self.dropped")),
            "You keep the share that should be dropped. `dropped` is the share that is emptied.",
        ),
        "one draw for the batch": (
            model_with(DRAWS, "torch.rand(1, device=x.device)"),
            "There is one draw for the whole batch. Each caption needs a draw of its own: (N,).",
        ),
        "normal draws": (
            model_with(DRAWS, DRAWS.replace("rand(", "randn(")),
            "Your draws are normal: `randn` for `rand`. Half of them are below 0, so too many captions are dropped.",
        ),
        "always a tenth": (
            loss_with(TAKEN.replace("self.dropped", "0.1")),
            "Fewer captions are dropped than `dropped` says: hand it on as it is, `self.dropped`, neither a tenth nor a part of it.",
        ),
        "captions of others": (
            loss_with("drop_captions(tokens[torch.randperm(len(tokens), device=x.device)], draws, self.dropped)"),
            "The captions are shuffled against the images, so the network learns that they mean nothing.",
        ),
        "START dropped as well": (
            loss_with("torch.where(draws[:, None] < self.dropped, PAD, tokens)"),
            "In training a dropped caption loses its START as well, and attention has nothing left to look at. `drop_captions` keeps it.",
        ),
        "detached": (model_with(LOSS, LOSS + ".detach()"), "The loss is detached, so nothing is learned."),
        "summed": (
            model_with(LOSS, LOSS + " * len(x)"),
            "You multiply by the number of images. The loss is a mean over the batch.",
        ),
        "weighted loss": (
            model_with(LOSS, f"return (1 - self.dropped) * self.told({TAKEN}).loss((x, None))"),
            "You scale the loss by the share that is kept. It is a plain mean over all images.",
        ),
        "two losses": (
            model_with(LOSS, "return self.told(tokens).loss((x, None)) + self.told(empty(tokens)).loss((x, None))"),
            "You add two losses, one with captions and one without. That trains too, at twice the price; here each image is shown once, with its caption or without.",
        ),
    },
    accepts=[
        model_with(GUIDED, "lambda x_t, t: torch.lerp(self.told(empty(tokens)).predict(x_t, t), self.told(tokens).predict(x_t, t), w)"),
        model_with(LOSS, f"dropped = {TAKEN}\n        return self.told(dropped).loss(batch)"),
    ],
    equivalents={
        "draws = torch.rand(len(x))": "on the CPU, where answers are checked, it is the same device",
    },
    hints=[
        "The loss is right. What should `guided` give for w = 0, and what for w = 1?",
        "`classifier_free(a, b, w)` starts at a, and walks w times the way to b.",
    ],
    points=2,
    minutes=8,
)  # fmt: skip
