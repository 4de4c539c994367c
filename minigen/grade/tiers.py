"""What stands between a submission and this machine: how the zygote is started, in each of the three ways."""

import contextlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from minigen.grade.inside import syscalls, wall

INSIDE = Path(__file__).parent / "inside"
AS_NOBODY = Path(__file__).parent / "as_nobody.py"
COURSE = Path(__file__).resolve().parents[2]
TIERS = {
    "bwrap": "bubblewrap around all, and namespaces of its own for each run",
    "uid": "each run as a user of its own, for root inside a container that is thrown away",
    "none": "nothing: no wall at all",
}
GIVEN_UP = (
    "tier none: a submission can read and change all that you can, use the network, and find the answers and "
    "the grades; only its time and memory are limited. It is for notebooks of people whom you trust"
)
RUNTIME = ["torch", "numpy", "scipy", "matplotlib", "scikit-learn", "safetensors", "tqdm", "ipython"]
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
SERVE = "from inside.zygote import main; main({tier!r})"
TRY = "from inside.trying import main; main({tier!r})"
REMEDY = (
    "A grade needs Linux with bubblewrap and unprivileged user namespaces: on Ubuntu 24.04 bubblewrap needs "
    "an AppArmor profile that allows userns; on macOS and Windows, grade in a Linux virtual machine, WSL2 or "
    "a container. As root in a container that is thrown away, --tier uid does without"
)


class NoSandbox(RuntimeError):
    """A sandbox cannot be made here; the message says why and what to do."""


class Start:
    """A started process of a tier. process: it; close: ends it, and leaves nothing of it."""

    def __init__(self, tier: str, code: str = SERVE):
        if tier == "uid":
            _for_root_alone()
        _sweep()
        self._stage = Path(tempfile.mkdtemp(prefix=f"minigen-{os.getpid()}-"))
        os.chmod(self._stage, 0o755)
        begin = {"bwrap": _bwrap, "uid": _plain, "none": _plain}[tier]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)  # a zygote gives the last away
        try:
            command, environment = begin(self._stage, code.format(tier=tier))
            self.process = subprocess.Popen(command, env=environment, cwd="/", bufsize=0, **pipes)
        except BaseException:
            shutil.rmtree(self._stage)
            raise

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in self.process.stdin, self.process.stdout, self.process.stderr:
            stream.close()
        shutil.rmtree(self._stage, ignore_errors=True)


def _sweep() -> None:
    """Removes what a grader of ours that was killed left behind."""
    for old in Path(tempfile.gettempdir()).glob("minigen-*-*"):
        with contextlib.suppress(OSError, ValueError):
            if old.lstat().st_uid == os.getuid() and not _alive(int(old.name.split("-")[1])):
                shutil.rmtree(old)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def choose(name: str | None = None) -> str:
    """The tier to grade in, tried once as a whole, inner wall included; bwrap unless another is named.

    Raises NoSandbox where it cannot be had: no tier is ever taken in place of a better one.
    """
    tier = name or "bwrap"
    if tier not in TIERS:
        raise ValueError(f"there is no tier {name!r}; the tiers are {', '.join(TIERS)}")
    start = Start(tier, TRY)
    try:
        said, wrong = start.process.communicate(program(tier), timeout=60)
    except subprocess.TimeoutExpired:
        said, wrong = b"", b"it does not answer"
    finally:
        start.close()
    if said != b"ok":
        raise NoSandbox(no_sandbox(tier, (said or wrong).decode(errors="replace")))
    return tier


def no_sandbox(tier: str, said: str) -> str:
    """The sentence for a wall that does not stand."""
    why = said.strip() or "it ended at once"
    return f"no sandbox can be made here ({why}). {REMEDY if tier == 'bwrap' else TIERS[tier]}"


def program(tier: str) -> bytes:
    """The seccomp program of a tier."""
    return b"" if tier == "none" else syscalls.program(writes=tier == "bwrap")


def _for_root_alone() -> None:
    """Tier uid: what a learner's user must not read, it cannot."""
    if os.getuid() != 0 or not sys.platform.startswith("linux"):
        raise NoSandbox("tier uid is for root inside a Linux container that is thrown away; this is not root")
    if COURSE.stat().st_mode & 0o077:
        why = f"others than root can look into {COURSE}, where the answers are"
        raise NoSandbox(f"tier uid: {why}; chmod go= {COURSE}")


def _plain(stage: Path, code: str) -> tuple[list[str], dict[str, str]]:
    """Python, with the packages of the runtime and no others."""
    for inside, outside in _packages().items():
        (stage / inside).symlink_to(outside)
    (stage / "inside").symlink_to(INSIDE)
    code = f"import sys; sys.path.insert(0, {str(stage)!r}); {code}"
    environment = ENVIRONMENT | {"HOME": str(stage), "MPLCONFIGDIR": str(stage)}
    return [str(Path(sys.executable).resolve()), "-I", "-S", "-c", code], environment


def _bwrap(stage: Path, code: str) -> tuple[list[str], dict[str, str]]:
    """Python behind bubblewrap.  As root, it becomes nobody first."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise NoSandbox("bubblewrap is missing (on Debian and Ubuntu: apt install bubblewrap)")
    places = _places()
    root = os.getuid() == 0
    command = [bwrap, "--unshare-user", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"]
    for i, (inside, outside) in enumerate(places.items()):
        command += ["--ro-bind", str(stage / str(i) if root else outside), inside]
    base = {"base": sys.base_prefix, "installed_base": sys.base_prefix}
    for empty in Path(sysconfig.get_path("stdlib", vars=base)) / "site-packages", "/dev/shm", "/tmp":
        command += ["--tmpfs", str(empty)]
    for name, value in ENVIRONMENT.items():
        command += ["--setenv", name, value]
    command += ["--dir", wall.WORK, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]
    code = f"import sys; sys.path[:0] = ['/site', '/grader']; {code}"
    command += [str(Path(sys.executable).resolve()), "-I", "-S", "-c", code]
    if root:
        become = [sys.executable, "-I", "-S", str(AS_NOBODY), str(stage), *map(str, places.values()), "--"]
        command = become + command
    return command, {}


def _places() -> dict[str, Path]:
    """{path inside: path outside} of all that a sandbox behind bubblewrap can read."""
    base = Path(sys.base_prefix)
    places = {str(Path(p)): Path(p) for p in ("/usr/lib", "/lib", "/lib64", "/usr/lib64") if Path(p).exists()}
    places[str(base / "lib")] = base / "lib"
    python = Path(sys.executable).resolve()
    places[str(python)] = python
    places["/grader/inside"] = INSIDE
    return places | {f"/site/{name}": path for name, path in _packages().items()}


def _packages() -> dict[str, Path]:
    """What the packages of the runtime and all that they need put into site-packages, by its name there."""
    names, waiting, found = set(), RUNTIME.copy(), set()
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
    return {path.name: path for path in sorted(found) if path.exists() and path.suffix != ".pth"}
