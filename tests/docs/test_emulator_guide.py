"""docs/guide/emulator.md: its test passes in a project of its own; its table names the fields that exist."""

import re
import subprocess
import sys
from pathlib import Path

from support.source import ROOT, text_of
from support.texts import blocks
from unitask.emulator.script import Script

GUIDE = text_of(ROOT / "docs/guide/emulator.md") or ""
LIMIT_S = 60


def test_the_test_of_the_guide_passes(tmp_path: Path) -> None:
    """Copied as it stands."""
    (block,) = (one for one in blocks(GUIDE) if one.info == "python theirs")
    (tmp_path / "test_theirs.py").write_text(block.body)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    end = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert end.returncode == 0, end.stdout
    assert "1 passed" in end.stdout


def test_the_table_of_the_guide_names_every_field_of_a_script() -> None:
    """And no other."""
    assert set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE)) == set(Script.model_fields)
