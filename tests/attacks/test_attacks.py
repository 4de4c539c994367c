"""Hostile answers, a file each: what it tries and what stops it stand at its head. None earns anything."""

import os
import time
from pathlib import Path

import psutil
import pytest

from minigen.course import doctor
from minigen.course.catalogue import find
from minigen.grade.inside.wall import Limits
from minigen.grade.mark import Outcome, mark, seeds
from minigen.grade.sandbox import Sandbox
from minigen.grade.task import task

SECRET = b"of the attacks"
CASES = sorted((Path(__file__).parent / "cases").glob("*.py"))
TARGET = find("reparameterize")
LIMITS = Limits(seconds=4, cpu=3, memory=300)
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def sandbox():
    if (found := doctor.sandbox()).state != "ok":
        pytest.skip(f"skipped, because no sandbox can be made here: {found.found}")
    made = Sandbox(LIMITS)
    made.prepare(task(TARGET, seeds(SECRET, TARGET)))
    yield made
    made.close()


def told(path, what):
    return next(line for line in path.read_text().splitlines() if line.startswith(f"# {what}: ")).split(
        ": ", 1
    )[1]


def run(sandbox, source):
    drawn = seeds(SECRET, TARGET)
    return mark(TARGET, drawn, sandbox.run({"source": source, "others": [], "seeds": drawn}), source)


def family(sandbox):
    """The processes of a sandbox, which between two runs are always the same."""
    return sorted(p.pid for p in psutil.Process(sandbox._process.pid).children(recursive=True))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_an_attack_earns_nothing_leaves_nothing_and_is_named(sandbox, case):
    before, start = family(sandbox), time.monotonic()
    found = run(sandbox, case.read_text())
    assert found.points == 0
    assert str(found.outcome) in told(case, "outcome").split(", "), (found.outcome, found.message)
    assert time.monotonic() - start < LIMITS.seconds + 20
    assert family(sandbox) == before  # no process is left, and the sandbox itself still lives
    assert not os.path.exists("/escaped")
    after = run(sandbox, TARGET.solution)  # the next learner is not touched
    assert (after.outcome, after.points) == (Outcome.RIGHT, TARGET.points)


def test_every_attack_says_what_it_tries_and_what_stops_it():
    for case in CASES:
        assert told(case, "tries") and told(case, "stopped by") and told(case, "outcome")
