#!/usr/bin/env bash
# Writes the lock files: exact versions with the hashes of every platform's files, and no index address.
# Needs `uv` on the PATH (pip install uv); run it after changing a dependency in pyproject.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
# The SDK is a package of this repository, which the Makefile installs beside the server.
compile() {
  uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-emit-package unitask-sdk --no-header --no-annotate --quiet "$@"
}
compile --extra cpu --extra postgres --extra provenance --extra s3 --extra tracing --group build --output-file requirements/run.txt
compile --extra cpu --extra postgres --extra provenance --extra s3 --extra tracing --extra speech --extra fonts --extra mcp --extra ray --group dev --constraints requirements/run.txt --output-file requirements/dev.txt
# torch comes in builds for each kind of hardware, so its version is pinned (requirements/torch.constraints) and its files are
# not. What it asks for besides is locked here under its own names. torchvision, which spandrel asks for, is not needed.
compile --extra cpu --extra models --group test-models --constraints requirements/run.txt --constraints requirements/dev.txt \
  --no-emit-package torch --no-emit-package torchvision --override <(printf '%s ; sys_platform == "never"\n' torch torchvision) --output-file requirements/models.txt \
  <(printf '%s\n' filelock fsspec jinja2 networkx sympy typing-extensions)
