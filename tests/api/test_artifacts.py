"""An account's files: listed, read, pinned, deleted; and large uploads by an address of their own."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from support.accounts import Person, open_account
from support.answers import accepted, refused
from support.clock import ManualClock
from support.customer import Customer
from support.media import PNG, WAV, base64_of
from support.orders import CAT
from support.traces import files
from support.worker import HandWorker
from unitask.accounts.model import Scope
from unitask.app import Services
from unitask.artifacts.sweep import GRACE_US
from unitask.artifacts.uploads import OPEN_S
from unitask.kit.clock import SECOND_US

ROUTE = "/api/v1/artifacts"
UPLOADS = "/api/v1/uploads"
GONE = "no such file; it may have expired"
NO_UPLOAD = "no such upload; it may have expired"
NOWHERE = "01a3185c-5000-7000-90a3-428b39c45f6c"
DAY_S = 24 * 3600
GRACE_S = GRACE_US // SECOND_US


@pytest.fixture
def small_pins(services: Services) -> Services:
    """Let accounts pin as much as two pictures."""
    object.__setattr__(services.artifacts.keeping, "pin_limit_bytes", 2 * len(PNG))
    return services


@pytest.fixture
async def person(services: Services) -> Person:
    """Someone who has ordered nothing yet."""
    return await open_account(services, "person", points=10**9)


@pytest.fixture
async def other(services: Services) -> Person:
    """Someone else."""
    return await open_account(services, "other", points=10**9)


@pytest.fixture
async def mine(client: httpx.AsyncClient, person: Person) -> httpx.AsyncClient:
    """Come as the first."""
    client.headers.update(person.headers)
    return client


@pytest.fixture
async def made(services: Services, person: Person) -> Callable[[], Any]:
    """Let a worker make a picture for the person; gives the task."""
    customer = Customer(services, await services.accounts.authenticate(person.headers["X-API-Key"]), person.headers)
    worker = HandWorker(services)

    async def make() -> str:
        task = await customer.order()
        (work,) = await worker.claim()
        file = await services.artifacts.store_bytes(PNG, extension="png")
        await services.tasks.add_output(file, task_id=task.id, attempt=work.attempt)
        assert await worker.complete(work, {"image_url": file.reference})
        return task.id

    return make


async def sent(client: httpx.AsyncClient) -> dict[str, Any]:
    """Upload a small picture; gives what the list says of it."""
    body = {"file_name": "a.png", "file_data": base64_of(PNG)}
    url = (await client.post("/api/ephemeral_resource", json=body)).json()["url"]
    listed = accepted(await client.get(ROUTE, params={"limit": 100}))["artifacts"]
    return next(one for one in listed if one["url"] == url)


async def announced(client: httpx.AsyncClient, name: str = "a.png", size_bytes: int = len(PNG)) -> dict[str, Any]:
    """Announce a large file."""
    return accepted(await client.post(UPLOADS, json={"file_name": name, "size_bytes": size_bytes}))


def completed(client: httpx.AsyncClient, upload: dict[str, Any]) -> Any:
    """Say that it has come."""
    return client.post(f"{UPLOADS}/{upload['id']}/complete")


async def test_what_a_task_made_is_listed_with_its_end(mine: httpx.AsyncClient, made: Callable[[], Any]) -> None:
    """By the list, by its id and in the task itself."""
    task_id = await made()
    task = accepted(await mine.get(f"/api/v1/task/{task_id}"))
    answer = accepted(await mine.get(ROUTE))
    assert list(answer) == ["artifacts", "next_cursor"]
    (one,) = answer["artifacts"]
    assert one == {
        "id": one["id"],
        "task_id": task_id,
        "kind": "output",
        "url": task["output"]["image_url"],
        "content_type": "image/png",
        "size_bytes": len(PNG),
        "created_at": "2027-01-15T08:00:00.001000Z",
        "expires_at": "2027-01-18T08:00:00.001000Z",
        "pinned": False,
    }
    assert task["meta"]["expires_at"] == one["expires_at"]
    assert accepted(await mine.get(f"{ROUTE}/{one['id']}")) == one


async def test_a_task_says_when_its_files_go_as_long_as_they_are_there(
    mine: httpx.AsyncClient, services: Services, clock: ManualClock, made: Callable[[], Any]
) -> None:
    """Nothing before it has any, nothing while all are pinned, nothing when they are gone."""
    waiting = accepted(await mine.post("/api/v1/task", json=CAT))
    assert waiting["meta"]["expires_at"] is None
    accepted(await mine.delete(f"/api/v1/task/{waiting['task_id']}"))
    task_id = await made()
    (one,) = accepted(await mine.get(ROUTE))["artifacts"]

    async def said() -> list[str | None]:
        task = accepted(await mine.get(f"/api/v1/task/{task_id}"))
        listed = accepted(await mine.get("/api/v1/task", params={"status": "completed"}))["tasks"][0]
        return [task["meta"]["expires_at"], listed["meta"]["expires_at"]]

    assert await said() == [one["expires_at"]] * 2
    accepted(await mine.post(f"{ROUTE}/{one['id']}/pin"))
    assert await said() == [None, None]
    accepted(await mine.delete(f"{ROUTE}/{one['id']}/pin"))
    assert await said() == [one["expires_at"]] * 2
    clock.pass_s(3 * DAY_S + GRACE_S)
    assert await services.artifacts.sweep() == 1
    assert await said() == [None, None]


async def test_an_upload_is_listed_with_its_end(mine: httpx.AsyncClient) -> None:
    """As the answer to the upload said."""
    one = await sent(mine)
    assert (one["kind"], one["task_id"], one["expires_at"]) == ("input", None, "2027-01-16T08:00:00Z")


async def test_the_list_goes_on_by_a_cursor(
    mine: httpx.AsyncClient, made: Callable[[], Any], clock: ManualClock
) -> None:
    """Newest first, each file once, whatever comes meanwhile; the last page has no cursor."""
    ids = []
    for _ in range(5):
        ids.append((await sent(mine))["id"])
        clock.pass_s(1)
    found, cursor = [], ""
    while cursor is not None:
        page = accepted(await mine.get(ROUTE, params={"limit": 2, "cursor": cursor}))
        found += [one["id"] for one in page["artifacts"]]
        cursor = page["next_cursor"]
        await sent(mine)
    assert found == ids[::-1]
    task_id = await made()
    assert len(accepted(await mine.get(ROUTE, params={"kind": "output"}))["artifacts"]) == 1
    assert len(accepted(await mine.get(ROUTE, params={"task_id": task_id}))["artifacts"]) == 1
    assert len(accepted(await mine.get(ROUTE, params={"kind": "input"}))["artifacts"]) == 8


@pytest.mark.parametrize(
    "wrong",
    [{"limit": 0}, {"limit": 101}, {"cursor": "x"}, {"kind": "upload"}, {"task_id": "x"}, {"limit": "x"}],
    ids=str,
)
async def test_a_page_that_cannot_be_is_refused(mine: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    """400, with the name of what is wrong."""
    assert next(iter(wrong)) in refused(await mine.get(ROUTE, params=wrong), 400)


async def test_another_accounts_file_is_like_none(
    mine: httpx.AsyncClient, other: Person, made: Callable[[], Any]
) -> None:
    """Not listed, not read, not pinned, not deleted: the answers are those for a file that never was."""
    task_id = await made()
    upload = await announced(mine)
    (one,) = accepted(await mine.get(ROUTE))["artifacts"]
    mine.headers.update(other.headers)
    assert accepted(await mine.get(ROUTE)) == {"artifacts": [], "next_cursor": None}
    assert accepted(await mine.get(ROUTE, params={"task_id": task_id})) == {"artifacts": [], "next_cursor": None}
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/pin"), ("DELETE", "/pin")):
        answers = [await mine.request(method, f"{ROUTE}/{name}{path}") for name in (one["id"], NOWHERE, "x", "%00")]
        assert [refused(answer, 404) for answer in answers] == [GONE] * 4
    answers = [await mine.post(f"{UPLOADS}/{name}/complete") for name in (upload["id"], NOWHERE, "x")]
    assert [refused(answer, 404) for answer in answers] == [NO_UPLOAD] * 3
    assert (await mine.get(one["url"])).content == PNG


async def test_files_need_the_scope(mine: httpx.AsyncClient, services: Services, person: Person) -> None:
    """403 for a key that is for tasks alone."""
    _, key = await services.keyring.add(person.account_id, actor="a test", name="tasks", scopes={Scope.TASKS})
    mine.headers["X-API-Key"] = key
    for method, path in (("GET", ROUTE), ("DELETE", f"{ROUTE}/{NOWHERE}"), ("POST", f"{ROUTE}/{NOWHERE}/pin")):
        assert "lacks the scope files" in refused(await mine.request(method, path), 403)
    assert "lacks the scope files" in refused(await mine.post(UPLOADS, json={}), 403)
    assert "lacks the scope account" in refused(await mine.get("/api/v1/bucket"), 403)


async def test_a_deleted_file_is_gone_at_once(mine: httpx.AsyncClient, services: Services) -> None:
    """For everyone, and from disk with the next sweep; deleting it again finds nothing."""
    one = await sent(mine)
    assert accepted(await mine.delete(f"{ROUTE}/{one['id']}")) is None
    assert refused(await mine.get(one["url"]), 404) == GONE
    assert refused(await mine.delete(f"{ROUTE}/{one['id']}"), 404) == GONE
    assert accepted(await mine.get(ROUTE))["artifacts"] == []
    assert await services.artifacts.sweep() == 1
    assert files(services) == []


async def test_a_pinned_file_stays(mine: httpx.AsyncClient, services: Services, clock: ManualClock) -> None:
    """For years, in one place; unpinned, it stays for another day and then goes as others do."""
    one = await sent(mine)
    for _ in range(2):
        pinned = accepted(await mine.post(f"{ROUTE}/{one['id']}/pin"))
        assert (pinned["pinned"], pinned["expires_at"]) == (True, None)
    clock.pass_s(1000 * DAY_S)
    assert await services.artifacts.sweep() == 0
    assert (await mine.get(one["url"])).content == PNG
    unpinned = accepted(await mine.delete(f"{ROUTE}/{one['id']}/pin"))
    assert (unpinned["pinned"], unpinned["expires_at"]) == (False, "2029-10-12T08:00:00Z")
    clock.pass_s(DAY_S + GRACE_S)
    assert await services.artifacts.sweep() == 1
    assert files(services) == []


async def test_a_pin_does_not_shorten_a_life(mine: httpx.AsyncClient, made: Callable[[], Any]) -> None:
    """Unpinned before its time, a file goes when it would have."""
    await made()
    (one,) = accepted(await mine.get(ROUTE))["artifacts"]
    accepted(await mine.post(f"{ROUTE}/{one['id']}/pin"))
    assert accepted(await mine.delete(f"{ROUTE}/{one['id']}/pin")) == one


@pytest.mark.usefixtures("small_pins")
async def test_an_account_pins_so_much_and_no_more(mine: httpx.AsyncClient, other: Person) -> None:
    """The third picture is refused until another is unpinned or deleted; other accounts have room of their own."""
    first, second, third = [(await sent(mine))["id"] for _ in range(3)]
    for name in (first, second, second):
        accepted(await mine.post(f"{ROUTE}/{name}/pin"))
    assert f"{2 * len(PNG)} may be" in refused(await mine.post(f"{ROUTE}/{third}/pin"), 409)
    accepted(await mine.delete(f"{ROUTE}/{first}"))
    accepted(await mine.post(f"{ROUTE}/{third}/pin"))
    mine.headers.update(other.headers)
    accepted(await mine.post(f"{ROUTE}/{(await sent(mine))['id']}/pin"))


async def test_an_address_takes_a_large_file(mine: httpx.AsyncClient, person: Person, clock: ManualClock) -> None:
    """Announced, sent without a key, completed: then it is read, listed and kept for a day like any upload."""
    upload = await announced(mine, "A Cat.PNG")
    assert list(upload) == ["id", "upload_url", "method", "headers", "url", "expires_at"]
    assert upload["expires_at"] == "2027-01-15T09:00:00Z"
    assert accepted(await mine.get(ROUTE))["artifacts"] == []
    del mine.headers["X-API-Key"]
    answer = await mine.request(upload["method"], upload["upload_url"], content=PNG, headers=upload["headers"])
    assert accepted(answer) == {"size_bytes": len(PNG)}
    assert refused(await mine.get(upload["url"]), 404) == GONE, "nobody has looked at it yet"
    mine.headers.update(person.headers)
    clock.pass_s(OPEN_S - 1)
    one = accepted(await completed(mine, upload))
    assert (one["url"], one["kind"], one["expires_at"]) == (upload["url"], "input", "2027-01-16T08:59:59Z")
    assert accepted(await completed(mine, upload)) == one
    assert accepted(await mine.get(ROUTE))["artifacts"] == [one]
    answer = await mine.get(one["url"])
    assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")


async def test_a_completed_upload_cannot_be_changed(mine: httpx.AsyncClient, services: Services) -> None:
    """Its address takes nothing more; and no second file before the first was looked at."""
    upload = await announced(mine)
    accepted(await mine.put(upload["upload_url"], content=PNG))
    assert "come already" in refused(await mine.put(upload["upload_url"], content=PNG), 409)
    accepted(await completed(mine, upload))
    assert "come already" in refused(await mine.put(upload["upload_url"], content=PNG), 409)
    assert [path.read_bytes() for path in files(services)] == [PNG]


async def test_completing_before_the_file_came_is_refused(mine: httpx.AsyncClient) -> None:
    """409; when it has come, it completes."""
    upload = await announced(mine)
    assert "not come yet" in refused(await completed(mine, upload), 409)
    accepted(await mine.put(upload["upload_url"], content=PNG))
    accepted(await completed(mine, upload))


@pytest.mark.parametrize(
    ("told", "content", "sentence"),
    [
        (("a.png", len(PNG) + 5), PNG, f"{len(PNG) + 5} bytes were announced and {len(PNG)} came"),
        (("a.png", len(WAV)), WAV, "image/png was announced, but the data is audio/wav"),
        (("a.wav", 12), b"hello, world", "audio/wav was announced, but the data is of no known format"),
        (("a.mp4", 9), b"", "9 bytes were announced and 0 came"),
    ],
    ids=["size", "kind", "nothing", "empty"],
)
async def test_what_is_not_as_announced_is_refused(
    mine: httpx.AsyncClient, services: Services, told: tuple[str, int], content: bytes, sentence: str
) -> None:
    """400 with what is wrong; the file goes at once, and the right one may be sent instead."""
    upload = await announced(mine, *told)
    accepted(await mine.put(upload["upload_url"], content=content))
    assert sentence in refused(await completed(mine, upload), 400)
    assert files(services) == []
    assert refused(await mine.get(upload["url"]), 404) == GONE
    accepted(await mine.put(upload["upload_url"], content=content))


async def test_more_than_was_announced_is_not_taken(mine: httpx.AsyncClient, services: Services) -> None:
    """413 at the first byte too many, announced by a header or not; nothing stays."""
    upload = await announced(mine, size_bytes=len(PNG) - 1)

    async def slowly() -> AsyncIterator[bytes]:
        for byte in PNG:
            yield bytes([byte])

    for content in (PNG, slowly()):
        assert "larger than" in refused(await mine.put(upload["upload_url"], content=content), 413)
    assert files(services) == []


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"size_bytes": 5}, "file_name"),
        ({"file_name": "a.png"}, "size_bytes"),
        ({"file_name": "a.exe", "size_bytes": 5}, "file_name must end in one of"),
        ({"file_name": "a.png", "size_bytes": 0}, "size_bytes"),
        ({"file_name": "a.png", "size_bytes": 2**31 + 1}, "size_bytes is 1 to 2147483648"),
        ({"file_name": "a.png", "size_bytes": 2**80}, "size_bytes"),
    ],
)
async def test_what_cannot_be_uploaded_is_refused(mine: httpx.AsyncClient, body: dict[str, Any], sentence: str) -> None:
    """400 when it is announced, not when it has come."""
    assert sentence in refused(await mine.post(UPLOADS, json=body), 400)


async def test_only_its_own_address_takes_a_file(mine: httpx.AsyncClient, services: Services) -> None:
    """404 for a signature that is wrong, of another upload, or missing."""
    first, second = [(await announced(mine))["upload_url"] for _ in range(2)]
    for forged in (
        first[:-1] + ("0" if first[-1] != "0" else "1"),
        first.rpartition(".")[0] + "." + second.rpartition(".")[2],
        first.rpartition(".")[0],
        f"/uploads/{NOWHERE}.{'0' * 64}",
        "/uploads/x.é",
    ):
        assert refused(await mine.put(forged, content=PNG), 404) == NO_UPLOAD
    assert files(services) == []


async def test_an_upload_that_does_not_come_is_forgotten(
    mine: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """After an hour its address takes nothing, what came is removed, and it cannot be completed."""
    upload = await announced(mine)
    accepted(await mine.put(upload["upload_url"], content=PNG))
    clock.pass_s(OPEN_S)
    assert refused(await mine.put(upload["upload_url"], content=PNG), 404) == NO_UPLOAD
    assert refused(await completed(mine, upload), 404) == NO_UPLOAD
    clock.pass_s(GRACE_S)
    assert await services.artifacts.sweep() == 1
    assert files(services) == []


async def test_what_may_be_cached_ends_with_the_file(mine: httpx.AsyncClient, clock: ManualClock) -> None:
    """An hour, or what is left of its life; `?download=1` has it saved under its name."""
    one = await sent(mine)
    assert (await mine.get(one["url"])).headers["cache-control"] == "private, max-age=3600"
    clock.pass_s(DAY_S - 60)
    assert (await mine.get(one["url"])).headers["cache-control"] == "private, max-age=60"
    name = one["url"].rpartition("/")[2]
    saved = await mine.get(one["url"], params={"download": "1"})
    assert saved.headers["content-disposition"] == f'attachment; filename="{name}"'
