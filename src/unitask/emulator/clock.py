"""A clock that runs like the system's and can be moved on."""

from unitask.kit.clock import Clock


class VirtualClock(Clock):
    """Time only goes forward: what has ended must not be about to begin."""

    def __init__(self) -> None:
        super().__init__()
        self._moved_us = 0

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return super().now_us() + self._moved_us

    def steady_us(self) -> int:
        """Microseconds since some moment: what is moved on has passed, it is no clock that was set anew."""
        return super().steady_us() + self._moved_us

    def move_to(self, time_us: int) -> None:
        """Go on to a moment, unless it has passed."""
        self._moved_us += max(0, time_us - self.now_us())
