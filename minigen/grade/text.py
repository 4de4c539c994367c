"""Words of the grader, and texts of strangers made fit for a terminal, a spreadsheet and a reader's eye."""

import re
import unicodedata
from typing import Any

FORMULA = "=+-@＝＋－＠"
JOINERS = "\u200c\u200d"  # Persian and Indian names are written with them

# What an outcome means, and what to do next.
MEANING = {
    "right": ("Your code gives what is wanted, on every input that was tried.", ""),
    "wrong": (
        "Your code ran, but what it gives is not what is wanted.",
        "Read what is said here, change the cell, and run the check below it in the notebook.",
    ),
    "not attempted": (
        "The cell is still as it came, does not define what is asked for, or is not in the notebook.",
        "Write an answer in the exercise's own cell, and save the notebook before you hand it in.",
    ),
    "raised": (
        "Your code stopped with an error.",
        "Restart the kernel and run all from the top: often a name is missing that only an older run knew.",
    ),
    "timed out": (
        "Your code took longer than an answer may take.",
        "Look for a loop that never ends, or for one over pixels where a single tensor operation does it.",
    ),
    "out of memory": (
        "Your code needed more memory than an answer may use.",
        "Print the shapes: most often two tensors were broadcast to one that is far larger than either.",
    ),
    "not yours": (
        "This is the library's own code, not code that you wrote.",
        "Write the function in its cell instead of importing it.",
    ),
    "malformed output": (
        "What came back could not be read as a result.",
        "An answer computes and returns. Take out what ends the program, starts another or writes files.",
    ),
    "refused": (
        "The notebook could not be read, so nothing in it was run.",
        "Open it in Jupyter, save it, and hand in that .ipynb file.",
    ),
    "infrastructure": (
        "Something failed on our side before your code was run. It does not count against you.",
        "You need not do anything: a person looks at it, and it is graded again.",
    ),
}


def plain(text: str) -> str:
    """A text in one line, without the characters that steer what shows it."""
    if text.isprintable():
        return text
    return "".join(_shown(c) for c in text)


def visible(text: str) -> str:
    """A text of several lines, each of them plain."""
    return "\n".join(plain(line) for line in text.expandtabs(4).split("\n"))


def quoted(text: str) -> str:
    """A name within a sentence for the terminal: plain, short, and no command to a log that reads `##[…]`."""
    text = plain(text).replace("##[", "# #[")
    return f"“{text if len(text) <= 60 else text[:59] + '…'}”"


def listed(texts: list[str], most: int = 10) -> str:
    """Names within a sentence: “a”, “b” and 3 more."""
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(map(quoted, texts[:most])) + more


def cell(value: Any) -> Any:
    """A value for a spreadsheet: what it would take for a formula gets a quote before it.

    After a semicolon too, which many a spreadsheet takes for the end of a cell.
    """
    if not isinstance(value, str):
        return value
    starts = value.startswith(("\t", "\r", "\n")) or value.lstrip().lstrip(JOINERS).startswith(tuple(FORMULA))
    return ("'" if starts else "") + re.sub(rf"(;\s*)(?=[{re.escape(FORMULA)}])", r"\1'", plain(value))


def _shown(c: str) -> str:
    if c.isprintable() or c in JOINERS:
        return c
    return " " if unicodedata.category(c) == "Zs" else "\N{REPLACEMENT CHARACTER}"
