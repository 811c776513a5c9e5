"""The one way in which every remote engine makes a task: submit once, follow, collect, cancel.

    keep {"key"}  ->  submit  ->  keep {"key", "job"}  ->  look, look, ...  ->  collect

What is kept is committed before the next step is taken, so that whoever has the task next goes on where this one was:
a job that was made is found again, and an order whose fate is unknown is sent again only where it makes no second job.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, Protocol, TypeVar

from unitask.kit.errors import (
    EngineFailure,
    JobFailed,
    JobLost,
    ProviderAway,
    ProviderRefused,
    ProviderUnsure,
    TaskFailure,
)
from unitask.spec.remote import Document, Look, Made, RemoteEngine, RemoteJob, WatchingEngine

_FIRST_LOOK_S: Final = 0.5
_LATEST_LOOK_S: Final = 15.0
_A_TENTH: Final = 0.1
_AWAY_S: Final = 300.0
"""How long a provider may be silent about a job that it has."""
COLLECTS: Final = 20
"""How often a result that is there is asked for, before that is left to the next attempt."""
_STOP_S: Final = 10.0
_DOUBTS_S: Final = (1.0, 4.0, 15.0, 40.0)
"""Waits before one is asked again who knows of no such job: it may be a proxy on the way that says so."""
_GONE: Final = frozenset({404, 405, 501})
_ABSENT: Final = frozenset({404, 405, 410})
_NOT_UNDERSTOOD: Final = (AttributeError, IndexError, KeyError, TypeError)
"""What comes of reading an answer that has not the form of one."""
T = TypeVar("T")
log = logging.getLogger(__name__)


class _NotStored(EngineFailure):
    """What was made could not be stored, for a reason of ours."""


class Attended(RemoteJob, Protocol):
    """What the drive needs of a job beside what its engine does. `document`: what an earlier attempt kept."""

    document: Document | None

    async def keep(self, document: Document | None) -> None:
        """Commit what is known of the provider's job; None: there is none any more.

        Raises:
            Lost: another worker has the task.

        """

    async def progress(self, fraction: float | None, note: str) -> None:
        """Report how far the job is."""


class Drive:
    """One attempt at one provider. `pause` waits; cancelling `run` leaves the job there, which `stop` ends."""

    def __init__(
        self, engine: RemoteEngine, job: Attended, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._engine = engine
        self._job = job
        self._pause = pause
        self._provider = job.calls.provider
        self._submitting: asyncio.Task[Document] | None = None
        self._news = asyncio.Event()

    async def run(self) -> Made:
        """Make the task.

        Raises:
            ProviderAway: the provider cannot serve, and has nothing of the order.
            TaskFailure: it ended otherwise; `retryable` says whether another attempt may do better.

        """
        document = await self._document()
        try:
            result = await self._follow(document["job"])
            return await self._collected(document["job"], result)
        except ProviderRefused as error:
            await self._let_go(document["job"])
            if error.answered in {403, 404, 410}:
                raise self._lost("its result was not there any more when it was fetched") from error
            raise
        except JobLost as error:
            await self._let_go(document["job"])
            raise self._lost("it does not know its job any more") from error
        except ProviderAway as error:
            # The job may be there still: if the next attempt is by this provider, it asks for it first.
            raise JobFailed(str(error), raw_message=error.raw_message, retryable=True) from error
        except _NotStored as error:
            raise EngineFailure(str(error), raw_message=error.raw_message, retryable=True) from error
        except TaskFailure:
            await self._job.keep(None)
            raise

    async def stop(self) -> None:
        """Cancel the provider's job, if there is one, and forget it; what may be there is left for later."""
        document = await self.settled()
        if not document:
            return
        try:
            async with asyncio.timeout(_STOP_S):
                await self._engine.cancel(self._job.calls, document.get("job", document))
        except (EngineFailure, TimeoutError) as error:
            log.warning("a job could not be cancelled yet: %s", error, extra={"task_id": self._job.task_id})
            return
        if "job" in document:
            await self._job.keep(None)
        else:
            log.warning("it is not known whether an order has arrived", extra={"task_id": self._job.task_id})

    async def _let_go(self, job: Document) -> None:
        """Cancel a job of which nothing more is hoped, for it may be there all the same, and forget it.

        Where that cannot be done now, what is kept of one that was paid for is left for later.
        """
        try:
            async with asyncio.timeout(_STOP_S):
                await self._engine.cancel(self._job.calls, job)
        except (EngineFailure, TimeoutError) as error:
            log.warning("a job may be there still: %s", error, extra={"task_id": self._job.task_id})
            if self._provider.paid:
                return
        await self._job.keep(None)

    async def settled(self) -> Document | None:
        """Wait a while until an order that is on its way has arrived and was kept, and end it; gives what is kept."""
        if self._submitting and not self._submitting.done():
            waiting = asyncio.ensure_future(self._pause(_STOP_S))
            await asyncio.wait({self._submitting, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            self._submitting.cancel()
        return self._job.document

    async def _document(self) -> Document:
        kept = self._job.document
        if kept and "job" in kept:
            return kept
        if kept and not await self._may_repeat():
            await self._job.keep(None)
            raise EngineFailure(
                f"contact with the provider {self._provider.name} was lost while it was sent the order; it may have "
                "made it, so that it was not sent again; order anew if you want to",
                raw_message="the worker ended between the order and its answer",
            )
        request = await self._prepared()
        key = kept["key"] if kept else f"{self._job.task_id}-{self._job.attempt}"
        await self._job.keep(self._noted(key))
        self._submitting = asyncio.create_task(self._submit(request, key), name=f"submit-{self._job.task_id}")
        return await asyncio.shield(self._submitting)

    def _noted(self, key: str) -> Document:
        """Write down that something may be at the provider; what is `free` may be left there for another engine."""
        return {"key": key} if self._provider.paid else {"key": key, "free": True}

    async def _prepared(self) -> Any:
        try:
            return await self._engine.prepare(self._job)
        except ProviderUnsure as error:
            # What may have arrived there is a file, and no order.
            raise self._job.calls.away(error.raw_message) from error

    async def _may_repeat(self) -> bool:
        """Tell whether an order whose fate is unknown may be sent again."""
        return not self._provider.paid or await self._engine.repeats(self._job.calls)

    async def _submit(self, request: Any, key: str) -> Document:
        try:
            job = await self._ordered(request, key)
        except ProviderUnsure as error:
            if error.answered and not self._provider.paid:
                await self._job.keep(None)
                raise JobFailed(str(error), raw_message=error.raw_message, retryable=True) from error
            if await self._may_repeat():
                raise EngineFailure(str(error), raw_message=error.raw_message, retryable=True) from error
            await self._job.keep(None)
            # What broke is asked no second time, and another may be; of silence nothing can be known.
            kind = JobFailed if error.answered else EngineFailure
            raise kind(
                f"{error} while it was sent the order; it may have made it, so that it was not sent again",
                raw_message=error.raw_message,
            ) from error
        except ProviderRefused as error:
            await self._job.keep(None)
            if error.answered in _GONE:
                raise JobFailed(
                    f"the provider {self._provider.name} does not offer this", raw_message=error.raw_message
                ) from error
            raise
        except TaskFailure:
            await self._job.keep(None)
            raise
        document = self._noted(key) | {"job": job}
        try:
            await self._job.keep(document)
        except BaseException:
            # Nobody else can know of this job, but where another attempt finds it by the key.
            if not await self._may_repeat():
                await self._engine.cancel(self._job.calls, job)
            raise
        return document

    async def _ordered(self, request: Any, key: str) -> Document:
        try:
            job = await self._read(self._engine.submit(self._job, request, key))
        except (ProviderAway, ProviderUnsure) as error:
            self._job.calls.ordered(error.raw_message)
            raise
        except ProviderRefused:
            self._job.calls.ordered()
            raise
        self._job.calls.ordered()
        return job

    async def _read(self, reading: Awaitable[T]) -> T:
        """Wait for what an engine reads in an answer.

        Raises:
            ProviderUnsure: it has not the form that it should have.

        """
        try:
            return await reading
        except _NOT_UNDERSTOOD as error:
            log.exception("an answer is not understood", extra={"task_id": self._job.task_id})
            why = self._job.calls.clean(f"{type(error).__name__}: {error}")
            sentence = f"the provider {self._provider.name} gave an answer that is not understood"
            raise ProviderUnsure(sentence, raw_message=why) from error

    async def _collected(self, document: Document, result: Any) -> Made:
        """Fetch and store what was made, with patience: it is there, and was perhaps paid for."""
        why: EngineFailure | None = None
        for number in range(COLLECTS):
            try:
                return await self._read(self._engine.collect(self._job, document, result))
            except JobFailed:
                raise
            except ProviderUnsure as error:
                raise JobFailed(str(error), raw_message=error.raw_message) from error
            except EngineFailure as error:
                if not error.retryable:
                    raise
                why = error
            await self._pause(min(_LATEST_LOOK_S, 2.0**number))
        # The next attempt takes it from there.
        raise _NotStored(str(why), raw_message=why.raw_message if why else "") from why

    async def _follow(self, document: Document) -> Any:
        began = heard = time.monotonic()
        doubts = iter(_DOUBTS_S)
        watching = self._watch(document)
        try:
            while True:
                soon_s = None
                self._news.clear()  # what is heard during the look counts: it may have come too early for it
                try:
                    look = await self._read(self._engine.look(self._job, document))
                    heard, doubts = time.monotonic(), iter(_DOUBTS_S)
                    if look.state == "done":
                        return look.result
                    await self._tell(look)
                    soon_s = look.soon_s
                except (ProviderRefused, JobLost) as error:
                    soon_s = self._doubted(error, doubts)
                except (ProviderAway, ProviderUnsure) as error:
                    if time.monotonic() - heard > _AWAY_S:
                        raise self._job.calls.away(error.raw_message) from error
                usual_s = min(_LATEST_LOOK_S, max(_FIRST_LOOK_S, _A_TENTH * (time.monotonic() - began)))
                await self._wait(usual_s if soon_s is None else soon_s)
        finally:
            if watching:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    def _doubted(self, error: ProviderRefused | JobLost, doubts: Iterator[float]) -> float:
        """Tell when one is asked again who refuses a look; what it says plainly, or to the last, is believed."""
        refused = error if isinstance(error, ProviderRefused) else error.__cause__
        if not isinstance(refused, ProviderRefused):
            raise error  # the engine knows it without asking
        is_absent = isinstance(error, JobLost) or error.answered in _ABSENT
        again_s = next(doubts, None) if is_absent or not refused.is_plain else None
        if again_s is not None:
            log.info("it is asked again: %s", error, extra={"task_id": self._job.task_id})
            return again_s
        if is_absent:
            raise JobLost(str(error), raw_message=error.raw_message) from error
        raise error

    async def _wait(self, seconds: float) -> None:
        """Wait until the next look is due, or until there is news."""
        waiting = [asyncio.ensure_future(self._pause(seconds)), asyncio.ensure_future(self._news.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    def _watch(self, document: Document) -> asyncio.Task[None] | None:
        if not isinstance(self._engine, WatchingEngine):
            return None
        return asyncio.create_task(self._listen(self._engine, document), name=f"watch-{self._job.task_id}")

    async def _listen(self, engine: WatchingEngine, document: Document) -> None:
        async for look in engine.watch(self._job, document):
            if look.state == "done":
                self._news.set()
            else:
                await self._tell(look)

    async def _tell(self, look: Look) -> None:
        where = "waiting at" if look.state == "waiting" else "running at"
        note = look.note or f"{where} {self._provider.name}"
        await self._job.progress(look.fraction, self._job.calls.clean(note))

    def _lost(self, why: str) -> EngineFailure:
        """Say that a job that was made brings no result; one that was paid for is not made a second time."""
        name = self._provider.name
        return JobFailed(f"the provider {name} lost the job: {why}", retryable=not self._provider.paid)
