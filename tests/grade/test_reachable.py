"""Whatever can be called in the sandbox is submitted as the answer: what is there must not hold it."""

from dataclasses import replace
from pathlib import Path

import pytest

from minigen.course import agree
from minigen.course.catalogue import exercises, find
from minigen.grade import strip
from minigen.grade.inside.wall import Limits
from minigen.grade.mark import Outcome, mark, seeds
from minigen.grade.sandbox import Sandbox
from minigen.grade.task import probe_source, task

SEARCHER = Path(__file__).with_name("searcher.py").read_text(encoding="utf-8")
TELLS = {
    "function": """
def {}(*a, **k):
    print(len(CANDIDATES), *FOUND, sep="\\n")
    raise RuntimeError
""",
    "class": """
class {}:
    def __init__(self, *a, **k):
        print(len(CANDIDATES), *FOUND, sep="\\n")
        raise RuntimeError
""",
}
TORCH = [
    "torch",
    *(
        f"torch.{part}"
        for part in (
            "nn.functional",
            "nn",
            "nn.init",
            "nn.utils",
            "linalg",
            "special",
            "fft",
            "distributions",
            "optim",
            "_C._nn",
        )
    ),
]  # the rest of it does not compute with tensors
FOREIGN = [
    "builtins", "math", "cmath", "operator", "statistics", "functools", "itertools",
    "numpy", "numpy.linalg", "numpy.random", "numpy.fft",
    "scipy.linalg", "scipy.spatial.distance", "scipy.special", "scipy.stats",
    "sklearn.covariance", "sklearn.decomposition", "sklearn.metrics", "sklearn.metrics.pairwise",
    "sklearn.mixture", "sklearn.preprocessing",
]  # fmt: skip
SKIPPED = [  # each runs for seconds, the last ones whole test suites
    "torch.compile",
    "torch.use_deterministic_algorithms",
    *(f"{place}.test" for place in FOREIGN if place.startswith(("numpy", "scipy"))),
]
LEGITIMATE = {
    "lower_resolution": {"torch.nn.functional.avg_pool2d": "the mean of each block is what is asked for"},
    "wasserstein_1d": {"scipy.stats.wasserstein_distance_nd": "the same distance, by a linear program"},
}


@pytest.fixture(scope="module")
def sandbox(walls):
    with Sandbox(Limits(seconds=300, cpu=300, memory=8000, processes=64)) as made:
        yield made


def submitted(sandbox, exercise, source, drawn, shipped):
    sandbox.prepare(shipped)
    return mark(exercise, drawn, sandbox.run({"source": source, "others": [], "seeds": drawn}), source)


def search(sandbox, exercise, secret=b"of the search"):
    """(how many candidates there were, the names of those that are right)."""
    drawn = seeds(secret, exercise)
    shipped = task(exercise, drawn)
    judge = exercise.judge and probe_source(replace(exercise, probe=exercise.judge))
    given = {
        "id": exercise.id,
        "class": isinstance(exercise.target, type),
        "places": [*TORCH, *FOREIGN, *shipped["sources"]],
        "skipped": SKIPPED,
        "seeds": drawn,
        "tolerance": exercise.tolerance,
        "probe": (shipped["probe"], shipped["probe_name"]),
        "judge": judge and (judge, exercise.judge.__name__),
        "signature": shipped["signature"],
        "agree": Path(agree.__file__).read_text(encoding="utf-8"),
        "solution": exercise.solution,
    }
    source = f"GIVEN = {given!r}\n{SEARCHER}{TELLS[shipped['kind']].format(exercise.id)}"
    shipped = shipped | {"foreign": [*shipped["foreign"], *FOREIGN]}  # imported once, not in each run
    told = submitted(sandbox, exercise, source, drawn, shipped)
    assert told.outcome is Outcome.RAISED and told.printed, told
    lines = told.printed.split("\n")  # before the count stand warnings of the compiler, if any
    start = next(i for i, line in enumerate(lines) if line.isdigit())
    return int(lines[start]), set(filter(None, lines[start + 1 :]))


@pytest.mark.parametrize("exercise", [e for e in exercises() if e.kind != "predict"], ids=lambda e: e.id)
def test_nothing_that_can_be_called_is_the_answer(exercise, sandbox):
    count, names = search(sandbox, exercise)
    assert count > (500 if isinstance(exercise.target, type) else 4000)
    assert names == set(LEGITIMATE.get(exercise.id, {}))


@pytest.mark.parametrize("name", LEGITIMATE)
def test_what_is_listed_as_legitimate_is_right(name, sandbox):
    exercise = find(name)
    drawn = seeds(b"of the search", exercise)
    for path in LEGITIMATE[name]:
        place, _, function = path.rpartition(".")
        source = f"from {place} import {function} as {name}"
        assert submitted(sandbox, exercise, source, drawn, task(exercise, drawn)).points == exercise.points


@pytest.mark.parametrize("name", ["reparameterize", "VAE"])
def test_a_library_that_still_holds_the_answer_is_noticed(name, sandbox, monkeypatch):
    monkeypatch.setattr("minigen.grade.task.without", lambda module, name: strip.sources())
    _, names = search(sandbox, find(name), secret=b"of another search")  # a task is made once for its seeds
    assert any(found.endswith(f".{name}") for found in names)
