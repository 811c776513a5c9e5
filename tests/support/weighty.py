"""A plug-in with two products that need weights: one is made only with them, the other less well without them."""

from unitask.spec.fields import Prompt
from unitask.spec.price import dollars
from unitask.spec.product import Example, ImageResult, Input, Product, Recipe

# A card with a base, so that both are asked for.
FULL = Recipe("preview", "full", "txt2img", weights=("flux1-redux-dev",))
PREVIEW = Recipe("preview", "preview", "txt2img")


class Words(Input):
    """A picture from words."""

    prompt: Prompt


def product(task_type: str, *recipes: Recipe) -> Product:
    """Make a product of the model `weighty`."""
    return Product(
        model="weighty",
        task_type=task_type,
        family="weighty",
        title=task_type,
        summary="",
        input=Words,
        output=ImageResult,
        price=dollars("0.001", unit="image"),
        recipes=recipes,
        examples=(Example("A cat", {"prompt": "a cat"}),),
    )


PRODUCTS = (product("only-real", FULL), product("better-real", FULL, PREVIEW))
