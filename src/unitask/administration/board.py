"""What an installation is doing: the queue by lines, where the time of recent tasks went, and its workers."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import orjson

from unitask.db import Database, Queries, Row
from unitask.kit.clock import SECOND_US
from unitask.kit.ids import made_at_us
from unitask.queue.model import State
from unitask.spec.protocol import ProviderHealth

SQL = Queries(__package__)
RECENT_TASKS: Final = 1000
"""So many of the tasks that were completed last are looked at, as far as the newest movements of points reach back."""
_MOVEMENTS: Final = 5000
MOST_WORKERS: Final = 1000
MOST_RUNNING: Final = 2000


@dataclass(slots=True)
class Line:
    """Live tasks of one product at one engine, by state; since when the oldest of those that wait does."""

    engine: str
    product: str
    tasks: dict[State, int] = field(default_factory=lambda: dict.fromkeys(State, 0))
    oldest_at: int | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """Medians of recent completed tasks of one product at one engine, in seconds; None: of no task is it known.

    `queue`: until a worker took it. `load`: the start of the attempt and reading weights. `run`: the work itself.
    `upload`: storing files. `deliver`: until a receiver took the webhook message.
    """

    engine: str
    product: str
    tasks: int
    queue_s: float | None
    load_s: float | None
    run_s: float | None
    upload_s: float | None
    deliver_s: float | None


@dataclass(frozen=True, slots=True)
class Running:
    """A task that a worker holds."""

    task_id: str
    engine: str
    product: str
    attempt: int
    progress: float
    note: str


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker; after `lease_until` it has lost what it held.

    `memory`: bytes of its devices; `loaded`: model cards; `providers`: how it finds those that it uses.
    """

    id: str
    name: str
    engines: list[str]
    devices: list[str]
    memory: dict[str, int]
    loaded: list[str]
    providers: list[ProviderHealth]
    started_at: int
    lease_until: int
    running: list[Running]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the installation owes and who looks after it.

    `owed`: webhook messages, counted up to a limit; `owed_since`: when the oldest of them fell due. `led_until`: until
    when a process has promised to keep house.
    """

    owed: int
    owed_since: int | None
    led_until: int | None


async def standing(database: Database, most: int) -> Standing:
    """Tell what is owed to webhooks, and whether somebody keeps house."""
    (row,) = await database.fetch(SQL.standing, most=most)
    return Standing(row["owed"], row["owed_since"], row["led_until"])


async def lines(database: Database) -> list[Line]:
    """Count what lives, by engine and product."""
    found: dict[tuple[str, str], Line] = {}
    for row in await database.fetch(SQL.queue_lines):
        line = found.setdefault((row["engine"], row["product"]), Line(row["engine"], row["product"]))
        state = State(row["state"])
        line.tasks[state] = row["number"]
        if state is not State.PROCESSING:
            waits_since = made_at_us(row["oldest"])
            line.oldest_at = waits_since if line.oldest_at is None else min(line.oldest_at, waits_since)
    return list(found.values())


async def paces(database: Database) -> list[Pace]:
    """Tell where the time of recent tasks went, by engine and product."""
    rows = await database.fetch(SQL.recent_runs, look=_MOVEMENTS, most=RECENT_TASKS)
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["engine"], f"{row['model']}/{row['task_type']}"].append(row)
    return [_pace(engine, product, group) for (engine, product), group in sorted(groups.items())]


def _pace(engine: str, product: str, group: Sequence[Row]) -> Pace:
    known = [(row, orjson.loads(row["timings"])) for row in group if row["timings"]]
    loads = [spent["start_s"] + spent["load_s"] for _, spent in known]
    uploads = [spent["upload_s"] for _, spent in known]
    whole = [(row["ended_at"] - row["started_at"]) / SECOND_US for row, _ in known]
    return Pace(
        engine=engine,
        product=product,
        tasks=len(group),
        queue_s=_median([(row["started_at"] - row["created_at"]) / SECOND_US for row in group]),
        load_s=_median(loads),
        # An earlier attempt that was lost is not the work of this one, but neither is it waiting in the queue.
        run_s=_median([max(0.0, one - load - up) for one, load, up in zip(whole, loads, uploads, strict=True)]),
        upload_s=_median(uploads),
        deliver_s=_median([row["deliver_us"] / SECOND_US for row in group if row["deliver_us"] is not None]),
    )


def _median(values: Sequence[float]) -> float | None:
    return round(median(values), 3) if values else None


async def workers(database: Database) -> list[WorkerSeen]:
    """List the workers that were seen in the last day or so, with what each is doing."""
    running: dict[str, list[Running]] = defaultdict(list)
    for row in await database.fetch(SQL.running, most=MOST_RUNNING):
        task = Running(row["task_id"], row["engine"], row["product"], row["attempt"], row["progress"], row["note"])
        running[row["worker_id"]].append(task)
    return [
        WorkerSeen(
            id=row["id"],
            name=row["name"],
            engines=orjson.loads(row["engines"]),
            devices=orjson.loads(row["devices"]),
            memory=orjson.loads(row["memory"]),
            loaded=orjson.loads(row["loaded"]),
            providers=[ProviderHealth.model_validate(one) for one in orjson.loads(row["providers"])],
            started_at=row["started_at"],
            lease_until=row["lease_until"],
            running=running[row["id"]],
        )
        for row in await database.fetch(SQL.list_workers, most=MOST_WORKERS)
    ]


async def leftovers(database: Database) -> dict[str, int]:
    """Count the jobs that are still to be cancelled, by provider."""
    return {row["provider"]: row["number"] for row in await database.fetch(SQL.count_leftovers)}
