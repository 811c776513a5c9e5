#!/usr/bin/env bash
# Writes the lock files: exact versions with the hashes of every platform's files, and no index address.
# Needs `uv` on the PATH (pip install uv); run it after changing a dependency in pyproject.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet "$@"
}
compile --extra cpu --extra postgres --extra s3 --group build --output-file requirements/run.txt
compile --extra cpu --extra postgres --extra s3 --extra speech --group dev --constraints requirements/run.txt --output-file requirements/dev.txt
