"""The installation's files in a bucket of a running object store, from the order to the end of the files."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from support.answers import accepted, refused
from support.clock import ManualClock
from support.keys import API_KEY, WORKER_TOKEN
from support.machine import Machine
from support.media import PNG, data_uri
from support.objects import ACCESS_KEY_ID, SECRET, Objects, object_store
from support.orders import CAT, cutout
from support.server import throw_away_server
from support.sql import rows
from support.wait import until
from support.worker import HandWorker
from unitask.app import Services
from unitask.artifacts.sweep import GRACE_US, STEADY_US
from unitask.kit.clock import SECOND_US
from unitask.kit.errors import Unavailable
from unitask.settings import Settings

DAY_S = 24 * 3600
GRACE_S = GRACE_US // SECOND_US
LARGE = PNG.ljust(20 * 2**20, b"\0")
DOOR = {"Authorization": f"Bearer {WORKER_TOKEN}"}


@pytest.fixture
def settings(settings: Settings, objects: Objects, bucket: str) -> Settings:
    """Put the files of the services into a bucket."""
    changes = objects.settings(bucket)
    return settings.model_copy(update={**changes, "s3_secret_access_key": SecretStr(SECRET)})


@pytest.fixture
def worker(services: Services) -> HandWorker:
    """Give a worker."""
    return HandWorker(services)


async def made(client: httpx.AsyncClient, worker: HandWorker, content: bytes) -> dict[str, Any]:
    """Order a picture, and let a worker send this one; gives the completed task."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    (work,) = await worker.claim()
    door = f"/worker/v1/tasks/{task_id}/{work.attempt}/files/png"
    sent = await client.put(door, content=content, headers={**client.headers, **DOOR})
    assert sent.is_success, sent.text
    assert await worker.complete(work, {"image_url": sent.json()["reference"]})
    return accepted(await client.get(f"/api/v1/task/{task_id}"))


def signed(answer: httpx.Response, bucket: str, objects: Objects) -> httpx.URL:
    """Check that an answer sends the client on to the bucket; gives the address."""
    assert answer.status_code == 307
    assert answer.headers["cache-control"] == "no-store", "the address is good for minutes only"
    address = httpx.URL(answer.headers["location"])
    assert str(address).startswith(f"{objects.address}/{bucket}/")
    assert SECRET not in str(address)
    return address


@pytest.mark.parametrize("content", [PNG, LARGE], ids=["small", "in parts"])
async def test_an_output_lives_and_ends_in_the_bucket(
    services: Services,
    client: httpx.AsyncClient,
    worker: HandWorker,
    clock: ManualClock,
    objects: Objects,
    *,
    bucket: str,
    content: bytes,
) -> None:
    """Ordered, saved, read by an address that is signed for minutes, expired, and gone from the bucket."""
    task = await made(client, worker, content)
    url = task["output"]["image_url"]
    (name,) = objects.names(bucket)
    assert url == f"http://unitask.test/files/{name}"
    address = signed(await client.get(url), bucket, objects)
    assert address.params["X-Amz-Expires"] == "300"
    plain = objects.http.get(address)
    assert (plain.content, plain.headers["content-type"]) == (content, "image/png")
    part = objects.http.get(address, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")
    head = objects.http.head(signed(await client.head(url), bucket, objects))
    assert (head.headers["content-type"], head.headers["content-length"]) == ("image/png", str(len(content)))

    clock.pass_s(3 * DAY_S - 100)
    assert signed(await client.get(url), bucket, objects).params["X-Amz-Expires"] == "100"
    clock.pass_s(100)
    assert refused(await client.get(url), 404) == "no such file; it may have expired"
    assert await services.artifacts.sweep() == 0
    assert objects.http.get(address).is_success, "whoever reads may come to the end"
    clock.pass_s(GRACE_S)
    assert await services.artifacts.sweep() == 1
    assert objects.names(bucket) == []
    assert objects.http.get(address).status_code == 404
    assert await rows(services.database, "select * from artifacts") == []


async def test_a_download_comes_through_us(client: httpx.AsyncClient, worker: HandWorker) -> None:
    """With `?download=1`, whole and with all its headers; and who has the file already is told so."""
    url = (await made(client, worker, LARGE))["output"]["image_url"]
    answer = await client.get(url, params={"download": "1"})
    assert (answer.status_code, answer.content) == (200, LARGE)
    wanted = {
        "content-type": "image/png",
        "content-length": str(len(LARGE)),
        "x-content-type-options": "nosniff",
        "content-disposition": f'attachment; filename="{url.rpartition("/")[2]}"',
    }
    assert wanted.items() <= dict(answer.headers).items()
    head = await client.head(url, params={"download": "1"})
    assert (head.content, head.headers["content-length"]) == (b"", str(len(LARGE)))
    assert (await client.get(url, headers={"If-None-Match": answer.headers["etag"]})).status_code == 304


async def upload(client: httpx.AsyncClient, size_bytes: int) -> dict[str, Any]:
    """Announce a picture."""
    return accepted(await client.post("/api/v1/uploads", json={"file_name": "a.png", "size_bytes": size_bytes}))


async def test_a_large_file_goes_straight_into_the_bucket(
    services: Services, client: httpx.AsyncClient, clock: ManualClock, objects: Objects, bucket: str
) -> None:
    """By an address that the bucket knows; completed, it is an input, and its address changes nothing any more."""
    asked = await upload(client, len(LARGE))
    assert asked["upload_url"].startswith(f"{objects.address}/{bucket}/incoming/")
    assert httpx.URL(asked["upload_url"]).params["X-Amz-Expires"] == "3600"
    sent = objects.http.put(asked["upload_url"], content=LARGE, headers=asked["headers"])
    assert sent.is_success
    one = accepted(await client.post(f"/api/v1/uploads/{asked['id']}/complete"))
    assert (one["url"], one["size_bytes"], one["kind"]) == (asked["url"], len(LARGE), "input")
    accepted(await client.post("/api/v1/task", json=cutout(one["url"])))

    assert objects.http.put(asked["upload_url"], content=b"<script>", headers=asked["headers"]).is_success
    assert accepted(await client.post(f"/api/v1/uploads/{asked['id']}/complete")) == one
    assert objects.http.get(signed(await client.get(one["url"]), bucket, objects)).content == LARGE
    clock.pass_s(STEADY_US // SECOND_US)
    assert await services.artifacts.sweep_orphans() == 1, "what came afterwards is found and removed"
    assert objects.names(bucket) == [one["url"].removeprefix("http://unitask.test/files/")]


@pytest.mark.parametrize(
    ("content", "content_type", "sentence"),
    [
        (PNG + b"\0", "image/png", f"{len(PNG)} bytes were announced and {len(PNG) + 1} came"),
        (b"", "image/png", f"{len(PNG)} bytes were announced and 0 came"),
        (b"<html>".ljust(len(PNG)), "image/png", "image/png was announced, but the data is of no known format"),
        (PNG, "text/html", "send the file with the header Content-Type: image/png"),
    ],
    ids=["larger", "empty", "no picture", "as a page"],
)
async def test_what_the_bucket_took_is_looked_at(
    client: httpx.AsyncClient, objects: Objects, bucket: str, content: bytes, *, content_type: str, sentence: str
) -> None:
    """The bucket takes anything; what is not as announced is refused and removed."""
    asked = await upload(client, len(PNG))
    assert objects.http.put(asked["upload_url"], content=content, headers={"Content-Type": content_type}).is_success
    assert sentence in refused(await client.post(f"/api/v1/uploads/{asked['id']}/complete"), 400)
    assert objects.names(bucket) == []


async def test_an_upload_that_is_not_completed_goes(
    services: Services, client: httpx.AsyncClient, clock: ManualClock, objects: Objects, bucket: str
) -> None:
    """An hour and ten minutes after it was announced."""
    asked = await upload(client, len(PNG))
    assert objects.http.put(asked["upload_url"], content=PNG, headers=asked["headers"]).is_success
    clock.pass_s(3600 + GRACE_S)
    assert await services.artifacts.sweep() == 1
    assert objects.names(bucket) == []


async def test_files_that_no_row_knows_are_found(
    services: Services, clock: ManualClock, client: httpx.AsyncClient, objects: Objects, bucket: str
) -> None:
    """A page at a time; what was not made by us stays, and so does what a row knows."""
    accepted(await client.post("/api/v1/task", json=cutout(data_uri(PNG))))
    (known,) = objects.names(bucket)
    objects.put(bucket, "2020/01/15/0123456789abcdef0123456789abcdef.png", PNG)
    objects.put(bucket, "incoming/2020/01/15/0123456789abcdef0123456789abcdef.png", PNG)
    objects.put(bucket, "the-operators-notes.txt", b"mine")
    clock.pass_s(STEADY_US // SECOND_US)
    assert await services.artifacts.sweep_orphans() == 2
    assert objects.names(bucket) == [known, "the-operators-notes.txt"]
    assert await services.artifacts.sweep_orphans() == 0


async def test_while_the_store_is_away_nothing_is_lost(
    settings: Settings, clock: ManualClock, tmp_path: Path, bucket: str
) -> None:
    """Orders that need it are refused; removals wait and hold up nothing; when it is back, all goes on."""
    with object_store(tmp_path) as mortal:
        mortal.make(bucket)
        services = await Services.open(settings.model_copy(update={"s3_endpoint": mortal.address}), clock)
        first, second = [await services.artifacts.keep_upload(PNG, extension="png", account_id=1) for _ in range(2)]
        await services.artifacts.delete(first.id, 1)
        mortal.process.kill()
        mortal.process.wait()
        with pytest.raises(Unavailable, match="the file cannot be stored"):
            await services.artifacts.keep_upload(PNG, extension="png", account_id=1)
        assert await services.artifacts.sweep() == 0
        await services.artifacts.delete(second.id, 1)
        assert await services.artifacts.sweep() == 0
        tries = await rows(services.database, "select remove_tries from artifacts order by remove_tries")
        assert tries == [{"remove_tries": 0}, {"remove_tries": 1}], "the store is not asked again at once"
    with object_store(tmp_path) as mortal:
        mortal.make(bucket)
        again = await Services.open(settings.model_copy(update={"s3_endpoint": mortal.address}), clock)
        clock.pass_s(3600)
        assert await again.artifacts.sweep() == 2
        await again.close()
    await services.close()


def test_a_server_keeps_its_files_in_the_bucket(tmp_path: Path, objects: Objects, bucket: str) -> None:
    """Real processes: a picture is drawn, read from the bucket, and is the input of the next task."""
    settings = {f"UNITASK_{name.upper()}": value for name, value in objects.settings(bucket).items()}
    with (
        throw_away_server(tmp_path, UNITASK_ENGINES="preview,cpu", **settings) as server,
        httpx.Client(
            base_url=server.address, headers={"X-API-Key": server.api_key}, trust_env=False, follow_redirects=True
        ) as client,
    ):

        def finished(order: dict[str, Any]) -> dict[str, Any]:
            task_id = accepted(client.post("/api/v1/task", json=order))["task_id"]
            path = f"/api/v1/task/{task_id}"
            until(lambda: accepted(client.get(path))["status"] in {"completed", "failed"}, within_s=60, what=task_id)
            task = accepted(client.get(path))
            assert task["status"] == "completed", task["error"]
            return task

        drawn = finished({**CAT, "input": {"prompt": "a cat", "width": 256, "height": 256}})["output"]["image_url"]
        assert drawn.startswith(f"{server.address}/files/")
        picture = client.get(drawn)
        assert (picture.content[:4], picture.headers["content-type"]) == (b"\x89PNG", "image/png")
        assert str(picture.url).startswith(objects.address)
        cut = finished(cutout(drawn))["output"]["image_url"]
        assert client.get(cut).content[:4] == b"\x89PNG"
        assert sorted(drawn.split("/files/")[1:] + cut.split("/files/")[1:]) == objects.names(bucket)
    assert not (tmp_path / "data" / "files").exists(), "nothing lies on the disk"
    log = (tmp_path / "server.log").read_text()
    assert SECRET not in log
    assert "X-Amz" not in log


def test_the_doctor_tries_the_bucket(machine: Machine, objects: Objects, bucket: str) -> None:
    """It writes, reads and deletes a file; what keeps it from that is a trouble, and no secret is shown."""
    settings = {name.upper(): value for name, value in objects.settings(bucket).items()}
    assert machine.run("migrate", **settings).returncode == 0
    well = machine.run("doctor", ENGINES="tester", **settings)
    assert "the store of files" not in well.stdout
    assert objects.names(bucket) == []
    wrong = machine.run("doctor", ENGINES="tester", **{**settings, "STORE": f"s3://{bucket}-mistyped"})
    assert wrong.returncode == 1
    assert "the store of files does not work: the file cannot be stored: the object store refuses: NoSuchBucket" in (
        wrong.stdout
    )
    assert SECRET not in well.stdout + well.stderr + wrong.stdout + wrong.stderr
    assert ACCESS_KEY_ID in well.stdout
    assert API_KEY not in well.stdout
