"""What the commands share that speak to a server: where it is, what is printed, and with which status they end."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import click
import orjson

from unitask_sdk import Client, NotFinished, TaskFailed, UnitaskError

REFUSED: Final = 1
FAILED: Final = 3
NOT_FINISHED: Final = 4
INTERRUPTED: Final = 130
"""Exit statuses beside 0 and click's own 2; docs/guide/command-line.md explains them."""

as_json = click.option("--json", "as_json", is_flag=True, help="For programs: JSON alone on standard output.")


def exit_status(error: UnitaskError) -> int:
    """Give the status with which a command ends after an error."""
    match error:
        case TaskFailed():
            return FAILED
        case NotFinished():
            return NOT_FINISHED
        case _:
            return REFUSED


def with_client(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an open client as its first argument, and the option that says of which server."""

    @click.option("--address", metavar="URL", help="Server to speak to. Default: UNITASK_ADDRESS, else this machine.")
    @wraps(command)
    def call(*args: Any, address: str | None, **given: Any) -> Any:
        with Client(address) as client:
            return command(client, *args, **given)

    return call


def plain(text: str) -> str:
    """Take out of a text from elsewhere what would move the cursor."""
    return "".join(character if character.isprintable() else " " for character in text)


def say(sentence: str) -> None:
    """Tell a person something that is no result: on standard error."""
    click.echo(plain(sentence), err=True)


def print_document(document: Any) -> None:
    """Print one JSON document."""
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def print_line(document: Any) -> None:
    """Print a JSON document on one line, at once."""
    click.echo(orjson.dumps(document))
    sys.stdout.flush()
