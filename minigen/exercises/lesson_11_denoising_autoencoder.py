"""The exercises of lesson 11: pictures spoiled on purpose, and networks that undo it."""

import math

import torch
import torch.nn.functional as F

from minigen import autoencoder, denoising
from minigen.course.catalogue import lesson
from minigen.course.source import edited

exercise = lesson("11_denoising_autoencoder")

REFUSES = "what is refused is the library's manner, and not asked for"


def probe_psnr(answer, rng):
    n, c, size = rng.size(3, 6), rng.size(2, 3), rng.size(5, 8)
    clean = rng.images(n, c, size)
    spread = rng.uniform(n, 1, 1, 1, low=0.05, high=0.9)  # some pictures are much worse than others
    other = clean + spread * rng.normal(n, c, size, size)
    return {"psnr": answer(clean, other), "of equal pictures": answer(clean, clean)}


def judge_psnr(raw):
    """No difference with infinity can be small, so whether it is infinite is what is compared."""
    return {"psnr": raw["psnr"], "infinite for equal pictures": raw["of equal pictures"] == torch.inf}


exercise(
    target=denoising.psnr,
    title="How many decibels?",
    probe=probe_psnr,
    judge=judge_psnr,
    mistakes={
        "peak of 1": (
            edited(denoising.psnr, "2**2", "1"),
            "You take 1 for the distance from black to white, as for pictures in [0, 1]. Ours go from −1 to 1, so it is 2, "
            "and your result is 6 dB too low.",
        ),
        "peak of 255": (
            edited(denoising.psnr, "2**2", "255**2"),
            "255 is the distance from black to white in bytes. Ours go from −1 to 1, so it is 2; 255 gives 42 dB too much.",
        ),
        "peak of each picture": (
            lambda clean, other: (
                10
                * torch.log10(
                    (clean.flatten(1).amax(1) - clean.flatten(1).amin(1)) ** 2
                    / (clean - other).square().flatten(1).mean(1)
                )
            ).mean(),
            "You take each picture's own brightest and darkest pixel. The peak is that of the scale, from −1 to 1: the same "
            "for all, or a pale picture would look worse than it is.",
        ),
        "power of the picture": (
            lambda clean, other: (
                10
                * torch.log10(
                    clean.square().flatten(1).mean(1) / (clean - other).square().flatten(1).mean(1)
                )
            ).mean(),
            "You divide the mean square of the clean picture by the error: that is the signal-to-noise ratio without a peak, "
            "and a grey picture, all 0, would have none. The peak is that of the scale, from −1 to 1.",
        ),
        "peak not squared": (
            edited(denoising.psnr, "2**2", "2"),
            "You divide the distance from black to white by a squared error. Square it too: numerator and "
            "denominator of a ratio need the same unit.",
        ),
        "twenty for ten": (
            edited(denoising.psnr, "10 *", "20 *"),
            "20 · log10 is for a ratio of amplitudes, as 2 over the *root* of the error. Yours is a ratio of squares: the "
            "square is counted twice.",
        ),
        "one decimal place missing": (
            edited(denoising.psnr, "10 * torch", "torch"),
            "These are bels. A decibel is the tenth of one, so there are ten times as many.",
        ),
        "natural logarithm": (
            edited(denoising.psnr, "torch.log10", "torch.log"),
            "You take the natural logarithm. Decibels count tenths of powers of ten: log10.",
        ),
        "upside down": (
            edited(denoising.psnr, "2**2 / error", "error / 2**2"),
            "Your ratio is upside down, so a better picture gets a smaller number. The peak is the numerator, the error the denominator.",
        ),
        "all pictures in one error": (
            edited(denoising.psnr, ".flatten(1).mean(1)", ".mean()"),
            "You average the error over all pictures and take the logarithm once. Then one bad picture decides for all of "
            "them. Each picture has its own decibels; average those.",
        ),
        "summed over the pixels": (
            edited(denoising.psnr, ".flatten(1).mean(1)", ".flatten(1).sum(1)"),
            "You sum the squared error over the pixels, so that a larger picture has a worse PSNR. Here it is the mean.",
        ),
        "rows instead of pictures": (
            lambda clean, other: (10 * torch.log10(4 / (clean - other).square().mean(-1))).mean(),
            "You take decibels for every row of pixels, and average those. The error of a whole picture, with all its "
            "channels, goes into one logarithm.",
        ),
        "channel by channel": (
            lambda clean, other: (10 * torch.log10(4 / (clean - other).square().mean((2, 3)))).mean(),
            "You take decibels for every channel, and average those. The error of a whole picture, with all its "
            "channels, goes into one logarithm.",
        ),
        "root taken": (
            edited(denoising.psnr, "2**2 / error", "2**2 / error.sqrt()"),
            "You divide a square by the root of the squared error. Use squares on both sides, with 10 · log10, or roots on "
            "both, with 20.",
        ),
        "root, and ten": (
            edited(denoising.psnr, "2**2 / error", "2 / error.sqrt()"),
            "You take the ratio of the roots, which is right with 20 · log10. With 10 it gives half the decibels.",
        ),
        "pixel by pixel": (
            lambda clean, other: (10 * torch.log10(4 / (clean - other).square().mean(0))).mean(),
            "You average each pixel over the batch and take decibels for every pixel. The first dimension counts pictures: "
            "average over the other three.",
        ),
        "peak found in the batch": (
            lambda clean, other: (
                10 * torch.log10((clean.max() - clean.min()) ** 2 / (clean - other).square().flatten(1).mean(1))
            ).mean(),
            "You look for the brightest and the darkest pixel of this batch. The peak is that of the scale, from −1 to 1, "
            "or the same repair would have another PSNR in another batch.",
        ),
        "worst picture": (
            edited(denoising.psnr, ").mean()", ").min()"),
            "You give the decibels of the worst picture. The mean over all of them is wanted.",
        ),
        "not squared": (
            edited(denoising.psnr, ".square()", ".abs()"),
            "You average distances, not their squares. The ratio is one of squares.",
        ),
        "limited first": (
            edited(denoising.psnr, "clean - other", "clean - other.clamp(-1, 1)"),
            "You limit `other` to [−1, 1] before you compare, which hides part of its error. The docstring takes it as it is.",
        ),
        "a small number added": (
            edited(denoising.psnr, "2**2 / error", "2**2 / (error + 1e-8)"),
            "You add a small number to avoid dividing by zero. Here the division by zero is right: equal pictures have an "
            "infinite PSNR, and torch says so.",
        ),
        "a list of decibels": (
            edited(denoising.psnr, ").mean()", ")"),
            "The right decibels, one number for each picture. Average them over the batch: one scalar is wanted.",
        ),
        "summed over the batch": (
            edited(denoising.psnr, "error)).mean()", "error)).sum()"),
            "You add up the decibels of all pictures. Their mean is wanted, which does not grow with the batch.",
        ),
    },
    accepts=[
        lambda clean, other: (20 * torch.log10(2 / (clean - other).square().mean((1, 2, 3)).sqrt())).mean(),
        lambda clean, other: (10 * (math.log10(4) - ((clean - other) ** 2).flatten(1).mean(1).log10())).mean(),
        lambda clean, other: torch.stack(
            [10 * torch.log10(4 / F.mse_loss(b, a)) for a, b in zip(clean, other, strict=True)]
        ).mean(),
    ],
    equivalents={
        "": REFUSES,
        "return (10 * torch.log10(2 * 2 / error)).mean()": "2 · 2 is 2²",
    },
    hints=[
        "Black is −1 and white is 1. How far apart are they, and what is the square of that?",
        "First one error for each picture, (N,): squared differences, averaged over channels, rows and columns.",
        "Then 10 · log10 of square over error, for each picture; and the mean of these at the very end.",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def same_damage() -> float:
    """Two things are done to a picture in [-1, 1]:
    noisy = add_noise(x, noise, 0.2) adds noise of standard deviation 0.2 to every number;
    packed = compress(x, 0.4) rounds every strength, so none of them moves by more than 0.2.
    The waves are orthonormal, so the squared error of a block is the same in strengths and in pixels.
    Then noisy has a PSNR of about P decibels, and packed has at least P. What is P?
    """
    return 10 * math.log10(2**2 / 0.2**2)


exercise(
    target=same_damage,
    title="Noise and rounding in decibels",
    mistakes={
        "peak of 1": (
            13.98,
            "That is for pictures in [0, 1]. From −1 to 1 the peak is 2, which gives 6 dB more.",
        ),
        "peak of 1, rounded": (
            14,
            "That is for pictures in [0, 1]. From −1 to 1 the peak is 2, which gives 6 dB more.",
        ),
        "peak not squared": (
            10 * math.log10(2 / 0.2**2),
            "You divide 2 by the variance 0.04. The peak is squared too: 4 / 0.04.",
        ),
        "nothing squared": (
            10,
            "You compare the peak 2 with the standard deviation 0.2. PSNR compares their squares: 4 with 0.04.",
        ),
        "the ratio itself": (
            100,
            "The ratio of the squares is 100, yes. In decibels: ten times its decimal logarithm.",
        ),
        "bels": (2, "log10(100) is 2, in bels. A decibel is a tenth of one."),
        "squared twice": (
            40,
            "20 · log10 belongs to the ratio of roots, 2 / 0.2; 10 · log10 to that of squares, 4 / 0.04. You squared, and "
            "took 20 as well.",
        ),
        "half of the noise": (
            10 * math.log10(2**2 / 0.1**2),
            "That would be right for an error of 0.1 everywhere. The noise has a standard deviation of 0.2.",
        ),
    },
    hints=[
        "The mean squared error of noise is its variance. And of rounding: if no strength moves by more than 0.2, how "
        "large can the mean of their squares be?",
        "10 · log10(peak² / error), where the peak is 2.",
    ],
    minutes=5,
)


def probe_restoration_error(answer, rng):
    n, c, size = rng.size(2, 5), rng.size(2, 3), rng.size(5, 7)
    weights = rng.normal(c, c, leaf="the network's weights")
    clean, spoiled = rng.images(n, c, size), 1.5 * rng.images(n, c, size)
    return {"error": answer(lambda y: torch.einsum("dc,nchw->ndhw", weights, y).contiguous(), clean, spoiled)}


exercise(
    target=denoising.restoration_error,
    title="Repair: a loss of almost nothing",
    probe=probe_restoration_error,
    repair="compared with what went in",
    mistakes={
        "compared with what went in": (
            edited(denoising.restoration_error, "clean - restore", "spoiled - restore"),
            "You compare the result with the spoiled picture. The network that changes nothing has a loss of 0: that is "
            "what it learns. The target is the clean picture.",
        ),
        "the clean picture goes in": (
            edited(denoising.restoration_error, "restore(spoiled)", "restore(clean)"),
            "You show the network the clean picture. It never sees a spoiled one in training, and later it is given nothing "
            "else. The spoiled picture goes in.",
        ),
        "clean and spoiled exchanged": (
            edited(denoising.restoration_error, "clean - restore(spoiled)", "spoiled - restore(clean)"),
            "The clean picture goes in and the spoiled one is the target, so the network learns to spoil. It is the other "
            "way round.",
        ),
        "the network is not asked": (
            edited(denoising.restoration_error, "restore(spoiled)", "spoiled"),
            "This is the error before anything is restored. The network is not asked, so it gets no gradient and "
            "cannot learn.",
        ),
        "added to what went in": (
            edited(denoising.restoration_error, "restore(spoiled)", "(spoiled + restore(spoiled))"),
            "You add the spoiled picture to the result. `restore` gives the restored picture itself, complete.",
        ),
        "compared with the damage": (
            edited(denoising.restoration_error, "clean - restore", "(spoiled - clean) - restore"),
            "You compare with the damage, spoiled − clean. `restore` gives the restored picture itself.",
        ),
        "mean over the pixels": (
            edited(denoising.restoration_error, ".flatten(1).sum(1).mean()", ".mean()"),
            "You average over the pixels too. The docstring sums over them and averages over the batch only.",
        ),
        "sum over the batch": (
            edited(denoising.restoration_error, ".flatten(1).sum(1).mean()", ".sum()"),
            "You sum over the batch too, so a larger batch takes larger steps. Sum over pixels, average over the batch.",
        ),
        "distances, not squared": (
            edited(denoising.restoration_error, ".square()", ".abs()"),
            "You sum distances, not their squares. The best answer for distances is a median; for squares it is the mean, "
            "which the rest of this lesson is about.",
        ),
        "limited first": (
            edited(denoising.restoration_error, "restore(spoiled)", "restore(spoiled).clamp(-1, 1)"),
            "You limit the result before you compare. Where it is limited no gradient comes back, and a pixel that is "
            "far too bright is never told so.",
        ),
        "cut off from the gradient": (
            edited(denoising.restoration_error, "restore(spoiled)", "restore(spoiled).detach()"),
            "You detach the result, so the loss cannot reach the network, and it would never learn.",
        ),
        "spoiled picture limited": (
            edited(denoising.restoration_error, "restore(spoiled)", "restore(spoiled.clamp(-1, 1))"),
            "You limit the spoiled picture before the network sees it. Noise beyond white tells the network something; and when "
            "it is used, nobody will limit it.",
        ),
        "mean and sum exchanged": (
            edited(denoising.restoration_error, ".sum(1).mean()", ".mean(1).sum()"),
            "You average over the pixels and sum over the batch. It is the other way round.",
        ),
        "mean, with the wrong target": (
            lambda restore, clean, spoiled: F.mse_loss(restore(spoiled), spoiled),
            "You compare with the spoiled picture, which the network can simply copy; and you average over the pixels, where "
            "the docstring sums.",
        ),
        "what was gained": (
            lambda restore, clean, spoiled: (
                autoencoder.reconstruction_error(clean, restore(spoiled))
                - autoencoder.reconstruction_error(clean, spoiled)
            ),
            "You subtract the error of the spoiled picture. The gradient is the same, but the number is not the error that "
            "the docstring asks for.",
        ),
        "root taken": (
            edited(denoising.restoration_error, ".sum(1).mean()", ".sum(1).sqrt().mean()"),
            "You take the root of each picture's error. The squared error has no root.",
        ),
    },
    accepts=[
        lambda restore, clean, spoiled: autoencoder.reconstruction_error(clean, restore(spoiled)),
        lambda restore, clean, spoiled: F.mse_loss(restore(spoiled), clean, reduction="sum") / len(clean),
        lambda restore, clean, spoiled: ((restore(spoiled) - clean) ** 2).sum(dim=(1, 2, 3)).mean(),
    ],
    hints=[
        "Which loss has a network that gives every picture back as it came?",
        "What goes in is what the network will see when it is used. What it is compared with is what we want.",
    ],
    points=1,
    minutes=5,
)  # fmt: skip


def probe_cut_block(answer, rng):
    n, c, h = rng.size(3, 5), rng.size(2, 3), rng.size(7, 9)
    w, size = h + rng.size(1, 3), rng.size(2, 4)
    x = rng.uniform(n, c, h, w, low=-0.9, high=1)  # no pixel is quite black
    top, left = rng.integers(n, high=h - size + 1), rng.integers(n, high=w - size + 1)
    corner = rng.integers(1, high=1)  # 0, so that a hole at the very edge is tried on every draw
    return {
        "pictures": answer(x, top, left, size),
        "hole in the first corner": answer(x[:1], corner, corner, size),
        "hole in the last corner": answer(x[:1], corner + h - size, corner + w - size, size),
    }


def cut_in_place(x, top, left, size):
    for i in range(len(x)):
        x[i, :, top[i] : top[i] + size, left[i] : left[i] + size] = -1
    return x


def cut_copies(x, top, left, size):
    y = x.clone()
    for i in range(len(x)):
        y[i, :, top[i] : top[i] + size, left[i] : left[i] + size] = -1
    return y


def cut_from_all(x, top, left, size):
    y = x.clone()
    for i in range(len(x)):
        y[:, :, top[i] : top[i] + size, left[i] : left[i] + size] = -1
    return y


def cut_first_channel(x, top, left, size):
    y = x.clone()
    y[:, 0] = denoising.cut_block(x, top, left, size)[:, 0]
    return y


def cut_with_mean(x, top, left, size):
    hole = denoising.cut_block(torch.ones_like(x), top, left, size) < 0
    return torch.where(hole, x.mean((1, 2, 3), keepdim=True), x)


def cut_exchanged(x, top, left, size):
    y = x.clone()
    for i in range(len(x)):
        y[i, :, left[i] : left[i] + size, top[i] : top[i] + size] = -1
    return y


def cut_as_slice(x, top, left, size):
    y = x.clone()
    for i in range(len(x)):
        y[i, :, top[i] : size, left[i] : size] = -1
    return y


def cut_around(first, after):
    """Takes top and left for the middle. first: where a slice begins that should begin at its argument."""

    def cut(x, top, left, size):
        y, half = x.clone(), size // 2
        for i, (t, l) in enumerate(zip(top.tolist(), left.tolist(), strict=True)):
            y[i, :, first(t - half) : t + after(size), first(l - half) : l + after(size)] = -1
        return y

    return cut


def cut_one_pixel(x, top, left, size):
    y = x.clone()
    y[torch.arange(len(x)), :, top, left] = -1
    return y


def cut_with_darkest(x, top, left, size):
    hole = denoising.cut_block(torch.ones_like(x), top, left, size) < 0
    return x.masked_fill(hole, x.min())


def cut_with_own_darkest(x, top, left, size):
    hole = denoising.cut_block(torch.ones_like(x), top, left, size) < 0
    return torch.where(hole, x.amin((1, 2, 3), keepdim=True), x)


MIDDLE = "You take `top` and `left` for the middle of the hole. They are its first row and its first column."
AROUND = {
    f"around a middle, {end}{edge}": (cut_around(first, after), MIDDLE)
    for end, after in {
        "half after it": lambda size: size // 2,
        "half and one after it": lambda size: size // 2 + 1,
        "the rest after it": lambda size: size - size // 2,
    }.items()
    for edge, first in {"": int, ", from the edge": lambda start: max(start, 0)}.items()
}


exercise(
    target=denoising.cut_block,
    title="A hole in every picture",
    probe=probe_cut_block,
    mistakes={
        "the same hole for all": (
            edited(denoising.cut_block, "(rows >= top[:, None]) & (rows < top[:, None] + size)",
                   "((rows >= top[0]) & (rows < top[0] + size))[None]",
                   "(columns >= left[:, None]) & (columns < left[:, None] + size)",
                   "((columns >= left[0]) & (columns < left[0] + size))[None]"),
            "Every picture has the hole of the first one. Then a network learns to repair one place, and nothing else. "
            "`top` and `left` have a number for each picture.",
        ),
        "all holes in all": (
            cut_from_all,
            "Every picture has the holes of all pictures. Each has one, its own.",
        ),
        "top and left exchanged": (
            cut_exchanged,
            "You count `top` from the left and `left` from the top. The first is a row, the third dimension of x; the second "
            "is a column, the last.",
        ),
        "a pixel too large": (
            edited(denoising.cut_block, "rows < top[:, None] + size", "rows <= top[:, None] + size",
                   "columns < left[:, None] + size", "columns <= left[:, None] + size"),
            "Your hole has size + 1 rows and columns. It ends before top + size and left + size.",
        ),
        "a pixel too small": (
            edited(denoising.cut_block, "rows >= top", "rows > top", "columns >= left", "columns > left"),
            "Your hole begins one row below `top` and one column after `left`. They are the first that are cut.",
        ),
        "up to size": (
            cut_as_slice,
            "You cut from `top` to `size`, as in `x[top:size]`. A slice names the first row and the row after the last: "
            "`top:top + size`.",
        ),
        "a pixel too early": (
            edited(denoising.cut_block, "< top[:, None] + size", "< top[:, None] + size - 1",
                   "< left[:, None] + size", "< left[:, None] + size - 1"),
            "Your hole has size − 1 rows and columns. The row before top + size is still cut: a slice ends *before* its second "
            "number already.",
        ),
        "twice as large": (
            edited(denoising.cut_block, "rows >= top[:, None]", "rows >= top[:, None] - size",
                   "columns >= left[:, None]", "columns >= left[:, None] - size"),
            "Your hole reaches from −size to +size around its corner. `top` and `left` are where it begins.",
        ),
        **AROUND,
        "one pixel": (
            cut_one_pixel,
            "You cut one pixel, the first of each hole. The hole has `size` rows and `size` columns.",
        ),
        "darkest for black": (
            cut_with_darkest,
            "You fill with the darkest number of the batch. Black is −1, whether or not a pixel is so dark.",
        ),
        "grey for black": (
            edited(denoising.cut_block, "(hole, -1)", "(hole, 0)"),
            "You fill with 0, which is mid-grey here: pictures go from −1, black, to 1. A multiplication by the mask does "
            "the same.",
        ),
        "white for black": (
            edited(denoising.cut_block, "(hole, -1)", "(hole, 1)"),
            "You fill with 1, which is white. Black is −1.",
        ),
        "filled with the mean": (
            cut_with_mean,
            "You fill each hole with the mean of its picture. That is a first repair, not a damage: black is wanted.",
        ),
        "own darkest for black": (
            cut_with_own_darkest,
            "You fill with the darkest number of each picture. Black is −1, whether or not a pixel is so dark.",
        ),
        "all but the hole": (
            edited(denoising.cut_block, "(hole, -1)", "(~hole, -1)"),
            "You kept the block and cut away the rest.",
        ),
        "a cross": (
            edited(denoising.cut_block, "in_rows[:, None, :, None] & in_columns", "in_rows[:, None, :, None] | in_columns"),
            "You cut whole rows *or* whole columns, which is a cross. In the hole, a pixel is in these rows *and* in these "
            "columns.",
        ),
        "whole rows": (
            edited(denoising.cut_block, "in_rows[:, None, :, None] & in_columns[:, None, None, :]", "in_rows[:, None, :, None]"),
            "You cut whole rows. The hole is limited to the left and to the right as well.",
        ),
        "whole columns": (
            edited(denoising.cut_block, "in_rows[:, None, :, None] & in_columns[:, None, None, :]", "in_columns[:, None, None, :]"),
            "You cut whole columns. The hole is limited above and below as well.",
        ),
        "one channel": (
            cut_first_channel,
            "You cut the hole into the first channel, red, and left green and blue. All channels are lost.",
        ),
        "in place": (
            cut_in_place,
            "The right holes, but in the pictures that you were given: the clean ones are gone, and there is nothing left to "
            "learn from. Make a copy.",
        ),
    },
    accepts=[
        cut_copies,
        lambda x, top, left, size: torch.where(
            ((torch.arange(x.shape[2], device=x.device)[:, None] - top[:, None, None]).clamp(0, size - 1)
             == torch.arange(x.shape[2], device=x.device)[:, None] - top[:, None, None])[:, None]
            & ((torch.arange(x.shape[3], device=x.device) - left[:, None, None]).clamp(0, size - 1)
               == torch.arange(x.shape[3], device=x.device) - left[:, None, None])[:, None],
            -torch.ones_like(x), x),
    ],
    equivalents={
        "": REFUSES,
        "rows, columns = (torch.arange(h), torch.arange(w, device=x.device))": "no change on the CPU",
        "rows, columns = (torch.arange(h, device=x.device), torch.arange(w))": "no change on the CPU",
    },
    hints=[
        "For one picture it is one assignment to a slice. A loop over the pictures is right, if slow; begin with "
        "`x.clone()`.",
        "Without a loop: `torch.arange(H)` numbers the rows. Compared with `top[:, None]`, it says for every picture which "
        "rows are in the hole: (N, H).",
        "A pixel is in the hole when its row and its column are. Give the two masks the shapes (N, 1, H, 1) and "
        "(N, 1, 1, W); `&` makes (N, 1, H, W) of them.",
    ],
    points=2,
    minutes=15,
)  # fmt: skip


def probe_lower_resolution(answer, rng):
    n, c = rng.size(2, 4), rng.size(2, 3)
    h, w = 6 * rng.size(1, 2), 6 * rng.size(2, 3)
    x = rng.uniform(n, c, h, w, low=-1, high=1)
    return {"half the size": answer(x, 2), "a third of the size": answer(x, 3)}


def lower_by_strides(x, factor):
    return sum(x[:, :, i::factor, j::factor] for i in range(factor) for j in range(factor)) / factor**2


def lower_by_far_pixels(x, factor):
    n, c, h, w = x.shape
    return x.reshape(n, c, factor, h // factor, factor, w // factor).mean((2, 4))


def lower_by_reshape(x, factor):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // factor, w // factor, factor * factor).mean(-1)


exercise(
    target=denoising.lower_resolution,
    title="Fewer pixels",
    probe=probe_lower_resolution,
    mistakes={
        "every second pixel": (
            lambda x, factor: x[:, :, ::factor, ::factor],
            "You keep one pixel of each square and throw the others away. A thin line may then vanish, or a jagged edge appear: "
            "this is aliasing. Average all of them.",
        ),
        "brightest pixel": (
            lambda x, factor: F.max_pool2d(x, factor),
            "You keep the brightest pixel of each square, so bright shapes grow. Average them.",
        ),
        "summed": (
            edited(denoising.lower_resolution, ".mean((3, 5))", ".sum((3, 5))"),
            "You add up the pixels of each square, which leaves [−1, 1]. Their average is wanted.",
        ),
        "divided once": (
            edited(denoising.lower_resolution, ".mean((3, 5))", ".sum((3, 5)) / factor"),
            "You divide the sum by the factor. A square has factor × factor pixels.",
        ),
        "pixels from far apart": (
            lower_by_far_pixels,
            "You split each side into `factor` long parts and average across them: pixels from different ends of the picture. "
            "In memory the pixels of one square come last: split a side into (side / factor, factor).",
        ),
        "squares in the wrong order": (
            lower_by_reshape,
            "You average pixels that follow each other in memory: strips of one row, not squares. Height and width must be "
            "split apart separately.",
        ),
        "two pixels of each three": (
            lambda x, factor: F.interpolate(x, scale_factor=1 / factor, mode="bilinear"),
            "`interpolate` with bilinear weights looks at the nearest 2×2 pixels only, whatever the factor: right for 2, but "
            "at 3 it picks the middle pixel alone. All the pixels of a square belong in the average.",
        ),
        "the first four": (
            lambda x, factor: sum(x[:, :, i::factor, j::factor] for i in (0, 1) for j in (0, 1)) / 4,
            "You average the first 2×2 pixels of each square, whatever the factor: right for 2 only. A square has "
            "factor × factor pixels.",
        ),
        "squares of three": (
            lambda x, factor: F.avg_pool2d(x, 3, stride=factor, padding=1),
            "Your squares have 3×3 pixels, whatever the factor, and overlap when it is 2. Each square has factor × factor pixels, "
            "and no edge is added around the picture.",
        ),
        "squares of three, no edge": (
            lambda x, factor: F.avg_pool2d(x, 3, stride=factor),
            "Your squares have 3×3 pixels, whatever the factor, and overlap when it is 2. Each square has factor × factor pixels.",
        ),
        "bicubic": (
            lambda x, factor: F.interpolate(x, scale_factor=1 / factor, mode="bicubic"),
            "Bicubic weights reach beyond the square, and some of them are negative. The plain average of the square is wanted.",
        ),
        "bilinear, smoothed": (
            lambda x, factor: F.interpolate(x, scale_factor=1 / factor, mode="bilinear", antialias=True),
            "With `antialias=True`, bilinear weights form a tent that reaches into the neighbouring squares. All pixels of the "
            "square count the same here, and those outside count nothing.",
        ),
        "only the rows": (
            lambda x, factor: x.unflatten(2, (-1, factor)).mean(3),
            "You average over rows only: the pictures are as wide as before.",
        ),
        "only the columns": (
            lambda x, factor: x.unflatten(3, (-1, factor)).mean(4),
            "You average over columns only: the pictures are as high as before.",
        ),
        "as large as before": (
            lambda x, factor: F.interpolate(F.avg_pool2d(x, factor), scale_factor=factor),
            "The right averages, but repeated up to the old size. Small pictures are wanted.",
        ),
        "channels averaged too": (
            edited(denoising.lower_resolution, ".mean((3, 5))", ".mean((1, 3, 5)).unsqueeze(1)"),
            "You average over the channels too, so the colours are gone.",
        ),
        "overlapping squares": (
            lambda x, factor: F.avg_pool2d(x, factor, stride=1),
            "Your squares overlap, one for every pixel: that blurs the picture and leaves its size. Step on by `factor`.",
        ),
    },
    accepts=[
        lambda x, factor: F.avg_pool2d(x, factor),
        lambda x, factor: F.interpolate(x, scale_factor=1 / factor, mode="area"),
        lower_by_strides,
    ],
    equivalents={
        "": REFUSES,
    },
    hints=[
        "Split the height into (H / factor, factor) and the width into (W / factor, factor): `unflatten` or `reshape`.",
        "Now there are six dimensions, and two of them run inside a square. Which?",
    ],
    points=2,
    minutes=10,
)  # fmt: skip


def probe_grey(answer, rng):
    n, h = rng.size(2, 5), rng.size(4, 6)
    return {"grey": answer(rng.uniform(n, 3, h, h + rng.size(1, 3), low=-1, high=1))}


exercise(
    target=denoising.grey,
    title="Grey for colour",
    probe=probe_grey,
    mistakes={
        "plain mean": (
            lambda x: x.mean(1, keepdim=True),
            "You weigh the three channels equally. Green looks much brighter to the eye than blue of the same strength; the "
            "weights in `LUMA` say how much.",
        ),
        "blue, green, red": (
            lambda x: (x * x.new_tensor(denoising.LUMA).flip(0)[:, None, None]).sum(1, keepdim=True),
            "Your weights are in the order of blue, green and red, as OpenCV keeps its channels. Ours are red, green and blue.",
        ),
        "weights of another standard": (
            lambda x: (x * x.new_tensor((0.2126, 0.7152, 0.0722))[:, None, None]).sum(1, keepdim=True),
            "These are the weights of BT.709, for high-definition television. The docstring asks for those of BT.601.",
        ),
        "rounded weights": (
            lambda x: (x * x.new_tensor((0.3, 0.59, 0.11))[:, None, None]).sum(1, keepdim=True),
            "You rounded the weights to two digits: 0.3, 0.59 and 0.11. They are 0.299, 0.587 and 0.114.",
        ),
        "divided by three": (
            lambda x: (x * x.new_tensor(denoising.LUMA)[:, None, None]).mean(1, keepdim=True),
            "You average the weighted channels, which divides by 3 once more. The weights add up to 1 already: sum.",
        ),
        "one channel": (
            lambda x: x[:, 1:2],
            "You keep the green channel alone. Red and blue have their shares.",
        ),
        "brightest channel": (
            lambda x: x.amax(1, keepdim=True),
            "You keep the brightest of the three channels: pure blue would come out as white. Weigh them with `LUMA`.",
        ),
        "middle of the extremes": (
            lambda x: (x.amax(1, keepdim=True) + x.amin(1, keepdim=True)) / 2,
            "You take the middle between the brightest and the darkest channel, which the HSL scale calls lightness. It "
            "takes blue to be as bright as green.",
        ),
        "length of the colour": (
            lambda x: (x.square() * x.new_tensor(denoising.LUMA)[:, None, None]).sum(1, keepdim=True).sqrt(),
            "You take a root of weighted squares: black, −1, comes out as white. It is a plain weighted sum.",
        ),
        "from 0 to 1": (
            lambda x: ((x + 1) / 2 * x.new_tensor(denoising.LUMA)[:, None, None]).sum(1, keepdim=True),
            "Your grey goes from 0 to 1. In this course pictures stay in [−1, 1], and black is −1.",
        ),
        "channel lost": (
            edited(denoising.grey, ".sum(1, keepdim=True)", ".sum(1)"),
            "The right greys, without a dimension for the channel: (N, H, W). Keep it, so that it is still a batch of images.",
        ),
        "three times": (
            edited(denoising.grey, "keepdim=True)", "keepdim=True).expand_as(x)"),
            "The right greys, three times. One channel is wanted.",
        ),
        "weights by column": (
            lambda x: (x[..., :3] * x.new_tensor(denoising.LUMA)).sum(-1, keepdim=True)[:, :1],
            "Your weights stand along the last dimension, the columns of the picture. Give them the shape (3, 1, 1), so that "
            "they stand along the channels.",
        ),
    },
    accepts=[
        lambda x: 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:],
        lambda x: torch.einsum("nchw,c->nhw", x, x.new_tensor(denoising.LUMA)).unsqueeze(1),
        lambda x: F.conv2d(x, x.new_tensor(denoising.LUMA).view(1, 3, 1, 1)),
    ],
    equivalents={"": REFUSES},
    hints=[
        "A weighted sum over dimension 1. `x.new_tensor(LUMA)` makes a tensor of the weights, on the device of x.",
        "Weights of shape (3, 1, 1) multiply all the pixels of their channel; `keepdim=True` keeps the channel dimension.",
    ],
    points=1,
    minutes=5,
)  # fmt: skip


def probe_watermark(answer, rng):
    n, c, h = rng.size(2, 4), rng.size(1, 3), rng.size(4, 6)
    w = h + rng.size(1, 3)
    x = rng.uniform(n, c, h, w, low=-1, high=0.9)  # no pixel is quite white
    strength = rng.size(6, 9) / 10
    wide = (rng.uniform(k, 1, h, w, low=-0.5, high=1.5) for k in (n, 1))
    each, one = (mark.clamp(0, 1) for mark in wide)  # many are exactly 0 or 1
    return {
        "a mark for each picture": answer(x, each, strength),
        "one mark for all": answer(x, one, strength),
    }


exercise(
    target=denoising.watermark,
    title="A white mark over everything",
    probe=probe_watermark,
    mistakes={
        "only added": (
            edited(denoising.watermark, "(1 - opacity) * x", "x"),
            "You add the mark to the picture, so a bright pixel goes beyond white. What the mark covers is lost in the "
            "same measure: where it covers all at strength 1, nothing of x is left.",
        ),
        "added and cut off": (
            lambda x, mark, strength: (x + strength * mark).clamp(-1, 1),
            "You add the mark and cut off what is brighter than white. Then a black pixel stays dark at strength 1: "
            "it should be white. The picture has to give way in the measure in which the mark comes.",
        ),
        "towards grey": (
            edited(denoising.watermark, "(1 - opacity) * x + opacity", "(1 - opacity) * x"),
            "Your mark draws pixels towards 0, which is mid-grey here. White is 1.",
        ),
        "towards black": (
            edited(denoising.watermark, "* x + opacity", "* x - opacity"),
            "Your mark is black: it draws pixels towards −1. White is 1.",
        ),
        "the two exchanged": (
            edited(denoising.watermark, "(1 - opacity) * x + opacity", "opacity * x + 1 - opacity"),
            "You keep the picture where the mark is, and paint the rest white. It is the other way round.",
        ),
        "transparency for strength": (
            edited(denoising.watermark, "strength * mark", "(1 - strength) * mark"),
            "You take `strength` for how much of the picture is *left*. At strength 0 the mark should not be seen.",
        ),
        "strength forgotten": (
            edited(denoising.watermark, "strength * mark", "mark"),
            "Your mark covers all that is under it, at whatever strength. The picture shines through in the measure of "
            "1 − strength.",
        ),
        "strength everywhere": (
            lambda x, mark, strength: (1 - strength) * x + strength * mark,
            "You fade the whole picture, also where there is no mark. Where the mark covers nothing, x must stay as it is: "
            "multiply strength and mark first.",
        ),
        "mark as a picture": (
            edited(denoising.watermark, "* x + opacity", "* x + opacity * (2 * mark - 1)"),
            "You paint with the brightness of the mark. It is no picture: it says how much of a pixel is covered, and what "
            "covers it is white everywhere.",
        ),
        "strength for white only": (
            edited(denoising.watermark, "(1 - opacity) * x", "(1 - mark) * x"),
            "You take all of the picture away under the mark, whatever the strength, and put only a part of white there. What "
            "you take and what you add must be the same share.",
        ),
        "strength for the picture only": (
            edited(denoising.watermark, "* x + opacity", "* x + mark"),
            "You take away the share strength · mark of the picture, and add the share mark of white: more than you took. Both "
            "are the same share.",
        ),
        "white, or as before": (
            lambda x, mark, strength: torch.where(mark > 0, torch.ones_like(x), x),
            "You paint everything white that the mark touches. The picture shines through: in the measure of 1 − strength, and "
            "more where the mark covers a pixel only in part.",
        ),
        "all that is touched": (
            edited(denoising.watermark, "strength * mark", "strength * (mark > 0).to(x)"),
            "You cover wholly whatever the mark touches. `mark` says how much of a pixel is covered, from 0 to 1; edges are "
            "soft.",
        ),
        "white of bytes": (
            edited(denoising.watermark, "* x + opacity", "* x + 255 * opacity"),
            "You take 255 for white, as in bytes. In this course white is 1.",
        ),
        "brightest for white": (
            lambda x, mark, strength: (1 - strength * mark) * x + strength * mark * x.max(),
            "You paint with the brightest number of the batch. White is 1, whether or not a pixel is so bright.",
        ),
        "half the way": (
            lambda x, mark, strength: x + strength * mark * (1 - x) / 2,
            "You go only half as far towards white. From x to white it is 1 − x; no factor is missing because the scale is 2 long.",
        ),
        "mark twice": (
            edited(denoising.watermark, "* x + opacity", "* x + opacity * mark"),
            "What you take from the picture and what you put there are not the same share: you multiply by the mark twice.",
        ),
        "brighter of the two": (
            lambda x, mark, strength: torch.maximum(x, strength * mark + 0 * x),
            "You keep the brighter of picture and mark. A mark that one can see through mixes the two.",
        ),
        "from 0 to 1": (
            lambda x, mark, strength: (x + 1) / 2 * (1 - strength * mark) + strength * mark,
            "Your pictures go from 0 to 1. You mixed on that scale, and did not come back to [−1, 1].",
        ),
        "all or nothing": (
            edited(denoising.watermark, "strength * mark", "strength * (mark > 0.5).to(x)"),
            "You cover a pixel wholly or not at all. `mark` says how much of it is covered; edges are soft.",
        ),
    },
    accepts=[
        lambda x, mark, strength: x + strength * mark * (1 - x),
        lambda x, mark, strength: torch.lerp(x, torch.ones_like(x), strength * mark),
        lambda x, mark, strength: 2 * ((x + 1) / 2 * (1 - strength * mark) + strength * mark) - 1,
        lambda x, mark, strength: 1 - (1 - x) * (1 - strength * mark),
    ],
    equivalents={"": REFUSES},
    hints=[
        "Take one pixel. Where strength · mark is 0, it stays; where it is 1, it is white; where it is 0.5, halfway between.",
        "Halfway between x and 1: what is the share of x, and what is the share of white?",
    ],
    points=1,
    minutes=10,
)  # fmt: skip


def probe_tweedie(answer, rng):
    n, d, c, size = rng.size(3, 6), rng.size(2, 4), rng.size(1, 3), rng.size(4, 6)
    small, large = rng.size(2, 7) / 10, rng.size(13, 17) / 10
    return {
        "points": answer(rng.normal(n, d), rng.normal(n, d), small),
        "pictures": answer(rng.normal(n, c, size, size), rng.normal(n, c, size, size), large),
    }


exercise(
    target=denoising.tweedie,
    title="From the score to the clean picture",
    probe=probe_tweedie,
    mistakes={
        "std not squared": (
            edited(denoising.tweedie, "std**2", "std"),
            "You multiply the score by std. A score is a slope: *one over* a length. Times a length it is a pure number, which "
            "cannot be added to a point: it takes a length squared.",
        ),
        "downhill": (
            edited(denoising.tweedie, "x_noisy + std", "x_noisy - std"),
            "You go down the slope, away from the data. The score points to where noisy data is denser.",
        ),
        "the score for the noise": (
            edited(denoising.tweedie, "x_noisy + std**2 * score", "x_noisy - std * score"),
            "You subtract std times the score, as if the score were the noise ε. It points the other way, and it "
            "is the noise divided by std.",
        ),
        "the score alone": (
            edited(denoising.tweedie, "x_noisy + std**2 * score", "x_noisy + score"),
            "You add the score as it is, whatever the noise. With hardly any noise the clean point must be the noisy one, "
            "however steep the slope.",
        ),
        "divided": (
            edited(denoising.tweedie, "std**2 * score", "score / std**2"),
            "You divide by std². In the derivation std² stands below on the *other* side: solve for the mean of x.",
        ),
        "divided by std": (
            edited(denoising.tweedie, "std**2 * score", "score / std"),
            "You divide by std. In the derivation std² stands below on the *other* side: solve for the mean of x.",
        ),
        "only the step": (
            edited(denoising.tweedie, "x_noisy + std**2 * score", "std**2 * score"),
            "That is the step from the noisy point to the clean one, not the clean point itself. Add the noisy point.",
        ),
        "half the step": (
            edited(denoising.tweedie, "std**2 * score", "std**2 * score / 2"),
            "Half the step: that is the drift of Langevin dynamics, which walks in many steps with fresh noise. To the mean "
            "it is the whole step at once.",
        ),
        "twice the step": (
            edited(denoising.tweedie, "std**2 * score", "2 * std**2 * score"),
            "Your step is twice too long: it lands as far behind the mean as it began before it.",
        ),
        "std four times": (
            edited(denoising.tweedie, "std**2", "std**4"),
            "You multiply by std⁴: squared once too often. Maybe you took std for a variance already squared?",
        ),
        "root of std": (
            edited(denoising.tweedie, "std**2", "std**0.5"),
            "You take std for a variance of a variance: its root. It is squared, not rooted.",
        ),
        "the noise": (
            edited(denoising.tweedie, "x_noisy + std**2 * score", "-std * score"),
            "That is the noise that must have been added, in units of std. The clean point is what is left without it.",
        ),
        "shrunk by the variance": (
            lambda x_noisy, score, std: (x_noisy + std**2 * score) / (1 + std**2),
            "You divide by 1 + std², as in the best guess for data from N(0, 1). The score knows already how clean data is "
            "distributed; nothing is divided.",
        ),
        "limited": (
            lambda x_noisy, score, std: (x_noisy + std**2 * score).clamp(-1, 1),
            "You limit the result to [−1, 1]. The formula holds for any data, not for pictures alone: give the mean as it is.",
        ),
        "the point for the step": (
            lambda x_noisy, score, std: (score - x_noisy) / std**2,
            "You put the score in the place of the denoised point: (x̂ − y) / std² gives a *score*. Solve that equation for x̂.",
        ),
        "shrunk as well": (
            edited(denoising.tweedie, "x_noisy + std**2 * score", "(x_noisy + std**2 * score) / (1 + std**2)**0.5"),
            "You divide by √(1 + std²), as if noising had scaled the data down. Here noise is only added.",
        ),
    },
    accepts=[
        lambda x_noisy, score, std: torch.add(x_noisy, score, alpha=std**2),
        lambda x_noisy, score, std: x_noisy - std * (-std * score),
        lambda x_noisy, score, std: (x_noisy / std**2 + score) * std**2,
    ],
    hints=[
        "Divide the last line by the density of y. What is ∇p / p? And p(x) N(y; x, std²) / p(y), by Bayes' rule?",
        "On the right there is now the mean of (x − y) / std² over all clean x, given y.",
        "y is given, so the mean of x − y is the mean of x, minus y. Solve for the mean of x.",
    ],
    points=2,
    minutes=15,
)  # fmt: skip
