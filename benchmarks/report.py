"""Where benchmarks leave what they measured: RESULTS.md, one section each, all of it written by programs."""

import datetime
import os
import platform
import re
import statistics
from importlib.metadata import version
from pathlib import Path

from minigen.core import replacing

RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = """# Benchmarks

Written by the programs of this folder (`make bench`); changes by hand are lost. What was tried on the way,
what it gave and what was dropped is in [TRIALS.md](TRIALS.md).

"""


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines) + "\n"


def spread(values: list[float], form: str = ".0f") -> str:
    """The median, and the least and the most if there are several."""
    around = f" ({figure(min(values), form)}–{figure(max(values), form)})" if len(values) > 1 else ""
    return figure(statistics.median(values), form) + around


def figure(value: float, form: str) -> str:
    """A number in a form, without powers of ten where that is large."""
    text = f"{value:{form}}"
    return f"{float(text):,.0f}" if "e+" in text else text


def write(title: str, text: str) -> None:
    """Puts a section in the place of the last one with this title in RESULTS.md; the other sections stay."""
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    sections = {s.partition("\n")[0]: s.strip() for s in re.split(r"^(?=## )", old, flags=re.M)[1:]}
    sections[f"## {title}"] = f"## {title}\n\n{text.strip()}"
    with replacing(RESULTS) as path:
        path.write_text(
            HEAD + "\n\n".join(sections[key] for key in sorted(sections)) + "\n", encoding="utf-8"
        )


def circumstances(packages: list[str], threads: int) -> str:
    """One paragraph: the date, the processor, how busy it is, and the versions."""
    model = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        model = next((s.split(":")[1].strip() for s in info.open() if s.startswith("model name")), model)
    busy = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    machine = f"{os.cpu_count()} cores of {model}{busy}; {threads} threads"
    return f"{datetime.date.today()}. {machine}. Python {platform.python_version()}, {versions}.\n\n"
