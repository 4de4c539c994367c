"""The gradebook is whole at every moment, has one writer, and keeps nobody's failure as a grade."""

import itertools
import json
import sqlite3
import subprocess
import sys

import pytest

from minigen.grade import gradebook
from minigen.grade.gradebook import Gradebook
from minigen.grade.inside.wall import Limits
from minigen.grade.submission import Handed


def record(outcome, *of_exercises, name=""):
    return {"outcome": outcome, "exercises": [{"outcome": o} for o in of_exercises], "name": name}


def held(book, *keys):
    book.begin()
    for key in keys:
        book.expect(key)
    return list(book)


def test_a_result_stays_as_it_was_first_kept(tmp_path):
    with Gradebook(tmp_path / "grades.sqlite") as book:
        book.add("a", first := record("graded", "right"))
        book.add("a", record("graded", "wrong"))
        assert held(book, "a") == [first]


@pytest.mark.parametrize("failed", [record("infrastructure"), record("graded", "right", "infrastructure")])
def test_what_failed_on_our_side_is_shown_and_tried_again_by_the_next_run(tmp_path, failed):
    with Gradebook(tmp_path / "grades.sqlite") as book:
        book.add("a", failed)
        assert "a" in book and held(book, "a") == [failed]  # no second try in the same run
    with Gradebook(tmp_path / "grades.sqlite") as book:
        assert "a" not in book and held(book, "a") == []
        book.add("a", good := record("graded", "right", "wrong"))
        book.add("a", failed)
        assert "a" in book and held(book, "a") == [good]
    with Gradebook(tmp_path / "grades.sqlite") as book:
        assert held(book, "a") == [good]


def test_results_come_in_the_order_of_the_submissions_as_often_as_wanted(tmp_path):
    with Gradebook(tmp_path / "grades.sqlite") as book:
        for key in "bca":
            book.add(key, record("graded", name=key))
        assert [r["name"] for r in held(book, *"abxc")] == ["a", "b", "c"]  # x has no result yet
        assert [r["name"] for r in book] == ["a", "b", "c"]
        assert (len(book), book.expected) == (3, 4)


def test_only_one_process_writes_and_the_other_is_told_so(tmp_path):
    path = tmp_path / "grades.sqlite"
    opens = "from pathlib import Path; from minigen.grade.gradebook import Gradebook"
    opens += f"; held = Gradebook(Path({str(path)!r}))"
    with Gradebook(path), pytest.raises(RuntimeError, match="another minigen is grading into"):
        Gradebook(path)
    with Gradebook(path):
        second = subprocess.run([sys.executable, "-c", opens], capture_output=True, text=True)
        assert "RuntimeError: another minigen is grading into" in second.stderr
    # A process that is killed holds nothing any more.
    subprocess.run([sys.executable, "-c", f"{opens}; import os; os.kill(os.getpid(), 9)"], check=False)
    Gradebook(path).close()


def test_each_result_is_on_the_disk_before_the_next(tmp_path):
    path = tmp_path / "grades.sqlite"
    with Gradebook(path) as book:
        modes = [
            book._file.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        ]
        assert modes == ["wal", 2]  # 2 is FULL
        for i in range(3):
            book.add(str(i), record("graded"))
            seen = sqlite3.connect(path).execute("SELECT count(*) FROM result").fetchone()  # by somebody else
            assert seen == (i + 1,)


@pytest.mark.parametrize("what", ["text", "tables", "format"])
def test_another_file_is_left_alone(tmp_path, what):
    path = tmp_path / "grades.sqlite"
    if what == "text":
        path.write_text("these are my grades, please keep them " * 100)
    else:
        file = sqlite3.connect(path)
        file.execute("CREATE TABLE other (x)" if what == "tables" else "PRAGMA user_version = 1000")
        file.execute("CREATE TABLE result (x)")
        file.close()
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"grades.sqlite is not a gradebook .*; name another folder"):
        Gradebook(path)
    assert path.read_bytes() == before


def test_names_that_are_no_text_are_kept(tmp_path):
    strange = record("graded", name=b"\xff\xfe.ipynb".decode("utf-8", "surrogateescape"))
    with Gradebook(tmp_path / "grades.sqlite") as book:
        book.add("a", strange)
        assert held(book, "a") == [strange]
    gradebook.key(Handed(strange["name"], ""), None, Limits(), "bwrap")


def test_a_key_is_of_everything_that_a_grade_depends_on(monkeypatch):
    def keys():
        ways = [("ann", "bob"), ("a.ipynb", "b.ipynb"), (b"1", b"2"), (None, "10"), ("bwrap", "none")]
        limits = [Limits(), Limits(seconds=1), Limits(memory=2), Limits(total=3)]
        for student, name, data, lesson, tier in itertools.product(*ways):
            for limit in limits:
                yield gradebook.key(Handed(student, name, data), lesson, limit, tier)

    every = list(keys())
    assert len(every) == len(set(every)) == 128 and every == list(keys())
    for what, value in {"code_version": lambda: "other", "version": lambda _: "2.0"}.items():
        with monkeypatch.context() as patch:
            patch.setattr(gradebook, what, value)
            assert not set(every) & set(keys())


def test_a_secret_is_made_once(tmp_path):
    secrets = []
    for _ in range(2):
        with Gradebook(tmp_path / "grades.sqlite") as book:
            secrets.append(book.secret)
    assert secrets[0] == secrets[1] and len(secrets[0]) == 32
    with Gradebook(tmp_path / "other" / "grades.sqlite") as book:
        assert book.secret != secrets[0]


def test_what_is_kept_is_json(tmp_path):
    with Gradebook(tmp_path / "grades.sqlite") as book:
        book.add("a", record("graded"))
        assert json.loads(book._file.execute("SELECT record FROM result").fetchone()[0]) == record("graded")
