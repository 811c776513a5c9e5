"""The OpenAPI 3.1 document of the API, built from the catalogue: nothing in it is written twice."""

from http import HTTPStatus
from typing import Any, Final

from unitask import __version__
from unitask.api import (
    openapi_account,
    openapi_admin,
    openapi_artifacts,
    openapi_board,
    openapi_money,
    openapi_webhooks,
)
from unitask.api.openapi_schemas import answers, ref, sample_task
from unitask.api.product_schemas import ProductSchemas, Schema, lift, request, simplest
from unitask.api.wording import KEY, REFUSALS, limits, price
from unitask.catalogue import Catalogue
from unitask.spec.product import Product
from unitask.tasks.orders import Config

Json = dict[str, Any]
_ABOUT: Final = (
    "One API for every generative-media model. Order a task with `POST /api/v1/task`, then read it with "
    "`GET /api/v1/task/{task_id}` until its status is `completed` or `failed`.\n\n"
    "Model names match in any letter case. A null counts as absent, and unknown keys of `input` are ignored with a "
    "warning in `meta.warnings`. Media fields take a URL, a data URI or bare base64."
)
_TASK: Final = "/api/v1/task"
_TASK_ID: Final[Json] = {"name": "task_id", "in": "path", "required": True, "schema": {"type": "string"}}
_IDEMPOTENCY_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Your own name for this order. The same key with the same body within 24 hours answers with the "
    "same task instead of ordering again.",
    "schema": {"type": "string", "maxLength": 255},
}
_TEXT: Final[Json] = {"type": "string"}
_WAIT: Final[Json] = {
    "name": "wait",
    "in": "query",
    "required": False,
    "description": "Answer when the task has ended, or after so many seconds, at most 60.",
    "schema": {"type": "number", "minimum": 0, "maximum": 60},
}
_PREFER: Final[Json] = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=N`: answer when the task has ended, or after N seconds, at most 60.",
    "schema": _TEXT,
}
_OPEN: Final[list[Json]] = []


def document(catalogue: Catalogue, base_url: str) -> Json:
    """Build the document; `base_url` is where clients reach this server."""
    schemas = ProductSchemas.of(catalogue)
    _, of_config = lift([Config], "", "validation")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Unitask", "version": __version__, "description": _ABOUT},
        "servers": [{"url": base_url}],
        "security": [{"apiKey": []}, {"bearer": []}],
        "tags": [
            {"name": "tasks", "description": "Order, read and cancel tasks."},
            {"name": "webhooks", "description": "What was sent to your endpoints, and sending it again."},
            {"name": "account", "description": "Balance, live tasks and history."},
            {"name": "files", "description": "What tasks have made, and what they are given."},
            {"name": "older routes", "description": "For clients from before the unified calls."},
            {
                "name": openapi_admin.TAG,
                "description": "Accounts, credit, plans and keys, for those who run the server.",
            },
            {"name": "server", "description": "The server about itself."},
        ],
        "paths": _joined(
            _task_paths(catalogue, schemas),
            openapi_webhooks.paths(_refusals),
            openapi_account.paths(_refusals),
            openapi_money.paths(_refusals, schemas),
            openapi_artifacts.paths(_refusals),
            _server_paths(),
            openapi_admin.paths(_refusals),
            openapi_board.paths(_refusals),
        ),
        "components": {
            "schemas": {
                **{schemas.names[product.key]: _order(product, schemas) for product in catalogue},
                **answers(schemas),
                **openapi_webhooks.schemas(),
                **openapi_artifacts.schemas(),
                **of_config,
                **openapi_admin.components(),
                **openapi_board.components(),
                **schemas.definitions,
            },
            "responses": {str(status): _refusal(status) for status in REFUSALS},
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The same key as a bearer token.",
                },
            },
        },
    }


def _joined(*parts: Json) -> Json:
    paths: Json = {}
    for part in parts:
        for path, operations in part.items():
            paths.setdefault(path, {}).update(operations)
    return paths


def _order(product: Product, schemas: ProductSchemas) -> Json:
    return {
        "type": "object",
        "title": product.title,
        "description": f"{product.summary}\n\nPrice: {price(product)}. {limits(product)}.",
        "required": ["model", "task_type", "input"],
        "properties": {
            "model": {"type": "string", "const": product.model},
            "task_type": {"type": "string", "const": product.task_type},
            "input": schemas.inputs[product.key],
            "config": {"anyOf": [ref("Config"), {"type": "null"}]},
        },
        "x-family": product.family,
        "x-price-points": product.price.points_per_unit,
        "x-price-unit": product.price.unit,
        "x-expected-seconds": product.expected_s,
        "x-limit-seconds": product.limit_s,
        "x-keep-days": product.keep_days,
    }


def _examples(product: Product, name: str) -> Json:
    return {
        f"{name}-{number + 1}": {
            "summary": f"{product.title}: {example.title}",
            "value": request(product, number),
        }
        for number, example in enumerate(product.examples)
    }


def _json(schema: Schema, **beside: object) -> Json:
    return {"application/json": {"schema": schema, **beside}}


def _answer(description: str, schema: Schema, **beside: object) -> Json:
    return {"description": description, "content": _json(schema, **beside)}


def _refusal(status: int) -> Json:
    refusal = REFUSALS[status]
    answer = _answer(f"{HTTPStatus(status).phrase}. {refusal.when} {refusal.change}", ref("Refusal"))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer"}}
        answer["headers"] = {"Retry-After": seconds}
    return answer


def _refusals(*statuses: int) -> Json:
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _task_paths(catalogue: Catalogue, schemas: ProductSchemas) -> Json:
    read = _answer("The task.", ref("TaskAnswer"))
    cancelled = _answer(
        "The task: failed if it was waiting; if it is running, its worker is asked to stop and it fails soon.",
        ref("TaskAnswer"),
    )
    cancel = {
        "tags": ["tasks"],
        "summary": "Cancel a task",
        "parameters": [_TASK_ID],
        "responses": {"200": cancelled, **_refusals(*KEY, 404, 409, 500, 503)},
    }
    return {
        _TASK: {"post": _create(catalogue, schemas)},
        f"{_TASK}/{{task_id}}": {
            "get": {
                "tags": ["tasks"],
                "operationId": "getTask",
                "summary": "Read a task",
                "parameters": [_TASK_ID, _WAIT],
                "responses": {"200": read, **_refusals(400, *KEY, 404, 500, 503)},
            },
            "delete": {**cancel, "operationId": "cancelTask"},
        },
        f"{_TASK}/{{task_id}}/events": {"get": _events()},
        f"{_TASK}/{{task_id}}/cancel": {"post": {**cancel, "operationId": "cancelTaskByPost"}},
    }


def _events() -> Json:
    stream = {"description": "Events until the task has ended.", "content": {"text/event-stream": {"schema": _TEXT}}}
    last = {"name": "Last-Event-ID", "in": "header", "description": "Where to go on after a break.", "schema": _TEXT}
    return {
        "tags": ["tasks"],
        "operationId": "followTask",
        "summary": "Follow a task as server-sent events",
        "description": "An event for each change: status, progress with the newest `preview_url`, place in the queue. "
        "The last one carries the task.",
        "parameters": [_TASK_ID, last],
        "responses": {"200": stream, **_refusals(*KEY, 404, 500, 503)},
    }


def _create(catalogue: Catalogue, schemas: ProductSchemas) -> Json:
    examples: Json = {}
    for product in catalogue:
        examples |= _examples(product, schemas.names[product.key])
    sample = {"code": 200, "data": sample_task(simplest(catalogue)), "message": "success"}
    return {
        "tags": ["tasks"],
        "operationId": "createTask",
        "summary": "Order a task",
        "description": "Answers as soon as the order is stored; the price is frozen until the task ends.",
        "parameters": [_IDEMPOTENCY_KEY, _PREFER],
        "requestBody": {
            "required": True,
            "content": _json({"oneOf": [ref(name) for name in schemas.names.values()]}, examples=examples),
        },
        "responses": {
            "200": _answer("The task as it was accepted.", ref("TaskAnswer"), example=sample),
            **_refusals(400, *KEY, 402, 413, 422, 500, 503),
        },
    }


def _server_paths() -> Json:
    text, number = {"type": "string"}, {"type": "integer"}
    alive = {"type": "object", "properties": {"status": {"const": "ok"}, "version": text}}
    ready = {
        "type": "object",
        "properties": {
            "status": {"const": "ready"},
            "queue": {"type": "object", "additionalProperties": number},
        },
    }
    away = {"type": "object", "properties": {"status": {"const": "unavailable"}, "reason": text}}
    return {
        "/healthz": _about("getHealth", "Is the process alive?", {"200": _answer("It is.", alive)}),
        "/readyz": _about(
            "getReadiness",
            "Can the server do its work?",
            {
                "200": _answer("It can; with the number of live tasks by state.", ready),
                "503": _answer("Its database is away.", away),
            },
        ),
        "/openapi.json": _about(
            "getOpenapi", "The OpenAPI document of this server", {"200": _answer("OpenAPI 3.1.", {"type": "object"})}
        ),
        "/docs": _about(
            "getReference",
            "The reference for people",
            {"200": {"description": "A page.", "content": {"text/html": {"schema": text}}}},
        ),
    }


def _about(operation: str, summary: str, responses: Json) -> Json:
    get = {
        "tags": ["server"],
        "operationId": operation,
        "summary": summary,
        "security": _OPEN,
        "responses": responses,
    }
    return {"get": get}
