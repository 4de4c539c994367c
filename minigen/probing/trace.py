"""Where in the learner's own code an error came from."""

import inspect
import linecache
import traceback
from pathlib import Path
from typing import Any

import minigen

LIBRARY = str(Path(minigen.__file__).parent)


def last_line(answer: Any, error: BaseException) -> tuple[int, str] | None:
    """(number in its cell, text) of the last of the learner's own lines in a traceback, if there is one."""
    files = cells(answer)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in files]
    if not frames:
        return None
    last = frames[-1]
    return last.lineno, (last.line or linecache.getline(last.filename, last.lineno)).strip()


def cells(answer: Any) -> set[str]:
    """The files (notebook cells) in which an answer's code stands, with those of helpers that it calls."""
    members = vars(answer).values() if isinstance(answer, type) else [answer]
    functions = [inspect.unwrap(getattr(m, "__func__", m)) for m in members if callable(m)]
    codes = [(f.__code__, f.__globals__) for f in functions if inspect.isfunction(f)]
    helpers = [names.get(name) for code, names in codes for name in code.co_names]
    codes += [(h.__code__, h.__globals__) for h in helpers if inspect.isfunction(h)]
    return {code.co_filename for code, _ in codes if not code.co_filename.startswith(LIBRARY)}


def words(error: BaseException, most: int = 400) -> str:
    """What an error says, cut when it is long; an error may fail even at that."""
    try:
        said = str(error)
    except Exception:
        return f"a {type(error).__name__} that cannot be printed"
    return said if len(said) <= most else f"{said[:most]} …"
