"""Which of a learner's other statements an answer needs."""

import ast

import pytest

from minigen.probing.cells import binds, helpers


@pytest.mark.parametrize(
    "statement, names",
    [
        ("a = b", {"a"}),
        ("a, (b, *c) = d", {"a", "b", "c"}),
        ("a[0] = b.c = d", set()),
        ("for i in range(3): a = i", {"i", "a"}),
        ("plot([f(t) for t in x])", set()),
        ("a = {k: v for k, v in b}", {"a"}),
        ("(a := 3)", {"a"}),
        ("import torch.nn as nn, os.path", {"nn", "os"}),
        ("def f(x): y = x", {"f"}),
    ],
)
def test_the_names_that_a_statement_binds(statement, names):
    assert binds(ast.parse(statement).body[0]) == names


def test_only_what_an_answer_needs_is_run():
    others = ["half = 0.5\nprint('training')", "plot([half for scale in range(3)])\nscale = half * 2"]
    assert helpers("def f(x): return scale * x", others, {}) == ["half = 0.5", "scale = half * 2"]
