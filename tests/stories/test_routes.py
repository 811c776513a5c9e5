"""Who has a task: the order of the recipes, what each is for, and where a task goes that its engine cannot make."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from support.clock import ManualClock
from support.orders import CAT, cat
from support.provided import NOWHERE, Open, opening, provider, route
from unitask.accounts.limits import Limits
from unitask.kit.clock import SECOND_US
from unitask.kit.errors import Unavailable
from unitask.settings import Settings
from unitask.tasks.model import Status, Task

DEV = "Qubico/flux1-dev/txt2img"
HUB, SPARE = provider("hub"), provider("spare", NOWHERE)
LEASE_S, REMEMBERED_S = 15, 5


@pytest.fixture
async def provided(settings: Settings, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """Open services with these providers and routes; at the end the books must be right."""
    async with opening(settings, clock, monkeypatch) as make:
        yield make


def logs(task: Task) -> list[str]:
    """Read what a task's log says."""
    found: list[str] = json.loads(task.logs)
    return found


async def test_without_a_route_the_best_level_comes_first_and_falls_to_its_equals(provided: Open) -> None:
    """At each level what is here comes before what is elsewhere; nothing falls to a lower level unasked."""
    it = await provided(HUB, SPARE)
    await it.customer.order()
    await it.says(DEV, engines="spare:full preview:preview")
    await it.customer.order()
    await it.says(DEV, engines="diffusers:full", name="gpu")
    await it.customer.order()
    await it.says(DEV, engines="preview:preview")
    await it.says(DEV, engines="preview:preview", name="gpu")
    await it.customer.order()
    assert await it.places() == [("hub", "spare"), ("spare", ""), ("diffusers", "hub,spare"), ("preview", "")]


@pytest.mark.parametrize(
    ("tables", "place"),
    [
        ([route('"preview"', '"spare"', '"hub"')], ("preview", "spare,hub")),
        ([route('"spare"', '"preview"', failover="false")], ("spare", "")),
        ([route('"hub"', '"spare"'), route('"spare"', products='["*/flux1-dev/*"]')], ("spare", "")),
        ([route('"spare"'), route('"hub"', products='["Qubico/tts"]')], ("spare", "")),
        ([route('"diffusers"', '"hub"', '"hub"', '"preview"')], ("hub", "preview")),
    ],
    ids=["its order", "no failover", "the last route counts", "of its products alone", "an engine once"],
)
async def test_a_route_says_who_comes_first_and_next(provided: Open, tables: list[str], place: tuple[str, str]) -> None:
    """The engines that it does not name make nothing."""
    it = await provided(HUB, SPARE, *tables)
    await it.customer.order()
    assert await it.places() == [place]


@pytest.mark.parametrize(
    ("condition", "engine"),
    [
        ('cost_at_most = "0.02"', "hub"),
        ('cost_at_most = "0.019"', "preview"),
        ("at_most = { width = 1024, height = 1024 }", "hub"),
        ("at_most = { width = 1023 }", "preview"),
        ("at_least = { width = 1024 }", "hub"),
        ("at_least = { width = 1025 }", "preview"),
        ("at_most = { prompt = 12 }", "hub"),
        ("at_most = { prompt = 11 }", "preview"),
        ("at_most = { guidance_scale = 2.5 }", "hub"),
        ("at_most = { guidance_scale = 2.4 }", "preview"),
        ("at_most = { negative_prompt = 0 }", "hub"),
        ('plans = ["free", "gold"]', "preview"),
        ('plans = ["gold", "open"]', "hub"),
    ],
)
async def test_a_step_of_a_route_is_for_the_orders_that_meet_its_conditions(
    provided: Open, condition: str, engine: str
) -> None:
    """All others go to the next step at once."""
    hub = provider("hub", costs='{ "Qubico/flux1-*" = "0.01", "Qubico/flux1-dev/*" = "0.02" }')
    it = await provided(hub, route(f'{{ engine = "hub", {condition} }}', '"preview"'))
    await it.customer.order(cat(input={**CAT["input"], "guidance_scale": 2.5}))
    assert [place[0] for place in await it.places()] == [engine]


async def test_what_a_provider_costs_has_to_be_known_where_it_is_bounded(provided: Open) -> None:
    """And an engine behind the bound is not in the task's route either."""
    it = await provided(HUB, route('"preview"', '{ engine = "hub", cost_at_most = "100" }'))
    await it.customer.order()
    assert await it.places() == [("preview", "")]


async def test_the_plan_of_an_account_chooses(provided: Open) -> None:
    """The condition reads the plan of whoever orders."""
    it = await provided(HUB, route('{ engine = "hub", plans = ["gold"] }', '"preview"'))
    await it.services.registry.put_plan("gold", Limits(), actor="a test")
    await it.customer.order()
    await it.services.registry.set_account(it.customer.caller.account_id, actor="a test", plan="gold")
    it.clock.pass_s(REMEMBERED_S)
    caller = await it.services.accounts.authenticate(it.customer.headers["X-API-Key"])
    await replace(it.customer, caller=caller).order()
    assert [place[0] for place in await it.places()] == ["preview", "hub"]


async def test_an_order_that_no_step_is_for_is_refused_with_the_reasons(provided: Open) -> None:
    """One for each step, and nothing is held."""
    steps = ('{ engine = "hub", at_most = { width = 512 } }', '{ engine = "spare", plans = ["gold"] }')
    it = await provided(HUB, SPARE, route(*steps))
    before = await it.customer.books()
    with pytest.raises(Unavailable) as refused:
        await it.customer.order()
    for reason in ("hub: it takes width up to 512", "spare: it is for the plans gold"):
        assert reason in str(refused.value)
    assert await it.customer.books() == before


async def test_a_failure_that_may_pass_goes_to_the_next_engine_and_costs_no_attempt(provided: Open) -> None:
    """However few attempts there are: the next engine has all of them, and the log says why."""
    it = await provided(HUB, SPARE, route('"hub"', '"spare"', '"preview"'), max_attempts=1)
    task = await it.customer.order()
    worker = await it.says(DEV, engines="hub:full spare:full preview:preview")
    for engine, why in (("hub", {"retryable": True}), ("spare", {"elsewhere": True}), ("preview", {})):
        (work,) = await worker.claim()
        assert work.engine == engine
        assert await (worker.fail(work, f"{engine} broke", **why) if why else worker.complete(work))
    ended = await it.customer.see(task.id)
    assert (ended.status, ended.engine, ended.engine_level) == (Status.COMPLETED, "preview", "preview")
    assert logs(ended) == ["attempt 1: hub broke", "attempt 2: spare broke"]


async def test_the_attempts_of_the_next_engine_are_not_shortened(provided: Open) -> None:
    """A task that was sent on survives as many lost workers as any other."""
    it = await provided(HUB, SPARE, max_attempts=2)
    task = await it.customer.order()
    worker = await it.says(DEV, engines="hub:full spare:full")
    (work,) = await worker.claim()
    assert await worker.fail(work, "busy", retryable=True)
    for _ in range(2):
        assert (await it.customer.see(task.id)).status is Status.PENDING
        assert [work.engine for work in await worker.claim()] == ["spare"]
        for _ in range(LEASE_S + 1):
            it.clock.pass_s(1)
            await it.services.tasks.claims.follow()
        assert await it.services.tasks.reap() == 1
    assert (await it.customer.see(task.id)).status is Status.FAILED


async def test_a_failure_for_good_goes_nowhere(provided: Open) -> None:
    """Nor does one that the client has asked for."""
    it = await provided(HUB, SPARE)
    tasks = [await it.customer.order() for _ in range(2)]
    worker = await it.says(DEV, engines="hub:full spare:full")
    first, second = await worker.claim(2)
    await it.customer.cancel(second.task_id)
    assert await worker.fail(first, "failed to get valid image")
    assert await worker.fail(second, "busy", retryable=True)
    assert [(await it.customer.see(task.id)).status for task in tasks] == [Status.FAILED, Status.FAILED]


async def test_without_failover_the_same_engine_tries_again(provided: Open) -> None:
    """Until the attempts are used up."""
    it = await provided(HUB, SPARE, route('"hub"', '"spare"', failover="false"), max_attempts=2)
    task = await it.customer.order()
    worker = await it.says(DEV, engines="hub:full spare:full")
    for _ in range(2):
        (work,) = await worker.claim()
        assert work.engine == "hub"
        assert await worker.fail(work, "busy", retryable=True)
    assert (await it.customer.see(task.id)).status is Status.FAILED


async def test_engines_that_nobody_works_for_are_passed_over(provided: Open) -> None:
    """A failure goes to the next engine that somebody works for; where there is none, the same one tries again."""
    it = await provided(HUB, SPARE, route('"hub"', '"spare"', '"preview"'))
    tasks = [await it.customer.order() for _ in range(2)]
    worker = await it.says(DEV, engines="hub:full preview:preview")
    first, second = await worker.claim(2)
    assert await worker.fail(first, "busy", retryable=True)
    await it.says(DEV, engines="hub:full")
    assert await worker.fail(second, "busy", retryable=True)
    assert await it.places() == [("preview", ""), ("hub", "spare,preview")]
    assert logs(await it.customer.see(tasks[1].id)) == ["attempt 1: busy"]


async def test_a_waiting_task_is_sent_on_and_may_come_back(provided: Open) -> None:
    """When nobody works for its engine any more; the log says so, and no attempt is counted."""
    it = await provided(HUB, SPARE)
    task = await it.customer.order()
    await it.says(DEV, engines="hub:full spare:full")
    assert await it.services.tasks.reroute() == 0
    await it.says(DEV, engines="spare:full")
    assert await it.services.tasks.reroute() == 1
    assert await it.places() == [("spare", "hub")]
    await it.says(DEV, engines="hub:full")
    assert await it.services.tasks.reroute() == 1
    assert await it.places() == [("hub", "spare")]
    worker = await it.says(DEV, engines="hub:full")
    (work,) = await worker.claim()
    assert (work.engine, work.attempt) == ("hub", 1)
    assert await worker.complete(work)
    ended = await it.customer.see(task.id)
    assert (ended.engine, ended.attempt) == ("hub", 1)
    assert logs(ended) == ["nobody works for hub at present", "nobody works for spare at present"]


async def test_an_engine_that_failed_is_not_come_back_to(provided: Open) -> None:
    """A route is never walked twice by failures: the task waits where it is."""
    it = await provided(HUB, SPARE)
    await it.customer.order()
    worker = await it.says(DEV, engines="hub:full spare:full")
    (work,) = await worker.claim()
    assert await worker.fail(work, "busy", retryable=True)
    await it.says(DEV, engines="hub:full")
    assert await it.services.tasks.reroute() == 0
    assert await it.places() == [("spare", "")]


async def test_where_nothing_is_offered_a_task_waits(provided: Open) -> None:
    """For its own engine, also where a worker is there that makes nothing at present."""
    it = await provided(HUB, SPARE)
    task = await it.customer.order()
    assert await it.services.tasks.reroute() == 0
    await it.says(engines="hub:full spare:full")
    assert await it.services.tasks.reroute() == 0
    await it.says("Qubico/tts/zero-shot", engines="preview:preview")
    assert await it.services.tasks.reroute() == 0
    assert await it.places() == [("hub", "spare")]
    assert (await it.customer.see(task.id)).status is Status.PENDING


async def test_a_running_task_is_not_sent_on(provided: Open) -> None:
    """What its worker says of the next tasks does not concern this one."""
    it = await provided(HUB, SPARE)
    await it.customer.order()
    worker = await it.says(DEV, engines="hub:full spare:full")
    (work,) = await worker.claim()
    await it.says(DEV, engines="spare:full")
    assert await it.services.tasks.reroute() == 0
    assert await worker.complete(work)


async def test_a_hundred_waiting_tasks_are_sent_on_together(provided: Open) -> None:
    """And the rest the next time; each goes to the end of nobody's line but its account's."""
    it = await provided(HUB, SPARE)
    await it.customer.orders(101)
    await it.says(DEV, engines="spare:full")
    assert [await it.services.tasks.reroute() for _ in range(3)] == [100, 1, 0]
    assert {place[0] for place in await it.places()} == {"spare"}


@pytest.mark.parametrize(("limits", "limit_s"), [({"limit_s": "60"}, 60), ({}, 1800)], ids=["its own", "the usual one"])
async def test_an_attempt_at_a_provider_has_the_time_that_the_operator_gives_it(
    provided: Open, limits: dict[str, str], limit_s: int
) -> None:
    """Also where that is less than the product has elsewhere."""
    it = await provided(provider("hub", **limits))
    await it.customer.order()
    worker = await it.says(DEV, engines="hub:full")
    (work,) = await worker.claim()
    assert work.attempt_deadline == it.clock.now_us() + limit_s * SECOND_US
