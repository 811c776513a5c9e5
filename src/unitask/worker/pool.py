"""Engine processes of one kind: claims for them, runs in them, replaces those that died."""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from unitask.kit.errors import Unavailable
from unitask.kit.log import about
from unitask.spec import protocol
from unitask.worker.attempt import Attempt, Reach, clear, failed, run
from unitask.worker.client import ApiClient
from unitask.worker.messages import Name
from unitask.worker.process import EngineProcess
from unitask.worker.report import Reports
from unitask.worker.storing import Storing

_CLAIM_WAIT_S: Final = 20.0
_RETRY_S: Final = 1.0
_LEAST_FREE_BYTES: Final = 2**20
IN_A_ROW: Final = 16
"""After so many tasks that were claimed with a preference for what is in memory, the next are claimed without it."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """What the processes of a pool are for. `together`: the most attempts that one is given at a time."""

    engines: tuple[str, ...]
    processes: int
    together: int = 1
    memory_bytes: int = 0
    device: str | None = None


@dataclass(slots=True)
class Held:
    """What the pools of a worker share: who it is at the API, how files are reached, the attempts that are its own."""

    worker_id: str
    client: ApiClient
    reports: Reports
    reach: Callable[[], Reach]
    attempts: dict[Name, Attempt] = field(default_factory=dict)
    storing: Storing = field(init=False)

    def __post_init__(self) -> None:
        self.storing = Storing(self.client)

    async def conclude(self, attempt: Attempt, report: protocol.SettleRequest) -> None:
        """Report the end of an attempt, unless another worker has the task."""
        if attempt.lost:
            log.warning("lost to another worker", extra=attempt.extra)
            attempt.spans.end("lost")
            return
        with attempt.spans.reporting(report) as span:
            accepted = await self.reports.settle(report.model_copy(update={"trace": span.trace}))
            span.set({"accepted": accepted})
        attempt.spans.end(None if accepted else "lost")
        ended = report.failure.message if report.failure else "done"
        log.info(ended, extra={**attempt.extra, "accepted": accepted})


class Pool:
    """Claims when a process is free, for tasks that wait here while another worker has a free one would wait longer."""

    def __init__(self, kind: Kind, held: Held) -> None:
        self.name = kind.device or "slots"
        self._kind = kind
        self._held = held
        self._free = asyncio.Semaphore(kind.processes)
        # While what one group made is being reported, its process has the next; further ones wait for the API.
        self._open = asyncio.Semaphore(2 * kind.processes)
        self._idle: list[EngineProcess] = []
        self._started: list[EngineProcess] = []
        self._claiming: asyncio.Task[list[protocol.ClaimedTask]] | None = None
        self._draining = False
        self._in_a_row = 0
        self._is_full = False

    @property
    def loaded(self) -> set[str]:
        """The model cards that its processes have in memory."""
        self._started = [engine for engine in self._started if engine.alive]
        return {card for engine in self._started for card in engine.loaded}

    def drain(self) -> None:
        """Claim nothing more; `work` returns when what runs has ended."""
        self._draining = True
        if self._claiming:
            self._claiming.cancel()

    async def open(self) -> None:
        """Start the processes, so that they are warm when the first task comes."""
        for _ in range(self._kind.processes):
            self._idle.append(await self._start())

    async def close(self) -> None:
        """End the processes."""
        for engine in self._idle:
            await engine.kill()

    async def work(self) -> None:
        """Claim and run until drained.

        Raises:
            Rejected: the API does not want this worker.

        """
        try:
            async with asyncio.TaskGroup() as running:
                await self._claim_into(running)
        except ExceptionGroup as group:
            raise group.exceptions[0] from group

    async def _claim_into(self, running: asyncio.TaskGroup) -> None:
        together = self._kind.together
        while not self._draining:
            free = await self._acquire()
            while not self._free.locked() and not self._open.locked():
                free += await self._acquire()
            claimed = await self._claim_unless_drained(free * together)
            attempts = [Attempt(task) for task in claimed]
            groups = [attempts[first : first + together] for first in range(0, len(attempts), together)]
            for _ in range(free - len(groups)):
                self._free.release()
                self._open.release()
            for group in groups:
                self._held.attempts |= {attempt.name: attempt for attempt in group}
                running.create_task(self._attend(group), name=f"attempts-{group[0].task.task_id}")

    async def _acquire(self) -> int:
        await self._open.acquire()
        await self._free.acquire()
        return 1

    async def _claim_unless_drained(self, most: int) -> list[protocol.ClaimedTask]:
        """Claim; of a claim that is broken off, the worker gives back what it may have brought."""
        if self._draining:
            return []
        self._claiming = asyncio.create_task(self._claim(most), name=f"claim-{self.name}")
        try:
            await asyncio.wait({self._claiming})
        finally:
            self._claiming.cancel()
        return [] if self._claiming.cancelled() else self._claiming.result()

    async def _claim(self, most: int) -> list[protocol.ClaimedTask]:
        if not self._has_room():
            await asyncio.sleep(_RETRY_S)
            return []
        loaded = self.loaded if self._in_a_row < IN_A_ROW else ()
        request = protocol.ClaimRequest(
            worker_id=self._held.worker_id,
            engines=list(self._kind.engines),
            loaded=sorted(loaded),
            most=most,
            wait_s=_CLAIM_WAIT_S,
        )
        try:
            claimed = await self._held.client.claim(request)
        except Unavailable as error:
            log.warning("cannot claim: %s", error)
            await asyncio.sleep(_RETRY_S)
            return []
        if claimed:
            self._in_a_row = self._in_a_row + len(claimed) if loaded else 0
        return claimed

    def _has_room(self) -> bool:
        """Whether an attempt can begin: on a full disk each would fail in no time, and the next task be claimed."""
        is_full = _free_bytes() < _LEAST_FREE_BYTES
        if is_full and not self._is_full:
            log.warning("the disk is full: no task is claimed until there is room in %s", tempfile.gettempdir())
        self._is_full = is_full
        return not is_full

    async def _attend(self, group: Sequence[Attempt]) -> None:
        """Run attempts in one process and report them; those that had not begun when it ended go on in the next."""
        left = group
        try:
            async with asyncio.TaskGroup() as reporting:
                try:
                    while left:
                        left = await self._serve(left, reporting)
                    for attempt in group:
                        if attempt.scratch:
                            await clear(attempt.scratch)
                finally:
                    self._free.release()
        finally:
            for attempt in group:
                self._held.attempts.pop(attempt.name, None)
            self._open.release()

    async def _serve(self, group: Sequence[Attempt], reporting: asyncio.TaskGroup) -> list[Attempt]:
        try:
            engine = await self._engine()
        except OSError as error:
            for attempt in group:
                reporting.create_task(self._conclude(attempt, _not_run(attempt, error)))
            return []
        for attempt in group:
            attempt.together = len(group)
        try:
            begun = await asyncio.gather(*(self._run(attempt, engine, reporting) for attempt in group))
        except BaseException:
            await engine.kill()
            raise
        self._idle.append(engine)
        return [attempt for attempt, has_begun in zip(group, begun, strict=True) if not has_begun]

    async def _run(self, attempt: Attempt, engine: EngineProcess, reporting: asyncio.TaskGroup) -> bool:
        """Run an attempt; whatever is wrong with it or here costs this one attempt. False: it has not begun."""
        try:
            with about(**attempt.extra):
                report = await run(attempt, engine, self._held.storing, self._held.reach())
        except Exception as error:
            log.exception("the worker could not run an attempt", extra=attempt.extra)
            report = _not_run(attempt, error)
        if report is None:
            return False
        reporting.create_task(self._conclude(attempt, report), name=f"report-{attempt.task.task_id}")
        return True

    async def _conclude(self, attempt: Attempt, report: protocol.SettleRequest) -> None:
        attempt.end = report
        try:
            await self._held.conclude(attempt, report)
        finally:
            self._held.attempts.pop(attempt.name, None)

    async def _engine(self) -> EngineProcess:
        while self._idle:
            engine = self._idle.pop()
            if engine.alive:
                return engine
            await engine.kill()
        return await self._start()

    async def _start(self) -> EngineProcess:
        engine = await EngineProcess.start(self._kind.memory_bytes, self._kind.device)
        self._started.append(engine)
        return engine


def _free_bytes() -> int:
    """Tell how much room attempts have for their files; whatever is wrong with the folder, they will say."""
    try:
        return shutil.disk_usage(tempfile.gettempdir()).free
    except OSError:
        return _LEAST_FREE_BYTES


def _not_run(attempt: Attempt, error: Exception) -> protocol.SettleRequest:
    what = f"{type(error).__name__}: {error}"[:500]
    return failed(attempt.task, "the worker could not run the task", raw_message=what, retryable=True)
