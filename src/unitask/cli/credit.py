"""`unitask credit top-up|adjust|packs|statement`."""

import click

from unitask.api.admin_messages import expiry
from unitask.api.statement import csv_rows
from unitask.api.wording import dollars
from unitask.app import Services
from unitask.billing.model import Line, Pack
from unitask.cli.installed import ACTOR, find_account, with_services
from unitask.cli.limits import usd_points
from unitask.kit.clock import DAY_US, rfc3339

# A balance is corrected down with a minus, which is no option.
_MINUS = {"ignore_unknown_options": True}
_usd = click.option("--usd", help="The same in dollars, instead of points.")


def _amount(points: int | None, usd: str | None) -> int:
    if (points is None) == (usd is None):
        raise click.UsageError("give either POINTS or --usd")
    if usd is None:
        return points or 0
    return -usd_points(usd[1:]) if usd.startswith("-") else usd_points(usd)


def _money(points: int) -> str:
    return f"{points:,} points ({'-' if points < 0 else ''}{dollars(abs(points))})"


@click.group()
def credit() -> None:
    """Bring points in, correct balances, list packs, write statements."""


@credit.command("top-up", context_settings=_MINUS)
@click.argument("account")
@click.argument("points", type=int, required=False)
@_usd
@click.option("--reason", default="", help="What the points are for.")
@click.option("--reference", help="A payment's number: the same again adds nothing.")
@click.option("--expires-days", type=click.IntRange(1, 36_500), help="Days after which the rest of them expires.")
def top_up(
    account: str, points: int | None, *, usd: str | None, reason: str, reference: str | None, expires_days: int | None
) -> None:
    """Add a pack of points to an account."""

    async def work(services: Services) -> tuple[Pack, int]:
        found = await find_account(services, account)
        pack = await services.credit.top_up(
            found.id,
            _amount(points, usd),
            actor=ACTOR,
            reason=reason,
            reference=reference,
            expires_at=expiry(expires_days, services.clock.now_us()),
        )
        return pack, (await services.registry.account(found.id)).available_points

    pack, available = with_services(work)
    click.echo(f"Pack {pack.id}: {_money(pack.capacity)}. Available: {_money(available)}.")


@credit.command(context_settings=_MINUS)
@click.argument("account")
@click.argument("points", type=int, required=False)
@_usd
@click.option("--reason", required=True, help="Why; it stands in the statement and in the audit log.")
def adjust(account: str, points: int | None, usd: str | None, reason: str) -> None:
    """Correct a balance, up, or down with a minus."""

    async def work(services: Services) -> int:
        found = await find_account(services, account)
        changed = await services.credit.adjust(found.id, _amount(points, usd), actor=ACTOR, reason=reason)
        return changed.available_points

    click.echo(f"Available: {_money(with_services(work))}.")


@credit.command()
@click.argument("account")
def packs(account: str) -> None:
    """List the packs of an account in the order of their use."""

    async def work(services: Services) -> list[Pack]:
        return await services.credit.packs(await find_account(services, account))

    for pack in with_services(work):
        ends = f"expires {rfc3339(pack.expires_at)}" if pack.expires_at else "does not expire"
        gone = f", {pack.expired:,} expired" if pack.expired else ""
        about = "  ".join(filter(None, (pack.reference, pack.reason)))
        click.echo(f"{pack.id:>4}  {pack.remaining:,} of {pack.capacity:,} points left{gone}  {ends}  {about}".rstrip())


@credit.command()
@click.argument("account")
@click.option("--days", type=click.IntRange(1, 36_500), default=30, show_default=True, help="How far back.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV, with a row for each movement.")
def statement(account: str, days: int, *, as_csv: bool) -> None:
    """Write what came in and went out in the last days."""

    async def work(services: Services) -> None:
        found = await find_account(services, account)
        until = services.clock.now_us()
        since = max(0, until - days * DAY_US)
        if as_csv:
            async for row in csv_rows(services.credit.all_lines(found.id, since=since, until=until)):
                click.echo(row, nl=False)
            return
        summary = await services.credit.statement(found.id, since=since, until=until)
        click.echo(f"{rfc3339(since)}  {_money(summary.opening_points)} available")
        async for line in services.credit.all_lines(found.id, since=since, until=until):
            click.echo(_line(line))
        click.echo(f"{rfc3339(until)}  {_money(summary.closing_points)} available")

    with_services(work)


def _line(line: Line) -> str:
    about = "  ".join(filter(None, (line.task_id, line.reason)))
    # A capture takes from what is held; the balance has felt it before.
    change = f"{line.change:+,}" if line.change else f"({line.points:,})"
    return f"{rfc3339(line.created_at)}  {line.kind:11}  {change:>15}  {about}".rstrip()
