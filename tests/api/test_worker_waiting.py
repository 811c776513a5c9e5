"""A worker says which of its attempts have not begun; the API then puts their deadlines off."""

from typing import Any

import httpx

from support.answers import accepted
from support.clock import ManualClock
from support.keys import WORKER_TOKEN
from support.orders import CAT
from unitask.app import Services

GRACE_S = 15.0
WORKER = {"worker_id": "w", "engines": ["cpu", "preview"]}


async def say(client: httpx.AsyncClient, what: str, **message: Any) -> dict[str, Any]:
    """Send a message as a worker; gives the answer."""
    headers = {"Authorization": f"Bearer {WORKER_TOKEN}"}
    answer = await client.post(f"/worker/v1/{what}", json={**WORKER, **message}, headers=headers)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def held(client: httpx.AsyncClient, **message: Any) -> list[str]:
    """Give a sign of life; gives the ids of the tasks that the worker holds."""
    return [one["task_id"] for one in (await say(client, "beat", name="a worker", **message))["held"]]


async def test_an_attempt_of_which_a_worker_says_that_it_waits_is_not_late(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """Of two that were claimed at the same time, only the one that has begun can pass its deadline."""
    for _ in range(2):
        accepted(await client.post("/api/v1/task", json=CAT))
    await held(client)
    begun, waiting = (await say(client, "claim", most=2, wait_s=0))["tasks"]
    clock.pass_s(begun["seconds_left"])
    progress = [
        {"task_id": one["task_id"], "attempt": 1, "progress": 0, "waiting": one is waiting} for one in (begun, waiting)
    ]
    assert len(await held(client, progress=progress)) == 2
    clock.pass_s(GRACE_S + 0.1)
    await held(client)
    assert await services.tasks.reap() == 1
    assert await held(client) == [waiting["task_id"]]
