"""Grades for Moodle: its own grading worksheet with the grades filled in, or what is known without it."""

import re
from collections.abc import Iterator

from minigen.grade.record import Best, Counts
from minigen.grade.roster import Asked, Finder, Table, alterations, compared, placed
from minigen.grade.text import quoted

COLUMNS = [
    "Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade", "Grade can be changed",
    "Last modified (submission)", "Last modified (grade)", "Feedback comments",
]  # fmt: skip
WANTED = ["Identifier", "Grade", "Last modified (grade)"]  # those that Moodle itself looks for
FOLDER = re.compile(r"(.*)_(\d+)_assignsubmission_", re.DOTALL)  # of a download: full name, participant


def bare(students: dict[str, Counts]) -> Iterator[list]:
    """What is known of a lesson without a worksheet of Moodle."""
    yield COLUMNS
    for student, c in sorted(students.items()):
        match = FOLDER.match(student)
        identifier, name = (f"Participant {match[2]}", match[1]) if match else ("", student)
        grade, said = ("", "") if c.open else (c.score, c.said)
        yield [identifier, name, "", "", grade, c.most, "", "", "", said]


def filled(table: Table, best: Best, said: list[str]) -> list[list[str]]:
    """The worksheet with its grades, and the outcomes under Feedback comments where nothing stands yet."""
    ((lesson, students),) = one_lesson(best).items()
    people = {i: _names(table, row) for i, row in enumerate(table.rows) if i}
    shown = {i: table.at(table.rows[i], "Full name") or table.at(table.rows[i], "Identifier") for i in people}
    for maximum in sorted({table.at(table.rows[i], "Maximum Grade") for i in people}):
        said += compared(quoted(table.name), maximum, next(iter(students.values())).most)
    rows = [table.safe(row) for row in table.rows]
    comments = table.place("Feedback comments")
    for i, c in placed(table, shown, Finder(people), _asked, lesson, students, said).items():
        rows[i][table.place("Grade")] = f"{c.score:g}"
        if comments is not None:
            rows[i][comments] = rows[i][comments] or c.said
    said += alterations(table)
    return rows


def one_lesson(best: Best) -> Best:
    """The same, if it is of one lesson: a worksheet is of one assignment."""
    if len(best) != 1:
        raise ValueError(
            f"a grading worksheet of Moodle is for one lesson; these are {', '.join(best) or 'of none'}: "
            "grade them one by one"
        )
    return best


def _names(table: Table, row: list[str]) -> dict[str, list[str]]:
    kinds = ("Username", "ID number", "Email address", "Full name")
    numbers = re.findall(r"\d+$", table.at(row, "Identifier"))
    return {"Identifier": [*numbers, table.at(row, "Identifier")]} | {k: [table.at(row, k)] for k in kinds}


def _asked(student: str) -> Asked:
    if match := FOLDER.match(student):
        return [("Identifier", match[2]), ("Full name", match[1])]
    return [(None, student)]
