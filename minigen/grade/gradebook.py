"""The grades of a batch in one SQLite file, which is whole at every moment."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock, Timeout

from minigen.grade.inside.wall import Limits
from minigen.grade.record import Record, needs_person
from minigen.grade.submission import Handed

PACKAGE = Path(__file__).resolve().parents[1]
FORMAT = 1  # of the tables; a file of another one is left alone
COUNTS = "(failed IS NULL OR failed = ?)"  # failed: in which run of the command the grader did
TABLES = f"""
BEGIN;
CREATE TABLE IF NOT EXISTS secret (value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS result (key TEXT PRIMARY KEY, failed TEXT, record TEXT NOT NULL);
PRAGMA user_version = {FORMAT};
COMMIT;
CREATE TEMP TABLE turn (place INTEGER PRIMARY KEY, key TEXT NOT NULL);
"""


class Gradebook:
    """Results by key; one transaction each, on the disk before the next.  One process writes it.

    A result that is nobody's grade, since the grader failed, counts for this run of the command alone: the
    next one tries again.  The gradebook also knows which submissions a batch has, in which order: iterating
    gives their results, read one by one, as often as is wanted; `len` says how many there are.
    """

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_suffix(".lock"), timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            busy = f"another minigen is grading into {path.parent}; wait for it, or name another folder"
            raise RuntimeError(busy) from None
        try:
            self._file = _opened(path)
        except sqlite3.DatabaseError as error:
            self._lock.release()
            raise ValueError(f"{path} is not a gradebook ({error}); name another folder") from error
        (self.secret,) = self._file.execute("SELECT value FROM secret").fetchone()
        self._run = os.urandom(8).hex()

    def __contains__(self, key: str) -> bool:
        """Whether there is a result that counts."""
        found = self._file.execute(f"SELECT 1 FROM result WHERE key = ? AND {COUNTS}", (key, self._run))
        return found.fetchone() is not None

    def __iter__(self) -> Iterator[Record]:
        """The results of this batch, in the order of its submissions."""
        mine = f"SELECT record FROM turn JOIN result USING (key) WHERE {COUNTS} ORDER BY place"
        return (json.loads(text) for (text,) in self._file.execute(mine, (self._run,)))

    def __len__(self) -> int:
        mine = f"SELECT count(*) FROM turn JOIN result USING (key) WHERE {COUNTS}"
        return self._file.execute(mine, (self._run,)).fetchone()[0]

    @property
    def expected(self) -> int:
        """How many submissions the batch has."""
        return self._file.execute("SELECT count(*) FROM turn").fetchone()[0]

    def add(self, key: str, record: Record) -> None:
        """Keeps a result; one that is there already stays, unless it is nobody's grade."""
        failed = self._run if needs_person(record) else None
        self._file.execute(
            "INSERT INTO result VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE "
            "SET failed = excluded.failed, record = excluded.record WHERE failed IS NOT NULL",
            (key, failed, json.dumps(record)),
        )

    def begin(self) -> None:
        """A batch begins: nothing is known of its submissions."""
        self._file.execute("DELETE FROM turn")

    def expect(self, key: str) -> None:
        """The batch has this submission next."""
        self._file.execute("INSERT INTO turn (key) VALUES (?)", (key,))

    def close(self) -> None:
        self._file.close()
        self._lock.release()

    def __enter__(self) -> "Gradebook":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _opened(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, isolation_level=None)
    (found,) = file.execute("PRAGMA user_version").fetchone()
    if found != FORMAT and file.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise sqlite3.DatabaseError(f"its format is {found}, and {FORMAT} was wanted")
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = FULL")
    file.executescript(TABLES)
    file.execute("INSERT INTO secret SELECT ? WHERE NOT EXISTS (SELECT 1 FROM secret)", (os.urandom(32),))
    return file


def key(handed: Handed, lesson: str | None, limits: Limits, tier: str) -> str:
    """What a grade depends on: whose and which notebook, and everything that graded it."""
    parts = [handed.student, handed.name, handed.id, lesson, code_version(), version("torch")]
    return hashlib.sha256(json.dumps([*parts, asdict(limits), tier]).encode()).hexdigest()


@cache
def code_version() -> str:
    """A hash of the library, the lessons and the grader."""
    files = [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "lessons").glob("*.py")]
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(str(path.relative_to(PACKAGE.parent)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()
