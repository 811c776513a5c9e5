"""Orders that cannot be understood: each is told what to change, and leaves nothing behind."""

import json
from typing import Any

import httpx
import pytest

from support.answers import refused
from support.orders import CAT, cat, raw
from support.traces import traces
from unitask.app import Services

ADVANCED = "Qubico/flux1-dev-advanced"
DEEPER_THAN_ANY_PARSER = 100_000
DEEPER_THAN_THE_STACK = 1_000


def without(field: str) -> bytes:
    """Leave a field out of the documented order."""
    return raw({name: value for name, value in CAT.items() if name != field})


def asking(**inputs: Any) -> bytes:
    """Put other inputs beside the prompt of the documented order."""
    return raw(cat(input={"prompt": "a little cat", **inputs}))


def controlled(**control: Any) -> bytes:
    """Order with an object inside a list of the input."""
    inputs = {"prompt": "a hero", "control_net_settings": [control]}
    return raw({"model": ADVANCED, "task_type": "controlnet-lora", "input": inputs})


def nested(depth: int) -> bytes:
    """Order with lists in lists where a list of objects belongs."""
    deep = b"[" * depth + b"]" * depth
    return controlled().replace(b"[{}]", deep)


PRODUCT = [
    pytest.param(raw(cat(model="Qubico/flux1-devv")), "did you mean 'Qubico/flux1-dev'?", id="model-misspelled"),
    pytest.param(raw(cat(model="test")), "invalid request: no model 'test'", id="model-unknown"),
    pytest.param(raw(cat(model="")), "invalid request: no model ''", id="model-empty"),
    pytest.param(raw(cat(model="q" * 201)), "model: ", id="model-endless"),
    pytest.param(raw(cat(model=7)), "model: ", id="model-number"),
    pytest.param(raw(cat(model=None)), "model is required", id="model-null"),
    pytest.param(without("model"), "model is required", id="model-missing"),
    pytest.param(raw(cat(task_type="txt2imgs")), "did you mean 'txt2img'?", id="task-type-misspelled"),
    pytest.param(raw(cat(task_type="x")), "invalid task type: 'x' of Qubico/flux1-dev", id="task-type-unknown"),
    pytest.param(raw(cat(task_type=["txt2img"])), "task_type: ", id="task-type-list"),
    pytest.param(without("task_type"), "task_type is required", id="task-type-missing"),
    pytest.param(without("input"), "input is required", id="input-missing"),
    pytest.param(raw(cat(input=None)), "input is required", id="input-null"),
    pytest.param(raw(cat(input=["a little cat"])), "input: ", id="input-list"),
    pytest.param(raw(cat(input="a little cat")), "input: ", id="input-text"),
]
FIELDS = [
    pytest.param(raw(cat(input={})), "input.prompt is required", id="missing"),
    pytest.param(asking(prompt=None), "input.prompt is required", id="null"),
    pytest.param(asking(prompt=5), "input.prompt: Input should be a valid string", id="number-for-text"),
    pytest.param(asking(prompt="  "), "input.prompt: must not be blank", id="blank"),
    pytest.param(asking(width="wide"), "input.width: Input should be a valid integer", id="text-for-number"),
    pytest.param(asking(width=1.5), "input.width: ", id="fraction-for-integer"),
    pytest.param(asking(width=4097), "input.width: Input should be less than or equal to 4096", id="too-large"),
    pytest.param(asking(width=-1), "input.width: Input should be greater than or equal to 0", id="too-small"),
    pytest.param(asking(width=2048, height=2048), "input.height: width x height", id="too-much-together"),
    pytest.param(asking(width=10**30), "input.width: ", id="beyond-64-bits"),
    pytest.param(asking(denoise=1e300), "input.denoise: ", id="beyond-all-reason"),
    pytest.param(asking(width=9999, steps=99), "; input.width: ", id="all-that-is-wrong-at-once"),
    pytest.param(
        controlled(control_image="https://example.com/a.png"),
        "input.control_net_settings[0].control_type is required",
        id="nested-missing",
    ),
    pytest.param(
        controlled(control_type="depth", control_image="https://example.com/a.png", control_strength=2),
        "input.control_net_settings[0].control_strength: ",
        id="nested-too-large",
    ),
    pytest.param(nested(1), "input.control_net_settings: ", id="empty-list"),
    pytest.param(nested(DEEPER_THAN_THE_STACK), "input.control_net_settings[0]: ", id="lists-in-lists"),
]
SHAPE = [
    pytest.param(b"", "the body is not JSON", id="empty"),
    pytest.param(b"model=Qubico/flux1-dev", "the body is not JSON", id="form"),
    pytest.param(b'{"model": "Qubico/flux1-dev"', "the body is not JSON", id="cut-off"),
    pytest.param(b'{"model": "Qubico/flux1-dev", }', "the body is not JSON", id="trailing-comma"),
    pytest.param(json.dumps(CAT).encode("utf-16"), "the body is not JSON", id="utf-16"),
    pytest.param(b'{"model": "\xff\xfe"}', "the body is not JSON", id="no-utf-8"),
    pytest.param(b'{"model": NaN}', "the body is not JSON", id="nan"),
    pytest.param(b"[" * DEEPER_THAN_ANY_PARSER, "the body is not JSON", id="endlessly-nested"),
    pytest.param(b"[]", "the body must be a JSON object with model, task_type and input", id="list"),
    pytest.param(b'"a little cat"', "the body must be a JSON object", id="text"),
    pytest.param(b"null", "the body must be a JSON object", id="null"),
    pytest.param(b"7", "the body must be a JSON object", id="number"),
    pytest.param(b"{}", "model is required", id="empty-object"),
    pytest.param(asking(prompt="a \0 cat"), "NUL", id="nul"),
    pytest.param(asking(prompt="a \\\0 cat"), "NUL", id="nul-after-a-backslash"),
    pytest.param(raw(cat()).replace(b"little", b"\0"), "the body is not JSON", id="bare-nul"),
]
CONFIG = [
    pytest.param(raw(cat(config="public")), "config: ", id="text"),
    pytest.param(raw(cat(config={"service_mode": 1})), "config.service_mode: ", id="service-mode-number"),
    pytest.param(raw(cat(config={"webhook_config": "x"})), "config.webhook_config: ", id="webhook-text"),
    pytest.param(
        raw(cat(config={"webhook_config": {"endpoint": "http://a.example/" + "a" * 2048}})),
        "config.webhook_config.endpoint: ",
        id="endpoint-endless",
    ),
]


@pytest.mark.parametrize(("body", "sentence"), [*PRODUCT, *FIELDS, *SHAPE, *CONFIG])
async def test_a_bad_order_is_told_what_to_change_and_leaves_nothing(
    client: httpx.AsyncClient, services: Services, body: bytes, sentence: str
) -> None:
    """400 with a sentence, the task object that clients look into, and no row, point or file."""
    before = await traces(services)
    answer = await client.post("/api/v1/task", content=body)
    message = refused(answer, 400)
    assert message.startswith(("invalid request: ", "invalid task type: "))
    assert sentence in message
    assert answer.json()["data"] == {
        "task_id": "",
        "status": "failed",
        "error": {"code": 400, "raw_message": message, "message": message, "detail": None},
    }
    assert await traces(services) == before


async def test_a_text_that_only_looks_like_an_escaped_nul_is_accepted(client: httpx.AsyncClient) -> None:
    """A prompt may talk about the escape of NUL: a backslash and five letters are no NUL character."""
    answer = await client.post("/api/v1/task", content=asking(prompt="what is \\u0000?"))
    assert answer.json()["data"]["input"]["prompt"] == "what is \\u0000?"


async def test_a_sentence_stays_short_however_long_the_mistake(client: httpx.AsyncClient) -> None:
    """What the client sent does not come back at full length."""
    answer = await client.post("/api/v1/task", content=raw(cat(task_type="x" * 200)))
    assert len(refused(answer, 400)) < 300
