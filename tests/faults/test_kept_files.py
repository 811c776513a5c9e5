"""What happens to files when the disk is full, when a process dies, and when they end under a reader."""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.answers import accepted, refused
from support.clock import ManualClock
from support.installation import LIMIT_S, Installation, Program, order, read
from support.keys import API_KEY, WORKER_TOKEN
from support.media import PNG, data_uri
from support.sql import rows
from support.wait import seen
from unitask.app import Services
from unitask.artifacts import sweep
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import Unavailable
from unitask.spec import protocol
from unitask.worker.client import ApiClient

ROOM_BYTES = 8 * 2**20
LARGE = PNG.ljust(ROOM_BYTES + 2**20, b"\0")
FULL = "the file cannot be stored: File too large"
KEY = {"X-API-Key": API_KEY}
HAND = "a-worker-made-of-plain-calls"
STEADY_S = sweep.STEADY_US // SECOND_US
ORPHAN_S = sweep.ORPHAN_US // SECOND_US
GRACE_S = sweep.GRACE_US // SECOND_US


@contextmanager
def little_room(program: Program) -> Iterator[None]:
    """Let no file of a process grow beyond a size: it meets the limit in the middle of a save, as on a full disk."""
    before = resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (ROOM_BYTES, -1))
    yield
    resource.prlimit(program.pid, resource.RLIMIT_FSIZE, before)


def stored(installation: Installation) -> list[Path]:
    """List all files of the store, finished or not."""
    return sorted(path for path in (installation.folder / "data/files").rglob("*") if path.is_file())


@asynccontextmanager
async def later(installation: Installation, seconds: float) -> AsyncIterator[Services]:
    """Open the services beside the server at a later time, by a clock that has gone evenly for long."""
    clock = ManualClock()
    clock.time_us = Clock().now_us()
    services = await installation.open_services(clock)
    clock.pass_s(seconds)
    yield services
    await services.close()


async def claimed(api: ApiClient) -> protocol.ClaimedTask:
    """Claim a task."""
    await api.beat(protocol.BeatRequest(worker_id=HAND, name="", engines=["tester"]))
    (task,) = await api.claim(protocol.ClaimRequest(worker_id=HAND, engines=["tester"], most=1, wait_s=1))
    return task


async def test_a_full_disk_in_the_middle_of_an_upload(install: Callable[..., Installation]) -> None:
    """503 with the reason, nothing half is left; when there is room again, the same upload goes on."""
    installation = install()
    server = await installation.serve()
    async with installation.client(KEY) as client:
        body = {"file_name": "a.png", "size_bytes": len(LARGE)}
        upload = accepted(await client.post("/api/v1/uploads", json=body))
        with little_room(server):
            assert refused(await client.put(upload["upload_url"], content=LARGE), 503) == FULL
        assert stored(installation) == []
        accepted(await client.put(upload["upload_url"], content=LARGE))
        accepted(await client.post(f"/api/v1/uploads/{upload['id']}/complete"))
        assert (await client.get(upload["url"])).content == LARGE


async def test_a_full_disk_in_the_middle_of_a_result(install: Callable[..., Installation], tmp_path: Path) -> None:
    """The worker is told to come again; when there is room, the task completes and is charged once."""
    installation = install(UNITASK_LEASE_S="60")
    server = await installation.serve()
    file = tmp_path / "result.png"
    file.write_bytes(LARGE)
    api = ApiClient(installation.url, WORKER_TOKEN)
    async with installation.client(KEY) as client:
        task_id = accepted(await client.post("/api/v1/task", json=order()))["task_id"]
        task = await claimed(api)
        with little_room(server), pytest.raises(Unavailable, match=FULL):
            await api.upload(task_id, task.attempt, file, "png")
        assert stored(installation) == []
        reference = await api.upload(task_id, task.attempt, file, "png")
        output = {"image_url": reference, "said": {}}
        assert await api.settle(protocol.SettleRequest(task_id=task_id, attempt=task.attempt, output=output))
        done = await read(client, task_id)
        assert (done["status"], len((await client.get(done["output"]["image_url"])).content)) == (
            "completed",
            len(LARGE),
        )
    await api.close()


async def test_a_client_that_reads_comes_to_the_end(install: Callable[..., Installation]) -> None:
    """The file expires, is removed and is gone for all others, while one client is in the middle of it."""
    installation = install()
    await installation.serve()
    async with installation.client(KEY) as client:
        body = {"file_name": "a.png", "size_bytes": len(LARGE)}
        upload = accepted(await client.post("/api/v1/uploads", json=body))
        accepted(await client.put(upload["upload_url"], content=LARGE))
        accepted(await client.post(f"/api/v1/uploads/{upload['id']}/complete"))
        async with client.stream("GET", upload["url"]) as answer:
            chunks = answer.aiter_raw(2**16)
            got = await anext(chunks)
            async with later(installation, 24 * 3600 + GRACE_S) as services:
                assert await services.artifacts.sweep() == 1
            assert stored(installation) == []
            refused(await client.get(upload["url"]), 404)
            async for chunk in chunks:
                got += chunk
        assert got == LARGE


async def orphan_of_an_upload(installation: Installation, client: httpx.AsyncClient, file: Path) -> None:
    """Let the server die between the file of a result and its row."""
    server = await installation.serve(fault="upload.before_publish")
    accepted(await client.post("/api/v1/task", json=order()))
    api = ApiClient(installation.url, WORKER_TOKEN)
    task = await claimed(api)
    with pytest.raises(Unavailable):
        await api.upload(task.task_id, task.attempt, file, "png")
    await api.close()
    await server.dies()


async def orphan_of_an_order(installation: Installation, client: httpx.AsyncClient, _: Path) -> None:
    """Let the server die between the picture inside an order and the order."""
    server = await installation.serve(fault="create.before_commit")
    with pytest.raises(httpx.TransportError):
        await client.post("/api/v1/task", json=order(image=data_uri(PNG)))
    await server.dies()


@pytest.mark.parametrize("die", [orphan_of_an_upload, orphan_of_an_order])
async def test_a_file_that_was_never_written_down_is_found(
    install: Callable[..., Installation], tmp_path: Path, die: Callable[..., Any]
) -> None:
    """The process was killed between file and row: two days later the sweep removes the file, and no other."""
    installation = install(UNITASK_LEASE_S="60")
    file = tmp_path / "picture.png"
    file.write_bytes(PNG)
    async with installation.client(KEY) as client:
        await die(installation, client, file)
        (orphan,) = stored(installation)
        await installation.serve()
        accepted(await client.post("/api/v1/task", json=order(image=data_uri(PNG))))
        (known,) = {*stored(installation)} - {orphan}
        async with later(installation, ORPHAN_S - 3600) as services:
            assert await services.artifacts.sweep_orphans() == 0
        async with later(installation, ORPHAN_S + 60) as services:
            assert await services.artifacts.sweep_orphans() == 1
        assert stored(installation) == [known]


async def test_a_kill_in_the_middle_of_a_save_leaves_half_a_file_that_is_found(
    install: Callable[..., Installation],
) -> None:
    """Half a file is never shown, and goes."""
    installation = install()
    server = await installation.serve()
    async with installation.client(KEY) as client:
        body = {"file_name": "a.png", "size_bytes": len(LARGE)}
        upload = accepted(await client.post("/api/v1/uploads", json=body))
        go_on = asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield LARGE[:ROOM_BYTES]
            await go_on.wait()

        sending = asyncio.create_task(client.put(upload["upload_url"], content=slowly()))
        await seen(lambda: stored(installation), within_s=LIMIT_S, what="half a file")
        server.kill()
        go_on.set()
        assert isinstance((await asyncio.gather(sending, return_exceptions=True))[0], httpx.TransportError)
        (half,) = stored(installation)
        assert half.suffix == ".partial"
        await installation.serve()
        assert "not come yet" in refused(await client.post(f"/api/v1/uploads/{upload['id']}/complete"), 409)
        async with later(installation, ORPHAN_S + 60) as services:
            assert await services.artifacts.sweep_orphans() == 1
            assert await rows(services.database, "select * from artifacts where kind <> 'upload'") == []
        assert stored(installation) == []
