"""`unitask doctor`."""

import asyncio
import platform
import re
import shutil
import sys
from typing import Final
from urllib.parse import urlsplit

import click
from pydantic import SecretStr

from unitask import __version__
from unitask.catalogue import Catalogue
from unitask.cli.engines import check_engines
from unitask.db.migrate import check
from unitask.engines import installed
from unitask.kit.errors import UnitaskError
from unitask.settings import Settings, WrongSetting
from unitask.tasks.orders import choose

_DISK_NEEDED: Final = 2**30


def _shown(name: str, value: object) -> str:
    if isinstance(value, SecretStr):
        return "set, not shown"
    if name == "database_url" and value:
        return _without_password(str(value))
    return "-" if value in (None, "") else str(value)


def _without_password(address: str) -> str:
    password = urlsplit(address).password
    shown = address.replace(f":{password}@", ":...@") if password else address
    return re.sub("password=[^&]*", "password=...", shown)


def _settings(settings: Settings) -> None:
    click.echo("Settings")
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        mark = " " if value == field.default else "*"
        click.echo(f" {mark} UNITASK_{name.upper():24} {_shown(name, value):34} {field.description}")
    click.echo(" * set by you")


def _troubles(settings: Settings) -> list[str]:
    troubles = []
    try:
        check_engines(settings)
    except WrongSetting as error:
        troubles.append(str(error))
    try:
        wrong = asyncio.run(check(settings.database))
    except Exception as error:  # noqa: BLE001 - whatever keeps the database away is what the operator wants to read
        ours = isinstance(error, UnitaskError)
        wrong = str(error) if ours else f"the database does not answer: {type(error).__name__}: {error}"
    if wrong:
        troubles.append(f"{wrong} (`unitask up` does it by itself)" if "migrate" in wrong else wrong)
    folder = settings.data.resolve()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < _DISK_NEEDED:
        troubles.append(f"only {free // 2**20} MiB are free for {settings.data}: make room or set UNITASK_DATA")
    return troubles


def _products(settings: Settings) -> list[str]:
    click.echo("\nEngines")
    for name, engine in sorted(installed().items()):
        click.echo(f"   {name:10} {engine.missing() or 'ready'}")
    click.echo("\nProducts")
    allowed = frozenset(settings.engines) if settings.engines is not None else None
    troubles = []
    for product in Catalogue.load().priced(settings.price_list()):
        choice = choose(product, allowed)
        if choice.recipe:
            click.echo(f"   {product.key:48} {choice.recipe.level} by {choice.recipe.engine}")
        else:
            troubles.append(f"{product.key} cannot be made: {choice.missing}")
    return troubles


@click.command()
def doctor() -> None:
    """Show the effective settings, and what is missing with how to get it."""
    settings = Settings.load()
    click.echo(f"Unitask {__version__}, Python {platform.python_version()}\n")
    _settings(settings)
    troubles = [*_products(settings), *_troubles(settings)]
    click.echo("\nTroubles" if troubles else "\nNo troubles found.")
    for trouble in troubles:
        click.echo(f" ! {trouble}")
    sys.exit(1 if troubles else 0)
