"""The JSON schemas of what the API answers: envelope, task object and refusals, as `api.envelope` builds them."""

from collections.abc import Iterable
from typing import Any, Final, get_args

from unitask.api.product_schemas import COMPONENTS, ProductSchemas, Schema, request
from unitask.api.wording import LEVELS, STATUSES
from unitask.kit.clock import ZERO_TIME
from unitask.spec.product import Level, Product
from unitask.tasks.model import NO_ERROR, Status

_NULL: Final[Schema] = {"type": "null"}
_TEXT: Final[Schema] = {"type": "string"}


def ref(name: str) -> Schema:
    """Point at a schema of the document."""
    return {"$ref": f"{COMPONENTS}{name}"}


def complete(properties: dict[str, Schema], description: str) -> Schema:
    """Describe an object whose keys are always all there."""
    return {
        "type": "object",
        "description": description,
        "required": list(properties),
        "properties": properties,
    }


def answers(schemas: ProductSchemas) -> dict[str, Schema]:
    """Give every schema of an answer by its name."""
    return {
        "Task": _task(),
        "TaskOutput": {
            "description": "By product; null until the task is completed.",
            "anyOf": [*_distinct(schemas.outputs.values()), _NULL],
        },
        "TaskMeta": _meta(),
        "TaskError": _error(),
        "TaskAnswer": complete(
            {"code": {"const": 200}, "data": ref("Task"), "message": {"const": "success"}},
            "The envelope of every answer that went well.",
        ),
        "Refusal": complete(
            {
                "code": {"type": "integer", "minimum": 400, "description": "Mirrors the HTTP status."},
                "data": {
                    "description": "The refused task where a create ends with 400, 500 or 503; else null.",
                    "anyOf": [ref("RefusedTask"), _NULL],
                },
                "message": {**_TEXT, "description": "A sentence that says what to change."},
            },
            "The envelope of every answer that did not go well.",
        ),
        "RefusedTask": complete(
            {"task_id": {"const": ""}, "status": {"const": Status.FAILED}, "error": ref("TaskError")},
            "An order that was not accepted; nothing of it is stored.",
        ),
    }


def _distinct(references: Iterable[Schema]) -> list[Schema]:
    return [{"$ref": name} for name in dict.fromkeys(each["$ref"] for each in references)]


def _task() -> Schema:
    meanings = "\n".join(f"- `{status}`: {meaning}" for status, meaning in STATUSES.items())
    return complete(
        {
            "task_id": {**_TEXT, "format": "uuid"},
            "model": _TEXT,
            "task_type": _TEXT,
            "status": {"type": "string", "enum": list(STATUSES), "description": meanings},
            "config": {
                **ref("Config"),
                "description": "The config of the request with its defaults filled in.",
                "required": ["service_mode", "webhook_config"],
            },
            "input": {
                "type": "object",
                "description": "The checked input of the request: defaults filled in, nulls and unknown keys left out, "
                "and media that came as base64 replaced by URLs.",
            },
            "output": ref("TaskOutput"),
            "meta": ref("TaskMeta"),
            "detail": _NULL,
            "logs": {"type": "array", "items": _TEXT, "description": "Lines that the engine wrote."},
            "error": ref("TaskError"),
        },
        "An order of a product.",
    )


def _time(what: str) -> Schema:
    return {
        **_TEXT,
        "format": "date-time",
        "description": f"When {what}, RFC 3339 in UTC. `{ZERO_TIME}`: not yet.",
    }


def _meta() -> Schema:
    points: Schema = {"type": "integer", "minimum": 0}
    levels = " ".join(f"`{level}`: {meaning}" for level, meaning in LEVELS.items())
    return complete(
        {
            "created_at": _time("the order was accepted"),
            "started_at": _time("a worker began"),
            "ended_at": _time("the task ended"),
            "usage": complete(
                {
                    "type": {"const": "point"},
                    "frozen": {**points, "description": "Held until the task ends: the most it can cost."},
                    "consume": {**points, "description": "Charged; 0 for a task that failed."},
                },
                "10,000,000 points are 1 US dollar.",
            ),
            "is_using_private_pool": {"const": False},
            "engine": {"type": ["string", "null"], "description": "What made it; null until a worker began."},
            "engine_level": {"enum": [*get_args(Level), None], "description": f"How real it is. {levels}"},
            "cost_points": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "What a provider took for it, apart from what was charged; null where none did, or "
                "where that is not known.",
            },
            "drawn_seed": {
                "type": "integer",
                "minimum": 0,
                "description": "The seed where the input names none; sent as the input's seed, it makes the same.",
            },
            "queue_position": {
                "type": ["integer", "null"],
                "description": "How many wait before it, counted to 100; null when it does not wait.",
            },
            "eta_s": {"type": ["number", "null"], "description": "A guess of the seconds until it has ended."},
            "progress": {"type": "number", "minimum": 0, "maximum": 1},
            "preview_url": {
                "type": ["string", "null"],
                "format": "uri",
                "description": "A small picture of what the engine has so far, if `config.preview` asked for it; "
                "there until the next but one, or until the task ends.",
            },
            "expires_at": {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "When the first file of the output is deleted; null while there is none that will be.",
            },
            "warnings": {
                "type": "array",
                "items": _TEXT,
                "description": "Sentences about the input or the result, such as fields that were ignored.",
            },
        },
        "Times, price and maker of a task.",
    )


def _error() -> Schema:
    return complete(
        {
            "code": {"type": "integer", "description": "0: no error. 10000: the task failed or was cancelled."},
            "raw_message": {**_TEXT, "description": "What the engine said."},
            "message": {**_TEXT, "description": "A sentence for people."},
            "detail": {
                "type": ["object", "null"],
                "description": '`{"cause": "input"}` if the order itself is the cause.',
            },
        },
        "Why a task failed. Never null: with nothing to tell, the code is 0 and the texts are empty.",
    )


def sample_task(product: Product) -> dict[str, Any]:
    """Build the task object as it is right after its create."""
    return {
        "task_id": "01987c5f-3b1e-7cc3-98c4-dc0c0c07398f",
        "model": product.model,
        "task_type": product.task_type,
        "status": Status.PENDING.value,
        "config": {"service_mode": "", "webhook_config": {"endpoint": "", "secret": ""}},
        "input": _with_defaults(product),
        "output": None,
        "meta": {
            "created_at": "2026-01-31T12:00:00.250000Z",
            "started_at": ZERO_TIME,
            "ended_at": ZERO_TIME,
            "usage": {"type": "point", "frozen": product.price.points_per_unit, "consume": 0},
            "is_using_private_pool": False,
            "engine": None,
            "engine_level": None,
            "cost_points": None,
            "drawn_seed": 2718281828,
            "queue_position": None,
            "eta_s": None,
            "progress": 0.0,
            "preview_url": None,
            "expires_at": None,
            "warnings": [],
        },
        "detail": None,
        "logs": [],
        "error": NO_ERROR,
    }


def _with_defaults(product: Product) -> dict[str, Any]:
    # Unchecked: a wrong example of some package must not keep the server from starting.
    inputs = product.input.model_construct(**request(product)["input"])
    return dict(sorted(inputs.model_dump(mode="json", exclude_none=True, warnings=False).items()))
