"""Tasks and idempotency keys between rows and model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from unitask.db import Database, Queries, Row, Transaction
from unitask.kit.months import Month
from unitask.queue.model import Claimed
from unitask.tasks.model import Order, Page, Status, Task, Work

SQL = Queries(__package__)


@dataclass(frozen=True, slots=True)
class Ending:
    """What is written on a task when it reaches a final status; documents are JSON text."""

    id: str
    status: Status
    output: str | None
    error: str | None
    warnings: str
    logs: str
    level: str | None
    charged_points: int
    cost_points: int | None
    timings: str | None


@dataclass(frozen=True, slots=True)
class Move:
    """A change of status that is not final, with a line for the task's logs, and what the attempt cost us."""

    id: str
    status: Status
    log: str | None = None
    cost_points: int | None = None


@dataclass(frozen=True, slots=True)
class KeptKey:
    """What an idempotency key stands for."""

    account_id: int
    key: str
    body_hash: str
    task_id: str


def _task(row: Iterable[Any]) -> Task:
    """Read a row of `stored` or `shown` columns: they come in the order of the fields."""
    id_, account_id, api_key_id, model, task_type, status, *others = row
    return Task(id_, account_id, api_key_id, model, task_type, Status(status), *others)


async def add(tx: Transaction, tasks: Sequence[Task]) -> None:
    """Insert new tasks."""
    if tasks:
        await tx.execute(SQL.add_tasks, rows=list(tasks))


async def find(database: Database, asked: Sequence[tuple[str, int]]) -> list[Task | None]:
    """Read tasks by id and account, in the order in which they are asked for; None where there is none."""
    rows = [{"number": number, "id": id_, "account_id": account} for number, (id_, account) in enumerate(asked)]
    found: list[Task | None] = [None] * len(rows)
    for number, *row in await database.fetch(SQL.find_tasks, rows=rows):
        found[number] = _task(row)
    return found


async def account_of(database: Database, task_id: str) -> int | None:
    """Tell whose task this is."""
    rows = await database.fetch(SQL.task_account, id=task_id)
    return rows[0]["account_id"] if rows else None


async def find_many(tx: Transaction, task_ids: Iterable[str]) -> dict[str, Task]:
    """Read tasks by id within a transaction, as they are shown."""
    return {row["id"]: _task(row) for row in await tx.fetch(SQL.show_many, rows=list(task_ids))}


async def show_many(database: Database, task_ids: Iterable[str]) -> list[Task]:
    """Read tasks by id as they are shown, with the progress of those that run."""
    rows = await database.fetch(SQL.show_many, rows=list(task_ids))
    return [_task(row) for row in rows]


async def configs(tx: Transaction, task_ids: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Read whose tasks these are, and their configs."""
    rows = await tx.fetch(SQL.find_configs, rows=list(task_ids))
    return {row["id"]: (row["account_id"], row["config"]) for row in rows}


async def page(
    database: Database, *, account_id: int, models: list[str] | None, since: int, until: int, size: int, skip: int
) -> Page:
    """Read a page of an account's history, newest first; `models` None: of all models."""
    span = {"account_id": account_id, "since": since, "until": until}
    which = {"all_models": models is None, "rows": models or []}
    rows = await database.fetch(SQL.history_page, **span, **which, size=size, skip=skip)
    total = await database.fetch(SQL.history_total, **span, **which)
    return Page([_task(row) for row in rows], total[0]["number"])


async def newest(
    database: Database, *, account_id: int, since: str, before: str, status: str, model: str, task_type: str, size: int
) -> list[Task]:
    """List an account's tasks from the id `since` on and older than `before`, newest first; empty filters match all."""
    rows = await database.fetch(
        SQL.list_tasks,
        account_id=account_id,
        since=since,
        before=before,
        status=status,
        model=model,
        task_type=task_type,
        size=size,
    )
    return [_task(row) for row in rows]


async def ordered_as(database: Database, account_id: int, key: str) -> list[Task]:
    """Read the task that an account ordered under an idempotency key, if that is still remembered."""
    rows = await database.fetch(SQL.find_by_key, account_id=account_id, key=key)
    return [_task(row) for row in rows]


async def start(tx: Transaction, claimed: Sequence[Claimed], now: int) -> list[Work]:
    """Write down that attempts began; gives what their worker needs, in the order of `claimed`."""
    if not claimed:
        return []
    found = {row["id"]: row for row in await tx.fetch(SQL.start_tasks, rows=list(claimed), now=now)}
    return [_work(found[one.task_id], one) for one in claimed]


def _work(row: Row, claimed: Claimed) -> Work:
    return Work(
        task_id=claimed.task_id,
        attempt=claimed.attempt,
        model=row["model"],
        task_type=row["task_type"],
        engine=claimed.engine,
        input=row["input"],
        attempt_deadline=claimed.attempt_deadline,
        config=row["config"],
        account_id=claimed.account_id,
        remote=claimed.remote,
        trace=row["trace"],
    )


async def move(tx: Transaction, moves: Sequence[Move]) -> None:
    """Change statuses that are not final."""
    if moves:
        await tx.execute(SQL.move_tasks, rows=list(moves))


async def end(tx: Transaction, endings: Sequence[Ending], now: int) -> None:
    """Write final statuses."""
    if endings:
        await tx.execute(SQL.end_tasks, rows=list(endings), now=now)


async def keep_keys(tx: Transaction, orders: Sequence[Order], now: int) -> dict[tuple[int, str], KeptKey]:
    """Take idempotency keys for these orders; the answer says whom each key belongs to, now or from before.

    A key that another process is taking at this moment is waited for.
    """
    rows = sorted(
        (
            {
                "account_id": order.caller.account_id,
                "key": order.idempotency.key,
                "body_hash": order.idempotency.body_hash,
                "task_id": order.task_id,
                "expires_at": order.idempotency.expires_at,
            }
            for order in orders
            if order.idempotency
        ),
        key=lambda row: (row["account_id"], row["key"]),
    )
    if not rows:
        return {}
    kept = [_kept(row) for row in await tx.fetch(SQL.keep_keys, rows=rows, now=now)]
    if len(kept) < len(rows):
        kept = [_kept(row) for row in await tx.fetch(SQL.find_keys, rows=rows)]
    return {(one.account_id, one.key): one for one in kept}


def _kept(row: Row) -> KeptKey:
    return KeptKey(row["account_id"], row["key"], row["body_hash"], row["task_id"])


async def drop_keys(tx: Transaction, task_ids: Sequence[str]) -> None:
    """Free the keys of orders that were refused."""
    if task_ids:
        await tx.execute(SQL.drop_keys, rows=list(task_ids))


async def forget_keys(tx: Transaction, now: int) -> None:
    """Forget idempotency keys past their day."""
    await tx.execute(SQL.forget_keys, now=now)


async def open_month(tx: Transaction, month: Month) -> None:
    """See that a month's tasks have a place of their own, where tasks lie by months."""
    await tx.execute(SQL.open_month, name=month.partition, first=month.first_id, next=month.next.first_id)


async def forget_before(tx: Transaction, month: Month, *, most: int) -> int:
    """Drop the tasks of earlier months: whole months where they lie apart, the others row by row.

    Gives the number of rows that went one by one, `most` at a time.
    """
    await tx.fetch(SQL.drop_months, name=month.partition, first=month.first_id)
    return len(await tx.fetch(SQL.forget_tasks, first=month.first_id, most=most))
