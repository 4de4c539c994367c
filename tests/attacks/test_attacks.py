"""Hostile answers and hostile submissions, a file each: none earns or harms anything, or holds up another.

At the head of each stand what it tries, the set of protections that stops it, what is made of it, and the
canary: what it achieves without them, which `test_canaries.py` shows.
"""

import csv
import os
import re
import time

import psutil
import pytest
from protections import NAMES
from unprotected import HERE, SECRET, TARGET, case, notebook

from minigen.grade.batch import record
from minigen.grade.exports import grades, summary, write_csv
from minigen.grade.grader import Grader
from minigen.grade.inside.wall import Limits
from minigen.grade.mark import Outcome, mark, seeds
from minigen.grade.pages import class_page, feedback
from minigen.grade.sandbox import Sandbox
from minigen.grade.submission import handed_in, submission
from minigen.grade.task import task

ANSWERS = [case(path) for path in sorted((HERE / "cases").glob("*.py"))]
SUBMISSIONS = [case(path) for path in sorted((HERE / "submissions").glob("*.py"))]
CLASSES = {
    "forge the grade", "find the answer", "lie", "deny service", "escape", "attack the reader",
    "break the batch", "be lazy",
}  # fmt: skip
LIMITS = Limits(seconds=3, cpu=1.5, memory=300)
PATHS = {path for attack in ANSWERS for path in re.findall(r'"(/[\w./-]+)"', attack.source)}
TIER = "bwrap"
SHARED = ("/tmp", "/proc", "/dev", "/run")  # where others on this machine write too
FORMULA = ("=", "+", "-", "@", "\t", "\r")
HONEST = """
import json

def make(folder, solved, untouched):
    (folder / "ada").mkdir()
    (folder / "ada" / "00_start_here.ipynb").write_text(json.dumps(solved))
"""
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def sandbox(walls):
    made = Sandbox(LIMITS)
    made.prepare(task(TARGET, seeds(SECRET, TARGET)))
    yield made
    made.close()


def run(sandbox, source):
    drawn = seeds(SECRET, TARGET)
    return mark(TARGET, drawn, sandbox.run({"source": source, "others": [], "seeds": drawn}), source)


def left(sandbox):
    """The processes and connections of a sandbox, and what of this machine the attacks name."""
    family = sorted(psutil.Process(sandbox.process.pid).children(recursive=True), key=lambda p: p.pid)
    open_now = [c for process in family for c in process.net_connections(kind="all")]
    return [p.pid for p in family], open_now, {p: _about(p) for p in PATHS}


def _about(path):
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_ino, None if path.startswith(SHARED) else found.st_mtime_ns


@pytest.mark.parametrize("attack", ANSWERS, ids=lambda attack: attack.name)
def test_an_attack_earns_nothing_leaves_nothing_and_is_named(sandbox, attack):
    before, start = left(sandbox), time.monotonic()
    found = run(sandbox, attack.source)
    assert found.points == 0
    assert str(found.outcome) in attack.told["outcome"].split(", "), (found.outcome, found.message)
    assert time.monotonic() - start < LIMITS.seconds + 20
    assert left(sandbox) == before  # and the sandbox itself still lives
    after = run(sandbox, TARGET.solution)  # the next learner is not touched
    assert (after.outcome, after.points) == (Outcome.RIGHT, TARGET.points)


@pytest.fixture(scope="module")
def graded(walls, tmp_path_factory):
    """{case: what became of all that it handed in}, graded in one go, an honest one at each end."""
    read = []
    for attack in [None, *SUBMISSIONS, None]:
        folder = tmp_path_factory.mktemp(attack.name if attack else "honest")
        _make(attack, folder)
        lesson = attack.told.get("lesson") if attack else None
        read += [(attack, submission(handed, lesson)) for handed in handed_in(folder)]
    with Grader(SECRET, LIMITS) as grader:
        return list(zip([a for a, _ in read], grader.grade([s for _, s in read]), strict=True))


def _make(attack, folder):
    scope = {}
    exec(attack.source if attack else HONEST, scope)
    scope["make"](folder, notebook(solved=True), notebook(solved=False))


def table(records, folder):
    """The rows of grades.csv."""
    write_csv(folder / "grades.csv", grades(records))
    with open(folder / "grades.csv", encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("attack", SUBMISSIONS, ids=lambda attack: attack.name)
def test_a_hostile_submission_earns_nothing_and_is_named(graded, attack):
    found = [g for a, g in graded if a is attack]
    assert found
    for one in found:
        made = record(one, TIER)
        assert made["score"] == 0 and made["outcome"] in attack.told["outcome"].split(", "), made
    said = " ".join([word for one in found for word in (one.submission.refused, *one.submission.notes)])
    assert attack.told.get("said", "") in said


def test_the_honest_ones_of_the_same_batch_get_their_points(graded):
    honest = [record(g, TIER) for a, g in graded if a is None]
    assert len(honest) == 2 and all(r["score"] == r["max_score"] > 0 for r in honest)


def test_nothing_of_a_hostile_name_or_text_reaches_a_page_or_a_table_as_more_than_text(graded, tmp_path):
    records = [record(g, TIER) for _, g in graded]
    rows = table(records, tmp_path)
    assert len(rows) == len(records) + 1 and len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if cell.startswith(FORMULA)]
    assert all(re.fullmatch("[0-9a-f]{16}", r["id"]) for r in records)
    for page in [class_page(records), *map(feedback, records)]:
        assert not re.search("<script|<svg|<img|<iframe|<base|javascript:", page)


@pytest.mark.parametrize("attack", [a for a in ANSWERS if "text" in a.off], ids=lambda attack: attack.name)
def test_what_an_attack_prints_steers_nothing_and_would_if_it_were_shown_as_it_is(
    sandbox, graded, attack, tmp_path
):
    found = run(sandbox, attack.source)
    mark_of = "\N{ESCAPE}" if attack.canary[1] == "ESCAPE" else attack.canary[1]
    assert mark_of in f"{found.message}\n{found.printed}"  # the canary: it did arrive
    made = record(graded[0][1], TIER)
    made["exercises"][0] |= {"message": found.message, "printed": found.printed}
    said = "\n".join(summary([made]))
    assert not re.search("<script|<svg|<img|<iframe|<base", feedback(made))
    assert not re.search("[\0\b\a\N{ESCAPE}\N{RIGHT-TO-LEFT OVERRIDE}]", feedback(made) + said)
    assert not re.search(r"^(::|##\[)", said, re.MULTILINE)
    assert not [cell for row in table([made], tmp_path) for cell in row if cell.startswith(FORMULA)]


def test_every_attack_says_what_it_tries_what_stops_it_and_what_it_achieves_without():
    assert len(ANSWERS) + len(SUBMISSIONS) >= 60
    for attack in ANSWERS + SUBMISSIONS:
        assert set(attack.off) <= NAMES.keys(), attack.name
        assert attack.told["tries"].partition(":")[0] in CLASSES, attack.name
        assert attack.told["outcome"] and attack.told["canary"], attack.name


def test_every_class_is_tried_and_every_protection_stops_something():
    everything = ANSWERS + SUBMISSIONS
    assert {a.told["tries"].partition(":")[0] for a in everything} == CLASSES
    assert {name for a in everything for name in a.off} == NAMES.keys()
