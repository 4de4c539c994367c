"""What one run of an answer is worth, decided outside of the sandbox, from numbers alone."""

import hashlib
import hmac
from dataclasses import dataclass, replace
from enum import StrEnum

from torch import Tensor

from minigen.course import relations
from minigen.course.agree import Result, agree, judged
from minigen.course.catalogue import Exercise
from minigen.course.diagnose import named
from minigen.course.runs import reference, result
from minigen.grade.inside.frame import Frame, Malformed, Status, decode
from minigen.grade.inside.zygote import CLOCK_OVER, CPU_OVER, ENDED, MEMORY_OVER, OUTPUT_OVER
from minigen.grade.sandbox import Ended
from minigen.grade.task import names
from minigen.probing.observe import Observation

DRAWS = 3  # inputs of different sizes on which an answer must agree


class Outcome(StrEnum):
    """What can become of an exercise of a submission."""

    RIGHT = "right"
    WRONG = "wrong"
    NOT_ATTEMPTED = "not attempted"
    RAISED = "raised"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    NOT_YOURS = "not yours"
    MALFORMED = "malformed output"
    REFUSED = "refused"
    INFRASTRUCTURE = "infrastructure"


@dataclass(frozen=True)
class Mark:
    """The outcome of one exercise.

    mistake: the known mistake that it is.  message, printed: words for the feedback; what comes from the
    sandbox is a claim, and text of a stranger.
    """

    outcome: Outcome
    points: float = 0
    mistake: str | None = None
    message: str = ""
    printed: str = ""
    seconds: float = 0.0


def seeds(secret: bytes, exercise: Exercise) -> tuple[int, ...]:
    """The inputs of an exercise in one batch: nobody knows them before, and grading again gives the same."""
    return tuple(
        int.from_bytes(hmac.digest(secret, f"{exercise.id} {i}".encode(), hashlib.sha256)[:7], "big")
        for i in range(DRAWS)
    )


def mark(exercise: Exercise, drawn: tuple[int, ...], ended: Ended, source: str) -> Mark:
    """The mark of one run.  drawn: the seeds of its inputs.  source: of the answer, as text."""
    over = {
        CLOCK_OVER: (Outcome.TIMED_OUT, f"stopped after {ended.seconds:.0f} s"),
        CPU_OVER: (Outcome.TIMED_OUT, f"stopped after {ended.cpu:.0f} s of computing"),
        MEMORY_OVER: (Outcome.OUT_OF_MEMORY, "it needed more memory than an answer may use"),
        OUTPUT_OVER: (Outcome.MALFORMED, "it gave back more than an answer may give"),
    }
    if ended.how != ENDED:
        return Mark(*_worth(*over[ended.how]), seconds=ended.seconds)
    try:
        frame = decode(ended.said, len(names(exercise, drawn)))
    except Malformed as error:
        why = (
            f"its process ended without a result (exit status {ended.code})" if not ended.said else str(error)
        )
        return Mark(*_worth(Outcome.MALFORMED, why), seconds=ended.seconds)
    told = {
        Status.RAISED: Outcome.RAISED,
        Status.NOT_ATTEMPTED: Outcome.NOT_ATTEMPTED,
        Status.NOT_YOURS: Outcome.NOT_YOURS,
        Status.TIMED_OUT: Outcome.TIMED_OUT,
        Status.OUT_OF_MEMORY: Outcome.OUT_OF_MEMORY,
        Status.WRONG_KIND: Outcome.WRONG,
    }
    more = {"printed": frame.printed, "seconds": ended.seconds}
    if frame.status is not Status.VALUES:
        return Mark(told[frame.status], message=frame.message, **more)
    if len(frame.draws) != len(drawn):
        said = f"it gave {len(frame.draws)} results; {len(drawn)} were wanted"
        return Mark(Outcome.MALFORMED, message=said, **more)
    words = names(exercise, drawn)
    draws = [{words[i]: value for i, value in values.items()} for values in frame.draws]
    return _compared(exercise, drawn, draws, frame, source, more)


def _worth(outcome: Outcome, message: str) -> tuple[Outcome, float, None, str]:
    return outcome, 0, None, message


def _compared(
    exercise: Exercise,
    drawn: tuple[int, ...],
    draws: list[dict[str, Tensor]],
    frame: Frame,
    source: str,
    more: dict,
) -> Mark:
    wanted = [reference(exercise, seed) for seed in drawn]
    other = {"an argument"} if frame.modified else set()
    seen = [
        Observation(values=values, modified=w.modified ^ other)
        for values, w in zip(draws, wanted, strict=True)
    ]
    mine, theirs = [judged(s, exercise.judge) for s in seen], [result(exercise, w) for w in wanted]
    same = all(agree(m, t, exercise.tolerance) for m, t in zip(mine, theirs, strict=True))
    if same and not frame.other_kind:
        return Mark(Outcome.RIGHT, exercise.points, **more)
    unlike = [replace(m, modified=Another(w.modified)) for m, w in zip(mine, wanted, strict=True)]
    said, mistake = named(exercise, source, unlike if frame.modified else mine, drawn) or (
        frame.message if frame.other_kind else _facts(exercise, seen, mine, wanted, theirs),
        None,
    )
    return Mark(Outcome.WRONG, 0, mistake, said, **more)


class Another(set):
    """Equal to every other set: what was changed in place, of which a sandbox only says that it differs."""

    def __eq__(self, other: object) -> bool:
        return set(self) != other

    def __ne__(self, other: object) -> bool:
        return set(self) == other


def _facts(
    exercise: Exercise,
    seen: list[Observation],
    mine: list[Result],
    wanted: list[Observation],
    theirs: list[Result],
) -> str:
    said, _ = relations.facts(seen, mine, [_uncalled(w) for w in wanted], theirs, exercise.tolerance)
    return said


def _uncalled(wanted: Observation) -> Observation:
    """Without what was only seen inside, which the other side does not have."""
    return Observation(
        values=wanted.values, leaves=wanted.leaves, modified=wanted.modified, calls=wanted.calls
    )
