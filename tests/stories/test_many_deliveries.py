"""Many messages, receivers and processes: who waits for whom, who is left alone, and what is forgotten."""

import asyncio

import pytest

from support.clock import ManualClock
from support.customer import Customer
from support.sink import Sink, hangs, receiving, resets, says
from support.sql import rows
from support.wait import seen
from support.webhooks import ended, state, with_guard
from support.worker import HandWorker
from unitask.api.webhooks import deliverer as make_deliverer
from unitask.app import Services
from unitask.kit.net import Guard
from unitask.webhooks import deliver, post
from unitask.webhooks.deliver import Deliverer

pytestmark = pytest.mark.reaches_loopback

DAY_S = 24 * 3600
FIRST_WAITS_S = [5, 5, 5]


async def test_two_processes_send_each_message_once(services: Services, customer: Customer, worker: HandWorker) -> None:
    """A claim keeps them apart."""
    with receiving() as sink:
        await ended(customer, worker, sink.url(), 20)
        senders = [make_deliverer(services) for _ in range(3)]
        for _ in range(3):
            await asyncio.gather(*[sender.round() for sender in senders])
    assert len(sink.ids) == len(set(sink.ids)) == 20


async def test_what_a_dead_process_had_claimed_is_sent_by_another(
    services: Services, clock: ManualClock, deliverer: Deliverer, customer: Customer, worker: HandWorker
) -> None:
    """When its claim has run out; what it reports afterwards counts for nothing."""
    with receiving() as sink:
        await ended(customer, worker, sink.url())
        (lost,) = await deliverer._claim()
        assert await make_deliverer(services).round() == 0
        clock.pass_s(31)
        assert await make_deliverer(services).round() == 1
        async with services.guard.poster() as poster:
            await deliverer._send([lost], poster)
            await asyncio.gather(*deliverer._sending)
    assert sink.ids == [lost.id, lost.id]
    assert await state(services) == ("delivered", 1, "")


async def test_a_receiver_that_does_not_answer_holds_no_other_up(
    services: Services,
    clock: ManualClock,
    deliverer: Deliverer,
    customer: Customer,
    worker: HandWorker,
    *,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three hundred messages wait for the dead one; those for the others go past them, in the first round."""
    monkeypatch.setattr(post, "TIMEOUT_S", 0.3)
    with receiving(hangs) as dead, receiving() as well, receiving() as other:
        for _ in range(3):
            await ended(customer, worker, dead.url(), 100)
        await ended(customer, worker, well.url(), 3)
        await ended(customer, worker, other.url(), 3)
        await deliverer.round()
        assert (len(well.received), len(other.received)) == (3, 3)
        assert dead.most_at_once <= 8
        first = len(dead.received)
        clock.pass_s(6)
        await deliverer.round()
        assert len(dead.received) == first + 1, "one post tries whether it lives"
        await ended(customer, worker, well.url(), 3)
        await deliverer.round()
        assert len(well.received) == 6
        assert len(dead.received) == first + 1


async def test_a_receiver_comes_back_and_gets_everything(
    services: Services, clock: ManualClock, deliverer: Deliverer, customer: Customer, worker: HandWorker
) -> None:
    """What waited while it was away is sent, once."""
    with receiving(*[resets] * 8, says()) as sink:
        await ended(customer, worker, sink.url(), 40)
        for _ in range(60):
            await deliverer.round()
            clock.pass_s(2)
    assert len(set(sink.ids)) == 40
    assert len(sink.ids) == 48
    assert await rows(services.database, "select distinct state from deliveries") == [{"state": "delivered"}]


async def test_hosts_take_turns_when_there_are_many(
    services: Services, customer: Customer, worker: HandWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stretch of hosts at a time, each stretch after the one before; none is forgotten."""
    monkeypatch.setattr(deliver, "_HOSTS", 2)
    services = with_guard(services, Guard(allow_private=True, resolve=lambda *_: ["127.0.0.1"]))
    deliverer = make_deliverer(services)
    with receiving() as sink:
        for number in range(5):
            await ended(customer, worker, sink.url(host=f"host-{number}.example"), 2)
        assert [await deliverer.round() for _ in range(4)] == [4, 4, 2, 0]
    assert len(set(sink.ids)) == 10


@pytest.mark.parametrize("places", [4, deliver.PLACES])
async def test_the_next_goes_as_soon_as_there_is_room(
    customer: Customer, worker: HandWorker, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch, places: int
) -> None:
    """Where the process has no place left, and where the receiver's lane is full: nobody waits for the next look."""
    monkeypatch.setattr(deliver, "_POLL_S", 600.0)
    monkeypatch.setattr(deliver, "PLACES", places)
    with receiving() as sink:
        await ended(customer, worker, sink.url(), 40)
        async with deliverer.running():
            await seen(lambda: len(sink.received) == 40, within_s=20, what="forty messages")
    assert len(set(sink.ids)) == 40


async def test_an_endpoint_that_fails_for_five_days_is_disabled(
    services: Services, clock: ManualClock, deliverer: Deliverer, customer: Customer, worker: HandWorker
) -> None:
    """Later messages are written down and not sent, until a test shows that it answers again."""
    with receiving(says(500)) as sink:
        for _ in range(11):
            await ended(customer, worker, sink.url())
            await deliverer.round()
            clock.pass_s(DAY_S / 2)
        await deliverer.round()
        sink.received.clear()
        await ended(customer, worker, sink.url())
        await deliverer.round()
        assert sink.received == []
        (newest, *_) = await rows(services.database, "select state, last_reason from deliveries order by id desc")
        assert newest == {"state": "disabled", "last_reason": "the endpoint is disabled"}
        sink.behaviours = [says()]
        sample = await services.webhooks.test(customer.caller.account_id, endpoint=sink.url(), secret="", data=b"{}")
        assert sample.attempt.succeeded
        await ended(customer, worker, sink.url())
        await deliverer.round()
        assert len(sink.received) == 2


@pytest.mark.parametrize("success_on_day", [1, 4])
async def test_one_success_in_five_days_keeps_an_endpoint(
    services: Services,
    clock: ManualClock,
    deliverer: Deliverer,
    customer: Customer,
    worker: HandWorker,
    *,
    success_on_day: int,
) -> None:
    """And so does a day in which nothing failed."""
    with receiving(says(410)) as sink:
        for day in range(7):
            sink.behaviours = [says(200 if day == success_on_day else 410)]
            await ended(customer, worker, sink.url())
            await deliverer.round()
            clock.pass_s(DAY_S - 1)
    assert len(sink.received) == 7


async def test_rare_failures_are_no_failure_for_five_days(
    services: Services, clock: ManualClock, deliverer: Deliverer, customer: Customer, worker: HandWorker
) -> None:
    """Two in a week, with nothing between, say little about the days between."""
    with receiving(says(410)) as sink:
        for _ in range(3):
            for pause_s in (DAY_S / 2, 7 * DAY_S):
                await ended(customer, worker, sink.url())
                await deliverer.round()
                clock.pass_s(pause_s)
    assert len(sink.received) == 6


async def test_a_running_process_sends_at_once(
    services: Services, deliverer: Deliverer, customer: Customer, worker: HandWorker
) -> None:
    """It hears that something fell due; it need not wait for its next look."""
    with receiving() as sink:
        async with deliverer.running():
            await ended(customer, worker, sink.url())
            await seen(lambda: sink.received, within_s=0.9, what="a message")
    assert await state(services) == ("delivered", 1, "")


async def test_the_end_of_a_process_waits_for_what_is_under_way(
    services: Services, customer: Customer, worker: HandWorker, deliverer: Deliverer
) -> None:
    """For two seconds; what takes longer is sent by the next process."""
    with receiving(_answers_when_told) as sink:
        async with deliverer.running():
            await ended(customer, worker, sink.url())
            await seen(lambda: sink.received, within_s=5, what="a message")
            asyncio.get_running_loop().call_later(0.2, sink.stopped.set)
    assert await state(services) == ("delivered", 1, "")


def _answers_when_told(handler: object, sink: Sink) -> None:
    sink.stopped.wait(5)
    says()(handler, sink)


async def test_what_is_older_than_30_days_is_forgotten(
    services: Services, clock: ManualClock, deliverer: Deliverer, worker: HandWorker
) -> None:
    """Deliveries, attempts, and endpoints that failed long ago."""
    customer = await Customer.of(services)
    tables = ("deliveries", "delivery_attempts", "endpoints")
    with receiving(says(410)) as sink:
        await ended(customer, worker, sink.url())
        await deliverer.round()
    clock.pass_s(30 * DAY_S - 60)
    await services.webhooks.sweep()
    assert [len(await rows(services.database, f"select * from {table}")) for table in tables] == [1, 1, 1]
    clock.pass_s(120)
    await services.webhooks.sweep()
    assert [len(await rows(services.database, f"select * from {table}")) for table in tables] == [0, 0, 0]


async def test_what_nobody_could_try_for_a_day_is_given_up(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker
) -> None:
    """Behind a dead host a message may never have its turn."""
    await ended(customer, worker, "http://127.0.0.1:9/")
    clock.pass_s(DAY_S)
    await services.webhooks.sweep()
    assert (await state(services))[0] == "owed"
    clock.pass_s(3601)
    await services.webhooks.sweep()
    assert await state(services) == ("exhausted", 0, "")
