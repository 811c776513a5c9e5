"""The use cases of a task. Each method is one transaction, or says which ones it is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from unitask.accounts.model import Caller
from unitask.artifacts.model import ArtifactKind, StoredFile
from unitask.artifacts.service import Artifacts
from unitask.catalogue import Catalogue
from unitask.db import Database, Group, Transaction
from unitask.kit import faults, tracing
from unitask.kit.clock import DAY_US, SECOND_US, Clock
from unitask.kit.errors import Conflict, NotFound, UnitaskError, UnknownProduct
from unitask.kit.ids import is_uuid, uuid7
from unitask.queue import repository as queue
from unitask.queue.model import Ticket
from unitask.queue.turns import Turns
from unitask.tasks import counted, repository
from unitask.tasks.advance import Step, advance
from unitask.tasks.claims import WORK, Claims
from unitask.tasks.create import create
from unitask.tasks.lifecycle import CancelRequested, Overdue
from unitask.tasks.model import Order, Outcome, Task
from unitask.tasks.promote import promotions
from unitask.tasks.routes import Routes
from unitask.tasks.settle import Settled, Settling
from unitask.tasks.watch import Watch
from unitask.webhooks.model import DUE

_SWEEP: Final = 100


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
        self.watch = Watch()
        self.held: Callable[[str], bool] = lambda _: False
        """Tells of a staged task's id whether it has to stay staged even where there is room."""
        self._promoted_up_to = 0
        self._turns = Turns()
        self.claims = Claims(
            database=database,
            clock=clock,
            catalogue=catalogue,
            turns=self._turns,
            watch=self.watch,
            lease_s=rules.lease_s,
        )
        self._routes = Routes(self.claims.makers, self._turns, catalogue)
        self._settling = Settling(catalogue, rules.max_attempts, self._routes)
        self._reads: Group[tuple[str, int], Task | None] = Group(partial(repository.find, database))
        self._creates: Group[Order, Task] = Group.of_writes(database, self._create_many)
        self._settles: Group[Outcome, Settled] = Group.of_writes(database, self._settle_many)

    async def open(self) -> None:
        """Begin to hear of other processes."""
        await self.claims.open()

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
        with tracing.span("create", kind="producer") as span:
            if span.trace is not None:
                order = replace(order, trace=span.trace)
            task = await self._creates.submit(order)
            if span.is_recorded:
                span.set(_told(task, order))
        faults.point("create.after_commit")
        if task.id == order.task_id:
            counted.created(order)
        await self._database.notify(WORK)
        return task

    async def get(self, task_id: str, caller: Caller) -> Task:
        """Read a task.

        Raises:
            NotFound: there is none with this id in this account.

        """
        task = await self._reads.submit((task_id, caller.account_id)) if is_uuid(task_id) else None
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

        async def work(tx: Transaction) -> list[Step]:
            ticket = await queue.lock_task(tx, task.id)
            steps = [Step(ticket, CancelRequested())] if ticket else []
            await advance(tx, steps, now)
            if steps:
                faults.point("cancel.before_commit")
            return steps

        steps = await self._database.write(work)
        counted.happened(steps, now, self._catalogue)
        if not steps:
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

        async def work(tx: Transaction) -> list[Step]:
            waiting = await queue.lock_waiting(
                tx, account_id=caller.account_id, before=before, product_prefix=prefix, most=_SWEEP
            )
            steps = [Step(ticket, CancelRequested()) for ticket in waiting]
            await advance(tx, steps, self._clock.now_us())
            return steps

        total = 0
        while found := await self._database.write(work):
            counted.happened(found, self._clock.now_us(), self._catalogue)
            self.watch.ring(step.ticket.task_id for step in found)
            total += len(found)
            await self._database.notify(DUE)
        await self.promote(caller.account_id)
        return total

    async def live(self, most: int) -> list[Ticket]:
        """List the oldest tasks of all accounts that have not ended."""
        return await queue.live(self._database, most=most)

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

    async def keep_remote(self, task_id: str, attempt: int, remote: str | None) -> None:
        """Write down what is known of an attempt's job at its provider, JSON text; None: there is none any more.

        Raises:
            Conflict: the attempt is not this worker's any more.

        """

        async def work(tx: Transaction) -> None:
            if not await queue.lock_attempts(tx, [(task_id, attempt)]):
                raise Conflict("this attempt was lost; another worker has the task")
            await queue.keep_remote(tx, task_id, remote)
            faults.point("keep.before_commit")

        await self._database.write(work)
        faults.point("keep.after_commit")

    async def settle(self, outcome: Outcome) -> bool:
        """End an attempt; False if it was lost. A second transaction gives the free slot to a staged task."""
        with tracing.span("settle", parent=outcome.trace) as span:
            settled = await self._settles.submit(outcome)
            span.set({"task_id": outcome.task_id, "attempt": outcome.attempt, "accepted": settled.held})
        faults.point("settle.after_commit")
        if settled.step:
            counted.happened([settled.step], self._clock.now_us(), self._catalogue)
        else:
            counted.refused(outcome.task_id, outcome.attempt)
        self.watch.ring([outcome.task_id])
        if settled.owed:
            await self._database.notify(DUE)
        if settled.is_ready:
            await self._database.notify(WORK)
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

    async def reroute(self) -> int:
        """Send tasks on that wait for an engine that nobody works for at present; returns how many."""
        moved = await self._routes.sweep(self._database, self._clock)
        if moved:
            await self._database.notify(WORK)
        return moved

    async def reap(self) -> int:
        """Take tasks from workers that went silent and end those past their deadline; returns how many.

        Nobody loses anything for a reason of ours, see `unitask.tasks.vigil`.
        """
        vigil = self.claims.vigil
        if not vigil.is_even:
            return 0
        now = self._clock.now_us()
        grace_us = int(self._rules.attempt_grace_s * SECOND_US)

        async def work(tx: Transaction) -> list[Step]:
            overdue = await queue.lock_overdue(tx, now=now, most=_SWEEP)
            late = {ticket.task_id for ticket in overdue}
            abandoned = (
                await queue.lock_abandoned(tx, now=now, grace_us=grace_us, most=_SWEEP) if vigil.is_awake else []
            )
            steps = [Step(ticket, Overdue(self._rules.deadline_s)) for ticket in overdue]
            steps += [
                self._settling.abandon(ticket, _why_abandoned(ticket, now - grace_us))
                for ticket in abandoned
                if ticket.task_id not in late
            ]
            await advance(tx, steps, now)
            if steps:
                faults.point("reap.before_commit")
            return steps

        touched = await self._database.write(work)
        if touched:
            faults.point("reap.after_commit")
            counted.happened(touched, now, self._catalogue)
            await self._database.notify(WORK)
            await self._database.notify(DUE)
        for account_id in sorted({step.ticket.account_id for step in touched}):
            await self.promote(account_id)
        return len(touched)

    async def forget(self) -> None:
        """Drop what is past its time: idempotency keys, workers not seen and leftovers not cleared for a day."""
        now = self._clock.now_us()

        async def work(tx: Transaction) -> None:
            await repository.forget_keys(tx, now)
            await queue.forget_workers(tx, before=now - DAY_US)
            await queue.forget_leftovers(tx, before=now - DAY_US)

        await self._database.write(work)

    async def lead(self, holder: str) -> bool:
        """Become or stay the one process that does the housekeeping; it is replaced as late as a silent worker is."""
        now = self._clock.now_us()
        until = now + int(self._rules.lease_s * SECOND_US)
        return await self._database.write(
            lambda tx: queue.take_lease(tx, name="housekeeping", holder=holder, now=now, until=until)
        )


def _told(task: Task, order: Order) -> tracing.Attributes:
    return {
        "task_id": task.id,
        "product": order.product,
        "engine": order.engine,
        "price_points": task.price_points,
        "status": task.status,
        "is_repeated": task.id != order.task_id,
    }


def _why_abandoned(ticket: Ticket, latest: int) -> str:
    if ticket.attempt_deadline is not None and ticket.attempt_deadline <= latest:
        return "the attempt did not end in time"
    return "the worker stopped answering"
