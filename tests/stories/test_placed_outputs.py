"""Results go from the worker straight into the bucket, and through the API where that cannot be."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.answers import accepted
from support.keys import API_KEY
from support.machine import WORKER_TOKEN, Api, Machine
from support.media import PNG
from support.objects import Objects
from support.sql import rows
from unitask.db import open_database
from unitask.spec import protocol
from unitask.worker.client import ApiClient, Rejected

LARGE = PNG.ljust(12 * 2**20, b"\0")


class Watched(ApiClient):
    """Remembers what it asks of the API."""

    def __init__(self, url: str) -> None:
        super().__init__(url, WORKER_TOKEN)
        self.asked: list[str] = []

    async def _request(self, method: str, url: str, **options: object) -> httpx.Response:
        if "/files/" in url:
            self.asked.append(f"{method} {url.rpartition('/')[2]}")
        return await super()._request(method, url, **options)


@pytest.fixture
def in_bucket(objects: Objects, bucket: str) -> dict[str, str]:
    """Give the settings of a server whose files lie in a bucket."""
    return {name.upper(): value for name, value in objects.settings(bucket).items()}


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """Write a result."""
    path = tmp_path / "result.png"
    path.write_bytes(LARGE)
    return path


@asynccontextmanager
async def at_work(
    machine: Machine, settings: dict[str, str]
) -> AsyncIterator[tuple[Watched, Api, protocol.ClaimedTask]]:
    """Have a server, and a worker of ours that holds a task."""
    program, api = await asyncio.to_thread(machine.serve, **settings)
    await asyncio.to_thread(api.order, "ok")
    worker = Watched(program.address)
    ask = protocol.ClaimRequest(worker_id="hand", engines=["tester"], most=1, wait_s=10)
    await worker.beat(protocol.BeatRequest(worker_id="hand", name="hand", engines=["tester"]))
    (task,) = await worker.claim(ask)
    try:
        yield worker, api, task
    finally:
        await worker.close()


async def completed(worker: Watched, api: Api, task: protocol.ClaimedTask, reference: str) -> bytes:
    """End a task with a file and give what its client reads."""
    output: dict[str, Any] = {"image_url": reference, "said": {}}
    assert await worker.settle(protocol.SettleRequest(task_id=task.task_id, attempt=task.attempt, output=output))
    async with httpx.AsyncClient(headers={"X-API-Key": API_KEY}, follow_redirects=True, trust_env=False) as client:
        shown = accepted(await client.get(api.http.base_url.join(f"/api/v1/task/{task.task_id}")))
        answer = await client.get(shown["output"]["image_url"])
        assert answer.headers["content-type"] == "image/png"
        return answer.content


async def test_a_result_does_not_come_through_the_api(
    machine: Machine, in_bucket: dict[str, str], objects: Objects, bucket: str, content: Path
) -> None:
    """It is put where the API says, with its size and digest; the client reads it as any other."""
    async with at_work(machine, in_bucket) as (worker, api, task):
        reference = await worker.upload(task.task_id, task.attempt, content, "png")
        assert worker.asked == ["POST place", "POST placed"]
        assert await completed(worker, api, task, reference) == LARGE
        assert len(objects.names(bucket)) == 1
        database = await open_database(f"sqlite:///{machine.folder}/data/unitask.db")
        (one,) = await rows(database, "select size_bytes, sha256 from artifacts")
        await database.close()
        assert one == {"size_bytes": len(LARGE), "sha256": hashlib.sha256(LARGE).hexdigest()}


async def test_saying_twice_that_it_lies_there_changes_nothing(
    machine: Machine, in_bucket: dict[str, str], objects: Objects, content: Path
) -> None:
    """The answer may have been lost; another attempt, or another task, cannot have the place."""
    async with at_work(machine, in_bucket) as (worker, api, task):
        reference = await worker.upload(task.task_id, task.attempt, content, "png")
        told = protocol.PlacedRequest(
            reference=reference, size_bytes=len(LARGE), sha256=hashlib.sha256(LARGE).hexdigest()
        )

        async def tell(attempt: int, said: protocol.PlacedRequest) -> None:
            url = f"{protocol.PREFIX}/tasks/{task.task_id}/{attempt}/files/png/placed"
            await worker._request("POST", url, content=said.model_dump_json().encode())

        await tell(task.attempt, told)
        with pytest.raises(Rejected, match="409: this place is taken"):
            await tell(task.attempt + 1, told)
        with pytest.raises(Rejected, match="bytes of image/png were announced"):
            await tell(task.attempt, told.model_copy(update={"size_bytes": 5}))
        for reference in ("unitask-artifact:../secret", "http://elsewhere.test/a.png", ""):
            with pytest.raises(Rejected, match="reference is not a place for a file"):
                await tell(task.attempt, told.model_copy(update={"reference": reference}))
        with pytest.raises(Rejected, match="404"):
            await tell(
                task.attempt,
                told.model_copy(update={"reference": f"unitask-artifact:2026/11/22/{'0' * 32}.png"}),
            )
        assert await completed(worker, api, task, told.reference) == LARGE


async def test_where_the_store_cannot_be_reached_the_api_takes_it(
    machine: Machine, in_bucket: dict[str, str], objects: Objects, bucket: str, *, content: Path
) -> None:
    """A worker without a way to the store works all the same, and does not try again with every file."""
    async with at_work(machine, in_bucket) as (worker, api, task):
        await worker._store.aclose()
        worker._store = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(local_address="203.0.113.1"))
        first = await worker.upload(task.task_id, task.attempt, content, "png")
        assert worker.asked == ["POST place", "PUT png"]
        await worker.upload(task.task_id, task.attempt, content, "png")
        assert worker.asked == ["POST place", "PUT png", "PUT png"]
        assert await completed(worker, api, task, first) == LARGE
        assert len(objects.names(bucket)) == 2


async def test_files_in_a_folder_come_through_the_api(machine: Machine, content: Path) -> None:
    """There is no other way to them."""
    async with at_work(machine, {}) as (worker, api, task):
        reference = await worker.upload(task.task_id, task.attempt, content, "png")
        assert worker.asked == ["POST place", "PUT png"]
        assert await completed(worker, api, task, reference) == LARGE


async def test_the_store_never_sees_the_workers_token(
    machine: Machine, in_bucket: dict[str, str], content: Path
) -> None:
    """It is another server."""
    seen: list[httpx.Request] = []

    async def look(request: httpx.Request) -> None:
        seen.append(request)

    async with at_work(machine, in_bucket) as (worker, _, task):
        worker._store.event_hooks = {"request": [look]}
        await worker.upload(task.task_id, task.attempt, content, "png")
    (request,) = seen
    assert request.method == "PUT"
    assert WORKER_TOKEN not in str(request.headers) + str(request.url)
