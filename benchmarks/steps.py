"""Few steps of a sampler beside all of the chain: how good are the digits of the course's diffusion model?

    PYTHONPATH=. .venv/bin/python benchmarks/steps.py [--quick]

Sets of digits are drawn by each sampler, and compared with the training digits by the course's judge: FID.
Writes its section of RESULTS.md, and what all steps give to solutions/references.json, where lesson 53 reads
it (--quick: small sets, and writes nothing).  Half an hour on two cores, nearly all of it for all steps.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial

import report
import torch
from torch import Tensor
from tqdm import tqdm

from minigen.core import device, replacing
from minigen.course.measure import REFERENCES
from minigen.data import digits
from minigen.features import DigitFeatures
from minigen.metrics import fid
from minigen.recipes import fingerprint, trained
from minigen.samplers import ancestral, few_steps

WORDS = """FID to the 1,438 training digits by the course's judge of digits, of sets of {drawn:,} drawn with
the recipe `digit_ddpm`: mean of {sets} sets and their standard deviation, and the seconds for a set. All
clip predicted data to [-1, 1]. "2M" is the second order of DPM-Solver++, with fresh noise (η = 1) or without.
"""
STEPS = 10, 20, 50


def samplers(model) -> dict[str, Callable[[Tensor, Callable], Tensor]]:
    """{name: (x_T, noise) to digits} of all that are compared; the first takes all steps."""
    chain = model.schedule
    found = {
        f"ancestral, {chain.steps:,} steps": lambda x, noise: ancestral(
            model.predict, x, chain, noise, chain.variance, clip=True
        )
    }
    kinds = {
        "DDIM": {},
        "η = 1": {"eta": 1.0},
        "2M": {"second_order": True},
        "2M, η = 1": {"second_order": True, "eta": 1.0},
    }
    for name, kind in kinds.items():
        for steps in STEPS:
            few = partial(few_steps, model.predict, alpha_bar=chain.alpha_bar, steps=steps, clip=True, **kind)
            found[f"{name}, {steps} steps"] = lambda x, noise, few=few: few(x, noise=noise)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sets, and write nothing")
    quick = parser.parse_args().quick
    drawn, sets = (100, 2) if quick else (1000, 3)
    circumstances = report.circumstances(["torch"], torch.get_num_threads())
    model, judge, (real, _) = trained("digit_ddpm").to(device()), DigitFeatures(), digits()
    real, rows = judge.features(real), {}
    for name, sampler in tqdm(samplers(model).items()):
        found, start = [], time.perf_counter()
        for seed in range(sets):
            torch.manual_seed(seed)
            made = sampler(model.noise(drawn), lambda t: model.noise(drawn))
            found.append(fid(real, judge.features(made.clamp(-1, 1).cpu())))
        rows[name] = {"fid": found, "seconds": (time.perf_counter() - start) / sets}
        print(name, *(f"{value:.3f}" for value in found), flush=True)
    if not quick:
        cells = [
            [
                name,
                f"{statistics.mean(row['fid']):.3f} ± {statistics.stdev(row['fid']):.3f}",
                f"{row['seconds']:.2g}",
            ]
            for name, row in rows.items()
        ]
        words = WORDS.format(drawn=drawn, sets=sets)
        report.write("Steps", circumstances + words + "\n" + report.table(["", "FID", "seconds"], cells))
        all_steps = next(iter(rows.values())) | {"samples": drawn, "recipe": fingerprint("digit_ddpm")}
        with replacing(REFERENCES) as path:
            path.write_text(json.dumps({"digit_ddpm, ancestral": all_steps}, indent=1) + "\n")


if __name__ == "__main__":
    main()
