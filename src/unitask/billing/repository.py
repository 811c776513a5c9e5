"""The ledger between rows and model."""

from collections.abc import Sequence

from unitask.billing.model import BOOKS, Book, Entry
from unitask.db import Database, Queries, Transaction

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
