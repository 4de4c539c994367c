"""Makes the two notebooks of a lesson from its script: the student's with stubs, and the solved one."""

import difflib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from minigen.core import replacing
from minigen.course.script import LESSONS, SOLUTIONS, Lesson, chosen, read


def notebook(lesson: Lesson, solved: bool, previous: NotebookNode | None) -> NotebookNode:
    """One notebook. Cells keep the ids that they had in the previous one, and if unchanged their outputs."""
    sources = [_source(cell, solved) for cell in lesson.cells]
    made = new_notebook(metadata=_metadata(lesson))
    for cell, source, name in zip(lesson.cells, sources, _ids(lesson, sources, previous), strict=True):
        new = new_markdown_cell if cell.kind == "markdown" else new_code_cell
        made.cells.append(new(source, id=name, metadata=_cell_metadata(cell)))
    if solved and previous is not None:
        known = {c.id: c for c in previous.cells if c.cell_type == "code"}
        for cell in made.cells:
            old = known.get(cell.id)
            if cell.cell_type == "code" and old is not None and old.source == cell.source:
                cell.outputs, cell.execution_count = old.outputs, old.execution_count
    return made


def build(folder: Path = LESSONS, solutions: Path = SOLUTIONS, only: str | None = None) -> list[Path]:
    """Writes every notebook that is missing or stale, and returns those."""
    written = []
    for path, made in notebooks(folder, solutions, only):
        if _differs(made, load(path)):
            save(made, path)
            written.append(path)
    return written


def stale(folder: Path = LESSONS, solutions: Path = SOLUTIONS, only: str | None = None) -> list[str]:
    """What `build` would change, a sentence each. Compares sources and metadata, never outputs."""
    found, expected = [], set()
    for path, made in notebooks(folder, solutions, only):
        expected.add(path)
        old = load(path)
        if old is None:
            found.append(f"{_short(path)} is missing")
        elif _differs(made, old):
            found.append(f"{_short(path)} is not what its script says")
    there = set() if only else {*folder.glob("*.ipynb"), *solutions.glob("*.ipynb")}
    for extra in sorted(there - expected):
        found.append(f"{_short(extra)} has no script")
    return found


def notebooks(folder: Path, solutions: Path, only: str | None = None) -> Iterator[tuple[Path, NotebookNode]]:
    """(path, notebook) for both notebooks of every lesson, or of the one named `only`."""
    for script in chosen(only, folder):
        lesson = read(script)
        for path, solved in (
            (folder / f"{script.stem}.ipynb", False),
            (solutions / f"{script.stem}.ipynb", True),
        ):
            yield path, notebook(lesson, solved, load(path))


def load(path: Path) -> NotebookNode | None:
    """The notebook at a path, or None."""
    return nbformat.read(path, as_version=4) if path.exists() else None


def save(made: NotebookNode, path: Path) -> None:
    """Writes a notebook atomically."""
    with replacing(path) as temporary:
        temporary.write_text(nbformat.writes(made) + "\n", encoding="utf-8")


def _source(cell, solved: bool) -> str:
    if cell.kind != "exercise":
        return cell.source
    return cell.exercise.solution if solved else cell.exercise.stub


def _metadata(lesson: Lesson) -> dict:
    return {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "minigen": {"lesson": lesson.name},
    }


def _cell_metadata(cell) -> dict:
    """What a cell is for; for exercises and checks, also what nbgrader needs to use the notebook as it is."""
    if cell.kind == "picture":
        return {"minigen": {"picture": True}}
    if cell.exercise is None:
        return {}
    graded = cell.kind == "check"
    nbgrader = {
        "schema_version": 3,
        "cell_type": "code",
        "grade": graded,
        "grade_id": f"check-{cell.exercise.id}" if graded else cell.exercise.id,
        "locked": graded,
        "solution": not graded,
        "task": False,
    }
    if graded:
        nbgrader["points"] = cell.exercise.points
    return {"minigen": {cell.kind: cell.exercise.id}, "nbgrader": nbgrader}


def _ids(lesson: Lesson, sources: list[str], previous: NotebookNode | None) -> list[str]:
    """An exercise's cells are named after it; others keep the id they had, or get one from their text."""
    names: list[str | None] = [
        f"{c.kind}-{c.exercise.id}" if c.exercise is not None else None for c in lesson.cells
    ]
    old = [c for c in previous.cells] if previous is not None else []
    matcher = difflib.SequenceMatcher(None, [c.source for c in old], sources, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal" or (tag == "replace" and i2 - i1 == j2 - j1):
            for i, j in zip(range(i1, i2), range(j1, j2), strict=True):
                if names[j] is None and "nbgrader" not in old[i].metadata:
                    names[j] = old[i].id
    used = {n for n in names if n}
    for j, source in enumerate(sources):
        attempt = 0
        while names[j] is None:
            name = hashlib.sha256(f"{source}{attempt or ''}".encode()).hexdigest()[:8]
            names[j] = None if name in used else name
            attempt += 1
        used.add(names[j])
    return names


def _differs(a: NotebookNode, b: NotebookNode | None) -> bool:
    def essence(n: NotebookNode) -> list:
        return [n.metadata, n.nbformat_minor, [(c.id, c.cell_type, c.source, c.metadata) for c in n.cells]]

    return b is None or essence(a) != essence(b)


def _short(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
