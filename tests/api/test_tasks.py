"""The two calls on the wire."""

import httpx

from support.orders import CAT, CAT_POINTS, cat
from support.worker import HandWorker
from unitask.app import Services
from unitask.kit.ids import drawn_seed

ZERO = "0001-01-01T00:00:00Z"


async def test_create_answers_the_whole_task_in_the_documented_order(client: httpx.AsyncClient) -> None:
    """The envelope of a fresh task, key by key."""
    answer = await client.post("/api/v1/task", json=CAT)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    task_id = body["data"]["task_id"]
    assert list(body) == ["code", "data", "message"]
    assert body == {
        "code": 200,
        "data": {
            "task_id": task_id,
            "model": "Qubico/flux1-dev",
            "task_type": "txt2img",
            "status": "pending",
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
            "meta": {
                "created_at": "2027-01-15T08:00:00Z",
                "started_at": ZERO,
                "ended_at": ZERO,
                "usage": {"type": "point", "frozen": CAT_POINTS, "consume": 0},
                "is_using_private_pool": False,
                "engine": None,
                "engine_level": None,
                "cost_points": None,
                "drawn_seed": drawn_seed(task_id),
                "queue_position": None,
                "eta_s": 20.0,
                "progress": 0.0,
                "preview_url": None,
                "expires_at": None,
                "warnings": [],
            },
            "detail": None,
            "logs": [],
            "error": {"code": 0, "raw_message": "", "message": "", "detail": None},
        },
        "message": "success",
    }
    assert list(body["data"]) == [
        "task_id",
        "model",
        "task_type",
        "status",
        "config",
        "input",
        "output",
        "meta",
        "detail",
        "logs",
        "error",
    ]


async def test_get_shows_a_completed_task_with_its_output_and_charge(
    client: httpx.AsyncClient, services: Services
) -> None:
    """After the worker settled, the same task carries output, times, usage and engine."""
    task_id = (await client.post("/api/v1/task", json=CAT)).json()["data"]["task_id"]
    worker = HandWorker(services)
    (work,) = await worker.claim()
    during = (await client.get(f"/api/v1/task/{task_id}")).json()["data"]
    assert (during["status"], during["meta"]["ended_at"]) == ("processing", ZERO)
    assert await worker.complete(work, warnings=["made by hand"])
    data = (await client.get(f"/api/v1/task/{task_id}")).json()["data"]
    assert data["status"] == "completed"
    assert data["output"]["image_url"] == "http://unitask.test/files/2026/11/21/made.png"
    assert data["meta"]["usage"] == {"type": "point", "frozen": 0, "consume": CAT_POINTS}
    assert data["meta"]["engine"] == "preview"
    assert data["meta"]["engine_level"] == "preview"
    assert data["meta"]["warnings"] == ["made by hand"]
    assert data["meta"]["ended_at"] != ZERO


async def test_a_failed_task_costs_nothing_and_says_why(client: httpx.AsyncClient, services: Services) -> None:
    """The held points go back and the reason is where clients look."""
    task_id = (await client.post("/api/v1/task", json=CAT)).json()["data"]["task_id"]
    worker = HandWorker(services)
    (work,) = await worker.claim()
    await worker.fail(work, "failed to get valid image: the address answered 404")
    data = (await client.get(f"/api/v1/task/{task_id}")).json()["data"]
    assert data["status"] == "failed"
    assert data["output"] is None
    assert data["error"]["code"] == 10000
    assert data["error"]["message"] == "failed to get valid image: the address answered 404"
    assert data["meta"]["usage"] == {"type": "point", "frozen": 0, "consume": 0}


async def test_an_unknown_input_key_is_ignored_and_reported(client: httpx.AsyncClient) -> None:
    """Clients send extra keys; they must not fail, and must be told."""
    body = cat(input={"prompt": "a little cat", "aspect_ratio": "1:1"})
    data = (await client.post("/api/v1/task", json=body)).json()["data"]
    assert "aspect_ratio" not in data["input"]
    assert "aspect_ratio" in data["meta"]["warnings"][0]
