"""Explains a wrong result: a known mistake, else the library's code with one edit, else plain facts."""

import ast
import contextlib
import functools
import re
from collections.abc import Sequence
from typing import Any

import torch

from minigen.course import relations
from minigen.course.agree import Result, agree, close
from minigen.course.catalogue import Exercise, Mistake
from minigen.course.edits import mutants
from minigen.course.runs import DRAWS, gives, reference, result, run
from minigen.course.source import compiled, text
from minigen.probing.observe import Call, Observation


def diagnosis(exercise: Exercise, answer: Any, seen: list[Observation]) -> tuple[str, str | None]:
    """(what to say, the known mistake's name or None) about runs that gave a wrong result on some draw."""
    mine = [result(exercise, s) for s in seen]
    if explained := named(exercise, _code(answer), mine):
        return explained
    wanted = [reference(exercise, draw) for draw in DRAWS]
    theirs = [result(exercise, w) for w in wanted]
    said, explained = relations.facts(seen, mine, wanted, theirs, exercise.tolerance)
    if not explained:

        def results(tried: Any, draw: int) -> Result:
            return result(exercise, run(exercise, tried, draw))

        said += relations.ignored(results, answer, exercise.target, DRAWS)
    return said, None


def named(
    exercise: Exercise, code: str, mine: list[Result], draws: Sequence[int] = DRAWS
) -> tuple[str, str | None] | None:
    """(what to say, the known mistake's name or None) when a wrong answer of ours gives the same results.

    code: the answer's source, as text.
    """
    for mistake in _likeliest_first(exercise.mistakes, code):
        if gives(exercise, mistake.answer, mine, draws):
            return mistake.why, mistake.name
    if edit := _edit(exercise, _essence(code), mine, draws):
        return f"Your result is what a right answer would give if {edit}.", None
    return None


def _likeliest_first(mistakes: Sequence[Mistake], code: str) -> list[Mistake]:
    """The mistakes by how much of their code and of the answer's is the same (the Jaccard index)."""
    mine = _threes(code)

    def likeness(mistake: Mistake) -> float:
        theirs = _known_threes(mistake.answer)
        return len(mine & theirs) / max(1, len(mine | theirs))

    return sorted(mistakes, key=likeness, reverse=True)  # stable: where nothing is alike, as they are listed


@functools.cache
def _known_threes(answer: Any) -> set[tuple[str, str, str]]:
    with contextlib.suppress(OSError, TypeError):
        return _threes(text(answer))
    return set()


def _threes(code: str) -> set[tuple[str, str, str]]:
    """All three words or signs that follow each other in some code."""
    words = re.findall(r"\w+|[^\w\s]", code.replace("'", '"'))
    return set(zip(words, words[1:], words[2:], strict=False))


def _edit(exercise: Exercise, code: str, mine: list[Result], draws: Sequence[int]) -> str | None:
    """The one-edit mutant that gives these results, in words.

    Something missing can be named in any code; "`1` were `2`" only in code that has the rest of its line.
    """
    if not all(m.finite for m in mine):
        return None
    for mutant in mutants(exercise.target, exercise.blank):
        if mutant.where and _essence(mutant.line) not in code:
            continue
        with contextlib.suppress(Exception):  # an edit that leaves nothing to run explains nothing
            if gives(exercise, compiled(mutant.source, exercise.target), mine, draws):
                return mutant.edit
    return None


def _code(answer: Any) -> str:
    with contextlib.suppress(OSError, TypeError, SyntaxError):
        return ast.unparse(ast.parse(text(answer)))
    return ""


def _essence(code: str) -> str:
    return "".join(code.split())


def example(exercise: Exercise, seen: list[Observation]) -> list[tuple[str, str]]:
    """One example as rows (label, text): what went in, what came out, what was wanted."""
    for draw, mine_seen in zip(DRAWS, seen, strict=True):
        wanted = reference(exercise, draw)
        mine, theirs = result(exercise, mine_seen), result(exercise, wanted)
        if agree(mine, theirs, exercise.tolerance):
            continue
        for name, value in theirs.values.items():
            got = (mine.values or {}).get(name)
            if got is not None and not close(got, value, exercise.tolerance):
                called = relations.label(name, wanted)
                rows = [(f"yours: {called}", show(got, value)), (f"wanted: {called}", show(value, got))]
                return [*inputs(_call(name, wanted)), *rows]
        return inputs(wanted.calls[0] if len(wanted.calls) == 1 else None)
    return []


def inputs(call: Call | None) -> list[tuple[str, str]]:
    """The arguments of one call, as rows."""
    return [(name, show(value)) for name, value in call.arguments.items()] if call else []


def _call(name: str, wanted: Observation) -> Call | None:
    """The call that gave one value of a probe, when it is known."""
    value = wanted.values.get(name)
    for call in wanted.calls:
        parts = call.result if isinstance(call.result, (tuple, list)) else [call.result]
        if any(isinstance(p, torch.Tensor) and value is not None and equal(p, value) for p in parts):
            return call
    return wanted.calls[0] if len(wanted.calls) == 1 else None


def equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors are the same numbers."""
    return a.shape == b.shape and torch.equal(a.detach(), b.detach())


def show(value: Any, beside: torch.Tensor | None = None, most: int = 6) -> str:
    """A short text: of a tensor the shape and some numbers, from where it first differs from `beside`."""
    if not isinstance(value, torch.Tensor):
        words = repr(value)
        return words if len(words) <= 60 else f"{words[:57]} …"
    if value.is_meta:
        return f"{tuple(value.shape)} on the device meta, without values"
    flat, first = value.detach().flatten(), 0
    comparable = beside is not None and not (value.is_complex() or beside.is_complex())
    if comparable and (beside.shape, beside.device) == (value.shape, value.device) and value.numel():
        far = (flat.double() - beside.detach().flatten().double()).abs().nan_to_num(nan=torch.inf)
        first = int((far > 1e-4 * flat.double().abs().max()).int().argmax())
    numbers = flat[first : first + most].tolist()
    words = ", ".join(f"{n:.4g}" if isinstance(n, float) else str(n) for n in numbers)
    if beside is not None and beside.dtype != value.dtype:
        words += f"  {value.dtype}".replace("torch.", "")
    if value.ndim == 0:
        return words
    start = "…, " if first else ""
    return f"{tuple(value.shape)}  [{start}{words}{', …' if first + most < value.numel() else ''}]"
