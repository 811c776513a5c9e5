"""What has to happen without anyone asking: one process at a time does it, elected by a lease row."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from unitask.kit.errors import Unavailable

_EVERY_S: Final = 1.0
log = logging.getLogger(__name__)

Chore = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Chores:
    """Short, bounded pieces of work: those of every process, and those that one process does for all."""

    everywhere: Sequence[Chore]
    by_one: Sequence[Chore]


class Housekeeper:
    """Does the chores in rounds; `lead` asks to become or stay the one process that does those for all."""

    def __init__(self, chores: Chores, lead: Callable[[], Awaitable[bool]]) -> None:
        self._chores = chores
        self._lead = lead

    async def round(self) -> None:
        """Do one bounded round."""
        for chore in self._chores.everywhere:
            await chore()
        if not await self._lead():
            return
        for chore in self._chores.by_one:
            await chore()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Go round every second until left."""
        task = asyncio.create_task(self._forever(), name="housekeeping")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _forever(self) -> None:
        while True:
            try:
                await self.round()
            except Unavailable as error:
                log.warning("housekeeping waits: %s", error)
            except Exception:
                log.exception("a round of housekeeping failed")
            await asyncio.sleep(_EVERY_S)
