"""An API that a test writes, for a worker in its own process: what no real API can be made to do when wanted."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unitask.spec import protocol


def task(
    number: int, do: str = "ok", *, engine: str = "tester", seconds_left: float = 30, **inputs: Any
) -> protocol.ClaimedTask:
    """Write a task for the engine `tester` or `keeper`."""
    return protocol.ClaimedTask(
        task_id=f"0192f0c0-0000-7000-8000-{number:012}",
        attempt=1,
        model="tester",
        task_type="kept" if engine == "keeper" else "do",
        engine=engine,
        input={"do": do, **inputs},
        seconds_left=seconds_left,
    )


@dataclass
class WrittenApi:
    """Gives out its tasks to who has their engines, keeps what it is told; `on_...` may raise in place of an answer."""

    tasks: list[protocol.ClaimedTask] = field(default_factory=list)
    reports: list[protocol.SettleRequest] = field(default_factory=list)
    on_claim: Callable[[], None] = lambda: None
    on_settle: Callable[[], None] = lambda: None
    given: list[protocol.HeldTask] = field(default_factory=list)
    tries: int = 0
    claims: list[protocol.ClaimRequest] = field(default_factory=list)
    beats: list[protocol.BeatRequest] = field(default_factory=list)
    files: dict[tuple[str, int], bytes] = field(default_factory=dict)
    added: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, *tasks: protocol.ClaimedTask) -> None:
        """Have more tasks."""
        self.tasks += tasks
        self.added.set()
        self.added = asyncio.Event()

    def cancel(self, task: protocol.ClaimedTask) -> None:
        """Tell the worker with the next heartbeat that the client took the order back."""
        self.given = [
            one.model_copy(update={"cancel_requested": True}) if one.task_id == task.task_id else one
            for one in self.given
        ]

    async def beat(self, request: protocol.BeatRequest) -> protocol.BeatAnswer:
        """Let the worker keep what it was given."""
        self.beats.append(request)
        return protocol.BeatAnswer(held=self.given, files_url="http://unitask.test/files/", next_in_s=0.1)

    async def claim(self, request: protocol.ClaimRequest) -> list[protocol.ClaimedTask]:
        """Give the next tasks; when there are no more, wait as the real one does."""
        self.on_claim()
        self.claims.append(request)
        while not (claimed := [one for one in self.tasks if one.engine in request.engines][: request.most]):
            await self.added.wait()
        self.tasks = [one for one in self.tasks if one not in claimed]
        self.given += [
            protocol.HeldTask(task_id=one.task_id, attempt=one.attempt, cancel_requested=False) for one in claimed
        ]
        return claimed

    async def marks(self) -> protocol.MarksAnswer:
        """Want files as they are made."""
        return protocol.MarksAnswer(marks=False)

    async def upload(self, task_id: str, attempt: int, path: Path, extension: str) -> str:
        """Keep a file."""
        self.files[task_id, attempt] = await asyncio.to_thread(path.read_bytes)
        return f"unitask-artifact:{task_id}/{attempt}.{extension}"

    async def settle(self, report: protocol.SettleRequest) -> bool:
        """Take a report."""
        self.tries += 1
        self.on_settle()
        self.reports.append(report)
        self.given = [one for one in self.given if one.task_id != report.task_id]
        return True

    async def settle_many(self, reports: Sequence[protocol.SettleRequest]) -> list[bool]:
        """Take several reports."""
        return [await self.settle(report) for report in reports]

    def report_of(self, task: protocol.ClaimedTask) -> protocol.SettleRequest | None:
        """Find what was reported of a task, which was reported once at most."""
        found = [one for one in self.reports if one.task_id == task.task_id]
        assert len(found) <= 1, found
        return found[0] if found else None

    def seen_of(self, task: protocol.ClaimedTask) -> list[protocol.AttemptProgress]:
        """List what the heartbeats said of a task."""
        return [one for beat in self.beats for one in beat.progress if one.task_id == task.task_id]
