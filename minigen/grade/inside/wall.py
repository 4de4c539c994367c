"""The inner wall: what a process does to itself before it runs code of a stranger.

A run is a fork of the zygote. Behind bubblewrap ("bwrap") it enters namespaces of its own and covers what it
could still see; in a disposable container ("uid") it becomes a user of its own instead; both then give up
every right and all but a few calls to the kernel. "none" only sets the limits.
"""

import contextlib
import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from dataclasses import dataclass

WORK = "/work"  # the only folder that a learner's code can write to
MB = 2**20

NEW = {"ns": 0x00020000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000}
NEW |= {"pid": 0x20000000, "net": 0x40000000}
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 22, 36, 38
PR_CAPBSET_DROP = 24
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
USERS = 20_000, 40_000  # the first user that a run may become, and how many there are
KILLER = 19_999  # who ends them; it must not be root, who may signal everybody

libc = ctypes.CDLL(None, use_errno=True)
linux = sys.platform.startswith("linux")


@dataclass(frozen=True)
class Limits:
    """What one run may use, and what all runs of a submission may.

    seconds: on the clock.  cpu: of processor time, of all its processes together.  memory: MB beyond what it
    starts with.  disk: MB in its folder.  processes: threads included.  total: seconds of a submission.
    """

    seconds: float = 20.0
    cpu: float = 20.0
    memory: int = 1024
    disk: int = 16
    processes: int = 32
    output: int = 8 * MB  # bytes of the frame
    total: float = 60.0


def enter(tier: str, limits: Limits, program: bytes, tell: int) -> None:
    """Puts this process behind the wall.  Only in a fork: it returns in a child of the caller's.

    program: of seccomp, as `syscalls.program` makes it.  tell: where the number of the first process behind
    the wall is written, for whoever wants to end it, and one byte more when nothing is missing.
    """
    size = _address_space()
    if tier == "bwrap":
        new_namespaces()
        new_mounts(limits)
        first_of_its_namespace(tell)
    else:
        os.write(tell, struct.pack("<i", os.getpid()))
    os.setsid()  # a signal to its own group stays behind the wall
    if tier == "uid":
        become(user_of(os.getppid()))
    die_with_parent()
    limit_resources(tier, limits, size)
    if tier != "none":
        drop_capabilities()
        filter_calls(program)
    os.write(tell, b"!")
    os.close(tell)


def new_namespaces() -> None:
    """Of users, processes, mounts, networks and the rest: nothing in them but this process."""
    identity = os.getuid(), os.getgid()
    _check(libc.unshare(sum(NEW.values())), "unshare")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{identity[0]} {identity[0]} 1")
    _write("/proc/self/gid_map", f"{identity[1]} {identity[1]} 1")


def new_mounts(limits: Limits) -> None:
    """A folder to write to, and nothing where the system tells of processes and devices."""
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    held = MS_NOSUID | MS_NODEV | MS_NOEXEC
    _mount("tmpfs", WORK, "tmpfs", held, f"size={limits.disk}m,nr_inodes=1000,mode=700")
    for empty in "/proc", "/tmp", "/dev/shm", "/dev":
        _mount("tmpfs", empty, "tmpfs", held | MS_RDONLY, "size=4k,nr_inodes=2,mode=555")


def first_of_its_namespace(tell: int) -> None:
    """Goes on in a child, the first process of the new process namespace: when it dies, all in it die."""
    wait, go = os.pipe()  # what the child tells comes after what is told of it
    if child := os.fork():
        os.write(tell, struct.pack("<i", child))
        for descriptor in tell, wait, go:
            os.close(descriptor)
        _, status = os.waitpid(child, 0)
        os._exit(abs(os.waitstatus_to_exitcode(status)))
    os.close(go)
    os.read(wait, 1)
    os.close(wait)
    os.chdir(WORK)


def become(user: int) -> None:
    """Turns root into a user who owns nothing."""
    _forget_capabilities()
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    os.chdir("/")


def user_of(zygote: int) -> int:
    """The user of the runs of a zygote: of two that live at once, another one each."""
    first, many = USERS
    return first + zygote % many


def end_all_of(user: int) -> None:
    """As root: ends every process of a user, also one that starts others as fast as it can."""
    for process in _processes_of(user):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process, os.WNOHANG)  # zombies that were left to us
    while _processes_of(user):
        if child := os.fork():
            os.waitpid(child, 0)
        else:
            try:
                os.setresuid(KILLER, user, KILLER)  # it may signal that user's processes, not they it
                os.kill(-1, signal.SIGKILL)
            finally:
                os._exit(0)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _processes_of(user: int) -> list[int]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/status", "rb") as file:
            if any(line.startswith(b"Uid:") and line.split()[1] == b"%d" % user for line in file):
                found.append(int(name))
    return found


def die_with_parent() -> None:
    """Without its zygote a run ends."""
    if linux:
        _check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "PDEATHSIG")


def adopt_orphans() -> None:
    """Processes whose parent ended become children of this one, which then sees them end."""
    if linux:
        _check(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "CHILD_SUBREAPER")


def own_mounts() -> None:
    """Gives this process, which must be root, a namespace of mounts of its own."""
    _check(libc.unshare(NEW["ns"]), "unshare")
    _mount(None, "/", None, MS_REC | MS_PRIVATE)


def bind(source: object, place: object) -> None:
    """Shows a file or folder at another place too."""
    _mount(str(source), str(place), None, MS_BIND | MS_REC)


def limit_resources(tier: str, limits: Limits, size: int) -> None:
    """size: bytes of address space that the process has already."""
    limited = {
        "AS": size + limits.memory * MB,
        "CPU": int(limits.cpu) + 1,
        "FSIZE": 0 if tier == "uid" else limits.disk * MB,
        "NOFILE": 64,
        "CORE": 1,  # 0 would not hold back a program that the system starts at a crash
        "MEMLOCK": 0,
        "MSGQUEUE": 0,
    }
    if tier != "none":  # there it would count all that the grader's own user runs
        limited["NPROC"] = limits.processes
    for name, value in limited.items():
        if hasattr(resource, f"RLIMIT_{name}"):
            _lower(getattr(resource, f"RLIMIT_{name}"), value)
    os.nice(5)


def _lower(what: int, value: int) -> None:
    """Sets a limit for good; one that is lower already stays."""
    _, most = resource.getrlimit(what)
    value = value if most == resource.RLIM_INFINITY else min(value, most)
    with contextlib.suppress(ValueError if not linux else ()):  # macOS knows no limit of the address space
        resource.setrlimit(what, (value, value))


def _address_space() -> int:
    with contextlib.suppress(FileNotFoundError), open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
    return 64 << 30


def drop_capabilities() -> None:
    """No capability is left, and none can be had again."""
    _forget_capabilities()
    header, none = struct.pack("<Ii", 0x20080522, 0), bytes(24)  # version 3, this process; two empty sets
    _check(libc.capset(header, none), "capset")


def _forget_capabilities() -> None:
    """None can be had from another program, where this process may decide that."""
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 and ctypes.get_errno() == errno.EINVAL:
            break  # the kernel knows no more of them


def filter_calls(program: bytes) -> None:
    """Loads a seccomp program: 8 bytes an instruction."""
    _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "NO_NEW_PRIVS")
    code = ctypes.create_string_buffer(program, len(program))
    form = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    _check(libc.prctl(PR_SET_SECCOMP, 2, form, 0, 0), "seccomp")


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    said = [None if text is None else text.encode() for text in (source, target, kind, options)]
    done = libc.mount(said[0], said[1], said[2], ctypes.c_ulong(flags), said[3])
    _check(done, f"mount {target}")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
