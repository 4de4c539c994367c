"""Processes of this machine that grade.  Light to import, so that they begin while a command still reads.

A fork server imports what all of them need, once; each is a fork of it with a sandbox of its own.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from minigen import computer

if TYPE_CHECKING:
    from minigen.grade.batch import Chunk, Result, Work

TOGETHER = 16  # submissions that one process gets at a time: they share the preparation of each exercise
OWN = 700  # MB that a process and its sandbox take before any code of a learner


def warm_up() -> None:
    """Starts the fork server, which begins to import; returns at once."""
    if "forkserver" in multiprocessing.get_all_start_methods():  # else there is no sandbox either
        from multiprocessing import forkserver

        multiprocessing.set_forkserver_preload(["minigen.grade.batch"])
        forkserver.ensure_running()


def processes(asked: int | None, memory: int) -> int:
    """How many: one a core unless asked, and never more than the memory (MB a run) is enough for."""
    size = computer.memory()
    most = max(1, int(size / 2**20 / (memory + OWN)))
    if asked is not None and asked > most:
        said = f"each may use {memory + OWN:,} MB, and this machine has {size / 2**20:,.0f} MB"
        raise ValueError(f"--jobs {asked} is too many ({said}); give a smaller --jobs or --memory")
    return asked or min(most, computer.cores())


@dataclass
class Worker:
    """A process that grades, and the keys of what it is at.  ready: whether it has said anything yet."""

    process: Any
    pipe: Connection
    keys: list[str] = field(default_factory=list)
    ready: bool = False


class Local:
    """At most `jobs` processes, started when there is work for them.  A `Pool` of `batch`."""

    together = TOGETHER

    def __init__(self, work: "Work", jobs: int):
        self.work, self.jobs = work, jobs
        self._idle: list[Worker] = []
        self._busy: dict[Connection, Worker] = {}

    def grade(self, chunks: "Iterable[Chunk]", alone: bool) -> "Iterator[Result]":
        """Yields (key, record).  What a process had when it was killed is lost."""
        chunks, jobs = iter(chunks), 1 if alone else self.jobs
        while True:
            while len(self._busy) < jobs and (chunk := next(chunks, None)):
                self._give(chunk, alone)
            if not self._busy:
                return
            for pipe in wait(list(self._busy)):
                worker = self._busy[pipe]
                try:
                    position, found = pipe.recv()
                except (EOFError, OSError):
                    self._lost(worker)
                    continue
                worker.ready = True
                if position is None:
                    self._idle.append(self._busy.pop(pipe))
                else:
                    yield worker.keys[position], found

    def close(self) -> None:
        for worker in [*self._idle, *self._busy.values()]:
            worker.process.kill()
            worker.process.join()

    def __enter__(self) -> "Local":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _give(self, chunk: "Chunk", alone: bool) -> None:
        """Hands a chunk to a process. If that is dead already, the end of its pipe says so."""
        worker = self._idle.pop() if self._idle else _start(self.work)
        worker.keys, self._busy[worker.pipe] = [key for key, _ in chunk], worker
        with contextlib.suppress(OSError):
            worker.pipe.send((alone, [handed for _, handed in chunk]))

    def _lost(self, worker: Worker) -> None:
        del self._busy[worker.pipe]
        worker.process.join()
        if not worker.ready:  # so would the next one
            status = worker.process.exitcode
            raise RuntimeError(f"a process that grades ended as it started (status {status})")


def _start(work: "Work") -> Worker:
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, work), daemon=True)
    process.start()
    theirs.close()
    return Worker(process, ours)


def _work(pipe: Connection, work: "Work") -> None:
    """In a process of its own: grades chunks until it is killed; after each, it sends (None, None)."""
    from minigen.grade.batch import records
    from minigen.grade.grader import Grader

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    grader = Grader(work.secret, work.limits, work.tier)
    while True:
        alone, chunk = pipe.recv()
        for position, found in enumerate(records(grader, work, chunk, alone)):
            pipe.send((position, found))
        pipe.send((None, None))


def _end_with_parent() -> None:
    """When the command is killed, nobody wants the results, and the sandbox has to end too."""
    multiprocessing.parent_process().join()
    os._exit(1)
