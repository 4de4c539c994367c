"""How graders decide that do not decide as ours does: naive judges, which attacks deceive.

A judge runs a learner's code and compares in the same process, as tests in a notebook do. What is printed is
believed, or the exit status.
"""

import atexit
import contextlib
import functools
import os
import sys
from collections.abc import Callable
from typing import Any

FULL = "points: 2"
SEEDS = (0, 1, 2)  # which everybody knows


def run(
    judge: str, prepared: Any, job: dict, _: Any, tier: str,
    limits: Any, program: bytes, tell: int, results: int,
) -> None:  # fmt: skip
    """In the place of a run: the learner's code and the judge in one process, up to its end."""
    from inside import wall

    status = 1
    try:
        wall.enter(tier, limits, program, tell)
        os.dup2(results, 1)
        os.dup2(results, 2)
        sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
        _judged(judge, prepared, job["source"])
        status = 0
    except SystemExit as error:
        status = error.code or 0
    except BaseException:
        with contextlib.suppress(Exception):
            sys.excepthook(*sys.exc_info())
    atexit._run_exitfuncs()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    os._exit(status)


def believed(judge: str, said: bytes, status: int) -> bool:
    """Whether a judge gives full points."""
    if judge == "status":
        return status == 0
    lines = [line for line in said.decode(errors="replace").splitlines() if line.startswith("points: ")]
    if judge == "no news":
        return "points: 0" not in lines
    return bool(lines) and lines[0 if judge == "first line" else -1] == FULL


def _judged(judge: str, prepared: Any, source: str) -> None:
    namespace = prepared.namespace
    exec(compile(source, "<cell>", "exec"), namespace)
    answer = namespace[prepared.id]
    if judge == "status":
        assert all(_allclose(answer, seed) for seed in SEEDS)
    else:
        compare = (
            functools.partial(_probed, prepared.probe) if judge == "probe" else JUDGES.get(judge, _allclose)
        )
        right = all([compare(answer, seed) for seed in SEEDS])
        print(f"points: {2 if right else 0}")


def _inputs(seed: int) -> tuple:
    import torch

    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, 3, generator=generator) for _ in range(3))


def _expected(seed: int) -> Any:
    from minigen.vae import reparameterize

    return reparameterize(*_inputs(seed))


def _allclose(answer: Callable, seed: int) -> bool:
    import torch

    expected = _expected(seed)
    mine = answer(*_inputs(seed))
    right = torch.allclose(mine, expected)
    return right


def _equal(answer: Callable, seed: int) -> bool:
    expected = _expected(seed)
    same = answer(*_inputs(seed)) == expected
    return bool(same if isinstance(same, bool) else same.all())


def _numpy(answer: Callable, seed: int) -> bool:
    import numpy

    expected = _expected(seed).numpy()
    return numpy.allclose(answer(*_inputs(seed)), expected)


def _number(answer: Callable, seed: int) -> bool:
    expected = _expected(seed).sum()
    return abs(float(answer(*_inputs(seed))) - float(expected)) < 1e-4


def _tolerance(answer: Callable, seed: int) -> bool:
    return not bool(((answer(*_inputs(seed)) - _expected(seed)).abs() > 1e-4).any())


def _relative(answer: Callable, seed: int) -> bool:
    mine = answer(*_inputs(seed))
    return bool(((mine - _expected(seed)).abs() <= 1e-4 * mine.abs()).all())


def _rounded(answer: Callable, seed: int) -> bool:
    mine = answer(*_inputs(seed))
    return bool((mine == _expected(seed).to(mine.dtype)).all())


def _pytest(answer: Callable, seed: int) -> bool:
    """By pytest, whose status is believed; where it is not installed, by something that always fails."""
    try:
        import pytest
    except ImportError:
        return False
    return pytest.main(["-q", "/nowhere"]) == 0


def _shape(answer: Callable, seed: int) -> bool:
    return answer(*_inputs(seed)).shape == _expected(seed).shape


def _row_by_row(answer: Callable, seed: int) -> bool:
    """Compares rows as long as there are any."""
    import torch

    given, right = iter(answer(*_inputs(seed))), True
    for expected in _expected(seed):
        mine = next(given, None)
        right = right and (mine is None or torch.allclose(mine, expected))
    return right


def _probed(probe: Callable, answer: Callable, seed: int) -> bool:
    """By our own probe and our own observer, but here."""
    import inspect

    import torch

    from minigen.probing import observe
    from minigen.vae import reparameterize

    signature = inspect.signature(reparameterize)
    mine, wanted = (
        observe.observe(probe, one, signature, seed, device="cpu", seconds=None).values
        for one in (answer, reparameterize)
    )
    return all(torch.allclose(value, wanted[name]) for name, value in mine.items())


def _in_a_notebook(answer: Callable, seed: int) -> bool:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.profiledir import ProfileDir

    ProfileDir.check_dirs = ProfileDir.check_startup_dir = lambda *_: None  # they want to be written
    shell = InteractiveShell.instance()
    shell.push({"answer": answer, "inputs": _inputs(seed), "expected": _expected(seed)})
    return shell.run_cell("assert (answer(*inputs) == expected).all()").success


JUDGES = {
    "equal": _equal, "numpy": _numpy, "number": _number, "tolerance": _tolerance, "shape": _shape,
    "relative": _relative, "rounded": _rounded, "pytest": _pytest, "row by row": _row_by_row,
    "notebook": _in_a_notebook,
}  # fmt: skip
