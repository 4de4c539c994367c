"""The texts of an exercise, made from the library's own source: stub, solved cell, and edited versions."""

import ast
import dis
import functools
import inspect
import linecache
import sys
import textwrap
import types
from collections.abc import Iterable
from typing import Any

from minigen.probing.cells import code_objects

RAISE = "raise NotImplementedError"


def text(target: Any) -> str:
    """The source of a function or class, from its first decorator on, without indentation."""
    if known := vars(target).get("__source__"):  # an edited version, which is in no file
        return known
    return textwrap.dedent(inspect.getsource(inspect.unwrap(target))).rstrip()


def stub(target: Any, blank: Iterable[str] = (), broken: Any = None) -> str:
    """What the learner starts from: signature and docstring; the body raises, or is that of `broken`.

    blank: the methods of a class to empty (all of them when none is named); the others stay as they are.
    """
    source = text(target)
    lines = source.splitlines()
    faulty = [] if broken is None else _functions(ast.parse(text(broken)).body[0])
    bodies = {f.name if isinstance(target, type) else target.__name__: f for f in faulty}
    broken_lines = [] if broken is None else text(broken).splitlines()
    for function in reversed([f for f in _functions(ast.parse(source).body[0]) if _wanted(f, target, blank)]):
        start, end = _body(function)
        indent = " " * function.body[0].col_offset
        if broken is None:
            lines[start:end] = [indent + RAISE]
        else:
            body = broken_lines[slice(*_body(bodies[function.name]))]
            lines[start:end] = textwrap.indent(textwrap.dedent("\n".join(body)), indent).splitlines()
    return "\n".join(lines)


def question(target: Any) -> str:
    """The stub of a predict exercise: the docstring as a comment, and a name to fill in."""
    lines = inspect.cleandoc(target.__doc__).splitlines()
    return "\n".join(f"# {line}".rstrip() for line in lines) + f"\n{target.__name__} = ..."


def edited(target: Any, *changes: str) -> Any:
    """The target with pieces of its code replaced, as in edited(f, old, new, …); each old occurs once."""
    source = _code(target)
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        if source.count(old) != 1:
            raise ValueError(
                f"{old!r} should occur once in {target.__name__}; it occurs {source.count(old)} times"
            )
        source = source.replace(old, new)
    return compiled(source, target)


@functools.cache
def _code(target: Any) -> str:
    """The source of a target, without its docstrings."""
    source = text(target)
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            first = node.body[0]
            lines[first.lineno - 1 : first.end_lineno] = [None] * (first.end_lineno - first.lineno + 1)
    return "\n".join(line for line in lines if line is not None)


def compiled(source: str, target: Any) -> Any:
    """The object that `source` defines when it stands where the target stands, in the target's module."""
    filename = f"<{target.__module__}.{target.__name__} {hash(source) & 0xFFFFFF:06x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    namespace = dict(module_globals(target))
    exec(compile(source, filename, "exec"), namespace)
    made = namespace[target.__name__]
    made.__source__ = source
    return made


def module_globals(target: Any) -> dict[str, Any]:
    """The names that the target's code sees."""
    return vars(sys.modules[target.__module__])


def is_stub(answer: Any, source: str, blank: Iterable[str] = ()) -> bool:
    """Whether the answer's code is that of this stub, whatever its comments, docstring and line breaks."""
    codes = {c.co_qualname: _steps(c) for c in code_objects(compile(source, "<stub>", "exec"))}
    if isinstance(answer, type):
        methods = [f.name for f in _functions(ast.parse(source).body[0]) if not blank or f.name in blank]
        pairs = [(f"{answer.__name__}.{m}", _code_of(vars(answer).get(m))) for m in methods]
    else:
        pairs = [(getattr(answer, "__name__", None), _code_of(answer))]
    return all(code is not None and codes.get(name) == _steps(code) for name, code in pairs)


def _code_of(member: Any) -> types.CodeType | None:
    member = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
    return getattr(inspect.unwrap(member), "__code__", None) if callable(member) else None


def _steps(code: types.CodeType) -> list[tuple]:
    """What the code does, with nested code spelled out; names and constants instead of their numbers."""
    return [
        (i.opname, _steps(i.argval) if isinstance(i.argval, types.CodeType) else (type(i.argval), i.argval))
        for i in dis.get_instructions(code)
    ]


def _functions(definition: ast.stmt) -> list[ast.FunctionDef]:
    members = definition.body if isinstance(definition, ast.ClassDef) else [definition]
    return [m for m in members if isinstance(m, ast.FunctionDef)]


def _wanted(function: ast.FunctionDef, target: Any, blank: Iterable[str]) -> bool:
    return not isinstance(target, type) or not blank or function.name in blank


def _body(function: ast.FunctionDef) -> tuple[int, int]:
    """The lines [start, end) of a function's body after its docstring."""
    statements = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not statements:
        raise ValueError(f"{function.name} has no body to ask for")
    first = statements[0]
    start = function.body[0].end_lineno if statements is not function.body else first.lineno - 1
    return start, function.end_lineno
