"""Joined look-ups: what is asked for while the database answers goes to it together, as writes do in a group."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from unitask.db.database import Row

_TOGETHER: Final = 64
_SIDE_BY_SIDE: Final = 2
_Asked = tuple[dict[str, Any], asyncio.Future[Row | None]]


class LookUps:
    """The look-ups of one statement. `fetch` takes their parameters as `rows` and gives the rows that it found."""

    def __init__(self, fetch: Callable[..., Awaitable[list[Row]]]) -> None:
        self._fetch = fetch
        self._waiting: list[_Asked] = []
        self._free = _SIDE_BY_SIDE
        self._under_way: set[asyncio.Task[None]] = set()

    async def find(self, parameters: dict[str, Any]) -> Row | None:
        """Read the row that these parameters lead to, as it is after this call began."""
        future: asyncio.Future[Row | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((parameters, future))
        if self._free:
            self._free -= 1
            task = asyncio.create_task(self._work(), name="look-ups")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
                await self._answer(asked)
        finally:
            self._free += 1

    async def _answer(self, asked: list[_Asked]) -> None:
        rows = [{"number": number, **parameters} for number, (parameters, _) in enumerate(asked)]
        try:
            found = {row["number"]: row for row in await self._fetch(rows=rows)}
        except Exception as error:  # noqa: BLE001 - raised where it was asked for
            for _, future in asked:
                if not future.done():
                    future.set_exception(error)
            return
        for number, (_, future) in enumerate(asked):
            if not future.done():
                future.set_result(found.get(number))
