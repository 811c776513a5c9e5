"""What goes out with the repository: locks that hold anywhere, texts that name no machine."""

import re
from pathlib import Path

import pytest

from support.source import ROOT, named, no_offenders, text_of, versioned_files

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
INDEX_OPTIONS = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host")
# Written so that this file does not match itself.
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home|Users)/|pypi\.org|pythonhosted\.org|npm[j]s")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_pin_every_file_and_name_no_index(lock: Path) -> None:
    """Exact versions with hashes, from whichever index or mirror a person has."""
    text = re.sub(r"\s*\\\n\s*", " ", text_of(lock) or "")
    entries = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert entries, f"{named(lock)} is empty"
    no_offenders(
        (
            f"{named(lock)}: {entry[:80]}"
            for entry in entries
            if "==" not in entry or "--hash=sha256:" not in entry or "://" in entry or entry.startswith(INDEX_OPTIONS)
        ),
        "Every entry of a lock is an exact version with hashes and no address; scripts/lock.sh writes it so.",
    )


def test_texts_name_no_machine_and_no_registry() -> None:
    """The repository works on any machine and with any mirror, so it names none."""
    no_offenders(
        (
            f"{named(path)}:{number} {line.strip()[:100]}"
            for path in versioned_files()
            for number, line in enumerate((text_of(path) or "").splitlines(), 1)
            if MACHINE.search(line)
        ),
        "No file names a folder of somebody's machine or the host of a package registry.",
    )


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("open('/{}/main/x')", True),
        ("sqlite:////{}/x.db", True),
        ("PATH=/usr/bin:/{}/bin", True),
        ("https://example.com/{}/", False),
        ("/{}er/v1/claim", False),
    ],
)
@pytest.mark.parametrize("folder", ["work", "root"])
def test_the_search_for_machines_finds_folders_and_no_addresses(line: str, found: bool, folder: str) -> None:  # noqa: FBT001 - a case
    """A path at the root of a disk, not a part of somebody's URL or a longer word."""
    assert bool(MACHINE.search(line.format(folder))) is found
