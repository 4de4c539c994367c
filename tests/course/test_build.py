"""Notebooks made from scripts: stubs, answers, ids, metadata; what is stale; what cannot be built."""

import re

import nbformat
import pytest
from conftest import load_samples

from minigen.course import build, catalogue, installed, script, source
from minigen.course.source import edited, is_stub

SCRIPT = """# %% [markdown]
# # A lesson
#
# It begins.

# %%
import torch
from torch import Tensor, nn

from minigen.course import check

# %% exercise
from minigen.samples import reparameterize

# %%
reparameterize = check("reparameterize", reparameterize)

# %% [markdown]
# Then it goes on.

# %% exercise
from minigen.samples import sum_squares

# %%
sum_squares = check("sum_squares", sum_squares)

# %% exercise
from minigen.samples import TinyAutoencoder

# %%
TinyAutoencoder = check("TinyAutoencoder", TinyAutoencoder)

# %% exercise
from minigen.samples import compression

# %%
compression = check("compression", compression)

# %%
print(compression)
"""


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of one lesson in a temporary folder."""
    monkeypatch.setattr(catalogue, "_CATALOGUE", load_samples().CATALOGUE)
    lessons, solutions = tmp_path / "lessons", tmp_path / "solutions"
    lessons.mkdir(), solutions.mkdir()
    (lessons / "99_samples.py").write_text(SCRIPT)
    yield lessons, solutions
    for exercise in load_samples().CATALOGUE.values():
        installed.uninstall(exercise.target)


def written(course, change=lambda text: text):
    lessons, solutions = course
    path = lessons / "99_samples.py"
    path.write_text(change(path.read_text()))
    build.build(lessons, solutions)
    return [nbformat.read(folder / "99_samples.ipynb", as_version=4) for folder in (lessons, solutions)]


def cell(notebook, name):
    return next(c for c in notebook.cells if c.id == name)


def test_the_student_gets_signature_docstring_and_an_empty_body(course):
    student, _ = written(course)
    assert cell(student, "exercise-reparameterize").source == (
        "def reparameterize(mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:\n"
        '    """A sample of N(mu, exp(logvar)). Shapes: all (N, D)."""\n'
        "    raise NotImplementedError"
    )


def test_a_class_keeps_its_other_methods(course):
    student, _ = written(course)
    source = cell(student, "exercise-TinyAutoencoder").source
    assert "self.encoder = nn.Linear(6, width)" in source
    assert "relu" not in source
    assert source.count("raise NotImplementedError") == 1


def test_a_repair_starts_from_its_mistake_and_a_prediction_from_its_question(course):
    student, solved = written(course)
    assert "return (x - y).square().mean()" in cell(student, "exercise-sum_squares").source
    assert '"""Squared error, summed over a row' in cell(student, "exercise-sum_squares").source
    predict = cell(student, "exercise-compression").source
    assert predict.startswith("# An image of 8 × 8 pixels")
    assert predict.endswith("compression = ...")
    assert cell(solved, "exercise-compression").source.endswith("compression = compression()")


def test_the_solved_cell_is_the_librarys_source(course):
    _, solved = written(course)
    assert "std = (logvar / 2).exp()" in cell(solved, "exercise-reparameterize").source


def test_both_notebooks_run_with_the_outcome_they_should_have(course, monkeypatch, capsys):
    for notebook, outcome in zip(written(course), ("not attempted", "right"), strict=True):
        monkeypatch.setenv("MINIGEN_STRICT", outcome.replace(" ", "-"))
        namespace = {}
        for c in notebook.cells:
            if c.cell_type == "code":
                exec(c.source, namespace)
        assert capsys.readouterr().out.count(outcome) >= 4


def test_ids_stay_when_text_around_them_changes(course):
    before, _ = written(course)
    after, _ = written(
        course,
        lambda t: t.replace("# %% [markdown]\n# Then", "# %% [markdown]\n# New.\n\n# %% [markdown]\n# Then"),
    )
    assert len(after.cells) == len(before.cells) + 1
    assert {c.id for c in before.cells} < {c.id for c in after.cells}
    edited, _ = written(course, lambda t: t.replace("It begins.", "It starts."))
    assert [c.id for c in edited.cells] == [c.id for c in after.cells]


def test_outputs_of_unchanged_cells_are_kept_and_of_changed_ones_dropped(course):
    _, solved = written(course)
    path = course[1] / "99_samples.ipynb"
    output = nbformat.v4.new_output("stream", text="8.0\n")
    last = solved.cells[-1].id
    cell(solved, last).outputs = [output]
    nbformat.write(solved, path)
    _, kept = written(course, lambda t: t.replace("It begins.", "It starts."))
    assert cell(kept, last).outputs == [output]
    _, dropped = written(course, lambda t: t.replace("print(compression)", "print(compression, 1)"))
    assert cell(dropped, last).outputs == []


def test_nbgrader_finds_its_metadata(course):
    student, _ = written(course)
    answer = cell(student, "exercise-reparameterize").metadata.nbgrader
    test = cell(student, "check-reparameterize").metadata.nbgrader
    assert (answer.solution, answer.grade, answer.locked) == (True, False, False)
    assert (test.solution, test.grade, test.locked, test.points) == (False, True, True, 1)
    allowed = {
        "schema_version",
        "grade",
        "solution",
        "locked",
        "task",
        "grade_id",
        "points",
        "cell_type",
        "checksum",
    }
    ids = [c.metadata.nbgrader.grade_id for c in student.cells if "nbgrader" in c.metadata]
    assert len(set(ids)) == len(ids) == 8
    assert all(re.fullmatch(r"[a-zA-Z0-9_\-]+", name) for name in ids)
    assert set(answer) | set(test) <= allowed
    assert "points" not in answer
    nbformat.validate(student)


def test_nothing_is_stale_after_a_build_and_an_edit_by_hand_is(course):
    lessons, solutions = course
    assert len(build.stale(lessons, solutions)) == 2
    written(course)
    assert build.stale(lessons, solutions) == []
    path = lessons / "99_samples.ipynb"
    path.write_text(path.read_text().replace("raise NotImplementedError", "return mu", 1))
    assert build.stale(lessons, solutions) == ["lessons/99_samples.ipynb is not what its script says"]
    (solutions / "98_old.ipynb").write_text(path.read_text())
    assert "solutions/98_old.ipynb has no script" in build.stale(lessons, solutions)


def test_a_repeated_build_writes_nothing(course):
    written(course)
    assert build.build(*course) == []


def test_a_disk_that_fills_up_is_named_with_the_file_and_costs_no_notebook(course, full_disk):
    written(course)
    before = {path: path.read_bytes() for folder in course for path in folder.glob("*.ipynb")}
    source = course[0] / "99_samples.py"
    source.write_text(source.read_text().replace("It begins.", "It begins. " + "And goes on. " * 1000))
    with full_disk, pytest.raises(OSError, match=r"99_samples\.ipynb"):
        build.build(*course)
    assert {path: path.read_bytes() for folder in course for path in folder.glob("*.ipynb")} == before
    assert not [path for folder in course for path in folder.glob(".*")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "from torch import Tensor, nn\n",
            "from torch import nn\n",
            "uses `Tensor`, which no cell before it binds",
        ),
        ("import torch\nfrom", "import torch\nTensor = 3\nfrom", None),  # the import after it wins
        ("# Then it goes on.", "# Then.\n\n# %%\nTensor = 3", "binds to something other"),
        (
            "from torch import Tensor, nn",
            "from numpy import ndarray as Tensor\nfrom torch import nn",
            "something other",
        ),
        (
            'reparameterize = check("reparameterize", reparameterize)',
            "print(1)",
            "the cell after exercise reparam",
        ),
        ("from minigen.samples import reparameterize", "import minigen", "holds one `from … import target`"),
        (
            "from minigen.samples import reparameterize",
            "from minigen.samples import nothing",
            "no exercise 'nothing'",
        ),
    ],
)
def test_a_lesson_that_cannot_be_built_is_refused_with_a_sentence(course, old, new, said):
    if said is None:
        assert written(course, lambda t: t.replace(old, new))
    else:
        with pytest.raises(ValueError, match=re.escape(said)):
            written(course, lambda t: t.replace(old, new))


def test_an_exercise_of_another_lesson_is_refused(course):
    lessons, _ = course
    (lessons / "99_samples.py").rename(lessons / "98_other.py")
    with pytest.raises(script.BuildError, match="is declared for lesson 99_samples"):
        build.build(*course)


def test_a_stub_is_recognised_and_an_answer_is_not(samples):
    exercise = samples.CATALOGUE["TinyAutoencoder"]
    assert is_stub(namespace(exercise.stub, samples)["TinyAutoencoder"], exercise.stub, exercise.blank)
    assert not is_stub(
        namespace(exercise.solution, samples)["TinyAutoencoder"], exercise.stub, exercise.blank
    )


def namespace(source, samples):
    names = dict(vars(samples))
    exec(source, names)
    return names


def wrapped(f, x):
    """A blank line stands between this and a function within."""

    def inner(y):
        return f(y)

    return inner(x)


def test_the_stub_of_a_function_that_begins_with_another_one_is_indented_as_it_was():
    assert source.stub(wrapped).endswith('within."""\n    raise NotImplementedError')
    broken = edited(wrapped, "f(y)", "f(-y)")
    names = {}
    exec(source.stub(wrapped, broken=broken), names)
    assert names["wrapped"](abs, 3) == 3 and names["wrapped"](float, 3) == -3.0
