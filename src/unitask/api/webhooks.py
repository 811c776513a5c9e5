"""The account's webhooks: the log of what was sent, sending again, and trying an endpoint."""

from collections.abc import Iterable
from typing import Any, Final

import orjson
from pydantic import BaseModel, Field
from starlette.requests import Request

from unitask.accounts.model import Scope
from unitask.api.envelope import JsonAnswer, success, task_object
from unitask.api.openapi_schemas import sample_task
from unitask.api.passage import waiting
from unitask.api.product_schemas import simplest
from unitask.api.requests import SECONDS_LIMIT, caller, message, number, route, services, text
from unitask.app import Services
from unitask.kit.clock import rfc3339
from unitask.tasks.model import Status
from unitask.webhooks.deliver import Deliverer
from unitask.webhooks.model import Attempt, Delivery, Message, State
from unitask.webhooks.service import LogRequest, ReplayRequest

PREFIX: Final = "/api/v1/webhooks"


class Replay(BaseModel):
    """Which messages to send again: those that fell due from `start_time` on and before `end_time`."""

    start_time: int = Field(ge=0, le=SECONDS_LIMIT, description="Seconds since the epoch.")
    end_time: int = Field(ge=0, le=SECONDS_LIMIT, description="Seconds since the epoch.")
    state: str = Field(default="", max_length=16, description="Empty: `exhausted`, `gone` and `disabled`.")
    cursor: str = Field(default="", max_length=64, description="`next_cursor` of the call before.")


class Test(BaseModel):
    """Where to send the sample, and what to sign it with."""

    endpoint: str = Field(min_length=1, max_length=2048)
    secret: str = Field(default="", max_length=512)


def deliverer(unitask: Services) -> Deliverer:
    """Make the process's sender: what it sends is the task object of Get Task."""

    async def messages(task_ids: Iterable[str]) -> dict[str, Message]:
        return {
            task.id: Message(
                orjson.dumps(task_object(task, unitask.artifacts, unitask.tasks.eta_s(task))),
                task.status.final,
                task.trace,
            )
            for task in await unitask.history.show_many(task_ids)
        }

    return Deliverer(unitask.database, unitask.clock, unitask.guard, messages)


def _delivery(one: Delivery) -> dict[str, Any]:
    return {
        "id": one.id,
        "task_id": one.task_id,
        "event": one.event,
        "endpoint": one.endpoint,
        "state": one.state,
        "attempts": one.sent,
        "reason": one.last_reason,
        "created_at": rfc3339(one.created_at),
        "next_at": rfc3339(one.next_at if one.state is State.OWED else None),
        "settled_at": rfc3339(one.settled_at),
    }


def _attempt(one: Attempt) -> dict[str, Any]:
    return {
        "at": rfc3339(one.at),
        "milliseconds": one.took_ms,
        "status": one.status,
        "reason": one.reason,
        "answer": one.answer,
    }


async def list_deliveries(request: Request) -> JsonAnswer:
    """`GET /api/v1/webhooks/deliveries`: an account's deliveries by cursor, newest first."""
    who = await caller(request, Scope.TASKS)
    wanted = LogRequest(
        before=text(request, "cursor"),
        size=number(request, "limit", LogRequest().size),
        task_id=text(request, "task_id"),
        state=text(request, "state"),
        event=text(request, "event"),
    )
    page = await services(request).webhooks.newest(who.account_id, wanted)
    return success({"deliveries": [_delivery(one) for one in page.deliveries], "next_cursor": page.cursor})


async def get_delivery(request: Request) -> JsonAnswer:
    """`GET /api/v1/webhooks/deliveries/{id}`: one delivery with its attempts."""
    who = await caller(request, Scope.TASKS)
    logged = await services(request).webhooks.find(request.path_params["id"], who.account_id)
    return success({**_delivery(logged.delivery), "log": [_attempt(one) for one in logged.attempts]})


async def replay(request: Request) -> JsonAnswer:
    """`POST /api/v1/webhooks/deliveries/{id}/replay`: send a message again."""
    who = await caller(request, Scope.TASKS)
    return success(_delivery(await services(request).webhooks.replay(request.path_params["id"], who.account_id)))


async def replay_many(request: Request) -> JsonAnswer:
    """`POST /api/v1/webhooks/replay`: send the messages of a span of time again."""
    who = await caller(request, Scope.TASKS)
    asked = await message(request, Replay)
    done = await services(request).webhooks.replay_many(
        who.account_id,
        ReplayRequest(start_s=asked.start_time, end_s=asked.end_time, state=asked.state, after=asked.cursor),
    )
    return success({"replayed": done.number, "next_cursor": done.cursor})


async def test(request: Request) -> JsonAnswer:
    """`POST /api/v1/webhooks/test`: send a sample at once, and answer what the receiver said."""
    who = await caller(request, Scope.TASKS)
    asked = await message(request, Test)
    unitask = services(request)
    sample = {**sample_task(simplest(unitask.catalogue)), "status": Status.COMPLETED}
    with waiting(request):
        trial = await unitask.webhooks.test(
            who.account_id, endpoint=asked.endpoint, secret=asked.secret, data=orjson.dumps(sample)
        )
    return success({"webhook_id": trial.message_id, "delivered": trial.attempt.succeeded, **_attempt(trial.attempt)})


ROUTES = [
    route("GET", f"{PREFIX}/deliveries", list_deliveries),
    route("GET", f"{PREFIX}/deliveries/{{id}}", get_delivery),
    route("POST", f"{PREFIX}/deliveries/{{id}}/replay", replay),
    route("POST", f"{PREFIX}/replay", replay_many),
    route("POST", f"{PREFIX}/test", test),
]
