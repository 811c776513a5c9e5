"""Deliveries between rows and model."""

import hashlib
from collections.abc import Iterable, Sequence

from unitask.db import Database, Queries, Row, Transaction
from unitask.kit.ids import new_id
from unitask.kit.net import host_and_port
from unitask.webhooks.lanes import Share
from unitask.webhooks.model import FINAL, Attempt, Delivery, Due, Event, Report, State

SQL = Queries(__package__)


def _delivery(row: Row) -> Delivery:
    return Delivery(
        id=row["id"],
        account_id=row["account_id"],
        task_id=row["task_id"],
        event=Event(row["event"]),
        endpoint=row["endpoint"],
        secret=row["secret"],
        host=row["host"],
        state=State(row["state"]),
        tries=row["tries"],
        sent=row["sent"],
        next_at=row["next_at"],
        created_at=row["created_at"],
        settled_at=row["settled_at"],
        last_reason=row["last_reason"],
    )


def _attempt(row: Row) -> Attempt:
    return Attempt(row["at"], row["took_ms"], row["status"], row["reason"], row["answer"])


async def owe(tx: Transaction, due: Sequence[Due], now: int) -> None:
    """Owe messages. A second final one of a task breaks the transaction; passing ones wait at most one of a kind."""
    for statement, passing in ((SQL.owe, False), (SQL.owe_passing, True)):
        rows = [
            {
                "id": new_id(now),
                "account_id": one.account_id,
                "task_id": one.task_id,
                "event": one.event,
                "endpoint": one.endpoint,
                "secret": one.secret,
                "host": host_and_port(one.endpoint),
            }
            for one in due
            if (one.event not in FINAL) is passing
        ]
        if rows:
            await tx.execute(statement, rows=rows, now=now)


async def owed_hosts(database: Database, *, after: str, most: int) -> list[tuple[str, int]]:
    """List hosts to which something is owed, in the order of their names, with when the first of it is due."""
    rows = await database.fetch(SQL.owed_hosts, after=after, most=most)
    return [(row["host"], row["next_at"]) for row in rows]


async def claim(tx: Transaction, shares: Sequence[Share], *, now: int, until: int) -> list[Delivery]:
    """Take due deliveries, the oldest of each host; nobody else has them before `until`."""
    most = max(share.most for share in shares)
    found = await tx.fetch(SQL.claim_due, rows=list(shares), most=most, now=now, until=until)
    return [_delivery(row) for row in found]


async def report(tx: Transaction, reports: Sequence[Report], now: int) -> set[str]:
    """Write down what became of claimed deliveries; gives the ids of those that were still claimed."""
    rows = [
        {
            "id": one.delivery.id,
            "state": one.state,
            "attempts": 1 if one.attempt else 0,
            "next_at": one.next_at,
            "reason": one.reason,
            "claimed_until": one.delivery.next_at,
        }
        for one in sorted(reports, key=lambda one: one.delivery.id)
    ]
    written = {row["id"] for row in await tx.fetch(SQL.report, rows=rows, now=now)}
    attempts = [
        {
            "delivery_id": one.delivery.id,
            "number": one.delivery.sent + 1,
            "at": one.attempt.at,
            "took_ms": one.attempt.took_ms,
            "status": one.attempt.status,
            "reason": one.attempt.reason,
            "answer": one.attempt.answer,
        }
        for one in reports
        if one.attempt and one.delivery.id in written
    ]
    if attempts:
        await tx.execute(SQL.add_attempts, rows=attempts)
    return written


def _endpoint(account_id: int, endpoint: str) -> tuple[int, str]:
    return account_id, hashlib.sha256(endpoint.encode()).hexdigest()


def _keys(endpoints: Iterable[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """Give the distinct keys of endpoints, in one order for all who lock them."""
    return dict(sorted((_endpoint(account_id, endpoint), endpoint) for account_id, endpoint in endpoints))


def _key_rows(keys: Iterable[tuple[int, str]]) -> list[dict[str, object]]:
    return [{"account_id": account_id, "hash": key} for account_id, key in keys]


async def enable(tx: Transaction, endpoints: Iterable[tuple[int, str]]) -> None:
    """Forget that endpoints (account, address) ever failed."""
    if keys := _keys(endpoints):
        await tx.execute(SQL.enable, rows=_key_rows(keys))


async def note_failures(
    tx: Transaction, endpoints: Iterable[tuple[int, str]], *, now: int, gap: int, long_ago: int
) -> list[tuple[int, str]]:
    """Write down that endpoints failed, and disable those that have done nothing else since `long_ago`.

    Gives those that were enabled until now.
    """
    rows = [
        {"account_id": account_id, "hash": key, "endpoint": endpoint}
        for (account_id, key), endpoint in _keys(endpoints).items()
    ]
    if not rows:
        return []
    found = await tx.fetch(SQL.note_failures, rows=rows, now=now, gap=gap, long_ago=long_ago)
    return [(row["account_id"], row["endpoint"]) for row in found if row["disabled_at"] == now]


async def failing(database: Database, endpoints: Iterable[tuple[int, str]]) -> dict[tuple[int, str], bool]:
    """Tell which of these endpoints have failed since they last answered well, and whether they are disabled."""
    keys = _keys(endpoints)
    rows = await database.fetch(SQL.failing, rows=_key_rows(keys))
    return {(row["account_id"], keys[row["account_id"], row["hash"]]): row["disabled_at"] is not None for row in rows}


async def newest(
    database: Database, *, account_id: int, before: str, task_id: str, state: str, event: str, size: int
) -> list[Delivery]:
    """List an account's deliveries older than `before`, newest first; empty filters match all."""
    which = {"account_id": account_id, "before": before, "state": state, "event": event, "size": size}
    if task_id:
        rows = await database.fetch(SQL.list_deliveries_of_task, task_id=task_id, **which)
    else:
        rows = await database.fetch(SQL.list_deliveries, **which)
    return [_delivery(row) for row in rows]


async def find(database: Database, delivery_id: str, account_id: int) -> Delivery | None:
    """Read a delivery, if it belongs to this account."""
    rows = await database.fetch(SQL.find_delivery, id=delivery_id, account_id=account_id)
    return _delivery(rows[0]) if rows else None


async def attempts(database: Database, delivery_id: str) -> list[Attempt]:
    """Read the attempts of a delivery, oldest first."""
    return [_attempt(row) for row in await database.fetch(SQL.find_attempts, id=delivery_id)]


async def lock_replayable(
    tx: Transaction, *, account_id: int, after: str, before: str, states: Sequence[State], most: int
) -> list[str]:
    """Find deliveries of final messages between two ids, oldest first."""
    rows = await tx.fetch(
        SQL.lock_replayable, account_id=account_id, after=after, before=before, rows=list(states), most=most
    )
    return [row["id"] for row in rows]


async def owe_again(tx: Transaction, delivery_ids: Sequence[str], now: int) -> None:
    """Begin the schedule of deliveries anew."""
    if delivery_ids:
        await tx.execute(SQL.owe_again, rows=list(delivery_ids), now=now)


async def give_up(tx: Transaction, *, before: int, now: int, most: int) -> None:
    """End deliveries that fell due so long ago that nobody waits for them any more."""
    await tx.execute(SQL.give_up, before=before, now=now, most=most)


async def forget(tx: Transaction, *, before_id: str, before: int, most: int) -> None:
    """Drop settled deliveries and attempts older than an id, and endpoints that last failed before a time."""
    await tx.execute(SQL.forget_deliveries, before=before_id, most=most)
    await tx.execute(SQL.forget_attempts, before=before_id, most=most)
    await tx.execute(SQL.forget_endpoints, before=before, most=most)
