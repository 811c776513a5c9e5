"""The release before this one, taken from the history of the repository."""

import subprocess
from pathlib import Path

import pytest

PREVIOUS = "3585ed022eb9d3cfe85b0f835972883fb8d94a66"
"""The last state of the project with the schema before this one."""
ROOT = Path(__file__).parents[2]


def previous_release(folder: Path) -> list[Path]:
    """Unpack it; gives the folders from which Python imports it."""
    packed = subprocess.run(
        ["git", "archive", PREVIOUS, "src", "sdk/src"], cwd=ROOT, capture_output=True, check=False, timeout=60
    )
    if packed.returncode:
        pytest.skip("this checkout has no history: the release before this one cannot be taken from it")
    folder.mkdir(parents=True)
    subprocess.run(["tar", "--extract"], input=packed.stdout, cwd=folder, check=True, timeout=60)
    return [folder / "src", folder / "sdk" / "src"]
