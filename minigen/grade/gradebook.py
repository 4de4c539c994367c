"""The grades of a batch in one SQLite file, which is whole at every moment."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch

from minigen.grade.inside.wall import Limits
from minigen.grade.submission import Handed

PACKAGE = Path(__file__).resolve().parents[1]
TABLES = """
CREATE TABLE IF NOT EXISTS secret (value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS result (key TEXT PRIMARY KEY, record TEXT NOT NULL);
"""


class Gradebook:
    """Results by key; one transaction each, on the disk before the next.  One process writes it."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.executescript(TABLES)
        if self._file.execute("SELECT count(*) FROM secret").fetchone() == (0,):
            self._file.execute("INSERT INTO secret VALUES (?)", (os.urandom(32),))
        (self.secret,) = self._file.execute("SELECT value FROM secret").fetchone()

    def __contains__(self, key: str) -> bool:
        return self._file.execute("SELECT 1 FROM result WHERE key = ?", (key,)).fetchone() is not None

    def add(self, key: str, record: dict[str, Any]) -> None:
        """Keeps a result; one that is there already stays."""
        text = json.dumps(record, ensure_ascii=False)
        self._file.execute("INSERT OR IGNORE INTO result VALUES (?, ?)", (key, text))

    def records(self, keys: list[str]) -> Iterator[dict[str, Any]]:
        """The results of these keys, in their order; a key without one is passed over."""
        for key in keys:
            found = self._file.execute("SELECT record FROM result WHERE key = ?", (key,)).fetchone()
            if found:
                yield json.loads(found[0])

    def close(self) -> None:
        self._file.close()


def key(handed: Handed, lesson: str | None, limits: Limits, tier: str) -> str:
    """What a grade depends on: whose and which notebook, and everything that graded it."""
    parts = [handed.student, handed.name, handed.id, lesson, code_version(), torch.__version__]
    return hashlib.sha256(json.dumps([*parts, asdict(limits), tier]).encode()).hexdigest()


@cache
def code_version() -> str:
    """A hash of the library, the lessons and the grader."""
    files = [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "lessons").glob("*.py")]
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(str(path.relative_to(PACKAGE.parent)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()
