r"""Whole tables on their way out of a database and into one, in rows that are the same for both databases.

A row is a line, its fields are parted by tabs, NULL is `\N`, and a backslash stands before what would break a line:
the text form of PostgreSQL's COPY. There the server itself writes and reads it; for SQLite `encode` and `decode` do.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from unitask.kit.errors import UnitaskError

SEEDED: Final = frozenset({"compatibility", "plans"})
"""Tables that have rows as soon as the schema is there."""

_ESCAPES: Final = {"\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r"}
_ESCAPE: Final = str.maketrans(_ESCAPES)
_MUST_ESCAPE: Final = re.compile(r"[\\\x08-\x0d]")
_PLAIN: Final = {escaped[1]: plain for plain, escaped in _ESCAPES.items()}
_ESCAPED: Final = re.compile(r"\\(.)")
_WHOLE: Final = 1e15


class TransferFailed(UnitaskError):
    """A database did not give or did not take its rows; the sentence says which."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns in the order of the fields, and those of its primary key, which is the order of the rows.

    Without a primary key, `key` is all columns.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


class Reading(Protocol):
    """One moment of a database: whatever is written meanwhile, all tables are read as they were then."""

    schema: str
    tables: tuple[Table, ...]
    """Those that others refer to come before them."""

    async def copy(self, table: Table, sink: Callable[[bytes], object]) -> int:
        """Give all rows of a table, in the order of its key, in pieces of any length; returns how many rows.

        Raises:
            TransferFailed: the database broke off.

        """


class Writing(Protocol):
    """One transaction that fills an empty database; it commits when the block ends and rolls back when it raises.

    What the schema itself put into a table goes when rows are loaded into it.
    """

    tables: tuple[Table, ...]

    async def load(self, table: Table, source: BinaryIO) -> int:
        """Take rows as `Reading.copy` gives them; returns how many.

        Raises:
            TransferFailed: the database does not take them.

        """


@asynccontextmanager
async def reading(url: str, scratch: Path | None = None) -> AsyncIterator[Reading]:
    """Read one moment of a database.

    SQLite copies itself into the file `scratch` first, in one go, so that a long reading does not let its log grow;
    without `scratch` it is read where it lies.

    Raises:
        Unavailable: the database cannot be opened.
        TransferFailed: it has no schema.

    """
    if url.startswith("sqlite:///"):
        from unitask.db.transfer_sqlite import SqliteReading as Chosen  # noqa: PLC0415 - only the driver in use

        async with Chosen.opened(url.removeprefix("sqlite:///"), scratch) as opened:
            yield opened
        return
    from unitask.db.transfer_postgres import PostgresReading  # noqa: PLC0415 - same

    async with PostgresReading.opened(url) as read:
        yield read


@asynccontextmanager
async def writing(url: str) -> AsyncIterator[Writing]:
    """Fill a database that has its schema and nothing else; nobody else may write to it meanwhile.

    Raises:
        Unavailable: the database cannot be opened.
        TransferFailed: it is not empty.

    """
    if url.startswith("sqlite:///"):
        from unitask.db.transfer_sqlite import SqliteWriting as Chosen  # noqa: PLC0415 - only the driver in use

        async with Chosen.opened(url.removeprefix("sqlite:///")) as opened:
            yield opened
        return
    from unitask.db.transfer_postgres import PostgresWriting  # noqa: PLC0415 - same

    async with PostgresWriting.opened(url) as written:
        yield written


def in_order(tables: Mapping[str, Table], refers: Mapping[str, set[str]]) -> tuple[Table, ...]:
    """Sort tables so that those that others refer to come first."""
    sorter = TopologicalSorter({name: sorted(refers.get(name, set()) - {name}) for name in sorted(tables)})
    return tuple(tables[name] for name in sorter.static_order())


def encode(values: Sequence[Any]) -> bytes:
    """Write a row; flags come as `bool`."""
    return ("\t".join(map(_field, values)) + "\n").encode()


def _field(value: Any) -> str:
    match value:
        case None:
            return "\\N"
        case bool():
            return "t" if value else "f"
        case float() if value.is_integer() and abs(value) < _WHOLE:
            return str(int(value))
        case str():
            return value.translate(_ESCAPE) if _MUST_ESCAPE.search(value) else value
    return str(value)


def decode(line: bytes) -> list[str | None]:
    """Read a row: the text of every field."""
    return [_text(field) for field in line.rstrip(b"\n").decode().split("\t")]


def _text(field: str) -> str | None:
    if field == "\\N":
        return None
    return _ESCAPED.sub(lambda found: _PLAIN.get(found[1], found[1]), field) if "\\" in field else field


def not_empty(name: str) -> TransferFailed:
    """Say that a database holds something."""
    return TransferFailed(f"the database is not empty: the table {name} has rows; nothing was written to it")
