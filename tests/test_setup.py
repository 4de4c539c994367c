"""The files that set the course up agree: the lock, pyproject.toml, environment.yml, Makefile, .ci/run."""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENVIRONMENT = (ROOT / "environment.yml").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"].values()
RANGES = [Requirement(r) for r in (*PROJECT["dependencies"], *chain.from_iterable(EXTRAS))]
OF_CUDA = re.compile("nvidia-|cuda-|triton$")  # torch names the exact versions of these itself
SYSTEMS = (("linux", "Linux", "posix"), ("darwin", "Darwin", "posix"), ("win32", "Windows", "nt"))
PLACES = [
    {"sys_platform": sys, "platform_system": system, "os_name": name, "python_version": python,
     "python_full_version": f"{python}.0", "implementation_name": "cpython", "extra": "",
     "platform_python_implementation": "CPython", "platform_machine": "x86_64"}
    for sys, system, name in SYSTEMS for python in ("3.11", "3.14")
]  # fmt: skip

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def requirements(lock: str) -> list[Requirement]:
    lines = (line.strip() for line in lock.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def pins(lock: str, place: dict | None = None) -> dict[str, str]:
    """{name: version} of a lock, or of what of it is installed in one place."""
    return {
        canonicalize_name(r.name): str(r.specifier).removeprefix("==")
        for r in requirements(lock)
        if place is None or r.marker is None or r.marker.evaluate(place)
    }


@cache
def installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None  # of another system


def needs(place: dict) -> Iterator[tuple[str, Requirement]]:
    """(name, need) for all that pyproject asks for in one place, and in turn for what these ask for."""
    todo, seen = [r for r in RANGES if not r.marker or r.marker.evaluate(place)], set()
    while todo:
        need = todo.pop()
        name, extras = canonicalize_name(need.name), need.extras or {""}
        if OF_CUDA.match(name):
            continue
        yield name, need
        if (name, *extras) not in seen and (found := installed(name)):
            seen.add((name, *extras))
            further = map(Requirement, found.requires or ())
            todo += [
                r
                for r in further
                if not r.marker or any(r.marker.evaluate(place | {"extra": e}) for e in extras)
            ]


def disagreements(environment: str, lock: str) -> list[str]:
    """What a conda environment gives that the lock does not, and the other way round; a sentence each."""
    entries = yaml.safe_load(environment)["dependencies"]
    conda = dict(re.match(r"([\w.-]+)=*(.*)", e).groups() for e in entries if isinstance(e, str))
    lines = [line for e in entries if isinstance(e, dict) for line in e["pip"]]
    python = conda.pop("python", "any")
    conda.pop("pip", None)
    given = pins(lock) if "-r requirements.lock" in lines else {}
    given |= pins("\n".join(line for line in lines if not line.startswith("-")))
    given |= {canonicalize_name(name): version for name, version in conda.items()}
    wanted = pins(lock)
    faults = [
        f"{name}: {given.get(name)} in the environment, {wanted.get(name)} in the lock"
        for name in sorted(given.keys() | wanted.keys())
        if given.get(name) != wanted.get(name)
    ]
    if python == "any" or python not in SpecifierSet(PROJECT["requires-python"]):
        faults.append(f"python: {python} in the environment, {PROJECT['requires-python']} in pyproject.toml")
    if "-e ." not in lines:
        faults.append("minigen itself is not installed")
    return faults


def test_the_lock_gives_one_exact_version_of_each_package():
    found = requirements(LOCK)
    assert [str(r) for r in found if not re.fullmatch(r"==[0-9][0-9a-z.]*", str(r.specifier))] == []
    names = [canonicalize_name(r.name) for r in found]
    assert names == sorted(set(names))
    assert not {"minigen", "pip"} & set(names)
    assert [n for n in names if OF_CUDA.match(n)] == []


def test_the_lock_has_the_torch_that_the_course_was_made_with():
    assert pins(LOCK)["torch"] == "2.13.0"


@pytest.mark.parametrize("place", PLACES, ids=lambda p: f"{p['sys_platform']}-{p['python_version']}")
def test_the_lock_has_what_pyproject_asks_for_and_all_that_this_needs_and_no_more(place):
    locked, needed = pins(LOCK, place), list(needs(place))
    assert [
        f"{n} has {locked.get(name)}" for name, n in needed if locked.get(name, "none") not in n.specifier
    ] == []
    assert locked.keys() - {name for name, _ in needed} == set()


@pytest.mark.parametrize("place", PLACES, ids=lambda p: f"{p['sys_platform']}-{p['python_version']}")
def test_the_lock_can_be_installed_with_the_first_release_of_each_python(place):
    locked = pins(LOCK, place)
    here = [d for name in locked if (d := installed(name)) and d.version.partition("+")[0] == locked[name]]
    assert len(here) > 100  # else these are not the locked versions, and say nothing about them
    pythons = {d.name: d.metadata.get("Requires-Python") or "" for d in here}
    assert {k: v for k, v in pythons.items() if place["python_full_version"] not in SpecifierSet(v)} == {}


def test_conda_users_get_what_the_lock_says():
    assert disagreements(ENVIRONMENT, LOCK) == []


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("  - pip:\n", "  - numpy=1.26\n  - pip:\n", "numpy: 1.26"),
        ("      - -e .", "      - torch==2.12.0\n      - -e .", "torch: 2.12.0"),
        ("      - -r requirements.lock\n", "", "torch: None"),
        ("python=3.11", "python=3.10", "python: 3.10"),
        ("      - -e .", "      - seaborn==0.13.2\n      - -e .", "seaborn: 0.13.2"),
        ("      - -e .\n", "", "minigen itself"),
    ],
)
def test_an_environment_that_differs_from_the_lock_is_noticed(before, after, named):
    assert before in ENVIRONMENT
    assert named in "; ".join(disagreements(ENVIRONMENT.replace(before, after), LOCK))


def test_ci_runs_exactly_make_test():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").rstrip().splitlines()[-1] == "exec make test"


FAKE_PYTHON = """#!/bin/sh
# Stands for python: writes down what it is asked, makes an environment of itself, fails where it is told to.
echo "$*" >> calls
case "$*" in
  *sys.version_info*) exit ${TOO_OLD:-0} ;;
  "-m venv --clear .venv") rm -rf .venv; mkdir -p .venv/bin; cp fake .venv/bin/python ;;
  *"-r requirements.lock"*) exit ${CUT:-0} ;;
esac
"""


@pytest.fixture
def house(tmp_path):
    """A folder with our Makefile and a Python that only writes down what it is asked."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml", "calls"):
        (tmp_path / name).touch()
    (tmp_path / "fake").write_text(FAKE_PYTHON)
    (tmp_path / "fake").chmod(0o755)
    for folder in ("minigen", "tests", "lessons", "workbook"):
        (tmp_path / folder).mkdir()
    return tmp_path


def make(house: Path, *arguments: str, **environment: str) -> tuple[int, str, list[str]]:
    """Exit status of make, what it said, and the calls of Python that it came to."""
    (house / "calls").write_text("")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", *arguments, "PYTHON=./fake"],
        cwd=house,
        env=clean | environment,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr, (house / "calls").read_text().splitlines()


def later(path: Path) -> None:
    """As if the file had been changed a minute from now: file systems may count in whole seconds."""
    stamp = path.stat().st_mtime + 60
    os.utime(path, (stamp, stamp))


@needs_make
def test_the_environment_is_made_once_and_again_when_its_files_change(house):
    status, _, calls = make(house, ".venv")
    assert status == 0
    steps = ["venv --clear", "-r requirements.lock", "-e ."]
    assert all(any(step in call for call in calls) for step in steps)
    assert make(house, ".venv")[2] == []

    later(house / "pyproject.toml")
    calls = make(house, ".venv")[2]
    assert len(calls) == 1 and "--no-deps" in calls[0] and "-e ." in calls[0]
    os.utime(house / "pyproject.toml", (0, 0))

    later(house / "requirements.lock")
    calls = make(house, ".venv")[2]
    assert any("venv --clear" in call for call in calls)


@needs_make
def test_pip_options_reach_the_install_of_the_lock(house):
    calls = make(house, ".venv", "PIP_OPTIONS=--extra-index-url file:///cpu")[2]
    assert [c for c in calls if "requirements.lock" in c and c.endswith("--extra-index-url file:///cpu")]


@needs_make
def test_an_interrupted_install_does_not_count_as_made(house):
    status, _, calls = make(house, ".venv", CUT="1")
    assert status != 0 and (house / ".venv").is_dir() and not any("-e ." in call for call in calls)
    status, _, calls = make(house, ".venv")
    assert status == 0 and any("venv --clear" in call for call in calls)


@needs_make
def test_a_python_that_is_too_old_is_answered_by_a_sentence(house):
    status, said, _ = make(house, ".venv", TOO_OLD="1")
    assert status != 0
    assert "minigen needs Python 3.11 or newer" in said and "PYTHON=" in said
    assert not (house / ".venv").exists()


@needs_make
def test_clean_leaves_the_learners_work_and_the_downloads(house):
    make(house, ".venv")
    kept = [house / "workbook" / "10_autoencoder.ipynb", house / "datasets" / "cache" / "mnist"]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (house / "minigen" / "__pycache__").mkdir()
    assert make(house, "clean")[0] == 0
    assert all(path.exists() for path in kept)
    assert not (house / ".venv").exists() and not (house / "minigen" / "__pycache__").exists()


@needs_make
def test_make_alone_lists_every_target(house):
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[1].split()
    _, said, calls = make(house)
    assert [line.split()[1] for line in said.splitlines()] == targets
    assert calls == []


@needs_make
def test_a_test_run_checks_lessons_for_nothing_attempted_and_solutions_for_all_right(house):
    _, said, _ = make(house, "-n", "test")
    runs = dict(re.findall(r"MINIGEN_STRICT=(\S+) MINIGEN_BUDGET=smoke .*--nbval-lax .* (\S+)$", said, re.M))
    assert runs == {"not-attempted": "lessons", "right": "solutions"}
    assert "minigen build --check" in said and "ruff check" in said and "ruff format --check" in said
