"""How workers tell several ends at once."""

from typing import Any

import httpx

from support.answers import accepted, refused
from support.keys import WORKER_TOKEN
from support.orders import CAT
from support.worker import IMAGE_OUTPUT, HandWorker
from unitask.app import Services

TOKEN = {"Authorization": f"Bearer {WORKER_TOKEN}", "X-API-Key": ""}
NOBODY = {"task_id": "01a3185c-5000-7000-8000-000000000000", "attempt": 1}


async def tell(client: httpx.AsyncClient, ends: list[dict[str, Any]]) -> httpx.Response:
    """Report ends as a worker."""
    return await client.post("/worker/v1/settle-many", json={"ends": ends}, headers=TOKEN)


async def test_several_ends_are_told_at_once(client: httpx.AsyncClient, services: Services) -> None:
    """Each counts or not by itself, and a failure beside a success; more than there may be are refused whole."""
    for _ in range(3):
        accepted(await client.post("/api/v1/task", json=CAT))
    one, two, three = await HandWorker(services).claim(3)
    ends = [
        {"task_id": one.task_id, "attempt": 1, "output": IMAGE_OUTPUT},
        {"task_id": two.task_id, "attempt": 2, "output": IMAGE_OUTPUT},
        NOBODY,
        {"task_id": three.task_id, "attempt": 1, "failure": {"message": "it broke"}},
    ]
    assert (await tell(client, ends)).json() == {"accepted": [True, False, False, True]}
    statuses = [accepted(await client.get(f"/api/v1/task/{work.task_id}"))["status"] for work in (one, two, three)]
    assert statuses == ["completed", "processing", "failed"]
    refused(await tell(client, [NOBODY] * 65), 400)
