"""One order is one trace: real processes tell their spans to a real receiver of OTLP, and the webhook joins."""

import base64
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.chain import chained
from support.collector import Collector, Told, collecting
from support.installation import LIMIT_S, Installation, ended, installing, order
from support.keys import API_KEY, WORKER_TOKEN
from support.machine import free_port
from support.media import PNG
from support.sink import Sink, hangs, receiving
from support.tester import PRICE_POINTS
from support.wait import seen

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CLIENT = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{CLIENT}-01"
GUIDE = Path(__file__).parents[2] / "docs/guide/tracing.md"
STATE = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"
PICTURE = base64.b64encode(PNG).decode()
ORDER = "POST /api/v1/task"
WHOLE = (ORDER, "create", "attempt", "run", "report", "settle", "deliver")


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Run a receiver of traces."""
    with collecting() as running:
        yield running


@pytest.fixture
def hook() -> Iterator[Sink]:
    """Run a receiver of webhooks."""
    with receiving() as running:
        yield running


@pytest.fixture
def installation(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    """Install; whatever runs at the end is killed."""
    with installing(database_url, tmp_path) as make:
        yield make()


async def placed(installation: Installation, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """Order as a client that sends these headers, and wait for the end."""
    async with installation.client({"X-API-Key": API_KEY}) as client:
        answer = await client.post("/api/v1/task", json=body, headers=headers)
        assert answer.is_success, answer.text
        (task,) = await ended(client, [answer.json()["data"]["task_id"]])
    return task


def check_documented(spans: list[Told]) -> None:
    """Check that the guide names these spans and all that they say."""
    rows = [line.split("|")[1] for line in GUIDE.read_text("utf-8").splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert {one.name for one in spans} | {name for one in spans for name in one.attributes} <= named


def tree(spans: list[Told]) -> dict[str, str]:
    """Name the parent of each span."""
    names = {one.id: one.name for one in spans} | {CLIENT: "the client"}
    return {one.name: names.get(one.parent, one.parent) for one in spans}


def of(spans: list[Told], name: str) -> Told:
    """Give the one span of a name."""
    (found,) = [one for one in spans if one.name == name]
    return found


async def test_an_order_is_one_trace_from_its_client_to_the_receiver_of_its_webhook(
    installation: Installation, collector: Collector, hook: Sink
) -> None:
    """Through two processes, the engine's and the database; each span hangs where its work came from."""
    installation.set(**collector.environment())
    await installation.serve()
    installation.work()
    secret = "a text that is nobody's business"
    body = order("fetch", endpoint=hook.url("/hook?token=hidden"), image=PICTURE, marker=secret)
    task = await placed(installation, body, traceparent=PARENT, tracestate=STATE)
    spans = await collector.told(TRACE, *WHOLE, "fetch")
    assert tree(spans) == {
        ORDER: "the client",
        "create": ORDER,
        "attempt": "create",
        "run": "attempt",
        "fetch": "run",
        "report": "attempt",
        "settle": "report",
        "deliver": "create",
    }
    assert {one.name for one in spans if one.service == "unitask-worker"} == {"attempt", "run", "fetch", "report"}
    assert {one.service for one in spans} == {"unitask-worker", "unitask-api"}
    assert all(one.began_ns <= one.ended_ns and not one.failed and one.state == STATE for one in spans)
    assert of(spans, ORDER).attributes == {
        "http.request.method": "POST",
        "http.route": "/api/v1/task",
        "http.response.status_code": 200,
    }
    about = {"unitask.task_id": task["task_id"], "unitask.product": "tester/do", "unitask.engine": "tester"}
    create = of(spans, "create").attributes
    assert create.items() >= (about | {"unitask.price_points": PRICE_POINTS, "unitask.status": "pending"}).items()
    attempt = of(spans, "attempt").attributes
    assert attempt.items() >= (about | {"unitask.attempt": 1, "unitask.outcome": "completed"}).items()
    assert attempt["unitask.queued_ms"] >= 0
    assert of(spans, "fetch").attributes == {"unitask.media": "image", "unitask.size_bytes": len(PNG)}
    delivered = of(spans, "deliver")
    assert delivered.attributes["http.response.status_code"] == 200
    (message,) = hook.received
    assert (message.headers["traceparent"], message.headers["tracestate"]) == (delivered.traceparent, STATE)
    check_documented(spans)
    sent = b"".join(collector.bodies)
    for hidden in (secret, PICTURE, API_KEY, WORKER_TOKEN, "hidden", "/hook"):
        assert hidden.encode() not in sent
    assert {head["content-encoding"] for head in collector.heads} == {"gzip"}
    assert f'"trace_id":"{TRACE}"' in installation.programs[1].log.read_text()


async def test_an_order_without_a_trace_begins_one_and_its_polls_begin_none(
    installation: Installation, collector: Collector
) -> None:
    """A file that is saved is a span; an order that is refused is one, too, and not an error of ours."""
    installation.set(**collector.environment(), OTEL_SERVICE_NAME="pictures")
    collector.rejects = 1
    await installation.serve(with_worker=True)
    task = await placed(installation, order("save_file"))
    traces = await seen(lambda: {one.trace for one in collector.spans}, within_s=LIMIT_S, what="a span")
    (trace_id,) = traces
    spans = await collector.told(trace_id, *WHOLE, "save")
    assert tree(spans) == {
        ORDER: "",
        "create": ORDER,
        "attempt": "create",
        "run": "attempt",
        "save": "run",
        "report": "attempt",
        "settle": "report",
        "deliver": "create",
    }
    assert {one.service for one in spans} == {"pictures"}
    check_documented(spans)
    assert task["status"] == "completed"
    async with installation.client({"X-API-Key": API_KEY}) as client:
        assert (await client.post("/api/v1/task", json={})).status_code == 400
    await seen(lambda: len({one.trace for one in collector.spans}) == 2, within_s=LIMIT_S, what="the second trace")
    (refused,) = [one for one in collector.spans if one.trace != trace_id]
    assert (refused.name, refused.failed) == (ORDER, False)
    assert refused.attributes["http.response.status_code"] == 400


async def test_an_attempt_that_is_killed_is_a_failed_span_beside_the_next(
    installation: Installation, collector: Collector, tmp_path: Path
) -> None:
    """The engine's process cannot say so any more; its worker does."""
    installation.set(**collector.environment())
    await installation.serve(with_worker=True)
    await placed(installation, order("crash_once", marker=str(tmp_path / "crashed")), traceparent=PARENT)
    spans = await collector.told(TRACE, *WHOLE, "attempt", "run", "report", "settle")
    told = {one.attributes["unitask.attempt"]: one for one in spans if one.name == "attempt"}
    runs = {one.parent: one for one in spans if one.name == "run"}
    assert [(told[number].failed, runs[told[number].id].failed) for number in (1, 2)] == [(True, True), (False, False)]
    check_documented(spans)
    assert told[1].attributes["unitask.outcome"] == "failed"
    assert told[1].attributes["error.type"] == "10000"
    assert {one.parent for one in told.values()} == {of(spans, "create").id}


async def test_without_tracing_a_clients_own_trace_still_goes_on(installation: Installation, hook: Sink) -> None:
    """To the log of the worker and to the receiver of the webhook, as it came; what is none goes nowhere."""
    await installation.serve()
    installation.work()
    body = order(endpoint=hook.url())
    await placed(installation, body, traceparent=PARENT, tracestate=STATE)
    await placed(installation, body, traceparent=f"{PARENT}-more", tracestate=STATE)
    await placed(installation, body, tracestate=STATE)
    await seen(lambda: len(hook.received) == 3, within_s=LIMIT_S, what="three messages")
    first, *others = hook.received
    assert (first.headers["traceparent"], first.headers["tracestate"]) == (PARENT, STATE)
    assert not any("trace" in name for one in others for name in one.headers)
    assert f'"trace_id":"{TRACE}"' in installation.programs[1].log.read_text()


@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_what_its_client_does_not_sample_is_not_told(
    installation: Installation, collector: Collector, hook: Sink
) -> None:
    """The flag goes on as it came, so that nobody behind us tells of it either."""
    installation.set(**collector.environment())
    await installation.serve(with_worker=True)
    unsampled = f"00-{TRACE}-{CLIENT}-00"
    await placed(installation, order(endpoint=hook.url()), traceparent=unsampled)
    await seen(lambda: hook.received, within_s=LIMIT_S, what="the message")
    assert hook.received[0].headers["traceparent"] == unsampled
    await placed(installation, order(endpoint=hook.url()), traceparent=PARENT)
    spans = await collector.told(TRACE, *WHOLE)
    assert len(spans) == len(WHOLE)


@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
@pytest.mark.parametrize("silent", [True, False], ids=["silent", "closed"])
async def test_a_collector_that_is_away_costs_an_order_nothing(
    installation: Installation,
    silent: bool,  # noqa: FBT001 - a case
) -> None:
    """The task is made as fast, one sentence is logged, and the server ends in time."""
    with receiving(hangs) as sink:
        address = sink.url("") if silent else f"http://127.0.0.1:{free_port()}"
        waits = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_EXPORTER_OTLP_TIMEOUT": "3"}
        installation.set(UNITASK_TRACING="true", OTEL_EXPORTER_OTLP_ENDPOINT=address, **waits)
        program = await installation.serve(with_worker=True)
        began = time.monotonic()
        for _ in range(3):
            assert (await placed(installation, order()))["status"] == "completed"
        assert time.monotonic() - began < 10
        sentence = "the collector of traces does not take them"
        await seen(lambda: sentence in program.log.read_text(), within_s=LIMIT_S, what="the sentence")
        assert program.log.read_text().count(sentence) <= 2  # the server's, and its worker's
        assert ("timeout" if silent else "refused") in program.log.read_text()
        program.send(signal.SIGTERM)
        assert program.process.wait(timeout=15) == 0
        assert "Traceback" not in program.log.read_text()


async def test_an_order_that_another_unitask_makes_is_one_trace(
    tmp_path: Path, sqlite_template: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The near one's call is the parent of the far one's request; the looks that follow begin nothing there."""
    for name, value in collector.environment().items():
        monkeypatch.setenv(name, value)
    async with chained(tmp_path, sqlite_template, UNITASK_TRACING="true") as chain:
        body = {"model": "tester", "task_type": "do", "input": {"do": "save_file"}}
        answer = await chain.client.post("/api/v1/task", json=body, headers={"traceparent": PARENT})
        task, _ = await chain.ended(answer.json()["data"]["task_id"])
        assert task["status"] == "completed", task["error"]
        spans = await collector.told(TRACE, *WHOLE[:-1], *WHOLE[:-1], "POST hub", "GET hub", "download hub", "save")
    ids = {one.id: one for one in spans}
    check_documented(spans)
    (near, far) = sorted((one for one in spans if one.name == ORDER), key=lambda one: one.parent != CLIENT)
    assert near.parent == CLIENT
    assert (ids[far.parent].name, ids[far.parent].kind) == ("POST hub", "client")
    outside = {one.parent for one in spans} - ids.keys()
    assert outside == {CLIENT}
    assert not any(one.name.startswith("GET /api") for one in spans)


def test_the_receiver_is_as_strict_as_the_standard(collector: Collector) -> None:
    """Else it would prove nothing."""
    url, kind = f"{collector.url}/v1/traces", {"content-type": "application/x-protobuf"}
    assert httpx.post(url, content=b"", headers=kind).status_code == 200
    assert httpx.post(url, content=b"", headers={"content-type": "text/plain"}).status_code == 415
    assert httpx.post(url, content=b"\x0a\xff", headers=kind).status_code == 400
    assert httpx.post(url, content=b"plain", headers=kind | {"content-encoding": "gzip"}).status_code == 400
