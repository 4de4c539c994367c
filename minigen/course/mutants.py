"""How many one-edit faults the probe of an exercise notices: its mutation score.

python -m minigen.course.mutants [LESSON or EXERCISE …]      prints the table
"""

import hashlib
import inspect
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from minigen.core import replacing
from minigen.course.catalogue import Exercise, exercises
from minigen.course.edits import Mutant, mutants
from minigen.course.runs import agrees, run
from minigen.course.source import compiled, text

SCORE_DRAWS = range(5)
WANTED = 0.95
FOLDER = Path(__file__).parent
CACHE = FOLDER.parents[1] / ".cache" / "mutants.json"


@dataclass
class Score:
    """The lines of the mutants of one exercise by what became of them."""

    exercise: str
    killed: list[str] = field(default_factory=list)
    survived: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)

    @property
    def value(self) -> float:
        """Killed ÷ all that ran and are not listed as equivalent."""
        counted = len(self.killed) + len(self.survived)
        return len(self.killed) / counted if counted else 1.0


def score(exercise: Exercise) -> Score:
    """Runs every mutant of one exercise."""
    found = Score(exercise.id)
    for mutant in mutants(exercise.target, exercise.blank):
        fate = _fate(exercise, mutant)
        if mutant.line in exercise.equivalents and fate == "survived":
            fate = "listed"
        getattr(found, fate).append(f"{mutant.line}    # as if {mutant.edit}")
    return found


def _fate(exercise: Exercise, mutant: Mutant) -> str:
    try:
        wrong = compiled(mutant.source, exercise.target)
    except Exception:
        return "crashed"
    for draw in SCORE_DRAWS:
        if not agrees(exercise, wrong, draw):
            return "crashed" if run(exercise, wrong, draw).error is not None else "killed"
    return "survived"


def scores(chosen: list[Exercise] | None = None) -> list[Score]:
    """The scores of these exercises (all), from the cache where nothing that decides them has changed."""
    cache = json.loads(CACHE.read_text()) if CACHE.exists() else {}
    known = {}
    for exercise in [e for e in (exercises() if chosen is None else chosen) if e.kind != "predict"]:
        key = _fingerprint(exercise)
        known[key] = cache.get(key) or asdict(score(exercise))
    with replacing(CACHE) as temporary:
        temporary.write_text(json.dumps(cache | known))
    return [Score(**s) for s in known.values()]


def _fingerprint(exercise: Exercise) -> str:
    """Changes with the target, its module, the exercises of its lesson, the engine, and torch."""
    engine = "".join(p.read_text() for p in sorted(FOLDER.glob("*.py")))
    files = [inspect.getsourcefile(exercise.probe), inspect.getsourcefile(inspect.getmodule(exercise.target))]
    parts = [
        exercise.id,
        text(exercise.target),
        engine,
        torch.__version__,
        *(Path(f).read_text() for f in files),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def table(found: list[Score]) -> str:
    """One line an exercise, and under it each mutant that survived unlisted."""
    lines = [f"{'exercise':28} {'score':>6}  killed  survived  crashed  equivalent"]
    for s in found:
        counts = f"{len(s.killed):6}  {len(s.survived):8}  {len(s.crashed):7}  {len(s.listed):10}"
        lines.append(f"{s.exercise:28} {s.value:6.1%}  {counts}")
        lines += [f"    survives: {line}" for line in s.survived]
    return "\n".join(lines)


def main(names: list[str]) -> int:
    """Prints the table for the lessons or exercises named (all, when none is); 1 when a score is too low."""
    found = scores([e for e in exercises() if not names or e.id in names or e.lesson in names])
    print(table(found))
    return int(any(s.value < WANTED for s in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
