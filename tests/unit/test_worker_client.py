"""What a worker makes of the answers of what stands at the address of its API."""

import pytest

from support.loopback import Script, answer, redirect, serving
from unitask.kit.errors import Unavailable, UnitaskError
from unitask.spec import protocol
from unitask.worker.client import ApiClient, Rejected


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (answer(b'{"message":"the worker token is missing or wrong"}', "401 Unauthorized"), Rejected),
        (answer(b'{"message":"later"}', "503 Service Unavailable"), Unavailable),
        (answer(b"slower", "429 Too Many Requests"), Unavailable),
        (redirect("/elsewhere"), Unavailable),
        (answer(b"<html>welcome</html>"), Unavailable),
    ],
)
async def test_only_an_api_that_refuses_ends_a_worker(said: Script, error: type[UnitaskError]) -> None:
    """What is no answer of an API, or comes at a bad time, is tried again."""
    with serving(said) as server:
        client = ApiClient(server.url().rstrip("/"), "a-token")
        with pytest.raises(error):
            await client.claim(protocol.ClaimRequest(worker_id="w", engines=[], most=1, wait_s=0))
        await client.close()
