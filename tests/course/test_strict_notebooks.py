"""nbval in strict mode, as `make test` runs it, fails when a notebook's answers are not as they should be."""

import os
import subprocess
import sys

import nbformat
import pytest

from minigen.course.script import SOLUTIONS

NAME = "00_start_here.ipynb"


def nbval(notebook, strict):
    """The exit status of nbval on one notebook."""
    environment = os.environ | {"MINIGEN_STRICT": strict, "MINIGEN_BUDGET": "smoke"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", notebook.name]
    return subprocess.run(command, cwd=notebook.parent, env=environment, capture_output=True, text=True)


def short(path):
    """The imports and the first exercise of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    first = next(i for i, c in enumerate(notebook.cells) if c.id == "exercise-from_levels")
    imports = next(c for c in notebook.cells if c.cell_type == "code")
    notebook.cells = [imports, *notebook.cells[first : first + 2]]
    return notebook


WRONG = "def from_levels(levels, brightest=255):\n    return levels.float() / brightest"


@pytest.mark.parametrize(
    ("planted", "strict"),
    [
        ("a wrong answer in the solved notebook", "right"),
        ("the solved answer in the student's notebook", "not-attempted"),
    ],
)
def test_nbval_fails_on(tmp_path, planted, strict):
    """That it passes without the planted answer is what `make test` shows on every notebook."""
    notebook = short(SOLUTIONS / NAME)
    if strict == "right":
        notebook.cells[1].source = WRONG
    nbformat.write(notebook, tmp_path / NAME)
    run = nbval(tmp_path / NAME, strict)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "NotAccepted" in run.stdout
