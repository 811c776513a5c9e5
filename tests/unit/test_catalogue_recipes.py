"""The several recipes of a product: what they promise alike, and that their engine knows them."""

from typing import Final

import pytest

from support.recipes import plain_recipe
from unitask.catalogue import Catalogue
from unitask.engines import installed
from unitask.runtime.engine import ModelEngine
from unitask.spec.product import Product

PRODUCTS: Final = list(Catalogue.load())
PROMISED: Final = {"frames", "fps", "sizes", "size", "limit_side_px"}


@pytest.mark.parametrize(
    "product", [product for product in PRODUCTS if product.media == "video"], ids=lambda product: product.key
)
def test_real_weights_make_the_size_and_length_that_everything_else_makes(product: Product) -> None:
    """What a client gets does not depend on what is installed, but for its quality."""
    promised = {name: value for name, value in plain_recipe(product).options.items() if name in PROMISED}
    for recipe in product.recipes:
        assert promised.items() <= recipe.options.items()


def test_what_is_made_from_weights_its_engine_can_make() -> None:
    """A recipe's `make` is no name of nothing."""
    engines = {name: engine for name, engine in installed().items() if isinstance(engine, ModelEngine)}
    recipes = [recipe for product in PRODUCTS for recipe in product.recipes if recipe.engine in engines]
    assert {recipe.engine for recipe in recipes} >= {"diffusers", "networks"}
    assert all(recipe.make in engines[recipe.engine].makes for recipe in recipes)
    assert all(recipe.weights for recipe in recipes)
