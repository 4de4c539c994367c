"""What an exercise is, and the one list of them all."""

import difflib
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from minigen.course import source
from minigen.course.agree import TOLERANCE

KINDS = ("implement", "repair", "predict")


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people really give, and what to tell them."""

    name: str
    answer: Any  # a function or class; for a predict exercise, a value
    why: str


@dataclass(frozen=True, eq=False)
class Exercise:
    """One function or class of the library that a learner writes; CONTRIBUTING.md explains the fields."""

    target: Any
    lesson: str
    title: str
    probe: Callable | None
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, ...]
    judge: Callable | None = None
    accepts: tuple[Any, ...] = ()
    repair: Mistake | None = None
    blank: tuple[str, ...] = ()
    points: int = 1
    minutes: int = 10
    tolerance: float = TOLERANCE
    equivalents: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The target's name; unique in the course."""
        return self.target.__name__

    @property
    def kind(self) -> str:
        """implement, repair or predict."""
        return "predict" if self.probe is None else "repair" if self.repair else "implement"

    @functools.cached_property
    def stub(self) -> str:
        """The source of the cell that the learner starts from."""
        if self.kind == "predict":
            return source.question(self.target)
        return source.stub(self.target, self.blank, self.repair and self.repair.answer)

    @functools.cached_property
    def solution(self) -> str:
        """The source of the solved cell."""
        call = f"\n\n\n{self.id} = {self.id}()" if self.kind == "predict" else ""
        return source.text(self.target) + call

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The signature of the target, by which its arguments are named."""
        return inspect.signature(self.target)

    @functools.cached_property
    def expected(self) -> Any:
        """The right value of a predict exercise."""
        return self.target()

    @property
    def record(self) -> dict[str, Any]:
        """What `minigen exercises --json` prints of it."""
        return {
            "id": self.id,
            "lesson": self.lesson,
            "kind": self.kind,
            "title": self.title,
            "points": self.points,
            "minutes": self.minutes,
            "target": f"{self.target.__module__}.{self.target.__name__}",
            "mistakes": [m.name for m in self.mistakes],
            "hints": len(self.hints),
        }

    def attempted(self, answer: Any) -> bool:
        """Whether the learner has changed anything that runs."""
        if self.kind == "predict":
            return answer is not ...
        return not source.is_stub(answer, self.stub, self.blank)


_CATALOGUE: dict[str, Exercise] = {}


def lesson(name: str, catalogue: dict[str, Exercise] = _CATALOGUE) -> Callable[..., Exercise]:
    """The function by which the file of one lesson declares its exercises: exercise = lesson("13_vae")."""

    def exercise(
        target: Any, *, title: str, mistakes: dict[str, tuple[Any, str]], hints: list[str],
        probe: Callable | None = None, repair: str | None = None, points: int | None = None, **more: Any,
    ) -> Exercise:  # fmt: skip
        known = tuple(Mistake(key, *value) for key, value in mistakes.items())
        broken = next((m for m in known if m.name == repair), None)
        made = Exercise(
            target, name, title, probe, known, tuple(hints), repair=broken,
            points=points if points is not None else 0 if probe is None else 1, **more,
        )  # fmt: skip
        _check_fields(made, repair, catalogue)
        catalogue[made.id] = made
        return made

    return exercise


def _check_fields(made: Exercise, repair: str | None, catalogue: dict[str, Exercise]) -> None:
    """An author's slip is answered when the file is read, not when a learner meets it."""
    faults = {
        "its id is already taken by lesson " + getattr(catalogue.get(made.id), "lesson", ""): made.id
        in catalogue,
        f"repair={repair!r} names none of its mistakes": repair is not None and made.repair is None,
        "it needs at least three known mistakes": made.kind != "predict" and len(made.mistakes) < 3,
        "it needs at least one hint": not made.hints,
        "a predict exercise carries no points": made.kind == "predict" and made.points != 0,
        "its target needs a docstring": not made.target.__doc__,
    }
    for fault, present in faults.items():
        if present:
            raise ValueError(f"exercise {made.id!r} of lesson {made.lesson}: {fault}")


def exercises(lesson: str | None = None) -> list[Exercise]:
    """All exercises in the order of the lessons, or those of one lesson."""
    _load()
    every = sorted(
        _CATALOGUE.values(), key=lambda e: e.lesson
    )  # stable: within a lesson as they were declared
    return [e for e in every if lesson in (None, e.lesson)]


def find(name: str) -> Exercise:
    """The exercise of this id; a ValueError names the nearest when there is none."""
    _load()
    if name in _CATALOGUE:
        return _CATALOGUE[name]
    nearest = difflib.get_close_matches(str(name), _CATALOGUE, n=1, cutoff=0.4)
    suggestion = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"there is no exercise {name!r}{suggestion}")


@functools.cache
def _load() -> None:
    """Reads every file of minigen/exercises; each declares its exercises when it is imported."""
    import minigen.exercises as folder

    for module in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"{folder.__name__}.{module.name}")
