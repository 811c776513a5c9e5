"""Accounts of other people, and points for them."""

from dataclasses import dataclass

from unitask.accounts import repository as accounts
from unitask.accounts.model import Account, Change
from unitask.app import Services
from unitask.billing import repository as ledger
from unitask.billing.model import Entry, Kind
from unitask.db import Transaction


@dataclass(frozen=True, slots=True)
class Person:
    """An account, and the headers with which its owner comes."""

    account_id: int
    headers: dict[str, str]


async def open_account(
    services: Services, name: str, *, unlimited: bool = False, points: int = 0, task_limit: int | None = None
) -> Person:
    """Make an account with one key; its points come as a top-up."""
    now = services.clock.now_us()
    account_id = await services.database.write(
        lambda tx: accounts.add(tx, name=name, unlimited=unlimited, task_limit=task_limit, now=now)
    )
    key = await services.accounts.add_key(account=name, name="first key")
    assert key is not None
    if points:
        await top_up(services, account_id, points)
    return Person(account_id, {"X-API-Key": key})


async def top_up(services: Services, account_id: int, points: int) -> None:
    """Bring points in from outside."""
    now = services.clock.now_us()

    async def work(tx: Transaction) -> None:
        await ledger.add(tx, [Entry(account_id, None, Kind.TOP_UP, points)], now)
        await accounts.change(tx, [Change(account_id, available_points=points)])

    await services.database.write(work)


async def read(services: Services, account_id: int) -> Account:
    """Read balance and counters."""
    account = await accounts.read(services.database, account_id)
    assert account is not None
    return account
