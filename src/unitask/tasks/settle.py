"""Settle: what a worker reports becomes status, money, files and owed webhooks, if the attempt is still its own."""

from dataclasses import dataclass, replace

from pydantic import ValidationError

from unitask.artifacts import repository as artifacts
from unitask.catalogue import Catalogue
from unitask.db import Transaction
from unitask.kit import faults
from unitask.kit.clock import SECOND_US
from unitask.kit.errors import UnitaskError
from unitask.queue import repository as queue
from unitask.queue.model import Ticket
from unitask.spec.product import Product
from unitask.tasks.advance import Step, advance
from unitask.tasks.lifecycle import Abandoned, Completed, Event, Failed, GivenBack
from unitask.tasks.model import CANCELLED, Failure, Outcome, Status
from unitask.tasks.routes import Routes

_AWAY_TIMES = 20
"""So often a task waits for its provider again before that counts as attempts."""
_DAY_US = 24 * 3600 * SECOND_US


@dataclass(frozen=True, slots=True)
class Settled:
    """Whether the worker still held the attempt, and the account whose staged tasks may now get its slot.

    `owed`: a message about it may have fallen due. `is_ready`: another worker may have it now. `step`: what happened.
    """

    held: bool
    waiting_account: int | None
    owed: bool
    is_ready: bool
    step: Step | None = None


class Settling:
    """Judges outcomes by the product's rules. `max_attempts` bounds how often a task is tried."""

    def __init__(self, catalogue: Catalogue, max_attempts: int, routes: Routes) -> None:
        self._catalogue = catalogue
        self._max_attempts = max_attempts
        self._routes = routes

    async def settle(self, tx: Transaction, outcomes: list[Outcome], now: int) -> list[Settled | UnitaskError]:
        """Settle attempts; an attempt that its worker no longer holds comes to nothing."""
        held = await queue.lock_attempts(tx, {(one.task_id, one.attempt) for one in outcomes})
        # `pop`: of two reports of one attempt, the first counts.
        tickets = [held.pop((one.task_id, one.attempt), None) for one in outcomes]
        steps = {
            ticket.task_id: self._step(ticket, one) for ticket, one in zip(tickets, outcomes, strict=True) if ticket
        }
        advanced = await advance(tx, list(steps.values()), now)
        await artifacts.publish(
            tx,
            [
                (task_id, step.ticket.attempt, now + self._product(step.ticket).keep_days * _DAY_US)
                for task_id, step in steps.items()
                if advanced.statuses[task_id] is Status.COMPLETED
            ],
            now,
        )
        faults.point("settle.before_commit")
        return [
            Settled(
                ticket is not None,
                ticket.account_id if ticket and ticket.account_id in advanced.waiting else None,
                ticket is not None and ticket.has_webhook,
                ticket is not None and advanced.statuses[ticket.task_id] is Status.PENDING,
                steps[ticket.task_id] if ticket else None,
            )
            for ticket in tickets
        ]

    def abandon(self, ticket: Ticket, reason: str) -> Step:
        """Decide about a task whose worker is gone."""
        if ticket.cancel_requested:
            return Step(ticket, Failed(CANCELLED))
        return Step(ticket, Abandoned(self._attempts_left(ticket), reason), log=f"attempt {ticket.attempt}: {reason}")

    def _attempts_left(self, ticket: Ticket) -> int:
        return self._max_attempts + ticket.given_back - ticket.attempt

    def _product(self, ticket: Ticket) -> Product:
        return self._catalogue.by_key(ticket.product)

    def _step(self, ticket: Ticket, outcome: Outcome) -> Step:
        event = self._event(ticket, outcome)
        by_engine = (one.level for one in self._product(ticket).recipes if one.engine == ticket.engine)
        failed = outcome.failure.raw_message or outcome.failure.message if outcome.failure else None
        log = f"attempt {ticket.attempt}: {failed}" if failed else None
        if _may_go_on(ticket, outcome) and (onward := self._routes.onward(ticket, log=log)):
            return replace(onward, cost_points=outcome.cost_points)
        return Step(
            ticket,
            event,
            log=log,
            cost_points=outcome.cost_points,
            level=outcome.level or next(by_engine, None),
            warnings=outcome.warnings,
            logs=outcome.logs,
            timings=outcome.timings,
        )

    def _event(self, ticket: Ticket, outcome: Outcome) -> Event:
        if outcome.output is not None:
            return self._completed(ticket, outcome)
        failure = outcome.failure or Failure("the worker gave neither an output nor a reason")
        if ticket.cancel_requested:
            return Failed(CANCELLED)
        if outcome.given_back or (outcome.away and ticket.given_back < _AWAY_TIMES):
            return GivenBack()
        return Failed(failure, retry=outcome.retryable and self._attempts_left(ticket) > 0)

    def _completed(self, ticket: Ticket, outcome: Outcome) -> Event:
        product = self._product(ticket)
        try:
            product.output.model_validate(outcome.output)
        except ValidationError as error:
            return Failed(Failure("the engine gave a result of the wrong form", str(error)))
        charge = 0 if outcome.own_key else product.price.charge(ticket.price_points, outcome.measures)
        return Completed(outcome.output or {}, charge)


def _may_go_on(ticket: Ticket, outcome: Outcome) -> bool:
    """Tell whether another engine may have a task that failed; what its provider keeps of it is fetched there."""
    if outcome.failure is None or outcome.given_back or ticket.cancel_requested:
        return False
    return outcome.elsewhere or outcome.away or (outcome.retryable and ticket.remote is None)
