"""Runs an attack without the protections that stop it, in a machine that is made to be harmed."""

import json
import secrets
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import judges

from minigen.course.catalogue import find
from minigen.course.script import LESSONS, SOLUTIONS
from minigen.grade import strip, tiers
from minigen.grade.inside.wall import Limits
from minigen.grade.inside.zygote import HEAD
from minigen.grade.mark import Outcome, mark, seeds
from minigen.grade.sandbox import Ended
from minigen.grade.task import task

HERE = Path(__file__).parent
SECRET = b"of the attacks"
TARGET = find("reparameterize")
LIMITS = Limits(seconds=1, cpu=0.7, memory=150, disk=8, processes=16, output=1 << 20)
HARMLESS = "def reparameterize(mu, logvar, eps):\n    return mu.sum()\n"  # wrong, and honest about it
UNWRITTEN = "def reparameterize(mu, logvar, eps):\n    raise NotImplementedError\n"
LATE, PATIENCE = 2.0, 15.0  # seconds to wait for a run that may never end, and for one that will
MORE = ("nbformat", "pytest")  # what the naive judges and readers need, and the grader's sandbox has not


@dataclass
class Case:
    """A hostile answer: what stands at the head of its file, and the file."""

    name: str
    source: str
    told: dict[str, str] = field(default_factory=dict)

    @property
    def off(self) -> list[str]:
        return self.told["protections"].split(", ")

    @property
    def canary(self) -> tuple[str, str]:
        """What success is, and of what."""
        kind, _, what = self.told["canary"].partition(" ")
        return kind, what


def case(path: Path) -> Case:
    """The case in a file."""
    source = path.read_text(encoding="utf-8")
    head = [line[2:].split(": ", 1) for line in source.splitlines() if line.startswith("# ") and ": " in line]
    return Case(path.stem, source, {key: value for key, value in head[:6]})


def notebook(solved: bool) -> dict:
    """A small notebook of lesson 00, solved or as a learner gets it: its cells of code, without outputs."""
    made = json.loads(((SOLUTIONS if solved else LESSONS) / "00_start_here.ipynb").read_bytes())
    code = [cell for cell in made["cells"] if cell["cell_type"] == "code"]
    return made | {"cells": [cell | {"outputs": []} for cell in code]}


class Machines:
    """The disposable sandbox: a machine for each run."""

    def __init__(self):
        command, places = tiers._bwrap, tiers._places

        def open_root(stage: Path, code: str) -> tuple[list[str], dict[str, str]]:
            """The grader's own command, but the root folder, which is in memory, can be written to."""
            made, environment = command(stage, code)
            cut = next(i for i in range(len(made)) if made[i : i + 2] == ["--remount-ro", "/"])
            return made[:cut] + made[cut + 2 :], environment

        with (
            mock.patch.object(tiers, "_bwrap", open_root),
            mock.patch.object(tiers, "_places", lambda: places() | {"/grader/attacks": HERE}),
            mock.patch.object(tiers, "RUNTIME", [*tiers.RUNTIME, *MORE]),
        ):
            self._start = tiers.Start("bwrap", "from attacks.machine import serve; serve()")
        self._process = self._start.process
        self._send({"stripped": _stripped(), "whole": _whole(), "all": _everything()})
        if (said := self._process.stdout.readline()) != b"ready\n":
            raise RuntimeError(f"no machine: {said}{self._process.stderr.read()}")
        self._program = tiers.program("bwrap").hex()

    def run(self, source: str, off: list[str], **more: Any) -> dict:
        """What became of a machine in which an answer ran without some protections."""
        drawn = seeds(SECRET, TARGET)
        request = {
            "off": off, "token": secrets.token_hex(8),
            "program": self._program, "library": _library(off, more),
            "job": {"source": source, "others": [], "seeds": drawn}, "limits": asdict(LIMITS),
            "files": _files() if "binds" in off else {}, "path": "/nothing",
            "judge": "", "reader": "", "submission": "",
            "patience": LATE if {"clock", "kill"} & set(off) else PATIENCE,
        } | more  # fmt: skip
        return self.ask(request)

    def ask(self, request: dict) -> dict:
        self._send(request)
        seen = json.loads(self._process.stdout.readline())
        if "broken" in seen:
            raise RuntimeError(seen["broken"])
        seen["said"] = bytes.fromhex(seen.get("said", ""))
        return seen

    def _send(self, message: dict) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[self._process.stdin.write(data) :]

    def close(self) -> None:
        self._start.close()


def succeeds(machines: Machines, attack: Case, source: str | None = None) -> tuple[bool, dict]:
    """Whether an attack, or another source in its place, does what its canary says; and all that was seen."""
    kind, what = attack.canary
    more = {"judge": {"judge": what}, "reader": {"reader": what}, "file": {"path": what}}.get(kind, {})
    limits = LIMITS if kind in ("late", "alive") else replace(LIMITS, seconds=8, cpu=4)
    seen = machines.run(source or attack.source, attack.off, limits=asdict(limits), **more)
    return SUCCESS[kind](seen, what), seen


def harms(machines: Machines, attack: Case, source: str | None = None) -> bool:
    """Whether a hostile submission, or another in its place, harms a reader who is less careful."""
    both = {"solved": notebook(True), "untouched": notebook(False)}
    reader = attack.told["canary"]
    return machines.run("", [], submission=source or attack.source, reader=reader, **both)["harmed"]


def _library(off: list[str], more: dict[str, Any]) -> str:
    """Which sources a run finds: without the answer, with it, or all that the course is made of."""
    if "strip" in off and "binds" in off:
        return "all"
    return "whole" if "strip" in off or more.get("judge") else "stripped"


def _stripped() -> dict:
    return task(TARGET, seeds(SECRET, TARGET))


def _whole() -> dict:
    return _stripped() | {"sources": strip.sources()}


def _everything() -> dict:
    folder, sources = strip.PACKAGE, {}
    for path in folder.rglob("*.py"):
        name = ".".join(("minigen", *path.relative_to(folder).with_suffix("").parts))
        sources[name.removesuffix(".__init__")] = path.read_text(encoding="utf-8")
    return _stripped() | {"sources": sources}


def _files() -> dict[str, str]:
    """What a careless grader leaves where a run can read it."""
    solved = json.loads((SOLUTIONS / f"{TARGET.lesson}.ipynb").read_bytes())
    cells = [{"source": cell["source"]} for cell in solved["cells"]]
    return {
        "/home/minigen/vae.py": (strip.PACKAGE / "vae.py").read_text(encoding="utf-8"),
        "/home/site/minigen-1.dist-info/METADATA": "Name: minigen\nVersion: 1\n",
        "/home/site/minigen-1.dist-info/direct_url.json": '{"url": "file:///home/TOKEN"}',
        "/home/secret": "TOKEN",
        "/solutions/13_vae.ipynb": json.dumps({"cells": cells}),
    }


def _ended(seen: dict) -> Ended:
    size = struct.calcsize(HEAD)
    return Ended(*struct.unpack(HEAD, seen["said"][:size].ljust(size, b"\0")), seen["said"][size:])


def _right(seen: dict, _: str) -> bool:
    ended = _ended(seen)
    return mark(TARGET, seeds(SECRET, TARGET), ended, "").outcome == Outcome.RIGHT


def _points(seen: dict, judge: str) -> bool:
    ended = _ended(seen)
    return len(seen["said"]) > 0 and judges.believed(judge, ended.said, ended.code)


SUCCESS: dict[str, Callable[[dict, str], bool]] = {
    "right": _right,  # by the real mark
    "judge": _points,  # by a naive one
    "reader": lambda seen, _: seen["harmed"],
    "secret": lambda seen, _: seen["secret"],
    "says": lambda seen, what: what.encode() in seen["said"],
    "forged": lambda seen, _: seen["said"].startswith(b"forged"),
    "file": lambda seen, _: seen["changed"],
    "collected": lambda seen, what: seen["collected"] == what,
    "knock": lambda seen, _: seen["knocks"] > 0,
    "killed": lambda seen, _: seen["ended"] is not None and not seen["said"],
    "alive": lambda seen, _: seen["alive"] > 0,
    "late": lambda seen, _: seen["late"],
    "memory": lambda seen, _: seen["memory"] > 1.4 * LIMITS.memory * 2**20,
    "processes": lambda seen, _: seen["processes"] > 1.4 * LIMITS.processes,
    "disk": lambda seen, _: seen["disk"] > 1.4 * LIMITS.disk * 2**20,
    "files": lambda seen, _: seen["count"] > 1500,
    "mounted": lambda seen, _: seen["mounted"] > 0,
    "hostname": lambda seen, _: seen["hostname"] == "taken",
    "segments": lambda seen, _: seen["segments"] > 0,
    "locked": lambda seen, _: seen["locked"],
    "pinned": lambda seen, _: seen["cores"] == 1,
    "slowed": lambda seen, _: seen["nice"] == 19,
    "crippled": lambda seen, _: b"broken OSError: [Errno 24]" in seen["said"],
}
