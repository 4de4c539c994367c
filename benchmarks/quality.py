"""Time to quality: programs learn for the same time, in turn, then draw; how good is what they draw?

What is measured is kept in a file of figures after each run, and the section of RESULTS.md is written from
it, so that budgets and runs can be measured one by one.  Rows of other pictures are refused; a row does not
know the code that it was measured with: who changes a program takes its rows out of the file.
"""

import argparse
import json
import re
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path

import report
import torch
from pictures import Judge, pictures
from racing import Learner, together
from torch import Tensor

from minigen.core import replacing

THREADS, DRAWN, PART, LIMIT = 2, 1000, 100, 150.0  # images drawn, in parts, for at most so many seconds
Make = Callable[[str, int], Learner]  # of a program, and a seed
WORDS = """Trained on {name}; Fréchet distance to all of them in the features of one classifier (accuracy
on {others:,} others {accuracy:.3f}), where 1,000 of those others stand at {distance:.2f}. {programs}
All programs of a run take turns of some seconds, also when they draw; one that needs more than {limit:g} s
for its images gives fewer, which adds to its distance. Medians of the runs (least–most).

"""


def race(make: Make, programs: list[str], seconds: float, seed: int, judge: Judge, drawn: int) -> list[dict]:
    """All programs learn for the same time; a row of figures for each."""
    learners = {name: partial(make, name, seed) for name in programs}
    with together(learners, seconds, THREADS) as turns:
        images: dict[str, list[Tensor]] = {turn.name: [] for turn in turns}
        spent = dict.fromkeys(images, 0.0)
        for done in range(0, drawn, PART):
            for turn in turns:
                if spent[turn.name] < LIMIT:
                    part, time = turn.draw(min(PART, drawn - done))
                    images[turn.name].append(part)
                    spent[turn.name] += time
        rows = []
        for turn in turns:
            found = torch.cat(images[turn.name])
            rows.append({
                "program": turn.name, "budget": seconds, "seed": seed, "distance": judge.distance(found),
                "drawn": len(found), "seconds for 1,000": 1000 * spent[turn.name] / len(found),
                "steps": turn.steps, "batch": turn.batch, "used": turn.used, "parameters": turn.parameters,
            })  # fmt: skip
            print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
    return rows


def table(rows: list[dict], programs: list[str]) -> str:
    """A table of the programs after one budget."""
    cells = []
    for name in programs:
        if mine := [r for r in rows if r["program"] == name]:
            few = min(r["drawn"] for r in mine)
            cells.append([
                name,
                report.spread([r["distance"] for r in mine], ".3g") + (f" (of {few})" if few < DRAWN else ""),
                report.spread([r["seconds for 1,000"] for r in mine], ".3g"),
                f"{statistics.median(r['steps'] for r in mine):,.0f}",
                str(mine[0]["batch"]),
                report.figure(1000 * statistics.median(r["used"] / r["steps"] for r in mine), ".3g"),
                f"{mine[0]['parameters'] / 1e6:.2f}",
                str(len(mine)),
            ])  # fmt: skip
    header = ["", "Fréchet distance", "s for 1,000 images", "steps", "images in a step", "ms a step"]
    return report.table([*header, "million weights", "runs"], cells)


def contest(
    doc: str,
    title: str,
    make: Make,
    groups: dict[str, list[str]],
    budgets: list[float],
    packages: list[str],
    programs: str,
    goals: Callable[[list[dict]], str],
    once: tuple[str, ...] = (),
) -> None:
    """The command line of a contest, and its section of RESULTS.md.

    groups: {what is compared: the programs}; each is a race of its own.  programs: a sentence about them.
    goals: from all rows to what was aimed at, and what came of it.  once: programs that are slow and far
    behind, and have a run with seed 0 only.
    """
    every = [name for group in groups.values() for name in group]
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=budgets)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="a run for each")
    parser.add_argument("--only", nargs="+", choices=every, default=every, metavar="PROGRAM")
    parser.add_argument("--quick", action="store_true", help="as little as can be, and write nothing")
    parser.add_argument("--rewrite", action="store_true", help="only write the section, of what was kept")
    args = parser.parse_args()
    torch.set_num_threads(THREADS)
    circumstances = report.circumstances(packages, THREADS)
    name, seen, others = pictures()
    judge = Judge(seen, others)
    words = WORDS.format(
        name=name, others=len(others[0]), accuracy=judge.accuracy, distance=judge.of_others, limit=LIMIT,
        programs=programs,
    )  # fmt: skip
    kept = Path(__file__).with_name(f"{title.lower()}.json")

    def keep(fresh: list[dict]) -> None:
        """Puts rows in the place of those of the same runs, and writes the section."""
        runs = {(r["program"], r["budget"], r["seed"]) for r in fresh}
        old = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else []
        rows = fresh + [r for r in old if (r["program"], r["budget"], r["seed"]) not in runs]
        if strange := {r["pictures"] for r in rows} - {name}:
            raise ValueError(f"{kept.name} has rows of {', '.join(strange)}; here are {name}")
        with replacing(kept) as path:
            path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        report.write(title, machines(rows) + words + tables(rows, groups) + goals(rows))

    if args.rewrite:
        return keep([])
    for budget in [2.0] if args.quick else args.seconds:
        for seed in args.seeds:
            for group in groups.values():
                chosen = [n for n in group if n in args.only and (seed == 0 or n not in once)]
                if chosen:
                    rows = race(make, chosen, budget, seed, judge, 10 if args.quick else DRAWN)
                    if not args.quick:
                        keep([row | {"pictures": name, "circumstances": circumstances} for row in rows])


def machines(rows: list[dict]) -> str:
    """What the runs ran on, a paragraph for each day, machine and versions."""
    said: dict[str, list[str]] = {}
    for text in {r["circumstances"] for r in rows}:
        loads = re.findall(r"load ([\d.]+)", text)
        said.setdefault(re.sub(r"load [\d.]+", "load LOAD", text), []).extend(loads)
    ends = {text: sorted(loads, key=float) for text, loads in sorted(said.items())}
    return "".join(text.replace("LOAD", "–".join(dict.fromkeys(e[:1] + e[-1:]))) for text, e in ends.items())


def tables(rows: list[dict], groups: dict[str, list[str]]) -> str:
    """All tables of a section, by group and budget."""
    text = ""
    for what, programs in groups.items():
        for budget in sorted({r["budget"] for r in rows if r["program"] in programs}):
            text += f"### {what} after {budget:g} s\n\n"
            text += table([r for r in rows if r["budget"] == budget], programs)
    return text
