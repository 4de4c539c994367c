"""The three tiers: what each lets through, and that none is ever taken in place of another."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from minigen.course.catalogue import find
from minigen.grade import tiers
from minigen.grade.grader import Grader
from minigen.grade.inside.wall import Limits
from minigen.grade.mark import Outcome, mark, seeds
from minigen.grade.sandbox import NotRun, Sandbox
from minigen.grade.submission import Handed, submission
from minigen.grade.task import task
from minigen.grade.tiers import NoSandbox, choose

LIMITS = Limits(seconds=6, cpu=4, memory=300)
TARGET = find("reparameterize")
FAITHFUL = "def reparameterize(mu, logvar, eps):\n    return mu + (logvar / 2).exp() * eps\n"
as_root = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="skipped, because tier uid is for root alone"
)


@pytest.fixture(scope="module", params=["bwrap", "uid", "none"])
def sandbox(request):
    """One of each tier; for uid the course's folder is open here: that it must be closed is tested below."""
    if request.param == "bwrap":
        request.getfixturevalue("walls")
    if request.param == "uid" and os.getuid() != 0:
        pytest.skip("skipped, because tier uid is for root alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiers, "_for_root_alone", lambda: None)
        made = Sandbox(LIMITS, request.param)
    made.prepare(task(TARGET, seeds(b"x", TARGET)))
    yield made
    made.close()


def run(sandbox, source):
    drawn = seeds(b"x", TARGET)
    return mark(TARGET, drawn, sandbox.run({"source": source, "others": [], "seeds": drawn}), source)


def test_a_right_answer_is_right_and_a_wrong_one_is_named(sandbox):
    assert run(sandbox, FAITHFUL).outcome is Outcome.RIGHT
    wrong = run(sandbox, FAITHFUL.replace("(logvar / 2)", "logvar"))
    assert (wrong.outcome, wrong.points) == (Outcome.WRONG, 0) and "log of the variance" in wrong.message


def test_time_and_memory_are_limited_in_every_tier(sandbox):
    assert run(sandbox, "while True: pass\n" + FAITHFUL).outcome is Outcome.TIMED_OUT
    hungry = "hoard = []\nwhile True: hoard.append(bytearray(10**8))\n" + FAITHFUL
    assert run(sandbox, hungry).outcome is Outcome.OUT_OF_MEMORY
    assert run(sandbox, FAITHFUL).outcome is Outcome.RIGHT


walled = pytest.mark.parametrize("sandbox", ["bwrap", "uid"], indirect=True)


@walled
@pytest.mark.parametrize(
    "tried",
    [
        "import socket\nsocket.socket()",
        "import os\nos.execv('/bin/true', ['true'])",
        "import os\nos.setuid(0)",
        "import os\nopen('/etc/minigen-was-here', 'w')",
        "import os\nif os.getppid() == 0: raise ProcessLookupError\nos.kill(os.getppid(), 9)",
        "import ctypes, os\nif ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) != 0: raise OSError",
        "open('/proc/1/environ').read()",
    ],
    ids=["socket", "exec", "setuid", "write", "kill", "ptrace", "environ"],
)
def test_what_the_walls_stop(sandbox, tried):
    assert run(sandbox, f"{tried}\n{FAITHFUL}").outcome is Outcome.RAISED
    assert run(sandbox, FAITHFUL).outcome is Outcome.RIGHT


def family(sandbox):
    """The processes of a sandbox; an orphan of a run would be adopted by it."""
    return sorted(p.pid for p in psutil.Process(sandbox.process.pid).children(recursive=True))


@walled
def test_no_process_of_a_run_outlives_it(sandbox):
    source = (
        "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        try:\n            while True:\n                os.fork() or time.sleep(100)\n"
        "        except OSError:\n            time.sleep(100)\n"
    )
    before = family(sandbox)
    assert run(sandbox, source + FAITHFUL).points == TARGET.points
    assert family(sandbox) == before
    assert run(sandbox, FAITHFUL).outcome is Outcome.RIGHT


@as_root
def test_a_run_of_tier_uid_can_make_no_file_anywhere():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiers, "_for_root_alone", lambda: None)
        made = Sandbox(LIMITS, "uid")
    with made:
        made.prepare(task(TARGET, seeds(b"x", TARGET)))
        for folder in "/tmp", "/dev/shm", "/var/tmp":
            for how in (
                f"open('{folder}/minigen-x', 'w')",
                f"os.mkdir('{folder}/minigen-x')",
                f"os.open('{folder}', os.O_TMPFILE | os.O_RDWR)",
                f"os.symlink('/', '{folder}/minigen-x')",
                f"os.mkfifo('{folder}/minigen-x')",
            ):
                assert run(made, f"import os\n{how}\n{FAITHFUL}").outcome is Outcome.RAISED, how
            assert not Path(folder, "minigen-x").exists()


@as_root
def test_tier_uid_is_refused_where_a_learner_could_read_the_answers(monkeypatch, tmp_path):
    monkeypatch.setattr(tiers, "COURSE", tmp_path)
    tmp_path.chmod(0o755)
    with pytest.raises(NoSandbox, match=r"others than root can look into .*chmod go="):
        choose("uid")
    tmp_path.chmod(0o700)
    assert choose("uid") == "uid"


@as_root
def test_in_a_closed_folder_the_answers_cannot_be_read(tmp_path):
    course = tmp_path / "course"
    course.mkdir(mode=0o700)
    for name in "minigen", "lessons", "datasets":
        shutil.copytree(
            Path(tiers.COURSE, name), course / name, ignore=shutil.ignore_patterns("cache", "__pycache__")
        )
    for folder in tmp_path, *tmp_path.parents:  # open, as a container's folders are; the course itself is not
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    program = f"""
import sys; sys.path.insert(0, {str(course)!r})
from minigen.course.catalogue import find
from minigen.grade.mark import mark, seeds
from minigen.grade.sandbox import Sandbox
from minigen.grade.task import task
e = find("reparameterize"); drawn = seeds(b"x", e)
with Sandbox(tier="uid") as box:
    box.prepare(task(e, drawn))
    for source in sys.argv[1:]:
        print(mark(e, drawn, box.run(dict(source=source, others=[], seeds=drawn)), source).outcome)
"""
    found = subprocess.run(
        [sys.executable, "-c", program, FAITHFUL, f"open({str(course / 'minigen/vae.py')!r})\n{FAITHFUL}",
         f"import os\nos.listdir({str(course)!r})\n{FAITHFUL}"],
        capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(course)},
    )  # fmt: skip
    assert found.stdout.split() == ["right", "raised", "raised"], found.stderr


def test_an_unknown_tier_and_a_wall_that_does_not_stand_are_said(monkeypatch):
    with pytest.raises(ValueError, match="there is no tier 'tin'; the tiers are bwrap, uid, none"):
        choose("tin")
    monkeypatch.setattr(tiers.shutil, "which", lambda name: None)
    with pytest.raises(NoSandbox, match="bubblewrap is missing"):
        choose()


@pytest.mark.parametrize(
    "fault", ["raise OSError(1, 'unshare: Operation not permitted')", "import sys; sys.exit(3)"]
)
def test_a_sandbox_whose_inner_wall_cannot_be_built_is_none(walls, fault):
    code = f"from inside import wall\ndef broken(*a):\n    {fault}\nwall.new_namespaces = broken\n"
    with pytest.raises(NoSandbox, match=r"unshare: Operation not permitted|SystemExit: 3"):
        Sandbox(code=code + "from inside.zygote import main\nmain({tier!r})").ready()


def test_a_wall_that_fails_once_is_never_the_learners_fault(walls, monkeypatch):
    notebook = Path(tiers.COURSE / "solutions/00_start_here.ipynb").read_bytes()
    one = submission(Handed("ada", "00_start_here.ipynb", notebook))
    one.answers = {"tile": one.answers["tile"]}
    failures, really = [], Sandbox.run

    def failing(self, job, limits=None):
        failures.append(job)
        if len(failures) % 3 != 0:
            raise NotRun("the inner wall could not be built")
        return really(self, job, limits)

    monkeypatch.setattr(Sandbox, "run", failing)
    with Grader(b"x") as grader:
        (graded,) = grader.grade([one])
        assert graded.marks["tile"].outcome is Outcome.RIGHT and len(failures) == 3
        monkeypatch.setattr(Sandbox, "run", lambda *a: (_ for _ in ()).throw(NotRun("never")))
        (graded,) = grader.grade([one])
        assert graded.marks["tile"].outcome is Outcome.INFRASTRUCTURE


def test_a_submission_has_a_limit_of_its_own(walls):
    notebook = Path(tiers.COURSE / "solutions/00_start_here.ipynb").read_bytes()
    one = submission(Handed("ada", "00_start_here.ipynb", notebook))
    one.answers = {name: f"import time\ntime.sleep(2.5)\n{text}" for name, text in one.answers.items()}
    with Grader(b"x", Limits(total=3)) as grader:
        (graded,) = grader.grade([one])
    first, *_, third = graded.marks.values()
    assert first.outcome is Outcome.RIGHT
    assert third.outcome is Outcome.TIMED_OUT and "used up the 3 s" in third.message


def test_who_ran_out_of_time_without_computing_is_said_to_have_waited(walls):
    notebook = Path(tiers.COURSE / "solutions/00_start_here.ipynb").read_bytes()
    one = submission(Handed("ada", "00_start_here.ipynb", notebook))
    one.answers = {name: f"import time\ntime.sleep(100)\n{text}" for name, text in one.answers.items()}
    with Grader(b"x", Limits(seconds=1)) as grader:
        (graded,) = grader.grade([one])
        assert graded.waited
        (graded,) = grader.grade([one], alone=True)
        assert not graded.waited and {m.outcome for m in graded.marks.values()} == {Outcome.TIMED_OUT}
