"""Credit: points that come in, are corrected, expire, and the statement of it all."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from unitask.accounts import repository as accounts
from unitask.accounts.model import Account, Change
from unitask.administration import audit
from unitask.billing import packs as rules
from unitask.billing import repository
from unitask.billing.model import Entry, Kind, Line, Pack, Usage
from unitask.db import Database, Transaction
from unitask.kit.clock import Clock
from unitask.kit.errors import Conflict, InsufficientCredits, InvalidRequest, NotFound

_MOST_POINTS: Final = 10**15
_SWEEP: Final = 100
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Statement:
    """A period of an account: points available before and after it, and by kind how many movements of how much."""

    since: int
    until: int
    opening_points: int
    closing_points: int
    totals: dict[Kind, tuple[int, int]]


class Credit:
    """Moves points in and out of accounts. Holds, captures and releases belong to `unitask.tasks`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._expired_up_to = 0

    async def top_up(
        self,
        account_id: int,
        points: int,
        *,
        actor: str,
        reason: str = "",
        reference: str | None = None,
        expires_at: int | None = None,
    ) -> Pack:
        """Add a pack of points. The same `reference` again (a payment's number) gives the same pack and adds nothing.

        Raises:
            NotFound: there is no such account.
            Conflict: the reference was used for another number of points.
            InvalidRequest: no points, too many, or an end in the past.

        """
        now = self._clock.now_us()
        if not 0 < points <= _MOST_POINTS:
            raise InvalidRequest(f"invalid request: points must be 1 to {_MOST_POINTS}")
        if expires_at is not None and expires_at <= now:
            raise InvalidRequest("invalid request: expires_at is in the past")

        async def work(tx: Transaction) -> Pack:
            account = await _lock(tx, account_id)
            pack = await self._add_pack(tx, account, points, reason=reason, reference=reference, expires_at=expires_at)
            if pack is None:
                return await _same(tx, account_id, reference, points)
            await self._move(tx, account, Kind.TOP_UP, points, reason)
            await audit.write(
                tx,
                actor=actor,
                action="credit.top_up",
                account_id=account_id,
                now=now,
                points=points,
                reason=reason,
                reference=reference,
                expires_at=expires_at,
            )
            return pack

        return await self._database.write(work)

    async def adjust(self, account_id: int, points: int, *, actor: str, reason: str) -> Account:
        """Correct a balance by so many points, up or, with a minus, down.

        Raises:
            NotFound: there is no such account.
            InvalidRequest: no points, or no reason.
            InsufficientCredits: fewer are available than are to be taken.

        """
        if not points or abs(points) > _MOST_POINTS or not reason.strip():
            raise InvalidRequest("invalid request: an adjustment needs points other than zero, and a reason")
        now = self._clock.now_us()

        async def work(tx: Transaction) -> None:
            account = await _lock(tx, account_id)
            if points < 0 and not account.unlimited and account.available_points < -points:
                raise InsufficientCredits(
                    f"insufficient credits: {account.available_points} points are available, {-points} cannot be taken"
                )
            if points > 0:
                await self._add_pack(tx, account, points, reason=reason)
            kind = Kind.ADJUST_UP if points > 0 else Kind.ADJUST_DOWN
            await self._move(tx, account, kind, abs(points), reason)
            await audit.write(
                tx, actor=actor, action="credit.adjust", account_id=account_id, now=now, points=points, reason=reason
            )

        await self._database.write(work)
        account = await accounts.read(self._database, account_id)
        assert account is not None  # noqa: S101 - it was locked a moment ago
        return account

    async def packs(self, account: Account) -> list[Pack]:
        """Read an account's packs with what is left in each now, those that expire first at the beginning."""
        found = await repository.packs(self._database, account.id)
        return rules.drawn(found, account.available_points + account.held_points)

    async def usage(self, account_id: int, *, since: int, until: int) -> list[Usage]:
        """Read what ended on the days from `since` to `until`, counted from the epoch, both among them."""
        return await repository.usage(self._database, account_id, since=since, until=until)

    async def expire(self) -> int:
        """Let packs past their time expire, for some accounts; returns how many accounts were looked at."""
        now = self._clock.now_us()
        found = await repository.accounts_with_expired(self._database, now=now, after=self._expired_up_to, most=_SWEEP)
        self._expired_up_to = found[-1] if len(found) == _SWEEP else 0
        for account_id in found:
            await self._expire(account_id, now)
        return len(found)

    async def _expire(self, account_id: int, now: int) -> None:
        async def work(tx: Transaction) -> None:
            account = await _lock(tx, account_id)
            before = rules.drawn(await repository.open_packs(tx, account_id), _left(account))
            after = rules.expire(before, account.held_points, now)
            await repository.set_packs(tx, after)
            gone = sum(pack.expired for pack in after) - sum(pack.expired for pack in before)
            if gone:
                await self._move(tx, account, Kind.EXPIRE, gone, "not used in time")

        await self._database.write(work)

    async def statement(self, account_id: int, *, since: int, until: int) -> Statement:
        """Sum up a period; times in microseconds, `until` not included."""
        totals = await repository.totals(self._database, account_id, since=since, until=until)
        return Statement(
            since,
            until,
            await repository.available_before(self._database, account_id, since),
            await repository.available_before(self._database, account_id, until),
            totals,
        )

    async def lines(
        self, account_id: int, *, since: int, until: int, after_id: int = 0, most: int = _PAGE
    ) -> list[Line]:
        """Read a page of the movements of a period; the next begins at the last line's time and behind its id."""
        return await repository.lines(
            self._database, account_id, since=since, until=until, after_id=after_id, most=most
        )

    async def all_lines(self, account_id: int, *, since: int, until: int) -> AsyncIterator[Line]:
        """Read all movements of a period, page by page."""
        after_id = 0
        while page := await self.lines(account_id, since=since, until=until, after_id=after_id):
            for line in page:
                yield line
            since, after_id = page[-1].created_at, page[-1].id

    async def _add_pack(
        self,
        tx: Transaction,
        account: Account,
        points: int,
        *,
        reason: str,
        reference: str | None = None,
        expires_at: int | None = None,
    ) -> Pack | None:
        """Add a pack after what was used so far is drawn from the older ones."""
        await repository.set_packs(tx, rules.drawn(await repository.open_packs(tx, account.id), _left(account)))
        return await repository.add_pack(
            tx,
            account_id=account.id,
            points=points,
            reason=reason,
            reference=reference,
            expires_at=expires_at,
            now=self._clock.now_us(),
        )

    async def _move(self, tx: Transaction, account: Account, kind: Kind, points: int, reason: str) -> None:
        entry = Entry(account.id, None, kind, points, reason)
        await repository.add(tx, [entry], self._clock.now_us())
        up = kind in {Kind.TOP_UP, Kind.ADJUST_UP}
        change = Change(account.id, available_points=points if up else -points)
        await accounts.change(tx, {account.id: account}, [change])


def _left(account: Account) -> int:
    return account.available_points + account.held_points


async def _lock(tx: Transaction, account_id: int) -> Account:
    account = (await accounts.lock(tx, [account_id])).get(account_id)
    if account is None:
        raise NotFound(f"no account {account_id}")
    return account


async def _same(tx: Transaction, account_id: int, reference: str | None, points: int) -> Pack:
    pack = await repository.find_pack(tx, account_id, reference or "")
    if pack is None or pack.capacity != points:
        raise Conflict(f"the reference {reference!r} was used for another top-up of this account")
    return pack
