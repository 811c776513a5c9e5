"""Accounts of other people, and points for them."""

from dataclasses import dataclass
from typing import Any

from unitask.accounts.limits import Limits
from unitask.accounts.model import Account
from unitask.app import Services

ACTOR = "a test"


@dataclass(frozen=True, slots=True)
class Person:
    """An account, and the headers with which its owner comes."""

    account_id: int
    headers: dict[str, str]


async def open_account(
    services: Services,
    name: str,
    *,
    unlimited: bool = False,
    points: int = 0,
    task_limit: int | None = None,
    **limits: Any,
) -> Person:
    """Make an account with one key; its points come as a top-up."""
    what = Limits(concurrent_tasks=task_limit, **limits)
    account = await services.registry.open_account(name, actor=ACTOR, limits=what, unlimited=unlimited)
    _, key = await services.keyring.add(account.id, actor=ACTOR, name="first key")
    if points:
        await top_up(services, account.id, points)
    return Person(account.id, {"X-API-Key": key})


async def top_up(services: Services, account_id: int, points: int) -> None:
    """Bring points in from outside."""
    await services.credit.top_up(account_id, points, actor=ACTOR)


async def read(services: Services, account_id: int) -> Account:
    """Read balance and counters."""
    return await services.registry.account(account_id)
