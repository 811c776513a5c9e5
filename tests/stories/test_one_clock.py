"""Machines whose clocks differ agree on the time where they share a database."""

import time

import pytest

from support.sql import rows
from support.wait import until
from unitask.app import Services
from unitask.kit.clock import DAY_US, SECOND_US, Clock
from unitask.settings import Settings


class WrongClock(Clock):
    """The clock of a machine that nobody has set."""

    def __init__(self, wrong_s: int) -> None:
        super().__init__()
        self.wrong_us = wrong_s * SECOND_US
        self.follows = False

    def follow(self, time_us: int) -> None:
        """Be right from now on."""
        self.follows = True
        super().follow(time_us)

    def now_us(self) -> int:
        """Be wrong until it follows."""
        return super().now_us() + (0 if self.follows else self.wrong_us)


@pytest.mark.parametrize("wrong_s", [0, 3600, -3600])
async def test_the_time_is_the_databases(settings: Settings, wrong_s: int) -> None:
    """From the start and ever after; on SQLite there is one machine, and one clock."""
    clock = WrongClock(wrong_s)
    services = await Services.open(settings, clock)
    right = Clock().now_us()
    if settings.database.startswith("sqlite"):
        assert not clock.follows
    else:
        (row,) = await rows(
            services.database, "select (extract(epoch from clock_timestamp()) * 1000000)::bigint as now"
        )
        assert abs(clock.now_us() - row["now"]) < 5 * SECOND_US
        assert abs(clock.now_us() - right) < 5 * SECOND_US
        clock.follow(right + 600 * SECOND_US)
        await services.follow_clock()
        assert abs(clock.now_us() - right) < 5 * SECOND_US
    await services.close()


@pytest.mark.parametrize("day", [-1, 1])
def test_a_clock_that_follows_goes_on_evenly_by_itself(monkeypatch: pytest.MonkeyPatch, day: int) -> None:
    """Between two looks at the other one, whatever is done to this machine's time of day."""
    clock = Clock()
    clock.follow(1_000)
    asks = time.monotonic_ns()
    first = clock.now_us()
    knows = time.monotonic_ns()
    assert 1_000 <= first < 5 * SECOND_US
    wrong_ns = time.time_ns() + day * DAY_US * 1000
    monkeypatch.setattr(time, "time_ns", lambda: wrong_ns)
    asks_again = until(lambda: (now := time.monotonic_ns()) > knows + 50_000_000 and now, within_s=10)
    passed_us = clock.now_us() - first
    assert (asks_again - knows) // 1000 - 1 <= passed_us <= (time.monotonic_ns() - asks) // 1000 + 1
