"""The emulator as people use it who test what they build: scripts, a clock that is moved, a record of requests."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.decoding import film, picture, solid, sound
from support.sink import Sink, receiving, says
from support.wait import until
from unitask.catalogue import Catalogue, validate
from unitask.emulator.script import HEADER
from unitask.provenance.sources import Source, named
from unitask.spec.product import Product
from unitask.testing import Emulator, emulator

PRODUCTS = tuple(Catalogue.load())
CAT = {"prompt": "a little cat", "width": 64, "height": 64}
DAY_S = 24 * 3600
LIMIT_S = 30.0


class Client:
    """An app that knows the emulator's address and key alone."""

    def __init__(self, running: Emulator) -> None:
        self.emulator = running
        self.http = httpx.Client(base_url=running.url, headers={"X-API-Key": running.api_key}, timeout=60)

    def send(self, script: dict[str, Any], hook: str = "", **headers: str) -> httpx.Response:
        """Order a cat with a script in its config."""
        config = {"webhook_config": {"endpoint": hook}, "emulator": script}
        body = {"model": "Qubico/flux1-dev", "task_type": "txt2img", "input": CAT, "config": config}
        return self.http.post("/api/v1/task", json=body, headers=headers)

    def order(self, script: dict[str, Any], hook: str = "") -> str:
        """Order a cat; gives the task's id."""
        answer = self.send(script, hook)
        assert answer.status_code == 200, answer.text
        task_id: str = answer.json()["data"]["task_id"]
        return task_id

    def task(self, task_id: str) -> dict[str, Any]:
        """Read a task."""
        data: dict[str, Any] = self.http.get(f"/api/v1/task/{task_id}").json()["data"]
        return data

    def ended(self, task_id: str) -> dict[str, Any]:
        """Give all that is due now the time to happen, then read a task."""
        self.emulator.advance(0)
        return self.task(task_id)


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    """Start one emulator for all tests of this file."""
    with emulator() as one:
        yield one


@pytest.fixture
def client(running: Emulator) -> Iterator[Client]:
    """Use it."""
    one = Client(running)
    with one.http:
        yield one


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Receive webhooks."""
    with receiving(says()) as one:
        yield one


def decode(product: Product, field: str, content: bytes) -> None:
    """Read a file of an output as what it should be."""
    if field == "model_file":
        assert len(solid(content).geometry) == 1
    elif field == "audio_url":
        assert sound(content).seconds > 0.5
    elif "video" in field:
        assert film(content).frames > 1
    else:
        inputs = validate(product, product.examples[0].input)[0]
        size = picture(content).size
        asked = (getattr(inputs, "width", 0), getattr(inputs, "height", 0))
        assert size == asked or not all(asked)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.key)
def test_every_product_answers_with_files_that_can_be_read(client: Client, product: Product) -> None:
    """A card in each field of its output, of the size that was asked for."""
    body = {"model": product.model, "task_type": product.task_type, "input": product.examples[0].input}
    task = client.http.post("/api/v1/task", json=body, headers={"Prefer": "wait=30"}).json()["data"]
    assert task["status"] == "completed", task["error"]
    assert task["meta"]["engine_level"] == "preview"
    product.output.model_validate(task["output"])
    files = {field: url for field, url in task["output"].items() if isinstance(url, str) and url}
    assert files
    for field, url in files.items():
        content = httpx.get(url).content
        decode(product, field, content)
        assert named(content) == Source.DRAWN, "a card says of itself that it is drawn"


def test_a_task_stands_where_its_script_and_the_clock_say(client: Client) -> None:
    """It waits, runs with progress, and completes, as the clock is moved on."""
    task_id = client.order({"pending_s": 3600, "processing_s": 7200})
    seen = []
    for step_s in (0, 3500, 200, 3600, 3600):
        client.emulator.advance(step_s)
        task = client.task(task_id)
        seen.append((task["status"], round(task["meta"]["progress"], 1)))
    assert seen == [("pending", 0), ("pending", 0), ("processing", 0), ("processing", 0.5), ("completed", 1)]
    meta = task["meta"]
    assert meta["started_at"] < meta["ended_at"]
    assert meta["usage"]["consume"] > 0


def test_a_task_is_staged_as_long_as_told_and_nobody_waits_behind_it(client: Client, sink: Sink) -> None:
    """Then it waits and runs; an order of the same kind that comes later is not staged, and ends before it."""
    first = client.order({"staged_s": 3600, "pending_s": 600, "processing_s": 600}, sink.url())
    beside = client.send({}, sink.url()).json()["data"]
    assert beside["status"] == "pending"
    seen = []
    for step_s in (0, 3500, 200, 600, 600):
        client.emulator.advance(step_s)
        seen.append(client.task(first)["status"])
    assert seen == ["staged", "staged", "pending", "processing", "completed"]
    assert [one.task["task_id"] for one in sink.received] == [beside["task_id"], first]


def test_a_staged_task_runs_as_long_as_told_also_in_one_leap_of_the_clock(client: Client) -> None:
    """What falls due on the way happens at its time."""
    task_id = client.order({"staged_s": 3600, "processing_s": 600})
    client.emulator.advance(DAY_S / 2)
    meta = client.task(task_id)["meta"]
    started, ended = (datetime.fromisoformat(meta[name]) for name in ("started_at", "ended_at"))
    assert round((ended - started).total_seconds() / 60) == 10


def test_a_task_that_is_staged_as_told_can_be_cancelled(client: Client) -> None:
    """It ends at once, and its points come back."""
    task_id = client.order({"staged_s": 3600})
    assert client.http.delete(f"/api/v1/task/{task_id}").json()["data"]["status"] == "failed"
    assert client.ended(task_id)["meta"]["usage"]["frozen"] == 0


def test_a_task_fails_as_told(client: Client) -> None:
    """With the code and the sentence of the script; its points come back."""
    error = {"code": 10007, "message": "nsfw content", "raw_message": "filter"}
    task = client.ended(client.order({"end": "failed", "error": error}))
    assert task["status"] == "failed"
    assert {name: task["error"][name] for name in error} == error
    assert task["meta"]["usage"] == {"type": "point", "frozen": 0, "consume": 0}


def test_a_stuck_task_runs_until_its_deadline(client: Client) -> None:
    """As long as a client waits; after a day it fails as any task does."""
    task_id = client.order({"end": "never"})
    client.emulator.advance(DAY_S - 60)
    assert client.task(task_id)["status"] == "processing"
    client.emulator.advance(120)
    assert "did not end within" in client.task(task_id)["error"]["message"]


def test_a_running_task_can_be_cancelled(client: Client) -> None:
    """It then ends at once, whatever its script says."""
    task_id = client.order({"processing_s": 3600})
    client.emulator.advance(1)
    assert client.http.delete(f"/api/v1/task/{task_id}").status_code == 200
    assert client.ended(task_id)["status"] == "failed"


@pytest.mark.parametrize("status", [401, 402, 403, 429, 500, 503])
def test_an_order_is_refused_as_told(client: Client, status: int) -> None:
    """In the envelope of the real server; by the header too, which wins."""
    for answer in (
        client.send({"refuse": status}),
        client.send({"refuse": 503 if status == 500 else 500}, **{HEADER: json.dumps({"refuse": status})}),
    ):
        assert answer.status_code == status
        assert answer.json()["code"] == status
        assert ("retry-after" in answer.headers) == (status == 429)


def test_a_script_that_cannot_be_is_refused(client: Client) -> None:
    """With the name of the field, so that a slip of the pen is no silent success."""
    answer = client.send({"pendings_s": 5})
    assert answer.status_code == 400
    assert "pendings_s" in answer.json()["message"]
    assert client.send({}, **{HEADER: "not json"}).status_code == 400


def test_the_files_of_a_result_can_be_gone(client: Client) -> None:
    """The task is completed and its address leads nowhere."""
    task = client.ended(client.order({"expired": True}))
    assert task["status"] == "completed"
    assert httpx.get(task["output"]["image_url"]).status_code in {404, 410}


def test_a_result_expires_when_the_clock_says_so(client: Client) -> None:
    """After the days that the product promises."""
    url = client.ended(client.order({}))["output"]["image_url"]
    assert httpx.get(url).status_code == 200
    client.emulator.advance(4 * DAY_S)
    assert httpx.get(url).status_code in {404, 410}


def test_messages_are_sent_lost_doubled_and_late(client: Client, sink: Sink) -> None:
    """Once, never, twice under one id, and when the clock says so."""
    ids = {mode: client.order({"webhook": mode, "late_s": 900}, sink.url()) for mode in ("sent", "lost", "late")}
    client.emulator.advance(1)
    assert [one.task["task_id"] for one in sink.received] == [ids["sent"]]
    client.emulator.advance(1000)
    assert [one.task["task_id"] for one in sink.received] == [ids["sent"], ids["late"]]
    ids["twice"] = client.order({"webhook": "twice"}, sink.url())
    client.emulator.advance(1)
    twice = [one for one in sink.received if one.task["task_id"] == ids["twice"]]
    assert len(twice) == 2
    assert len({one.id for one in twice}) == 1
    assert all(one.task["status"] == "completed" for one in sink.received)


def test_messages_come_out_of_order(client: Client, sink: Sink) -> None:
    """The first task's comes after the second's, though it ended before."""
    first = client.order({"webhook": "out_of_order"}, sink.url())
    client.emulator.advance(1)
    assert sink.received == []
    second = client.order({}, sink.url())
    client.emulator.advance(1)
    assert [one.task["task_id"] for one in sink.received] == [second, first]
    assert client.task(first)["meta"]["ended_at"] < client.task(second)["meta"]["ended_at"]


def test_failed_deliveries_are_tried_again_as_the_clock_moves(client: Client) -> None:
    """Nobody sleeps for the schedule of a day."""
    with receiving(says(500), says(500), says(200)) as sink:
        client.order({}, sink.url())
        client.emulator.advance(0)
        assert len(sink.received) == 1
        client.emulator.advance(10)
        client.emulator.advance(10)
        assert len(sink.received) == 3
        assert len(set(sink.ids)) == 1


def test_what_differs_from_the_schema_is_listed(client: Client) -> None:
    """On the task, and with each request; also why one was refused."""
    client.emulator.forget_requests()
    body: dict[str, Any] = {
        "model": "Qubico/flux1-dev",
        "task_type": "txt2img",
        "input": {**CAT, "steps_count": 4},
        "config": {"webhook": "http://127.0.0.1/"},
        "priority": 1,
    }
    task = client.http.post("/api/v1/task", json=body).json()["data"]
    client.http.post("/api/v1/task", json={**body, "task_type": "txt2img2"})
    client.http.get("/api/v1/task/nothing")
    ordered, refused, read = client.emulator.requests()
    for name in ("steps_count", "config.webhook", "priority"):
        assert any(name in difference for difference in ordered["differences"]), ordered
        assert any(name in warning for warning in task["meta"]["warnings"])
    assert (ordered["task_id"], ordered["status"]) == (task["task_id"], 200)
    assert refused["status"] == 400
    assert "txt2img2" in refused["differences"][0]
    assert (read["method"], read["path"], read["differences"]) == ("GET", "/api/v1/task/nothing", [])


def test_the_clock_goes_forward_alone(client: Client) -> None:
    """And says what it shows."""
    before = client.http.get("/emulator/clock").json()["data"]["now"]
    assert client.http.post("/emulator/clock", json={"advance_s": -1}).status_code == 400
    client.emulator.advance(3600)
    assert client.http.get("/emulator/clock").json()["data"]["now"] > before
    assert "pending_s" in client.http.get("/emulator").json()["data"]["script"]["properties"]


def test_up_serves_the_emulator(tmp_path: Path) -> None:
    """`unitask up --emulator`: a known key, no worker, and nothing left in the folder."""
    command = [sys.executable, "-m", "unitask", "up", "--emulator", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[5]
            key = process.stdout.readline().split()[-1]
            body = {"model": "Qubico/flux1-schnell", "task_type": "txt2img", "input": CAT}
            headers = {"X-API-Key": key, "Prefer": "wait=30"}
            task = httpx.post(f"{url}/api/v1/task", json=body, headers=headers, timeout=60).json()["data"]
            assert task["status"] == "completed"
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT_S) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_slow_client_is_hung_up_on() -> None:
    """As by the real server, also in the thread of a test."""
    with emulator(slow_client_s=1) as one:
        url = httpx.URL(one.url)
        with socket.create_connection((url.host, url.port or 0), timeout=LIMIT_S) as slow:
            slow.sendall(b"GET /healthz HTTP/1.1\r\n")
            assert slow.makefile("rb").read().startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_the_fixture_serves_a_test_of_another_project(tmp_path: Path) -> None:
    """As the guide shows it, in a pytest of its own."""
    (tmp_path / "test_theirs.py").write_text(
        "import httpx\n"
        "pytest_plugins = ['unitask.testing']\n"
        "def test_it(unitask_emulator):\n"
        "    headers = {'X-API-Key': unitask_emulator.api_key}\n"
        "    assert httpx.get(unitask_emulator.url + '/account/info', headers=headers).status_code == 200\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    end = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S * 2, check=False)
    assert end.returncode == 0, end.stdout
    assert "1 passed" in end.stdout


def test_what_another_run_left_under_way_is_taken_up(tmp_path: Path) -> None:
    """A data folder that is kept: the task that ran when the emulator was killed is played anew."""
    command = [sys.executable, "-m", "unitask", "up", "--emulator", "--port", "0", "--data", str(tmp_path)]
    task_id = ""
    for last in (False, True):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url, headers = process.stdout.readline().split()[5], {"X-API-Key": "emulator-key"}
            with httpx.Client(base_url=url, headers=headers, timeout=60) as http:
                if not last:
                    body = {
                        "model": "Qubico/flux1-dev",
                        "task_type": "txt2img",
                        "input": CAT,
                        "config": {"emulator": {"end": "never"}},
                    }
                    task_id = http.post("/api/v1/task", json=body).json()["data"]["task_id"]
                wanted = "completed" if last else "processing"
                until(
                    lambda: http.get(f"/api/v1/task/{task_id}").json()["data"]["status"] == wanted,  # noqa: B023 - called in this turn
                    within_s=LIMIT_S,
                )
            process.send_signal(signal.SIGINT if last else signal.SIGKILL)
