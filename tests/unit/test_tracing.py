"""Traces as text, spans where nobody records them, and what of them processes tell each other."""

import json
import logging
import subprocess
import sys
import threading
import time

import pytest

from support.collector import collecting
from support.sink import hangs, receiving
from support.wait import until
from unitask.db import Group
from unitask.kit import log, tracing
from unitask.spec import protocol
from unitask.worker import messages
from unitask.worker.attempt import failed
from unitask.worker.spans import Spans

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01"
TASK = protocol.ClaimedTask(
    task_id="0" * 8 + "-0000-7000-8000-" + "0" * 12,
    attempt=1,
    model="tester",
    task_type="do",
    engine="tester",
    input={},
    seconds_left=1,
    trace=GOOD,
)


@pytest.mark.parametrize(
    ("traceparent", "carried"),
    [
        (GOOD, GOOD),
        (f"00-{TRACE}-{PARENT}-00", f"00-{TRACE}-{PARENT}-00"),
        (f"01-{TRACE}-{PARENT}-ff-what-comes-later", GOOD),
        (f"cc-{TRACE}-{PARENT}-02", f"00-{TRACE}-{PARENT}-00"),
        ("", None),
        ("garbage", None),
        (f"{GOOD}-more", None),
        (f"{GOOD} ", None),
        (f"01-{TRACE}-{PARENT}-01more", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        (f"00-{TRACE}-{PARENT}-1", None),
        (f"00-{TRACE}-{PARENT}-0\n", None),
        (f"00-{TRACE}-{PARENT}-0\0", None),
        ("00-" + "a" * 10_000, None),
    ],
)
def test_a_traceparent_is_carried_on_or_is_none(traceparent: str, carried: str | None) -> None:
    """By the rules of W3C's Trace Context: later versions are read as far as this one goes."""
    assert tracing.joined(traceparent) == carried


@pytest.mark.parametrize(
    ("tracestate", "carried"),
    [
        ("a=1", "a=1"),
        (" a=1, b@c=2 ", "a=1, b@c=2"),
        (",".join(f"k{number}=v" for number in range(32)), ",".join(f"k{number}=v" for number in range(32))),
        (",".join(f"k{number}=v" for number in range(33)), ""),
        (f"a={'x' * 256},b={'x' * 256}", ""),
        ("a", ""),
        ("A=1", ""),
        ("a=1\r\nx-evil: 1", ""),
        ("a=\u00fc", ""),
        ("a=b=c", ""),
    ],
)
def test_a_tracestate_is_carried_on_or_left_out(tracestate: str, carried: str) -> None:
    """A bad one costs no more than itself."""
    told = tracing.headers(tracing.joined(GOOD, tracestate))
    assert told == {"traceparent": GOOD, **({"tracestate": carried} if carried else {})}


def test_several_headers_are_one_tracestate_and_no_traceparent() -> None:
    """As the standard reads them."""
    parent, one, other = (b"traceparent", GOOD.encode()), (b"tracestate", b"a=1"), (b"tracestate", b"b=2")
    assert tracing.received([one, parent, other]) == f"{GOOD} a=1,b=2"
    assert tracing.received([parent, parent]) is None
    assert tracing.received([one]) is None


def test_what_is_carried_fits_its_column() -> None:
    """The longest that is let in."""
    state = f"{'k' * 200}={'v' * 256},a={'v' * 52}"
    assert len(state) == 512
    carried = tracing.joined(GOOD, state)
    assert carried == f"{GOOD} {state}"
    assert len(carried) <= 600


def test_without_tracing_a_span_is_nothing_and_names_what_came_in() -> None:
    """Nobody begins a trace, and whose trace is known goes on with it."""
    assert tracing.span("work", is_root=True) is tracing.NOTHING
    with tracing.span("work", parent=GOOD) as span:
        assert (span.trace, span.is_recorded, tracing.trace_id()) == (GOOD, False, TRACE)
        assert tracing.span("more").trace == GOOD
        span.set({"a": 1})
        span.fail("why")
    assert tracing.trace_id() is None


def test_a_line_of_the_log_names_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """That of the span it is said in, unless it says another."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        log.configure("info", as_json=True)
        with tracing.span("work", parent=GOOD):
            logging.getLogger("test").info("one")
            logging.getLogger("test").info("two", extra={"trace_id": "other"})
        logging.getLogger("test").info("three")
    finally:
        root.handlers, root.level = handlers, level
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line.get("trace_id") for line in lines] == [TRACE, "other", None]


@pytest.mark.parametrize("module", ["unitask.api", "unitask.worker.service", "unitask.worker.child", "unitask.cli"])
def test_without_tracing_its_libraries_are_not_loaded(module: str) -> None:
    """They would be a fifth of a second and twenty megabytes in each process."""
    code = f"import sys, {module}; print(*(name for name in sys.modules if name.startswith('opentelemetry')))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == ""


def test_tracing_that_is_not_installed_is_a_sentence() -> None:
    """It says what to install."""
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from unitask.kit import tracing\n"
        "with tracing.running('it', on=True): pass"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stderr.strip().endswith("UNITASK_TRACING needs its libraries: pip install 'unitask[tracing]'")


def test_releases_without_traces_understand_each_other() -> None:
    """A worker or an API of the release before says nothing of them, and does not read what is said."""
    old = TASK.model_dump(exclude={"trace", "waited_s"})
    assert protocol.ClaimedTask.model_validate(old).trace is None
    end = protocol.SettleRequest(task_id=TASK.task_id, attempt=1, output={})
    assert protocol.SettleRequest.model_validate(end.model_dump(exclude={"trace"})).trace is None
    assert protocol.SettleRequest.model_validate({**end.model_dump(), "of a later release": 1}) == end


def test_what_an_attempt_is_part_of_is_checked_again() -> None:
    """A database or an API may hold anything."""
    assert Spans(TASK).trace == GOOD
    assert Spans(TASK.model_copy(update={"trace": "garbage"})).trace is None


def test_a_sampler_of_our_own_is_not_told_by_clients_what_to_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes by the id of the trace, whatever the flag says; so every process decides alike."""
    told = f"00-{'1' * 32}-{PARENT}-00"
    with collecting() as collector:
        sampler = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}
        for name, value in (collector.environment() | sampler).items():
            monkeypatch.setenv(name, value)
        with tracing.running("it", on=True):
            for parent in (GOOD, told):
                tracing.span("work", parent=parent).end()
        assert [one.trace for one in collector.spans] == ["1" * 32]


def test_an_attempt_that_is_given_back_or_lost_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose worker was told to end has not failed; whose task another worker has is over for nothing."""
    with collecting() as collector:
        for name, value in collector.environment().items():
            monkeypatch.setenv(name, value)
        with tracing.running("it", on=True):
            given_back, lost = Spans(TASK), Spans(TASK)
            given_back.reporting(failed(TASK, "the worker was stopped", given_back=True)).end()
            given_back.end()
            lost.end("lost")
        told = [one for one in collector.trace(TRACE) if one.name == "attempt"]
    assert {(one.attributes["unitask.outcome"], one.failed) for one in told} == {("given back", False), ("lost", True)}


async def test_what_an_engine_says_becomes_spans_below_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it read, and that it loaded weights until its next word; what is not over when it dies ends with it."""
    of = messages.Name(TASK.task_id, TASK.attempt)
    with collecting() as collector:
        for name, value in collector.environment().items():
            monkeypatch.setenv(name, value)
        with tracing.running("it", on=True):
            spans = Spans(TASK)
            spans.hear(messages.Started(of=of))
            spans.hear(messages.Fetched(of=of, began_ns=5, ended_ns=7, media="image", size_bytes=9))
            spans.hear(messages.Progress(of=of, fraction=0, note="loading the model"))
            spans.hear(messages.Progress(of=of, fraction=0.5, note="step 1 of 2"))
            spans.hear(messages.Progress(of=of, fraction=0.6, note="loading another"))
            with spans.reporting(failed(TASK, "it died", number=10001)):
                pass
            spans.end()
        told = collector.trace(TRACE)
    names = {one.id: one.name for one in told} | {PARENT: "the client"}
    assert sorted((one.name, names[one.parent]) for one in told) == [
        ("attempt", "the client"),
        ("fetch", "run"),
        ("load", "run"),
        ("load", "run"),
        ("report", "attempt"),
        ("run", "attempt"),
    ]
    assert [(one.began_ns, one.ended_ns) for one in told if one.name == "fetch"] == [(5, 7)]
    assert {one.name for one in told if one.failed} == {"run", "attempt"}
    assert {one.attributes["error.type"] for one in told if one.failed} == {"10001"}


async def test_a_group_of_calls_belongs_to_no_trace() -> None:
    """What is logged in it is of all who are in it."""
    seen: list[str | None] = []

    async def run(items: list[int]) -> list[int]:
        seen.append(tracing.trace_id())
        return items

    group: Group[int, int] = Group(run)
    with tracing.span("work", parent=GOOD):
        assert await group.submit(1) == 1
        assert tracing.trace_id() == TRACE
    assert seen == [None]


def test_a_silent_collector_holds_up_the_end_for_two_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has not taken by then is lost."""
    before = set(threading.enumerate())
    with receiving(hangs) as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url(""))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3")
        with tracing.running("it", on=True):
            tracing.span("work", is_root=True).end()
            began = time.monotonic()
        assert time.monotonic() - began < 4
        assert sink.received
    # Its threads try again for a while, after pauses by chance: tests of chance come after this one.
    until(lambda: set(threading.enumerate()) <= before, within_s=30, what="the end of the threads that send")
