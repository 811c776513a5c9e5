"""The release before this one, taken from the history of the repository."""

import re
import subprocess
from pathlib import Path

import pytest

PREVIOUS = "c18c72ace0404855f451d1da579d948be05f66e0"
"""The last state of the project with an earlier schema.

To move it on: when a migration is added, name the last commit of the main history without it. Nothing else changes.
"""
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


def schema_of(imports: list[Path]) -> str:
    """Read which schema an unpacked release has."""
    found = re.search(r'^HEAD: Final = "(\w+)"$', (imports[0] / "unitask/db/migrate.py").read_text(), re.MULTILINE)
    assert found
    return found[1]
