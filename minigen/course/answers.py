"""Finds and runs the answers of a learner's notebook one by one, without Jupyter and its training cells."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigen.course.card import Card
from minigen.course.catalogue import Exercise
from minigen.course.evaluate import device_note, evaluate
from minigen.course.script import LESSONS, Lesson, lessons, read
from minigen.course.verdict import Outcome, Verdict
from minigen.probing.cells import bound, helpers, plain, run_cell
from minigen.probing.limits import TimedOut, time_limit
from minigen.probing.outputs import collected

DEFINING = 10.0  # seconds that the cell of an answer may take


class Unreadable(ValueError):
    """A notebook that cannot be checked, in one sentence for the learner."""


@dataclass
class Checked:
    """One exercise of a notebook. verdict is None when its cell is not there."""

    exercise: Exercise
    verdict: Verdict | None

    @property
    def right(self) -> bool:
        """Whether the answer is right."""
        return self.verdict is not None and self.verdict.outcome is Outcome.RIGHT

    @property
    def record(self) -> dict:
        """What `minigen check --json` prints of it."""
        verdict = self.verdict or Verdict(Outcome.NOT_ATTEMPTED, "its cell is missing")
        return {
            "id": self.exercise.id,
            "outcome": "missing" if self.verdict is None else str(verdict.outcome),
            "points": self.exercise.points if self.right else 0,
            "of": self.exercise.points,
            "mistake": verdict.mistake,
            "message": verdict.message,
            "notes": verdict.notes,
        }


def check_notebook(path: Path) -> list[Checked]:
    """The verdict on every exercise of the lesson that a notebook belongs to."""
    cells, lesson = _cells(path)
    return [Checked(e, _verdict(lesson, e, cells)) for e in lesson.exercises]


def table(checked: list[Checked]) -> str:
    """The cards as text, and the sum of the points."""
    cards = [
        repr(Card(c.exercise, c.verdict, lesson_goes_on=False))
        if c.verdict
        else f"✗ missing · {c.exercise.id} · {c.exercise.title}"
        for c in checked
    ]
    points = sum(c.record["points"] for c in checked), sum(c.record["of"] for c in checked)
    right = sum(c.right for c in checked)
    return "\n".join([*cards, "", f"{right} of {len(checked)} right, {points[0]} of {points[1]} points"])


def _verdict(lesson: Lesson, exercise: Exercise, cells: list[dict]) -> Verdict | None:
    mine = [c["source"] for c in cells if c["exercise"] == exercise.id and exercise.id in bound(c["source"])]
    if not mine:
        return None
    others = [c["source"] for c in cells if c["exercise"] != exercise.id and c["check"] is None]
    namespace = lesson.setup(exercise) | {"check": lambda name, answer: answer}
    wrong = _run(exercise, mine[-1], others, namespace)
    if wrong:
        return wrong
    verdict = evaluate(exercise, namespace[exercise.id])
    if verdict.outcome is Outcome.RIGHT and (note := device_note(exercise, namespace[exercise.id])):
        verdict.notes.append(note)
    return verdict


def _run(exercise: Exercise, source: str, others: list[str], namespace: dict[str, Any]) -> Verdict | None:
    """Runs the answer's cell after the definitions it needs from other cells; a verdict if that fails."""
    try:
        with collected() as outputs, time_limit(DEFINING):
            needed = helpers(source, others, namespace)
            for i, code in enumerate([*needed, source]):
                run_cell(code, f"<{exercise.id} {i}>", namespace)
    except SyntaxError as error:
        return Verdict(Outcome.RAISED, f"{type(error).__name__} in line {error.lineno}: {error.msg}")
    except TimedOut as error:
        return Verdict(Outcome.TIMED_OUT, f"Its cell was {error}.")
    except (Exception, SystemExit) as error:
        return Verdict(Outcome.RAISED, f"{type(error).__name__}: {error}", outputs=outputs)
    return None


def _cells(path: Path) -> tuple[list[dict], Lesson]:
    """The code cells of a notebook, without magics, and its lesson."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells = [
            {
                "source": plain(c["source"]),
                "exercise": c.get("metadata", {}).get("minigen", {}).get("exercise"),
                "check": c.get("metadata", {}).get("minigen", {}).get("check"),
            }
            for c in content["cells"]
            if c["cell_type"] == "code"
        ]
        named = content.get("metadata", {}).get("minigen", {}).get("lesson")
    except FileNotFoundError:
        raise Unreadable(f"there is no notebook {path}") from None
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable(f"{path} is not a notebook: no list of cells was found in it") from None
    return cells, _lesson(path, named)


def _lesson(path: Path, named: Any) -> Lesson:
    """The lesson that the metadata names, else the one that the file name begins with."""
    scripts = {p.stem: p for p in lessons(LESSONS)}
    for stem, script in scripts.items():
        if named == stem or (named is None and path.stem.startswith(stem)):
            return read(script)
    said = f"it says {named!r}" if named is not None else "neither its metadata nor its file name says which"
    raise Unreadable(f"{path} belongs to no lesson of this course: {said}; there are {', '.join(scripts)}")
