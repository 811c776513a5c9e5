"""What the clients in the field send and read, and what the server must therefore bear and give."""

import httpx
import pytest

from support.answers import accepted, refused
from support.media import PNG, base64_of
from support.orders import CAT, cat, cutout, raw
from support.worker import HandWorker
from unitask.app import Services

EMPTY = {"service_mode": "", "webhook_config": {"endpoint": "", "secret": ""}}
HOOK = {"endpoint": "https://example.com/hook", "secret": "s3cret"}
ADVANCED = "Qubico/flux1-dev-advanced"
LARGEST_BYTES = 10 * 2**20


CONFIGS = {
    "empty": ({}, EMPTY),
    "null": (None, EMPTY),
    "webhook-empty": ({"webhook_config": {}}, EMPTY),
    "webhook-empty-texts": ({"webhook_config": {"endpoint": "", "secret": ""}}, EMPTY),
    "nulls": ({"service_mode": None, "webhook_config": None}, EMPTY),
    "webhook-nulls": ({"webhook_config": {"endpoint": None, "secret": None}}, EMPTY),
    "public": ({"service_mode": "public"}, {**EMPTY, "service_mode": "public"}),
    "private": ({"service_mode": "private"}, {**EMPTY, "service_mode": "private"}),
    "webhook": ({"webhook_config": HOOK}, {**EMPTY, "webhook_config": HOOK}),
    "more": ({"webhook_config": {**HOOK, "retries": 3}, "x": 1}, {**EMPTY, "webhook_config": HOOK}),
}
UNUSED = {
    "style-where-none-is-taken": ("txt2img", {"lora_settings": [{"lora_type": "anime"}]}),
    "empty-and-null": ("txt2img", {"negative_prompt": "", "guidance_scale": None}),
    "unknown-objects": ("txt2img", {"batch_size": 1, "image": "", "webp": {"a": [1]}}),
    "zeros-for-defaults": ("txt2img", {"width": 0, "height": 0, "steps": 0}),
    "no-style-where-one-is-taken": (
        "controlnet-lora",
        {
            "batch_size": 1,
            "lora_settings": [],
            "control_net_settings": [{"control_type": "depth", "control_image": "https://example.com/a.png"}],
        },
    ),
}


async def test_config_is_optional_in_every_part_and_comes_back_filled(
    client: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    """Clients send it empty, half empty, with nulls or not at all; the echo always has all keys."""
    for name, (sent, shown) in CONFIGS.items():
        with subtests.test(name):
            assert accepted(await client.post("/api/v1/task", json=cat(config=sent)))["config"] == shown


async def test_config_may_be_left_out(client: httpx.AsyncClient) -> None:
    """The documented first request has none."""
    assert accepted(await client.post("/api/v1/task", json=CAT))["config"] == EMPTY


async def test_a_model_is_found_in_any_letter_case(client: httpx.AsyncClient) -> None:
    """And comes back as it is spelled in the catalogue."""
    for model in ("qubico/flux1-dev", "QUBICO/FLUX1-DEV", " Qubico/Flux1-Dev "):
        assert accepted(await client.post("/api/v1/task", json=cat(model=model)))["model"] == "Qubico/flux1-dev"


async def test_inputs_that_are_not_used_are_no_mistake(client: httpx.AsyncClient, subtests: pytest.Subtests) -> None:
    """Generic clients send one form for all task types."""
    for name, (task_type, inputs) in UNUSED.items():
        with subtests.test(name):
            order = {"model": ADVANCED, "task_type": task_type, "input": {"prompt": "a hero", **inputs}}
            assert accepted(await client.post("/api/v1/task", json=order))["status"] == "pending"


async def test_a_body_is_json_whatever_its_header_says(client: httpx.AsyncClient) -> None:
    """Half of the clients forget the header."""
    for content_type in ("application/json", "text/plain", "application/x-www-form-urlencoded", ""):
        accepted(await client.post("/api/v1/task", content=raw(CAT), headers={"Content-Type": content_type}))


async def test_get_may_carry_a_content_type_and_a_body(client: httpx.AsyncClient) -> None:
    """The documented samples do; both are ignored."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    headers = {"Content-Type": "application/json"}
    for body in (b"", b"{}", b"not even JSON"):
        answer = await client.request("GET", f"/api/v1/task/{task_id}", content=body, headers=headers)
        assert accepted(answer)["task_id"] == task_id


async def test_a_slash_at_the_end_changes_nothing(client: httpx.AsyncClient, subtests: pytest.Subtests) -> None:
    """Nobody is sent on: many clients lose the body of an order, or its key, on the way."""
    task_id = accepted(await client.post("/api/v1/task/", json=CAT))["task_id"]
    for method, path, status in (
        ("GET", "/api/v1/task/", 200),
        ("GET", f"/api/v1/task/{task_id}/", 200),
        ("POST", f"/api/v1/task/{task_id}/cancel/", 200),
        ("GET", f"/api/v1/task/{task_id}/events/", 200),
        ("DELETE", f"/api/v1/task/{task_id}/", 409),
        ("DELETE", "/api/v1/tasks/?created_before=1", 200),
        ("GET", "/account/info/", 200),
        ("GET", "/account/active_tasks/", 200),
        ("GET", "/api/open/tasks/histories/?page=1", 200),
        ("GET", "/api/v1/catalogue/", 200),
        ("POST", "/api/ephemeral_resource/", 400),
        ("POST", "/api/face_swap/v1/async/", 400),
        ("POST", "/api/face_swap/v1/fetch/", 400),
        ("GET", "/healthz/", 200),
    ):
        with subtests.test(f"{method} {path}"):
            assert (await client.request(method, path)).status_code == status


async def test_a_slash_too_many_leads_nowhere(client: httpx.AsyncClient) -> None:
    """It is an address that does not exist, and no crash."""
    for path in ("//api/v1/task", "/api//v1/task"):
        for method in ("GET", "POST", "DELETE"):
            refused(await client.request(method, f"http://unitask.test{path}"), 404)


async def test_a_key_checker_is_not_told_that_its_key_is_bad(client: httpx.AsyncClient) -> None:
    """Some read a task without an id, some order the model `test`: with a good key neither is 401, 403 or a crash."""
    assert (await client.get("/api/v1/task")).status_code < 500
    assert (await client.get("/api/v1/task")).status_code not in {401, 403}
    assert refused(await client.post("/api/v1/task", json={"model": "test", "task_type": "x", "input": {}}), 400)


async def test_a_task_of_any_status_has_what_clients_read(client: httpx.AsyncClient, services: Services) -> None:
    """Statuses in lower case, numbers that are numbers, texts that are texts, an output from completion on."""
    worker = HandWorker(services)
    seen = {}
    made = accepted(await client.post("/api/v1/task", json=CAT))
    seen["pending"] = made
    (work,) = await worker.claim()
    seen["processing"] = accepted(await client.get(f"/api/v1/task/{made['task_id']}"))
    assert await worker.complete(work)
    seen["completed"] = accepted(await client.get(f"/api/v1/task/{made['task_id']}"))
    lost = accepted(await client.post("/api/v1/task", json=CAT))
    seen["failed"] = accepted(await client.delete(f"/api/v1/task/{lost['task_id']}"))
    for status, task in seen.items():
        assert task["status"] == status
        assert list(task) == list(made)
        assert isinstance(task["task_id"], str)
        assert task["meta"]["usage"]["type"] == "point"
        assert type(task["meta"]["usage"]["frozen"]) is type(task["meta"]["usage"]["consume"]) is int
        assert task["meta"]["is_using_private_pool"] is False
        assert isinstance(task["logs"], list)
        assert (task["output"] is not None) == (status == "completed")
        assert (task["error"]["code"] != 0) == bool(task["error"]["message"]) == (status == "failed")
    output = seen["completed"]["output"]
    assert isinstance(output["image_url"], str)
    assert output["image_urls"] is None or isinstance(output["image_urls"], list)


async def test_a_picture_of_the_largest_size_fits_into_a_body(client: httpx.AsyncClient) -> None:
    """Clients of visual tools send base64 only: bodies of many megabytes are normal."""
    content = PNG.ljust(LARGEST_BYTES, b"\0")
    data = accepted(await client.post("/api/v1/task", json=cutout(base64_of(content))))
    answer = await client.get(data["input"]["image"])
    assert len(answer.content) == LARGEST_BYTES
    assert answer.content == content


async def test_a_prompt_comes_back_letter_by_letter(client: httpx.AsyncClient) -> None:
    """Whatever the script, and whatever looks like code to somebody."""
    prompt = "قطة 猫 🐈 \"'\\ </script> %s {0} ${a} -- \u2028 \x7f \t\r\n ' or 1=1"
    data = accepted(await client.post("/api/v1/task", json=cat(input={"prompt": prompt})))
    assert data["input"]["prompt"] == prompt
    assert accepted(await client.get(f"/api/v1/task/{data['task_id']}"))["input"]["prompt"] == prompt


async def test_a_prompt_that_looks_like_a_reference_stays_a_prompt(client: httpx.AsyncClient) -> None:
    """Only references to stored files become addresses."""
    prompt = 'unitask-artifact:a "unitask-artifact:b" c'
    data = accepted(await client.post("/api/v1/task", json=cat(input={"prompt": prompt})))
    assert data["input"]["prompt"] == prompt
