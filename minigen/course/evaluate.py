"""Judges one answer to one exercise: which of the six outcomes it is, and why."""

import traceback
from collections.abc import Callable
from typing import Any

from minigen.course.agree import agree
from minigen.course.catalogue import Exercise
from minigen.course.diagnose import diagnosis, example, inputs
from minigen.course.predict import predicted
from minigen.course.runs import DRAWS, reference, result, run
from minigen.course.verdict import Outcome, Verdict
from minigen.probing import observe as observing
from minigen.probing.kinds import kinds, returned
from minigen.probing.limits import TimedOut
from minigen.probing.observe import Observation
from minigen.probing.trace import last_line, words

SLOWER = 5  # times slower than the library is right, said, and not installed
REMEDY = "Create tensors where the input is, with its `.device`, or `new_full`, `zeros_like` and their like."
NOTICED = 2e-3  # seconds; under this a ratio of two times is noise


def evaluate(exercise: Exercise, answer: Any, stuck: Callable[[], None] = lambda: None) -> Verdict:
    """The verdict on one answer, with the pristine library. stuck: called when no limit can stop it."""
    if answer is exercise.target:
        return Verdict(
            Outcome.NOT_YOURS, "This is the library's own. Run your exercise cell again, then this one."
        )
    if exercise.kind == "predict":
        return predicted(exercise, answer)
    kind = "class" if isinstance(exercise.target, type) else "function"
    if not callable(answer) or isinstance(answer, type) != (kind == "class"):
        return Verdict(
            Outcome.WRONG, f"`{exercise.id}` should be a {kind}; it is of type {type(answer).__name__}."
        )
    if not exercise.attempted(answer):
        return Verdict(Outcome.NOT_ATTEMPTED)
    return _tried(exercise, answer, stuck)


def _tried(exercise: Exercise, answer: Any, stuck: Callable[[], None]) -> Verdict:
    """The verdict on an answer that is the learner's and must be run."""
    wanted = [reference(exercise, draw) for draw in DRAWS]  # first, before the answer can spoil anything
    seen: list[Observation] = []
    for draw in DRAWS:
        seen.append(run(exercise, answer, draw, stuck))
        error = seen[-1].error
        if error is not None and (verdict := _stopped(exercise, answer, error)):
            verdict.outputs = seen[0].outputs
            verdict.example = inputs(seen[-1].calls[-1]) if seen[-1].calls else []
            return verdict
    pairs = [(result(exercise, s), result(exercise, w)) for s, w in zip(seen, wanted, strict=True)]
    same = all(agree(mine, theirs, exercise.tolerance) for mine, theirs in pairs)
    strange = returned(seen[0], kinds(wanted[0]))
    if same and not strange:
        slow = _slow(exercise, answer, seen)
        verdict = Verdict(Outcome.RIGHT, notes=[slow] if slow else [], fits=slow is None)
    else:
        message, mistake = (strange, None) if same else diagnosis(exercise, answer, seen)
        verdict = Verdict(Outcome.WRONG, message, mistake, example(exercise, seen))
    verdict.outputs = seen[0].outputs
    return verdict


def _slow(exercise: Exercise, answer: Any, seen: list[Observation]) -> str | None:
    """What to say of an answer that takes too long to serve in the library's place."""
    mine, wanted = min(s.seconds for s in seen), min(reference(exercise, d).seconds for d in DRAWS)
    if mine <= max(NOTICED, SLOWER * wanted):
        return None
    pairs = [(run(exercise, answer, d).seconds, run(exercise, exercise.target, d).seconds) for d in DRAWS]
    mine, wanted = (min(seconds) for seconds in zip(*pairs, strict=True))  # in turn, before it is said
    if mine <= max(NOTICED, SLOWER * wanted):
        return None
    shows = "It displays something at every call." if seen[0].outputs.shown else ""
    return (
        f"It is {mine / wanted:.0f} times slower than the library's, so that one serves in the lesson. "
        + (shows or "Is there a loop that one tensor operation could do?")
    )


def device_note(exercise: Exercise, answer: Any) -> str | None:
    """What to say of a right answer that would fail on a GPU; the meta device shows it on any machine."""
    wanted = run(exercise, exercise.target, DRAWS[0], device="meta", limited=False)
    if wanted.error is not None:
        return None  # this probe needs values, so the meta device can say nothing
    seen = run(exercise, answer, DRAWS[0], device="meta")
    if seen.error is not None:
        said, line = words(seen.error), last_line(answer, seen.error)
        place = f", in `{line[1]}`" if line else ""
        if "same device" in said or "is not on the expected device" in said:
            return f"Right, but it would fail on a GPU: tensors of two devices meet{place}. {REMEDY}"
        copies = "Cannot copy out of meta tensor" in said
        return f"Right, but on a GPU it would copy values to the CPU{place}. {REMEDY}" if copies else None
    left = [n for n, v in wanted.values.items() if v.is_meta and not seen.values[n].is_meta]
    return f"Right, but on a GPU its result would be left on the CPU. {REMEDY}" if left else None


def _stopped(exercise: Exercise, answer: Any, error: BaseException) -> Verdict | None:
    """The verdict on an answer that did not return; None when the error came after it had."""
    line = last_line(answer, error)
    place = f" in line {line[0]}: `{line[1]}`" if line else ""
    if isinstance(error, TimedOut):
        return Verdict(Outcome.TIMED_OUT, f"It was {error}{place}. Does a loop never end?")
    if isinstance(error, KeyboardInterrupt):
        return Verdict(Outcome.TIMED_OUT, f"You stopped it{place}.")
    if line is None and not _inside(error):
        return None
    if line is None and isinstance(error, TypeError) and _at_the_call(error):
        said = f"It could not be called as `{exercise.id}{exercise.signature}`: {words(error)}."
        return Verdict(Outcome.RAISED, said)
    return Verdict(Outcome.RAISED, f"{type(error).__name__}{place}\n{words(error)}".strip())


def _inside(error: BaseException) -> bool:
    """Whether an error was raised while the answer ran, and not by the probe afterwards."""
    frames = traceback.extract_tb(error.__traceback__)
    names = {f.name for f in frames if f.filename == observing.__file__}
    return bool(names & {"__call__", "_construct", "watched"})


def _at_the_call(error: BaseException) -> bool:
    """Whether the arguments did not fit, so that the answer did not even begin."""
    return traceback.extract_tb(error.__traceback__)[-1].filename == observing.__file__
