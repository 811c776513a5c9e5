"""The use cases of a task. Each method is one transaction, or says which ones it is."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from unitask.accounts.model import Caller
from unitask.artifacts.model import ArtifactKind, StoredFile
from unitask.artifacts.service import Artifacts
from unitask.catalogue import Catalogue
from unitask.db import Database, Group, Transaction
from unitask.kit import faults
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import Conflict, NotFound, UnitaskError, UnknownProduct
from unitask.kit.ids import is_uuid, uuid7
from unitask.queue import repository as queue
from unitask.queue.model import Claimed, Held, Lane, Progress, Ticket
from unitask.queue.turns import Turns
from unitask.tasks import repository
from unitask.tasks.advance import Step, advance
from unitask.tasks.announce import PROGRESS, announce, chooses_events
from unitask.tasks.bell import Bell, heard
from unitask.tasks.create import create
from unitask.tasks.lifecycle import CancelRequested, Overdue
from unitask.tasks.model import Order, Outcome, Status, Task, Work
from unitask.tasks.promote import promotions
from unitask.tasks.settle import Settled, Settling
from unitask.tasks.watch import Watch
from unitask.webhooks.model import DUE

WORK: Final = "unitask_work"
_POLL_S: Final = 1.0
_SWEEP: Final = 100
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits that the operator sets. Times in seconds.

    `lease_s`: how long a silent worker keeps its tasks. `deadline_s`: by when every task has ended.
    """

    max_attempts: int = 3
    staged_limit: int = 50
    lease_s: float = 15.0
    deadline_s: int = 24 * 3600
    attempt_grace_s: float = 15.0


class Tasks:
    """The heart of the system; needs `open` once before its first use."""

    def __init__(
        self, *, database: Database, clock: Clock, catalogue: Catalogue, artifacts: Artifacts, rules: Rules
    ) -> None:
        self._database = database
        self._clock = clock
        self._catalogue = catalogue
        self._artifacts = artifacts
        self._rules = rules
        self._settling = Settling(catalogue, rules.max_attempts)
        self._bell = Bell()
        self.watch = Watch()
        self.closing = False
        self.held: Callable[[str], bool] = lambda _: False
        """Tells of a staged task's id whether it has to stay staged even where there is room."""
        self._promoted_up_to = 0
        self._turns = Turns()
        self._creates: Group[Order, Task] = Group(database, self._create_many)
        self._settles: Group[Outcome, Settled] = Group(database, self._settle_many)

    async def open(self) -> None:
        """Begin to hear of work that other processes accept."""
        await self._database.listen(WORK, self._bell.ring)
        await self.follow_turns()

    async def follow_turns(self) -> None:
        """Learn which turns other processes serve, and tell them."""
        ahead = self._turns.follow(await queue.turns(self._database))
        if ahead:
            await self._database.write(lambda tx: queue.note_turns(tx, ahead))

    async def _create_many(self, tx: Transaction, orders: list[Order]) -> list[Task | UnitaskError]:
        return await create(tx, orders, staged_limit=self._rules.staged_limit, turns=self._turns)

    async def _settle_many(self, tx: Transaction, outcomes: list[Outcome]) -> list[Settled | UnitaskError]:
        return await self._settling.settle(tx, outcomes, self._clock.now_us())

    async def create(self, order: Order) -> Task:
        """Turn an order into a task; the same idempotency key again gives the same task.

        Raises:
            InsufficientCredits: the balance does not cover the price.
            TooManyTasks: too many tasks are staged already.
            IdempotencyMismatch: the key was used for another body.

        """
        task = await self._creates.submit(order)
        faults.point("create.after_commit")
        await self._database.notify(WORK)
        return task

    async def get(self, task_id: str, caller: Caller) -> Task:
        """Read a task.

        Raises:
            NotFound: there is none with this id in this account.

        """
        task = await repository.find(self._database, task_id, caller.account_id) if is_uuid(task_id) else None
        if task is None:
            raise NotFound("task not found")
        return task

    def eta_s(self, task: Task) -> float | None:
        """Guess the seconds until a task has ended, from what its product usually takes and how far it is."""
        if task.status.final:
            return None
        try:
            usual_s = self._catalogue.find(task.model, task.task_type).expected_s
        except UnknownProduct:
            return None
        if task.started_at is None:
            return usual_s * (1 + (task.queue_position or 0))
        spent_s = (self._clock.now_us() - task.started_at) / SECOND_US
        return round(max(0.0, spent_s / task.progress - spent_s if task.progress else usual_s - spent_s), 1)

    async def cancel(self, task_id: str, caller: Caller) -> Task:
        """Take an order back: at once while it waits; within a heartbeat and a step of its engine while it runs.

        Raises:
            NotFound: there is none with this id in this account.
            Conflict: it has ended.

        """
        task = await self.get(task_id, caller)
        now = self._clock.now_us()

        async def work(tx: Transaction) -> bool:
            ticket = await queue.lock_task(tx, task.id)
            if ticket is None:
                return False
            await advance(tx, [Step(ticket, CancelRequested())], now)
            faults.point("cancel.before_commit")
            return True

        if not await self._database.write(work):
            ended = await self.get(task_id, caller)
            raise Conflict(f"the task is {ended.status} already and cannot be cancelled")
        faults.point("cancel.after_commit")
        self.watch.ring([task.id])
        await self._database.notify(DUE)
        await self.promote(caller.account_id)
        return await self.get(task_id, caller)

    async def cancel_many(self, caller: Caller, *, created_before_s: int, model: str) -> int:
        """Take back all orders of an account that wait, made before a moment; `model` empty: of any. Returns how many.

        Each round of a hundred is a transaction of its own.
        """
        before = uuid7(created_before_s * SECOND_US, bytes(8))
        prefix = f"{model}/" if model else ""

        async def work(tx: Transaction) -> list[str]:
            waiting = await queue.lock_waiting(
                tx, account_id=caller.account_id, before=before, product_prefix=prefix, most=_SWEEP
            )
            await advance(tx, [Step(ticket, CancelRequested()) for ticket in waiting], self._clock.now_us())
            return [ticket.task_id for ticket in waiting]

        total = 0
        while found := await self._database.write(work):
            self.watch.ring(found)
            total += len(found)
            await self._database.notify(DUE)
        await self.promote(caller.account_id)
        return total

    async def claim(
        self, *, worker_id: str, engines: Sequence[str], most: int, wait_s: float, gone: Callable[[], Awaitable[bool]]
    ) -> list[Work]:
        """Give a worker up to `most` tasks that its engines can make; waits up to `wait_s` seconds for one.

        `gone` tells that the worker hung up: a task claimed for nobody would wait for the end of a lease.
        """
        until = time.monotonic() + wait_s
        while not self.closing and not await gone():
            ring = self._bell.listen()
            found = await self._claim_now(worker_id, engines, most)
            left = until - time.monotonic()
            if len(found) == most:
                await self._database.notify(WORK)
            if found or left <= 0:
                return found
            await heard(ring, min(_POLL_S, left))
        return []

    def stop_waiting(self) -> None:
        """Send the workers that wait for tasks away: the server is about to end."""
        self.closing = True
        self._bell.ring()

    async def _claim_now(self, worker_id: str, engines: Sequence[str], most: int) -> list[Work]:
        now = self._clock.now_us()
        lanes = self._lanes(engines)

        async def choose(tx: Transaction) -> list[Claimed]:
            return await queue.claim(tx, worker_id=worker_id, lanes=lanes, most=most, now=now)

        claimed, works = await self._start(choose, now)
        self._turns.serve(engines, [(one.engine, one.turn) for one in claimed])
        return works

    async def claim_named(self, *, worker_id: str, task_ids: Sequence[str]) -> list[Work]:
        """Give a worker these tasks, whosever turn it is, as far as they are ready."""

        async def choose(tx: Transaction) -> list[Claimed]:
            return await queue.claim_named(tx, worker_id=worker_id, task_ids=task_ids)

        _, works = await self._start(choose, self._clock.now_us())
        return works

    async def live(self, most: int) -> list[Ticket]:
        """List the oldest tasks of all accounts that have not ended."""
        return await queue.live(self._database, most=most)

    async def _start(
        self, choose: Callable[[Transaction], Awaitable[list[Claimed]]], now: int
    ) -> tuple[list[Claimed], list[Work]]:
        async def work(tx: Transaction) -> tuple[list[Claimed], list[Work]]:
            claimed = await choose(tx)
            found = await repository.start(tx, claimed, now)
            await announce(tx, [(one.task_id, Status.PROCESSING) for one in found if chooses_events(one.config)], now)
            if found:
                faults.point("claim.before_commit")
            return claimed, found

        claimed, found = await self._database.write(work)
        if found:
            faults.point("claim.after_commit")
        self.watch.ring(one.task_id for one in found)
        return claimed, found

    def _lanes(self, engines: Sequence[str]) -> list[Lane]:
        """List what these engines make; where one has several recipes for a product, the slowest sets the limit."""
        limits_s: dict[tuple[str, str], int] = {}
        for product in self._catalogue:
            for recipe in product.recipes:
                if recipe.engine in engines:
                    lane = product.key, recipe.engine
                    limits_s[lane] = max(limits_s.get(lane, 0), recipe.limit_s or product.limit_s)
        return [
            Lane(product, engine, limit_s * SECOND_US, self._turns.served(engine))
            for (product, engine), limit_s in limits_s.items()
        ]

    async def beat(
        self,
        *,
        worker_id: str,
        name: str,
        engines: Sequence[str],
        progress: Sequence[Progress],
        waiting: Sequence[tuple[str, int]] = (),
        devices: Sequence[str] = (),
    ) -> list[Held]:
        """Renew a worker's lease, note its progress, list what it holds; the time of those `waiting` begins later."""
        now = self._clock.now_us()

        async def work(tx: Transaction) -> list[Held]:
            until = now + int(self._rules.lease_s * SECOND_US)
            await queue.beat(
                tx, worker_id=worker_id, name=name, engines=engines, devices=devices, now=now, lease_until=until
            )
            await queue.put_off(tx, waiting, lanes=self._lanes(engines) if waiting else [], now=now)
            moved = await queue.note_progress(tx, progress)
            await announce(tx, [(task_id, PROGRESS) for task_id in moved], now)
            return await queue.held_by(tx, worker_id)

        held = await self._database.write(work)
        self.watch.ring(one.task_id for one in progress)
        return held

    async def account_of(self, task_id: str) -> int | None:
        """Tell whose task this is."""
        return await repository.account_of(self._database, task_id)

    async def add_output(
        self, file: StoredFile, *, task_id: str, attempt: int, kind: ArtifactKind = ArtifactKind.OUTPUT
    ) -> None:
        """Write down a file that an attempt made: of its output, or a preview of it.

        Raises:
            Conflict: the attempt is not this worker's any more.

        """

        async def work(tx: Transaction) -> None:
            held = await queue.lock_attempts(tx, [(task_id, attempt)])
            if not held:
                raise Conflict("this attempt was lost; another worker has the task")
            (ticket,) = held.values()
            await self._artifacts.add_made(
                tx, file, kind, account_id=ticket.account_id, task_id=task_id, attempt=attempt
            )

        await self._database.write(work)

    async def settle(self, outcome: Outcome) -> bool:
        """End an attempt; False if it was lost. A second transaction gives the free slot to a staged task."""
        settled = await self._settles.submit(outcome)
        faults.point("settle.after_commit")
        self.watch.ring([outcome.task_id])
        if settled.owed:
            await self._database.notify(DUE)
        if settled.waiting_account is not None:
            await self.promote(settled.waiting_account)
        return settled.held

    async def promote(self, account_id: int) -> int:
        """Let staged tasks of an account take the slots that are free; returns how many."""
        now = self._clock.now_us()

        async def work(tx: Transaction) -> int:
            steps = await promotions(tx, account_id, self._turns, self.held)
            await advance(tx, steps, now)
            if steps:
                faults.point("promote.before_commit")
            return len(steps)

        promoted = await self._database.write(work)
        if promoted:
            faults.point("promote.after_commit")
            await self._database.notify(WORK)
        return promoted

    async def promote_all(self) -> int:
        """Promote for the next accounts that have staged tasks: the safety net behind `settle`."""
        found = await queue.accounts_with_staged(self._database, after=self._promoted_up_to, most=_SWEEP)
        self._promoted_up_to = found[-1] if len(found) == _SWEEP else 0
        return sum([await self.promote(account_id) for account_id in found])

    async def reap(self) -> int:
        """Take tasks from workers that went silent and end those past their deadline; returns how many."""
        now = self._clock.now_us()
        grace_us = int(self._rules.attempt_grace_s * SECOND_US)

        async def work(tx: Transaction) -> list[int]:
            overdue = await queue.lock_overdue(tx, now=now, most=_SWEEP)
            late = {ticket.task_id for ticket in overdue}
            abandoned = await queue.lock_abandoned(tx, now=now, grace_us=grace_us, most=_SWEEP)
            steps = [Step(ticket, Overdue(self._rules.deadline_s)) for ticket in overdue]
            steps += [
                self._settling.abandon(ticket, _why_abandoned(ticket, now - grace_us))
                for ticket in abandoned
                if ticket.task_id not in late
            ]
            await advance(tx, steps, now)
            if steps:
                faults.point("reap.before_commit")
            return [step.ticket.account_id for step in steps]

        touched = await self._database.write(work)
        if touched:
            faults.point("reap.after_commit")
            log.info("took tasks back", extra={"tasks": len(touched)})
            await self._database.notify(WORK)
            await self._database.notify(DUE)
        for account_id in sorted(set(touched)):
            await self.promote(account_id)
        return len(touched)

    async def forget(self) -> None:
        """Drop what is past its time: idempotency keys, and workers not seen for a day."""
        now = self._clock.now_us()

        async def work(tx: Transaction) -> None:
            await repository.forget_keys(tx, now)
            await queue.forget_workers(tx, before=now - 24 * 3600 * SECOND_US)

        await self._database.write(work)

    async def lead(self, holder: str) -> bool:
        """Become or stay the one process that does the housekeeping; it is replaced as late as a silent worker is."""
        now = self._clock.now_us()
        until = now + int(self._rules.lease_s * SECOND_US)
        return await self._database.write(
            lambda tx: queue.take_lease(tx, name="housekeeping", holder=holder, now=now, until=until)
        )


def _why_abandoned(ticket: Ticket, latest: int) -> str:
    if ticket.attempt_deadline is not None and ticket.attempt_deadline <= latest:
        return "the attempt did not end in time"
    return "the worker stopped answering"
