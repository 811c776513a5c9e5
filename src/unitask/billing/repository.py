"""The ledger and the packs between rows and model."""

from collections.abc import Iterable, Sequence

from unitask.billing.model import BOOKS, Book, Entry, Kind, Line, Pack, Usage
from unitask.db import Database, Queries, Row, Transaction

SQL = Queries(__package__)


async def add(tx: Transaction, entries: Sequence[Entry], now: int) -> None:
    """Append movements; a second one of a kind for a task breaks the transaction."""
    rows = [
        {
            "account_id": entry.account_id,
            "task_id": entry.task_id,
            "kind": entry.kind,
            "debit": BOOKS[entry.kind][0],
            "credit": BOOKS[entry.kind][1],
            "points": entry.points,
            "reason": entry.reason,
        }
        for entry in entries
    ]
    if rows:
        await tx.execute(SQL.add_entries, rows=rows, now=now)


async def count_usage(tx: Transaction, ended: Iterable[Usage]) -> None:
    """Add what has ended to the days of its accounts, which are locked."""
    sums: dict[tuple[int, int, str], Usage] = {}
    for one in ended:
        found = sums.setdefault((one.account_id, one.day, one.product), Usage(one.account_id, one.day, one.product))
        found.completed += one.completed
        found.failed += one.failed
        found.points += one.points
    if sums:
        await tx.execute(SQL.count_usage, rows=list(sums.values()))


async def usage(database: Database, account_id: int, *, since: int, until: int) -> list[Usage]:
    """Read what ended on the days from `since` to `until`, both among them, by day and product."""
    rows = await database.fetch(SQL.usage, account_id=account_id, since=since, until=until)
    return [
        Usage(row["account_id"], row["day"], row["product"], row["completed"], row["failed"], row["points"])
        for row in rows
    ]


async def replay(database: Database) -> dict[int, dict[Book, int]]:
    """Rebuild every account's books from the ledger alone."""
    rows = await database.fetch(SQL.replay)
    return {
        row["account_id"]: {
            Book.AVAILABLE: int(row["available_points"]),
            Book.HELD: int(row["held_points"]),
            Book.USED: int(row["used_points"]),
        }
        for row in rows
    }


async def available_before(database: Database, account_id: int, until: int) -> int:
    """Tell how many points were available at a moment."""
    rows = await database.fetch(SQL.available_before, account_id=account_id, until=until)
    return int(rows[0]["points"])


async def totals(database: Database, account_id: int, *, since: int, until: int) -> dict[Kind, tuple[int, int]]:
    """Sum a period by kind: how many movements, and of how many points."""
    rows = await database.fetch(SQL.totals, account_id=account_id, since=since, until=until)
    return {Kind(row["kind"]): (row["number"], int(row["points"])) for row in rows}


async def lines(
    database: Database, account_id: int, *, since: int, until: int, after_id: int = 0, most: int
) -> list[Line]:
    """Read the movements of a period in their order; those of the very moment `since` only behind the id."""
    rows = await database.fetch(
        SQL.lines, account_id=account_id, since=since, until=until, after_id=after_id, most=most
    )
    return [
        Line(row["id"], row["task_id"], Kind(row["kind"]), row["points"], row["reason"], row["created_at"])
        for row in rows
    ]


async def add_pack(
    tx: Transaction,
    *,
    account_id: int,
    points: int,
    reason: str,
    reference: str | None,
    expires_at: int | None,
    now: int,
) -> Pack | None:
    """Add a pack; None if the account has one with this reference."""
    row = await tx.fetch_one(
        SQL.add_pack,
        account_id=account_id,
        points=points,
        reason=reason,
        reference=reference,
        expires_at=expires_at,
        now=now,
    )
    return _pack(row) if row else None


async def find_pack(tx: Transaction, account_id: int, reference: str) -> Pack | None:
    """Find the pack of an account with this reference."""
    row = await tx.fetch_one(SQL.find_pack, account_id=account_id, reference=reference)
    return _pack(row) if row else None


async def packs(database: Database, account_id: int) -> list[Pack]:
    """Read all packs of an account."""
    return [_pack(row) for row in await database.fetch(SQL.packs, account_id=account_id)]


async def open_packs(tx: Transaction, account_id: int) -> list[Pack]:
    """Read the packs of a locked account that are not known to be empty."""
    return [_pack(row) for row in await tx.fetch(SQL.open_packs, account_id=account_id)]


async def set_packs(tx: Transaction, changed: Sequence[Pack]) -> None:
    """Write what is left of packs."""
    if changed:
        rows = [{"id": pack.id, "remaining": pack.remaining, "expired": pack.expired} for pack in changed]
        await tx.execute(SQL.set_packs, rows=rows)


async def accounts_with_expired(database: Database, *, now: int, after: int, most: int) -> list[int]:
    """List accounts with a pack past its time that still holds points."""
    rows = await database.fetch(SQL.accounts_with_expired, now=now, after=after, most=most)
    return [row["account_id"] for row in rows]


def _pack(row: Row) -> Pack:
    return Pack(
        id=row["id"],
        account_id=row["account_id"],
        capacity=row["capacity"],
        remaining=row["remaining"],
        expired=row["expired"],
        reason=row["reason"],
        reference=row["reference"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
