"""Movements of points between the books of an account, and the packs in which points are bought.

Every row of the ledger moves points from one book to another, so every row sums to zero. `available` and `held`
are books of the account; `used` is what it has paid for work, `expired` what it did not use in time; `outside` is where
points come from.
"""

from dataclasses import dataclass
from enum import StrEnum


class Book(StrEnum):
    """Where points can be."""

    OUTSIDE = "outside"
    AVAILABLE = "available"
    HELD = "held"
    USED = "used"
    EXPIRED = "expired"


class Kind(StrEnum):
    """Why points move. At most one hold, capture and release per task."""

    TOP_UP = "top_up"
    ADJUST_UP = "adjust_up"
    ADJUST_DOWN = "adjust_down"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    EXPIRE = "expire"


BOOKS = {
    Kind.TOP_UP: (Book.OUTSIDE, Book.AVAILABLE),
    Kind.ADJUST_UP: (Book.OUTSIDE, Book.AVAILABLE),
    Kind.ADJUST_DOWN: (Book.AVAILABLE, Book.OUTSIDE),
    Kind.HOLD: (Book.AVAILABLE, Book.HELD),
    Kind.CAPTURE: (Book.HELD, Book.USED),
    Kind.RELEASE: (Book.HELD, Book.AVAILABLE),
    Kind.EXPIRE: (Book.AVAILABLE, Book.EXPIRED),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement: `points` leave the first book of its kind and arrive in the second."""

    account_id: int
    task_id: str | None
    kind: Kind
    points: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One movement as a statement shows it. `change` is what it does to the available points."""

    id: int
    task_id: str | None
    kind: Kind
    points: int
    reason: str
    created_at: int

    @property
    def change(self) -> int:
        """Points that become available, or with a minus cease to be."""
        source, target = BOOKS[self.kind]
        return self.points * ((target is Book.AVAILABLE) - (source is Book.AVAILABLE))


@dataclass(slots=True)
class Usage:
    """What ended of one product on one day of an account; `day` counts from the epoch, in UTC."""

    account_id: int
    day: int
    product: str
    completed: int = 0
    failed: int = 0
    points: int = 0


@dataclass(frozen=True, slots=True)
class Pack:
    """Points that came in together and, if `expires_at` is set, go together.

    `remaining` is what was neither used nor expired when the pack was last looked at; see `unitask.billing.packs`.
    """

    id: int
    account_id: int
    capacity: int
    remaining: int
    expired: int
    reason: str
    reference: str | None
    created_at: int
    expires_at: int | None
