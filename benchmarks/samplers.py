"""minigen's chain and samplers beside diffusers' schedulers: the same tables, the same steps?

    PYTHONPATH=. .venv-peers/bin/python benchmarks/samplers.py [--quick]

Exits with 1 where they differ by more than TOLERANCE; else writes its section of RESULTS.md (--quick: writes
nothing).  The environment: peers.txt.  diffusers counts the steps of the chain from 0, minigen from 1.
"""

import argparse
import itertools
import sys
from itertools import pairwise
from unittest import mock

import peers  # noqa: F401  (first: it makes diffusers importable)
import report
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from minigen.diffusion import (
    Schedule,
    cosine_betas,
    data_from_noise,
    linear_betas,
    q_sample,
)
from minigen.samplers import ddim_step, extrapolate, step_back, step_back_clipped

TOLERANCE = 1e-5  # of the largest number in a result
WORDS = f"""The largest difference to diffusers, over the largest number of a result: at most {TOLERANCE:g}.
In the rows of DDPM diffusers' tables are made again in float64 from its own betas; the rows with its float32
tables show what rounding does to 1 - ᾱ_t at the first steps, and are not held to that."""
SCHEDULES = {
    "linear": (Schedule(linear_betas()), {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}),
    "cosine": (Schedule(cosine_betas()), {"beta_schedule": "squaredcos_cap_v2"}),
}
SHAPE = (4, 1, 8, 8)


def normal(seed: int) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def difference(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference of two results, in units of the largest number in theirs."""
    return float((ours.double() - theirs.double()).abs().max() / theirs.abs().max())


def precise(scheduler: DDPMScheduler) -> DDPMScheduler:
    """The scheduler with its tables made again of its own betas, in float64.

    In its float32, 1 - ᾱ_t is off by some 1e-4 of itself at the first steps.
    """
    scheduler.alphas = 1 - scheduler.betas.double()
    scheduler.alphas_cumprod = scheduler.alphas.cumprod(0)
    return scheduler


def tables(chain: Schedule, settings: dict) -> dict[str, float]:
    theirs = DDPMScheduler(1000, **settings)
    x, noise, t = normal(0), normal(1), torch.tensor([1, 250, 600, 1000])
    return {
        "betas": difference(chain.beta[1:], theirs.betas),
        "ᾱ": difference(chain.alpha_bar[1:], theirs.alphas_cumprod),
        "the jump to x_t": difference(
            q_sample(x, t, noise, chain.alpha_bar), theirs.add_noise(x, noise, t - 1)
        ),
    }


def ddpm(chain: Schedule, settings: dict) -> dict[str, float]:
    """One step of algorithm 2, with both choices of the variance, clipped and not."""
    x_t, noise_hat, noise = normal(0), normal(1), normal(2)
    found = {}
    kinds = {"fixed_small": chain.variance, "fixed_large": chain.beta}
    for (name, variances), clip, tables in itertools.product(
        kinds.items(), (False, True), ("", "float32 tables")
    ):
        theirs = DDPMScheduler(1000, variance_type=name, clip_sample=clip, **settings)
        theirs = theirs if tables else precise(theirs)
        back, worst = step_back_clipped if clip else step_back, 0.0
        for t in 1, 2, 10, 500, 900, 990:
            ours = back(x_t, noise_hat, t, chain) + (variances[t].sqrt() * noise if t > 1 else 0)
            with mock.patch("diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *_, **__: noise):
                worst = max(worst, difference(ours, theirs.step(noise_hat, t - 1, x_t).prev_sample))
        found[", ".join(filter(None, ("DDPM", name, "clipped" if clip else "", tables)))] = worst
    return found


def ddim(chain: Schedule, settings: dict) -> dict[str, float]:
    """One step of DDIM over a hundred of the chain."""
    x_t, noise_hat, noise = normal(0), normal(1), normal(2)
    theirs = DDIMScheduler(1000, clip_sample=False, set_alpha_to_one=True, **settings)
    theirs.set_timesteps(10)
    found = {}
    for eta in 0.0, 0.5, 1.0:
        worst = 0.0
        for t in 100, 101, 500, 900:
            x0 = data_from_noise(x_t, noise_hat, t, chain.alpha_bar)
            ours = ddim_step(x_t, x0, t, t - 100, chain.alpha_bar, eta, noise)
            step = theirs.step(noise_hat, t - 1, x_t, eta=eta, variance_noise=noise)
            worst = max(worst, difference(ours, step.prev_sample))
        found[f"DDIM, η = {eta:g}"] = worst
    return found


def second_order(chain: Schedule, settings: dict) -> dict[str, float]:
    """All steps of a run of ten, each from the same place, with the same predictions."""
    found = {}
    for name, eta in ("dpmsolver++", 0.0), ("sde-dpmsolver++", 1.0):
        theirs = DPMSolverMultistepScheduler(1000, algorithm_type=name, solver_order=2, **settings)
        theirs.set_timesteps(10)
        path = [*(theirs.timesteps + 1).tolist(), 0]
        x, earlier, worst = normal(0), None, 0.0
        for i, (t, s) in enumerate(pairwise(path)):
            noise_hat, noise = normal(10 + i), normal(30 + i)
            x0 = data_from_noise(x, noise_hat, t, chain.alpha_bar)
            aim = x0
            if earlier is not None and s > 0:
                aim = extrapolate(x0, earlier[1], (earlier[0], t, s), chain.alpha_bar)
            ours = ddim_step(x, aim, t, s, chain.alpha_bar, eta, noise)
            x, earlier = theirs.step(noise_hat, t - 1, x, variance_noise=noise).prev_sample, (t, x0)
            worst = max(worst, difference(ours, x))
        found[f"DPM-Solver++ (2M), {name}"] = worst
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="write nothing")
    quick = parser.parse_args().quick
    rows: dict[str, dict[str, float]] = {}
    for name, (chain, settings) in SCHEDULES.items():
        for compare in tables, ddpm, ddim, second_order:
            for what, error in compare(chain, settings).items():
                rows.setdefault(what, {})[name] = error
                print(f"{what}, {name}: {error:.1e}", flush=True)
    asked = {what: row for what, row in rows.items() if "float32" not in what}
    wrong = [
        f"{what}, {name}" for what, row in asked.items() for name, e in row.items() if not e <= TOLERANCE
    ]
    if wrong:
        sys.exit(f"more than {TOLERANCE:g} apart: {'; '.join(wrong)}")
    if not quick:
        text = report.circumstances(["torch", "diffusers"], torch.get_num_threads())
        text += f"{WORDS}\n\n"
        cells = [[what, *(f"{row[name]:.0e}" for name in SCHEDULES)] for what, row in rows.items()]
        report.write("Samplers", text + report.table(["", *SCHEDULES], cells))


if __name__ == "__main__":
    main()
