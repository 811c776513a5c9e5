"""What a worker can make, as it tells the API."""

from collections.abc import Collection
from fnmatch import fnmatchcase

from unitask.catalogue import Catalogue
from unitask.spec import protocol
from unitask.weights import Shelf


def offers(
    catalogue: Catalogue, engines: Collection[str], shelf: Shelf, wanted: Collection[str] | None
) -> list[protocol.Offer]:
    """List what these engines make with the weights that lie here, of the products `wanted` by pattern; None: all."""
    found = {
        (product.key, recipe.engine, recipe.level)
        for product in catalogue
        if wanted is None or any(_matches(product.key, pattern) for pattern in wanted)
        for recipe in product.recipes
        if recipe.engine in engines and not shelf.lacks(recipe.weights)
    }
    return [protocol.Offer(product=product, engine=engine, level=level) for product, engine, level in sorted(found)]


def _matches(key: str, pattern: str) -> bool:
    return fnmatchcase(key.lower(), pattern.lower()) or fnmatchcase(key.lower(), f"{pattern.lower()}/*")
