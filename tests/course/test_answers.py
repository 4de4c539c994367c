"""`minigen check NOTEBOOK`: a learner's notebook, changed in every way that learners change them."""

import json

import nbformat
import pytest

from minigen.course import answers
from minigen.course.script import LESSONS, SOLUTIONS
from minigen.course.verdict import Outcome

STUDENT, SOLVED = LESSONS / "00_start_here.ipynb", SOLUTIONS / "00_start_here.ipynb"


@pytest.fixture
def changed(tmp_path):
    """The checked outcomes of the solved notebook after a change to it."""

    def check(change=lambda notebook: None, name="00_start_here.ipynb"):
        notebook = nbformat.read(SOLVED, as_version=4)
        change(notebook)
        nbformat.write(notebook, tmp_path / name)
        return {c.exercise.id: c.verdict for c in answers.check_notebook(tmp_path / name)}

    return check


def outcomes(verdicts):
    return {name: v and str(v.outcome) for name, v in verdicts.items()}


ALL_RIGHT = dict.fromkeys(["from_levels", "to_bytes", "numbers_in_a_batch", "tile"], "right")


def source(notebook, exercise):
    return next(c for c in notebook.cells if c.metadata.get("minigen", {}).get("exercise") == exercise)


def replace(exercise, code):
    return lambda notebook: source(notebook, exercise).update(source=code)


@pytest.mark.parametrize("script", sorted(LESSONS.glob("*.py")), ids=lambda p: p.stem)
def test_solutions_get_full_marks_and_lessons_none(script):
    solved = answers.check_notebook(SOLUTIONS / f"{script.stem}.ipynb")
    student = answers.check_notebook(LESSONS / f"{script.stem}.ipynb")
    assert all(c.right for c in solved)
    assert [c.verdict.outcome for c in student] == [Outcome.NOT_ATTEMPTED] * len(solved)


def test_each_planted_answer_is_told_apart(changed):
    assert outcomes(changed()) == ALL_RIGHT
    wrong = "def from_levels(levels, brightest=255):\n    return levels.float() / brightest"
    verdict = changed(replace("from_levels", wrong))["from_levels"]
    assert (verdict.outcome, verdict.mistake) == (Outcome.WRONG, "range 0 to 1")
    raising = "def from_levels(levels, brightest=255):\n    x = levels.float()\n    return x @ x @ x"
    verdict = changed(replace("from_levels", raising))["from_levels"]
    assert verdict.outcome == Outcome.RAISED
    assert "in line 3: `return x @ x @ x`" in verdict.message
    assert changed(replace("from_levels", "def from_levels(:"))["from_levels"].outcome == Outcome.RAISED
    assert (
        changed(replace("from_levels", "def from_levels(x):\n  return x +"))["from_levels"].outcome
        == Outcome.RAISED
    )


def test_one_wrong_exercise_never_costs_another(changed):
    result = outcomes(changed(replace("from_levels", "def from_levels(levels, brightest=255):\n    1 / 0")))
    assert result == ALL_RIGHT | {"from_levels": "raised"}


def test_helpers_in_cells_of_their_own_are_found_and_training_is_not_run(changed):
    def helpers(notebook):
        source(
            notebook, "from_levels"
        ).source = "def from_levels(levels, brightest=255):\n    return stretch(levels.float() / brightest)"
        notebook.cells.append(nbformat.v4.new_code_cell("raise SystemExit('training started')"))
        notebook.cells.append(
            nbformat.v4.new_code_cell("%timeit 3\n!ls\ndef stretch(x):\n    return x * TWO - 1")
        )
        notebook.cells.insert(0, nbformat.v4.new_code_cell("TWO = 2"))

    assert outcomes(changed(helpers)) == ALL_RIGHT


def test_the_last_of_two_cells_counts_and_order_and_name_do_not(changed):
    def shuffled(notebook):
        copy = nbformat.from_dict(source(notebook, "tile"))
        copy.id, copy.source = "another", "def tile(images, columns):\n    return images"
        notebook.cells.insert(0, copy)
        notebook.cells.reverse()

    result = outcomes(changed(shuffled, name="my copy.ipynb"))
    assert result == ALL_RIGHT | {"tile": "wrong"}


def test_a_deleted_or_renamed_exercise_is_missing_and_the_others_count(changed):
    def without(notebook):
        notebook.cells.remove(source(notebook, "tile"))
        source(notebook, "to_bytes").source = "def to_byte(x):\n    return x"

    assert outcomes(changed(without)) == ALL_RIGHT | {"tile": None, "to_bytes": None}


def test_an_answer_that_defines_by_a_loop_that_never_ends_is_stopped(changed, monkeypatch):
    monkeypatch.setattr(answers, "DEFINING", 0.2)
    endless = "while True:\n    pass\ndef tile(images, columns):\n    return images"
    assert changed(replace("tile", endless))["tile"].outcome == Outcome.TIMED_OUT


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no notebook"),
        ("", "is not a notebook"),
        ("{}", "is not a notebook"),
        ("[1, 2]", "is not a notebook"),
        ('{"cells": 3}', "is not a notebook"),
        ('{"cells": [{"cell_type": "code"}]}', "is not a notebook"),
        ('{"cells": [], "metadata": {"minigen": {"lesson": "77_none"}}}', "belongs to no lesson"),
        ('{"cells": [], "metadata": {}}', "belongs to no lesson"),
    ],
)
def test_what_cannot_be_checked_is_refused_with_a_sentence(tmp_path, content, said):
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(answers.Unreadable, match=said):
        answers.check_notebook(path)


def test_a_notebook_without_metadata_is_known_by_its_name(changed):
    assert (
        outcomes(changed(lambda notebook: notebook.metadata.clear(), name="00_start_here (1).ipynb"))
        == ALL_RIGHT
    )


def test_the_record_of_an_answer_is_json(changed):
    checked = answers.check_notebook(SOLVED)
    records = json.loads(json.dumps([c.record for c in checked]))
    assert [r["points"] for r in records] == [1, 1, 0, 2]
    assert answers.table(checked).endswith("4 of 4 right, 4 of 4 points")


@pytest.mark.parametrize("script", sorted(LESSONS.glob("*.py")), ids=lambda p: p.stem)
def test_a_right_answer_counts_though_no_other_exercise_was_attempted(script, tmp_path):
    student = nbformat.read(LESSONS / f"{script.stem}.ipynb", as_version=4)
    solved = nbformat.read(SOLUTIONS / f"{script.stem}.ipynb", as_version=4)
    for i, cell in enumerate(student.cells):
        if exercise := cell.metadata.get("minigen", {}).get("exercise"):
            only = nbformat.from_dict(student)
            only.cells = [*student.cells[:i], solved.cells[i], *student.cells[i + 1 :]]
            nbformat.write(only, tmp_path / "notebook.ipynb")
            right = [c.exercise.id for c in answers.check_notebook(tmp_path / "notebook.ipynb") if c.right]
            assert right == [exercise]


@pytest.mark.parametrize(
    "code",
    [
        "%%time\ndef tile(images, columns):\n    return lay(images, columns)",
        "files = !ls\ntile?\ndef tile(images, columns):\n    return lay(images, columns\n        % 1000)",
        "from math import *\ndef tile(images, columns):\n    return lay(images, int(floor(columns)))",
        "def tile(images, columns):\n    return lay(images, columns)\ntile = check('tile', tile)",
    ],
)
def test_what_works_in_jupyter_works_here(changed, code):
    """`lay` is a helper that stands in the cell of another exercise."""

    def change(notebook):
        source(notebook, "tile").source = code
        helper = "\n\nfrom minigen.exercises.lesson_00_start_here import by_rows_of_pictures as lay"
        source(notebook, "from_levels").source += helper

    assert outcomes(changed(change)) == ALL_RIGHT


def test_a_prediction_may_use_names_of_other_cells(changed):
    def change(notebook):
        notebook.cells.insert(0, nbformat.v4.new_code_cell("SIDE = 32"))
        source(notebook, "numbers_in_a_batch").source = "numbers_in_a_batch = 64 * 3 * SIDE**2"

    assert outcomes(changed(change)) == ALL_RIGHT
