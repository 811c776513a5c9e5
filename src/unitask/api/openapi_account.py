"""The part of the OpenAPI document that is not about one task: lists, history, account, upload, the older routes."""

from collections.abc import Callable
from typing import Any, Final

from unitask.accounts.credentials import MOST_CREDENTIALS, PROVIDER
from unitask.api.credentials import ProviderKey
from unitask.api.legacy import Fetch, Swap
from unitask.api.listing import CHOICES
from unitask.api.openapi_schemas import complete, ref
from unitask.api.uploads import LIMIT_BYTES, Upload
from unitask.api.wording import KEY
from unitask.queue.model import State
from unitask.tasks.history import PAGE_LIMIT
from unitask.tasks.model import Status

Json = dict[str, Any]
Refusals = Callable[..., Json]
_TEXT: Final[Json] = {"type": "string"}
_NUMBER: Final[Json] = {"type": "integer"}
_OBJECT: Final[Json] = {"type": "object"}


def _query(name: str, description: str, schema: Json, *, required: bool = False) -> Json:
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def _envelope(data: Json) -> Json:
    return complete({"code": {"const": 200}, "data": data, "message": {"const": "success"}}, "An answer.")


def _operation(tag: str, name: str, summary: str, answer: Json, refusals: Json, **beside: Any) -> Json:
    ok = {"description": "The answer.", "content": {"application/json": {"schema": answer}}}
    return {"tags": [tag], "operationId": name, "summary": summary, "responses": {"200": ok, **refusals}, **beside}


def _body(*schemas: tuple[str, Json]) -> Json:
    return {"required": True, "content": {kind: {"schema": schema} for kind, schema in schemas}}


def _task_lists(refusals: Refusals) -> dict[str, Json]:
    tasks = complete(
        {"tasks": {"type": "array", "items": ref("Task")}, "next_cursor": {"type": ["string", "null"]}},
        "A page of tasks; `next_cursor` leads to the next, null at the end.",
    )
    return {
        "list": _operation(
            "tasks",
            "listTasks",
            "List tasks, newest first",
            _envelope(tasks),
            refusals(400, *KEY, 500, 503),
            parameters=[
                _query("limit", "Tasks on a page.", {**_NUMBER, "minimum": 1, "maximum": PAGE_LIMIT, "default": 20}),
                _query("cursor", "`next_cursor` of the page before.", _TEXT),
                _query("status", "Only tasks in this status.", {"enum": list(Status)}),
                _query("model", "Only tasks of this model.", _TEXT),
                _query("task_type", "Only tasks of this type.", _TEXT),
                _query("start_time", "Only tasks ordered from this moment on, in seconds since the epoch.", _NUMBER),
                _query("end_time", "Only tasks ordered before this moment, in seconds since the epoch.", _NUMBER),
                _query(
                    "idempotency_key",
                    "Only the task ordered under this `Idempotency-Key` within 24 hours; other filters do not count.",
                    _TEXT,
                ),
            ],
        ),
        "cancel": _operation(
            "tasks",
            "cancelTasks",
            "Cancel all tasks that wait",
            _envelope(complete({"cancelled": _NUMBER}, "How many were cancelled.")),
            refusals(400, *KEY, 500, 503),
            parameters=[
                _query("created_before", "Seconds since the epoch.", _NUMBER, required=True),
                _query("model", "A model, a family, or `all`.", {**_TEXT, "default": "all"}),
            ],
        ),
    }


def _account(refusals: Refusals) -> dict[str, Json]:
    counts = complete({f"{word}_count": _NUMBER for word in ("staged", "pending", "processing")}, "Live tasks.")
    row = {"type": "array", "items": {**_OBJECT, "description": "One task: id, task_id, action, status, usage, ..."}}
    page = complete({"data": row, "page": _NUMBER, "size": _NUMBER, "total": _NUMBER}, "A page of history.")
    denied = refusals(*KEY, 404, 500, 503)
    return {
        "/account/info": _operation("account", "getAccount", "Account and balance", _envelope(_OBJECT), denied),
        "/account/active_tasks": _operation(
            "account",
            "getActiveTasks",
            "Live tasks counted by family",
            _envelope({**_OBJECT, "additionalProperties": counts, "description": f"States: {', '.join(State)}."}),
            refusals(*KEY, 500, 503),
        ),
        "/api/open/tasks/histories": _operation(
            "account",
            "getHistory",
            "Task history by pages, newest first",
            _envelope(page),
            refusals(400, *KEY, 500, 503),
            parameters=[
                _query("page", "From 1.", {**_NUMBER, "minimum": 1, "default": 1}),
                _query("page_size", "Rows on a page.", {**_NUMBER, "minimum": 1, "maximum": PAGE_LIMIT, "default": 10}),
                _query("model", "A family; empty for all.", _TEXT),
                _query("start_time", "Seconds since the epoch.", _NUMBER),
                _query("end_time", "Seconds since the epoch.", _NUMBER),
            ],
        ),
        "/api/v1/catalogue": _operation(
            "server",
            "getCatalogue",
            "Every product with its schema, price and maker",
            _envelope(
                {"type": "array", "items": {**_OBJECT, "description": f"`choices`: {', '.join(CHOICES.values())}."}}
            ),
            refusals(*KEY, 500, 503),
        ),
    }


def _posts(refusals: Refusals) -> dict[str, Json]:
    form = {**_OBJECT, "required": ["file"], "properties": {"file": {**_TEXT, "format": "binary"}}}
    url = complete({"url": _TEXT, "expires_at": _TEXT}, "Where the file is, and until when.")
    uploaded = _envelope(url)
    uploaded["properties"] = {**uploaded["properties"], "url": _TEXT}
    swap = complete(
        {"task_id": _TEXT, "status": _TEXT, "image": _TEXT, "error_messages": {"type": "array", "items": _TEXT}},
        "A swap; `status` is pending, processing, success or failed.",
    )
    return {
        "/api/ephemeral_resource": _operation(
            "files",
            "uploadFile",
            f"Keep a file of at most {LIMIT_BYTES // 2**20} MiB for a day",
            uploaded,
            refusals(400, *KEY, 413, 500, 503),
            requestBody=_body(
                ("application/json", Upload.model_json_schema()),
                ("multipart/form-data", form),
            ),
        ),
        "/api/face_swap/v1/async": _operation(
            "older routes",
            "startFaceSwap",
            "Order a face swap",
            _envelope(complete({"task_id": _TEXT}, "The order.")),
            refusals(400, *KEY, 402, 413, 500, 503),
            requestBody=_body(("application/json", Swap.model_json_schema())),
        ),
        "/api/face_swap/v1/fetch": _operation(
            "older routes",
            "fetchFaceSwap",
            "Read a face swap",
            _envelope(swap),
            refusals(400, *KEY, 404, 413, 500, 503),
            requestBody=_body(("application/json", Fetch.model_json_schema())),
        ),
    }


def _credentials(refusals: Refusals) -> dict[str, Json]:
    hint = {**_TEXT, "description": "The last four characters of the key; empty if it is shorter than twelve."}
    shown = complete(
        {"provider": _TEXT, "hint": hint, "created_at": {**_TEXT, "format": "date-time"}},
        "What is shown of the account's own key for a provider.",
    )
    provider = {
        "name": "provider",
        "in": "path",
        "required": True,
        "description": "Who makes the tasks that the key is for, such as `fal`.",
        "schema": {**_TEXT, "pattern": PROVIDER},
    }
    return {
        "/api/v1/account/credentials": {
            "get": _operation(
                "account",
                "listCredentials",
                "List the account's own keys for providers, without the keys",
                _envelope({"type": "array", "items": shown}),
                refusals(*KEY, 500, 503),
            )
        },
        "/api/v1/account/credentials/{provider}": {
            "put": _operation(
                "account",
                "setCredential",
                "Let the account's tasks at a provider use its own key",
                _envelope(shown),
                refusals(400, *KEY, 404, 409, 413, 500, 503),
                description=f"It takes the place of the one before. For at most {MOST_CREDENTIALS} providers.",
                parameters=[provider],
                requestBody=_body(("application/json", ProviderKey.model_json_schema())),
            ),
            "delete": _operation(
                "account",
                "removeCredential",
                "Let the account's tasks at a provider use the operator's key again",
                _envelope({"type": "null"}),
                refusals(*KEY, 404, 500, 503),
                parameters=[provider],
            ),
        },
    }


def paths(refusals: Refusals) -> dict[str, Json]:
    """Give the paths of these routes; those of `/api/v1/task` are to be joined with what stands there."""
    lists = _task_lists(refusals)
    return {
        "/api/v1/task": {"get": lists["list"]},
        "/api/v1/tasks": {"delete": lists["cancel"]},
        **{path: {"get": operation} for path, operation in _account(refusals).items()},
        **{path: {"post": operation} for path, operation in _posts(refusals).items()},
        **_credentials(refusals),
    }
