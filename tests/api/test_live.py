"""Following a task: waiting for its end, and its story as server-sent events."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from support.accounts import open_account
from support.answers import accepted, refused
from support.clock import ManualClock
from support.keys import API_KEY
from support.orders import CAT, CAT_POINTS
from support.stream import Event, Stream
from support.traces import rows
from support.wait import seen
from support.worker import HandWorker
from unitask.api import Application
from unitask.app import Services
from unitask.queue.model import Progress
from unitask.settings import Settings

KEY = {"X-API-Key": API_KEY}
AT_ONCE_S = 0.7
BAD_WAITS = ("soon", "-1", "1e3", "nan", "1.2.3", "²", ".")


@pytest.fixture
def worker(services: Services) -> HandWorker:
    """Make a worker that does what the test says."""
    return HandWorker(services)


@pytest.fixture
async def task_id(client: httpx.AsyncClient) -> str:
    """Order a task."""
    return accepted(await client.post("/api/v1/task", json=CAT))["task_id"]


@pytest.fixture
def follow(services: Services) -> Callable[..., Stream]:
    """Follow a task."""
    application = Application(services)

    def start(task_id: str, headers: dict[str, str] = KEY, **more: str) -> Stream:
        return Stream(application, f"/api/v1/task/{task_id}/events", {**headers, **more})

    return start


async def tell(services: Services, worker: HandWorker, task_id: str, fraction: float, attempt: int = 1) -> None:
    """Report how far an attempt is."""
    progress = [Progress(task_id, attempt, fraction, "")]
    await services.tasks.claims.beat(worker.said, progress)


async def listening(services: Services, task_id: str) -> None:
    """Wait until somebody waits for the task."""
    await seen(lambda: task_id in services.tasks.watch._waiting, within_s=5, what="a listener")


async def lasted_s(answer: Awaitable[httpx.Response]) -> tuple[httpx.Response, float]:
    """Measure how long an answer takes."""
    began = asyncio.get_running_loop().time()
    return await answer, asyncio.get_running_loop().time() - began


def named(events: list[Event]) -> list[str]:
    """List the names of events."""
    return [event.name for event in events]


async def test_waiting_for_a_task_that_has_ended_takes_no_time(
    client: httpx.AsyncClient, worker: HandWorker, task_id: str
) -> None:
    """It is answered as it is."""
    (work,) = await worker.claim()
    assert await worker.complete(work)
    answer, seconds = await lasted_s(client.get(f"/api/v1/task/{task_id}?wait=30"))
    assert accepted(answer)["status"] == "completed"
    assert seconds < AT_ONCE_S


@pytest.mark.parametrize("wait", [{"params": {"wait": "0.2"}}, {"headers": {"Prefer": "respond-async, wait=0.2"}}])
async def test_waiting_ends_when_the_time_is_over(
    client: httpx.AsyncClient, task_id: str, wait: dict[str, Any]
) -> None:
    """The task comes as it is by then; both ways to ask for it do the same on create and on get."""
    for ask in (
        client.get(f"/api/v1/task/{task_id}", **wait),
        client.post("/api/v1/task", json=CAT, **wait),
    ):
        answer, seconds = await lasted_s(ask)
        assert accepted(answer)["status"] == "pending"
        assert 0.2 <= seconds < 2


@pytest.mark.parametrize("ending", ["completed", "failed", "cancelled"])
async def test_everyone_who_waits_is_woken_by_the_end(
    client: httpx.AsyncClient, services: Services, worker: HandWorker, task_id: str, ending: str
) -> None:
    """Well before their time, and however others who waited for the same task gave up."""
    impatient = asyncio.create_task(client.get(f"/api/v1/task/{task_id}?wait=0.2"))
    patient = [asyncio.create_task(client.get(f"/api/v1/task/{task_id}?wait=30")) for _ in range(3)]
    await listening(services, task_id)
    assert accepted(await impatient)["status"] == "pending"
    if ending == "cancelled":
        accepted(await client.delete(f"/api/v1/task/{task_id}"))
    else:
        (work,) = await worker.claim()
        assert await (worker.complete(work) if ending == "completed" else worker.fail(work))
    began = asyncio.get_running_loop().time()
    statuses = {accepted(answer)["status"] for answer in await asyncio.gather(*patient)}
    assert statuses == {"completed" if ending == "completed" else "failed"}
    assert asyncio.get_running_loop().time() - began < AT_ONCE_S


async def test_an_order_can_wait_for_its_own_end(
    client: httpx.AsyncClient, services: Services, worker: HandWorker
) -> None:
    """One call is then enough: the answer of create carries the output."""
    ordering = asyncio.create_task(client.post("/api/v1/task", json=CAT, headers={"Prefer": "wait=30"}))
    await seen(lambda: len(services.tasks.watch._waiting), within_s=5, what="a listener")
    (work,) = await worker.claim()
    assert await worker.complete(work)
    data = accepted(await ordering)
    assert (data["task_id"], data["status"]) == (work.task_id, "completed")
    assert data["output"]["image_url"]
    assert data["meta"]["usage"]["consume"] == CAT_POINTS


@pytest.mark.parametrize("wait", BAD_WAITS)
async def test_a_wait_that_is_no_number_is_refused_before_anything_is_ordered(
    client: httpx.AsyncClient, services: Services, task_id: str, wait: str
) -> None:
    """400, and no task."""
    sentence = "invalid request: wait must be a number of seconds"
    assert refused(await client.get(f"/api/v1/task/{task_id}", params={"wait": wait}), 400) == sentence
    assert refused(await client.post("/api/v1/task", params={"wait": wait}, json=CAT), 400) == sentence
    assert len(await rows(services, "tasks")) == 1


async def test_nothing_is_left_of_those_who_waited(
    client: httpx.AsyncClient, services: Services, worker: HandWorker, task_id: str
) -> None:
    """A server that answers a million of them does not grow."""
    accepted(await client.get(f"/api/v1/task/{task_id}?wait=0.01"))
    (work,) = await worker.claim()
    assert await worker.complete(work)
    accepted(await client.get(f"/api/v1/task/{task_id}?wait=0.01"))
    assert not services.tasks.watch._waiting


async def test_the_story_of_a_task_comes_in_order(
    client: httpx.AsyncClient, services: Services, worker: HandWorker, follow: Callable[..., Stream], task_id: str
) -> None:
    """Each event as it happens, with its time; the last one carries the task as get answers it."""
    async with follow(task_id) as stream:
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert stream.headers["cache-control"] == "no-store"
        first, pending = await stream.next(), await stream.next()
        assert first
        assert pending
        assert first.data == {"status": "accepted", "at": "2027-01-15T08:00:00Z"}
        assert (pending.name, pending.data["queue_position"]) == ("pending", 0)
        assert pending.data["eta_s"] == services.catalogue.find(CAT["model"], CAT["task_type"]).expected_s
        (work,) = await worker.claim()
        started = await stream.next()
        assert started
        assert (started.name, started.data["attempt"], started.data["progress"]) == ("processing", 1, 0.0)
        for fraction in (0.25, 0.5):
            await tell(services, worker, task_id, fraction)
            event = await stream.next()
            assert event
            assert (event.name, event.data["progress"]) == ("processing", fraction)
        assert await worker.complete(work)
        last = await stream.next()
        assert last
        assert last.name == last.data["status"] == "completed"
        assert last.data["task"] == accepted(await client.get(f"/api/v1/task/{task_id}"))
        assert await stream.next() is None


async def test_events_come_at_once(
    services: Services, worker: HandWorker, follow: Callable[..., Stream], task_id: str
) -> None:
    """Nobody has to wait for the next look at the database."""
    async with follow(task_id) as stream:
        await stream.next()
        await stream.next()
        await listening(services, task_id)
        (work,) = await worker.claim()
        assert await stream.next(within_s=AT_ONCE_S)
        await listening(services, task_id)
        assert await worker.fail(work)
        event = await stream.next(within_s=AT_ONCE_S)
    assert event
    assert (event.name, event.data["task"]["error"]["message"]) == ("failed", "it broke")


async def test_a_task_that_has_ended_tells_its_story_and_ends(
    services: Services, worker: HandWorker, follow: Callable[..., Stream], task_id: str
) -> None:
    """Even a client that comes late learns all that is known."""
    (work,) = await worker.claim()
    assert await worker.complete(work)
    async with follow(task_id) as stream:
        assert named(await stream.rest()) == ["accepted", "processing", "completed"]


async def test_a_cancelled_order_ends_its_story(
    client: httpx.AsyncClient, follow: Callable[..., Stream], task_id: str
) -> None:
    """It never ran."""
    async with follow(task_id) as stream:
        accepted(await client.delete(f"/api/v1/task/{task_id}"))
        events = await stream.rest()
    assert named(events)[0] == "accepted"
    assert named(events)[-1] == "failed"
    assert "processing" not in named(events)


async def test_a_second_attempt_is_part_of_the_story(
    services: Services, worker: HandWorker, follow: Callable[..., Stream], task_id: str
) -> None:
    """A task may wait again and begin again; its events still only go forward."""
    async with follow(task_id) as stream:
        await stream.next()
        await stream.next()
        (work,) = await worker.claim()
        await stream.next()
        await tell(services, worker, task_id, 0.75)
        await stream.next()
        assert await worker.fail(work, retryable=True)
        again = await stream.next()
        assert again
        assert again.name == "pending"
        (work,) = await worker.claim()
        second = await stream.next()
        assert second
        assert (second.data["attempt"], second.data["progress"]) == (2, 0.0)
        assert await worker.complete(work)
        assert named(await stream.rest()) == ["completed"]


async def test_a_better_place_in_the_queue_is_an_event(
    client: httpx.AsyncClient, clock: ManualClock, worker: HandWorker, follow: Callable[..., Stream], task_id: str
) -> None:
    """Whoever waits sees that it goes on."""
    clock.pass_s(1)
    second = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    async with follow(second) as stream:
        await stream.next()
        waiting = await stream.next()
        assert await worker.claim()
        nearer = await stream.next()
    assert waiting
    assert nearer
    assert (waiting.name, nearer.name) == ("pending", "pending")
    assert (waiting.data["queue_position"], nearer.data["queue_position"]) == (1, 0)


@pytest.fixture
async def restarted(services: Services, settings: Settings, clock: ManualClock) -> AsyncIterator[Application]:
    """Start the application anew, on the same database."""
    opened = await Services.open(settings, clock)
    yield Application(opened)
    await opened.close()


async def test_a_story_is_taken_up_after_a_restart(
    services: Services, worker: HandWorker, follow: Callable[..., Stream], task_id: str, restarted: Application
) -> None:
    """The client names the last event that it has seen and gets what it has missed, once."""
    async with follow(task_id) as stream:
        await stream.next()
        last = await stream.next()
        assert last
    (work,) = await worker.claim()
    await tell(services, worker, task_id, 0.5)
    path = f"/api/v1/task/{task_id}/events"
    async with Stream(restarted, path, {**KEY, "Last-Event-ID": last.id}) as stream:
        begun, half = await stream.next(), await stream.next()
        assert begun
        assert half
        assert (begun.name, half.name, half.data["progress"]) == ("processing", "processing", 0.5)
        assert await worker.complete(work)
        (end,) = await stream.rest()
        assert end.name == "completed"
    async with Stream(restarted, path, {**KEY, "Last-Event-ID": half.id}) as stream:
        assert [event.id for event in await stream.rest()] == [end.id]
    async with Stream(restarted, path, {**KEY, "Last-Event-ID": end.id}) as stream:
        assert await stream.rest() == []


@pytest.mark.parametrize("strange", ["", "x", "1-2", "1-2-3-4", "-1-0-0", "9" * 40, "1-2-" + "9" * 10, "²-²-²"])
async def test_an_event_id_that_is_none_of_ours_begins_at_the_beginning(
    worker: HandWorker, follow: Callable[..., Stream], task_id: str, strange: str
) -> None:
    """It is no mistake to have seen nothing."""
    (work,) = await worker.claim()
    assert await worker.complete(work)
    async with follow(task_id, **{"Last-Event-ID": strange}) as stream:
        assert named(await stream.rest()) == ["accepted", "processing", "completed"]


async def test_a_client_that_hangs_up_is_no_longer_served(
    services: Services, follow: Callable[..., Stream], task_id: str
) -> None:
    """Leaving is all it takes; nothing goes on in its name."""
    async with follow(task_id) as stream:
        await stream.next()
        await listening(services, task_id)
    gc.collect()  # the last cancellation and its frames hold each other
    assert not services.tasks.watch._waiting


async def test_a_server_that_ends_lets_its_listeners_go(
    services: Services, follow: Callable[..., Stream], task_id: str
) -> None:
    """Their streams end, and they come back to the next server by themselves."""
    async with follow(task_id) as stream:
        await stream.next()
        services.tasks.claims.stop_waiting()
        await stream.rest()


async def test_only_the_owner_can_follow_or_wait(
    client: httpx.AsyncClient, services: Services, follow: Callable[..., Stream], task_id: str
) -> None:
    """To others the task does not exist, and they are told at once."""
    person = await open_account(services, "stranger", unlimited=True)
    for path in (f"/api/v1/task/{task_id}/events", f"/api/v1/task/{task_id}?wait=30"):
        assert refused(await client.get(path, headers=person.headers), 404) == "task not found"
    for nobody in ("00000000-0000-0000-0000-000000000000", "nonsense"):
        assert refused(await client.get(f"/api/v1/task/{nobody}/events"), 404) == "task not found"
