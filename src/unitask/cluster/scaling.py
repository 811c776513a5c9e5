"""How many workers a pool is to have: a pure function of the pool, what is wanted of it, what it has, and the time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from unitask.cluster.pools import Pool
from unitask.spec.cluster import ProductDemand

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Demand:
    """What is wanted of a pool: tasks that wait and that run, and how long the oldest of those that wait has."""

    waiting: int = 0
    processing: int = 0
    oldest_s: float = 0.0

    @classmethod
    def of(cls, lines: Sequence[ProductDemand]) -> Self:
        """Add up what is wanted of each product."""
        return cls(
            sum(line.waiting for line in lines),
            sum(line.processing for line in lines),
            max((line.oldest_s or 0.0 for line in lines), default=0.0),
        )


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers that a pool has, and what is remembered of it.

    `number`: those that are there or on their way, without those that drain. `needs`: how many were needed, and when,
    since `since`. `grown_at`: when the last one was started.
    """

    number: int
    since: float
    needs: tuple[tuple[float, int], ...] = ()
    grown_at: float = -math.inf

    def needing(self, pool: Pool, needed: int, now: float) -> Self:
        """Remember that so many are needed now, and forget what is too long ago to count."""
        kept = [(when, number) for when, number in self.needs if when > now - pool.idle_s]
        return replace(self, needs=(*kept, (now, needed)))


def needed(pool: Pool, demand: Demand, crew: Crew, now: float) -> int:
    """Tell how many workers the demand asks for at this moment, whatever the bounds of the pool.

    Those that are there are of use while tasks wait beside the ones that run: what is only being started is not drained
    because the first of them has begun to work.
    """
    for_waiting = math.ceil(demand.waiting / pool.tasks_per_worker)
    of_use = min(crew.number, math.ceil(demand.processing / pool.slots) + for_waiting)
    late = demand.waiting > 0 and demand.oldest_s >= pool.wait_s and now - crew.grown_at >= pool.cooldown_s
    return max(for_waiting, of_use, crew.number + 1 if late else 0)


def wanted(pool: Pool, demand: Demand, crew: Crew, now: float, *, most: int) -> int:
    """Tell how many workers there should be, between `pool.least` and `most`.

    It grows at once to what the depth of the queue asks for, and by one each `cooldown_s` while the oldest task waits
    for `wait_s`. It shrinks only to the largest number that was needed within `idle_s`, and not before it has watched
    for so long, nor within `cooldown_s` of a start.
    """
    settled = now - crew.since >= pool.idle_s and now - crew.grown_at >= pool.cooldown_s
    lately = max((number for when, number in crew.needs if when > now - pool.idle_s), default=0)
    held = min(crew.number, lately) if settled else crew.number
    return min(max(needed(pool, demand, crew, now), held, pool.least), most)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before another start, after workers that ended by themselves."""

    failures: int = 0
    until: float = -math.inf

    def failed(self, now: float) -> "Backoff":
        """Count a failure; one long after the last begins anew."""
        again = self.failures if now - self.until < _LONGEST_PAUSE_S else 0
        return Backoff(again + 1, now + pause_s(again))


def pause_s(failures: int) -> float:
    """Give the seconds to wait after so many failures before: 1, 2, 4 and so on up to 60."""
    return min(_FIRST_PAUSE_S * 2.0 ** min(failures, 10), _LONGEST_PAUSE_S)
