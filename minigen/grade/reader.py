"""Reads one notebook of a stranger: a program that is run as a process of its own, with limits on itself.

Bytes come on the standard input, a short JSON text goes out: nothing of the notebook but the code cells' text
and what the course wrote into their metadata. It imports nothing but the standard library.
"""

import contextlib
import json
import resource
import sys

CELLS, LONGEST, TOTAL = 2_000, 200_000, 2_000_000  # cells; characters of one; characters of all
MEMORY, SECONDS = 1 << 30, 10


def main() -> None:
    """Prints {"lesson": …, "cells": [{"source", "exercise", "check"}, …]} or {"refused": why}."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        found = extract(json.loads(sys.stdin.buffer.read().decode("utf-8-sig")))
    except (ValueError, KeyError, TypeError, AttributeError):
        found = {"refused": "it is not a notebook: no list of cells was found in it"}
    except (RecursionError, MemoryError):
        found = {"refused": "it is nested too deeply, or too large to be read"}
    print(json.dumps(found))


def extract(notebook: dict) -> dict:
    """The code cells of a notebook, and the lesson that its metadata names."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    if len(code) > CELLS:
        return {"refused": f"it has {len(code):,} code cells; at most {CELLS:,} are read"}
    cells = [
        {"source": _text(cell["source"]), "exercise": _ours(cell, "exercise"), "check": _ours(cell, "check")}
        for cell in code
    ]
    if any(len(cell["source"]) > LONGEST for cell in cells) or sum(len(c["source"]) for c in cells) > TOTAL:
        return {"refused": "its code is too long to be an answer"}
    return {"lesson": _ours(notebook, "lesson"), "cells": cells}


def _text(source: str | list) -> str:
    if not isinstance(source, (str, list)):
        raise TypeError("a cell's source is text, or a list of its lines")
    text = source if isinstance(source, str) else "".join(source)
    return text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate could not be written


def _ours(part: dict, key: str) -> str | None:
    """A short text of the course in some metadata; None when it is not there or something else."""
    with contextlib.suppress(AttributeError, KeyError, TypeError):
        value = part["metadata"]["minigen"][key]
        if isinstance(value, str) and len(value) <= 100:
            return value
    return None


if __name__ == "__main__":
    main()
