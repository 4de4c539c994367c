"""How many bits a diffusion model needs for a picture at most: the variational bound, term by term.

All terms are in nats (natural logarithms), summed over the numbers of a picture, one value for each picture.
"""

import math

import torch
from torch import Tensor
from torch.special import log_ndtr

from minigen.diffusion import Predict, Schedule, at, posterior, q_sample
from minigen.samplers import step_back
from minigen.vae import kl_1d


def prior_term(x: Tensor, schedule: Schedule) -> Tensor:
    """L_T: how far q(x_T | x) is from N(0, I), as a Kullback–Leibler divergence.

    x: (N, ...), data.  Returns (N,), in nats.  No network can change it.
    Source: Ho et al. 2020, Denoising Diffusion Probabilistic Models, equation 5.
    """
    a_bar = schedule.alpha_bar[-1].to(x)
    one = torch.ones_like(x)
    return kl_1d(a_bar.sqrt() * x, (1 - a_bar).sqrt() * one, 0 * x, one).flatten(1).sum(1)


def step_term(
    predict: Predict, x: Tensor, t: int, noise: Tensor, schedule: Schedule, variances: Tensor
) -> Tensor:
    """L_{t-1}: how far the model's step back from x_t is from the posterior's, which knows the data.

    predict: predict(x_t, t) is the noise in x_t.  x: (N, ...), data.  t: from 2 to T.  noise: as x, drawn
    from N(0, I); makes x_t.  variances: (T + 1,), σ_t² of the model's steps, above 0.
    Returns (N,), in nats, a draw whose mean is the term.
    Source: Ho et al. 2020, equation 5.
    """
    x_t = q_sample(x, t, noise, schedule.alpha_bar)
    mean_q, variance_q = posterior(x, x_t, t, schedule)
    mean_p = step_back(x_t, predict(x_t, t), t, schedule)
    std_p = at(variances.sqrt(), t, x).expand_as(x)
    return kl_1d(mean_q, variance_q.sqrt().expand_as(x), mean_p, std_p).flatten(1).sum(1)


def level_log_probability(x: Tensor, mean: Tensor, std: Tensor, levels: int) -> Tensor:
    """The log-probability of each number of a picture, when a Gaussian is rounded to the nearest grey level.

    x: of any shape, made of `levels` evenly spaced values from -1 to 1.  mean, std: as x, or of a shape that
    expands to it.  All that lies below -1 counts as -1, and all above 1 as 1.
    Returns as x, in nats, at most 0, and finite however far x is from the mean.
    Source: Ho et al. 2020, equation 13.
    """
    half = 1 / (levels - 1)  # of the distance between two levels
    low = torch.where(x < -1 + half, -math.inf, (x - half - mean) / std)
    high = torch.where(x > 1 - half, math.inf, (x + half - mean) / std)
    # Φ(high) - Φ(low), in the tail where both are small: above the mean, that is Φ(-low) - Φ(-high)
    low, high = torch.where(low > 0, -high, low), torch.where(low > 0, -low, high)
    return log_ndtr(high) + torch.log1p(-(log_ndtr(low) - log_ndtr(high)).exp())


def data_term(predict: Predict, x: Tensor, noise: Tensor, schedule: Schedule, levels: int) -> Tensor:
    """L_0: what is left to say after the last step back, the grey level of every number.

    x: (N, ...), data, made of `levels` evenly spaced values from -1 to 1.  noise: as x, drawn from N(0, I);
    makes x_1.  Returns (N,), in nats, a draw whose mean is the term.
    Source: Ho et al. 2020, equations 5 and 13, with σ_1² = β_1.
    """
    x_1 = q_sample(x, 1, noise, schedule.alpha_bar)
    mean = step_back(x_1, predict(x_1, 1), 1, schedule)
    std = at(schedule.beta.sqrt(), 1, x)
    return -level_log_probability(x, mean, std, levels).flatten(1).sum(1)
