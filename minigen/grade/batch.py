"""A batch: every submission graded once, by several processes, whatever one of them or a submission does."""

import contextlib
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from minigen.grade.gradebook import Gradebook, key
from minigen.grade.grader import TRIES, Graded, Grader
from minigen.grade.inside.wall import Limits
from minigen.grade.mark import Mark, Outcome
from minigen.grade.sandbox import TIER
from minigen.grade.submission import Handed, handed_in, submission

TOGETHER = 16  # submissions that one process gets at a time: they share the preparation of each exercise

Chunk = list[tuple[str, Handed]]  # (key, what was handed in)


@dataclass
class Worker:
    """A process that grades, and what it is at."""

    process: Any
    pipe: Connection
    chunk: Chunk = field(default_factory=list)

    def give(self, chunk: Chunk) -> None:
        """Hands it a chunk; an empty one ends it. If it is dead already, the end of its pipe says so."""
        self.chunk = chunk
        with contextlib.suppress(OSError):
            self.pipe.send([handed for _, handed in chunk])


def grade(
    path: Path, book: Gradebook, jobs: int, lesson: str | None, limits: Limits,
    done: Callable[[], None] = lambda: None,
) -> list[str]:  # fmt: skip
    """Grades what is not in the gradebook yet; returns the keys of all submissions, in order.

    done: called once for each submission when its result is kept.
    """
    keys: list[str] = []
    waiting, tries = _chunks(path, book, lesson, limits, keys, done), {}
    again: deque[Chunk] = deque()
    workers: dict[Connection, Worker] = {}
    try:
        while True:
            while len(workers) < jobs and (chunk := again.popleft() if again else next(waiting, None)):
                worker = _start(book.secret, lesson, limits)
                workers[worker.pipe] = worker
                worker.give(chunk)
            if not workers:
                return keys
            for pipe in wait(list(workers)):
                worker = workers[pipe]
                try:
                    position, record = pipe.recv()
                except (EOFError, OSError):  # it was killed: what it had not finished is given to another
                    del workers[pipe]
                    worker.process.join()
                    _retry(worker.chunk, tries, again, book, done)
                    continue
                if record is None:
                    chunk = again.popleft() if again else next(waiting, None)
                    if chunk is None:
                        del workers[pipe]
                        worker.give([])
                        worker.process.join()
                    else:
                        worker.give(chunk)
                    continue
                book.add(worker.chunk[position][0], record)
                done()
    finally:
        for worker in workers.values():
            worker.process.kill()


def _chunks(
    path: Path, book: Gradebook, lesson: str | None, limits: Limits, keys: list[str], done: Callable[[], None]
) -> Iterator[Chunk]:
    chunk: Chunk = []
    for handed in handed_in(path):
        keys.append(key(handed, lesson, limits, TIER))
        if keys[-1] in book:
            done()
            continue
        chunk.append((keys[-1], handed))
        if len(chunk) == TOGETHER:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _retry(
    chunk: Chunk, tries: dict[str, int], again: deque[Chunk], book: Gradebook, done: Callable[[], None]
) -> None:
    """Each submission of a chunk that was lost comes again alone, until it has been lost too often."""
    for name, handed in chunk:
        if name in book:
            continue
        tries[name] = tries.get(name, 0) + 1
        if tries[name] < TRIES:
            again.append([(name, handed)])
        else:
            lost = Graded(submission(Handed(handed.student, handed.name, refused="its grader was killed")))
            book.add(name, record(lost, Outcome.INFRASTRUCTURE))
            done()


def _start(secret: bytes, lesson: str | None, limits: Limits) -> Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, secret, lesson, limits), daemon=True)
    process.start()
    theirs.close()
    return Worker(process, ours)


def _work(pipe: Connection, secret: bytes, lesson: str | None, limits: Limits) -> None:
    """In a process of its own: grades chunks until an empty one comes; after each, it sends (0, None)."""
    with Grader(secret, limits) as grader:
        while chunk := pipe.recv():
            read = [submission(handed, lesson) for handed in chunk]
            for position, graded in enumerate(grader.grade(read)):
                pipe.send((position, record(graded)))
            pipe.send((0, None))


def record(graded: Graded, otherwise: Outcome = Outcome.REFUSED) -> dict[str, Any]:
    """A result as JSON values.  otherwise: the outcome of a submission that has no marks."""
    one = graded.submission
    exercises = [] if one.lesson is None else [e for e in one.lesson.exercises if e.kind != "predict"]
    marks = {e.id: graded.marks.get(e.id) or Mark(otherwise) for e in exercises}
    return {
        "id": one.handed.id,
        "student": one.handed.student,
        "name": one.handed.name,
        "lesson": one.lesson and one.lesson.name,
        "outcome": str(otherwise) if one.refused else "graded",
        "refused": one.refused,
        "notes": one.notes,
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
