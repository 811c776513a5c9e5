"""The two calls, and cancel."""

from starlette.requests import Request
from starlette.responses import Response

from unitask.api.envelope import success, task_object
from unitask.api.requests import body, caller, route, services


async def create(request: Request) -> Response:
    """`POST /api/v1/task`: order a task."""
    who = await caller(request)
    raw = await body(request)
    unitask = services(request)
    order = await unitask.orders.prepare(raw, who, request.headers.get("idempotency-key"))
    try:
        task = await unitask.tasks.create(order)
    except BaseException:
        unitask.orders.discard(order)
        raise
    if task.id != order.task_id:
        unitask.orders.discard(order)
    return success(task_object(task, unitask.artifacts))


async def get(request: Request) -> Response:
    """`GET /api/v1/task/{task_id}`: read a task."""
    who = await caller(request)
    unitask = services(request)
    task = await unitask.tasks.get(request.path_params["task_id"].strip(), who)
    return success(task_object(task, unitask.artifacts))


async def cancel(request: Request) -> Response:
    """`DELETE /api/v1/task/{task_id}` and `POST /api/v1/task/{task_id}/cancel`: take an order back."""
    who = await caller(request)
    unitask = services(request)
    task = await unitask.tasks.cancel(request.path_params["task_id"].strip(), who)
    return success(task_object(task, unitask.artifacts))


ROUTES = [
    route("POST", "/api/v1/task", create),
    route("GET", "/api/v1/task/{task_id}", get),
    route("DELETE", "/api/v1/task/{task_id}", cancel),
    route("POST", "/api/v1/task/{task_id}/cancel", cancel),
]
