"""What must be true when everything is over."""

import asyncio
import hashlib
from typing import Any, Final

import httpx

from support.books import FINAL, troubles
from support.chaos.cluster import Cluster, Kind
from support.chaos.load import HOOK_SECRET, Load, Order
from support.chaos.storm import Storm
from support.chaos.workers import reports
from support.clock import ManualClock
from support.sql import rows
from support.wait import answered
from unitask.app import Services
from unitask.artifacts import sweep
from unitask.db import Database
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import Unavailable
from unitask_sdk import WrongSignature, verify

DRAIN_S: Final = 60.0
_READERS: Final = 8
_SHOWN: Final = 10
_LATER_S: Final = sweep.ORPHAN_US // SECOND_US + 3600
_ROUND_S: Final = 61
_ROUNDS: Final = 2000


async def drained(database: Database) -> list[str]:
    """Wait until nothing is live and nothing is owed."""
    left = "select (select count(*) from queue) as live, (select count(*) from deliveries where state = 'owed') as owed"

    async def look() -> bool:
        try:
            (row,) = await rows(database, left)
        except Unavailable:
            return False
        return (row["live"], row["owed"]) == (0, 0)

    try:
        await answered(look, within_s=DRAIN_S, what="the end of the queue")
    except AssertionError:
        (row,) = await rows(database, left)
        states = await rows(database, "select state, count(*) as tasks from queue group by state")
        leases = await rows(database, "select * from leases")
        late = f"{row['live']} tasks are live and {row['owed']} messages owed {DRAIN_S:g} s after the last fault"
        return [f"{late}: {states}, leases {leases} at {Clock().now_us()}"]
    return []


async def broken(storm: Storm) -> list[str]:
    """Wait for the end of everything, then list every promise that was not kept. Ends the APIs and the workers."""
    cluster, load, database = storm.cluster, storm.load, storm.database
    found = [*load.wrong, *(f"a limit was passed: {one}" for one in storm.beyond_limit)]
    if errors := load.answers["500"]:
        found.append(f"{errors} orders were answered 500, which says nothing; 503 says that it will pass")
    found += [f"not survived: {one}" for one in storm.suffered if one.back_s is None]
    found += await drained(database)
    tasks = {row["id"]: row for row in await rows(database, "select * from tasks")}
    found += _orders(load, tasks)
    found += _messages(storm, tasks)
    for one in await rows(
        database, "select id, task_id, state, last_reason from deliveries where state <> 'delivered'"
    ):
        found.append(f"a message did not arrive: {one}")
    found += _attempts(storm, tasks)
    found += await _files(load, tasks)
    found += _ledger(cluster)
    for part in cluster.of(Kind.API) + cluster.of(Kind.WORKER):
        part.end()
    found += await troubles(database)
    try:
        found += await _nothing_left(cluster, database)
    except Unavailable as error:
        found.append(f"the files cannot be looked at: {error}")
    return [*found[:_SHOWN], *([f"... and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else [])]


def _orders(load: Load, tasks: dict[str, Any]) -> list[str]:
    """Every order is one task that ended as ordered, and there is no other task."""
    found = []
    known: set[str] = set()
    for one in load.orders:
        known |= one.task_ids
        if len(one.task_ids) != 1:
            found.append(f"order {one.number} is {len(one.task_ids)} tasks: {sorted(one.task_ids)}")
        for task_id in one.task_ids:
            task = tasks.get(task_id)
            if task is None:
                found.append(f"task {task_id} was acknowledged and is not there")
            elif task["status"] not in _allowed(one):
                found.append(f"order {one.number} ({one.does}) is {task['status']}: {task['error']} {task['logs']}")
    found += [f"nobody ordered task {task_id}" for task_id in tasks.keys() - known]
    return found


def _allowed(one: Order) -> set[str]:
    if one.does == "raise":
        return {"failed"}
    return FINAL if one.is_cancelled else {"completed"}


def _messages(storm: Storm, tasks: dict[str, Any]) -> list[str]:
    """The receiver took a message about the end of every task, all were signed, and none told of another end."""
    found = []
    heard: set[str] = set()
    for message in storm.sink.received:
        try:
            verify(message.headers, message.body, HOOK_SECRET, now_s=float(message.headers["webhook-timestamp"]))
        except WrongSignature as error:
            found.append(f"message {message.id} is not signed: {error}")
        task = message.task
        if message.id in storm.taken:
            heard.add(task["task_id"])
        status = tasks[task["task_id"]]["status"] if task["task_id"] in tasks else "not there"
        if task["status"] != status:
            found.append(f"message {message.id} says that task {task['task_id']} is {task['status']}; it is {status}")
    return found + [f"nobody was told of the end of task {task_id}" for task_id in tasks.keys() - heard]


def _attempts(storm: Storm, tasks: dict[str, Any]) -> list[str]:
    """No report of an attempt counted but the last one's."""
    found = []
    for worker in storm.cluster.workers:
        for task_id, attempt, accepted in reports(worker.said()):
            storm.stale += not accepted
            if accepted and attempt != tasks[task_id]["attempt"]:
                found.append(
                    f"attempt {attempt} of task {task_id} counted, though attempt {tasks[task_id]['attempt']} had begun"
                )
    return found


async def _files(load: Load, tasks: dict[str, Any]) -> list[str]:
    """Every file of a completed task can be read, and is what its engine made."""
    wanted = [
        (one.person.headers, task_id)
        for one in load.orders
        for task_id in one.task_ids & tasks.keys()
        if one.does in {"save_file", "slow_save"} and tasks[task_id]["status"] == "completed"
    ]
    found: list[str] = []

    async def read(http: httpx.AsyncClient) -> None:
        while wanted:
            headers, task_id = wanted.pop()
            url = load.urls[len(wanted) % len(load.urls)]
            output = (await http.get(f"{url}/api/v1/task/{task_id}", headers=headers)).json()["data"]["output"]
            file = await http.get(output["image_url"], follow_redirects=True)
            if not file.is_success:
                found.append(f"the file of task {task_id} is missing: {file.status_code} {file.text[:200]}")
            elif hashlib.sha256(file.content).hexdigest() != output["said"]["sha256"]:
                found.append(f"the file of task {task_id} is not what its engine made")

    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=20) as http:  # noqa: S501 - on this machine
        await asyncio.gather(*[read(http) for _ in range(_READERS)])
    return found


def _ledger(cluster: Cluster) -> list[str]:
    """Ask `unitask ledger check`."""
    check = cluster.apis[0].start("ledger", "check")
    status = check.process.wait(60)
    return [f"unitask ledger check ended with {status}: {check.log.read_text()[-500:]}"] if status else []


async def _nothing_left(cluster: Cluster, database: Database) -> list[str]:
    """Two days later, when the sweeps had their time, the store holds what the database names, and nothing else."""
    clock = ManualClock()
    clock.time_us = Clock().now_us()
    services = await cluster.apis[0].open_services(clock)
    try:
        clock.pass_s(_LATER_S)
        await _sweep(services, clock)
        stored = {one.name for one in await _listed(services)}
    finally:
        await services.close()
    named = {row["path"] for row in await rows(database, "select path from artifacts")}
    return [f"a file is left that nobody names: {name}" for name in sorted(stored - named)] + [
        f"a file is named and is not there: {name}" for name in sorted(named - stored)
    ]


async def _sweep(services: Services, clock: ManualClock) -> None:
    """Sweep until there is nothing to do, then look once at every file of the store."""
    for _ in range(_ROUNDS):
        if not await services.artifacts.sweep():
            break
    pages = len(await _listed(services)) // 500 + 1
    for _ in range(pages):
        await services.artifacts.sweep_orphans()
        clock.pass_s(_ROUND_S)


async def _listed(services: Services) -> list[Any]:
    """List the whole store."""
    found: list[Any] = []
    while page := await services.artifacts.buckets.own.listing(found[-1].name if found else "", 500):
        found += page
    return found
