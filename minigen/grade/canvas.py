"""Grades for Canvas: its own gradebook with the lessons' columns filled in, or what is known without it."""

import re
from collections.abc import Iterator

from minigen.grade.record import Best
from minigen.grade.roster import Asked, Finder, Table, alterations, compared, placed
from minigen.grade.text import quoted

COLUMNS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
WANTED = ["ID", "Section"]  # of an exported gradebook: the others may be missing there, or be split
FILE = re.compile(r"[^_]*_(?:late_)?(\d+)_\d+_", re.IGNORECASE)  # of a download: name, ID, number of the file
EXCUSED = "EX"


def bare(best: Best) -> Iterator[list]:
    """What is known without a gradebook of Canvas: a student's folder is taken for the name and the login."""
    yield [*COLUMNS, *best]
    yield ["    Points Possible", "", "", "", "", *(next(iter(s.values())).most for s in best.values())]
    for student in sorted({name for students in best.values() for name in students}):
        mine = [students.get(student) for students in best.values()]
        yield [student, "", "", student, "", *("" if c is None or c.open else c.score for c in mine)]


def filled(table: Table, best: Best, said: list[str]) -> list[list[str]]:
    """The columns that say who a student is, as they came, and a column for each lesson.

    Other assignments are left out: what is not in the file cannot be changed by it. Who has no grade of ours,
    and who is excused, keeps what stood there.
    """
    fixed = table.place("Section") + 1
    rows = [table.safe(row[:fixed]) for row in table.rows]
    people = {i: _names(table, row) for i, row in enumerate(table.rows) if i and _is_student(row)}
    finder = Finder(people)
    shown = {i: names["name"][0] for i, names in people.items()}
    for lesson, students in best.items():
        column, points = _column(table, lesson), next(iter(students.values())).most
        for row, full in zip(rows, table.rows, strict=True):
            row += [""] if column is None else table.safe([full[column]])
        rows[0][-1] = rows[0][-1] or lesson
        for row in rows:
            if "Points Possible" in row[0]:
                said += compared(f"the column {quoted(rows[0][-1])} of Canvas", row[-1], points)
                row[-1] = row[-1] or f"{points:g}"
        for i, c in placed(table, shown, finder, _asked, lesson, students, said).items():
            if rows[i][-1] != EXCUSED:
                rows[i][-1] = f"{c.score:g}"
    said += alterations(table)
    return rows


def _is_student(row: list[str]) -> bool:
    return bool(row[0].strip()) and "Points Possible" not in row[0]


def _names(table: Table, row: list[str]) -> dict[str, list[str]]:
    """What a student is called: login, numbers, and the name both ways round."""
    last, comma, first = table.at(row, "Student").partition(", ")
    if table.place("Student") is None:
        last, comma, first = table.at(row, "LastName"), ", ", table.at(row, "FirstName")
    names = [f"{first} {last}", f"{last}, {first}"] if comma else [last]
    known = {kind: [table.at(row, kind)] for kind in ("SIS Login ID", "SIS User ID", "ID")}
    return known | {"name": names}


def _asked(student: str) -> Asked:
    return [(None, student), *(("ID", number) for number in FILE.findall(student)[:1])]


def _column(table: Table, lesson: str) -> int | None:
    """Where the lesson's grades stand: under its name, or under a title with `lesson 13` in it."""
    number = re.escape(lesson.partition("_")[0])
    form = re.compile(rf"\b{re.escape(lesson)}\b|\blesson {number}\b", re.IGNORECASE)
    found = [i for i, title in enumerate(table.rows[0]) if i > table.place("Section") and form.search(title)]
    if len(found) > 1:
        titles = " and ".join(quoted(table.rows[0][i]) for i in found)
        raise ValueError(f"{table.name}: {titles} may both be lesson {lesson}; leave one of them in the file")
    return found[0] if found else None
