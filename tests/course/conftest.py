"""The engine's own sample exercises, loaded as if they stood in the library."""

import contextlib
import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))


def load_samples():
    if "minigen.samples" not in sys.modules:
        spec = importlib.util.spec_from_file_location("minigen.samples", FOLDER / "samples.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["minigen.samples"] = module
        spec.loader.exec_module(module)
    return sys.modules["minigen.samples"]


@pytest.fixture
def samples():
    return load_samples()


@pytest.fixture
def full_disk():
    """A context in which no file grows beyond 10 kB, as on a disk that is full."""
    resource = pytest.importorskip("resource", reason="this system has no limit on the size of files")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    @contextlib.contextmanager
    def filled():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    return filled()
