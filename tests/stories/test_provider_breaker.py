"""A provider that goes down is left alone, as the worker says at once; and it is come back to."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import pytest

from sim.faults import status
from sim.provider import served
from sim.unified import Unified
from support.clock import ManualClock
from support.provided import LIMIT_S, Provided, Working, in_a_hurry, key_for, provider
from support.wait import answered, seen
from unitask.remote.breaker import FAILURES
from unitask.settings import Settings
from unitask.spec.protocol import BeatRequest
from unitask.tasks.model import Status
from unitask.worker.service import Worker

DEV: Final = "Qubico/flux1-dev/txt2img"
TRIES: Final = 4
FIRST_S, LONGEST_S = 5.0, 300.0


@dataclass
class Seconds:
    """The breaker's clock."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Tell it."""
        return self.now


@pytest.fixture
def hub() -> Iterator[Unified]:
    """Run a provider."""
    with served(Unified()) as sim:
        yield sim


@pytest.fixture
def spare() -> Iterator[Unified]:
    """Run another one."""
    with served(Unified()) as sim:
        yield sim


@pytest.fixture
async def it(
    settings: Settings, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, hub: Unified, spare: Unified
) -> AsyncIterator[Provided]:
    """Open services with both; without a route the first has the tasks as long as it is well."""
    in_a_hurry(monkeypatch)
    for name in ("hub", "spare"):
        key_for(monkeypatch, name)
    text = provider("hub", hub.url) + provider("spare", spare.url)
    opened = await Provided.opened(settings, clock, text, lease_s=1.0)
    yield opened
    await opened.close()


def timed(now: Seconds) -> Callable[[Worker], None]:
    """Let a worker's breaker for the hub go by this clock."""

    def prepare(worker: Worker) -> None:
        worker._remote["hub"].breaker._now = now

    return prepare


def made_by(beat: BeatRequest) -> set[str]:
    """List the engines of what a worker says it makes, if it says anything new."""
    return {offer.engine for offer in beat.makes or ()}


def health(beat: BeatRequest) -> tuple[str, int]:
    """Read what a worker says of the hub."""
    (found,) = [one for one in beat.providers if one.provider == "hub"]
    return found.state, found.failures


async def says(it: Provided, working: Working, state: str) -> list[BeatRequest]:
    """Wait until a heartbeat says that the hub is in this state; gives those since now."""
    before = len(working.client.beats)
    await seen(
        lambda: any(health(one)[0] == state for one in working.client.beats[before:]),
        within_s=LIMIT_S,
        what=f"{state} in a heartbeat",
    )
    it.clock.pass_s(0.001)
    await it.services.tasks.claims.follow()
    return working.client.beats[before:]


async def fails(it: Provided, hub: Unified) -> None:
    """Let the provider fail so often that it is left alone; the tasks are made by the other."""
    hub.faults.add("submit", status(503), times=TRIES * FAILURES)
    for _ in range(FAILURES):
        task = await it.ended(await it.customer.order())
        assert (task.status, task.engine) == (Status.COMPLETED, "spare")
    assert hub.faults.left == 0


async def trips(working: Working) -> None:
    """Let the hub go down while the worker waits for its tasks and asks it nothing."""
    pool = working.worker._remote["hub"]
    await seen(lambda: pool._claiming, within_s=LIMIT_S, what="a claim")
    claim = pool._claiming
    pool.breaker.trip("a test says so")
    await seen(lambda: claim is None or claim.done(), within_s=LIMIT_S, what="the end of the claim")


async def test_a_provider_that_fails_three_times_is_left_alone_and_come_back_to(
    it: Provided, hub: Unified, spare: Unified
) -> None:
    """The next heartbeat says so and offers nothing of it; after the pause one look shows that it is back."""
    now = Seconds()
    async with it.working("hub", "spare", prepared=timed(now)) as working:
        assert {"hub", "spare"} <= made_by(working.client.beats[0])
        await fails(it, hub)
        beats = await says(it, working, "down")
        last = beats[-1]
        (told,) = [one for one in last.providers if one.provider == "hub"]
        assert (told.engine, told.failures) == ("upstream", FAILURES)
        assert "it answered 503" in told.why
        asked = len(hub.asked)
        task = await it.ended(await it.customer.order())
        assert (task.engine, task.attempt, len(hub.asked)) == ("spare", 1, asked), "it goes past the hub at once"
        now.now += FIRST_S
        await says(it, working, "up")
        assert [path for _, path in hub.asked[asked:]] == ["/account/info"], "one look"
        task = await it.ended(await it.customer.order())
        assert (task.engine, task.attempt, hub.submitted) == ("hub", 1, 1)


async def test_what_waits_for_a_provider_that_goes_down_is_sent_on(it: Provided, hub: Unified, spare: Unified) -> None:
    """By the next round of housekeeping after the heartbeat that says so."""
    now = Seconds()
    async with it.working("hub", "spare", prepared=timed(now)) as working:
        await trips(working)
        # Nobody has heard of it yet: the order is still meant for the hub.
        task = await it.customer.order()
        await says(it, working, "down")
        await it.services.tasks.reroute()
        ended = await it.ended(task)
        assert (ended.status, ended.engine, hub.submitted) == (Status.COMPLETED, "spare", 0)


async def test_where_nobody_else_makes_it_a_task_waits_for_the_provider(
    it: Provided, hub: Unified, spare: Unified
) -> None:
    """It is made when the provider is back, in its first attempt."""
    now = Seconds()
    async with it.working("hub", prepared=timed(now)) as working:
        await trips(working)
        await says(it, working, "down")
        task = await it.customer.order()
        for _ in range(3):
            await working.beats()
            assert await it.services.tasks.reroute() == 0
        assert (await it.customer.see(task.id)).status is Status.PENDING
        assert hub.submitted == 0
        now.now += FIRST_S
        ended = await it.ended(task)
    assert (ended.status, ended.engine, ended.attempt) == (Status.COMPLETED, "hub", 1)


async def test_a_provider_that_stays_down_is_looked_at_ever_more_seldom(
    it: Provided, hub: Unified, spare: Unified
) -> None:
    """The pause doubles up to five minutes; each time one look of a few tries."""
    now = Seconds()
    hub.faults.add("ping", status(503), times=1000)
    async with it.working("hub", "spare", prepared=timed(now)) as working:
        breaker = working.worker._remote["hub"].breaker
        pauses = [breaker.pause_s]
        while pauses[-1] < LONGEST_S:
            asked = len(hub.asked)
            now.now += pauses[-1]
            await seen(lambda: breaker.state == "down", within_s=LIMIT_S, what="another look")
            assert len(hub.asked) == asked + TRIES
            pauses.append(breaker.pause_s)
        beat = await working.beats()
    assert all(later == min(LONGEST_S, 2 * earlier) for earlier, later in pairwise(pauses))
    assert health(beat)[0] == "down"
    assert hub.submitted == 0


async def test_a_worker_that_starts_while_the_provider_is_down_offers_the_rest(
    it: Provided, hub: Unified, spare: Unified
) -> None:
    """And the provider too, from the first heartbeat after it is back."""
    now = Seconds()
    hub.faults.add("ping", status(503), times=TRIES)
    async with it.working("hub", "spare", prepared=timed(now)) as working:
        first = working.client.beats[0]
        assert (made_by(first), health(first)[0]) == ({"spare"}, "down")
        now.now += working.worker._remote["hub"].breaker.pause_s

        async def offered() -> bool:
            return any("hub" in made_by(one) for one in working.client.beats)

        await answered(offered, within_s=LIMIT_S, what="an offer")
