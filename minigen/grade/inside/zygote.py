"""The process that imports what a run needs once, and forks a process for each run.

It reads tasks and runs from its standard input and answers on its standard output, and never runs a learner's
code itself. A task (one exercise) is prepared in a fork, which then forks again for each run: so neither
another exercise's library nor another learner's run is anywhere in the memory of a run.
"""

import contextlib
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import select
import signal
import struct
import sys
import time
from typing import Any

from . import frame, trial, wall

TICK = 0.03  # seconds between two looks at what a run uses
PAGE = os.sysconf("SC_PAGE_SIZE")
CLOCK = os.sysconf("SC_CLK_TCK")
ENDED, CLOCK_OVER, CPU_OVER, MEMORY_OVER, OUTPUT_OVER, NO_WALL = range(6)  # how a run ended, as seen here
HEAD = "<Bbff"  # before what a run said: how it ended, its exit status, processor seconds, seconds


def main(tier: str) -> None:
    """Serves until its input ends."""
    control, out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in 0, 1, 2:
        os.dup2(nothing, stream)
    program = _receive(control)  # of seccomp: libseccomp is not in here
    _warm_up()
    wall.adopt_orphans()
    tried = _run(lambda: frame.Frame(frame.Status.VALUES), tier, wall.Limits(), program, ())
    _send(out, b"ready" if tried[0] == ENDED else tried)  # an empty run: the wall stands, or why not
    while message := _receive(control):
        task = json.loads(message)
        for name in task["foreign"]:  # here, where the next exercise finds them too
            with contextlib.suppress(ImportError):  # who needs it says so
                importlib.import_module(name)
        if child := os.fork():
            os.waitpid(child, 0)
        else:
            wall.adopt_orphans()
            _serve(task, tier, program, control, out)
            os._exit(0)


def _warm_up() -> None:
    """Imports, and does once what torch does at first use: a run has no files to read for it."""
    import numpy  # noqa: F401
    import torch
    from IPython.core.inputtransformer2 import TransformerManager  # noqa: F401

    torch.set_num_threads(1)
    layer = torch.nn.Conv2d(1, 2, 3)
    outputs = layer(torch.randn(1, 1, 8, 8))
    torch.autograd.grad([outputs], [layer.weight], [torch.ones_like(outputs)])  # imports sympy and more
    torch.linalg.eigh(torch.eye(3, dtype=torch.float64))
    torch.distributions.Normal(0.0, 1.0).sample()


def _serve(task: dict[str, Any], tier: str, program: bytes, control: int, out: int) -> None:
    """All runs of one exercise, until an empty message."""
    sys.meta_path.insert(0, Sources(task["sources"], task["module"], task["id"]))
    try:
        prepared = trial.prepare(task)
    except Exception as error:  # of our own code, which a test of all exercises would have seen
        _send(out, f"{type(error).__name__}: {error}".encode())
        return
    _send(out, b"prepared")
    while message := _receive(control):
        job = json.loads(message)
        limits = wall.Limits(**job["limits"])
        work = functools.partial(trial.attempt, prepared, job)
        _send(out, _run(work, tier, limits, program, (control, out)))


class Sources(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports modules from a table {name: source}, which is all there is of minigen here.

    module, name: where the answer was; who asks for it is given something else.
    """

    def __init__(self, sources: dict[str, str], module: str, name: str):
        self._sources, self._module, self._name = sources, module, name

    def find_spec(self, name, path=None, target=None):
        if name not in self._sources:
            return None
        package = any(other.startswith(f"{name}.") for other in self._sources)
        return importlib.machinery.ModuleSpec(name, self, origin=f"<{name}>", is_package=package)

    def exec_module(self, module):
        name = module.__spec__.name
        module.__file__ = f"/library/{name}.py"  # where nothing is
        exec(compile(self._sources[name], f"<{name}>", "exec"), vars(module))
        if name == self._module:
            module.__getattr__ = self._absent

    def _absent(self, name: str) -> Any:
        if name == self._name:
            return trial.Theirs()
        raise AttributeError(f"module {self._module!r} has no attribute {name!r}")


def _run(work, tier: str, limits: wall.Limits, program: bytes, closed: tuple[int, ...]) -> bytes:
    """Runs `work()`, which gives a frame, behind the inner wall; returns how it ended and what it said."""
    output, results = os.pipe()
    known, tell = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        for descriptor in (output, known, *closed):
            os.close(descriptor)
        _behind_the_wall(work, tier, limits, program, tell, results)
    os.close(results), os.close(tell)
    first = struct.unpack("<i", _exactly(known, 4) or b"\0\0\0\0")[0]  # the first process behind the wall
    stands = _exactly(known, 1) == b"!"
    os.close(known)
    ended, cpu, said = _watched(child, output, limits, start)
    os.close(output)
    _kill(first or child)  # all behind the wall die with the first; the child, which waits for it, then ends
    _, status = os.waitpid(child, 0)
    if tier == "uid":
        wall.end_all_of(wall.user_of(os.getpid()))
    code = os.waitstatus_to_exitcode(status)
    ended = ended if stands else NO_WALL
    head = struct.pack(HEAD, ended, max(-127, min(127, code)), cpu, time.monotonic() - start)
    return head + (said if ended in (ENDED, NO_WALL) else b"")


def _behind_the_wall(work, tier: str, limits: wall.Limits, program: bytes, tell: int, results: int) -> None:
    """In the fork: does the work and writes its frame.  Never returns."""
    try:
        wall.enter(tier, limits, program, tell)
        said = frame.encode(work())
    except MemoryError:
        said = frame.encode(frame.Frame(frame.Status.OUT_OF_MEMORY))
    except BaseException as error:
        said = frame.encode(frame.Frame(frame.Status.RAISED, message=f"{type(error).__name__}: {error}"))
    try:
        while said:
            said = said[os.write(results, said) :]
    finally:
        os._exit(0)  # also where the pipe is closed: nothing of the zygote's goes on in here


def _watched(child: int, output: int, limits: wall.Limits, start: float) -> tuple[int, float, bytes]:
    """Waits for the end of a run or of a limit: how it ended, the processor seconds, what it said."""
    own, said, cpu = _private(os.getpid()), bytearray(), 0.0
    while True:
        if select.select([output], [], [], TICK)[0]:
            part = os.read(output, 1 << 16)
            if not part:
                return ENDED, cpu, bytes(said)
            said += part
        elif _has_ended(child):  # and others, which it started, keep its pipe open
            return ENDED, cpu, bytes(said)
        used, memory = _used(child, own)
        cpu = max(cpu, used)
        for over, ended in (
            (len(said) > limits.output, OUTPUT_OVER),
            (memory > limits.memory * wall.MB, MEMORY_OVER),
            (cpu > limits.cpu, CPU_OVER),
            (time.monotonic() - start > limits.seconds, CLOCK_OVER),
        ):
            if over:
                return ended, cpu, b""


def _has_ended(child: int) -> bool:
    look = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return hasattr(os, "waitid") and os.waitid(os.P_PID, child, look) is not None


def _used(root: int, own: int) -> tuple[float, int]:
    """Processor seconds and bytes of memory of a process and all that come from it.

    own: bytes that each of them shares with this process, as long as it does not write to them.
    """
    parents, table = {}, {}
    for name in os.listdir("/proc") if os.path.exists("/proc") else ():
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(name)], table[int(name)] = int(fields[1]), fields
    family, found = {root}, True
    while found:
        found = {p for p, parent in parents.items() if parent in family} - family
        family |= found
    cpu = sum(sum(map(int, table[p][11:15])) for p in family if p in table) / CLOCK
    return cpu, sum(max(0, _private(p) - own) for p in family)


def _private(process: int) -> int:
    """Bytes of anonymous and shared memory that a process has in use."""
    try:
        with open(f"/proc/{process}/status", encoding="utf-8", errors="replace") as file:
            lines = dict(line.split(":", 1) for line in file if line.startswith(("RssAnon", "RssShmem")))
    except OSError:
        return 0
    return 1024 * sum(int(value.split()[0]) for value in lines.values())


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _receive(descriptor: int) -> bytes:
    """One message; empty at the end of the input."""
    size = _exactly(descriptor, 4)
    return _exactly(descriptor, struct.unpack("<I", size)[0]) if size else b""


def _exactly(descriptor: int, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = os.read(descriptor, size - len(parts))
        if not part:
            return b""
        parts += part
    return bytes(parts)


def _send(descriptor: int, message: bytes) -> None:
    message = struct.pack("<I", len(message)) + message
    while message:
        message = message[os.write(descriptor, message) :]
