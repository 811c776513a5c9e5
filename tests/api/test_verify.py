"""`GET /api/v1/verify`: what the marks of a file say, whoever made it."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from support.accounts import open_account
from support.answers import accepted, refused
from support.loopback import answer, serving
from support.marked import SIGNER, SMALL, marked, small
from support.orders import CAT
from support.worker import HandWorker
from unitask.app import Services
from unitask.provenance.signing import Signer
from unitask.provenance.sources import Source
from unitask.settings import Settings

pytestmark = pytest.mark.reaches_loopback

VERIFY = "/api/v1/verify"


@pytest.fixture
def own(services: Services) -> Signer:
    """Sign as this installation does."""
    signer = services.signing.signer()
    assert signer is not None
    return signer


async def stored(client: httpx.AsyncClient, file: Path) -> str:
    """Upload a file; gives its address."""
    data = base64.b64encode(file.read_bytes()).decode()  # noqa: ASYNC240 - a small file
    answered = await client.post("/api/ephemeral_resource", json={"file_name": file.name, "file_data": data})
    url: str = answered.json()["url"]
    return url


async def test_a_file_that_was_made_here_says_so(client: httpx.AsyncClient, own: Signer, tmp_path: Path) -> None:
    """Both marks, by our own signature, over a file of our store."""
    result = marked(small(tmp_path, "png"), Source.TRAINED, signer=own)
    path = result.path.rename(tmp_path / "made.png")
    found = accepted(await client.get(VERIFY, params={"url": await stored(client, path)}))
    assert found["is_generated"] is True
    assert found["digital_source_type"] == Source.TRAINED
    assert found["marks"] == ["c2pa", "iptc"]
    assert found["content_type"] == "image/png"
    assert found["iptc"] == {"digital_source_type": Source.TRAINED}
    assert (found["c2pa"]["is_ours"], found["c2pa"]["state"], found["c2pa"]["problems"]) == (True, "trusted", [])
    assert found["task_id"] is None


async def test_a_changed_file_says_that_it_was_changed(client: httpx.AsyncClient, own: Signer, tmp_path: Path) -> None:
    """The signature covers every byte."""
    path = marked(small(tmp_path, "png"), Source.TRAINED, signer=own).path.rename(tmp_path / "made.png")
    content = bytearray(path.read_bytes())
    content[-60] ^= 1
    path.write_bytes(content)
    found = accepted(await client.get(VERIFY, params={"url": await stored(client, path)}))
    assert (found["c2pa"]["is_ours"], found["c2pa"]["state"]) == (False, "invalid")
    assert "assertion.dataHash.mismatch" in found["c2pa"]["problems"]


async def test_a_file_without_marks_may_come_from_anywhere(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """Nothing is said, not even that no machine made it."""
    found = accepted(await client.get(VERIFY, params={"url": await stored(client, small(tmp_path, "wav").path)}))
    assert (found["is_generated"], found["digital_source_type"], found["marks"]) == (None, None, [])


async def test_the_task_is_told_to_its_owner_alone(
    client: httpx.AsyncClient, services: Services, own: Signer, tmp_path: Path
) -> None:
    """Whoever else has the address learns what the file says of itself."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    worker = HandWorker(services)
    (work,) = await worker.claim()
    file = small(tmp_path, "png")
    content = marked(file, Source.TRAINED, signer=own).path.read_bytes()

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    kept = await services.artifacts.store(chunks(), extension="png", limit_bytes=2**20)
    await services.tasks.add_output(kept, task_id=work.task_id, attempt=work.attempt)
    assert await worker.complete(work, {"image_url": kept.reference, "image_urls": None, "image_base64": ""})
    url = accepted(await client.get(f"/api/v1/task/{task_id}"))["output"]["image_url"]
    assert accepted(await client.get(VERIFY, params={"url": url}))["task_id"] == task_id
    stranger = await open_account(services, "the stranger", points=0)
    found = accepted(await client.get(VERIFY, params={"url": url}, headers=stranger.headers))
    assert found["task_id"] is None
    assert found["c2pa"]["is_ours"]
    assert task_id not in str(found)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Let the guard reach servers on this machine."""
    return settings.model_copy(update={"allow_private_networks": True})


async def test_a_file_elsewhere_is_read_through_the_guard(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """Signed by another installation: valid, and not ours."""
    content = marked(small(tmp_path, "jpg"), Source.WITH_TRAINED, signer=SIGNER).path.read_bytes()
    with serving(answer(content)) as server:
        found = accepted(await client.get(VERIFY, params={"url": server.url("/a.jpg")}))
    assert (found["c2pa"]["is_ours"], found["c2pa"]["state"]) == (False, "valid")
    assert found["digital_source_type"] == Source.WITH_TRAINED


async def test_what_is_no_file_is_refused_with_a_sentence(client: httpx.AsyncClient, services: Services) -> None:
    """No address, a forbidden one, one of nothing, and one of something else than media."""
    gone = f"{services.artifacts.files_url}2027/01/15/0123456789abcdef0123456789abcdef.png"
    with serving(answer(b"<html>"), answer(SMALL["png"]()[:40])) as server:
        for url, status, why in (
            ("", 400, "url must be the address of a file"),
            ("file:///etc/passwd", 400, "must begin with http"),
            ("http://169.254.169.254/latest", 400, "not allowed"),
            (gone, 404, "no such file"),
            (server.url("/page"), 400, "must lead to a picture"),
        ):
            assert why in refused(await client.get(VERIFY, params={"url": url}), status)
        broken = accepted(await client.get(VERIFY, params={"url": server.url("/cut.png")}))
    assert broken["damaged"]
    assert broken["marks"] == []


async def test_whoever_has_no_key_verifies_nothing(client: httpx.AsyncClient) -> None:
    """It costs time and bandwidth of this server."""
    client.headers.pop("X-API-Key")
    refused(await client.get(VERIFY, params={"url": "https://example.com/a.png"}), 401)
