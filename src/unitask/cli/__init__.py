"""The command `unitask`."""

import logging
import os
import pkgutil
import sys
from typing import Final, NoReturn

import click

from unitask import __version__
from unitask.cli import speaking
from unitask.kit.errors import UnitaskError
from unitask_sdk import UnitaskError as ClientError

_COMMANDS: Final = {
    "accounts": "accounts:accounts",
    "audit": "books:audit",
    "backup": "backup:backup",
    "cancel": "tasks:cancel",
    "catalogue": "catalogue:catalogue",
    "cluster": "cluster:cluster",
    "completion": "completion:completion",
    "credit": "credit:credit",
    "doctor": "doctor:doctor",
    "keys": "keys:keys",
    "ledger": "books:ledger",
    "mcp": "mcp:mcp",
    "migrate": "server:migrate",
    "models": "models:models",
    "plans": "plans:plans",
    "replay": "tasks:replay",
    "restore": "backup:restore",
    "run": "run:run",
    "serve": "server:serve",
    "tasks": "tasks:tasks",
    "up": "server:up",
    "usage": "tasks:usage",
    "verify": "marks:verify",
    "watch": "run:watch",
    "worker": "worker:worker",
}


class _Commands(click.Group):
    """Imports a command when it is called: those of a client would wait for the whole server."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature of click
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - same
        place = _COMMANDS.get(cmd_name)
        return pkgutil.resolve_name(f"{__name__}.{place}") if place else None


@click.command(cls=_Commands)
@click.version_option(__version__, prog_name="unitask")
def commands() -> None:
    """One self-hosted API for every generative-media model.

    Settings come from the environment (UNITASK_...); `unitask doctor` shows them all.
    """


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
