"""Messages about the end of tasks that their scripts want lost, doubled, late or out of order."""

from collections import deque
from typing import Final

import orjson

from unitask.app import Services
from unitask.emulator.script import Script
from unitask.kit.clock import SECOND_US
from unitask.tasks.announce import announce
from unitask.tasks.model import Status, Work
from unitask.webhooks.deliver import Deliverer
from unitask.webhooks.model import DUE, State
from unitask.webhooks.service import LogRequest

_PATIENCE_S: Final = 10.0
_ALONE_US: Final = 60 * SECOND_US


class Messenger:
    """Keeps what must wait. The orders of these tasks say that they have no webhook, so that nobody else sends."""

    def __init__(self, services: Services, deliverer: Deliverer) -> None:
        self._services = services
        self._deliverer = deliverer
        self._late: list[tuple[int, Work]] = []
        self._after_next: deque[tuple[int, Work]] = deque()

    async def keep(self, work: Work, script: Script, now: int) -> None:
        """Hear that a task has ended; its message goes as the script says."""
        if not orjson.loads(work.config)["webhook_config"]["endpoint"]:
            return
        if script.webhook == "late":
            self._late.append((now + round(script.late_s * SECOND_US), work))
        elif script.webhook == "out_of_order":
            self._after_next.append((now + _ALONE_US, work))
        elif script.webhook == "twice":
            await self._announce(work, now)
            await self._again(work)

    async def passed(self) -> None:
        """Hear that a task with an ordinary message has ended: what was to come after it goes now."""
        if self._after_next:
            await self.delivered()
            while self._after_next:
                _, work = self._after_next.popleft()
                await self._announce(work, self._services.clock.now_us())

    def next_due(self) -> int | None:
        """Tell when the next message that waits is due."""
        return min((due for due, _ in [*self._late, *self._after_next]), default=None)

    async def send(self, now: int) -> None:
        """Send what is due; a message that waits for another task's goes alone after a minute."""
        waiting = [*self._late, *self._after_next]
        self._late = [one for one in self._late if one[0] > now]
        self._after_next = deque(one for one in self._after_next if one[0] > now)
        for due, work in waiting:
            if due <= now:
                await self._announce(work, now)

    async def delivered(self) -> None:
        """Wait until what is owed by now has been tried, for some seconds at most."""
        await self._deliverer.tried(_PATIENCE_S)

    async def _announce(self, work: Work, now: int) -> None:
        services = self._services
        task = (await services.history.show_many([work.task_id]))[0]
        event = "completed" if task.status is Status.COMPLETED else "failed"
        await services.database.write(lambda tx: announce(tx, [(work.task_id, event)], now))
        await services.database.notify(DUE)

    async def _again(self, work: Work) -> None:
        """Send a message a second time, under the same id, once it has been delivered."""
        services = self._services
        task = (await services.history.show_many([work.task_id]))[0]
        await self.delivered()
        page = await services.webhooks.newest(task.account_id, LogRequest(task_id=task.id))
        for delivery in page.deliveries:
            if delivery.state is State.DELIVERED:
                await services.webhooks.replay(delivery.id, task.account_id)
