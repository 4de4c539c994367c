"""A lesson as an assignment of nbgrader's: its notebook, and the settings under which nbgrader takes it."""

from pathlib import Path

from minigen.course import build, script
from minigen.grade.exports import write_text

SETTINGS = {
    'os.environ["MINIGEN_BUDGET"] = "smoke"': "the training cells take seconds; no grade depends on them",
    "c.ClearSolutions.enabled = False": "the notebooks hold stubs; nbgrader would empty their cells",
    "c.Execute.timeout = 120": "seconds that a cell may take; the first check of a notebook needs a few",
}
UNWALLED = "nbgrader runs learners' code without a sandbox, as you and on your machine"
HEAD = f'''"""Settings of nbgrader for lessons of minigen, which must be installed where the notebooks run.

    nbgrader generate_assignment LESSON      release/ is what learners get
    nbgrader autograde LESSON                grades submitted/STUDENT/LESSON/LESSON.ipynb
    nbgrader generate_feedback LESSON

{UNWALLED}: it can read your
files, end the run, and give itself points. For people whom you do not know there is `minigen grade`.
"""

import os

c = get_config()  # noqa: F821, from nbgrader
'''


def write(lesson: str, out: Path) -> str:
    """Writes source/LESSON/LESSON.ipynb and nbgrader_config.py; returns what there is to say.

    out: a course of nbgrader's, made when it is missing. Settings that are there already stay. Raises a
    ValueError when there is no such lesson, or another notebook stands in the assignment's place.
    """
    read = script.read(script.chosen(lesson)[0])
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out should be a folder, a course of nbgrader's; {out} is a file")
    place = out / "source" / read.name / f"{read.name}.ipynb"
    made = build.notebook(read, solved=False, previous=build.load(script.LESSONS / place.name))
    if place.exists() and build.load(place) != made:
        raise ValueError(
            f"{place} is there already and differs; move it away if the new one is to take its place"
        )
    build.save(made, place)
    points = sum(e.points for e in read.exercises)
    return (
        f"wrote {place}, {points} points; {_settings(out / 'nbgrader_config.py')}\n"
        f"in {out}: nbgrader generate_assignment {read.name}\n"
        f"{UNWALLED}: for people whom you do not know, use minigen grade"
    )


def _settings(path: Path) -> str:
    """Writes the settings where there are none; says what is there now."""
    if not path.exists():
        write_text(path, HEAD + "".join(f"{line}  # {why}\n" for line, why in SETTINGS.items()))
        return f"the settings are in {path.name}"
    there = path.read_text(encoding="utf-8")
    missing = [line for line in SETTINGS if line not in there]
    if not missing:
        return f"{path.name} stays as it is"
    return f"{path.name} stays as it is, and has to have: " + "; ".join(missing)
