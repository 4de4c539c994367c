"""Runs of an exercise's probe: on an answer, on the library's own, on a wrong one that may explain it."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from minigen.course.agree import Result, agree, judged
from minigen.course.catalogue import Exercise
from minigen.probing.observe import Observation, observe

LIMIT = 10.0  # seconds that one run may take
DRAWS = (0, 1, 2)  # a fact about a wrong answer must hold on three inputs of different sizes


def run(
    exercise: Exercise,
    answer: Any,
    draw: int,
    stuck: Callable[[], None] = lambda: None,
    device: str = "cpu",
    limited: bool = True,
) -> Observation:
    """One observation of an answer."""
    seconds = LIMIT if limited else None
    return observe(
        exercise.probe, answer, exercise.signature, draw, device=device, seconds=seconds, stuck=stuck
    )


@functools.lru_cache(maxsize=4096)
def reference(exercise: Exercise, draw: int) -> Observation:
    """The library's own run; an error here is the exercise's fault, never the learner's.

    It has no time limit: the first run of a session may import a large part of torch, which must not be cut.
    """
    seen = run(exercise, exercise.target, draw, limited=False)
    if isinstance(seen.error, KeyboardInterrupt):
        raise seen.error
    if seen.error is not None:
        raise RuntimeError(f"exercise {exercise.id!r} fails on the library's own answer") from seen.error
    return seen


def result(exercise: Exercise, seen: Observation) -> Result:
    """What of a run is compared."""
    return judged(seen, exercise.judge)


def agrees(exercise: Exercise, answer: Any, draw: int) -> bool:
    """Whether an answer gives the library's result on one draw."""
    mine, wanted = result(exercise, run(exercise, answer, draw)), result(exercise, reference(exercise, draw))
    return agree(mine, wanted, exercise.tolerance)


def gives(exercise: Exercise, wrong: Any, results: list[Result], draws: Sequence[int] = DRAWS) -> bool:
    """Whether a wrong answer gives these very results on every draw, in any dtype.

    On one draw at least they must be finite: nan everywhere may come from anything.
    """
    finite = False
    for draw, mine in zip(draws, results, strict=True):
        theirs = result(exercise, _known(exercise, wrong, draw))
        if theirs.values is None or not agree(_cast(mine, theirs), theirs, exercise.tolerance, alike=True):
            return False
        finite |= theirs.finite
    return finite


@functools.lru_cache(maxsize=512)
def _known(exercise: Exercise, wrong: Any, draw: int) -> Observation:
    """The run of a wrong answer that is ours, kept for the next attempt of the learner."""
    return run(exercise, wrong, draw)


def _cast(mine: Result, theirs: Result) -> Result:
    """My values in the dtypes of theirs: a mistake is the same mistake in float64."""
    if mine.values is None:
        return mine
    kinds = {name: v.dtype for name, v in theirs.values.items() if v.is_floating_point()}
    cast = {n: v.to(kinds[n]) if n in kinds and not v.is_complex() else v for n, v in mine.values.items()}
    return Result(cast, mine.modified)
