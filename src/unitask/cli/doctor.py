"""`unitask doctor`."""

import asyncio
import platform
import re
import sys
from functools import partial
from urllib.parse import urlsplit

import click
from pydantic import SecretStr

from unitask import __version__
from unitask.cli import marks
from unitask.cli.catalogue import choices
from unitask.cli.checks.known import Found, found
from unitask.cli.checks.looking import all_found
from unitask.cli.providers import Seen, barred, described, look, routes
from unitask.engines import installed
from unitask.settings import Settings
from unitask.spec.product import Product, Recipe
from unitask.tasks.orders import OFF
from unitask.weights import Shelf


def _shown(name: str, value: object) -> str:
    if isinstance(value, SecretStr):
        return "set, not shown"
    if name in {"database_url", "database_direct_url"} and value:
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


def _made(shelf: Shelf, product: Product, recipe: Recipe) -> str:
    """Say how a product is made here, and where it is made without weights, how it would be with some."""
    said = _by(shelf, recipe)
    if recipe.weights or recipe.is_remote:
        return said
    better = next((one for one in product.recipes if one.weights), None)
    return f"{said} (from weights: {_by(shelf, better)})" if better else said


def _by(shelf: Shelf, recipe: Recipe) -> str:
    """Name level and engine of a recipe, and who saw its weights, and those that they lean on, work."""
    cards = {card.id: card for name in recipe.weights for card in shelf.with_bases(name)}
    seen = [f"{card.id} {card.verified}" for card in cards.values() if card.verified]
    unseen = " and ".join(card.id for card in cards.values() if not card.verified)
    said = [f"{recipe.level} by {recipe.engine}"]
    said += [f"verified with the real weights: {', '.join(seen)}"] if seen else []
    said += [f"not yet verified with the real weights of {unseen}"] if unseen else []
    return ", ".join(said)


def _engines() -> None:
    click.echo("\nEngines")
    for name, engine in sorted(installed().items()):
        click.echo(f"   {name:10} {engine.missing() or 'ready'}")


def _providers(settings: Settings) -> list[Seen]:
    """Show the providers and the routes over them; gives what was seen."""
    products = list(settings.products_here())
    seen = asyncio.run(look(settings, products))
    told = {
        "Providers": [line for one in seen for line in described(one, products)],
        "Routes": list(routes(settings, products)),
    }
    for title, lines in told.items():
        if lines:
            click.echo("\n".join([f"\n{title}", *lines]))
    return seen


def _products(settings: Settings, seen: list[Seen]) -> list[Found]:
    click.echo("\nProducts")
    shelf = Shelf(settings.models_folder)
    troubles, previews = [], 0
    better: dict[str, list[str]] = {}
    for product, choice in choices(settings, partial(barred, seen)):
        if choice.recipe:
            previews += choice.recipe.level == "preview"
            click.echo(f"   {product.key:48} {_made(shelf, product, choice.recipe)}")
            if choice.missing and not (choice.recipe.is_remote and choice.recipe.level == "full"):
                better.setdefault(choice.missing, []).append(product.key)
        elif all(one.endswith(OFF) for one in (choice.missing or "").split("; ")):
            click.echo(f"   {product.key:48} not here: all its engines are off (UNITASK_ENGINES)")
        else:
            troubles.append(found("product-unmade", product=product.key, why=choice.missing))
    if better:
        click.echo("\nWhat would be made better")
    for missing, keys in better.items():
        click.echo(f"   {', '.join(keys)}\n      {missing}")
    return troubles + ([found("previews", number=previews)] if previews and settings.public_url else [])


@click.command()
def doctor() -> None:
    """Show the effective settings, and what is missing or wrong with its cure; changes nothing."""
    settings = Settings.load()
    click.echo(f"Unitask {__version__}, Python {platform.python_version()}\n")
    _settings(settings)
    _engines()
    click.echo(f"\nMarks\n   {marks.described(settings)}")
    seen = _providers(settings)
    of_providers = [one.trouble for one in seen if one.trouble]
    told = [*_products(settings, seen), *of_providers, *marks.troubles(settings), *asyncio.run(all_found(settings))]
    notes, troubles = ([one.text for one in told if one.is_note is is_note] for is_note in (True, False))
    if notes:
        click.echo("\nWorth knowing")
    for sentence in notes:
        click.echo(f" - {sentence}")
    click.echo("\nTroubles" if troubles else "\nNo troubles found.")
    for sentence in troubles:
        click.echo(f" ! {sentence}")
    sys.exit(1 if troubles else 0)
