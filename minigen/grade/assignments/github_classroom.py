"""An assignment as a repository on GitHub that checks itself at each push. Its points are advice.

It carries the course along: no address has to be known, and the version stays the one that was handed out.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

from minigen.course.script import LESSONS, ROOT, chosen, read
from minigen.grade.pages import TEMPLATES, title

COURSE = ("pyproject.toml", "requirements.lock", "README.md", "LICENSE")
IGNORED = ".venv/\n__pycache__/\n.ipynb_checkpoints/\n*.egg-info/\n.course/datasets/\n"


def write(lesson: str, out: Path) -> str:
    """Writes the repository of a lesson into a new folder; returns what to do with it."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty; name a new folder for the repository")
    (script,) = chosen(lesson)
    out.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        made.chmod(0o755)
        _fill(made, script)
        os.replace(made, out)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return (
        f"wrote {out}: push it as a template repository, which each learner copies. Its points are advice: "
        "a learner can edit the workflow; minigen grade gives those that count"
    )


def _fill(made: Path, script: Path) -> None:
    exercises = [e for e in read(script).exercises if e.points]
    points = "\n".join(f"| {e.title} | {e.points} |" for e in exercises)
    about = {"title": title(script.stem), "lesson": script.stem, "number": script.stem[:2], "points": points}
    readme = (TEMPLATES / "classroom.md").read_text(encoding="utf-8").format(**about)
    listed = [{"id": e.id, "title": e.title, "points": e.points} for e in exercises]
    named = json.dumps({"name": script.stem, "exercises": listed}, indent=1, ensure_ascii=False)
    texts = {"README.md": readme, ".gitignore": IGNORED, ".github/lesson.json": named + "\n"}
    copies = {
        f"{script.stem}.ipynb": LESSONS / f"{script.stem}.ipynb",
        ".github/workflows/classroom.yml": TEMPLATES / "classroom.yml",
        ".github/points.py": Path(__file__).with_name("points.py"),
        f".course/lessons/{script.name}": script,
        **{f".course/{name}": ROOT / name for name in COURSE},
    }
    for name in [*texts, *copies]:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (made / name).write_text(text, encoding="utf-8")
    for name, path in copies.items():
        shutil.copyfile(path, made / name)
    shutil.copytree(ROOT / "minigen", made / ".course/minigen", ignore=shutil.ignore_patterns("__pycache__"))
