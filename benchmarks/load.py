"""A simulated class, graded in one go: is every outcome the expected one, and what does a submission cost?"""

import argparse
import ast
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import report

from minigen.course.catalogue import exercises
from minigen.course.script import LESSONS, ROOT, SOLUTIONS
from minigen.course.source import text
from minigen.grade.gradebook import Gradebook
from minigen.probing.cells import names_used

LESSON, TARGET = "13_vae", "reparameterize"
MIX = {"solved": 40, "mistake": 35, "untouched": 10, "hostile": 10, "malformed": 5}  # per cent
MALFORMED = [
    b"", b"\x89PNG\r\n\x1a\n", b"{", b"[]", b"null", b'{"cells": 3}', b'{"cells": [{}]}', b"[" * 100_000,
    b'{"cells": [], "cells": {"cell_type": "code"}}', b'{"cells": [{"cell_type": "code", "source": 1}]}',
]  # fmt: skip
LIMITS = ["--seconds", "6", "--cpu", "3", "--memory", "300"]  # what an attack may cost
PER_WORKER, FAR = 2, 100_000  # jobs on this machine unless given; submissions of the plan
MESSAGE = 50_000  # bytes of a notebook without pictures, for the scheduler alone
Expected = dict[str, set[str]]  # {exercise: outcomes}; {"": {"refused"}} for a notebook that cannot be read


def members(count: int) -> Iterator[tuple[str, bytes, Expected]]:
    """(kind, notebook, what is expected of it) of a class, in a fixed order that mixes the kinds."""
    kinds = [kind for kind, share in MIX.items() for _ in range(round(count * share / 100))]
    random.Random(0).shuffle(kinds)
    makers = {kind: _forever(MAKERS[kind]()) for kind in MIX}
    for kind in kinds:
        yield kind, *next(makers[kind])


def _solved() -> list[tuple[bytes, Expected]]:
    return [((SOLUTIONS / f"{LESSON}.ipynb").read_bytes(), _expected())]


def _untouched() -> list[tuple[bytes, Expected]]:
    untouched = {name: {"not attempted"} for name in _expected()}
    return [((LESSONS / f"{LESSON}.ipynb").read_bytes(), untouched)]


def _mistakes() -> list[tuple[bytes, Expected]]:
    """Each known mistake of the lesson that is a whole function, in a notebook that is solved otherwise."""
    found = []
    for e in (e for e in exercises(LESSON) if e.kind != "predict"):
        for mistake in (m for m in e.mistakes if m is not e.repair):
            source = text(mistake.answer)
            here = vars(
                sys.modules[e.target.__module__]
            )  # what a learner has; `vae` is a model in a notebook
            if not source.startswith(("def ", "class ", "@")) or not names_used(source) <= here.keys():
                continue
            name = ast.parse(source).body[0].name
            source += "" if name == e.id else f"\n{e.id} = {name}"
            found.append((_instead(e.id, source), _expected() | {e.id: {f"wrong: {mistake.name}"}}))
    return found


def _hostile() -> list[tuple[bytes, Expected]]:
    """Each attack of the tests, in a notebook that is solved otherwise."""
    found = []
    for path in sorted((ROOT / "tests" / "attacks" / "cases").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        [said] = [line for line in source.splitlines() if line.startswith("# outcome: ")]
        outcomes = set(said.removeprefix("# outcome: ").split(", "))
        found.append((_instead(TARGET, source), _expected() | {TARGET: outcomes}))
    return found


def _malformed() -> list[tuple[bytes, Expected]]:
    return [(data, {"": {"refused"}}) for data in MALFORMED]


MAKERS: dict[str, Callable[[], list[tuple[bytes, Expected]]]] = {
    "solved": _solved, "mistake": _mistakes, "untouched": _untouched,
    "hostile": _hostile, "malformed": _malformed,
}  # fmt: skip


def _forever(made: list) -> Iterator:
    while True:
        yield from made


def _expected() -> Expected:
    return {e.id: {"right"} for e in exercises(LESSON) if e.kind != "predict"}


def _instead(exercise: str, source: str) -> bytes:
    notebook = json.loads((SOLUTIONS / f"{LESSON}.ipynb").read_bytes())
    for cell in notebook["cells"]:
        if cell["metadata"].get("minigen", {}).get("exercise") == exercise:
            cell["source"] = source
    return json.dumps(notebook).encode()


def fault(record: dict, expected: Expected) -> str:
    """What is other than expected in a record, or nothing."""
    if "" in expected:
        return "" if record["outcome"] == "refused" else f"not refused: {record['outcome']}"
    found = {e["id"]: {e["outcome"], f"{e['outcome']}: {e['mistake']}"} for e in record["exercises"]}
    points = sum(e["of"] for e in record["exercises"] if e["outcome"] == "right")
    if points != record["score"]:
        return f"{record['score']} points, and {points} were earned"
    wrong = [
        f"{name} is {found.get(name)}" for name in expected if not expected[name] & found.get(name, set())
    ]
    return "; ".join(wrong)


def peak(process: subprocess.Popen) -> tuple[float, float]:
    """The most memory of a command, and of it with all that it started, in MB, until it ends.

    A page that several of them share counts once.
    """
    own = together = 0.0
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            command = psutil.Process(process.pid)
            own = max(own, command.memory_info().rss / 1e6)
            together = max(together, sum(map(_share, [command, *command.children(recursive=True)])))
        time.sleep(0.5)
    return own, together


def _share(process: psutil.Process) -> float:
    with contextlib.suppress(OSError, psutil.Error):
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6
    return 0.0


def class_of(count: int, jobs: int, folder: Path) -> tuple[str, float]:
    """A table about the class, and the seconds that it took."""
    kinds, wanted = Counter(), {}
    for i, (kind, data, expected) in enumerate(members(count)):
        place = folder / "class" / f"{i:05}"
        place.mkdir(parents=True)
        (place / f"{LESSON}.ipynb").write_bytes(data)
        wanted[place.name], kinds[kind] = (kind, expected), kinds[kind] + 1
    command = [sys.executable, "-m", "minigen.cli", "grade", folder / "class", "--out", folder / "out"]
    start = time.monotonic()
    process = subprocess.Popen([*command, "--jobs", str(jobs), *LIMITS], stdout=subprocess.DEVNULL)
    own, together = peak(process)
    seconds = time.monotonic() - start
    records = json.loads((folder / "out" / "results.json").read_text())
    faults = {r["student"]: said for r in records if (said := fault(r, wanted[r["student"]][1]))}
    missing = wanted.keys() - {r["student"] for r in records}
    print(*(f"{wanted[name][0]} {name}: {said}" for name, said in faults.items()), sep="\n")
    rows = [
        ["submissions", f"{len(wanted):,}: " + ", ".join(f"{n:,} {kind}" for kind, n in kinds.items())],
        ["time", f"{seconds:.0f} s with {jobs} processes, {60 * len(wanted) / seconds:.0f} a minute"],
        ["most memory of the command", f"{own:.0f} MB"],
        ["most memory of all processes", f"{together:.0f} MB"],
        ["outcomes other than expected", str(len(faults))],
        ["exit status, results missing", f"{process.returncode}, {len(missing)}"],
    ]  # fmt: skip
    return report.table(["", f"lesson {LESSON}"], rows), seconds


def transactions(folder: Path, count: int = 2_000) -> float:
    """Results that a gradebook keeps in a second, each on the disk before the next."""
    record = {"outcome": "graded", "exercises": [{"outcome": "right", "message": "x" * 300}] * 7}
    with Gradebook(folder / "alone" / "grades.sqlite") as book:
        start = time.monotonic()
        for i in range(count):
            book.add(str(i), record)
        return count / (time.monotonic() - start)


def tasks(count: int = 2_000) -> float:
    """Tasks that do nothing, which a Dask scheduler gets done in a second; 65 at once, as 32 workers get."""
    from distributed import Client, LocalCluster, as_completed

    where = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with LocalCluster(host="127.0.0.1", **where) as cluster, Client(cluster) as client:
        start, data = time.monotonic(), os.urandom(MESSAGE)
        ended = as_completed([client.submit(len, data, key=f"first-{i}") for i in range(65)])
        for i, future in enumerate(ended):
            assert future.result() == MESSAGE
            if i + 65 < count:
                ended.add(client.submit(len, data, key=f"later-{i}"))
        return count / (time.monotonic() - start)


def plan(each: float, kept: float, scheduled: float) -> str:
    """The paragraph about many submissions.  each: seconds of one process for one of them."""
    most = min(kept, scheduled)
    rows = [
        [f"{workers:,}", f"{FAR * each / workers / 3600:.1f} h", f"{workers / each:.1f}"]
        for workers in (2, 16, 64, 256)
    ]
    return (
        f"### {FAR:,} submissions, on paper\n\nA submission of this class costs {each:.2f} s of one "
        f"process, so {FAR:,} of them cost {FAR * each / 3600:.0f} hours of a core. With `--cluster`, they "
        "are spread over Dask workers of one thread, one for each core:\n\n"
        + report.table(["workers", "time", "results a second"], rows)
        + f"A scheduler with workers that do nothing got {scheduled:.0f} tasks of {MESSAGE // 1000} kB a "
        f"second done, and the gradebook kept {kept:.0f} results a second, each on the disk before the next. "
        f"The smaller of the two is reached with {most * each:.0f} workers; more would wait. The command "
        "holds the notebooks of two tasks a worker and no others, and what is graded stays graded when "
        "anything of this is killed.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=2_000)
    parser.add_argument("--jobs", type=int, default=PER_WORKER)
    parser.add_argument("--quick", action="store_true", help="writes nothing")
    args = parser.parse_args()
    said = report.circumstances(["torch", "distributed"], args.jobs)
    with tempfile.TemporaryDirectory(prefix="minigen-load-") as folder:
        found, seconds = class_of(args.submissions, args.jobs, Path(folder))
        said += found + plan(seconds * args.jobs / args.submissions, transactions(Path(folder)), tasks())
    print(said)
    if not args.quick:
        report.write("Load", said)


if __name__ == "__main__":
    main()
