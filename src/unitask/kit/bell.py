"""Waiting for work without asking the database all the time."""

import asyncio
import contextlib


class Bell:
    """Wakes everyone who waits. A ring that nobody hears is lost: whoever waits looks again after a while."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake all who wait now."""
        self._rung.set()
        self._rung = asyncio.Event()

    def listen(self) -> asyncio.Event:
        """Take the event of the next ring; take it before looking, wait on it after, and no ring is missed."""
        return self._rung


async def heard(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait for a ring, or until the time is over; tells which of them it was."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            return await event.wait()
    return False
