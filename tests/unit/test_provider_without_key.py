"""A worker and providers that it can ask little: nothing is asked, or ordered, without a key that is needed."""

import asyncio
from pathlib import Path

from pydantic import SecretStr

from support.answering import Answering, answering
from support.provided import options_of
from support.wait import seen
from support.written_api import WrittenApi
from unitask.catalogue import Catalogue
from unitask.engines import remote
from unitask.remote.breaker import FAILURES, Breaker
from unitask.routing import Routing
from unitask.spec import protocol
from unitask.worker.attempt import Reach
from unitask.worker.pool import Held
from unitask.worker.remote_pool import RemotePool
from unitask.worker.report import Reports
from unitask.worker.service import Worker

TASK = protocol.ClaimedTask(
    task_id="0192f0c0-0000-7000-8000-000000000001",
    attempt=1,
    model="Qubico/flux1-dev",
    task_type="txt2img",
    engine="hub",
    input={"prompt": "a cat"},
    seconds_left=30,
)


def routing(address: str, *, own_key_only: bool = True, key: str = "") -> Routing:
    """Know one provider, as the operator's file would say it."""
    table = {"engine": "upstream", "url": address, "own_key_only": own_key_only}
    return Routing.of({"provider": {"hub": table}}, lambda _: SecretStr(key) if key else None, Path())


def pool_of(other: Answering) -> RemotePool:
    """Make the pool of such a provider."""
    known, api = routing(other.address), WrittenApi()
    held = Held("worker", api, Reports(api), lambda: Reach(Path(), Path(), "", "", allow_private=False))
    catalogue = known.apply(Catalogue.load())
    return RemotePool(known.providers["hub"], remote()["upstream"], held, catalogue, allow_private=False)


def test_only_a_provider_that_asks_a_key_and_has_none_is_keyless() -> None:
    """One that waits for those of accounts is not; nor is one that is for everybody."""
    assert routing("http://hub.test", own_key_only=False).keyless == {"hub"}
    assert routing("http://hub.test", own_key_only=False, key="a-key").keyless == frozenset()
    assert routing("http://hub.test").keyless == frozenset()
    box = {"provider": {"box": {"engine": "comfyui", "url": "http://box.test"}}}
    assert Routing.of(box, lambda _: None, Path()).keyless == frozenset()


async def test_it_is_taken_for_well_and_offered_without_being_asked() -> None:
    """A look without a key would be refused, and say nothing."""
    with answering({}, status=401) as other:
        api, stop = WrittenApi(), asyncio.Event()
        working = asyncio.create_task(Worker(api, options_of(routing(other.address))).run(stop))
        await seen(lambda: api.claims, within_s=10, what="a claim")
        stop.set()
        await working
    (health,) = api.beats[0].providers
    assert health.state == "up"
    assert {one.engine for one in api.beats[0].makes or ()} == {"hub"}
    assert api.claims[0].engines == ["hub"]
    assert other.asked == {}


async def test_a_task_whose_key_was_taken_back_goes_elsewhere() -> None:
    """It is not ordered without a key, and the provider is not blamed."""
    with answering({}, status=401) as other:
        api, stop = WrittenApi([TASK]), asyncio.Event()
        working = asyncio.create_task(Worker(api, options_of(routing(other.address))).run(stop))
        await seen(lambda: api.reports, within_s=10, what="a report")
        stop.set()
        await working
    (report,) = api.reports
    assert report.failure is not None
    assert report.failure.elsewhere
    assert report.failure.message == "hub serves accounts that left their own key, and yours was taken back"
    assert api.beats[-1].providers[0].failures == 0


async def test_a_job_whose_key_was_taken_back_is_left_to_itself() -> None:
    """No other key could cancel it."""
    left = {"job": {"id": "there"}, "own_key": True}
    with answering({}) as other:
        pool = pool_of(other)
        assert await pool.clear(protocol.Leftover(task_id=TASK.task_id, provider="hub", remote=left))
        await pool.close()
    assert other.asked == {}
    assert pool.health.failures == 0


async def test_a_server_that_is_not_what_it_is_taken_for_does_not_end_the_worker() -> None:
    """It is looked at and answers nonsense; what it lacks is then not known."""
    with answering({"/system_stats": {}, "/object_info": [1, 2]}) as other:
        box = {"engine": "comfyui", "url": other.address, "products": ["Qubico/flux1-dev/txt2img"]}
        api, stop = WrittenApi(), asyncio.Event()
        known = Routing.of({"provider": {"hub": box}}, lambda _: None, Path())
        working = asyncio.create_task(Worker(api, options_of(known)).run(stop))
        await seen(lambda: api.claims or working.done(), within_s=10, what="a claim")
        stop.set()
        await working
    assert "/object_info" in other.asked


def test_trust_lasts_until_the_next_failure() -> None:
    """What could not be asked is up again after its pause, and one failure more is enough."""
    now = [0.0]
    breaker = Breaker(lambda: now[0])
    for _ in range(FAILURES):
        breaker.failed("away")
    assert breaker.state == "down"
    now[0] = 10.0
    assert breaker.state == "trying"
    breaker.trust()
    assert breaker.state == "up"
    breaker.failed("away")
    assert breaker.state == "down"
