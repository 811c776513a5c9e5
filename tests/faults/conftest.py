"""Real processes on either database."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.installation import Installation, installing


@pytest.fixture
def install(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Installation]]:
    """Install with settings of one's own; whatever runs at the end is killed, and its words are shown on a failure."""
    with installing(database_url, tmp_path) as make:
        yield make
