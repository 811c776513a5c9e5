"""Lists that are read newest first, a page at a time: the cursor is the id of the last entry of the page before."""

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from unitask.kit.errors import InvalidRequest
from unitask.kit.ids import is_uuid

FIRST_ID: Final = "00000000-0000-0000-0000-000000000000"
LAST_ID: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"


class Entry(Protocol):
    """Whatever has an id that sorts by time."""

    @property
    def id(self) -> str:
        """Its id."""


T = TypeVar("T", bound=Entry)


def check_page(*, size: int, limit: int, before: str) -> None:
    """Check what a client asks for.

    Raises:
        InvalidRequest: the size or the cursor cannot be.

    """
    if not 1 <= size <= limit:
        raise InvalidRequest(f"invalid request: limit is 1 to {limit}")
    if before and not is_uuid(before):
        raise InvalidRequest("invalid request: cursor must be the next_cursor of an earlier answer")


def cut_page(found: Sequence[T], size: int) -> tuple[list[T], str | None]:
    """Cut a page out of one entry more than it may have; gives it and the cursor to the next, None if there is none."""
    page = list(found[:size])
    return page, page[-1].id if len(found) > len(page) else None
