"""The table of a class that a platform exported: who is in it, and which student's folder means whom."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from minigen.grade.record import Counts
from minigen.grade.text import cell, listed, quoted

LARGEST = 20_000_000  # bytes of a table
Asked = list[tuple[str | None, str]]  # (kind of key, or None for any; what it should be)


@dataclass
class Table:
    """A table as a platform exported it. altered: how many of its texts would have started a formula."""

    name: str
    rows: list[list[str]]
    delimiter: str
    altered: int = 0

    def place(self, column: str) -> int | None:
        """Where a column stands."""
        return self.rows[0].index(column) if column in self.rows[0] else None

    def at(self, row: list[str], column: str) -> str:
        """What a row has under a column; nothing where there is no such column."""
        place = self.place(column)
        return "" if place is None else row[place]

    def safe(self, row: list[str]) -> list[str]:
        """A row without formulas. Numbers, and the dash that stands for none, are as they were."""
        kept = [t if t == "-" or re.fullmatch(r"[+-]?[\d.,]+", t) else cell(t) for t in row]
        self.altered += sum(k.startswith("'") > t.startswith("'") for k, t in zip(kept, row, strict=True))
        return kept


def read(path: Path, wanted: Iterable[str]) -> Table:
    """The table in a CSV file; a ValueError says what is wrong.  wanted: columns that it must have."""
    if path.stat().st_size > LARGEST:
        found = f"{path} has {path.stat().st_size:,} bytes"
        raise ValueError(f"{found}; the table of a class has at most {LARGEST:,}")
    try:
        text = path.read_text(encoding="utf-8-sig")
        delimiter = max(",;\t", key=text.partition("\n")[0].count)
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a CSV file in UTF-8: {error}") from None
    missing = [name for name in wanted if not rows or name not in rows[0]]
    if missing:
        said = f"{path} has no column {' and no '.join(map(repr, missing))}"
        raise ValueError(f"{said}; export it again, in English, and give it as it came")
    wide = len(rows[0])
    return Table(path.name, [(row + [""] * wide)[:wide] for row in rows], delimiter)


class Finder:
    """Finds the one row that is meant."""

    def __init__(self, names: dict[int, dict[str, list[str]]]):
        """names: of each row {kind: what it is called}; kinds stand in the order in which they count."""
        self._kinds: dict[str, dict[str, set[int]]] = {}
        for row, kinds in names.items():
            for kind, texts in kinds.items():
                known = self._kinds.setdefault(kind, {})
                for text in filter(None, map(_normal, texts)):
                    known.setdefault(text, set()).add(row)

    def find(self, asked: Asked) -> int | None:
        """The row of the first name that is known; None when no row has it, or more than one."""
        for wanted, name in asked:
            for kind, known in self._kinds.items():
                if wanted in (None, kind) and _normal(name) in known:
                    rows = known[_normal(name)]
                    return next(iter(rows)) if len(rows) == 1 else None
        return None


def _normal(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def placed(
    table: Table, shown: dict[int, str], finder: Finder, asked: Callable[[str], Asked],
    lesson: str, students: dict[str, Counts], said: list[str],
) -> dict[int, Counts]:  # fmt: skip
    """{row: what counts} of the rows whose grade is known; the rest is said.

    shown: the name of each student's row. Where two folders are one student's, the higher score counts.
    """
    rows = {student: finder.find(asked(student)) for student in students}
    found: dict[int, Counts] = {}
    for student, row in rows.items():
        if row is not None and (row not in found or students[student].score > found[row].score):
            found[row] = students[student]
    missing = [name for row, name in shown.items() if row not in found]
    where = f"{quoted(table.name)}, lesson {lesson}: {len(found):,} of {len(shown):,} have a submission"
    said.append(f"{where}; without: {listed(missing)}" if missing else where)
    if waiting := [shown[row] for row, c in found.items() if c.open]:
        said.append(f"these need a person, and their grades are left as they were: {listed(waiting)}")
    if unknown := [student for student, row in rows.items() if row is None]:
        said.append(f"in no row of {quoted(table.name)}, or in more than one: {listed(unknown)}")
    return {row: c for row, c in found.items() if not c.open}


def compared(where: str, theirs: str, ours: float) -> list[str]:
    """A sentence when the platform counts another number of points than the lesson."""
    number = theirs.replace(",", ".")
    if re.fullmatch(r"\d+(\.\d+)?", number) and float(number) != ours:
        return [f"{where} counts {float(number):g} points, the lesson {ours:g}: change that there first"]
    return []


def alterations(table: Table) -> list[str]:
    """A sentence when texts of the table would have been formulas."""
    if not table.altered:
        return []
    return [
        f"{table.altered:,} texts of {quoted(table.name)} would be formulas; a quote stands before them now"
    ]
