"""Results as pages for people: a feedback page for each submission, and one page about the class."""

import base64
import hashlib
import statistics
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from minigen.course.catalogue import exercises
from minigen.grade.exports import Record, plain
from minigen.grade.mark import Outcome

TEMPLATES = Path(__file__).parent / "templates"


def feedback(record: Record) -> str:
    """The page of one submission. What the learner's code said is shown as text, and as nothing else."""
    title = f"Lesson {record['lesson'].replace('_', ' ')}" if record["lesson"] else ""
    return _page("feedback.html", record=record, title=title)


def class_page(records: list[Record]) -> str:
    """The page about the class: points, the share right of each exercise, and the mistakes by their share."""
    names = sorted({r["lesson"] for r in records if r["lesson"]})
    lessons = [_lesson(name, [r for r in records if r["lesson"] == name]) for name in names]
    return _page("class.html", total=len(records), lessons=lessons, records=records)


def _lesson(name: str, records: list[Record]) -> dict[str, Any]:
    """What the page says of one lesson. Shares are of all its submissions, in whole per cent."""
    scores = [r["score"] for r in records]
    marks = {e: [m for r in records for m in r["exercises"] if m["id"] == e.id] for e in exercises(name)}

    def share(count: int) -> int:
        return round(100 * count / len(records))

    outcomes = {e: Counter(m["outcome"] for m in found).most_common() for e, found in marks.items() if found}
    mistakes = Counter((e, m["mistake"]) for e, found in marks.items() for m in found if m["mistake"])
    return {
        "name": name,
        "total": len(records),
        "mean": statistics.fmean(scores),
        "median": statistics.median(scores),
        "most": max(r["max_score"] for r in records),
        "refused": sum(1 for r in records if r["refused"]),
        "person": sum(1 for r in records if r["outcome"] == Outcome.INFRASTRUCTURE),
        "distribution": sorted(Counter(scores).items(), reverse=True),
        "exercises": [
            (e.title, e.id, share(dict(counts).get(Outcome.RIGHT, 0)),
             [(share(n), outcome) for outcome, n in counts if outcome != Outcome.RIGHT])
            for e, counts in outcomes.items()
        ],
        "mistakes": [
            (share(n), e.id, mistake, {m.name: m.why for m in e.mistakes}.get(mistake, ""))
            for (e, mistake), n in mistakes.most_common()
        ],
    }  # fmt: skip


def _page(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8").replace("<", "")
    made.filters |= {"visible": _visible, "number": lambda value: f"{value:g}"}
    made.globals["style"] = _Style(style)
    made.globals["style_hash"] = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return made


class _Style(str):
    """Our own style sheet, which goes into the page as it is."""

    def __html__(self) -> str:
        return self


def _visible(text: str) -> str:
    """A stranger's text line by line, without characters that steer what shows it."""
    return "\n".join(plain(line) for line in text.expandtabs(4).split("\n"))
