"""A pytest fixture: the whole API in your tests, without a model and without waiting.

pytest_plugins = ["unitask.testing"]

def test_my_client(unitask_emulator):
    client = MyClient(unitask_emulator.url, unitask_emulator.api_key)
    ...
    unitask_emulator.advance(60)
"""

from collections.abc import Iterator

import pytest

from unitask.emulator.run import Emulator, emulator

__all__ = ["Emulator", "emulator", "unitask_emulator"]


@pytest.fixture(scope="session")
def unitask_emulator() -> Iterator[Emulator]:
    """Run an emulator for the session, on a free port of this machine."""
    with emulator() as running:
        yield running
