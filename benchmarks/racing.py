"""Programs that learn in turns: each in a process of its own, and only one of them works at a time.

A machine's speed drifts, by a factor of two within an hour on some.  So a long run is cut into slices of some
seconds, which all programs get in turn: all see the same machine, and a program's clock stands while others
work.
"""

import multiprocessing
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from unittest import mock

import torch
from torch import Tensor, nn

from minigen.computer import taken

SLICE = 10.0  # seconds of work in one turn
PLAIN = {"TQDM_DISABLE": "1", "ACCELERATE_USE_CPU": "1"}  # no bars, and no GPU that some would take unasked
PAUSE = 0.3  # between two turns: threads of the one before still spin, waiting for more of its work


class Learner(ABC):
    """A program that learns from images and draws new ones.

    networks: those whose weights it learns.  batch: images that a step learns from.
    """

    networks: tuple[nn.Module, ...] = ()
    batch = 1

    @abstractmethod
    def step(self, share: float) -> bool:
        """One step of its training; False if none is left.  share: of its time that is gone."""

    @abstractmethod
    def draw(self, n: int) -> Tensor:
        """n images (n, C, H, W) in [-1, 1], by the sampler that the program recommends."""

    def parameters(self) -> int:
        """How many numbers it learns."""
        return sum(p.numel() for network in self.networks for p in network.parameters())


class Turn:
    """A learner in a process of its own, which works only when it is told to.

    make: makes the learner, in that process; this is not counted.  seconds: what it may learn for.
    warm: steps that it takes before, which are not counted either.
    """

    def __init__(self, name: str, make: Callable[[], Learner], seconds: float, threads: int, warm: int):
        self.name, self.seconds, self.done = name, seconds, False
        self.slices: list[tuple[float, int]] = []  # seconds and steps of each turn
        self.megabytes = self.held = 0.0  # of memory: the most that learning took, and the most of all
        self.here, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=_work, args=(there, make, seconds, threads, warm), daemon=True)
        with mock.patch.dict(os.environ, OMP_NUM_THREADS=str(threads), **PLAIN):
            self.process.start()
        there.close()
        self.parameters, self.batch = self._answer()

    def _answer(self):
        """What the process sends; a RuntimeError that names the program when it has ended instead."""
        try:
            return self.here.recv()
        except EOFError:
            raise RuntimeError(f"{self.name} has failed; what it said stands above") from None

    def learn(self) -> None:
        """One slice of its training."""
        time.sleep(PAUSE)
        self.here.send(("learn", min(SLICE, self.seconds - self.used)))
        seconds, steps, self.done, self.megabytes, self.held = self._answer()
        self.slices.append((seconds, steps))
        self.done = self.done or self.used >= self.seconds

    @property
    def used(self) -> float:
        """Seconds that it has learned for."""
        return sum(seconds for seconds, _ in self.slices)

    @property
    def steps(self) -> int:
        """Steps that it has taken."""
        return sum(steps for _, steps in self.slices)

    def draw(self, n: int) -> tuple[Tensor, float]:
        """n images, and the seconds for them."""
        time.sleep(PAUSE)
        self.here.send(("draw", n))
        images, seconds = self._answer()
        return torch.from_numpy(images), seconds

    def close(self) -> None:
        self.here.close()
        self.process.join(10)
        self.process.kill()


@contextmanager
def together(
    learners: dict[str, Callable[[], Learner]], seconds: float, threads: int, warm: int = 0
) -> Iterator[list[Turn]]:
    """Learners that have all learned for the same time, in turn."""
    with ExitStack() as stack:
        turns = []
        for name, make in learners.items():
            turns.append(Turn(name, make, seconds, threads, warm))
            stack.callback(turns[-1].close)
        while at_work := [turn for turn in turns if not turn.done]:
            for turn in at_work:
                turn.learn()
        yield turns


def _work(there: Connection, make: Callable[[], Learner], seconds: float, threads: int, warm: int) -> None:
    """What the process of a learner does."""
    torch.set_num_threads(threads)
    learner, used = make(), 0.0
    before = taken("VmRSS")
    for _ in range(warm):
        learner.step(0.0)
    there.send((learner.parameters(), learner.batch))
    while True:
        try:
            what, amount = there.recv()
        except EOFError:  # nobody asks any more
            return
        start = time.perf_counter()
        if what == "draw":
            images = learner.draw(amount).float().clamp(-1, 1).contiguous().numpy()
            there.send((images, time.perf_counter() - start))
            continue
        steps, goes_on, now = 0, True, start
        while goes_on and now - start < amount:
            goes_on = learner.step((used + now - start) / seconds)
            steps, now = steps + goes_on, time.perf_counter()
        used += now - start
        most = taken("VmHWM")
        there.send((now - start, steps, not goes_on, most - before, most))
