"""A worker made of plain calls: what a test needs to move tasks along without processes."""

from collections.abc import Sequence
from typing import Any

from unitask.app import Services
from unitask.queue.model import Announcement, Progress
from unitask.tasks.claims import Ask
from unitask.tasks.model import Failure, Outcome, Work

IMAGE_OUTPUT = {"image_url": "unitask-artifact:2026/11/21/made.png", "image_urls": None, "image_base64": ""}
ENGINES = ("cpu", "preview")


async def _never() -> bool:
    return False


class HandWorker:
    """Claims, beats and settles when told to."""

    def __init__(
        self, services: Services, worker_id: str = "worker-1", engines: tuple[str, ...] = ENGINES, **said: Any
    ) -> None:
        self._tasks = services.tasks
        self.id = worker_id
        self.said = Announcement(worker_id, worker_id, engines, **said)

    async def beat(
        self, work: Work | None = None, progress: float = 0, waiting: Sequence[tuple[str, int]] = ()
    ) -> list[tuple[str, int, bool]]:
        said = [Progress(work.task_id, work.attempt, progress, "")] if work else []
        held = await self._tasks.claims.beat(self.said, said, waiting)
        return [(one.task_id, one.attempt, one.cancel_requested) for one in held]

    async def claim(self, most: int = 1) -> list[Work]:
        await self.beat()
        ask = Ask(self.id, self.said.engines, most, frozenset(self.said.loaded))
        return await self._tasks.claims.claim(ask, wait_s=0, gone=_never)

    async def complete(self, work: Work, output: dict[str, Any] | None = None, **details: Any) -> bool:
        return await self._tasks.settle(Outcome(work.task_id, work.attempt, output=output or IMAGE_OUTPUT, **details))

    async def fail(self, work: Work, message: str = "it broke", **details: Any) -> bool:
        return await self._tasks.settle(Outcome(work.task_id, work.attempt, failure=Failure(message), **details))
