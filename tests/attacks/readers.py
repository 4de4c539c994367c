"""How graders read that do not read as ours does: at its word, and without a limit. Attacks harm them.

Each takes what a run said, or a folder that was handed in, and says whether it was deceived. It runs in a
process of its own with limits, and an error, too much memory or too much time count as harm too.
"""

import contextlib
import json
import os
import pickle
import resource
import signal
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HARMED = Path("/run/harmed")  # a file that only an attack makes
SECONDS, MEMORY = 2.0, 256 << 20  # that a naive reader may take before it counts as harmed


def harmed(reader: str, said: bytes) -> bool:
    """Whether a naive reader of these bytes comes to harm, or believes them."""
    return _in_a_child(lambda: READERS[reader](said))


def _claims(said: bytes) -> bool:
    return said[:4] == b"mgf1" and said[4] == 0


def _all_that_is_there(said: bytes) -> bool:
    """Compares what came, and misses nothing."""
    import torch
    from inside import frame

    found = frame.decode(said, 100)
    wanted = torch.full((1,), 1e9)  # nobody's answer
    return all(torch.equal(value, wanted) for draw in found.draws for value in draw.values())


def _unpickled(said: bytes) -> bool:
    with contextlib.suppress(pickle.UnpicklingError):
        pickle.loads(said)
    return HARMED.exists()


def _allocated(said: bytes) -> bool:
    """Makes room for what is announced, and then reads it."""
    *_, dimensions = struct.unpack_from("<BBBHHBB", said, 4)
    size = 4
    for length in struct.unpack_from(f"<{dimensions}I", said, 13):
        size *= length
    bytearray(size)
    return False


def _looked_up(said: bytes) -> bool:
    """Looks up the name and the type of the first value."""
    index, kind = struct.unpack_from("<HB", said, 9)
    return range(10)[index] + range(12)[kind] < 0


READERS = {
    "claims": _claims, "what is there": _all_that_is_there, "pickle": _unpickled, "allocate": _allocated,
    "look up": _looked_up,
}  # fmt: skip


def collected(path: Path, token: str) -> str:
    """What a grader gets that opens the report a run left in its folder: nothing, a secret, or stuck."""
    output, result = os.pipe()
    if (child := os.fork()) == 0:
        with contextlib.suppress(OSError):
            os.write(result, b"a secret" if token in path.read_text() else b"nothing")
        os._exit(0)
    os.close(result)
    end = time.monotonic() + 0.5
    while time.monotonic() < end and not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(0.005)
    else:
        if time.monotonic() >= end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "stuck"
    return os.read(output, 100).decode() or "nothing"


def _in_a_child(work: Callable[[], bool]) -> bool:
    """Whether `work` says so, or does not survive: an exception, too much memory, or too long."""
    if (child := os.fork()) == 0:
        try:
            size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (size, size))
            os._exit(1 if work() else 0)
        except BaseException:
            os._exit(2)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


# ---- who believes what was handed in


def handed_in(reader: str, folder: Path, token: str) -> bool:
    """Whether a naive reader of a folder of submissions comes to harm, or believes them."""
    return _in_a_child(lambda: FOLDERS[reader](folder, token))


def _notebooks(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.ipynb"))


def _opened(folder: Path, token: str) -> bool:
    return any(token in path.read_text(errors="replace") for path in _notebooks(folder))


def _parsed(folder: Path, _: str) -> bool:
    for path in _notebooks(folder):
        json.loads(path.read_bytes())["cells"]
    return False


def _validated(folder: Path, _: str) -> bool:
    import nbformat

    for path in _notebooks(folder):
        with contextlib.suppress(nbformat.ValidationError):
            nbformat.validate(json.loads(path.read_bytes()))
    return False


def _unzipped(folder: Path, _: str) -> bool:
    """Writes every member where its name says."""
    for path in sorted(folder.rglob("*.zip")):
        out = path.parent / "out" / "deeper"
        with zipfile.ZipFile(path) as archive:
            before = len(archive.infolist())
            for member in archive.infolist():
                target = out / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as stream, open(target, "wb") as file:
                    total = 0
                    while part := stream.read(1 << 20):
                        total += file.write(part)
                        if total > 32 << 20:
                            return True
        inside = [p for p in out.rglob("*") if p.is_file()]
        if len({str(p).casefold() for p in inside}) < before:
            return True  # it is somewhere else, or lies upon another
    return False


def _named(folder: Path, _: str) -> bool:
    """Writes a row and a page for each student, named by them."""
    students = [p.name for p in sorted(folder.iterdir())]
    rows = "".join(f"{name},2\n" for name in students)
    pages = {f"{name}.html".casefold() for name in students}
    formulas = any(row[0] in "=+-@" for row in rows.splitlines())
    tags = "<script" in "".join(f"<td>{name}</td>" for name in students)
    return len(rows.splitlines()) != len(students) or len(pages) != len(students) or formulas or tags


def _claimed(folder: Path, _: str) -> bool:
    """Sums up the points that notebooks say they are worth, or takes the lesson that they name."""
    total = 0
    for path in _notebooks(folder):
        book = json.loads(path.read_bytes())
        total += sum(
            part.get("metadata", {}).get(key, {}).get("points", 0)
            for part in [book, *book["cells"]]
            for key in ("minigen", "nbgrader")
        )
    return total > 4


def _checks_run(folder: Path, _: str) -> bool:
    """Runs the check cells that were handed in, and believes them."""
    for path in _notebooks(folder):
        for cell in json.loads(path.read_bytes())["cells"]:
            if cell.get("metadata", {}).get("minigen", {}).get("check"):
                scope: dict[str, Any] = {"check": lambda name, answer: answer, "tile": None, "points": 0}
                with contextlib.suppress(Exception):
                    exec("".join(cell["source"]), scope)
                if scope["points"]:
                    return True
    return False


def _lesson(folder: Path, _: str) -> bool:
    """Takes the lesson that a notebook names, whatever was asked for."""
    return any(
        json.loads(path.read_bytes())["metadata"]["minigen"]["lesson"] != path.stem
        for path in _notebooks(folder)
    )


def _written(folder: Path, _: str) -> bool:
    """Writes the code down, to run it."""
    for path in _notebooks(folder):
        for cell in json.loads(path.read_bytes())["cells"]:
            Path("/run/cell.py").write_text("".join(cell["source"]), encoding="utf-8")
    return False


def _shown(folder: Path, _: str) -> bool:
    """Shows the outputs that a notebook brings along."""
    page = ""
    for path in _notebooks(folder):
        for cell in json.loads(path.read_bytes())["cells"]:
            for output in cell.get("outputs", []):
                page += "".join(map(str, output.get("data", {}).values()))
    return "<script" in page or "onload=" in page or "javascript:" in page


def _one_stops_all(folder: Path, _: str) -> bool:
    """Reads one after the other, and lets an error of one end all."""
    for path in _notebooks(folder):
        book = json.loads(path.read_text(encoding="utf-8"))
        if book["nbformat"] != 4:
            raise ValueError("unknown version")
        for cell in book["cells"]:
            cell["id"], cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("minigen")
        if len({cell["id"] for cell in book["cells"]}) < len(book["cells"]):
            raise ValueError("an id is there twice")
    return False


ORDER = ["from_levels", "to_bytes", "numbers_in_a_batch", "tile"]


def _first_counts(folder: Path, _: str) -> bool:
    """Wants the cells in their order, and of two takes the first."""
    for path in _notebooks(folder):
        cells = json.loads(path.read_bytes())["cells"]
        ids = [c["metadata"].get("minigen", {}).get("exercise") for c in cells]
        ids = [i for i in ids if i]
        if len(set(ids)) < len(ids) or ids != ORDER:
            return True
    return False


FOLDERS = {
    "open": _opened, "parse": _parsed, "validate": _validated, "unzip": _unzipped, "names": _named,
    "claims": _claimed, "checks": _checks_run, "outputs": _shown, "strict": _one_stops_all,
    "in order": _first_counts, "lesson": _lesson, "written": _written,
}  # fmt: skip
