"""Where a task goes that its engine cannot make at present."""

from typing import Final

import orjson

from unitask.catalogue import Catalogue
from unitask.db import Database, Transaction
from unitask.kit import faults
from unitask.kit.clock import Clock
from unitask.queue import repository as queue
from unitask.queue.makers import Makers
from unitask.queue.model import Ticket
from unitask.queue.turns import Turns
from unitask.tasks import counted
from unitask.tasks.advance import Step, advance
from unitask.tasks.lifecycle import Rerouted

_SWEEP: Final = 100


class Routes:
    """Finds the next engine of a task's route that somebody works for; a route is never walked twice by failures."""

    def __init__(self, makers: Makers, turns: Turns, catalogue: Catalogue) -> None:
        self._makers = makers
        self._turns = turns
        self._catalogue = catalogue

    def onward(self, ticket: Ticket, *, log: str | None = None, returns: bool = False) -> Step | None:
        """Send a task to the next engine of its route; None if nobody works for any. `returns`: it may come back."""
        kept = orjson.loads(ticket.remote) if ticket.remote else {}
        if kept and "job" not in kept and not kept.get("free"):
            return None  # its provider may have made it: nobody else does
        engines = [name for name in ticket.routes.split(",") if name]
        for number, engine in enumerate(engines):
            if self.is_made(ticket.product, engine):
                left = [*engines[number + 1 :], *([*engines[:number], ticket.engine] if returns else [])]
                turn = self._turns.served(engine)
                return Step(ticket, Rerouted(), turn=turn, to=engine, routes=",".join(left), log=log)
        return None

    def is_made(self, product: str, engine: str) -> bool:
        """Tell whether a worker makes this product by this engine; where no worker has spoken, it may."""
        offers = self._makers.living
        return not offers or any(one.product == product and one.engine == engine for one in offers)

    async def sweep(self, database: Database, clock: Clock) -> int:
        """Send tasks on that wait for an engine that nobody works for at present; returns how many."""
        moved = 0
        for product, engine in await queue.routed(database):
            if not self.is_made(product, engine):
                moved += await self._move(database, clock, product, engine)
        return moved

    async def _move(self, database: Database, clock: Clock, product: str, engine: str) -> int:
        async def work(tx: Transaction) -> list[Step]:
            waiting = await queue.lock_routed(tx, product=product, engine=engine, most=_SWEEP)
            log = f"nobody works for {engine} at present"
            steps = [step for one in waiting if (step := self.onward(one, log=log, returns=True))]
            await advance(tx, steps, clock.now_us())
            if steps:
                faults.point("reroute.before_commit")
            return steps

        steps = await database.write(work)
        counted.happened(steps, clock.now_us(), self._catalogue)
        return len(steps)
