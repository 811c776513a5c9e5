"""Time as integers: microseconds since the epoch, UTC."""

import time
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

SECOND_US: Final = 1_000_000
DAY_US: Final = 24 * 3600 * SECOND_US
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, written as Z
ZERO_TIME: Final = "0001-01-01T00:00:00Z"


class Clock:
    """The system's clock, or another that it is told to follow; tests subclass it to move time by hand."""

    def __init__(self) -> None:
        self._ahead_us: int | None = None

    def follow(self, time_us: int) -> None:
        """Tell the time that another clock shows now; this one goes on evenly from there."""
        self._ahead_us = time_us - Clock.steady_us(self)

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return time.time_ns() // 1000 if self._ahead_us is None else Clock.steady_us(self) + self._ahead_us

    def steady_us(self) -> int:
        """Microseconds since some moment: goes on evenly when the time of day is set anew."""
        return time.monotonic_ns() // 1000


@lru_cache(maxsize=2**10)
def rfc3339(time_us: int | None) -> str:
    """Write a time as the wire does; one not reached yet is the year 1. Remembered: the same tasks are read often."""
    if time_us is None:
        return ZERO_TIME
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat() + "Z"
