"""Points come in, are corrected, held, charged and expire; statements, prices and keys as their owners see them."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.accounts import ACTOR, open_account
from support.answers import accepted, refused
from support.books import troubles
from support.clock import ManualClock
from support.customer import Customer
from support.keys import API_KEY
from support.machine import Machine
from support.orders import CAT, CAT_POINTS
from support.sql import rows
from support.worker import HandWorker
from unitask.accounts.model import CUSTOMER_SCOPES, Account, Scope
from unitask.api import Application
from unitask.app import Services
from unitask.billing.model import Kind
from unitask.kit.clock import DAY_US, SECOND_US
from unitask.kit.errors import Conflict, InsufficientCredits
from unitask.settings import Settings

DAY_S = 24 * 3600
STATEMENT = "/api/v1/statement"


@pytest.fixture
async def poor(services: Services) -> AsyncIterator[Customer]:
    """Someone without a point; after the story the books must be right."""
    yield await Customer.of(services, "poor", points=0)
    assert await troubles(services.database) == []


@pytest.fixture
async def client(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """Speak to the application; each request says who sends it."""
    transport = httpx.ASGITransport(Application(services), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://unitask.test") as opened:
        yield opened


def points(account: Account) -> tuple[int, int, int]:
    """Give what is available, held and used."""
    return account.available_points, account.held_points, account.used_points


async def packs(customer: Customer) -> list[tuple[int, int, int]]:
    """Read the packs: what came in, what remains, what expired."""
    found = await customer.services.credit.packs(await customer.account())
    return [(pack.capacity, pack.remaining, pack.expired) for pack in found]


async def test_a_payment_that_is_reported_many_times_is_booked_once(services: Services, poor: Customer) -> None:
    """Also at the same moment: all get the same pack. Another amount under its number is refused."""
    account_id = poor.caller.account_id

    async def report(number: int = 500, reference: str = "pay-1") -> int:
        return (await services.credit.top_up(account_id, number, actor=ACTOR, reference=reference)).id

    assert len(set(await asyncio.gather(*(report() for _ in range(8))))) == 1
    with pytest.raises(Conflict, match="'pay-1' was used for another top-up"):
        await report(501)
    assert await packs(poor) == [(500, 500, 0)]
    await report(501, "pay-2")
    assert points(await poor.account()) == (1001, 0, 0)
    entries = await rows(services.database, "select kind, points from ledger order by id")
    assert entries == [{"kind": "top_up", "points": 500}, {"kind": "top_up", "points": 501}]


async def test_no_more_is_taken_back_than_is_available(services: Services, poor: Customer) -> None:
    """What a running task holds is not available; the last point is. An unlimited account may go below zero."""
    account_id = poor.caller.account_id
    await services.credit.top_up(account_id, CAT_POINTS + 10, actor=ACTOR)
    await poor.order()
    for too_much in (11, CAT_POINTS + 10):
        with pytest.raises(InsufficientCredits, match=f"10 points are available, {too_much} cannot be taken"):
            await services.credit.adjust(account_id, -too_much, actor=ACTOR, reason="too much")
    assert points(await services.credit.adjust(account_id, -10, actor=ACTOR, reason="all")) == (0, CAT_POINTS, 0)
    house = await open_account(services, "house", unlimited=True)
    after = await services.credit.adjust(house.account_id, -10, actor=ACTOR, reason="as it is")
    assert after.available_points == -10


@pytest.mark.parametrize("ends_well", [True, False])
async def test_a_pack_that_expires_while_a_task_holds_a_part_of_it(
    services: Services, poor: Customer, worker: HandWorker, clock: ManualClock, *, ends_well: bool
) -> None:
    """The rest goes at its time; the held part is charged if the task completes, and expires if it is given back."""
    account_id = poor.caller.account_id
    ends_at = clock.now_us() + DAY_US // 2
    await services.credit.top_up(account_id, CAT_POINTS + 70, actor=ACTOR, expires_at=ends_at)
    await services.credit.top_up(account_id, 5, actor=ACTOR)
    await poor.order()
    (work,) = await worker.claim()
    await services.credit.expire()
    assert points(await poor.account()) == (75, CAT_POINTS, 0), "it is not yet the time"
    clock.time_us = ends_at
    await services.credit.expire()
    await services.credit.expire()
    assert points(await poor.account()) == (5, CAT_POINTS, 0)
    assert await packs(poor) == [(CAT_POINTS + 70, CAT_POINTS, 70), (5, 5, 0)]
    await worker.beat(work)
    assert await (worker.complete(work) if ends_well else worker.fail(work))
    await services.credit.expire()
    assert points(await poor.account()) == (5, 0, CAT_POINTS if ends_well else 0)
    assert await packs(poor) == [(CAT_POINTS + 70, 0, 70 if ends_well else CAT_POINTS + 70), (5, 5, 0)]
    with pytest.raises(InsufficientCredits):
        await poor.order()


async def test_an_account_that_becomes_prepaid_owes_nothing_and_keeps_what_it_has(
    services: Services, worker: HandWorker
) -> None:
    """With a task running, whether it was below zero or above; from then on packs cover what there is."""
    for name, before, left in (("debtor", 0, 0), ("saver", 3 * CAT_POINTS, CAT_POINTS)):
        customer = await Customer.of(services, name, points=before, unlimited=True)
        await customer.orders(2)
        (done, running) = await worker.claim(2)
        await worker.complete(done)
        account = await services.registry.set_account(customer.caller.account_id, actor=ACTOR, unlimited=False)
        assert points(account) == (left, CAT_POINTS, CAT_POINTS)
        assert sum(remaining for _, remaining, _ in await packs(customer)) == left + CAT_POINTS
        await worker.complete(running)
        for _ in range(left // CAT_POINTS):
            await customer.order()
        with pytest.raises(InsufficientCredits):
            await customer.order()
        assert await troubles(services.database) == []


async def history(services: Services, customer: Customer, worker: HandWorker) -> None:
    """Let every kind of movement happen in some days, several of them in the same microsecond."""
    clock = services.clock
    assert isinstance(clock, ManualClock)
    account_id = customer.caller.account_id
    ends_at = clock.now_us() + 2 * DAY_US
    reason = '=1+1, "quoted"\nand more'
    await services.credit.top_up(account_id, 3 * CAT_POINTS, actor=ACTOR, reason=reason, expires_at=ends_at)
    await services.credit.top_up(account_id, 4 * CAT_POINTS, actor=ACTOR, reference="pay-1")
    await services.credit.adjust(account_id, 33, actor=ACTOR, reason="sorry")
    await services.credit.adjust(account_id, -500, actor=ACTOR, reason="-too much")
    clock.pass_s(DAY_S)
    await customer.orders(3)
    first, second, _ = await worker.claim(3)
    await worker.complete(first)
    await worker.fail(second)
    clock.pass_s(2 * DAY_S)
    await services.tasks.reap()
    await services.credit.expire()
    clock.pass_s(1)
    assert {row["kind"] for row in await rows(services.database, "select distinct kind from ledger")} == set(Kind)


async def statement(client: httpx.AsyncClient, customer: Customer, **query: Any) -> dict[str, Any]:
    """Read a page of the statement."""
    return accepted(await client.get(STATEMENT, params=query, headers=customer.headers))


async def test_a_statement_adds_up(
    services: Services, client: httpx.AsyncClient, poor: Customer, worker: HandWorker, clock: ManualClock
) -> None:
    """Opening and changes give the closing, over all and over each stretch; one stretch closes as the next opens."""
    began_s = clock.now_us() // SECOND_US
    await history(services, poor, worker)
    whole = await statement(client, poor)
    changes = sum(line["change_points"] for line in whole["lines"])
    assert (whole["opening_points"], whole["closing_points"]) == (0, changes)
    assert whole["closing_points"] == (await poor.account()).available_points
    bounds = [0, began_s, began_s + 1, began_s + DAY_S, began_s + DAY_S + 1, began_s + 3 * DAY_S, began_s + 9 * DAY_S]
    stretches = [await statement(client, poor, start_time=start, end_time=end) for start, end in pairwise(bounds)]
    for stretch in stretches:
        changes = sum(line["change_points"] for line in stretch["lines"])
        assert stretch["opening_points"] + changes == stretch["closing_points"]
        for kind, total in stretch["totals"].items():
            found = [line["points"] for line in stretch["lines"] if line["kind"] == kind]
            assert total == {"count": len(found), "points": sum(found)}
    opening = [stretch["opening_points"] for stretch in stretches]
    assert opening[1:] == [stretch["closing_points"] for stretch in stretches][:-1]
    assert [line for stretch in stretches for line in stretch["lines"]] == whole["lines"]
    assert len([stretch for stretch in stretches if stretch["lines"]]) == 3


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
async def test_a_statement_is_the_same_by_pages_and_as_csv(
    services: Services, client: httpx.AsyncClient, poor: Customer, worker: HandWorker, size: int
) -> None:
    """Every movement once and in its order, whatever fits on a page; the table has the same values."""
    await history(services, poor, worker)
    whole = (await statement(client, poor))["lines"]
    assert len({line["time"] for line in whole}) < len(whole), "some happened at the same moment"
    pages, cursor = [], ""
    while cursor is not None:
        page = await statement(client, poor, limit=size, cursor=cursor)
        assert 0 < len(page["lines"]) <= size
        pages += page["lines"]
        cursor = page["next_cursor"]
    assert pages == whole
    answer = await client.get(STATEMENT, params={"format": "csv", "limit": size}, headers=poor.headers)
    table = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    for row, line in zip(table, whole, strict=True):
        disarmed = f"'{line['reason']}" if line["reason"][:1] in {"=", "-"} else line["reason"]
        same = {**line, "task_id": line["task_id"] or "", "reason": disarmed, "change_usd": row["change_usd"]}
        assert row == {name: str(value) for name, value in same.items()}
        assert round(float(row["change_usd"]) * 10_000_000) == line["change_points"]
        assert len(row["change_usd"].partition(".")[2]) == 7


async def test_the_first_key_may_administer_unless_it_was_preset(settings: Settings, clock: ManualClock) -> None:
    """Whoever starts a server alone needs no other key; one that others know by then is a customer's."""
    for preset, scopes in ((None, frozenset(Scope)), (settings.api_key, CUSTOMER_SCOPES)):
        services = await Services.open(settings.model_copy(update={"api_key": preset}), clock)
        shown = await services.first_key()
        assert shown is not None
        assert (await services.accounts.authenticate(shown)).scopes == scopes
        assert await services.first_key() is None
        await services.close()
    assert shown == API_KEY


async def test_the_last_use_of_a_key_is_written_down_to_the_minute(
    services: Services, client: httpx.AsyncClient, poor: Customer, clock: ManualClock
) -> None:
    """By the housekeeping of every process; of keys that were used, and of no other."""
    (mine,) = await services.keyring.keys(poor.caller.account_id)

    async def noted() -> list[int | None]:
        for chore in services.chores().everywhere:
            await chore()
        return [key.last_used_at for key in await services.keyring.keys()]

    first = clock.now_us()
    assert await noted() == [None, first], "opening an account looks its key up"
    for seconds, expected in ((59, first), (2, first + 61 * SECOND_US)):
        clock.pass_s(seconds)
        accepted(await client.get("/account/info", headers=poor.headers))
        refused(await client.get("/account/info", headers={"X-API-Key": "no key"}), 401)
        assert await noted() == [None, expected]
    clock.pass_s(DAY_S)
    assert await noted() == [None, first + 61 * SECOND_US]
    listed = accepted(await client.get("/api/v1/keys", headers=poor.headers))["keys"]
    assert [(key["id"], key["last_used_at"]) for key in listed] == [(mine.id, "2027-01-15T08:01:01Z")]


@pytest.fixture
async def dear(settings: Settings, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Services]:
    """Open the services with prices of the operator's own."""
    file = tmp_path / "prices.toml"
    file.write_text('"Qubico/*" = "1"\n"qubico/FLUX1-dev/*" = "0.0300001"\n"Qubico/flux1-schnell/txt2img" = 0.5\n')
    opened = await Services.open(settings.model_copy(update={"prices": file}), clock)
    yield opened
    await opened.close()


async def test_own_prices_hold_from_the_quote_to_the_charge(dear: Services) -> None:
    """The last pattern that fits decides; the catalogue tells the same price, and the hold is the quote."""
    customer = await Customer.of(dear)
    transport = httpx.ASGITransport(Application(dear), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://unitask.test") as client:
        listed = accepted(await client.get("/api/v1/catalogue", headers=customer.headers))
        prices = {f"{one['model']}/{one['task_type']}": one["price"]["points"] for one in listed}
        four = {**CAT, "model": "Qubico/flux1-schnell", "input": {"prompt": "cats", "batch_size": 4}}
        for order, expected in ((CAT, 300_001), (four, 4 * 5_000_000)):
            quoted = accepted(await client.post("/api/v1/quote", json=order, headers=customer.headers))
            assert quoted["points"] == expected
            before = await customer.account()
            task = accepted(await client.post("/api/v1/task", json=order, headers=customer.headers))
            assert task["meta"]["usage"]["frozen"] == expected
            (work,) = await HandWorker(dear).claim()
            assert await HandWorker(dear).complete(work)
            assert (await customer.see(task["task_id"])).charged_points == expected
            assert (await customer.account()).used_points - before.used_points == expected
    assert prices["Qubico/flux1-dev/txt2img"] == 300_001
    assert prices["Qubico/flux1-schnell/txt2img"] == 5_000_000
    assert prices["Qubico/tts/zero-shot"] == 10_000_000
    assert await troubles(dear.database) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "{wrong}[Errno 2] No such file or directory"),
        ('"Qubico/*" = ', "{wrong}Invalid value"),
        ('"Qubico/*" = "1,50"', "{wrong}not a price in dollars: '1,50'"),
        ('"Qubico/*" = "-1"', "{wrong}not a price in dollars: '-1'"),
        ('"Qubico/*" = "1.00000001"', "{wrong}not a price in dollars: '1.00000001'"),
        ('"Qubico/*" = true', "{wrong}not a price in dollars: 'True'"),
        ('[Qubico]\ntts = "1"', "{wrong}not a price in dollars: "),
        ('"Qubico/*" = "100001"', "{wrong}'100001' is more than 100000 dollars a unit"),
        (
            '"Qubico/flux1-shnell/txt2img" = "1"',
            "the price list names 'Qubico/flux1-shnell/txt2img', which is no product; did you mean ",
        ),
    ],
    ids=["no-file", "no-toml", "comma", "below", "too-fine", "no-number", "table", "too-much", "no-product"],
)
def test_a_price_list_that_cannot_be_stops_the_start(machine: Machine, text: str | None, sentence: str) -> None:
    """With one sentence that says which file and what is wrong with it: nothing is sold at a price nobody meant."""
    machine.prepare()
    file = machine.folder / "prices.toml"
    if text is not None:
        file.write_text(text)
    ended = machine.run("serve", PRICES=str(file))
    assert ended.returncode == 1
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("unitask: ")]
    assert line.startswith(f"unitask: {sentence.format(wrong=f'UNITASK_PRICES is wrong: {file}: ')}")
    assert "Traceback" not in ended.stderr
