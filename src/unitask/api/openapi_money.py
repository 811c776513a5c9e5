"""The part of the OpenAPI document about money: quote and statement."""

from collections.abc import Callable
from typing import Any, Final

from unitask.api.openapi_schemas import complete, ref
from unitask.api.product_schemas import ProductSchemas
from unitask.api.statement import LINES_LIMIT
from unitask.api.wording import KEY
from unitask.billing.model import Kind

Json = dict[str, Any]
_TEXT: Final[Json] = {"type": "string"}
_NUMBER: Final[Json] = {"type": "integer"}
_DOLLARS: Final[Json] = {"type": "number"}
_MAYBE_TEXT: Final[Json] = {"type": ["string", "null"]}


def _envelope(data: Json) -> Json:
    return complete({"code": {"const": 200}, "data": data, "message": {"const": "success"}}, "An answer.")


def _quote(refusals: Callable[..., Json], schemas: ProductSchemas) -> Json:
    price = complete({"points": _NUMBER, "unit": _TEXT}, "Points for each unit.")
    data = complete(
        {
            "model": _TEXT,
            "task_type": _TEXT,
            "points": {**_NUMBER, "description": "The most that the task can cost: what would be frozen."},
            "usd": _DOLLARS,
            "price": price,
            "available_points": _NUMBER,
            "covered": {"type": "boolean", "description": "Whether the account could order it now."},
            "engine": _MAYBE_TEXT,
            "engine_level": _MAYBE_TEXT,
            "missing": {
                **_MAYBE_TEXT,
                "description": "What the operator has to install so that it is made here, or made better.",
            },
            "expected_s": _DOLLARS,
            "warnings": {"type": "array", "items": _TEXT},
        },
        "What a task would cost.",
    )
    content = {"application/json": {"schema": {"oneOf": [ref(name) for name in schemas.names.values()]}}}
    return {
        "tags": ["tasks"],
        "operationId": "quoteTask",
        "summary": "Price a request without running it",
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "The price.", "content": {"application/json": {"schema": _envelope(data)}}},
            **refusals(400, *KEY, 404, 413, 500, 503),
        },
    }


def statement_operation(refusals: Callable[..., Json], tag: str, name: str, **beside: Any) -> Json:
    """Describe the statement of one's own account, or of another one."""
    line = complete(
        {
            "id": _NUMBER,
            "time": _TEXT,
            "kind": {"enum": list(Kind)},
            "task_id": _MAYBE_TEXT,
            "points": _NUMBER,
            "change_points": {**_NUMBER, "description": "What it does to the available points."},
            "change_usd": _DOLLARS,
            "reason": _TEXT,
        },
        "One movement.",
    )
    total = complete({"count": _NUMBER, "points": _NUMBER}, "All movements of a kind.")
    data = complete(
        {
            "start_time": _TEXT,
            "end_time": _TEXT,
            "opening_points": {**_NUMBER, "description": "Available points at the beginning."},
            "closing_points": {**_NUMBER, "description": "Available points at the end."},
            "totals": {"type": "object", "additionalProperties": total},
            "lines": {"type": "array", "items": line},
            "next_cursor": _MAYBE_TEXT,
        },
        "A period of an account.",
    )
    queries = (
        ("start_time", "Seconds since the epoch; 30 days before the end if absent.", _NUMBER),
        ("end_time", "Seconds since the epoch; now if absent.", _NUMBER),
        ("format", "`csv` gives all lines in one file.", {"enum": ["json", "csv"], "default": "json"}),
        ("limit", "Lines on a page.", {**_NUMBER, "minimum": 1, "maximum": LINES_LIMIT, "default": 100}),
        ("cursor", "`next_cursor` of the page before.", _TEXT),
    )
    parameters = [
        {"name": name, "in": "query", "required": False, "description": about, "schema": schema}
        for name, about, schema in queries
    ]
    content = {"application/json": {"schema": _envelope(data)}, "text/csv": {"schema": _TEXT}}
    return {
        "tags": [tag],
        "operationId": name,
        "summary": "Statement of a period",
        "parameters": [*beside.pop("parameters", []), *parameters],
        "responses": {
            "200": {"description": "The statement.", "content": content},
            **refusals(400, *KEY, 404, 500, 503),
        },
        **beside,
    }


def paths(refusals: Callable[..., Json], schemas: ProductSchemas) -> Json:
    """Give the paths of these routes."""
    return {
        "/api/v1/quote": {"post": _quote(refusals, schemas)},
        "/api/v1/statement": {"get": statement_operation(refusals, "account", "getStatement")},
    }
