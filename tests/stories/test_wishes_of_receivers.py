"""What a receiver may ask for, what it may not, and what an operator hears of one that never answers well."""

import contextlib
import logging
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler

import httpx
import pytest

from support.answers import accepted, refused
from support.clock import ManualClock
from support.customer import Customer
from support.sink import LIMIT_S, Sink, receiving, says
from support.sql import rows
from support.wait import seen
from support.webhooks import ended, state
from support.worker import HandWorker
from unitask.app import Services
from unitask.webhooks import post
from unitask.webhooks.deliver import Deliverer
from unitask.webhooks.service import TESTS_PER_MINUTE

pytestmark = pytest.mark.reaches_loopback

HOUR_S = 3600
NOW_S = 1_800_000_000


@pytest.mark.parametrize(
    ("asked", "waited_s"),
    [
        ("120", 120),
        ("2", 5),
        ("0", 5),
        ("-7", 5),
        ("86400", HOUR_S),
        ("9" * 300, HOUR_S),
        (formatdate(NOW_S + 600, usegmt=True), 600),
        (formatdate(NOW_S - 600, usegmt=True), 5),
        (formatdate(NOW_S + 10 * HOUR_S, usegmt=True), HOUR_S),
        ("Fri, 99 Foo 99999 99:99:99 GMT", 5),
        ("soon", 5),
        ("\u00b2", 5),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_receiver_is_left_alone_as_long_as_it_asks(
    services: Services,
    clock: ManualClock,
    deliverer: Deliverer,
    customer: Customer,
    worker: HandWorker,
    *,
    status: int,
    asked: str,
    waited_s: int,
) -> None:
    """`Retry-After` in seconds or as a date: never sooner than the schedule says, never later than in an hour."""
    clock.time_us = NOW_S * 10**6
    with receiving(says(status, **{"retry-after": asked}), says()) as sink:
        await ended(customer, worker, sink.url())
        assert await deliverer.round() == 1
        (row,) = await rows(services.database, "select next_at from deliveries")
        assert row["next_at"] - clock.now_us() == pytest.approx(waited_s * 10**6, abs=10**6)
        clock.pass_s(waited_s - 1.1)
        assert await deliverer.round() == 0
        clock.pass_s(2.2)
        assert await deliverer.round() == 1
    assert await state(services) == ("delivered", 2, "")


async def test_an_answer_after_the_time_counts_for_nothing(
    services: Services,
    clock: ManualClock,
    deliverer: Deliverer,
    customer: Customer,
    worker: HandWorker,
    *,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten seconds, made shorter for the test: the message is owed still, and comes again under the same id."""
    monkeypatch.setattr(post, "TIMEOUT_S", 0.2)
    answered_late = []

    def late(handler: BaseHTTPRequestHandler, sink: Sink) -> None:
        handler.connection.settimeout(LIMIT_S)
        with contextlib.suppress(OSError):
            handler.rfile.read(1)  # ends when the sender hangs up
            says()(handler, sink)
        answered_late.append(True)

    with receiving(late, says()) as sink:
        await ended(customer, worker, sink.url())
        await deliverer.round()
        await seen(lambda: answered_late, within_s=LIMIT_S, what="the late answer")
        assert await state(services) == ("owed", 1, "no complete answer from the address within 0.2 seconds")
        monkeypatch.setattr(post, "TIMEOUT_S", LIMIT_S)
        clock.pass_s(6)
        await deliverer.round()
    assert await state(services) == ("delivered", 2, "")
    assert len(set(sink.ids)) == 1


async def test_an_operator_hears_once_of_an_endpoint_that_is_disabled(
    clock: ManualClock,
    deliverer: Deliverer,
    customer: Customer,
    worker: HandWorker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the account and the host, and nothing of the address that could be a secret."""
    with receiving(says(410)) as sink, caplog.at_level(logging.WARNING, logger="unitask.webhooks"):
        for _ in range(14):
            await ended(customer, worker, sink.url("/a-secret-path"))
            await deliverer.round()
            clock.pass_s(12 * HOUR_S)
        (record,) = caplog.records
    assert record.getMessage() == "an endpoint is disabled: it failed for five days without one success"
    assert record.__dict__["account_id"] == customer.caller.account_id
    assert record.__dict__["host"] == f"127.0.0.1:{sink.port}"
    assert "a-secret-path" not in caplog.text


async def test_samples_are_sent_at_a_modest_pace(client: httpx.AsyncClient, clock: ManualClock) -> None:
    """A test posts to an address of the client's choice: twenty a minute are enough to try a receiver."""
    with receiving() as sink:
        test = {"endpoint": sink.url()}
        for _ in range(TESTS_PER_MINUTE):
            assert accepted(await client.post("/api/v1/webhooks/test", json=test))["delivered"]
        answer = await client.post("/api/v1/webhooks/test", json=test)
        assert refused(answer, 429) == f"no more than {TESTS_PER_MINUTE} webhook tests a minute; try again in 3 s"
        assert answer.headers["retry-after"] == "3"
        assert len(sink.received) == TESTS_PER_MINUTE
        clock.pass_s(3)
        assert accepted(await client.post("/api/v1/webhooks/test", json=test))["delivered"]
