"""What a lesson costs: the time of Run All, and the most memory that its notebook ever holds.

    PYTHONPATH=. .venv/bin/python benchmarks/lessons.py [LESSON …]

Every solved notebook at budget normal, by someone who comes from the lessons before: the models that it takes
from them are in the cache.  Nothing is saved.  Writes its section of RESULTS.md when all lessons were run.
An hour on two cores.
"""

import argparse
import re
import statistics
import sys

import report
import torch

from minigen.course.execute import run_all
from minigen.course.script import LESSONS, SOLUTIONS, lessons
from minigen.recipes import trained

ROUNDS = 2  # far apart in time, since a machine may be twice as fast in one hour as in another
SECONDS, MEGABYTES = 180, 2000  # a lesson is to stay below
WORDS = f"""Run All of each solved notebook at budget normal, starting Python included, and the most memory
that its process ever held. Models that a lesson takes from an earlier one are in the cache. All lessons are
run one after the other, {ROUNDS} times: medians (least–most), and the larger memory. The aim is {SECONDS} s
and {MEGABYTES:,} MB at most.

"""

Costs = dict[str, list[tuple[float, float]]]  # of each lesson: seconds and megabytes of each round


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("lessons", nargs="*", metavar="LESSON")
    args = parser.parse_args()
    every = [script.stem for script in lessons()]
    if unknown := set(args.lessons) - set(every):
        sys.exit(f"there is no lesson {unknown.pop()}")
    text = report.circumstances(["torch"], torch.get_num_threads())
    costs: Costs = {lesson: [] for lesson in args.lessons or every}
    for lesson in list(costs) * ROUNDS:
        seconds, megabytes = cost(lesson)
        costs[lesson].append((seconds, megabytes))
        print(f"{lesson} {seconds:.0f} s {megabytes:.0f} MB", flush=True)
    print(section(costs))
    if not args.lessons:
        report.write("Lessons", text + WORDS + section(costs))


def cost(lesson: str) -> tuple[float, float]:
    """Seconds and megabytes of Run All, with what the lesson takes from others trained before."""
    for name in re.findall(r'trained\("(\w+)"\)', (LESSONS / f"{lesson}.py").read_text(encoding="utf-8")):
        trained(name)
    run = run_all(SOLUTIONS / f"{lesson}.ipynb")
    return run.seconds, run.megabytes


def section(costs: Costs) -> str:
    """The table, and in a sentence the sum and what is beyond the aim."""
    rows, total, over = [], 0.0, []
    for lesson, rounds in costs.items():
        seconds, megabytes = [seconds for seconds, _ in rounds], max(megabytes for _, megabytes in rounds)
        rows.append([lesson, report.spread(seconds), f"{megabytes:,.0f}"])
        total += statistics.median(seconds)
        if statistics.median(seconds) > SECONDS or megabytes > MEGABYTES:
            over.append(lesson)
    said = f"All lessons: {total / 60:.1f} minutes; beyond the aim: {', '.join(over) or 'none'}.\n"
    return report.table(["lesson", "seconds", "MB"], rows) + said


if __name__ == "__main__":
    main()
