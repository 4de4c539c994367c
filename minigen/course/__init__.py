"""The course around the library: exercises that name your mistake, notebooks made from scripts, progress."""

from minigen.course.measure import measured, results
from minigen.course.session import check, hint, progress, solution

__all__ = ["check", "hint", "measured", "progress", "results", "solution"]
