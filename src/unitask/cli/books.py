"""`unitask ledger check` and `unitask audit`: whether the books are right, and who decided what."""

import sys
from typing import Any

import click
import orjson

from unitask.administration import audit as log
from unitask.administration import books
from unitask.administration.audit import AuditEntry
from unitask.api.admin_documents import audit_document
from unitask.app import Services
from unitask.cli.accounts import all_accounts
from unitask.cli.installed import find_account, with_services


@click.group()
def ledger() -> None:
    """Check the books."""


@ledger.command()
def check() -> None:
    """Compare ledger, balances, packs and tasks of all accounts."""

    async def work(services: Services) -> tuple[list[str], int]:
        troubles = await books.troubles(services.database)
        return troubles, sum([1 async for _ in all_accounts(services)])

    troubles, number = with_services(work)
    for trouble in troubles:
        click.echo(trouble)
    if troubles:
        sys.exit(1)
    click.echo(f"The books are right: {number} account{'' if number == 1 else 's'}.")


@click.command()
@click.option("--account", help="Only decisions about this account.")
@click.option("--most", type=click.IntRange(min=1), default=100, show_default=True, help="How many.")
def audit(account: str | None, most: int) -> None:
    """List who decided what, newest first."""

    async def work(services: Services) -> list[AuditEntry]:
        account_id = (await find_account(services, account)).id if account else None
        return await log.read(services.database, account_id=account_id, most=most)

    for entry in map(audit_document, with_services(work)):
        about = f"account {entry['account_id']}  " if entry["account_id"] else ""
        click.echo(f"{entry['time']}  {entry['actor']}  {entry['action']}  {about}{_written(entry['detail'])}")


def _written(detail: dict[str, Any]) -> str:
    kept = {name: value for name, value in detail.items() if value not in (None, "", {})}
    return " ".join(
        f"{name}={value if isinstance(value, str) else orjson.dumps(value).decode()}" for name, value in kept.items()
    )
