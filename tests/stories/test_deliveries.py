"""Messages from the end of a task to the receiver: what is sent, when again, and when no more."""

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest

from support.clock import ManualClock
from support.customer import Customer
from support.loopback import METADATA, resolver_of
from support.sink import floods, hangs, receiving, resets, says
from support.sql import rows
from support.webhooks import ended, hooked, state, with_guard
from support.worker import HandWorker
from unitask.api.webhooks import deliverer as make_deliverer
from unitask.app import Services
from unitask.kit.net import Guard
from unitask.webhooks import post
from unitask.webhooks.deliver import Deliverer
from unitask.webhooks.model import wait_us

pytestmark = pytest.mark.reaches_loopback

DAY_S = 24 * 3600
FIRST_WAITS_S = [5, 5, 5]


async def test_the_receiver_gets_the_task_as_get_shows_it(
    services: Services, client: httpx.AsyncClient, deliverer: Deliverer, customer: Customer, worker: HandWorker
) -> None:
    """A POST of JSON with the time it fell due, the secret, and the delivery's id."""
    with receiving() as sink:
        (task_id,) = await ended(customer, worker, sink.url("/a?b=c"), secret="s")
        fell_due_s = services.clock.now_us() // 10**6
        assert await deliverer.round() == 1
    (message,) = sink.received
    shown = (await client.get(f"/api/v1/task/{task_id}", headers=customer.headers)).json()["data"]
    assert json.loads(message.body) == {"timestamp": fell_due_s, "data": shown}
    assert shown["config"] == {"service_mode": "", "webhook_config": {"endpoint": sink.url("/a?b=c"), "secret": "s"}}
    assert (message.path, message.headers["content-type"]) == ("/a?b=c", "application/json")
    assert message.headers["x-webhook-secret"] == "s"
    assert message.headers["webhook-signature"].startswith("v1,")
    (delivery,) = await rows(services.database, "select id, state from deliveries")
    assert (delivery["id"], delivery["state"]) == (message.id, "delivered")
    assert await deliverer.round() == 0


async def test_a_failure_and_a_cancellation_are_told(
    deliverer: Deliverer, customer: Customer, worker: HandWorker
) -> None:
    """They are ends like any other."""
    with receiving() as sink:
        failed, cancelled = await customer.orders(2, hooked(sink.url()))
        (work,) = await worker.claim()
        await worker.fail(work)
        await customer.cancel(cancelled)
        await deliverer.round()
    told = {message.task["task_id"]: message.task["error"]["message"] for message in sink.received}
    assert told == {failed: "it broke", cancelled: "the task was cancelled"}
    assert all("x-webhook-secret" not in message.headers for message in sink.received)


async def test_a_failed_message_comes_again_the_same(
    services: Services, clock: ManualClock, deliverer: Deliverer, customer: Customer, worker: HandWorker
) -> None:
    """After five seconds, three times, then later and later, until it is taken; same id, same body, a newer time."""
    with receiving(*[says(500)] * 5, says(204, b"")) as sink:
        await ended(customer, worker, sink.url(), secret="s")
        (row,) = await rows(services.database, "select id from deliveries")
        waits_s = [wait_us(row["id"], tries) / 10**6 for tries in range(1, 6)]
        assert waits_s[:3] == FIRST_WAITS_S
        assert await deliverer.round() == 1
        for number, wait_s in enumerate(waits_s, 1):
            assert await state(services) == ("owed", number, "the receiver answered with status 500")
            clock.pass_s(wait_s - 0.1)
            assert await deliverer.round() == 0
            clock.pass_s(0.2)
            assert await deliverer.round() == 1
    assert len(set(sink.ids)) == len({message.body for message in sink.received}) == 1
    assert len({message.headers["webhook-timestamp"] for message in sink.received}) == 6
    assert await state(services) == ("delivered", 6, "")


async def test_a_message_is_given_up_after_a_day(
    services: Services, clock: ManualClock, deliverer: Deliverer, customer: Customer, worker: HandWorker
) -> None:
    """Thirteen attempts, whatever the status; the task does not mind."""
    with receiving(*[says(status) for status in (404, 400, 429, 503)]) as sink:
        (task_id,) = await ended(customer, worker, sink.url())
        fell_due_us = clock.time_us
        while (await state(services))[0] == "owed":
            await deliverer.round()
            clock.pass_s(5)
            ((next_at),) = [row["next_at"] for row in await rows(services.database, "select next_at from deliveries")]
            clock.time_us = max(clock.time_us, next_at)
    assert await state(services) == ("exhausted", 13, "the receiver answered with status 503")
    assert clock.time_us - fell_due_us < DAY_S * 10**6
    assert (await customer.see(task_id)).status == "completed"


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (says(410), ("gone", 1, "the receiver answered with status 410")),
        (
            says(301, location="/elsewhere"),
            (
                "owed",
                1,
                "the receiver answered with status 301; redirects are not followed: set the final address",
            ),
        ),
        (resets, ("owed", 1, "the server of the address gave no complete and valid answer")),
        (floods, ("delivered", 1, "")),
        (says(299, b"\0\xff" * 2000), ("delivered", 1, "")),
    ],
    ids=["gone", "redirect", "reset", "flood", "binary"],
)
async def test_each_kind_of_answer_has_its_meaning(
    services: Services,
    deliverer: Deliverer,
    customer: Customer,
    worker: HandWorker,
    *,
    behaviour: Callable[..., None],
    expected: tuple[str, int, str],
) -> None:
    """Any 2xx is success, 410 ends it, everything else comes again; a redirect goes nowhere."""
    with receiving(behaviour) as sink:
        await ended(customer, worker, sink.url())
        await deliverer.round()
        assert await state(services) == expected
        assert len(sink.received) == 1
    (attempt,) = await rows(services.database, "select answer from delivery_attempts")
    assert len(attempt["answer"]) <= 1024


async def test_a_receiver_that_hangs_is_left_after_a_time(
    services: Services,
    deliverer: Deliverer,
    customer: Customer,
    worker: HandWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten seconds, made shorter for the test; and its answer after that counts for nothing."""
    monkeypatch.setattr(post, "TIMEOUT_S", 0.2)
    with receiving(hangs, says()) as sink:
        await ended(customer, worker, sink.url())
        await deliverer.round()
        assert await state(services) == ("owed", 1, "no complete answer from the address within 0.2 seconds")


async def test_a_name_that_moves_to_a_private_address_gets_nothing(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker
) -> None:
    """Every connection is checked anew: what was allowed at the order and at the first attempt need not be now."""
    services = with_guard(services, Guard(resolve=resolver_of([METADATA], ["127.0.0.1"], ["10.0.0.1"])))
    deliverer = make_deliverer(services)
    with receiving() as sink:
        await ended(customer, worker, sink.url(host="hook.example"))
        for number in range(1, 4):
            await deliverer.round()
            assert await state(services) == ("owed", number, "the address is not allowed")
            clock.pass_s(6)
    assert sink.received == []


async def test_progress_is_told_to_those_who_ask(
    services: Services, deliverer: Deliverer, customer: Customer, worker: HandWorker
) -> None:
    """The start and each step that is further, one at a time; the config shows what was asked for."""
    with receiving() as sink:
        events = ["processing", "progress", "completed"]
        task = await customer.order(hooked(sink.url(), events=events))
        (work,) = await worker.claim()
        await deliverer.round()
        for progress in (0.2, 0.2, 0.4):
            await worker.beat(work, progress)
            await deliverer.round()
        await worker.beat(work, 0.5)
        await worker.beat(work, 0.6)
        await deliverer.round()
        await worker.complete(work)
        await deliverer.round()
    told = [(message.task["status"], message.task["meta"]["progress"]) for message in sink.received]
    assert told == [
        ("processing", 0.0),
        ("processing", 0.2),
        ("processing", 0.4),
        ("processing", 0.6),
        ("completed", 1),
    ]
    assert len(set(sink.ids)) == 5
    assert sink.received[0].task["config"]["webhook_config"]["events"] == events
    assert (await customer.see(task.id)).status == "completed"


async def test_progress_while_a_message_is_under_way_waits_for_the_next_step(
    services: Services, deliverer: Deliverer, customer: Customer, worker: HandWorker
) -> None:
    """One message at a time, however fast the steps come; the one under way is not taken for another."""
    with receiving() as sink:
        await customer.order(hooked(sink.url(), events=["progress"]))
        (work,) = await worker.claim()
        await worker.beat(work, 0.2)
        (claimed,) = await deliverer._claim()
        await worker.beat(work, 0.4)
        assert await deliverer.round() == 0
        async with services.guard.poster() as poster:
            await deliverer._send([claimed], poster)
            await asyncio.gather(*deliverer._sending)
        assert await state(services) == ("delivered", 1, "")
        await worker.beat(work, 0.6)
        assert await deliverer.round() == 1
        await worker.complete(work)
    assert sink.ids[0] == claimed.id
    assert [message.task["meta"]["progress"] for message in sink.received] == [0.4, 0.6]


async def test_progress_that_failed_is_not_repeated(
    services: Services, clock: ManualClock, deliverer: Deliverer, customer: Customer, worker: HandWorker
) -> None:
    """The next step will tell more."""
    with receiving(says(500)) as sink:
        await customer.order(hooked(sink.url(), events=["progress"]))
        (work,) = await worker.claim()
        await worker.beat(work, 0.2)
        await deliverer.round()
        assert (await state(services))[0] == "exhausted"
        clock.pass_s(10)
        assert await deliverer.round() == 0
        await worker.beat(work, 0.3)
        assert await deliverer.round() == 1
        await worker.complete(work)
        assert await deliverer.round() == 0


async def test_progress_of_an_ended_task_is_not_told(
    services: Services, deliverer: Deliverer, customer: Customer, worker: HandWorker
) -> None:
    """Its end is told, once."""
    with receiving() as sink:
        await customer.order(hooked(sink.url(), events=["processing", "completed"]))
        (work,) = await worker.claim()
        await worker.complete(work)
        await deliverer.round()
    assert [message.task["status"] for message in sink.received] == ["completed"]
    states = await rows(services.database, "select event, state from deliveries order by event")
    assert states == [
        {"event": "task.completed", "state": "delivered"},
        {"event": "task.processing", "state": "dropped"},
    ]


@pytest.mark.parametrize("events", [None, []])
async def test_only_the_end_is_told_by_default(
    deliverer: Deliverer, customer: Customer, worker: HandWorker, events: list[str] | None
) -> None:
    """As receivers of the hosted service expect."""
    with receiving() as sink:
        await customer.order(hooked(sink.url(), events=events))
        (work,) = await worker.claim()
        await worker.beat(work, 0.5)
        assert await deliverer.round() == 0
        await worker.complete(work)
        assert await deliverer.round() == 1


async def test_an_end_that_nobody_asked_for_is_not_owed(
    services: Services, customer: Customer, worker: HandWorker
) -> None:
    """Whoever wants to hear of failures alone hears of nothing else."""
    await customer.order(hooked("http://127.0.0.1:9/", events=["failed"]))
    (work,) = await worker.claim()
    await worker.complete(work)
    assert await rows(services.database, "select * from deliveries") == []
