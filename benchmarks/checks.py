"""How long a learner waits for a card: every exercise, answered rightly, by each of its known mistakes, and
by something that no known mistake explains.

    PYTHONPATH=. .venv/bin/python benchmarks/checks.py [LESSON …] [--quick]

Each lesson is a process of its own, as it is a notebook of its own for a learner, and nothing of an exercise
has been computed before its answers come.  Writes its section of RESULTS.md (--quick: the first lesson, and
writes nothing).
"""

import argparse
import ast
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

import report
import torch

from minigen.course import runs
from minigen.course.card import Card
from minigen.course.catalogue import Exercise, exercises
from minigen.course.evaluate import evaluate
from minigen.course.script import lessons
from minigen.course.source import compiled, text
from minigen.course.verdict import Outcome

MEDIAN, WORST = 0.3, 2.0  # seconds that are aimed at
UNKNOWN = "what nothing explains"
WORDS = f"""The seconds from an answer to its card: {{answers:,}} answers to {{count}} exercises, each checked
as if it were the first. They are the right answer, every known mistake (its variables renamed, since a
learner's have other names than ours), and the library's code with a result that is 1.37 times too large, for
which everything is tried (*{UNKNOWN}*; left out for {{without}} exercises, where that is right all the
same, or explained). The aim is {MEDIAN:g} s for the median of an exercise, and {WORST:g} s for the worst of
its answers.

"""


def answers(exercise: Exercise) -> dict[str, object]:
    """{what it is: the answer}: all known mistakes but that which a repair starts from, and two more."""
    known = [m for m in exercise.mistakes if m is not exercise.repair]
    if exercise.kind == "predict":
        return {"right": exercise.expected} | {m.name: m.answer for m in known}
    right = compiled(exercise.solution, exercise.target)
    mine = {m.name: wrapped(m.answer, in_own_words(text(m.answer))) for m in known}
    return {"right": right} | mine | {UNKNOWN: wrapped(right, exercise.solution, exercise.blank, 1.37)}


def wrapped(answer: Any, code: str, methods: Iterable[str] = (), factor: float = 1) -> Any:
    """An answer that claims to be written in this code, and gives `factor` times what it gives."""
    if isinstance(answer, type):
        changed = {m: scaled(getattr(answer, m), factor) for m in methods or ["forward"] if factor != 1}
        return type(answer.__name__, (answer,), changed | {"__source__": code})
    made = scaled(answer, factor)
    made.__source__ = code
    return made


def scaled(function: Callable, factor: float) -> Callable:
    """The function with every number of its result multiplied."""

    def larger(found: Any) -> Any:
        if isinstance(found, Iterator):
            return map(larger, found)
        if isinstance(found, dict):
            return {name: larger(value) for name, value in found.items()}
        if type(found) in (tuple, list):
            return type(found)(map(larger, found))
        return factor * found if isinstance(found, (torch.Tensor, float)) and factor != 1 else found

    return lambda *args, **kwargs: larger(function(*args, **kwargs))


def in_own_words(code: str) -> str:
    """The same code with other names for what it assigns."""
    with contextlib.suppress(SyntaxError):  # a lambda is read with the line around it, and assigns nothing
        tree = ast.parse(code)
        names = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
        stored = {n.id for n in names if isinstance(n.ctx, ast.Store)}
        for n in names:
            n.id = f"my_{n.id}" if n.id in stored else n.id
        return ast.unparse(tree)
    return code


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
            told = verdict.mistake or ("right" if verdict.outcome == Outcome.RIGHT else UNKNOWN)
            if name == UNKNOWN and told != name:
                continue
            found.append({
                "lesson": lesson, "exercise": exercise.id, "answer": name, "seconds": seconds, "told": told,
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
    half, last = statistics.median(f["seconds"] for f in found), max(f["seconds"] for f in found)
    said = f"Half of all cards come within {half:.3f} s, and the last after {last:.1f} s. "
    said += f"Beyond the aim: {', '.join(f'`{name}`' for name in slow) or 'none'}.\n"
    without = len(rows) - sum(f["answer"] == UNKNOWN for f in found)
    words = WORDS.format(answers=len(found), count=len(rows), without=without)
    return words + report.table(header, cells) + said


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
        found += json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        print(lesson, max(f["seconds"] for f in found if f["lesson"] == lesson), flush=True)
    if strange := [f for f in found if f["told"] != f["answer"]]:
        sys.exit(f"told as something else: {strange}")
    print(said := section(found))
    if not args.quick and not args.lessons:
        report.write("Checks", text + said)


if __name__ == "__main__":
    main()
