"""Grades submissions in one sandbox, exercise by exercise, since each exercise needs a library of its own."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from minigen.course.catalogue import Exercise
from minigen.grade.inside.wall import Limits
from minigen.grade.inside.zygote import CLOCK_OVER
from minigen.grade.mark import Mark, Outcome, mark, seeds
from minigen.grade.sandbox import Broken, Ended, NotRun, Sandbox
from minigen.grade.submission import Submission
from minigen.grade.task import task
from minigen.grade.tiers import NoSandbox

TRIES = 3  # at what is not the learner's fault
IDLE = 0.3  # of the time on the clock: who computed less than that when it ran out may have been kept waiting
LEAST = 1.0  # seconds: with less than that left of its limit, a submission is at its end


@dataclass
class Graded:
    """A submission and the mark of each exercise that carries points.

    used: seconds that its runs took.  waited: an exercise ran out of time and had hardly computed, so it
    should be graded once more, with nothing else beside it.
    """

    submission: Submission
    marks: dict[str, Mark] = field(default_factory=dict)
    used: float = 0.0
    waited: bool = False

    @property
    def same(self) -> str:
        """Equal for two submissions with the same answers letter by letter; empty when nothing was typed."""
        typed = {e: m for e, m in self.marks.items() if m.outcome is not Outcome.NOT_ATTEMPTED}
        texts = [self.submission.answers[e] for e in typed if e in self.submission.answers]
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16] if texts else ""


class Grader:
    """A sandbox, the secret of the batch, and the limits of a run."""

    def __init__(self, secret: bytes, limits: Limits | None = None, tier: str = "bwrap"):
        self.secret, self.limits, self.tier = secret, limits or Limits(), tier
        self._sandbox: Sandbox | None = Sandbox(self.limits, tier)

    def grade(self, submissions: Iterable[Submission], alone: bool = False) -> Iterator[Graded]:
        """The same submissions, graded, in their order.

        alone: whether nothing else runs on this machine, so that a time limit is never somebody else's fault.
        """
        all_of_them = [Graded(s) for s in submissions]
        for exercise in _exercises(all_of_them):
            for graded in all_of_them:
                one = graded.submission
                if one.lesson and not one.refused and exercise in one.lesson.exercises:
                    graded.marks[exercise.id] = self._mark(exercise, graded, alone)
        yield from all_of_them

    def close(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _mark(self, exercise: Exercise, graded: Graded, alone: bool) -> Mark:
        submission = graded.submission
        source = submission.answers.get(exercise.id)
        if source is None:
            return Mark(Outcome.NOT_ATTEMPTED, message="there is no cell for it")
        if _same_text(source, exercise.stub):
            return Mark(Outcome.NOT_ATTEMPTED)
        left = self.limits.total - graded.used
        if left < LEAST:
            used = f"the exercises before it used up the {self.limits.total:.0f} s of the whole notebook"
            return Mark(Outcome.TIMED_OUT, message=used)
        drawn = seeds(self.secret, exercise)
        others = [text for name, text in submission.answers.items() if name != exercise.id]
        job = {"source": source, "others": submission.others + others, "seeds": drawn}
        try:
            ended = self._run(exercise, job, drawn, left)
        except (NotRun, NoSandbox) as error:
            return Mark(Outcome.INFRASTRUCTURE, message=f"a person has to look: {error}")
        except Broken as error:
            return Mark(Outcome.MALFORMED, message=str(error))
        graded.used += ended.seconds
        kept_waiting = ended.how == CLOCK_OVER and ended.cpu < IDLE * ended.seconds
        graded.waited |= kept_waiting and not alone
        return mark(exercise, drawn, ended, source)

    def _run(self, exercise: Exercise, job: dict, drawn: tuple[int, ...], left: float) -> Ended:
        """One run, in a sandbox that may have to be made anew: another may have killed it.

        Raises NotRun or NoSandbox when it cannot be had, Broken when the answer has been in two that broke.
        """
        limits = replace(self.limits, seconds=min(self.limits.seconds, left))
        tries = broke = 0
        while True:
            try:
                self._sandbox = self._sandbox or Sandbox(self.limits, self.tier)
                self._sandbox.prepare(task(exercise, drawn))
                return self._sandbox.run(job, limits)
            except (Broken, NoSandbox) as error:
                self.close()
                tries, broke = tries + 1, broke + (type(error) is Broken)
                if tries == TRIES or broke == 2:
                    raise


def _exercises(graded: list[Graded]) -> list[Exercise]:
    """Every exercise with points of the lessons that there are, in order."""
    lessons = {g.submission.lesson.name: g.submission.lesson for g in graded if g.submission.lesson}
    return [e for _, lesson in sorted(lessons.items()) for e in lesson.exercises if e.kind != "predict"]


def _same_text(text: str, stub: str) -> bool:
    """Whether a cell is what the learner started from, white space at the ends of lines apart."""
    return [line.rstrip() for line in text.strip().splitlines()] == [
        line.rstrip() for line in stub.strip().splitlines()
    ]
