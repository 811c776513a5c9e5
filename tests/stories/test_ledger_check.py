"""The check of the books finds a ledger that somebody has altered, also while the installation works."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from support.accounts import ACTOR
from support.clock import ManualClock
from support.customer import Customer
from support.installation import LIMIT_S, Installation, ended, order
from support.keys import API_KEY
from support.orders import CAT_POINTS
from support.sql import rows, sql
from support.wait import answered
from support.worker import HandWorker
from unitask.administration.books import troubles
from unitask.app import Services
from unitask.billing.model import Kind
from unitask.db import Database, open_database
from unitask.kit.clock import DAY_US

ALTERATIONS: Final = {
    "more points": "update ledger set points = points + 1 where id = :id",
    "fewer points": "update ledger set points = points - 1 where id = :id",
    "the other way round": "update ledger set debit = credit, credit = debit where id = :id",
    "from nowhere": "update ledger set debit = 'elsewhere' where id = :id",
    "another kind": (
        "update ledger set kind = case when kind in ('top_up', 'adjust_up') then 'expire' else 'top_up' end "
        "where id = :id"
    ),
    "another account": "update ledger set account_id = account_id + 1 where id = :id",
    "no account": "update ledger set account_id = 987654 where id = :id",
    "gone": "delete from ledger where id = :id",
    "twice": (
        "insert into ledger (account_id, kind, debit, credit, points, created_at) "
        "select account_id, kind, debit, credit, points, created_at from ledger where id = :id"
    ),
}


async def alter(database: Database, statement: str, **parameters: Any) -> None:
    """Do what no part of Unitask does."""
    await database.write(lambda tx: tx.execute(sql(statement), **parameters))


async def restore(database: Database, before: list[dict[str, Any]]) -> None:
    """Write the ledger anew."""
    await alter(database, "delete from ledger where id > 0")
    names = ", ".join(before[0])
    values = ", ".join(f":{name}" for name in before[0])
    for row in before:
        await alter(database, f"insert into ledger ({names}) values ({values})", **row)


async def test_every_altered_row_is_found(
    services: Services, worker: HandWorker, clock: ManualClock, subtests: pytest.Subtests
) -> None:
    """Of each kind, and whatever was altered about it that moves points."""
    customer = await Customer.of(services, points=3 * CAT_POINTS)
    await Customer.of(services, "neighbour")
    account_id = customer.caller.account_id
    await services.credit.top_up(account_id, 50, actor=ACTOR, expires_at=clock.now_us() + 1)
    await services.credit.adjust(account_id, 20, actor=ACTOR, reason="sorry")
    await services.credit.adjust(account_id, -30, actor=ACTOR, reason="too much")
    clock.pass_s(DAY_US)
    await services.credit.expire()
    await customer.orders(3)
    (done, broken) = await worker.claim(2)
    assert await worker.complete(done)
    assert await worker.fail(broken)
    assert await troubles(services.database) == []
    before = await rows(services.database, "select * from ledger order by id")
    assert {row["kind"] for row in before} == set(Kind)
    for row in before:
        for what, statement in ALTERATIONS.items():
            with subtests.test(f"{row['kind']}: {what}"):
                await alter(services.database, statement, id=row["id"])
                assert await troubles(services.database) != []
                await restore(services.database, before)
    assert await troubles(services.database) == []


@pytest.fixture
def installation(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    """Install; whatever runs at the end is killed."""
    made = Installation(tmp_path, database_url)
    yield made
    made.end()


async def check(installation: Installation) -> tuple[int, str]:
    """Run the command; gives its status and what it prints."""
    command = [sys.executable, "-m", "unitask", "ledger", "check"]
    run = await asyncio.to_thread(
        subprocess.run, command, env=installation._environment, capture_output=True, text=True
    )
    assert run.stderr == ""
    return run.returncode, run.stdout


async def test_an_altered_row_is_found_while_tasks_run(installation: Installation) -> None:
    """The command says that the books are right while tasks come and go; of an altered row it names the account."""
    database = await open_database(installation.database_url)
    await installation.serve(with_worker=True)
    async with installation.client({"X-API-Key": API_KEY}) as client:
        first = (await client.post("/api/v1/task", json=order("ok"))).json()["data"]["task_id"]
        await ended(client, [first])
        more = [
            (await client.post("/api/v1/task", json=order("slow_steps", seconds=0.2))).json()["data"]["task_id"]
            for _ in range(10)
        ]
        assert await check(installation) == (0, "The books are right: 1 account.\n")
        await alter(
            database, "update ledger set points = points + 1 where task_id = :id and kind = 'capture'", id=first
        )
        status, said = await check(installation)
        assert status == 1
        assert f"task {first} is completed: held 10000, captured 10001, released 0, charged 10000\n" in said
        assert "account 1: used is " in said
        await alter(
            database, "update ledger set points = points - 1 where task_id = :id and kind = 'capture'", id=first
        )
        await ended(client, more)

        async def right() -> bool:
            return await check(installation) == (0, "The books are right: 1 account.\n")

        assert await answered(right, within_s=LIMIT_S)
    await database.close()
