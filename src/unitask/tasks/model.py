"""Tasks, orders and outcomes."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from unitask.accounts.model import Caller
from unitask.artifacts.model import Artifact
from unitask.kit.errors import OF_INPUT, Cancelled, TaskFailure
from unitask.spec.product import Level

NO_ERROR: Final[dict[str, Any]] = {"code": 0, "raw_message": "", "message": "", "detail": None}


class Status(StrEnum):
    """The five statuses of the wire; the last two are final."""

    PENDING = "pending"
    STAGED = "staged"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether nothing can happen to the task any more."""
        return self in {Status.COMPLETED, Status.FAILED}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task failed, as the wire's `error` shows it."""

    message: str
    raw_message: str = ""
    number: int = TaskFailure.number
    of_input: bool = False

    @classmethod
    def of(cls, error: TaskFailure) -> "Failure":
        """Describe an exception."""
        return cls(str(error), error.raw_message, error.number, error.of_input)

    def as_document(self) -> dict[str, Any]:
        """Write it as the wire does."""
        raw = self.raw_message or self.message
        detail = OF_INPUT if self.of_input else None
        return {"code": self.number, "raw_message": raw, "message": self.message, "detail": detail}


CANCELLED: Final = Failure("the task was cancelled", "cancelled by the client", Cancelled.number)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The client's own name for an order, and a digest of what was ordered under it."""

    key: str
    body_hash: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Order:
    """A checked and priced request, ready to become a task. `input` and `config` are JSON text.

    `routes`: the engines that have it next if `engine` fails, with commas between them. `trace`: what it is part
    of, see `unitask.kit.tracing`.
    """

    task_id: str
    caller: Caller
    model: str
    task_type: str
    product: str
    family: str
    engine: str
    input: str
    config: str
    warnings: list[str]
    price_points: int
    has_webhook: bool
    now: int
    deadline: int
    artifacts: tuple[Artifact, ...] = ()
    idempotency: Idempotency | None = None
    routes: str = ""
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it is stored. `input`, `config`, `output`, `error`, `warnings` and `logs` are JSON text.

    `progress`, `expires_at`, the end of the first of its files, `preview`, the newest preview's path in the store, and
    `queue_position` are known where it is shown.
    """

    id: str
    account_id: int
    api_key_id: int
    model: str
    task_type: str
    status: Status
    input: str
    config: str
    warnings: str
    price_points: int
    created_at: int
    output: str | None = None
    error: str | None = None
    logs: str = "[]"
    engine: str | None = None
    engine_level: str | None = None
    attempt: int = 0
    charged_points: int = 0
    started_at: int | None = None
    ended_at: int | None = None
    cost_points: int | None = None
    trace: str | None = None
    progress: float | None = None
    expires_at: int | None = None
    preview: str | None = None
    queue_position: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Tasks of one page of history, and how many there are in all."""

    tasks: list[Task]
    total: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Tasks of one page by cursor; `cursor` leads to the older ones, None if there are none."""

    tasks: list[Task]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is told about a task that it claimed; of `config` no more than whether previews are wanted.

    `remote`: what an earlier attempt kept of its job at the provider, JSON text.
    """

    task_id: str
    attempt: int
    model: str
    task_type: str
    engine: str
    input: str
    attempt_deadline: int
    config: str
    account_id: int
    remote: str | None = None
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended, as its worker reports it. Exactly one of `output` and `failure` is set.

    `level` is that of the recipe that made the output. `retryable`: another attempt may succeed; `elsewhere`: one by
    another engine. `away`: its provider could not be asked. `given_back`: the worker stops and did nothing wrong.
    `cost_points`: what it cost the operator, where that is known; what was made with the account's `own_key` is not
    charged.
    """

    task_id: str
    attempt: int
    output: dict[str, Any] | None = None
    failure: Failure | None = None
    retryable: bool = False
    elsewhere: bool = False
    away: bool = False
    given_back: bool = False
    level: Level | None = None
    measures: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    timings: dict[str, float] | None = None
    cost_points: int | None = None
    own_key: bool = False
    trace: str | None = None
