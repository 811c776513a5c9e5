"""`unitask catalogue`."""

from collections import defaultdict

import click
import orjson

from unitask.api.listing import entry
from unitask.api.wording import price
from unitask.catalogue import Catalogue
from unitask.settings import Settings
from unitask.spec.product import Product
from unitask.tasks.orders import Choice, Orders, choose
from unitask.weights import Shelf


def levels(catalogue: Catalogue, orders: Orders) -> str:
    """Say in a few lines which products are at which level here."""
    kinds: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for product in catalogue:
        recipe = orders.choice(product).recipe
        made = f"{recipe.level:8} by {recipe.engine}" if recipe else "cannot be made here"
        kinds[made][product.family].append(product.task_type)
    return "\n".join(
        f"  {made:20} {family}: {', '.join(dict.fromkeys(task_types))}"
        for made, families in sorted(kinds.items())
        for family, task_types in families.items()
    )


def choices(settings: Settings) -> list[tuple[Product, Choice]]:
    """Tell for every product what would make it here."""
    allowed = frozenset(settings.engines) if settings.engines is not None else None
    shelf = Shelf(settings.models_folder)
    return [(product, choose(product, allowed, shelf)) for product in Catalogue.load().priced(settings.price_list())]


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
