"""A receiver of messages, as clients have written them for the hosted service, and a server of ours as it comes."""

import hashlib
import hmac
import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from support.machine import Machine
from support.sink import Received, Sink, receiving, says
from support.wait import until

CAT = ("Qubico/flux1-schnell", "txt2img", '{"prompt": "a cat", "width": 256, "height": 256}')
LIMIT_S = 60


@pytest.fixture
def machine(machine: Machine) -> Machine:
    """Let webhooks reach loopback."""
    machine.settings["ALLOW_PRIVATE_NETWORKS"] = "1"
    return machine


def submit(address: str, key: str, *hook: str) -> str:
    """Order a picture with `piapi-cli`, unmodified; gives the task's id."""
    ours = {"PIAPI_API_BASE": address, "PIAPI_API_KEY": key, "NO_PROXY": "*"}
    run = subprocess.run(
        [Path(sys.executable).with_name("piapi-cli"), "submit", *CAT, "--public", *hook],
        env={**os.environ, **ours},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    task_id: str = json.loads(run.stdout)["data"]["task_id"]
    return task_id


def first(sink: Sink) -> Received:
    """Wait for a message."""
    return until(lambda: sink.received, within_s=LIMIT_S, what="a message")[0]


def test_a_picture_of_the_command_line_client_is_announced(machine: Machine) -> None:
    """`submit --public --webhook-url URL --webhook-secret s`: a POST with the secret, verified in both known ways."""
    with receiving(says(500), says()) as sink:
        api = machine.client(machine.start("up"))
        key = api.http.headers["X-API-Key"]
        task_id = submit(str(api.http.base_url).rstrip("/"), key, "--webhook-url", sink.url(), "--webhook-secret", "s")
        message = first(sink)
        assert message.headers["x-webhook-secret"] == "s"
        assert message.task["task_id"] == task_id
        assert message.task["status"] == "completed"
        assert message.task["config"]["webhook_config"] == {"endpoint": sink.url(), "secret": "s"}
        assert message.task == api.http.get(f"/api/v1/task/{task_id}").json()["data"]
        assert Webhook(b"s").verify(message.body, message.headers)["data"] == message.task
        signed = f"{message.id}.{message.headers['webhook-timestamp']}.".encode() + message.body
        digest = hmac.digest(b"s", signed, hashlib.sha256)
        assert message.headers["webhook-signature"] == f"v1,{b64encode(digest).decode()}"
        until(lambda: len(sink.received) == 2, within_s=LIMIT_S, what="the second attempt")
        assert sink.ids[0] == sink.ids[1]
        assert sink.received[0].body == sink.received[1].body
