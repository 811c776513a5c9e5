"""What goes wrong at a provider, and whose turn it is then: another attempt's, another engine's, or the client's."""

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sim.faults import Fault, delay, garbage, hang_up, huge, leak, status, strange, wrong_type
from support.remote import CASES, LOOKED_AT, ONCE, Bench, LocalRemoteJob, Pause, then
from support.wait import seen
from unitask.kit.errors import EngineFailure, JobFailed, MediaFailure, ProviderRefused, TaskFailure
from unitask.remote.drive import COLLECTS, Drive
from unitask.spec.remote import Made

WITHIN_S = 10
ASKED = 5
OTHERS = [name for name in LOOKED_AT if name != "openai-film"]
"""Those whose results are files at addresses of their own."""


def these(names: list[str]) -> pytest.MarkDecorator:
    """Choose engines."""
    return pytest.mark.parametrize("bench", names, indirect=True)


async def failed(bench: Bench, job: LocalRemoteJob | None = None) -> TaskFailure:
    """Run an order that does not succeed."""
    with pytest.raises(TaskFailure) as caught:
        await bench.run(job)
    bench.said += [str(caught.value), caught.value.raw_message]
    return caught.value


# Answers that are none.


@these(ONCE)
@pytest.mark.parametrize(
    ("fault", "jobs"), [(wrong_type(), 0), (garbage(), 1), (huge(), 0)], ids=["page", "half", "endless"]
)
async def test_an_answer_to_an_order_that_is_none_is_not_asked_for_again(bench: Bench, fault: Fault, jobs: int) -> None:
    """It may hide a job; a body without end is not read to the end of our memory."""
    bench.sim.faults.add("submit", fault)
    error = await failed(bench)
    assert "was not sent again" in str(error)
    assert (error.retryable, bench.sim.submitted) == (False, jobs)


@these(["unitask", "cog"])
async def test_an_answer_that_is_none_is_asked_for_again_where_that_makes_no_second_job(bench: Bench) -> None:
    """Under the same key."""
    bench.sim.faults.add("submit", wrong_type())
    bench.sim.faults.add("submit", huge())
    await bench.run()
    assert bench.sim.submitted == 1


@these(LOOKED_AT)
@pytest.mark.parametrize("fault", [wrong_type(), garbage()], ids=["page", "half"])
async def test_a_look_that_brings_no_answer_is_repeated(bench: Bench, fault: Fault) -> None:
    """A proxy in between says nothing of the job."""
    bench.sim.faults.add("submit", then(bench, fault))
    await bench.run()
    assert (bench.sim.submitted, bench.sim.faults.left) == (1, 0)


STRANGE: list[Any] = [[], {}, "no", 3]


@these([name for name in ONCE if name != "hub"])
@pytest.mark.parametrize("body", STRANGE)
async def test_an_answer_to_an_order_of_another_form_is_not_asked_for_again(bench: Bench, body: object) -> None:
    """It may hide a job, too."""
    bench.sim.faults.add("submit", strange(body))
    error = await failed(bench)
    assert not error.retryable
    assert (bench.sim.submitted, bench.last.document) == (0, None)


@these(LOOKED_AT)
@pytest.mark.parametrize("body", STRANGE[2:])
async def test_a_look_of_another_form_is_repeated_or_ends_the_job(bench: Bench, body: object) -> None:
    """In no case is another job made, and in none does the worker take it for its own mistake."""
    bench.sim.faults.add("submit", then(bench, strange(body), times=1))
    with suppress(EngineFailure):
        await bench.run()
    assert bench.sim.submitted == 1


@these(OTHERS)
async def test_a_result_that_is_no_media_is_nobody_s_order_again(bench: Bench) -> None:
    """Another engine may do better; a job that was paid for is not made a second time."""
    bench.sim.faults.add("file", wrong_type())
    error = await failed(bench)
    assert "unknown format" in str(error)
    assert (error.retryable, bench.sim.submitted) == (False, 1)


async def test_a_file_without_end_is_not_read_to_the_end(bench: Bench, tmp_path: Path) -> None:
    """Of the provider itself, too."""
    bench.sim.faults.add("file", huge())
    path = "/view" if bench.engine.name == "comfyui" else "/files/none"
    if bench.engine.name == "comfyui":
        path = "/view?filename=a"
    with pytest.raises(JobFailed, match="too large"):
        await bench.calls().download(f"{bench.sim.url}{path}", tmp_path / "result", limit_bytes=2**20)
    assert (tmp_path / "result").stat().st_size <= 2**20


@these(LOOKED_AT)
@pytest.mark.parametrize("paid", [True, False])
async def test_a_result_that_has_expired_is_lost(bench: Bench, *, paid: bool) -> None:
    """What was paid for is not ordered again; elsewhere another attempt makes it anew."""
    bench.paid = paid
    job = bench.job()
    drive = bench.drive(job)
    look = bench.engine.look

    async def late(job_: Any, document: Any) -> Any:
        found = await look(job_, document)
        if found.state == "done":
            bench.sim.expire()
        return found

    bench.engine.look = late
    with pytest.raises(JobFailed, match="the provider there lost the job: its result was not there any more") as caught:
        await drive.run()
    assert (caught.value.retryable, job.document, bench.sim.submitted) == (not paid, None, 1)


# Jobs that end badly.


@these(LOOKED_AT)
@pytest.mark.parametrize("paid", [True, False])
async def test_a_job_that_the_provider_has_forgotten_is_lost(bench: Bench, *, paid: bool) -> None:
    """It is asked for by its name; nothing else is made."""
    bench.paid = paid
    bench.sim.hold()
    _, job = await started(bench)
    bench.sim.forget()
    bench.sim.release()
    error = await failed(bench, bench.job(document=job.document))
    assert "does not know its job any more" in str(error)
    assert isinstance(error, JobFailed)
    assert (error.retryable, bench.last.document, bench.sim.submitted) == (not paid, None, 1)


BROKE: dict[str, tuple[type[TaskFailure], bool]] = {
    "fal": (JobFailed, True),
}
"""What becomes of a job that broke at the provider, and whether the same engine tries again; else another engine does.

Of its machines fal says that they may do better.
"""


async def test_a_job_that_broke_there_may_be_made_elsewhere(bench: Bench) -> None:
    """With the reason that the provider gives."""
    name = next(name for name, case in CASES.items() if case is bench.case)
    bench.sim.fail("the card fell off the bus")
    error = await failed(bench)
    kind, retryable = BROKE.get(name, (JobFailed, False))
    assert (type(error), error.retryable) == (kind, retryable)
    assert "the card fell off the bus" in error.raw_message
    assert bench.last.document is None


CONTENT: dict[str, type[TaskFailure]] = {"openai-picture": ProviderRefused, "fal": TaskFailure}


async def test_content_that_is_refused_is_told_in_the_provider_s_words(bench: Bench) -> None:
    """Where a checker is the provider's own another engine may make it; a refused order is the client's to change."""
    name = next(name for name, case in CASES.items() if case is bench.case)
    bench.sim.fail("this may not be made", why="content")
    error = await failed(bench)
    assert (type(error), error.retryable) == (CONTENT.get(name, JobFailed), False)
    assert "this may not be made" in str(error)
    assert bench.sim.submitted == 1


BAD: dict[str, type[TaskFailure]] = {"comfyui": JobFailed, "fal": TaskFailure}


async def test_a_bad_input_is_the_client_s_to_change(bench: Bench) -> None:
    """In the provider's words; ComfyUI alone refuses what it has not, which is not the client's doing."""
    name = next(name for name, case in CASES.items() if case is bench.case)
    bench.sim.fail("the picture is too small", why="input")
    error = await failed(bench)
    assert (type(error), error.retryable) == (BAD.get(name, ProviderRefused), False)
    assert "the picture is too small" in str(error)
    assert bench.last.document is None


@these(["hub", "unitask"])
async def test_a_failure_of_the_hub_that_is_the_input_s_keeps_its_words(bench: Bench) -> None:
    """Clients match on them."""
    bench.sim.fail("failed to get valid image: it is too large")
    error = await failed(bench)
    assert type(error) is MediaFailure
    assert str(error) == "failed to get valid image: it is too large"


@these(["unitask"])
async def test_another_unitask_says_itself_that_the_input_is_the_cause(bench: Bench) -> None:
    """In whatever words."""
    bench.sim.detail = {"cause": "input"}
    bench.sim.fail("no region to repaint: paint it pure white")
    error = await failed(bench)
    assert (type(error), error.retryable) == (MediaFailure, False)


@these(["openai-film", "openai-picture", "comfyui"])
async def test_an_input_that_cannot_be_read_is_the_client_s_to_change(bench: Bench) -> None:
    """Where we bring it there; nothing is ordered then."""
    inputs = {"prompt": "a cat", "image": f"{bench.sim.url}/files/none.png"}
    error = await failed(bench, bench.job(product=bench.case.edit, inputs=inputs))
    assert str(error).startswith("failed to get valid image")
    assert (type(error), bench.sim.submitted) == (MediaFailure, 0)


async def test_what_is_not_offered_there_may_be_made_elsewhere(bench: Bench) -> None:
    """A model that is gone is the operator's to mend."""
    for code in (404, 405):
        bench.sim.faults.add("submit", status(code))
        error = await failed(bench)
        assert type(error) is JobFailed
        assert "does not offer this" in str(error)
    assert bench.sim.submitted == 0


@these(LOOKED_AT)
async def test_a_result_that_cannot_be_stored_is_not_made_again(bench: Bench) -> None:
    """The next attempt takes it from where it is."""
    job = bench.job()
    save, times = job.save, iter([True] * COLLECTS)

    async def away(path: Path) -> str:
        if next(times, False):
            raise EngineFailure("the result could not be stored", retryable=True)
        return await save(path)

    job.save = away
    error = await failed(bench, job)
    assert error.retryable
    await bench.run(bench.job(document=job.document))
    assert bench.sim.submitted == 1


# Jobs that are taken back, or left.


async def for_ever(seconds: float) -> None:
    """Wait until the wait is called off."""
    del seconds
    await asyncio.Event().wait()


async def started(bench: Bench, pause: Pause | None = None) -> tuple[Drive, LocalRemoteJob]:
    """Order a job, see it as it is kept, and end the drive there."""
    job = bench.job()
    drive = bench.drive(job, pause)
    running = asyncio.create_task(drive.run())
    told = (lambda: bench.sim.jobs) if bench.case.answers else (lambda: job.notes)
    await seen(told, within_s=WITHIN_S)
    running.cancel()
    await asyncio.wait({running})
    return drive, job


async def test_a_job_is_cancelled_that_runs(bench: Bench) -> None:
    """By what was kept of it, and not before somebody says so; the hub alone cannot."""
    bench.sim.hold()
    drive, job = await started(bench)
    assert not bench.sim.job.cancelled
    await drive.stop()
    if bench.case is CASES["openai-picture"]:
        assert bench.sim.job.state == "queued"  # the client has gone, and that is all that can be done
    else:
        assert bench.sim.job.cancelled is (bench.case is not CASES["hub"])
    assert bench.sim.submitted == 1
    assert job.document == (job.kept[0] if bench.case.answers else None)  # what nobody answered is left for later


@these(LOOKED_AT)
async def test_a_job_is_cancelled_that_waits(bench: Bench) -> None:
    """Before it has cost anything."""
    bench.sim.looks = 9
    bench.sim.faults.add("socket", status(503))
    drive, job = await started(bench, for_ever)
    assert bench.sim.job.state == "queued"
    await drive.stop()
    assert (bench.sim.job.cancelled, bench.sim.submitted, job.document) == (True, 1, None)


@these(LOOKED_AT)
async def test_a_job_is_cancelled_whose_order_is_not_answered_yet(bench: Bench) -> None:
    """The answer is waited for, since it names the job."""
    event = threading.Event()
    bench.sim.hold()
    bench.sim.looks = 10**9
    bench.sim.faults.add("submit", delay(event))
    job = bench.job()
    drive = bench.drive(job, asyncio.sleep)
    running = asyncio.create_task(drive.run())
    await seen(lambda: bench.sim.submitted, within_s=WITHIN_S)
    running.cancel()
    stopping = asyncio.create_task(drive.stop())
    await asyncio.wait({running})
    assert not stopping.done()
    event.set()
    await stopping
    assert bench.sim.job.cancelled
    assert (bench.sim.submitted, job.document) == (1, None)


@pytest.mark.parametrize("fault", [hang_up(), status(503), status(409), leak()], ids=["hang", "503", "409", "leak"])
async def test_a_cancel_that_fails_harms_nothing(bench: Bench, fault: Fault) -> None:
    """What could not be cancelled is kept, for somebody else to try."""
    bench.sim.hold()
    job = bench.job()
    drive = bench.drive(job)
    running = asyncio.create_task(drive.run())
    await seen(lambda: bench.sim.jobs, within_s=WITHIN_S)
    running.cancel()
    bench.sim.faults.add("cancel", fault, times=4)
    await drive.stop()
    assert bench.sim.submitted == 1


@these(LOOKED_AT)
async def test_a_job_that_was_made_is_collected_by_the_next_worker(bench: Bench) -> None:
    """From what the one before kept: nothing is ordered again."""
    bench.sim.hold()
    _, job = await started(bench)
    bench.sim.release()
    made: Made = await bench.run(bench.job(document=job.document))
    assert next(iter(bench.last.saved)) in str(made.output.fields)
    assert (bench.sim.submitted, bench.sim.job.cancelled) == (1, False)


@these(ONCE)
async def test_an_order_that_may_have_been_made_is_not_made_by_the_next_worker(bench: Bench) -> None:
    """Where each one is paid for."""
    error = await failed(bench, bench.job(document={"key": "a-key"}))
    assert "order anew if you want to" in str(error)
    assert (error.retryable, bench.sim.submitted, bench.last.document) == (False, 0, None)


@these(["unitask", "comfyui", "cog"])
async def test_an_order_is_made_once_by_two_workers(bench: Bench) -> None:
    """The second knows the key alone."""
    await bench.run()
    assert bench.last.kept[0] is not None
    key = {"key": bench.last.kept[0]["key"]}
    await bench.run(bench.job(document=key))
    assert len({job.id for job in bench.sim.jobs}) == 1
    assert bench.sim.submitted == (2 if bench.engine.name == "cog" else 1)


@these(["cog"])
async def test_cog_is_asked_later_for_what_it_works_at_still(bench: Bench) -> None:
    """The first worker may be there yet."""
    bench.sim.hold()
    first = bench.job()
    running = asyncio.create_task(bench.drive(first).run())
    await seen(lambda: bench.sim.jobs, within_s=WITHIN_S)
    other = bench.drive(bench.job(document=first.document))
    second = asyncio.create_task(other.run())
    await seen(lambda: len(bench.sim.asked) > ASKED, within_s=WITHIN_S)
    assert not second.done()
    second.cancel()
    await other.settled()
    bench.sim.release()
    await running
    assert bench.sim.submitted == 1
