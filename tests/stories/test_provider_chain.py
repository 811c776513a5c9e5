"""One Unitask hands its tasks to another: real processes on both sides, and either may be killed at any time."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.chain import FAR_POINTS, Chain, chained, opened
from support.installation import LIMIT_S, read
from support.marked import decoded
from support.media import PNG, data_uri
from support.sql import rows
from support.tester import PRICE_POINTS
from support.wait import answered
from unitask.kit.media import sniff

CUTOUT, CUTOUT_POINTS = "Qubico/image-toolkit/background-remove", 10_000
PICTURE, PICTURE_POINTS = "Qubico/flux1-schnell/txt2img", 15_000
SEGMENT = "Qubico/image-toolkit/segment"
FILM, FILM_POINTS = "Qubico/wanx/txt2video-1.3b", 1_200_000


@pytest.fixture
async def chain(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Chain]:
    """Run two installations, one behind the other."""
    async with chained(tmp_path, sqlite_template) as running:
        yield running


async def made_beyond(chain: Chain, task_id: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check that a task was made once at the far one and lies at the near one too; gives it as both have it."""
    task, jobs = await chain.ended(task_id)
    assert task["status"] == "completed", task["error"]
    (job,) = [one for one in jobs if (one["model"], one["task_type"]) == (task["model"], task["task_type"])]
    meta = task["meta"]
    assert (meta["engine"], meta["engine_level"]) == ("hub", job["meta"]["engine_level"])
    assert meta["cost_points"] == job["meta"]["usage"]["consume"] == FAR_POINTS
    here, there = task["output"][name], job["output"][name]
    assert here.startswith(f"{chain.near.url}/files/")
    assert there.startswith(f"{chain.far.url}/files/")
    taken = await chain.client.get(here)
    assert taken.is_success
    extension = here.rpartition(".")[2]
    beyond = await chain.beyond.get(there)
    same = taken.content == beyond.content
    assert same or decoded(taken.content, extension) == decoded(beyond.content, extension)
    found = sniff(taken.content)
    assert found is not None
    assert name.startswith(found.kind)
    return task, job


async def once(chain: Chain, task_id: str) -> dict[str, Any]:
    """Check that a held task ended well, made by one job there, and was charged once on both sides; gives the job."""
    task, job = await made_beyond(chain, task_id, "image_url")
    assert len(await chain.made()) == 1
    assert task["meta"]["usage"] == {"type": "point", "frozen": 0, "consume": PRICE_POINTS}
    for installation, points in ((chain.near, PRICE_POINTS), (chain.far, FAR_POINTS)):
        async with opened(installation) as database:
            assert await rows(database, "select kind, points from ledger where kind in ('capture', 'release')") == [
                {"kind": "capture", "points": points}
            ]
    return job


async def test_pictures_films_and_files_of_ours_are_made_by_the_other(chain: Chain) -> None:
    """Its level and its price are on the task; a file that lies here is brought there before the order."""
    sent = await chain.client.post("/api/v1/uploads", json={"file_name": "a.png", "size_bytes": len(PNG)})
    upload = sent.json()["data"]
    assert (await chain.client.put(upload["upload_url"], content=PNG)).is_success
    assert (await chain.client.post(f"/api/v1/uploads/{upload['id']}/complete")).is_success
    film = await chain.order(FILM, prompt="a lighthouse on a cliff")
    picture = await chain.order(PICTURE, prompt="a little cat", width=256, height=256)
    cutout = await chain.order(CUTOUT, image=upload["url"])
    task, job = await made_beyond(chain, picture, "image_url")
    assert (task["meta"]["engine_level"], task["meta"]["usage"]["consume"]) == ("preview", PICTURE_POINTS)
    assert task["meta"]["warnings"] == job["meta"]["warnings"]
    task, job = await made_beyond(chain, cutout, "image_url")
    assert (task["meta"]["engine_level"], task["meta"]["usage"]["consume"]) == ("basic", CUTOUT_POINTS)
    assert (await chain.beyond.get(job["input"]["image"])).content == PNG
    task, _ = await made_beyond(chain, film, "video_url")
    assert task["meta"]["usage"]["consume"] == FILM_POINTS


async def test_an_input_that_the_other_cannot_use_is_the_client_s_to_change(chain: Chain) -> None:
    """Its failure says so, in whatever words, so that no other engine is asked."""
    task, (job,) = await chain.ended(await chain.order(SEGMENT, image=data_uri(PNG), prompt="person"))
    assert (task["status"], task["error"]["detail"]) == ("failed", {"cause": "input"})
    assert task["error"]["message"] == job["error"]["message"]


async def test_a_worker_that_dies_leaves_its_job_to_the_next(chain: Chain) -> None:
    """The one that takes the task over finds the same job at the other server."""
    task_id = await chain.held()
    chain.worker.kill()
    chain.near.work()

    async def taken_over() -> bool:
        async with opened(chain.near) as database:
            return await rows(database, "select attempt, state from queue") == [{"attempt": 2, "state": "processing"}]

    await answered(taken_over, within_s=LIMIT_S, what="another attempt")
    chain.tell()
    await once(chain, task_id)
    assert (await read(chain.client, task_id))["logs"] == ["attempt 1: the worker stopped answering"]


async def test_the_whole_near_side_dies_and_comes_back(chain: Chain) -> None:
    """Server and worker; the job there ends meanwhile, and is not ordered a second time."""
    task_id = await chain.held()
    chain.near.end()
    chain.tell()

    async def over() -> bool:
        return [job["status"] for job in await chain.made()] == ["completed"]

    await answered(over, within_s=LIMIT_S, what="the end of the job")
    await chain.near.serve()
    chain.near.work()
    await once(chain, task_id)


async def test_the_far_side_dies_and_comes_back(chain: Chain) -> None:
    """The near one waits for it; the task goes on there as its own tasks do."""
    task_id = await chain.held()
    chain.far.end()
    await chain.far.serve(with_worker=True)
    chain.tell()
    job = await once(chain, task_id)
    assert job["logs"] == ["attempt 1: the worker stopped answering"]
    assert (await read(chain.client, task_id))["logs"] == []


async def test_an_order_taken_back_here_is_taken_back_there(chain: Chain) -> None:
    """While it runs; nobody is charged."""
    task_id = await chain.held()
    assert (await chain.client.delete(f"/api/v1/task/{task_id}")).is_success
    task, _ = await chain.ended(task_id)
    assert (task["status"], task["error"]["message"]) == ("failed", "the task was cancelled")

    async def cancelled() -> bool:
        (job,) = await chain.made()
        return (job["status"], job["error"]["message"]) == ("failed", "the task was cancelled")

    await answered(cancelled, within_s=LIMIT_S, what="the end of the job")
    for installation in (chain.near, chain.far):
        async with opened(installation) as database:
            assert await rows(database, "select charged_points from tasks") == [{"charged_points": 0}]
