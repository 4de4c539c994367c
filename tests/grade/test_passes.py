"""Who does the work of a batch may fail in any way: here by a plan, without a sandbox."""

import gc
import json

import pytest

from minigen.course.script import LESSONS
from minigen.grade import batch
from minigen.grade.gradebook import Gradebook
from minigen.grade.grader import Graded
from minigen.grade.inside.wall import Limits
from minigen.grade.mark import Outcome
from minigen.grade.submission import Handed, submission

NOTEBOOK = (LESSONS / "00_start_here.ipynb").read_bytes()


class Planned:
    """A pool that grades nothing.

    plan: {student: for each time it comes, "lost", "waited" or an outcome}.
    """

    jobs, together = 2, 4

    def __init__(self, **plan):
        self.plan, self.seen, self.alive = {s: list(each) for s, each in plan.items()}, [], 0

    def grade(self, chunks, alone):
        for chunk in chunks:
            self.seen.append((alone, [handed.student for _, handed in chunk]))
            for key, handed in chunk:
                self.alive = max(self.alive, sum(type(o) is Handed for o in gc.get_objects()))
                plan = self.plan.get(handed.student)
                match plan.pop(0) if plan else "graded":
                    case "lost":
                        pass
                    case "waited":
                        yield key, None
                    case outcome:
                        yield key, {"student": handed.student, "outcome": outcome, "exercises": []}


@pytest.fixture
def folder(tmp_path):
    for name in "abcdefghijkl":
        (tmp_path / "class" / name).mkdir(parents=True)
        (tmp_path / "class" / name / "00_start_here.ipynb").write_bytes(NOTEBOOK)
    return tmp_path / "class"


def graded(folder, out, pool):
    """({student: outcome}, how many were lacking, how often `done` was called) of one run of the command."""
    done = []
    with Gradebook(out / "grades.sqlite") as book:
        work = batch.Work(book.secret, None, Limits(), "bwrap")
        total, lacking = batch.survey(folder, book, work)
        batch.grade(folder, book, work, pool, lacking, lambda: done.append(1))
        assert total == len(list(book)) == 12
        return {r["student"]: r["outcome"] for r in book}, lacking, len(done)


def test_each_is_given_once_in_shares_that_end_together(folder, tmp_path):
    pool = Planned()
    assert graded(folder, tmp_path, pool) == (dict.fromkeys("abcdefghijkl", "graded"), 12, 12)
    assert [s for _, students in pool.seen for s in students] == list("abcdefghijkl")
    sizes = [len(students) for _, students in pool.seen]
    assert sizes[:2] == [1, 1] and max(sizes) <= pool.together and sizes[-1] == 1
    assert not any(alone for alone, _ in pool.seen)
    assert graded(folder, tmp_path, pool)[1:] == (0, 0)  # all is in the gradebook


def test_what_had_to_wait_comes_again_alone_when_the_rest_is_done(folder, tmp_path):
    pool = Planned(c=["waited", "graded"], h=["waited", "timed"])
    found, _, done = graded(folder, tmp_path, pool)
    assert pool.seen[-2:] == [(True, ["c"]), (True, ["h"])] and sum(alone for alone, _ in pool.seen) == 2
    assert done == 12 and found["c"] == "graded" and found["h"] == "timed"


def test_what_was_lost_comes_again_alone_and_counts_once(folder, tmp_path):
    pool = Planned(a=["lost", "lost", "graded"], b=["lost", "graded"])
    found, _, done = graded(folder, tmp_path, pool)
    assert found == dict.fromkeys("abcdefghijkl", "graded") and done == 12
    assert [students for alone, students in pool.seen if alone] == [["a"], ["b"], ["a"]]


def test_what_is_lost_each_time_needs_a_person_and_is_tried_by_the_next_run(folder, tmp_path):
    found, _, done = graded(folder, tmp_path, Planned(a=["lost"] * 3))
    assert found == dict.fromkeys("bcdefghijkl", "graded") | {"a": Outcome.INFRASTRUCTURE} and done == 12
    again = Planned()
    assert graded(folder, tmp_path, again) == (dict.fromkeys("abcdefghijkl", "graded"), 1, 1)
    assert again.seen == [(False, ["a"])]


def test_what_failed_in_the_sandbox_is_not_tried_again_in_the_same_run(folder, tmp_path):
    pool = Planned(d=["infrastructure"])
    assert graded(folder, tmp_path, pool)[0]["d"] == "infrastructure"
    assert not any(alone for alone, _ in pool.seen)
    assert graded(folder, tmp_path, again := Planned())[1] == 1 and again.seen == [(False, ["d"])]


def test_a_submission_that_changes_meanwhile_is_graded_as_it_is_then(folder, tmp_path):
    class Slow(Planned):
        def grade(self, chunks, alone):
            if not alone:
                (folder / "b" / "00_start_here.ipynb").write_bytes(NOTEBOOK + b" ")
            yield from super().grade(chunks, alone)

    assert graded(folder, tmp_path, Slow(b=["lost", "graded"]))[0] == dict.fromkeys("abcdefghijkl", "graded")


def test_no_more_notebooks_are_held_than_are_at_work(folder, tmp_path):
    pool = Planned()
    graded(folder, tmp_path, pool)
    assert pool.alive <= 2 * pool.together + 2


def test_a_lost_submission_keeps_its_lesson_and_its_points_in_the_total():
    found = batch.record(
        Graded(submission(Handed("ann", "00_start_here.ipynb", refused="lost"))),
        "bwrap",
        Outcome.INFRASTRUCTURE,
    )
    assert (found["lesson"], found["score"], found["max_score"]) == ("00_start_here", 0, 4)
    assert {e["outcome"] for e in found["exercises"]} == {"infrastructure"} and json.dumps(found)
