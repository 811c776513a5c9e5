"""Removing files: those past their end, those that clients deleted, and those that no row knows."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from unitask.artifacts import repository
from unitask.artifacts.buckets import Buckets
from unitask.artifacts.model import INCOMING, Removal, is_stored_name
from unitask.artifacts.store import Listed
from unitask.db import Database, Transaction
from unitask.kit import faults
from unitask.kit.clock import DAY_US, SECOND_US, Clock
from unitask.kit.errors import Unavailable

STEADY_US: Final = 600 * SECOND_US
"""How long the clock must have gone evenly before what it says ends anything."""
GRACE_US: Final = 600 * SECOND_US
"""How long a file lies on when nobody can ask for it any more: whoever began to read it may come to its end."""
ORPHAN_US: Final = 2 * DAY_US
_JUMP_US: Final = 60 * SECOND_US
_SWEEP: Final = 200
_LISTED: Final = 500
_REMOVE_S: Final = 5.0
_AFTER_TROUBLE_US: Final = 30 * SECOND_US
_FIRST_PAUSE_US: Final = 60 * SECOND_US
_LONGEST_PAUSE_US: Final = 6 * 3600 * SECOND_US
_TRIES: Final = 30
_LIST_EVERY_US: Final = 60 * SECOND_US
_REST_US: Final = 6 * 3600 * SECOND_US
log = logging.getLogger(__name__)


class Sweeper:
    """Rows are marked first, then the files go, then the rows: a crash in between loses no trace of a file."""

    def __init__(self, database: Database, clock: Clock, buckets: Buckets) -> None:
        self._database = database
        self._clock = clock
        self._buckets = buckets
        self._ahead_us = clock.now_us() - clock.steady_us()
        self._even_since = clock.steady_us()
        self._removals_at = 0
        self._orphans_after = ""
        self._orphans_at = 0

    async def sweep(self) -> int:
        """Remove some files whose time is over; returns how many."""
        now = self._clock.now_us()
        if self._is_even(now):
            await self._database.write(lambda tx: self._end(tx, now))
        if self._clock.steady_us() < self._removals_at:
            return 0
        due = await repository.removals(self._database, now=now, future=now + DAY_US, most=_SWEEP)
        if not due:
            return 0
        by_bucket: dict[int | None, list[Removal]] = defaultdict(list)
        for removal in due:
            by_bucket[removal.bucket_id].append(removal)
        left = set().union(*await asyncio.gather(*[self._remove(*one) for one in by_bucket.items()]))
        faults.point("sweep.before_forget")
        lost = [one for one in due if one.id in left and one.tries >= _TRIES]
        if lost:
            log.warning("files that could not be removed are forgotten", extra={"paths": [one.path for one in lost]})
        again = [(one.id, now + _pause_us(one.tries)) for one in due if one.id in left and one.tries < _TRIES]
        gone = [one.id for one in due if one.id not in {id_ for id_, _ in again}]

        async def write(tx: Transaction) -> None:
            await repository.forget(tx, gone)
            await repository.remove_later(tx, again)

        await self._database.write(write)
        return len(due) - len(left)

    async def _end(self, tx: Transaction, now: int) -> None:
        await repository.date_anew(tx, now=now, future=now + DAY_US, most=_SWEEP)
        await repository.give_up_expired(tx, until=now - GRACE_US, now=now, most=_SWEEP)
        await self._buckets.forget(tx, now=now, most=_SWEEP)

    def _is_even(self, now: int) -> bool:
        """Tell whether the clock has gone evenly for a while: one that was set anew may soon be put right."""
        steady = self._clock.steady_us()
        ahead = now - steady
        if abs(ahead - self._ahead_us) > _JUMP_US:
            log.warning("the clock was set anew", extra={"by_s": (ahead - self._ahead_us) // SECOND_US})
            self._even_since = steady
        self._ahead_us = ahead
        return steady - self._even_since >= STEADY_US

    async def _remove(self, bucket_id: int | None, removals: Sequence[Removal]) -> set[str]:
        """Remove files of one store; gives the ids of those that are still there."""
        names = [name for one in removals for name in one.names]
        try:
            async with asyncio.timeout(_REMOVE_S):
                failed = await (await self._buckets.store(bucket_id)).remove(names)
        except (Unavailable, TimeoutError) as error:
            log.warning("files cannot be removed: %s", error, extra={"files": len(names), "bucket": bucket_id})
            failed = set(names)
        if len(failed) == len(names):  # it is away, and other chores should not wait for it every time
            self._removals_at = self._clock.steady_us() + _AFTER_TROUBLE_US
        return {one.id for one in removals if failed.intersection(one.names)}

    async def sweep_orphans(self) -> int:
        """Look at the next files of the installation's store and remove those that no row knows; returns how many.

        Only what is two days old: a younger file may be about to get its row. Own buckets are left alone: their
        owners may keep there what they like.
        """
        now, steady = self._clock.now_us(), self._clock.steady_us()
        if not self._is_even(now) or steady < self._orphans_at:
            return 0
        try:
            async with asyncio.timeout(_REMOVE_S):
                listed = await self._buckets.own.listing(self._orphans_after, _LISTED)
                orphans = await self._orphans(listed, now)
                failed = await self._buckets.own.remove(orphans)
        except (Unavailable, TimeoutError) as error:
            log.warning("files without a row cannot be looked for: %s", error)
            self._orphans_at = steady + _LIST_EVERY_US
            return 0
        is_last = len(listed) < _LISTED
        self._orphans_after = "" if is_last else listed[-1].name
        self._orphans_at = steady + (_REST_US if is_last else _LIST_EVERY_US)
        if orphans:
            log.info("removed files that no row knows", extra={"files": len(orphans) - len(failed)})
        return len(orphans) - len(failed)

    async def _orphans(self, listed: Sequence[Listed], now: int) -> list[str]:
        old = [one.name for one in listed if one.changed_at < now - ORPHAN_US]
        known = await repository.known(self._database, [name for name in old if is_stored_name(name)])
        return [name for name in old if _is_ours(name) and name not in known]


def _is_ours(name: str) -> bool:
    """Tell whether a store of ours can have made this file: a name of its own, one on its way, or half a file."""
    name = name.removeprefix(INCOMING)
    return is_stored_name(name) or (name.endswith(".partial") and is_stored_name(name.replace(".partial", ".part")))


def _pause_us(tries: int) -> int:
    return min(_LONGEST_PAUSE_US, _FIRST_PAUSE_US << min(tries, 16))
