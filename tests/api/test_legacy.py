"""The older face swap routes, as their clients call them."""

import base64
from typing import Any

import httpx
import pytest

from support.accounts import open_account
from support.answers import accepted, refused
from support.media import PNG, base64_of
from support.orders import CAT, raw
from support.worker import HandWorker
from unitask.app import Services

START = "/api/face_swap/v1/async"
FETCH = "/api/face_swap/v1/fetch"
SWAP = {"target_image": "https://example.com/a.png", "swap_image": "https://example.com/b.png"}
BAD = {
    "no-target": ({"swap_image": SWAP["swap_image"]}, "invalid request: target_image: Field required"),
    "no-swap": ({"target_image": SWAP["target_image"]}, "invalid request: swap_image: Field required"),
    "unknown-result": ({**SWAP, "result_type": "file"}, "invalid request: result_type: Input should be 'url' or"),
    "no-picture": ({**SWAP, "swap_image": base64_of(b"hello, world")}, "failed to get valid image: input.swap_image"),
    "empty": ({**SWAP, "target_image": ""}, "input.target_image"),
    "private": ({**SWAP, "target_image": "http://127.0.0.1/a.png"}, "input.target_image: the address is not allowed"),
    "a-list": ([], "invalid request: the body: Input should be"),
}


async def start(client: httpx.AsyncClient, **more: Any) -> str:
    """Order a swap; gives its id."""
    data = accepted(await client.post(START, json={**SWAP, **more}))
    assert list(data) == ["task_id"]
    return data["task_id"]


async def fetch(client: httpx.AsyncClient, task_id: str, **headers: str) -> dict[str, Any]:
    """Read a swap."""
    return accepted(await client.post(FETCH, json={"task_id": task_id}, headers=headers))


async def make(services: Services) -> None:
    """Let a worker swap the faces: its result is a real file."""
    worker = HandWorker(services)
    (work,) = await worker.claim()
    file = await services.artifacts.store_bytes(PNG, extension="png")
    await services.tasks.add_output(file, task_id=work.task_id, attempt=work.attempt)
    assert await worker.complete(work, {"image_url": file.reference, "image_urls": None, "image_base64": ""})


async def test_a_swap_goes_from_pending_to_success(client: httpx.AsyncClient, services: Services) -> None:
    """In the words of the older routes; the picture is base64 unless another form was asked for."""
    task_id = await start(client)
    waiting = {"task_id": task_id, "status": "pending", "image": "", "error_messages": []}
    assert await fetch(client, task_id) == waiting
    (work,) = await HandWorker(services).claim()
    assert await fetch(client, task_id) == {**waiting, "status": "processing"}
    await HandWorker(services).fail(work, given_back=True, retryable=True)
    await make(services)
    done = await fetch(client, task_id)
    assert (done["status"], done["error_messages"]) == ("success", [])
    assert base64.b64decode(done["image"]) == PNG


@pytest.mark.parametrize("result_type", ["base64", "url"])
async def test_the_result_comes_in_the_form_that_was_asked_for(
    client: httpx.AsyncClient, services: Services, result_type: str
) -> None:
    """The file itself, or an address that needs no key."""
    task_id = await start(client, result_type=result_type)
    await make(services)
    image = (await fetch(client, f" {task_id}\n"))["image"]
    content = base64.b64decode(image) if result_type == "base64" else (await client.get(image)).content
    assert content == PNG


async def test_a_failed_swap_says_why(client: httpx.AsyncClient, services: Services) -> None:
    """In a list of sentences."""
    task_id = await start(client)
    worker = HandWorker(services)
    (work,) = await worker.claim()
    assert await worker.fail(work, "invalid request, no face found in the image")
    assert await fetch(client, task_id) == {
        "task_id": task_id,
        "status": "failed",
        "image": "",
        "error_messages": ["invalid request, no face found in the image"],
    }


async def test_a_swap_is_a_task_like_any_other(client: httpx.AsyncClient, services: Services) -> None:
    """The unified routes know it, and the older ones know a swap that the unified route ordered."""
    task_id = await start(client)
    task = accepted(await client.get(f"/api/v1/task/{task_id}"))
    assert (task["model"], task["task_type"]) == ("Qubico/image-toolkit", "face-swap")
    assert (task["input"]["target_image"], task["input"]["swap_image"]) == tuple(SWAP.values())
    await make(services)
    order = {"model": "Qubico/image-toolkit", "task_type": "face-swap", "input": SWAP}
    unified = accepted(await client.post("/api/v1/task", json=order))["task_id"]
    await make(services)
    assert base64.b64decode((await fetch(client, unified))["image"]) == PNG


async def test_pictures_may_come_as_base64(client: httpx.AsyncClient) -> None:
    """As most of the older clients send them."""
    task_id = await start(client, target_image=base64_of(PNG), swap_image=base64_of(PNG))
    task = accepted(await client.get(f"/api/v1/task/{task_id}"))
    assert (await client.get(task["input"]["target_image"])).content == PNG


async def test_what_is_no_swap_is_not_found(client: httpx.AsyncClient, services: Services) -> None:
    """Neither another task, nor an unknown id, nor somebody else's swap."""
    person = await open_account(services, "stranger", unlimited=True)
    other = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    for task_id in (other, "00000000-0000-0000-0000-000000000000", "", "nonsense", "\0"):
        assert refused(await client.post(FETCH, json={"task_id": task_id}), 404) == "task not found"
    swap = await start(client)
    answer = await client.post(FETCH, json={"task_id": swap}, headers=person.headers)
    assert refused(answer, 404) == "task not found"


@pytest.mark.parametrize("name", BAD)
async def test_a_swap_that_cannot_be_is_refused(client: httpx.AsyncClient, name: str) -> None:
    """400 with the phrases that clients know."""
    body, sentence = BAD[name]
    assert sentence in refused(await client.post(START, json=body), 400)


async def test_a_body_that_cannot_be_read_is_refused(client: httpx.AsyncClient) -> None:
    """400 on both routes."""
    for path in (START, FETCH):
        for body in (b"", b"{", b"null", b'{"task_id": 5}', raw({"task_id": None})):
            assert refused(await client.post(path, content=body), 400).startswith("invalid request: ")


async def test_a_swap_that_costs_too_much_is_refused(client: httpx.AsyncClient, services: Services) -> None:
    """402, as for any task."""
    person = await open_account(services, "poor", points=1)
    answer = await client.post(START, json=SWAP, headers=person.headers)
    assert refused(answer, 402).startswith("insufficient credits")
