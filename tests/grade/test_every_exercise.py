"""Every exercise of the catalogue, in the sandbox: right answers earn all, anything else nothing."""

import ast
import json
import sys

import pytest

from minigen.course.catalogue import exercises
from minigen.course.source import text
from minigen.grade.mark import Outcome, seeds
from minigen.grade.strip import without
from minigen.grade.task import task
from minigen.probing.cells import names_used

RUN = [e for e in exercises() if e.kind != "predict"]
each = pytest.mark.parametrize("exercise", RUN, ids=lambda e: e.id)
CONSTANT = "import torch\ndef {0}(*a, **k): return torch.{1}(3, 4)\n"


def source(exercise, answer):
    """An answer of ours as a learner would have typed it."""
    typed = text(answer)
    name = ast.parse(typed).body[0].name
    return typed if name == exercise.id else f"{typed}\n{exercise.id} = {name}"


@each
def test_the_solution_earns_all_points(exercise, marked):
    mark = marked(exercise, exercise.solution)
    assert (mark.outcome, mark.points) == (Outcome.RIGHT, exercise.points), mark.message


@each
def test_the_stub_earns_nothing(exercise, marked):
    mark = marked(exercise, exercise.stub)
    assert mark.points == 0
    assert mark.outcome is (Outcome.WRONG if exercise.repair else Outcome.NOT_ATTEMPTED)


@each
def test_a_known_mistake_is_named(exercise, marked):
    known = vars(sys.modules[exercise.target.__module__])
    typed = [m for m in exercise.mistakes if text(m.answer).startswith(("def ", "class "))]
    for mistake in [m for m in typed if names_used(text(m.answer)) <= known.keys()][:2]:
        mark = marked(exercise, source(exercise, mistake.answer))
        assert (mark.outcome, mark.mistake, mark.points) == (Outcome.WRONG, mistake.name, 0), mark.message


@each
def test_the_librarys_answer_is_not_there_to_be_called(exercise, marked):
    module, name = exercise.target.__module__, exercise.target.__name__
    for stolen in (
        f"from {module} import {name}",
        f"import {module} as m\n{name} = m.{name}",
        f"import importlib, {module} as m\nimportlib.reload(m)\n{name} = m.{name}",
        f"import gc\n{name} = next(o for o in gc.get_objects() if getattr(o, '__name__', 0) == '{name}' "
        f"and getattr(o, '__module__', 0) == '{module}')",
    ):
        mark = marked(exercise, stolen)
        assert mark.points == 0 and mark.outcome is Outcome.RAISED, (stolen, mark)


@each
def test_lazy_answers_earn_nothing(exercise, marked):
    lazy = f"def {exercise.id}(*a, **k): return a[0] if a else None"
    if isinstance(exercise.target, type):
        lazy = f"from torch import nn\nclass {exercise.id}(nn.Module): pass"
    for answer in lazy, CONSTANT.format(exercise.id, "zeros"), CONSTANT.format(exercise.id, "ones"):
        assert marked(exercise, answer).points == 0


def in_library(answer):
    """Whether a mistake is to take another function of the library, which may be there."""
    return getattr(sys.modules[answer.__module__], answer.__name__, None) is answer and (
        not answer.__module__.startswith("minigen.exercises")
    )


def essence(code):
    return "".join(ast.unparse(ast.parse(code)).split())


def body(answer):
    """The statements of an answer without its name, docstring and decoration."""
    definition = ast.parse(text(answer)).body[0]
    for part in ast.walk(definition):
        if isinstance(part, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(part) is not None:
            part.body = part.body[1:] or [ast.Pass()]
    return "".join("\n".join(map(ast.unparse, definition.body)).split())


@each
def test_what_is_shipped_holds_no_answer_no_mistake_and_no_hint(exercise):
    shipped = task(exercise, seeds(b"x", exercise))
    code = "".join(
        essence(part) for part in [*shipped["sources"].values(), shipped["probe"], *shipped["setup"]]
    )
    wrong = [m.answer for m in exercise.mistakes if not in_library(m.answer)]
    for answer in (exercise.target, *exercise.accepts, *wrong):
        if text(answer).startswith(("def ", "class ")) and len(body(answer)) > 40:
            assert body(answer) not in code
    words = json.dumps(shipped, ensure_ascii=False)
    for said in (*exercise.hints, *(m.why for m in exercise.mistakes), exercise.title):
        assert said not in words
    assert "minigen.exercises" not in words and "minigen.course" not in words


@each
def test_the_rest_of_the_library_is_still_there(exercise):
    module, name = exercise.target.__module__, exercise.target.__name__
    left = without(module, name)
    names = {n.name for code in left.values() for n in ast.parse(code).body if hasattr(n, "name")}
    assert name not in names and len(names) > 100
