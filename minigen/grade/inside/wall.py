"""The inner wall: what a process does to itself before it runs code of a stranger.

The outer wall is bubblewrap, inside of which this runs. A fork enters namespaces of its own, covers what it
could still see, and can then neither reach the process that started it nor anything else.
"""

import ctypes
import errno
import os
import resource
import signal
import struct
from dataclasses import dataclass

WORK = "/work"  # the only folder that a learner's code can write to
MB = 2**20

NEW = {"ns": 0x00020000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000}
NEW |= {"pid": 0x20000000, "net": 0x40000000}
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4

libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Limits:
    """What one run may use.

    seconds: on the clock.  cpu: of processor time, of all its processes together.  memory: MB beyond what it
    starts with.  disk: MB in its folder.  processes: threads included.
    """

    seconds: float = 20.0
    cpu: float = 20.0
    memory: int = 1024
    disk: int = 16
    processes: int = 32
    output: int = 8 * MB  # bytes of the frame


def enter(limits: Limits, program: bytes, tell: int) -> None:
    """Puts this process behind the wall.  Only in a fork: it returns in a child of the caller's.

    program: of seccomp, as `syscalls.program` makes it.  tell: where the number of that child is written, for
    whoever wants to end it.  The caller's fork waits for it.
    """
    identity = os.getuid(), os.getgid()
    _check(libc.unshare(sum(NEW.values())), "unshare")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{identity[0]} {identity[0]} 1")
    _write("/proc/self/gid_map", f"{identity[1]} {identity[1]} 1")
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    size, held = _address_space(), MS_NOSUID | MS_NODEV | MS_NOEXEC
    _mount("tmpfs", WORK, "tmpfs", held, f"size={limits.disk}m,nr_inodes=1000,mode=700")
    for empty in "/proc", "/tmp", "/dev/shm":
        _mount("tmpfs", empty, "tmpfs", held | MS_RDONLY, "size=4k,nr_inodes=2,mode=555")
    _mount("tmpfs", "/dev", "tmpfs", held | MS_RDONLY, "size=4k,nr_inodes=2,mode=555")
    if child := os.fork():  # the first process of the new process namespace: when it dies, all in it die
        os.write(tell, struct.pack("<i", child))
        os.close(tell)
        _, status = os.waitpid(child, 0)
        os._exit(abs(os.waitstatus_to_exitcode(status)))
    os.close(tell)
    os.setsid()  # a signal to its own group stays behind the wall
    _check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "PDEATHSIG")
    os.chdir(WORK)
    _limit(limits, size)
    _drop_everything()
    _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "NO_NEW_PRIVS")
    _filter(program)


def own_mounts() -> None:
    """Gives this process, which must be root, a namespace of mounts of its own."""
    _check(libc.unshare(NEW["ns"]), "unshare")
    _mount(None, "/", None, MS_REC | MS_PRIVATE)


def bind(source: object, place: object) -> None:
    """Shows a file or folder at another place too."""
    _mount(str(source), str(place), None, MS_BIND | MS_REC)


def _limit(limits: Limits, size: int) -> None:
    """size: bytes of address space that the process has already."""
    for what, value in {
        resource.RLIMIT_AS: size + limits.memory * MB,
        resource.RLIMIT_CPU: int(limits.cpu) + 1,
        resource.RLIMIT_FSIZE: limits.disk * MB,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_NPROC: limits.processes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }.items():
        resource.setrlimit(what, (value, value))
    os.nice(5)


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _drop_everything() -> None:
    """No capability is left, and none can be had again."""
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 and ctypes.get_errno() == errno.EINVAL:
            break  # the kernel knows no more of them
    header, none = struct.pack("<Ii", 0x20080522, 0), bytes(24)  # version 3, this process; two empty sets
    _check(libc.capset(header, none), "capset")


def _filter(program: bytes) -> None:
    """Loads a seccomp program: 8 bytes an instruction."""
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
