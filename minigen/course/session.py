"""check, hint, solution and progress: what a learner types.

A check never breaks a lesson: it returns the learner's object when that is right and else the library's, and
the card says which.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

import torch

from minigen.course import records
from minigen.course.card import Card, Note
from minigen.course.catalogue import Exercise, exercises, find
from minigen.course.evaluate import device_note, evaluate
from minigen.course.installed import install, pristine, uninstall
from minigen.course.verdict import Outcome, Verdict

STUCK = (
    "Your code is inside one long call that cannot be stopped from here. "
    "Interrupt it with the ■ button (Kernel → Interrupt) or Ctrl-C; if that fails, restart the kernel."
)
_last: list[Exercise] = []  # what hint() and solution() without a name refer to


class NotAccepted(Exception):
    """Raised by a check in strict mode, and where nbgrader executes the notebook."""


def check(name: str, answer: Any) -> Any:
    """Checks your answer to an exercise and shows a card that says what is right or which mistake it is.

    Returns what the lesson goes on with: your object when it is right, else the library's.
    """
    exercise = find(name)
    if answer is exercise.target and not _notebook():
        return _library(exercise)  # a lesson run as a script is an ordinary program
    _last[:] = [exercise]
    wanted, out = _strict(), sys.stdout  # the terminal or cell, which a run of the answer does not have
    with pristine():
        verdict = _verdict(exercise, answer, stuck=lambda: print(STUCK, file=out, flush=True))
        _show(Card(exercise, verdict))
        for output in verdict.outputs.shown:
            output.display()
        if verdict.outcome is Outcome.RIGHT and (words := device_note(exercise, answer)):
            _show(Note(words))  # after the card, which must not wait for it
    _record(exercise, verdict)
    if exercise.kind == "predict" or not verdict.fits:
        uninstall(exercise.target)
    else:
        install(exercise.target, answer)
    if wanted and verdict.outcome is not wanted:
        raise NotAccepted(f"{exercise.id} is {verdict.outcome}, not {wanted}. {verdict.message}")
    return answer if verdict.fits and exercise.kind != "predict" else _library(exercise)


def hint(name: str | None = None) -> None:
    """Shows the next hint of an exercise (of the last one checked, when none is named)."""
    exercise = _named(name)
    try:
        i = records.next_hint(exercise)
    except (OSError, TimeoutError):  # nothing can be remembered there, so the first one is shown
        i = 0
    print(f"Hint {i + 1} of {len(exercise.hints)} for {exercise.id}: {exercise.hints[i]}")


def solution(name: str | None = None) -> None:
    """Shows the library's own version of an exercise (of the last one checked, when none is named)."""
    print(_named(name).solution)


def progress() -> None:
    """Shows what you have done so far: the exercises of this lesson, and a line for each other one."""
    print(records.table(_last[0].lesson if _last else None))


def _named(name: str | None) -> Exercise:
    if name is None and not _last:
        raise ValueError('name an exercise, as in hint("pca"): none has been checked yet')
    return find(name) if name is not None else _last[0]


def _library(exercise: Exercise) -> Any:
    return exercise.expected if exercise.kind == "predict" else exercise.target


def _notebook() -> bool:
    with contextlib.suppress(ImportError):
        from IPython import get_ipython

        return get_ipython() is not None
    return False


def _show(card: Card | Note) -> None:
    if not _notebook():
        print(card)
        return
    from IPython.display import display

    display(card)


def _strict() -> Outcome | None:
    """The only outcome that does not raise; None: none raises."""
    if os.environ.get("NBGRADER_EXECUTION"):
        return Outcome.RIGHT
    name = os.environ.get("MINIGEN_STRICT", "")
    if name not in ("", "right", "not-attempted"):
        raise ValueError(f"MINIGEN_STRICT should be right or not-attempted; got {name!r}")
    return Outcome(name.replace("-", " ")) if name else None


def _verdict(exercise: Exercise, answer: Any, stuck: Callable[[], None]) -> Verdict:
    """The verdict; a fault of the check itself is said, and never breaks the lesson."""
    try:
        return evaluate(exercise, answer, stuck)
    except Exception as error:
        said = f"The check itself failed here ({type(error).__name__}): please report it with your code."
        return Verdict(Outcome.RAISED, said)


def _record(exercise: Exercise, verdict: Verdict) -> None:
    """Progress is kept if it can be; a full disk or a locked file must not cost the learner the card."""
    if _strict() and not os.environ.get("MINIGEN_PROGRESS"):
        return  # a test or a grader runs the notebook, not a learner
    try:
        records.record(exercise, verdict)
    except (OSError, TimeoutError) as error:
        print(f"Your progress could not be saved in {records.path()}: {error}")


exercises()  # read now, so that the first check of a session does not wait for it
if _notebook():  # nor for the seconds that torch takes to load what this device and its optimizers need
    torch.empty(1, device="meta") + 1
