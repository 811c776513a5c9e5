"""The JSON schemas of what products take and give, under the names they have in the OpenAPI document."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Literal, Self

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from unitask.spec.product import Product

COMPONENTS: Final = "#/components/schemas/"
Schema = dict[str, Any]
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9.-]+")


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes of field names: they say nothing more."""

    def field_title_should_be_set(self, schema: object) -> bool:
        """No field gets one."""
        del schema
        return False


@dataclass(frozen=True, slots=True)
class ProductSchemas:
    """By the key of a product: its name, and references to its input and output; by name: what they refer to.

    Inputs and outputs have a prefix, so that the class names of products never meet the names of the API.
    """

    names: dict[str, str]
    inputs: dict[str, Schema]
    outputs: dict[str, Schema]
    definitions: dict[str, Schema]

    @classmethod
    def of(cls, products: Iterable[Product]) -> Self:
        """Collect the schemas of these products; classes of one name in two modules stay apart."""
        listed = list(products)
        takes, of_inputs = lift([product.input for product in listed], "Input.", "validation")
        gives, of_outputs = lift([product.output for product in listed], "Output.", "serialization")
        return cls(
            names=_names(listed),
            inputs={product.key: takes[product.input] for product in listed},
            outputs={product.key: gives[product.output] for product in listed},
            definitions={**of_inputs, **of_outputs},
        )

    def resolve(self, schema: Schema) -> Schema:
        """Follow a reference; what stands beside it wins."""
        if "$ref" not in schema:
            return schema
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {**self.definitions[schema["$ref"].removeprefix(COMPONENTS)], **beside}


def lift(
    models: Iterable[type[BaseModel]], prefix: str, mode: Literal["validation", "serialization"]
) -> tuple[dict[type[BaseModel], Schema], dict[str, Schema]]:
    """Give a reference for each model, and by prefixed name the schemas of all models that these lead to."""
    distinct = list(dict.fromkeys(models))
    references, schema = models_json_schema(
        [(model, mode) for model in distinct],
        ref_template=f"{COMPONENTS}{prefix}{{model}}",
        schema_generator=_Untitled,
    )
    definitions = {f"{prefix}{name}": each for name, each in schema.get("$defs", {}).items()}
    return {model: references[model, mode] for model in distinct}, definitions


def _names(products: Iterable[Product]) -> dict[str, str]:
    """Turn keys into names that OpenAPI and HTML allow; a number keeps two apart that would become one."""
    names: dict[str, str] = {}
    for product in products:
        plain = name = "_".join(_NOT_IN_NAMES.sub("_", part) for part in (product.model, product.task_type))
        number = 1
        while name in names.values():
            number += 1
            name = f"{plain}_{number}"
        names[product.key] = name
    return names


def simplest(products: Iterable[Product]) -> Product:
    """Choose the product to show first: the one whose first example is shortest.

    Raises:
        ValueError: there are no products.

    """
    return min(products, key=_length)


def _length(product: Product) -> float:
    return len(json.dumps(product.examples[0].input)) if product.examples else inf


def request(product: Product, number: int = 0) -> dict[str, Any]:
    """Build the body that orders an example of a product; of one without examples, the mere shape."""
    taken = product.examples[number].input if product.examples else {}
    return {"model": product.model, "task_type": product.task_type, "input": taken}
