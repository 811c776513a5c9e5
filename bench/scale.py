"""Measure what one more task, worker, process or connection costs on PostgreSQL: `make bench-scale`.

Each figure is a slope: processor time of all PostgreSQL processes, and of the calling process, for each create, claim,
settle, delivery, get and heartbeat; bytes of each row with its indexes; connections of a process and the memory of one;
what an idle process asks of the database; what a NOTIFY costs for each connection that listens; creates a second when
they are all of one account. Writes the section `slopes` of docs/scale.json, and docs/scale.md.
"""

import asyncio
import contextlib
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import psutil
import results
import scale_page
import uvloop
from core import ACCOUNTS, BODY, KEY, Bench, beat, claim, databases, finish, unitask
from webhooks import deliver, owe, receiving

from unitask.accounts.model import Caller
from unitask.api.workers import _NEXT_BEAT_S
from unitask.app import Services
from unitask.artifacts.model import ArtifactKind, StoredFile
from unitask.db.migrate import upgrade
from unitask.db.postgres import _NOTIFY_GAP_S
from unitask.settings import Settings
from unitask.tasks.service import _SWEEP
from unitask.webhooks.lanes import HOST_LIMIT

TASKS = 3000
BEATS = 1000
LISTENERS = 50
NOTIFIES = 1000
IDLE_S = 6.0
SIZES = """
select t.name, coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint as bytes from unnest($1::text[]) as t(name)
join pg_class c on c.relkind = 'r' and (c.relname = t.name or (t.name = 'tasks' and c.relname like 'tasks\\_%'))
group by t.name"""
LIMITS = {"host_limit": HOST_LIMIT, "sweep": _SWEEP, "beat_s": _NEXT_BEAT_S, "notify_gap_s": _NOTIFY_GAP_S}
STORED = ("tasks", "ledger", "deliveries", "delivery_attempts", "idempotency", "artifacts", "usage")


class Meter:
    """Counts the processor time of PostgreSQL and of this process, and the time of day."""

    def __init__(self, bench: Bench) -> None:
        self._postmaster = int((bench.folder / "data" / "postmaster.pid").read_text().split()[0])

    def backends(self) -> list[psutil.Process]:
        return [*psutil.Process(self._postmaster).children(recursive=True), psutil.Process(self._postmaster)]

    def _postgres_s(self) -> float:
        total = 0.0
        for process in self.backends():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    async def measure(self, number: int, work: Awaitable[object]) -> dict[str, float]:
        """Do a piece of work that is `number` of something; gives microseconds for each, and how many a second."""
        before, own, began = self._postgres_s(), time.process_time(), time.perf_counter()
        await work
        took = time.perf_counter() - began
        return {
            "database_us": (self._postgres_s() - before) / number * 1e6,
            "process_us": (time.process_time() - own) / number * 1e6,
            "per_s": number / took,
        }


async def _callers(services: Services) -> list[Caller]:
    found = []
    for number in range(ACCOUNTS):
        account = await services.registry.open_account(f"account {number}", actor="bench", unlimited=True)
        _, key = await services.keyring.add(account.id, actor="bench")
        found.append(await services.accounts.authenticate(key))
    return found


async def _together(number: int, one: Callable[[], Awaitable[object]], at_once: int = 32) -> None:
    """Do the same thing so many times, so many at a time."""
    left = itertools.repeat(None, number)

    async def lane() -> None:
        for _ in left:
            await one()

    await asyncio.gather(*[lane() for _ in range(at_once)])


async def _life(services: Services, meter: Meter) -> dict[str, Any]:
    """Let tasks live: create, get, claim, settle."""
    callers = itertools.cycle(await _callers(services))
    known: list[tuple[str, Caller]] = []

    async def create() -> None:
        caller = next(callers)
        task = await services.tasks.create(await services.orders.prepare(BODY, caller, None))
        known.append((task.id, caller))

    async def create_hot() -> None:
        await services.tasks.create(await services.orders.prepare(BODY, hot, None))

    hot = await services.accounts.authenticate(KEY)
    slopes = {
        "create": await meter.measure(TASKS, _together(TASKS, create)),
        "create_hot": await meter.measure(TASKS, _together(TASKS, create_hot)),
        "create_hot_alone": await meter.measure(TASKS // 4, _together(TASKS // 4, create_hot, at_once=1)),
    }
    again = itertools.cycle(known)

    async def get() -> None:
        await services.tasks.get(*next(again))

    slopes["get"] = await meter.measure(TASKS, _together(TASKS, get))
    await beat(services)
    found: list[Any] = []

    async def take() -> None:
        while len(found) < TASKS:
            found.extend(await claim(services, 32))

    slopes["claim"] = await meter.measure(TASKS, take())
    slopes["settle"] = await meter.measure(len(found), finish(services, found))
    slopes["claim_one"] = await meter.measure(500, _claims(services, found))
    await finish_rest(services, found)
    return slopes


async def _claims(services: Services, found: list[Any]) -> None:
    found.clear()
    for _ in range(500):
        found.extend(await claim(services, 1))


async def finish_rest(services: Services, found: list[Any]) -> None:
    """Settle what is still held, and what is still waiting."""
    while found:
        await finish(services, found)
        await beat(services)
        found[:] = await claim(services, 256)


async def _workers(services: Services, meter: Meter) -> dict[str, Any]:
    names = itertools.cycle([f"worker-{number}" for number in range(BEATS)])
    await _together(BEATS, lambda: beat(services, next(names)))
    return {"beat": await meter.measure(BEATS, _together(BEATS, lambda: beat(services, next(names)), at_once=8))}


async def _files(services: Services) -> None:
    """Write rows of stored files down, three thousand of one task that a worker holds."""
    caller = await services.accounts.authenticate(KEY)
    task = await services.tasks.create(await services.orders.prepare(BODY, caller, None))
    await beat(services)
    (work,) = await claim(services, 1)
    for number in range(TASKS):
        file = StoredFile(f"2026/11/21/{number:032x}.png", "image/png", 1_500_000, f"{number:064x}")
        await services.tasks.add_output(file, task_id=task.id, attempt=work.attempt, kind=ArtifactKind.OUTPUT)


async def _sizes(connection: Any) -> dict[str, int]:
    await connection.execute("vacuum")
    rows = await connection.fetch(SIZES, list(STORED))
    return dict.fromkeys(STORED, 0) | {row["name"]: row["bytes"] for row in rows}


async def _notify(bench: Bench, meter: Meter) -> dict[str, Any]:
    """Send as many notifications with few and with many listeners; the difference is the listeners'."""
    found = {}
    connections = [await asyncpg.connect(bench.url) for _ in range(LISTENERS)]
    heard = 0

    def hear(*_: object) -> None:
        nonlocal heard
        heard += 1

    sender = await asyncpg.connect(bench.url)

    async def send() -> None:
        for _ in range(NOTIFIES):
            await sender.execute("notify bench")

    found["alone"] = await meter.measure(NOTIFIES, send())
    for connection in connections:
        await connection.add_listener("bench", hear)
    found["heard"] = await meter.measure(NOTIFIES, send())
    for connection in [*connections, sender]:
        await connection.close()
    assert heard
    extra = (found["heard"]["database_us"] - found["alone"]["database_us"]) / LISTENERS
    return {"notify": found["alone"], "notify_listener_us": max(extra, 0.0)}


async def _idle(bench: Bench, meter: Meter) -> dict[str, Any]:
    """Start API processes and let them be."""
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(unitask(bench))
        await asyncio.sleep(1)
        spent = await meter.measure(2, asyncio.sleep(IDLE_S))
        connection = await asyncpg.connect(bench.url)
        query = (
            "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
        number = await connection.fetchval(query)
        await connection.close()
    return {"idle_process_us_per_s": spent["database_us"] / IDLE_S, "idle_connections": number / 2}


async def _connections(services: Services, meter: Meter) -> dict[str, Any]:
    """Count those of a busy process, and what memory one takes for itself."""
    sizes = []
    for process in meter.backends():
        with contextlib.suppress(psutil.Error):
            title = " ".join(process.cmdline())
            if "idle" in title or "SELECT" in title or "[local]" in title:
                sizes.append(process.memory_full_info().uss / 2**20)
    # Less the one of this command.
    row = await services.database.fetch(
        _statement("select count(*) as number from pg_stat_activity where backend_type = 'client backend'")
    )
    return {"connections": row[0]["number"] - 1, "connection_mib": sum(sizes) / len(sizes)}


def _statement(text: str) -> Any:
    from unitask.db.statements import parse  # noqa: PLC0415 - beside its one use

    return parse(f"-- name: it\n{text}")["it"]


async def _measure(bench: Bench, hook: str) -> dict[str, Any]:
    settings = Settings.load(
        database_url=bench.url,
        data=bench.folder / "files",
        secret="a-secret-for-the-bench",
        allow_private_networks=True,
    )
    services, meter = await Services.open(settings), Meter(bench)
    await services.accounts.first_key(KEY)
    connection = await asyncpg.connect(bench.url)
    empty = await _sizes(connection)
    slopes = await _life(services, meter)
    ended = await connection.fetchval("select count(*) from tasks")
    lived = await _sizes(connection)
    await owe(services, hook, TASKS)
    await deliver(services, TASKS)
    delivered = await _sizes(connection)
    slopes["delivery"] = await meter.measure(TASKS, deliver(services, TASKS))
    await _files(services)
    stored = await _sizes(connection)
    rows = {
        "tasks": (lived["tasks"] - empty["tasks"]) / ended,
        "ledger": (lived["ledger"] - empty["ledger"]) / ended,
        "deliveries": (delivered["deliveries"] - lived["deliveries"]) / TASKS,
        "delivery_attempts": (delivered["delivery_attempts"] - lived["delivery_attempts"]) / TASKS,
        "artifacts": (stored["artifacts"] - delivered["artifacts"]) / TASKS,
    }
    slopes |= await _workers(services, meter)
    found = {
        "work": slopes,
        "bytes_per_task": rows,
        **await _connections(services, meter),
        **await _notify(bench, meter),
    }
    await connection.close()
    await services.close()
    return {**found, **await _idle(bench, meter)}


def main() -> None:
    """Measure all slopes on a PostgreSQL of its own."""
    results.machine()
    with (
        tempfile.TemporaryDirectory(prefix="unitask-bench-") as folder,
        receiving() as hook,
        databases(Path(folder), ["postgres"]) as (bench,),
    ):
        upgrade(bench.url)
        found = uvloop.run(_measure(bench, hook))
    print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    results.save("slopes", {"tasks": TASKS, "listeners": LISTENERS, "limits": LIMITS, **found}, results.SCALE)
    scale_page.write()


if __name__ == "__main__":
    main()
