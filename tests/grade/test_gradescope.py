"""The archive for Gradescope, run as Gradescope runs it: as root, from /autograder, in mounts of its own."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from minigen.course.script import ROOT, SOLUTIONS
from minigen.grade.assignments import gradescope

SOLVED = (SOLUTIONS / "00_start_here.ipynb").read_bytes()
RUN = """
set -euo pipefail
mount -t tmpfs -o mode=755 tmpfs /opt
mkdir -p /opt/minigen "$1/autograder" && mount --bind "$2" /opt/minigen
mkdir -p /autograder && mount --bind "$1/autograder" /autograder
cp /autograder/source/run_autograder /autograder/run_autograder
exec /autograder/run_autograder
"""
possible = hasattr(os, "getuid") and os.getuid() == 0 and shutil.which("unshare") is not None


@pytest.fixture
def archive(tmp_path):
    said = gradescope.write("00", tmp_path / "autograder.zip")
    assert "do not hand it out" in said and "00_start_here.ipynb" in said
    return zipfile.ZipFile(tmp_path / "autograder.zip")


def test_the_archive_holds_programs_and_the_course_and_nothing_else(archive):
    names = archive.namelist()
    assert {"setup.sh", "run_autograder"} < set(names)
    assert all(name.startswith("course/") for name in names[2:]) and len(set(names)) == len(names)
    assert "course/minigen/exercises/lesson_13_vae.py" in names and "course/lessons/00_start_here.py" in names
    assert not any(part in name for name in names for part in ("__pycache__", "solutions", ".git", "cache"))
    for name in "setup.sh", "run_autograder":
        assert archive.getinfo(name).external_attr >> 16 & 0o111  # Gradescope runs it
        done = subprocess.run(["bash", "-n"], input=archive.read(name), capture_output=True)
        assert done.returncode == 0, done.stderr
    assert b"gradescope 00_start_here" in archive.read("run_autograder")


def test_another_file_than_a_zip_and_an_unknown_lesson_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Gradescope takes a zip"):
        gradescope.write("00", tmp_path / "autograder.tar")
    with pytest.raises(ValueError, match="77"):
        gradescope.write("77", tmp_path / "autograder.zip")
    assert not list(tmp_path.iterdir())


def graded(archive, tmp_path, **files):
    """What Gradescope finds after it ran the autograder on these files; None when there are no results."""
    home = tmp_path / "autograder"
    archive.extractall(home / "source")
    (home / "source/run_autograder").chmod(0o755)
    for folder in "submission", "results":
        (home / folder).mkdir()
    for name, data in files.items():
        (home / "submission" / f"{name}.ipynb").write_bytes(data)
    for folder in tmp_path, *tmp_path.parents:
        if folder.stat().st_mode & 0o055 != 0o055 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    place = Path("/autograder")
    ours = not place.exists()
    command = ["unshare", "--mount", "bash", "-c", RUN, "-", str(tmp_path), str(Path(sys.prefix))]
    done = subprocess.run(command, capture_output=True, text=True)
    if ours:
        place.rmdir()
    results = home / "results/results.json"
    return done, json.loads(results.read_text()) if results.exists() else None


@pytest.mark.skipif(not possible, reason="skipped, because only root can try what Gradescope runs as root")
@pytest.mark.skipif(
    ROOT.joinpath(".venv").resolve() != Path(sys.prefix).resolve(),
    reason="skipped, because another environment is used",
)
def test_a_solved_notebook_gets_all_points_and_one_that_reads_the_answer_none(archive, tmp_path):
    hostile = json.loads(SOLVED)
    for cell in hostile["cells"]:
        if cell["metadata"].get("minigen", {}).get("exercise") == "tile":
            cell["source"] = "open('/autograder/source/course/minigen/images.py')\ndef tile(i, c): return i"
        elif cell["metadata"].get("minigen", {}).get("exercise"):
            cell["source"] = "import os\nprint(os.listdir('/autograder/results'))\n" + "".join(cell["source"])
    done, found = graded(archive, tmp_path, **{"00_start_here": SOLVED})
    assert found is not None, done.stderr
    assert found["score"] == 4 and {t["status"] for t in found["tests"]} == {"passed"}
    shutil.rmtree(tmp_path / "autograder")
    done, found = graded(archive, tmp_path, **{"00_start_here": json.dumps(hostile).encode()})
    assert found["score"] == 0 and all("PermissionError" in t["output"] for t in found["tests"]), found
    assert {t["output_format"] for t in found["tests"]} == {"text"}
    shutil.rmtree(tmp_path / "autograder")
    done, found = graded(archive, tmp_path)
    assert found["score"] == 0 and "it holds no notebook" in found["output"]
