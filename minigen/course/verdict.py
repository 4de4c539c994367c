"""What can become of an answer on the learner's own machine."""

from dataclasses import dataclass, field
from enum import StrEnum

from minigen.probing.outputs import Outputs


class Outcome(StrEnum):
    """The six outcomes; they are distinct on purpose."""

    NOT_ATTEMPTED = "not attempted"
    RIGHT = "right"
    WRONG = "wrong"
    RAISED = "raised"
    TIMED_OUT = "timed out"
    NOT_YOURS = "not yours"


@dataclass
class Verdict:
    """An outcome and what to say about it.

    mistake: the known mistake that it is.  example: rows (label, text).  outputs: what the answer printed and
    displayed, once.  fits: it can serve in the library.
    """

    outcome: Outcome
    message: str = ""
    mistake: str | None = None
    example: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    outputs: Outputs = field(default_factory=Outputs)
    fits: bool = False
