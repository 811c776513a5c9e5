"""A provider that fails is left alone for a while, and then tried with one task or one look."""

import time
from collections.abc import Callable
from typing import Final, Literal

FAILURES: Final = 3
"""So many in a row open it."""
_FIRST_PAUSE_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 300.0
_WEIGHT: Final = 0.2


class Breaker:
    """Up, down, or trying; `now` is a clock in seconds. `latency_s`: a moving average of the answers.

    Orders are counted apart: one that answers every look and takes no order is of no use.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._calls = self._orders = 0
        self.why = ""
        self.latency_s: float | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._until = 0.0
        self._is_open = self._was_open = False

    @property
    def failures(self) -> int:
        """How many calls, or how many orders, have failed in a row."""
        return max(self._calls, self._orders)

    @property
    def state(self) -> Literal["up", "down", "trying"]:
        """How the provider stands."""
        if not self._is_open:
            return "up"
        return "down" if self._now() < self._until else "trying"

    @property
    def pause_s(self) -> float:
        """How long the provider is still left alone."""
        return max(0.0, self._until - self._now()) if self._is_open else 0.0

    def answered(self, latency_s: float) -> None:
        """Hear of an answer, whatever it said, short of an error of the server itself."""
        before = self.latency_s
        self.latency_s = latency_s if before is None else before + _WEIGHT * (latency_s - before)
        self._calls = 0
        self._is_open = False
        if not self._orders:
            self._forgive()

    def failed(self, why: str) -> None:
        """Hear of a call that failed after all its tries."""
        self._calls += 1
        self._failed(why, self._calls)

    def ordered(self, why: str = "") -> None:
        """Hear of an order: that it was answered, or `why` it was not."""
        if why:
            self._orders += 1
            self._failed(why, self._orders)
        else:
            self._orders = 0
            self._forgive()

    def trip(self, why: str) -> None:
        """Leave the provider alone from now on, whatever it did before."""
        self.why = why
        if self.state != "down":
            self._open()

    def doubt(self) -> None:
        """Try the provider before anything is given to it."""
        self._is_open = True
        self._until = 0.0

    def trust(self) -> None:
        """Take it for well without an answer; the next failure leaves it alone again."""
        self._is_open = False

    def _failed(self, why: str, in_a_row: int) -> None:
        self.why = why
        if self._is_open and self.state == "down":
            return  # one of those that were under way when it opened
        if in_a_row >= FAILURES or self._is_open:
            self._open()

    def _open(self) -> None:
        self._pause_s = min(_LONGEST_PAUSE_S, 2 * self._pause_s) if self._was_open else _FIRST_PAUSE_S
        self._until = self._now() + self._pause_s
        self._is_open = self._was_open = True

    def _forgive(self) -> None:
        self.why = ""
        self._was_open = False
