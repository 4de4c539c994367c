"""The course around the library: exercises that name your mistake, notebooks made from scripts, progress."""

import minigen.course.light  # noqa: F401  (before anything imports nbformat)
from minigen.course.measure import measured, measured_model, measured_models, reference, results
from minigen.course.session import check, hint, progress, solution

__all__ = [
    "check",
    "hint",
    "measured",
    "measured_model",
    "measured_models",
    "progress",
    "reference",
    "results",
    "solution",
]
