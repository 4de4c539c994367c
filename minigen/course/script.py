"""Reads a lesson's script: its cells, which are exercises, and whether these can stand where they do."""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigen.course.catalogue import Exercise, find
from minigen.course.source import module_globals, text
from minigen.probing.cells import binds, names_used

ROOT = Path(__file__).resolve().parents[2]
LESSONS, SOLUTIONS = ROOT / "lessons", ROOT / "solutions"


class BuildError(ValueError):
    """A lesson that cannot be built, in one sentence for its author."""


@dataclass
class Cell:
    """One cell of a lesson.

    kind: markdown, code, picture (code whose picture stands for the lesson in the README), exercise or check.
    """

    kind: str
    source: str
    exercise: Exercise | None = None


@dataclass
class Lesson:
    """A lesson as its script says it."""

    name: str
    cells: list[Cell]

    @property
    def exercises(self) -> list[Exercise]:
        """Its exercises, in order."""
        return [c.exercise for c in self.cells if c.kind == "exercise"]

    def setup(self, exercise: Exercise) -> dict[str, Any]:
        """The names that the lesson's imports and earlier exercises bind, in the library's version."""
        return {name: value for name, value in _bound_before(self, exercise).items() if value is not REBOUND}


def read(path: Path) -> Lesson:
    """The lesson that a percent script describes."""
    import jupytext  # here, because only a build needs it, and a learner's session should not wait for it

    cells: list[Cell] = []
    for raw in jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells:
        before = cells[-1] if cells else None
        if raw.cell_type == "code" and raw.metadata.get("title") == "exercise":
            cells.append(Cell("exercise", raw.source, _declared(path.stem, raw.source)))
        elif before and before.kind == "exercise":
            _expect_check(path.stem, before.exercise, raw.source)
            cells.append(Cell("check", raw.source, before.exercise))
        else:
            picture = raw.metadata.get("title") == "picture"
            cells.append(Cell("picture" if picture else raw.cell_type, raw.source))
    lesson = Lesson(path.stem, cells)
    for exercise in lesson.exercises:
        _expect_names(lesson, exercise)
    return lesson


def lessons(folder: Path = LESSONS) -> list[Path]:
    """The scripts of all lessons, in order."""
    return sorted(folder.glob("[0-9][0-9]_*.py"))


def chosen(lesson: str | None, folder: Path = LESSONS) -> list[Path]:
    """The scripts of all lessons, or of the one of this number or name; a ValueError if there is none."""
    found = [p for p in lessons(folder) if lesson is None or lesson in (p.stem, p.stem.split("_")[0])]
    if not found:
        names = ", ".join(p.stem for p in lessons(folder))
        raise ValueError(f"there is no lesson {lesson!r}; the lessons are {names}")
    return found


def _declared(lesson: str, source: str) -> Exercise:
    """The exercise of a cell that holds one import: `from minigen.vae import reparameterize`."""
    tree = ast.parse(source).body
    if len(tree) != 1 or not isinstance(tree[0], ast.ImportFrom) or len(tree[0].names) != 1:
        raise BuildError(f"{lesson}: an exercise cell holds one `from … import target`; got:\n{source}")
    exercise = find(tree[0].names[0].name)
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    if namespace[exercise.id] is not exercise.target:
        raise BuildError(f"{lesson}: `{source}` does not import the target of exercise {exercise.id}")
    if exercise.lesson != lesson:
        raise BuildError(f"{lesson}: exercise {exercise.id} is declared for lesson {exercise.lesson}")
    return exercise


def _expect_check(lesson: str, exercise: Exercise, source: str) -> None:
    wanted = f'{exercise.id} = check("{exercise.id}", {exercise.id})'
    if source.strip() != wanted:
        raise BuildError(
            f"{lesson}: the cell after exercise {exercise.id} should be `{wanted}`; got:\n{source}"
        )


def _expect_names(lesson: Lesson, exercise: Exercise) -> None:
    """Every global name that the target (or the stub of a repair) uses is bound before it, to the same."""
    bound = _bound_before(lesson, exercise)
    for code in [exercise.target] + ([exercise.repair.answer] if exercise.repair else []):
        known = module_globals(code)
        for name in sorted(names_used(text(code)) - {exercise.id}):
            if name not in bound:
                raise BuildError(
                    f"{lesson.name}: exercise {exercise.id} uses `{name}`, which no cell before it binds"
                )
            if name in known and bound[name] is not known[name]:
                raise BuildError(
                    f"{lesson.name}: exercise {exercise.id} uses `{name}`, which a cell before it binds to "
                    "something other than in the library"
                )


def _bound_before(lesson: Lesson, exercise: Exercise) -> dict[str, Any]:
    bound: dict[str, Any] = {}
    for cell in lesson.cells:
        if cell.exercise is exercise:
            return bound
        if cell.kind == "exercise":
            bound[cell.exercise.id] = cell.exercise.target
        elif cell.kind in ("code", "picture"):
            for statement in ast.parse(cell.source).body:
                if isinstance(statement, (ast.Import, ast.ImportFrom)):
                    exec(compile(ast.Module([statement], []), f"<{lesson.name}>", "exec"), bound)
                else:
                    bound |= dict.fromkeys(binds(statement), REBOUND)
    raise BuildError(f"{lesson.name} has no exercise {exercise.id}")


REBOUND = object()  # what a lesson itself assigns is not the library's
