"""Accounts and keys between rows and model."""

from collections.abc import Iterable, Sequence

from unitask.accounts.model import Account, Caller, Change, Key
from unitask.db import Database, Queries, Row, Transaction

SQL = Queries(__package__)


def _account(row: Row) -> Account:
    return Account(
        id=row["id"],
        name=row["name"],
        unlimited=bool(row["unlimited"]),
        available_points=row["available_points"],
        held_points=row["held_points"],
        used_points=row["used_points"],
        task_limit=row["task_limit"],
        active_tasks=row["active_tasks"],
        staged_tasks=row["staged_tasks"],
        created_at=row["created_at"],
    )


async def lock(tx: Transaction, account_ids: Iterable[int]) -> dict[int, Account]:
    """Read accounts and keep others from changing them until the commit; always in the order of their ids."""
    rows = await tx.fetch(SQL.lock_accounts, rows=sorted(set(account_ids)))
    return {row["id"]: _account(row) for row in rows}


async def change(tx: Transaction, changes: Sequence[Change]) -> None:
    """Add to balances and counters; at most one change for each account."""
    if changes:
        await tx.execute(SQL.change_accounts, rows=list(changes))


async def add(tx: Transaction, *, name: str, unlimited: bool, task_limit: int | None, now: int) -> int:
    """Add an account with an empty balance; returns its id."""
    row = await tx.fetch_one(SQL.add_account, name=name, unlimited=unlimited, task_limit=task_limit, now=now)
    assert row is not None  # noqa: S101 - `returning` of a plain insert
    account_id: int = row["id"]
    return account_id


async def find_named(tx: Transaction, name: str) -> Account | None:
    """Find an account by its name."""
    row = await tx.fetch_one(SQL.find_account_named, name=name)
    return _account(row) if row else None


async def read(database: Database, account_id: int) -> Account | None:
    """Read an account outside of a transaction."""
    rows = await database.fetch(SQL.read_account, id=account_id)
    return _account(rows[0]) if rows else None


async def add_key(tx: Transaction, *, account_id: int, key_hash: str, hint: str, name: str, now: int) -> int | None:
    """Add a key; None if this very key exists already."""
    row = await tx.fetch_one(SQL.add_key, account_id=account_id, key_hash=key_hash, hint=hint, name=name, now=now)
    return row["id"] if row else None


async def find_key(database: Database, key_hash: str) -> Caller | None:
    """Find who a key speaks for, unless it is revoked."""
    rows = await database.fetch(SQL.find_key, key_hash=key_hash)
    return Caller(rows[0]["account_id"], rows[0]["id"]) if rows else None


async def list_keys(database: Database) -> list[Key]:
    """List all keys, oldest first."""
    rows = await database.fetch(SQL.list_keys)
    return [
        Key(
            row["id"],
            row["account_id"],
            row["hint"],
            row["name"],
            row["created_at"],
            row["revoked_at"],
        )
        for row in rows
    ]


async def revoke_key(tx: Transaction, key_id: int, now: int) -> bool:
    """Revoke a key; False if there is none or it was revoked before."""
    return await tx.fetch_one(SQL.revoke_key, id=key_id, now=now) is not None
