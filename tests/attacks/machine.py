"""Small machines to be harmed: the program that runs inside the disposable sandbox of the canary tests.

The sandbox is the grader's own outer wall. This program reads a request a line and makes a machine for each:
new namespaces, in which the first process plants what there is to steal, to reach and to break, starts a
zygote from which exactly the named protections are taken away, lets it run the attack, and looks what became
of everything. Then the machine ends, and all that is in it. Whatever an attack does is bounded by the
namespaces, by file systems in memory with a size, by the limits of `_caps`, by MEMORY and by time.
"""

import contextlib
import fcntl
import json
import linecache
import marshal
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, TextIO

from attacks import looks, protections, readers
from inside import trial, wall, zygote

READ_ONLY = ("/", "/home", "/results", "/solutions", "/victim")
PROCESSES, DISK = 200, 256 << 20  # that a machine may have at most; bytes of one file
REMOUNT = 32
SECRET = b"batch-" + b"secret="  # stands before a secret in memory; in two parts, or it would find this text


def serve() -> None:
    """A machine for each request, in a process that has prepared the exercise; until there are no more."""
    requests, answers = os.fdopen(os.dup(0)), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in 0, 1:
        os.dup2(nothing, stream)
    for folder in looks.FOLDERS:
        os.makedirs(folder, exist_ok=True)
    zygote._warm_up()
    tasks = json.loads(requests.readline())
    _write_all(answers, b"ready\n")
    kitchens = {}
    for line in requests:
        library = json.loads(line)["library"]
        if library not in kitchens:
            kitchens[library] = _kitchen(tasks[library], {requests.fileno(), answers})
        order, served = kitchens[library]
        order.write(line)
        order.flush()
        _write_all(answers, served.readline() or b'{"broken": "there is no more room for machines"}\n')


def _kitchen(task: dict, closed: set[int]) -> tuple[TextIO, BinaryIO]:
    """Starts a process that makes machines, in which one exercise is prepared; returns what leads to it."""
    (orders, order), (served, serve_out) = os.pipe(), os.pipe()
    if os.fork():
        os.close(orders), os.close(serve_out)
        return open(order, "w"), open(served, "rb")
    for descriptor in closed | {order, served}:
        os.close(descriptor)
    sys.meta_path.insert(0, Everywhere(task["sources"], task["module"], task["id"]))
    prepared = trial.prepare(task)
    with open(orders) as requests:
        for line in requests:
            _write_all(serve_out, _made(json.loads(line), prepared, {orders, serve_out}) + b"\n")
    os._exit(0)


class Everywhere(zygote.Sources):
    """The grader's importer, whose modules believe that they lie in a folder."""

    def exec_module(self, module: ModuleType) -> None:
        name = module.__spec__.name
        module.__file__ = f"/home/course/{name.replace('.', '/')}.py"
        text = self._sources[name]
        linecache.cache[module.__file__] = (len(text), None, text.splitlines(True), module.__file__)
        exec(compile(text, module.__file__, "exec"), vars(module))


def _made(request: dict, prepared: trial.Prepared, closed: set[int]) -> bytes:
    """What a machine says, as JSON, once it is no more."""
    output, result = os.pipe()
    if (starter := os.fork()) == 0:
        for descriptor in {output} | closed:
            os.close(descriptor)
        _starter(request, prepared, result)
    os.close(result)
    said = _until_closed(output, request["patience"] + 30)
    os.close(output)
    with contextlib.suppress(ProcessLookupError):
        os.kill(starter, signal.SIGKILL)
    os.waitpid(starter, 0)
    return said or b'{"broken": "the machine was lost"}'


def _starter(request: dict, prepared: trial.Prepared, result: int) -> None:
    """Enters new namespaces; a fork is the first process in them.  Never returns."""
    try:
        wall.new_namespaces()
        if first := os.fork():
            os.close(result)
            os.waitpid(first, 0)
            os._exit(0)
        wall.die_with_parent()
        seen = _machine(request, prepared)
    except BaseException as error:
        seen = {"broken": f"{type(error).__name__}: {error}, line {error.__traceback__.tb_next.tb_lineno}"}
    _write_all(result, json.dumps(seen).encode())
    os._exit(0)


def _machine(request: dict, prepared: trial.Prepared) -> dict:
    """Plants, lets the zygote run, and looks.  Returns what was seen."""
    _mounts("read-only" in request["off"])
    listeners = _network()
    _plant(request)
    if request["submission"]:
        return {"harmed": _handed_in(request)}
    answer, told = os.pipe()
    if (child := os.fork()) == 0:
        for descriptor in set(map(int, os.listdir("/proc/self/fd"))) - {0, 1, 2, told}:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        _zygote(request, prepared, told)
    os.close(told)
    memory = os.urandom(8).hex()
    held = SECRET + memory.encode()  # a secret that is in this process and was never in another
    seen = looks.watched(child, answer, request["patience"])
    seen |= looks.looked(child, listeners, request)
    seen["secret"] = any(t.encode() in seen["said"] for t in (request["token"], held[len(SECRET) :].decode()))
    if request["reader"]:
        seen["harmed"] = readers.harmed(request["reader"], seen["said"][struct.calcsize(zygote.HEAD) :])
    seen["said"] = seen["said"].hex()
    return seen


def _handed_in(request: dict) -> bool:
    """Whether what a hostile submission makes harms a naive reader."""
    scope: dict = {}
    exec(request["submission"], scope)
    folder = Path("/work/class")
    folder.mkdir()
    scope["make"](folder, request["solved"], request["untouched"])
    return readers.handed_in(request["reader"], folder, request["token"])


def _mounts(writable: bool) -> None:
    """Folders in memory, and processes of its own to look at; the rest is as in the sandbox around it."""
    wall._mount(None, "/", None, wall.MS_REC | wall.MS_PRIVATE)
    for place in looks.FOLDERS:
        wall._mount("tmpfs", place, "tmpfs", 0, "size=64m,nr_inodes=5000,mode=777")
    wall._mount("proc", "/proc", "proc", wall.MS_NOSUID | wall.MS_NODEV | wall.MS_NOEXEC)
    Path("/home/secret").touch()


def _seal() -> None:
    for place in READ_ONLY:
        flags = wall.MS_NOSUID | wall.MS_NODEV if place == "/" else 0  # as bubblewrap mounted it
        wall._mount(None, place, None, REMOUNT | wall.MS_BIND | wall.MS_RDONLY | flags)


def _network() -> list[socket.socket]:
    """A loopback device, and sockets that listen and do nothing else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1 | 64))  # SIOCSIFFLAGS: up, running
    made = [socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)]  # 253: a protocol for experiments
    for family, kind, address in (
        (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 22)),
        (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 53)),
        (socket.AF_UNIX, socket.SOCK_STREAM, "/run/victim"),
        (socket.AF_UNIX, socket.SOCK_STREAM, "\0victim"),
    ):
        made.append(socket.socket(family, kind))
        made[-1].bind(address)
        if kind == socket.SOCK_STREAM:
            made[-1].listen(8)
    return made


def _plant(request: dict) -> None:
    """What there is to steal, and to change."""
    off, token = request["off"], request["token"]
    for name, text in request["files"].items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("TOKEN", token))
        if path.suffix == ".py":
            compiled = path.parent / "__pycache__" / f"{path.stem}.pyc"
            compiled.parent.mkdir(exist_ok=True)
            compiled.write_bytes(bytes(16) + marshal.dumps(compile(text, name, "exec")))
    Path("/results/results.json").write_text("{}")
    Path("/victim/package.py").write_text("")
    Path("/home/secret").write_text(token)
    if "earlier files" in off:
        for place in "/tmp", "/work", "/dev/shm":
            Path(place, "answer.txt").write_text(token)
    wall.libc.syscall(250, 1, None)  # keyctl: a keyring of this session
    wall.libc.syscall(248, b"user", b"minigen-batch", token.encode(), len(token), -3)  # add_key
    if "read-only" not in off:
        _seal()


def _zygote(request: dict, prepared: trial.Prepared, told: int) -> None:
    """Prepares the exercise and runs the attack, without some of its protections.  Never returns."""
    try:
        os.setsid()
        for what, value in (
            (resource.RLIMIT_NPROC, PROCESSES),
            (resource.RLIMIT_FSIZE, DISK),
            (resource.RLIMIT_CPU, 30),
        ):
            resource.setrlimit(what, (value, value))
        secret = request["token"] if "never in memory" in request["off"] else ""
        held = SECRET + secret.encode()
        os.environ.pop("BATCH_SECRET_TOKEN", None)
        if "environment" in request["off"]:
            os.environ["BATCH_SECRET_TOKEN"] = request["token"]
        said = protections.run_without(request, prepared, told)
        _write_all(told, said)
        while held:
            signal.pause()
    except BaseException as error:
        _write_all(told, f"broken {type(error).__name__}: {error}".encode())
        os._exit(3)


def _until_closed(descriptor: int, seconds: float) -> bytes:
    parts, end = bytearray(), time.monotonic() + seconds
    while select.select([descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(descriptor, 1 << 20)
        if not part:
            break
        parts += part
    return bytes(parts)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
