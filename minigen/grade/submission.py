"""What learners handed in, as data: which files there are, whose they are, and which text answers what."""

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from minigen.course.script import LESSONS, Lesson, lessons, read

READER = Path(__file__).parent / "reader.py"
LARGEST = 20_000_000  # bytes of a notebook
MEMBERS = 1_000  # of a zip
SECONDS = 30  # that reading one notebook may take


@dataclass
class Handed:
    """A notebook as it was handed in. data: its bytes; refused: why they are not there."""

    student: str
    name: str
    data: bytes = b""
    refused: str = ""

    @property
    def id(self) -> str:
        """Its name in everything that we write: letters and digits of our own making."""
        key = "\0".join([self.student, self.name]).encode("utf-8", "surrogateescape")
        return hashlib.sha256(key + b"\0" + hashlib.sha256(self.data).digest()).hexdigest()[:16]


@dataclass
class Submission:
    """A notebook that was read.

    answers: {exercise: text of its cell}; others: texts of all other code cells.  notes: what was strange.
    refused: why it cannot be graded.
    """

    handed: Handed
    lesson: Lesson | None = None
    answers: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: str = ""


def handed_in(path: Path) -> Iterator[Handed]:
    """Every notebook in SUBMISSIONS/<student>/, in SUBMISSIONS/<student>.zip, or the one that path is.

    They come one at a time, in the order of names. What cannot be opened comes too, refused.
    """
    if not path.exists():
        raise ValueError(f"there is no {path}")
    if not path.is_dir():
        yield from _file(path, path.stem, path.name)
        return
    for entry in sorted(path.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            files = sorted(f for f in entry.rglob("*") if f.suffix in (".ipynb", ".zip"))
            files = [f for f in files if ".ipynb_checkpoints" not in f.parts]
            for file in files:
                yield from _file(file, entry.name, str(file.relative_to(entry)))
            if not files:
                yield Handed(entry.name, "", refused="it holds no notebook")
        elif entry.suffix in (".ipynb", ".zip"):
            yield from _file(entry, entry.stem, entry.name)


def _file(path: Path, student: str, name: str) -> Iterator[Handed]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        yield Handed(student, name, refused=f"it cannot be opened ({error.strerror})")
        return
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            yield Handed(student, name, refused="it is not an ordinary file")
        elif path.suffix == ".zip":
            yield from _zip(file, student, name)
        elif about.st_size > LARGEST:
            yield Handed(
                student, name, refused=f"it has {about.st_size:,} bytes; at most {LARGEST:,} are read"
            )
        else:
            yield Handed(student, name, file.read(LARGEST + 1))


def _zip(file: object, student: str, name: str) -> Iterator[Handed]:
    """The notebooks in a zip, read one by one up to the limit; nothing is extracted to the disk."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".ipynb")]
            members = [
                m for m in members if not re.search(r"(^|/)(__MACOSX|\.ipynb_checkpoints)/", m.filename)
            ]
            if len(archive.infolist()) > MEMBERS:
                yield Handed(student, name, refused=f"the zip has more than {MEMBERS:,} files")
                return
            if not members:
                yield Handed(student, name, refused="the zip holds no notebook")
            seen: set[str] = set()
            for member in members:
                inside = f"{name}:{member.filename}"
                if fault := _unsafe(member, seen):
                    yield Handed(student, inside, refused=fault)
                    continue
                with archive.open(member) as stream:
                    data = stream.read(LARGEST + 1)
                if len(data) > LARGEST:
                    yield Handed(student, inside, refused=f"it unpacks to more than {LARGEST:,} bytes")
                else:
                    yield Handed(student, inside, data)
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError, EOFError) as error:
        yield Handed(student, name, refused=f"the zip cannot be read ({type(error).__name__})")


def _unsafe(member: zipfile.ZipInfo, seen: set[str]) -> str:
    """Why a member of a zip is not read, or nothing."""
    parts = PurePosixPath(member.filename.replace("\\", "/")).parts
    if "\\" in member.filename or member.filename.startswith("/") or ".." in parts:
        return "its name leads out of the zip"
    key = member.filename.casefold()
    if key in seen:
        return "the zip has two files of that name"
    seen.add(key)
    kind = member.external_attr >> 16
    if kind and not (stat.S_ISREG(kind) or stat.S_IFMT(kind) == 0):
        return "it is not an ordinary file"
    return "it is encrypted" if member.flag_bits & 1 else ""


def submission(handed: Handed, lesson: str | None = None) -> Submission:
    """What a notebook answers.  lesson: which one it belongs to, whatever it says of itself."""
    found = {"refused": handed.refused} if handed.refused else _read(handed.data)
    made = Submission(handed, refused=found.get("refused", ""))
    made.lesson = _lesson(lesson, found.get("lesson"), handed.name)
    if made.lesson is None and not made.refused:
        made.refused = "it belongs to no lesson: neither its metadata nor its file name says which"
    if not made.refused:
        _sort_cells(made, found["cells"])
    return made


def _read(data: bytes) -> dict:
    """What the reader says of a notebook, or why it said nothing."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(READER)], input=data, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=SECONDS, env={}, check=False,
        )  # fmt: skip
        return json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return {"refused": "it takes too long, or too much memory, to read"}


@cache
def _lessons() -> dict[str, Lesson]:
    return {path.stem: read(path) for path in lessons(LESSONS)}


def _lesson(wanted: str | None, named: str | None, file: str) -> Lesson | None:
    """By the option, else the metadata, else the beginning of the file's name."""
    stem = PurePosixPath(file.rpartition(":")[2]).stem
    for name, lesson in _lessons().items():
        if wanted is not None and wanted in (name, name.split("_")[0]):
            return lesson
        if wanted is None and (named == name or (named is None and stem.startswith(name))):
            return lesson
    if wanted is not None:
        raise ValueError(f"there is no lesson {wanted!r}; the lessons are {', '.join(_lessons())}")
    return None


def _sort_cells(made: Submission, cells: list[dict]) -> None:
    """Which cell answers which exercise. Of two for one exercise the last counts."""
    ids = {e.id: e for e in made.lesson.exercises}
    own: dict[str, str] = {}  # what stands in an exercise's cell and does not look like an answer
    checks = {f'{i} = check("{i}", {i})' for i in ids}
    for cell in cells:
        exercise, text = cell["exercise"], cell["source"]
        if cell["check"] is not None:
            if text.strip() not in checks and cell["check"] in ids:
                made.notes.append(f"the check cell of {cell['check']} was edited; it is not run here")
            continue
        if exercise is not None and exercise not in ids:
            made.notes.append("a cell belongs to an exercise that this lesson does not have")
        if exercise not in ids or not _defines(text, exercise):
            made.others.append(text)
            if exercise in ids and text.strip():
                own[exercise] = text
            continue
        if exercise in made.answers:
            made.notes.append(f"there are two cells for {exercise}; the last one counts")
            made.others.append(made.answers[exercise])
        made.answers[exercise] = text
    for missing in [i for i in ids if i not in made.answers]:
        place = next(
            (i for i in reversed(range(len(made.others))) if _defines(made.others[i], missing)), None
        )
        if place is None and missing in own:  # it may define it in a way that only Python sees
            made.answers[missing] = own[missing]
            made.others.remove(own[missing])
        elif place is None:
            made.notes.append(f"there is no cell that defines {missing}")
        else:
            made.answers[missing] = made.others.pop(place)
            made.notes.append(f"{missing} stands in a cell that is not its own")


def _defines(text: str, name: str) -> bool:
    """Whether a text looks as if it defined a name; only the sandbox reads it as Python."""
    n = re.escape(name)
    forms = rf"^(?:async +def|def|class) +{n}\b|^{n}\b[^=\n]*=|^from .+ import .*\b{n}\b"
    return re.search(forms, text, re.MULTILINE) is not None
