"""Accounts and keys."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the transaction that locked it sees it. `task_limit` None: as many tasks at once as wanted."""

    id: int
    name: str
    unlimited: bool
    available_points: int
    held_points: int
    used_points: int
    task_limit: int | None
    active_tasks: int
    staged_tasks: int
    created_at: int

    @property
    def has_slot(self) -> bool:
        """Whether one more task may run now."""
        return self.task_limit is None or self.active_tasks < self.task_limit


@dataclass(slots=True)
class Change:
    """What one transaction does to one account: sums to add to its columns."""

    id: int
    available_points: int = 0
    held_points: int = 0
    used_points: int = 0
    active_tasks: int = 0
    staged_tasks: int = 0


@dataclass(frozen=True, slots=True)
class Key:
    """An API key without its secret; `hint` is its last four characters."""

    id: int
    account_id: int
    hint: str
    name: str
    created_at: int
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: the account and the key it used."""

    account_id: int
    api_key_id: int
