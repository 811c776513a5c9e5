"""Live tasks as the queue knows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a live task stands. `ready` and `processing` occupy a slot of the account, `staged` does not."""

    READY = "ready"
    STAGED = "staged"
    PROCESSING = "processing"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One live task. `attempt` is the fencing token: it grows with every claim, and only its holder may settle.

    `turn` is its place among the tasks of all accounts at its engine, see `unitask.queue.turns`. `given_back` attempts
    ended because a worker was stopped; they do not count against the task. `routes`: the engines that have it next if
    this one fails, with commas between them. `remote`: what is known of its job at a provider, JSON text.
    """

    task_id: str
    account_id: int
    api_key_id: int
    product: str
    family: str
    engine: str
    state: State
    turn: int
    attempt: int
    price_points: int
    has_webhook: bool
    deadline: int
    attempt_deadline: int | None = None
    cancel_requested: bool = False
    given_back: int = 0
    routes: str = ""
    remote: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task waits (again): at which engine, at which turn, and where it may go from there."""

    task_id: str
    engine: str
    turn: int
    routes: str


@dataclass(frozen=True, slots=True)
class Leftover:
    """A job at a provider whose task has ended or gone elsewhere; `remote` is JSON text."""

    task_id: str
    provider: str
    account_id: int
    remote: str


@dataclass(frozen=True, slots=True)
class Lane:
    """What a worker can make: a product by an engine.

    `limit_us` is how long an attempt may take; `served` the turn that the engine serves, and `lead` by how many turns
    its tasks may come early, see `unitask.queue.turns`.
    """

    product: str
    engine: str
    limit_us: int
    served: int
    lead: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """A product that a worker makes by an engine, and at which level."""

    product: str
    engine: str
    level: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a worker says of itself. `makes` None: nothing new. `memory`: bytes of its devices, where known.

    `providers`: how it finds those it uses, as it said it.
    """

    worker_id: str
    name: str
    engines: Sequence[str]
    devices: Sequence[str] = ()
    memory: Mapping[str, int] = field(default_factory=dict)
    makes: Sequence[Offer] | None = None
    loaded: Sequence[str] = ()
    providers: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A task that a worker has just been given."""

    task_id: str
    attempt: int
    engine: str
    attempt_deadline: int
    turn: int
    account_id: int
    remote: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """A task that a worker holds, as the database sees it."""

    task_id: str
    attempt: int
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an attempt is: 0 to 1."""

    task_id: str
    attempt: int
    progress: float
    note: str
