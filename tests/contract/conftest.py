"""Every remote engine at its server; whatever a test does there, no key shows."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.remote import CASES, Bench, benched


@pytest.fixture(params=CASES)
async def bench(
    request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Bench]:
    """Open each engine in turn; a test may name some by `parametrize("bench", [...], indirect=True)`."""
    caplog.set_level(logging.DEBUG)
    async with benched(CASES[request.param], tmp_path) as opened:
        yield opened
        sent = {opened.own_key or opened.key}
        assert opened.keys_seen <= sent
        logged = [record.getMessage() for record in caplog.get_records("call") if not record.name.startswith("uvicorn")]
        for secret in {opened.key, opened.own_key or opened.key}:
            assert secret not in opened.told()
            assert not [line for line in logged if secret in line]
