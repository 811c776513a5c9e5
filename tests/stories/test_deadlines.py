"""Every task ends by its deadline, wherever it stands; every attempt by its own."""

import json

import pytest

from support.clock import ManualClock
from support.customer import Customer
from support.worker import HandWorker
from unitask.app import Services
from unitask.tasks.model import Status

DEADLINE_S = 24 * 3600
GRACE_S = 15.0


async def test_an_attempt_past_its_deadline_is_taken_from_a_living_worker(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker, other: HandWorker
) -> None:
    """A worker that beats but never ends keeps nobody waiting; some grace lets it report by itself."""
    task = await customer.order()
    (stale,) = await worker.claim()
    limit_s = services.catalogue.by_key("Qubico/flux1-dev/txt2img").limit_s
    clock.pass_s(limit_s + GRACE_S - 0.1)
    await worker.beat()
    assert await services.tasks.reap() == 0
    clock.pass_s(0.2)
    await worker.beat()
    assert await services.tasks.reap() == 1
    assert await worker.beat() == []
    (fresh,) = await other.claim()
    assert fresh.attempt == 2
    assert not await worker.complete(stale)
    assert json.loads((await customer.see(task.id)).logs) == ["attempt 1: the attempt did not end in time"]


async def test_an_attempt_that_waits_in_its_worker_has_its_whole_time_later(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker
) -> None:
    """Its time begins when the worker begins it; of the others nothing changes."""
    waits, runs = await customer.order(), await customer.order()
    works = await worker.claim(2)
    waiting = [(work.task_id, work.attempt) for work in works if work.task_id == waits.id]
    limit_s = services.catalogue.by_key("Qubico/flux1-dev/txt2img").limit_s
    clock.pass_s(limit_s)
    await worker.beat(waiting=[*waiting, (runs.id, 7)])
    clock.pass_s(GRACE_S + 0.1)
    await worker.beat()
    assert await services.tasks.reap() == 1
    assert [task_id for task_id, _, _ in await worker.beat()] == [waits.id]
    clock.pass_s(limit_s)
    await worker.beat()
    assert await services.tasks.reap() == 1
    assert (await customer.see(waits.id)).status is Status.PENDING


@pytest.mark.parametrize("status", [Status.PENDING, Status.STAGED, Status.PROCESSING])
async def test_a_task_past_its_deadline_fails_wherever_it_stands(
    services: Services, clock: ManualClock, worker: HandWorker, status: Status
) -> None:
    """It costs nothing and says how long it was given; a result that comes later is refused."""
    limit = 0 if status is Status.STAGED else 1
    customer = await Customer.of(services, "overdue", task_limit=limit)
    before = await customer.books()
    task = await customer.order()
    works = await worker.claim() if status is Status.PROCESSING else []
    clock.pass_s(DEADLINE_S - 1)
    await worker.beat()
    assert await services.tasks.reap() == len(works)
    if works:
        works = await worker.claim()
    assert (await customer.see(task.id)).status is status
    clock.pass_s(1)
    assert await services.tasks.reap() == 1
    ended = await customer.see(task.id)
    assert ended.status is Status.FAILED
    assert json.loads(ended.error or "")["message"] == f"the task did not end within {DEADLINE_S} s and was given up"
    assert await customer.books() == before
    assert [await worker.complete(work) for work in works] == [False] * len(works)
    assert await services.tasks.reap() == 0


async def test_the_slot_of_an_overdue_task_goes_to_a_staged_one(
    services: Services, clock: ManualClock, limited: Customer, worker: HandWorker
) -> None:
    """In the same round of housekeeping."""
    old = await limited.orders(2)
    clock.pass_s(DEADLINE_S / 2)
    new = await limited.orders(3)
    assert await limited.statuses(new) == ["staged"] * 3
    clock.pass_s(DEADLINE_S / 2)
    assert await services.tasks.reap() == 2
    assert await limited.statuses(old + new) == ["failed", "failed", "pending", "pending", "staged"]
