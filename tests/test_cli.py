"""The command line: what it prints, its exit status, and one sentence for bad input."""

import json
import subprocess
import sys

import pytest

from minigen.course.script import LESSONS, SOLUTIONS, read

EXERCISES = len(read(LESSONS / "10_autoencoder.py").exercises)


def minigen(*arguments, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-m", "minigen.cli", *map(str, arguments)],
        capture_output=True, text=True, encoding="utf-8", env=os.environ | environment,
    )  # fmt: skip


def test_exercises_as_json_has_what_an_instructor_asks_for():
    listed = json.loads(minigen("exercises", "--json").stdout)
    fields = {"id", "lesson", "kind", "title", "points", "minutes", "target", "mistakes", "hints"}
    assert all(set(e) == fields for e in listed)
    assert all(len(e["mistakes"]) >= 3 for e in listed if e["kind"] != "predict")
    assert len({e["id"] for e in listed}) == len(listed) >= 12


def test_check_gives_full_marks_to_a_solution_and_none_to_a_lesson():
    solved = minigen("check", SOLUTIONS / "10_autoencoder.ipynb", "--json")
    assert solved.returncode == 0, solved.stdout + solved.stderr
    assert all(e["outcome"] == "right" and e["points"] == e["of"] for e in json.loads(solved.stdout))
    student = minigen("check", LESSONS / "10_autoencoder.ipynb")
    assert student.returncode == 1
    assert f"0 of {EXERCISES} right, 0 of " in student.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "nothing.ipynb"], "there is no notebook nothing.ipynb"),
        (["check", "pyproject.toml"], "is not a notebook"),
        (["build", "77", "--check"], "no lesson"),
        (["learn", "77"], "no lesson '77'"),
        (["evaluate", "digits", "shapes"], "only pictures of one kind and size can be compared"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_status_2(arguments, said):
    run = minigen(*arguments)
    assert run.returncode == 2
    assert said in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert "Traceback" not in run.stderr


def test_a_deleted_exercise_is_named_and_the_others_are_still_checked(tmp_path):
    notebook = json.loads((SOLUTIONS / "00_start_here.ipynb").read_text(encoding="utf-8"))
    notebook["cells"] = [c for c in notebook["cells"] if c["id"] != "exercise-tile"]
    path = tmp_path / "00_start_here.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    run = minigen("check", path)
    assert run.returncode == 2
    assert "no cell that defines tile" in run.stderr
    assert "3 of 4 right" in run.stdout


def test_progress_needs_no_workbook(tmp_path):
    run = minigen("progress", MINIGEN_PROGRESS=str(tmp_path / "none.json"))
    assert run.returncode == 0
    assert f"10_autoencoder: 0 of {EXERCISES} done" in run.stdout


def test_doctor_speaks_of_everything_a_learner_needs():
    found = json.loads(minigen("doctor", "--json").stdout)
    assert {"python", "torch", "device", "memory", "sandbox"} <= {f["name"] for f in found}
    assert all(f["remedy"] for f in found if f["state"] == "missing")
