"""Workers that go silent, come back, fail and stop: the attempt number decides who is heard."""

import asyncio
import json
from typing import Any

import pytest

from support.clock import ManualClock
from support.customer import Customer
from support.worker import IMAGE_OUTPUT, HandWorker
from unitask.app import Services
from unitask.kit.errors import Conflict
from unitask.queue.model import Progress
from unitask.tasks.model import CANCELLED, Failure, Outcome, Status, Task, Work

LEASE_S = 15.0
ATTEMPTS = 3


async def taken_over(services: Services, clock: ManualClock, worker: HandWorker, other: HandWorker) -> list[Work]:
    """Let one worker go silent past its lease and another take its task; gives both attempts."""
    (stale,) = await worker.claim()
    clock.pass_s(LEASE_S + 0.1)
    assert await services.tasks.reap() == 1
    (fresh,) = await other.claim()
    return [stale, fresh]


def error(task: Task) -> dict[str, Any]:
    """Read why a task failed."""
    assert task.error is not None
    found: dict[str, Any] = json.loads(task.error)
    return found


async def test_a_silent_worker_loses_its_task_to_another(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker, other: HandWorker
) -> None:
    """The second attempt has the next number, and its result is the one that counts."""
    task = await customer.order()
    stale, fresh = await taken_over(services, clock, worker, other)
    assert [(work.task_id, work.attempt) for work in (stale, fresh)] == [(task.id, 1), (task.id, 2)]
    assert not await worker.complete(stale, {**IMAGE_OUTPUT, "image_url": "unitask-artifact:stale.png"})
    assert await other.complete(fresh)
    ended = await customer.see(task.id)
    assert (ended.status, ended.attempt) == (Status.COMPLETED, 2)
    assert "stale" not in str(ended.output)
    assert json.loads(ended.logs) == ["attempt 1: the worker stopped answering"]


@pytest.mark.parametrize(
    "report",
    [
        {"output": IMAGE_OUTPUT},
        {"failure": Failure("it broke")},
        {"failure": Failure("it broke"), "retryable": True},
        {"failure": Failure("stopped"), "given_back": True},
    ],
    ids=["completed", "failed", "failed, retryable", "given back"],
)
async def test_no_report_of_a_lost_attempt_is_heard(
    services: Services,
    clock: ManualClock,
    customer: Customer,
    worker: HandWorker,
    other: HandWorker,
    *,
    report: dict[str, Any],
) -> None:
    """Whatever the stale worker says, the task goes on in the hands of the other."""
    task = await customer.order()
    stale, fresh = await taken_over(services, clock, worker, other)
    assert not await services.tasks.settle(Outcome(stale.task_id, stale.attempt, **report))
    assert await other.beat() == [(task.id, 2, False)]
    assert (await customer.see(task.id)).status is Status.PROCESSING
    assert await other.complete(fresh)
    assert not await services.tasks.settle(Outcome(stale.task_id, stale.attempt, **report))


async def test_files_and_progress_of_a_lost_attempt_are_refused(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker, other: HandWorker
) -> None:
    """A file of the stale worker is not written down, its progress does not show, and it holds nothing."""
    task = await customer.order()
    stale, fresh = await taken_over(services, clock, worker, other)
    file = await services.artifacts.store_bytes(b"made too late", extension="png")
    with pytest.raises(Conflict, match="another worker has the task"):
        await services.tasks.add_output(file, task_id=task.id, attempt=stale.attempt)
    await services.tasks.add_output(file, task_id=task.id, attempt=fresh.attempt)
    held = await services.tasks.claims.beat(worker.said, [Progress(task.id, stale.attempt, 0.9, "nearly")])
    assert held == []
    assert (await customer.see(task.id)).progress == 0


async def test_a_worker_that_comes_back_within_its_lease_keeps_its_tasks(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker
) -> None:
    """Each sign of life renews the lease of all it holds."""
    task_ids = await customer.orders(2)
    works = await worker.claim(2)
    for _ in range(5):
        clock.pass_s(LEASE_S - 0.1)
        assert await services.tasks.reap() == 0
        assert sorted(await worker.beat()) == [(task_id, 1, False) for task_id in task_ids]
    assert [await worker.complete(work) for work in works] == [True, True]


async def test_a_late_worker_that_nobody_replaced_keeps_its_tasks(
    clock: ManualClock, customer: Customer, worker: HandWorker
) -> None:
    """A lease that has passed takes nothing by itself: the result is as good as any."""
    task = await customer.order()
    (work,) = await worker.claim()
    clock.pass_s(10 * LEASE_S)
    assert await worker.complete(work)
    assert (await customer.see(task.id)).status is Status.COMPLETED


async def test_a_task_that_keeps_losing_its_workers_fails(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker
) -> None:
    """After the last allowed attempt it fails with a sentence that says so, and costs nothing."""
    before = await customer.books()
    task = await customer.order()
    for attempt in range(1, ATTEMPTS + 1):
        (work,) = await worker.claim()
        assert work.attempt == attempt
        clock.pass_s(LEASE_S + 0.1)
        await services.tasks.reap()
    assert await worker.claim() == []
    ended = await customer.see(task.id)
    assert ended.status is Status.FAILED
    assert error(ended)["message"] == "the task was given up after its last attempt: the worker stopped answering"
    assert json.loads(ended.logs) == [f"attempt {number}: the worker stopped answering" for number in (1, 2, 3)]
    assert await customer.books() == before


async def test_a_failure_worth_another_attempt_gets_all_of_them(customer: Customer, worker: HandWorker) -> None:
    """It waits again after each but the last, which is final; the log tells of all."""
    task = await customer.order()
    for attempt in range(1, ATTEMPTS + 1):
        (work,) = await worker.claim()
        assert await worker.fail(work, f"no luck at {attempt}", retryable=True)
        expected = Status.PENDING if attempt < ATTEMPTS else Status.FAILED
        assert (await customer.see(task.id)).status is expected
    ended = await customer.see(task.id)
    assert error(ended)["message"] == "no luck at 3"
    assert len(json.loads(ended.logs)) == ATTEMPTS


async def test_a_failure_that_would_come_again_is_final(customer: Customer, worker: HandWorker) -> None:
    """No attempt is spent on it."""
    task = await customer.order()
    (work,) = await worker.claim()
    assert await worker.fail(work, "the prompt is empty")
    ended = await customer.see(task.id)
    assert (ended.status, ended.attempt, error(ended)["message"]) == (Status.FAILED, 1, "the prompt is empty")


async def test_a_result_of_the_wrong_form_fails_the_task(customer: Customer, worker: HandWorker) -> None:
    """An engine that breaks its product's word does not get the customer charged."""
    task = await customer.order()
    (work,) = await worker.claim()
    assert await worker.complete(work, {"picture": "unitask-artifact:x.png"})
    ended = await customer.see(task.id)
    assert (ended.status, ended.charged_points) == (Status.FAILED, 0)
    assert error(ended)["message"] == "the engine gave a result of the wrong form"


async def test_giving_back_uses_up_no_attempt(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker
) -> None:
    """However often workers are stopped, the task still has all its attempts; the fencing number grows all the same."""
    task = await customer.order()
    for attempt in range(1, 6):
        (work,) = await worker.claim()
        assert work.attempt == attempt
        assert await worker.fail(work, "the worker was stopped", given_back=True)
    (work,) = await worker.claim()
    assert await worker.fail(work, "no luck", retryable=True)
    await worker.claim()
    clock.pass_s(LEASE_S + 0.1)
    assert await services.tasks.reap() == 1
    (work,) = await worker.claim()
    assert work.attempt == 5 + ATTEMPTS
    assert await worker.fail(work, "no luck", retryable=True)
    assert (await customer.see(task.id)).status is Status.FAILED


async def test_of_two_reports_at_the_same_moment_one_is_heard(
    services: Services, customer: Customer, worker: HandWorker
) -> None:
    """A report that is sent again while the first is under way changes nothing."""
    task = await customer.order()
    (work,) = await worker.claim()
    answers = await asyncio.gather(worker.complete(work), worker.fail(work), worker.complete(work))
    assert answers == [True, False, False]
    assert (await customer.see(task.id)).status is Status.COMPLETED


@pytest.mark.parametrize("goes_silent", [True, False])
async def test_a_cancelled_task_is_not_tried_again(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker, *, goes_silent: bool
) -> None:
    """Its worker is told; when the attempt ends without a result, by whatever cause, the task is cancelled."""
    task = await customer.order()
    (work,) = await worker.claim()
    assert (await customer.cancel(task.id)).status is Status.PROCESSING
    assert await worker.beat() == [(task.id, 1, True)]
    if goes_silent:
        clock.pass_s(LEASE_S + 0.1)
        assert await services.tasks.reap() == 1
    else:
        assert await worker.fail(work, "stopped", retryable=True)
    ended = await customer.see(task.id)
    assert (ended.status, error(ended)["message"]) == (Status.FAILED, CANCELLED.message)


async def test_a_result_that_is_there_before_the_cancel_is_heard_counts(customer: Customer, worker: HandWorker) -> None:
    """The work was done: the customer gets it and pays."""
    task = await customer.order()
    (work,) = await worker.claim()
    await customer.cancel(task.id)
    assert await worker.complete(work)
    assert (await customer.see(task.id)).status is Status.COMPLETED
    with pytest.raises(Conflict, match="completed already"):
        await customer.cancel(task.id)


async def rounds(services: Services, clock: ManualClock, number: int) -> None:
    """Let a process that keeps house live through so many seconds."""
    for _ in range(number):
        clock.pass_s(1)
        await services.tasks.claims.follow()
        await services.tasks.reap()


async def status(customer: Customer, task: Task) -> tuple[Status, int]:
    """Tell where a task stands, and its attempt."""
    seen = await customer.see(task.id)
    return seen.status, seen.attempt


async def test_silence_while_we_were_away_does_not_count(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker
) -> None:
    """The API was stopped, or could not reach its database: workers have a lease to speak before they lose a task."""
    task = await customer.order()
    await worker.claim()
    await rounds(services, clock, 3)
    clock.pass_s(3 * int(LEASE_S))
    await rounds(services, clock, 2)
    assert await status(customer, task) == (Status.PROCESSING, 1)
    await worker.beat()
    await rounds(services, clock, int(LEASE_S) - 1)
    assert await status(customer, task) == (Status.PROCESSING, 1)
    await rounds(services, clock, int(LEASE_S) + 2)
    assert (await status(customer, task))[0] is Status.PENDING


@pytest.mark.parametrize("by_s", [3600, 30 * 24 * 3600, -3600])
async def test_a_clock_that_jumps_takes_nothing_from_anyone(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker, by_s: int
) -> None:
    """Neither from a worker that goes on beating, nor by its deadline from a task, if the clock is put right."""
    task, waiting = await customer.order(), await customer.order()
    await worker.claim()
    await rounds(services, clock, int(LEASE_S))
    await worker.beat()
    clock.jump_s(by_s)
    for _ in range(int(LEASE_S) - 2):
        await rounds(services, clock, 1)
        await worker.beat()
    clock.jump_s(-by_s)
    for _ in range(2 * int(LEASE_S)):
        await rounds(services, clock, 1)
        await worker.beat()
    assert await status(customer, task) == (Status.PROCESSING, 1)
    assert await status(customer, waiting) == (Status.PENDING, 0)


async def test_a_clock_that_stays_ahead_is_believed(services: Services, clock: ManualClock, customer: Customer) -> None:
    """It was wrong before."""
    task = await customer.order()
    await rounds(services, clock, 2)
    clock.jump_s(30 * 24 * 3600)
    await rounds(services, clock, 2 * int(LEASE_S))
    assert (await status(customer, task))[0] is Status.FAILED
