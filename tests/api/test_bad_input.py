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


PRODUCT = {
    "model-misspelled": (raw(cat(model="Qubico/flux1-devv")), "did you mean 'Qubico/flux1-dev'?"),
    "model-unknown": (raw(cat(model="test")), "invalid request: no model 'test'"),
    "model-empty": (raw(cat(model="")), "invalid request: no model ''"),
    "model-endless": (raw(cat(model="q" * 201)), "model: "),
    "model-number": (raw(cat(model=7)), "model: "),
    "model-null": (raw(cat(model=None)), "model is required"),
    "model-missing": (without("model"), "model is required"),
    "task-type-misspelled": (raw(cat(task_type="txt2imgs")), "did you mean 'txt2img'?"),
    "task-type-unknown": (raw(cat(task_type="x")), "invalid task type: 'x' of Qubico/flux1-dev"),
    "task-type-list": (raw(cat(task_type=["txt2img"])), "task_type: "),
    "task-type-missing": (without("task_type"), "task_type is required"),
    "input-missing": (without("input"), "input is required"),
    "input-null": (raw(cat(input=None)), "input is required"),
    "input-list": (raw(cat(input=["a little cat"])), "input: "),
    "input-text": (raw(cat(input="a little cat")), "input: "),
}
FIELDS = {
    "missing": (raw(cat(input={})), "input.prompt is required"),
    "null": (asking(prompt=None), "input.prompt is required"),
    "number-for-text": (asking(prompt=5), "input.prompt: Input should be a valid string"),
    "blank": (asking(prompt="  "), "input.prompt: must not be blank"),
    "text-for-number": (asking(width="wide"), "input.width: Input should be a valid integer"),
    "fraction-for-integer": (asking(width=1.5), "input.width: "),
    "too-large": (asking(width=4097), "input.width: Input should be less than or equal to 4096"),
    "too-small": (asking(width=-1), "input.width: Input should be greater than or equal to 0"),
    "too-much-together": (asking(width=2048, height=2048), "input.height: width x height"),
    "beyond-64-bits": (asking(width=10**30), "input.width: "),
    "beyond-all-reason": (asking(denoise=1e300), "input.denoise: "),
    "all-that-is-wrong-at-once": (asking(width=9999, steps=99), "; input.width: "),
    "nested-missing": (
        controlled(control_image="https://example.com/a.png"),
        "input.control_net_settings[0].control_type is required",
    ),
    "nested-too-large": (
        controlled(control_type="depth", control_image="https://example.com/a.png", control_strength=2),
        "input.control_net_settings[0].control_strength: ",
    ),
    "empty-list": (nested(1), "input.control_net_settings: "),
    "lists-in-lists": (nested(DEEPER_THAN_THE_STACK), "input.control_net_settings[0]: "),
}
SHAPE = {
    "empty": (b"", "the body is not JSON"),
    "form": (b"model=Qubico/flux1-dev", "the body is not JSON"),
    "cut-off": (b'{"model": "Qubico/flux1-dev"', "the body is not JSON"),
    "trailing-comma": (b'{"model": "Qubico/flux1-dev", }', "the body is not JSON"),
    "utf-16": (json.dumps(CAT).encode("utf-16"), "the body is not JSON"),
    "no-utf-8": (b'{"model": "\xff\xfe"}', "the body is not JSON"),
    "nan": (b'{"model": NaN}', "the body is not JSON"),
    "endlessly-nested": (b"[" * DEEPER_THAN_ANY_PARSER, "the body is not JSON"),
    "list": (b"[]", "the body must be a JSON object with model, task_type and input"),
    "text": (b'"a little cat"', "the body must be a JSON object"),
    "null": (b"null", "the body must be a JSON object"),
    "number": (b"7", "the body must be a JSON object"),
    "empty-object": (b"{}", "model is required"),
    "nul": (asking(prompt="a \0 cat"), "NUL"),
    "nul-after-a-backslash": (asking(prompt="a \\\0 cat"), "NUL"),
    "bare-nul": (raw(cat()).replace(b"little", b"\0"), "the body is not JSON"),
}
CONFIG = {
    "text": (raw(cat(config="public")), "config: "),
    "service-mode-number": (raw(cat(config={"service_mode": 1})), "config.service_mode: "),
    "webhook-text": (raw(cat(config={"webhook_config": "x"})), "config.webhook_config: "),
    "endpoint-endless": (
        raw(cat(config={"webhook_config": {"endpoint": "http://a.example/" + "a" * 2048}})),
        "config.webhook_config.endpoint: ",
    ),
}


@pytest.mark.parametrize("cases", [PRODUCT, FIELDS, SHAPE, CONFIG], ids=["product", "fields", "shape", "config"])
async def test_a_bad_order_is_told_what_to_change_and_leaves_nothing(
    client: httpx.AsyncClient, services: Services, subtests: pytest.Subtests, cases: dict[str, tuple[bytes, str]]
) -> None:
    """400 with a sentence, the task object that clients look into, and no row, point or file."""
    before = await traces(services)
    for name, (body, sentence) in cases.items():
        with subtests.test(name):
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
