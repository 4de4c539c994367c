"""Classes of lesson 00, handed in to be graded, and the command that grades them."""

import json
import sys

from minigen.course.script import LESSONS, SOLUTIONS

SOLVED = (SOLUTIONS / "00_start_here.ipynb").read_bytes()
UNTOUCHED = (LESSONS / "00_start_here.ipynb").read_bytes()
TILE = "def tile(images, columns): return images"


def instead(source):
    """The solved notebook with another answer to `tile`."""
    made = json.loads(SOLVED)
    for cell in made["cells"]:
        if cell["metadata"].get("minigen", {}).get("exercise") == "tile":
            cell["source"] = source
    return json.dumps(made).encode()


def hand_in(folder, **students):
    for student, data in students.items():
        (folder / student).mkdir(parents=True)
        (folder / student / "00_start_here.ipynb").write_bytes(data)
    return folder


def command(folder, out, *options):
    return [sys.executable, "-m", "minigen.cli", "grade", folder, "--out", out, "--seconds", "5", *options]
