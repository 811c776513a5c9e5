"""The process's own sender: claims what is due, posts it, writes down what came of it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final

from unitask.db import Database, Group, Transaction
from unitask.kit import faults, tracing
from unitask.kit.bell import heard
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import Unavailable, UnitaskError
from unitask.kit.log import about
from unitask.kit.meters import FAST_S, Counter, Histogram
from unitask.kit.net import Guard, Poster, host_and_port
from unitask.webhooks import repository
from unitask.webhooks.lanes import Lanes
from unitask.webhooks.model import DUE, FINAL, Attempt, Delivery, Message, Report, State, wait_us
from unitask.webhooks.post import GONE, post

Messages = Callable[[Iterable[str]], Awaitable[dict[str, Message]]]
"""Makes what the deliveries of these tasks carry, by task id."""
PLACES: Final = 256
_HOSTS: Final = 200
_POLL_S: Final = 1.0
_LOOK_S: Final = 0.005
_END_S: Final = 2.0
_CLAIM_US: Final = 30 * SECOND_US
_DAY_US: Final = 24 * 3600 * SECOND_US
_DISABLE_US: Final = 5 * _DAY_US
ATTEMPTS: Final = Counter(
    "unitask_webhook_attempts_total",
    "Posts that this process made: delivered, refused by an answer other than 2xx, or unanswered.",
    ("outcome",),
)
ENDED: Final = Counter(
    "unitask_webhooks_ended_total",
    "Webhook messages that this process is done with: delivered, exhausted, gone, disabled or dropped.",
    ("state",),
)
SECONDS: Final = Histogram("unitask_webhook_seconds", "How long receivers took to answer, or did not.", FAST_S)
log = logging.getLogger(__name__)


class Deliverer:
    """Sends what is owed, at least once. Every process has one; a claim keeps them apart.

    A place is taken from the claim until the result is durable, a lane only while the post is under way. What is
    under way when the process dies is sent again, under the same id, when its claim has run out.
    """

    def __init__(self, database: Database, clock: Clock, guard: Guard, messages: Messages) -> None:
        self._database = database
        self._clock = clock
        self._guard = guard
        self._messages = messages
        self._lanes = Lanes()
        self._after = ""
        self._sending: set[asyncio.Task[None]] = set()
        self._taking = False
        self._crowded = False
        self._wake = asyncio.Event()
        self._reports: Group[Report, bool] = Group.of_writes(database, self._report_many)

    async def round(self) -> int:
        """Send what is due and wait for the end of it; returns how many."""
        async with self._guard.poster(limit_connections=PLACES) as poster:
            found = await self._claim()
            await self._send(found, poster)
            await asyncio.gather(*self._sending)
        return len(found)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send until left; what is under way then has two seconds more."""
        await self._database.listen(DUE, self._wake.set)
        async with self._guard.poster(limit_connections=PLACES) as poster:
            task = asyncio.create_task(self._forever(poster), name="deliverer")
            try:
                yield
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                await self._end()

    async def tried(self, within_s: float) -> bool:
        """Wait until all that is due has been tried; False if that takes longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._taking or self._sending or await self._is_due():
                    self._wake.set()
                    await asyncio.sleep(_LOOK_S)
                return True
        return False

    async def _is_due(self) -> bool:
        hosts = await repository.owed_hosts(self._database, after="", most=_HOSTS)
        return any(next_at <= self._clock.now_us() for _, next_at in hosts)

    async def _end(self) -> None:
        if not self._sending:
            return
        _, late = await asyncio.wait(self._sending, timeout=_END_S)
        for sending in late:
            sending.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _forever(self, poster: Poster) -> None:
        while True:
            self._wake.clear()
            found: list[Delivery] = []
            self._taking = True
            try:
                found = await self._claim()
                await self._send(found, poster)
            except Unavailable as error:
                log.warning("deliveries wait: %s", error)
            except Exception:
                log.exception("a round of deliveries failed")
            self._taking = False
            if not found:
                await heard(self._wake, _POLL_S)

    async def _claim(self) -> list[Delivery]:
        """Take what is due, for as many places as are free; looks at hosts in turn, a stretch at a time."""
        self._crowded = bool(self._after)
        while (room := PLACES - len(self._sending)) > 0:
            now = self._clock.now_us()
            hosts = await repository.owed_hosts(self._database, after=self._after, most=_HOSTS)
            self._after = hosts[-1][0] if len(hosts) == _HOSTS else ""
            due = [host for host, next_at in hosts if next_at <= now]
            shares = self._lanes.shares(due, room, now)
            self._crowded |= bool(due) and not shares
            if shares:
                until = now + _CLAIM_US
                return await self._database.write(
                    lambda tx: repository.claim(tx, shares, now=now, until=until)  # noqa: B023 - awaited in this turn
                )
            if not self._after:
                return []
        self._crowded = True
        return []

    async def _send(self, found: list[Delivery], poster: Poster) -> None:
        if not found:
            return
        failing, messages = await asyncio.gather(
            repository.failing(self._database, {(one.account_id, one.endpoint) for one in found}),
            self._messages({one.task_id for one in found}),
        )
        for one in found:
            message = messages.get(one.task_id)
            disabled = failing.get((one.account_id, one.endpoint))
            if disabled:
                sending = self._drop(Report(one, State.DISABLED, one.next_at, reason="the endpoint is disabled"))
            elif message is None or (message.ended and one.event not in FINAL):
                sending = self._drop(Report(one, State.DROPPED, one.next_at, reason="the task has ended"))
            else:
                self._lanes.enter(one.host)
                sending = self._deliver(one, message, poster, failed_before=disabled is not None)
            task = asyncio.create_task(self._finish(one, sending), name="delivery")
            self._sending.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._wake_if_crowded()

    def _wake_if_crowded(self) -> None:
        """Look again where something that is due had no lane or no place."""
        if self._crowded:
            self._wake.set()

    async def _finish(self, one: Delivery, sending: Awaitable[bool]) -> None:
        with about(task_id=one.task_id, delivery_id=one.id, event=one.event):
            try:
                await sending
            except Unavailable as error:
                log.warning("the result of a delivery was lost, it is sent again: %s", error)
            except Exception:
                log.exception("a delivery failed and is sent again")

    async def _drop(self, report: Report) -> bool:
        """End a delivery without a post."""
        written = await self._reports.submit(report)
        ENDED.add(report.state)
        return written

    async def _deliver(self, one: Delivery, message: Message, poster: Poster, *, failed_before: bool) -> bool:
        body = b'{"timestamp":%d,"data":%s}' % (one.created_at // SECOND_US, message.data)
        began = self._clock.now_us()
        try:
            faults.point("deliver.before_post")
            attempt = await self._post(one, body, poster, message.trace)
            faults.point("deliver.after_post")
        except BaseException:
            self._lanes.leave(one.host)
            raise
        now = self._clock.now_us()
        if attempt.status is None:
            self._lanes.missed(one.host, began, now)
        else:
            self._lanes.answered(one.host, attempt.took_ms)
        self._wake_if_crowded()
        report = _report(one, attempt, now, failed_before=failed_before)
        written = await self._reports.submit(report)
        faults.point("deliver.after_commit")
        _count(report, attempt)
        return written

    async def _post(self, one: Delivery, body: bytes, poster: Poster, trace: str | None) -> Attempt:
        told: tracing.Attributes = {
            "task_id": one.task_id,
            "event": one.event,
            "try": one.sent + 1,
            "server.address": one.host,
        }
        with tracing.span("deliver", told, parent=trace, kind="client") as span:
            attempt = await post(
                poster,
                self._clock,
                endpoint=one.endpoint,
                secret=one.secret,
                message_id=one.id,
                body=body,
                trace=span.trace,
            )
            span.set({"http.response.status_code": attempt.status})
            if not attempt.succeeded:
                span.fail(str(attempt.status or "unreachable"))
        return attempt

    async def _report_many(self, tx: Transaction, reports: list[Report]) -> list[bool | UnitaskError]:
        now = self._clock.now_us()
        written = await repository.report(tx, reports, now)
        well = {one.endpoint for one in reports if one.attempt and one.attempt.succeeded}
        failed = {one.endpoint for one in reports if one.attempt and not one.attempt.succeeded}
        await repository.enable(tx, {one.endpoint for one in reports if one.failed_before} & well)
        disabled = await repository.note_failures(
            tx, failed - well, now=now, gap=now - _DAY_US, long_ago=now - _DISABLE_US
        )
        for account_id, endpoint in disabled:
            # Not the whole address: what stands behind its host is the client's business, and may be a secret.
            who = {"account_id": account_id, "host": host_and_port(endpoint)}
            log.warning("an endpoint is disabled: it failed for five days without one success", extra=who)
        faults.point("deliver.before_commit")
        return [one.delivery.id in written for one in reports]


def _count(report: Report, attempt: Attempt) -> None:
    """Count a post and tell of it: of what arrived only to whoever looks closely."""
    SECONDS.observe(attempt.took_ms / 1000)
    ATTEMPTS.add("delivered" if attempt.succeeded else "unanswered" if attempt.status is None else "refused")
    if report.state is not State.OWED:
        ENDED.add(report.state)
    log.log(
        logging.DEBUG if attempt.succeeded else logging.INFO,
        "a webhook message was delivered" if attempt.succeeded else "a webhook message was not taken",
        extra={
            "host": report.delivery.host,
            "sent": report.delivery.sent + 1,
            "state": report.state,
            "status": attempt.status,
        },
    )


def _report(one: Delivery, attempt: Attempt, now: int, *, failed_before: bool) -> Report:
    """Decide what an attempt makes of a delivery."""
    if attempt.succeeded:
        return Report(one, State.DELIVERED, now, attempt, failed_before=failed_before)
    if attempt.status == GONE:
        return Report(one, State.GONE, now, attempt, attempt.reason)
    wait = wait_us(one.id, one.tries + 1) if one.event in FINAL else None
    if wait is None:
        return Report(one, State.EXHAUSTED, now, attempt, attempt.reason)
    return Report(one, State.OWED, now + max(wait, attempt.pause_us), attempt, attempt.reason)
