"""What code prints and displays, kept instead of shown: a check runs an answer often and shows this once."""

import contextlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MOST_PRINTED = 10_000  # characters
MOST_SHOWN = 6


@dataclass
class Outputs:
    """What came out of a block: text, and whatever display() and plots showed, in Jupyter's own form."""

    printed: str = ""
    shown: list = field(default_factory=list)


class Capped(io.StringIO):
    """Keeps the beginning of what is printed, however much it is."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, MOST_PRINTED - self.tell())])
        return len(text)


@contextlib.contextmanager
def collected() -> Iterator[Outputs]:
    """Keeps what is printed, displayed or plotted inside the block. Read it after the block."""
    outputs, text, old = Outputs(), Capped(), _figures()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text), _displays() as shown:
        try:
            yield outputs
        finally:
            for number in sorted(_figures() - old):
                _show_and_close(number)
            outputs.printed, outputs.shown = text.getvalue(), shown.outputs[:MOST_SHOWN] if shown else []


@contextlib.contextmanager
def _displays() -> Iterator[Any]:
    """IPython's collection of what is displayed; None where no IPython runs."""
    if not _in_ipython():
        yield None
        return
    from IPython.utils.capture import capture_output

    with capture_output(stdout=False, stderr=False) as captured:
        yield captured


def _figures() -> set[int]:
    """The open figures of pyplot, which a notebook shows when its cell ends."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return set(pyplot.get_fignums()) if pyplot else set()


def _show_and_close(number: int) -> None:
    from matplotlib import pyplot

    if _in_ipython():
        from IPython.display import display

        display(pyplot.figure(number))
    pyplot.close(number)


def _in_ipython() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None
