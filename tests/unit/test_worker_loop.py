"""The worker's loop against an API that a test writes."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from support.chaos.machines import Disk, NotAllowed
from support.plugin import install_plugin
from support.wait import seen
from support.written_api import WrittenApi, task
from unitask.kit.errors import Unavailable
from unitask.spec import protocol
from unitask.worker.client import Rejected
from unitask.worker.service import Options, Worker

OPTIONS = Options(
    api_url="http://127.0.0.1:9",
    slots=1,
    engines=("tester",),
    devices={},
    batch=1,
    memory_bytes=0,
    allow_private=False,
    models=Path("models"),
)


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let engine processes find the engine `tester`."""
    for name, value in install_plugin(tmp_path / "plugin").items():
        monkeypatch.setenv(name, value)


def rejected() -> None:
    """Refuse."""
    raise Rejected("the API answered 401: the worker token is missing or wrong")


def away() -> None:
    """Be away."""
    raise Unavailable("the API does not answer")


async def test_a_refused_claim_ends_the_worker_with_what_the_api_said() -> None:
    """Also where the heartbeat still passes; the error is the one sentence, not a group of errors."""
    with pytest.raises(Rejected, match="the worker token is missing or wrong"):
        await asyncio.wait_for(Worker(WrittenApi(on_claim=rejected), OPTIONS).run(asyncio.Event()), 10)


async def test_what_the_worker_cannot_do_costs_one_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes no scratch folder is a failure of that task; the worker lives and the next task runs."""
    api = WrittenApi([task(1), task(2)])
    folder = tmp_path / "not-there-yet"
    api.on_settle = lambda: folder.mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(api, OPTIONS).run(stop))
    await seen(lambda: len(api.reports) == 2, within_s=10, what="two reports")
    stop.set()
    await working
    first, second = api.reports
    assert second.output is not None
    assert first.failure is not None
    assert first.failure.message == "the worker could not run the task"
    assert first.failure.raw_message.startswith("FileNotFoundError: ")
    assert first.failure.retryable


async def test_a_full_disk_costs_no_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker says so and claims nothing; when there is room, it goes on by itself."""
    try:
        disk = Disk.mount(tmp_path / "small", 4)
    except NotAllowed as why:
        pytest.skip(str(why))
    monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
    try:
        disk.fill()
        api = WrittenApi([task(1)])
        stop = asyncio.Event()
        working = asyncio.create_task(Worker(api, OPTIONS).run(stop))
        await seen(lambda: len(api.beats) > 5, within_s=10, what="heartbeats")
        assert api.claims == []
        disk.free()
        await seen(lambda: api.reports, within_s=10, what="a report")
        stop.set()
        await working
    finally:
        disk.unmount()
    (report,) = api.reports
    assert report.output is not None


async def test_a_result_that_waits_for_the_api_is_reported_at_the_end() -> None:
    """A worker that is stopped hands in what is finished, and gives back only what is not."""
    api = WrittenApi([task(1)], on_settle=away)
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(api, OPTIONS).run(stop))
    await seen(lambda: api.tries, within_s=10, what="the first try to report")
    api.on_settle = lambda: None
    stop.set()
    await working
    (report,) = api.reports
    assert report.output is not None


async def test_a_process_goes_on_while_a_result_waits_for_the_api() -> None:
    """With the next task, but not with a third: what cannot be reported must not pile up."""
    api = WrittenApi([task(1), task(2), task(3)], on_settle=away)
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(api, OPTIONS).run(stop))
    await seen(lambda: api.tries > 3, within_s=10, what="tries to report both")
    assert [one.task_id for one in api.tasks] == [task(3).task_id]
    assert {one.task_id for one in api.given} == {task(1).task_id, task(2).task_id}
    api.on_settle = lambda: None
    await seen(lambda: len(api.reports) == 3, within_s=10, what="all three reports")
    stop.set()
    await working
    assert all(report.output for report in api.reports)


async def test_what_is_not_finished_is_given_back() -> None:
    """The API may give it to another worker at once, and it does not count as an attempt that failed."""
    api = WrittenApi([task(1, "hang")])
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(api, OPTIONS).run(stop))
    await seen(lambda: api.given, within_s=10, what="a claim")
    stop.set()
    await working
    (report,) = api.reports
    assert report.failure is not None
    assert report.failure.given_back


async def test_a_worker_that_is_told_to_end_finishes_what_it_has(tmp_path: Path) -> None:
    """It claims nothing more, its heartbeats go on, and it ends as soon as the last task has."""
    gate = tmp_path / "gate"
    api = WrittenApi([task(1, "wait_for_file", marker=str(gate))])
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(api, replace(OPTIONS, slots=2, drain_s=60)).run(stop))
    await seen(lambda: api.seen_of(task(1)) and api.seen_of(task(1))[-1].note, within_s=10, what="progress")
    stop.set()
    beats = len(api.beats)
    await seen(lambda: len(api.beats) > beats + 2, within_s=10, what="heartbeats after the request to end")
    claims = len(api.claims)
    api.add(task(2))
    gate.touch()
    await asyncio.wait_for(working, 10)
    assert len(api.claims) == claims
    assert [report.output is not None for report in api.reports] == [True]
    assert [one.task_id for one in api.tasks] == [task(2).task_id]


async def test_what_is_not_finished_in_time_is_given_back() -> None:
    """After the time that the operator allows."""
    api = WrittenApi([task(1, "hang")])
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(api, replace(OPTIONS, drain_s=0.3)).run(stop))
    await seen(lambda: api.given, within_s=10, what="a claim")
    stop.set()
    await asyncio.wait_for(working, 10)
    (report,) = api.reports
    assert report.failure is not None
    assert report.failure.given_back


async def test_what_a_broken_off_claim_brought_is_given_back() -> None:
    """The API counts it as ours, and its answer never came: it does not wait for the end of a lease."""
    api = WrittenApi()
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(api, OPTIONS).run(stop))
    await seen(lambda: api.claims, within_s=10, what="a claim")
    api.given.append(protocol.HeldTask(task_id=task(1).task_id, attempt=1, cancel_requested=False))
    stop.set()
    await asyncio.wait_for(working, 10)
    (report,) = api.reports
    assert report.failure is not None
    assert report.failure.given_back


async def test_the_worker_says_what_it_makes() -> None:
    """At once, and not with every heartbeat; only the products that its operator wants of it."""
    api = WrittenApi()
    stop = asyncio.Event()
    options = replace(OPTIONS, engines=("tester", "preview"), products=("tester", "qubico/FLUX1-[ds]*[lv]/txt2img"))
    working = asyncio.create_task(Worker(api, options).run(stop))
    await seen(lambda: len(api.beats) > 3, within_s=10, what="some heartbeats")
    stop.set()
    await working
    first, *others = api.beats
    assert first.makes is not None
    assert {(one.product, one.engine) for one in first.makes} == {
        ("Qubico/flux1-dev/txt2img", "preview"), ("Qubico/flux1-schnell/txt2img", "preview"),
    }  # fmt: skip
    assert {beat.makes is None for beat in others} == {True}
