"""The two calls, and cancel."""

from starlette.requests import Request

from unitask.accounts.model import Scope
from unitask.api.envelope import JsonAnswer, success, task_object
from unitask.api.live import preferred_wait_s, waited
from unitask.api.requests import SECONDS_LIMIT, caller, document, header, number, route, services, text
from unitask.kit.errors import InvalidRequest
from unitask.tasks.place import place


async def create(request: Request) -> JsonAnswer:
    """`POST /api/v1/task`: order a task."""
    who = await caller(request, Scope.TASKS)
    wait_s = preferred_wait_s(request)
    raw = await document(request)
    unitask = services(request)
    task = await place(unitask.orders, unitask.tasks, raw, who, header(request, b"idempotency-key"))
    task = await waited(request, task, who, wait_s)
    return success(task_object(task, unitask.artifacts, unitask.tasks.eta_s(task)))


async def get(request: Request) -> JsonAnswer:
    """`GET /api/v1/task/{task_id}`: read a task."""
    who = await caller(request, Scope.TASKS)
    wait_s = preferred_wait_s(request)
    unitask = services(request)
    task = await unitask.tasks.get(request.path_params["task_id"].strip(), who)
    task = await waited(request, task, who, wait_s)
    return success(task_object(task, unitask.artifacts, unitask.tasks.eta_s(task)))


async def cancel(request: Request) -> JsonAnswer:
    """`DELETE /api/v1/task/{task_id}` and `POST /api/v1/task/{task_id}/cancel`: take an order back."""
    who = await caller(request, Scope.TASKS)
    unitask = services(request)
    task = await unitask.tasks.cancel(request.path_params["task_id"].strip(), who)
    return success(task_object(task, unitask.artifacts))


async def cancel_many(request: Request) -> JsonAnswer:
    """`DELETE /api/v1/tasks`: take back all orders that wait and were made before a moment."""
    who = await caller(request, Scope.TASKS)
    unitask = services(request)
    before = number(request, "created_before", -1, most=SECONDS_LIMIT)
    if before < 0:
        raise InvalidRequest("invalid request: created_before is required, in seconds since the epoch")
    model = text(request, "model", "all")
    models = unitask.history.models(model)
    cancelled = [await unitask.tasks.cancel_many(who, created_before_s=before, model=one) for one in models]
    return success({"cancelled": sum(cancelled)})


ROUTES = [
    route("POST", "/api/v1/task", create),
    route("GET", "/api/v1/task/{task_id}", get),
    route("DELETE", "/api/v1/task/{task_id}", cancel),
    route("POST", "/api/v1/task/{task_id}/cancel", cancel),
    route("DELETE", "/api/v1/tasks", cancel_many),
]
