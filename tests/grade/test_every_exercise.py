"""Every exercise of the catalogue, in the sandbox: right answers earn all, anything else nothing."""

import ast
import collections
import inspect
import itertools
import json
import re
import sys
from dataclasses import replace

import pytest
import torch

from minigen.course.agree import close
from minigen.course.catalogue import exercises, find
from minigen.course.runs import reference, result
from minigen.course.source import text
from minigen.grade.inside.frame import Frame, Status, encode
from minigen.grade.inside.zygote import ENDED
from minigen.grade.mark import Outcome, mark, seeds
from minigen.grade.sandbox import Ended
from minigen.grade.strip import without
from minigen.grade.task import names, task
from minigen.probing.cells import helpers, names_used

BATCHES = 8  # secrets with which the inputs are drawn
FIXED = {  # values of a probe that are the same for all inputs, by what they show; others decide
    "from_levels": {"darkest, middle and brightest": "the ends of the range are given levels"},
    "reparameterize": {"z for σ² = 4 and σ² = 9": "two spreads that a sign or a root cannot hide in"},
    "intercept": {"standard error of an exact line": "it is 0"},
    "inception_score": {"one part: deviation": "it is 0"},
    "share_within": {
        "some of them on the border": "points that lie exactly on a border, whose share is known"
    },
    "jensen_shannon": {
        "divergence of equal densities": "it is 0",
        "extreme: divergence of densities far apart": "it is log 2",
    },
    "WGANGP": {
        "where all are equal: distance": "it is 0",
        "where all are equal, of a flat critic: distance": "it is 0",
    },
    "class_turn": {"∂1": "no gradient reaches the generator"},
    "DDPM": {
        "times: largest, noise": "it is T, in units of T",
        "times: largest, velocity": "it is T, in units of T",
    },
}
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
    assert mark.mistake == (exercise.repair and exercise.repair.name)


@each
def test_known_mistakes_are_named(exercise, marked):
    submissions = list(itertools.islice(wrong_answers(exercise), 2))
    assert len(submissions) == 2
    for mistake, answer, others in submissions:
        mark = marked(exercise, answer, others)
        assert (mark.outcome, mark.mistake, mark.points) == (Outcome.WRONG, mistake, 0), mark.message


@each
def test_the_feedback_holds_none_of_the_expected_numbers(exercise, marked):
    changed = f"{exercise.solution}\nright = {exercise.id}\n"
    changed += f"def {exercise.id}(*a, **k):\n    found = right(*a, **k)\n"
    changed += "    return tuple(1.37 * f for f in found) if isinstance(found, tuple) else 1.37 * found\n"
    wrong = [] if isinstance(exercise.target, type) else [changed]
    for answer in *wrong, CONSTANT.format(exercise.id, "ones"):
        mark = marked(exercise, answer)
        assert not shown(mark.message, exercise, marked.secret), mark.message


def shown(message, exercise, secret):
    """The expected numbers of four or more digits that stand in a text."""
    expected = [v for s in seeds(secret, exercise) for v in reference(exercise, s).values.values()]
    numbers = torch.cat(
        [v.detach().flatten()[:2000].double() for v in expected if not v.is_complex()]
    ).tolist()
    message = re.sub(r"\S+ times the wanted one", "", message)  # which may be such a number by chance
    said = {
        s.lstrip("-")
        for s in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", message)
        if sum(c.isdigit() for c in s) > 3
    }
    return said & {f"{abs(n):.{digits}g}" for n in numbers for digits in (4, 5, 6)}


def test_an_expected_number_in_a_text_would_be_found():
    exercise = next(e for e in RUN if e.id == "kl_1d")
    (value, *_) = reference(exercise, seeds(b"x", exercise)[0]).values.values()
    assert shown(f"It should be {value.flatten()[0].item():.4g}.", exercise, b"x")
    assert not shown("It is 1.37 times the wanted one.", exercise, b"x")


def wrong_answers(exercise):
    """(known mistake, source of the answer, other cells with what it needs), as a learner would type them."""
    known = vars(sys.modules[exercise.target.__module__])
    for mistake in exercise.mistakes:
        typed = text(mistake.answer)
        if typed.startswith(("def ", "class ", "@")) and names_used(typed) <= known.keys():
            yield mistake.name, source(exercise, mistake.answer), []
    right, *cells = Rightly(exercise).cells()
    for name, expression in declared(exercise).items():
        answer = f"{exercise.id} = {ast.unparse(Rightly(exercise).visit(expression))}"
        needed = "\n".join([*helpers(answer, cells, {}), answer])
        if "minigen.course" not in needed and not names_used(needed):
            yield name, answer, [right, *cells]


def declared(exercise):
    """{known mistake: the expression of its answer} where the exercise is declared."""
    module = sys.modules[exercise.probe.__module__]
    for statement in ast.parse(inspect.getsource(module)).body:
        fields = {k.arg: k.value for k in getattr(getattr(statement, "value", None), "keywords", [])}
        if "mistakes" in fields and eval(ast.unparse(fields["target"]), vars(module)) is exercise.target:
            pairs = zip(fields["mistakes"].keys, fields["mistakes"].values, strict=True)
            return {k.value: v.elts[0] for k, v in pairs if k is not None and isinstance(v, ast.Tuple)}
    raise ValueError(f"{exercise.id} is declared nowhere in {module.__name__}")


class Rightly(ast.NodeTransformer):
    """Writes `rightly` where the file of an exercise takes the target from the library, which lacks it."""

    def __init__(self, exercise):
        self.exercise = exercise

    def visit_Attribute(self, node):
        if node.attr == self.exercise.id and isinstance(node.value, ast.Name):
            return ast.Name("rightly", ast.Load())
        return self.generic_visit(node)

    def cells(self):
        """The right answer under that name, and all that the file of the exercise defines."""
        right = ast.parse(self.exercise.solution)
        right.body[0].name = "rightly"
        module = ast.parse(inspect.getsource(sys.modules[self.exercise.probe.__module__]))
        kept = [self.visit(s) for s in module.body if not isinstance(s, ast.Expr)]
        return [ast.unparse(right), *map(ast.unparse, kept)]


def batches(exercise):
    """What the right answer gives on the inputs of some batches: a list of results for each."""
    for i in range(BATCHES):
        yield [result(exercise, reference(exercise, seed)) for seed in seeds(b"%d" % i, exercise)]


def fixed(exercise):
    """The names of the values, flags apart, that are the same on all inputs of most batches."""
    found = collections.Counter()
    for first, *rest in batches(exercise):
        for name, value in first.values.items():
            found[name] += value.dtype != torch.bool and all(
                close(r.values[name], value, exercise.tolerance) for r in rest
            )
    return {name for name, count in found.items() if count > BATCHES / 2}


@each
def test_every_value_moves_with_the_inputs_by_more_than_the_tolerance(exercise):
    assert fixed(exercise) == set(FIXED.get(exercise.id, {}))


@each
def test_right_values_of_other_inputs_earn_nothing(exercise):
    """Not even when each is in its place: so nobody can know them before the batch is graded."""
    drawn, others = seeds(b"this batch", exercise), seeds(b"another", exercise)
    for learned, earned in (drawn, exercise.points), (others, 0), (drawn[:1] * len(drawn), 0):
        mark = remembered(exercise, drawn, learned)
        assert mark.points == earned, (learned, mark)


def remembered(exercise, drawn, learned):
    """The mark of an answer that gives what is right on the inputs that were learned, whatever it gets."""
    words = names(exercise, drawn)
    runs = [reference(exercise, seed).values for seed in learned]
    frame = Frame(Status.VALUES, draws=[{words.index(n): v for n, v in run.items()} for run in runs])
    return mark(exercise, drawn, Ended(ENDED, 0, 0.0, 0.0, encode(frame)), "")


def test_a_value_that_does_not_move_is_noticed():
    def probe(answer, rng):
        return exercise.probe(answer, rng) | {"given": torch.ones(3), "shape": torch.ones(rng.size(2, 9))}

    exercise = find("slerp")
    assert fixed(exercise) == set()
    assert fixed(replace(exercise, probe=probe)) == {"given"}


@each
def test_the_librarys_answer_is_not_there_to_be_called(exercise, marked):
    module, name = exercise.target.__module__, exercise.target.__name__
    for stolen, outcome in {
        f"from {module} import {name}": Outcome.NOT_YOURS,
        f"import {module} as m\n{name} = m.{name}": Outcome.NOT_YOURS,
        f"import importlib, {module} as m\nimportlib.reload(m)\n{name} = m.{name}": Outcome.NOT_YOURS,
        f"import {module} as m\ndef {name}(*a, **k): return m.{name}(*a, **k)": None,
        f"import gc\n{name} = next(o for o in gc.get_objects() if getattr(o, '__name__', 0) == '{name}' "
        f"and getattr(o, '__module__', 0) == '{module}')": Outcome.RAISED,
    }.items():
        mark = marked(exercise, stolen)
        assert mark.points == 0 and outcome in (None, mark.outcome), (stolen, mark)


@each
def test_an_answer_beneath_an_import_of_the_librarys_own_is_the_learners(exercise, marked):
    imported = f"from {exercise.target.__module__} import {exercise.target.__name__}\n"
    assert marked(exercise, imported + exercise.solution).outcome is Outcome.RIGHT


def test_a_cell_that_defines_nothing_is_not_attempted(marked):
    mark = marked(find("kl_1d"), "mine = 3")
    assert mark.outcome is Outcome.NOT_ATTEMPTED and "does not define kl_1d" in mark.message


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
