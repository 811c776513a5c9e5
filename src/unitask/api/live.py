"""Following a task: long poll and server-sent events."""

from collections.abc import AsyncIterator
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from unitask.accounts.model import Caller, Scope
from unitask.api.envelope import task_object
from unitask.api.passage import waiting
from unitask.api.requests import caller, header, route, services
from unitask.app import Services
from unitask.kit.errors import InvalidRequest
from unitask.tasks.live import LiveEvent, Moment
from unitask.tasks.model import Task

WAIT_LIMIT_S: Final = 60.0
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def preferred_wait_s(request: Request) -> float:
    """Read how long the client wants to wait: `?wait=N` or `Prefer: wait=N`, in seconds, at most a minute."""
    text = request.query_params.get("wait", "") if request.scope["query_string"] else ""
    for preference in header(request, b"prefer").split(","):
        name, _, value = preference.strip().partition("=")
        text = text or (value.strip() if name.strip().lower() == "wait" else "")
    if not text:
        return 0.0
    if not text.isascii() or not text.replace(".", "", 1).isdigit():
        raise InvalidRequest("invalid request: wait must be a number of seconds")
    return min(WAIT_LIMIT_S, float(text))


async def waited(request: Request, task: Task, who: Caller, wait_s: float) -> Task:
    """Wait for the end of a task as long as the client wants."""
    if not wait_s or task.status.final:
        return task
    with waiting(request):
        return await services(request).live.ended(task.id, who, wait_s, request.is_disconnected)


def _text(event: LiveEvent | None, unitask: Services) -> bytes:
    if event is None:
        return b": still here\n\n"
    data = event.data
    if event.preview is not None:
        data = {**data, "preview_url": unitask.artifacts.files_url + event.preview}
    if event.task is not None:
        data = {**data, "task": task_object(event.task, unitask.artifacts)}
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (
        str(event.moment).encode(),
        str(event.data["status"]).encode(),
        orjson.dumps(data),
    )


async def events(request: Request) -> Response:
    """`GET /api/v1/task/{task_id}/events`: the task's story as it happens, until it has ended."""
    who = await caller(request, Scope.TASKS)
    unitask = services(request)
    task = await unitask.tasks.get(request.path_params["task_id"].strip(), who)
    after = Moment.parse(header(request, b"last-event-id"))

    async def stream() -> AsyncIterator[bytes]:
        async for event in unitask.live.events(task.id, who, after, request.is_disconnected):
            yield _text(event, unitask)

    return StreamingResponse(stream(), media_type="text/event-stream", headers=_HEADERS)


ROUTES = [route("GET", "/api/v1/task/{task_id}/events", events)]
