"""Providers as a real worker meets them: made there, refused there, away; with the operator's key or an account's."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sim.faults import status
from sim.provider import served
from sim.unified import POINTS, Unified
from support.clock import ManualClock
from support.orders import CAT_POINTS
from support.provided import Open, Provided, in_a_hurry, opening, provider, route
from support.sql import rows
from unitask.app import Services
from unitask.kit.errors import Unavailable
from unitask.provenance.manifest import Input
from unitask.provenance.marks import read
from unitask.settings import Settings
from unitask.tasks.model import Status, Task

BOTH = route('"hub"', '"spare"')
OWN = "sk-of-the-customer"
TRIES = 4


@pytest.fixture
async def provided(settings: Settings, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """Open services with these providers and routes; at the end the books must be right."""
    in_a_hurry(monkeypatch)
    async with opening(settings, clock, monkeypatch) as make:
        yield make


def error(task: Task) -> str:
    """Read why a task failed."""
    return str(json.loads(task.error or "{}").get("message"))


def logs(task: Task) -> str:
    """Read what a task's log says."""
    return "; ".join(json.loads(task.logs))


async def ledger(it: Provided, task: Task) -> list[tuple[str, int]]:
    """List the movements of a task, the oldest first."""
    found = await rows(it.services.database, "select kind, points, task_id from ledger order by id")
    return [(row["kind"], row["points"]) for row in found if str(row["task_id"]) == task.id]


async def test_a_task_is_made_by_the_provider_and_charged_at_our_price(provided: Open) -> None:
    """What it cost us stands beside what it cost the customer; the file lies with us."""
    with served(Unified()) as sim:
        it = await provided(provider("hub", sim.url))
        async with it.working("hub"):
            task = await it.ended(await it.customer.order())
    assert (task.status, task.engine, task.engine_level, task.attempt) == (Status.COMPLETED, "hub", "full", 1)
    assert (task.charged_points, task.cost_points) == (CAT_POINTS, POINTS)
    assert "unitask-artifact:" in str(task.output)
    assert (sim.submitted, sim.job.headers["x-api-key"]) == (1, Unified.key)


async def test_what_a_provider_made_is_marked_by_us(provided: Open) -> None:
    """By a trained model, as far as we know; both marks, and our own signature."""
    with served(Unified()) as sim:
        it = await provided(provider("hub", sim.url))
        async with it.working("hub"):
            task = await it.ended(await it.customer.order())
    artifacts, signer = it.services.artifacts, it.services.signing.signer()
    assert signer is not None
    name = artifacts.own_path(json.loads(str(task.output))["image_url"])
    path = await artifacts.locate(await artifacts.find(str(name)), "GET")
    assert isinstance(path, Path)
    found = read(Input(path=path, extension=path.suffix[1:]), signer.trust)
    assert found["digital_source_type"] == "trainedAlgorithmicMedia"
    assert (found["marks"], found["c2pa"]["is_ours"], found["c2pa"]["problems"]) == (["c2pa", "iptc"], True, [])


async def test_nobody_at_the_address_sends_the_task_on(provided: Open) -> None:
    """Refused connections are tried a few times, then the next of the route has it at once; no attempt is counted."""
    with served(Unified()) as spare:
        with served(Unified()) as hub:
            it = await provided(provider("hub", hub.url), provider("spare", spare.url), BOTH, max_attempts=1)
            working = it.working("hub", "spare")
            async with AsyncExitStack() as stack:
                worker = await stack.enter_async_context(working)
                held = stack.pop_all()
        async with held:
            task = await it.ended(await it.customer.order())
            assert worker.worker._remote["hub"].health.failures >= 1
    assert (task.status, task.engine, spare.submitted, hub.submitted) == (Status.COMPLETED, "spare", 1, 0)
    assert "attempt 1: " in logs(task)
    assert "no connection" in logs(task)


@pytest.mark.parametrize("code", [429, 500, 503, 401, 402, 403])
async def test_a_provider_that_cannot_serve_sends_the_task_on(provided: Open, code: int) -> None:
    """It is busy, broken, or does not take the operator's key or money; the log says what it answered."""
    with served(Unified()) as hub, served(Unified()) as spare:
        it = await provided(provider("hub", hub.url), provider("spare", spare.url), BOTH)
        async with it.working("hub", "spare"):
            hub.faults.add("submit", status(code), times=TRIES)
            task = await it.ended(await it.customer.order())
    assert (task.status, task.engine, hub.submitted, spare.submitted) == (Status.COMPLETED, "spare", 0, 1)
    assert f"it answered {code}" in logs(task)


async def test_a_job_that_fails_there_for_its_own_reasons_is_made_by_the_next(provided: Open) -> None:
    """A provider's trouble is not the customer's."""
    with served(Unified()) as hub, served(Unified()) as spare:
        it = await provided(provider("hub", hub.url), provider("spare", spare.url), BOTH)
        hub.fail("the model broke")
        async with it.working("hub", "spare"):
            task = await it.ended(await it.customer.order())
    assert (task.status, task.engine, hub.submitted, spare.submitted) == (Status.COMPLETED, "spare", 1, 1)
    assert logs(task) == "attempt 1: backend: the model broke"


@pytest.mark.parametrize("how", ["refused", "failed"])
async def test_bad_input_goes_to_no_other_provider(provided: Open, how: str) -> None:
    """Neither where the order is refused nor where the job fails for it; nobody is charged, and no job is left."""
    with served(Unified()) as hub, served(Unified()) as spare:
        it = await provided(provider("hub", hub.url), provider("spare", spare.url), BOTH)
        if how == "refused":
            hub.faults.add("submit", status(422))
        else:
            hub.fail("failed to get valid image: it has expired")
        async with it.working("hub", "spare"):
            task = await it.ended(await it.customer.order())
        assert (task.status, task.engine, task.attempt, spare.submitted) == (Status.FAILED, "hub", 1, 0)
        assert "hub refused the order" in error(task) if how == "refused" else error(task).startswith("failed to get")
        assert await ledger(it, task) == [("hold", CAT_POINTS), ("release", CAT_POINTS)]
        assert await rows(it.services.database, "select task_id from leftovers") == []


async def test_what_every_provider_fails_at_fails_with_the_last_reason(provided: Open) -> None:
    """And with all of them in its log."""
    with served(Unified()) as hub, served(Unified()) as spare:
        it = await provided(provider("hub", hub.url), provider("spare", spare.url), BOTH)
        hub.fail("the first broke")
        spare.fail("the second broke")
        async with it.working("hub", "spare"):
            task = await it.ended(await it.customer.order())
    assert (task.status, task.engine, error(task)) == (Status.FAILED, "spare", "the second broke")
    assert logs(task) == "attempt 1: backend: the first broke; attempt 2: backend: the second broke"


async def give_key(it: Provided, key: str = OWN) -> None:
    """Let the customer leave a key of its own for the hub."""
    await it.services.provider_keys.give(it.customer.caller.account_id, "hub", key, actor="a test")


async def test_an_account_with_its_own_key_pays_the_provider_and_not_us(
    provided: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is ordered with its key, nothing is captured, and the task cost the operator nothing."""
    monkeypatch.delenv("UNITASK_KEY_HUB")
    monkeypatch.setattr(Unified, "key", OWN)
    with served(Unified()) as sim:
        it = await provided(provider("hub", sim.url, own_key_only="true"))
        await give_key(it)
        before = await it.customer.books()
        async with it.working("hub"):
            task = await it.ended(await it.customer.order())
        assert task.status is Status.COMPLETED, task.error
        assert sim.job.headers["x-api-key"] == OWN
        assert (task.charged_points, task.cost_points) == (0, 0)
        assert await ledger(it, task) == [("hold", CAT_POINTS), ("capture", 0), ("release", CAT_POINTS)]
        assert await it.customer.books() == before


async def test_a_provider_for_own_keys_serves_nobody_else(provided: Open) -> None:
    """The refusal says where to leave a key; where the route has another engine, that one makes it."""
    it = await provided(provider("hub", own_key_only="true"), route('"hub"'))
    with pytest.raises(Unavailable, match="PUT /api/v1/account/credentials/hub"):
        await it.customer.order()
    await give_key(it)
    await it.customer.order()
    assert await it.places() == [("hub", "")]


async def test_without_a_key_of_its_own_an_account_is_sent_past_the_provider(provided: Open) -> None:
    """Also by failures: it is in nobody's route who left no key."""
    it = await provided(provider("hub", own_key_only="true"), provider("spare"), route('"spare"', '"hub"', '"preview"'))
    await it.customer.order()
    await give_key(it)
    await it.customer.order()
    assert await it.places() == [("spare", "preview"), ("spare", "hub,preview")]


async def test_with_a_key_of_its_own_an_order_costs_the_operator_nothing(provided: Open) -> None:
    """So that it is within any bound of cost."""
    bound = route('{ engine = "hub", cost_at_most = "0.001" }', '"preview"')
    it = await provided(provider("hub", costs='{ "*" = "0.01" }'), bound)
    await it.customer.order()
    await give_key(it)
    await it.customer.order()
    assert [engine for engine, _ in await it.places()] == ["preview", "hub"]


async def test_an_own_key_that_the_provider_does_not_take_fails_the_task(provided: Open) -> None:
    """Neither the operator's key nor another provider is used in its place; no key is in what is said."""
    with served(Unified()) as hub, served(Unified()) as spare:
        it = await provided(provider("hub", hub.url), provider("spare", spare.url), BOTH)
        await give_key(it, "sk-that-is-wrong")
        async with it.working("hub", "spare"):
            task = await it.ended(await it.customer.order())
    assert (task.status, hub.submitted, spare.submitted) == (Status.FAILED, 0, 0)
    assert "hub does not serve your own key" in error(task)
    assert "sk-" not in f"{task.error} {task.logs}"


async def reopened(it: Provided, **changes: Any) -> Provided:
    """Open another process with other settings on the same database."""
    services = await Services.open(it.services.settings.model_copy(update=changes), it.clock)
    return replace(it, services=services, customer=replace(it.customer, services=services))


async def test_a_key_that_cannot_be_read_any_more_fails_the_task_with_a_sentence(provided: Open) -> None:
    """The operator's key, which would do, is not used for it, and nobody is charged."""
    with served(Unified()) as sim, served(Unified()) as spare:
        it = await provided(provider("hub", sim.url), provider("spare", spare.url), BOTH)
        await give_key(it)
        later = await reopened(it, secret=SecretStr("another-secret-for-tests"))
        async with later.working("hub", "spare"):
            task = await later.ended(await later.customer.order())
        assert (task.status, sim.submitted, spare.submitted) == (Status.FAILED, 0, 0)
        assert error(task) == "your own key for hub cannot be read any more: give it again or take it back"
        assert await ledger(later, task) == [("hold", CAT_POINTS), ("release", CAT_POINTS)]
        await later.services.close()
