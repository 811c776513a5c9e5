"""Everything through a real PgBouncer in transaction mode, whose connections belong to nobody for long."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from support.books import troubles
from support.clock import ManualClock
from support.customer import Customer
from support.installation import Installation, ended, order
from support.keys import API_KEY
from support.pooler import CONNECTIONS, pooler
from support.sink import receiving
from support.sql import rows
from support.wait import answered, seen
from support.worker import HandWorker
from unitask.app import Services
from unitask.settings import Settings, WrongSetting

SHARED = """
select count(*) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and query not ilike 'listen%'"""


@pytest.fixture(scope="module")
def pooled(postgres_server: str) -> Iterator[str]:
    """Run PgBouncer for these tests."""
    with pooler(postgres_server) as address:
        yield address


@pytest.fixture
def database_source(postgres_server: str) -> str:
    """PostgreSQL alone."""
    return postgres_server


@pytest.fixture
def settings(settings: Settings, pooled: str) -> Settings:
    """Lead the services through PgBouncer."""
    name = settings.database_url.partition("?")[0].rpartition("/")[2]
    changes = {"database_url": pooled.format(name=name), "database_direct_url": settings.database_url}
    return Settings.load(**{**settings.model_dump(), **changes})


@pytest.fixture
async def replica(services: Services, clock: ManualClock) -> AsyncIterator[Services]:
    """Give another API process on the same database."""
    opened = await Services.open(services.settings, clock)
    yield opened
    await opened.close()


async def test_many_at_once_share_few_connections(services: Services, replica: Services, customer: Customer) -> None:
    """Orders, reads, claims and ends of two replicas with twenty connections on three: all right, and the books too."""
    other = Customer(replica, customer.caller, customer.headers)
    customers, workers = (customer, other), (HandWorker(services), HandWorker(replica, "worker-2"))

    async def trade(number: int) -> str:
        one, worker = customers[number % 2], workers[number % 2]
        task = await one.order()
        assert (await customers[1 - number % 2].see(task.id)).id == task.id
        (work,) = await worker.claim()
        assert await (worker.complete(work) if number % 3 else worker.fail(work))
        return str((await one.see(task.id)).status)

    statuses = await asyncio.gather(*map(trade, range(60)))
    assert len(statuses) == 60
    ends = await rows(services.database, "select status, count(*) as number from tasks group by status order by status")
    assert [(row["status"], row["number"]) for row in ends] == [("completed", 40), ("failed", 20)]
    direct = await asyncpg.connect(services.settings.database_direct)
    assert 0 < await direct.fetchval(SHARED) <= CONNECTIONS
    await direct.close()
    assert await troubles(services.database) == []


async def test_reads_by_themselves_get_their_own_answers(services: Services, replica: Services) -> None:
    """The driver sends a statement and its values apart; between them the connection must not go to another."""

    async def read(number: int) -> int:
        database = (services, replica)[number % 2].database
        (row,) = await rows(database, f"select {number} + cast(:more as bigint) as sum", more=number)
        return int(row["sum"])

    assert await asyncio.gather(*map(read, range(400))) == [2 * number for number in range(400)]


async def test_hints_reach_the_other_replica(services: Services, replica: Services) -> None:
    """What is sent through PgBouncer is heard past it; nothing polls here."""
    heard = asyncio.Event()
    await replica.database.listen("bell", heard.set)
    listens = "select 1 as one from pg_stat_activity where datname = current_database() and query ilike 'listen%bell%'"
    await answered(lambda: rows(services.database, listens), within_s=10, what="that the other listens")
    await services.database.notify("bell")
    await seen(heard.is_set, within_s=10, what="the hint")


async def test_real_processes_order_make_and_deliver(settings: Settings, tmp_path: Path) -> None:
    """Two servers and a worker; the message of the end arrives."""
    passing = {"UNITASK_DATABASE_DIRECT_URL": settings.database_direct_url}
    first = Installation(tmp_path, settings.database_url, passing)
    try:
        await first.serve()
        first.work()
        with receiving() as sink:
            async with first.client({"X-API-Key": API_KEY}) as client:
                sent = [await client.post("/api/v1/task", json=order(endpoint=sink.url())) for _ in range(5)]
                ids = [answer.json()["data"]["task_id"] for answer in sent]
                tasks = await ended(client, ids)
            assert {task["status"] for task in tasks} == {"completed"}
            await seen(lambda: len(sink.received) >= len(ids), within_s=20, what="all messages")
        assert {message.task["task_id"] for message in sink.received} == set(ids)
    finally:
        first.end()
    assert "prepared statement" not in first.said()


@pytest.mark.parametrize("direct", ["postgresql://there/unitask", "sqlite:///unitask.db"])
def test_the_direct_address_goes_with_the_other(direct: str) -> None:
    """Alone, or of another kind, it would send migrations to another database than orders."""
    through = "postgresql://pooler/unitask" if direct.startswith("sqlite") else ""
    with pytest.raises(WrongSetting, match="UNITASK_DATABASE_DIRECT_URL"):
        Settings.load(database_url=through, database_direct_url=direct)
