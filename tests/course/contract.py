"""What every exercise must withstand, as functions of an exercise; the tests apply them to all there are."""

import torch
from torch import Tensor, nn

from minigen.course import mutants
from minigen.course.agree import agree
from minigen.course.evaluate import evaluate
from minigen.course.runs import DRAWS, agrees, reference, result, run
from minigen.course.source import compiled, module_globals
from minigen.course.verdict import Outcome
from minigen.probing.observe import Observation

SEEDS = range(10, 22)  # "many": other draws than those that a learner's check uses


def right_answers_pass(exercise) -> None:
    for seed in SEEDS:
        for answer in (exercise.target, *exercise.accepts):
            assert agrees(exercise, answer, seed), f"seed {seed}: {answer} is called wrong"
    for answer in (*exercise.accepts, compiled(exercise.solution.split("\n\n\n")[0], exercise.target)):
        assert evaluate(exercise, answer).outcome == Outcome.RIGHT


def stub_is_not_attempted(exercise) -> None:
    namespace = dict(module_globals(exercise.target))
    if exercise.repair:
        namespace |= module_globals(exercise.repair.answer)
    exec(exercise.stub, namespace)
    assert evaluate(exercise, namespace[exercise.id]).outcome == Outcome.NOT_ATTEMPTED


def the_library_itself_is_not_yours(exercise) -> None:
    assert evaluate(exercise, exercise.target).outcome == Outcome.NOT_YOURS


def lazy_results_fail(exercise) -> None:
    """Zeros, ones, another draw's result, and the echoed input are no answers."""
    for seed in SEEDS:
        right = result(exercise, reference(exercise, seed))
        values = reference(exercise, seed).values
        for lazy in (torch.zeros_like, torch.ones_like):
            claim = Observation(values={name: lazy(v) for name, v in values.items()})
            assert not agree(result(exercise, claim), right, exercise.tolerance), f"{lazy.__name__} passes"
        other = result(exercise, reference(exercise, seed + 100))
        assert not agree(other, right, exercise.tolerance), f"draw {seed + 100} passes for draw {seed}"
        assert not agrees(exercise, _echo(exercise), seed), "the echoed input passes"


def _echo(exercise):
    """An answer that gives its first tensor back."""
    target = exercise.target

    def first(args, kwargs):
        return next((a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)), None)

    if isinstance(target, type) and issubclass(target, nn.Module):
        methods = exercise.blank or ("forward",)
        return type(target.__name__, (target,), dict.fromkeys(methods, lambda self, *a, **k: first(a, k)))
    return lambda *args, **kwargs: first(args, kwargs)


def mistakes_fail_and_are_named(exercise) -> None:
    for mistake in exercise.mistakes:
        for seed in SEEDS:
            assert not agrees(exercise, mistake.answer, seed), f"{mistake.name!r} passes on draw {seed}"
        verdict = evaluate(exercise, _in_other_words(mistake.answer))
        assert verdict.outcome == Outcome.WRONG, f"{mistake.name!r} is {verdict.outcome}: {verdict.message}"
        assert verdict.mistake == mistake.name, f"{mistake.name!r} is called {verdict.mistake!r}"


def _in_other_words(answer):
    """The same answer with other code, so that the stub of a repair exercise counts as an attempt."""
    if isinstance(answer, type):
        known = {"__source__": answer.__source__} if "__source__" in vars(answer) else {}
        return type(answer.__name__, (answer,), known)
    return lambda *args, **kwargs: answer(*args, **kwargs)


def mutants_are_noticed(exercise) -> None:
    (score,) = mutants.scores([exercise])
    assert score.value >= mutants.WANTED, mutants.table([score])
    lines = {line.split("    # as if ")[0] for line in score.listed}
    assert set(exercise.equivalents) <= lines, (
        f"listed as equivalent but noticed: {set(exercise.equivalents) - lines}"
    )
    assert score.killed, "no mutant was even tried"


def inputs_change_with_the_draw(exercise) -> None:
    """The draws of a check differ in some size, so that a fact stated of all is no coincidence."""
    shapes = {str([v.shape for c in reference(exercise, d).calls for v in c.arguments.values()
                   if isinstance(v, Tensor)]) for d in DRAWS}  # fmt: skip
    assert len(shapes) > 1 or not any(isinstance(v, Tensor) for c in reference(exercise, 0).calls
                                      for v in c.arguments.values())  # fmt: skip


def runs_are_repeatable(exercise) -> None:
    before = torch.get_rng_state()
    for seed in SEEDS[:3]:
        again = result(exercise, run(exercise, exercise.target, seed))
        assert agree(again, result(exercise, reference(exercise, seed)), 1e-12 + exercise.tolerance / 10)
    assert torch.equal(before, torch.get_rng_state()), "a probe moved the global random state"


CONTRACTS = [
    right_answers_pass,
    stub_is_not_attempted,
    the_library_itself_is_not_yours,
    lazy_results_fail,
    mistakes_fail_and_are_named,
    mutants_are_noticed,
    inputs_change_with_the_draw,
    runs_are_repeatable,
]
