"""Denoising diffusion: data turns into noise step by step, and a network learns to take each step back.

Time t counts steps: t = 0 is data, t = T is noise. The tables of a schedule have T + 1 entries, so that the
paper's own t is the index; their first entry is that of data as it is, with β_0 = 0 and ᾱ_0 = 1.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from minigen.data import GaussianMixture

Times = int | Tensor  # one for all images, or (N,), one for each
Predict = Callable[[Tensor, Times], Tensor]  # images x_t (N, ...) and their times to the noise in them


def linear_betas(steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """The variances β_1 … β_T of the noise that each step adds, evenly spaced: (steps,), float64.

    steps: T, at least 1.  first, last: β_1 and β_T, in (0, 1).
    Source: Ho et al. 2020, Denoising Diffusion Probabilistic Models, section 4.
    """
    return torch.linspace(first, last, steps, dtype=torch.float64)


def cosine_betas(steps: int = 1000, offset: float = 0.008, largest: float = 0.999) -> Tensor:
    """The β_1 … β_T for which ᾱ_t falls from 1 to 0 as a squared cosine: (steps,), float64.

    steps: T, at least 1.  offset: s, keeps the first steps from being too small.  largest: no β_t is above
    it; without this the last one would be 1, after which nothing of the data is left.
    Source: Nichol and Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, equation 17.
    """
    t = torch.arange(steps + 1, dtype=torch.float64) / steps
    f = torch.cos((t + offset) / (1 + offset) * math.pi / 2) ** 2
    return (1 - f[1:] / f[:-1]).clamp(max=largest)


def middle_betas(
    steps: int = 1000, centre: float = 0.4, spread: float = 0.8, largest: float = 0.999
) -> Tensor:
    """The β_1 … β_T of a chain that spends most of its steps where it is decided what a picture shows.

    As in `cosine_betas`, ᾱ_t is a squared cosine, which falls from 1 to 0 while τ goes from 0 to 1; but τ
    hurries at both ends: log(τ / (1 - τ)) takes the quantiles of N(centre, spread²), one after the other.
    steps: T, at least 1.  centre: above 0 for more steps in strong noise.  largest: as there.  Returns
    (steps,), float64.
    Source of the distribution, there of times that are drawn in training: Esser et al. 2024, Scaling
    Rectified Flow Transformers for High-Resolution Image Synthesis, section 3.1.
    """
    share = torch.arange(steps + 1, dtype=torch.float64) / steps
    tau = torch.sigmoid(centre + spread * torch.special.ndtri(share))  # 0 and 1 at the ends
    f = torch.cos(tau * math.pi / 2) ** 2
    return (1 - f[1:] / f[:-1]).clamp(max=largest)


def alpha_bars(betas: Tensor) -> Tensor:
    """ᾱ_0 … ᾱ_T: what is left of the variance of the data after t steps.

    betas: (T,), β_1 … β_T in (0, 1).  Returns (T + 1,), of the same dtype, falling from 1: no step, no loss.
    Source: Ho et al. 2020, above equation 4.
    """
    return torch.cat([betas.new_ones(1), (1 - betas).cumprod(0)])


class Schedule:
    """The tables of a chain of T steps, each (T + 1,) in float64 and indexed by t itself.

    beta: the variance of the noise that step t adds.  alpha: 1 - β_t.  alpha_bar: the product of all alphas
    up to t.  variance: β̃_t, that of the step back from t to t - 1 when the data is known; 0 at t = 1.
    steps: T.
    Raises ValueError unless betas is (T,), all in (0, 1).
    Source: Ho et al. 2020, section 2 and equation 7.
    """

    def __init__(self, betas: Tensor):
        if betas.ndim != 1 or len(betas) == 0 or not ((betas > 0) & (betas < 1)).all():
            raise ValueError(f"betas should be (T,), all in (0, 1); got shape {tuple(betas.shape)}: {betas}")
        betas = betas.double().cpu()
        self.steps = len(betas)
        self.beta = torch.cat([betas.new_zeros(1), betas])
        self.alpha = 1 - self.beta
        self.alpha_bar = alpha_bars(betas)
        before = self.alpha_bar.roll(1)  # ᾱ_{t-1}; there is none before t = 0
        self.variance = self.beta * (1 - before) / (1 - self.alpha_bar)
        self.variance[0] = 0


def at(table: Tensor, t: Times, x: Tensor) -> Tensor:
    """The entry of a table for each image of a batch, in a shape that multiplies them.

    table: (T + 1,).  t: whole numbers from 0 to T, (N,), or one for all.  x: (N, ...).
    Returns (N, 1, ...) or (1, 1, ...), with as many axes as x, in x's dtype and on its device.
    """
    return table.to(x, non_blocking=x.is_cuda)[t].view(-1, *[1] * (x.ndim - 1))


def forward_step(x: Tensor, noise: Tensor, beta: float | Tensor) -> Tensor:
    """One step of the chain towards noise: a little less of what was there, and a little noise of variance β.

    x: (N, ...), after t - 1 steps.  noise: of the same shape, each number drawn from N(0, 1).  beta: β_t, in
    (0, 1).  Returns (N, ...), after t steps.  Data of variance 1 keeps it.
    Source: Ho et al. 2020, equation 2.
    """
    beta = torch.as_tensor(beta).to(x)
    return (1 - beta).sqrt() * x + beta.sqrt() * noise


def q_sample(x: Tensor, t: Times, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """Data after t steps of the chain, in one jump; each image may be at another time.

    x: (N, ...), data.  t: whole numbers from 0 to T, (N,), or one for all.  noise: as x, each number drawn
    from N(0, 1).  alpha_bar: (T + 1,), the table.  Returns x_t: (N, ...), in x's dtype.
    Source: Ho et al. 2020, equation 4.
    """
    return at(alpha_bar.sqrt(), t, x) * x + at((1 - alpha_bar).sqrt(), t, x) * noise


def snr(alpha_bar: Tensor) -> Tensor:
    """Signal-to-noise ratio: the variance of what is left of the data, over that of the noise.

    alpha_bar: of any shape, in (0, 1), and data of variance 1.  Returns the same shape, above 0.
    Source: Kingma et al. 2021, Variational Diffusion Models, equation 2.
    """
    return alpha_bar / (1 - alpha_bar)


def noisy_mixture(mixture: GaussianMixture, alpha_bar: float) -> GaussianMixture:
    """The density of x_t in closed form, when data is drawn from a mixture of Gaussians: a mixture again.

    alpha_bar: ᾱ_t, in (0, 1].
    """
    covariances = alpha_bar * mixture.covariances + (1 - alpha_bar) * torch.eye(mixture.means.shape[1])
    return GaussianMixture(
        math.sqrt(alpha_bar) * mixture.means, covariances=covariances, weights=mixture.weights
    )


def exact_noise(x_t: Tensor, t: int, mixture: GaussianMixture, alpha_bar: Tensor) -> Tensor:
    """The noise that x_t holds on average, for data from a mixture of Gaussians: no prediction is better.

    x_t: (N, D).  t: one whole number from 1 to T.  alpha_bar: (T + 1,), the table.  Returns (N, D).
    Source: Tweedie's formula; Song et al. 2021, Score-Based Generative Modeling through SDEs, appendix.
    """
    a_bar = alpha_bar[t].item()
    return -math.sqrt(1 - a_bar) * noisy_mixture(mixture, a_bar).score(x_t)


def posterior(x: Tensor, x_t: Tensor, t: Times, schedule: Schedule) -> tuple[Tensor, Tensor]:
    """q(x_{t-1} | x_t, x): where the chain was one step earlier, if it started at x and came to x_t.

    x: (N, ...), data.  x_t: of the same shape.  t: whole numbers from 1 to T, (N,), or one for all.
    Returns the mean μ̃_t: (N, ...), and the variance β̃_t, in a shape that multiplies it.
    Source: Ho et al. 2020, equations 6 and 7.
    """
    a, a_bar, before = schedule.alpha, schedule.alpha_bar, schedule.alpha_bar.roll(1)  # ᾱ_{t-1}
    of_x = before.sqrt() * schedule.beta / (1 - a_bar)
    of_x_t = a.sqrt() * (1 - before) / (1 - a_bar)
    return at(of_x, t, x) * x + at(of_x_t, t, x) * x_t, at(schedule.variance, t, x)


def data_from_noise(x_t: Tensor, noise: Tensor, t: Times, alpha_bar: Tensor) -> Tensor:
    """The data that x_t was made of, if this is the noise in it.

    x_t, noise: (N, ...).  t: whole numbers from 0 to T, (N,), or one for all.  alpha_bar: (T + 1,).
    Returns x0: (N, ...), not limited to any range.
    Source: Ho et al. 2020, equation 15.
    """
    return (x_t - at((1 - alpha_bar).sqrt(), t, x_t) * noise) / at(alpha_bar.sqrt(), t, x_t)


def target_weights(target: str, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """What a network is asked for, as (p, q): the sum p · data + q · noise, where x_t = α · data + σ · noise.

    target: "noise", "data", "velocity" or "flow".  alpha, sigma: of any one shape.  Returns two of it.
    Raises ValueError, listing the names, for another target.
    Source: velocity: Salimans and Ho 2022, Progressive Distillation, section 4; flow: Liu et al. 2022, Flow
    Straight and Fast, equation 1.
    """
    zero, one = torch.zeros_like(alpha), torch.ones_like(alpha)
    weights = {"noise": (zero, one), "data": (one, zero), "velocity": (-sigma, alpha), "flow": (-one, one)}
    if target not in weights:
        raise ValueError(f"target should be one of {', '.join(weights)}; got {target!r}")
    return weights[target]


def unmix(
    x_t: Tensor, u: Tensor, alpha: Tensor, sigma: Tensor, p: Tensor, q: Tensor
) -> tuple[Tensor, Tensor]:
    """Data and noise out of two sums of them: x_t = α · data + σ · noise, and u = p · data + q · noise.

    x_t, u: (N, ...).  alpha, sigma, p, q: numbers, or of a shape that multiplies x_t; α q and σ p differ.
    Returns the data x0 and the noise, both (N, ...).
    """
    determinant = alpha * q - sigma * p
    return (q * x_t - sigma * u) / determinant, (alpha * u - p * x_t) / determinant
