# %% [markdown]
# # 61 · Latent diffusion
#
# **Does noise have to be taken out of every pixel?** The diffusion models of lessons 50 to 55 worked on digits of 8×8 pixels. Each picture takes some tens of calls of a network that looks at all of it. At 32×32 there is
# sixteen times as much to look at, at 512×512 four thousand times. But most of a picture is not worth that: a flat background, an edge that goes on as it began. In lesson 60 you made a codec that knows such things. It makes a picture small
# and draws it large again.
#
# So: encode once, do all the diffusion on the small codes, and decode once at the end. Below are pictures, their codes (three of the four numbers at each place, shown as red, green and blue), and what the decoder draws from the codes.
# The middle row is all that the diffusion model of this lesson ever sees.
#
# You write both ends of it, train it beside a model of pixels for the same time, and measure what is gained. At the end, a model like it that was trained longer draws pictures that *start from a picture*: redrawn, or with a hole filled in.
#
# About 90 minutes · 8 exercises · needs: lessons 50 to 53, 55 and 60.

# %%
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from minigen import show
from minigen.codec import Codec
from minigen.core import budget
from minigen.course import check, hint, measured, progress, solution
from minigen.data import VOCABULARY
from minigen.data.shapes import shapes
from minigen.ddpm import DDPM
from minigen.diffusion import Predict, Schedule, Times, at, cosine_betas, q_sample, snr
from minigen.features import ShapeFeatures
from minigen.latent import Latent
from minigen.metrics import fid
from minigen.recipes import trained
from minigen.samplers import few_steps
from minigen.text import tokenize
from minigen.train import train
from minigen.unet import UNet

# %%
shipped = trained(
    "text_to_image"
)  # a codec and a model of its codes, trained for minutes; comes with the course
codec: Codec = shipped.codec
x, *_ = shapes(budget(100, 8000, 8000), seed=1)
with torch.no_grad():
    mu, logvar = codec.encode(x[:8])
    rebuilt = codec.decode(mu)
as_colours = (mu[:, :3] / mu.abs().max()).clamp(-1, 1)
show.rows(
    {"pictures": x[:8], "codes": as_colours, "decoded": rebuilt},
    title="32 × 32 pixels, 8 × 8 places, and back",
)

# %%
per_picture, per_code = x[0].numel(), mu[0].numel()
print(f"numbers in a picture: {per_picture}; in its code: {per_code}")
measured("numbers in a picture / in its code", per_picture / per_code, at_least=12, at_most=12)
measured("mean squared error of the decoded pictures", F.mse_loss(rebuilt, x[:8]), at_most=0.03)

# %% [markdown]
# The layout is still there: each place of the code stands for a block of 4×4 pixels. And it is not perfect. What the codec has lost, no diffusion model on top of it can bring back. Look at the corners, and at the smallest shapes. This is
# the price, and we come back to it.
#
# ## 1 · In and out
#
# The encoder gives $\mu$ and the logarithm of $\sigma^2$ at each place, and a code is drawn from them. One more thing is needed. A chain of lesson 50 keeps the variance of data that has variance 1, and codes may have any. So they are multiplied by one number:
#
# $$ z = s \cdot (\mu + \sigma \, \varepsilon), \qquad s = \frac{1}{\operatorname{std}(\mu + \sigma \, \varepsilon)} . $$
#
# The codec keeps $s$, measured once over many pictures, as `codec.scale`.

# %%
with torch.no_grad():
    drawn_codes = codec.draw(*codec.encode(x[:1000]))
print(f"scale: {float(codec.scale):.3f}; 1 / standard deviation of these codes: {1 / drawn_codes.std():.3f}")
measured(
    "standard deviation of codes times scale", drawn_codes.std() * codec.scale, at_least=0.9, at_most=1.1
)

# %% [markdown]
# Three methods of a codec serve you: `encode(x)` gives mu and logvar, `draw(mu, logvar)` a code out of them, and `decode(z)` images.
#
# **Your turn, a repair.** A codec and images go in, codes for the chain come out. This version runs, trains, and draws pictures. With a codec whose scale is near 1 nobody would ever notice.

# %% exercise
from minigen.latent import to_codes

# %%
to_codes = check("to_codes", to_codes)

# %% [markdown]
# **Your turn, a repair.** The way back: codes of the chain go in, images come out. Here, too, something is missing, and the pictures that come out are at most a little too pale or too bright, as long as the scale is near 1.

# %% exercise
from minigen.latent import to_images

# %%
to_images = check("to_images", to_images)

# %% [markdown]
# ### What the scale is for
#
# Suppose that codes have a standard deviation of $\sigma_z$, and nobody scales them. Signal is then $\sigma_z^2$ times stronger, at each step of the chain:
#
# $$ \mathrm{SNR}_t = \sigma_z^2 \, \frac{\bar\alpha_t}{1 - \bar\alpha_t} . $$
#
# That is no matter of taste. In the latent diffusion model that became Stable Diffusion, codes had a standard deviation of about 5.5 (its scale is 0.18). Let us pretend that ours had, or one of 0.18.

# %%
chain = Schedule(cosine_betas())
SPREADS = 0.18, 1.0, 5.5
times = torch.arange(1, chain.steps)
ratio = {
    f"spread {spread:g}": dict(
        zip(
            times[::10].tolist(),
            (spread**2 * snr(chain.alpha_bar[times])).log10()[::10].tolist(),
            strict=True,
        )
    )
    for spread in SPREADS
}
show.curves(ratio, xlabel="t", ylabel="log10 of SNR", title="Signal to noise, for codes of three spreads")

# %%
for spread in SPREADS:
    even = int(((spread**2 * snr(chain.alpha_bar[times])) > 1).sum())
    measured(f"spread {spread:g}: last t at which signal is above noise", even)

# %%
z = to_codes(codec, x[:1])
grain = torch.randn(z.shape, generator=torch.Generator().manual_seed(3))
SHOWN = range(50, 1000, 100)
left = {
    f"spread {spread:g}": torch.cat(
        [
            to_images(
                codec,
                q_sample(spread * z, t, grain, chain.alpha_bar) / (spread * at(chain.alpha_bar.sqrt(), t, z)),
            )
            for t in SHOWN
        ]
    )
    for spread in SPREADS
}
show.rows(
    left, title=f"The same code, t = {SHOWN[0]}, {SHOWN[1]}, … {SHOWN[-1]}: what can still be seen of it"
)

# %% [markdown]
# With a spread of 5.5 the picture is plain to see nearly to the end. So in most steps the network is asked what anybody can see, and all that has to be *decided* is decided in the last tenth of the chain or so. With 0.18 it is the other way round: most steps are hardly more than
# noise. With 1 the steps are shared out as the schedule was made for. Nothing fails in any of the three. It only learns worse, and no error says why.
#
# ## 2 · What is saved
#
# The codec makes each side $f = 4$ times smaller, so there are $f^2$ times fewer places, and convolutions get cheaper by that. But attention, in which every place looks at every place, gains more. A guess:

# %% exercise
from minigen.exercises.lesson_61_latent_diffusion import fewer_pairs

# %%
fewer_pairs = check("fewer_pairs", fewer_pairs)

# %% [markdown]
# So here are the two networks of this lesson, U-Nets as in lesson 51. The one for pixels halves the picture twice and has attention at 8×8 alone: at full size that would be a million pairs for each picture. The one for codes may be wider, since it has so few places; it has its attention at 4×4.

# %%
torch.manual_seed(0)
pixels = DDPM(UNet(3, 32, (1, 2, 2)), chain, (3, 32, 32), "velocity")
prior = DDPM(UNet(codec.code, 48, (1, 2)), chain, (codec.code, 8, 8), "velocity")


def fastest(call: Callable[[], object], tries: int = 3) -> float:
    """Seconds of the quickest of some calls: what disturbs a measurement only ever makes it longer."""
    seconds = []
    for _ in range(tries):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


seconds = {}
for name, model in {"pixels": pixels, "codes": prior}.items():
    batch, t = torch.randn(32, *model.shape), torch.full((32,), 500)
    with torch.no_grad():
        seconds[name] = fastest(lambda model=model, batch=batch, t=t: model.network(batch, t))
    weights = sum(p.numel() for p in model.parameters())
    places = model.shape[1] * model.shape[2]
    print(
        f"{name}: {places:4} places, {places**2:9,} pairs if all looked at all, {weights:,} weights; one call for 32 takes {1000 * seconds[name]:.0f} ms"
    )
measured("time of one call: pixels / codes", seconds["pixels"] / seconds["codes"], at_least=4)

# %% [markdown]
# More weights, and a fraction of the time.
#
# ### Encode once
#
# In training, each step needs the codes of its batch. The codec does not change any more. So why ask the encoder for the same picture again and again? Make all codes before the training, and keep them.
#
# Keep what, exactly? A code is *drawn*. Who keeps the drawn codes shows the same draw in each epoch. Who keeps $\mu$ and $\log \sigma^2$ can draw anew in each step, for the price of one line.
#
# **Your turn.** A codec, images, and how many of them may go through the encoder at once. Out come mu and logvar of all images, in their order. This matters for data sets that do not fit into memory as one batch: the last part is hardly ever full.

# %% exercise
from minigen.latent import encode_once

# %%
encode_once = check("encode_once", encode_once)

# %%
start = time.perf_counter()
mu, logvar = encode_once(codec, x)
all_at_once = time.perf_counter() - start
megabytes = {"images": x.nbytes / 1e6, "mu and logvar": (mu.nbytes + logvar.nbytes) / 1e6}
encoding = fastest(lambda: to_codes(codec, x[:32]))
drawing = fastest(lambda: codec.scale * codec.draw(mu[:32], logvar[:32]))
print(f"{len(x)} images encoded in {all_at_once:.1f} s")
print(
    f"a batch of 32: encoded in {1000 * encoding:.1f} ms, drawn from what is kept in {1000 * drawing:.2f} ms"
)
print(", ".join(f"{name}: {size:.1f} MB" for name, size in megabytes.items()))
measured(
    "memory: mu and logvar / images",
    megabytes["mu and logvar"] / megabytes["images"],
    at_most=0.17,
    at_least=0.16,
)
measured("time for a batch: encoded / drawn from what is kept", encoding / drawing, at_least=3)
measured(
    "mean spread of q(z | x) / standard deviation of codes",
    (logvar / 2).exp().mean() * codec.scale,
    at_most=0.5,
)

# %% [markdown]
# It costs less memory than the pictures themselves, which need not be kept any more. It takes as long as one epoch of encoding would, so it pays from the second epoch on. How much it saves depends on the network beside it: our encoder is small, and in a step of training, where the U-Net goes forwards
# and backwards, it would be a minor part. (How large a part is printed after the race.) The encoders of large models see 512×512 pixels, and there it counts.
#
# What does not go together with it: pictures that are shifted or cropped at random in each step. Their codes are not the same ones.
#
# ## 3 · A race of equal time
#
# Now both are trained. The same pictures, the same chain, the same target (velocity), the same optimizer and batches of 32. The number of steps is chosen so that both take about as long on two cores.


# %%
BATCH = budget(4, 32, 32)


def codes(generator: torch.Generator) -> tuple[Tensor, None]:
    rows = torch.randint(len(mu), (BATCH,), generator=generator)
    return codec.scale * codec.draw(mu[rows], logvar[rows]), None


def pictures(generator: torch.Generator) -> tuple[Tensor, None]:
    return x[torch.randint(len(x), (BATCH,), generator=generator)], None


def raced(model: DDPM, batches: Callable, steps: int) -> tuple[DDPM, float]:
    """The model with averaged weights, and the seconds that its training took."""
    start = time.perf_counter()
    for _, _, averaged in train(model, batches, steps, lr=2e-3):
        pass
    return averaged.cpu(), time.perf_counter() - start


STEPS = {"pixels": budget(2, 220, 5000), "codes": budget(3, 820, 19_000)}
pixels, pixel_seconds = raced(pixels, pictures, STEPS["pixels"])
prior, code_seconds = raced(prior, codes, STEPS["codes"])
print(f"pixels: {STEPS['pixels']} steps in {pixel_seconds:.0f} s")
print(f"codes:  {STEPS['codes']} steps in {code_seconds:.0f} s")
measured("time of training: codes / pixels", code_seconds / pixel_seconds)
step = code_seconds / STEPS["codes"]
measured("encoding a batch anew / a step of training with kept codes", encoding / step, at_most=0.6)

# %% [markdown]
# `Latent` puts codec and prior together. It could have been trained itself: its loss encodes each batch, draws, scales, and hands the codes to the prior. We had kept them, so we trained the prior alone. Its `sample` draws codes in 20 steps, of second order and with fresh noise as in lesson 53, and decodes them. The model of pixels is drawn from in the same way. Five hundred pictures each, in batches of 100. The speed is that of the quickest batch, and the
# latent model's decoder is in it.

# %%
latent = Latent(codec, prior)
MANY, PART, WALK = budget(20, 500, 1000), budget(10, 100, 100), budget(2, 20, 20)


def of_pixels(n: int) -> Tensor:
    def noise(t: int) -> Tensor:
        return torch.randn(n, 3, 32, 32)

    walk = few_steps(pixels.predict, noise(0), chain.alpha_bar, WALK, 1.0, noise, second_order=True)
    return walk.clamp(-1, 1)


def many(sample: Callable[[int], Tensor], n: int, seed: int) -> tuple[Tensor, float]:
    """n pictures, and how many came in a second in the quickest batch."""
    torch.manual_seed(seed)
    made, best = [], 0.0
    for _ in range(n // PART):
        start = time.perf_counter()
        made.append(sample(PART))
        best = max(best, PART / (time.perf_counter() - start))
    return torch.cat(made), best


with torch.no_grad():
    by_pixels, pixel_speed = many(of_pixels, MANY, seed=5)
    by_codes, code_speed = many(lambda n: latent.sample(n, steps=WALK), MANY, seed=5)

# %% picture
show.rows(
    {"real": x[:8], "pixels": by_pixels[:8], "codes": by_codes[:8]},
    title="After the same time of training",
)

# %%
judge = ShapeFeatures()
others, *_ = shapes(2 * MANY, seed=2)
real = judge.features(others)
more = shapes(MANY, seed=4)[0]
distance = {
    "real pictures": fid(real, judge.features(more)),
    "through the codec": fid(real, judge.features(to_images(codec, to_codes(codec, more)))),
    "codes": fid(real, judge.features(by_codes)),
    "pixels": fid(real, judge.features(by_pixels)),
}
for name, value in distance.items():
    print(f"{name:18} Fréchet distance {value:7.3f}")
print(f"pictures in a second: pixels {pixel_speed:.1f}, codes {code_speed:.1f}")
measured("samples per second: codes / pixels", code_speed / pixel_speed, at_least=4)
measured("Fréchet distance of the latent model", distance["codes"])
measured("Fréchet distance of the pixel model", distance["pixels"])
measured("Fréchet distance: codes / pixels", distance["codes"] / distance["pixels"], at_most=1)

# %% [markdown]
# The latent model draws several times as many pictures in a second, and better ones, after the same time. (The first two lines are there to compare with: other real pictures, which are not at distance 0 since five hundred are few, and the same pictures sent through the codec. Nothing that is decoded can be expected to do much better than those.)
#
# Look at the rows honestly, though. The model of codes draws blots of no clear kind, slivers, and now and then nothing at all. A minute on two cores is little. And the comparison has a flaw, in favour of the codes: **the codec was trained as well**, for about three minutes, and that is
# not in it. A codec is trained once and serves many models: this one, that of lesson 63, and yours. But if you need just one model, and once, count it. What does the pixel model make of that time? With `MINIGEN_BUDGET=full`, which is meant for a faster machine, the next cell gives it four times as many steps.

# %%
if extra := budget(0, 0, 4 * STEPS["pixels"]):
    longer, longer_seconds = raced(
        DDPM(UNet(3, 32, (1, 2, 2)), chain, (3, 32, 32), "velocity"), pictures, extra
    )
    pixels = longer
    with torch.no_grad():
        made, _ = many(of_pixels, MANY, seed=5)
    print(f"pixels, {extra} steps in {longer_seconds:.0f} s: {fid(real, judge.features(made)):.3f}")

# %% [markdown]
# ## 4 · Other sizes, without training
#
# A minute of training was enough for a race, and is not enough for good pictures. So from here on we take a prior of the same kind that was trained for six minutes. It is that of lesson 63 and can be told in words what to draw. Told nothing (`tokenize` makes numbers of words, here of none), it draws any scene:

# %%
prior, alpha_bar = shipped.prior, shipped.prior.schedule.alpha_bar


def anything(z_t: Tensor, t: Times) -> Tensor:
    """The prediction of the noise in codes (N, 4, h, w), told nothing."""
    return prior.told(tokenize([""] * len(z_t))).predict(z_t, t)


def unprompted(n: int, side: int = 8) -> Tensor:
    """n images (n, 3, 4 side, 4 side), of whatever the model likes."""

    def noise(t: int) -> Tensor:
        return torch.randn(n, codec.code, side, side)

    with torch.no_grad():
        return to_images(codec, few_steps(anything, noise(0), alpha_bar, WALK, 1.0, noise, second_order=True))


for t in 50, 500:
    as_noisy = int((chain.alpha_bar - alpha_bar[t]).abs().argmin())
    print(f"t = {t}: share of signal {alpha_bar[t]:.2f}, as at t = {as_noisy} of the chain of the race")
torch.manual_seed(6)
show.rows(
    {"a minute": by_codes[:8], "six minutes": unprompted(budget(2, 8, 8))}, title="Two priors of one codec"
)

# %% [markdown]
# Its chain is another one (lesson 63 says why), so a time $t$ means another strength of noise than before.
#
# All layers of the U-Net work on any size: convolutions slide, and attention looks at however many places there are. So does the decoder. What does the model draw when the noise has 12×12 places, or 16×16? It has never seen a code of that size.

# %%
SIDES = budget((8, 12), *2 * [(8, 12, 16)])
larger = {}
for side in SIDES:
    torch.manual_seed(6)
    larger[side] = unprompted(budget(4, 100, 100), side)
show.rows(
    {f"{4 * side} × {4 * side}": made[:8] for side, made in larger.items()},
    title="One model, trained on 32 × 32: all pictures are shown equally large",
)


# %% [markdown]
# How many shapes are in a picture, and how large are they? The background is the median of the pixels at the edge. What differs from it is a shape. To count connected regions, give each pixel a number, let it take the largest number among its neighbours of the same region, and
# go on until nothing changes. Then each region has one number.


# %%
def regions(images: Tensor, least: int = 8) -> tuple[Tensor, Tensor]:
    """Of images (N, 3, H, W): how many connected regions of at least so many pixels, and all their pixels."""
    edge = torch.cat([images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]], dim=2)
    ground = edge.median(2).values[:, :, None, None]
    inside = (images - ground).abs().amax(1, keepdim=True) > 0.5
    h, w = images.shape[2:]
    number = torch.arange(1.0, h * w + 1).view(1, 1, h, w) * inside
    while not torch.equal(grown := F.max_pool2d(number, 3, stride=1, padding=1) * inside, number):
        number = grown
    sizes = [part[part > 0].long().bincount() for part in number.flatten(1)]
    counts = torch.tensor([int((size >= least).sum()) for size in sizes])
    return counts, torch.tensor([float(size[size >= least].sum()) for size in sizes])


print("                    none  one  more   pixels of a shape, mean   named circle")
area, several, circles = {}, {}, {}
for side in SIDES:
    drawn, true = larger[side], shapes(len(larger[side]), 4 * side, seed=8)[0]
    for name, pictures_there in {"drawn": drawn, "real": true}.items():
        counts, pixels_inside = regions(pictures_there)
        shares = [float((counts == k).double().mean()) for k in (0, 1)]
        several[name, side] = 1 - sum(shares)
        area[name, side] = float(pixels_inside[counts > 0].sum() / counts.sum())
        circles[name, side] = float((judge.probabilities(pictures_there).argmax(1) == 0).double().mean())
        print(
            f"{4 * side} × {4 * side}, {name:6}   {shares[0]:4.0%} {shares[1]:4.0%}  {several[name, side]:4.0%}   {area[name, side]:6.0f}"
            f" {circles[name, side]:22.0%}"
        )
first, last = SIDES[0], SIDES[-1]
measured(
    "real pictures: share with one shape, any size",
    1 - max(several["real", side] for side in SIDES),
    at_least=0.99,
)
measured("largest size: share with more than one shape", several["drawn", last])
measured("pixels of a real shape: largest size / trained size", area["real", last] / area["real", first])
measured(
    "pixels of a drawn shape: largest size / trained size",
    area["drawn", last] / area["drawn", first],
    at_least=2,
)
more_circles = circles["drawn", last] - circles["drawn", first]
measured("drawn pictures named circle: largest size minus trained size", more_circles, at_least=0)

# %% [markdown]
# Compare the columns of pixels first. You may have expected shapes of the old size in a larger field, since that is what the network has learned. But they *grow with the picture*: a drawn shape has roughly as many pixels as a real one of that size. A guess at the reason: the walk begins in strong noise, where only
# large things can be told from it, and in a larger field larger things can. The details follow what is there.
#
# And mostly there is one shape. A model of convolutions alone knows only its neighbourhood, and could well put a shape here and another there. Our U-Net has attention at its smallest size, by which each place knows of all others, so it can see that there is a shape already. It does not
# always: at the largest size a few pictures show two. Large models that are asked for twice the size that they were trained on are known for the second head.
#
# What is lost is the *kind*. The larger the pictures, the more of them show blobs, which the judge calls circles (last column), and some blobs have two colours. An edge of a large square is a straight line over more places than the network has ever seen in one. So: other sizes without training are a quick way to a larger picture of something, and no
# replacement for training on that size.
#
# ## 5 · Starting from a picture
#
# So far every walk began with pure noise. It need not. Take the code of a picture, add noise up to some time $t$ that is not the last,
#
# $$ z_t = \sqrt{\bar\alpha_t} \, z + \sqrt{1 - \bar\alpha_t} \, \varepsilon , $$
#
# and let the sampler walk back from there. What the noise has drowned is drawn anew, what still shows is kept. The later $t$, the less is kept. This is **SDEdit** (Meng and others, 2022), and the "image to image" of drawing programs, where $t / T$ is called *strength*.
#
# **Your turn.** In go the prediction, data such as codes, the time $t$, the table, the number of steps, and `noise`, which draws afresh at each call. Out come other data like these. The walk is that of `Latent.sample`: second order, with fresh noise ($\eta = 1$). All `steps` are spent between $t$ and 0.

# %% exercise
from minigen.latent import redraw

# %%
redraw = check("redraw", redraw)


# %%
def fresh(*shape: int, seed: int) -> Callable[[int], Tensor]:
    """noise(t) for a sampler: draws from N(0, I), another one at each call."""
    generator = torch.Generator().manual_seed(seed)
    return lambda t: torch.randn(*shape, generator=generator)


def redrawn(images: Tensor, t: int, seed: int) -> Tensor:
    z = to_codes(codec, images)
    noise = fresh(*z.shape, seed=seed)
    return to_images(codec, redraw(anything, z, t, alpha_bar, WALK, noise))


STRENGTHS = budget((100, 900), *2 * [(50, 200, 400, 700, 950)])
show.rows(
    {"given": others[:8]} | {f"t = {t}": redrawn(others[:8], t, seed=9) for t in STRENGTHS},
    title="Redrawn: noise up to t, and back",
)

# %% [markdown]
# What is kept, and what is not? The judge names shape, colour, background and position of a hundred pictures, before and after. At $t = 0$ stands what the codec alone keeps.

# %%
some = others[: budget(10, 100, 100)]


def named(images: Tensor) -> dict[str, Tensor]:
    return {factor: judge.probabilities(images, factor).argmax(1) for factor in VOCABULARY}


before, kept = named(some), {factor: {} for factor in VOCABULARY}
for t in (0, *STRENGTHS):
    after = named(redrawn(some, t, seed=10) if t else to_images(codec, to_codes(codec, some)))
    for factor in VOCABULARY:
        kept[factor][t] = float((before[factor] == after[factor]).double().mean())
show.curves(kept, xlabel="t", ylabel="share of pictures", title="Where the judge still sees the same")

# %%
print("t         " + "".join(f"{factor:>12}" for factor in kept))
for t in (0, *STRENGTHS):
    print(f"{t:<10}" + "".join(f"{row[t]:12.2f}" for row in kept.values()))
weakest, strongest = STRENGTHS[0], STRENGTHS[-1]
measured("background kept at the lowest t", kept["background"][weakest], at_least=0.9)
measured("shape kept at the lowest t", kept["shape"][weakest])
for factor in "shape", "position", "background":
    drop = kept[factor][strongest] - kept[factor][weakest]
    measured(f"{factor} kept: highest t minus lowest", drop, at_most=-0.05)

# %% [markdown]
# It goes from fine to coarse. The shape is what suffers first, since corners and rims are fine detail. The position holds out until the shape is drowned altogether, and the background, which fills the picture, longest of all. The reason is in lesson 50: noise of one strength in all places drowns first what is small.
#
# That the shape suffers already at the lowest $t$ has two reasons. This chain hurries through its beginning, so its $t = 50$ is not little noise (see above what it is as noisy as). And told nothing, our model is unsure what shape it is, so corners come and go. A better model leaves a cross a cross.
#
# The same thing is of use the other way round. Give it a rough drawing that is no proper picture, and let it make one of it. Here, mosaics of 8×8 pixels.

# %%
mosaic = F.interpolate(F.avg_pool2d(others[:8], 8), scale_factor=8.0)
ROUGH = budget((700,), *2 * [(200, 400, 700)])
show.rows(
    {"given": mosaic} | {f"t = {t}": redrawn(mosaic, t, seed=11) for t in ROUGH}, title="From rough drawings"
)

# %% [markdown]
# With a low $t$ something of the mosaic's outline stays (see the ring), since the model takes it for what was wanted. With a higher one the shapes grow more even, and are less and less what was given. In between one has to search, and for each picture anew.
#
# ## 6 · Filling a hole
#
# Now a part of the picture is known for sure, and the rest is to be made up. The idea: at each step of the walk we *know* the noise in the known part, for we know the data there. From $x_t = \sqrt{\bar\alpha_t} \, x + \sqrt{1 - \bar\alpha_t} \, \varepsilon$,
#
# $$ \varepsilon = \frac{x_t - \sqrt{\bar\alpha_t} \, x}{\sqrt{1 - \bar\alpha_t}} . $$
#
# So we need no network for that part. In the other part, the network is asked as ever, and it sees *all* of $x_t$, so that what it draws fits.
#
# As guidance did in lesson 55, this only changes the prediction. The samplers do not know of it.
#
# **Your turn.** In go the prediction of a network, the data, booleans that say where it is known, and the table. Out comes another prediction: a function of $(x_t, t)$, where $t$ is one time or one for each image.

# %% exercise
from minigen.latent import knowing

# %%
knowing = check("knowing", knowing)

# %% [markdown]
# A hole is given in pixels. But our data are codes, and each place of a code stands for a block of pixels. If only one pixel of the block is hidden, the number there was made with a pixel that nobody is supposed to know.
#
# **Your turn.** Booleans for pixels go in, True where the pixel is known, and the factor of the codec. Out come booleans for places. There is no formula for it; pooling, or the way in which `unflatten` cuts an axis, will help.

# %% exercise
from minigen.latent import shrink_mask

# %%
shrink_mask = check("shrink_mask", shrink_mask)


# %% [markdown]
# With both, the hole can be filled. Three things to mind:
#
# - The hidden pixels are painted over with grey *before* they are encoded. Otherwise the code would know what it should not.
# - The encoder looks further than its block. Also the places around the hole have seen the grey, and their codes say "a grey edge is here". So the last row counts them as unknown as well: a margin of one place. The network then has less to go by.
# - At the end the known pixels are pasted back. They come from the picture itself, and not through the codec.


# %%
def filled(images: Tensor, known: Tensor, margin: int, seed: int) -> Tensor:
    """Images (N, 3, H, W) with the unknown pixels drawn; known: (1, 1, H, W).  margin: places around them."""
    z = to_codes(codec, images.where(known, 0.0))
    unknown = (~shrink_mask(known, codec.factor)).float()
    unknown = F.max_pool2d(unknown, 2 * margin + 1, stride=1, padding=margin)
    told = knowing(anything, z, unknown == 0, alpha_bar)
    noise = fresh(*z.shape, seed=seed)
    return to_images(codec, few_steps(told, noise(0), alpha_bar, WALK, 1.0, noise, second_order=True))


known = torch.ones(1, 1, 32, 32, dtype=torch.bool)
known[..., 8:24, 16:32] = False
whole = others[:8]
made = filled(whole, known, 0, seed=12)
wider = filled(whole, known, 1, seed=12)
show.rows(
    {
        "whole": whole,
        "hidden": whole.where(known, 0.0),
        "drawn": made,
        "pasted": whole.where(known, made),
        "with a margin": whole.where(known, wider),
    },
    title="A hole of 16 × 16 pixels, on the grid of the code",
)

# %%
hundred = others[: budget(10, 100, 100)]
for margin in 0, 1:
    off = (filled(hundred, known, margin, seed=14) - hundred).abs().where(~known, 0.0).sum() / (
        3 * 256 * len(hundred)
    )
    measured(f"error of hidden pixels, margin of {margin}", off)

# %%
here = known.expand_as(whole)
through = to_images(codec, to_codes(codec, whole.where(known, 0.0)))
error = {
    "through the codec, nothing hidden": (to_images(codec, to_codes(codec, whole)) - whole)[here]
    .abs()
    .mean(),
    "through the codec, grey painted": (through - whole)[here].abs().mean(),
    "drawn": (made - whole)[here].abs().mean(),
    "pasted": (whole.where(known, made) - whole)[here].abs().max(),
}
for name, value in error.items():
    print(f"{name:35} error of known pixels {value:.4f}")
measured("largest error of known pixels after pasting", error["pasted"], at_most=0)
measured(
    "error of known pixels: drawn / through the codec, nothing hidden",
    error["drawn"] / error["through the codec, nothing hidden"],
)

# %% [markdown]
# The margin is a loss, other than one may have thought: the ghosts of the grey edge go, and so does the end of the line that should be continued, so the model begins something else. Known *codes* come back as they were. Known pixels do not, since the decoder looks at neighbours too, which are drawn or have seen the grey: they are further off than the codec alone would bring them. Hence the pasting.
#
# And the hole? Look at each picture by itself. Where nothing in sight says that a shape goes on, background is drawn, which fits, though the shape is lost if it was all in the hole. Where an edge of a shape enters it, the shape is sometimes continued, sometimes ends there, and sometimes another colour begins. Part of the blame is with our small model. But part of it
# is with the method. In the first steps, at large $t$, $x_t$ is nearly pure noise, in the known part too, and the network decides what to draw without having seen much of it. Later it cannot take that back. The paper RePaint (Lugmayr and others, 2022) walks to and fro between noise and
# data to mend this; models made for filling holes are simply told the mask and the known part, as one more input.
#
# ### What the coarse grid does
#
# The hole above began where a place of the code begins. Holes do not do that on their own.

# %% exercise
from minigen.exercises.lesson_61_latent_diffusion import hole_in_the_code

# %%
hole_in_the_code = check("hole_in_the_code", hole_in_the_code)

# %%
lost, grids = {}, []
for shift in range(codec.factor):
    at_shift = torch.ones(1, 1, 32, 32, dtype=torch.bool)
    at_shift[..., 8 + shift : 16 + shift, 8 + shift : 16 + shift] = False
    places = ~shrink_mask(at_shift, codec.factor)
    lost[shift] = int(places.sum()) * codec.factor**2
    grown = F.interpolate(places.float(), scale_factor=float(codec.factor))
    grids.append(1 - grown - (~at_shift).float())  # 1: known; 0: lost to the grid; -1: hidden
    print(f"shifted by {shift} pixels each way: 64 pixels hidden, {lost[shift]} at places that are unknown")
measured("most pixels at unknown places for a hole of 64", max(lost.values()), at_least=144, at_most=144)
show.grid(
    torch.cat(grids),
    columns=4,
    labels=[f"shift {shift}" for shift in lost],
    title="Black: hidden. Grey: lost to the grid",
)

# %%
small = torch.ones(1, 1, 32, 32, dtype=torch.bool)
small[..., 11:19, 11:19] = False
made = filled(whole, small, 0, seed=13)
show.rows(
    {
        "hidden": whole.where(small, 0.0),
        "drawn": made,
        "pasted": whole.where(small, made),
        "difference": (made - whole).abs().where(small, 0.0).mul(4).sub(1).clamp(max=1),
    },
    title="A hole of 8 × 8 pixels that lies across the grid",
)

# %% [markdown]
# (Last row: how far known pixels are off before they are pasted, times 4; black is not at all.) The grey frame in the masks is drawn anew though its pixels are known. Pasting puts the known ones back, and at the border of the hole the two meet: there you may see a seam, since what was drawn was drawn to fit the drawn frame, not the true one. And nothing smaller than a block can be
# edited in the code at all. In pixels none of that would happen. It is the second price of the small code, after the lost detail.
#
# ## What goes wrong in practice
#
# - **The latent not scaled.** Nothing fails. The network trains on a chain in which nearly every step is too easy, or too hard. Print the standard deviation of the codes that go into the loss: it should be about 1.
# - **Scaled one way only.** Pictures pale, or too bright, from a model whose loss is fine. Send one picture in and out again; that needs no diffusion.
# - **A scale of another codec.** 0.18 is that of one published codec, and is often copied with the code. Measure yours.
# - **The codec in training mode, or in the optimizer.** The codes then move under the model that learns them.
# - **Clipped codes.** Samplers of pixels clip the predicted data to $[-1, 1]$. Codes reach further; here, clipping is off.
# - **Codes kept, pictures moved.** Codes that were made once do not know of shifts and crops made later.
# - **Scores of the latent model alone.** Its Fréchet distance cannot be better than what the codec lets through. Measure the codec by itself, as we did.
# - **The mask inverted.** It is called `known` here. Half of all programs call a mask what is to be *drawn*.
# - **Hidden pixels that were encoded.** Then the "filled" picture is astonishingly good.
#
# ## Where to read on
#
# - Rombach, Blattmann, Lorenz, Esser and Ommer (2022), *High-Resolution Image Synthesis with Latent Diffusion Models*: codecs of several factors side by side, and which one is best for how much training.
# - Vahdat, Kreis and Kautz (2021), *Score-based Generative Modeling in Latent Space*: codec and model trained together.
# - Meng, He, Song, Song, Wu, Zhu and Ermon (2022), *SDEdit: Guided Image Synthesis and Editing with Stochastic Differential Equations*.
# - Song, Sohl-Dickstein, Kingma, Kumar, Ermon and Poole (2021), *Score-Based Generative Modeling through Stochastic Differential Equations*: appendix I.2, known parts replaced.
# - Lugmayr, Danelljan, Romero, Yu, Timofte and Van Gool (2022), *RePaint: Inpainting using Denoising Diffusion Probabilistic Models*.
# - Podell and others (2023), *SDXL: Improving Latent Diffusion Models for High-Resolution Image Synthesis*: a model that is told the size of its pictures.

# %%
progress()
