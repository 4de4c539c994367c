"""What is known of a submission when it is graded, and which of several counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

Record = dict[str, Any]  # as `batch.record` makes it


@dataclass
class Counts:
    """What counts of all that a student handed in for one lesson: the submission with the highest score.

    open: one of them needs a person, so the score may still rise.  said: the outcomes, in our words alone, as
    HTML.
    """

    id: str
    score: float
    most: float
    said: str
    open: bool = False
    times: int = 1


Best = dict[str, dict[str, Counts]]  # {lesson: {student: what counts}}


def needs_person(record: Record) -> bool:
    """Whether something of it failed on our side, so that its score is not final."""
    return "infrastructure" in (record["outcome"], *(e["outcome"] for e in record["exercises"]))


def counted(records: Iterable[Record]) -> Best:
    """What counts of each student, by lesson: the highest score, and of equal ones the first.

    Names and times of files are the learner's own, so neither says which was meant to count.
    """
    best: Best = {}
    for r in records:
        if r["lesson"] is None:
            continue
        new = Counts(r["id"], r["score"], r["max_score"], _said(r), needs_person(r))
        mine = best.setdefault(r["lesson"], {})
        if old := mine.get(r["student"]):
            new, other = (new, old) if new.score > old.score else (old, new)
            new.times, new.open = old.times + 1, new.open or other.open
        mine[r["student"]] = new
    return dict(sorted(best.items()))


def _said(record: Record) -> str:
    each = (f"{e['title']}: {e['outcome']}, {e['points']:g} of {e['of']:g}" for e in record["exercises"])
    return escape("; ".join(each), quote=False)
