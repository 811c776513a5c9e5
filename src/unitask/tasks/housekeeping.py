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
        await self._round_of_all()
        await self._round_of_one()

    async def _round_of_all(self) -> None:
        for chore in self._chores.everywhere:
            await chore()

    async def _round_of_one(self) -> None:
        if not await self._lead():
            return
        for chore in self._chores.by_one:
            await chore()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Go round every second until left: what every process does is not kept waiting by what one does for all."""
        rounds = {"chores of all": self._round_of_all, "housekeeping": self._round_of_one}
        tasks = [asyncio.create_task(self._forever(chores), name=name) for name, chores in rounds.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _forever(self, chores: Chore) -> None:
        while True:
            try:
                await chores()
            except Unavailable as error:
                log.warning("housekeeping waits: %s", error)
            except Exception:
                log.exception("a round of housekeeping failed")
            await asyncio.sleep(_EVERY_S)
