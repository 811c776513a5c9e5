"""The part of the OpenAPI document about webhooks: the log, replay and test calls, and the message itself."""

from typing import Any, Final

from unitask.api.openapi_account import Json, Refusals
from unitask.api.openapi_schemas import complete, ref
from unitask.api.webhooks import PREFIX, Replay, Test
from unitask.api.wording import KEY
from unitask.webhooks.model import ANSWER_BYTES, FINAL, Event, State
from unitask.webhooks.service import PAGE_LIMIT, REPLAY_LIMIT

_TEXT: Final[Json] = {"type": "string"}
_NUMBER: Final[Json] = {"type": "integer"}
_TIME: Final[Json] = {"type": "string", "format": "date-time"}
_CURSOR: Final[Json] = {"type": ["string", "null"]}
_ID: Final[Json] = {"name": "id", "in": "path", "required": True, "schema": _TEXT}
EVENTS: Final = {
    Event.PROCESSING: "A worker began to make the task. Sent only if it is asked for, and not repeated.",
    Event.PROGRESS: "The task is further than before. Sent only if it is asked for, and not repeated.",
    Event.COMPLETED: "The task has a result. Sent unless other events are asked for; repeated until it arrives.",
    Event.FAILED: "The task ended without a result, or was cancelled. Sent and repeated in the same way.",
}
"""What each event tells; the request names them without `task.`."""
STATES: Final = {
    State.OWED: "to be sent, or to be sent again",
    State.DELIVERED: "the receiver answered 2xx",
    State.EXHAUSTED: "given up after its last attempt",
    State.GONE: "the receiver answered 410",
    State.DISABLED: "not sent: the endpoint failed for five days",
    State.DROPPED: "not sent: the task had ended before its progress could be told",
}


def _query(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _attempt() -> dict[str, Json]:
    return {
        "at": _TIME,
        "milliseconds": _NUMBER,
        "status": {"type": ["integer", "null"], "description": "Of the answer; null if there was none."},
        "reason": {**_TEXT, "description": "Why the attempt failed; empty if it did not."},
        "answer": {**_TEXT, "description": f"The first {ANSWER_BYTES} bytes of the answer."},
    }


def _delivery() -> dict[str, Json]:
    states = ", ".join(f"`{state}` ({meaning})" for state, meaning in STATES.items())
    return {
        "id": {**_TEXT, "format": "uuid", "description": "The message's `webhook-id`, the same on every attempt."},
        "task_id": {**_TEXT, "format": "uuid"},
        "event": {"enum": list(Event)},
        "endpoint": _TEXT,
        "state": {"enum": list(STATES), "description": f"{states[0].upper()}{states[1:]}."},
        "attempts": {**_NUMBER, "description": "How many there were."},
        "reason": {**_TEXT, "description": "Why the last attempt failed."},
        "created_at": {**_TIME, "description": "When the message fell due: its `timestamp`."},
        "next_at": {**_TIME, "description": "When the next attempt is due, while it is owed."},
        "settled_at": _TIME,
    }


def schemas() -> dict[str, Json]:
    """Give the schemas of the message and of the log, by name."""
    return {
        "WebhookMessage": complete(
            {
                "timestamp": {**_NUMBER, "description": "When it fell due, in seconds since the epoch."},
                "data": ref("Task"),
            },
            "What an endpoint receives, the same on every attempt.",
        ),
        "Delivery": complete(_delivery(), "A message owed to an endpoint."),
        "DeliveryAttempt": complete(_attempt(), "One attempt to send a message."),
    }


def _operation(name: str, summary: str, data: Json, refusals: Json, **beside: Any) -> Json:
    envelope = complete({"code": {"const": 200}, "data": data, "message": {"const": "success"}}, "An answer.")
    ok = {"description": "The answer.", "content": {"application/json": {"schema": envelope}}}
    return {
        "tags": ["webhooks"],
        "operationId": name,
        "summary": summary,
        "responses": {"200": ok, **refusals},
        **beside,
    }


def _body(schema: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def paths(refusals: Refusals) -> dict[str, Json]:
    """Give the paths of these routes."""
    page = {"deliveries": {"type": "array", "items": ref("Delivery")}, "next_cursor": _CURSOR}
    log: Json = {"type": "array", "items": ref("DeliveryAttempt")}
    listed = _operation(
        "listDeliveries",
        "List webhook deliveries, newest first; they are kept for 30 days",
        complete(page, "A page of the log."),
        refusals(400, *KEY, 500, 503),
        parameters=[
            _query("limit", "Deliveries on a page.", {**_NUMBER, "minimum": 1, "maximum": PAGE_LIMIT, "default": 20}),
            _query("cursor", "`next_cursor` of the page before.", _TEXT),
            _query("task_id", "Only deliveries of this task.", _TEXT),
            _query("state", "Only deliveries in this state.", {"enum": list(State)}),
            _query("event", "Only deliveries of this event.", {"enum": list(Event)}),
        ],
    )
    read = _operation(
        "getDelivery",
        "Read a webhook delivery with its attempts",
        complete({**_delivery(), "log": log}, "A delivery, and `log`: its attempts, oldest first."),
        refusals(*KEY, 404, 500, 503),
        parameters=[_ID],
    )
    again = _operation(
        "replayDelivery",
        f"Send a webhook message again: of {' or '.join(FINAL)}",
        ref("Delivery"),
        refusals(*KEY, 404, 409, 500, 503),
        parameters=[_ID],
    )
    many = _operation(
        "replayDeliveries",
        f"Send the webhook messages of a span of time again, up to {REPLAY_LIMIT:,} a call",
        complete(
            {"replayed": _NUMBER, "next_cursor": _CURSOR}, "How many are owed again; the cursor leads to the rest."
        ),
        refusals(400, *KEY, 413, 500, 503),
        requestBody=_body(Replay.model_json_schema()),
    )
    trial = {"webhook_id": _TEXT, "delivered": {"type": "boolean"}, **_attempt()}
    test = _operation(
        "testWebhook",
        "Send a sample message to an endpoint now; one that takes it is enabled again",
        complete(trial, "What the receiver said."),
        refusals(400, *KEY, 413, 500, 503),
        requestBody=_body(Test.model_json_schema()),
    )
    return {
        f"{PREFIX}/deliveries": {"get": listed},
        f"{PREFIX}/deliveries/{{id}}": {"get": read},
        f"{PREFIX}/deliveries/{{id}}/replay": {"post": again},
        f"{PREFIX}/replay": {"post": many},
        f"{PREFIX}/test": {"post": test},
    }
