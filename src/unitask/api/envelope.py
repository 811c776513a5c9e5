"""The wire's JSON: the envelope `{code, data, message}` and the task object in it, keys in the documented order.

Stored documents are spliced in as they are: nothing is parsed to be written again.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send

from unitask.api.headers import DATA
from unitask.artifacts.service import Artifacts
from unitask.kit.clock import rfc3339
from unitask.kit.ids import drawn_seed
from unitask.tasks.model import NO_ERROR, Status, Task

_NO_ERROR: Final = orjson.Fragment(orjson.dumps(NO_ERROR))
_HELD: Final = {Status.PENDING, Status.STAGED, Status.PROCESSING}


class JsonAnswer:
    """A body of JSON as an ASGI application: what Starlette's response does, without what these answers never need."""

    def __init__(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.body = body
        self.status_code = status
        self.headers = [
            (b"content-length", str(len(body)).encode()),
            (b"content-type", b"application/json"),
            *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()),
            *DATA,
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


def success(data: Any) -> JsonAnswer:
    """Answer 200 with data."""
    return JsonAnswer(orjson.dumps({"code": 200, "data": data, "message": "success"}))


def failure(status: int, message: str, *, data: Any = None, headers: Mapping[str, str] | None = None) -> JsonAnswer:
    """Answer an error; the code in the body mirrors the HTTP status."""
    return JsonAnswer(orjson.dumps({"code": status, "data": data, "message": message}), status, headers)


def refused_task(status: int, message: str) -> dict[str, Any]:
    """Build the task object of an order that was not accepted: no id, failed, with its error where clients look."""
    return {
        "task_id": "",
        "status": Status.FAILED,
        "error": {"code": status, "raw_message": message, "message": message, "detail": None},
    }


def task_object(task: Task, artifacts: Artifacts, eta_s: float | None = None) -> dict[str, Any]:
    """Build the task object of create, get and webhooks; `eta_s` is a guess of the seconds until it has ended."""

    def document(text: str | None) -> Any:
        return orjson.Fragment(artifacts.with_urls(text)) if text else None

    held = task.price_points if task.status in _HELD else 0
    return {
        "task_id": task.id,
        "model": task.model,
        "task_type": task.task_type,
        "status": task.status,
        "config": document(task.config),
        "input": document(task.input),
        "output": document(task.output),
        "meta": {
            "created_at": rfc3339(task.created_at),
            "started_at": rfc3339(task.started_at),
            "ended_at": rfc3339(task.ended_at),
            "usage": {"type": "point", "frozen": held, "consume": task.charged_points},
            "is_using_private_pool": False,
            "engine": task.engine,
            "engine_level": task.engine_level,
            "cost_points": task.cost_points,
            "drawn_seed": drawn_seed(task.id),
            "queue_position": task.queue_position,
            "eta_s": eta_s,
            "progress": 1.0 if task.status is Status.COMPLETED else task.progress or 0.0,
            "preview_url": artifacts.files_url + task.preview if task.preview else None,
            "expires_at": rfc3339(task.expires_at) if task.expires_at else None,
            "warnings": document(task.warnings),
        },
        "detail": None,
        "logs": document(task.logs),
        "error": orjson.Fragment(task.error) if task.error else _NO_ERROR,
    }
