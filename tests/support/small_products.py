"""A plug-in: every product that is made from weights, as `tiny/...`, with fewer steps, pixels and frames.

What has several recipes with weights is there as `tiny2/...` too.
"""

import importlib
import pkgutil
from dataclasses import replace
from typing import Any, ClassVar, Final

from unitask import catalogue
from unitask.catalogue.trellis import Trellis2
from unitask.spec.product import Product, Recipe

SMALLER: Final = {
    "frames": 6,
    "limit_faces": 3000,
    "limit_side_px": 48,
    "rate": 8000,
    "size": [48, 32],
    "sizes": {"16:9": [48, 32], "9:16": [32, 48], "1:1": [32, 32]},
    "steps": 2,
    "window": 2,
}


class Quick(Trellis2):
    """The same in two steps each; this product has no fields for them."""

    ss_sampling_steps: ClassVar[int] = 2
    slat_sampling_steps: ClassVar[int] = 2


def _smaller(product: Product, recipe: Recipe, rank: int) -> Product:
    small: dict[str, Any] = {name: value for name, value in SMALLER.items() if name in recipe.options}
    if product.family == "framepack":
        small |= {"sizes": recipe.options["sizes"], "fps": 8}
    if product.family == "diffrhythm":
        small |= {"frames": 22, "seconds": 1, "rate": 44_100}
    if product.family == "flux":
        small |= {"tokens": 32, "least_pixels": 0}
    model = product.model.replace("Qubico", f"tiny{rank}" if rank > 1 else "tiny")
    asked = Quick if product.input is Trellis2 else product.input
    return replace(product, model=model, input=asked, recipes=(replace(recipe, options={**recipe.options, **small}),))


PRODUCTS: Final = tuple(
    _smaller(product, recipe, rank)
    for module in pkgutil.iter_modules(catalogue.__path__)
    for product in importlib.import_module(f"{catalogue.__name__}.{module.name}").PRODUCTS
    for rank, recipe in enumerate((recipe for recipe in product.recipes if recipe.weights), 1)
)
