"""Measure the claim with 1,000,000 waiting tasks against an almost empty queue: `make bench-backlog`.

Two databases of each kind are open at once, one with as many waiting tasks as are claimed, one with a million more.
Their claims alternate, so that whatever else the machine does hits both. Writes docs/benchmarks.json and
docs/benchmarks.md.
"""

import argparse
import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import page
import results
from core import BODY, FILL, KEY, Bench, beat, claim, databases, finish

from unitask.app import Services
from unitask.db.migrate import upgrade
from unitask.db.statements import parse

WAITING = 1_000_000
COUNT = parse("-- name: it\nselect count(*) as number from queue where state = 'ready'")["it"]


@contextlib.asynccontextmanager
async def _opened(bench: Bench, orders: int, *, filled: bool) -> AsyncIterator[Services]:
    services = await Services.open(bench.settings())
    try:
        await services.accounts.first_key(KEY)
        caller = await services.accounts.authenticate(KEY)
        for _ in range(0, orders, 100):
            prepared = [await services.orders.prepare(BODY, caller, None) for _ in range(100)]
            await asyncio.gather(*[services.tasks.create(order) for order in prepared])
        for name in ("pending_tasks", "pending", "occupied") if filled else ():
            statement = FILL[name]
            await services.database.write(lambda tx: tx.execute(statement))  # noqa: B023 - awaited in this turn
        if bench.url.startswith("postgres"):
            connection = await asyncpg.connect(bench.url)
            await connection.execute("vacuum analyze")
            await connection.close()
        (row,) = await services.database.fetch(COUNT)
        assert row["number"] == orders + (WAITING if filled else 0)
        yield services
    finally:
        await services.close()


async def _claim(services: Services) -> float:
    began = time.perf_counter()
    found = await claim(services, 1)
    took_ms = (time.perf_counter() - began) * 1e3
    assert len(found) == 1
    await finish(services, found)
    return took_ms


async def _measure(small: Bench, large: Bench, claims: int) -> dict[str, Any]:
    took: dict[str, list[float]] = {"small": [], "large": []}
    async with _opened(small, claims + 200, filled=False) as few, _opened(large, claims + 200, filled=True) as many:
        for number in range(claims + 100):
            for name, services in (("small", few), ("large", many)):
                if number % 200 == 0:
                    await beat(services)
                took_ms = await _claim(services)
                if number >= 100:  # the first ones find caches cold
                    took[name].append(took_ms)
    return {
        name: {"p50_ms": sorted(ones)[claims // 2], "p99_ms": sorted(ones)[int(claims * 0.99)]}
        for name, ones in took.items()
    }


def main() -> None:
    """Measure both databases, or the one that is named."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--databases", nargs="+", default=["sqlite", "postgres"])
    options.add_argument("--claims", type=int, default=8000)
    chosen = options.parse_args()
    results.machine()
    rows = {}
    with (
        tempfile.TemporaryDirectory(prefix="unitask-bench-") as folder,
        databases(Path(folder), chosen.databases) as benches,
    ):
        for bench in benches:
            (bench.folder / "large").mkdir()
            large = replace(bench, url=_beside(bench), folder=bench.folder / "large")
            upgrade(bench.url)
            upgrade(large.url)
            rows[bench.name] = asyncio.run(_measure(bench, large, chosen.claims))
            print(bench.name, rows[bench.name])
            results.save("backlog", {"claims": chosen.claims, "waiting": WAITING, "rows": rows})
    page.write()


def _beside(bench: Bench) -> str:
    """Make another database of the same kind."""
    if bench.url.startswith("sqlite"):
        return bench.url.replace("unitask.db", "large/unitask.db")

    async def make() -> None:
        connection = await asyncpg.connect(bench.url)
        await connection.execute("create database large")
        await connection.close()

    asyncio.run(make())
    return bench.url.replace("/postgres?", "/large?")


if __name__ == "__main__":
    main()
