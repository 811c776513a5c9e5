"""Movements of points between the books of an account.

Every row of the ledger moves points from one book to another, so every row sums to zero. `available` and `held`
are books of the account; `used` is what it has paid for work; `outside` is where points come from.
"""

from dataclasses import dataclass
from enum import StrEnum


class Book(StrEnum):
    """Where points can be."""

    OUTSIDE = "outside"
    AVAILABLE = "available"
    HELD = "held"
    USED = "used"


class Kind(StrEnum):
    """Why points move. At most one of each per task."""

    TOP_UP = "top_up"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"


BOOKS = {
    Kind.TOP_UP: (Book.OUTSIDE, Book.AVAILABLE),
    Kind.HOLD: (Book.AVAILABLE, Book.HELD),
    Kind.CAPTURE: (Book.HELD, Book.USED),
    Kind.RELEASE: (Book.HELD, Book.AVAILABLE),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement: `points` leave `debit` and arrive in `credit`."""

    account_id: int
    task_id: str | None
    kind: Kind
    points: int
    reason: str = ""
