# %% [markdown]
# # 60 · A code that keeps the picture
#
# **Why do rebuilt pictures look as if seen through frosted glass?** The autoencoders of lessons 10 and 13 were trained to make the error of their pixels small, and they did. Still, everyone
# sees at once which picture came out of one.
#
# Below are pictures with some grain, as on film. Under them, what a codec makes of them that was trained on the error of its pixels. The grain is gone. In section 6 the same kind of codec,
# with a code of the same size, is asked for two more things, which you write in this lesson. Its grain is not the grain of the original, and not quite as even. But there is some.
#
# Why do we build this? From the next lesson on, diffusion works on codes, not on pixels. All that the decoder cannot draw, no later model can put back.
#
# You write: the distance of two pictures **as a network sees them**, a **critic of patches** and the weight that keeps it in check, and the **scale** of the codes.
#
# About 90 minutes · 8 exercises · needs: lessons 11, 13, 20 and 30.

# %%
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam

from minigen import show
from minigen.codec import Codec
from minigen.core import Generative, budget
from minigen.course import check, hint, measured, progress, results, solution
from minigen.data import draw, random_factors, shapes
from minigen.features import ShapeEyes, ShapeFeatures
from minigen.layers import downsample, upsample
from minigen.metrics import fid
from minigen.train import train
from minigen.vae import kl_standard, reparameterize

# %%
GRAIN = 0.15  # its spread, where the whole range of a pixel is 2


def grainy(x: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures with grain: each pixel a little lighter or darker, all three colours alike."""
    grain = GRAIN * torch.randn(len(x), 1, *x.shape[2:], generator=generator)
    return (x + grain).clamp(-1, 1)


def batch(generator: torch.Generator) -> tuple[Tensor, None]:
    """32 pictures that were never seen before."""
    factors = random_factors(32, seed=1, start=int(torch.randint(2**31, (), generator=generator)))
    return grainy(draw(factors), generator), None


clean, factors, _ = shapes(budget(120, 1000, 2000), seed=5)
x = grainy(clean, torch.Generator().manual_seed(0))  # for looking and measuring; none is trained on
FIRST, MORE = budget(3, 800, 6000), budget(3, 500, 6000)  # steps of training
SIZE = {"factor": 4, "code": 4}  # 256 numbers for 3,072 pixels


def trained_for(model: Codec, steps: int, memory: float = 0.9) -> Codec:
    """The model after some steps, smaller ones at the end, averaged.  memory: the first beta of Adam."""
    adam = partial(Adam, lr=1e-3, betas=(memory, 0.99))
    *_, (_, _, averaged) = train(model, batch, steps, optimizer=adam, decay=0.99, cooldown=0.4)
    return averaged.cpu()


@torch.no_grad()
def rebuilt(model: Codec, pictures: Tensor = x) -> Tensor:
    """What comes back of pictures, through a drawn code."""
    torch.manual_seed(0)
    return torch.cat([model.decode(model.draw(*model.encode(part))) for part in pictures.split(200)])


torch.manual_seed(0)
start = trained_for(Codec(**SIZE), FIRST)
show.rows({"pictures": x[:10], "rebuilt": rebuilt(start)[:10]}, title="Grain goes in, and does not come out")

# %% [markdown]
# ## 1 · The best guess is grey
#
# A code of few numbers cannot say where each grain of a picture is. So the decoder has to guess. What is the best guess?

# %% exercise
from minigen.exercises.lesson_60_perceptual_autoencoder import the_best_pixel

# %%
the_best_pixel = check("the_best_pixel", the_best_pixel)

# %% [markdown]
# The squared error wants the **mean** of all pictures that a code may stand for (lesson 11 used just that). The mean of many pictures with different grain is a picture without grain. The mean of
# an edge that may be here or a pixel further is a soft edge:

# %%
edges = torch.stack([(torch.arange(32.0) > 13 + i).float().expand(1, 32, 32) * 1.6 - 0.8 for i in range(6)])
many = grainy(clean[:1].expand(500, -1, -1, -1), torch.Generator().manual_seed(1))
show.grid(
    torch.cat(
        [
            edges[[0, 5]].expand(-1, 3, -1, -1),
            edges.mean(0, keepdim=True).expand(-1, 3, -1, -1),
            many[:2],
            many.mean(0, keepdim=True),
        ]
    ),
    columns=6,
    labels=["an edge", "or here", "mean of six", "grain", "other grain", "mean of 500"],
    title="What is best for the error of the pixels",
)

# %% [markdown]
# So blur is no weakness of the network. It is what we asked for. A better network of the same kind, with the same code, would come *closer* to the mean. If we want pictures that look like pictures, we have
# to ask for something else.
#
# ## 2 · A code that keeps the layout
#
# First, the codec itself. It is a variational autoencoder as in lesson 13, with three changes.
#
# - **The code is a small picture**: $c$ numbers at each place of a grid that is $f$ times smaller than the image in each direction. There is no linear layer in the middle. All layers are convolutions, so
#   the codec takes images of any size.
# - **The KL term is almost nothing**, here $10^{-6}$. It does not make codes that one could draw from $N(0, I)$: that is left to the diffusion of the next lesson. It only keeps codes from growing without
#   end, and from hiding what they know in tiny digits.
# - **Whole pixels are only put together**, 2×2 of them into one place with four times the channels, and taken apart again at the end. Convolutions at full size cost the most.

# %%
for factor, code in (4, 4), (8, 4), (8, 16):
    h = 32 // factor
    print(
        f"factor {factor}, {code} numbers a place: {code} × {h} × {h} = {code * h * h} numbers for {3 * 32 * 32} pixels"
    )
mu, logvar = start.encode(x[:200])
print(
    f"code of the model above: {tuple(mu.shape[1:])}, spread of its means {mu.std():.2f}, of its draws {(logvar / 2).exp().mean():.2f}"
)
show.grid(
    torch.cat(
        [x[:4], *(F.interpolate(mu[:4, [i]], 32).clamp(-3, 3).expand(-1, 3, -1, -1) / 3 for i in range(4))]
    ).detach(),
    columns=4,
    title="Four pictures, and the four numbers of their codes as pictures of 8×8",
)

# %% [markdown]
# One still sees where the shape is. That is the difference from lesson 13: there, place was one of the things that the code had to spell out.
#
# ## 3 · As a network sees it
#
# When do two pictures look alike? The error of pixels has an odd opinion. Take clean pictures, and change them in two ways: smooth them, or add grain, just so much that the squared error is the same.

# %%
smooth = F.avg_pool2d(F.pad(clean, (2, 2, 2, 2), mode="reflect"), 5, stride=1)
error = F.mse_loss(smooth, clean, reduction="none").mean((1, 2, 3), keepdim=True)
grain = torch.randn(len(clean), 1, 32, 32, generator=torch.Generator().manual_seed(7))
speckled = clean + grain * (error / grain.square().mean((1, 2, 3), keepdim=True)).sqrt()
changed = {"speckled": speckled, "smoothed": smooth}
print({name: f"mean squared error {F.mse_loss(y, clean):.4f}" for name, y in changed.items()})
show.rows(
    {"pictures": clean[:8]} | {name: y[:8].clamp(-1, 1) for name, y in changed.items()},
    title="Which row is nearer to the first? For the squared error, both are as near",
)

# %% [markdown]
# In the lowest row small things have run together: the small ring has lost its hole, the cross and the triangle are blots. In the middle row one sees at once what it was.
#
# Now ask a network that has learned to look: one that names shape, colour, size, background and place of such pictures. We have two of them in the course. One is the **judge** (`ShapeFeatures`, lesson 20), which
# only measures. The other, trained by itself from other first weights, is what we train with: the **eyes** (`ShapeEyes`). A model that has learned to please its judge would prove nothing.
#
# At depth $l$ the eyes see a map: at each place $(h, w)$ an arrow of $C_l$ numbers, $m^l_{hw}(x)$. Bring each arrow to length 1, $\hat m = m / \|m\|$, and compare:
#
# $$ d(x, y) = \sum_l \frac{1}{H_l W_l} \sum_{h, w} \big\| \hat m^l_{hw}(x) - \hat m^l_{hw}(y) \big\|^2 . $$
#
# This is the *perceptual distance* of Zhang et al. (2018), with all channels counting alike. **Your turn.**

# %% exercise
from minigen.codec import perceptual_distance

# %%
perceptual_distance = check("perceptual_distance", perceptual_distance)

# %%
eyes = ShapeEyes()
with torch.no_grad():
    of_clean = eyes.maps(clean)
    depths = {
        name: [
            perceptual_distance([m], [other]).mean() for m, other in zip(of_clean, eyes.maps(y), strict=True)
        ]
        for name, y in changed.items()
    }
print("depth   size of the map   " + "   ".join(depths))
for i, m in enumerate(of_clean):
    print(f"{i + 1:5} {tuple(m.shape[1:])!s:>17}   " + "   ".join(f"{d[i]:8.4f}" for d in depths.values()))
measured(
    "first depth: distance of smoothed pictures / of speckled ones",
    depths["smoothed"][0] / depths["speckled"][0],
    at_most=1,
)
measured(
    "last depth: distance of smoothed pictures / of speckled ones",
    depths["smoothed"][-1] / depths["speckled"][-1],
    at_least=5,
)
measured(
    "all depths: distance of smoothed pictures / of speckled ones",
    sum(depths["smoothed"]) / sum(depths["speckled"]),
    at_least=1,
)
show.curves(
    {name: dict(enumerate(map(float, d), 1)) for name, d in depths.items()},
    xlabel="depth",
    ylabel="distance",
    title="The deeper the map, the less it minds grain; the deepest minds blur most",
)

# %% [markdown]
# The first map is close to the pixels, and grain disturbs it most. From depth to depth the network has thrown away what it does not need to name a shape. At the last one grain is all but gone, and a lost corner is
# far away. All depths together find blur worse than grain, where the squared error saw no difference. And gradients pass through the eyes, so this distance can be a term of the loss.
#
# ## 4 · A critic that sees patches
#
# The eyes ask for corners and edges. Who asks for grain? They compare a picture with its own original, and *where* each grain was, the code cannot say. So we need somebody who only knows what pictures look like: a critic, as in lesson 30. But this one need not know *what* is in the picture, the code says that. It only looks at
# patches, and gives a number to each: real, or made by a decoder?

# %% exercise
from minigen.codec import receptive_field

# %%
receptive_field = check("receptive_field", receptive_field)

# %%
from minigen.codec import patch_critic

critic = patch_critic()
layers = [layer for layer in critic if isinstance(layer, nn.Conv2d)]
field = receptive_field([layer.kernel_size[0] for layer in layers], [layer.stride[0] for layer in layers])
print(
    f"{tuple(x[:1].shape)} to {tuple(critic(x[:1]).shape)}: {critic(x[:1]).numel()} opinions, each on {field} × {field} pixels"
)
measured("side of a patch that the critic sees, pixels", field)

# %% [markdown]
# (That is what its convolutions see. Its norm, as all group norms do, also looks at the mean and the variance of the whole picture. So an opinion is mostly, not only, about its patch.)

# %% [markdown]
# Its loss is another one than in lesson 30: the **hinge**. A real patch should get more than 1, a fake less than −1; and who is beyond that has done enough, and gets no gradient any more:
#
# $$ L_D = \tfrac12\, \mathbb E \big[ \max(0,\, 1 - D(x)) \big] + \tfrac12\, \mathbb E \big[ \max(0,\, 1 + D(y)) \big] . $$

# %% exercise
from minigen.codec import hinge_loss

# %%
hinge_loss = check("hinge_loss", hinge_loss)

# %% [markdown]
# The decoder minimises $-\mathbb E[D(y)]$: it wants high numbers.
#
# ## 5 · How loud may the critic be?
#
# Now there are four terms: pixels, eyes, KL, critic. The first two pull towards the picture. The critic pulls towards something that *looks real*, and it changes its mind in every step. If it is too loud, the decoder
# forgets the picture; if it is too quiet, nothing happens. And how loud it is changes all the time.
#
# Esser et al. (2021) weigh it anew in each step. They look at the weights $\theta_L$ of the decoder's last layer, where all that is asked of the picture pulls, and make both pulls equally strong:
#
# $$ \lambda = \frac{ \big\| \nabla_{\theta_L} L_{\text{reconstruction}} \big\| }{ \big\| \nabla_{\theta_L} L_{\text{critic}} \big\| + 10^{-4} } , \qquad 0 \le \lambda \le 10^4 . $$

# %% exercise
from minigen.codec import adaptive_weight

# %%
adaptive_weight = check("adaptive_weight", adaptive_weight)

# %% [markdown]
# Then a fixed number says which share of that the critic gets. Below it is 1: pixels and eyes together on one side, the critic on the other, equally strong.
#
# ## 6 · The whole game
#
# There is one more rule: the critic comes **late**. In the first steps the decoder draws grey fog. A critic sees through that at once, and what it asks for then is no help. The code below is what many a first
# attempt looks like: it trains, nothing stops, the pictures are just worse. **A repair.** Read the docstrings, follow the steps by hand.

# %% exercise
from minigen.codec import PerceptualCodec

# %%
PerceptualCodec = check("PerceptualCodec", PerceptualCodec)

# %% [markdown]
# Three codecs go on from the one above, for the same number of steps, with codes of the same size: one with the error of pixels alone, as before; one with the eyes; one with eyes and critic. The eyes have a small weight, 0.02. In the second codec `start` is the number of all steps, so the critic never comes. In the third it is 0, since the
# decoder has learned to draw already, and Adam remembers less of the past: what a critic wants changes all the time (lesson 30).


# %% picture
def going_on(model: Codec, memory: float = 0.9) -> Codec:
    """The model, after it has gone on from the first codec's weights."""
    model.load_state_dict(start.state_dict(), strict=False)
    return trained_for(model, MORE, memory)


torch.manual_seed(1)
codecs = {
    "pixels": going_on(Codec(**SIZE)),
    "and eyes": going_on(PerceptualCodec(eyes, MORE, 0.02, **SIZE)),  # the critic never comes
    "and critic": going_on(PerceptualCodec(eyes, 0, 0.02, 1.0, **SIZE), memory=0.5),
}
made = {name: rebuilt(model) for name, model in codecs.items()}
show.rows(
    {"pictures": x[:8]} | {name: y[:8] for name, y in made.items()},
    title="Codes of one size, trained for three things",
)

# %% [markdown]
# ## 7 · Two ways to measure
#
# - **PSNR** (lesson 11): the error of the pixels, in decibels. It compares each picture with its own original.
# - **A Fréchet distance** (lesson 20): do the rebuilt pictures, as a crowd, look like the real ones? The features decide what it can see. The judge's features are blind to grain: it has learned to name shapes in spite of
#   everything. So we take the simplest features there are: **patches** of 4×4 pixels, 48 numbers each, as they are. Their mean and covariance know about contrast, edges and grain, and nothing about shapes.
#
# The last row of the table is to compare with: other real pictures, which show other scenes. A good codec can be nearer than those for the judge, since it shows the same scenes.


# %%
def patches(pictures: Tensor) -> Tensor:
    """All patches of 4×4 pixels, two pixels apart: (N, 48)."""
    return F.unfold(pictures, 4, stride=2).transpose(1, 2).flatten(0, 1)


def decibels(y: Tensor) -> float:
    return float((10 * (4 / (y - x).square().mean((1, 2, 3))).log10()).mean())


judge = ShapeFeatures()
other = grainy(shapes(len(x), seed=6)[0], torch.Generator().manual_seed(3))
scores = {
    name: {
        "PSNR": decibels(y),
        "patches": fid(patches(x), patches(y)),
        "judge": fid(judge.features(x), judge.features(y)),
    }
    for name, y in (made | {"other pictures": other}).items()
}
print("                   PSNR, dB   Fréchet, patches   Fréchet, judge")
for name, row in scores.items():
    print(f"{name:16} {row['PSNR']:10.2f} {row['patches']:18.4f} {row['judge']:16.4f}")
for name in made:
    measured(f"{name}: PSNR, dB", scores[name]["PSNR"])
    measured(f"{name}: Fréchet distance of patches", scores[name]["patches"])
    measured(f"{name}: Fréchet distance of the judge's features", scores[name]["judge"])
ratio = scores["and critic"]["patches"] / scores["pixels"]["patches"]
measured("Fréchet distance of patches, with eyes and critic / with pixels alone", ratio, at_most=0.5)
show.bars(
    {name: scores[name]["patches"] for name in made},
    ylabel="Fréchet distance of patches",
    title="Less is better",
)

# %% [markdown]
# And the price? Think first.

# %% exercise
from minigen.exercises.lesson_60_perceptual_autoencoder import what_decibels_do

# %%
what_decibels_do = check("what_decibels_do", what_decibels_do)

# %% [markdown]
# Look at the first two columns again. There is no codec that is best in both. Beyond some point there cannot be one: Blau and Michaeli (2018) proved that less distortion then costs likeness.
#
# The eyes alone change next to nothing here, after so few steps and with so small a weight. And the last column is a warning. The judge names shapes, and does not see grain; it finds the pictures of the critic *further* from real ones than those of the pixels. (Look at the outlines.) A score sees what its
# features see.
#
# What is best, then? What we want decides.
# A doctor wants the smooth picture, in which nothing is invented. For pictures to look at, we take the grain, and must not believe that any grain of it was there.
#
# ## 8 · Factor 8
#
# With factor 8 the code has a quarter of the places. Four numbers at each are 64 in all, for 3,072 pixels.

# %%
torch.manual_seed(0)
eighth = trained_for(Codec(factor=8, code=4), FIRST)
measured("factor 4: PSNR of the first codec, dB", decibels(rebuilt(start)))
measured("factor 8: PSNR after as many steps, dB", decibels(rebuilt(eighth)))
show.rows(
    {"pictures": x[:8], "factor 4": rebuilt(start)[:8], "factor 8": rebuilt(eighth)[:8]},
    title="A quarter of the code, as many steps",
)

# %% [markdown]
# Here even the large shapes suffer: rings fill up, and corners grow round. More steps help, and so does a code with more numbers at each place. Why not factor 2, then? The more numbers a code has, the more a diffusion model has to
# learn, and the longer each of its steps takes. The codec of the next lessons has factor 4.
#
# ## 9 · The scale
#
# One last thing. A chain of diffusion begins at data of variance about 1 (lesson 50). The codes have the spread that training happened to give them. So one number brings them to variance 1.

# %% exercise
from minigen.codec import unit_scale

# %%
unit_scale = check("unit_scale", unit_scale)

# %%
with torch.no_grad():
    codes = {
        name: model.draw(*model.encode(x[:200]))
        for name, model in {"factor 4": start, "factor 8": eighth}.items()
    }
for name, z in codes.items():
    print(
        f"{name}: spread {z.std():.2f}, scale {unit_scale(z):.3f}, spread afterwards {(unit_scale(z) * z).std():.3f}"
    )
show.histogram(
    {name: (unit_scale(z) * z).flatten()[:50_000] for name, z in codes.items()}
    | {"N(0, 1)": torch.randn(50_000)},
    xlabel="a number of the scaled code",
    title="Variance 1, and yet no Gaussian",
)

# %% [markdown]
# It is not a Gaussian, and need not be: the diffusion model learns whatever distribution there is. But it must have the size that the chain expects. What happens when it has not, you will see in lesson 61.
#
# ## What goes wrong in practice
#
# - **The critic from the first step** is the most frequent mistake, you have repaired it.
# - **A critic that is too loud** draws a fine texture everywhere, often a regular one: look closely at the row of the critic.
# - **Too much KL**, and the code is noise: the decoder falls back to the mean. Too little, and single numbers of the code grow large.
# - **Judged by what it was trained on.** The eyes' own features would flatter the second codec.
#
# ## Where to read on
#
# - Zhang, Isola, Efros, Shechtman and Wang (2018), *The Unreasonable Effectiveness of Deep Features as a Perceptual Metric*.
# - Isola, Zhu, Zhou and Efros (2017), *Image-to-Image Translation with Conditional Adversarial Networks*: the critic of patches.
# - Esser, Rombach and Ommer (2021), *Taming Transformers for High-Resolution Image Synthesis*: the adaptive weight, the late start.
# - Rombach, Blattmann, Lorenz, Esser and Ommer (2022), *High-Resolution Image Synthesis with Latent Diffusion Models*: this codec, at factors 4 to 32.
# - Blau and Michaeli (2018), *The Perception-Distortion Tradeoff*.

# %%
progress()
