"""The places for files in the inputs of products, found in their JSON schemas."""

from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

from unitask.spec.product import Product


def places(schema: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Find every place for a file in a JSON schema, at any depth, and the kind of file."""

    def within(part: dict[str, Any], at: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
        part = part | next((option for option in part.get("anyOf", []) if option.get("type") != "null"), {})
        part = part | (schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else {})
        if "x-media" in part:
            yield at, part["x-media"]
        for name, field in part.get("properties", {}).items():
            yield from within(field, (*at, name))
        if "items" in part:
            yield from within(part["items"], (*at, 0))

    return within(schema, ())


def planted(product: Product, steps: tuple[str | int, ...], source: str) -> dict[str, Any]:
    """Put a file in the place of another in an example of the product; if no example has one there, add it."""
    for example in product.examples:
        inputs = deepcopy(example.input)
        inner: Any = inputs
        with suppress(KeyError, IndexError):
            for step in steps[:-1]:
                inner = inner[step]
            if inner[steps[-1]]:
                inner[steps[-1]] = source
                return inputs
    (name,) = steps
    return {**product.examples[0].input, name: source}
