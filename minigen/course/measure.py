"""The numbers that lessons measure and promise, and the models of digits that they compare."""

import functools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from minigen.core import budget
from minigen.course.script import SOLUTIONS

RESULTS = SOLUTIONS / "results.json"
REFERENCES = SOLUTIONS / "references.json"
DRAWN = 1000  # digits of each model in the table of all models


def measured(name: str, value: float, *, at_most: float | None = None, at_least: float | None = None) -> None:
    """Prints a number that this lesson measured, with what the course promises of it.

    Nothing is asserted here, since a smoke run may miss it: `minigen build --execute` does that, and keeps
    the number in solutions/results.json for other lessons to compare with.
    """
    value = float(value)
    bounds = {"at most": at_most, "at least": at_least}
    promise = ", ".join(f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None)
    print(f"{name}: {value:.4g}" + (f"   (promised: {promise})" if promise else ""))
    _note({"name": name, "value": value, "at_most": at_most, "at_least": at_least})


def measured_model(name: str, sample: Callable[[int], Tensor]) -> dict[str, Any]:
    """Measures how good, how varied and how quick a model of digits is, and prints it.

    name: as in the table of all models, which lesson 21 shows; one of its own for each.  sample: n to n
    digits (n, 1, 8, 8) in [-1, 1].  It is called for 1,000 (at a smoke test 100), after a first call for one.
    Returns {"model": name, "fid", "precision", "recall": of the course's judge of digits, against the
    training digits; "seconds": of the call for 1,000}, and notes it as `measured` does.
    """
    from minigen.metrics import fid, precision_recall

    sample(1)
    start = time.perf_counter()
    images = sample(n := budget(100, DRAWN, DRAWN)).cpu()
    seconds = time.perf_counter() - start
    judge, real = _judge()
    fake = judge.features(images)
    precision, recall = precision_recall(real, fake)
    entry = {"model": name, "fid": fid(real, fake), "precision": precision, "recall": recall}
    entry["seconds"] = seconds
    print(
        f"{name}: FID {entry['fid']:.4g}, precision {precision:.3f}, recall {recall:.3f}; ",
        end="",
    )
    print(f"{n:,} digits in {seconds:.2g} s")
    _note(entry)
    return entry


@functools.cache
def _judge() -> tuple[Any, Tensor]:
    """The course's judge of digits, and the features of the training digits (1438, 64)."""
    from minigen.data import digits
    from minigen.features import DigitFeatures

    judge = DigitFeatures()
    return judge, judge.features(digits()[0])


def _note(line: dict) -> None:
    if path := os.environ.get("MINIGEN_RESULTS"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def results() -> dict[str, dict[str, float]]:
    """{lesson: {name: value}} of every lesson as it was last executed."""
    return {lesson: {m["name"]: m["value"] for m in entry["measured"]} for lesson, entry in _kept().items()}


def reference(name: str) -> dict[str, Any]:
    """What a benchmark measured because it takes too long for a lesson, by its name in REFERENCES."""
    return json.loads(REFERENCES.read_text(encoding="utf-8"))[name]


def measured_models(here: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The models of all lessons, by lesson: `here`, and what others measured when they were executed.

    here: what `measured_model` returned in this lesson, each with the "lesson" that the model comes from.  Of
    other lessons, models with a name that is not in here.
    """
    names = {row["model"] for row in here}
    others = [
        row | {"lesson": lesson.split("_")[0]}
        for lesson, entry in _kept().items()
        for row in entry.get("models", [])
        if row["model"] not in names
    ]
    return sorted([*here, *others], key=lambda row: row["lesson"])  # stable: within a lesson as they came


def _kept() -> dict:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def broken(line: dict) -> str | None:
    """The sentence to say when a measured number is not what was promised."""
    name, value = line["name"], line["value"]
    if line["at_most"] is not None and not value <= line["at_most"]:
        return f"{name} is {value:.4g}; at most {line['at_most']:g} is promised"
    if line["at_least"] is not None and not value >= line["at_least"]:
        return f"{name} is {value:.4g}; at least {line['at_least']:g} is promised"
    return None
