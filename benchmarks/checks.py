"""How long a learner waits for a card: every exercise, answered rightly and by each of its known mistakes.

    PYTHONPATH=. .venv/bin/python benchmarks/checks.py [LESSON …] [--quick]

Each lesson is a process of its own, as it is a notebook of its own for a learner, and nothing of an exercise
has been computed before its answers come.  Writes its section of RESULTS.md (--quick: the first lesson, and
writes nothing).
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from itertools import groupby

import report
import torch

from minigen.course import runs
from minigen.course.card import Card
from minigen.course.catalogue import Exercise, exercises
from minigen.course.evaluate import evaluate
from minigen.course.script import lessons
from minigen.course.source import compiled

MEDIAN, WORST = 0.3, 2.0  # seconds that are aimed at
WORDS = f"""The seconds from an answer, the right one or a known mistake, to its card: {{answers:,}} answers
to {{count}} exercises, each checked as if it were the first. The aim is {MEDIAN:g} s for the median of an
exercise, and {WORST:g} s for the worst of its answers.

"""


def answers(exercise: Exercise) -> dict[str, object]:
    """{what it is: the answer}: the right one, and all known mistakes but that which a repair starts from."""
    right = exercise.expected if exercise.kind == "predict" else compiled(exercise.solution, exercise.target)
    return {"right": right} | {m.name: m.answer for m in exercise.mistakes if m is not exercise.repair}


def waits(lesson: str) -> list[dict]:
    """The seconds for each answer to each exercise of a lesson."""
    torch.ones(8, 8) @ torch.ones(8, 8)  # a notebook has used torch before its first check
    found = []
    for exercise in exercises(lesson):
        for name, answer in answers(exercise).items():
            runs.reference.cache_clear()
            runs._known.cache_clear()
            start = time.perf_counter()
            verdict = evaluate(exercise, answer)
            Card(exercise, verdict)._repr_html_()
            seconds = time.perf_counter() - start
            found.append({
                "lesson": lesson, "exercise": exercise.id, "answer": name, "seconds": seconds,
                "as expected": (verdict.mistake or "right") == name,
            })  # fmt: skip
    return found


def section(found: list[dict]) -> str:
    rows, slow = [], []
    for (lesson, exercise), some in groupby(found, key=lambda f: (f["lesson"], f["exercise"])):
        some = list(some)
        middle, worst = statistics.median(f["seconds"] for f in some), max(some, key=lambda f: f["seconds"])
        rows.append((lesson, exercise, middle, worst))
        if middle > MEDIAN or worst["seconds"] > WORST:
            slow.append(exercise)
    cells = []
    for lesson, some in groupby(rows, key=lambda r: r[0]):
        some = list(some)
        slowest, at_worst = max(some, key=lambda r: r[2]), max(some, key=lambda r: r[3]["seconds"])
        cells.append([
            lesson,
            str(len(some)),
            f"{statistics.median(r[2] for r in some):.3f}",
            f"{slowest[2]:.3f} (`{slowest[1]}`)",
            f"{at_worst[3]['seconds']:.3f} (`{at_worst[1]}`: {at_worst[3]['answer']})",
        ])  # fmt: skip
    header = ["lesson", "exercises", "median", "slowest median", "worst"]
    said = f"Beyond the aim: {', '.join(f'`{name}`' for name in slow) or 'none'}.\n"
    return WORDS.format(answers=len(found), count=len(rows)) + report.table(header, cells) + said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("lessons", nargs="*", metavar="LESSON")
    parser.add_argument("--quick", action="store_true", help="the first lesson, and write nothing")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        return print(json.dumps(waits(args.here)))
    text, found = report.circumstances(["torch"], torch.get_num_threads()), []
    every = [script.stem for script in lessons()]
    for lesson in every[:1] if args.quick else args.lessons or every:
        command = [sys.executable, __file__, "--here", lesson]
        found += json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(lesson, max(f["seconds"] for f in found if f["lesson"] == lesson), flush=True)
    if strange := [f for f in found if not f["as expected"]]:
        sys.exit(f"told as something else: {strange}")
    print(said := section(found))
    if not args.quick and not args.lessons:
        report.write("Checks", text + said)


if __name__ == "__main__":
    main()
