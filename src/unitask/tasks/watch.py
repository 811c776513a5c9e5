"""Waiting for something to happen to one task."""

import asyncio
from collections.abc import Iterable
from weakref import WeakValueDictionary


class Watch:
    """Tells those who wait for a task that this process has changed it.

    What another process changes is not heard of: whoever waits reads the task again every second anyway.
    """

    def __init__(self) -> None:
        # Who listens holds the event: it is gone with the last of them.
        self._waiting: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    def ring(self, task_ids: Iterable[str]) -> None:
        """Wake all who wait for one of these tasks."""
        for task_id in task_ids:
            event = self._waiting.pop(task_id, None)
            if event is not None:
                event.set()

    def listen(self, task_id: str) -> asyncio.Event:
        """Take the event of the task's next change; take it before reading the task, wait on it after."""
        return self._waiting.setdefault(task_id, asyncio.Event())
