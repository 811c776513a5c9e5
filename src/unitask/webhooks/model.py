"""Deliveries, their attempts, and when the next one is due."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from unitask.kit.clock import SECOND_US

DUE: Final = "unitask_due"
"""The channel on which processes hear that something fell due."""
TIMEOUT_S: Final = 10.0
ANSWER_BYTES: Final = 1024
REASON_CHARACTERS: Final = 300
LONGEST_PAUSE_US: Final = 3600 * SECOND_US
"""A receiver that asks for more (`Retry-After`) is asked again after this time."""
GIVE_UP_US: Final = 24 * 3600 * SECOND_US
_WAITS_S: Final = (5, 5, 5, 30, 120, 600, 1800, 3600, 7200, 14400, 21600, 28800)
_EXACT: Final = 3
_JITTER: Final = 0.1


class Event(StrEnum):
    """What a message is about. The first two are passing: they tell of a task that goes on."""

    PROCESSING = "task.processing"
    PROGRESS = "task.progress"
    COMPLETED = "task.completed"
    FAILED = "task.failed"


FINAL: Final = (Event.COMPLETED, Event.FAILED)


class State(StrEnum):
    """Where a delivery stands; all but the first are its end, until it is sent again on demand."""

    OWED = "owed"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    GONE = "gone"
    DISABLED = "disabled"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Due:
    """A message that falls due: to whom, and about what."""

    account_id: int
    task_id: str
    event: Event
    endpoint: str
    secret: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message owed to one endpoint. `tries` are the attempts of this schedule, `sent` all there ever were."""

    id: str
    account_id: int
    task_id: str
    event: Event
    endpoint: str
    secret: str
    host: str
    state: State
    tries: int
    sent: int
    next_at: int
    created_at: int
    settled_at: int | None
    last_reason: str


@dataclass(frozen=True, slots=True)
class Message:
    """What a delivery carries: a task as JSON, whether it has ended, and the trace that it is part of."""

    data: bytes
    ended: bool
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One post. `status` None: there was no answer. `reason` says why it failed, empty if it did not.

    `pause_us` is how long the receiver asked to be left alone; it is not kept.
    """

    at: int
    took_ms: int
    status: int | None
    reason: str
    answer: str
    pause_us: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether the receiver took the message."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class Logged:
    """A delivery with its attempts, oldest first."""

    delivery: Delivery
    attempts: list[Attempt]


@dataclass(frozen=True, slots=True)
class Page:
    """Deliveries of one page of the log; `cursor` leads to the older ones, None if there are none."""

    deliveries: list[Delivery]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a claimed delivery: an attempt, or none if there was nothing to send.

    `failed_before`: the endpoint has failed since it last answered well, which a success ends.
    """

    delivery: Delivery
    state: State
    next_at: int
    attempt: Attempt | None = None
    reason: str = ""
    failed_before: bool = False

    @property
    def endpoint(self) -> tuple[int, str]:
        """Whose endpoint it is, and where."""
        return self.delivery.account_id, self.delivery.endpoint


def wait_us(delivery_id: str, tries: int) -> int | None:
    """Tell how long after a failed attempt the next one comes; None: never.

    The first three come as the wire promises. Later ones are spread, each delivery by its own share of up to a tenth,
    so that messages that failed together do not come back together; all waits add up to less than a day.
    """
    if tries > len(_WAITS_S):
        return None
    spread = 0.0 if tries <= _EXACT else _JITTER * int(delivery_id[-4:], 16) / 0xFFFF
    return int(_WAITS_S[tries - 1] * (1 + spread) * SECOND_US)
