"""Time that stands still until a test moves it."""

from unitask.kit.clock import SECOND_US, Clock


class ManualClock(Clock):
    """Begins at a fixed moment."""

    def __init__(self) -> None:
        self.time_us = 1_800_000_000 * SECOND_US

    def now_us(self) -> int:
        return self.time_us

    def pass_s(self, seconds: float) -> None:
        self.time_us += int(seconds * SECOND_US)
