"""The command `unitask`."""

import logging
import os
import sys
from typing import NoReturn

import click

from unitask import __version__
from unitask.cli import (
    accounts,
    books,
    catalogue,
    completion,
    credit,
    doctor,
    keys,
    mcp,
    models,
    plans,
    run,
    server,
    speaking,
    tasks,
    worker,
)
from unitask.kit.errors import UnitaskError
from unitask_sdk import UnitaskError as ClientError


@click.group()
@click.version_option(__version__, prog_name="unitask")
def commands() -> None:
    """One self-hosted API for every generative-media model.

    Settings come from the environment (UNITASK_...); `unitask doctor` shows them all.
    """


for command in (
    run.run,
    run.watch,
    tasks.tasks,
    tasks.cancel,
    tasks.replay,
    tasks.usage,
    mcp.mcp,
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
    completion.completion,
):
    commands.add_command(command)


def main() -> NoReturn:
    """Run the command; an error of ours is one sentence, not a traceback."""
    try:
        commands(prog_name="unitask")
    except UnitaskError as error:
        click.echo(f"unitask: {error}", err=True)
        _leave(1)
    except ClientError as error:
        speaking.say(f"unitask: {error}")
        _leave(speaking.exit_status(error))
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            _leave(end.code or 0)
        raise
    _leave(0)


def _leave(code: int) -> NoReturn:
    """End the process.

    A thread of obstore may still be putting its last answer away. While the interpreter is taken down under it, it
    aborts the whole process (PyO3 before Python 3.14), so where obstore was used the interpreter is left standing.
    """
    if "obstore" in sys.modules:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
