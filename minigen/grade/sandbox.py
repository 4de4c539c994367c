"""A sandbox, as the grader sees it: runs go in, and what became of them comes out."""

import json
import os
import select
import struct
import time
from dataclasses import asdict, dataclass
from typing import Any

from minigen.grade.inside.frame import Malformed, decode
from minigen.grade.inside.wall import Limits
from minigen.grade.inside.zygote import HEAD, NO_WALL
from minigen.grade.tiers import SERVE, NoSandbox, Start, no_sandbox, program

START = 120.0  # seconds that a sandbox may take to be ready


class Broken(RuntimeError):
    """The sandbox ended, or does not answer."""


class NotRun(Broken):
    """It broke before any code of a learner was in it."""


@dataclass(frozen=True)
class Ended:
    """How one run ended, as the zygote saw it, and the bytes that it said."""

    how: int
    code: int
    cpu: float
    seconds: float
    said: bytes

    @property
    def reason(self) -> str:
        """What our own code says where no learner's code was run."""
        try:
            return decode(self.said, 0).message
        except Malformed:
            return f"its process ended with status {self.code}"


class Sandbox:
    """One sandbox, in which answers are run one after the other.  It starts at once, and is awaited later."""

    def __init__(self, limits: Limits | None = None, tier: str = "bwrap", code: str = SERVE):
        self.limits, self.tier = limits or Limits(), tier
        self._task: dict[str, Any] | None = None
        self._ready = False
        self._start = Start(tier, code)
        self.process = self._start.process
        self._send(program(tier))

    def ready(self) -> None:
        """Waits until it stands.  Raises NoSandbox when it does not: the first run of all was a try."""
        if self._ready:
            return
        try:
            said = self._receive(START)
        except Broken as error:
            self.process.kill()
            wrong = self.process.stderr.read(2000).decode(errors="replace") or str(error)
            self.close()
            raise NoSandbox(no_sandbox(self.tier, wrong)) from error
        if said != b"ready":
            self.close()
            raise NoSandbox(no_sandbox(self.tier, _ended(said).reason))
        self._ready = True

    def prepare(self, task: dict[str, Any] | None) -> None:
        """Makes the sandbox ready for answers to one exercise; None ends the one before."""
        self.ready()
        if task is self._task:
            return
        if self._task is not None:
            self._send(b"")
        self._task = None
        if task is not None:
            self._send(json.dumps(task).encode())
            if (said := self._receive(START)) != b"prepared":
                raise NotRun(f"exercise {task['id']} could not be prepared: {said.decode(errors='replace')}")
            self._task = task

    def run(self, job: dict[str, Any], limits: Limits | None = None) -> Ended:
        """One run of one answer.

        Raises Broken when the sandbox did not survive it, NotRun when nothing of the learner's was run.
        """
        limits = limits or self.limits
        self._send(json.dumps(job | {"limits": asdict(limits)}).encode())
        answer = self._receive(limits.seconds + START, limits.output + 64)
        ended = _ended(answer)
        if ended.how == NO_WALL:
            raise NotRun(f"the inner wall could not be built: {ended.reason}")
        return ended

    def close(self) -> None:
        """Ends the sandbox and all that is in it."""
        self._start.close()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, message: bytes) -> None:
        data = struct.pack("<I", len(message)) + message
        try:
            while data:
                data = data[os.write(self.process.stdin.fileno(), data) :]
        except (OSError, ValueError) as error:
            raise NotRun("the sandbox has ended") from error

    def _receive(self, seconds: float, most: int = 1 << 20) -> bytes:
        end = time.monotonic() + seconds
        (size,) = struct.unpack("<I", self._exactly(4, end))
        if size > most:
            raise Broken(f"the sandbox announced {size:,} bytes")
        return self._exactly(size, end)

    def _exactly(self, size: int, end: float) -> bytes:
        parts, descriptor = bytearray(), self.process.stdout.fileno()
        while len(parts) < size:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
            part = os.read(descriptor, size - len(parts)) if ready else b""
            if not part:
                raise Broken("the sandbox has ended" if ready else "the sandbox does not answer")
            parts += part
        return bytes(parts)


def _ended(answer: bytes) -> Ended:
    return Ended(*struct.unpack_from(HEAD, answer), answer[struct.calcsize(HEAD) :])
