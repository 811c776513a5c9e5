"""Whether silence and the clock count, also between two rounds of the vigil."""

import pytest

from unitask.kit.clock import SECOND_US, Clock
from unitask.tasks.vigil import Vigil

LEASE_S = 15


class Set(Clock):
    """A clock whose time of day and even time are set by hand, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.day_s = self.even_s = 1_000_000.0

    def now_us(self) -> int:
        """Give the time of day."""
        return int(self.day_s * SECOND_US)

    def steady_us(self) -> int:
        """Give the even time."""
        return int(self.even_s * SECOND_US)

    def pass_s(self, seconds: float) -> None:
        """Let time go by."""
        self.day_s += seconds
        self.even_s += seconds


@pytest.fixture
def clock() -> Set:
    """Make a clock."""
    return Set()


@pytest.fixture
def vigil(clock: Set) -> Vigil:
    """Keep vigil for longer than a lease, so that everything counts."""
    made = Vigil(clock, LEASE_S * SECOND_US)
    for _ in range(LEASE_S + 2):
        made.keep()
        clock.pass_s(1)
    assert made.is_awake
    assert made.is_even
    return made


def test_silence_does_not_count_after_a_gap_that_nobody_has_noticed_yet(clock: Set, vigil: Vigil) -> None:
    """The database was away or this process was stopped, and whoever asks comes before the next round."""
    clock.pass_s(60)
    assert not vigil.is_awake
    vigil.keep()
    assert not vigil.is_awake
    for _ in range(LEASE_S):
        clock.pass_s(1)
        vigil.keep()
    assert vigil.is_awake


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_a_clock_that_was_set_does_not_count_before_it_was_noticed(clock: Set, vigil: Vigil, jump_s: float) -> None:
    """Forwards or backwards; it counts again when it has gone evenly for a lease."""
    clock.day_s += jump_s
    assert not vigil.is_even
    for _ in range(LEASE_S):
        vigil.keep()
        assert not vigil.is_even
        clock.pass_s(1)
    vigil.keep()
    assert vigil.is_even


def test_where_nobody_keeps_vigil_everything_counts(clock: Set) -> None:
    """Whoever asks has to know."""
    vigil = Vigil(clock, LEASE_S * SECOND_US)
    assert vigil.is_awake
    assert vigil.is_even
