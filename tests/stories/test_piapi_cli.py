"""`piapi-cli`, a client that others wrote; its command `run` orders every product in `test_every_product.py`."""

import base64
import json
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from support.decoding import picture
from support.machine import Api
from support.piapi import OFTEN, Cli, said
from support.tester import PNG_HEAD
from unitask.catalogue import Catalogue

CAT: Final = ("Qubico/flux1-schnell", "txt2img", '{"prompt": "a cat", "width": 256, "height": 256}')
NOBODY: Final = "00000000-0000-0000-0000-000000000000"
WAITING: Final = (*OFTEN, "--timeout", "60")


def example(model: str, task_type: str) -> dict[str, Any]:
    """Read the first example of a product."""
    return Catalogue.load().find(model, task_type).examples[0].input


def upload(api: Api, source: str) -> str:
    """Turn a data URI into an address, for a command that takes addresses only."""
    head, _, data = source.partition(";base64,")
    body = {"file_name": f"face.{head.rpartition('/')[2]}", "file_data": data}
    url: str = api.http.post("/api/ephemeral_resource", json=body).json()["url"]
    return url


def test_an_id_can_be_submitted_waited_for_and_read(cli: Cli) -> None:
    """`submit --id-only`, `wait`, `result`: the way of scripts."""
    submitted = cli("submit", *CAT, "--id-only")
    assert (submitted.returncode, submitted.stderr) == (0, "")
    task_id = str(UUID(submitted.stdout.strip()))
    for command in (("wait", task_id, *WAITING), ("result", task_id)):
        task = said(cli(*command))
        assert (task["task_id"], task["status"]) == (task_id, "completed")
        image = picture(httpx.get(task["output"]["image_url"], trust_env=False).content)
        assert image.size == (256, 256)


def test_a_submitted_task_keeps_its_config(cli: Cli) -> None:
    """Service mode and webhook are echoed in the envelope of a pending task."""
    hook = ("--webhook-url", "https://example.com/hook", "--webhook-secret", "s")
    task = said(cli("submit", *CAT, "--public", *hook))
    assert task["status"] == "pending"
    assert task["config"] == {
        "service_mode": "public",
        "webhook_config": {"endpoint": "https://example.com/hook", "secret": "s"},
    }


def test_a_run_that_fails_says_so(cli: Cli) -> None:
    """Status 1 and the reason, for a picture that nobody can decode."""
    broken = base64.b64encode(PNG_HEAD + b"no picture").decode()
    run = cli("run", "Qubico/image-toolkit", "background-remove", json.dumps({"image": broken}), *WAITING)
    assert run.returncode == 1
    task = json.loads(run.stdout)["data"]
    assert task["status"] == "failed"
    assert "failed to get valid image" in task["error"]["message"]


def test_the_short_command_for_flux_draws(cli: Cli) -> None:
    """Of the size that was asked for."""
    task = said(cli("flux", "a cat", "--width", "512", "--height", "512", *WAITING))
    assert task["status"] == "completed"
    assert picture(httpx.get(task["output"]["image_url"], trust_env=False).content).size == (512, 512)


def test_the_short_command_for_face_swaps_swaps(cli: Cli, api: Api) -> None:
    """Two addresses of uploads in, one picture out."""
    inputs = example("Qubico/image-toolkit", "face-swap")
    face, target = upload(api, inputs["swap_image"]), upload(api, inputs["target_image"])
    task = said(cli("faceswap", "--src", face, "--dst", target, *WAITING))
    assert task["status"] == "completed", task["error"]
    assert task["output"]["image_url"]


def test_an_order_can_be_taken_back(cli: Cli, api: Api) -> None:
    """`cancel` ends with status 0."""
    task_id = api.order("slow_steps", seconds=60, steps=600)
    cancelled = said(cli("cancel", task_id))
    assert cancelled["task_id"] == task_id
    assert api.ended(task_id)["error"]["message"] == "the task was cancelled"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("result", NOBODY), "fetch failed [404]"),
        (("cancel", NOBODY), "cancel failed [404]"),
        (("submit", "nope", "x", "{}"), "submit failed [400]"),
        (("imagine", "a cat", "--no-wait"), "submit failed [400]"),
    ],
    ids=["unknown-task", "unknown-task-cancelled", "unknown-model", "model-of-another-platform"],
)
def test_a_mistake_is_a_sentence_and_status_one(cli: Cli, command: tuple[str, ...], words: str) -> None:
    """On the error stream, with the HTTP status that the server gave."""
    run = cli(*command)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith(words)


def test_a_wrong_key_is_a_sentence_and_status_one(cli: Cli) -> None:
    """And nothing is ordered."""
    run = cli("submit", *CAT, key="wrong")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("submit failed [401]")
