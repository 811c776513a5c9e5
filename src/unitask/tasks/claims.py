"""Giving tasks to workers: who may have which, who waits, who said what of itself."""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from unitask.catalogue import Catalogue
from unitask.db import Database, Transaction
from unitask.kit import faults
from unitask.kit.bell import Bell, heard
from unitask.kit.clock import SECOND_US, Clock
from unitask.queue import repository as queue
from unitask.queue.makers import REMEMBERED_US, Makers
from unitask.queue.model import Announcement, Claimed, Held, Lane, Leftover, Progress
from unitask.queue.turns import LEAD, Turns
from unitask.tasks import counted, repository
from unitask.tasks.announce import PROGRESS, announce, chooses_events
from unitask.tasks.model import Status, Work
from unitask.tasks.vigil import Vigil
from unitask.tasks.watch import Watch

WORK: Final = "unitask_work"
_POLL_S: Final = 1.0
_LEFTOVERS: Final = 20


@dataclass(frozen=True, eq=False, slots=True)
class Ask:
    """What a worker asks for: up to `most` tasks for these engines. `loaded`: the model cards that it has in memory."""

    worker_id: str
    engines: Sequence[str]
    most: int = 1
    loaded: frozenset[str] = frozenset()


class Claims:
    """What workers ask of the queue. `makers` knows what they can make; `turns` whose turn it is."""

    def __init__(
        self, *, database: Database, clock: Clock, catalogue: Catalogue, turns: Turns, watch: Watch, lease_s: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._catalogue = catalogue
        self._turns = turns
        self._watch = watch
        self._lease_us = int(lease_s * SECOND_US)
        self._bell = Bell()
        self._waiting: set[Ask] = set()
        self.makers = Makers()
        self.vigil = Vigil(clock, self._lease_us)
        self.closing = False

    async def open(self) -> None:
        """Begin to hear of work that other processes accept, and of the workers that they know."""
        await self._database.listen(WORK, self._bell.ring)
        await self._learn()

    async def follow(self) -> None:
        """Learn what workers make, and which turns other processes serve; tell them ours. Once a second."""
        await self._learn()
        self.vigil.keep()

    async def _learn(self) -> None:
        now = self._clock.now_us()
        announced = await queue.announced(self._database, since=now - REMEMBERED_US)
        if news := self.makers.news({name: at for name, (at, _) in announced.items()}):
            self.makers.learn(await queue.makes(self._database, news))
        self.makers.live(name for name, (_, lease_until) in announced.items() if lease_until > now)
        ahead = self._turns.follow(await queue.turns(self._database))
        if ahead:
            await self._database.write(lambda tx: queue.note_turns(tx, ahead))

    def stop_waiting(self) -> None:
        """Send the workers that wait for tasks away: the server is about to end."""
        self.closing = True
        self._bell.ring()

    async def claim(self, ask: Ask, *, wait_s: float, gone: Callable[[], Awaitable[bool]]) -> list[Work]:
        """Give a worker tasks that it can make; waits up to `wait_s` seconds for one.

        A worker that would have to load a model leaves its task to one that waits beside it and has it in memory; but
        not for longer than a second. `gone` tells that the worker hung up: a task claimed for nobody would wait for
        the end of a lease.
        """
        until = time.monotonic() + wait_s
        if not self.makers.knows(ask.worker_id):
            self.makers.learn(await queue.makes(self._database, [ask.worker_id]))
        self._waiting.add(ask)
        try:
            found = await self._wait(ask, until, gone)
        finally:
            self._waiting.discard(ask)
        if len(found) == ask.most:
            await self._database.notify(WORK)
        return found

    async def _wait(self, ask: Ask, until: float, gone: Callable[[], Awaitable[bool]]) -> list[Work]:
        leaves, leaves_until = True, 0.0
        while not self.closing and not await gone():
            ring = self._bell.listen()
            found = await self._claim_now(ask, list(self._waiting - {ask}) if leaves else ())
            now = time.monotonic()
            if found or now >= until:
                return found
            if not leaves:
                leaves_until = 0.0
            elif not leaves_until:
                leaves_until = now + _POLL_S
            rung = await heard(ring, max(0.0, min(until, leaves_until or now + _POLL_S) - now))
            # However often the bell rings, now and then it looks for what it left to others.
            leaves = rung and not 0 < leaves_until <= time.monotonic()
        return []

    async def _claim_now(self, ask: Ask, others: Sequence[Ask]) -> list[Work]:
        now = self._clock.now_us()
        lanes = self.lanes(ask, others)
        if not lanes:
            return []

        async def choose(tx: Transaction) -> list[Claimed]:
            return await queue.claim(tx, worker_id=ask.worker_id, lanes=lanes, most=ask.most, now=now)

        claimed, works = await self._start(choose, now)
        self._turns.serve(ask.engines, [(one.engine, one.turn) for one in claimed])
        return works

    async def claim_named(self, *, worker_id: str, task_ids: Sequence[str]) -> list[Work]:
        """Give a worker these tasks, whosever turn it is, as far as they are ready."""

        async def choose(tx: Transaction) -> list[Claimed]:
            return await queue.claim_named(tx, worker_id=worker_id, task_ids=task_ids)

        _, works = await self._start(choose, self._clock.now_us())
        return works

    async def _start(
        self, choose: Callable[[Transaction], Awaitable[list[Claimed]]], now: int
    ) -> tuple[list[Claimed], list[Work]]:
        async def work(tx: Transaction) -> tuple[list[Claimed], list[Work]]:
            claimed = await choose(tx)
            found = await repository.start(tx, claimed, now)
            await announce(tx, [(one.task_id, Status.PROCESSING) for one in found if chooses_events(one.config)], now)
            if found:
                faults.point("claim.before_commit")
            return claimed, found

        claimed, found = await self._database.write(work)
        if found:
            faults.point("claim.after_commit")
            counted.claimed(found, now)
        self._watch.ring(one.task_id for one in found)
        return claimed, found

    def lanes(self, ask: Ask, others: Sequence[Ask] = ()) -> list[Lane]:
        """List what a worker makes, but for what one of the `others` has in memory and it has not.

        Where an engine has several recipes for a product, the slowest sets the limit.
        """
        limits_s: dict[tuple[str, str], int] = {}
        leads: dict[tuple[str, str], int] = {}
        left: set[tuple[str, str]] = set()
        for product in self._catalogue:
            for recipe in product.recipes:
                lane = product.key, recipe.engine
                if not self._makes(ask, lane):
                    continue
                limits_s[lane] = max(limits_s.get(lane, 0), recipe.limit_s or product.limit_s)
                if recipe.weights and ask.loaded.issuperset(recipe.weights):
                    leads[lane] = LEAD
                elif recipe.weights and any(
                    self._makes(other, lane) and other.loaded.issuperset(recipe.weights) for other in others
                ):
                    left.add(lane)
        return [
            Lane(product, engine, limit_s * SECOND_US, self._turns.served(engine), leads.get((product, engine), 0))
            for (product, engine), limit_s in limits_s.items()
            if (product, engine) not in left - leads.keys()
        ]

    def _makes(self, ask: Ask, lane: tuple[str, str]) -> bool:
        """Tell whether a worker takes tasks of this product for this engine."""
        pairs = self.makers.pairs(ask.worker_id)
        return lane[1] in ask.engines and (pairs is None or lane in pairs)

    async def beat(
        self, said: Announcement, progress: Sequence[Progress], waiting: Sequence[tuple[str, int]] = ()
    ) -> list[Held]:
        """Renew a worker's lease, note its progress, list what it holds; the time of those `waiting` begins later."""
        now = self._clock.now_us()

        async def work(tx: Transaction) -> list[Held]:
            await queue.beat(tx, said, now=now, lease_until=now + self._lease_us)
            ask = Ask(said.worker_id, said.engines)
            await queue.put_off(tx, waiting, lanes=self.lanes(ask) if waiting else [], now=now)
            moved = await queue.note_progress(tx, progress)
            await announce(tx, [(task_id, PROGRESS) for task_id in moved], now)
            return await queue.held_by(tx, said.worker_id)

        held = await self._database.write(work)
        self._watch.ring(one.task_id for one in progress)
        return held

    async def leftovers(self, providers: Sequence[str], cleared: Iterable[tuple[str, str]]) -> list[Leftover]:
        """Forget the jobs that were `cleared`, by task and provider; list the oldest that are left at these providers.

        What a worker says of others than its own providers is not heard.
        """
        own = [(task_id, provider) for task_id, provider in cleared if provider in providers]
        if own:
            await self._database.write(lambda tx: queue.clear_leftovers(tx, own))
        return await queue.leftovers(self._database, providers, most=_LEFTOVERS)
