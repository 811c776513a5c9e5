"""Accounts, plans and keys between rows and model."""

from collections.abc import Iterable, Mapping, Sequence

import orjson

from unitask.accounts import limits as limits_of
from unitask.accounts.limits import Limits
from unitask.accounts.model import Account, Caller, Change, Key, Plan, Scope, earliest
from unitask.db import Database, Queries, Row, Transaction

SQL = Queries(__package__)


def document(limits: Limits) -> str:
    """Write limits as they are stored: only what is set."""
    return limits.model_dump_json(exclude_none=True, exclude_defaults=True)


def _account(row: Row) -> Account:
    return Account(
        id=row["id"],
        name=row["name"],
        plan=row["plan"],
        limits=limits_of.joined(row["limits"], row["plan_limits"]),
        own_limits=limits_of.parse(row["limits"]),
        enabled=bool(row["enabled"]),
        unlimited=bool(row["unlimited"]),
        available_points=row["available_points"],
        held_points=row["held_points"],
        used_points=row["used_points"],
        spent_day=row["spent_day"],
        spent=orjson.loads(row["spent"]),
        active_tasks=row["active_tasks"],
        staged_tasks=row["staged_tasks"],
        active=orjson.loads(row["active"]),
        last_turns=orjson.loads(row["last_turns"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _key(row: Row) -> Key:
    return Key(
        id=row["id"],
        account_id=row["account_id"],
        account=row["account"],
        hint=row["hint"],
        name=row["name"],
        scopes=_scopes(row["scopes"]),
        limits=limits_of.parse(row["limits"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
        replaced_until=row["replaced_until"],
    )


def _scopes(text: str) -> frozenset[Scope]:
    return frozenset(Scope(name) for name in text.split())


async def lock(tx: Transaction, account_ids: Iterable[int]) -> dict[int, Account]:
    """Read accounts and keep others from changing them until the commit; always in the order of their ids."""
    rows = await tx.fetch(SQL.lock_accounts, rows=sorted(set(account_ids)))
    return {row["id"]: _account(row) for row in rows}


async def change(tx: Transaction, locked: Mapping[int, Account], changes: Sequence[Change]) -> None:
    """Add to balances and counters of locked accounts; at most one change for each account."""
    rows = [_changed(locked[one.id], one) for one in changes]
    if rows:
        await tx.execute(SQL.change_accounts, rows=rows)


def _changed(account: Account, one: Change) -> dict[str, int | str]:
    day = max((account.spent_day, *(day for day, _ in one.spent)))
    spent = _sum(
        account.spent if day == account.spent_day else {},
        {name: points for (its_day, name), points in one.spent.items() if its_day == day},
    )
    return {
        "id": one.id,
        "available_points": one.available_points,
        "held_points": one.held_points,
        "used_points": one.used_points,
        "active_tasks": one.active_tasks,
        "staged_tasks": one.staged_tasks,
        "active": _text(_sum(account.active, one.active)),
        "spent_day": day,
        "spent": _text(spent),
        "last_turns": _text(account.last_turns | one.last_turns),
    }


def _sum(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    result = dict(first)
    for name, number in second.items():
        result[name] = result.get(name, 0) + number
    return result


def _text(counts: Mapping[str, int]) -> str:
    return orjson.dumps({name: number for name, number in counts.items() if number}).decode()


async def add(tx: Transaction, *, name: str, plan: str, limits: Limits, unlimited: bool, now: int) -> int:
    """Add an account with an empty balance; returns its id."""
    row = await tx.fetch_one(
        SQL.add_account, name=name, plan=plan, limits=document(limits), unlimited=unlimited, now=now
    )
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


async def list_accounts(database: Database, *, after: int, most: int) -> list[Account]:
    """List accounts by id, those behind `after`."""
    return [_account(row) for row in await database.fetch(SQL.list_accounts, after=after, most=most)]


async def set_account(tx: Transaction, account: Account, now: int) -> None:
    """Write what an operator decides about an account: plan, own limits, enabled, unlimited."""
    await tx.execute(
        SQL.set_account,
        id=account.id,
        plan=account.plan,
        limits=document(account.own_limits),
        enabled=account.enabled,
        unlimited=account.unlimited,
        now=now,
    )


async def list_plans(database: Database) -> list[Plan]:
    """List plans by name."""
    rows = await database.fetch(SQL.list_plans)
    return [Plan(row["name"], limits_of.parse(row["limits"]), row["updated_at"]) for row in rows]


async def put_plan(tx: Transaction, name: str, limits: Limits, now: int) -> None:
    """Make a plan or give it other limits."""
    await tx.execute(SQL.put_plan, name=name, limits=document(limits), now=now)


async def remove_plan(tx: Transaction, name: str) -> bool:
    """Remove a plan; False if there is none or accounts are on it."""
    return await tx.fetch_one(SQL.remove_plan, name=name) is not None


async def add_key(
    tx: Transaction,
    *,
    account_id: int,
    key_hash: str,
    hint: str,
    name: str,
    scopes: Iterable[Scope],
    limits: Limits,
    expires_at: int | None,
    now: int,
) -> int | None:
    """Add a key; None if this very key exists already."""
    row = await tx.fetch_one(
        SQL.add_key,
        account_id=account_id,
        key_hash=key_hash,
        hint=hint,
        name=name,
        scopes=" ".join(sorted(scopes)),
        limits=document(limits),
        expires_at=expires_at,
        now=now,
    )
    return row["id"] if row else None


async def find_key(database: Database, key_hash: str, now: int) -> tuple[Caller, bool, int | None] | None:
    """Find who a key speaks for, whether the account is enabled, and when the key ends, unless it has."""
    rows = await database.fetch(SQL.find_key, key_hash=key_hash, now=now)
    if not rows:
        return None
    row = rows[0]
    caller = Caller(
        account_id=row["account_id"],
        api_key_id=row["id"],
        scopes=_scopes(row["scopes"]),
        account_limits=limits_of.joined(row["account_limits"], row["plan_limits"]),
        key_limits=limits_of.parse(row["limits"]),
        plan=row["plan"],
    )
    return caller, bool(row["enabled"]), earliest(row["expires_at"], row["replaced_until"])


async def lock_first(tx: Transaction) -> None:
    """Let no other server make the first key before this transaction has ended."""
    await tx.execute(SQL.lock_first)


async def list_keys(
    source: Database | Transaction, account_id: int | None = None, *, after: int, most: int
) -> list[Key]:
    """List the keys of an account or all keys, oldest first, those behind the number `after`."""
    rows = await source.fetch(
        SQL.list_keys, all_accounts=account_id is None, account_id=account_id or 0, after=after, most=most
    )
    return [_key(row) for row in rows]


async def count_keys(database: Database, account_id: int, now: int) -> int:
    """Count the keys of an account that work."""
    rows = await database.fetch(SQL.count_keys, account_id=account_id, now=now)
    number: int = rows[0]["number"]
    return number


async def read_key(tx: Transaction | Database, key_id: int, account_id: int | None) -> Key | None:
    """Read a key of an account, or of any."""
    rows = await tx.fetch(SQL.read_key, id=key_id, all_accounts=account_id is None, account_id=account_id or 0)
    return _key(rows[0]) if rows else None


async def set_key(tx: Transaction, key: Key) -> None:
    """Write what may change about a key: name, scopes, limits, both ends."""
    await tx.execute(
        SQL.set_key,
        id=key.id,
        name=key.name,
        scopes=" ".join(sorted(key.scopes)),
        limits=document(key.limits),
        expires_at=key.expires_at,
        replaced_until=key.replaced_until,
    )


async def key_limits(tx: Transaction, account_id: int) -> dict[int, Limits]:
    """Read the limits of an account's keys."""
    rows = await tx.fetch(SQL.limited_keys, account_id=account_id)
    return {row["id"]: limits_of.parse(row["limits"]) for row in rows}


async def revoke_key(tx: Transaction, key_id: int, now: int) -> bool:
    """Revoke a key; False if there is none or it was revoked before."""
    return await tx.fetch_one(SQL.revoke_key, id=key_id, now=now) is not None


async def note_use(tx: Transaction, key_ids: Sequence[int], now: int) -> None:
    """Write down that keys were used."""
    await tx.execute(SQL.note_use, rows=list(key_ids), now=now)
