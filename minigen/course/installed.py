"""Puts a learner's right answers into the library, and takes them out again."""

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_answers: dict[int, tuple[Any, Any]] = {}  # id of the library's object: (that object, the learner's)


def install(target: Any, answer: Any) -> None:
    """From now on the library runs on `answer` wherever it used `target`."""
    uninstall(target)
    if any(value is answer for module in _library_modules() for value in list(vars(module).values())):
        return  # it is the library's already, under another name, and could not be told apart afterwards
    _answers[id(target)] = (target, answer)
    _replace(target, answer)


def uninstall(target: Any) -> None:
    """From now on the library runs on its own `target` again."""
    if known := _answers.pop(id(target), None):
        _replace(known[1], target)


@contextmanager
def pristine() -> Iterator[None]:
    """The library as it was shipped, for as long as the block lasts."""
    kept = list(_answers.values())
    for target, answer in kept:
        _replace(answer, target)
    try:
        yield
    finally:
        for target, answer in kept:
            _replace(target, answer)


def _replace(old: Any, new: Any) -> None:
    """Every module attribute of the library that is `old` becomes `new`."""
    for module in _library_modules():
        for key, value in list(vars(module).items()):
            if value is old:
                setattr(module, key, new)


def _library_modules() -> list[types.ModuleType]:
    return [
        m for name, m in sys.modules.copy().items() if of_library(name) and isinstance(m, types.ModuleType)
    ]


def of_library(module: str) -> bool:
    """The library proper: the exercises and the course keep the pristine objects."""
    return module.split(".")[0] == "minigen" and not module.startswith(
        ("minigen.exercises", "minigen.course")
    )
