"""The part of the OpenAPI document about what was used, and about what the installation does."""

from collections.abc import Callable
from typing import Any, Final, get_args

from unitask.api.openapi_admin import ACCOUNT_ID, TAG, Group
from unitask.api.openapi_schemas import complete, ref
from unitask.api.product_schemas import lift
from unitask.api.usage import DAYS_LIMIT, DAYS_USUAL
from unitask.api.wording import KEY
from unitask.spec.cluster import ReportSeen
from unitask.spec.protocol import ProviderHealth

Json = dict[str, Any]
_TEXT: Final[Json] = {"type": "string"}
_TEXTS: Final[Json] = {"type": "array", "items": _TEXT}
_NUMBER: Final[Json] = {"type": "integer"}
_SWITCH: Final[Json] = {"type": "boolean"}
_MAYBE_TEXT: Final[Json] = {"type": ["string", "null"]}
_SECONDS: Final[Json] = {"type": ["number", "null"]}
_PRODUCT: Final[Json] = {"model": _TEXT, "task_type": _TEXT}
_DATE: Final[Json] = {"type": "string", "format": "date"}
_DAYS: Final[Json] = {
    "name": "days",
    "in": "query",
    "required": False,
    "description": "The last so many days, today among them, in UTC.",
    "schema": {**_NUMBER, "minimum": 1, "maximum": DAYS_LIMIT, "default": DAYS_USUAL},
}

_METRICS: Final[Json] = {kind: {"schema": _TEXT} for kind in ("text/plain", "application/openmetrics-text")}


def _list(of: Json) -> Json:
    return {"type": "array", "items": of}


def _usage() -> Json:
    day = complete(
        {
            "date": _DATE,
            **_PRODUCT,
            "completed": _NUMBER,
            "failed": {**_NUMBER, "description": "Cancelled ones among them."},
            "points": {**_NUMBER, "description": "Charged."},
            "usd": {"type": "number"},
        },
        "The tasks of one product that ended on one day.",
    )
    return complete({"start_date": _DATE, "end_date": _DATE, "usage": _list(day)}, "What was used, by day and product.")


def _board() -> Json:
    line = complete(
        {
            "engine": _TEXT,
            **_PRODUCT,
            "staged": _NUMBER,
            "waiting": _NUMBER,
            "processing": _NUMBER,
            "oldest_s": {**_SECONDS, "description": "How long the oldest of those that wait has; null: none does."},
        },
        "Live tasks of one product at one engine.",
    )
    pace = complete(
        {
            "engine": _TEXT,
            **_PRODUCT,
            "tasks": {**_NUMBER, "description": "How many were looked at."},
            "queue_s": {**_SECONDS, "description": "Until a worker took it."},
            "load_s": {
                **_SECONDS,
                "description": "Until the attempt began, and reading weights if its engine says so.",
            },
            "run_s": {**_SECONDS, "description": "The work itself."},
            "upload_s": {**_SECONDS, "description": "Storing its files."},
            "deliver_s": {**_SECONDS, "description": "Until a receiver took the webhook message."},
        },
        "Medians of the tasks that were completed last; null where nothing is known.",
    )
    return complete({"lines": _list(line), "timings": _list(pace)}, "The queue, and where time goes.")


def _worker() -> Json:
    running = complete(
        {
            "task_id": _TEXT,
            "engine": _TEXT,
            **_PRODUCT,
            "attempt": _NUMBER,
            "progress": {"type": "number"},
            "note": _TEXT,
        },
        "A task that it holds.",
    )
    provider = complete(
        {
            "provider": _TEXT,
            "engine": _TEXT,
            "state": {
                **_TEXT,
                "enum": list(get_args(ProviderHealth.model_fields["state"].annotation)),
                "description": "`down`: it is left alone for a while; `trying`: one task, or a look, shows how it is.",
            },
            "failures": {**_NUMBER, "description": "Since its last answer."},
            "latency_ms": {"type": ["number", "null"], "description": "Of its last answers."},
            "why": {**_TEXT, "description": "What went wrong last; empty if nothing did."},
        },
        "How it finds a provider.",
    )
    return complete(
        {
            "id": _TEXT,
            "name": _TEXT,
            "alive": {**_SWITCH, "description": "False: its lease has passed."},
            "engines": _TEXTS,
            "devices": _TEXTS,
            "memory_bytes": {
                "type": "object",
                "additionalProperties": _NUMBER,
                "description": "Bytes of its devices, where they are known.",
            },
            "loaded": {**_TEXTS, "description": "The model cards that it has in memory."},
            "providers": _list(provider),
            "started_at": _TEXT,
            "seen_at": _TEXT,
            "running": _list(running),
        },
        "A worker.",
    )


def _installation() -> Json:
    engine = complete(
        {"name": _TEXT, "enabled": _SWITCH, "missing": {**_MAYBE_TEXT, "description": "What to install."}}, "An engine."
    )
    product = complete(
        {**_PRODUCT, "engine": _MAYBE_TEXT, "engine_level": _MAYBE_TEXT, "missing": _MAYBE_TEXT},
        "A product, what would make it now, and what to install so that something better does.",
    )
    weights = complete(
        {
            "id": _TEXT,
            "title": _TEXT,
            "installed": _SWITCH,
            "bytes": {**_NUMBER, "description": "About."},
            "license": _TEXT,
            "command": {**_TEXT, "description": "What brings them here."},
            "products": _TEXTS,
        },
        "The weights of one model.",
    )
    return complete(
        {"engines": _list(engine), "products": _list(product), "weights": _list(weights)},
        "What the machine of the answering API process has; a worker elsewhere may have more.",
    )


def components() -> dict[str, Json]:
    """Give the named schemas of these routes."""
    _, of_clusters = lift([ReportSeen], "", "serialization")
    return {
        "Usage": _usage(),
        "QueueBoard": _board(),
        "Worker": _worker(),
        "Installation": _installation(),
        **of_clusters,
    }


def paths(refusals: Callable[..., Json]) -> Json:
    """Give the paths of these routes."""
    own, operators = Group(refusals, "account"), Group(refusals, TAG)
    usage, of_account = "What ended on the last days, by product", "What ended on the last days of an account"
    return {
        "/api/v1/usage": {"get": own.operation("getUsage", usage, ref("Usage"), 400, parameters=(_DAYS,))},
        "/api/v1/admin/accounts/{account_id}/usage": {
            "get": operators.operation(
                "getAccountUsage", of_account, ref("Usage"), 400, 404, parameters=(ACCOUNT_ID, _DAYS)
            )
        },
        "/api/v1/admin/queue": {
            "get": operators.operation("getQueue", "What waits and runs, and where time goes", ref("QueueBoard"))
        },
        "/api/v1/admin/workers": {
            "get": operators.operation("listWorkers", "Workers and what each is doing", _list(ref("Worker")))
        },
        "/api/v1/admin/clusters": {
            "get": operators.operation(
                "listClusters", "Pools of workers on Ray, as their controllers see them", _list(ref("ReportSeen"))
            )
        },
        "/metrics": {
            "get": {
                "tags": [TAG],
                "operationId": "getMetrics",
                "summary": "The installation and the answering process for Prometheus",
                "description": "With the admin key, a key with the scope admin, or the worker token, as bearer token.",
                "responses": {
                    "200": {"description": "Metrics as text; OpenMetrics to those who accept it.", "content": _METRICS},
                    **refusals(*KEY, 500, 503),
                },
            }
        },
        "/api/v1/admin/engines": {
            "get": operators.operation("getInstallation", "Engines, levels and weights here", ref("Installation"))
        },
    }
