"""The audit log: who decided what, when. Written in the transaction of the decision, never changed."""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from unitask.db import Database, Queries, Transaction

SQL = Queries(__package__)
_LATEST: Final = 2**62


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One decision. `actor`: `command line`, `admin key`, or `key 7`."""

    id: int
    actor: str
    action: str
    account_id: int | None
    detail: dict[str, Any]
    created_at: int


async def write(tx: Transaction, *, actor: str, action: str, account_id: int | None, now: int, **detail: Any) -> None:
    """Append a line; secrets have no place in it."""
    text = orjson.dumps(detail).decode()
    await tx.execute(SQL.add_audit, actor=actor, action=action, account_id=account_id, detail=text, now=now)


async def read(
    database: Database, *, account_id: int | None = None, action: str = "", before: int = _LATEST, most: int = 100
) -> list[AuditEntry]:
    """Read the log, newest first: of one account or of all, of one action or of all, older than the entry `before`."""
    of = {"all_accounts": account_id is None, "account_id": account_id or 0, "action": action}
    rows = await database.fetch(SQL.list_audit, before=before, **of, most=most)
    return [
        AuditEntry(
            row["id"], row["actor"], row["action"], row["account_id"], orjson.loads(row["detail"]), row["created_at"]
        )
        for row in rows
    ]
