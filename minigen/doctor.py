"""What this machine has of what the course needs, and what to do about what it has not."""

import json
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from minigen import computer

ROOT = Path(__file__).resolve().parents[1]
INSTALL = "install the course again: make .venv, or python -m pip install -r requirements.lock"
MEMORY, DISK = 4, 2  # GB: a lesson beside a browser; the downloads, with room for results
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Finding:
    """One thing that the course uses: what of it is here, and what to do when it is missing."""

    name: str
    state: str  # "ok" · "missing": lessons need it · "optional": not here, and most people do without
    found: str
    remedy: str = ""


def report() -> list[Finding]:
    """One finding for each thing, in the order in which people meet them; a failing look is a finding too."""
    looks = (python, torch, device, memory, cores, disk, jupyter, datasets, downloads, sandbox, browser)
    return [_careful(look) for look in looks]


def table(findings: list[Finding]) -> str:
    """The findings as lines for a terminal, each remedy under what it mends."""
    marks = {"ok": "✓", "missing": "✗", "optional": "–"}
    lines = []
    for finding in findings:
        lines.append(f"{marks[finding.state]} {finding.name:10} {finding.found}")
        lines += [f"  {'':10} → {finding.remedy}"] if finding.remedy else []
    return "\n".join(lines)


def as_json(findings: list[Finding]) -> str:
    """The findings as a JSON list of objects with name, state, found and remedy."""
    return json.dumps([asdict(finding) for finding in findings], indent=1, ensure_ascii=False)


def _careful(look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Exception as error:  # half-installed packages and drivers fail in ways of their own
        return Finding(look.__name__, "missing", f"{type(error).__name__}: {_first_line(error)}", INSTALL)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def python() -> Finding:
    """The interpreter that runs the lessons."""
    return Finding("python", "ok", f"{platform.python_version()}, {sys.executable}")


def torch() -> Finding:
    """torch, and how many threads it computes with."""
    import torch

    return Finding("torch", "ok", f"{torch.__version__}, {torch.get_num_threads()} threads")


def device() -> Finding:
    """Where lessons compute: tried with a small sum, because a GPU can be there and not work."""
    import torch

    from minigen.core import device

    try:
        chosen = device()
        torch.ones(8, device=chosen).sum().item()
    except (ValueError, RuntimeError, AssertionError) as error:  # the last is torch's, without CUDA
        return Finding("device", "missing", _first_line(error), "unset MINIGEN_DEVICE, or set it to cpu")
    if chosen.type == "cuda":
        card = torch.cuda.get_device_properties(chosen)
        return Finding("device", "ok", f"{chosen}: {card.name}, {card.total_memory / 1e9:.0f} GB")
    if chosen.type == "cpu" and shutil.which("nvidia-smi") and not os.environ.get("MINIGEN_DEVICE"):
        why = "torch cannot use its driver" if torch.version.cuda else "this torch was built without CUDA"
        found = f"cpu; an NVIDIA GPU seems to be here, but {why}"
        return Finding(
            "device", "optional", found, "pytorch.org/get-started/locally says which torch fits the driver"
        )
    return Finding("device", "ok", str(chosen))


def memory() -> Finding:
    """Main memory: the machine's, or what its container allows."""
    if not hasattr(os, "sysconf"):
        return Finding("memory", "ok", f"not known on this system; {MEMORY} GB are enough")
    size = computer.memory()
    found = f"{size / 1e9:.1f} GB"
    if size < MEMORY * 1e9:
        return Finding(
            "memory", "missing", found, f"lessons want {MEMORY} GB; close other programs and notebooks"
        )
    return Finding("memory", "ok", found)


def cores() -> Finding:
    """Processor cores that we may use."""
    allowed = computer.cores()
    if allowed < 2:
        return Finding(
            "cores", "optional", "1", "the times that lessons state are for 2 cores; expect twice as long"
        )
    return Finding("cores", "ok", str(allowed))


def disk() -> Finding:
    """Free space where the workbook and the data sets are."""
    free = shutil.disk_usage(ROOT).free
    found = f"{free / 1e9:.1f} GB free in {ROOT}"
    if free < DISK * 1e9:
        return Finding("disk", "missing", found, f"free some space; the course wants {DISK} GB")
    return Finding("disk", "ok", found)


def jupyter() -> Finding:
    """JupyterLab and the kernel that runs the notebooks."""
    return Finding("jupyter", "ok", f"JupyterLab {version('jupyterlab')}, ipykernel {version('ipykernel')}")


def datasets() -> Finding:
    """The data sets that came with the course."""
    from minigen.data import digits

    digits()
    return Finding("datasets", "ok", "digits, shapes and 2-D toys: no download")


def downloads() -> Finding:
    """The data sets that are fetched when a lesson first asks for them."""
    from minigen.data.classics import CIFAR10, FASHION_MNIST, MNIST
    from minigen.data.download import cache_folder

    folder = cache_folder()
    sources = {source.name: source.sha256 for source in (MNIST, FASHION_MNIST, CIFAR10)}
    here = [
        name for name, files in sources.items() if all((folder / name / file).is_file() for file in files)
    ]
    found = f"{', '.join(here) or 'none'} in {folder}"
    if missing := [name for name in sources if name not in here]:
        return Finding(
            "downloads", "optional", found, f"{', '.join(missing)}: fetched by the first lesson that asks"
        )
    return Finding("downloads", "ok", found)


def sandbox() -> Finding:
    """The walls behind which the submissions of others are graded, tried as a whole; learners do without."""
    if not sys.platform.startswith("linux"):
        return Finding(
            "sandbox", "optional", "needs Linux", "to grade: WSL2, a virtual machine or a container"
        )
    from minigen.grade.tiers import NoSandbox, choose

    if not shutil.which("bwrap"):
        return Finding("sandbox", "optional", "no bubblewrap", "to grade: apt-get install bubblewrap")
    try:
        choose("bwrap")
    except NoSandbox as error:
        remedy = "to grade: allow it (Ubuntu 24.04: AppArmor profile for bwrap), or see minigen grade --help"
        return Finding("sandbox", "optional", str(error).partition(". ")[0], remedy)
    return Finding("sandbox", "ok", "bubblewrap, with namespaces of its own for each run")


def browser() -> Finding:
    """Chromium, with which the tests try a lesson as a learner would."""
    if path := chromium():
        return Finding("browser", "ok", path)
    return Finding(
        "browser", "optional", "no Chromium", "only the browser test wants it: apt-get install chromium"
    )


def chromium() -> str | None:
    """The path of a Chromium or Chrome, when one is installed."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)
