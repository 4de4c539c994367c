"""The grader's protections, by name: what each is, and how the canary tests do without it.

Only the tests do: the grader itself has no switch for any of them.
"""

import dataclasses
import functools
import io
import os
import resource
import struct
from typing import Any

NAMES = {
    "seccomp": "the calls to the kernel that a run may make",
    "namespaces": "namespaces of its own: of users, processes, networks and the rest",
    "processes": "a namespace of processes",
    "network": "a namespace of networks",
    "/proc": "nothing is seen of processes",
    "earlier files": "a work folder of its own, and nothing where others could leave something",
    "disk": "a work folder of its own, of a size",
    "files": "a work folder of its own, for so many files",
    "capabilities": "no capability",
    "session": "a session of its own",
    "address space": "the limit of the address space",
    "cpu time": "the kernel's limit of computing",
    "file size": "the limit of a file",
    "number of processes": "the limit of processes",
    "locked memory": "the limit of memory that cannot be moved",
    "core": "no memory image of a crash is written",
    "clock": "the limit on the clock, kept outside",
    "cpu": "the limit of computing of all processes, kept outside",
    "memory": "the limit of memory of all processes, kept outside",
    "output": "the limit of what a run says",
    "printed": "the limit of what is printed",
    "kill": "all that is left of a run is killed from outside",
    "fork": "a process of its own for each run",
    "descriptors": "nothing is open in a run but its own pipe",
    "environment": "an empty environment",
    "binds": "only what a run needs is there: no repository, no solutions, no home, no other submission",
    "read-only": "what is there cannot be changed",
    "strip": "the answer is in no source that is there",
    "never in memory": "no answer and no secret was ever in the process",
    "outside": "numbers are compared outside, where no code of a learner runs",
    "seeds": "nobody knows the inputs before",
    "all values": "every value that the probe gives is wanted, of the right type and shape, and finite",
    "frame": "a fixed form that is checked before anything is believed or allocated",
    "text": "what a stranger writes is shown as text",
    "reader limits": "a notebook is read by a process of its own, to a limit",
    "ordinary files": "only ordinary files are opened, without following links or waiting",
    "zip members": "a zip is read member by member, to a limit, and never unpacked",
    "no validation": "a notebook is not validated: nothing is looked at but the code cells",
    "our points": "lessons, points and check cells come from our own files",
    "our names": "files are named by us",
}
SPACES = {"processes": "pid", "network": "net"}
RESOURCES = {
    "address space": "AS", "cpu time": "CPU", "file size": "FSIZE", "number of processes": "NPROC",
    "core": "CORE",
    "locked memory": "MEMLOCK",
}  # fmt: skip
WATCHED = {"clock": "seconds", "cpu": "cpu", "memory": "memory", "output": "output"}


def run_without(request: dict[str, Any], prepared: Any, told: int) -> bytes:
    """One run of an answer without the protections in request["off"]; what the zygote would send."""
    from attacks import judges
    from inside import frame, trial, wall, zygote

    off = set(request["off"])
    _wall(off, wall)
    _watch(off, zygote)
    if "printed" in off:
        from minigen.probing import outputs

        outputs.Capped.write = io.StringIO.write
    if request["judge"]:
        zygote._behind_the_wall = functools.partial(judges.run, request["judge"], prepared, request["job"])
    work = functools.partial(trial.attempt, prepared, request["job"])
    if "fork" in off:
        return struct.pack(zygote.HEAD, 0, 0, 0, 0) + frame.encode(work())
    closed = () if "descriptors" in off else (told,)
    program = bytes.fromhex(request["program"])
    return zygote._run(work, "bwrap", wall.Limits(**request["limits"]), program, closed)


def nothing(*_: Any, **__: Any) -> None:
    """Stands in the place of a protection."""


def _wall(off: set[str], wall: Any) -> None:
    """Takes away what a run does to itself."""
    for name, function in (
        ("namespaces", "new_namespaces"),
        ("capabilities", "drop_capabilities"),
        ("seccomp", "filter_calls"),
        ("kill", "die_with_parent"),
    ):
        if name in off:
            setattr(wall, function, nothing)
    if "namespaces" in off:
        wall.new_mounts = nothing  # it would cover what is there for all
    for name, space in SPACES.items():
        if name in off:
            del wall.NEW[space]
    if "session" in off:
        os.setsid = nothing
    lower, mount = wall._lower, wall._mount
    kept = {getattr(resource, f"RLIMIT_{RESOURCES[name]}") for name in RESOURCES if name in off}

    def lowered(what: int, value: int) -> None:
        if what not in kept:
            lower(what, value)
        elif what == resource.RLIMIT_CORE:
            resource.setrlimit(what, (1 << 24, 1 << 24))

    def mounted(source: Any, target: str, kind: Any, flags: int, options: str | None = None) -> None:
        if target == "/proc" and "/proc" in off:
            return
        if target in (wall.WORK, "/tmp", "/dev/shm", "/dev") and "earlier files" in off:
            return
        if target == wall.WORK and off & {"disk", "files"}:
            return
        mount(source, target, kind, flags, options)

    wall._lower, wall._mount = lowered, mounted


def _watch(off: set[str], zygote: Any) -> None:
    """Takes away what the zygote looks after."""
    watched, endless = zygote._watched, {f: 1 << 40 for n, f in WATCHED.items() if n in off}

    def patient(child: int, output: int, limits: Any, start: float, *more: Any) -> Any:
        return watched(child, output, dataclasses.replace(limits, **endless), start, *more)

    zygote._watched = patient
    if "kill" in off:
        zygote._kill = nothing
