"""A Cog container: the real server, where its package is installed, and the simulator, by the same checks.

The real one is `python -m cog.server.http` with `COG_PREDICT_TYPE_STUB`; no container runs and nothing is built.
"""

import base64
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from sim.cog import Cog
from sim.provider import served
from support.decoding import picture
from support.machine import free_port
from support.media import PNG, base64_of
from support.sink import receiving
from support.wait import until

PREDICTOR = """
import base64, os, tempfile, time
from cog import BaseRunner, Path

class Runner(BaseRunner):
    def run(self, prompt: str, gate: str = "") -> Path:
        if prompt == "fail":
            raise ValueError("it went wrong")
        while gate and not os.path.exists(gate):
            time.sleep(0.01)
        picture = Path(tempfile.mkdtemp()) / "out.png"
        picture.write_bytes(base64.b64decode("{png}"))
        return picture
"""
ASYNC = {"Prefer": "respond-async"}
LIMIT_S = 60.0


class Container:
    """One of the two, ready. `hold` lets predictions run until `release`."""

    sim: Cog | None = None

    def __init__(self, http: httpx.Client, folder: Path) -> None:
        self.http, self._gate = http, folder / "gate"
        self._held = False

    def hold(self) -> None:
        """Let predictions run."""
        if self.sim:
            self.sim.hold()
        self._held = True

    def release(self) -> None:
        """Let them end."""
        if self.sim:
            self.sim.release()
        self._gate.touch()

    def order(self, prompt: str = "a cat", **more: Any) -> dict[str, Any]:
        """Write an order; `fail` fails."""
        if self.sim and prompt == "fail":
            self.sim.fail("it went wrong")
        return {"input": {"prompt": prompt, "gate": str(self._gate) if self._held else ""}, **more}

    def status(self) -> str:
        """Tell how it is."""
        status: str = self.http.get("/health-check").json()["status"]
        return status


@contextmanager
def real(folder: Path) -> Iterator[tuple[str, None]]:
    """Run the real server; gives its address."""
    if not (importlib.util.find_spec("cog") and importlib.util.find_spec("coglet")):
        pytest.skip("the package cog is not installed")
    (folder / "predict.py").write_text(PREDICTOR.replace("{png}", base64_of(PNG)))
    port = free_port()
    environment = {
        **os.environ,
        "PORT": str(port),
        "COG_PREDICT_TYPE_STUB": "predict.py:Runner",
        # Its worker is whatever `python` is.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    command = [sys.executable, "-m", "cog.server.http", "--host", "127.0.0.1"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            yield f"http://127.0.0.1:{port}", None
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(params=["real", "simulated"])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """Run one of the two."""
    how = real(tmp_path) if request.param == "real" else simulated()
    with how as (url, sim), httpx.Client(base_url=url, trust_env=False, timeout=LIMIT_S) as http:
        opened = Container(http, tmp_path)
        opened.sim = sim
        until(lambda: answers(opened), within_s=LIMIT_S, what="READY")
        yield opened


@contextmanager
def simulated() -> Iterator[tuple[str, Cog]]:
    """Run the simulator."""
    with served(Cog()) as sim:
        yield sim.url, sim


def answers(container: Container) -> bool:
    """Tell whether the container is ready."""
    try:
        return container.status() == "READY"
    except httpx.TransportError:
        return False


def let_go(container: Container) -> None:
    """Wait for its place: the real one gives it back a moment after the answer."""
    until(lambda: container.status() == "READY", within_s=LIMIT_S)


def shape(answer: httpx.Response) -> tuple[int, list[str], str]:
    """Tell what an answer is like: its status, its fields, and the prediction's status."""
    told = answer.json()
    return answer.status_code, sorted(told), told.get("status", "")


SUCCEEDED = (200, ["id", "logs", "metrics", "output", "status"], "succeeded")
FAILED = (200, ["error", "id", "logs", "metrics", "status"], "failed")
STARTING = (202, ["id", "status"], "starting")
PROCESSING = (202, ["id", "input", "logs", "metrics", "status"], "processing")


def test_it_tells_what_it_is(container: Container) -> None:
    """Its addresses, its state, and that it was never built."""
    there = container.http.get("/").json()
    assert there.pop("cog_version").startswith("0.")
    assert there == {
        "docs_url": "/docs",
        "healthcheck_url": "/health-check",
        "openapi_url": "/openapi.json",
        "predictions_cancel_url": "/predictions/{prediction_id}/cancel",
        "predictions_idempotent_url": "/predictions/{prediction_id}",
        "predictions_url": "/predictions",
        "shutdown_url": "/shutdown",
    }
    health = container.http.get("/health-check").json()
    assert (health["status"], health["setup"]["status"]) == ("READY", "succeeded")
    assert {"coglet", "python_sdk", "python"} <= set(health["version"])
    assert container.http.get("/openapi.json").status_code == 503


def test_a_prediction_is_the_answer(container: Container) -> None:
    """With its file in it, or with what went wrong; both are 200."""
    made = container.http.post("/predictions", json=container.order())
    assert shape(made) == SUCCEEDED
    head, _, data = made.json()["output"].partition(",")
    assert head == "data:image/png;base64"
    picture(base64.b64decode(data))
    assert set(made.json()["metrics"]) == {"predict_time"}
    let_go(container)
    broken = container.http.post("/predictions", json=container.order("fail"))
    assert shape(broken) == FAILED
    assert broken.json()["error"].endswith("ValueError: it went wrong")


def test_a_prediction_is_ordered_again_while_it_runs(container: Container) -> None:
    """Under its id that asks how it is; there is one place, no way to read, and one to end it."""
    http = container.http
    container.hold()
    assert shape(http.put("/predictions/a", json=container.order(), headers=ASYNC)) == STARTING
    until(lambda: container.status() == "BUSY", within_s=LIMIT_S)
    for headers in (ASYNC, {}):
        assert shape(http.put("/predictions/a", json=container.order(), headers=headers)) == PROCESSING
    assert shape(http.put("/predictions/b", json=container.order(), headers=ASYNC)) == (
        409,
        ["error", "status"],
        "failed",
    )
    assert http.get("/predictions/a").status_code == 405
    assert [http.post(f"/predictions/{name}/cancel").status_code for name in "ab"] == [200, 404]
    until(lambda: container.status() == "READY", within_s=LIMIT_S)
    assert http.post("/predictions/a/cancel").status_code == 404


def test_a_prediction_that_has_ended_is_forgotten(container: Container) -> None:
    """The same order under the same id is another one."""
    for _ in range(2):
        assert shape(container.http.put("/predictions/a", json=container.order())) == SUCCEEDED
        let_go(container)
    if container.sim:
        assert (container.sim.submitted, container.sim.duplicates) == (2, 1)


def test_a_prediction_ends_with_its_request(container: Container) -> None:
    """Whoever waited is gone, so nobody needs it."""
    container.hold()
    with pytest.raises(httpx.ReadTimeout):
        container.http.put("/predictions/a", json=container.order(), timeout=0.5)
    until(lambda: container.status() == "READY", within_s=LIMIT_S)
    if container.sim:
        assert container.sim.job.cancelled


def test_webhooks_tell_of_a_prediction(container: Container) -> None:
    """Its start, its output in pieces, its end; or only what was asked for."""
    with receiving() as sink:
        hook = {"webhook": sink.url()}
        container.http.put("/predictions/a", json=container.order(**hook), headers=ASYNC)
        until(lambda: len(sink.received) == 3, within_s=LIMIT_S)
        told = [json.loads(one.body) for one in sink.received]
        (end,) = [one for one in told if one["status"] == "succeeded"]
        assert sorted(end) == SUCCEEDED[1]
        # The real one sends them side by side, and each as the prediction is by then.
        during = [one for one in told if one["status"] == "processing"]
        assert [sorted(one) for one in during if "output" not in one] in ([], [["id", "logs", "metrics", "status"]])
        assert [end["output"]] in [one.get("output") for one in during]
        until(lambda: container.status() == "READY", within_s=LIMIT_S)
        order = container.order("fail", webhook_events_filter=["completed"], **hook)
        container.http.put("/predictions/b", json=order, headers=ASYNC)
        until(lambda: len(sink.received) > 3, within_s=LIMIT_S)
        (failed,) = [json.loads(one.body) for one in sink.received[3:]]
        assert (failed["status"], sorted(failed)) == ("failed", FAILED[1])


def test_an_order_that_is_none_is_refused(container: Container) -> None:
    """Half of a document, another type, another id than the address says."""
    half = container.http.post("/predictions", content=b'{"input":', headers={"Content-Type": "application/json"})
    assert (half.status_code, half.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert container.http.post("/predictions", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    other = container.http.put("/predictions/a", json=container.order(id="b"))
    assert (other.status_code, other.json()["detail"][0]["loc"]) == (422, ["body", "id"])


def test_a_held_request_is_answered_when_it_goes_on(container: Container) -> None:
    """The connection stays open so long."""
    container.hold()
    made: list[httpx.Response] = []
    thread = Thread(target=lambda: made.append(container.http.post("/predictions", json=container.order())))
    thread.start()
    until(lambda: container.status() == "BUSY", within_s=LIMIT_S)
    assert not made
    container.release()
    thread.join()
    assert shape(made[0]) == SUCCEEDED


def test_a_container_that_starts_takes_nothing() -> None:
    """Setup takes minutes with real weights."""
    with served(Cog()) as sim, httpx.Client(base_url=sim.url, trust_env=False) as http:
        sim.ready = False
        assert http.get("/health-check").json()["status"] == "STARTING"
        assert shape(http.post("/predictions", json={"input": {}})) == (503, ["error", "status"], "failed")
        assert sim.submitted == 0
