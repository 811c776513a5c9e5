"""The worker's loop against an API that a test writes: what no real API can be made to do at the right moment."""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.plugin import install_plugin
from support.wait import seen
from unitask.kit.errors import Unavailable
from unitask.spec import protocol
from unitask.worker.client import Rejected
from unitask.worker.service import Options, Worker

OPTIONS = Options(
    api_url="http://127.0.0.1:9",
    slots=1,
    engines=("tester",),
    memory_bytes=0,
    allow_private=False,
    models=Path("models"),
)


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let engine processes find the engine `tester`."""
    for name, value in install_plugin(tmp_path / "plugin").items():
        monkeypatch.setenv(name, value)


def task(number: int, do: str = "ok", **inputs: Any) -> protocol.ClaimedTask:
    """Write a task for the engine `tester`."""
    return protocol.ClaimedTask(
        task_id=f"0192f0c0-0000-7000-8000-{number:012}",
        attempt=1,
        model="tester",
        task_type="do",
        engine="tester",
        input={"do": do, **inputs},
        seconds_left=30,
    )


@dataclass
class WrittenApi:
    """Gives out its tasks one by one and keeps the reports; `on_...` may raise in place of an answer."""

    tasks: list[protocol.ClaimedTask] = field(default_factory=list)
    reports: list[protocol.SettleRequest] = field(default_factory=list)
    on_claim: Callable[[], None] = lambda: None
    on_settle: Callable[[], None] = lambda: None
    given: list[protocol.HeldTask] = field(default_factory=list)
    tries: int = 0

    async def beat(self, request: protocol.BeatRequest) -> protocol.BeatAnswer:
        """Let the worker keep what it was given."""
        del request
        return protocol.BeatAnswer(held=self.given, files_url="http://unitask.test/files/", next_in_s=0.1)

    async def claim(self, request: protocol.ClaimRequest) -> list[protocol.ClaimedTask]:
        """Give the next task; when there are no more, wait as the real one does."""
        self.on_claim()
        if not self.tasks:
            await asyncio.Event().wait()
        claimed = self.tasks[: request.most]
        self.tasks = self.tasks[request.most :]
        self.given += [
            protocol.HeldTask(task_id=one.task_id, attempt=one.attempt, cancel_requested=False) for one in claimed
        ]
        return claimed

    async def settle(self, report: protocol.SettleRequest) -> bool:
        """Take a report."""
        self.tries += 1
        self.on_settle()
        self.reports.append(report)
        self.given = [one for one in self.given if one.task_id != report.task_id]
        return True


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
