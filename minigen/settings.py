"""Settings from the command line, as in width=64: each is checked against what it is to be."""

import inspect
import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

from minigen.data.rows import nearest

MOST = 2.0**63  # what whole numbers are below, seeds for one
KINDS = {int: "a whole number", float: "a number", str: "a word"}


def read(words: Iterable[str], known: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """{name: value} of words such as "width=64", "multiples=1,2,4".

    known: what can be set; a type is that of the annotation: int, float, a tuple of whole numbers, or a
    choice (Literal).
    Raises ValueError, with the nearest name, for one that is not known; for a value of another type; for
    numbers below 0, and whole numbers below 1 whose default is not 0; and for a name that comes twice.
    """
    settings: dict[str, Any] = {}
    for word in words:
        if word.startswith("-"):
            raise ValueError(f"there is no option {word}; settings are NAME=VALUE, as in width=64")
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"a setting should be NAME=VALUE, as in width=64; got {word!r}")
        if name not in known:
            raise ValueError(f"there is no setting {name}{nearest(name, known)}")
        if name in settings:
            raise ValueError(f"{name} should be set once; it is set to {settings[name]} and to {value}")
        settings[name] = _value(name, value, known[name])
    return settings


def _value(name: str, text: str, parameter: inspect.Parameter) -> Any:
    """A value of the type that a parameter has."""
    kind = parameter.annotation
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError(f"{name} should be one of {', '.join(get_args(kind))}; got {text!r}")
        return text
    several = isinstance(kind, types.GenericAlias)
    one = get_args(kind)[0] if several else kind
    least = 0 if one is float or parameter.default == 0 else 1
    wanted = f"{KINDS[one]}, at least {least}" + (", or several with commas between them" if several else "")
    try:
        values = tuple(one(part) for part in (text.split(",") if several else [text]))
    except ValueError:
        values = ()
    if not values or not all(least <= value < MOST for value in values):
        raise ValueError(f"{name} should be {wanted}; got {text!r}")
    return values if several else values[0]


def table(known: Mapping[str, inspect.Parameter]) -> str:
    """What can be set, in a line: names with their defaults, and what else can be chosen."""
    return "  ".join(f"{p.name}={_shown(p.default)}{_or(p)}" for p in known.values())


def shown(values: Mapping[str, Any]) -> str:
    """Settings in a line, as they would be typed."""
    return "  ".join(f"{name}={_shown(value)}" for name, value in values.items())


def _or(parameter: inspect.Parameter) -> str:
    """The other choices, if there are any."""
    choices = get_args(parameter.annotation) if get_origin(parameter.annotation) is Literal else ()
    return f" (or {', '.join(c for c in choices if c != parameter.default)})" if choices else ""


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
