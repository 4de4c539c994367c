"""Results as pages for people: a feedback page for each submission, and one page about the class."""

import base64
import contextlib
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from minigen.course.script import LESSONS
from minigen.grade.overview import overview
from minigen.grade.record import Counts, Record, needs_person
from minigen.grade.text import MEANING, visible

TEMPLATES = Path(__file__).parent / "templates"
SIGNS = {"right": "✓", "not attempted": "–", "infrastructure": "…"}  # ✗ for every other outcome


def feedback(record: Record, counts: Counts | None = None) -> str:
    """The page of one submission. What the learner's code said is shown as text, and as nothing else.

    counts: what counts of all that this student handed in for the lesson.
    """
    right = [e for e in record["exercises"] if e["outcome"] == "right"]
    still = [e for e in record["exercises"] if e["outcome"] != "right"]
    return _page(
        "feedback.html", record=record, counts=counts, right=right, still=still, person=needs_person(record)
    )


def class_page(records: Iterable[Record]) -> str:
    """The page about the class, the wrong ideas first. records: can be iterated several times."""
    return _page("class.html", view=overview(records))


def _page(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8").replace("<", "")
    made.filters |= {"visible": visible, "number": lambda value: f"{value:g}", "many": lambda n: f"{n:,}"}
    made.filters |= {"lesson": title, "sign": lambda outcome: SIGNS.get(outcome, "✗")}
    made.globals["style"], made.globals["meaning"] = _Style(style), MEANING
    made.globals["style_hash"] = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return made


@cache
def title(lesson: str) -> str:
    """What a lesson calls itself in its first heading: 13 · Variational autoencoders."""
    with contextlib.suppress(OSError, StopIteration):
        lines = (LESSONS / f"{lesson}.py").read_text(encoding="utf-8").splitlines()
        return next(line[4:] for line in lines if line.startswith("# # "))
    return lesson


class _Style(str):
    """Our own style sheet, which goes into the page as it is."""

    def __html__(self) -> str:
        return self
