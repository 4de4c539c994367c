"""Judges a predict exercise: a number or a choice, each wrong choice answered by its own explanation."""

import contextlib
import math
from typing import Any

from minigen.course.catalogue import Exercise
from minigen.course.verdict import Outcome, Verdict

PRECISION = 1e-3  # relative: a prediction is not asked for more digits than a person would write


def predicted(exercise: Exercise, answer: Any) -> Verdict:
    """The verdict on a predicted value."""
    if not exercise.attempted(answer):
        return Verdict(Outcome.NOT_ATTEMPTED)
    if _equal(answer, exercise.expected):
        return Verdict(Outcome.RIGHT, fits=True)
    for mistake in exercise.mistakes:
        if _equal(answer, mistake.answer):
            return Verdict(Outcome.WRONG, mistake.why, mistake.name)
    return Verdict(Outcome.WRONG, _plainly(exercise, answer))


def _plainly(exercise: Exercise, answer: Any) -> str:
    if isinstance(exercise.expected, str):
        choices = sorted({str(m.answer) for m in exercise.mistakes} | {exercise.expected})
        return f"Choose one of {', '.join(map(repr, choices))}; got {shown(answer)}."
    number = _number(answer)
    if number is None or math.isnan(number):
        return f"A number is wanted; got {shown(answer)}."
    return f"Not {number:g}: it is {'smaller' if number > exercise.expected else 'larger'}."


def shown(answer: Any) -> str:
    """What came, in a few characters."""
    try:
        said = repr(answer)
    except Exception:
        return f"a {type(answer).__name__}"
    return said if len(said) <= 60 else f"{said[:60]} …"


def _equal(answer: Any, expected: Any) -> bool:
    if isinstance(expected, str):
        return isinstance(answer, str) and answer.strip().lower() == expected.strip().lower()
    number = _number(answer)
    if number is None or isinstance(expected, int):
        return number == expected
    return abs(number - expected) <= PRECISION * abs(expected)


def _number(answer: Any) -> float | None:
    with contextlib.suppress(Exception):  # anything can be written there
        return float(answer)
    return None
