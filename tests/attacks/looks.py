"""What is seen of a machine from its first process: while a run goes on, and after it."""

import contextlib
import fcntl
import os
import resource
import select
import socket
import stat
import time
from pathlib import Path

from attacks import readers
from inside import zygote

FOLDERS = ("/home", "/run", "/results", "/tmp", "/dev/shm", "/work", "/solutions", "/victim")
TICK = 0.02  # seconds between two looks
MEMORY = 320 << 20  # bytes beyond its start, at which a machine is ended whatever runs in it


def watched(child: int, answer: int, patience: float) -> dict:
    """Waits for what the zygote says; meanwhile, how much was in use at most."""
    said, start, most, many, told = bytearray(), time.monotonic(), 0, 0, None
    own = zygote._private(os.getpid())  # which all of them share with this one, until they write to it
    while time.monotonic() - start < patience:
        if select.select([answer], [], [], TICK)[0]:
            part = os.read(answer, 1 << 20)
            if not part:
                break
            said += part
            told = told or time.monotonic()
        memory, count = _in_use(child, own)
        most, many = max(most, memory), max(many, count)
        if told and time.monotonic() - told > 0.15:
            break
        if most > MEMORY:
            break
    time.sleep(TICK)
    dead, status = os.waitpid(child, os.WNOHANG)
    ended = os.waitstatus_to_exitcode(status) if dead else None
    return {
        "said": bytes(said), "late": told is None and ended is None and most <= MEMORY,
        "seconds": time.monotonic() - start, "memory": most, "processes": many, "ended": ended,
    }  # fmt: skip


def _in_use(zygote_id: int, own: int) -> tuple[int, int]:
    """Bytes in memory of all processes but this one, files in memory that nobody sees included; threads."""
    memory = threads = 0
    for process in _processes():
        with contextlib.suppress(OSError):
            memory += max(0, zygote._private(process) - own)
            for name in os.listdir(f"/proc/{process}/fd"):
                about = os.stat(f"/proc/{process}/fd/{name}")
                memory += about.st_blocks * 512 * (stat.S_ISREG(about.st_mode) and about.st_nlink == 0)
            threads += len(os.listdir(f"/proc/{process}/task")) if process != zygote_id else 0
    return memory, threads


def _processes() -> list[int]:
    """All but this one, and but those that ended."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            state = Path(f"/proc/{name}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
            if name != "1" and state not in "ZX":
                found.append(int(name))
    return found


def looked(child: int, listeners: list[socket.socket], request: dict) -> dict:
    """What became of the machine."""
    seen = {"alive": len([p for p in _processes() if p != child])}
    seen["knocks"] = len(select.select(listeners, [], [], 0)[0])
    seen["mounted"] = Path("/proc/self/mounts").read_text().count(" /home ") - 1
    seen["hostname"] = os.uname().nodename
    with contextlib.suppress(ProcessLookupError):
        seen["nice"], seen["cores"] = os.getpriority(os.PRIO_PROCESS, child), len(os.sched_getaffinity(child))
        seen["descriptors"] = resource.prlimit(child, resource.RLIMIT_NOFILE)[0]
    seen["segments"] = sum(
        len(Path("/proc/sysvipc", kind).read_text().splitlines()) - 1 for kind in ("shm", "msg", "sem")
    )
    files = [p for place in (*FOLDERS, "/victim") for p in Path(place).glob("**/*") if p.is_file()]
    about = {str(p): p.lstat() for p in files}
    seen["files"] = {name: s.st_size for name, s in about.items()} if len(about) < 50 else {}
    seen["count"], seen["disk"] = len(about), sum(s.st_blocks for s in about.values()) * 512
    with open("/victim/package.py") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            seen["locked"] = False
        except OSError:
            seen["locked"] = True
    path = Path(request["path"])
    seen["changed"] = path.is_file() and path.read_text(errors="replace") not in ("", "{}")
    with contextlib.suppress(OSError):
        os.unlink("/escaped")  # the root folder is the same in all machines
    seen["collected"] = readers.collected(Path("/work/report"), request["token"])
    return seen
