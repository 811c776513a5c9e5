"""One attempt from claim to report, whatever its engine does."""

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from unitask.kit import faults, tracing
from unitask.kit.errors import Unavailable
from unitask.spec import protocol
from unitask.worker import messages
from unitask.worker.client import Rejected
from unitask.worker.job import LIMIT_WARNINGS
from unitask.worker.process import EngineProcess, Seat
from unitask.worker.spans import Spans, loads
from unitask.worker.storing import Storing

CANCEL_GRACE_S: Final = 2.0
DEVICE_GRACE_S: Final = 120.0
"""A step of a large model, its loading and its decoding take long, and killing it throws away what the device holds."""
_LOOK_S: Final = 0.5
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reach:
    """How an engine process reaches files: clients name stored ones by `files_url`, we read them by `own_files_url`.

    `models` is the folder of the weights, `scratch` the one in which attempts get theirs.
    """

    models: Path
    scratch: Path
    files_url: str
    own_files_url: str
    allow_private: bool


@dataclass(slots=True)
class Stopwatch:
    """Where the seconds of an attempt go, by the clock `now`. `loading`: since when its engine reads weights."""

    now: Callable[[], float] = time.monotonic
    claimed: float = field(init=False)
    loading: float | None = None
    load_s: float = 0.0
    upload_s: float = 0.0

    def __post_init__(self) -> None:
        self.claimed = self.now()

    def hear(self, word: messages.Word) -> None:
        """Note when the reading of weights begins and ends."""
        now = self.now()
        if self.loading is not None:
            self.load_s += now - self.loading
        self.loading = now if loads(word) else None

    def read(self, began: float | None) -> protocol.Timings:
        """Tell what there is so far; all of it was waiting if the attempt never began."""
        start_s = (self.now() if began is None else began) - self.claimed
        return protocol.Timings(start_s=max(0.0, start_s), load_s=self.load_s, upload_s=self.upload_s)


@dataclass(slots=True)
class Attempt:
    """A claimed task while it is this worker's. `end`: what has to be reported of it, as soon as that is known.

    `together`: so many are given to a process at once, this among them. `warnings`: what is said of its files, beside
    what its engine says.

    `scratch` is its folder, made by its engine process when it is first needed: removed when the attempt ends, or by
    whoever runs attempts together when the last has ended.
    """

    task: protocol.ClaimedTask
    together: int = 1
    seat: Seat | None = None
    scratch: str | None = None
    fraction: float = 0.0
    note: str = ""
    watch: Stopwatch = field(default_factory=Stopwatch)
    cancel: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False
    warnings: list[str] = field(default_factory=list)
    end: protocol.SettleRequest | None = None
    spans: Spans = field(init=False)

    def __post_init__(self) -> None:
        self.spans = Spans(self.task)

    @property
    def name(self) -> messages.Name:
        """Task and attempt: what the API knows it by."""
        return messages.Name(self.task.task_id, self.task.attempt)

    @property
    def extra(self) -> dict[str, object]:
        """What the log says of it in every line."""
        task = self.task
        about = {"task_id": task.task_id, "attempt": task.attempt, "product": f"{task.model}/{task.task_type}"}
        trace_id = tracing.id_of(self.spans.trace)
        return about if trace_id is None else {**about, "trace_id": trace_id}

    def report(self) -> protocol.AttemptProgress:
        """Say how far it is."""
        return protocol.AttemptProgress(
            task_id=self.task.task_id,
            attempt=self.task.attempt,
            progress=self.fraction,
            note=self.note,
            waiting=self.seat is None or self.seat.began is None,
        )


async def clear(scratch: str) -> None:
    """Remove the folder of an attempt; most have none by now, or never had."""
    if os.path.exists(scratch):  # noqa: PTH110, ASYNC240 - a look at /tmp takes microseconds, a thread a hundred
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


def failed(task: protocol.ClaimedTask, message: str, **details: object) -> protocol.SettleRequest:
    """Build the report of a failure."""
    failure = protocol.AttemptFailure.model_validate({"message": message, **details})
    return protocol.SettleRequest(task_id=task.task_id, attempt=task.attempt, failure=failure)


async def run(attempt: Attempt, engine: EngineProcess, storing: Storing, reach: Reach) -> protocol.SettleRequest | None:
    """Run an attempt in an engine process; the process may be dead afterwards. None: it was, before the attempt began.

    Others may run in the process, and those that began with this one share its end if the process dies or is killed.
    """
    attempt.scratch = scratch = f"{reach.scratch}/{attempt.task.task_id}-{attempt.task.attempt}"
    try:
        with engine.seat(attempt.name) as attempt.seat:
            try:
                await engine.send(_order(attempt, scratch, reach))
                report = await _within_limits(attempt, attempt.seat, engine, storing)
                return report and report.model_copy(update={"timings": attempt.watch.read(attempt.seat.began)})
            except BaseException:
                await engine.kill()
                raise
    finally:
        # The engine may write into it as long as it makes others together with this one.
        if not (engine.alive and engine.runs_others(attempt.name)):
            await clear(scratch)


def _order(attempt: Attempt, scratch: str, reach: Reach) -> messages.Run:
    task = attempt.task
    return messages.Run(
        of=attempt.name,
        model=task.model,
        task_type=task.task_type,
        engine=task.engine,
        input=task.input,
        seconds_left=task.seconds_left,
        scratch=scratch,
        models=str(reach.models),
        files_url=reach.files_url,
        own_files_url=reach.own_files_url,
        allow_private=reach.allow_private,
        preview=task.preview,
        together=attempt.together,
        traced=attempt.spans.is_recorded,
    )


async def _within_limits(
    attempt: Attempt, seat: Seat, engine: EngineProcess, storing: Storing
) -> protocol.SettleRequest | None:
    """Wait for the end, the deadline or a cancel that is not obeyed, whichever comes first."""
    task = attempt.task
    listening = asyncio.create_task(_listen(attempt, seat, engine, storing), name=f"listen-{task.task_id}")
    cancelled = asyncio.create_task(_insist(attempt, seat, engine), name=f"cancel-{task.task_id}")
    overdue = asyncio.create_task(_overdue(task, seat, engine), name=f"deadline-{task.task_id}")
    watching = {listening, cancelled, overdue}
    try:
        done, _ = await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
        if listening in done:
            return listening.result()
        await engine.kill()
        if cancelled in done:
            return failed(task, "the task was cancelled", raw_message="the engine was killed after a cancel")
        limit = round(task.seconds_left)
        return failed(task, f"the engine did not finish within {limit} s", raw_message="attempt deadline passed")
    finally:
        for side_task in watching:
            side_task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


async def _overdue(task: protocol.ClaimedTask, seat: Seat, engine: EngineProcess) -> None:
    """Return when the attempt has had its time."""
    while True:
        left_s = engine.seconds_left(seat, task.seconds_left)
        if left_s <= 0:
            return
        await asyncio.sleep(min(left_s, _LOOK_S))


async def _insist(attempt: Attempt, seat: Seat, engine: EngineProcess) -> None:
    """Pass a cancel on; returns when the engine has had its time to obey and works for nobody else."""
    await attempt.cancel.wait()
    seat.wanted = False
    await engine.send(messages.Cancel(of=attempt.name))
    grace_s = DEVICE_GRACE_S if engine.device else 0 if attempt.lost else CANCEL_GRACE_S
    while True:
        await asyncio.sleep(grace_s)
        if not engine.runs_others(attempt.name, wanted=True):
            return
        grace_s = _LOOK_S


async def _listen(
    attempt: Attempt, seat: Seat, engine: EngineProcess, storing: Storing
) -> protocol.SettleRequest | None:
    task = attempt.task
    async for word in engine.words(seat):
        attempt.watch.hear(word)
        attempt.spans.hear(word)
        match word:
            case messages.Progress(fraction=fraction, note=note):
                attempt.fraction, attempt.note = fraction, note
            case messages.Save():
                since = attempt.watch.now()
                with attempt.spans.step("save") as span:
                    saved = await _store(attempt, storing, word)
                    span.set({"extension": word.extension, "is_saved": bool(saved.reference)})
                attempt.watch.upload_s += attempt.watch.now() - since
                await engine.send(saved)
            case messages.Show():
                await _show(task, storing, word)
            case messages.Done(output=output, level=level, measures=measures, warnings=warnings):
                return protocol.SettleRequest(
                    task_id=task.task_id,
                    attempt=task.attempt,
                    output=output,
                    level=level,
                    measures=measures,
                    warnings=[*warnings, *attempt.warnings][:LIMIT_WARNINGS],
                )
            case messages.Broke() as broke:
                if broke.spent:
                    await engine.ended()
                return _broken(task, broke)
            case messages.Started():
                log.info("started", extra=attempt.extra)
    how = await engine.ended()
    if seat.began is None and engine.proven:
        return None
    return failed(
        task,
        f"the engine's process ended unexpectedly ({how})",
        raw_message=f"engine {task.engine}: {how}",
        retryable=True,
    )


def _broken(task: protocol.ClaimedTask, broke: messages.Broke) -> protocol.SettleRequest:
    report = failed(
        task,
        broke.message[:2000],
        raw_message=broke.raw_message[:8000],
        number=broke.number,
        retryable=broke.retryable,
        of_input=broke.of_input,
    )
    return report.model_copy(update={"warnings": broke.warnings})


async def _store(attempt: Attempt, storing: Storing, word: messages.Save) -> messages.Saved:
    try:
        stored = await storing.store(attempt.task, Path(word.path), word.extension, word.said, word.inputs)
    except (Unavailable, Rejected, OSError) as error:
        return messages.Saved(of=attempt.name, reference="", why=str(error))
    if stored.warning and stored.warning not in attempt.warnings:
        attempt.warnings.append(stored.warning)
    faults.point("run.saved")
    return messages.Saved(of=attempt.name, reference=stored.reference)


async def _show(task: protocol.ClaimedTask, storing: Storing, word: messages.Show) -> None:
    """Send a preview: one that does not arrive is missed by nobody."""
    try:
        await storing.show(task, Path(word.path), word.extension, word.said, word.inputs)
    except (Unavailable, Rejected, OSError) as error:
        log.info("a preview was not shown: %s", error, extra={"task_id": task.task_id})
