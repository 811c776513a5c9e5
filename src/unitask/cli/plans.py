"""`unitask plans list|set|remove`."""

import click

from unitask.accounts.limits import NO_LIMITS
from unitask.accounts.model import Plan
from unitask.app import Services
from unitask.cli.installed import ACTOR, with_services
from unitask.cli.limits import Change, with_limits, written


@click.group()
def plans() -> None:
    """List, set and remove plans: limits that accounts share."""


def _line(plan: Plan) -> str:
    return f"{plan.name}  {written(plan.limits)}"


@plans.command("list")
def list_() -> None:
    """List all plans with their limits."""
    for plan in with_services(lambda services: services.registry.plans()):
        click.echo(_line(plan))


@plans.command("set")
@click.argument("name")
@with_limits
def set_(name: str, limits: Change) -> None:
    """Make a plan, or change the limits that are given."""

    async def work(services: Services) -> Plan:
        old = next((plan.limits for plan in await services.registry.plans() if plan.name == name), NO_LIMITS)
        return await services.registry.put_plan(name, limits(old), actor=ACTOR)

    click.echo(_line(with_services(work)))


@plans.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove a plan that no account is on."""
    with_services(lambda services: services.registry.remove_plan(name, actor=ACTOR))
    click.echo(f"The plan {name} is removed.")
