"""What a process has under way at its database, and how the last of it went: for metrics and for `GET /readyz`."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """A moment of a database as one process sees it.

    `writes`: use cases under way or waiting; the oldest of them began `oldest_s` ago. `busy` of `places`: connections
    in use, of all that there may be; on SQLite the one that writes. `failed`: why the last write was not written, empty
    if it was. `free_bytes`: room on its disk, None where that is another machine's.
    """

    writes: int
    oldest_s: float
    busy: int
    places: int
    failed: str
    free_bytes: int | None


class Writes:
    """Counts the use cases of one process that write."""

    def __init__(self) -> None:
        self.failed = ""
        self._number = 0
        self._began_s: dict[int, float] = {}

    def begin(self) -> int:
        """Count one more; gives its number."""
        self._number += 1
        self._began_s[self._number] = time.monotonic()
        return self._number

    def end(self, number: int) -> None:
        """Count it no more."""
        del self._began_s[number]

    def load(self, busy: int, places: int, free_bytes: int | None = None) -> Load:
        """Tell how it is now."""
        oldest_s = time.monotonic() - next(iter(self._began_s.values())) if self._began_s else 0.0
        return Load(len(self._began_s), oldest_s, busy, places, self.failed, free_bytes)
