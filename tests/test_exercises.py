"""Every exercise of the course keeps every contract; both are found by walking, so nothing is forgotten."""

import ast
import functools
import sys
import types
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "course"))
import contract

from minigen.course import installed
from minigen.course.catalogue import exercises
from minigen.course.evaluate import evaluate
from minigen.course.script import lessons, read
from minigen.course.verdict import Outcome

EVERY = exercises()
RUN = [e for e in EVERY if e.kind != "predict"]
PREDICTED = [e for e in EVERY if e.kind == "predict"]


@pytest.mark.parametrize("holds", contract.CONTRACTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("exercise", RUN, ids=lambda e: e.id)
def test_contract(exercise, holds):
    holds(exercise)


@pytest.mark.parametrize("exercise", PREDICTED, ids=lambda e: e.id)
def test_each_wrong_prediction_is_answered_by_its_own_explanation(exercise):
    assert evaluate(exercise, ...).outcome == Outcome.NOT_ATTEMPTED
    assert evaluate(exercise, exercise.expected).outcome == Outcome.RIGHT
    for mistake in exercise.mistakes:
        verdict = evaluate(exercise, mistake.answer)
        assert (verdict.outcome, verdict.mistake) == (Outcome.WRONG, mistake.name)


def kept_objects(module, target):
    """Everything that the functions, classes and containers of a module (but the target) keep themselves."""
    for value in [v for v in vars(module).values() if v is not target]:
        members = list(vars(value).values()) if isinstance(value, type) else [value]
        yield from members if isinstance(value, type) else []
        for member in members:
            function = getattr(member, "__func__", member)
            if isinstance(function, types.FunctionType):
                yield from (function.__defaults__ or ())
                yield from (function.__kwdefaults__ or {}).values()
                yield from (cell.cell_contents for cell in function.__closure__ or ())
            elif isinstance(member, functools.partial):
                yield from (member.func, *member.args, *member.keywords.values())
            elif isinstance(member, dict):
                yield from member.values()
            elif isinstance(member, (list, tuple, set, frozenset)):
                yield from member


@pytest.mark.parametrize("exercise", RUN, ids=lambda e: e.id)
def test_the_library_reaches_a_target_only_through_module_globals(exercise):
    """Else an installed answer would not run: a default, partial, registry, class or closure keeps ours."""
    modules = [m for name, m in list(sys.modules.items()) if installed.of_library(name)]
    holders = [
        m.__name__ for m in modules for kept in kept_objects(m, exercise.target) if kept is exercise.target
    ]
    assert not holders


@pytest.mark.parametrize("holder", ["default", "partial", "registry", "class attribute", "closure"])
def test_each_other_way_to_reach_a_target_is_found(holder):
    def target():
        pass

    def closure():
        return target

    module = types.ModuleType("m")
    module.it = {
        "default": eval("lambda f=target: f", {"target": target}),
        "partial": functools.partial(target),
        "registry": {"name": target},
        "class attribute": type("C", (), {"f": target}),
        "closure": closure,
    }[holder]
    assert any(kept is target for kept in kept_objects(module, target))


@pytest.mark.parametrize("exercise", RUN, ids=lambda e: e.id)
def test_the_docstring_does_not_contain_the_answer(exercise):
    tree = ast.parse(exercise.solution).body[0]
    functions = (
        [tree]
        if isinstance(tree, ast.FunctionDef)
        else [f for f in tree.body if isinstance(f, ast.FunctionDef)]
    )
    for function in functions:
        words = "".join((ast.get_docstring(function) or "").split())
        for statement in function.body:
            if isinstance(statement, (ast.Return, ast.Assign)) and statement.value is not None:
                code = "".join(ast.unparse(statement.value).split())
                assert len(code) < 8 or code not in words, f"{exercise.id}: its docstring gives {code!r} away"


def test_every_lesson_has_what_the_syllabus_asks_for():
    for script in lessons():
        kinds = [e.kind for e in read(script).exercises]
        assert 4 <= len(kinds) <= 8, f"{script.stem} has {len(kinds)} exercises"
        assert {"repair", "predict"} <= set(kinds), f"{script.stem} has only {set(kinds)}"


def test_every_exercise_stands_in_its_lesson():
    placed = [e.id for script in lessons() for e in read(script).exercises]
    assert sorted(placed) == sorted(e.id for e in EVERY)
