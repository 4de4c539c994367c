"""A repository that checks itself: the steps of its workflow are run here as GitHub would run them."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from minigen.course.catalogue import find
from minigen.course.script import LESSONS, ROOT, SOLUTIONS
from minigen.grade.assignments import github_classroom

NAME = "00_start_here"
FILES = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH")
COMMANDS = (
    "::error::planted\n::set-output name=result::planted\n::add-mask::a\n##[error]planted\n\x1b[31m\u202e"
)
HOSTILE = f"""
import os
print({COMMANDS!r}, flush=True)
os.write(1, {COMMANDS.encode("utf-8")!r})
os.write(2, {COMMANDS.encode("utf-8")!r})
for name in {FILES}:
    if name in os.environ:
        open(os.environ[name], "a").write("result=planted\\n")
def tile(images, columns):
    raise ValueError({COMMANDS!r})
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    out = tmp_path_factory.mktemp("classroom") / "repository"
    github_classroom.write("00", out)
    return out


def exercises(repository):
    return json.loads((repository / ".github/lesson.json").read_text())["exercises"]


def notebook(folder, **answers):
    """The lesson's notebook, with the cells of some exercises replaced."""
    made = json.loads((folder / f"{NAME}.ipynb").read_text())
    for cell in made["cells"]:
        name = cell["metadata"].get("minigen", {}).get("exercise")
        if name in answers:
            cell["source"] = answers[name]
    return json.dumps(made)


def commands(log):
    """The workflow commands that GitHub's runner obeys in a log."""
    found, token = [], None
    for line in log.splitlines():
        if token:
            token = None if line.strip() == f"::{token}::" else token
        elif match := re.match(r"\s*::([\w-]+)(?: [^:]*)?::(.*)", line):
            token = match[2] if match[1] == "stop-commands" else None
            found += [] if token else [(match[1], match[2])]
        elif "##[" in line:
            found.append(("old", line))
    assert token is None
    return found


def pushed(repository, tmp_path, text):
    """(exit status, log, result, summary) of the step that checks the notebook."""
    shutil.copytree(repository, tmp_path / "work")
    (tmp_path / "work" / f"{NAME}.ipynb").write_text(text)
    workflow = yaml.safe_load((tmp_path / "work/.github/workflows/classroom.yml").read_text())
    (job,) = workflow["jobs"].values()
    (step,) = [s for s in job["steps"] if s.get("id") == "minigen"]
    files = {name: tmp_path / name for name in FILES}
    for file in files.values():
        file.touch()
    environment = os.environ | {k: str(v) for k, v in (files | job["env"]).items() if not k.startswith("PIP")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    run = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]], cwd=tmp_path / "work", env=environment,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    said = files["GITHUB_OUTPUT"].read_text()
    assert files["GITHUB_ENV"].read_text() == files["GITHUB_PATH"].read_text() == ""
    assert said.startswith("result=") and said.count("\n") == 1 and run.stderr == ""
    result = json.loads(base64.b64decode(said.removeprefix("result=")))
    return run.returncode, run.stdout, result, files["GITHUB_STEP_SUMMARY"].read_text()


def test_a_solved_notebook_gets_all_points(repository, tmp_path):
    status, log, result, page = pushed(repository, tmp_path, (SOLUTIONS / f"{NAME}.ipynb").read_text())
    assert status == 0 and result["status"] == "pass" and result["max_score"] == 4
    assert [(t["score"], t["status"]) for t in result["tests"]] == [(1, "pass"), (1, "pass"), (2, "pass")]
    assert commands(log) == [("notice", "Points 4/4"), ("notice", '{"totalPoints":4,"maxPoints":4}')]
    assert "4 of 4 points" in page and page.count("| right |") == 3


def test_an_untouched_notebook_gets_none(repository, tmp_path):
    status, log, result, _ = pushed(repository, tmp_path, (LESSONS / f"{NAME}.ipynb").read_text())
    assert status == 1 and result["status"] == "fail"
    assert {(t["score"], t["status"], t["message"]) for t in result["tests"]} == {
        (0, "fail", "not attempted")
    }
    assert ("notice", '{"totalPoints":0,"maxPoints":4}') in commands(log)


def test_what_a_notebook_prints_steers_nothing_and_costs_that_exercise_alone(repository, tmp_path):
    text = notebook(SOLUTIONS, tile=HOSTILE)
    status, log, result, page = pushed(repository, tmp_path, text)
    assert status == 1 and [t["score"] for t in result["tests"]] == [1, 1, 0]
    assert commands(log) == [("notice", "Points 2/4"), ("notice", '{"totalPoints":2,"maxPoints":4}')]
    assert "planted" in log and "\x1b" not in log and "\u202e" not in log  # shown, as text
    assert "planted" not in page + json.dumps(result) and "| raised |" in page
    assert len(commands(COMMANDS)) == 4  # unguarded, these would be obeyed


@pytest.mark.parametrize(
    "text", ["not a notebook", notebook(LESSONS, tile="import os\nos._exit(0)\ntile = 1")]
)
def test_a_check_that_cannot_end_is_an_error_and_no_points(repository, tmp_path, text):
    status, log, result, _ = pushed(repository, tmp_path, text)
    assert status == 1 and result["status"] == "error" and {t["status"] for t in result["tests"]} == {"error"}
    assert ("notice", "Points 0/4") in commands(log) and "gave no result" in log


def test_the_workflow_asks_for_little_and_is_pinned(repository):
    text = (repository / ".github/workflows/classroom.yml").read_text()
    workflow = yaml.safe_load(text)
    assert workflow["name"] == "Autograding Tests" and list(workflow["jobs"]) == ["run-autograding-tests"]
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["on"] == ["push", "workflow_dispatch"]
    steps = workflow["jobs"]["run-autograding-tests"]["steps"]
    used = [s["uses"] for s in steps if "uses" in s]
    assert used and all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", u) for u in used)
    assert "${{" not in text and "secrets" not in text
    for name in re.findall(
        r"[\w./-]*\.(?:course|github)/[\w./-]+", "\n".join(s.get("run", "") for s in steps)
    ):
        assert (repository / name).is_file()


def test_the_repository_holds_the_lesson_the_course_and_no_solutions(repository):
    assert (repository / f"{NAME}.ipynb").read_text() == (LESSONS / f"{NAME}.ipynb").read_text()
    assert (repository / ".course/requirements.lock").read_text() == (ROOT / "requirements.lock").read_text()
    assert sorted(p.name for p in repository.rglob("*.ipynb")) == [f"{NAME}.ipynb"]
    assert not list(repository.rglob("__pycache__")) and not (repository / ".course/tests").exists()
    listed = {e["id"]: e["points"] for e in exercises(repository)}
    assert listed == {name: find(name).points for name in listed} and sum(listed.values()) == 4
    assert all(find(name).kind != "predict" for name in listed)


def test_the_page_says_that_the_points_are_advice(repository):
    page = (repository / "README.md").read_text()
    assert "advice, not a grade" in page and "change the workflow" in page and "retired" in page
    assert "{" not in page and f"`{NAME}.ipynb`" in page


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("work")
    with pytest.raises(ValueError, match="is not empty"):
        github_classroom.write("00", tmp_path)
    with pytest.raises(ValueError, match="there is no lesson '77'"):
        github_classroom.write("77", tmp_path / "new")
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
