"""Tests of the engine of real models. Without the extra `models` none of them is collected."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("torch") and importlib.util.find_spec("diffusers") else ["*.py"]
