"""Carry out what the lifecycle decides: one set of statements for any number of tasks and any mix of events."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from unitask.accounts import repository as accounts
from unitask.artifacts import repository as artifacts
from unitask.billing import repository as ledger
from unitask.billing.model import Entry, Kind, Usage
from unitask.db import Transaction
from unitask.kit.clock import DAY_US
from unitask.kit.ids import made_at_us
from unitask.queue import repository as queue
from unitask.queue.model import Leftover, Place, State, Ticket
from unitask.tasks import repository
from unitask.tasks.announce import announce
from unitask.tasks.changes import Moved, sum_changes
from unitask.tasks.lifecycle import Completed, Effects, Event, Standing, apply
from unitask.tasks.model import Status

_STATUS = {
    State.READY: Status.PENDING,
    State.STAGED: Status.STAGED,
    State.PROCESSING: Status.PROCESSING,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One event that befalls one locked task, with what its engine said. `turn`: its new one in the queue, if any.

    `to`: the engine that has it from now on, and `routes` where it may go from there. `cost_points`: what it cost us.
    """

    ticket: Ticket
    event: Event
    turn: int | None = None
    to: str | None = None
    routes: str = ""
    cost_points: int | None = None
    log: str | None = None
    level: str | None = None
    warnings: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    timings: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class _Decided:
    step: Step
    status: Status
    effects: Effects


@dataclass(frozen=True, slots=True)
class Advanced:
    """The new statuses, and the accounts that have staged tasks which may now get a slot."""

    statuses: dict[str, Status] = field(default_factory=dict)
    waiting: frozenset[int] = frozenset()


async def advance(tx: Transaction, steps: Sequence[Step], now: int) -> Advanced:
    """Let events happen to locked tasks; status, money, queue and webhooks move together."""
    if not steps:
        return Advanced()
    decided = [_decide(step) for step in steps]
    locked = await accounts.lock(tx, {one.step.ticket.account_id for one in decided})
    await queue.uncount(tx, [one.step.ticket.task_id for one in decided if one.effects.uncount])
    for one in decided:
        if one.effects.ask_worker:
            await queue.request_cancel(tx, one.step.ticket.task_id)
    async with tx.together() as together:
        await queue.remove(together, [one.step.ticket.task_id for one in decided if one.effects.dequeue])
        await queue.make_ready(together, [_place(one.step) for one in decided if one.effects.requeue])
        await queue.leave(together, [_leftover(one.step.ticket) for one in decided if _leaves_job(one)], now)
        await repository.move(together, [_move(one) for one in decided if one.effects.requeue])
        await repository.end(together, [_ending(one) for one in decided if one.effects.dequeue], now)
        await artifacts.give_up_previews(together, [one.step.ticket.task_id for one in decided if _stops(one)], now)
        await ledger.add(together, [entry for one in decided for entry in _entries(one)], now)
        await ledger.count_usage(together, [_usage(one, now) for one in decided if one.effects.dequeue])
        await accounts.change(together, locked, sum_changes(_moved(one) for one in decided))
    ended = [one for one in decided if one.effects.notify and one.step.ticket.has_webhook]
    await announce(tx, [(one.step.ticket.task_id, one.status) for one in ended], now)
    return Advanced(
        {one.step.ticket.task_id: one.status for one in decided},
        frozenset(account.id for account in locked.values() if account.staged_tasks),
    )


def standing(ticket: Ticket) -> Standing:
    """Give what the lifecycle has to know of a locked task."""
    return Standing(_STATUS[ticket.state], ticket.price_points)


def _decide(step: Step) -> _Decided:
    return _Decided(step, *apply(standing(step.ticket), step.event))


def _stops(one: _Decided) -> bool:
    """Tell whether an attempt ends by it."""
    return one.step.ticket.state is State.PROCESSING and not one.effects.ask_worker


def _place(step: Step) -> Place:
    ticket = step.ticket
    turn = ticket.turn if step.turn is None else step.turn
    return Place(ticket.task_id, step.to or ticket.engine, turn, step.routes if step.to else ticket.routes)


def _leaves_job(one: _Decided) -> bool:
    """Tell whether a job at a provider has no task any more by it; that of a completed task is over."""
    over = one.effects.dequeue and one.status is not Status.COMPLETED
    return one.step.ticket.remote is not None and (over or one.step.to is not None)


def _leftover(ticket: Ticket) -> Leftover:
    return Leftover(ticket.task_id, ticket.engine, ticket.account_id, ticket.remote or "{}")


def _moved(one: _Decided) -> Moved:
    ticket = one.step.ticket
    day = made_at_us(ticket.task_id) // DAY_US
    engine = one.step.to or ticket.engine
    return Moved(ticket.account_id, ticket.api_key_id, ticket.family, day, one.effects, engine, one.step.turn)


def _move(one: _Decided) -> repository.Move:
    return repository.Move(one.step.ticket.task_id, one.status, one.step.log, one.step.cost_points)


def _ending(one: _Decided) -> repository.Ending:
    event = one.step.event
    failure = one.effects.failure
    logs = [*one.step.logs, *([one.step.log] if one.step.log else [])]
    return repository.Ending(
        id=one.step.ticket.task_id,
        status=one.status,
        output=orjson.dumps(event.output).decode() if isinstance(event, Completed) else None,
        error=orjson.dumps(failure.as_document()).decode() if failure else None,
        warnings=orjson.dumps(one.step.warnings).decode(),
        logs=orjson.dumps(logs).decode(),
        level=one.step.level,
        charged_points=one.effects.capture,
        cost_points=one.step.cost_points,
        timings=None if one.step.timings is None else orjson.dumps(one.step.timings).decode(),
    )


def _usage(one: _Decided, now: int) -> Usage:
    ticket, completed = one.step.ticket, one.status is Status.COMPLETED
    return Usage(
        ticket.account_id, now // DAY_US, ticket.product, int(completed), int(not completed), one.effects.capture
    )


def _entries(one: _Decided) -> list[Entry]:
    ticket, effects = one.step.ticket, one.effects
    if not effects.dequeue:
        return []
    entries = []
    if one.status is Status.COMPLETED:
        entries.append(Entry(ticket.account_id, ticket.task_id, Kind.CAPTURE, effects.capture))
    if effects.release or one.status is Status.FAILED:
        entries.append(Entry(ticket.account_id, ticket.task_id, Kind.RELEASE, effects.release))
    return entries
