"""Real processes on either database."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.installation import Installation


@pytest.fixture
def install(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Installation]]:
    """Install with settings of one's own; whatever runs at the end is killed, and its words are shown on a failure."""
    made: list[Installation] = []

    def make(**settings: str) -> Installation:
        made.append(Installation(tmp_path, database_url, settings))
        return made[-1]

    yield make
    for installation in made:
        installation.end()
        sys.stdout.write(installation.said())
