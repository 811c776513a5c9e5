"""An account's limit of tasks at once: the rest is staged and comes in order."""

import asyncio

import pytest

from support.customer import Customer
from support.sql import rows
from support.worker import HandWorker
from unitask.accounts.limits import Limits
from unitask.app import Services
from unitask.kit.errors import TooManyTasks
from unitask.tasks.model import Failure, Outcome

SWEEP = 100


async def set_limit(customer: Customer, task_limit: int) -> None:
    """Let an account run more at once."""
    limits = Limits(concurrent_tasks=task_limit)
    await customer.services.registry.set_account(customer.caller.account_id, actor="a test", limits=limits)


async def test_tasks_beyond_the_limit_are_staged_and_come_in_order(limited: Customer, worker: HandWorker) -> None:
    """As one ends, the oldest staged one takes its slot; never more than the limit at once."""
    task_ids = await limited.orders(5)
    assert await limited.statuses(task_ids) == ["pending", "pending", "staged", "staged", "staged"]
    ended = 0
    while works := await worker.claim(10):
        assert len(works) <= 2
        await worker.complete(works[0])
        ended += 1
        running = ["completed"] * ended
        assert (await limited.account()).active_tasks == min(2, 5 - ended)
        statuses = await limited.statuses(task_ids)
        assert statuses[:ended] == running
        assert statuses.count("staged") == max(0, 3 - ended)
        for work in works[1:]:
            await worker.fail(work, "back", given_back=True)
    assert ended == 5


@pytest.mark.parametrize(
    "outcome",
    [{"failure": Failure("it broke")}, {"output": {"image_url": "unitask-artifact:x.png"}}, {"output": {}}],
    ids=["failed", "completed", "of the wrong form"],
)
async def test_any_end_of_a_task_frees_its_slot(
    limited: Customer, services: Services, worker: HandWorker, outcome: dict[str, object]
) -> None:
    """Success or not, the next one comes."""
    task_ids = await limited.orders(3)
    (work,) = await worker.claim()
    assert await services.tasks.settle(Outcome(work.task_id, work.attempt, **outcome))  # type: ignore[arg-type]
    assert (await limited.statuses(task_ids))[1:] == ["pending", "pending"]


async def test_a_task_that_waits_for_another_attempt_keeps_its_slot(limited: Customer, worker: HandWorker) -> None:
    """Nothing is promoted over its head."""
    task_ids = await limited.orders(3)
    (work,) = await worker.claim()
    await worker.fail(work, retryable=True)
    assert await limited.statuses(task_ids) == ["pending", "pending", "staged"]


async def test_cancelling_a_waiting_task_frees_its_slot(limited: Customer) -> None:
    """A staged one that is cancelled only leaves the line."""
    task_ids = await limited.orders(5)
    await limited.cancel(task_ids[3])
    assert await limited.statuses(task_ids) == ["pending", "pending", "staged", "failed", "staged"]
    await limited.cancel(task_ids[0])
    assert await limited.statuses(task_ids) == ["failed", "pending", "pending", "failed", "staged"]


async def test_a_customer_may_stage_so_many_and_no_more(limited: Customer, services: Services) -> None:
    """Beyond that the order is refused with a time to come again, and nothing is held for it."""
    await limited.orders(2 + services.settings.staged_limit)
    before = await limited.account()
    with pytest.raises(TooManyTasks) as refused:
        await limited.order()
    assert refused.value.retry_after_s > 0
    assert await limited.account() == before


async def test_the_sweep_promotes_what_a_crash_left_staged(limited: Customer, services: Services) -> None:
    """A slot that came free without a promotion is found by itself."""
    task_ids = await limited.orders(5)
    await set_limit(limited, 4)
    assert await services.tasks.promote_all() == 2
    assert await limited.statuses(task_ids) == ["pending"] * 4 + ["staged"]
    assert await services.tasks.promote_all() == 0


async def test_the_sweep_comes_to_every_account(services: Services) -> None:
    """Also to one behind a hundred others whose staged tasks cannot move: a sweep goes on where the last ended."""
    crowd = await asyncio.gather(*[Customer.of(services, f"customer {n}", task_limit=0) for n in range(SWEEP + 1)])
    await asyncio.gather(*[customer.order() for customer in crowd])
    last = max(crowd, key=lambda customer: customer.caller.account_id)
    await set_limit(last, 1)
    promoted = [await services.tasks.promote_all() for _ in range(4)]
    assert promoted == [0, 1, 0, 0]
    assert await rows(services.database, "select count(*) as n from queue where state = 'staged'") == [{"n": SWEEP}]
