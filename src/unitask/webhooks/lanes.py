"""Who may be posted to now: each host has a lane of its own, so that a dead or slow one holds nobody else up.

A host gets a few posts at a time, more while it answers fast, and fewer, down to one, when it is slow or does not
answer at all. Between posts that are not answered come longer and longer pauses; what is owed stays where it is and
is not even looked at. The first answer, whatever its status, ends the pauses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from unitask.kit.clock import SECOND_US

HOST_LIMIT: Final = 64
_FIRST_LIMIT: Final = 8
_SLOW_MS: Final = 1000
_PART: Final = 2
_LONGEST_PAUSE_S: Final = 60
_KNOWN: Final = 10_000


@dataclass(slots=True)
class _Lane:
    busy: int = 0
    limit: int = _FIRST_LIMIT
    misses: int = 0
    missed_at: int = -1
    closed_until: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """How many deliveries of a host may be claimed."""

    host: str
    most: int


class Lanes:
    """The lanes of one process; little is remembered of a host that answers and has nothing under way."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}

    def shares(self, hosts: Sequence[str], room: int, now: int) -> list[Share]:
        """Divide the free places among hosts: equal shares, no host more than its lane takes."""
        if len(self._lanes) > _KNOWN:
            self._forget(now)
        free = [(host, self._free(host, now)) for host in hosts]
        free = [(host, number) for host, number in free if number > 0][:room]
        fair = -(-room // len(free)) if free else 0
        shares = []
        for host, number in free:
            share = min(fair, number, room)
            if share > 0:
                shares.append(Share(host, share))
                room -= share
        return shares

    def enter(self, host: str) -> None:
        """Count a post that begins."""
        self._lanes.setdefault(host, _Lane()).busy += 1

    def leave(self, host: str) -> None:
        """Count a post that was none: nothing was learnt of its host."""
        lane = self._lanes[host]
        lane.busy -= 1
        if not lane.busy and not lane.misses and lane.limit == _FIRST_LIMIT:
            del self._lanes[host]

    def answered(self, host: str, took_ms: int) -> None:
        """Count a post that was answered."""
        lane = self._lanes[host]
        lane.limit = max(1, lane.limit // 2) if took_ms > _SLOW_MS else min(HOST_LIMIT, lane.limit + 1)
        lane.misses = lane.closed_until = 0
        self.leave(host)

    def missed(self, host: str, began: int, now: int) -> None:
        """Count a post that was not answered. Posts that failed side by side are one miss, not many."""
        lane = self._lanes[host]
        lane.limit = max(1, lane.limit // 2)
        if began > lane.missed_at:
            lane.misses += 1
            lane.missed_at = now
            lane.closed_until = now + min(_LONGEST_PAUSE_S, 2 ** min(lane.misses - 1, 10)) * SECOND_US
        self.leave(host)

    def _free(self, host: str, now: int) -> int:
        lane = self._lanes.get(host)
        if lane is None:
            return _FIRST_LIMIT
        free = lane.limit - lane.busy
        # A few at a time: one claim for each post that ends would cost more than the post.
        return 0 if lane.closed_until > now or free < lane.limit // _PART else free

    def _forget(self, now: int) -> None:
        self._lanes = {host: lane for host, lane in self._lanes.items() if lane.busy or lane.closed_until > now}
