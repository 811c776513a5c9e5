"""On a real server nothing of the emulator works."""

import json

import httpx

from support.orders import CAT


async def test_a_script_means_nothing(client: httpx.AsyncClient) -> None:
    """Neither in the config nor in the header: the order is an order."""
    body = {**CAT, "config": {"emulator": {"refuse": 402, "end": "failed"}}}
    answer = await client.post("/api/v1/task", json=body, headers={"X-Unitask-Emulator": json.dumps({"refuse": 500})})
    assert answer.status_code == 200
    assert answer.json()["data"]["status"] == "pending"
    assert "emulator" not in answer.json()["data"]["config"]


async def test_there_is_no_clock_to_move(client: httpx.AsyncClient) -> None:
    """The routes do not exist."""
    for method, path in (("POST", "/emulator/clock"), ("GET", "/emulator/requests"), ("GET", "/emulator")):
        assert (await client.request(method, path, json={"advance_s": 1})).status_code == 404
