"""What an engine process is told to run."""

from pathlib import Path
from typing import Any

from unitask.worker.messages import Name, Run


def attempt(folder: Path, **fields: Any) -> Run:
    """An attempt whose scratch and weights are one folder, with changes."""
    usual = {
        "of": Name("1", 1),
        "model": "m",
        "task_type": "t",
        "engine": "cpu",
        "input": {},
        "seconds_left": 30,
        "scratch": str(folder),
        "models": str(folder),
        "files_url": "",
        "own_files_url": "",
        "allow_private": False,
    }
    return Run(**{**usual, **fields})
