"""Results as files for people and programs: CSV, and JSON."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from minigen.core import replacing

Record = dict[str, Any]  # as `batch.record` makes it


def write_text(path: Path, text: str) -> None:
    """Writes a file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def plain(text: str) -> str:
    """A stranger's text without what a terminal, a spreadsheet or a reader's eye would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def cell(value: Any) -> Any:
    """A value for a spreadsheet: text that it would take for a formula gets a quote before it."""
    if not isinstance(value, str):
        return value
    formula = value.lstrip().startswith(("=", "+", "-", "@")) or value.startswith(("\t", "\r", "\n"))
    return f"'{plain(value)}" if formula else plain(value)


def grades_csv(records: list[Record]) -> str:
    """One row a submission: student, lesson, score, max_score, and the outcome of each exercise."""
    names = list(dict.fromkeys(e["id"] for r in records for e in r["exercises"]))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["student", "submission", "lesson", "outcome", "score", "max_score", *names])
    for r in records:
        outcomes = {e["id"]: e["outcome"] for e in r["exercises"]}
        row = [r["student"], r["id"], r["lesson"] or "", r["outcome"], r["score"], r["max_score"]]
        writer.writerow([cell(value) for value in [*row, *(outcomes.get(name, "") for name in names)]])
    return out.getvalue()


def results_json(records: Iterable[Record]) -> str:
    """Everything that is known of each submission."""
    return json.dumps(list(records), indent=1, ensure_ascii=False) + "\n"


def summary(records: list[Record]) -> str:
    """A few lines for the terminal: how many, and of each lesson the outcomes."""
    lines = [f"{len(records):,} submissions"]
    for lesson in sorted({r["lesson"] or "no lesson" for r in records}):
        mine = [r for r in records if (r["lesson"] or "no lesson") == lesson]
        mean = sum(r["score"] for r in mine) / len(mine)
        outcomes = Counter(e["outcome"] for r in mine for e in r["exercises"])
        said = ", ".join(f"{count:,} {name}" for name, count in outcomes.most_common())
        refused = sum(1 for r in mine if r["refused"])
        lines.append(f"{lesson}: {len(mine):,}, {mean:.2f} points on average; {said}; {refused:,} refused")
    return "\n".join(lines)
