"""A server that its clients reach under a private address: its own files are inputs, its other routes are not."""

import httpx
import pytest

from support.answers import accepted, refused
from support.media import PNG, base64_of
from support.orders import cutout
from support.traces import files, traces
from unitask.app import Services
from unitask.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Have clients reach the server on loopback."""
    return settings.model_copy(update={"public_url": "http://127.0.0.1:8000"})


async def test_a_file_of_ours_can_be_used_again(client: httpx.AsyncClient, services: Services) -> None:
    """The URL from one task's echo is an input of the next, and nothing is stored a second time."""
    first = accepted(await client.post("/api/v1/task", json=cutout(base64_of(PNG))))["input"]["image"]
    assert first.startswith("http://127.0.0.1:8000/files/")
    second = accepted(await client.post("/api/v1/task", json=cutout(first)))["input"]["image"]
    assert second == first
    assert len(files(services)) == 1


OTHERS = ["", "../healthz", "%2e%2e/healthz", "/etc/passwd", "2027/01/15/../../../../healthz", "2027/01/15/cat.png?a=b"]


async def test_no_other_route_of_ours_is_an_input(
    client: httpx.AsyncClient, services: Services, subtests: pytest.Subtests
) -> None:
    """The worker reads our files from inside the network: nothing else may be reached that way."""
    before = await traces(services)
    for path in OTHERS:
        with subtests.test(path):
            answer = await client.post("/api/v1/task", json=cutout(f"http://127.0.0.1:8000/files/{path}"))
            assert refused(answer, 400) == "invalid request: input.image: the address is not allowed"
            assert await traces(services) == before
