"""Faults at random, one after the other in each of several lanes, and whether the installation came back from each."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Any, Final

from support.books import limits_passed
from support.chaos.cluster import Cluster, Kind, Part
from support.chaos.faults import FAULTS, Fault
from support.chaos.load import Load
from support.sink import Sink
from unitask.db import Database
from unitask.kit.errors import Unavailable

PATIENCE_S: Final = 60.0
_SAMPLE_S: Final = 0.25
_LOOK_S: Final = 0.1


@dataclass
class Suffered:
    """One fault. `back_s`: how long after its end the part worked and orders and ends went on; None: they did not."""

    name: str
    part: str
    at_s: float
    lasted_s: float = 0.0
    back_s: float | None = None
    why: str = ""

    def __str__(self) -> str:
        """Say it in a line."""
        back = "did not come back" if self.back_s is None else f"back after {self.back_s:.1f} s"
        return f"{self.at_s:6.1f} s  {self.name} ({self.part}) for {self.lasted_s:.1f} s, {back} {self.why}".rstrip()


@dataclass
class Storm:
    """What rages, and what is seen meanwhile. `only`: a pattern of names of faults.

    `taken`: the messages that the receiver took; `first_seen`: when it first heard of the end of a task.
    """

    cluster: Cluster
    load: Load
    sink: Sink
    taken: set[str]
    database: Database
    random: Random
    lanes: int
    only: str = ""
    suffered: list[Suffered] = field(default_factory=list)
    first_seen: dict[str, float] = field(default_factory=dict)
    beyond_limit: list[Any] = field(default_factory=list)
    samples: int = 0
    stale: int = 0
    _deck: list[Fault] = field(default_factory=list)
    _read: int = 0

    def __post_init__(self) -> None:
        """Find out what is possible here."""
        self.began = monotonic()
        named = [fault for fault in FAULTS if re.search(self.only, fault.name)]
        self.possible = [fault for fault in named if fault.victims(self.cluster)]
        if not self.possible:
            raise ValueError(f"no fault that is possible here has {self.only!r} in its name")

    async def rages(self) -> None:
        """Let it all happen at once, until everything has been ordered and the last fault is over."""
        async with watching(self.cluster.supervise(), self.watch()):
            faults = [asyncio.create_task(self._lane()) for _ in range(self.lanes)]
            await self.load.run()
            print(f"{self.load.total} orders are acknowledged after {monotonic() - self.began:.0f} s")  # noqa: T201
            await asyncio.gather(*faults)

    async def watch(self) -> None:
        """Look again and again at the limits and at what the receiver got."""
        while True:
            with contextlib.suppress(Unavailable):
                self.beyond_limit += await limits_passed(self.database)
                self.samples += 1
            self._note_ends()
            await asyncio.sleep(_SAMPLE_S)

    def _note_ends(self) -> None:
        received = self.sink.received
        now = monotonic()
        while self._read < len(received):
            self.first_seen.setdefault(received[self._read].task["task_id"], now)
            self._read += 1

    async def _lane(self) -> None:
        while not self.load.over:
            await asyncio.sleep(self.random.uniform(0.1, 1.0))
            fault, part = self._draw()
            if part and not self.load.over:
                part.is_taken = True
                await self._befall(fault, part)
                part.is_taken = False

    def _draw(self) -> tuple[Fault, Part | None]:
        """Take the next of a shuffled deck, so that nothing comes twice before everything came once."""
        if not self._deck:
            self._deck = self.random.sample(self.possible, len(self.possible))
        fault = self._deck.pop()
        free = [part for part in fault.victims(self.cluster) if not part.is_taken and part.runs]
        if not free:
            self._deck.insert(0, fault)
            return fault, None
        return fault, self.random.choice(free)

    async def _befall(self, fault: Fault, part: Part) -> None:
        began = monotonic()
        record = Suffered(fault.name, part.name, began - self.began)
        self.suffered.append(record)
        try:
            async with part.busy:
                await fault.inflict(self.cluster, part, self.random)
        except AssertionError as error:
            record.why = str(error)
        over = monotonic()
        record.lasted_s = over - began
        if await self._recovers(part) and not record.why:
            record.back_s = monotonic() - over
        print(record)  # noqa: T201 - a run takes minutes

    async def _recovers(self, part: Part) -> bool:
        """Tell whether the part works again and orders and ends go on, as far as there are any."""
        end = monotonic() + PATIENCE_S
        acknowledged, ended = len(self.load.acknowledged_at), len(self.first_seen)
        await part.answers()
        while monotonic() < end:
            is_back = (part.kind is Kind.WORKER and self.load.over and part.runs) or await part.answers()
            goes_on = len(self.load.acknowledged_at) > acknowledged and len(self.first_seen) > ended
            if is_back and (goes_on or self.load.over):
                return True
            await asyncio.sleep(_LOOK_S)
        return False


@contextlib.asynccontextmanager
async def watching(*sides: Any) -> AsyncIterator[None]:
    """Do things beside the block; what one of them raises is raised at its end."""
    tasks = [asyncio.create_task(side) for side in sides]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
