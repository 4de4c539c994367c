#!/usr/bin/env bash
# Runs once, as root, when Gradescope builds the image: what the autograder needs, in places of its own.
set -euo pipefail
here=/autograder/source

apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
  ca-certificates libseccomp2 python3 python3-pip python3-venv

# The environment lies where a learner's user can read it, since torch imports some of its parts late. It holds
# packages alone. The course, in which the answers are, is for root.
if python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  python3 -m venv /opt/minigen
else
  python3 -m venv /opt/uv
  /opt/uv/bin/python -m pip install uv
  UV_PYTHON_INSTALL_DIR=/opt/python /opt/uv/bin/uv venv --seed --python 3.12 /opt/minigen
fi
/opt/minigen/bin/python -m pip install --no-compile \
  --extra-index-url https://download.pytorch.org/whl/cpu -r "$here/course/requirements.lock"
chmod -R go= "$here"
chmod -R go+rX /opt/minigen
