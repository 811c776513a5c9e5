"""Whether workers could have shown themselves lately, and whether the clock can be believed."""

from typing import Final

from unitask.kit.clock import SECOND_US, Clock

_LONGEST_GAP_US: Final = 3 * SECOND_US


class Vigil:
    """Kept once a second by a process that reaches the database, so that nothing ends by a mistake of ours.

    Silence counts against a worker only after a lease in which this process was not stopped and the database not away:
    it could have spoken. Neither does a clock count that has just been set anew: it may soon be put right.
    """

    def __init__(self, clock: Clock, lease_us: int) -> None:
        self._clock = clock
        self._lease_us = lease_us
        self._gap_us = max(_LONGEST_GAP_US, lease_us // 2)
        self._kept_at: int | None = None
        self._awake_since = self._even_since = self._ahead_us = 0

    def keep(self) -> None:
        """Be awake now."""
        steady = self._clock.steady_us()
        ahead = self._clock.now_us() - steady
        is_first = self._kept_at is None
        if self._kept_at is None or steady - self._kept_at > self._gap_us:
            self._awake_since = steady
        if not is_first and abs(ahead - self._ahead_us) > self._gap_us:
            self._awake_since = self._even_since = steady
        self._kept_at, self._ahead_us = steady, ahead

    @property
    def is_awake(self) -> bool:
        """Whether silence counts; where nobody keeps vigil, whoever asks has to know."""
        return self._lasted(self._awake_since)

    @property
    def is_even(self) -> bool:
        """Whether the clock counts."""
        return self._lasted(self._even_since)

    def _lasted(self, since: int) -> bool:
        return self._kept_at is None or not since or self._clock.steady_us() - since >= self._lease_us
