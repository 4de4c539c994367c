"""What there is to say about a class: counted in one pass over its results."""

import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from minigen.course.catalogue import exercises
from minigen.grade.record import Record, needs_person

FIRST = 10  # wrong ideas that are shown at once
EACH = 20  # names of one group


@dataclass
class Row:
    """A submission in a table."""

    id: str
    student: str
    score: float
    most: float
    state: str  # "", "refused" or "needs a person"


@dataclass
class Tally:
    """What is counted of one exercise."""

    title: str
    outcomes: Counter = field(default_factory=Counter)
    mistakes: Counter = field(default_factory=Counter)


@dataclass
class Lesson:
    """What is counted of one lesson; its name is empty for submissions that belong to none."""

    name: str
    rows: list[Row] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    same: dict[str, list[Row]] = field(default_factory=dict)

    @property
    def scores(self) -> list[float]:
        return [row.score for row in self.rows]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores)

    @property
    def median(self) -> float:
        return statistics.median(self.scores)

    @property
    def most(self) -> float:
        return max(row.most for row in self.rows)

    @property
    def distribution(self) -> list[tuple[float, int]]:
        """(points, how many have them), from the most; whole points that nobody has are there too."""
        whole = range(int(self.most) + 1) if self.most < 40 else []
        return sorted((dict.fromkeys(whole, 0) | Counter(self.scores)).items(), reverse=True)

    @property
    def mistakes(self) -> list[dict[str, Any]]:
        """The named wrong ideas, the most frequent first."""
        why = {(e.id, m.name): m.why for e in exercises(self.name) for m in e.mistakes}
        found = [
            {"count": n, "share": self.share(n), "id": id, "title": tally.title, "name": name,
             "why": why.get((id, name), "")}
            for id, tally in self.tallies.items() for name, n in tally.mistakes.items()
        ]  # fmt: skip
        return sorted(found, key=lambda m: -m["count"])

    @property
    def copies(self) -> list[list[Row]]:
        """Groups of different students whose answers are the same text; the largest first."""
        groups = [rows for rows in self.same.values() if len({row.student for row in rows}) > 1]
        return sorted(groups, key=len, reverse=True)

    def share(self, count: int) -> int:
        """In whole per cent of the lesson's submissions."""
        return round(100 * count / len(self.rows))

    def add(self, record: Record) -> Row:
        state = "needs a person" if needs_person(record) else "refused" if record["refused"] else ""
        row = Row(record["id"], record["student"], record["score"], record["max_score"], state)
        self.rows.append(row)
        for e in record["exercises"]:
            tally = self.tallies.setdefault(e["id"], Tally(e["title"]))
            tally.outcomes[e["outcome"]] += 1
            if e["mistake"]:
                tally.mistakes[e["mistake"]] += 1
        attempted = any(e["outcome"] not in ("not attempted", "refused") for e in record["exercises"])
        if attempted and (text := record.get("same")):
            self.same.setdefault(text, []).append(row)
        return row


def overview(records: Iterable[Record]) -> dict[str, Any]:
    """Everything that the class page shows."""
    lessons: dict[str, Lesson] = {}
    refused: dict[str, list[Row]] = {}
    person: list[Row] = []
    for record in records:
        name = record["lesson"] or ""
        row = lessons.setdefault(name, Lesson(name)).add(record)
        if row.state == "needs a person":
            person.append(row)
        elif record["refused"]:
            refused.setdefault(record["refused"], []).append(row)
    for lesson in lessons.values():
        lesson.rows.sort(key=lambda row: (-row.score, row.student.casefold()))
    return {
        "total": sum(len(lesson.rows) for lesson in lessons.values()),
        "lessons": [lesson for name, lesson in sorted(lessons.items()) if name],
        "none": [lesson for name, lesson in lessons.items() if not name],
        "person": person,
        "refused": sorted(refused.items(), key=lambda item: -len(item[1])),
        "first": FIRST,
        "each": EACH,
    }
