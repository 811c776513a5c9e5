#!/bin/sh
# Installs Unitask from this repository into a virtual environment, in locked versions whose hashes are checked.
#   deploy/install.sh /opt/unitask
# MODELS=1 adds the engine of real models; TORCH_INDEX says which torch, for example
# https://download.pytorch.org/whl/cu128 (default: the one that pip finds).
set -eu
target=$1
cd "$(dirname "$0")/.."
"${PYTHON:-python3}" -m venv "$target"
pip() { "$target/bin/python" -m pip --disable-pip-version-check "$@"; }
pip install --quiet --require-hashes -r requirements/run.txt
if [ "${MODELS:-}" = 1 ]; then
  pip install --quiet --require-hashes --no-deps -r requirements/models.txt
  # torch is pinned, but has no hash: its wheel depends on the hardware.
  pip install --quiet --constraint requirements/torch.constraints ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch
fi
pip install --quiet --no-deps --no-build-isolation ./sdk .
