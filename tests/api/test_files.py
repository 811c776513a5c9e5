"""Stored files as anyone reads them who knows their address."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from support.answers import accepted, lasting, refused
from support.clock import ManualClock
from support.media import PNG, base64_of
from support.orders import cutout
from support.traces import files, rows
from unitask.app import Services
from unitask.artifacts import repository
from unitask.artifacts.model import StoredFile

SIZE = len(PNG)
DAY_S = 24 * 3600
GONE = "no such file; it may have expired"
NEVER_STORED = "http://unitask.test/files/2027/01/15/0123456789abcdef0123456789abcdef.png"


@pytest.fixture
async def url(client: httpx.AsyncClient) -> str:
    """Store a picture by sending it inside an order; then go on without a key."""
    address: str = accepted(await client.post("/api/v1/task", json=cutout(base64_of(PNG))))["input"]["image"]
    client.headers.pop("X-API-Key")
    return address


async def test_a_file_is_read_without_a_key(client: httpx.AsyncClient, url: str) -> None:
    """Whole, with its type and size, and with headers that keep a browser from running what is in it."""
    answer = await client.get(url)
    assert (answer.status_code, answer.content) == (200, PNG)
    wanted = {
        "content-type": "image/png",
        "content-length": str(SIZE),
        "accept-ranges": "bytes",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "access-control-allow-origin": "*",
    }
    assert wanted.items() <= dict(answer.headers).items()
    assert "public" not in answer.headers["cache-control"]


async def test_head_tells_all_but_the_content(client: httpx.AsyncClient, url: str) -> None:
    """The same status and headers, no body."""
    answer = await client.head(url)
    assert (answer.status_code, answer.content) == (200, b"")
    assert lasting(answer) == lasting(await client.get(url))


async def test_a_client_that_has_the_file_is_not_sent_it_again(client: httpx.AsyncClient, url: str) -> None:
    """304 for its tag, alone or in a list; the whole file for another."""
    tag = (await client.get(url)).headers["etag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}"):
        answer = await client.get(url, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    answer = await client.get(url, headers={"If-None-Match": '"other"'})
    assert (answer.status_code, answer.content) == (200, PNG)


RANGES = {
    "0-0": (0, 0),
    "0-9": (0, 9),
    "10-19": (10, 19),
    f"{SIZE - 1}-": (SIZE - 1, SIZE - 1),
    "5-": (5, SIZE - 1),
    "-7": (SIZE - 7, SIZE - 1),
    "0-99999": (0, SIZE - 1),
}


async def test_a_part_of_a_file(client: httpx.AsyncClient, url: str, subtests: pytest.Subtests) -> None:
    """206 with exactly the bytes that were asked for: players seek that way."""
    for asked, (first, last) in RANGES.items():
        with subtests.test(asked):
            answer = await client.get(url, headers={"Range": f"bytes={asked}"})
            assert (answer.status_code, answer.content) == (206, PNG[first : last + 1])
            assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
            assert answer.headers["content-type"] == "image/png"
            assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_part_of_a_file_that_has_changed_is_the_whole(client: httpx.AsyncClient, url: str) -> None:
    """If-Range keeps a client from putting parts of two files together."""
    tag = (await client.get(url)).headers["etag"]
    same = await client.get(url, headers={"Range": "bytes=0-3", "If-Range": tag})
    assert (same.status_code, same.content) == (206, PNG[:4])
    other = await client.get(url, headers={"Range": "bytes=0-3", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, PNG)


async def test_a_part_that_is_not_there(client: httpx.AsyncClient, url: str) -> None:
    """416, with how long the file is."""
    for asked in (f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}"):
        answer = await client.get(url, headers={"Range": asked})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{SIZE}")


async def test_a_file_is_gone_when_its_time_is_over(
    client: httpx.AsyncClient, services: Services, clock: ManualClock, url: str
) -> None:
    """An input stays for a day; then it cannot be read, and ten minutes later the sweep deletes it."""
    clock.pass_s(DAY_S - 1)
    assert (await client.get(url)).status_code == 200
    clock.pass_s(1)
    assert refused(await client.get(url), 404) == GONE
    assert await services.artifacts.sweep() == 0
    clock.pass_s(600)
    assert await services.artifacts.sweep() == 1
    assert files(services) == await rows(services, "artifacts") == []
    assert refused(await client.get(url), 404) == GONE


async def test_a_file_lost_from_disk_is_gone(client: httpx.AsyncClient, services: Services, url: str) -> None:
    """The row alone is no file; the answer is the one for a file that never was."""
    files(services)[0].unlink()
    lost = await client.get(url)
    assert refused(lost, 404) == GONE
    assert lost.content == (await client.get(NEVER_STORED)).content


@pytest.fixture
def secret(services: Services) -> Path:
    """Put a file beside the store."""
    services.settings.data.mkdir(exist_ok=True)
    path = services.settings.data / "secret.png"
    path.write_bytes(PNG)
    return path


PATHS = {
    "another": "secret.png",
    "up": "%2e%2e/secret.png",
    "up-encoded": "%2e%2e%2fsecret.png",
    "down-and-up": "2027/01/15/%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret.png",
    "backslash": "..%5csecret.png",
    "absolute": "/etc/passwd",
    "absolute-encoded": "%2fetc%2fpasswd",
    "url": "file:///etc/passwd",
    "nul": "%00",
    "nul-inside": "2027/01/15/0123456789abcdef0123456789abcdef.png%00.txt",
    "no-utf-8": "%ff%fe",
    "reference": "unitask-artifact:2027/01/15/0123456789abcdef0123456789abcdef.png",
    "endless": "x" * 5000,
}


async def test_no_path_leads_out_of_the_store(
    client: httpx.AsyncClient, secret: Path, subtests: pytest.Subtests
) -> None:
    """Whatever the spelling: 404, on either database."""
    for name, path in PATHS.items():
        with subtests.test(name):
            assert refused(await client.get(f"http://unitask.test/files/{path}"), 404) == GONE


async def test_a_link_in_the_store_leads_nowhere(
    client: httpx.AsyncClient, services: Services, url: str, secret: Path
) -> None:
    """Even if somebody managed to put one there."""
    (stored,) = files(services)
    stored.unlink()
    stored.symlink_to(secret)
    assert refused(await client.get(url), 404) == GONE


@pytest.mark.parametrize("path", ["../secret.png", "2027/../../secret.png"])
async def test_a_forged_row_leads_nowhere(
    client: httpx.AsyncClient, services: Services, secret: Path, path: str
) -> None:
    """Even if the database said that such a file is ours."""
    artifact = services.artifacts.as_input(StoredFile(path, "image/png", SIZE, "0" * 64), 1)
    artifact = replace(artifact, expires_at=artifact.expires_at + DAY_S)
    await services.database.write(lambda tx: repository.add(tx, [artifact]))
    assert refused(await client.get(f"/files/{path.replace('..', '%2e%2e')}"), 404) == GONE
