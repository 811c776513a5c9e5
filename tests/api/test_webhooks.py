"""The log of deliveries, sending again, and trying an endpoint, over HTTP."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from support.answers import accepted, refused
from support.clock import ManualClock
from support.customer import Customer
from support.orders import CAT
from support.sink import hangs, receiving, says
from support.sql import rows
from support.worker import HandWorker
from unitask.app import Services
from unitask.kit.clock import SECOND_US, ZERO_TIME
from unitask.settings import Settings
from unitask.webhooks import post, service
from unitask.webhooks.deliver import Deliverer

pytestmark = pytest.mark.reaches_loopback

LOG = "/api/v1/webhooks/deliveries"
REPLAY = "/api/v1/webhooks/replay"
TEST = "/api/v1/webhooks/test"
NOBODY = "00000000-0000-0000-0000-000000000000"
FIRST_S = 1_800_000_000


@pytest.fixture
async def customer(services: Services) -> Customer:
    """Open an account."""
    return await Customer.of(services)


async def ended(customer: Customer, url: str, number: int = 1, **webhook: Any) -> list[str]:
    """Let tasks with a webhook end: one completes, the next fails, and so on; gives their ids."""
    order = {**CAT, "config": {"webhook_config": {"endpoint": url, "secret": "s", **webhook}}}
    task_ids = await customer.orders(number, order)
    worker = HandWorker(customer.services)
    for place, work in enumerate(await worker.claim(number)):
        await (worker.complete(work) if place % 2 == 0 else worker.fail(work))
        customer.services.clock.pass_s(0.001)
    return task_ids


async def listed(client: httpx.AsyncClient, customer: Customer, **query: Any) -> list[dict[str, Any]]:
    """Read a page of the log."""
    data = accepted(await client.get(LOG, params=query, headers=customer.headers))
    deliveries: list[dict[str, Any]] = data["deliveries"]
    return deliveries


async def test_the_log_shows_deliveries_newest_first(
    client: httpx.AsyncClient, customer: Customer, deliverer: Deliverer
) -> None:
    """By pages, each after the one before, and by task, state and event; never with the secret."""
    with receiving(says(500), says()) as sink:
        task_ids = await ended(customer, sink.url(), 5)
        await deliverer.round()
    everything = await listed(client, customer)
    assert [one["task_id"] for one in everything] == task_ids[::-1]
    assert "secret" not in str(everything)
    pages, cursor = [], ""
    while cursor is not None:
        data = accepted(await client.get(LOG, params={"limit": 2, "cursor": cursor}, headers=customer.headers))
        pages.append(data["deliveries"])
        cursor = data["next_cursor"]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one for page in pages for one in page] == everything
    assert [one["task_id"] for one in await listed(client, customer, task_id=task_ids[2])] == [task_ids[2]]
    failed = await listed(client, customer, event="task.failed")
    assert [one["task_id"] for one in failed] == [task_ids[3], task_ids[1]]
    (owed,) = await listed(client, customer, state="owed")
    assert (owed["attempts"], owed["reason"]) == (1, "the receiver answered with status 500")
    assert (owed["created_at"][:19], owed["next_at"][:19]) == ("2027-01-15T08:00:00", "2027-01-15T08:00:05")
    assert owed["settled_at"] == ZERO_TIME
    assert len(await listed(client, customer, state="delivered", task_id="")) == 4


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"state": "lost"}, "state"),
        ({"event": "completed"}, "event"),
        ({"task_id": "\0"}, "task_id"),
    ],
)
async def test_a_wrong_question_about_the_log_is_refused(
    client: httpx.AsyncClient, query: dict[str, Any], word: str
) -> None:
    """With the name of what is wrong."""
    assert word in refused(await client.get(LOG, params=query), 400)


async def test_a_task_id_that_cannot_be_has_no_deliveries(client: httpx.AsyncClient, customer: Customer) -> None:
    """It is a filter, not an address."""
    assert await listed(client, customer, task_id="x") == []


async def test_a_delivery_shows_its_attempts(
    client: httpx.AsyncClient, clock: ManualClock, customer: Customer, deliverer: Deliverer
) -> None:
    """When, how long, which status, why not, and the beginning of the answer."""
    with receiving(says(503, b"come back later " * 100), says(201, b"thanks\0")) as sink:
        await ended(customer, sink.url())
        await deliverer.round()
        clock.pass_s(5)
        await deliverer.round()
    (delivery,) = await listed(client, customer)
    data = accepted(await client.get(f"{LOG}/{delivery['id']}", headers=customer.headers))
    log = data.pop("log")
    assert data == delivery
    assert (delivery["state"], delivery["attempts"], delivery["reason"]) == ("delivered", 2, "")
    assert all(isinstance(attempt.pop("milliseconds"), int) for attempt in log)
    first, second = log
    assert first == {
        "at": "2027-01-15T08:00:00.002000Z",
        "status": 503,
        "reason": "the receiver answered with status 503",
        "answer": ("come back later " * 100)[:1024],
    }
    assert (second["status"], second["reason"], second["answer"]) == (201, "", "thanks\N{REPLACEMENT CHARACTER}")


async def test_deliveries_of_another_account_do_not_exist(
    client: httpx.AsyncClient, services: Services, customer: Customer, deliverer: Deliverer
) -> None:
    """Neither to read nor to send again; nor does an id that cannot be."""
    with receiving() as sink:
        (task_id,) = await ended(customer, sink.url())
        await deliverer.round()
        (own,) = await listed(client, customer)
        stranger = await Customer.of(services, "stranger")
        for delivery_id in (own["id"], own["id"].upper(), NOBODY, "x"):
            for answer in (
                await client.get(f"{LOG}/{delivery_id}", headers=stranger.headers),
                await client.post(f"{LOG}/{delivery_id}/replay", headers=stranger.headers),
            ):
                assert refused(answer, 404) == "delivery not found"
        assert await listed(client, stranger) == await listed(client, stranger, task_id=task_id) == []
        span = {"start_time": 0, "end_time": 10**11, "state": "delivered"}
        assert accepted(await client.post(REPLAY, json=span, headers=stranger.headers))["replayed"] == 0
        await deliverer.round()
    assert len(sink.received) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", LOG), ("GET", f"{LOG}/x"), ("POST", f"{LOG}/x/replay"), ("POST", REPLAY), ("POST", TEST)],
)
async def test_no_key_no_webhooks(client: httpx.AsyncClient, method: str, path: str) -> None:
    """Every call asks for it."""
    refused(await client.request(method, path, headers={"X-API-Key": "wrong"}, json={"endpoint": "http://a.b"}), 401)


async def test_a_message_is_sent_again_the_same(
    client: httpx.AsyncClient, clock: ManualClock, customer: Customer, deliverer: Deliverer
) -> None:
    """Whether it was delivered or not; with the schedule from its beginning, and the log goes on."""
    with receiving(says(200), says(500), says(200)) as sink:
        await ended(customer, sink.url())
        await deliverer.round()
        (delivery,) = await listed(client, customer)
        for _ in range(2):
            clock.pass_s(3600)
            again = accepted(await client.post(f"{LOG}/{delivery['id']}/replay", headers=customer.headers))
            assert (again["state"], again["settled_at"]) == ("owed", ZERO_TIME)
            await deliverer.round()
        clock.pass_s(5)
        assert await deliverer.round() == 0
    assert len({(message.id, message.body) for message in sink.received}) == 1
    log = accepted(await client.get(f"{LOG}/{delivery['id']}", headers=customer.headers))["log"]
    assert [attempt["status"] for attempt in log] == [200, 500, 200]


async def test_a_replay_while_a_message_is_under_way_is_kept(
    client: httpx.AsyncClient, customer: Customer, deliverer: Deliverer
) -> None:
    """It is sent once more, whatever becomes of the one under way."""
    with receiving() as sink:
        await ended(customer, sink.url())
        (claimed,) = await deliverer._claim()
        accepted(await client.post(f"{LOG}/{claimed.id}/replay", headers=customer.headers))
        async with customer.services.guard.poster() as poster:
            await deliverer._send([claimed], poster)
            await asyncio.gather(*deliverer._sending)
        assert await deliverer.round() == 1
    assert sink.ids == [claimed.id] * 2


async def test_progress_cannot_be_sent_again(
    client: httpx.AsyncClient, customer: Customer, deliverer: Deliverer
) -> None:
    """Nobody knows any more what it said."""
    with receiving() as sink:
        order = {**CAT, "config": {"webhook_config": {"endpoint": sink.url(), "events": ["processing"]}}}
        await customer.order(order)
        await HandWorker(customer.services).claim()
        await deliverer.round()
    (delivery,) = await listed(client, customer)
    assert (delivery["event"], delivery["state"]) == ("task.processing", "delivered")
    refused(await client.post(f"{LOG}/{delivery['id']}/replay", headers=customer.headers), 409)


async def test_all_that_was_given_up_in_a_span_is_sent_again(
    client: httpx.AsyncClient,
    clock: ManualClock,
    customer: Customer,
    deliverer: Deliverer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many as a call may, oldest first, with a cursor to the rest; by state if one is named."""
    monkeypatch.setattr(service, "REPLAY_LIMIT", 2)
    with receiving(says(410)) as sink:
        early = await ended(customer, sink.url())
        clock.pass_s(10)
        await ended(customer, sink.url(), 3)
        clock.pass_s(10)
        late = await ended(customer, sink.url())
        await deliverer.round()
        sink.behaviours = [says()]
        sink.received.clear()
        span = {"start_time": FIRST_S + 5, "end_time": FIRST_S + 15}
        counts, cursor = [], ""
        while cursor is not None:
            answer = await client.post(REPLAY, json={**span, "cursor": cursor}, headers=customer.headers)
            counts.append(accepted(answer)["replayed"])
            cursor = accepted(answer)["next_cursor"]
        assert counts == [2, 1]
        await deliverer.round()
        told = {message.task["task_id"] for message in sink.received}
        assert len(told) == 3
        assert not told & {*early, *late}
        span = {"start_time": 0, "end_time": FIRST_S + 15}
        for state, number in (("delivered", 2), ("gone", 1), ("disabled", 0)):
            answer = await client.post(REPLAY, json={**span, "state": state}, headers=customer.headers)
            assert accepted(answer)["replayed"] == number


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "start_time"),
        ({"start_time": 2, "end_time": 1}, "start_time"),
        ({"start_time": -1, "end_time": 1}, "start_time"),
        ({"start_time": 1, "end_time": 10**12}, "end_time"),
        ({"start_time": 1, "end_time": 2, "state": "owed"}, "state"),
        ({"start_time": 1, "end_time": 2, "state": "\0"}, "state"),
        ({"start_time": 1, "end_time": 2, "cursor": "x"}, "cursor"),
        ([], "the body"),
    ],
)
async def test_a_wrong_replay_is_refused(client: httpx.AsyncClient, body: Any, word: str) -> None:
    """With the name of what is wrong."""
    assert word in refused(await client.post(REPLAY, json=body), 400)


async def test_a_test_sends_a_signed_sample_and_tells_the_answer(client: httpx.AsyncClient, services: Services) -> None:
    """At once, without a task, and nothing of it is in the log."""
    with receiving(says(202, b"welcome")) as sink:
        data = accepted(await client.post(TEST, json={"endpoint": sink.url(), "secret": "a secret"}))
    (message,) = sink.received
    assert (data["delivered"], data["status"], data["answer"], data["reason"]) == (True, 202, "welcome", "")
    assert data["webhook_id"] == message.id
    assert message.headers["x-webhook-secret"] == "a secret"
    at = datetime.fromtimestamp(services.clock.now_us() // SECOND_US, tz=UTC)
    signed = Webhook(b"a secret").sign(message.id, at, message.body.decode())
    assert message.headers["webhook-signature"] == signed
    sample = json.loads(message.body)["data"]
    assert list(sample)[:4] == ["task_id", "model", "task_type", "status"]
    assert sample["status"] == "completed"
    assert await rows(services.database, "select * from deliveries") == []


async def test_a_test_tells_why_nothing_arrived(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the receiver does, the answer to the caller is a success that says so."""
    monkeypatch.setattr(post, "TIMEOUT_S", 0.2)
    with receiving(hangs, says(302, location="/there")) as sink:
        data = accepted(await client.post(TEST, json={"endpoint": sink.url()}))
        assert (data["delivered"], data["status"]) == (False, None)
        assert data["reason"] == "no complete answer from the address within 0.2 seconds"
        data = accepted(await client.post(TEST, json={"endpoint": sink.url()}))
        assert (data["delivered"], data["status"]) == (False, 302)
        assert "redirects are not followed" in data["reason"]
    assert "x-webhook-secret" not in sink.received[0].headers


@pytest.mark.parametrize(
    "body", [{}, {"endpoint": ""}, {"endpoint": "ftp://example.com/"}, {"endpoint": "http://user:word@example.com/"}]
)
async def test_a_test_of_no_address_is_refused(client: httpx.AsyncClient, body: dict[str, str]) -> None:
    """With the field that is wrong."""
    assert "endpoint" in refused(await client.post(TEST, json=body), 400)


class TestWithoutPrivateNetworks:
    """On a server as it comes."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """Let webhooks reach the public internet only."""
        return settings.model_copy(update={"allow_private_networks": False})

    async def test_a_private_endpoint_is_refused(self, client: httpx.AsyncClient) -> None:
        """In a test as in an order."""
        with receiving() as sink:
            order = {**CAT, "config": {"webhook_config": {"endpoint": sink.url()}}}
            for answer in (
                await client.post(TEST, json={"endpoint": sink.url()}),
                await client.post("/api/v1/task", json=order),
            ):
                assert "endpoint: the address is not allowed" in refused(answer, 400)
        assert sink.received == []


@pytest.mark.parametrize("secret", ["two\nlines", " s", "s ", "\t"])
async def test_a_secret_that_no_header_can_carry_is_refused(client: httpx.AsyncClient, secret: str) -> None:
    """Here and not when the first message is due."""
    order = {**CAT, "config": {"webhook_config": {"endpoint": "http://127.0.0.1:9/", "secret": secret}}}
    assert "config.webhook_config.secret" in refused(await client.post("/api/v1/task", json=order), 400)


async def test_a_secret_may_hold_any_letters(client: httpx.AsyncClient, services: Services) -> None:
    """It arrives as UTF-8."""
    with receiving() as sink:
        accepted(await client.post(TEST, json={"endpoint": sink.url(), "secret": "schlüssel ☃"}))
    assert sink.received[0].headers["x-webhook-secret"].encode("latin-1").decode() == "schlüssel ☃"


@pytest.mark.parametrize("events", [["done"], "progress", [1]])
async def test_an_unknown_event_is_refused(client: httpx.AsyncClient, events: Any) -> None:
    """With its place in the config."""
    order = {**CAT, "config": {"webhook_config": {"endpoint": "http://127.0.0.1:9/", "events": events}}}
    assert "config.webhook_config.events" in refused(await client.post("/api/v1/task", json=order), 400)
