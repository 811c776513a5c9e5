"""What an account does with its webhooks: read the log, have messages sent again, try an endpoint."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from unitask.db import Database, Transaction
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import Conflict, InvalidInput, InvalidRequest, NotFound, TooManyRequests
from unitask.kit.ids import is_uuid, new_id, uuid7
from unitask.kit.net import Guard, Refused
from unitask.kit.paging import FIRST_ID, LAST_ID, check_page, cut_page
from unitask.webhooks import repository
from unitask.webhooks.model import DUE, FINAL, GIVE_UP_US, Attempt, Delivery, Event, Logged, Page, State
from unitask.webhooks.post import post

Pace = Callable[[str, int, int], int]
"""(name, how often a minute, now) -> 0, or in how many seconds it may be done again."""
TESTS_PER_MINUTE: Final = 20
PAGE_LIMIT: Final = 100
REPLAY_LIMIT: Final = 1000
KEEP_US: Final = 30 * 24 * 3600 * SECOND_US
UNDELIVERED: Final = (State.EXHAUSTED, State.GONE, State.DISABLED)
_LATE_US: Final = 3600 * SECOND_US
_SWEEP: Final = 500


@dataclass(frozen=True, slots=True)
class LogRequest:
    """A page of the log: deliveries older than the delivery `before`, newest first; empty filters match all."""

    before: str = ""
    size: int = 20
    task_id: str = ""
    state: str = ""
    event: str = ""


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """Which deliveries to send again: those that fell due in a span of seconds, after the delivery `after`.

    `state` empty: all that were given up, whatever the cause.
    """

    start_s: int
    end_s: int
    state: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many deliveries are owed again; `cursor` leads to the rest, None if there is none."""

    number: int
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Trial:
    """What a receiver said to a sample."""

    message_id: str
    attempt: Attempt


class Webhooks:
    """The use cases of an account, and the sweep of what is past its time."""

    def __init__(self, database: Database, clock: Clock, guard: Guard, pace: Pace) -> None:
        self._pace = pace
        self._database = database
        self._clock = clock
        self._guard = guard

    async def find(self, delivery_id: str, account_id: int) -> Logged:
        """Read a delivery with its attempts.

        Raises:
            NotFound: there is none with this id in this account.

        """
        delivery = await self._find(delivery_id, account_id)
        return Logged(delivery, await repository.attempts(self._database, delivery.id))

    async def newest(self, account_id: int, request: LogRequest) -> Page:
        """List deliveries, newest first.

        Raises:
            InvalidRequest: size, cursor or a filter cannot be.

        """
        check_page(size=request.size, limit=PAGE_LIMIT, before=request.before)
        if request.task_id and not is_uuid(request.task_id):
            return Page([], None)
        _one_of("state", request.state, list(State))
        _one_of("event", request.event, list(Event))
        found = await repository.newest(
            self._database,
            account_id=account_id,
            before=request.before or LAST_ID,
            task_id=request.task_id,
            state=request.state,
            event=request.event,
            size=request.size + 1,
        )
        return Page(*cut_page(found, request.size))

    async def replay(self, delivery_id: str, account_id: int) -> Delivery:
        """Send a message again, now and with a whole schedule before it; its id and body stay the same.

        Raises:
            NotFound: there is none with this id in this account.
            Conflict: it told of a task that went on; nobody knows any more what it said.

        """
        delivery = await self._find(delivery_id, account_id)
        if delivery.event not in FINAL:
            raise Conflict("only the message about the end of a task can be sent again")
        now = self._clock.now_us()
        await self._database.write(lambda tx: repository.owe_again(tx, [delivery.id], now))
        await self._database.notify(DUE)
        return replace(delivery, state=State.OWED, tries=0, next_at=now, settled_at=None)

    async def replay_many(self, account_id: int, request: ReplayRequest) -> Replayed:
        """Send the messages again that fell due in a span of time, up to a thousand a call.

        Raises:
            InvalidRequest: span, state or cursor cannot be.

        """
        if not 0 <= request.start_s < request.end_s:
            raise InvalidRequest("invalid request: start_time must be before end_time, both in seconds since the epoch")
        if request.after and not is_uuid(request.after):
            raise InvalidRequest("invalid request: cursor must be the next_cursor of an earlier answer")
        replayable = [state for state in State if state not in {State.OWED, State.DROPPED}]
        _one_of("state", request.state, replayable)
        now = self._clock.now_us()

        async def work(tx: Transaction) -> list[str]:
            found = await repository.lock_replayable(
                tx,
                account_id=account_id,
                after=max(request.after or FIRST_ID, _first_id(request.start_s)),
                before=_first_id(request.end_s),
                states=[State(request.state)] if request.state else UNDELIVERED,
                most=REPLAY_LIMIT,
            )
            await repository.owe_again(tx, found, now)
            return found

        found = await self._database.write(work)
        await self._database.notify(DUE)
        return Replayed(len(found), found[-1] if len(found) == REPLAY_LIMIT else None)

    async def test(self, account_id: int, *, endpoint: str, secret: str, data: bytes) -> Trial:
        """Send a sample at once, signed as a real message would be; a receiver that takes it is enabled again.

        Raises:
            InvalidInput: the endpoint is no address that may be reached.
            TooManyRequests: the account has sent many this minute.

        """
        try:
            self._guard.check_url(endpoint)
        except Refused as error:
            raise InvalidInput(f"invalid request: endpoint: {error}") from error
        now = self._clock.now_us()
        wait_s = self._pace(str(account_id), TESTS_PER_MINUTE, now)
        if wait_s:
            sentence = f"no more than {TESTS_PER_MINUTE} webhook tests a minute; try again in {wait_s} s"
            raise TooManyRequests(sentence, retry_after_s=wait_s)
        message_id = new_id(now)
        body = b'{"timestamp":%d,"data":%s}' % (now // SECOND_US, data)
        async with self._guard.poster(limit_connections=1) as poster:
            attempt = await post(
                poster, self._clock, endpoint=endpoint, secret=secret, message_id=message_id, body=body
            )
        if attempt.succeeded:
            await self._database.write(lambda tx: repository.enable(tx, [(account_id, endpoint)]))
        return Trial(message_id, attempt)

    async def sweep(self) -> None:
        """Give up what could not even be tried for a day; forget what is older than 30 days. Bounded."""
        now = self._clock.now_us()
        before = now - KEEP_US

        async def work(tx: Transaction) -> None:
            await repository.give_up(tx, before=now - GIVE_UP_US - _LATE_US, now=now, most=_SWEEP)
            await repository.forget(tx, before_id=uuid7(before, bytes(8)), before=before, most=_SWEEP)

        await self._database.write(work)

    async def _find(self, delivery_id: str, account_id: int) -> Delivery:
        delivery = await repository.find(self._database, delivery_id, account_id) if is_uuid(delivery_id) else None
        if delivery is None:
            raise NotFound("delivery not found")
        return delivery


def _first_id(time_s: int) -> str:
    """Give the id before all that are made from a moment on; ids sort by time."""
    return uuid7(min(time_s * SECOND_US, (2**48 - 1) * 1000), bytes(8))


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value and value not in allowed:
        raise InvalidRequest(f"invalid request: {name} is one of {', '.join(allowed)}")
