# %% [markdown]
# # 13 · Variational autoencoders
#
# **Can we teach the codes to lie where we will look for them?** In lesson 10 a decoder turned 8 numbers into a digit. But
# from 8 random numbers it drew mostly pale and broken digits: nothing in its training had said where its codes should lie.
#
# In this lesson you build the model that says it, the **variational autoencoder** or VAE. Its encoder answers with a small
# cloud instead of a point; a price on every cloud keeps them where random numbers fall; and the loss turns out to be a bound
# on the probability of the data. You will also break it, in the five ways in which everybody breaks it once.
#
# About 2 hours · 8 exercises · needs: lessons 01 and 10; derivatives, integrals, the normal distribution.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence
from torch.nn import functional as F

from minigen import show
from minigen.autoencoder import ConvAutoencoder
from minigen.core import Generative, budget, check_images
from minigen.course import check, hint, measured, progress, solution
from minigen.data import batches, digits
from minigen.density import fit_gaussian, sample_gaussian
from minigen.features import DigitFeatures
from minigen.layers import image_decoder, image_encoder
from minigen.metrics import fid
from minigen.train import train

# %% [markdown]
# Here is where lesson 10 ended: its convolutional autoencoder, trained as there, and pictures decoded from random codes. Each of
# their 8 numbers is drawn from a normal distribution with mean 0 and variance 1, independent of the others; we write
# $z \sim N(0, I)$.

# %%
x, labels = digits("train")  # (1438, 1, 8, 8) in [-1, 1]
x_test, labels_test = digits("test")  # (359, 1, 8, 8)

torch.manual_seed(0)
plain = ConvAutoencoder(latent=8)
for step, losses, averaged in train(plain, batches(x, size=64), steps=budget(10, 1200, 3000), lr=3e-3):
    pass
plain = averaged.cpu()

# %%
noise = torch.randn(len(x), 8, generator=torch.Generator().manual_seed(1))
with torch.no_grad():
    from_plain = plain.decode(noise)
    plain_codes = plain.encode(x)
show.rows(
    {
        "test digits": x_test[:12],
        "through the code": plain.decode(plain.encode(x_test[:12])).detach(),
        "random codes": from_plain[:12],
    },
    title="A plain autoencoder: good at copying, bad at inventing",
)

# %% [markdown]
# ## 1 · Clouds for points
#
# Why does it fail? The training looks at 1,438 codes, and at nothing between them. The decoder may do there what it likes, and
# the codes may lie anywhere. So we change two things:
#
# 1. **The code of a picture becomes a cloud.** The encoder answers with a normal distribution, a mean $\mu$ and a spread
#    $\sigma$ for each number of the code. We draw a code from it, and the decoder must rebuild the picture from *whichever* code
#    was drawn. Now it has to make sense in a neighbourhood, and clouds that overlap have to mean similar pictures.
# 2. **All clouds together should look like $N(0, I)$**, from which we want to draw later. So each cloud pays for being unlike
#    $N(0, I)$.
#
# The two pull against each other. To rebuild its picture well, a cloud would like to be narrow and far from all others. To pay
# nothing, it would have to *be* $N(0, I)$, and then it says nothing about its picture. To strike a balance we need a price: how
# unlike $N(0, I)$ is a cloud?
#
# ## 2 · How unlike are two clouds?
#
# Let $q$ and $p$ be two densities. The **Kullback–Leibler divergence** asks how much more probable $q$ makes its own draws than
# $p$ does, on average and on a logarithmic scale:
#
# $$ \mathrm{KL}(q \,\|\, p) = \mathbb{E}_{z \sim q} \left[ \log q(z) - \log p(z) \right] = \int q(z) \log \frac{q(z)}{p(z)} \, dz . $$
#
# ($\mathbb{E}_{z \sim q}$ is the average over draws $z$ of $q$.) It is never below 0, and it is 0 only when the two are equal. Its
# unit is the **nat**, that of natural logarithms. And it is no true distance: $\mathrm{KL}(q \| p)$ and $\mathrm{KL}(p \| q)$
# differ, since the average is taken over draws of the first.
#
# ### In one dimension
#
# **Your turn**, with pencil and paper. Both are Gaussians, $q = N(\mu_q, \sigma_q^2)$ and $p = N(\mu_p, \sigma_p^2)$, with
#
# $$ \log N(z; \mu, \sigma^2) = -\frac{(z - \mu)^2}{2 \sigma^2} - \log \sigma - \log \sqrt{2\pi} . $$
#
# Put this into the average above. You need no integral, only two averages that you know: over draws of $q$, the average of $z$
# is $\mu_q$, and the average of $(z - \mu_q)^2$ is $\sigma_q^2$. What goes in: two means and two standard deviations, of any
# shape. What comes out: a number of nats for each.

# %% exercise
from minigen.vae import kl_1d

# %%
kl_1d = check("kl_1d", kl_1d)

# %% [markdown]
# A formula you found yourself should be checked in another way. The average over $q$ is an integral, and a computer can
# add up an integral:


# %%
def average(f, mean: Tensor, std: Tensor) -> Tensor:
    """The average of f(z) over draws z of N(mean, std²), by numerical integration: a sum over 4,001 points."""
    u = torch.linspace(-9, 9, 4001, dtype=torch.float64)
    weights = (-u.square() / 2).exp()
    return (weights * f(mean + std * u)).sum() / weights.sum()


one, zero = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
differences = []
for mean_q, std_q, mean_p, std_p in [(0, 1, 0, 1), (1, 0.5, 0, 1), (-2, 2, 1, 0.7), (0.3, 0.05, 0, 3)]:
    q, p = Normal(mean_q * one, std_q * one), Normal(mean_p * one, std_p * one)
    by_sum = average(lambda z, q=q, p=p: q.log_prob(z) - p.log_prob(z), q.mean, q.stddev)
    by_formula = kl_1d(q.mean, q.stddev, p.mean, p.stddev)
    differences.append(abs(by_sum - by_formula))
    print(
        f"N({mean_q}, {std_q}²) and N({mean_p}, {std_p}²): {by_formula:.6f} nats, by integration {by_sum:.6f}"
    )
measured("largest difference of kl_1d from numerical integration, nats", max(differences), at_most=1e-6)

# %% [markdown]
# What does it punish? Here a cloud sits at the right place, and only its width is wrong. Both ways round, a width of 1 costs
# nothing.

# %%
widths = torch.linspace(0.3, 3, 200, dtype=torch.float64)
show.curves(
    {
        "KL(cloud ‖ N(0, 1))": dict(
            zip(widths.tolist(), kl_1d(zero, widths, zero, one).tolist(), strict=True)
        ),
        "KL(N(0, 1) ‖ cloud)": dict(
            zip(widths.tolist(), kl_1d(zero, one, zero, widths).tolist(), strict=True)
        ),
    },
    xlabel="standard deviation of the cloud",
    ylabel="nats",
    title="The price of a wrong width, both ways round",
)

# %% [markdown]
# The VAE uses the first one, $\mathrm{KL}(\text{cloud} \,\|\, N(0, 1))$. A narrow cloud pays less than $\log (1/\sigma)$, the
# logarithm of its narrowness: that is the price of *information*, of knowing a number well. The second one would punish a
# narrow cloud without mercy, since most draws of $N(0, 1)$ fall where the cloud has next to no density.
#
# ### Many numbers, independent
#
# In our cloud each of the $k$ numbers has its own mean and its own spread, and they are independent: the density of the code is a
# product, its logarithm a sum, and so the KLs of the $k$ numbers **add up**.
#
# The encoder is a network, and a network may answer any number, also a negative one, which a spread must not be. So it is asked
# for the *logarithm of the variance*, `logvar` $= \log \sigma^2$: any number is allowed, and the exponential makes it positive.
#
# **Your turn.** This function is to give $\mathrm{KL}(N(\mu, \sigma^2) \,\|\, N(0, I))$. It contains two bugs, both of which you
# will find in published code. Try `mu` = 1, `logvar` = 0: what does it give, and can a KL be that?

# %% exercise
from minigen.vae import kl_standard

# %%
kl_standard = check("kl_standard", kl_standard)

# %%
generator = torch.Generator().manual_seed(0)
mu, logvar = torch.randn(2, 5, 8, generator=generator, dtype=torch.float64)
theirs = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(zero, one)).sum(1)
print("ours:           ", [f"{v:.3f}" for v in kl_standard(mu, logvar)])
print("torch's, summed:", [f"{v:.3f}" for v in theirs])
measured(
    "largest difference of kl_standard from torch.distributions, nats",
    (kl_standard(mu, logvar) - theirs).abs().max(),
    at_most=1e-8,
)

# %% [markdown]
# ### Many numbers, correlated
#
# A Gaussian in general has a mean *vector* and a covariance *matrix*, as in lesson 01:
#
# $$ \log N(z; \mu, \Sigma) = -\tfrac12 \left[ (z-\mu)^\top \Sigma^{-1} (z-\mu) + \log |\Sigma| + k \log 2\pi \right] . $$
#
# The VAE gets by without it, since the covariance matrices of its clouds are diagonal: $k$ spreads are cheaper than a
# $k \times k$ matrix. But we want to measure whether *all codes together* are like $N(0, I)$, and together they are
# correlated.
#
# **Your turn.** One new fact is enough: over draws of $q$, the average of $(z-\mu_q)^\top A\, (z-\mu_q)$ is the trace of
# $A\,\Sigma_q$ (the sum of its diagonal). In one dimension, your result has to be `kl_1d`.

# %% exercise
from minigen.vae import kl_full

# %%
kl_full = check("kl_full", kl_full)

# %%
roots = torch.randn(2, 8, 12, generator=generator, dtype=torch.float64)
(mean_q, mean_p), (cov_q, cov_p) = mu[:2], roots @ roots.mT / 12
theirs = kl_divergence(MultivariateNormal(mean_q, cov_q), MultivariateNormal(mean_p, cov_p))
ours = kl_full(mean_q, cov_q, mean_p, cov_p)
print(f"two Gaussians in 8 dimensions: {ours:.6f} nats, by torch.distributions {theirs:.6f}")
measured("difference of kl_full from torch.distributions, nats", abs(ours - theirs), at_most=1e-8)

# %% [markdown]
# How far from $N(0, I)$ are the codes of the plain autoencoder? Fit a Gaussian to all of them, and ask.

# %%
plain_mean, plain_cov = fit_gaussian(plain_codes.double())
eye, origin = torch.eye(8, dtype=torch.float64), torch.zeros(8, dtype=torch.float64)
plain_kl = kl_full(plain_mean, plain_cov, origin, eye)
print(f"all codes of the plain autoencoder, as one Gaussian: {plain_kl:.1f} nats from N(0, I)")

# %% [markdown]
# ## 3 · How does a gradient pass through a draw?
#
# The decoder sees a *draw* from the cloud. Training needs to know: if $\mu$ were a little larger, or $\sigma$, would the picture
# come out better? But a draw is a throw of dice, and what is the derivative of a throw of dice?
#
# The trick is as short as it is famous: throw the dice first. Draw $\varepsilon$ from $N(0, I)$, which has nothing to do with
# $\mu$ and $\sigma$, and then *build* the draw out of the three. For a fixed $\varepsilon$ the code is an ordinary function of
# $\mu$ and $\sigma$, and has ordinary derivatives. The trick is called **reparameterization** (Kingma and Welling, 2013).
#
# **Your turn.** What goes in: `mu` and `logvar`, both (N, k), and the noise `eps` (N, k). What comes out: codes (N, k), which have
# the mean $\mu$ and the *standard deviation* $\sigma$.

# %% exercise
from minigen.vae import reparameterize

# %%
reparameterize = check("reparameterize", reparameterize)

# %% [markdown]
# Is the gradient right? Take a single number $z$, and some price $f(z)$ that it costs. The average price depends on $\mu$ and
# $\sigma$ alone, and its derivative can be had without any trick: compute the average by integration for $\mu + h$ and for
# $\mu - h$, and divide the difference by $2h$.
#
# There is a second way to a gradient, older than the trick, and it does not even need $f$ to be differentiable. By the chain
# rule $\nabla \log q = \nabla q / q$, so
#
# $$ \nabla_\mu \, \mathbb{E}_{z \sim q} [f(z)] = \int f(z) \, \nabla_\mu q(z) \, dz = \mathbb{E}_{z \sim q} \left[ f(z) \, \nabla_\mu \log q(z) \right] . $$
#
# It is called the **score-function estimator**, or REINFORCE: draw, look at the price, and make what was cheap more probable.
# Both give the right answer on average. So why does nobody train a VAE with it?


# %%
def price(z: Tensor) -> Tensor:
    return 5 + (z - 1).square() + torch.sin(3 * z)


at_mu, at_logvar = torch.tensor(0.4, dtype=torch.float64), torch.tensor(-1.0, dtype=torch.float64)


def average_price(mu: Tensor, logvar: Tensor) -> Tensor:
    return average(price, mu, (logvar / 2).exp())


h = 1e-4
exact = {
    "mu": (average_price(at_mu + h, at_logvar) - average_price(at_mu - h, at_logvar)) / (2 * h),
    "logvar": (average_price(at_mu, at_logvar + h) - average_price(at_mu, at_logvar - h)) / (2 * h),
}

draws = budget(20_000, 200_000, 200_000)
eps = torch.randn(draws, 1, generator=generator, dtype=torch.float64)
mus = at_mu.expand(draws, 1).clone().requires_grad_()  # a mu for each draw: so each has a gradient of its own
logvars = at_logvar.expand(draws, 1).clone().requires_grad_()

z = reparameterize(mus, logvars, eps)
through = torch.autograd.grad(price(z).sum(), [mus, logvars])
z = z.detach()  # the score function takes the draw as it came
log_q = Normal(mus, (logvars / 2).exp()).log_prob(z)
score = torch.autograd.grad((price(z) * log_q).sum(), [mus, logvars])

errors, ratios = [], []
for name, a, b in zip(exact, through, score, strict=True):
    print(f"derivative for {name}: {exact[name]:.4f} by finite differences")
    print(f"    through the draw: mean {a.mean():.4f}, variance of one draw {a.var():.3f}")
    print(f"    score function:   mean {b.mean():.4f}, variance of one draw {b.var():.3f}")
    errors.append(abs(a.mean() - exact[name]))
    ratios.append(b.var() / a.var())
measured("largest error of the gradient through the draw", max(errors), at_most=0.02)
measured("variance of the score function / through the draw, for mu", ratios[0], at_least=5)

# %%
show.histogram(
    {"through the draw": through[0].flatten(), "score function": score[0].flatten().clamp(-20, 20)},
    xlabel="derivative for mu, from one draw (beyond ±20: put at ±20)",
    title="Both are right on average; how they scatter differs",
)

# %% [markdown]
# Both averages are right, but single draws scatter, and training takes one draw for each picture. Where the variance is ten times
# larger, one needs ten times more draws to know as much. The 5 in our price is unkind to the score function: a constant
# changes no derivative, and the gradient through the draw does not even see it, but the score function multiplies it with
# noise. We will measure again on a real VAE, and give the score function its best chance.
#
# ## 4 · The bound
#
# So far we have two terms, "rebuild the picture" and "stay near $N(0, I)$", and no reason to add them one to one. The reason is
# the best part. Forget the encoder for a moment, and think of how the *decoder* draws: first a code from $p(z) = N(0, I)$, the
# **prior**; then a picture from $p(x \mid z)$. How probable does such a model make a picture $x$? Sum over all codes that may
# have been behind it:
#
# $$ p(x) = \int p(x \mid z) \, p(z) \, dz . $$
#
# This is called the **evidence**, and maximum likelihood (lesson 01) wants $\log p(x)$ to be large for the data. But the integral
# runs over 8 dimensions, and nearly all codes have nothing to do with this $x$. The useful codes are those of the
# **posterior**, by Bayes' rule
#
# $$ p(z \mid x) = \frac{p(x \mid z) \, p(z)}{p(x)} , $$
#
# and it has the same integral in the denominator. We are stuck, and the encoder helps us out: let it *guess* the posterior,
# by its cloud $q(z \mid x)$. How wrong is the guess? Measure it with the KL, and put Bayes' rule in:
#
# $$ \mathrm{KL}(q(z \mid x) \,\|\, p(z \mid x)) = \mathbb{E}_{q} \left[ \log q(z \mid x) - \log p(x \mid z) - \log p(z) \right] + \log p(x) . $$
#
# Now sort: $\log q - \log p(z)$ is again a KL, and $\log p(x)$ can go to the other side:
#
# $$ \log p(x) = \underbrace{\mathbb{E}_{q} \left[ \log p(x \mid z) \right] - \mathrm{KL}(q(z \mid x) \,\|\, p(z))}_{\text{ELBO}} + \underbrace{\mathrm{KL}(q(z \mid x) \,\|\, p(z \mid x))}_{\text{the gap, at least 0}} . $$
#
# The first two terms can be computed, and since the gap is never below 0, together they are a lower bound of the evidence:
# the **evidence lower bound**, ELBO. They are just our two terms, one to one, and making them large pulls at both: the data
# become more probable, or the guess better.
#
# Let us see this with our own eyes, in a model so small that everything is known. The code is one number, $z \sim N(0, 1)$, and
# the "picture" is one number too, $x \sim N(2z, 1)$. Then $p(x) = N(x; 0, 5)$, and the posterior is
# $N(\tfrac25 x, \tfrac15)$. We try clouds $q$ with several means and spreads.

# %%
x0 = torch.tensor(1.5, dtype=torch.float64)  # the "picture"
evidence = Normal(zero, 5**0.5 * one).log_prob(x0)
true_mean, true_std = 0.4 * x0, 0.2**0.5 * one


def elbo_of(mean: Tensor, std: Tensor) -> Tensor:
    """The ELBO of x0 in nats for q = N(mean, std²): the average of log p(x | z), minus the KL to N(0, 1)."""
    return average(lambda z: Normal(2 * z, one).log_prob(x0), mean, std) - kl_1d(mean, std, zero, one)


means = torch.linspace(-0.6, 1.8, 60, dtype=torch.float64)
show.curves(
    {
        "log p(x), the evidence": {float(m): float(evidence) for m in means},
        "ELBO, right spread": {float(m): float(elbo_of(m, true_std)) for m in means},
        "ELBO, too narrow": {float(m): float(elbo_of(m, true_std / 3)) for m in means},
        "ELBO, too wide": {float(m): float(elbo_of(m, true_std * 2)) for m in means},
    },
    xlabel="mean of the cloud q (the true posterior's mean is 0.6)",
    ylabel="nats",
    title="The ELBO touches the evidence where q is the posterior",
)

# %%
gaps = [(m, s, kl_1d(m, s, true_mean, true_std)) for m in means[::10] for s in (0.1 * one, 0.5 * one, one)]
error = max(abs(evidence - elbo_of(m, s) - gap) for m, s, gap in gaps)
measured("largest |evidence − ELBO − gap| in the small model, nats", error, at_most=1e-6)

# %% [markdown]
# ## 5 · The decoder is a distribution too
#
# The ELBO asks for $\log p(x \mid z)$, so the decoder has to give a *density* of pictures. The simplest: it draws a mean picture
# $m(z)$, and each pixel is normally distributed around it, independent of the others, with one spread $\sigma_x$ for all:
#
# $$ p(x \mid z) = \prod_{\text{pixels } i} \frac{1}{\sigma_x \sqrt{2\pi}} \exp\left( -\frac{(x_i - m_i(z))^2}{2 \sigma_x^2} \right) . $$
#
# The squared error of lesson 10 is in there, but not alone. The spread $\sigma_x$ says what an error *costs*: with a small one,
# a pixel that is slightly off is a disaster; with a large one, nothing matters much. It is the exchange rate between the two
# terms of the ELBO, and best of all, we need not choose it: it is a parameter like any other, and is learned.
#
# **Your turn.** Write $-\log p(x \mid z)$. What goes in: pictures, their means, and $\log \sigma_x$. What comes out: nats, one
# number for each picture.

# %% exercise
from minigen.vae import gaussian_nll

# %%
gaussian_nll = check("gaussian_nll", gaussian_nll)

# %% [markdown]
# ### Sum or mean?
#
# Nothing in the derivation leaves a choice:
#
# | over | what | why |
# |---|---|---|
# | the pixels of a picture | **sum** | their densities multiply, so their logarithms add |
# | the numbers of a code | **sum** | the same |
# | the draws $\varepsilon$ for a picture | **mean** | $\mathbb{E}_q$ is an average; one draw is enough, since there are many pictures |
# | the pictures of a batch | **mean** | by custom; it changes only the unit, as long as it is the same in both terms |
#
# A mean over the pixels, next to a sum over the code, is *not* a matter of taste. It divides one term by 64 and not the
# other.
#
# ## 6 · The whole model
#
# The encoder gives $2k$ numbers: the first half is `mu`, the second half `logvar`. `beta` is a weight on the KL; 1 is the ELBO.
#
# **Your turn.** Here is the whole class. It runs, its losses fall, nobody complains. And it forgets all its pictures. There are
# three bugs in `terms` and `loss`, and none of them raises an error. (The card names those that are left.)

# %% exercise
from minigen.vae import VAE

# %%
VAE = check("VAE", VAE)

# %%
torch.manual_seed(0)
vae = VAE(latent=8)
history = {"−log p(x | z)": {}, "KL": {}, "negative ELBO": {}}
for step, losses, averaged in train(vae, batches(x, size=128), steps=budget(10, 1500, 6000), lr=3e-3):
    if step % 10 == 0:
        history["−log p(x | z)"][step] = losses["reconstruction"]
        history["KL"][step] = losses["kl"]
        history["negative ELBO"][step] = losses["loss"]
vae = averaged.cpu()

# %%
show.curves(history, ylabel="nats for each picture", title="Training a VAE: the two terms and their sum")

# %% [markdown]
# The KL *rises*. At first the codes say nothing and cost nothing; then the model finds that knowing something about the picture
# is worth its price. (The first term falls below 0, which is nothing strange: it is the logarithm of a density, and densities may
# be larger than 1.) What it makes of digits that it has never seen:

# %%
with torch.no_grad():
    mu, logvar = vae.encode(x_test[:12])
    several = [
        vae.decode(reparameterize(mu, logvar, torch.randn(12, 8, generator=generator))) for _ in range(2)
    ]
show.rows(
    {
        "test digits": x_test[:12],
        "from the mean": vae.decode(mu).detach(),
        "from one draw": several[0],
        "from another": several[1],
    },
    title="The cloud of a picture decodes to the picture, nearly everywhere",
)


# %%
@torch.no_grad()
def held_out(model: VAE, pictures: Tensor) -> tuple[float, float]:
    """−log p(x | z) and the KL, in nats for each picture: means over pictures and over draws, by VAE.terms."""
    g = torch.Generator().manual_seed(0)
    both = [
        VAE.terms(model, pictures, torch.randn(len(pictures), model.latent, generator=g))
        for _ in range(budget(2, 20, 20))
    ]
    return tuple(float(torch.stack(term).mean()) for term in zip(*both, strict=True))


nll, kl = held_out(vae, x_test)
print(f"test digits: −log p(x | z) {nll:.2f} nats, KL {kl:.2f} nats; pixels' spread {vae.log_std.exp():.3f}")
measured("held-out ELBO, nats for each test digit", -nll - kl, at_least=-12)

# %% [markdown]
# (A density has a unit, as lesson 01 showed. This number may be compared with other models on the same pixels in [−1, 1], and
# with nothing else.)
#
# ### Does it invent digits?
#
# The question that we came with. The same random codes for both models, first by eye:

# %% picture
with torch.no_grad():
    from_vae = vae.decode(noise)
    from_fitted = plain.decode(sample_gaussian(plain_mean.float(), plain_cov.float(), noise))
show.rows(
    {
        "plain, N(0, I)": from_plain[:13],
        "plain, N(0, I) ": from_plain[13:26],
        "VAE, N(0, I)": from_vae[:13],
        "VAE, N(0, I) ": from_vae[13:26],
        "real digits": x_test[:13],
    },
    title="Digits that nobody wrote: a plain autoencoder, and a VAE",
)

# %% [markdown]
# Now in numbers. The course brings a classifier of digits along, trained on the same training digits. It looks at pictures
# through 64 numbers, its **features**. Take the features of real digits, and those of drawn ones; fit a Gaussian to each; and
# measure how far apart these two Gaussians are. This is the **Fréchet distance**, and lesson 20 explains it. Smaller is better;
# the last bar shows what new real digits get.

# %%
judge = DigitFeatures()
print(f"the judge names {100 * judge.accuracy(x_test, labels_test):.1f} % of the test digits rightly")


def distance(pictures: Tensor) -> float:
    """The Fréchet distance of pictures to the training digits, in the features of the classifier."""
    with torch.no_grad():
        return fid(judge.features(x), judge.features(pictures))


frechet = {
    "plain, N(0, I)": distance(from_plain),
    "plain, fitted": distance(from_fitted),
    "VAE, N(0, I)": distance(from_vae),
    "test digits": distance(x_test),
}
show.bars(
    frechet, ylabel="Fréchet distance to the training digits", title="The VAE's codes lie where we draw them"
)

# %%
measured("Fréchet distance, plain autoencoder decoded from N(0, I)", frechet["plain, N(0, I)"])
measured(
    "Fréchet distance, plain autoencoder decoded from a Gaussian fitted to its codes",
    frechet["plain, fitted"],
)
measured("Fréchet distance, VAE decoded from N(0, I)", frechet["VAE, N(0, I)"])
measured(
    "Fréchet distance, VAE / plain, both from N(0, I)",
    frechet["VAE, N(0, I)"] / frechet["plain, N(0, I)"],
    at_most=0.5,
)

# %% [markdown]
# The VAE is far better than the plain autoencoder, when both are asked the same thing. Read the second number too: a Gaussian
# *fitted* to the plain autoencoder's codes (the patch of lesson 10) is even slightly ahead on these small pictures: it draws
# from where the codes are. What the VAE adds is that nobody has to go and look where they are, and that there is a bound
# which says how well the whole model, code and decoder, explains a picture.
#
# Did the training do what we asked? Here are all codes of the training digits, one draw for each picture, as one Gaussian:

# %%
with torch.no_grad():
    vae_codes = reparameterize(*vae.encode(x), noise)
vae_mean, vae_cov = fit_gaussian(vae_codes.double())
vae_kl = kl_full(vae_mean, vae_cov, origin, eye)
print(f"all codes as one Gaussian, nats from N(0, I): plain autoencoder {plain_kl:.2f}, VAE {vae_kl:.2f}")
measured("all codes from N(0, I), VAE / plain autoencoder", vae_kl / plain_kl, at_most=0.2)

# %%
show.histogram(
    {
        "plain autoencoder": plain_codes.norm(dim=1),
        "VAE": vae_codes.norm(dim=1),
        "drawn from N(0, I)": noise.norm(dim=1),
    },
    xlabel="distance of a code from 0",
    title="The codes of the VAE are nearly as far out as random codes",
)

# %% [markdown]
# An honest word on the pictures. What we show is the *mean* of $p(x \mid z)$, and a mean over several possible strokes is soft.
# A true draw from the model adds the noise of the pixels, independent for each, and looks worse:

# %%
speckle = vae.log_std.exp().detach() * torch.randn(from_vae[:13].shape, generator=generator)
show.rows(
    {"the mean": from_vae[:13], "a true draw": (from_vae[:13] + speckle).clamp(-1, 1)},
    title="What the VAE really believes about pixels",
)

# %% [markdown]
# The model calls everything that it cannot explain by 8 numbers *independent noise*. That is false, and it is the reason why the
# pictures of VAEs are said to be blurred.
#
# And the variance that we promised to measure again? One test digit, the true first term of its loss, and the gradient for the
# eight means. (The score function is given its best chance: from the price of each draw we subtract the average price, which
# does not change its mean and lowers its variance.)

# %%
draws = 4000
mu, logvar = (t.detach().expand(draws, -1).clone().requires_grad_() for t in vae.encode(x_test[:1]))
z = reparameterize(mu, logvar, torch.randn(draws, 8, generator=generator))
costs = vae.nll(x_test[:1].expand(draws, -1, -1, -1), z)
through = torch.autograd.grad(costs.sum(), mu)[0]
log_q = Normal(mu, (logvar / 2).exp()).log_prob(z.detach()).sum(1)
score = torch.autograd.grad(((costs - costs.mean()).detach() * log_q).sum(), mu)[0]
ratio = score.var(0).sum() / through.var(0).sum()
print("mean over the draws, through the draw:", [f"{v:.1f}" for v in through.mean(0)])
print("mean over the draws, score function:  ", [f"{v:.1f}" for v in score.mean(0)])
measured("variance of the score function / through the draw, on a digit", ratio, at_least=2)

# %% [markdown]
# On this digit the score function needs that many times more draws for the same accuracy (from digit to digit, the factor
# varies several times over): it only ever learns *how good* a draw was, and never *in which direction* it should have been.
#
# ## 7 · Five bugs that train
#
# You have met five famous bugs in your two repairs. Here is each of them alone, in an otherwise right VAE,
# trained for the same short time and judged by the right formulas.


# %%
class Broken(VAE):
    """A VAE with one bug, which stands in its name."""

    def __init__(self, bug: str):
        super().__init__(beta=-1.0 if bug == "sign of the KL" else 1.0)
        self.bug = bug

    def terms(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = self.encode(x)
        noise = (logvar if self.bug == "std = exp(logvar)" else logvar / 2).exp() * eps
        z = mu + (noise.detach() if self.bug == "noise detached" else noise)
        nll = self.nll(x, z) / (64 if self.bug == "mean over pixels" else 1)
        return nll, kl_standard(mu, 2 * logvar if self.bug == "logvar as log σ" else logvar)


def learn(model: VAE, data: Tensor, steps: int, warm_up: int = 0) -> VAE:
    """The trained model. warm_up: over how many steps the weight of the KL grows from 0 to 1."""
    if warm_up:
        model.beta = 0.0
    for step, losses, averaged in train(model, batches(data, size=64), steps=steps, lr=3e-3):
        if warm_up:
            model.beta = min(1.0, step / warm_up)
    return averaged.cpu()


bugs = ["none", "std = exp(logvar)", "logvar as log σ", "noise detached", "mean over pixels"]
drawn, models = {}, {}
for bug in bugs:
    torch.manual_seed(0)
    broken = learn(Broken(bug), x, budget(5, 500, 1500))
    nll, kl = held_out(broken, x_test)
    with torch.no_grad():
        pictures = broken.decode(noise)
    drawn[bug], models[bug] = pictures[:13], broken
    print(
        f"{bug + ':':20} held-out ELBO {-nll - kl:7.1f} nats, KL {kl:5.1f}, Fréchet distance {distance(pictures):6.0f}"
    )

# %%
show.rows(drawn, title="Drawn from N(0, I): one bug in each row")

# %% [markdown]
# None of these four raises an error, and their losses fall.
#
# - **Mean over pixels**: the KL wins, and whatever the code, the decoder draws one and the same picture.
# - **Noise detached**: only the KL speaks to the clouds' width, and it wants $\sigma = 1$. To be told apart, the means have to flee
#   from each other, far beyond where we draw.
# - **`logvar` as $\log \sigma$** in the KL: a narrow cloud is charged twice the logarithm of its width. So the clouds are too
#   wide, and the means flee here too.
# - **`std = exp(logvar)`** is the most treacherous; compare its Fréchet distance with that of the right model. A cloud that
#   pays for a spread of 0.1 is drawn with a spread of 0.01: precision at half the price. The pictures can even become
#   sharper. But the loss is no bound of anything any more, and nobody knows what the model has learned. (If you want a
#   cheaper KL, you can have it openly, by `beta`.)
#
# So neither a falling loss nor a nice picture shows that a formula is right. What does: the held-out ELBO *by the right formulas*, next
# to that of a model known to be right; and a test of each formula alone, as above, against an integral or another library.
#
# And the fifth, the wrong sign of the KL? Its loss falls beautifully, and does not stop:

# %%
torch.manual_seed(0)
falling = {}
try:
    for step, losses, averaged in train(
        Broken("sign of the KL"), batches(x, size=64), steps=budget(5, 150, 150), lr=3e-3, progress=False
    ):
        falling[step] = losses["loss"]
except FloatingPointError as error:
    print(f"stopped: {error}")
print(
    f"loss at the first step {falling[1]:.0f} nats, at step {max(falling)}: {falling[max(falling)]:.3g} nats"
)

# %% [markdown]
# ## 8 · What is in a code?
#
# The KL of a code is a sum over its numbers, so we can see what each of them costs, and so how much it says. (Your `kl_1d`, for
# each number.)


# %%
@torch.no_grad()
def kl_of_numbers(model: VAE, pictures: Tensor) -> Tensor:
    """The KL of each number of the code, in nats: the mean over pictures (latent,)."""
    mu, logvar = model.encode(pictures)
    return kl_1d(mu, (logvar / 2).exp(), torch.zeros(()), torch.ones(())).mean(0)


numbers = kl_of_numbers(vae, x_test)
show.bars(
    {str(i + 1): float(v) for i, v in enumerate(numbers)},
    ylabel="KL in nats, mean over test digits",
    title="What each of the 8 numbers of the code costs",
)

# %% [markdown]
# All eight are in use, by about the same amount. Now a VAE with only **two** numbers, so that we can see its whole space.

# %%
torch.manual_seed(0)
flat = VAE(latent=2)
for step, losses, averaged in train(flat, batches(x, size=128), steps=budget(5, 1000, 3000), lr=3e-3):
    pass
flat = averaged.cpu()
with torch.no_grad():
    flat_codes = flat.encode(x_test)[0]
show.scatter(flat_codes, labels_test, title="The mean codes of test digits, in a code of 2 numbers")

# %%
levels = Normal(0.0, 1.0).icdf(torch.linspace(0.03, 0.97, 12))  # each step holds the same share of N(0, 1)
places = torch.stack(torch.meshgrid(levels, levels.flip(0), indexing="xy"), -1).view(-1, 2)
with torch.no_grad():
    everywhere = flat.decode(places)
show.grid(
    everywhere,
    columns=12,
    title="The same map, decoded: from left to right the first number, upwards the second",
)

# %% [markdown]
# Compare the map of codes with the decoded one: where the sevens lie, sevens are drawn. Every place in the decoded map gives
# a picture; some kinds have two regions. Neighbouring digits turn into one another, and on the borders stand pictures that
# are half this and half that. That is no bug. A continuous map of ten kinds of things has to have borders. Lesson 14 walks
# through this space.
#
# ## 9 · Another decoder: coins
#
# A Gaussian is one choice for $p(x \mid z)$. For pictures in black and white it is a poor one, since it gives probability to all
# greys. There we make each pixel a **coin** (a Bernoulli variable): white with probability $\pi$, black with $1 - \pi$. The
# decoder gives for each pixel the log-odds $a = \log \frac{\pi}{1 - \pi}$, called **logit**, which may be any number, and
# $\pi = \mathrm{sigmoid}(a) = 1 / (1 + e^{-a})$.
#
# **Your turn.** $-\log p(x \mid z)$ again. What goes in: pictures whose pixels are −1 (black) or 1 (white), and logits. What comes
# out: nats, one number for each picture. Mind large logits: in float32, $1 - \mathrm{sigmoid}(20)$ is exactly 0, and its
# logarithm is not what anybody wants.

# %% exercise
from minigen.vae import bernoulli_nll

# %%
bernoulli_nll = check("bernoulli_nll", bernoulli_nll)

# %% [markdown]
# `BernoulliVAE` is your `VAE` with this one term exchanged. We make the digits black and white, and compare it with a model
# without a code, that only knows how often each pixel is white.

# %%
from minigen.vae import BernoulliVAE


def black_and_white(images: Tensor) -> Tensor:
    return torch.where(images > 0, 1.0, -1.0)


ink, ink_test = black_and_white(x), black_and_white(x_test)
torch.manual_seed(0)
coins = learn(BernoulliVAE(latent=8), ink, budget(5, 600, 3000))

# %%
often = ((ink > 0).float().sum(0, keepdim=True) + 1) / (len(ink) + 2)  # never exactly 0 or 1
without_code = -bernoulli_nll(ink_test, often.logit().expand_as(ink_test)).mean()
nll, kl = held_out(coins, ink_test)
coins_kl = kl
print(f"each pixel by itself: log p(x) = {without_code:.2f} nats for each test digit")
measured("held-out ELBO of the Bernoulli VAE, nats for each test digit", -nll - kl, at_least=-20)
measured("nats that the code gains over pixels by themselves", -nll - kl - without_code, at_least=4)

# %%
with torch.no_grad():
    chance_of_white = coins.decode(noise[:13])
tossed = torch.where(
    torch.rand(chance_of_white.shape, generator=generator) < (chance_of_white + 1) / 2, 1.0, -1.0
)
show.rows(
    {"black and white": ink_test[:13], "chance of white": chance_of_white, "coins tossed": tossed},
    title="A VAE whose pixels are coins",
)

# %% [markdown]
# This ELBO bounds the logarithm of a *probability*, which cannot exceed 0; it needs no unit of pixels. (Careful: many programs
# use this loss on *grey* pictures. It trains, and the result is no log-likelihood of anything.)
#
# ## 10 · Posterior collapse
#
# One famous illness is left: the encoder answers $N(0, I)$, whatever the picture, and the decoder does not listen to it. Your
# three-bug VAE had it. How bad would that be?

# %% exercise
from minigen.exercises.lesson_13_vae import collapsed

# %%
collapsed = check("collapsed", collapsed)

# %% [markdown]
# So the bound can be tight and the model useless. Collapse is no failure of the bound: under some decoders a code is simply *not
# worth its price*.
#
# **Collapse, made: a decoder that trusts no pixel.** Fix the pixels' spread $\sigma_x$ instead of learning it. If you
# write "squared error + KL" without thinking of it, you set $1 / (2\sigma_x^2) = 1$, a spread of 0.71. We take $\sigma_x = 1$,
# where an error costs half of that, and $\sigma_x = 2$, an eighth.

# %%
by_spread = {"σ learned": models["none"]}  # of section 7: the same steps from the same start
for spread in (1, 2):
    torch.manual_seed(0)
    fixed = VAE(latent=8)
    fixed.log_std = nn.Parameter(torch.tensor(math.log(spread)), requires_grad=False)
    by_spread[f"σ = {spread}"] = learn(fixed, x, budget(5, 500, 1500))

said = {name: kl_of_numbers(model, x_test).sort(descending=True).values for name, model in by_spread.items()}
active = {name: int((v > 0.1).sum()) for name, v in said.items()}
show.curves(
    {name: v.tolist() for name, v in said.items()},
    xlabel="numbers of the code, the busiest first",
    ylabel="KL in nats",
    title="A number that does not pay its way is switched off",
)

# %%
with torch.no_grad():
    show_them = {name: model.decode(noise[:13]) for name, model in by_spread.items()}
show.rows(show_them, title="Drawn from N(0, I), with the spread of pixels learned and fixed")

# %%
print("numbers of the code with a KL above 0.1 nats:", active)
measured("active numbers of 8, pixel spread fixed at 2", active["σ = 2"], at_most=0)
measured("active numbers of 8, pixel spread fixed at 1", active["σ = 1"], at_most=5)
measured("active numbers of 8, pixel spread learned (the cure)", active["σ learned"], at_least=7)

# %% [markdown]
# That is the first cure: let the decoder learn how far it can be trusted (Lucas and others, 2019). Nothing else was changed.
#
# **Collapse, made again: a decoder that can do without.** The second cause is the opposite, a decoder that is too *strong*. Let
# it see, when it guesses a pixel, the pixels above it and to the left of it (they are known by then, when pixels are drawn in
# the order of reading). Strokes continue, so neighbours tell much of what the code would have told, and for nothing. Such
# decoders are *autoregressive*. The mask below switches off the weights that would look ahead.


# %%
class Behind(nn.Conv2d):
    """A convolution whose every pixel sees only what is above it, or left of it in its row; and itself, if `own`."""

    def __init__(self, channels_in: int, channels_out: int, size: int, own: bool):
        super().__init__(channels_in, channels_out, size, padding=size // 2)
        seen = torch.arange(size * size) < size * size // 2 + own
        self.register_buffer("seen", seen.view(size, size).float())

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.seen, self.bias, padding=self.padding)


class WithNeighbours(BernoulliVAE):
    """A Bernoulli VAE whose logits have a second part, that sees the pixels before. free: nats for each number of
    the code that cost nothing."""

    def __init__(self, free: float = 0.0):
        super().__init__(latent=8)
        self.free = free
        layers = [Behind(1, 32, 7, own=False), nn.SiLU(), Behind(32, 32, 3, own=True), nn.SiLU()]
        self.behind = nn.Sequential(*layers, Behind(32, 1, 3, own=True))

    def nll(self, x: Tensor, z: Tensor) -> Tensor:
        return bernoulli_nll(x, self.decoder(z) + self.behind(x))

    def loss(self, batch: tuple[Tensor, Tensor | None]) -> dict[str, Tensor]:
        x, _ = batch
        mu, logvar = self.encode(x)
        nll = self.nll(x, reparameterize(mu, logvar, torch.randn_like(mu)))
        zero, one = torch.zeros((), device=x.device), torch.ones((), device=x.device)
        each = kl_1d(mu, (logvar / 2).exp(), zero, one).mean(0)  # (latent,)
        return {"reconstruction": nll.mean(), "kl": self.beta * each.clamp(min=self.free).sum()}


steps = budget(5, 600, 3000)
strong = {"plain decoder": coins}
for name, free, warm_up in [
    ("sees neighbours", 0.0, 0),
    ("+ KL warm-up", 0.0, steps // 2),
    ("+ free bits", 0.5, 0),
]:
    torch.manual_seed(0)
    strong[name] = learn(WithNeighbours(free), ink, steps, warm_up)

# %% [markdown]
# The two further runs are two more cures. **KL warm-up** (Bowman and others, 2016): the weight of the KL grows from 0 to 1 during
# the first half of the training, so that the decoder gets used to the code while it is cheap. **Free bits** (Kingma and others,
# 2016): a number of the code may say up to half a nat without paying, so switching it off saves nothing.

# %%
totals, counts = {}, {}
for name, model in strong.items():
    nll, kl = held_out(model, ink_test)
    each = kl_of_numbers(model, ink_test)
    totals[name], counts[name] = kl, int((each > 0.1).sum())
    print(
        f"{name + ':':17} held-out ELBO {-nll - kl:.2f} nats, KL {kl:.2f}, active numbers {counts[name]} of 8"
    )
show.curves(
    {
        name: kl_of_numbers(model, ink_test).sort(descending=True).values.tolist()
        for name, model in strong.items()
    },
    xlabel="numbers of the code, the busiest first",
    ylabel="KL in nats",
    title="A strong decoder silences the code; two cures",
)

# %%
measured(
    "KL with a decoder that sees neighbours / plain decoder",
    totals["sees neighbours"] / totals["plain decoder"],
    at_most=0.7,
)
measured("KL with warm-up / without", totals["+ KL warm-up"] / totals["sees neighbours"], at_least=1.2)
measured("active numbers of 8 with free bits", counts["+ free bits"], at_least=7)

# %% [markdown]
# Look at the ELBOs beside the KLs: the strong decoder is the *better* model of the pictures, though its code says less.
# Warm-up fills the code and even gains a little ELBO here: part of the collapse was a bad start. Free bits fill it further, at a
# small cost in ELBO. That is a choice: if you want a good density, you need not mind a silent code; if you want the *code*,
# to search, to edit, or as the space in which a diffusion model draws (part 6), you have to keep it alive.
#
# ## What goes wrong in practice
#
# - **`exp(logvar)` for the standard deviation.** It is the variance. It trains.
# - **A mean over the pixels beside a sum over the code**, or `F.mse_loss` with its default `reduction="mean"`. Collapse.
# - **Squared error without $\sigma_x$**: a fixed spread of $1/\sqrt 2$ by stealth. Numbers of the code go silent.
# - **A weight β that was found by trial**, to repair one of the above. Look first for a mean that should be a sum.
# - **The bound quoted without its constants**, and compared with other papers. The $\log \sqrt{2\pi}$ of each pixel counts.
# - **Bernoulli loss on grey pixels**: no log-likelihood.
# - **Samples judged through reconstructions.** The encoder does not help when you draw from $N(0, I)$.
#
# ## Where to read on
#
# - Kingma and Welling, 2013, *Auto-Encoding Variational Bayes*.
# - Rezende, Mohamed and Wierstra, 2014, *Stochastic Backpropagation and Approximate Inference in Deep Generative Models*.
# - Kingma and Welling, 2019, *An Introduction to Variational Autoencoders*.
# - Bowman, Vilnis, Vinyals, Dai, Jozefowicz and Bengio, 2016, *Generating Sentences from a Continuous Space* (KL warm-up).
# - Kingma, Salimans, Jozefowicz, Chen, Sutskever and Welling, 2016, *Improved Variational Inference with Inverse Autoregressive
#   Flow* (free bits).
# - Lucas, Tucker, Grosse and Norouzi, 2019, *Don't Blame the ELBO! A Linear VAE Perspective on Posterior Collapse*.
# - Mohamed, Rosca, Figurnov and Mnih, 2020, *Monte Carlo Gradient Estimation in Machine Learning* (both gradients of section 3).
#
# **Next: 14 · A walk in latent space.** What lies between two digits, and which way is "larger"?

# %%
progress()
