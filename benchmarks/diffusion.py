"""Time to quality: minigen's diffusion recipe beside three other programs, after the same time of training.

    PYTHONPATH=. .venv-peers/bin/python benchmarks/diffusion.py [--seconds 60 180 600] [--seeds 0 1] [--quick]

See quality.py.  The documented ones have one run.  --quick: as little as can be, and writes nothing.
--only PROGRAM …: some of them.  The environment: peers.txt.
"""

import statistics
from functools import partial

import torch
from pictures import pictures
from quality import contest
from racing import Learner

PACKAGES = ["torch", "denoising-diffusion-pytorch", "diffusers", "smalldiffusion"]
OURS = "minigen `ddpm`"
PEERS = "denoising-diffusion-pytorch", "diffusers", "smalldiffusion"
TUNED, DOCUMENTED = ([f"{peer}, {kind}" for peer in PEERS] for kind in ("tuned", "documented"))
SQUARES = [f"{name}, in squares" for name in TUNED[1:]]
PROGRAMS = [OURS, *TUNED, *SQUARES, *DOCUMENTED]
AIM = 5  # times as fast as the fastest that draws as well
SAID = """"Documented" and "tuned" are what `painters.py` says; what was tried for each is in
TRIALS.md. "In squares": of images cut into squares of 2×2 pixels first, as minigen's network cuts them; not
denoising-diffusion-pytorch, which got worse in trials."""


def make(program: str, seed: int) -> Learner:
    """A program, ready to learn; called in a process of its own."""
    import painters

    torch.manual_seed(seed)
    images = pictures()[1][0]
    makers = {
        OURS: partial(painters.Minigen, "ddpm", seed=seed),
        "denoising-diffusion-pytorch, documented": painters.LucidDocumented,
        "denoising-diffusion-pytorch, tuned": painters.lucid_tuned,
        "diffusers, documented": painters.HuggingDocumented,
        "diffusers, tuned": painters.hugging_tuned,
        "diffusers, tuned, in squares": partial(painters.hugging_tuned, widths=(32, 64), squares=2, batch=64),
        "smalldiffusion, documented": painters.SmallDocumented,
        "smalldiffusion, tuned": painters.small_tuned,
        "smalldiffusion, tuned, in squares": partial(painters.small_tuned, mults=(1, 2), squares=2, groups=8),
    }
    return makers[program](images)


def goals(rows: list[dict]) -> str:
    """What was aimed at, and what came of it, in sentences; only of what all programs were measured in."""

    def median(program: str, budget: float, of: str = "distance") -> float | None:
        found = [r[of] for r in rows if (r["program"], r["budget"]) == (program, budget)]
        return statistics.median(found) if found else None

    said, budgets = [], sorted({r["budget"] for r in rows if r["program"] == OURS})
    for early, late in (60, 180), (180, 600):
        others = {p: found for p in PROGRAMS[1:] if (found := median(p, late)) is not None}
        if early in budgets and len(others) == len(PROGRAMS) - 1:
            best, ours = min(others, key=others.get), median(OURS, early)
            verdict = "better than all others" if ours < others[best] else "not better than the best"
            said.append(
                f"- After {early} s minigen's distance is {ours:.3g}: {verdict} after {late} s "
                f"({best}: {others[best]:.3g})."
            )
    for budget in budgets:
        mine, speed = median(OURS, budget), median(OURS, budget, "seconds for 1,000")
        others = {(r["program"], r["budget"]) for r in rows if r["program"] != OURS}
        near = [other for other in sorted(others) if median(*other) <= 1.2 * mine]
        if not near:
            times = ", ".join(f"{late:g}" for late in sorted({late for _, late in others}))
            said.append(
                f"- Nobody comes within 20 % of minigen's distance after {budget:g} s (tried: {times} s)."
            )
            continue
        draws, (name, late) = min((median(*other, "seconds for 1,000"), other) for other in near)
        said.append(
            f"- Of all that come within 20 % of minigen's after {budget:g} s, the fastest to draw is {name} "
            f"after {late:g} s: 1,000 images take it {draws:.3g} s, {draws / speed:.1f} times as long; "
            f"{AIM} is the aim: {'reached' if draws / speed >= AIM else 'not reached'}."
        )
    return "\n".join(said) + "\n"


if __name__ == "__main__":
    budgets, groups = [60.0, 180.0, 600.0], {"Diffusion": PROGRAMS}
    contest(__doc__, "Diffusion", make, groups, budgets, PACKAGES, SAID, goals, once=tuple(DOCUMENTED))
