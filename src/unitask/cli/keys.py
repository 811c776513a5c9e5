"""`unitask keys add|list|revoke`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from unitask.accounts.service import DEFAULT_ACCOUNT
from unitask.app import Services
from unitask.kit.clock import rfc3339
from unitask.settings import Settings

T = TypeVar("T")


def _with_services(work: Callable[[Services], Awaitable[T]]) -> T:
    async def run() -> T:
        services = await Services.open(Settings.load())
        try:
            return await work(services)
        finally:
            await services.close()

    return asyncio.run(run())


@click.group()
def keys() -> None:
    """Add, list and revoke API keys."""


@keys.command()
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="Account that the key speaks for.")
@click.option("--name", default="", help="What the key is for.")
def add(account: str, name: str) -> None:
    """Make a new key and show it, this once."""
    secret = _with_services(lambda services: services.accounts.add_key(account=account, name=name))
    click.echo(secret)


@keys.command("list")
def list_() -> None:
    """List all keys, without their secrets."""
    for key in _with_services(lambda services: services.accounts.list_keys()):
        state = f"revoked {rfc3339(key.revoked_at)}" if key.revoked_at else "works"
        click.echo(
            f"{key.id:>4}  account {key.account_id}  ...{key.hint}  {rfc3339(key.created_at)}  {state}  {key.name}"
        )


@keys.command()
@click.argument("key_id", type=int)
def revoke(key_id: int) -> None:
    """Revoke a key by its number; it stops working within five seconds."""
    _with_services(lambda services: services.accounts.revoke_key(key_id))
    click.echo(f"Key {key_id} is revoked.")
