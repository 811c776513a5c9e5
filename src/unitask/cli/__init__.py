"""The command `unitask`."""

import sys

import click

from unitask import __version__
from unitask.cli import accounts, books, catalogue, credit, doctor, keys, models, plans, server, worker
from unitask.kit.errors import UnitaskError


@click.group()
@click.version_option(__version__, prog_name="unitask")
def commands() -> None:
    """One self-hosted API for every generative-media model.

    Settings come from the environment (UNITASK_...); `unitask doctor` shows them all.
    """


for command in (
    server.up,
    server.serve,
    server.migrate,
    worker.worker,
    keys.keys,
    accounts.accounts,
    credit.credit,
    plans.plans,
    books.ledger,
    books.audit,
    catalogue.catalogue,
    models.models,
    doctor.doctor,
):
    commands.add_command(command)


def main() -> None:
    """Run the command; an error of ours is one sentence, not a traceback."""
    try:
        commands()
    except UnitaskError as error:
        click.echo(f"unitask: {error}", err=True)
        sys.exit(1)
