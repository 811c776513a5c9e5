"""What has to happen without anyone asking: one process at a time does it, elected by a lease row."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from unitask.kit.beside import beside
from unitask.kit.errors import Unavailable
from unitask.kit.meters import Counter, Gauge

_EVERY_S: Final = 1.0
ROUNDS: Final = Counter(
    "unitask_housekeeping_rounds_total",
    "Rounds of chores in this process: `all` of those that every process does, `one` of those that one does for all.",
    ("chores",),
)
FAILURES: Final = Counter(
    "unitask_housekeeping_failures_total", "Rounds of chores that this process could not finish.", ("chores",)
)
LAST: Final = Gauge(
    "unitask_housekeeping_last_round_timestamp_seconds",
    "When this process last finished a round of chores; of `one` only while it leads.",
    ("chores",),
)
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
        await _do("all", self._chores.everywhere)

    async def _round_of_one(self) -> None:
        if await self._lead():
            await _do("one", self._chores.by_one)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Go round every second until left: what every process does is not kept waiting by what one does for all."""
        rounds = {"all": self._round_of_all, "one": self._round_of_one}
        async with beside({f"chores-{name}": _forever(name, chores) for name, chores in rounds.items()}):
            yield


async def _do(name: str, chores: Sequence[Chore]) -> None:
    for chore in chores:
        await chore()
    ROUNDS.add(name)
    LAST.mark(name)


async def _forever(name: str, chores: Chore) -> None:
    while True:
        try:
            await chores()
        except Unavailable as error:
            FAILURES.add(name)
            log.warning("housekeeping waits: %s", error)
        except Exception:
            FAILURES.add(name)
            log.exception("a round of housekeeping failed")
        await asyncio.sleep(_EVERY_S)
