"""The numbers that lessons measure and promise."""

import json
import os
from pathlib import Path

from minigen.course.script import SOLUTIONS

RESULTS = SOLUTIONS / "results.json"


def measured(name: str, value: float, *, at_most: float | None = None, at_least: float | None = None) -> None:
    """Prints a number that this lesson measured, with what the course promises of it.

    Nothing is asserted here, since a smoke run may miss it: `minigen build --execute` does that, and keeps
    the number in solutions/results.json for other lessons to compare with.
    """
    value = float(value)
    bounds = {"at most": at_most, "at least": at_least}
    promise = ", ".join(f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None)
    print(f"{name}: {value:.4g}" + (f"   (promised: {promise})" if promise else ""))
    if path := os.environ.get("MINIGEN_RESULTS"):
        line = {"name": name, "value": value, "at_most": at_most, "at_least": at_least}
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def results() -> dict[str, dict[str, float]]:
    """{lesson: {name: value}} of every lesson as it was last executed."""
    if not RESULTS.exists():
        return {}
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))
    return {lesson: {m["name"]: m["value"] for m in entry["measured"]} for lesson, entry in kept.items()}


def broken(line: dict) -> str | None:
    """The sentence to say when a measured number is not what was promised."""
    name, value = line["name"], line["value"]
    if line["at_most"] is not None and not value <= line["at_most"]:
        return f"{name} is {value:.4g}; at most {line['at_most']:g} is promised"
    if line["at_least"] is not None and not value >= line["at_least"]:
        return f"{name} is {value:.4g}; at least {line['at_least']:g} is promised"
    return None
