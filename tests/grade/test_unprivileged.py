"""Grading as an ordinary user, as an instructor does: when the tests are run by root, one is made for it."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minigen.course.script import ROOT

RUN = """
set -euo pipefail
mount --bind "$1" /mnt
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /tmp/class/ada && cd /tmp
cp /mnt/solutions/00_start_here.ipynb class/ada
chmod -R go=rX class
case "$4" in /root/*)  # a Python that root installed for itself: shown to all
  mkdir base && mount --bind "$4" base && mount -t tmpfs -o mode=755 tmpfs /root
  mkdir -p "$4" && mount --bind base "$4" ;;
esac
setpriv --reuid 12345 --regid 12345 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
  env -i PATH=/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 PYTHONPATH=/mnt OMP_NUM_THREADS=1 "$2" -c "$3" 1>&2
cat /tmp/out/grades.csv
"""
GRADE = """
import os, sys
assert os.getuid() != 0
sys.argv = ["minigen", "grade", "class", "--out", "out", "--jobs", "1"]
from minigen.cli import main
main()
"""


@pytest.mark.skipif(
    not shutil.which("setpriv") or os.getuid() != 0,
    reason="skipped, because only root can become somebody else",
)
def test_an_ordinary_user_grades_as_root_does(walls):
    python = Path(sys.executable)
    inside = Path("/mnt", python.relative_to(ROOT)) if python.is_relative_to(ROOT) else python
    command = ["unshare", "--mount", "bash", "-c", RUN, "-", str(ROOT), str(inside), GRADE, sys.base_prefix]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert (row["student"], row["score"], row["max_score"]) == ("ada", "4", "4")
