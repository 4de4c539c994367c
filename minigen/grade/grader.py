"""Grades submissions in one sandbox, exercise by exercise, since each exercise needs a library of its own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from minigen.course.catalogue import Exercise
from minigen.grade.inside.wall import Limits
from minigen.grade.inside.zygote import CLOCK_OVER
from minigen.grade.mark import Mark, Outcome, mark, seeds
from minigen.grade.sandbox import Broken, Sandbox
from minigen.grade.submission import Submission
from minigen.grade.task import task

TRIES = 3  # at what is not the learner's fault
IDLE = 0.3  # of the time on the clock: who computed less than that when it ran out may have been kept waiting


@dataclass
class Graded:
    """A submission and the mark of each exercise that carries points."""

    submission: Submission
    marks: dict[str, Mark] = field(default_factory=dict)

    @property
    def points(self) -> float:
        return sum(m.points for m in self.marks.values())


class Grader:
    """A sandbox, the secret of the batch, and the limits of a run."""

    def __init__(self, secret: bytes, limits: Limits | None = None):
        self.secret, self.limits = secret, limits or Limits()
        self._sandbox: Sandbox | None = None

    def grade(self, submissions: Iterable[Submission]) -> Iterator[Graded]:
        """The same submissions, graded, in their order."""
        all_of_them = [Graded(s) for s in submissions]
        for exercise in _exercises(all_of_them):
            for graded in all_of_them:
                one = graded.submission
                if one.lesson and not one.refused and exercise in one.lesson.exercises:
                    graded.marks[exercise.id] = self._mark(exercise, one)
        yield from all_of_them

    def close(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _mark(self, exercise: Exercise, submission: Submission) -> Mark:
        source = submission.answers.get(exercise.id)
        if source is None:
            return Mark(Outcome.NOT_ATTEMPTED, message="there is no cell for it")
        if _same_text(source, exercise.stub):
            return Mark(Outcome.NOT_ATTEMPTED)
        drawn = seeds(self.secret, exercise)
        others = [text for name, text in submission.answers.items() if name != exercise.id]
        job = {"source": source, "others": submission.others + others, "seeds": drawn}
        for _ in range(2):
            sandbox = self._prepared(exercise, drawn)
            if sandbox is None:
                return Mark(
                    Outcome.INFRASTRUCTURE,
                    message="the sandbox could not be made ready: a person has to look",
                )
            try:
                ended = sandbox.run(job)
            except Broken as error:  # the learner's code was in there already
                self.close()
                return Mark(Outcome.MALFORMED, message=str(error))
            if ended.how != CLOCK_OVER or ended.cpu > IDLE * ended.seconds:
                break
        return mark(exercise, drawn, ended, source)

    def _prepared(self, exercise: Exercise, drawn: tuple[int, ...]) -> Sandbox | None:
        """The sandbox, ready for an exercise; None when that cannot be had."""
        for _ in range(TRIES):
            try:
                self._sandbox = self._sandbox or Sandbox(self.limits)
                self._sandbox.prepare(task(exercise, drawn))
                return self._sandbox
            except Broken:
                self.close()
        return None


def _exercises(graded: list[Graded]) -> list[Exercise]:
    """Every exercise with points of the lessons that there are, in order."""
    lessons = {g.submission.lesson.name: g.submission.lesson for g in graded if g.submission.lesson}
    return [e for _, lesson in sorted(lessons.items()) for e in lesson.exercises if e.kind != "predict"]


def _same_text(text: str, stub: str) -> bool:
    """Whether a cell is what the learner started from, white space at the ends of lines apart."""
    return [line.rstrip() for line in text.strip().splitlines()] == [
        line.rstrip() for line in stub.strip().splitlines()
    ]
