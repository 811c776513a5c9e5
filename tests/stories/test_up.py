"""What a client of `unitask up` meets: a real server with a real worker and real engine processes."""

import base64
import hashlib
import json
from typing import Any

import httpx

from support.machine import API_KEY, Api, Machine
from support.tester import PNG_HEAD, PRICE_POINTS
from support.wait import until

FREE = {"type": "point", "frozen": 0, "consume": 0}


def test_the_documented_first_request_works(api: Api) -> None:
    """The two calls of the hosted service's quickstart, as its example sends them."""
    url = f"{api.http.base_url}/api/v1/task"
    headers = {"X-API-Key": API_KEY, "Content-Type": "application/json"}
    payload = json.dumps(
        {"model": "Qubico/flux1-dev", "task_type": "txt2img", "input": {"prompt": "a little cat", "width": 512}}
    )
    answer = httpx.request("POST", url, headers=headers, content=payload, trust_env=False)
    assert answer.status_code == 200
    task_id = answer.json()["data"]["task_id"]

    def finished() -> dict[str, Any] | None:
        body = httpx.request("GET", f"{url}/{task_id}", headers=headers, content=json.dumps({}), trust_env=False).json()
        return body["data"] if body["data"]["status"] in {"completed", "failed"} else None

    task = until(finished, within_s=30)
    assert task["status"] == "completed"
    assert task["meta"]["engine_level"] == "preview"
    picture = httpx.get(task["output"]["image_url"], trust_env=False)
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(PNG_HEAD)


def test_progress_is_visible_while_a_task_runs(api: Api) -> None:
    """A client sees how far it is, more than once."""
    task_id = api.order("slow_steps", seconds=3, steps=30)
    seen: set[float] = set()

    def completed() -> bool:
        task = api.task(task_id)
        if task["status"] == "processing":
            seen.add(task["meta"]["progress"])
        return task["status"] == "completed"

    until(completed, within_s=20, what="the end")
    assert len([fraction for fraction in seen if 0 < fraction < 1]) >= 2


def test_a_running_task_can_be_cancelled(api: Api) -> None:
    """Within a heartbeat and a step of its engine, and nothing is charged."""
    task_id = api.order("slow_steps", seconds=60, steps=600)
    api.reaches(task_id, "processing", within_s=10)
    assert api.http.delete(f"/api/v1/task/{task_id}").status_code == 200
    task = api.ended(task_id, within_s=3)
    assert (task["status"], task["error"]["message"]) == ("failed", "the task was cancelled")
    assert task["meta"]["usage"] == FREE


def test_a_task_whose_engine_does_not_listen_can_be_cancelled_too(api: Api) -> None:
    """Its process is ended after a short grace, and its slot is free for the next task."""
    task_id = api.order("hang_in_c")
    api.reaches(task_id, "processing", within_s=10)
    api.http.delete(f"/api/v1/task/{task_id}")
    assert api.ended(task_id, within_s=6)["error"]["message"] == "the task was cancelled"
    assert api.said(api.order("ok"))


def test_two_slots_run_two_tasks_at_the_same_time(api: Api) -> None:
    """Each in a process of its own; a third one waits for its turn."""
    tasks = [api.order("slow_steps", seconds=2, steps=20) for _ in range(3)]

    def statuses() -> list[str]:
        return [api.task(task_id)["status"] for task_id in tasks]

    until(lambda: statuses() == ["processing", "processing", "pending"], within_s=10, what="two at the same time")
    first, second, third = (api.said(task_id)["pid"] for task_id in tasks)
    assert first != second
    assert third in {first, second}


def test_a_large_file_comes_through_whole(api: Api) -> None:
    """Fifty megabytes go from an engine to the store and from there to the client."""
    task = api.ended(api.order("save_file", size_bytes=50 * 2**20))
    assert task["status"] == "completed", task["error"]
    digest = hashlib.sha256()
    with api.http.stream("GET", task["output"]["image_url"]) as answer:
        assert answer.headers["content-length"] == str(50 * 2**20)
        for chunk in answer.iter_bytes():
            digest.update(chunk)
    assert digest.hexdigest() == task["output"]["said"]["sha256"]


def test_our_own_files_are_read_though_the_guard_forbids_loopback(api: Api) -> None:
    """A picture inside the body, and one task's output as the input of the next; any other local address is refused."""
    picture = PNG_HEAD + b"a little picture"
    inline = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    assert api.said(api.order("fetch", image=inline))["sha256"] == hashlib.sha256(picture).hexdigest()
    made = api.ended(api.order("save_file", size_bytes=5000))["output"]
    assert api.said(api.order("fetch", image=made["image_url"]))["sha256"] == made["said"]["sha256"]
    refused = api.try_order("fetch", image=f"{api.http.base_url}/healthz")
    assert refused.status_code == 400
    assert refused.json()["message"] == "invalid request: input.image: the address is not allowed"


def test_a_crash_costs_one_attempt(api: Api, shared: Machine) -> None:
    """The next attempt gets a fresh process and completes; the task's log says what happened."""
    task_id = api.order("crash_once", marker=str(shared.folder / "crashed"))
    said = api.said(task_id)
    assert said["pid"] != said["crashed"]
    task = api.task(task_id)
    assert task["logs"] == ["attempt 1: engine tester: signal 6"]
    assert task["meta"]["usage"]["consume"] == PRICE_POINTS


def test_a_task_that_always_crashes_is_given_up(api: Api) -> None:
    """After its last attempt it fails, costs nothing, and the server goes on."""
    task = api.ended(api.order("crash"))
    assert task["status"] == "failed"
    assert task["error"]["message"] == "the engine's process ended unexpectedly (signal 6)"
    assert len(task["logs"]) == 3
    assert task["meta"]["usage"] == FREE
    assert api.said(api.order("ok"))


def test_a_task_that_takes_too_long_is_ended(api: Api) -> None:
    """The product's limit of one second is kept."""
    task = api.ended(api.order("hang", task_type="brief"), within_s=6)
    assert task["error"]["message"] == "the engine did not finish within 1 s"


def test_a_product_without_its_engine_is_refused_with_what_to_install(api: Api) -> None:
    """Nothing is accepted that cannot be made."""
    answer = api.try_order("ok", task_type="needy")
    assert answer.status_code == 503
    assert "needy: install the package needy-weights" in answer.json()["message"]
