"""Explains a wrong result: a known mistake, else the library's code with one edit, else plain facts."""

import contextlib
import functools
from typing import Any

import torch

from minigen.course import relations
from minigen.course.agree import Result, agree, close
from minigen.course.catalogue import Exercise
from minigen.course.edits import mutants
from minigen.course.observe import Observation
from minigen.course.runs import DRAWS, gives, reference, result, run
from minigen.course.source import compiled


def diagnosis(exercise: Exercise, answer: Any, seen: list[Observation]) -> tuple[str, str | None]:
    """(what to say, the known mistake's name or None) about runs that gave a wrong result on some draw."""
    mine = [result(exercise, s) for s in seen]
    for mistake in exercise.mistakes:
        if gives(exercise, mistake.answer, mine):
            return mistake.why, mistake.name
    if edit := _edit(exercise, mine):
        return f"Your result is what a right answer would give if {edit}.", None
    wanted = [reference(exercise, draw) for draw in DRAWS]
    said, explained = relations.facts(seen, mine, wanted, [result(exercise, w) for w in wanted])
    if not explained:
        judged = functools.partial(result, exercise)
        said += relations.ignored(judged, functools.partial(run, exercise), answer, exercise.target)
    return said, None


def _edit(exercise: Exercise, mine: list[Result]) -> str | None:
    """The one-edit mutant that gives these results, in words."""
    if not all(m.finite for m in mine):
        return None
    for mutant in mutants(exercise.target, exercise.blank):
        with contextlib.suppress(Exception):  # an edit that leaves nothing to run explains nothing
            if gives(exercise, compiled(mutant.source, exercise.target), mine):
                return mutant.edit
    return None


def example(exercise: Exercise, seen: list[Observation]) -> list[tuple[str, str]]:
    """One small example as rows (label, text): what went in, what came out, what was wanted."""
    wanted = [reference(exercise, draw) for draw in DRAWS]
    mine, theirs = ([result(exercise, s) for s in many] for many in (seen, wanted))
    differ = [i for i in range(len(seen)) if not agree(mine[i], theirs[i], exercise.tolerance)]
    i = min(differ, key=lambda i: sum(v.numel() for v in wanted[i].values.values()))
    rows = []
    if wanted[i].calls and not isinstance(exercise.target, type):
        rows = [(name, show(value)) for name, value in wanted[i].calls[0].arguments.items()]
    for name, value in theirs[i].values.items():
        got = (mine[i].values or {}).get(name)
        if got is not None and not close(got, value, exercise.tolerance):
            label = relations.label(name, wanted[i])
            return [*rows, (f"yours: {label}", show(got)), (f"wanted: {label}", show(value))]
    return rows


def show(value: Any, most: int = 6) -> str:
    """A short text of a value: the shape of a tensor, then its first numbers."""
    if not isinstance(value, torch.Tensor):
        words = repr(value)
        return words if len(words) <= 60 else f"{words[:57]} …"
    numbers = value.detach().flatten()[:most].tolist()
    words = ", ".join(f"{n:.4g}" if isinstance(n, float) else str(n) for n in numbers)
    if value.ndim == 0:
        return words
    return f"{tuple(value.shape)}  [{words}{', …' if value.numel() > most else ''}]"
