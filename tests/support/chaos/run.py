"""One run: build, let it rage, audit, report."""

import shutil
import tempfile
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

from support.chaos.audit import broken
from support.chaos.cluster import built
from support.chaos.load import Load
from support.chaos.network import network
from support.chaos.postgres import can_start
from support.chaos.report import Report, made_of
from support.chaos.storm import Storm
from support.sink import Behaviour, Sink, receiving, resets, says
from support.sql import rows
from unitask.db import open_database

DATABASES: Final = ("postgres", "sqlite")
_FAILS: Final = 0.04
_RESETS: Final = 0.02
_LAST_LINES: Final = 15


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it: orders spread over `seconds`, `lanes` faults at a time, `only` those of these names."""

    database: str
    seed: int
    tasks: int
    seconds: float
    lanes: int = 2
    workers: int = 3
    slots: int = 6
    only: str = ""


def _moody(random: Random, taken: set[str]) -> Behaviour:
    """Take most messages and note which, refuse some, hang up on others."""

    def behave(handler: BaseHTTPRequestHandler, sink: Sink) -> None:
        chance = random.random()
        meet = says(503) if chance < _FAILS else resets if chance < _FAILS + _RESETS else says()
        if chance >= _FAILS + _RESETS:
            taken.add(handler.headers["webhook-id"])
        meet(handler, sink)

    return behave


def _folder() -> Path:
    """Make one that the user as whom PostgreSQL runs may look into."""
    folder = Path(tempfile.mkdtemp(prefix="unitask-chaos-"))
    folder.chmod(0o755)
    return folder


async def run(plan: Plan) -> Report:
    """Go through one plan. What the processes said is kept, and its place printed, if a promise was broken."""
    if plan.database == "postgres" and (why := can_start()):
        raise RuntimeError(why)
    began = monotonic()
    folder = _folder()
    random = Random(plan.seed)  # noqa: S311 - not for secrets
    taken: set[str] = set()
    with network() as net, receiving(_moody(random, taken), host=net.driver.address) as sink:
        async with built(folder, net, plan.database, workers=plan.workers, slots=plan.slots) as cluster:
            database = await open_database(cluster.database_url)
            load = Load(
                cluster.urls(), cluster.people, sink.url(host=net.driver.address), random, plan.tasks, plan.seconds
            )
            storm = Storm(cluster, load, sink, taken, database, random, plan.lanes, plan.only)
            try:
                await storm.rages()
                found = await broken(storm)
                tasks = await rows(database, "select status, attempt from tasks")
            finally:
                await database.close()
            said = cluster.said(_LAST_LINES) if found else ""
    report = made_of(storm, tasks, database=plan.database, seed=plan.seed, duration_s=monotonic() - began, broken=found)
    if found:
        print(f"{said}\nAll that the processes said is in {folder}")  # noqa: T201
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return report
