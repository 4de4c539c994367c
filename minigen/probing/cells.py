"""A learner's cells as text: which of their statements an answer needs, and running them."""

import ast
import builtins
import contextlib
import dis
import linecache
import re
import types
from collections.abc import Iterator
from typing import Any


def names_used(source: str) -> set[str]:
    """The global names that a piece of source needs, in bodies, annotations, defaults, decorators, bases."""
    module = compile(source, "<names>", "exec")
    used, bound = set(), set()
    for code in code_objects(module):
        for step in dis.get_instructions(code):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                used.add(step.argval)
            elif step.opname == "STORE_NAME":
                bound.add(step.argval)
    return used - bound - set(vars(builtins)) - {"__name__", "__qualname__", "__module__", "__annotate__"}


def code_objects(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object and all that are nested in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from code_objects(constant)


def binds(statement: ast.stmt) -> set[str]:
    """The names that a top-level statement binds, which those of a comprehension's own are not."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(a.asname or a.name).split(".")[0] for a in statement.names}
    loops = [part for part in ast.walk(statement) if isinstance(part, ast.comprehension)]
    own = {id(name) for loop in loops for name in ast.walk(loop.target)}
    names = (n for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return {n.id for n in names if id(n) not in own}


def bound(source: str) -> set[str]:
    """The names that a cell binds; a cell that does not parse is the learner's all the same."""
    with contextlib.suppress(SyntaxError):
        return {name for s in ast.parse(source).body for name in binds(s)}
    return {re.split(r"[(:=]", line)[0].split()[-1] for line in source.splitlines()
            if re.match(r"(def|class) +\w|\w+ *=", line)}  # fmt: skip


def helpers(source: str, others: list[str], namespace: dict[str, Any]) -> list[str]:
    """The statements of other cells that bind names the answer needs, or these need, in their order."""
    statements = [s for cell in others for s in _parsed(cell)]
    wanted, known, chosen = names_used(source), set(namespace) | set(vars(builtins)), set()
    while missing := wanted - known:
        known |= missing
        for i, statement in enumerate(statements):
            if i not in chosen and binds(statement) & (missing | {"*"}):
                chosen.add(i)
                wanted |= names_used(ast.unparse(statement))
    return [ast.unparse(statements[i]) for i in sorted(chosen)]


def _parsed(source: str) -> list[ast.stmt]:
    with contextlib.suppress(SyntaxError):
        return ast.parse(source).body
    return []


def run_cell(source: str, filename: str, namespace: dict[str, Any]) -> None:
    """Executes a cell so that errors in it show its lines."""
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), namespace)


def plain(source: str | list[str]) -> str:
    """A cell's text without magics and shell lines, which leave empty lines so that numbers stay true."""
    text = source if isinstance(source, str) else "".join(source)
    with contextlib.suppress(SyntaxError):
        ast.parse(text)
        return text
    if text.startswith(("%%time", "%%capture")):
        text = "\n" + text.partition("\n")[2]
    try:
        from IPython.core.inputtransformer2 import TransformerManager

        text = TransformerManager().transform_cell(text)  # IPython's own reading: magics become calls
        statements = ast.parse(text).body
    except SyntaxError:
        return text  # the learner's own error
    lines = text.splitlines()
    for statement in statements:
        if "get_ipython()" in ast.unparse(statement):
            lines[statement.lineno - 1 : statement.end_lineno] = [""] * (
                statement.end_lineno - statement.lineno + 1
            )
    return "\n".join(lines)
