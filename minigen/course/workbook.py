"""The learner's own folder: brings the lessons there, leaves work alone, and opens it in JupyterLab."""

import hashlib
import json
import os
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
LESSONS, WORKBOOK = ROOT / "lessons", ROOT / "workbook"
SETTINGS = Path(__file__).with_name("lab")
RECORD = ".lessons.json"  # in the workbook: which version of each lesson was given last, and in which file


def learn(
    lesson: str | None = None,
    options: Sequence[str] = (),
    lessons: Path = LESSONS,
    workbook: Path = WORKBOOK,
) -> None:
    """Updates the workbook, says what is new in it, and runs JupyterLab there until it is stopped.

    lesson: number or name of the lesson to open, "13" or "13_vae"; options: further arguments for JupyterLab.
    Raises ValueError for a lesson that does not exist, OSError when the workbook cannot be written.
    """
    name = find(lesson, lessons) if lesson else None
    for sentence in update(lessons, workbook):
        print(sentence)
    print(f"JupyterLab opens {workbook}; Control-C here stops it.", flush=True)

    from jupyterlab.labapp import main  # here, because it takes a while to import

    os.chdir(workbook)
    main([*jupyter_arguments(workbook, name), *options])


def find(lesson: str, lessons: Path = LESSONS) -> str:
    """The full name of a lesson: "13", "13_vae", "13_vae.ipynb" and "vae" all give "13_vae".

    Raises ValueError, naming the lessons that there are, when there is no such one.
    """
    wanted = Path(lesson).name.removesuffix(".ipynb")
    names = [path.stem for path in _notebooks(lessons)]
    for name in names:
        number, _, title = name.partition("_")
        if wanted in (name, title) or wanted.zfill(2) == number:
            return name
    raise ValueError(f"there is no lesson {lesson!r}; the lessons are {', '.join(names)}")


def update(lessons: Path = LESSONS, workbook: Path = WORKBOOK) -> list[str]:
    """Brings every notebook of `lessons` to `workbook`, and returns one sentence for each thing done.

    A copy that the learner has neither changed nor run is replaced when the lesson is newer. Any other stays
    as it is, and the new lesson lands beside it as NAME.new.ipynb (then .new2, …), once for each new version.
    Raises ValueError when there are no lessons, OSError when the workbook cannot be written.
    """
    notebooks = _notebooks(lessons)
    try:
        workbook.mkdir(parents=True, exist_ok=True)
        added = [path.stem for path in notebooks if not (workbook / path.name).exists()]
        sentences = [f"New in {workbook.name}/: {', '.join(added)}."] if added else []
        before = _read_record(workbook)
        record = dict(before)
        for path in notebooks:
            record[path.name], sentence = _bring(path, workbook, before.get(path.name, {}))
            sentences += [sentence] if sentence else []
        if record != before:
            _write(workbook / RECORD, json.dumps(record, indent=1).encode())
    except OSError as error:
        raise OSError(
            f"{workbook} cannot be written: {error.strerror or error}; your work in it is untouched"
        ) from error
    return sentences


def _bring(lesson: Path, workbook: Path, given: dict[str, str]) -> tuple[dict[str, str], str]:
    """Brings one lesson; returns what to remember about it, and a sentence when there is something to say."""
    version, first = fingerprint(lesson), workbook / lesson.name
    newest = workbook / given.get("file", lesson.name)  # the file that got the last version
    if not first.exists():
        _write(first, lesson.read_bytes())
        return {"file": first.name, "version": version}, ""
    if version == given.get("version"):
        return given, ""
    if fingerprint(newest) == version:  # already there: an earlier run was cut before it wrote the record
        return {"file": newest.name, "version": version}, ""
    if given and fingerprint(newest) == given["version"]:
        _write(newest, lesson.read_bytes())
        return {"file": newest.name, "version": version}, f"{newest.name} is updated: the lesson is newer."
    beside = next(p for p in _names_beside(first) if not p.exists() or fingerprint(p) == version)
    _write(beside, lesson.read_bytes())
    return {"file": beside.name, "version": version}, (
        f"{lesson.stem} has a newer version: yours stays as it is, the new one is {beside.name}."
    )


def fingerprint(notebook: Path) -> str | None:
    """A hash of what the learner can put into a notebook; None for what is not a notebook, or not there.

    That a cell was run counts: its result is the learner's too. Counters, empty cells and what Jupyter itself
    writes when it saves do not count.
    """
    try:
        cells = json.loads(notebook.read_bytes())["cells"]
        seen = [
            [cell["cell_type"], source, bool(cell.get("outputs")), cell.get("metadata", {}).get("nbgrader")]
            for cell in cells
            if (source := "".join(cell["source"])).strip()
        ]
    except (ValueError, KeyError, TypeError, AttributeError, FileNotFoundError):
        return None
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def jupyter_arguments(workbook: Path, lesson: str | None = None) -> list[str]:
    """How JupyterLab is started: in `workbook`, at a lesson, asking nothing of the network."""
    arguments = [
        f"--ServerApp.root_dir={workbook}",
        "--LabApp.news_url=None",
        f"--LabApp.app_settings_dir={SETTINGS}",  # or it asks every learner whether to fetch news
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",  # the other one lists extensions from the network
        "--log-level=WARN",  # the address is still printed
    ]
    if lesson:
        arguments.append(f"--LabApp.default_url=/lab/tree/{quote(lesson)}.ipynb")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")  # root is the only user of many containers
    if not has_screen():
        arguments.append("--no-browser")
    return arguments


def has_screen() -> bool:
    """Whether a browser can be opened where the learner sits."""
    if os.environ.get("BROWSER"):  # remote editors set it to a program that opens the page on the near side
        return True
    if os.environ.get("CI") or os.environ.get("SSH_CONNECTION"):
        return False
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return False  # webbrowser would offer a text browser
    try:
        return bool(webbrowser.get())
    except webbrowser.Error:
        return False


def _notebooks(lessons: Path) -> list[Path]:
    """The lessons in their order; a ValueError when there are none, or one cannot be read."""
    found = sorted(lessons.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise ValueError(f"there are no lessons in {lessons}; learn from a clone of the repository")
    if broken := [path.name for path in found if fingerprint(path) is None]:
        raise ValueError(
            f"{', '.join(broken)} in {lessons} is not a notebook; restore it, or run minigen build"
        )
    return found


def _names_beside(first: Path) -> Iterator[Path]:
    """NAME.new.ipynb, NAME.new2.ipynb, …"""
    return (first.with_name(f"{first.stem}.new{i if i > 1 else ''}.ipynb") for i in count(1))


def _write(path: Path, content: bytes) -> None:
    from minigen.core import replacing  # here: it brings torch, for which most starts need not wait

    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _read_record(workbook: Path) -> dict[str, dict[str, str]]:
    """What was given before; empty when that is not known, and then no notebook counts as unchanged."""
    try:
        record = json.loads((workbook / RECORD).read_bytes())
        return {k: {"file": v["file"], "version": v["version"]} for k, v in record.items()}
    except (ValueError, KeyError, TypeError, AttributeError, FileNotFoundError):
        return {}
