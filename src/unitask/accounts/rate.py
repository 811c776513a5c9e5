"""Requests per minute: a full minute's worth may come at once, then they flow at the rate."""

from math import ceil
from typing import Final

from unitask.kit.clock import SECOND_US

_MINUTE_US: Final = 60 * SECOND_US
_REMEMBERED: Final = 100_000


class Rate:
    """Counts in this process alone: `n` API processes let through up to `n` times as many.

    For each name it keeps the moment at which all that was let through is paid for (GCRA).
    """

    def __init__(self) -> None:
        self._paid_at: dict[str, int] = {}

    def take(self, name: str, per_minute: int, now: int) -> int:
        """Let a request through (0), or tell in how many seconds the next one may come."""
        cost = _MINUTE_US // per_minute
        paid_at = max(self._paid_at.get(name, 0), now) + cost
        over = paid_at - now - _MINUTE_US
        if over > 0:
            return ceil(over / SECOND_US)
        if len(self._paid_at) >= _REMEMBERED:
            self._paid_at = {name: moment for name, moment in self._paid_at.items() if moment > now}
        self._paid_at[name] = paid_at
        return 0
