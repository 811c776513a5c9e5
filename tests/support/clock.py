"""Time that stands still until a test moves it."""

from unitask.kit.clock import SECOND_US, Clock


class ManualClock(Clock):
    """Begins at a fixed moment."""

    def __init__(self) -> None:
        self.time_us = 1_800_000_000 * SECOND_US
        self.steady = 0

    def follow(self, time_us: int) -> None:
        del time_us

    def now_us(self) -> int:
        return self.time_us

    def steady_us(self) -> int:
        return self.steady

    def pass_s(self, seconds: float) -> None:
        self.time_us += int(seconds * SECOND_US)
        self.steady += int(seconds * SECOND_US)

    def jump_s(self, seconds: float) -> None:
        """Set the time of day anew, as a person or a time server may."""
        self.time_us += int(seconds * SECOND_US)
