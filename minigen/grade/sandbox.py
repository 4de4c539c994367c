"""Starts the sandbox, and talks with the process inside of it: the outer wall."""

import importlib.metadata
import json
import os
import re
import select
import shutil
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minigen.grade.inside import syscalls, wall
from minigen.grade.inside.wall import Limits

INSIDE = Path(__file__).parent / "inside"
RUNTIME = (
    "torch",
    "numpy",
    "scipy",
    "matplotlib",
    "scikit-learn",
    "safetensors",
    "tqdm",
    "filelock",
    "ipython",
)
TIER = "bwrap"  # what stands between a submission and this machine; kept with every grade
NOBODY = 65534  # whom the grader becomes when it is started as root
START = 120.0  # seconds that a sandbox may take to be ready
ENVIRONMENT = {
    "HOME": wall.WORK,
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/tmp",
    "MINIGEN_BUDGET": "smoke",
}


REMEDY = (
    "A grade needs Linux with bubblewrap and unprivileged user namespaces: on Ubuntu 24.04 bubblewrap needs "
    "an AppArmor profile that allows userns; on macOS and Windows, grade in a Linux virtual machine, WSL2 or "
    "a container"
)


class NoSandbox(RuntimeError):
    """A sandbox cannot be made here; the message says why and what to do."""


class Broken(RuntimeError):
    """The sandbox ended, or does not answer."""


@dataclass(frozen=True)
class Ended:
    """How one run ended, as the zygote saw it, and the bytes that it said."""

    how: int
    code: int
    cpu: float
    seconds: float
    said: bytes


class Sandbox:
    """One sandbox, in which answers are run one after the other."""

    def __init__(self, limits: Limits | None = None):
        self.limits = limits or Limits()
        self._task: dict[str, Any] | None = None
        self._stage = Path(tempfile.mkdtemp(prefix="minigen-")) if os.getuid() == 0 else None
        places = _places()
        sources = {inside: (self._stage / str(i) if self._stage else outside)
                   for i, (inside, outside) in enumerate(places.items())}  # fmt: skip
        self._process = subprocess.Popen(
            _command(sources),
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,  # of bubblewrap alone: what is inside has none
            preexec_fn=(lambda: _become_nobody(self._stage, list(places.values()))) if self._stage else None,
            bufsize=0,
        )
        try:
            self._send(syscalls.program())
            self._receive(START)
        except Broken as error:
            self._process.kill()
            said = self._process.stderr.read(2000).decode(errors="replace").strip()
            self.close()
            raise NoSandbox(f"no sandbox can be made here ({said or error}). {REMEDY}") from error

    def prepare(self, task: dict[str, Any] | None) -> None:
        """Makes the sandbox ready for answers to one exercise; None ends the one before."""
        if task is self._task:
            return
        if self._task is not None:
            self._send(b"")
        self._task = None
        if task is not None:
            self._send(json.dumps(task).encode())
            if (said := self._receive(START)) != b"prepared":
                raise Broken(f"exercise {task['id']} could not be prepared: {said.decode(errors='replace')}")
            self._task = task

    def run(self, job: dict[str, Any]) -> Ended:
        """One run of one answer.  Raises Broken when the sandbox itself did not survive it."""
        self._send(json.dumps(job | {"limits": asdict(self.limits)}).encode())
        answer = self._receive(self.limits.seconds + START, self.limits.output + 64)
        how, code, cpu, seconds = struct.unpack_from("<Bbff", answer)
        return Ended(how, code, cpu, seconds, answer[struct.calcsize("<Bbff") :])

    def close(self) -> None:
        """Ends the sandbox and all that is in it."""
        self._process.kill()
        self._process.wait()
        for stream in self._process.stdin, self._process.stdout, self._process.stderr:
            stream.close()
        if self._stage:
            shutil.rmtree(self._stage, ignore_errors=True)

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, message: bytes) -> None:
        data = struct.pack("<I", len(message)) + message
        try:
            while data:
                data = data[os.write(self._process.stdin.fileno(), data) :]
        except OSError as error:
            raise Broken("the sandbox has ended") from error

    def _receive(self, seconds: float, most: int = 1 << 20) -> bytes:
        end = time.monotonic() + seconds
        (size,) = struct.unpack("<I", self._exactly(4, end))
        if size > most:
            raise Broken(f"the sandbox announced {size:,} bytes")
        return self._exactly(size, end)

    def _exactly(self, size: int, end: float) -> bytes:
        parts, descriptor = bytearray(), self._process.stdout.fileno()
        while len(parts) < size:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
            part = os.read(descriptor, size - len(parts)) if ready else b""
            if not part:
                raise Broken("the sandbox has ended" if ready else "the sandbox does not answer")
            parts += part
        return bytes(parts)


def _places() -> dict[str, Path]:
    """{path inside: path outside} of all that a sandbox can read."""
    base = Path(sys.base_prefix)
    places = {str(Path(p)): Path(p) for p in ("/usr/lib", "/lib", "/lib64", "/usr/lib64") if Path(p).exists()}
    places[str(base / "lib")] = base / "lib"
    python = Path(sys.executable).resolve()
    places[str(python)] = python
    places["/grader/inside"] = INSIDE
    return places | {f"/site/{path.name}": path for path in _packages()}


def _packages() -> list[Path]:
    """What the packages of the runtime and all that they need have put into site-packages."""
    names, waiting, found = set(), list(RUNTIME), set()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in names:
            continue
        names.add(name)
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # needed on another system only
        folder = Path(str(package.locate_file("")))
        for file in package.files or []:
            if file.parts[0] not in ("..", "/", "__pycache__"):
                found.add(folder / file.parts[0])
        waiting += [
            re.split(r"[ ;<>=!~\[(]", need, maxsplit=1)[0]
            for need in package.requires or []
            if "extra ==" not in need
        ]
    return sorted(path for path in found if path.exists() and path.suffix != ".pth")


def _command(places: dict[str, Path]) -> list[str]:
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise NoSandbox("bubblewrap is missing (on Debian and Ubuntu: apt install bubblewrap)")
    command = [bwrap, "--unshare-user", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"]
    for inside, outside in places.items():
        command += ["--ro-bind", str(outside), inside]
    libraries = Path(
        sysconfig.get_path("stdlib", vars={"base": sys.base_prefix, "installed_base": sys.base_prefix})
    )
    command += [
        "--tmpfs",
        str(libraries / "site-packages"),
        "--tmpfs",
        "/dev/shm",
        "--tmpfs",
        "/tmp",
        "--dir",
        wall.WORK,
    ]
    for name, value in ENVIRONMENT.items():
        command += ["--setenv", name, value]
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]
    code = "import sys; sys.path[:0] = ['/site', '/grader']; from inside.zygote import main; main()"
    return [*command, str(Path(sys.executable).resolve()), "-I", "-S", "-c", code]


def _become_nobody(stage: Path, outside: list[Path]) -> None:
    """Between fork and exec, when started as root: becomes a user who may do nothing.

    What the sandbox reads may lie where that user cannot look. So it is bound to a place where it can, in a
    namespace of mounts that ends with the sandbox.
    """
    wall.own_mounts()
    os.chmod(stage, 0o755)
    for i, path in enumerate(outside):
        place = stage / str(i)
        place.mkdir() if path.is_dir() else place.touch()
        wall.bind(path, place)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
