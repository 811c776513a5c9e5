"""Taking an order back, in every status, by both routes."""

from typing import Any

import httpx
import pytest

from support.accounts import open_account, read
from support.answers import accepted, refused
from support.clock import ManualClock
from support.orders import CAT, CAT_POINTS
from support.traces import rows, traces
from support.worker import HandWorker
from unitask.app import Services

CANCELLED = {
    "code": 10000,
    "raw_message": "cancelled by the client",
    "message": "the task was cancelled",
    "detail": None,
}
ROUTES = [("DELETE", "/api/v1/task/{}"), ("POST", "/api/v1/task/{}/cancel")]
both_routes = pytest.mark.parametrize(("method", "path"), ROUTES, ids=["delete", "post"])


async def three(client: httpx.AsyncClient, clock: ManualClock, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Order three tasks, one after the other."""
    orders = []
    for _ in range(3):
        orders.append(accepted(await client.post("/api/v1/task", json=CAT, headers=headers)))
        clock.pass_s(1)
    return orders


@both_routes
async def test_a_pending_task_ends_at_once_and_costs_nothing(
    client: httpx.AsyncClient, services: Services, method: str, path: str
) -> None:
    """The answer is the task as it then is: failed, with the reason; its points are free again."""
    person = await open_account(services, "careful", points=CAT_POINTS)
    task_id = accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))["task_id"]
    data = accepted(await client.request(method, path.format(task_id), headers=person.headers))
    assert (data["task_id"], data["status"], data["output"], data["error"]) == (task_id, "failed", None, CANCELLED)
    assert data["meta"]["usage"] == {"type": "point", "frozen": 0, "consume": 0}
    assert data["meta"]["ended_at"] == "2027-01-15T08:00:00Z"
    assert data == accepted(await client.get(f"/api/v1/task/{task_id}", headers=person.headers))
    account = await read(services, person.account_id)
    assert (account.available_points, account.held_points, account.active_tasks) == (CAT_POINTS, 0, 0)
    assert [entry["kind"] for entry in await rows(services, "ledger")] == ["top_up", "hold", "release"]
    assert await HandWorker(services).claim() == []


async def test_cancelling_a_pending_task_lets_the_next_staged_one_run(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """The slot that comes free is taken at once, by the oldest that waits for one."""
    headers = (await open_account(services, "busy", unlimited=True, task_limit=1)).headers
    orders = await three(client, clock, headers)
    assert [order["status"] for order in orders] == ["pending", "staged", "staged"]
    accepted(await client.delete(f"/api/v1/task/{orders[0]['task_id']}", headers=headers))
    now = [accepted(await client.get(f"/api/v1/task/{order['task_id']}", headers=headers)) for order in orders]
    assert [task["status"] for task in now] == ["failed", "pending", "staged"]


async def test_a_staged_task_ends_at_once_and_leaves_the_slots_as_they_are(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """It held no slot, so nothing else moves; its points are free again."""
    person = await open_account(services, "busy", points=3 * CAT_POINTS, task_limit=1)
    orders = await three(client, clock, person.headers)
    data = accepted(await client.delete(f"/api/v1/task/{orders[1]['task_id']}", headers=person.headers))
    assert (data["status"], data["error"]) == ("failed", CANCELLED)
    account = await read(services, person.account_id)
    assert (account.active_tasks, account.staged_tasks) == (1, 1)
    assert (account.available_points, account.held_points) == (CAT_POINTS, 2 * CAT_POINTS)
    worker = HandWorker(services)
    (work,) = await worker.claim(most=9)
    assert await worker.complete(work)
    (work,) = await worker.claim(most=9)
    assert work.task_id == orders[2]["task_id"]


@both_routes
async def test_a_running_task_stays_processing_until_its_worker_has_stopped(
    client: httpx.AsyncClient, services: Services, method: str, path: str
) -> None:
    """The worker hears of it with its next sign of life; whatever failure it then reports is the cancel."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    worker = HandWorker(services)
    (work,) = await worker.claim()
    assert await worker.beat() == [(task_id, 1, False)]
    for _ in range(2):
        data = accepted(await client.request(method, path.format(task_id)))
        assert (data["status"], data["meta"]["usage"]["frozen"]) == ("processing", CAT_POINTS)
    assert await worker.beat() == [(task_id, 1, True)]
    assert await worker.fail(work, "the engine was stopped", retryable=True)
    data = accepted(await client.get(f"/api/v1/task/{task_id}"))
    assert (data["status"], data["error"]) == ("failed", CANCELLED)
    assert data["meta"]["usage"] == {"type": "point", "frozen": 0, "consume": 0}
    assert await worker.claim() == []


async def test_a_result_that_comes_before_the_worker_hears_of_the_cancel_is_kept(
    client: httpx.AsyncClient, services: Services
) -> None:
    """The work was done, so the client gets it and pays for it."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    worker = HandWorker(services)
    (work,) = await worker.claim()
    accepted(await client.delete(f"/api/v1/task/{task_id}"))
    assert await worker.complete(work)
    data = accepted(await client.get(f"/api/v1/task/{task_id}"))
    assert (data["status"], data["meta"]["usage"]["consume"]) == ("completed", CAT_POINTS)


async def test_a_cancelled_task_whose_worker_died_is_not_run_again(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """When the lease is over the task ends as cancelled, though it has attempts left."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    await HandWorker(services).claim()
    accepted(await client.delete(f"/api/v1/task/{task_id}"))
    clock.pass_s(60)
    assert await services.tasks.reap() == 1
    data = accepted(await client.get(f"/api/v1/task/{task_id}"))
    assert (data["status"], data["error"]) == ("failed", CANCELLED)


@pytest.mark.parametrize("ending", ["completed", "failed", "cancelled"])
async def test_what_has_ended_cannot_be_cancelled(client: httpx.AsyncClient, services: Services, ending: str) -> None:
    """409 with the status that the task has, and nothing moves a second time."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    if ending == "cancelled":
        accepted(await client.delete(f"/api/v1/task/{task_id}"))
    else:
        worker = HandWorker(services)
        (work,) = await worker.claim()
        assert await (worker.complete(work) if ending == "completed" else worker.fail(work))
    before = await traces(services)
    status = "completed" if ending == "completed" else "failed"
    for method, path in ROUTES:
        message = refused(await client.request(method, path.format(task_id)), 409)
        assert message == f"the task is {status} already and cannot be cancelled"
    assert await traces(services) == before
