"""What a database offers to the layers above, whichever of the two it is."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from unitask.db.load import Load
from unitask.db.statements import Statement

T = TypeVar("T")


class Row(Protocol):
    """A row: its columns by name, and one after another."""

    def __getitem__(self, name: str, /) -> Any:
        """Read one column."""

    def __iter__(self) -> Iterator[Any]:
        """Read all columns."""


class Transaction(Protocol):
    """An open transaction. It commits when the use case returns and rolls back when it raises."""

    async def fetch(self, statement: Statement, **parameters: Any) -> list[Row]:
        """Run a statement and give its rows."""

    async def fetch_one(self, statement: Statement, **parameters: Any) -> Row | None:
        """Run a statement and give its first row, if any."""

    async def execute(self, statement: Statement, **parameters: Any) -> None:
        """Run a statement for its effect."""

    def together(self) -> AbstractAsyncContextManager["Transaction"]:
        """Send what is executed inside in one round trip, at the end of the block; nothing can be fetched in it.

        No two of these statements may touch the same row, and none sees what the others do.
        """


class Database(Protocol):
    """One database. `write` is the only way to change it, and a use case is one call of it."""

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in one transaction, durable when this returns.

        `work` may await the transaction's own methods and nothing else: on SQLite it runs to its end in the writer
        thread. It may be run again after a deadlock, so it must change nothing but the database.

        Raises:
            Unavailable: the database cannot be reached.

        """

    async def fetch(self, statement: Statement, **parameters: Any) -> list[Row]:
        """Read outside of any transaction; sees everything acknowledged before."""

    async def now_us(self) -> int | None:
        """Read the database's own clock, in microseconds since the epoch; None where it is this machine's."""

    async def notify(self, channel: str) -> None:
        """Hint to every process that listens that something changed. Never part of a transaction; may be lost."""

    async def listen(self, channel: str, heard: Callable[[], None]) -> None:
        """Call `heard` on every hint, from this or another process, until closed."""

    def load(self) -> Load:
        """Tell what this process has under way, without asking the database."""

    async def close(self) -> None:
        """Finish what was accepted, then let go of the database."""


async def open_database(url: str, direct_url: str = "") -> Database:
    """Open `sqlite:///path` or `postgresql://...`; the schema must be there (see `unitask.db.migrate`).

    `direct_url` leads past PgBouncer, where `url` leads to one in transaction mode.
    """
    if url.startswith("sqlite:///"):
        from unitask.db.sqlite import SqliteDatabase  # noqa: PLC0415 - only the driver in use is loaded

        return SqliteDatabase(url.removeprefix("sqlite:///"))
    from unitask.db.postgres import PostgresDatabase  # noqa: PLC0415 - same

    return await PostgresDatabase.connect(url, direct_url)
