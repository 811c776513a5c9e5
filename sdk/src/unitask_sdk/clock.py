"""Time and chance: the only place that reads them."""

import random
import time
from dataclasses import dataclass


def now_s() -> float:
    """Read the time of day, in seconds since the epoch."""
    return time.time()


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def backoff_s(tries: int) -> float:
    """Say how long to wait after so many tries: half a second, doubled each time to 8 s, up to half less by chance."""
    longest: float = min(8.0, 0.25 * 2**tries)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by which something must be done, or none."""

    at: float | None
    after_s: float

    @classmethod
    def after(cls, seconds: float | None) -> "Deadline":
        """Set one so many seconds from now; None is never."""
        return cls(None if seconds is None else time.monotonic() + seconds, seconds or 0.0)

    @property
    def left_s(self) -> float:
        """How much time is left, endless if there is no deadline."""
        return float("inf") if self.at is None else self.at - time.monotonic()


def stopwatch() -> float:
    """Read a clock that only measures durations, in seconds."""
    return time.monotonic()
