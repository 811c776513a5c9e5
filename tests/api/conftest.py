"""Someone who runs the server."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from support.keys import ADMIN_KEY
from unitask.api import Application
from unitask.app import Services


@pytest.fixture
async def operator(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """Come with the admin key."""
    settings = services.settings.model_copy(update={"admin_key": SecretStr(ADMIN_KEY)})
    transport = httpx.ASGITransport(Application(replace(services, settings=settings)), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://unitask.test", headers={"X-API-Key": ADMIN_KEY}
    ) as opened:
        yield opened
