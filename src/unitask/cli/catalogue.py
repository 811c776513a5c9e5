"""`unitask catalogue`."""

from collections import defaultdict
from collections.abc import Callable, Mapping

import click
import orjson

from unitask.api.listing import entry
from unitask.api.wording import price
from unitask.catalogue import Catalogue
from unitask.cli.engines import without_key
from unitask.settings import Settings
from unitask.spec.product import Product, Recipe
from unitask.tasks.orders import Bars, Choice, Orders, bars_anyone, choose
from unitask.weights import Shelf


def levels(catalogue: Catalogue, orders: Orders, bars: Bars) -> str:
    """Say in a few lines which products are at which level here; `bars`: see `Orders.choice`."""
    kinds: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for product in catalogue:
        recipe = orders.choice(product, bars).recipe
        made = f"{recipe.level:8} by {recipe.engine}" if recipe else "cannot be made here"
        kinds[made][product.family].append(product.task_type)
    return "\n".join(
        f"  {made:20} {family}: {', '.join(dict.fromkeys(task_types))}"
        for made, families in sorted(kinds.items())
        for family, task_types in families.items()
    )


def barring(providers: Mapping[str, str]) -> Bars:
    """Bar the recipes of these providers, each for its reason, beside those that are not for everybody."""

    def bars(recipe: Recipe) -> str | None:
        return providers.get(recipe.engine) or bars_anyone(recipe)

    return bars


def keyless(settings: Settings) -> dict[str, str]:
    """Say of the providers that serve nobody without a key, and have none here, what to do."""
    return {name: without_key(name) for name in settings.routing().keyless}


def choices(
    settings: Settings, barred: Callable[[Product], Mapping[str, str]] | None = None
) -> list[tuple[Product, Choice]]:
    """Tell for every product what would make it here.

    `barred` says which providers cannot make a product, and why. Without it: those that have not the key they ask.
    """
    allowed = frozenset(settings.engines) if settings.engines is not None else None
    shelf = Shelf(settings.models_folder)
    without = keyless(settings)
    products = settings.products_here().priced(settings.price_list()).keeping(settings.keep_days)
    return [
        (one, choose(one, allowed, shelf, bars=barring(without if barred is None else barred(one)))) for one in products
    ]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the schema of every input.")
def catalogue(*, as_json: bool) -> None:
    """List all products: price, and the engine and level that would make each here."""
    products = choices(Settings.load())
    if as_json:
        listing = [entry(product, choice) for product, choice in products]
        click.echo(orjson.dumps(listing, option=orjson.OPT_INDENT_2))
        return
    for product, choice in products:
        made = f"{choice.recipe.level} by {choice.recipe.engine}" if choice.recipe else f"not here: {choice.missing}"
        click.echo(f"{product.model:28} {product.task_type:26} {price(product):48} {made}")
