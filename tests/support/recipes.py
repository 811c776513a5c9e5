"""Which recipe of a product a machine without weights uses."""

from unitask.spec.product import Product, Recipe


def plain_recipe(product: Product) -> Recipe:
    """Give the first that needs no weights: what runs where nothing was downloaded."""
    return next(recipe for recipe in product.recipes if not recipe.weights)
