"""A batch is finished whatever happens to it, and every submission is graded once."""

import contextlib
import csv
import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from classes import SOLVED, TILE, UNTOUCHED, command, hand_in, instead

from minigen.grade.gradebook import Gradebook

pytestmark = pytest.mark.usefixtures("walls")


def rows(out):
    return {row["student"]: row for row in csv.DictReader((out / "grades.csv").open(encoding="utf-8"))}


def results(out):
    """{key: record} of what is in the gradebook by now."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{out / 'grades.sqlite'}?mode=ro", uri=True)) as file:
            return dict(file.execute("SELECT key, record FROM result").fetchall())
    except sqlite3.OperationalError:
        return {}  # not made yet


def typed(process):
    """The command line of a process that may have ended just now."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def running(process):
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def test_one_bad_submission_never_stops_the_others(tmp_path):
    folder = hand_in(
        tmp_path / "class",
        ada=SOLVED,
        bob=UNTOUCHED,
        carl=instead("while True: pass\n" + TILE),
        dora=instead("import os\nos._exit(0)\n" + TILE),
        eve=instead("import os, signal\nos.kill(-1, 9)\nos.kill(0, 9)\n" + TILE),
        fred=b"not a notebook",
        gina=instead("def tile(images, columns):\n    return (((("),
        zoe=SOLVED,
    )
    run = subprocess.run(command(folder, tmp_path / "out", "--jobs", "2"), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found = {
        name: (row["outcome"], row["score"], row["tile"]) for name, row in rows(tmp_path / "out").items()
    }
    assert found == {
        "ada": ("graded", "4", "right"),
        "bob": ("graded", "0", "not attempted"),
        "carl": ("graded", "2", "timed out"),
        "dora": ("graded", "2", "malformed output"),
        "eve": ("graded", "2", "raised"),
        "fred": ("refused", "0", "refused"),
        "gina": ("graded", "2", "raised"),
        "zoe": ("graded", "4", "right"),
    }
    assert len(list((tmp_path / "out" / "feedback").iterdir())) == 8
    again = subprocess.run(command(folder, tmp_path / "out"), capture_output=True, text=True)
    assert again.stdout == run.stdout  # from the gradebook


@pytest.mark.parametrize("victim", ["grader", "fork server", "worker", "zygote"])
def test_a_killed_batch_goes_on_without_losing_or_repeating_anything(tmp_path, victim):
    slow = instead("import time\ntime.sleep(1.5)\ndef tile(images, columns): return images")
    folder = hand_in(tmp_path / "class", **{f"s{i:02}": SOLVED if i % 6 else slow for i in range(12)})
    out = tmp_path / "out"
    process = subprocess.Popen(
        command(folder, out, "--jobs", "1"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    while len(results(out)) < 2:  # the first comes alone, and then more than one are at work
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    targets = {"grader": [process.pid]}
    targets["zygote"] = [p.pid for p in children if "inside.zygote" in typed(p)]
    server, *forks = [p.pid for p in children if "forkserver" in typed(p)]
    targets |= {"fork server": [server], "worker": forks}
    assert targets[victim]
    for pid in targets[victim]:
        os.kill(pid, signal.SIGKILL)
    process.wait()
    before = results(out)
    if victim == "grader":
        assert len(before) < 12
        subprocess.run(command(folder, out, "--jobs", "1"), check=True, capture_output=True)
    after = results(out)
    assert len(after) == 12 and before.items() <= after.items()
    assert {name: row["score"] for name, row in rows(out).items()} == {
        f"s{i:02}": "4" if i % 6 else "2" for i in range(12)
    }
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(map(running, children)):
        time.sleep(0.1)
    assert not any(map(running, children))


def test_two_commands_never_write_one_gradebook(tmp_path):
    folder = hand_in(tmp_path / "class", ada=SOLVED)
    with Gradebook(tmp_path / "out" / "grades.sqlite"):
        run = subprocess.run(command(folder, tmp_path / "out"), capture_output=True, text=True)
    assert run.returncode == 2 and "another minigen is grading into" in run.stderr
    assert run.stderr.count("\n") == 1


def test_more_processes_than_the_memory_is_enough_for_are_refused(tmp_path):
    folder = hand_in(tmp_path / "class", ada=SOLVED)
    much = ["--jobs", "4", "--memory", "10000000"]
    run = subprocess.run(command(folder, tmp_path / "out", *much), capture_output=True, text=True)
    assert run.returncode == 2 and "--jobs 4 is too many" in run.stderr


def test_grading_again_elsewhere_gives_the_same_grades(tmp_path):
    folder = hand_in(tmp_path / "class", ada=SOLVED, bob=instead("def tile(images, columns): return images"))
    for out in "one", "two":
        subprocess.run(command(folder, tmp_path / out), check=True, capture_output=True)
    assert (tmp_path / "one" / "grades.csv").read_text() == (tmp_path / "two" / "grades.csv").read_text()


def test_what_is_not_there_is_said_in_a_sentence(tmp_path):
    run = subprocess.run(command(Path("nowhere"), tmp_path / "out"), capture_output=True, text=True)
    assert run.returncode == 2 and run.stderr.strip() == "minigen: there is no nowhere"
    (tmp_path / "a.ipynb").write_bytes(SOLVED)
    run = subprocess.run(
        command(tmp_path / "a.ipynb", tmp_path / "out", "--lesson", "77"), capture_output=True, text=True
    )
    assert run.returncode == 2 and "there is no lesson '77'" in run.stderr
