#!/usr/bin/env bash
# Grades the submission, and writes /autograder/results/results.json.
set -euo pipefail
chmod -R go= /autograder/source
cd /
exec env -i PATH=/usr/bin:/bin LANG=C.UTF-8 OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 \
  PYTHONPATH=/autograder/source/course HOME=/autograder/source \
  /opt/minigen/bin/python -m minigen.grade.assignments.gradescope LESSON
