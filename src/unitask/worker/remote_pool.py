"""The jobs of one provider: claims for it while it is well, drives them side by side, leaves it alone while it is not.

Nothing is computed here, so all jobs share the worker's own process: see decision record 0036.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from unitask.catalogue import Catalogue
from unitask.kit.errors import (
    EngineFailure,
    JobFailed,
    ProviderAway,
    TaskFailure,
    Unavailable,
    UnitaskError,
)
from unitask.kit.log import about
from unitask.remote.access import Access
from unitask.remote.drive import Drive
from unitask.spec import protocol
from unitask.spec.product import Recipe
from unitask.spec.remote import Made, Provider, RemoteEngine
from unitask.worker.attempt import Attempt, Reach, clear, failed
from unitask.worker.pool import Held
from unitask.worker.process import Seat
from unitask.worker.remote_job import RemoteAttempt
from unitask.worker.sources import Sources

_CLAIM_WAIT_S: Final = 20.0
_RETRY_S: Final = 1.0
_LOOK_S: Final = 0.5
_OPEN_S: Final = 2.0
_LOOK_EVERY_S: Final = 600.0
_CLEAR_AGAIN_S: Final = 5.0
_STOP_S: Final = 25.0
_A_TENTH: Final = 0.1
log = logging.getLogger(__name__)


class RemotePool:
    """Satisfies what the worker wants of a pool. `allow_private`: see `unitask.kit.net.Guard`."""

    def __init__(
        self, provider: Provider, engine: RemoteEngine, held: Held, catalogue: Catalogue, *, allow_private: bool
    ) -> None:
        self.name = provider.name
        self.loaded: set[str] = set()
        self._access = Access(provider, engine, allow_private=allow_private)
        self.breaker = self._access.breaker
        self._engine = engine
        self._held = held
        self._catalogue = catalogue
        self._free = asyncio.Semaphore(provider.at_once)
        self._claiming: asyncio.Task[list[protocol.ClaimedTask]] | None = None
        self._draining = False
        self._look_at = 0.0
        self._clear_at = 0.0
        self.lacking: dict[str, str] = {}
        """The products that it cannot make at present, with the reason."""

    @property
    def health(self) -> protocol.ProviderHealth:
        """Say how the provider is found."""
        latency_s = self.breaker.latency_s
        return protocol.ProviderHealth(
            provider=self.name,
            engine=self._engine.name,
            state=self.breaker.state,
            failures=self.breaker.failures,
            latency_ms=None if latency_s is None else round(1000 * latency_s, 1),
            why=self.breaker.why[:300],
        )

    async def open(self) -> None:
        """Look whether the provider is there, before anything is claimed for it; a slow one holds up nobody."""
        self.breaker.doubt()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_OPEN_S):
                await self._try()

    async def close(self) -> None:
        """Close the connections."""
        await self._access.close()

    def drain(self) -> None:
        """Claim nothing more; `work` returns when what runs has ended."""
        self._draining = True
        if self._claiming:
            self._claiming.cancel()

    async def work(self) -> None:
        """Claim and run until drained.

        Raises:
            Rejected: the API does not want this worker.

        """
        try:
            async with asyncio.TaskGroup() as running:
                while not self._draining:
                    await self._claim_into(running)
        except ExceptionGroup as group:
            raise group.exceptions[0] from group

    async def clear(self, left: protocol.Leftover) -> bool:
        """Cancel a job whose task has ended without it; False if that could not be done yet."""
        task_is_own = bool(left.remote.get("own_key"))
        is_up = task_is_own or self.breaker.state == "up"
        if not is_up or time.monotonic() < self._clear_at:
            return False
        if (left.own_key is None) if task_is_own else not self._access.has_key:
            log.warning("a job is left to itself: its key was taken back", extra={"task_id": left.task_id})
            return True
        try:
            async with asyncio.timeout(_CLAIM_WAIT_S):
                calls = self._access.calls(left.own_key if task_is_own else None, counts=False)
                await self._engine.cancel(calls, left.remote.get("job", left.remote))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
            self._clear_at = time.monotonic() + _CLEAR_AGAIN_S
            log.warning("a job could not be cancelled yet: %s", error, extra={"task_id": left.task_id})
            return False
        return True

    async def _claim_into(self, running: asyncio.TaskGroup) -> None:
        if self.breaker.state != "up":
            await asyncio.sleep(min(_LOOK_S, self.breaker.pause_s))
            if self.breaker.state == "trying":
                await self._try()
            return
        if time.monotonic() >= self._look_at:
            await self._look_around()
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
            self._held.attempts[attempt.name] = attempt
            running.create_task(self._attend(attempt), name=f"remote-{task.task_id}")

    async def _try(self) -> None:
        """Ask the provider for something that costs nothing; one that does not answer well is left alone.

        Where only accounts have keys nothing can be asked: their next task shows how it is.
        """
        if not self._access.has_key:
            self.breaker.trust()
            return
        try:
            await self._engine.ping(self._access.calls())
            log.info("the provider %s is there", self.name)
        except Exception as error:  # noqa: BLE001 - one that answers anything is not there
            why = error.raw_message if isinstance(error, EngineFailure) else f"{type(error).__name__}: {error}"
            self.breaker.trip(why)
            log.warning("the provider %s is left alone for a while: %s", self.name, why)

    async def _look_around(self) -> None:
        """Ask now and then what the provider lacks: what it cannot make is not offered."""
        self._look_at = time.monotonic() + _LOOK_EVERY_S
        products = [one for one in self._catalogue if any(recipe.engine == self.name for recipe in one.recipes)]
        try:
            async with asyncio.timeout(_CLAIM_WAIT_S):
                found = await self._engine.missing(self._access.calls(), products) if self._access.has_key else {}
        except Exception as error:  # noqa: BLE001 - it is asked again
            log.info("what the provider %s lacks is not known: %s", self.name, error)
            return
        for product in sorted(found.keys() - self.lacking.keys()):
            log.warning("the provider %s cannot make %s: %s", self.name, product, found[product])
        self.lacking = found

    async def _claim(self, most: int) -> list[protocol.ClaimedTask]:
        """Claim while the provider is well; of a claim that is broken off, the worker gives back what it may bring."""
        request = protocol.ClaimRequest(
            worker_id=self._held.worker_id, engines=[self.name], most=most, wait_s=_CLAIM_WAIT_S
        )
        if self._draining:
            return []
        self._claiming = asyncio.create_task(self._held.client.claim(request), name=f"claim-{self.name}")
        try:
            while not (await asyncio.wait({self._claiming}, timeout=_LOOK_S))[0]:
                if self.breaker.state != "up":
                    self._claiming.cancel()
            return [] if self._claiming.cancelled() else self._claiming.result()
        except Unavailable as error:
            log.warning("cannot claim: %s", error)
            await asyncio.sleep(_RETRY_S)
            return []
        finally:
            self._claiming.cancel()

    async def _attend(self, attempt: Attempt) -> None:
        attempt.seat = Seat(began=time.monotonic())
        attempt.spans.run()
        try:
            report = await self._report(attempt)
            attempt.end = report.model_copy(update={"timings": attempt.watch.read(attempt.seat.began)})
            await self._held.conclude(attempt, attempt.end)
        finally:
            self._held.attempts.pop(attempt.name, None)
            self._free.release()
            if attempt.scratch:
                await clear(attempt.scratch)

    async def _report(self, attempt: Attempt) -> protocol.SettleRequest:
        """Run an attempt; whatever is wrong with it or here costs this one attempt."""
        try:
            with about(**attempt.extra):
                reach = self._held.reach()
                attempt.scratch = f"{reach.scratch}/{attempt.task.task_id}-{attempt.task.attempt}"
                job = self._job(attempt, reach)
                without_key = self._without_key(attempt, job)
                return without_key or await self._within_limits(attempt, Drive(self._engine, job), job)
        except Exception as error:
            if not isinstance(error, UnitaskError):
                log.exception("the worker could not run an attempt", extra=attempt.extra)
            what = f"{type(error).__name__}: {error}"[:500]
            return failed(attempt.task, "the worker could not run the task", raw_message=what, retryable=True)

    def _without_key(self, attempt: Attempt, job: RemoteAttempt) -> protocol.SettleRequest | None:
        """Refuse an attempt for which a key is wanted that is not there; no other key is used in its place."""
        task = attempt.task
        if task.has_lost_key:
            lost = f"your own key for {self.name} cannot be read any more: give it again or take it back"
            return failed(task, lost, raw_message="UNITASK_SECRET has changed since the key was given")
        if task.own_key is None and job.with_own_key:
            gone = f"the job at {self.name} was made with your own key, which was taken back since"
            return failed(task, gone, raw_message="no own key any more")
        if task.own_key is None and any(one.own_key_only for one in self._recipes(job)):
            gone = f"{self.name} serves accounts that left their own key, and yours was taken back"
            return failed(task, gone, raw_message="no own key any more", elsewhere=True)
        return None

    def _job(self, attempt: Attempt, reach: Reach) -> RemoteAttempt:
        """Build the job; one that was made already goes on with the key that it was made with."""
        kept = attempt.task.remote
        is_own = attempt.task.own_key is not None if kept is None else bool(kept.get("own_key"))
        product = self._catalogue.find(attempt.task.model, attempt.task.task_type)
        sources = Sources(
            files_url=reach.files_url, own_files_url=reach.own_files_url, allow_private=reach.allow_private
        )
        return RemoteAttempt(
            attempt,
            product=product,
            inputs=product.input.model_validate(attempt.task.input),
            calls=self._access.calls(attempt.task.own_key if is_own else None, trace=attempt.spans.trace),
            client=self._held.client,
            storing=self._held.storing,
            sources=sources,
            scratch=Path(f"{reach.scratch}/{attempt.task.task_id}-{attempt.task.attempt}"),
            with_own_key=is_own,
        )

    async def _within_limits(self, attempt: Attempt, drive: Drive, job: RemoteAttempt) -> protocol.SettleRequest:
        """Wait for the end, the deadline or a cancel; a job of a lost attempt is its next worker's."""
        log.info("started", extra=attempt.extra)
        running = asyncio.create_task(drive.run(), name=f"drive-{job.task_id}")
        cancelled = asyncio.create_task(attempt.cancel.wait(), name=f"cancel-{job.task_id}")
        limit_s = attempt.task.seconds_left
        # What runs past its time is cancelled there while the attempt still counts.
        until_s = limit_s - min(_STOP_S, _A_TENTH * limit_s)
        try:
            await asyncio.wait({running, cancelled}, timeout=until_s, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                return self._ended(attempt, job, running)
            await _end(running)
            if not attempt.lost:
                await drive.stop()
            if cancelled.done():
                return failed(attempt.task, "the task was cancelled", raw_message="cancelled at the provider")
            why = f"the provider {self.name} did not finish within {round(limit_s)} s"
            return failed(attempt.task, why, raw_message="attempt deadline passed", elsewhere=True)
        finally:
            cancelled.cancel()
            await _end(running)
            await drive.settled()

    def _ended(self, attempt: Attempt, job: RemoteAttempt, running: asyncio.Task[Made]) -> protocol.SettleRequest:
        try:
            made = running.result()
        except TaskFailure as error:
            report = failed(
                attempt.task,
                job.calls.clean(str(error))[:2000],
                raw_message=job.calls.clean(error.raw_message)[:8000],
                number=error.number,
                retryable=error.retryable,
                of_input=error.of_input,
                elsewhere=isinstance(error, JobFailed),
                away=isinstance(error, ProviderAway),
            )
            return report.model_copy(update={"warnings": job.warnings})
        return protocol.SettleRequest(
            task_id=attempt.task.task_id,
            attempt=attempt.task.attempt,
            output=made.output.fields,
            level=made.level,
            measures=dict(made.output.measures),
            warnings=job.warnings,
            cost_points=0 if job.with_own_key else self._cost(job, made),
            own_key=job.with_own_key,
        )

    def _cost(self, job: RemoteAttempt, made: Made) -> int | None:
        """Tell what a task cost the operator: what the provider says, else by the operator's list."""
        if made.cost_points is not None:
            return made.cost_points
        each = next((one.cost_points for one in self._recipes(job)), None)
        if each is None:
            return None
        price = job.product.price
        measured = made.output.measures.get(price.unit)
        return round(each * (price.units(job.inputs) if measured is None else measured))

    def _recipes(self, job: RemoteAttempt) -> Iterable[Recipe]:
        return (one for one in job.product.recipes if one.engine == self.name)


async def _end(task: asyncio.Task[Made]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task
