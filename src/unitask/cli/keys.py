"""`unitask keys add|list|rotate|revoke`."""

import shlex

import click

from unitask.accounts.limits import NO_LIMITS
from unitask.accounts.model import CUSTOMER_SCOPES, Account, Key, Scope
from unitask.accounts.service import DEFAULT_ACCOUNT
from unitask.administration.keyring import OVERLAP_S
from unitask.api.admin_messages import expiry
from unitask.app import Services
from unitask.cli.installed import ACTOR, find_account, with_services
from unitask.cli.limits import Change, with_limits, written
from unitask.kit.clock import rfc3339
from unitask.kit.errors import NotFound

_key_id = click.argument("key_id", type=click.IntRange(1, 10**15))


@click.group()
def keys() -> None:
    """Add, list, rotate and revoke API keys."""


async def _owner(services: Services, account: str) -> Account:
    try:
        return await find_account(services, account)
    except NotFound:
        # The first start makes the account `default` so; a server would rather find it that way.
        kind = " --unlimited" if account == DEFAULT_ACCOUNT else ""
        raise NotFound(
            f"no account {account!r}; `unitask accounts add {shlex.quote(account)}{kind}` opens it"
        ) from None


@keys.command()
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="Account that the key speaks for.")
@click.option("--name", default="", help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help=f"What it may be used for. Repeatable. Default: {', '.join(sorted(CUSTOMER_SCOPES))}.",
)
@click.option("--expires-days", type=click.IntRange(1, 36_500), help="Days after which it stops working.")
@with_limits
def add(account: str, name: str, scopes: tuple[str, ...], expires_days: int | None, *, limits: Change) -> None:
    """Make a new key and show it, this once."""

    async def work(services: Services) -> str:
        found = await _owner(services, account)
        _, secret = await services.keyring.add(
            found.id,
            actor=ACTOR,
            name=name,
            scopes=frozenset(map(Scope, scopes)) or CUSTOMER_SCOPES,
            limits=limits(NO_LIMITS),
            expires_at=expiry(expires_days, services.clock.now_us()),
        )
        return secret

    click.echo(with_services(work))


@keys.command("list")
@click.option("--account", help="Only keys of this account.")
def list_(account: str | None) -> None:
    """List keys, without their secrets."""

    async def work(services: Services) -> list[str]:
        account_id = (await find_account(services, account)).id if account else None
        now = services.clock.now_us()
        return [_line(key, now) for key in await services.keyring.keys(account_id)]

    for line in with_services(work):
        click.echo(line)


def _line(key: Key, now: int) -> str:
    columns = (
        f"{key.id:>4}",
        key.account,
        f"...{key.hint}",
        rfc3339(key.created_at),
        ",".join(sorted(key.scopes)),
        *([] if key.limits == NO_LIMITS else [written(key.limits)]),
        _state(key, now),
        key.name,
    )
    return "  ".join(columns)


def _state(key: Key, now: int) -> str:
    if key.revoked_at:
        return f"revoked {rfc3339(key.revoked_at)}"
    if not key.works(now):
        return f"expired {rfc3339(key.expires_at)}"
    return f"works until {rfc3339(key.expires_at)}" if key.expires_at else "works"


@keys.command()
@_key_id
@click.option(
    "--overlap-s",
    type=click.IntRange(0, 30 * 24 * 3600),
    default=OVERLAP_S,
    show_default=True,
    help="Seconds that the old one works on.",
)
def rotate(key_id: int, overlap_s: int) -> None:
    """Make a key with the same rights; the old one ends after the overlap."""
    _, secret = with_services(lambda services: services.keyring.rotate(key_id, actor=ACTOR, overlap_s=overlap_s))
    click.echo(secret)


@keys.command()
@_key_id
def revoke(key_id: int) -> None:
    """Revoke a key by its number; it stops working within five seconds."""
    with_services(lambda services: services.keyring.revoke(key_id, actor=ACTOR))
    click.echo(f"Key {key_id} is revoked.")
