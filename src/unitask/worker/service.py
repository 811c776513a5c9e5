"""The worker's loop: heartbeat, claim, run, settle; drained on request."""

import asyncio
import contextlib
import logging
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from unitask.engines import installed
from unitask.kit.errors import Unavailable
from unitask.spec import protocol
from unitask.worker.attempt import Attempt, Reach, failed, run
from unitask.worker.client import ApiClient, Rejected
from unitask.worker.process import EngineProcess

_CLAIM_WAIT_S: Final = 20.0
_RETRY_S: Final = 1.0
_SETTLE_TRIES: Final = 60
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How a worker works. `slots`: tasks at the same time, each in its own process of at most `memory_bytes`."""

    api_url: str
    slots: int
    engines: tuple[str, ...]
    memory_bytes: int
    allow_private: bool
    models: Path


def usable_engines(allowed: tuple[str, ...] | None) -> tuple[str, ...]:
    """List the engines that have all they need here."""
    return tuple(
        sorted(
            name
            for name, engine in installed().items()
            if (allowed is None or name in allowed) and engine.missing() is None
        )
    )


class Worker:
    """Runs until `stop` is set, then finishes nothing new and gives back what it holds."""

    def __init__(self, client: ApiClient, options: Options) -> None:
        self._client = client
        self._options = options
        self._files_url = ""
        self._id = uuid4().hex
        self._name = f"{platform.node()}:{os.getpid()}"
        self._attempts: dict[tuple[str, int], Attempt] = {}
        self._unknown: set[tuple[str, int]] = set()
        self._free = asyncio.Semaphore(options.slots)
        self._idle: list[EngineProcess] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Work until asked to stop.

        Raises:
            Rejected: the API does not want this worker: most likely the token is wrong.

        """
        try:
            self._idle = [await EngineProcess.start(self._options.memory_bytes) for _ in range(self._options.slots)]
            await self._work(stop, await self._first_beat(stop))
        finally:
            for engine in self._idle:
                await engine.kill()

    async def _work(self, stop: asyncio.Event, pause_s: float) -> None:
        side: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._beat_forever(pause_s), name="heartbeat"),
            asyncio.create_task(self._claim_forever(), name="claim"),
        ]
        waiting: asyncio.Task[Any] = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait({*side, waiting}, return_when=asyncio.FIRST_COMPLETED)
            for task in side:
                if task.done():
                    task.result()
        finally:
            unfinished = list(self._attempts.values())
            for task in (*side, waiting):
                task.cancel()
            await asyncio.gather(*side, waiting, return_exceptions=True)
            await self._give_back(unfinished)

    async def _first_beat(self, stop: asyncio.Event) -> float:
        """Become known before the first claim: what an unknown worker holds is taken from it."""
        while not stop.is_set():
            try:
                return await self._beat()
            except Unavailable as error:
                log.info("waiting for the API: %s", error)
                await asyncio.sleep(_RETRY_S)
        return _RETRY_S

    async def _beat(self) -> float:
        known = list(self._attempts.values())
        answer = await self._client.beat(
            protocol.BeatRequest(
                worker_id=self._id,
                name=self._name,
                engines=list(self._options.engines),
                progress=[attempt.report() for attempt in known],
            )
        )
        self._files_url = answer.files_url
        held = {(one.task_id, one.attempt): one for one in answer.held}
        for attempt in known:
            if attempt.name not in held:
                attempt.lost = True
                attempt.cancel.set()
            elif held[attempt.name].cancel_requested:
                attempt.cancel.set()
        await self._disown(set(held))
        return answer.next_in_s

    async def _disown(self, held: set[tuple[str, int]]) -> None:
        """Report the attempts that the API counts as ours and that do not run here: the answer to a claim was lost.

        At the second sight only, for the answer may still be on its way.
        """
        unknown = held - self._attempts.keys()
        for task_id, attempt in unknown & self._unknown:
            failure = protocol.AttemptFailure(
                message="the worker lost track of the task",
                raw_message="the answer to a claim was lost",
                retryable=True,
            )
            report = protocol.SettleRequest(task_id=task_id, attempt=attempt, failure=failure)
            with contextlib.suppress(Unavailable, Rejected):
                await self._client.settle(report)
        self._unknown = unknown

    async def _beat_forever(self, pause_s: float) -> None:
        while True:
            await asyncio.sleep(pause_s)
            try:
                pause_s = await self._beat()
            except Unavailable as error:
                log.warning("no heartbeat: %s", error)
                pause_s = _RETRY_S

    async def _claim_forever(self) -> None:
        try:
            async with asyncio.TaskGroup() as running:
                await self._claim_into(running)
        except ExceptionGroup as group:
            raise group.exceptions[0] from group

    async def _claim_into(self, running: asyncio.TaskGroup) -> None:
        while True:
            await self._free.acquire()
            free = 1
            while not self._free.locked():
                await self._free.acquire()
                free += 1
            claimed = await self._claim(free)
            for _ in range(free - len(claimed)):
                self._free.release()
            for task in claimed:
                attempt = Attempt(task)
                self._attempts[attempt.name] = attempt
                running.create_task(self._attend(attempt), name=f"attempt-{task.task_id}")

    async def _claim(self, free: int) -> list[protocol.ClaimedTask]:
        try:
            return await self._client.claim(
                protocol.ClaimRequest(
                    worker_id=self._id, engines=list(self._options.engines), most=free, wait_s=_CLAIM_WAIT_S
                )
            )
        except Unavailable as error:
            log.warning("cannot claim: %s", error)
            await asyncio.sleep(_RETRY_S)
            return []

    async def _attend(self, attempt: Attempt) -> None:
        task = attempt.task
        extra = {
            "task_id": task.task_id,
            "attempt": task.attempt,
            "product": f"{task.model}/{task.task_type}",
        }
        log.info("started", extra=extra)
        try:
            attempt.end = report = await self._run(attempt)
            if attempt.lost:
                log.warning("lost to another worker", extra=extra)
            else:
                accepted = await self._settle(report)
                ended = report.failure.message if report.failure else "done"
                log.info(ended, extra={**extra, "accepted": accepted})
        finally:
            self._attempts.pop(attempt.name, None)
            self._free.release()

    async def _run(self, attempt: Attempt) -> protocol.SettleRequest:
        """Run an attempt; whatever is wrong with it or here costs this one attempt and no other."""
        try:
            engine = await self._engine()
            try:
                report = await run(attempt, engine, self._client, self._reach())
            except BaseException:
                await engine.kill()
                raise
        except Exception as error:
            log.exception("the worker could not run an attempt", extra={"task_id": attempt.task.task_id})
            what = f"{type(error).__name__}: {error}"[:500]
            return failed(attempt.task, "the worker could not run the task", raw_message=what, retryable=True)
        if engine.alive:
            self._idle.append(engine)
        return report

    def _reach(self) -> Reach:
        options = self._options
        return Reach(options.models, self._files_url, f"{options.api_url}/files/", options.allow_private)

    async def _engine(self) -> EngineProcess:
        while self._idle:
            engine = self._idle.pop()
            if engine.alive:
                return engine
        return await EngineProcess.start(self._options.memory_bytes)

    async def _settle(self, report: protocol.SettleRequest) -> bool:
        for _ in range(_SETTLE_TRIES):
            try:
                return await self._client.settle(report)
            except Rejected as error:
                return await self._settle_refused(report, error)
            except Unavailable as error:
                log.warning("cannot settle yet: %s", error, extra={"task_id": report.task_id})
                await asyncio.sleep(_RETRY_S)
        return False

    async def _settle_refused(self, report: protocol.SettleRequest, error: Rejected) -> bool:
        """End an attempt whose report the API cannot take, or it would count as running until its deadline."""
        log.error("the report was refused: %s", error, extra={"task_id": report.task_id})
        failure = protocol.AttemptFailure(
            message="the result could not be reported", raw_message=f"the report was refused: {error}"
        )
        plain = protocol.SettleRequest(task_id=report.task_id, attempt=report.attempt, failure=failure)
        with contextlib.suppress(Unavailable, Rejected):
            return await self._client.settle(plain)
        return False

    async def _give_back(self, unfinished: list[Attempt]) -> None:
        """Report what has ended here but for its report, and tell the API that the rest is free for others."""
        for attempt in unfinished:
            stopped = "the worker was stopped"
            report = attempt.end or failed(attempt.task, stopped, raw_message=stopped, given_back=True)
            with contextlib.suppress(Unavailable, Rejected):
                await self._client.settle(report)
