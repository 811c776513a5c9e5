"""What is counted of tasks, in the process in which it happens and once it is durable."""

import logging
from collections.abc import Iterable
from typing import Final

from unitask.catalogue import Catalogue
from unitask.kit.clock import SECOND_US
from unitask.kit.errors import UnknownProduct
from unitask.kit.ids import made_at_us
from unitask.kit.meters import SLOW_S, Counter, Histogram
from unitask.queue.model import State, Ticket
from unitask.tasks.advance import Step, standing
from unitask.tasks.lifecycle import Abandoned, CancelRequested, Completed, Failed, GivenBack, Overdue, Rerouted, apply
from unitask.tasks.model import CANCELLED, Order, Status, Work

_NAMES: Final = ("engine", "product")
CREATED: Final = Counter("unitask_tasks_created_total", "Orders that this process accepted.", _NAMES)
ENDED: Final = Counter(
    "unitask_tasks_ended_total",
    "Tasks that ended here: completed, failed, cancelled, or overdue at their deadline.",
    (*_NAMES, "outcome"),
)
ATTEMPTS: Final = Counter(
    "unitask_attempts_total",
    "Attempts that ended here: completed, failed, cancelled, overdue; retried: it failed, and the task runs again; "
    "lost: its worker fell silent or its time was up; given_back by a worker that ends; rerouted to another engine; "
    "refused: a report of an attempt that its worker did not hold any more (without engine and product).",
    (*_NAMES, "outcome"),
)
WAITED: Final = Histogram(
    "unitask_task_wait_seconds", "From an order to the beginning of its first attempt.", SLOW_S, _NAMES
)
RAN: Final = Histogram(
    "unitask_task_run_seconds", "What completed attempts took, from their beginning to their end.", SLOW_S, _NAMES
)
CHARGED: Final = Counter("unitask_points_charged_total", "Points that completed tasks cost their accounts.", _NAMES)
COST: Final = Counter("unitask_points_cost_total", "Points that tasks cost the operator, at providers.", _NAMES)
_PLAIN: Final[dict[type, str]] = {
    Completed: "completed",
    Overdue: "overdue",
    GivenBack: "given_back",
    Rerouted: "rerouted",
}
log = logging.getLogger(__name__)


def created(order: Order) -> None:
    """Count an order that became a task."""
    CREATED.add(order.engine, order.product)
    log.debug("accepted", extra={"task_id": order.task_id, "product": order.product, "engine": order.engine})


def claimed(works: Iterable[Work], now: int) -> None:
    """Count tasks that a worker was given."""
    for one in works:
        product = f"{one.model}/{one.task_type}"
        if one.attempt == 1:
            WAITED.observe(max(0, now - made_at_us(one.task_id)) / SECOND_US, one.engine, product)
        log.debug("claimed", extra={"task_id": one.task_id, "attempt": one.attempt, "product": product})


def happened(steps: Iterable[Step], now: int, catalogue: Catalogue) -> None:
    """Count what befell tasks."""
    for step in steps:
        ticket = step.ticket
        names = ticket.engine, ticket.product
        status, effects = apply(standing(ticket), step.event)
        outcome = _outcome(step, status)
        if outcome is None:
            continue
        if status.final:
            ENDED.add(*names, outcome)
        if ticket.state is State.PROCESSING:
            ATTEMPTS.add(*names, "lost" if isinstance(step.event, Abandoned) else outcome)
        if effects.capture:
            CHARGED.add(*names, by=effects.capture)
        if step.cost_points:
            COST.add(*names, by=step.cost_points)
        if status is Status.COMPLETED and (began := _began(ticket, catalogue)) is not None:
            RAN.observe(max(0, now - began) / SECOND_US, *names)
        _tell(step, outcome)


def refused(task_id: str, attempt: int) -> None:
    """Count a report of an attempt that its worker had lost."""
    ATTEMPTS.add("", "", "refused")
    log.info("a report came too late", extra={"task_id": task_id, "attempt": attempt})


def _outcome(step: Step, status: Status) -> str | None:
    """Name what an event made of a task; None if nothing ended."""
    match step.event:
        case Failed(failure=failure):
            return "retried" if not status.final else "cancelled" if failure is CANCELLED else "failed"
        case CancelRequested() if status.final:
            return "cancelled"
        case Abandoned():
            return "failed" if status.final else "lost"
        case _:
            return _PLAIN.get(type(step.event))


def _began(ticket: Ticket, catalogue: Catalogue) -> int | None:
    """Tell when an attempt began: its limit before the end that was set for it."""
    try:
        product = catalogue.by_key(ticket.product)
    except UnknownProduct:
        return None
    limits_s = [one.limit_s or product.limit_s for one in product.recipes if one.engine == ticket.engine]
    return (
        None if ticket.attempt_deadline is None or not limits_s else ticket.attempt_deadline - max(limits_s) * SECOND_US
    )


def _tell(step: Step, outcome: str) -> None:
    """Log what happened: what goes well only to whoever looks closely."""
    ticket = step.ticket
    level = logging.DEBUG if outcome == "completed" else logging.INFO
    if log.isEnabledFor(level):
        said = {"why": step.log} if step.log else {}
        who = {"task_id": ticket.task_id, "attempt": ticket.attempt, "product": ticket.product, "engine": ticket.engine}
        log.log(level, outcome.replace("_", " "), extra={**who, **said})
