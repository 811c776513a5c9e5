"""Groups: calls of one kind that come while another is under way are made together.

Ten creates that arrive while a commit is under way cost one commit more, not ten, and the balance of a busy account is
locked once for all of them. Ten look-ups in a database that is far away cost one round trip.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Final, Generic, Self, TypeVar

from unitask.db.database import Database, Transaction
from unitask.kit.errors import Unavailable, UnitaskError

Item = TypeVar("Item")
Result = TypeVar("Result")
log = logging.getLogger(__name__)
_MANY: Final = 8
_LINGER_S: Final = 0.001


class Group(Generic[Item, Result]):
    """Joins calls. `run` gets all items at once and answers each with a result or with the error for its caller.

    One group at a time: two would be half as large each, and cost more than the waiting does. After a group of many
    the next lingers for `linger_s`: those who have just been answered are about to call again.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Awaitable[Sequence[Result | UnitaskError]]],
        *,
        limit: int = 64,
        linger_s: float = 0.0,
    ) -> None:
        self._run = run
        self._limit = limit
        self._linger_s = linger_s
        self._last = 0
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._flushing: asyncio.Task[None] | None = None

    @classmethod
    def of_writes(
        cls, database: Database, work: Callable[[Transaction, list[Item]], Awaitable[Sequence[Result | UnitaskError]]]
    ) -> Self:
        """Join use cases: those of one group share a transaction, and each is durable when its call returns."""
        return cls(lambda items: database.write(lambda tx: work(tx, items)), linger_s=_LINGER_S)

    async def submit(self, item: Item) -> Result:
        """Run the call for this item; returns when its group is through."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._flushing is None:
            # A group is nobody's alone: what it logs does not belong to the trace of whoever came first.
            self._flushing = asyncio.create_task(self._flush(), name="group", context=Context())
        return await future

    async def _flush(self) -> None:
        try:
            while self._waiting:
                if self._linger_s and self._last > _MANY:
                    await asyncio.sleep(self._linger_s)
                group, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                self._last = len(group)
                await self._answer(group)
        finally:
            self._flushing = None

    async def _answer(self, group: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            answers = await self._run([item for item, _ in group])
        except Exception as error:
            if len(group) == 1 or isinstance(error, Unavailable):
                _refuse(group, error)
                return
            log.exception("a group failed and is run one by one", extra={"size": len(group)})
            for one in group:
                await self._answer([one])
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
