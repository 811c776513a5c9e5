"""Every change of status, in one pure function: (status, event) -> (status, effects).

    accepted        -                    -> pending, or staged when the account has no slot free
    promoted        staged               -> pending
    claimed         pending              -> processing
    completed       processing           -> completed
    failed          processing           -> failed, or pending when it is worth another attempt
    abandoned       processing           -> pending, or failed after too many attempts
    given back      processing           -> pending; the attempt does not count
    rerouted        pending, processing  -> pending at another engine; the attempt does not count
    cancelled       pending, staged      -> failed; processing stays until its worker has stopped
    overdue         any that is not final -> failed

Nothing here knows of databases: the effects say what the transaction has to do.
"""

from dataclasses import dataclass
from typing import Any

from unitask.tasks.model import CANCELLED, Failure, Status


@dataclass(frozen=True, slots=True)
class Accepted:
    """An order was accepted; `has_slot` says whether it may run at once."""

    has_slot: bool


@dataclass(frozen=True, slots=True)
class Promoted:
    """A slot came free for a staged task."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A worker took the task."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The engine made the result; `charge_points` is at most what is held."""

    output: dict[str, Any]
    charge_points: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed; `retry` when another may succeed and there is one left."""

    failure: Failure
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The worker died or hung; `attempts_left` of the number allowed."""

    attempts_left: int
    reason: str


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The worker was stopped and did nothing wrong."""


@dataclass(frozen=True, slots=True)
class Rerouted:
    """Its engine cannot make it at present, and another has it from now on."""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """The client takes the order back."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """The time by which the task had to end has passed."""

    after_s: int


Event = (
    Accepted | Promoted | Claimed | Completed | Failed | Abandoned | GivenBack | Rerouted | CancelRequested | Overdue
)


@dataclass(frozen=True, slots=True)
class Effects:
    """What a transition owes the rest of the system; points, and changes of the account's counters.

    `uncount`: the attempt that ends is not one of those the task may have.
    """

    hold: int = 0
    capture: int = 0
    release: int = 0
    active: int = 0
    staged: int = 0
    enqueue: bool = False
    requeue: bool = False
    uncount: bool = False
    dequeue: bool = False
    ask_worker: bool = False
    notify: bool = False
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The part of a task on which transitions depend."""

    status: Status | None
    price_points: int


class IllegalTransition(Exception):
    """The event cannot happen in this status; the caller did not look at the row it locked."""


def apply(task: Standing, event: Event) -> tuple[Status, Effects]:  # noqa: PLR0911 - a table of transitions
    """Decide what an event makes of a task."""
    match (task.status, event):
        case (None, Accepted(has_slot=True)):
            return Status.PENDING, Effects(hold=task.price_points, active=1, enqueue=True)
        case (None, Accepted(has_slot=False)):
            return Status.STAGED, Effects(hold=task.price_points, staged=1, enqueue=True)
        case (Status.STAGED, Promoted()):
            return Status.PENDING, Effects(active=1, staged=-1, requeue=True)
        case (Status.PENDING, Claimed()):
            return Status.PROCESSING, Effects()
        case (Status.PROCESSING, Completed(charge_points=charge)):
            release = task.price_points - charge
            return Status.COMPLETED, Effects(capture=charge, release=release, active=-1, dequeue=True, notify=True)
        case (Status.PROCESSING, Failed(retry=True) | GivenBack()) | (Status.PENDING | Status.PROCESSING, Rerouted()):
            is_free = task.status is Status.PROCESSING and not isinstance(event, Failed)
            return Status.PENDING, Effects(requeue=True, uncount=is_free)
        case (Status.PROCESSING, Abandoned(attempts_left=left)) if left > 0:
            return Status.PENDING, Effects(requeue=True)
        case (Status.PROCESSING, CancelRequested()):
            return Status.PROCESSING, Effects(ask_worker=True)
        case (Status.PENDING | Status.STAGED | Status.PROCESSING as status, _):
            return Status.FAILED, _failed(task, status, _reason(status, event))
        case _:
            raise IllegalTransition(f"{event} in status {task.status}")


def _reason(status: Status, event: Event) -> Failure:
    match event:
        case Failed(failure=failure) if status is Status.PROCESSING:
            return failure
        case Abandoned(reason=reason) if status is Status.PROCESSING:
            return Failure(f"the task was given up after its last attempt: {reason}", reason)
        case CancelRequested():
            return CANCELLED
        case Overdue(after_s=after_s):
            return Failure(f"the task did not end within {after_s} s and was given up", "deadline exceeded")
        case _:
            raise IllegalTransition(f"{event} in status {status}")


def _failed(task: Standing, status: Status, failure: Failure) -> Effects:
    return Effects(
        release=task.price_points,
        active=0 if status is Status.STAGED else -1,
        staged=-1 if status is Status.STAGED else 0,
        dequeue=True,
        notify=True,
        failure=failure,
    )
