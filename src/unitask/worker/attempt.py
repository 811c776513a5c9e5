"""One attempt from claim to report, whatever its engine does."""

import asyncio
import logging
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from unitask.kit import faults
from unitask.kit.errors import Unavailable
from unitask.spec import protocol
from unitask.worker import messages
from unitask.worker.client import ApiClient, Rejected
from unitask.worker.process import EngineProcess

CANCEL_GRACE_S: Final = 2.0
_UPLOAD_PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reach:
    """How an engine process reaches files: clients name stored ones by `files_url`, we read them by `own_files_url`.

    `models` is the folder of the weights.
    """

    models: Path

    files_url: str
    own_files_url: str
    allow_private: bool


@dataclass(slots=True)
class Attempt:
    """A claimed task while it is this worker's. `end`: what has to be reported of it, as soon as that is known."""

    task: protocol.ClaimedTask
    fraction: float = 0.0
    note: str = ""
    cancel: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False
    end: protocol.SettleRequest | None = None

    @property
    def name(self) -> tuple[str, int]:
        """Task and attempt: what the API knows it by."""
        return self.task.task_id, self.task.attempt

    def report(self) -> protocol.AttemptProgress:
        """Say how far it is."""
        return protocol.AttemptProgress(
            task_id=self.task.task_id, attempt=self.task.attempt, progress=self.fraction, note=self.note
        )


def failed(task: protocol.ClaimedTask, message: str, **details: object) -> protocol.SettleRequest:
    """Build the report of a failure."""
    failure = protocol.AttemptFailure.model_validate({"message": message, **details})
    return protocol.SettleRequest(task_id=task.task_id, attempt=task.attempt, failure=failure)


async def run(attempt: Attempt, engine: EngineProcess, client: ApiClient, reach: Reach) -> protocol.SettleRequest:
    """Run an attempt in an engine process; the process may be dead afterwards."""
    scratch = Path(tempfile.mkdtemp(prefix="unitask-"))
    task = attempt.task
    try:
        await engine.send(
            messages.Run(
                task_id=task.task_id,
                model=task.model,
                task_type=task.task_type,
                engine=task.engine,
                input=task.input,
                seconds_left=task.seconds_left,
                scratch=str(scratch),
                models=str(reach.models),
                files_url=reach.files_url,
                own_files_url=reach.own_files_url,
                allow_private=reach.allow_private,
            )
        )
        return await _within_limits(attempt, engine, client)
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


async def _within_limits(attempt: Attempt, engine: EngineProcess, client: ApiClient) -> protocol.SettleRequest:
    """Wait for the end, the deadline or a cancel that is not obeyed, whichever comes first."""
    task = attempt.task
    listening = asyncio.create_task(_listen(attempt, engine, client), name=f"listen-{task.task_id}")
    cancelled = asyncio.create_task(_insist(attempt, engine), name=f"cancel-{task.task_id}")
    try:
        done, _ = await asyncio.wait(
            {listening, cancelled}, timeout=max(0.0, task.seconds_left), return_when=asyncio.FIRST_COMPLETED
        )
        if listening in done:
            return listening.result()
        await engine.kill()
        if cancelled in done:
            return failed(task, "the task was cancelled", raw_message="the engine was killed after a cancel")
        limit = round(task.seconds_left)
        return failed(task, f"the engine did not finish within {limit} s", raw_message="attempt deadline passed")
    finally:
        for side_task in (listening, cancelled):
            side_task.cancel()
        await asyncio.gather(listening, cancelled, return_exceptions=True)


async def _insist(attempt: Attempt, engine: EngineProcess) -> None:
    """Pass a cancel on; returns when the engine has had its time to obey."""
    await attempt.cancel.wait()
    await engine.send(messages.Cancel())
    await asyncio.sleep(0 if attempt.lost else CANCEL_GRACE_S)


async def _listen(attempt: Attempt, engine: EngineProcess, client: ApiClient) -> protocol.SettleRequest:
    task = attempt.task
    async for word in engine.words():
        match word:
            case messages.Progress(fraction=fraction, note=note):
                attempt.fraction, attempt.note = fraction, note
            case messages.Save(path=path, extension=extension):
                await engine.send(await _store(task, client, Path(path), extension))
            case messages.Done(output=output, measures=measures, warnings=warnings):
                return protocol.SettleRequest(
                    task_id=task.task_id,
                    attempt=task.attempt,
                    output=output,
                    measures=measures,
                    warnings=warnings,
                )
            case messages.Broke() as broke:
                if broke.spent:
                    await engine.kill()
                report = failed(
                    task,
                    broke.message[:2000],
                    raw_message=broke.raw_message[:8000],
                    number=broke.number,
                    retryable=broke.retryable,
                )
                return report.model_copy(update={"warnings": broke.warnings})
    how = await engine.ended()
    return failed(
        task,
        f"the engine's process ended unexpectedly ({how})",
        raw_message=f"engine {task.engine}: {how}",
        retryable=True,
    )


async def _store(task: protocol.ClaimedTask, client: ApiClient, path: Path, extension: str) -> messages.Saved:
    try:
        reference = await _upload(task, client, path, extension)
    except (Unavailable, Rejected, OSError) as error:
        return messages.Saved(reference="", why=str(error))
    faults.point("run.saved")
    return messages.Saved(reference=reference)


async def _upload(task: protocol.ClaimedTask, client: ApiClient, path: Path, extension: str) -> str:
    """Upload with patience: an API that is being restarted must not cost the work of an hour."""
    for pause_s in _UPLOAD_PAUSES_S:
        try:
            return await client.upload(task.task_id, task.attempt, path, extension)
        except Unavailable as error:
            log.warning("cannot upload yet: %s", error, extra={"task_id": task.task_id})
            await asyncio.sleep(pause_s)
    return await client.upload(task.task_id, task.attempt, path, extension)
