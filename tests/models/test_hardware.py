"""How much memory is planned with."""

from pathlib import Path

import pytest

from unitask.runtime.hardware import group_bytes


@pytest.fixture
def group(tmp_path: Path) -> Path:
    """Make a control group as Linux shows it: a limit of 100; 90 are used, 70 of them by files that were read."""
    (tmp_path / "memory.max").write_text("100\n")
    (tmp_path / "memory.current").write_text("90\n")
    (tmp_path / "memory.stat").write_text("anon 20\nfile 70\nactive_file 30\ninactive_file 40\n")
    return tmp_path


def test_what_was_read_from_disk_takes_no_memory_away(group: Path) -> None:
    """After a download of weights a container is full of them."""
    assert group_bytes(group) == 80


def test_a_group_without_a_limit_leaves_all(group: Path) -> None:
    """Its limit is a word."""
    (group / "memory.max").write_text("max\n")
    assert group_bytes(group) > 2**50
