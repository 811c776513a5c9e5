"""`unitask keys add|list|set|rotate|revoke`."""

import shlex
from collections.abc import Callable
from typing import Any, Final

import click

from unitask.accounts.limits import NO_LIMITS
from unitask.accounts.model import CUSTOMER_SCOPES, Account, Key, Scope
from unitask.accounts.service import DEFAULT_ACCOUNT
from unitask.administration.keyring import OVERLAP_S, Keep
from unitask.api.admin_messages import expiry
from unitask.app import Services
from unitask.cli.installed import ACTOR, find_account, with_services
from unitask.cli.limits import NONE, Change, Command, OrNone, with_limits, written
from unitask.kit.clock import rfc3339
from unitask.kit.errors import NotFound

_DAYS: Final = click.IntRange(1, 36_500)
_key_id = click.argument("key_id", type=click.IntRange(1, 10**15))


@click.group()
def keys() -> None:
    """Add, list, change, rotate and revoke API keys."""


async def _owner(services: Services, account: str) -> Account:
    try:
        return await find_account(services, account)
    except NotFound:
        # The first start makes the account `default` so; a server would rather find it that way.
        kind = " --unlimited" if account == DEFAULT_ACCOUNT else ""
        raise NotFound(
            f"no account {account!r}; `unitask accounts add {shlex.quote(account)}{kind}` opens it"
        ) from None


def _scopes(about: str) -> Callable[[Command], Command]:
    return click.option(
        "--scope",
        "scopes",
        multiple=True,
        type=click.Choice([scope.value for scope in Scope]),
        help=f"What it may be used for. Repeatable. {about}",
    )


@keys.command()
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="Account that the key speaks for.")
@click.option("--name", default="", help="What the key is for.")
@_scopes(f"Default: {', '.join(sorted(CUSTOMER_SCOPES))}.")
@click.option("--expires-days", type=_DAYS, help="Days after which it stops working.")
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

    async def work(services: Services) -> None:
        account_id = (await find_account(services, account)).id if account else None
        now, after = services.clock.now_us(), 0
        while page := await services.keyring.keys(account_id, after=after):
            for key in page:
                click.echo(_line(key, now))
            after = page[-1].id

    with_services(work)


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
        return f"expired {rfc3339(key.ends_at)}"
    return f"works until {rfc3339(key.ends_at)}" if key.ends_at else "works"


@keys.command("set")
@_key_id
@click.option("--name", help="What the key is for.")
@_scopes("All of them anew.")
@click.option("--expires-days", type=OrNone(_DAYS), help="Days from now after which it stops working, or none.")
@with_limits
def set_(key_id: int, name: str | None, scopes: tuple[str, ...], expires_days: Any, *, limits: Change) -> None:
    """Change what is given about a key."""

    async def work(services: Services) -> str:
        old = await services.keyring.key(key_id)
        now = services.clock.now_us()
        ends_at = None if expires_days in (None, NONE) else expiry(expires_days, now)
        changed = await services.keyring.set(
            key_id,
            actor=ACTOR,
            name=name,
            scopes=frozenset(map(Scope, scopes)) or None,
            limits=limits(old.limits) if old else None,
            expires_at=Keep.KEEP if expires_days is None else ends_at,
        )
        return _line(changed, now)

    click.echo(with_services(work))


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
