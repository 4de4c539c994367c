# %% [markdown]
# # 11 · Denoising autoencoders
#
# **Which digits are these?** Look at the pictures below before you read on. You can read quite a few of them, though most
# of their pixels are wrong. You know what digits look like, and so you know what must have been there. Can a network learn that?
#
# In this lesson you spoil pictures on purpose, in six ways, and train networks to undo it: noise, holes, too few pixels, a
# watermark, a lossy file, missing colours. You compare the networks with what has not learned: the best matrix, simple
# fillings, or at least the damaged picture itself. At the end stands a surprise: a network that removes noise knows something
# about *all* pictures, and everything in part 5 of this course, diffusion models, is built on it.
#
# About 2 hours · 8 exercises · needs: lessons 01 and 10; convolutions; logarithms.

# %%
import inspect
import math
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minigen import show
from minigen.core import Generative, budget, check_images
from minigen.course import check, hint, measured, progress, solution
from minigen.data import GaussianMixture, batches, digits, mask, moons, random_factors, shapes
from minigen.denoising import LUMA, check_mark
from minigen.train import train

# %%
x, labels = digits("train")  # (1438, 1, 8, 8) in [-1, 1]
x_test, labels_test = digits("test")  # (359, 1, 8, 8)
std = 0.5  # of the noise
noise = torch.randn(x_test.shape, generator=torch.Generator().manual_seed(0))
noisy = x_test + std * noise
show.grid(noisy[:20].clamp(-1, 1), title="Which digits are these?")

# %%
show.rows(
    {"shown above": noisy[:10].clamp(-1, 1), "really": x_test[:10]}, title="Noise, and what was under it"
)

# %% [markdown]
# ## 1 · How bad is it?
#
# We made the noise ourselves: to each number of each picture we added an independent draw from $N(0, \sigma^2)$, with
# $\sigma$ = 0.5. In symbols, $y = x + \sigma\,\varepsilon$ with $\varepsilon \sim N(0, I)$, where $x$ is the clean picture
# and $y$ the noisy one. The library has it as `add_noise(x, noise, std)`.
#
# To compare damages and repairs, we need one number that people who work with pictures agree on. It is the **peak
# signal-to-noise ratio**, PSNR. "Peak" is the largest difference that two pixels can have, from black to white; in this
# course that is 2, since pictures go from −1 to 1. "Noise" is whatever is wrong with the picture: its mean squared error.
# Both as squares, one divided by the other; and because such ratios go from 1 to millions, one takes the logarithm and
# speaks of **decibels** (dB): a ratio of 10 is 10 dB, a ratio of 100 is 20 dB, a ratio of 1,000 is 30 dB.
#
# More is better. Three decibels more mean half the squared error. Above some 40 dB, people hardly see a difference.
#
# **Your turn.** Two batches of pictures go in. Each *picture* has its own PSNR, and their mean comes out.
# (Where a docstring says "Raises ValueError", that is the library's manner. Your answers need not refuse anything; if you
# want them to, use `check_images` and `check_mark`.)

# %% exercise
from minigen.denoising import psnr

# %%
psnr = check("psnr", psnr)

# %%
from minigen.denoising import add_noise

for strength in (0.05, 0.1, 0.2, 0.5, 1.0):
    print(f"noise of {strength:<4}: {psnr(x_test, add_noise(x_test, noise, strength)):.1f} dB")

# %% [markdown]
# Twice the noise costs 6 dB, whatever the pictures are.
#
# Here is a second damage, one that you cause whenever you save a photograph. JPEG cuts a picture into squares of 8×8 pixels
# and writes each square as a sum of 64 fixed patterns, waves of every width in both directions. The 64 **strengths** of
# these patterns say exactly as much as the 64 pixels did. Then comes the loss: each strength is rounded to a multiple of
# some `step`. The coarser the step, the more of them become 0, and zeros take hardly any room.

# %%
from minigen.denoising import compress, dct

waves = dct(8).float()  # (8, 8): a wave in each row
patterns = torch.einsum("ka,lb->klab", waves, waves).view(64, 1, 8, 8)
show.grid(4 * patterns.clamp(-0.25, 0.25), columns=8, title="The 64 patterns of JPEG")

# %%
for step in (0.4, 1.0, 2.0):
    strengths = torch.einsum("ka,ncab,lb->nckl", waves, x_test, waves)
    zeros = ((strengths / step).round() == 0).double().mean()
    print(f"step {step}: {100 * zeros:.0f} % of the strengths are zero")
show.rows(
    {
        "clean": x_test[:10],
        **{f"step {step}": compress(x_test[:10], step).clamp(-1, 1) for step in (0.4, 1.0, 2.0, 4.0)},
    },
    title="Digits after a lossy file",
)

# %% [markdown]
# How do the two damages compare? You can say it before you measure.

# %% exercise
from minigen.exercises.lesson_11_denoising_autoencoder import same_damage

# %%
same_damage = check("same_damage", same_damage)

# %%
print(f"noise of 0.2: {psnr(x_test, add_noise(x_test, noise, 0.2)):.2f} dB")
print(f"step of 0.4:  {psnr(x_test, compress(x_test, 0.4)):.2f} dB")

# %% [markdown]
# Rounding is kinder: an error that lies anywhere between −0.2 and 0.2 has a smaller square, in the mean, than the largest.
#
# ## 2 · The best that a matrix can do
#
# Let us first see how far one gets without a network. Lesson 10 has a first answer: noise goes in all 64
# directions alike, digits mostly lie along a few. So project a noisy digit onto the first $k$ principal axes, and the noise
# in all the other directions is gone.

# %%
from minigen.autoencoder import pca, project, reconstruct

centre, axes = pca(x.flatten(1), 64)
flat = noisy.flatten(1)
by_axes = {
    k: reconstruct(project(flat, centre, axes[:k]), centre, axes[:k]).view_as(x_test) for k in range(1, 65)
}
pca_psnr = {k: float(psnr(x_test, y)) for k, y in by_axes.items()}
best_k = max(pca_psnr, key=pca_psnr.get)
show.curves(
    {
        "k principal axes": pca_psnr,
        "noisy, as it is": dict.fromkeys(pca_psnr, float(psnr(x_test, noisy))),
    },
    xlabel="k",
    ylabel="PSNR on test digits, dB",
    title=f"Few axes lose the digit, many keep the noise: best is k = {best_k}",
)

# %% [markdown]
# (We chose $k$ on the test digits themselves, which flatters this method a little.)
#
# Keeping a direction or not is a hard choice. It is better to keep *some* of it: much where digits vary more than the noise,
# little where they vary less. Let digits have the mean $\mu$ and the covariance $\Sigma$ (lesson 01 computed both). Of all
# maps that multiply by a matrix and add an offset, the one with the smallest expected squared error is the **Wiener filter**
#
# $$ \hat x = \mu + \Sigma\,(\Sigma + \sigma^2 I)^{-1} (y - \mu) . $$
#
# Read it along one principal axis, where digits have the variance $\lambda$: the filter keeps the share
# $\lambda / (\lambda + \sigma^2)$. The code is the formula; it has one row for each picture, so the matrices stand on the
# other side.

# %%
from minigen.denoising import linear_denoiser
from minigen.density import fit_gaussian

print(inspect.getsource(linear_denoiser))

# %%
mean, covariance = fit_gaussian(x.flatten(1).double())
linear = linear_denoiser(noisy.flatten(1).double(), mean, covariance, std).view_as(x_test).float()
show.rows(
    {
        "noisy": noisy[:10].clamp(-1, 1),
        f"PCA, {best_k}": by_axes[best_k][:10].clamp(-1, 1),
        "best linear": linear[:10].clamp(-1, 1),
        "clean": x_test[:10],
    },
    title="Test digits, denoised without a network",
)

# %% [markdown]
# This is the best that a matrix can do, and it is not bad. A network has to beat it, or it is not worth its time.
#
# ## 3 · A network that repairs
#
# A **denoising autoencoder** is trained with pairs: take a clean picture, spoil it, show the network the spoiled one, and
# compare what it says with the clean one (Vincent et al., 2008). Clean pictures are all that it needs. The damage is made
# fresh for every batch, so that no pair ever comes twice, and nobody has to label anything.
#
# **Your turn.** The loss below runs, and with it the training error falls to almost nothing in a few hundred steps. Sounds
# good? Find out what is wrong with it.

# %% exercise
from minigen.denoising import restoration_error

# %%
restoration_error = check("restoration_error", restoration_error)

# %% [markdown]
# The network is a small **hourglass**: it sees the picture at full, at half and at quarter size, so that one number can know
# about the whole picture; and at each size there is a way *around* the narrower part, so that no detail has to pass through
# it. (With a few more parts it will be the U-Net of lesson 51.) `Restorer` adds the network's output to its input: it only
# has to learn what to *change*. Its `loss` is the function that you have just repaired.

# %%
from minigen.denoising import Restorer, hourglass

print(inspect.getsource(Restorer))

# %% [markdown]
# Lesson 10 needed a narrow code: without it, an autoencoder copies its input and has learned nothing. Here nothing is
# narrow. Copying does not help, because the input is not the answer.


# %%
Pairs = Callable[[torch.Generator], tuple[Tensor, Tensor]]  # draws clean pictures, and the same ones spoiled


def spoil_batches(clean: Tensor, spoil: Callable[[Tensor, torch.Generator], Tensor]) -> Pairs:
    """Batches of 64, each spoiled afresh."""
    draw = batches(clean, size=64)

    def pairs(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        pictures, _ = draw(generator)
        return pictures, spoil(pictures, generator)

    return pairs


def learn(pairs: Pairs, network: nn.Module, steps: int) -> tuple[Restorer, dict[int, float]]:
    """A trained Restorer, and its training error every ten steps."""
    network.to(memory_format=torch.channels_last)  # another order in memory: the same sums, sooner
    errors = {}
    for step, losses, averaged in train(Restorer(network), pairs, steps, lr=5e-3, decay=0.995):
        if step % 10 == 0:
            errors[step] = losses["loss"]
    return averaged.cpu(), errors


# %%
def with_noise(pictures: Tensor, generator: torch.Generator) -> Tensor:
    return add_noise(pictures, torch.randn(pictures.shape, generator=generator), std)


noisy_digits = spoil_batches(x, with_noise)
torch.manual_seed(0)
denoiser, errors = learn(noisy_digits, hourglass(1, 1), steps=budget(10, 1200, 6000))

# %% [markdown]
# And now the same with the mistake, made on purpose: the noisy picture is also what we compare with. It happens easily, for
# instance when the loss reads a variable `x` to which noise has been added three lines above. A quarter of the steps is
# plenty, as you will see.


# %%
def mistaken(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    _, spoiled = noisy_digits(generator)
    return spoiled, spoiled


torch.manual_seed(0)
copier, copier_errors = learn(mistaken, hourglass(1, 1), steps=budget(10, 300, 300))
show.curves(
    {"compared with the clean picture": errors, "compared with the noisy one": copier_errors},
    ylabel="training error",
    title="The lower curve has learned nothing",
    log=True,
)

# %%
with torch.no_grad():
    restored, copied = denoiser(noisy), copier(noisy)
show.rows(
    {
        "noisy": noisy[:10].clamp(-1, 1),
        "the mistake": copied[:10].clamp(-1, 1),
        "best linear": linear[:10].clamp(-1, 1),
        "network": restored[:10].clamp(-1, 1),
        "clean": x_test[:10],
    },
    title="Test digits, noisy and restored",
)

# %%
noisy_psnr, linear_psnr, denoised_psnr = (float(psnr(x_test, y)) for y in (noisy, linear, restored))
show.bars(
    {
        "noisy": noisy_psnr,
        "the mistake": float(psnr(x_test, copied)),
        f"PCA, {best_k}": pca_psnr[best_k],
        "best linear": linear_psnr,
        "network": denoised_psnr,
    },
    ylabel="PSNR on test digits, dB",
    title="Denoising",
)

# %%
measured("denoising: PSNR above the noisy digits, dB", denoised_psnr - noisy_psnr, at_least=3)
measured(
    "denoising: PSNR above the principal axes of lesson 10, dB", denoised_psnr - pca_psnr[best_k], at_least=2
)
measured("denoising: PSNR above the best linear denoiser, dB", denoised_psnr - linear_psnr, at_least=1)
error, linear_error = (float((x_test - y).square().flatten(1).sum(1).mean()) for y in (restored, linear))
measured("denoising: squared error / that of the best linear denoiser", error / linear_error, at_most=0.8)
print(f"the mistake: PSNR above the noisy digits {float(psnr(x_test, copied)) - noisy_psnr:.2f} dB")

# %% [markdown]
# The network with the right target beats every matrix, on digits that it has never seen. Its training error does not come
# near 0, and never will: what the noise has buried is gone, and no network can know it. A training error that goes to 0 is
# not a triumph here but an alarm.
#
# ## 4 · Five more ways to spoil a picture
#
# Nothing in this recipe was about noise. Whatever you can do *to* a picture, a network can learn to undo, as far as
# that is possible. From here on we use the shapes of lesson 00, in colour, at 16×16: 4,000 to learn from, and 500 others
# to be judged by.

# %%
steps = budget(10, 800, 6000)
longer, longest = steps * 3 // 2, steps * 3  # watermarks are harder, and holes are hardest
pictures = shapes(4000, 16, seed=0)[0]
held_out = shapes(500, 16, seed=1)[0]  # (500, 3, 16, 16)
later = torch.Generator().manual_seed(5)  # draws the damage to the held-out pictures
show.grid(pictures[:20], title="Shapes to learn from")

# %% [markdown]
# ### A hole
#
# A block of 6×6 pixels is lost, in each picture somewhere else. Filling it again is called **inpainting**.
#
# **Your turn.** What goes in: pictures (N, C, H, W), and for each of them the row and the column where its hole begins, two
# tensors (N,). What comes out: new pictures with the holes in black. This one is an exercise in indexing: a loop over the
# pictures is right, and there is a way without.

# %% exercise
from minigen.denoising import cut_block

# %%
cut_block = check("cut_block", cut_block)

# %%
BLOCK_SIZE = 6


def with_hole(pictures: Tensor, generator: torch.Generator) -> Tensor:
    top, left = torch.randint(1, 10, (2, len(pictures)), generator=generator)
    return cut_block(pictures, top, left, BLOCK_SIZE)


torch.manual_seed(0)
inpainter, _ = learn(spoil_batches(pictures, with_hole), hourglass(3, 3), longest)

# %% [markdown]
# The rest of a picture is known, so only the pixels of the hole are taken from the network. We compare with two fillings
# that need no network: the mean of all training pictures at the same place, and the mean colour of what is left of the same
# picture.

# %%
holed = with_hole(held_out, later.manual_seed(5))
hole = with_hole(torch.ones_like(held_out), later.manual_seed(5)) < 0  # the same places again
left_over = (held_out * ~hole).sum((2, 3), keepdim=True) / (~hole).sum((2, 3), keepdim=True)
with torch.no_grad():
    fillings = {
        "mean picture": pictures.mean(0).expand_as(held_out),
        "own mean": left_over.expand_as(held_out),
        "network": inpainter(holed),
    }
filled = {name: torch.where(hole, filling, held_out) for name, filling in fillings.items()}
show.rows(
    {
        "hole": holed[:10],
        **{name: y[:10].clamp(-1, 1) for name, y in filled.items()},
        "clean": held_out[:10],
    },
    title="Inpainting held-out shapes",
)

# %%
hole_error = {name: float((y - held_out).square()[hole].mean()) for name, y in filled.items()}
for name, y in filled.items():
    print(
        f"{name}: PSNR {psnr(held_out, y):.1f} dB, squared error of a number in the hole {hole_error[name]:.3f}"
    )
measured(
    "inpainting: squared error in the hole / that of the mean picture",
    hole_error["network"] / hole_error["mean picture"],
    at_most=0.35,
)
measured(
    "inpainting: squared error in the hole / that of the picture's own mean",
    hole_error["network"] / hole_error["own mean"],
    at_most=0.8,
)

# %% [markdown]
# Plain ground goes on, and so, softly, does a shape that is half there, as in the second and the last column. But the upper arm of
# the blue plus is no more than a shade, and inside the red square there are blotches. On plain ground you find faint speckle in
# many colours: some shape *may* have been there, and the network answers with a little of each. (Longer training makes it
# fainter.) Where the whole shape was in the hole, nothing in the picture says so. Keep that in mind until section 5.
#
# ### Too few pixels
#
# **Your turn.** Half the height and half the width: each new pixel is the mean of the pixels whose place it takes.

# %% exercise
from minigen.denoising import lower_resolution

# %%
lower_resolution = check("lower_resolution", lower_resolution)

# %% [markdown]
# The way back is called upsampling, or **super-resolution**. What one does without a network is **bicubic** interpolation:
# a smooth surface is laid through the known pixels, with weights that are the same for every picture of the world. Ours
# gets the small picture with every pixel repeated as 2×2, and corrects it.


# %%
def with_few_pixels(pictures: Tensor, generator: torch.Generator) -> Tensor:
    return F.interpolate(lower_resolution(pictures, 2), scale_factor=2)


torch.manual_seed(0)
upsampler, _ = learn(spoil_batches(pictures, with_few_pixels), hourglass(3, 3), steps)

# %%
small = lower_resolution(held_out, 2)
bicubic = F.interpolate(small, scale_factor=2, mode="bicubic").clamp(-1, 1)
with torch.no_grad():
    upsampled = upsampler(with_few_pixels(held_out, later))
show.rows(
    {
        "8×8": small[:10],
        "bicubic": bicubic[:10],
        "network": upsampled[:10].clamp(-1, 1),
        "clean": held_out[:10],
    },
    title="Upsampling held-out shapes",
)

# %%
bicubic_psnr, upsampled_psnr = float(psnr(held_out, bicubic)), float(psnr(held_out, upsampled))
print(f"PSNR: {bicubic_psnr:.1f} dB bicubic, {upsampled_psnr:.1f} dB network")
measured("upsampling: PSNR above bicubic, dB", upsampled_psnr - bicubic_psnr, at_least=1)

# %% [markdown]
# Bicubic edges are soft, because they must suit every picture. The network has learned that *these* pictures have sharp
# edges. But look closely: small plus signs come back as round blobs, the blue plus nearly as a diamond, squares with their
# corners cut off. The edges come from its memory of other pictures, not from this one. On a face or a number plate, too, such
# details may be sharp, convincing and wrong.
#
# ### A watermark
#
# A white mark lies over the picture, and the picture shines through it. Where the mark covers the share $m$ of a pixel, at
# strength $s$, the share $s\,m$ of that pixel is white paint, and the rest is what was there before.
#
# **Your turn.** Pictures, a mark and its strength go in.

# %% exercise
from minigen.denoising import watermark

# %%
watermark = check("watermark", watermark)

# %% [markdown]
# As marks we take the silhouettes of other shapes: another one on each picture, somewhere else, so that the network cannot
# learn one mark by heart. Those for the held-out pictures are new too, and the network is not told where they lie.

# %%
marks, new_marks = mask(random_factors(4000, seed=7), 16), mask(random_factors(500, seed=8), 16)
STRENGTH = 0.6


def with_mark(pictures: Tensor, generator: torch.Generator) -> Tensor:
    chosen = torch.randint(len(marks), (len(pictures),), generator=generator)
    return watermark(pictures, marks[chosen], STRENGTH)


torch.manual_seed(0)
unmarker, _ = learn(spoil_batches(pictures, with_mark), hourglass(3, 3), longer)

# %%
marked = watermark(held_out, new_marks, STRENGTH)
with torch.no_grad():
    unmarked = unmarker(marked)
show.rows(
    {"marked": marked[:10], "network": unmarked[:10].clamp(-1, 1), "clean": held_out[:10]},
    title="Watermarks on held-out shapes",
)

# %%
covered = (new_marks > 0).expand_as(held_out)
before, after = (float((y - held_out).square()[covered].mean()) for y in (marked, unmarked))
print(f"squared error of a number under the mark: {before:.3f} before, {after:.3f} after")
measured("watermark: squared error under the mark, after / before", after / before, at_most=0.1)

# %% [markdown]
# On dark and grey ground the marks are nearly gone: they leave faint stains. On white ground, as in the first and the fifth
# column, you hardly saw them, and the network hardly removes them: there is next to nothing to gain. We took off marks that
# we had put there ourselves. On other people's pictures a mark says whose they are, and taking it off does not make them yours.
# To protect pictures of your own, know that a mark through which the picture shines is weak; where it covers everything,
# nothing can be restored, only invented.
#
# ### A lossy file
#
# You know this damage from section 1. Shapes of 16×16 are four squares of 8×8, and you can see their borders.


# %%
def packed(pictures: Tensor, generator: torch.Generator) -> Tensor:
    return compress(pictures, 1.0)


torch.manual_seed(0)
unpacker, _ = learn(spoil_batches(pictures, packed), hourglass(3, 3), steps)

# %%
lossy = packed(held_out, later)
with torch.no_grad():
    unpacked = unpacker(lossy)
show.rows(
    {"lossy": lossy[:10].clamp(-1, 1), "network": unpacked[:10].clamp(-1, 1), "clean": held_out[:10]},
    title="Held-out shapes after a lossy file",
)

# %%
lossy_psnr, unpacked_psnr = float(psnr(held_out, lossy.clamp(-1, 1))), float(psnr(held_out, unpacked))
print(f"PSNR: {lossy_psnr:.1f} dB lossy, {unpacked_psnr:.1f} dB network")
measured("lossy file: PSNR gained by the network, dB", unpacked_psnr - lossy_psnr, at_least=1.5)

# %% picture
show.rows(
    {
        "clean": held_out[:8],
        "hole": holed[:8],
        "filled": filled["network"][:8].clamp(-1, 1),
        "few pixels": small[:8],
        "upsampled": upsampled[:8].clamp(-1, 1),
        "watermark": marked[:8],
        "removed": unmarked[:8].clamp(-1, 1),
        "lossy file": lossy[:8].clamp(-1, 1),
        "restored": unpacked[:8].clamp(-1, 1),
    },
    title="Four damages, and what networks make of them",
)

# %% [markdown]
# ## 5 · Colours, and the limit of all this
#
# The last damage takes away the colours. A grey picture keeps how *bright* each pixel looks, and red, green and blue of equal
# strength do not look equally bright. `LUMA` holds how much each of them counts.
#
# **Your turn.** Pictures (N, 3, H, W) go in, and (N, 1, H, W) come out.

# %% exercise
from minigen.denoising import grey

# %%
grey = check("grey", grey)

# %% [markdown]
# To see what colourisation can do and what it cannot, we paint with three colours that we have chosen with care. Yellow is
# much brighter than the others. But red and blue have the *same* grey.

# %%
PAINTS = {"red": (0.90, 0.10, 0.10), "blue": (0.12, 0.34, 0.91), "yellow": (0.95, 0.85, 0.05)}
paints = 2 * torch.tensor(list(PAINTS.values())) - 1  # (3, 3): a colour in each row
for name, g in zip(PAINTS, grey(paints[:, :, None, None]).flatten().tolist(), strict=True):
    print(f"{name}: grey {g:.3f}")


def painted(n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Shapes in one of the three colours on a dark ground, which colour (N,), and their silhouettes."""
    factors = random_factors(n, seed)
    which, silhouette = factors.colour % 3, mask(factors, 16)
    ground = torch.full((n, 3, 1, 1), -0.84)
    return torch.lerp(ground, paints[which][:, :, None, None], silhouette), which, silhouette


def without_colour(pictures: Tensor, generator: torch.Generator) -> Tensor:
    return grey(pictures)


coloured, _, _ = painted(4000, seed=0)
torch.manual_seed(0)
colouriser, _ = learn(spoil_batches(coloured, without_colour), hourglass(1, 3), steps)

# %%
new_coloured, which, silhouette = painted(500, seed=1)
order = which.argsort(stable=True)
new_coloured, which, silhouette = new_coloured[order], which[order], silhouette[order]
some = torch.cat([(which == k).nonzero()[:4, 0] for k in range(3)])  # four of each colour
with torch.no_grad():
    recoloured = colouriser(grey(new_coloured))
show.rows(
    {
        "grey": grey(new_coloured)[some],
        "network": recoloured[some].clamp(-1, 1),
        "really": new_coloured[some],
    },
    title="Colours from grey: yellow can be known, red and blue cannot",
)

# %% [markdown]
# Yellow comes back. Red and blue come back as the same dull purple, which is in none of the pictures that the network has
# ever seen. It is not a bad network: half of its training pictures with this grey were red and half were blue, and purple is
# the *mean* of the two. Let us measure it, in the middle of each shape.

# %%
inside = (silhouette > 0.99).float()  # pixels that are all paint; the thinnest shapes have none
has_any = inside.sum((1, 2, 3)) > 0
colour = ((recoloured * inside).sum((2, 3)) / inside.sum((2, 3)))[has_any]  # (M, 3)
twins = which[has_any] < 2  # red or blue
purple = paints[:2].mean(0)
distance = {
    "to the mean of red and blue": float((colour[twins] - purple).norm(dim=1).mean()),
    "to the nearer of red and blue": float(torch.cdist(colour[twins], paints[:2]).amin(1).mean()),
    "of yellow, to yellow": float((colour[~twins] - paints[2]).norm(dim=1).mean()),
}
for name, value in distance.items():
    print(f"distance {name}: {value:.3f}")
measured(
    "colours: distance to the mean of the two possible / distance to the nearer",
    distance["to the mean of red and blue"] / distance["to the nearer of red and blue"],
    at_most=0.3,
)
measured("colours: where one is possible, distance to it", distance["of yellow, to yellow"], at_most=0.2)

# %% [markdown]
# This is what the squared error asks for, in each pixel by itself. Let $y$ be the picture that the network sees, and $x$ one
# number of the clean picture, for which several values are possible. If the network says $a$, its expected squared error is
#
# $$ \mathbb{E}\left[(x - a)^2 \mid y\right] = \operatorname{Var}[x \mid y] + \left(\mathbb{E}[x \mid y] - a\right)^2 , $$
#
# and no $a$ makes it smaller than $a = \mathbb{E}[x \mid y]$. For all pixels together, this is the **posterior mean**: the
# mean of all clean pictures that $y$ may come from, each weighted by its probability. Here it is for red and blue:

# %%
red, blue = paints[:2]
line = {a / 50: torch.lerp(red, blue, a / 50) for a in range(51)}  # all colours between the two
half_red = {
    a: 0.5 * float((red - c).square().sum()) + 0.5 * float((blue - c).square().sum()) for a, c in line.items()
}
third_red = {
    a: 1 / 3 * float((red - c).square().sum()) + 2 / 3 * float((blue - c).square().sum())
    for a, c in line.items()
}
show.curves(
    {"half are red": half_red, "a third is red": third_red},
    xlabel="what the network says: 0 is red, 1 is blue",
    ylabel="expected squared error",
    title="The best answer is the mean, and it is neither",
)

# %% [markdown]
# So everything in this lesson averages. Look again at the holes and at the noisiest digits: where several things are
# possible, you find a mixture of them. A network that is to show *one* of the possible pictures has to be able to choose, and
# that is what the rest of this course is about. The squared error does not ask for it: purple has the smallest.
#
# ## 6 · The mean that knows the way uphill
#
# That a denoiser gives the posterior mean looks like a weakness. For *Gaussian noise* it is a gift. Let $p(x)$ be the density
# of clean data, and $y = x + \sigma\,\varepsilon$. Noisy data has a density too: $y$ may come from any $x$, so
#
# $$ p_\sigma(y) = \int p(x)\; N(y;\, x, \sigma^2 I)\; dx . $$
#
# Now ask in which direction it grows. Only the Gaussian depends on $y$, and its gradient is the Gaussian again, times
# $(x - y) / \sigma^2$:
#
# $$ \nabla p_\sigma(y) = \int p(x)\; N(y;\, x, \sigma^2 I)\; \frac{x - y}{\sigma^2}\; dx . $$
#
# You know the **score** from lesson 01: $\nabla \log p = \nabla p\, /\, p$, the direction in which a log-density grows.
# One step is left, from the last line to the mean of all $x$ that $y$ may come from.
#
# **Your turn**, with pencil and paper first. The noisy points, the score of *noisy* data there, and $\sigma$ go in; the
# posterior means come out. No integral is left, and $p(x)$ itself is not needed.

# %% exercise
from minigen.denoising import tweedie

# %%
tweedie = check("tweedie", tweedie)

# %% [markdown]
# This is **Tweedie's formula**. Is it true? We check it where everything is known. The two moons of this course are a mixture
# of Gaussians; with noise on top they are again one, with $\sigma^2$ more on each variance, so we have the exact score.

# %%
clean_moons = moons(0.1)
std_moons = 0.4
noisy_moons = GaussianMixture(
    clean_moons.means,
    covariances=clean_moons.covariances + std_moons**2 * torch.eye(2, dtype=torch.float64),
    weights=clean_moons.weights,
)
y = noisy_moons.sample(400, torch.Generator().manual_seed(0)).double()
by_tweedie = tweedie(y, noisy_moons.score(y), std_moons)

# %% [markdown]
# And here is the exact posterior mean, computed without any score. If we knew which Gaussian a point came from,
# its posterior mean would be the Wiener filter of that Gaussian. We do not know, but lesson 01 has the probability of each,
# the responsibilities:
#
# $$ \mathbb{E}[x \mid y] = \sum_k p(k \mid y)\; \mathbb{E}[x \mid y, k] . $$

# %%
from minigen.density import responsibilities

of_each = [
    linear_denoiser(y, m, c, std_moons)
    for m, c in zip(clean_moons.means, clean_moons.covariances, strict=True)
]  # K times (N, 2)
r = responsibilities(y, noisy_moons.weights, noisy_moons.means, noisy_moons.covariances)  # (N, K)
exact = torch.einsum("nk,knd->nd", r, torch.stack(of_each))
measured(
    "Tweedie: largest difference from the exact posterior mean",
    (by_tweedie - exact).abs().max(),
    at_most=1e-9,
)


# %%
def arrows(end: Tensor, title: str) -> plt.Figure:
    """60 points of noisy data, and from each an arrow to where it is sent: end (N, 2)."""
    cloud = clean_moons.sample(400, torch.Generator().manual_seed(1))
    start, way = y[:60], (end - y)[:60]
    with plt.style.context(show.STYLE):
        figure, axes = plt.subplots(figsize=(6.6, 5))
        axes.scatter(*cloud.T, s=4, color=show.PALETTE[5], label="clean")
        axes.scatter(*start.T, s=10, color=show.PALETTE[6], label="noisy")
        axes.quiver(
            *start.T, *way.T, color=show.PALETTE[1], angles="xy", scale_units="xy", scale=1, width=0.004
        )
        axes.set(aspect="equal", title=title, xlabel="first number", ylabel="second number")
        axes.set(xlim=(-2.6, 2.6), ylim=(-1.9, 1.9))
        axes.legend(loc="upper right")
        plt.close(figure)
    return figure


arrows(by_tweedie, "Exact: from noisy points to their posterior means")

# %% [markdown]
# The arrows lead towards the moons. Points in the middle, which may come from either moon, are sent *between* them:
# this is purple again.
#
# Now read the formula backwards. A network trained on the squared error gives the posterior mean, as far as it has learned
# it. Then the formula, solved for the score, gives the score of noisy data, without anyone ever having written down a
# density:
#
# $$ \nabla \log p_\sigma(y) = \frac{\hat x(y) - y}{\sigma^2} . $$
#
# **The denoiser is the score.** Let us see it. A small network gets points of the moons, noisy and clean, and nothing else; your
# loss and the same loop train it.


# %%
def moon_pairs(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    points = clean_moons.sample(256, generator)
    return points, points + std_moons * torch.randn(points.shape, generator=generator)


torch.manual_seed(0)
layers = nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2)
for step, losses, moon_denoiser in train(
    Restorer(nn.Sequential(*layers)), moon_pairs, budget(20, 2500, 10000), lr=3e-3, decay=0.995
):
    pass
moon_denoiser = moon_denoiser.cpu()

# %%
with torch.no_grad():
    sent = moon_denoiser(y.float()).double()
learned_score = (sent - y) / std_moons**2
true_score = noisy_moons.score(y)
arrows(sent, "Learned: the same points, sent by a network")

# %%
miss = (learned_score - true_score).square().sum(1).mean().sqrt()
measured(
    "score by the network: root mean square error / root mean square of the exact score",
    miss / true_score.square().sum(1).mean().sqrt(),
    at_most=0.2,
)

# %% [markdown]
# The same holds for your digit denoiser, where nobody knows the density. What it changes in a picture, divided by
# $\sigma^2$, is the score of noisy digits in the space of all pictures: which pixels to make brighter, and which darker, to get
# to where digits are more probable.

# %%
uphill = (restored - noisy) / std**2  # a picture of the score
show.rows(
    {
        "noisy": noisy[:10].clamp(-1, 1),
        "score": (uphill[:10] / uphill[:10].abs().max()),
        "restored": restored[:10].clamp(-1, 1),
    },
    title="White: brighter is more probable. Black: darker is",
)

# %% [markdown]
# The score of a noisy picture looks like noise, and no wonder: it is the noise that the network believes it sees, with
# the opposite sign. Diffusion models are often trained to say this noise instead of the picture: it is all the same.
#
# Whoever has the score can walk uphill from noise to data, in small steps. Much noise first, then less and less, with one
# denoiser for all strengths of noise: that is a **diffusion model**, and part 5 builds it from this formula.
#
# ## What goes wrong in practice
#
# - **The wrong target.** You have repaired it, and you will meet it again. (Comparing with *another*, independent noisy copy
#   of the same picture is not a mistake: its noise averages out. Lehtinen et al., 2018, train without any clean picture.)
# - **The damage of the training is not the damage of the world.** A network knows what it was trained on. Ours has only seen
#   noise of 0.5. Watch what it does to pictures that have less of it, or more:

# %%
strengths = [0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
by_strength = {"as it is": {}, "network for 0.5": {}, "best linear, told the strength": {}}
for strength in strengths:
    spoiled = add_noise(x_test, noise, strength)
    told = linear_denoiser(spoiled.flatten(1).double(), mean, covariance, strength)
    with torch.no_grad():
        answers = (spoiled, denoiser(spoiled), told.view_as(x_test).float())
    for name, answer in zip(by_strength, answers, strict=True):
        by_strength[name][strength] = float(psnr(x_test, answer))
show.curves(
    by_strength,
    xlabel="standard deviation of the noise",
    ylabel="PSNR on test digits, dB",
    title="A denoiser spoils pictures that are hardly noisy",
)

# %% [markdown]
# - **PSNR is taken for beauty.** The blurred mean of all possible pictures has the smallest squared error of all, and
#   looks like none of them (Blau and Michaeli, 2018).
# - **Pictures of the wrong range.** With pictures in [0, 1] and a peak of 2, every PSNR is 6 dB too good.
# - **One fixed damage.** If the noise is drawn once and kept, or the hole is always at the same place, a network learns these
#   by heart.
# - **An invented detail is taken for a fact.** What was lost is lost. A restored picture shows what is usual, which is no
#   evidence of what was there.
#
# ## Where to read on
#
# - Vincent, Larochelle, Bengio and Manzagol, 2008, *Extracting and Composing Robust Features with Denoising Autoencoders*.
# - Vincent, 2011, *A Connection Between Score Matching and Denoising Autoencoders*.
# - Efron, 2011, *Tweedie's Formula and Selection Bias*.
# - Zhang, Zuo, Chen, Meng and Zhang, 2017, *Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising*.
# - Dong, Loy, He and Tang, 2014, *Learning a Deep Convolutional Network for Image Super-Resolution*.
# - Pathak, Krähenbühl, Donahue, Darrell and Efros, 2016, *Context Encoders: Feature Learning by Inpainting*.
# - Zhang, Isola and Efros, 2016, *Colorful Image Colorization*: how to avoid the dull mean.
# - Dekel, Rubinstein, Liu and Freeman, 2017, *On the Effectiveness of Visible Watermarks*.
# - Lehtinen et al., 2018, *Noise2Noise: Learning Image Restoration without Clean Data*.
# - Blau and Michaeli, 2018, *The Perception-Distortion Tradeoff*.
#
# **Next: 13 · Variational autoencoders.** Can an autoencoder draw a digit that it was never shown?

# %%
progress()
