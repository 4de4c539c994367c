"""The library without one answer: its sources, from which a target is gone, and what cannot stand without it.

A function that only calls the target may stay, since it looks the name up when it runs. What needs the target
while a module is imported, as a class that derives from it, goes too, and so on until nothing more has to go.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
NEVER = ("exercises", "course", "grade", "weights")  # folders that no sandbox ever holds
LATER = (ast.FunctionDef, ast.Lambda)  # whose bodies run when they are called
LAZY = "from __future__ import annotations\n"  # so that a name in an annotation need not be there
COMMANDS = ("cli", "evaluation", "recipes", "train_features")  # programs over the library, not parts of it


def without(module: str, name: str) -> dict[str, str]:
    """{module: its source} of the library, in which `name` of `module` is nowhere defined.

    module: as in "minigen.vae".  Comments are gone as well.
    """
    texts, trees, gone = sources(), {}, {(module, name)}
    lost = gone
    while lost:
        touched = [key for key, text in texts.items() if any(name in text for _, name in lost)]
        trees |= {key: ast.parse(texts[key]) for key in touched if key not in trees}
        lost = {place for key, tree in trees.items() for place in _prune(key, tree, gone)} - gone
        gone |= lost
    return {
        key: LAZY + ast.unparse(trees[key]) if key in trees else _bare(text) for key, text in texts.items()
    }


@cache
def _bare(source: str) -> str:
    """A module as it is, without its comments."""
    return LAZY + ast.unparse(ast.parse(source))


@cache
def sources() -> dict[str, str]:
    """{module: its source} of the parts of the library that a sandbox may hold."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] in NEVER or parts[0] in COMMANDS:
            continue
        name = ".".join(("minigen", *parts)).removesuffix(".__init__")
        found[name] = path.read_text(encoding="utf-8")
    return found


def _prune(module: str, tree: ast.Module, gone: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Takes out of a module what is gone and what needs it at import; returns what it no longer binds."""
    here = {name for key, name in gone if key == module}
    kept, lost = [], set()
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom):
            cut = [a for a in statement.names if (statement.module, a.name) in gone]
            lost |= {a.asname or a.name for a in cut}
            statement.names = [a for a in statement.names if a not in cut]
            if not statement.names:
                continue
        elif _bound(statement) & here or set(_needed_at_import(statement)) & here:
            lost |= _bound(statement)
            continue
        kept.append(statement)
    tree.body = kept
    return {(module, name) for name in lost | here}


def _bound(statement: ast.stmt) -> set[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _needed_at_import(node: ast.AST) -> Iterator[str]:
    """The names that are looked up when a statement of a module runs, and not later, in a body."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns") or (field == "body" and isinstance(node, LATER)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _needed_at_import(child)
