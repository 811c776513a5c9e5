"""Accounts, plans and keys."""

from dataclasses import dataclass, field
from enum import StrEnum

from unitask.accounts.limits import NO_LIMITS, Limits


class Scope(StrEnum):
    """What a key may be used for."""

    TASKS = "tasks"
    FILES = "files"
    ACCOUNT = "account"
    ADMIN = "admin"


CUSTOMER_SCOPES = frozenset({Scope.TASKS, Scope.FILES, Scope.ACCOUNT})


@dataclass(frozen=True, slots=True)
class Plan:
    """A named set of limits that accounts share."""

    name: str
    limits: Limits
    updated_at: int


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the transaction that locked it sees it.

    `limits` are its own over those of its plan; `own_limits` its own alone. `active` counts the tasks that occupy a
    slot, see `unitask.accounts.limits.Slots`; `last_turns` are the queue's, by engine. `spent` are the points of the
    tasks of `spent_day` (days since the epoch, UTC): in all under an empty name, and by key under `#7`.
    """

    id: int
    name: str
    plan: str
    limits: Limits
    own_limits: Limits
    enabled: bool
    unlimited: bool
    available_points: int
    held_points: int
    used_points: int
    spent_day: int
    spent: dict[str, int]
    active_tasks: int
    staged_tasks: int
    active: dict[str, int]
    last_turns: dict[str, int]
    created_at: int
    updated_at: int

    @property
    def task_limit(self) -> int | None:
        """How many tasks may run at once; None for as many as wanted."""
        return self.limits.concurrent_tasks


@dataclass(slots=True)
class Change:
    """What one transaction does to one account: sums to add to its columns and counters.

    `spent` is by day and name; only the account's last day is remembered.
    """

    id: int
    available_points: int = 0
    held_points: int = 0
    used_points: int = 0
    active_tasks: int = 0
    staged_tasks: int = 0
    active: dict[str, int] = field(default_factory=dict)
    spent: dict[tuple[int, str], int] = field(default_factory=dict)
    last_turns: dict[str, int] = field(default_factory=dict)


def earliest(*moments: int | None) -> int | None:
    """Give the first of these moments; None is never."""
    return min((moment for moment in moments if moment is not None), default=None)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key without its secret; `hint` is its last four characters.

    `expires_at` is the end that it was given, `replaced_until` that of the overlap with the key that replaces it.
    """

    id: int
    account_id: int
    account: str
    hint: str
    name: str
    scopes: frozenset[Scope]
    limits: Limits
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None
    replaced_until: int | None = None

    @property
    def ends_at(self) -> int | None:
        """When it ceases to work by itself; None for never."""
        return earliest(self.expires_at, self.replaced_until)

    def works(self, now: int) -> bool:
        """Whether it opens anything at this moment."""
        return self.revoked_at is None and (self.ends_at is None or self.ends_at > now)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: the account and the key it used, with what both may do."""

    account_id: int
    api_key_id: int
    scopes: frozenset[Scope] = CUSTOMER_SCOPES
    account_limits: Limits = NO_LIMITS
    key_limits: Limits = NO_LIMITS
    plan: str = ""
