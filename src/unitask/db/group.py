"""Group commit: concurrent calls of one use case share a transaction.

Ten creates that arrive while a commit is under way cost one commit more, not ten, and the balance of a busy account is
locked once for all of them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from unitask.db.database import Database, Transaction
from unitask.kit.errors import Unavailable, UnitaskError

Item = TypeVar("Item")
Result = TypeVar("Result")
log = logging.getLogger(__name__)


class Group(Generic[Item, Result]):
    """Joins calls. `work` gets all items at once and answers each with a result or with the error for its caller.

    Two groups at a time: while the database commits one, the other is made ready.
    """

    def __init__(
        self,
        database: Database,
        work: Callable[[Transaction, list[Item]], Awaitable[list[Result | UnitaskError]]],
        *,
        limit: int = 64,
        side_by_side: int = 2,
    ) -> None:
        self._database = database
        self._work = work
        self._limit = limit
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._free = side_by_side
        self._flushing: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Result:
        """Run the use case for this item; returns when it is durable."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._free:
            self._free -= 1
            flushing = asyncio.create_task(self._flush(), name="group-commit")
            self._flushing.add(flushing)
            flushing.add_done_callback(self._flushing.discard)
        return await future

    async def _flush(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                await self._commit(group)
        finally:
            self._free += 1

    async def _commit(self, group: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            answers = await self._database.write(lambda tx: self._work(tx, [item for item, _ in group]))
        except Exception as error:
            if len(group) == 1 or isinstance(error, Unavailable):
                _refuse(group, error)
                return
            log.exception("a group failed and is run one by one", extra={"size": len(group)})
            for one in group:
                await self._commit([one])
            return
        for (_, future), answer in zip(group, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, UnitaskError):
                future.set_exception(answer)
            else:
                future.set_result(answer)


def _refuse(group: list[tuple[Item, asyncio.Future[Result]]], error: Exception) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
