"""`unitask accounts list|show|add|set`."""

from collections.abc import AsyncIterator

import click

from unitask.accounts.limits import NO_LIMITS
from unitask.accounts.model import Account
from unitask.accounts.service import OPEN_PLAN
from unitask.api.wording import dollars
from unitask.app import Services
from unitask.cli.installed import ACTOR, find_account, with_services
from unitask.cli.limits import Change, with_limits, written
from unitask.kit.clock import DAY_US, rfc3339

_PAGE = 1000


async def all_accounts(services: Services) -> AsyncIterator[Account]:
    """Read all accounts by number, page by page."""
    after = 0
    while page := await services.registry.accounts(after=after, most=_PAGE):
        for account in page:
            yield account
        after = page[-1].id


def _balance(account: Account) -> str:
    return "unlimited" if account.unlimited else dollars(account.available_points)


def _line(account: Account) -> str:
    state = "" if account.enabled else "  disabled"
    return f"{account.id:>4}  {account.name}  {account.plan}  {_balance(account)}{state}"


@click.group()
def accounts() -> None:
    """Open, show and change accounts."""


@accounts.command("list")
def list_() -> None:
    """List all accounts: number, name, plan, and what is available."""

    async def work(services: Services) -> list[Account]:
        return [account async for account in all_accounts(services)]

    for account in with_services(work):
        click.echo(_line(account))


@accounts.command()
@click.argument("account")
def show(account: str) -> None:
    """Show an account with its balance, limits and tasks."""

    async def work(services: Services) -> str:
        found = await find_account(services, account)
        return _described(found, services.clock.now_us())

    click.echo(with_services(work))


def _described(account: Account, now: int) -> str:
    spent = account.spent.get("", 0) if account.spent_day == now // DAY_US else 0
    rows = (
        ("number", str(account.id)),
        ("name", account.name),
        ("plan", account.plan),
        ("state", "enabled" if account.enabled else "disabled"),
        ("kind", "unlimited" if account.unlimited else "prepaid"),
        ("available", f"{account.available_points:,} points ({dollars(account.available_points)})"),
        ("held", f"{account.held_points:,} points ({dollars(account.held_points)})"),
        ("used", f"{account.used_points:,} points ({dollars(account.used_points)})"),
        ("today", f"{spent:,} points ({dollars(spent)})"),
        ("tasks", f"{account.active_tasks} active, {account.staged_tasks} staged"),
        ("limits", written(account.limits)),
        ("own limits", written(account.own_limits)),
        ("opened", rfc3339(account.created_at)),
    )
    return "\n".join(f"{name:10}  {value}" for name, value in rows)


@accounts.command()
@click.argument("name")
@click.option("--plan", default=OPEN_PLAN, show_default=True, help="Plan that it is on.")
@click.option("--unlimited/--prepaid", default=False, help="Whether it needs no balance. Default: prepaid.")
@with_limits
def add(name: str, plan: str, *, unlimited: bool, limits: Change) -> None:
    """Open an account with an empty balance."""

    async def work(services: Services) -> Account:
        return await services.registry.open_account(
            name, actor=ACTOR, plan=plan, limits=limits(NO_LIMITS), unlimited=unlimited
        )

    click.echo(_line(with_services(work)))


@accounts.command("set")
@click.argument("account")
@click.option("--plan", help="Plan that it is on.")
@click.option("--unlimited/--prepaid", default=None, help="Whether it needs no balance.")
@click.option("--enable/--disable", "enabled", default=None, help="Whether its keys may do anything.")
@with_limits
def set_(account: str, plan: str | None, *, unlimited: bool | None, enabled: bool | None, limits: Change) -> None:
    """Change what is given about an account."""

    async def work(services: Services) -> str:
        found = await find_account(services, account)
        wanted = limits(found.own_limits)
        changed = await services.registry.set_account(
            found.id,
            actor=ACTOR,
            plan=plan,
            limits=None if wanted == found.own_limits else wanted,
            enabled=enabled,
            unlimited=unlimited,
        )
        return _described(changed, services.clock.now_us())

    click.echo(with_services(work))
