"""Every one-edit version of a library function, made from its syntax tree.

They serve twice: an exercise whose probe lets one pass does not test that line yet, and a learner's wrong
result that equals a mutant's is explained by its edit ("as if `/ 2` were missing").
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from minigen.course import source

SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**",
         ast.FloorDiv: "//", ast.Mod: "%"}  # fmt: skip
OTHER_OPERATOR = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
                  ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv}  # fmt: skip
OPERATORS = tuple(f"a `{sign}`" for sign in SIGNS.values())
OTHER_COMPARISON = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
                    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is}  # fmt: skip
OTHER_NAME = {"sum": "mean", "mean": "sum", "min": "max", "max": "min", "zeros_like": "ones_like",
              "ones_like": "zeros_like", "zeros": "ones", "ones": "zeros", "floor": "ceil", "ceil": "floor",
              "sin": "cos", "cos": "sin", "argmin": "argmax", "argmax": "argmin"}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One edit.

    line: the source line after it.  edit: in words that follow "as if".  source: of the whole edited target.
    where: the text that the edit changed, when it needs that text to be understood.
    """

    line: str
    edit: str
    source: str
    where: str = ""


def mutants(target: Any, blank: tuple[str, ...] = ()) -> list[Mutant]:
    """All one-edit versions of the target's bodies (of a class: its `blank` methods), each text once."""
    original = ast.parse(source.text(target))
    made: dict[str, Mutant] = {}
    for function in _bodies(original, blank):
        for statement in _statements(function):
            for edit, changed in _edits(statement):
                tree, line = _with(original, statement, changed)
                text = ast.unparse(tree)
                where = "" if edit.endswith(("missing", *OPERATORS)) else ast.unparse(statement)
                if text != ast.unparse(original):
                    made.setdefault(text, Mutant(line, edit, text, where))
    return list(made.values())


def _bodies(tree: ast.Module, blank: tuple[str, ...]) -> Iterator[ast.FunctionDef]:
    definition = tree.body[0]
    if isinstance(definition, ast.ClassDef):
        yield from (
            f for f in definition.body if isinstance(f, ast.FunctionDef) and (not blank or f.name in blank)
        )
    else:
        yield definition


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements of a body, nested ones too; no docstrings, and nothing that only refuses bad input."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.If) and all(isinstance(s, ast.Raise) for s in child.body):
            continue
        if isinstance(child, ast.stmt) and not isinstance(child, ast.Raise):
            yield child
            yield from _statements(child)


def _with(tree: ast.Module, statement: ast.stmt, changed: ast.stmt | None) -> tuple[ast.Module, str]:
    """A copy of the tree with one statement replaced (None: left out), and the text of the new line."""

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST):
            if node is statement:
                return changed if changed is not None else ast.Pass()
            return self.generic_visit(copy.copy(node))

        def generic_visit(self, node: ast.AST):
            for name, value in ast.iter_fields(node):
                if isinstance(value, list):
                    setattr(node, name, [self.visit(v) if isinstance(v, ast.AST) else v for v in value])
                elif isinstance(value, ast.AST):
                    setattr(node, name, self.visit(value))
            return node

    line = "" if changed is None else ast.unparse(changed).splitlines()[0]
    return ast.fix_missing_locations(Replace().visit(tree)), line


def _edits(statement: ast.stmt) -> Iterator[tuple[str, ast.stmt | None]]:
    """(edit in words, the changed statement) for each edit of one statement's own expressions."""
    if isinstance(statement, (ast.Expr, ast.AugAssign)):
        yield f"`{_short(statement)}` were missing", None
    if isinstance(statement, ast.AugAssign) and type(statement.op) in OTHER_OPERATOR:
        other = OTHER_OPERATOR[type(statement.op)]
        yield f"`{_sign(statement.op)}=` were `{SIGNS[other]}=`", _set(statement, "op", other())
    for path, node in _expressions(statement):
        for edit, new in _replacements(node):
            yield edit, _put(statement, path, new)


def _expressions(statement: ast.stmt) -> Iterator[tuple[list, ast.expr]]:
    """(path, node) of every expression of one statement that is evaluated, not those of nested statements."""

    def walk(node: ast.AST, path: list) -> Iterator[tuple[list, ast.expr]]:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "args") and isinstance(
                node, ast.FunctionDef
            ):
                continue
            for i, child in enumerate(value if isinstance(value, list) else [value]):
                step = [*path, (name, i if isinstance(value, list) else None)]
                if isinstance(child, ast.expr):
                    yield step, child
                if isinstance(child, (ast.expr, ast.keyword, ast.comprehension, ast.withitem, ast.slice)):
                    yield from walk(child, step)

    yield from walk(statement, [])


def _replacements(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """The edits of one expression."""
    match node:
        case ast.BinOp(left, op, right):
            if other := OTHER_OPERATOR.get(type(op)):
                yield (
                    f"one `{_sign(op)}` were a `{SIGNS[other]}`",
                    ast.BinOp(left, other(), right),
                )
            if isinstance(op, ast.MatMult):
                yield f"the two sides of `@` were swapped in `{_short(node)}`", ast.BinOp(right, op, left)
            else:
                yield f"`{_sign(op)} {_short(right)}` were missing", left
                if isinstance(op, (ast.Add, ast.Mult)):
                    yield f"`{_short(left)} {_sign(op)}` were missing", right
                elif isinstance(op, ast.Sub):
                    yield f"`{_short(left)}` were missing", ast.UnaryOp(ast.USub(), right)
        case ast.UnaryOp(op, operand) if not isinstance(operand, ast.Constant):
            yield (
                f"the `{'not' if isinstance(op, ast.Not) else '-'}` were missing before `{_short(operand)}`",
                operand,
            )
        case ast.Compare(left, [op], [right]) if other := OTHER_COMPARISON.get(type(op)):
            yield f"the comparison `{_short(node)}` were another", ast.Compare(left, [other()], [right])
        case ast.IfExp(_, body, orelse):
            yield f"`{_short(body)}` were always taken", body
            yield f"`{_short(orelse)}` were always taken", orelse
        case ast.Constant(value) if isinstance(value, bool):
            yield f"`{value}` were `{not value}`", ast.Constant(not value)
        case ast.Constant(value) if isinstance(value, (int, float)):
            for other in (value + 1, value - 1) if isinstance(value, int) else (value * 2, value / 2):
                yield f"`{value}` were `{other}`", ast.Constant(other)
        case ast.Constant("sum" | "mean" as value):
            yield f'"{value}" were "{OTHER_NAME[value]}"', ast.Constant(OTHER_NAME[value])
        case ast.Call(func, args, keywords):
            yield from _call_replacements(node, func, args, keywords)
        case ast.Slice(lower, upper, step):
            if lower is not None:
                yield f"the slice began at 0 instead of `{_short(lower)}`", ast.Slice(None, upper, step)
            if upper is not None:
                yield f"the slice did not stop at `{_short(upper)}`", ast.Slice(lower, None, step)


def _call_replacements(node: ast.Call, func, args, keywords) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(func, ast.Attribute):
        if not isinstance(func.value, ast.Name) or func.value.id not in ("torch", "F", "math", "nn", "np"):
            yield f"`.{func.attr}({', '.join(map(_short, args))})` were missing", func.value
        if other := OTHER_NAME.get(func.attr):
            call = ast.Call(ast.Attribute(func.value, other, ast.Load()), args, keywords)
            yield f"`{func.attr}` were `{other}`", call
    for i in range(len(args) - 1):
        swapped = [*args[:i], args[i + 1], args[i], *args[i + 2 :]]
        words = f"`{_short(args[i])}` and `{_short(args[i + 1])}` were swapped"
        yield words, ast.Call(func, swapped, keywords)
    for i, keyword in enumerate(keywords):
        rest = [*keywords[:i], *keywords[i + 1 :]]
        yield f"`{keyword.arg}={_short(keyword.value)}` were missing", ast.Call(func, args, rest)


def _put(statement: ast.stmt, path: list, new: ast.expr) -> ast.stmt:
    """A copy of the statement with the expression at `path` replaced."""
    changed = copy.deepcopy(statement)
    node = changed
    for name, i in path[:-1]:
        node = getattr(node, name) if i is None else getattr(node, name)[i]
    name, i = path[-1]
    if i is None:
        setattr(node, name, new)
    else:
        getattr(node, name)[i] = new
    return changed


def _set(statement: ast.stmt, name: str, value: Any) -> ast.stmt:
    changed = copy.deepcopy(statement)
    setattr(changed, name, value)
    return changed


def _sign(op: ast.operator) -> str:
    return SIGNS.get(type(op), type(op).__name__)


def _short(node: ast.AST) -> str:
    """The text of a node, cut when it is long."""
    words = ast.unparse(node)
    return words if len(words) <= 30 else words[:28] + " …"
