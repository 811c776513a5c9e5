"""Accounts, plans, keys, packs and decisions as the admin API writes them: a function each."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from unitask.accounts.limits import Limits
from unitask.accounts.model import Account, Key, Plan
from unitask.administration.audit import AuditEntry
from unitask.billing.model import Pack
from unitask.kit.clock import DAY_US, rfc3339
from unitask.kit.money import usd


def _time(time_us: int | None) -> str | None:
    return None if time_us is None else rfc3339(time_us)


def limits_document(limits: Limits) -> dict[str, Any]:
    """Write limits with all their fields; null is: no limit."""
    return limits.model_dump(mode="json")


def account_document(account: Account, now: int) -> dict[str, Any]:
    """Write an account. `limits` are those that hold: its own where it has some, else its plan's."""
    books = {"available": account.available_points, "held": account.held_points, "used": account.used_points}
    today = account.spent if account.spent_day == now // DAY_US else {}
    return {
        "id": account.id,
        "name": account.name,
        "plan": account.plan,
        "enabled": account.enabled,
        "unlimited": account.unlimited,
        "limits": limits_document(account.limits),
        "own_limits": limits_document(account.own_limits),
        **{f"{book}_points": points for book, points in books.items()},
        **{f"{book}_usd": usd(points) for book, points in books.items()},
        "spent_today_points": today.get("", 0),
        "active_tasks": account.active_tasks,
        "staged_tasks": account.staged_tasks,
        "active_by_family": {name: number for name, number in account.active.items() if name[0] not in "#~"},
        "created_at": rfc3339(account.created_at),
        "updated_at": rfc3339(account.updated_at),
    }


def key_document(key: Key, secret: str | None = None) -> dict[str, Any]:
    """Write a key; with its secret only in the answer that made it."""
    return {
        "id": key.id,
        "account_id": key.account_id,
        "account": key.account,
        "name": key.name,
        "hint": key.hint,
        "scopes": sorted(key.scopes),
        "limits": limits_document(key.limits),
        "created_at": rfc3339(key.created_at),
        "expires_at": _time(key.ends_at),
        "revoked_at": _time(key.revoked_at),
        "last_used_at": _time(key.last_used_at),
        **({} if secret is None else {"secret": secret}),
    }


def key_page(keys: Sequence[Key], size: int) -> dict[str, Any]:
    """Write a page of keys; one more than `size` tells that there is another."""
    return {
        "keys": [key_document(key) for key in keys[:size]],
        "next_cursor": str(keys[size - 1].id) if len(keys) > size else None,
    }


def pack_document(pack: Pack) -> dict[str, Any]:
    """Write a pack with what is left in it."""
    return {
        "id": pack.id,
        "points": pack.capacity,
        "usd": usd(pack.capacity),
        "remaining_points": pack.remaining,
        "expired_points": pack.expired,
        "reason": pack.reason,
        "reference": pack.reference,
        "created_at": rfc3339(pack.created_at),
        "expires_at": _time(pack.expires_at),
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """Write a plan."""
    return {"name": plan.name, "limits": limits_document(plan.limits), "updated_at": rfc3339(plan.updated_at)}


def audit_document(entry: AuditEntry) -> dict[str, Any]:
    """Write a decision of the audit log."""
    return {
        "id": entry.id,
        "time": rfc3339(entry.created_at),
        "actor": entry.actor,
        "action": entry.action,
        "account_id": entry.account_id,
        "detail": {name: _READ.get(name, _as_it_is)(value) for name, value in entry.detail.items()},
    }


def _as_it_is(value: Any) -> Any:
    return value


_READ: Final[dict[str, Callable[[Any], Any]]] = {"limits": orjson.loads, "expires_at": _time}
