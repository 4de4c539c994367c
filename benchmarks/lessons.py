"""What a lesson costs: the time of Run All, and the most memory that its notebook ever holds.

    PYTHONPATH=. .venv/bin/python benchmarks/lessons.py [LESSON …]

Every solved notebook at budget normal, by someone who comes from the lessons before: the models that it takes
from them are in the cache.  Nothing is saved.  Writes its section of RESULTS.md when all lessons were run.
Half an hour on two cores.
"""

import argparse
import re
import sys

import report
import torch

from minigen.course.execute import run_all
from minigen.course.script import LESSONS, SOLUTIONS, lessons
from minigen.recipes import trained

SECONDS, MEGABYTES = 180, 2000  # a lesson is to stay below
WORDS = f"""Run All of each solved notebook at budget normal, starting Python included, and the most memory
that its process ever held. Models that a lesson takes from an earlier one are in the cache. The aim is
{SECONDS} s and {MEGABYTES:,} MB at most.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("lessons", nargs="*", metavar="LESSON")
    args = parser.parse_args()
    every = [script.stem for script in lessons()]
    text, rows, over = report.circumstances(["torch"], torch.get_num_threads()), [], []
    for lesson in args.lessons or every:
        if lesson not in every:
            sys.exit(f"there is no lesson {lesson}")
        for name in re.findall(r'trained\("(\w+)"\)', (LESSONS / f"{lesson}.py").read_text(encoding="utf-8")):
            trained(name)
        run = run_all(SOLUTIONS / f"{lesson}.ipynb")
        rows.append((lesson, run.seconds, run.megabytes))
        print(f"{lesson} {run.seconds:.0f} s {run.megabytes:.0f} MB", flush=True)
        if run.seconds > SECONDS or run.megabytes > MEGABYTES:
            over.append(lesson)
    total = f"All lessons: {sum(seconds for _, seconds, _ in rows) / 60:.1f} minutes"
    said = f"{total}; beyond the aim: {', '.join(over) or 'none'}.\n"
    print(said)
    if not args.lessons:
        cells = [[lesson, f"{seconds:.0f}", f"{megabytes:,.0f}"] for lesson, seconds, megabytes in rows]
        report.write("Lessons", text + WORDS + report.table(["lesson", "seconds", "MB"], cells) + said)


if __name__ == "__main__":
    main()
