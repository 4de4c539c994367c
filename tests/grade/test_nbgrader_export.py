"""What is exported for nbgrader is what nbgrader wants; where nbgrader is installed, it grades as we do."""

import csv
import os
import re
import subprocess
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from minigen.cli import app
from minigen.course import build
from minigen.course.build import load
from minigen.course.catalogue import exercises, find
from minigen.course.script import ROOT, SOLUTIONS, lessons
from minigen.course.source import text
from minigen.grade.assignments import nbgrader

NBGRADER = Path(os.environ.get("MINIGEN_GRADERS") or ROOT / ".venv-graders").resolve() / "bin" / "nbgrader"
LESSON = "10_autoencoder"
NOISE = """

quiet = quantise
def quantise(*arguments):
    import logging, sys, warnings
    warnings.warn("noise")
    logging.warning("noise")
    print("noise", file=sys.stderr)
    return quiet(*arguments)
"""


def answers(notebook):
    """{exercise: the cell in which it is answered}."""
    ours = [cell for cell in notebook.cells if "exercise" in cell.metadata.get("minigen", {})]
    return {cell.metadata.minigen.exercise: cell for cell in ours}


@pytest.mark.parametrize("name", [path.stem for path in lessons()])
def test_an_exported_notebook_is_what_nbgraders_schema_asks_for(name, tmp_path):
    nbgrader.write(name, tmp_path)
    made = load(tmp_path / "source" / name / f"{name}.ipynb")
    nbformat.validate(made)
    marked, ours = [c.metadata.nbgrader for c in made.cells if "nbgrader" in c.metadata], exercises(name)
    assert len(marked) == len({cell["grade_id"] for cell in marked}) == 2 * len(ours)
    always = {"schema_version", "cell_type", "grade", "grade_id", "locked", "solution", "task"}
    for cell in marked:
        assert cell.keys() == always | ({"points"} if cell["grade"] else set())
        assert cell["schema_version"] == 3 and re.fullmatch(r"[a-zA-Z0-9_\-]+", cell["grade_id"])
        assert cell["locked"] == cell["grade"] == (not cell["solution"]) and cell["task"] is False
    graded = {cell["grade_id"]: cell["points"] for cell in marked if cell["grade"]}
    assert graded == {f"check-{e.id}": e.points for e in ours}
    assert not any(graded[f"check-{e.id}"] for e in ours if e.kind == "predict")


def test_what_learners_get_has_no_answer(tmp_path):
    nbgrader.write(LESSON, tmp_path)
    (file,) = (tmp_path / "source").rglob("*.ipynb")
    typed = {name: cell.source for name, cell in answers(load(file)).items()}
    assert typed == {e.id: e.stub for e in exercises(LESSON)}
    assert not any(cell.get("outputs") for cell in load(file).cells)


def test_the_command_says_that_there_is_no_sandbox(tmp_path):
    done = CliRunner().invoke(app, ["export", "nbgrader", "10", "--out", str(tmp_path / "course")])
    assert done.exit_code == 0 and "without a sandbox" in done.stdout and "10 points" in done.stdout
    config = (tmp_path / "course" / "nbgrader_config.py").read_text(encoding="utf-8")
    assert "without a sandbox" in config and "c.ClearSolutions.enabled = False" in config
    compile(config, "nbgrader_config.py", "exec")


def test_two_lessons_share_a_course_and_nothing_is_written_over(tmp_path):
    for name in "10", "00", "10":
        nbgrader.write(name, tmp_path)
    assert sorted(p.name for p in (tmp_path / "source").iterdir()) == ["00_start_here", LESSON]
    config, notebook = tmp_path / "nbgrader_config.py", tmp_path / "source" / LESSON / f"{LESSON}.ipynb"
    config.write_text("c = get_config()\n", encoding="utf-8")
    assert "nbgrader_config.py stays as it is, and has to have: " in nbgrader.write("10", tmp_path)
    assert config.read_text(encoding="utf-8") == "c = get_config()\n"
    changed = notebook.read_text(encoding="utf-8").replace("autoencoder", "Autoencoder")
    notebook.write_text(changed, encoding="utf-8")
    with pytest.raises(ValueError, match="is there already and differs"):
        nbgrader.write("10", tmp_path)
    assert notebook.read_text(encoding="utf-8") == changed


def test_bad_input_is_answered_by_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="should be a folder"):
        nbgrader.write("10", tmp_path / "file")
    with pytest.raises(ValueError, match="there is no lesson '77'"):
        nbgrader.write("77", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def solved(**changes):
    """The solved notebook of the lesson, with other sources for some exercises."""
    made = load(SOLUTIONS / f"{LESSON}.ipynb")
    for name, source in changes.items():
        answers(made)[name].source = source
    return made


def run(folder, *arguments):
    """Runs the real nbgrader in a course, which must succeed."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith("MINIGEN_")}
    settings |= {"PATH": f"{NBGRADER.parent}{os.pathsep}{settings['PATH']}", "PYTHONPATH": str(ROOT)}
    settings |= {"JUPYTER_CONFIG_DIR": str(folder / "jupyter"), "JUPYTER_PREFER_ENV_PATH": "1"}
    done = subprocess.run([NBGRADER, *arguments], cwd=folder, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The folder of a course in which the real nbgrader has graded four submissions (minutes)."""
    if not NBGRADER.exists():
        pytest.skip("skipped, because nbgrader is not installed (make .venv-graders/installed)")
    folder = tmp_path_factory.mktemp("course")
    nbgrader.write(LESSON, folder)
    run(folder, "generate_assignment", LESSON)
    quantise = find("quantise")
    mistake = next(m for m in quantise.mistakes if text(m.answer).startswith("def quantise("))
    handed = {
        "solved": solved(),
        "untouched": load(folder / "release" / LESSON / f"{LESSON}.ipynb"),
        "mistaken": solved(quantise=text(mistake.answer)),
        "noisy": solved(quantise=quantise.solution + NOISE),
    }
    for student, notebook in handed.items():
        build.save(notebook, folder / "submitted" / student / LESSON / f"{LESSON}.ipynb")
    run(folder, "autograde", LESSON)
    run(folder, "generate_feedback", LESSON)
    run(folder, "export", "--to", "grades.csv")
    return folder


def test_nbgrader_gives_the_same_points(course):
    with (course / "grades.csv").open(encoding="utf-8") as file:
        found = {
            row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)
        }
    every = sum(e.points for e in exercises(LESSON))
    assert found == {
        "solved": (every, every),
        "untouched": (0, every),
        "mistaken": (every - find("quantise").points, every),
        "noisy": (every, every),  # a warning on stderr would cost the points in nbgrader
    }


def test_in_nbgrader_a_mistake_costs_its_own_exercise_only(course):
    graded = load(course / "autograded" / "mistaken" / LESSON / f"{LESSON}.ipynb")
    failed = {
        cell.metadata.nbgrader.grade_id
        for cell in graded.cells
        if cell.metadata.get("nbgrader", {}).get("grade")
        and any(out.output_type == "error" or out.get("name") == "stderr" for out in cell.outputs)
    }
    assert failed == {"check-quantise"}


def test_nbgraders_feedback_shows_the_diagnosis(course):
    page = (course / "feedback" / "mistaken" / LESSON / f"{LESSON}.html").read_text(encoding="utf-8")
    mistake = next(m for m in find("quantise").mistakes if text(m.answer).startswith("def quantise("))
    assert "quantise is wrong, not right" in page
    assert max(re.split(r"[`<>&'\"]", mistake.why), key=len).strip() in page
