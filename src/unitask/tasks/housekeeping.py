"""What has to happen without anyone asking: one process at a time does it, elected by a lease row."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final

from unitask.artifacts.service import Artifacts
from unitask.kit.errors import Unavailable
from unitask.tasks.service import Tasks
from unitask.webhooks.service import Webhooks

_EVERY_S: Final = 1.0
log = logging.getLogger(__name__)


class Housekeeper:
    """Takes tasks from dead workers, promotes staged ones, ends overdue ones, deletes what has expired."""

    def __init__(self, tasks: Tasks, artifacts: Artifacts, webhooks: Webhooks, holder: str) -> None:
        self._tasks = tasks
        self._artifacts = artifacts
        self._webhooks = webhooks
        self._holder = holder

    async def round(self) -> None:
        """Do one bounded round, if no other process leads."""
        if not await self._tasks.lead(self._holder):
            return
        await self._tasks.reap()
        await self._tasks.promote_all()
        await self._artifacts.sweep()
        await self._tasks.forget()
        await self._webhooks.sweep()

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
