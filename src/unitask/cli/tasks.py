"""`unitask tasks`, `cancel`, `replay`, `usage`: what was ordered, and what it came to."""

from datetime import UTC, datetime
from itertools import islice
from typing import Final

import click

from unitask.cli.run import of_cancel
from unitask.cli.speaking import as_json, plain, print_document, print_line, say, with_client
from unitask.kit.clock import Clock
from unitask.kit.money import usd
from unitask_sdk import Client, Delivery, NotFound, Task, Unsupported

_STATUSES: Final = ("staged", "pending", "processing", "completed", "failed")
_DAY_S: Final = 86_400
_US: Final = 1_000_000


def _moment(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else ""


def _line(task: Task) -> str:
    share = f"{task.progress:.0%}" if task.status == "processing" and task.progress else ""
    place = f"{task.queue_position} before it" if task.queue_position else ""
    why = task.error.message if task.error else ""
    status = f"{task.status} {share or place}".strip()
    about = why or f"${usd(task.usage.charged or task.usage.held):g}"
    return f"{task.id}  {_moment(task.created_at)}  {status:22} {task.model} {task.task_type}  {about}"


@click.command()
@click.option("--status", type=click.Choice(_STATUSES), help="Only those that stand so.")
@click.option("--model", default="", help="Only those of this model, such as Qubico/flux1-dev.")
@click.option("--task-type", default="", help="Only those of this task type.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at most.")
@as_json
@with_client
def tasks(client: Client, status: str | None, model: str, task_type: str, limit: int, *, as_json: bool) -> None:
    """List tasks, newest first."""
    found = islice(client.tasks(status=status or "", model=model, task_type=task_type), limit)
    if as_json:
        print_document([task.raw for task in found])
        return
    for task in found:
        click.echo(plain(_line(task)))


@click.command()
@click.argument("task_ids", nargs=-1, required=True, metavar="ID...")
@as_json
@with_client
def cancel(client: Client, task_ids: tuple[str, ...], *, as_json: bool) -> None:
    """Take orders back. A task that has failed or is cancelled costs nothing."""
    for task_id in task_ids:
        task = client.cancel(task_id)
        if as_json:
            print_line(task.raw)
        else:
            click.echo(of_cancel(task))


@click.command()
@click.argument("wanted", metavar="ID")
@as_json
@with_client
def replay(client: Client, wanted: str, *, as_json: bool) -> None:
    """Send webhook messages again: the one with this id, or all of the task with this id."""
    owed = _replayed(client, wanted)
    for one in owed:
        if as_json:
            print_line(one.raw)
        else:
            click.echo(plain(f"{one.id}: {one.event} goes to {one.endpoint} again"))
    if not owed:
        say(f"The task {wanted} has no webhook messages.")


def _replayed(client: Client, wanted: str) -> list[Delivery]:
    try:
        task = client.get(wanted)
    except NotFound:
        return [client.replay(wanted)]
    return [client.replay(one.id) for one in reversed(list(client.deliveries(task_id=task.id)))]


@click.command()
@click.option("--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="How far back.")
@as_json
@with_client
def usage(client: Client, days: int, *, as_json: bool) -> None:
    """Show what the account has left, and what came in and went out."""
    account = client.account()
    try:
        statement = client.statement(start_s=Clock().now_us() / _US - days * _DAY_S)
    except Unsupported as error:
        statement = {}
        say(str(error))
    if as_json:
        print_document({"account": account.raw, "statement": statement or None})
        return
    click.echo(plain(f"{account.name}, plan {account.plan or '-'}"))
    click.echo(f"available  {account.available_points:>16,} points  ${account.available_usd:g}")
    click.echo(f"held       {account.held_points:>16,} points  ${usd(account.held_points):g}")
    click.echo(f"used       {account.used_points:>16,} points  ${usd(account.used_points):g}")
    totals = statement.get("totals") or {}
    if totals:
        click.echo(f"In the last {days} days")
    for kind, total in totals.items():
        click.echo(plain(f"  {kind:10} {total['count']:>8}  {total['points']:>16,} points  ${usd(total['points']):g}"))
