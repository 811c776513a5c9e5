"""`GET /api/v1/catalogue`: every product for programs that draw forms and compare prices."""

from typing import Any, Final

import orjson
from starlette.requests import Request

from unitask.accounts.model import Scope
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import caller, route, services
from unitask.kit.money import usd
from unitask.spec.product import Product
from unitask.tasks.orders import Choice

CHOICES: Final = {"lora_type": "loras", "control_type": "controlnets", "motion_type": "camera_motions"}


def _choices(schema: Any) -> dict[str, list[str]]:
    """Find the names that a client can choose from, wherever they stand in the schema."""
    found: dict[str, list[str]] = {}
    if isinstance(schema, dict):
        for name, field in schema.get("properties", {}).items():
            if name in CHOICES and "enum" in field:
                found[CHOICES[name]] = field["enum"]
        for part in schema.values():
            found |= _choices(part)
    elif isinstance(schema, list):
        for part in schema:
            found |= _choices(part)
    return found


def entry(product: Product, choice: Choice) -> dict[str, Any]:
    """Describe one product; `engine` and `engine_level` say what would make it now.

    `missing` says what to install so that one can, or a better one. Null where nothing is missing.
    """
    schema = product.input.model_json_schema()
    return {
        "model": product.model,
        "task_type": product.task_type,
        "family": product.family,
        "title": product.title,
        "summary": product.summary,
        "price": {
            "points": product.price.points_per_unit,
            "usd": usd(product.price.points_per_unit),
            "unit": product.price.unit,
        },
        "limits": {"seconds": product.limit_s, "keep_days": product.keep_days},
        "expected_s": product.expected_s,
        "engine": choice.recipe.engine if choice.recipe else None,
        "engine_level": choice.recipe.level if choice.recipe else None,
        "missing": choice.missing or None,
        "input_schema": schema,
        "output_schema": product.output.model_json_schema(mode="serialization"),
        "choices": _choices(schema),
        "examples": [{"title": example.title, "input": example.input} for example in product.examples],
    }


async def listing(request: Request) -> JsonAnswer:
    """Describe all products."""
    await caller(request, Scope.TASKS)
    unitask = services(request)
    return success([orjson.Fragment(orjson.dumps(entry(one, unitask.orders.choice(one)))) for one in unitask.catalogue])


ROUTES = [route("GET", "/api/v1/catalogue", listing)]
