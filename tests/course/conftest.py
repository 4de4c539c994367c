"""The engine's own sample exercises, loaded as if they stood in the library."""

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
