"""The same order sent twice: one task, one charge."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from support.accounts import Person, open_account, read, top_up
from support.answers import accepted, refused
from support.clock import ManualClock
from support.media import PNG, base64_of
from support.orders import CAT, CAT_POINTS, cat, cutout
from support.traces import files, rows, traces
from support.worker import HandWorker
from unitask.app import Services

DAY_S = 24 * 3600
Post = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def person(services: Services) -> Person:
    """Open an account with points for three tasks."""
    return await open_account(services, "careful", points=3 * CAT_POINTS)


@pytest.fixture
def post(client: httpx.AsyncClient, person: Person) -> Post:
    """Order under a key."""

    async def send(body: dict[str, Any] = CAT, key: str = "order-1", **headers: str) -> httpx.Response:
        return await client.post(
            "/api/v1/task", json=body, headers={**person.headers, "Idempotency-Key": key, **headers}
        )

    return send


async def test_the_same_order_under_the_same_key_is_the_same_task(
    services: Services, person: Person, post: Post
) -> None:
    """The second answer is the first one again, and nothing else happens."""
    first = accepted(await post())
    before = await traces(services)
    assert accepted(await post()) == first
    assert await traces(services) == before
    assert (await read(services, person.account_id)).held_points == CAT_POINTS


async def test_a_repeated_order_is_answered_with_the_task_as_it_is_now(services: Services, post: Post) -> None:
    """A client that lost its connection learns how far its task has come."""
    first = accepted(await post())
    worker = HandWorker(services)
    (work,) = await worker.claim()
    during = accepted(await post())
    assert (during["task_id"], during["status"]) == (first["task_id"], "processing")
    assert await worker.complete(work)
    after = accepted(await post())
    assert (after["task_id"], after["status"]) == (first["task_id"], "completed")
    assert after["output"]["image_url"].startswith("http://unitask.test/files/")
    assert await worker.claim() == []


async def test_twenty_at_once_are_one_task_and_one_hold(services: Services, person: Person, post: Post) -> None:
    """Impatient clients and proxies send in parallel."""
    answers = await asyncio.gather(*[post(cutout(base64_of(PNG))) for _ in range(20)])
    assert len({accepted(answer)["task_id"] for answer in answers}) == 1
    assert len(await rows(services, "tasks")) == len(await rows(services, "queue")) == 1
    assert [entry["kind"] for entry in await rows(services, "ledger")] == ["top_up", "hold"]
    assert (await read(services, person.account_id)).active_tasks == 1
    assert len(files(services)) == len(await rows(services, "artifacts")) == 1


async def test_a_key_used_for_another_body_is_refused(services: Services, post: Post) -> None:
    """422, so that a mistake in a client does not pass for a success; the files of the second body go."""
    first = accepted(await post())
    before = await traces(services)
    message = refused(await post(cutout(base64_of(PNG))), 422)
    assert message == "this Idempotency-Key was used with another body; use a new key for a new order"
    assert await traces(services) == before
    assert accepted(await post())["task_id"] == first["task_id"]


async def test_another_key_is_another_task(services: Services, post: Post) -> None:
    """A key in other letter case is another key."""
    ids = {accepted(await post(key=key))["task_id"] for key in ("order-1", "order-2", "ORDER-1")}
    assert len(ids) == 3


async def test_without_a_key_every_order_is_a_task(post: Post) -> None:
    """An empty key is none."""
    assert accepted(await post(key=""))["task_id"] != accepted(await post(key=""))["task_id"]


async def test_keys_of_different_accounts_do_not_meet(services: Services, post: Post) -> None:
    """Two accounts may use the same key, for the same body and for different ones."""
    other = await open_account(services, "other", unlimited=True)
    first = accepted(await post())["task_id"]
    second = accepted(await post(**other.headers))["task_id"]
    assert first != second
    refused(await post(cat(input={"prompt": "a dog"})), 422)
    assert accepted(await post(**other.headers))["task_id"] == second


async def test_an_order_refused_for_credits_can_be_sent_again_after_a_top_up(
    services: Services, person: Person, post: Post
) -> None:
    """A refused order uses up neither its key nor its files."""
    expensive = cat(model="Qubico/flux1-schnell", input={"prompt": "a cat", "batch_size": 4})
    for key in ("a", "b", "c"):
        accepted(await post(key=key))
    before = await traces(services)
    refused(await post(expensive, key="d"), 402)
    refused(await post(cutout(base64_of(PNG)), key="e"), 402)
    assert await traces(services) == before
    await top_up(services, person.account_id, CAT_POINTS)
    task_id = accepted(await post(expensive, key="d"))["task_id"]
    assert accepted(await post(expensive, key="d"))["task_id"] == task_id


async def test_parallel_orders_under_one_key_are_refused_together(
    services: Services, person: Person, post: Post
) -> None:
    """When the first is refused, so are those that wait for its answer, and the key is free again."""
    for key in ("a", "b", "c"):
        accepted(await post(key=key))
    before = await traces(services)
    answers = await asyncio.gather(*[post(key="d") for _ in range(5)])
    assert [answer.status_code for answer in answers] == [402] * 5
    assert await traces(services) == before


async def test_a_key_is_forgotten_after_a_day(services: Services, clock: ManualClock, post: Post) -> None:
    """Then it stands for a new order, whether it was swept away before or not."""
    first = accepted(await post())["task_id"]
    clock.pass_s(DAY_S - 1)
    await services.tasks.forget()
    assert accepted(await post())["task_id"] == first
    clock.pass_s(1)
    second = accepted(await post(cat(input={"prompt": "a dog"})))["task_id"]
    assert second != first
    clock.pass_s(DAY_S)
    await services.tasks.forget()
    assert await rows(services, "idempotency") == []
    assert accepted(await post())["task_id"] not in {first, second}


async def test_a_key_of_255_characters_is_accepted(post: Post) -> None:
    """The longest that fits."""
    first = accepted(await post(key="k" * 255))["task_id"]
    assert accepted(await post(key="k" * 255))["task_id"] == first
