"""A batch: every submission is graded once, whoever does the work, and whatever becomes of them."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from minigen.grade import local, tiers
from minigen.grade.gradebook import Gradebook
from minigen.grade.gradebook import key as gradebook_key
from minigen.grade.grader import TRIES, Graded, Grader
from minigen.grade.inside.wall import Limits
from minigen.grade.mark import Mark, Outcome
from minigen.grade.record import Record
from minigen.grade.submission import LARGEST, Handed, handed_in, submission

Chunk = list[tuple[str, Handed]]  # (key, what was handed in)
Result = tuple[str, Record | None]  # (key, its record; None when it has to be graded again, alone)


@dataclass(frozen=True)
class Work:
    """What all submissions of a batch have in common."""

    secret: bytes
    lesson: str | None
    limits: Limits
    tier: str

    def key(self, handed: Handed) -> str:
        return gradebook_key(handed, self.lesson, self.limits, self.tier)


class Pool(AbstractContextManager, Protocol):
    """Who does the work.

    together: how many submissions it is given at once at most.  grade: the results in any order; what was
    lost on the way has none.  alone: one submission at a time, and nothing beside it.
    """

    jobs: int
    together: int

    def grade(self, chunks: Iterable[Chunk], alone: bool) -> Iterator[Result]: ...


def pool(
    work: Work, lacking: int, jobs: int | None,
    cluster: str | None = None, ca: Path | None = None, cert: Path | None = None, key: Path | None = None,
) -> Pool:  # fmt: skip
    """The processes of this machine, or the workers of a cluster."""
    if cluster is not None:
        from minigen.grade.cluster import Cluster

        return Cluster(work, cluster, ca, cert, key)
    if tiers.choose(work.tier) == "none":
        print(f"minigen: {tiers.GIVEN_UP}", file=sys.stderr)
    return local.Local(work, min(lacking, local.processes(jobs, work.limits.memory)))


def survey(path: Path, book: Gradebook, work: Work) -> tuple[int, int]:
    """How many submissions there are, and how many of them the gradebook lacks."""
    book.begin()
    lacking = sum(1 for _ in _lacking(path, book, work))
    return book.expected, lacking


def grade(
    path: Path, book: Gradebook, work: Work, pool: Pool, lacking: int,
    done: Callable[[], object] = lambda: None,
) -> None:  # fmt: skip
    """Grades what the gradebook lacks.

    What had to wait for others, and what was lost with who had it, comes again when the rest is done, alone.
    What is lost each time is put down as nobody's grade.  done: called once for each result that is kept.
    """
    for alone in [False] + [True] * (TRIES - 1):
        book.begin()
        chunks = _chunks(_lacking(path, book, work), 1 if alone else pool.jobs, pool.together, lacking)
        with contextlib.closing(pool.grade(chunks, alone)) as results:
            for name, found in results:
                if found is not None:
                    book.add(name, found)
                    done()
        if len(book) == book.expected:
            return
    book.begin()
    for name, handed in _lacking(path, book, work):
        lost = Handed(handed.student, handed.name, refused="its grader ended again and again")
        book.add(name, record(Graded(submission(lost)), work.tier, Outcome.INFRASTRUCTURE))
        done()


def _lacking(path: Path, book: Gradebook, work: Work) -> Iterator[tuple[str, Handed]]:
    """What is handed in and not in the gradebook, which learns of all that is handed in."""
    for handed in handed_in(path):
        name = work.key(handed)
        book.expect(name)
        if name not in book:
            yield name, handed


def _chunks(waiting: Iterator[tuple[str, Handed]], jobs: int, together: int, lacking: int) -> Iterator[Chunk]:
    """First one for each job, so that all begin; then a share of what is left, so that all end together."""
    given, chunk, size = 0, [], 1
    for one in waiting:
        chunk.append(one)
        if len(chunk) >= size or sum(len(handed.data) for _, handed in chunk) > LARGEST:
            yield chunk
            given, chunk = given + len(chunk), []
            size = 1 if given < jobs else max(1, min(together, (lacking - given) // (2 * jobs)))
    if chunk:
        yield chunk


def records(grader: Grader, work: Work, chunk: list[Handed], alone: bool) -> Iterator[Record | None]:
    """The records of submissions, in their order; None for one that has to be graded again, alone."""
    for graded in grader.grade([submission(handed, work.lesson) for handed in chunk], alone):
        yield None if graded.waited and not alone else record(graded, work.tier)


def record(graded: Graded, tier: str, otherwise: Outcome = Outcome.REFUSED) -> Record:
    """A result as JSON values.  otherwise: the outcome of a submission that has no marks."""
    one = graded.submission
    exercises = [] if one.lesson is None else [e for e in one.lesson.exercises if e.kind != "predict"]
    marks = {e.id: graded.marks.get(e.id) or Mark(otherwise) for e in exercises}
    return {
        "id": one.handed.id,
        "student": one.handed.student,
        "name": one.handed.name,
        "lesson": one.lesson and one.lesson.name,
        "tier": tier,
        "outcome": str(otherwise) if one.refused else "graded",
        "refused": one.refused,
        "notes": one.notes,
        "same": graded.same,
        "score": sum(m.points for m in marks.values()),
        "max_score": sum(e.points for e in exercises),
        "exercises": [
            {
                "id": e.id,
                "title": e.title,
                "outcome": str(marks[e.id].outcome),
                "points": marks[e.id].points,
                "of": e.points,
                "mistake": marks[e.id].mistake,
                "message": marks[e.id].message,
                "printed": marks[e.id].printed,
                "seconds": round(marks[e.id].seconds, 3),
            }
            for e in exercises
        ],
    }
