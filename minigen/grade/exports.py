"""Results as files: of our own, for Gradescope, nbgrader, Canvas and Moodle, and the pages."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from minigen.core import replacing
from minigen.grade import canvas as canvas_form
from minigen.grade import moodle as moodle_form
from minigen.grade import pages, roster
from minigen.grade.record import Best, Record, counted, needs_person
from minigen.grade.text import MEANING, cell, plain, visible

NBGRADER = [
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
]  # fmt: skip


def write_all(
    out: Path, records: Iterable[Record], canvas: Path | None = None, moodle: Path | None = None
) -> list[str]:
    """Writes every file of a batch; returns the sentences to print.

    records: can be iterated several times.  canvas, moodle: the gradebook or the grading worksheet that the
    platform exported; the grades are filled in. Without one, what is known stands under its usual columns.
    """
    best = counted(records)
    write_csv(out / "grades.csv", grades(records))
    write_csv(out / "nbgrader.csv", nbgrader(best))
    write_json(out / "results.json", records)
    for record in records:
        mine = best.get(record["lesson"], {}).get(record["student"])
        write_text(out / "feedback" / f"{record['id']}.html", pages.feedback(record, mine))
        write_text(out / "gradescope" / f"{record['id']}.json", json.dumps(gradescope(record), indent=1))
    write_text(out / "class.html", pages.class_page(records))
    said = [*summary(records), *_write_canvas(out, best, canvas), *_write_moodle(out, best, moodle)]
    return [
        *said,
        f"open {plain(str(out / 'class.html'))}; the tables lie beside it, feedback/ has the pages",
    ]


def check_rosters(canvas: Path | None, moodle: Path | None) -> None:
    """Reads both tables, so that a wrong one is told before a batch and not after it."""
    if canvas is not None:
        roster.read(canvas, canvas_form.WANTED)
    if moodle is not None:
        roster.read(moodle, moodle_form.WANTED)


def _write_canvas(out: Path, best: Best, path: Path | None) -> list[str]:
    said: list[str] = []
    if path is None:
        write_csv(out / "canvas.csv", canvas_form.bare(best))
    else:
        table = roster.read(path, canvas_form.WANTED)
        rows = canvas_form.filled(table, best, said)
        write_csv(out / "canvas.csv", rows, table.delimiter, str)
    return said


def _write_moodle(out: Path, best: Best, path: Path | None) -> list[str]:
    said: list[str] = []
    if path is None:
        for lesson, students in best.items():
            write_csv(out / f"moodle-{lesson}.csv", moodle_form.bare(students))
    else:
        table = roster.read(path, moodle_form.WANTED)
        rows = moodle_form.filled(table, best, said)
        write_csv(out / f"moodle-{next(iter(best))}.csv", rows, table.delimiter, str)
    return said


def grades(records: Iterable[Record]) -> Iterator[list]:
    """One row a submission: student, lesson, score, max_score, and the outcome of each exercise."""
    names = list(dict.fromkeys(e["id"] for r in records for e in r["exercises"]))
    yield ["student", "submission", "lesson", "outcome", "score", "max_score", *names]
    for r in records:
        outcomes = {e["id"]: e["outcome"] for e in r["exercises"]}
        row = [r["student"], r["id"], r["lesson"] or "", r["outcome"], r["score"], r["max_score"]]
        yield [*row, *(outcomes.get(name, "") for name in names)]


def nbgrader(best: Best) -> Iterator[list]:
    """A row for each lesson and student, as `nbgrader export` writes; times and names are not known."""
    yield NBGRADER
    for lesson, students in best.items():
        for student, c in students.items():
            yield [lesson, "", "", student, "", "", "", float(c.score), 0.0, float(c.score), float(c.most)]


def gradescope(record: Record) -> dict[str, Any]:
    """A submission as Gradescope's results.json. Every text is shown there as text, whoever wrote it."""
    output = [f"It was refused: {record['refused']}."] if record["refused"] else []
    return {
        "score": record["score"],
        "execution_time": round(sum(e["seconds"] for e in record["exercises"]), 3),
        "output": visible("\n".join([*output, *record["notes"]])),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [_gradescope_test(str(i), e) for i, e in enumerate(record["exercises"], 1)],
        "extra_data": {"lesson": record["lesson"], "submission": record["id"]},
    }


def _gradescope_test(number: str, exercise: Record) -> Record:
    meaning, advice = MEANING[exercise["outcome"]]
    printed = f"It printed:\n{exercise['printed']}" if exercise["printed"] else ""
    parts = [f"{exercise['outcome']}. {meaning}", exercise["message"], advice, printed]
    return {
        "number": number,
        "name": exercise["title"],
        "status": "passed" if exercise["outcome"] == "right" else "failed",
        "score": exercise["points"],
        "max_score": exercise["of"],
        "output": visible("\n\n".join(filter(None, parts))),
        "output_format": "text",
        "visibility": "visible",
    }


def summary(records: Iterable[Record]) -> list[str]:
    """Lines for the terminal, in our words alone: how many, and of each lesson the outcomes."""
    lessons: dict[str, Counter] = {}
    outcomes: dict[str, Counter] = {}
    for r in records:
        name = r["lesson"] or "no lesson"
        lessons.setdefault(name, Counter()).update(
            total=1, points=r["score"], refused=bool(r["refused"]), person=needs_person(r)
        )
        outcomes.setdefault(name, Counter()).update(e["outcome"] for e in r["exercises"])
    lines = [f"{sum(c['total'] for c in lessons.values()):,} submissions"]
    for name, c in sorted(lessons.items()):
        told = ", ".join(f"{n:,} {outcome}" for outcome, n in outcomes[name].most_common())
        line = f"{name}: {c['total']:,}, {c['points'] / c['total']:.2f} points on average"
        line += f"; {told}" * bool(told) + f"; {c['refused']:,} refused" * bool(c["refused"])
        lines.append(line)
    if person := sum(c["person"] for c in lessons.values()):
        lines.append(
            f"{person:,} need a person: something failed on our side. Grade again; class.html names them"
        )
    return lines


def write_text(path: Path, text: str) -> None:
    """Writes a file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_csv(
    path: Path, rows: Iterable[list], delimiter: str = ",", safe: Callable[[Any], Any] = cell
) -> None:
    """Writes a table row by row, whole or not at all.  safe: what is done to each cell."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(map(safe, row) for row in rows)


def write_json(path: Path, records: Iterable[Record]) -> None:
    """Writes a list one by one, in ASCII: a terminal that shows it obeys nothing."""
    with replacing(path) as temporary, open(temporary, "w", encoding="ascii") as file:
        before = "[\n"
        for record in records:
            file.write(before + json.dumps(record))
            before = ",\n"
        file.write("\n]\n" if before == ",\n" else "[]\n")
