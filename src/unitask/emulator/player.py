"""Plays the tasks: each stands where its script and the clock say, and ends with a card."""

import asyncio
import contextlib
import importlib
import logging
import tempfile
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final
from uuid import uuid4

import orjson

from unitask.app import Services
from unitask.artifacts import repository as artifacts
from unitask.emulator.clock import VirtualClock
from unitask.emulator.messenger import Messenger
from unitask.emulator.orders import PLAIN, ScriptedOrders
from unitask.emulator.script import Script
from unitask.kit.bell import Bell, heard
from unitask.kit.clock import SECOND_US
from unitask.kit.errors import UnitaskError
from unitask.kit.ids import made_at_us
from unitask.provenance.marks import MarkOrder, mark
from unitask.queue.model import Announcement, Progress, State, Ticket
from unitask.tasks.claims import WORK
from unitask.tasks.model import Failure, Outcome, Work
from unitask.webhooks.deliver import Deliverer
from unitask.worker import messages
from unitask.worker.making import run

_MOST: Final = 5000
_POLL_S: Final = 1.0
_CARDS: Final = "unitask.engines.preview.card"
_AT_ONCE: Final = 4
_FILE_LIMIT_BYTES: Final = 2**30
_ENGINE_S: Final = 300.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Times:
    """When a task may have a slot, when it begins to run and when it ends; None: never."""

    slot: int
    start: int
    end: int | None


def _times(task_id: str, script: Script) -> _Times:
    slot = made_at_us(task_id) + round(script.staged_s * SECOND_US)
    start = slot + round(script.pending_s * SECOND_US)
    end = None if script.end == "never" else start + round(script.processing_s * SECOND_US)
    return _Times(slot, start, end)


class Player:
    """The one worker of the emulator, in its process."""

    def __init__(self, services: Services, clock: VirtualClock, orders: ScriptedOrders, deliverer: Deliverer) -> None:
        self._services = services
        self._clock = clock
        self._orders = orders
        self._id = uuid4().hex
        self._lock = asyncio.Lock()
        self._bell = Bell()
        self._under_way: dict[str, Work] = {}
        self.messenger = Messenger(services, deliverer)
        services.tasks.held = self._held

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Play until left."""
        await self._services.database.listen(WORK, self._bell.ring)
        # The first card need not wait for the libraries that draw it.
        side = [
            asyncio.create_task(asyncio.to_thread(importlib.import_module, _CARDS), name="libraries"),
            asyncio.create_task(self._forever(), name="player"),
        ]
        try:
            yield
        finally:
            for task in side:
                task.cancel()
            await asyncio.gather(*side, return_exceptions=True)

    async def advance(self, seconds: float) -> None:
        """Move the clock on, and let everything happen that falls due on the way, in its order."""
        target = self._clock.now_us() + round(seconds * SECOND_US)
        while (due := await self.play()) is not None and due <= target:
            self._clock.move_to(due)
        self._clock.move_to(target)
        await self.play()
        chores = self._services.chores()
        for chore in (*chores.everywhere, *chores.by_one):
            await chore()
        await self.messenger.delivered()

    async def play(self) -> int | None:
        """Bring every task to where it stands now; tells when the next step is due."""
        async with self._lock:
            moved = True
            while moved:
                tickets = await self._services.tasks.live(_MOST)
                moved = await self._step(tickets)
            return await self._next_due(tickets)

    async def _forever(self) -> None:
        await self._give_back()
        while True:
            ring = self._bell.listen()
            wait_s = _POLL_S
            try:
                due = await self.play()
                if due is not None:
                    wait_s = min(_POLL_S, max(0.0, (due - self._clock.now_us()) / SECOND_US))
            except Exception:
                log.exception("the emulator could not play")
            await heard(ring, wait_s)

    async def _give_back(self) -> None:
        """Begin anew with what another run of the emulator left under way."""
        for ticket in await self._services.tasks.live(_MOST):
            if ticket.state is State.PROCESSING and ticket.task_id not in self._under_way:
                await self._services.tasks.settle(Outcome(ticket.task_id, ticket.attempt, given_back=True))

    async def _step(self, tickets: list[Ticket]) -> bool:
        """Start and end what is due; tells whether anything moved."""
        now = self._clock.now_us()
        waiting = {one.account_id for one in tickets if one.state is State.STAGED and self._times(one).slot <= now}
        promoted = [await self._services.tasks.promote(account_id) for account_id in sorted(waiting)]
        starting = [one.task_id for one in tickets if one.state is State.READY and self._times(one).start <= now]
        if starting:
            await self._beat([])
            for work in await self._services.tasks.claims.claim_named(worker_id=self._id, task_ids=starting):
                self._under_way[work.task_id] = work
        ending = [one for one in tickets if one.task_id in self._under_way and self._ends(one, now)]
        for first in range(0, len(ending), _AT_ONCE):
            few = ending[first : first + _AT_ONCE]
            for ticket, outcome in zip(few, await asyncio.gather(*map(self._outcome, few)), strict=True):
                await self._end(ticket, outcome)
        return bool(any(promoted) or starting or ending)

    def _ends(self, ticket: Ticket, now: int) -> bool:
        end = self._times(ticket).end
        return ticket.cancel_requested or (end is not None and end <= now)

    def _held(self, task_id: str) -> bool:
        return _times(task_id, self._orders.scripts.get(task_id, PLAIN)).slot > self._clock.now_us()

    def _times(self, ticket: Ticket) -> _Times:
        return _times(ticket.task_id, self._script(ticket))

    def _script(self, ticket: Ticket) -> Script:
        return self._orders.scripts.get(ticket.task_id, PLAIN)

    async def _next_due(self, tickets: list[Ticket]) -> int | None:
        """Tell when the next step is due, and report how far those under way are."""
        now = self._clock.now_us()
        due = [self.messenger.next_due()]
        progress = []
        for ticket in tickets:
            times = self._times(ticket)
            if ticket.state is State.STAGED:
                due.append(times.slot)
            elif ticket.state is State.READY:
                due.append(times.start)
            elif times.end is not None:
                due.append(times.end)
                share = (now - times.start) / max(times.end - times.start, 1)
                progress.append(Progress(ticket.task_id, ticket.attempt, round(min(share, 0.99), 2), ""))
        if progress:
            await self._beat(progress)
        await self.messenger.send(now)
        return min((one for one in due if one is not None and one > now), default=None)

    async def _beat(self, progress: list[Progress]) -> None:
        await self._services.tasks.claims.beat(Announcement(self._id, "emulator", ["preview"]), progress)

    async def _end(self, ticket: Ticket, outcome: Outcome) -> None:
        work, script = self._under_way.pop(ticket.task_id), self._script(ticket)
        await self._services.tasks.settle(outcome)
        now = self._clock.now_us()
        if script.expired:
            gone = [(work.task_id, work.attempt, now)]
            await self._services.database.write(lambda tx: artifacts.publish(tx, gone, now))
        if script.webhook != "sent":
            await self.messenger.keep(work, script, now)
        else:
            await self.messenger.passed()

    async def _outcome(self, ticket: Ticket) -> Outcome:
        work, script = self._under_way[ticket.task_id], self._script(ticket)
        if ticket.cancel_requested:
            return Outcome(work.task_id, work.attempt, failure=Failure("the task was cancelled"))
        if script.end == "failed":
            error = script.error
            failure = Failure(error.message, error.raw_message or error.message, error.code)
            return Outcome(work.task_id, work.attempt, failure=failure)
        return await self._made(work)

    async def _made(self, work: Work) -> Outcome:
        services = self._services
        desk = _Desk(services, work, asyncio.get_running_loop())
        with tempfile.TemporaryDirectory(prefix="unitask-") as scratch:
            order = messages.Run(
                of=messages.Name(work.task_id, work.attempt),
                model=work.model,
                task_type=work.task_type,
                engine=work.engine,
                input=orjson.loads(services.artifacts.with_urls(work.input)),
                seconds_left=_ENGINE_S,
                scratch=scratch,
                models=str(services.settings.models_folder),
                files_url=services.artifacts.files_url,
                own_files_url=f"{services.settings.local_url}/files/",
                allow_private=True,
            )
            end = await asyncio.to_thread(run, desk, services.catalogue, order)
        if isinstance(end, messages.Done):
            return Outcome(
                work.task_id,
                work.attempt,
                output=end.output,
                level=end.level,
                measures=end.measures,
                warnings=end.warnings,
            )
        failure = Failure(end.message, end.raw_message, end.number, end.of_input)
        return Outcome(work.task_id, work.attempt, failure=failure, warnings=end.warnings)


class _Desk:
    """Stores what an engine in a thread of this process makes; satisfies `unitask.worker.job.Parent`."""

    def __init__(self, services: Services, work: Work, loop: asyncio.AbstractEventLoop) -> None:
        self.cancelled = threading.Event()
        self.saved: SimpleQueue[messages.Saved] = SimpleQueue()
        self._services = services
        self._work = work
        self._loop = loop

    def say(self, word: messages.Word) -> None:
        """Store a file; how far a card is interests nobody."""
        if isinstance(word, messages.Save):
            asyncio.run_coroutine_threadsafe(self._store(word), self._loop)

    async def _store(self, word: messages.Save) -> None:
        work, store = self._work, self._services.artifacts
        try:
            path = await asyncio.to_thread(_marked, word)
            file = await store.store(_chunks(path), extension=word.extension, limit_bytes=_FILE_LIMIT_BYTES)
            await self._services.tasks.add_output(file, task_id=work.task_id, attempt=work.attempt)
            self.saved.put(messages.Saved(of=word.of, reference=file.reference))
        except (UnitaskError, OSError) as error:
            self.saved.put(messages.Saved(of=word.of, reference="", why=str(error)))


def _marked(word: messages.Save) -> str:
    """Put the IPTC mark on a card; nothing is signed here."""
    path = Path(word.path)
    into = path.with_name(f"{path.name}.marked")
    order = MarkOrder(path=path, extension=word.extension, into=into, said=word.said, inputs=word.inputs)
    return str(mark(order, None).path)


async def _chunks(path: str) -> AsyncIterator[bytes]:
    with open(path, "rb") as file:  # noqa: ASYNC230, PTH123 - a file that was written a moment ago
        while chunk := file.read(2**20):
            yield chunk
