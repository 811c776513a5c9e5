"""Engines that keep a device: one process for each, tasks that go together, and what waits behind them."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.plugin import install_plugin
from support.wait import seen
from support.written_api import WrittenApi
from support.written_api import task as written
from unitask.spec.protocol import ClaimedTask, SettleRequest
from unitask.worker import attempt
from unitask.worker.pool import IN_A_ROW
from unitask.worker.service import Options, Worker

ONE = ("fake:0",)
TWO = ("fake:0", "fake:1")


def task(number: int, do: str = "ok", **inputs: Any) -> ClaimedTask:
    """Write a task for the engine `keeper`."""
    return written(number, do, engine="keeper", **inputs)


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let engine processes find the engines `tester` and `keeper`."""
    for name, value in install_plugin(tmp_path / "plugin", keeper=True).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def scratch_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process makes temporary folders."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Give the path of a file that lets those go on who wait for it."""
    return tmp_path / "gate"


def let_through(gate: Path) -> None:
    """Let those go on who wait for the file."""
    gate.touch()


@dataclass
class Bench:
    """A worker with devices, and the API that it works for."""

    api: WrittenApi
    stop: asyncio.Event
    working: asyncio.Task[None]

    async def end(self) -> None:
        """Stop the worker."""
        self.stop.set()
        await self.working

    async def report(self, task: ClaimedTask) -> SettleRequest:
        """Wait for the end of a task."""
        await self.runs()
        return await seen(lambda: self.api.report_of(task), within_s=20, what=f"a report of {task.task_id}")

    async def runs(self) -> None:
        """See that the worker has not failed."""
        if self.working.done():
            await self.working

    async def said(self, task: ClaimedTask) -> dict[str, Any]:
        """Wait for the result of a task and read what its engine says it did."""
        report = await self.report(task)
        assert report.output is not None, report.failure
        said: dict[str, Any] = report.output["said"]
        return said

    async def failed(self, task: ClaimedTask) -> str:
        """Wait for the failure of a task and read it, with whether another attempt may succeed."""
        report = await self.report(task)
        assert report.failure is not None
        return report.failure.message + (" (retryable)" if report.failure.retryable else "")

    async def begun(self, *tasks: ClaimedTask) -> None:
        """Wait until each of these tasks has said how far it is."""
        for one in tasks:
            await seen(
                lambda one=one: [seen for seen in self.api.seen_of(one) if seen.note],
                within_s=20,
                what=f"progress of {one.task_id}",
            )


@asynccontextmanager
async def bench(*tasks: ClaimedTask, devices: tuple[str, ...] = ONE, batch: int = 4) -> AsyncIterator[Bench]:
    """Run a worker on these devices."""
    options = Options(
        api_url="http://127.0.0.1:9",
        slots=1,
        engines=("keeper", "tester"),
        devices=dict.fromkeys(devices, ("keeper",)),
        batch=batch,
        memory_bytes=2**30,
        allow_private=False,
        models=Path("models"),
    )
    api, stop = WrittenApi(list(tasks)), asyncio.Event()
    made = Bench(api, stop, asyncio.create_task(Worker(api, options).run(stop)))
    try:
        yield made
    finally:
        await made.end()


def ids(*tasks: ClaimedTask) -> list[str]:
    """List their ids."""
    return [one.task_id for one in tasks]


async def test_two_devices_run_at_once_and_keep_their_processes(gate: Path) -> None:
    """One process for each device, which knows its device and serves one attempt after another."""
    first = [task(number, "wait_for_file", marker=str(gate)) for number in (1, 2)]
    second = [task(number, "wait_for_file", marker=str(gate) + "2") for number in (3, 4)]
    async with bench(*first, devices=TWO, batch=1) as work:
        await work.begun(*first)
        let_through(gate)
        before = [await work.said(one) for one in first]
        work.api.add(*second)
        await work.begun(*second)
        let_through(Path(f"{gate}2"))
        after = [await work.said(one) for one in second]
    assert {one["device"] for one in before} == set(TWO)
    places = {(one["device"], one["pid"]) for one in before}
    assert len(places) == 2
    assert {(one["device"], one["pid"]) for one in after} == places


async def test_a_device_without_a_memory_limit_beside_slots_with_one() -> None:
    """What a device needs is mapped, not used: a limit would count it."""
    limited, free = written(1, "memory_limit"), task(2, "memory_limit")
    async with bench(limited, free) as work:
        assert (await work.said(limited))["limit_bytes"] == 2**30
        assert (await work.said(free))["limit_bytes"] == -1


async def test_what_fits_goes_together_and_the_rest_apart() -> None:
    """Up to the most of the engine, the oldest first; who names nothing in common goes alone."""
    alike = [task(number, together="a") for number in (1, 3, 5, 6)]
    other, alone, alone_too = task(2, together="b"), task(4), task(7)
    async with bench(other, alike[0], alone, *alike[1:], alone_too, batch=7) as work:
        assert [(await work.said(one))["together"] for one in alike] == [ids(*alike[:3])] * 3 + [ids(alike[3])]
        assert [(await work.said(one))["together"] for one in (other, alone, alone_too)] == [
            ids(other),
            ids(alone),
            ids(alone_too),
        ]
        assert len({(await work.said(one))["pid"] for one in (*alike, other, alone)}) == 1


async def test_each_of_a_batch_has_its_own_progress_file_and_failure(gate: Path) -> None:
    """One that fails fails alone."""
    waits = task(1, "wait_for_file", marker=str(gate), together="a")
    fails, saves = task(2, "fail", together="a"), task(3, "save_file", together="a")
    async with bench(waits, fails, saves) as work:
        await work.begun(waits)
        assert not [one for one in work.api.seen_of(fails) if one.note]
        let_through(gate)
        assert (await work.said(waits))["together"] == ids(waits, fails, saves)
        assert await work.failed(fails) == "the model is away (retryable)"
        assert (await work.report(fails)).warnings == ["something was odd"]
        assert (await work.said(saves))["sha256"]
        assert (await work.report(saves)).warnings == []
        assert list(work.api.files) == [(saves.task_id, 1)]


async def test_a_cancel_ends_one_of_a_batch_at_once_and_leaves_the_others(gate: Path, scratch_root: Path) -> None:
    """What is made of it is dropped, also the file that it would have saved; the process goes on.

    The folder of one that has ended is there as long as its engine may write into it.
    """
    goes, stays = [task(number, "wait_for_file", marker=str(gate), together="a") for number in (1, 2)]
    saves = task(3, "save_file", together="a")
    async with bench(goes, stays, saves) as work:
        await work.begun(goes, stays)
        for one in (goes, saves):
            work.api.cancel(one)
            assert await work.failed(one) == "the task was cancelled"
        assert work.api.report_of(stays) is None
        let_through(gate)
        said = await work.said(stays)
        assert said["together"] == ids(goes, stays, saves)
        assert work.api.files == {}
        work.api.add(after := task(4))
        assert (await work.said(after))["pid"] == said["pid"]
        await seen(lambda: not [*scratch_root.glob("*/*")], within_s=5, what="no folder of an attempt")
    assert len(work.api.reports) == 4
    assert await asyncio.to_thread(os.listdir, scratch_root) == []


async def test_a_batch_that_nobody_wants_stops(gate: Path) -> None:
    """At the next progress of any of it, as one attempt does; the process goes on."""
    both = [task(number, "wait_for_file", marker=str(gate), together="a") for number in (1, 2)]
    async with bench(*both) as work:
        await work.begun(*both)
        pid = int(work.api.seen_of(both[0])[-1].note.split()[-1])
        for one in both:
            work.api.cancel(one)
        for one in both:
            assert await work.failed(one) == "the task was cancelled"
        work.api.add(after := task(3))
        assert (await work.said(after))["pid"] == pid


async def test_a_cancel_that_is_not_heard_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before the deadline of one that is wanted."""
    monkeypatch.setattr(attempt, "DEVICE_GRACE_S", 0.1)
    goes, stays = task(1, "hang_in_c", together="a"), task(2, "hang_in_c", together="a", seconds_left=2)
    async with bench(goes, stays) as work:
        await work.begun(goes)
        work.api.cancel(goes)
        assert await work.failed(stays) == "the engine did not finish within 2 s"


async def test_a_cancel_that_is_not_heard_ends_one_that_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits behind it loses nothing by that."""
    monkeypatch.setattr(attempt, "DEVICE_GRACE_S", 0.1)
    goes, waits = task(1, "hang_in_c"), task(2)
    async with bench(goes, waits) as work:
        await work.begun(goes)
        work.api.cancel(goes)
        assert await work.failed(goes) == "the task was cancelled"
        assert await work.said(waits)


async def test_a_cancel_of_one_that_waits_ends_it_without_running(gate: Path) -> None:
    """At once, and not when its turn has come."""
    runs, waits, last = task(1, "wait_for_file", marker=str(gate)), task(2, "crash"), task(3)
    async with bench(runs, waits, last) as work:
        await work.begun(runs)
        work.api.cancel(waits)
        assert await work.failed(waits) == "the task was cancelled"
        assert work.api.report_of(runs) is None
        let_through(gate)
        assert (await work.said(runs))["pid"] == (await work.said(last))["pid"]


async def test_waiting_does_not_eat_the_time_of_an_attempt() -> None:
    """It counts from the start, and the API hears until then that the attempt waits."""
    runs, waits = task(1, "slow_steps", seconds=2.5), task(2, "slow_steps", seconds=0.5, seconds_left=2)
    async with bench(runs, waits) as work:
        assert await work.said(waits)
        assert await work.said(runs)
        assert not work.api.seen_of(runs)[-1].waiting
        heard = [one.waiting for one in work.api.seen_of(waits)]
    assert heard[0]
    assert not heard[-1]
    assert heard == sorted(heard, reverse=True)


async def test_a_process_that_dies_costs_those_that_ran_one_attempt(tmp_path: Path) -> None:
    """Another takes its place, and what waited goes on there."""
    both = [task(1, "crash", together="a"), task(2, together="a")]
    waits = [task(3), task(4, marker=str(tmp_path))]
    async with bench(task(9), batch=1) as work:
        before = (await work.said(task(9)))["pid"]
    async with bench(*both, *waits) as work:
        for one in both:
            assert await work.failed(one) == "the engine's process ended unexpectedly (signal 6) (retryable)"
        pids = {(await work.said(one))["pid"] for one in waits}
        assert len(pids) == 1
        assert before not in pids


async def test_a_deadline_ends_the_process_and_costs_the_others_one_attempt() -> None:
    """The one whose time it was fails; those that ran with it may succeed another time; those that waited go on."""
    late, fellow = task(1, "hang", together="a", seconds_left=1), task(2, together="a")
    warm, waits = task(9), task(3)
    async with bench(warm) as work:
        await work.said(warm)
        work.api.add(late, fellow, waits)
        assert await work.failed(late) == "the engine did not finish within 1 s"
        assert await work.failed(fellow) == "the engine's process ended unexpectedly (signal 9) (retryable)"
        assert await work.said(waits)


async def test_a_device_on_which_nothing_begins_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends before it has begun anything costs an attempt, or the task would never end."""
    monkeypatch.setenv("TESTER_BROKEN", "1")
    both = [task(1), task(2)]
    async with bench(*both) as work:
        for one in both:
            assert await work.failed(one) == "the engine's process ended unexpectedly (exit status 1) (retryable)"


async def test_a_worker_that_is_stopped_gives_back_what_runs_and_what_waits(gate: Path) -> None:
    """Neither counts as an attempt."""
    runs, waits = task(1, "wait_for_file", marker=str(gate)), task(2)
    async with bench(runs, waits) as work:
        await work.begun(runs)
        await work.end()
        for one in (runs, waits):
            report = work.api.report_of(one)
            assert report is not None
            assert report.failure is not None
            assert report.failure.given_back


async def test_each_pool_claims_for_its_own_engines_and_only_when_it_is_free(gate: Path) -> None:
    """A busy device does not take what a free one, here or elsewhere, could begin with; the slots go on beside it."""
    runs, beside = task(1, "wait_for_file", marker=str(gate)), [written(number) for number in (2, 3)]
    async with bench(runs, *beside, devices=TWO, batch=4) as work:
        await work.begun(runs)
        for one in beside:
            await work.said(one)
        work.api.add(next_one := task(4))
        busy = int(work.api.seen_of(runs)[-1].note.split()[-1])
        assert (await work.said(next_one))["pid"] != busy
        asked = {(tuple(claim.engines), claim.most) for claim in work.api.claims}
    assert asked == {(("keeper",), 4), (("tester",), 1)}


async def test_the_worker_says_what_its_devices_have_in_memory() -> None:
    """With each claim and heartbeat; what a process had is gone with it."""
    first, last = task(1, together="a"), task(2, "crash", together="b")
    async with bench(first) as work:
        await work.said(first)
        assert work.api.claims[0].loaded == []
        await seen(lambda: work.api.claims[-1].loaded == ["a"], within_s=20, what="a claim that tells")
        await seen(lambda: work.api.beats[-1].loaded == ["a"], within_s=20, what="a heartbeat that tells")
        work.api.add(last)
        await work.failed(last)
        await seen(lambda: work.api.claims[-1].loaded == [], within_s=20, what="a claim after the crash")


async def test_after_many_tasks_in_a_row_one_is_taken_whatever_is_in_memory() -> None:
    """Else those who order what is in memory could keep all others waiting for ever."""
    tasks = [task(number, together="a") for number in range(1, 2 * IN_A_ROW + 3)]
    async with bench(*tasks, batch=1) as work:
        await work.said(tasks[-1])
    told = [claim.loaded == ["a"] for claim in work.api.claims if "keeper" in claim.engines]
    assert told[: len(tasks)] == [False, *[True] * IN_A_ROW, False, *[True] * IN_A_ROW]
