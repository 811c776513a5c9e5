"""Deliveries between rows and model."""

from collections.abc import Sequence

from unitask.db import Queries, Transaction
from unitask.kit.ids import new_id

SQL = Queries(__package__)


async def owe(tx: Transaction, due: Sequence[tuple[int, str, str]], now: int) -> None:
    """Owe a message for each (account, task, event); a second one of an event for a task breaks the transaction."""
    rows = [
        {"id": new_id(now), "account_id": account_id, "task_id": task_id, "event": event}
        for account_id, task_id, event in due
    ]
    if rows:
        await tx.execute(SQL.owe, rows=rows, now=now)
