"""Jobs at a provider whose task has ended without them: kept, cancelled there by whoever can, and forgotten in time."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from sim.faults import status
from sim.provider import served
from sim.unified import Unified
from support.clock import ManualClock
from support.keys import WORKER_TOKEN
from support.orders import cat
from support.provided import LIMIT_S, Provided, in_a_hurry, key_for, provider, route
from support.sql import rows
from support.wait import answered, seen
from support.worker import HandWorker
from unitask.api import Application
from unitask.kit.clock import DAY_US, SECOND_US
from unitask.settings import Settings
from unitask.tasks.model import Task, Work

DEV = "Qubico/flux1-dev/txt2img"
LEASE_S = 15
Open = Callable[..., Awaitable[Provided]]


@pytest.fixture
def hub() -> Iterator[Unified]:
    """Run a provider whose jobs go on for ever."""
    with served(Unified(idempotent=True)) as sim:
        sim.hold()
        yield sim


@pytest.fixture
async def it(
    settings: Settings, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, hub: Unified
) -> AsyncIterator[Provided]:
    """Open services for which the provider makes pictures, and another one, if it fails."""
    in_a_hurry(monkeypatch)
    for name in ("hub", "spare"):
        key_for(monkeypatch, name)
    tables = (provider("hub", hub.url), provider("spare"), route('"hub"', '"spare"'))
    opened = await Provided.opened(settings, clock, "\n".join(tables), max_attempts=1)
    yield opened
    await opened.close()


async def job_at(hub: Unified) -> str:
    """Make a job at the provider, as a worker does that dies then."""
    async with httpx.AsyncClient(headers={"X-API-Key": hub.key}, trust_env=False) as client:
        answer = await client.post(f"{hub.url}/api/v1/task", json=cat())
    return str(answer.json()["data"]["task_id"])


async def running(it: Provided, hub: Unified) -> tuple[Task, HandWorker, Work]:
    """Order a task, and let a worker begin it at the provider and write its job down."""
    task = await it.customer.order()
    worker = await it.says(DEV, engines="hub:full spare:full")
    (work,) = await worker.claim()
    assert (work.task_id, work.engine) == (task.id, "hub")
    kept = f'{{"key": "{task.id}-1", "job": {{"id": "{await job_at(hub)}"}}}}'
    await it.services.tasks.keep_remote(task.id, work.attempt, kept)
    return task, worker, work


async def silence(it: Provided, seconds: int = LEASE_S + 1) -> None:
    """Let time pass in which no worker speaks."""
    for _ in range(seconds):
        it.clock.pass_s(1)
        await it.services.tasks.claims.follow()


async def cancelled(it: Provided, hub: Unified) -> None:
    """Let the task be cancelled while its worker is dead."""
    task, _, _ = await running(it, hub)
    await it.customer.cancel(task.id)
    await silence(it)
    assert await it.services.tasks.reap() == 1


async def overdue(it: Provided, hub: Unified) -> None:
    """Let the task pass its deadline."""
    await running(it, hub)
    it.clock.pass_s(it.services.settings.task_deadline_s)
    await silence(it, 2 * LEASE_S)
    assert await it.services.tasks.reap() == 1


async def given_up(it: Provided, hub: Unified) -> None:
    """Let the only attempt be lost."""
    await running(it, hub)
    await silence(it)
    assert await it.services.tasks.reap() == 1


async def sent_on(it: Provided, hub: Unified) -> None:
    """Let the worker report a failure that may pass, and not have cleared away."""
    _, worker, work = await running(it, hub)
    assert await worker.fail(work, "the provider hub did not finish within 1800 s", elsewhere=True)


WAYS = [cancelled, overdue, given_up, sent_on]
every_way = pytest.mark.parametrize("ends", WAYS, ids=[way.__name__ for way in WAYS])


async def left(it: Provided) -> list[str]:
    """List the providers at which jobs are left."""
    return [row["provider"] for row in await rows(it.services.database, "select provider from leftovers")]


async def beat(it: Provided, *providers: str, cleared: tuple[dict[str, Any], ...] = ()) -> list[dict[str, Any]]:
    """Give a sign of life as a worker with these providers; gives the leftovers that it is told."""
    found = [{"provider": name, "engine": "upstream", "state": "up"} for name in providers]
    message = {"worker_id": "w", "name": "w", "engines": list(providers), "providers": found, "cleared": list(cleared)}
    inside = httpx.ASGITransport(Application(it.services))
    async with httpx.AsyncClient(transport=inside, base_url="http://unitask.test") as client:
        headers = {"Authorization": f"Bearer {WORKER_TOKEN}"}
        answer = await client.post("/worker/v1/beat", json=message, headers=headers)
    assert answer.is_success, answer.text
    found_left: list[dict[str, Any]] = answer.json()["leftovers"]
    return found_left


@every_way
async def test_a_job_without_its_task_is_cancelled_by_the_next_worker(
    it: Provided, hub: Unified, ends: Callable[[Provided, Unified], Awaitable[None]]
) -> None:
    """However the task ended or went elsewhere; then nothing is left of it."""
    await ends(it, hub)
    assert await left(it) == ["hub"]
    assert not hub.job.cancelled
    async with it.working("hub"):
        await seen(lambda: hub.job.cancelled, within_s=LIMIT_S, what="a cancel there")

        async def gone() -> bool:
            return await left(it) == []

        await answered(gone, within_s=LIMIT_S, what="the end of the row")
    assert hub.submitted == 1


async def test_a_completed_task_leaves_no_job(it: Provided, hub: Unified) -> None:
    """Its job is over too."""
    _, worker, work = await running(it, hub)
    assert await worker.complete(work)
    assert await left(it) == []


async def test_a_job_that_was_cleared_away_is_not_left(it: Provided, hub: Unified) -> None:
    """A worker that says that there is none any more has seen to it."""
    task, worker, work = await running(it, hub)
    await it.services.tasks.keep_remote(task.id, work.attempt, None)
    assert await worker.fail(work, "it broke there")
    assert await left(it) == []


async def test_a_task_that_is_tried_again_keeps_its_job(it: Provided, hub: Unified) -> None:
    """The next attempt by the same provider finds it."""
    _, worker, work = await running(it, hub)
    assert await worker.fail(work, "the worker was stopped", given_back=True)
    assert await left(it) == []
    (again,) = await worker.claim()
    assert f'"{hub.job.id}"' in str(again.remote)


async def test_a_task_whose_job_is_there_waits_for_the_provider(it: Provided, hub: Unified) -> None:
    """Its worker was stopped and nobody else works for the provider: a job that is paid for is not made elsewhere."""
    _, worker, work = await running(it, hub)
    assert await worker.fail(work, "the worker was stopped", given_back=True)
    await it.says(DEV, engines="spare:full")
    assert await it.services.tasks.reroute() == 0
    assert await it.places() == [("hub", "spare")]


async def test_workers_without_the_provider_are_not_told(it: Provided, hub: Unified) -> None:
    """Nor do they make an end of what is not theirs; who has the provider is told until it has cleared it."""
    await sent_on(it, hub)
    (found,) = await beat(it, "hub")
    assert found["remote"]["job"] == {"id": hub.job.id}
    assert await beat(it, "spare") == await beat(it) == []
    done = {"task_id": found["task_id"], "provider": "hub"}
    assert await beat(it, "spare", cleared=(done,)) == []
    assert await beat(it, "hub") == [found]
    assert await beat(it, "hub", cleared=(done,)) == []
    assert await left(it) == []


async def test_what_cannot_be_cancelled_yet_is_tried_again(it: Provided, hub: Unified) -> None:
    """The next heartbeats name it again."""
    await sent_on(it, hub)
    hub.faults.add("cancel", status(503), times=6)
    async with it.working("hub"):
        await seen(lambda: hub.job.cancelled, within_s=LIMIT_S, what="a cancel there")
    assert hub.faults.left == 0


async def test_a_job_that_nobody_cancels_is_forgotten_after_a_day(it: Provided, hub: Unified) -> None:
    """By then it has ended by itself."""
    await sent_on(it, hub)
    it.clock.pass_s(DAY_US // SECOND_US - 1)
    await it.services.tasks.forget()
    assert await left(it) == ["hub"]
    it.clock.pass_s(2)
    await it.services.tasks.forget()
    assert await left(it) == []


async def test_a_job_of_an_account_is_cancelled_with_its_key(
    it: Provided, hub: Unified, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator's key would not find it; the key is asked for anew, and not kept with the job."""
    own = "sk-of-the-customer"
    await it.services.provider_keys.give(it.customer.caller.account_id, "hub", own, actor="a test")
    task, worker, work = await running(it, hub)
    kept = f'{{"key": "{task.id}-1", "own_key": true, "job": {{"id": "{hub.job.id}"}}}}'
    await it.services.tasks.keep_remote(task.id, work.attempt, kept)
    assert await worker.fail(work, "late", elsewhere=True)
    assert own not in str(await rows(it.services.database, "select * from leftovers"))
    monkeypatch.setattr(Unified, "key", own)
    async with it.working("hub"):
        await seen(lambda: hub.job.cancelled, within_s=LIMIT_S, what="a cancel there")


async def test_two_jobs_of_one_task_are_both_cancelled(it: Provided, hub: Unified) -> None:
    """One at each provider that had it: the end of one is not the end of the other."""
    await sent_on(it, hub)
    worker = await it.says(DEV, engines="spare:full")
    (work,) = await worker.claim()
    await it.services.tasks.keep_remote(work.task_id, work.attempt, '{"key": "k", "job": {"id": "at-the-spare"}}')
    assert await worker.fail(work, "late", elsewhere=True)
    assert sorted(await left(it)) == ["hub", "spare"]
    async with it.working("hub", "spare"):
        await seen(lambda: hub.job.cancelled, within_s=LIMIT_S, what="a cancel there")

        async def one_is_left() -> bool:
            return len(await left(it)) < 2

        await answered(one_is_left, within_s=LIMIT_S, what="the end of a row")
        assert await left(it) == ["spare"], "nobody answers there"
