"""Samplers: ways from noise to data, all T steps of the chain or few of them, and back.

Each is a plain function of predict(x_t, t), the noise in images x_t: (N, ...) at time t. One update serves
all that leave steps out; what differs is how much fresh noise it adds, and how the data is predicted that it
aims at.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from minigen.diffusion import Predict, Schedule, Times, at, data_from_noise, posterior, q_sample


def step_back(x_t: Tensor, noise_hat: Tensor, t: Times, schedule: Schedule) -> Tensor:
    """The mean of x_{t-1}, as seen from x_t and the noise that a network predicts in it.

    x_t, noise_hat: (N, ...).  t: whole numbers from 1 to T, (N,), or one for all.  Returns (N, ...).
    Source: Ho et al. 2020, equation 11 and algorithm 2, line 4 without its last term.
    """
    of_noise = schedule.beta / (1 - schedule.alpha_bar).sqrt()
    return (x_t - at(of_noise, t, x_t) * noise_hat) / at(schedule.alpha.sqrt(), t, x_t)


def step_back_clipped(x_t: Tensor, noise_hat: Tensor, t: Times, schedule: Schedule) -> Tensor:
    """`step_back` for data that lies in [-1, 1]: predicted data that does not is moved to the edge first.

    x_t, noise_hat: (N, ...).  t: whole numbers from 1 to T, (N,), or one for all.  Returns (N, ...).
    Source: Ho et al. 2020, published code.
    """
    x0 = data_from_noise(x_t, noise_hat, t, schedule.alpha_bar).clamp(-1, 1)
    return posterior(x0, x_t, t, schedule)[0]


@torch.no_grad()
def ancestral(
    predict: Predict,
    x: Tensor,
    schedule: Schedule,
    noise: Callable[[int], Tensor],
    variances: Tensor,
    clip: bool = False,
) -> Tensor:
    """Data out of pure noise, all T steps back, with fresh noise after each but the last.

    predict: predict(x_t, t) is the noise in images (N, ...) at time t.  x: (N, ...), drawn from N(0, I).
    noise: noise(t), asked for once at t = T … 2, is drawn from N(0, I) too.  variances: (T + 1,), σ_t² of
    each step, such as schedule.variance or schedule.beta.  clip: keep predicted data in [-1, 1].
    Returns (N, ...), not limited to any range.
    Source: Ho et al. 2020, algorithm 2.
    """
    back = step_back_clipped if clip else step_back
    for t in range(schedule.steps, 0, -1):
        x = back(x, predict(x, t), t, schedule)
        if t > 1:
            x = x + variances[t].sqrt() * noise(t)
    return x


def times(last: int, steps: int) -> list[int]:
    """steps + 1 times from T down to 0, as evenly spaced as whole numbers can be.

    last: T.  steps: from 1 to T.  Returns whole numbers that fall, the first T, the last 0.
    Raises ValueError for another number of steps.
    Source: Song et al. 2021, Denoising Diffusion Implicit Models, appendix D.2.
    """
    if not 1 <= steps <= last:
        raise ValueError(f"steps should be from 1 to {last}, the number of steps in the chain; got {steps}")
    return [round(last * i / steps) for i in range(steps, -1, -1)]


def times_by_noise(alpha_bar: Tensor, steps: int, most: float = 10.0) -> list[int]:
    """steps + 1 times from T down to 0, closest together where there is most noise.

    The first is T, where nothing is known of the picture. The others lie where σ/α, the noise over the
    signal, comes nearest to numbers whose square roots fall evenly from that of `most` to the least of all.
    alpha_bar: (T + 1,), the table.  steps, and what is returned and raised: as for `times`.
    Source: Karras et al. 2022, Elucidating the Design Space of Diffusion-Based Generative Models, equation 5,
    with ρ = 2.
    """
    last = times(len(alpha_bar) - 1, steps)[0]
    roots = ((1 - alpha_bar) / alpha_bar)[1:].cpu() ** 0.25  # of σ/α, at t = 1 … T
    wanted = torch.linspace(min(most**0.5, float(roots[-1])), float(roots[0]), steps - 1)
    nearest = 1 + (roots - wanted[:, None]).abs().argmin(1)
    path = [0]
    for t in [*reversed(nearest.tolist()), last]:
        path.append(max(t, path[-1] + 1))  # no time twice
    return [min(t, last - i) for i, t in enumerate(reversed(path))]


def ddim_step(
    x_t: Tensor, x0: Tensor, t: int, s: int, alpha_bar: Tensor, eta: float = 0.0, noise: Tensor | float = 0.0
) -> Tensor:
    """From time t to time s in one step, aiming at predicted data, with some of the noise replaced by fresh.

    x_t, x0: (N, ...), and the data predicted for it.  t, s: whole numbers from 0 to T, t at least 1.
    alpha_bar: (T + 1,), the table.  eta: 0 adds no fresh noise, 1 as much as DDPM; above 0 only for s < t.
    noise: as x_t, drawn from N(0, I).  Returns x_s: (N, ...).
    Source: Song et al. 2021, equations 12 and 16.
    """
    a_t, a_s = alpha_bar[t], alpha_bar[s]
    noise_hat = (x_t - a_t.sqrt() * x0) / (1 - a_t).sqrt()
    variance = eta**2 * (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)
    return a_s.sqrt() * x0 + (1 - a_s - variance).sqrt() * noise_hat + variance.sqrt() * noise


def extrapolate(x0: Tensor, before: Tensor, times: tuple[int, int, int], alpha_bar: Tensor) -> Tensor:
    """The data to aim at in a step of second order: what is predicted now, moved on as it moved before.

    x0, before: (N, ...), the data predicted now and one step earlier.  times: of the earlier prediction, of
    this one, and of the end of the step, which fall and are at least 1.  alpha_bar: (T + 1,), the table.
    On the scale of λ, half the logarithm of the signal-to-noise ratio, data is taken to change evenly, and
    the aim is its value in the middle of the step.  Returns (N, ...).
    Source: Lu et al. 2022, DPM-Solver++, algorithm 2.
    """
    earlier, now, end = (0.5 * (alpha_bar[t] / (1 - alpha_bar[t])).log() for t in times)  # λ
    return x0 + (end - now) / 2 * (x0 - before) / (now - earlier)


@torch.no_grad()
def few_steps(
    predict: Predict,
    x: Tensor,
    alpha_bar: Tensor,
    steps: int,
    eta: float = 0.0,
    noise: Callable[[int], Tensor] | None = None,
    second_order: bool = False,
    clip: bool = False,
) -> Tensor:
    """Data out of pure noise, along the chain in fewer steps than it has.

    predict: predict(x_t, t) is the noise in images (N, ...) at time t.  x: (N, ...), drawn from N(0, I).
    alpha_bar: (T + 1,), the table.  steps: from 1 to T; the network is asked once in each.  eta: 0 is DDIM, 1
    is DDPM when no step is left out.  noise: noise(t), asked for in each step but the last when eta is above
    0, is drawn from N(0, I).  second_order: aim as `extrapolate` does, in all steps but the first and the
    last; with eta = 0 that is DPM-Solver++ (2M), with eta = 1 its SDE version.  clip: keep predicted data in
    [-1, 1].
    Returns (N, ...), not limited to any range.
    Source: Song et al. 2021, section 4; Lu et al. 2022, DPM-Solver++, algorithm 2 and appendix.
    """
    path, earlier = times(len(alpha_bar) - 1, steps), None
    for t, s in pairwise(path):
        x0 = data_from_noise(x, predict(x, t), t, alpha_bar)
        x0 = x0.clamp(-1, 1) if clip else x0
        aim = x0
        if second_order and earlier is not None and s > 0:
            aim = extrapolate(x0, earlier[1], (earlier[0], t, s), alpha_bar)
        fresh = noise(t) if eta > 0 and s > 0 else 0.0
        x, earlier = ddim_step(x, aim, t, s, alpha_bar, eta, fresh), (t, x0)
    return x


@torch.no_grad()
def invert(predict: Predict, x: Tensor, alpha_bar: Tensor, steps: int, rounds: int = 1) -> Tensor:
    """The noise from which `few_steps` without fresh noise makes these data: its way walked backwards.

    x: (N, ...), data.  The rest as for `few_steps`.  Each step asks for the noise at a place that it does not
    know yet: first at the place it starts from, and then, `rounds` times in all, at the place found last.
    Returns (N, ...).
    Source: Song et al. 2021, section 4.3; asking again: Pan et al. 2023, Effective Real Image Editing with
    Accelerated Iterative Diffusion Inversion.
    """
    for s, t in pairwise(times(len(alpha_bar) - 1, steps)[::-1]):
        there = x
        for _ in range(rounds):
            noise_hat = predict(there, t)
            there = q_sample(data_from_noise(x, noise_hat, s, alpha_bar), t, noise_hat, alpha_bar)
        x = there
    return x


def jump(
    x_t: Tensor,
    x0: Tensor,
    start: tuple[Tensor, Tensor],
    end: tuple[Tensor, Tensor],
    eta: float = 0.0,
    noise: Tensor | float = 0.0,
) -> Tensor:
    """`ddim_step` along any path x = α · data + σ · noise, not only where α² + σ² = 1.

    x_t, x0: (N, ...), and the data predicted for it.  start, end: (α, σ) before and after; σ at the start and
    α at the end are above 0.  eta, noise: as for `ddim_step`.  On α = 1 - t, σ = t, with eta = 0, it is a
    step of Euler's along the rectified flow.
    Returns (N, ...).
    Source: Karras et al. 2022, Elucidating the Design Space of Diffusion-Based Generative Models, section 2.
    """
    (a_t, sigma_t), (a_s, sigma_s) = start, end
    noise_hat = (x_t - a_t * x0) / sigma_t
    fresh = eta * sigma_s / sigma_t * (sigma_t**2 - (a_t / a_s * sigma_s) ** 2).clamp(min=0).sqrt()
    return a_s * x0 + (sigma_s**2 - fresh**2).sqrt() * noise_hat + fresh * noise
