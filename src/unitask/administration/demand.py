"""What is wanted of workers, and what the controllers that start them have said."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from unitask.db import Database, Queries, Transaction
from unitask.kit.clock import SECOND_US
from unitask.kit.ids import made_at_us
from unitask.queue.model import Offer
from unitask.spec.cluster import COUNTED, REPORT_S, ClusterReport, PoolReport
from unitask.spec.product import Product, is_named

SQL = Queries(__package__)
_MOST_WORKERS: Final = 1000
_MOST_CLUSTERS: Final = 100
_SHOWN_US: Final = int(REPORT_S * SECOND_US)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Tasks of one product at one engine that wait or run, and since when the oldest of those that wait does.

    At most `COUNTED` that wait are counted and looked at, those whose turn is next.
    """

    engine: str
    product: str
    waiting: int
    processing: int
    oldest_at: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A report, and when it came."""

    report: ClusterReport
    reported_at: int


async def demand(database: Database, products: Iterable[Product]) -> list[Wanted]:
    """Tell what is wanted of these products, where anything is."""
    lanes = {(product.key, recipe.engine) for product in products for recipe in product.recipes}
    rows = [{"product": product, "engine": engine} for product, engine in sorted(lanes)]
    return [
        Wanted(
            engine=row["engine"],
            product=row["product"],
            waiting=row["waiting"],
            processing=row["processing"],
            oldest_at=made_at_us(row["oldest"]) if row["oldest"] else None,
        )
        for row in await database.fetch(SQL.demand, rows=rows, most=COUNTED)
        if row["waiting"] or row["processing"]
    ]


async def holding(database: Database) -> dict[str, int]:
    """Count the tasks that workers hold, by the workers' names."""
    return {row["name"]: row["number"] for row in await database.fetch(SQL.holding, most=_MOST_WORKERS)}


async def report(database: Database, said: ClusterReport, now: int) -> None:
    """Take a controller's report in the place of its last one; those of silent controllers go."""

    async def work(tx: Transaction) -> None:
        await tx.execute(SQL.forget_clusters, since=now - _SHOWN_US)
        await tx.execute(SQL.put_cluster, name=said.name, report=said.model_dump_json(), now=now)

    await database.write(work)


async def reports(database: Database, now: int) -> list[Seen]:
    """List the newest reports of controllers that are not silent, by name."""
    rows = await database.fetch(SQL.list_clusters, since=now - _SHOWN_US, most=_MOST_CLUSTERS)
    return [Seen(ClusterReport.model_validate_json(row["report"]), row["reported_at"]) for row in rows]


def promised(seen: Iterable[Seen], products: Iterable[Product]) -> set[Offer]:
    """List what the pools of these reports would make if they had a worker."""
    pools = [pool for one in seen for pool in one.report.pools if pool.most]
    return {
        Offer(product.key, recipe.engine, recipe.level)
        for product in products
        for recipe in product.recipes
        if any(_promises(pool, product.key, recipe.engine) for pool in pools)
    }


def _promises(pool: PoolReport, product: str, engine: str) -> bool:
    return engine in pool.engines and any(is_named(product, pattern) for pattern in pool.products)
