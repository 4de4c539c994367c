"""What a learner has done, in one small file that several notebooks may write at once."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from minigen.core import replacing
from minigen.course.catalogue import Exercise, exercises
from minigen.course.verdict import Outcome, Verdict

ROOT = Path(__file__).resolve().parents[2]


def path() -> Path:
    """Where progress is kept: $MINIGEN_PROGRESS, else in the workbook that we stand in, else in ours."""
    if named := os.environ.get("MINIGEN_PROGRESS"):
        return Path(named)
    here = Path.cwd()
    folder = next((p for p in (here, *here.parents) if p.name == "workbook"), ROOT / "workbook")
    return folder / ".progress.json"


def read() -> dict[str, dict]:
    """{exercise id: record}; empty when there is none. An unreadable file is put aside, never overwritten."""
    try:
        state = json.loads(path().read_text(encoding="utf-8"))
        if isinstance(state, dict) and all(isinstance(entry, dict) for entry in state.values()):
            return state
        raise ValueError("it is no record of progress")
    except FileNotFoundError:
        return {}
    except ValueError:
        aside = path().with_name(f".progress.unreadable.{time.strftime('%Y%m%d-%H%M%S')}.json")
        os.replace(path(), aside)
        print(f"{path()} could not be read; it is now {aside.name}, and progress starts anew.")
        return {}


@contextmanager
def _changing() -> Iterator[dict[str, dict]]:
    path().parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path()}.lock", timeout=5):
        state = read()
        yield state
        with replacing(path()) as temporary:
            temporary.write_text(json.dumps(state, indent=1, ensure_ascii=False), encoding="utf-8")


def _entry(state: dict[str, dict], exercise: Exercise) -> dict:
    return state.setdefault(
        exercise.id, {"lesson": exercise.lesson, "attempts": 0, "hints": 0, "mistakes": []}
    )


def record(exercise: Exercise, verdict: Verdict) -> None:
    """Writes down one attempt. "first" is the first attempt's outcome, "done" stays once it is right."""
    if verdict.outcome in (Outcome.NOT_ATTEMPTED, Outcome.NOT_YOURS):
        return
    with _changing() as state:
        entry = _entry(state, exercise)
        entry.setdefault("first", str(verdict.outcome))
        entry["attempts"] = entry.get("attempts", 0) + 1
        entry["last"] = str(verdict.outcome)
        entry["done"] = entry.get("done", False) or verdict.outcome is Outcome.RIGHT
        if verdict.mistake and verdict.mistake not in entry.setdefault("mistakes", []):
            entry["mistakes"].append(verdict.mistake)


def next_hint(exercise: Exercise) -> int:
    """The number of the next hint to show, counted from 0; after the last one it stays there."""
    with _changing() as state:
        entry = _entry(state, exercise)
        shown = min(entry.get("hints", 0), len(exercise.hints) - 1)
        entry["hints"] = shown + 1
    return shown


def table(detailed: str | None = None) -> str:
    """The learner's progress: a line a lesson, and a line an exercise (of one lesson, when it is named)."""
    state, lines = read(), []
    for lesson in dict.fromkeys(e.lesson for e in exercises()):
        of = exercises(lesson)
        done = sum(bool(state.get(e.id, {}).get("done")) for e in of)
        lines.append(f"{lesson}: {done} of {len(of)} done")
        if detailed in (None, lesson):
            lines += [_line(e, state.get(e.id, {})) for e in of]
    return "\n".join(lines)


def _line(exercise: Exercise, entry: dict) -> str:
    mark = "✓" if entry.get("done") else "✗" if entry.get("attempts") else "○"
    tries = f"  ({entry['attempts']} tries)" if entry.get("attempts", 0) > 1 else ""
    return f"  {mark} {exercise.id:24} {exercise.kind:10} {exercise.title}{tries}"
