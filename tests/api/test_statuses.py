"""The whole answer in each of the five statuses: every value, and every key in its place."""

import json
from typing import Any, Final

import httpx
import pytest

from support.accounts import Person, open_account
from support.answers import accepted
from support.clock import ManualClock
from support.keys import WORKER_TOKEN
from support.orders import CAT, CAT_POINTS
from unitask.app import Services
from unitask.kit.ids import drawn_seed

ORDERED_AT: Final = "2027-01-15T08:00:00Z"
STARTED_AT: Final = "2027-01-15T08:00:05Z"
ENDED_AT: Final = "2027-01-15T08:00:09Z"
NEVER: Final = "0001-01-01T00:00:00Z"
BEFORE_START_S: Final = 5
WORKING_S: Final = 4
MADE_BY: Final = {"engine": "preview", "engine_level": "preview"}
WORKER: Final = {"worker_id": "w", "engines": ["preview"]}
TOKEN: Final = {"Authorization": f"Bearer {WORKER_TOKEN}", "X-API-Key": ""}
NO_ERROR: Final = {"code": 0, "raw_message": "", "message": "", "detail": None}
WAITING: Final[dict[str, Any]] = {
    "created_at": ORDERED_AT,
    "started_at": NEVER,
    "ended_at": NEVER,
    "usage": {"type": "point", "frozen": CAT_POINTS, "consume": 0},
    "is_using_private_pool": False,
    "engine": None,
    "engine_level": None,
    "cost_points": None,
    "drawn_seed": 0,
    "queue_position": None,
    "eta_s": 20.0,
    "progress": 0.0,
    "preview_url": None,
    "expires_at": None,
    "warnings": [],
}


def answer_of(task_id: str, status: str, meta: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Write the answer about CAT in the documented order; `changes` are of the parts that come after `meta`."""
    task = {
        "task_id": task_id,
        "model": "Qubico/flux1-dev",
        "task_type": "txt2img",
        "status": status,
        "config": {"service_mode": "", "webhook_config": {"endpoint": "", "secret": ""}},
        "input": {
            "batch_size": 1,
            "denoise": 0.7,
            "height": 1024,
            "negative_prompt": "",
            "prompt": "a little cat",
            "seed": -1,
            "steps": 0,
            "width": 1024,
        },
        "output": None,
        "meta": WAITING | {"drawn_seed": drawn_seed(task_id)} | meta,
        "detail": None,
        "logs": [],
        "error": NO_ERROR,
    }
    assert changes.keys() <= task.keys()
    return {"code": 200, "data": task | changes, "message": "success"}


def exactly(answer: httpx.Response, expected: dict[str, Any]) -> None:
    """Compare first the values and then their order, which equal dictionaries need not share."""
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == expected
    assert json.dumps(answer.json()) == json.dumps(expected)


async def say(client: httpx.AsyncClient, what: str, **message: Any) -> dict[str, Any]:
    """Send a message through the worker's door."""
    answer = await client.post(f"/worker/v1/{what}", json=message, headers=TOKEN)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


@pytest.fixture
async def person(services: Services) -> Person:
    """Open an account that may run one task at a time."""
    return await open_account(services, "one at a time", points=10 * CAT_POINTS, task_limit=1)


@pytest.fixture
async def task_id(client: httpx.AsyncClient, person: Person) -> str:
    """Order a task."""
    found: str = accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))["task_id"]
    return found


@pytest.fixture
async def attempt(client: httpx.AsyncClient, clock: ManualClock, task_id: str) -> dict[str, Any]:
    """Let a worker claim the task and come to a quarter of it."""
    clock.pass_s(BEFORE_START_S)
    await say(client, "beat", **WORKER, name="a worker")
    (claimed,) = (await say(client, "claim", **WORKER, most=1, wait_s=0))["tasks"]
    clock.pass_s(WORKING_S)
    attempt = {"task_id": task_id, "attempt": claimed["attempt"]}
    await say(client, "beat", **WORKER, name="a worker", progress=[{**attempt, "progress": 0.25}])
    return attempt


async def test_a_pending_task_has_a_place_and_a_frozen_price(
    client: httpx.AsyncClient, person: Person, task_id: str
) -> None:
    """It is the first of the queue, and nothing of it has happened yet."""
    answer = await client.get(f"/api/v1/task/{task_id}", headers=person.headers)
    exactly(answer, answer_of(task_id, "pending", {"queue_position": 0}))


@pytest.mark.usefixtures("task_id")
async def test_a_staged_task_has_no_place_and_a_frozen_price(client: httpx.AsyncClient, person: Person) -> None:
    """A task beyond the account's limit is in no queue yet, and its price is frozen all the same."""
    created = await client.post("/api/v1/task", json=CAT, headers=person.headers)
    task_id = accepted(created)["task_id"]
    exactly(created, answer_of(task_id, "staged", {}))
    answer = await client.get(f"/api/v1/task/{task_id}", headers=person.headers)
    exactly(answer, answer_of(task_id, "staged", {}))


@pytest.mark.usefixtures("attempt")
async def test_a_processing_task_has_a_start_and_a_progress(
    client: httpx.AsyncClient, person: Person, task_id: str
) -> None:
    """It has an engine too, and a progress from which its end is guessed; its level comes with the result."""
    meta = {"started_at": STARTED_AT, "engine": "preview", "progress": 0.25, "eta_s": 3.0 * WORKING_S}
    answer = await client.get(f"/api/v1/task/{task_id}", headers=person.headers)
    exactly(answer, answer_of(task_id, "processing", meta))


async def test_a_completed_task_has_an_output_and_a_charge(
    client: httpx.AsyncClient, person: Person, task_id: str, attempt: dict[str, Any]
) -> None:
    """Now there is an output, and what was frozen is charged."""
    output = {"image_url": "unitask-artifact:2027/01/15/made.png", "image_urls": None, "image_base64": ""}
    assert await say(client, "settle", **attempt, output=output, warnings=["by hand"], logs=["line one"]) == {
        "accepted": True
    }
    meta = {
        "started_at": STARTED_AT,
        "ended_at": ENDED_AT,
        "usage": {"type": "point", "frozen": 0, "consume": CAT_POINTS},
        **MADE_BY,
        "eta_s": None,
        "progress": 1.0,
        "warnings": ["by hand"],
    }
    shown = {**output, "image_url": "http://unitask.test/files/2027/01/15/made.png"}
    answer = await client.get(f"/api/v1/task/{task_id}", headers=person.headers)
    exactly(answer, answer_of(task_id, "completed", meta, output=shown, logs=["line one"]))


async def test_a_failed_task_has_a_reason_and_no_charge(
    client: httpx.AsyncClient, person: Person, task_id: str, attempt: dict[str, Any]
) -> None:
    """No output, no charge, and the reason both in the error and in the log."""
    failure = {"message": "failed to get valid image: it answers 404", "raw_message": "status 404", "number": 10000}
    assert await say(client, "settle", **attempt, failure=failure, warnings=["by hand"], logs=["line one"]) == {
        "accepted": True
    }
    meta = {
        "started_at": STARTED_AT,
        "ended_at": ENDED_AT,
        "usage": {"type": "point", "frozen": 0, "consume": 0},
        **MADE_BY,
        "eta_s": None,
        "warnings": ["by hand"],
    }
    error = {"code": 10000, "raw_message": "status 404", "message": failure["message"], "detail": None}
    logs = ["line one", "attempt 1: status 404"]
    answer = await client.get(f"/api/v1/task/{task_id}", headers=person.headers)
    exactly(answer, answer_of(task_id, "failed", meta, logs=logs, error=error))
