"""Tasks lie by months where the database can do that, and old ones go when the operator says so."""

from typing import Any

import pytest

from support.clock import ManualClock
from support.customer import Customer
from support.sql import rows
from support.worker import HandWorker
from unitask.administration import books
from unitask.app import Services
from unitask.kit.clock import SECOND_US
from unitask.kit.errors import NotFound
from unitask.kit.months import Month
from unitask.tasks.months import AHEAD, Months

MONTH_S = 31 * 24 * 3600


def kept_by(services: Services, months: int) -> Months:
    """Tend the history of an operator who keeps so many months."""
    return Months(services.database, services.clock, months, services.tasks.claims.vigil)


async def partitions(services: Services) -> list[str]:
    """List the months that are open."""
    found: list[dict[str, Any]] = await rows(
        services.database,
        "select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid "
        "where i.inhparent = 'tasks'::regclass order by c.relname",
    )
    return [row["name"] for row in found]


async def lies_in(services: Services, task_id: str) -> str:
    """Tell the month in which a task lies."""
    found = await rows(
        services.database, "select tableoid::regclass::text as place from tasks where id = :id", id=task_id
    )
    return str(found[0]["place"])


def only_postgres(services: Services) -> None:
    """Skip where tasks are one table."""
    if services.settings.database.startswith("sqlite"):
        pytest.skip("SQLite has no partitions")


def test_months_follow_each_other_over_the_turn_of_the_year() -> None:
    """Forwards and backwards; their ids sort as they do."""
    month = Month(2026, 11)
    assert [month.after(n) for n in (-11, -1, 0, 1, 2)] == [
        Month(2025, 12), Month(2026, 10), month, Month(2026, 12), Month(2027, 1)
    ]  # fmt: skip
    assert Month(2026, 12).first_id < month.after(2).first_id
    assert Month.of(1_800_000_000 * SECOND_US) == Month(2027, 1)
    assert Month(987, 1).partition < Month(2026, 9).partition < Month(2026, 10).partition


async def test_the_months_to_come_are_open(services: Services, clock: ManualClock) -> None:
    """The present one and three more, again and again; a second look changes nothing."""
    only_postgres(services)
    for _ in range(3):
        await services.months.tend()
        before = await partitions(services)
        present = Month.of(clock.now_us())
        assert {present.after(n).partition for n in range(AHEAD + 1)} <= set(before)
        await kept_by(services, 0).tend()
        assert await partitions(services) == before
        clock.pass_s(2 * MONTH_S)


async def test_a_task_from_before_its_month_was_opened_moves_into_it(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker
) -> None:
    """A server that was off for half a year takes orders at once; nothing of them changes when their month opens."""
    only_postgres(services)
    clock.pass_s(8 * MONTH_S)
    task = await customer.order()
    assert await lies_in(services, task.id) == "tasks_rest"
    await services.months.tend()
    assert await lies_in(services, task.id) == Month.of(clock.now_us()).partition
    assert (await customer.see(task.id)).input == task.input
    (work,) = await worker.claim()
    assert await worker.complete(work, {})


async def test_old_months_are_forgotten_and_nothing_else(
    services: Services, clock: ManualClock, worker: HandWorker
) -> None:
    """Whole months before those that are kept; what was paid for them stays in the books."""
    customer = await Customer.of(services)
    tend = kept_by(services, 2).tend
    await tend()
    made = []
    for _ in range(5):
        task = await customer.order()
        (work,) = await worker.claim()
        assert await worker.complete(work, {})
        made.append(task.id)
        clock.pass_s(MONTH_S)
        await tend()
    clock.pass_s(3600)
    await tend()
    first = Month.of(clock.now_us()).after(-2).first_id
    for task_id in made:
        if task_id < first:
            with pytest.raises(NotFound):
                await customer.see(task_id)
        else:
            assert (await customer.see(task_id)).id == task_id
    assert made[1] < first <= made[-2]
    assert len(await rows(services.database, "select id from ledger where kind = 'capture'")) == len(made)
    assert await books.troubles(services.database) == []


async def test_a_task_that_lives_is_not_forgotten(services: Services, clock: ManualClock, customer: Customer) -> None:
    """Not even when its whole month is past."""
    task = await customer.order()
    clock.pass_s(6 * MONTH_S)
    await kept_by(services, 1).tend()
    assert (await customer.see(task.id)).id == task.id


async def test_all_is_kept_unless_the_operator_says_otherwise(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker
) -> None:
    """History has no end by itself."""
    task = await customer.order()
    (work,) = await worker.claim()
    assert await worker.complete(work, {})
    clock.pass_s(40 * MONTH_S)
    await services.months.tend()
    assert (await customer.see(task.id)).id == task.id
