"""Tests of real models run where the extra `models` is installed: see `make test-models`."""

from importlib.util import find_spec

if any(find_spec(name) is None for name in ("diffusers", "huggingface_hub", "onnx", "torch")):
    collect_ignore_glob = ["*"]
