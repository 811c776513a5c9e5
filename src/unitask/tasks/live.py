"""Following a task: waiting for its end, and its story as events that can be taken up again after a break."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from unitask.accounts.model import Caller
from unitask.kit.bell import heard
from unitask.kit.clock import rfc3339
from unitask.tasks.model import Status, Task
from unitask.tasks.service import Tasks

_POLL_S: Final = 1.0
_ORDER: Final = {Status.STAGED: 0, Status.PENDING: 1, Status.PROCESSING: 2, Status.COMPLETED: 9, Status.FAILED: 9}
_AGAIN: Final = 3


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """Where in its story a task is: comparable, so that a client who was away gets what it has missed.

    `thousandths` is the progress of a running attempt; while it waits it grows as its place in the queue gets better.
    """

    attempt: int
    order: int
    thousandths: int

    @classmethod
    def parse(cls, text: str) -> "Moment | None":
        """Read the id of an event; None for anything else."""
        parts = text.split("-")
        numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 10]  # noqa: PLR2004 - no number here has as many digits
        return cls(*numbers) if len(parts) == len(numbers) == 3 else None  # noqa: PLR2004 - its three fields

    def __str__(self) -> str:
        """Write it as the id of an event."""
        return f"{self.attempt}-{self.order}-{self.thousandths}"


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """Something that happened to a task. `task` is set on the last one; `preview` is the newest one's path."""

    moment: Moment
    data: dict[str, Any]
    task: Task | None = None
    preview: str | None = None


def story(task: Task, eta_s: float | None = None) -> list[LiveEvent]:
    """Tell all that is known to have happened to a task, oldest first: the row itself remembers it."""
    events = [LiveEvent(Moment(0, 0, 0), {"status": "accepted", "at": rfc3339(task.created_at)})]
    if task.started_at is not None:
        events.append(LiveEvent(Moment(1, 2, 0), {"status": Status.PROCESSING, "at": rfc3339(task.started_at)}))
    current = _current(task, eta_s)
    return [event for event in events if event.moment < current.moment] + [current]


def _current(task: Task, eta_s: float | None) -> LiveEvent:
    waits_again = task.status is Status.PENDING and task.attempt > 0
    thousandths = round((task.progress or 0) * 1000) if task.status is Status.PROCESSING else 0
    if task.queue_position is not None:
        thousandths = 1000 - task.queue_position
    moment = Moment(task.attempt, _AGAIN if waits_again else _ORDER[task.status], thousandths)
    times = {Status.PROCESSING: task.started_at, Status.COMPLETED: task.ended_at, Status.FAILED: task.ended_at}
    data: dict[str, Any] = {"status": task.status, "at": rfc3339(times.get(task.status, task.created_at))}
    if task.status is Status.PROCESSING:
        data |= {"attempt": task.attempt, "progress": task.progress or 0.0}
    if task.queue_position is not None:
        data["queue_position"] = task.queue_position
    if eta_s is not None:
        data["eta_s"] = eta_s
    return LiveEvent(moment, data, task if task.status.final else None, task.preview)


class Live:
    """Waits for tasks without a busy loop."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def ended(self, task_id: str, caller: Caller, wait_s: float, gone: Callable[[], Awaitable[bool]]) -> Task:
        """Read a task when it has ended, or as it is when `wait_s` seconds are over or the client is gone."""
        until = time.monotonic() + wait_s
        while True:
            event = self._tasks.watch.listen(task_id)
            task = await self._tasks.get(task_id, caller)
            left_s = until - time.monotonic()
            if task.status.final or left_s <= 0 or self._tasks.claims.closing or await gone():
                return task
            await heard(event, min(_POLL_S, left_s))

    async def events(
        self, task_id: str, caller: Caller, after: Moment | None, gone: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[LiveEvent | None]:
        """Give a task's events after a moment until it has ended; None now and then, when nothing happens."""
        while not self._tasks.claims.closing and not await gone():
            bell = self._tasks.watch.listen(task_id)
            task = await self._tasks.get(task_id, caller)
            fresh = [event for event in story(task, self._tasks.eta_s(task)) if after is None or event.moment > after]
            for event in fresh:
                after = event.moment
                yield event
            if task.status.final:
                return
            if not fresh:
                yield None
            await heard(bell, _POLL_S)
