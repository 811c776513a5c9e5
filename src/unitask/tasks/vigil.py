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
        if self._kept_at is None or steady - self._kept_at > self._gap_us:
            self._awake_since = steady
        if self._kept_at is not None and self._jump(steady) > self._gap_us:
            self._awake_since = self._even_since = steady
        self._kept_at, self._ahead_us = steady, self._clock.now_us() - steady

    @property
    def is_awake(self) -> bool:
        """Whether silence counts; where nobody keeps vigil, whoever asks has to know."""
        return self._lasted(self._awake_since)

    @property
    def is_even(self) -> bool:
        """Whether the clock counts."""
        return self._lasted(self._even_since)

    def _lasted(self, since: int) -> bool:
        if self._kept_at is None:
            return True
        steady = self._clock.steady_us()
        if steady - self._kept_at > self._gap_us or self._jump(steady) > self._gap_us:
            return False  # `keep` is about to find it out
        return not since or steady - since >= self._lease_us

    def _jump(self, steady: int) -> int:
        """Tell how far the clock was set, in microseconds, since vigil was last kept."""
        return abs(self._clock.now_us() - steady - self._ahead_us)
