"""Workers are killed and frozen at random while many customers order; then the books are audited."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Final

from support.accounts import open_account
from support.books import troubles
from support.chaos.workers import WORKERS, Chaos
from support.installation import Installation, ended
from support.sql import rows
from support.tester import PRICE_POINTS
from unitask.db import open_database

CUSTOMERS: Final = 12
DRAIN_S: Final = 40.0


@asynccontextmanager
async def started(installation: Installation, seed: int) -> AsyncIterator[Chaos]:
    """Open accounts, start a server and workers."""
    random = Random(seed)  # noqa: S311 - not for secrets
    services = await installation.open_services()
    people = [
        await open_account(services, f"customer {number}", points=10**9, task_limit=random.randint(1, 4))
        for number in range(CUSTOMERS)
    ]
    await services.close()
    await installation.serve()
    database = await open_database(installation.database_url)
    async with installation.client() as client:
        chaos = Chaos(installation, random, client, database, people)
        chaos.workers = [installation.work() for _ in range(WORKERS)]
        yield chaos
    await database.close()


async def test_nothing_is_lost_or_charged_twice_while_workers_die(install: Callable[..., Installation]) -> None:
    """Every task ends as ordered, is settled once, no limit is ever passed, and stale reports come to nothing."""
    installation = install(UNITASK_MAX_ATTEMPTS="100", UNITASK_SLOTS="2", UNITASK_STAGED_LIMIT="20")
    async with started(installation, seed=7) as chaos:
        await chaos.rages()
        for person in chaos.people:
            own = [task_id for task_id, owner in chaos.owner.items() if owner is person]
            chaos.client.headers.update(person.headers)
            await ended(chaos.client, own, within_s=DRAIN_S)
        seen = (
            f"{len(chaos.ordered)} tasks, {chaos.refused} refused, {chaos.kills} kills, {chaos.freezes} freezes, "
            f"{await chaos.rescues()} rescued, {chaos.fenced()} stale reports refused, {chaos.samples} samples"
        )
        print(seen)  # noqa: T201
        assert await chaos.rescues() > 0, seen
        assert chaos.fenced() > 0, seen
        installation.end()
        assert chaos.beyond_limit == []
        assert await troubles(chaos.database) == []
        await audit(chaos)


async def audit(chaos: Chaos) -> None:
    """Compare what was ordered with what became of it."""
    tasks = {row["id"]: row for row in await rows(chaos.database, "select * from tasks")}
    assert set(tasks) == set(chaos.ordered)
    for task_id, what in chaos.ordered.items():
        fails = what["input"]["do"] == "raise"
        allowed = {"failed"} if fails else {"completed", "failed"} if task_id in chaos.cancelled else {"completed"}
        assert tasks[task_id]["status"] in allowed, tasks[task_id]
    for task_id, attempt, accepted in chaos.reports():
        counts = attempt == tasks[task_id]["attempt"]
        assert accepted == counts or task_id in chaos.cancelled, (attempt, accepted, tasks[task_id])
    accounts = await rows(chaos.database, "select * from accounts where name like 'customer %'")
    used = Counter(task["account_id"] for task in tasks.values() if task["status"] == "completed")
    for account in accounts:
        assert account["used_points"] == used[account["id"]] * PRICE_POINTS
        assert account["available_points"] == 10**9 - account["used_points"]
        assert (account["held_points"], account["active_tasks"], account["staged_tasks"]) == (0, 0, 0)
    assert await rows(chaos.database, "select * from queue") == []
    owed = await rows(chaos.database, "select task_id from deliveries")
    assert sorted(row["task_id"] for row in owed) == sorted(tasks)
