"""Signs in the rows that something does not run as it should: what waits, what is late, what cannot be opened."""

from dataclasses import dataclass
from typing import Final

from unitask.accounts.credentials import SEALED_AS as KEYS_SEALED_AS
from unitask.administration import board
from unitask.artifacts.buckets import SEALED_AS as BUCKETS_SEALED_AS
from unitask.db import Database, Queries, Row
from unitask.kit.clock import SECOND_US
from unitask.kit.seal import Broken, Seal
from unitask.queue.model import State

SQL = Queries(__package__)
WAITS_US: Final = 60 * SECOND_US
LATE_US: Final = 15 * 60 * SECOND_US
LEFT_US: Final = 3600 * SECOND_US


@dataclass(frozen=True, slots=True)
class Unmade:
    """Tasks of a product that have waited for a minute for an engine that no living worker has."""

    engine: str
    product: str
    number: int


@dataclass(frozen=True, slots=True)
class Signs:
    """What was found: tasks past their deadline, messages that are late, disabled endpoints, leftovers by provider."""

    has_keys: bool
    workers_alive: int
    unmade: list[Unmade]
    overdue: int
    late_messages: int
    disabled_endpoints: int
    leftovers: list[Row]


async def signs(database: Database, now: int) -> Signs:
    """Look at the rows."""
    (row,) = await database.fetch(SQL.signs, overdue=now - WAITS_US, late=now - LATE_US)
    alive = [one for one in await board.workers(database) if one.lease_until > now]
    engines = {engine for one in alive for engine in one.engines}
    return Signs(
        has_keys=bool(row["has_keys"]),
        workers_alive=len(alive),
        unmade=[
            Unmade(line.engine, line.product, line.tasks[State.READY])
            for line in await board.lines(database)
            if line.tasks[State.READY] and (line.oldest_at or now) < now - WAITS_US and line.engine not in engines
        ],
        overdue=row["overdue"],
        late_messages=row["late"],
        disabled_endpoints=row["disabled"],
        leftovers=await database.fetch(SQL.old_leftovers, before=now - LEFT_US),
    )


async def is_sealed_otherwise(database: Database, secret: str) -> bool:
    """Whether something that was encrypted under the installation's secret does not open with this one.

    Raises:
        Unavailable: the library that decrypts is not installed.

    """
    labels = {"keys": KEYS_SEALED_AS, "buckets": BUCKETS_SEALED_AS}
    for row in await database.fetch(SQL.some_sealed):
        try:
            Seal(secret, labels[row["label"]]).open(row["sealed"])
        except Broken:
            return True
    return False
