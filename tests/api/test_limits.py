"""What an account may have: points, tasks at once, tasks that wait, and how long a body may be."""

from collections.abc import AsyncIterator

import httpx
import pytest

from support.accounts import open_account, read, top_up
from support.answers import accepted, refused
from support.clock import ManualClock
from support.media import PNG, base64_of
from support.orders import CAT, CAT_POINTS, cat, cutout, raw
from support.traces import rows, traces
from support.worker import HandWorker
from unitask.app import Services
from unitask.billing import repository as ledger
from unitask.settings import Settings

LIMIT_BYTES = 2**20


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Make the limits small."""
    return settings.model_copy(update={"staged_limit": 2, "body_limit_bytes": LIMIT_BYTES})


async def test_an_order_beyond_the_balance_is_refused_and_holds_nothing(
    client: httpx.AsyncClient, services: Services
) -> None:
    """402 with the price and the balance; neither points nor the picture stay."""
    person = await open_account(services, "poor", points=9_999)
    before = await traces(services)
    answer = await client.post("/api/v1/task", json=cutout(base64_of(PNG)), headers=person.headers)
    assert refused(answer, 402) == (
        "insufficient credits: the task costs 10000 points ($0.0010), available are 9999; top up the account"
    )
    assert answer.json()["data"] is None
    assert await traces(services) == before


async def test_the_price_is_frozen_while_the_task_lives_and_charged_when_it_is_made(
    client: httpx.AsyncClient, services: Services
) -> None:
    """Every point is in one of the books at every moment, and the ledger alone says the same."""
    person = await open_account(services, "careful", points=2 * CAT_POINTS)
    worker = HandWorker(services)
    for _ in range(2):
        accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))
    refused(await client.post("/api/v1/task", json=CAT, headers=person.headers), 402)
    first, second = await worker.claim(most=2)
    account = await read(services, person.account_id)
    assert (account.available_points, account.held_points, account.used_points) == (0, 2 * CAT_POINTS, 0)
    assert await worker.complete(first)
    assert await worker.fail(second)
    account = await read(services, person.account_id)
    books = (account.available_points, account.held_points, account.used_points)
    assert books == (CAT_POINTS, 0, CAT_POINTS)
    assert books == tuple((await ledger.replay(services.database))[person.account_id].values())
    accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))


async def test_the_price_of_an_order_counts_its_pictures(client: httpx.AsyncClient, services: Services) -> None:
    """Four pictures cost four times as much; the last point is enough."""
    four = cat(model="Qubico/flux1-schnell", input={"prompt": "a cat", "batch_size": 4})
    person = await open_account(services, "exact", points=59_999)
    refused(await client.post("/api/v1/task", json=four, headers=person.headers), 402)
    await top_up(services, person.account_id, 1)
    data = accepted(await client.post("/api/v1/task", json=four, headers=person.headers))
    assert data["meta"]["usage"] == {"type": "point", "frozen": 60_000, "consume": 0}


async def test_an_order_beyond_the_slots_is_staged_and_runs_later(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """It is accepted, its points are frozen, no worker gets it; then the end of another task lets it run."""
    headers = (await open_account(services, "busy", points=2 * CAT_POINTS, task_limit=1)).headers
    first = accepted(await client.post("/api/v1/task", json=CAT, headers=headers))
    clock.pass_s(1)
    second = accepted(await client.post("/api/v1/task", json=CAT, headers=headers))
    assert (first["status"], second["status"]) == ("pending", "staged")
    assert second["meta"]["usage"]["frozen"] == CAT_POINTS
    worker = HandWorker(services)
    (work,) = await worker.claim(most=9)
    assert work.task_id == first["task_id"]
    assert await worker.complete(work)
    data = accepted(await client.get(f"/api/v1/task/{second['task_id']}", headers=headers))
    assert data["status"] == "pending"
    (work,) = await worker.claim(most=9)
    assert work.task_id == second["task_id"]


async def test_beyond_the_staged_limit_the_client_is_told_when_to_come_again(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """429 with Retry-After, nothing left of the order; other accounts go on, and so does this one later."""
    headers = (await open_account(services, "busy", unlimited=True, task_limit=1)).headers
    for status in ("pending", "staged", "staged"):
        assert accepted(await client.post("/api/v1/task", json=CAT, headers=headers))["status"] == status
        clock.pass_s(1)
    before = await traces(services)
    answer = await client.post("/api/v1/task", json=cutout(base64_of(PNG)), headers={**headers, "Idempotency-Key": "k"})
    message = refused(answer, 429)
    assert message == "too many tasks: 1 run or wait and 2 are staged; wait until some have ended"
    assert int(answer.headers["retry-after"]) > 0
    assert await traces(services) == before
    assert accepted(await client.post("/api/v1/task", json=CAT))["status"] == "pending"
    worker = HandWorker(services)
    (work,) = await worker.claim(most=1)
    assert await worker.complete(work)
    answer = await client.post("/api/v1/task", json=CAT, headers={**headers, "Idempotency-Key": "k"})
    assert accepted(answer)["status"] == "staged"


def long(size: int) -> bytes:
    """Order with spaces after it, so many bytes in all."""
    return raw(CAT).ljust(size)


async def streamed(body: bytes) -> AsyncIterator[bytes]:
    """Send a body in pieces, without saying how long it is."""
    for start in range(0, len(body), 2**16):
        yield body[start : start + 2**16]


async def test_a_body_of_just_the_limit_is_accepted(client: httpx.AsyncClient) -> None:
    """Whole and in pieces."""
    accepted(await client.post("/api/v1/task", content=long(LIMIT_BYTES)))
    accepted(await client.post("/api/v1/task", content=streamed(long(LIMIT_BYTES))))


async def test_a_body_beyond_the_limit_is_refused(client: httpx.AsyncClient, services: Services) -> None:
    """413 with what to do instead, whether its length was announced or not."""
    for content in (long(LIMIT_BYTES + 1), streamed(long(LIMIT_BYTES + 1))):
        answer = await client.post("/api/v1/task", content=content)
        message = refused(answer, 413)
        assert message == f"the request body is larger than {LIMIT_BYTES} bytes; send large media by URL"
        assert answer.json()["data"] is None
    assert await rows(services, "tasks") == []


async def test_an_announced_length_is_refused_before_a_byte_is_read(client: httpx.AsyncClient) -> None:
    """Nobody uploads a gigabyte to be told that it was too much."""
    read_bytes = []

    async def body() -> AsyncIterator[bytes]:
        read_bytes.append(1)
        yield b"{"

    headers = {"Content-Length": str(2**30)}
    refused(await client.post("/api/v1/task", content=body(), headers=headers), 413)
    assert read_bytes == []
