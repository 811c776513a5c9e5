"""Previews: who asks for them sees what an attempt has so far, until it ends."""

from typing import Any

import httpx
import pytest

from support.accounts import open_account
from support.answers import accepted, refused
from support.clock import ManualClock
from support.keys import API_KEY, WORKER_TOKEN
from support.media import PNG
from support.orders import cat
from support.stream import Stream
from support.traces import files, rows
from support.worker import HandWorker
from unitask.api import Application
from unitask.app import Services
from unitask.spec.protocol import PREVIEW_LIMIT_BYTES
from unitask.tasks.model import Work

WATCHED = cat(config={"preview": True})
TOKEN = {"Authorization": f"Bearer {WORKER_TOKEN}", "X-API-Key": ""}
CLAIM = {"worker_id": "worker-1", "engines": ["preview"], "most": 1, "wait_s": 0}
ENDS = ("completed", "failed", "broken", "given-back", "cancelled", "taken", "overdue")


@pytest.fixture
def worker(services: Services) -> HandWorker:
    """Make a worker that does what the test says."""
    return HandWorker(services)


@pytest.fixture
async def work(client: httpx.AsyncClient, worker: HandWorker) -> Work:
    """Order a task that is watched, and begin it."""
    accepted(await client.post("/api/v1/task", json=WATCHED))
    (work,) = await worker.claim()
    return work


async def show(
    client: httpx.AsyncClient, work: Work, content: bytes = PNG, extension: str = "png", attempt: int | None = None
) -> httpx.Response:
    """Send a preview as a worker does."""
    path = f"/worker/v1/tasks/{work.task_id}/{attempt or work.attempt}/preview/{extension}"
    return await client.put(path, content=content, headers=TOKEN)


async def meta(client: httpx.AsyncClient, work: Work) -> dict[str, Any]:
    """Read what a task says of itself."""
    return accepted(await client.get(f"/api/v1/task/{work.task_id}"))["meta"]


async def shown(client: httpx.AsyncClient, work: Work, content: bytes = PNG) -> str:
    """Send a preview and give its address."""
    assert (await show(client, work, content)).status_code == 200
    url = (await meta(client, work))["preview_url"]
    assert isinstance(url, str)
    return url


async def end(how: str, services: Services, clock: ManualClock, worker: HandWorker, work: Work) -> None:
    """Let the attempt end."""
    if how == "completed":
        assert await worker.complete(work)
    elif how in {"failed", "broken", "given-back"}:
        assert await worker.fail(work, retryable=how == "broken", given_back=how == "given-back")
    elif how == "cancelled":
        caller = await services.accounts.authenticate(API_KEY)
        await services.tasks.cancel(work.task_id, caller)
        assert await worker.fail(work)
    else:
        clock.pass_s(services.settings.task_deadline_s if how == "overdue" else 60)
        assert await services.tasks.reap() == 1


@pytest.mark.parametrize(("config", "wanted"), [({"preview": True}, True), ({"preview": False}, False), ({}, False)])
async def test_a_worker_is_told_whether_somebody_wants_to_see(
    client: httpx.AsyncClient, worker: HandWorker, config: dict[str, Any], *, wanted: bool
) -> None:
    """The wish stands in the task's config as it was sent; without it the config is what it always was."""
    task = accepted(await client.post("/api/v1/task", json=cat(config=config)))
    plain = {"service_mode": "", "webhook_config": {"endpoint": "", "secret": ""}}
    assert task["config"] == {**plain, **config}
    await worker.beat()
    (claimed,) = (await client.post("/worker/v1/claim", json=CLAIM, headers=TOKEN)).json()["tasks"]
    assert claimed["preview"] is wanted


async def test_what_is_no_yes_or_no_is_refused(client: httpx.AsyncClient) -> None:
    """The sentence names the field."""
    answer = await client.post("/api/v1/task", json=cat(config={"preview": "often"}))
    assert "config.preview" in refused(answer, 400)


async def test_the_newest_preview_is_shown_while_the_task_is_made(
    client: httpx.AsyncClient, clock: ManualClock, work: Work
) -> None:
    """Anyone who knows the address can read it; the one before stays for who was told of it, and no longer."""
    assert (await meta(client, work))["preview_url"] is None
    urls = []
    for number in range(3):
        clock.pass_s(2)
        urls.append(await shown(client, work, PNG + bytes([number])))
    assert len(set(urls)) == 3
    refused(await client.get(urls[0]), 404)
    for number in (1, 2):
        answer = await client.get(urls[number], headers={"X-API-Key": ""})
        assert (answer.headers["content-type"], answer.content) == ("image/png", PNG + bytes([number]))


@pytest.mark.parametrize("how", ENDS)
async def test_when_an_attempt_ends_its_previews_are_gone(  # noqa: PLR0917 - a world and who acts in it
    client: httpx.AsyncClient, services: Services, clock: ManualClock, worker: HandWorker, work: Work, how: str
) -> None:
    """At once for everyone, and with the next sweep from the store, row and file; however the attempt ended."""
    urls = [await shown(client, work), await shown(client, work)]
    assert len(files(services)) == 2
    await end(how, services, clock, worker, work)
    assert (await meta(client, work))["preview_url"] is None
    for url in urls:
        refused(await client.get(url), 404)
    assert await services.artifacts.sweep() == 2
    assert files(services) == await rows(services, "artifacts") == []


async def test_the_next_attempt_shows_its_own(client: httpx.AsyncClient, worker: HandWorker, work: Work) -> None:
    """Nothing of the first is seen any more; what comes late from it is refused."""
    old = await shown(client, work)
    assert await worker.fail(work, retryable=True)
    (again,) = await worker.claim()
    assert (await meta(client, again))["preview_url"] is None
    new = await shown(client, again)
    assert new != old
    refused(await show(client, work), 409)
    assert (await meta(client, again))["preview_url"] == new


async def test_a_preview_is_no_output(
    client: httpx.AsyncClient, services: Services, worker: HandWorker, work: Work
) -> None:
    """It is not listed, cannot be pinned by its id, is not published by the end, and dates nothing."""
    await shown(client, work)
    assert accepted(await client.get("/api/v1/artifacts"))["artifacts"] == []
    (row,) = await rows(services, "artifacts")
    refused(await client.get(f"/api/v1/artifacts/{row['id']}"), 404)
    refused(await client.post(f"/api/v1/artifacts/{row['id']}/pin"), 404)
    assert await worker.complete(work)
    assert (await meta(client, work))["expires_at"] is None
    assert accepted(await client.get("/api/v1/artifacts"))["artifacts"] == []


async def test_another_account_learns_of_no_preview(client: httpx.AsyncClient, services: Services, work: Work) -> None:
    """The address is told in the task, and the task to its owner alone."""
    url = await shown(client, work)
    stranger = await open_account(services, "stranger", points=10**9)
    for path in (f"/api/v1/task/{work.task_id}", "/api/v1/task", "/api/v1/artifacts"):
        assert url not in (await client.get(path, headers=stranger.headers)).text
    assert url in (await client.get("/api/v1/task")).text


@pytest.mark.parametrize("extension", ["mp4", "gif", "html", "JPG"])
async def test_a_preview_is_a_small_picture(
    client: httpx.AsyncClient, services: Services, work: Work, extension: str
) -> None:
    """Of a kind that every browser shows, and no larger than a megabyte."""
    refused(await show(client, work, extension=extension), 400)
    refused(await show(client, work, bytes(PREVIEW_LIMIT_BYTES + 1)), 413)
    refused(await show(client, work, attempt=2**40), 400)
    assert files(services) == await rows(services, "artifacts") == []


async def test_previews_of_an_attempt_that_does_not_run_come_to_nothing(
    client: httpx.AsyncClient, services: Services, worker: HandWorker, work: Work
) -> None:
    """Refused, and nothing is left in the store."""
    refused(await show(client, work, attempt=7), 409)
    assert await worker.complete(work)
    refused(await show(client, work), 409)
    assert files(services) == await rows(services, "artifacts") == []


async def test_who_follows_a_task_is_told_of_its_previews(
    client: httpx.AsyncClient, services: Services, worker: HandWorker, work: Work
) -> None:
    """An event of progress names the newest; the last event has none."""
    url = await shown(client, work)
    async with Stream(Application(services), f"/api/v1/task/{work.task_id}/events", {"X-API-Key": API_KEY}) as stream:
        events = [await stream.next(), await stream.next()]
        await worker.beat(work, 0.5)
        events.append(await stream.next())
        assert await worker.complete(work)
        events.append(await stream.next())
    told = [(event.name, event.data.get("preview_url")) for event in events if event]
    assert told == [("accepted", None), ("processing", url), ("processing", url), ("completed", None)]
