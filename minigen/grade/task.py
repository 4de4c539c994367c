"""One exercise as the sandbox gets it: a probe, the library without the answer, and nothing to copy from."""

import ast
import inspect
import textwrap
from functools import cache
from typing import Any

from minigen.course.catalogue import Exercise
from minigen.course.runs import reference
from minigen.course.script import LESSONS, Lesson, read
from minigen.grade.strip import without
from minigen.probing.cells import binds, names_used
from minigen.probing.kinds import kinds

OURS = ("minigen.course", "minigen.exercises")  # what lessons import from there is not for a sandbox


@cache
def task(exercise: Exercise, seeds: tuple[int, ...]) -> dict[str, Any]:
    """What a sandbox needs to run answers to an exercise on the inputs of these seeds: JSON values."""
    target = exercise.target
    runs = [reference(exercise, seed) for seed in seeds]
    library, imports = without(target.__module__, target.__name__), setup(exercise)
    return {
        "id": exercise.id,
        "module": target.__module__,
        "kind": "class" if isinstance(target, type) else "function",
        "sources": library,
        "foreign": foreign([*library.values(), *imports]),
        "setup": imports,
        "probe": probe_source(exercise),
        "probe_name": exercise.probe.__name__,
        "signature": signature(exercise),
        "names": names(exercise, seeds),
        "modified": [sorted(run.modified) for run in runs],
        "kinds": kinds(runs[0]),
    }


def names(exercise: Exercise, seeds: tuple[int, ...]) -> list[str]:
    """The names of all that the probe gives, in the order of a frame's indices."""
    return sorted({name for seed in seeds for name in reference(exercise, seed).values})


def setup(exercise: Exercise) -> list[str]:
    """The import statements of our lesson that stand before the exercise."""
    found = []
    for cell in _lesson(exercise.lesson).cells:
        if cell.exercise is exercise:
            break
        for statement in [] if cell.kind in ("markdown", "check") else ast.parse(cell.source).body:
            from_ours = isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith(OURS)
            if isinstance(statement, (ast.Import, ast.ImportFrom)) and not from_ours:
                found += [ast.unparse(one) for one in _one_by_one(statement)]
    return found


@cache
def _lesson(name: str) -> Lesson:
    return read(LESSONS / f"{name}.py")


def foreign(sources: list[str]) -> list[str]:
    """The modules of other packages that sources import, which take long and hold no answer."""
    found = set().union(*map(_imported, sources))
    return sorted(name for name in found if name.split(".")[0] not in ("minigen", "__future__"))


@cache
def _imported(source: str) -> frozenset[str]:
    found = set()
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Import):
            found |= {name.name for name in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            found.add(statement.module)
    return frozenset(found)


def _one_by_one(statement: ast.Import | ast.ImportFrom) -> list[ast.stmt]:
    """An import of several names as several imports, so that one that fails does not take others along."""
    if isinstance(statement, ast.Import):
        return [ast.Import([name]) for name in statement.names]
    return [ast.ImportFrom(statement.module, [name], statement.level) for name in statement.names]


def probe_source(exercise: Exercise) -> str:
    """The probe, and whatever of its module it reaches: imports, helpers and constants, and nothing else."""
    module = inspect.getmodule(exercise.probe)
    statements = ast.parse(inspect.getsource(module)).body
    wanted, chosen = {exercise.probe.__name__}, set()
    while more := {i for i, s in enumerate(statements) if i not in chosen and binds(s) & wanted}:
        chosen |= more
        for i in more:
            wanted |= names_used(ast.unparse(statements[i]))
    kept = [part for i in sorted(chosen) for part in _needed(statements[i], wanted)]
    return "\n".join(["from __future__ import annotations", *map(ast.unparse, kept)])


def _needed(statement: ast.stmt, wanted: set[str]) -> list[ast.stmt]:
    """A statement without the imports that nobody wants."""
    if not isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [statement]
    return [one for one in _one_by_one(statement) if binds(one) & wanted]


def signature(exercise: Exercise) -> str:
    """A function without a body that has the target's parameters, by which arguments are named."""
    kinds = inspect.Parameter
    parameters = [
        p.replace(annotation=kinds.empty, default=kinds.empty if p.default is kinds.empty else None)
        for p in exercise.signature.parameters.values()
    ]
    return textwrap.dedent(f"def signature{inspect.Signature(parameters)}: pass")
