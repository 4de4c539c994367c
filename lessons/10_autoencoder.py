# %% [markdown]
# # 10 · Autoencoders
#
# **Can 64 pixels be squeezed into 8 numbers, and come back?** If so, those 8 numbers know what makes a digit a digit.
# And could we then *invent* 8 numbers, and get a digit that nobody wrote?
#
# You start with the best squeeze that straight lines can do (principal components), find that a linear network learns the
# very same thing, go beyond it with a convolutional network, and see why neither of them is a generative model yet.
#
# About 80 minutes · 7 exercises · needs: lessons 00 and 01; matrices and what orthogonal means; a first idea of how networks
# are trained.

# %%
import torch
from torch import Tensor, nn

from minigen import show
from minigen.core import Generative, budget
from minigen.course import check, hint, measured, progress, solution
from minigen.data import batches, digits
from minigen.train import train

# %%
x, labels = digits("train")  # (1438, 1, 8, 8) in [-1, 1]
x_test, labels_test = digits("test")  # (359, 1, 8, 8), other pictures by the same writers
show.grid(x[:20], labels=labels[:20], title="What we want to squeeze")

# %% [markdown]
# ## 1 · Straight lines: principal components
#
# Read each picture as a point in a space of 64 dimensions, one for each pixel. The 1,438 digits form a cloud in it. Most
# of this space is empty: a point chosen at random is not a digit.

# %%
noise = 2 * torch.rand(10, 1, 8, 8, generator=torch.Generator().manual_seed(0)) - 1
show.rows(
    {"points of the cloud": x[:10], "points anywhere": noise},
    title="The space of all pictures is mostly noise",
)

# %% [markdown]
# **Principal component analysis** (PCA) puts a flat sheet of $k$ dimensions through the cloud, as close to all points as a
# flat sheet can be. It needs the mean picture $\bar x$ and $k$ directions, the **principal axes**: the cloud is widest
# along the first, next widest along the second at a right angle to it, and so on.
#
# They come from the singular value decomposition (SVD) of the centred data: write the pictures as the rows of a matrix $X$
# with the mean taken off, then $X = U S V^\top$, where the columns of $U$ and of $V$ are **orthonormal**: of length 1 and at
# right angles to each other. One factor has a row for each picture, one has a row for each pixel, and one says how wide the
# cloud is in each direction. Which of them holds the axes?
#
# **Your turn.** What goes in: pictures as rows (N, D). What comes out: the mean (D,) and $k$ axes (k, D). (Refusing an
# impossible `k`, as the docstring says, is the library's manner; your version may skip it.)

# %% exercise
from minigen.autoencoder import pca

# %%
pca = check("pca", pca)

# %%
mean, axes = pca(x.flatten(1), 64)
faces = torch.cat([mean[None], axes[:9] * 3]).view(-1, 1, 8, 8).clamp(-1, 1)
show.grid(
    faces, labels=["mean", *(f"axis {i}" for i in range(1, 10))], title="The mean digit, and what varies most"
)

# %% [markdown]
# The mean is a smear, since it is all digits at once. The first axes look like parts of strokes: bright where moving along
# this axis adds ink, dark where it removes ink.
#
# With axes in hand, squeezing is two lines, and they are given: the **code** of a picture is its coordinates along the
# axes, and decoding adds up the axes again.

# %%
from minigen.autoencoder import project, reconstruct


def through_pca(images: Tensor, k: int) -> Tensor:
    codes = project(images.flatten(1), mean, axes[:k])  # (N, k)
    return reconstruct(codes, mean, axes[:k]).view_as(images)


show.rows(
    {
        "original": x_test[:10],
        **{f"k = {k}": through_pca(x_test[:10], k).clamp(-1, 1) for k in (1, 2, 8, 32)},
    },
    title="Test digits through k principal components",  # k numbers for each picture
)

# %% [markdown]
# With 8 numbers you can read most of them. Before we go on: is a code of 8 numbers a *smaller file*?

# %% exercise
from minigen.exercises.lesson_10_autoencoder import compression_ratio

# %%
compression_ratio = check("compression_ratio", compression_ratio)

# %% [markdown]
# So 8 times fewer numbers make a file of half the size, no more. We come back to this with a model that deserves it.
#
# ## 2 · How wrong is a reconstruction?
#
# We need one number to compare squeezes. The course uses the **squared error, summed over the pixels of a picture and
# averaged over the batch**:
#
# $$ L(x, y) = \frac{1}{N} \sum_{n=1}^{N} \sum_{\text{pixels } i} (x_{ni} - y_{ni})^2 $$
#
# Sum or mean? It looks like a detail of taste, and it is one of the most common faults in published code for the models
# of lesson 13: there, this error stands beside a second term, and dividing one of the two by 64 changes the model.
#
# **Your turn.** The function below runs, and models train with it. Still, it is not what its docstring says. Repair it.

# %% exercise
from minigen.autoencoder import reconstruction_error

# %%
reconstruction_error = check("reconstruction_error", reconstruction_error)

# %%
sizes = [1, 2, 4, 8, 16, 32, 64]
pca_errors = {k: float(reconstruction_error(x_test, through_pca(x_test, k))) for k in sizes}
show.curves(
    {"PCA": pca_errors},
    xlabel="numbers in the code",
    ylabel="error on test digits",
    title="More axes, less error; all 64 lose nothing",
)

# %% [markdown]
# ## 3 · A network that does the same
#
# An **autoencoder** is a network that must give back its input through a narrow code: an encoder, 8 numbers, a decoder.
# It needs no labels, since each picture is its own answer.
#
# The plainest one has a matrix as encoder and a matrix as decoder, and nothing else:
#
# $$ z = W_e\,(x - \bar x), \qquad \hat x = \bar x + W_d\, z . $$
#
# (`Generative` is the base of all models of this course. It says what a model must have: a `loss`, and later a `sample`.)
#
# **Your turn.** The class below has its layers and its loss. Write `encode` and `decode`. Pictures go in as (N, C, H, W),
# codes are (N, k), and pictures come out in the shape in which they went in.

# %% exercise
from minigen.autoencoder import LinearAutoencoder

# %%
LinearAutoencoder = check("LinearAutoencoder", LinearAutoencoder)

# %% [markdown]
# Gradient descent knows nothing of singular values. It starts with random matrices and makes the error smaller, step by
# step. Where does it end? The error alone can tell us a little; better to compare the *sheets*: the rows of PCA's axes span
# a flat sheet, a *subspace* (all their sums and multiples), and so do the columns of the trained $W_d$. How far apart are
# these two?
#
# This is what **principal angles** measure. Both matrices may describe the same subspace with quite different rows, so
# comparing row by row is no use. Instead, find the direction in the one and the direction in the other that are closest:
# their angle is the first. Then the closest pair at right angles to these, and so on. When all angles are 0, the subspaces
# are the same.
#
# **Your turn**, and this one is worth thinking about with pencil and paper. It needs two tools: the SVD, which you know, and
# `torch.linalg.qr`, which makes the columns of a matrix orthonormal without changing the subspace that they span.

# %% exercise
from minigen.autoencoder import principal_angles

# %%
principal_angles = check("principal_angles", principal_angles)

# %% [markdown]
# Now train, and watch the largest of the eight angles. The loop is the one that every lesson uses: `train` yields after each
# step, and what happens between two steps is up to us. It asks for a function that gives a batch; here every batch is the
# whole training set. `averaged` is the model with slightly steadier weights; we come back to it.

# %%
torch.manual_seed(0)
linear = LinearAutoencoder(x.mean(0), k=8)
angle = {}
for step, losses, averaged in train(
    linear, lambda generator: (x, None), steps=budget(30, 1000, 1000), lr=0.02
):
    if step % 10 == 0:
        angle[step] = float(principal_angles(axes[:8], linear.decoder.weight.detach().T.cpu())[-1])
linear = averaged.cpu()

# %%
show.curves(
    {"largest angle": angle},
    ylabel="degrees",
    title="A linear autoencoder finds the principal subspace",
    log=True,
)

# %% [markdown]
# The angle falls until it is nearly 0. The small jumps after that are the steps of the optimizer, which are too large to
# settle completely.

# %%
with torch.no_grad():
    linear_error = float(reconstruction_error(x_test, linear.decode(linear.encode(x_test))))
found = principal_angles(axes[:8], linear.decoder.weight.T)
measured("largest angle between the linear autoencoder and PCA, degrees", found[-1], at_most=2)
print(f"error on test digits: {linear_error:.3f} linear autoencoder, {pca_errors[8]:.3f} PCA")

# %% [markdown]
# It found PCA's subspace, without being told about it (Baldi and Hornik, 1989). Its *codes* are other numbers, though: any
# invertible mixing of the 8 numbers, undone by the decoder, gives the same error. Look at the 8 axes, and at the 8 columns of
# the network's $W_d$:

# %%
learned = linear.decoder.weight.detach().T
learned = learned / learned.abs().amax(1, keepdim=True)
principal = axes[:8] / axes[:8].abs().amax(1, keepdim=True)
show.rows(
    {"PCA": principal.view(-1, 1, 8, 8), "network": learned.view(-1, 1, 8, 8)},
    title="The same sheet, described by other directions",
)

# %% [markdown]
# ## 4 · Beyond flat sheets: a convolutional autoencoder
#
# Digits do not lie on a flat sheet. Shift a stroke by one pixel, and the picture moves along a *curve* through the space of
# pictures; a flat sheet needs many dimensions to contain it. So we bend the sheet: layers with a nonlinear function between
# them (here SiLU, a smooth relative of ReLU), and convolutions, because a stroke looks the same wherever it is.
#
# This network is given. Read it: twice, the height and the width are halved and the channels doubled; then one linear layer
# makes 8 numbers, and the decoder goes the same way back. Its last function is `tanh`, which keeps pixels in [−1, 1].

# %%
from minigen.autoencoder import ConvAutoencoder

torch.manual_seed(0)
conv = ConvAutoencoder(latent=8)
print(conv)

# %%
history = {}
for step, losses, averaged in train(conv, batches(x, size=64), steps=budget(20, 1200, 6000), lr=3e-3):
    if step % 25 == 0:
        history[step] = losses["loss"]

# %% [markdown]
# `averaged` is the same model with the *moving average* of its weights over the last steps. Single steps jump around a good
# place, and the average lies nearer to it. You get this for nothing:

# %%
with torch.no_grad():
    for name, model in {"the last step": conv.cpu(), "the moving average": averaged.cpu()}.items():
        print(
            f"{name}: error on test digits {reconstruction_error(x_test, model.decode(model.encode(x_test))):.3f}"
        )
conv = averaged

# %%
show.curves(
    {"training error": history}, ylabel="error", title="Training the convolutional autoencoder", log=True
)

# %% picture
with torch.no_grad():
    through_conv = conv.decode(conv.encode(x_test))
    conv_error = float(reconstruction_error(x_test, through_conv))
show.rows(
    {
        "original": x_test[:12],
        "PCA, 8": through_pca(x_test[:12], 8).clamp(-1, 1),
        "conv, 8": through_conv[:12],
    },
    title="Test digits through 8 numbers",
)

# %%
measured("test error of 8 principal components", pca_errors[8])
measured("test error of the convolutional code of 8 numbers", conv_error)
measured("convolutional error / PCA error", conv_error / pca_errors[8], at_most=0.5)

# %%
show.bars(
    {"PCA, 8": pca_errors[8], "linear, 8": linear_error, "conv, 8": conv_error, "PCA, 16": pca_errors[16]},
    ylabel="error on test digits",
    title="8 bent numbers against flat ones",
)

# %% [markdown]
# The pictures say it too: PCA's reconstructions are a digit with ghosts of other digits, the network's are clean strokes.
# And where it errs, it errs in another way. Here are the test digits that it changes most: some come back smeared, and
# some come back as another digit. A strong decoder often draws something plausible even where it is wrong; that is its
# strength, and also how these models lie.

# %%
worst = (x_test - through_conv).square().flatten(1).sum(1).topk(12).indices
show.rows(
    {"original": x_test[worst], "conv, 8": through_conv[worst]}, title="The 12 worst reconstructions of 359"
)

# %% [markdown]
#
# ## 5 · How small can the file be?
#
# Back to the bits. The code is 8 floats of 32 bits each, and hardly needs them all. Let us keep only a few **bits** a number: take
# the nearest of $2^b$ evenly spaced levels between `low` and `high`.
#
# **Your turn.** Codes (N, k) go in, with `low` and `high` (k,) for each of the k numbers; what comes out are the values of
# the levels, so that the decoder can use them.

# %% exercise
from minigen.autoencoder import quantise

# %%
quantise = check("quantise", quantise)

# %%
with torch.no_grad():
    codes, codes_test = conv.encode(x), conv.encode(x_test)
    low, high = codes.amin(0), codes.amax(0)
    by_bits = {b: conv.decode(quantise(codes_test, low, high, b)) for b in range(1, 9)}
show.curves(
    {
        "quantised code": {8 * b: float(reconstruction_error(x_test, y)) for b, y in by_bits.items()},
        "code in floats": {8 * b: conv_error for b in by_bits},
    },
    xlabel="bits for a picture (as bytes: 512)",
    ylabel="error on test digits",
    title="A few bits for each number are enough",
)

# %%
show.rows(
    {"original": x_test[:12], **{f"{8 * b} bits": by_bits[b][:12] for b in (6, 4, 2)}},
    title="Test digits from files of 48, 32 and 16 bits",
)

# %%
measured(
    "test error with 4 bits a number, 16 times smaller than bytes", reconstruction_error(x_test, by_bits[4])
)

# %% [markdown]
# With 4 bits a number, the code takes 32 bits where the picture took 512, and it is still far better than 8 principal
# components in full precision. This is *lossy compression*, and with better networks it is how learned image codecs
# work. Latent diffusion, in part 6, draws its pictures in such a code.
#
# ## 6 · Is it a generative model?
#
# It would be tempting. The decoder turns 8 numbers into a digit, so draw 8 random numbers and decode them. Let each be
# normally distributed with mean 0 and variance 1, independent of the others; this is written $z \sim N(0, I)$.

# %%
generator = torch.Generator().manual_seed(1)
noise = torch.randn(400, 8, generator=generator)
with torch.no_grad():
    from_noise = conv.decode(noise)
show.grid(from_noise[:40], columns=20, title="Decoding N(0, I)")

# %% [markdown]
# Some are close, most are pale or broken: not digits. What is different about these codes? One thing is easy to see, how far
# from 0 they are:

# %%
show.histogram(
    {"codes of digits": codes.norm(dim=1), "drawn from N(0, I)": noise.norm(dim=1)},
    xlabel="distance of a code from 0",
    title="The two kinds of codes hardly meet",
)

# %% exercise
from minigen.exercises.lesson_10_autoencoder import why_noise_fails

# %%
why_noise_fails = check("why_noise_fails", why_noise_fails)

# %% [markdown]
# The remedy that suggests itself is to draw codes where the codes *are*: fit a Gaussian to them, with their mean $\mu$ and
# their covariance $\Sigma$, and draw from that one. These are `fit_gaussian` and `sample_gaussian` of lesson 01, where they
# drew whole pictures and drew them badly; codes of 8 numbers may suit a Gaussian better.

# %%
from minigen.density import fit_gaussian, sample_gaussian

mu, covariance = fit_gaussian(codes)
with torch.no_grad():
    from_fitted = conv.decode(sample_gaussian(mu, covariance, noise))
show.rows(
    {"N(0, I)": from_noise[:12], "fitted Gaussian": from_fitted[:12], "real digits": x_test[:12]},
    title="Digits that nobody wrote?",
)

# %% [markdown]
# Much better, and some of them would pass. Let us put a number on it. For each picture take its distance to the *nearest*
# training digit. Real test digits have such distances too, so we call a picture **far** when it is farther than 95 % of the
# test digits are:


# %%
def nearest(images: Tensor) -> Tensor:
    """Distance of each image to the nearest training digit."""
    return torch.cdist(images.flatten(1), x.flatten(1)).amin(1)


limit = nearest(x_test).quantile(0.95)
far = {
    "test digits": float((nearest(x_test) > limit).float().mean()),
    "fitted Gaussian": float((nearest(from_fitted) > limit).float().mean()),
    "N(0, I)": float((nearest(from_noise) > limit).float().mean()),
}
show.bars(
    far, ylabel="share of pictures far from any digit", title="The fitted Gaussian is a patch, not a model"
)

# %%
measured("share of N(0, I) decoded far from every digit", far["N(0, I)"])
measured("share of the fitted Gaussian decoded far from every digit", far["fitted Gaussian"])

# %% [markdown]
# The patch works as far as the cloud of codes happens to look like a Gaussian. It was a lucky accident: nothing in the
# training asked for it. Here is a map of the codes, seen from their widest side (with your `pca`): most digits have a region
# of their own, with thin places between. A Gaussian knows nothing of regions, and puts codes between them too.

# %%
centre, directions = pca(codes, 2)
show.scatter(
    project(codes, centre, directions),
    labels,
    title="The codes of the training digits",
    xlabel="first direction of the codes",
    ylabel="second direction",
)

# %% [markdown]
# What if the training itself asked the codes to look like N(0, I)? Then drawing from N(0, I) would make sense. That is the idea of
# the **variational autoencoder**, lesson 13.
#
# ## What goes wrong in practice
#
# - **The code is as wide as the picture.** The network copies its input, the error is 0, and it has learned nothing.
# - **Mean for sum** in the loss: harmless here, a different model in lesson 13.
# - **Comparing training errors.** A wide network remembers its training set. Every error that we compared is on test digits.
# - **Pixels in the wrong range.** The decoder ends in `tanh`, which cannot give 255, nor 1.2.
# - **Good reconstructions taken for a good generative model.** They are two different questions; you have just seen it.
#
# ## Where to read on
#
# - Baldi and Hornik, 1989, *Neural Networks and Principal Component Analysis: Learning from Examples Without Local Minima*.
# - Hinton and Salakhutdinov, 2006, *Reducing the Dimensionality of Data with Neural Networks*.
# - Björck and Golub, 1973, *Numerical Methods for Computing Angles between Linear Subspaces*.
# - Goodfellow, Bengio and Courville, 2016, *Deep Learning*, chapter 14.
#
# **Next: 11 · Denoising autoencoders.** Can a network see what is under the noise?

# %%
progress()
