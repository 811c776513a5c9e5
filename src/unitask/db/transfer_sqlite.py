"""Whole tables of a SQLite file; see `unitask.db.transfer`."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from unitask.db.transfer import SEEDED, Table, TransferFailed, decode, encode, in_order, not_empty
from unitask.kit.errors import Unavailable

_ROWS_AT_ONCE: Final = 100
_TABLES: Final = """
select name from sqlite_master where type = 'table' and name not like 'sqlite%' and name <> 'alembic_version'"""
_READ_AS: Final[dict[str, Callable[[str], Any]]] = {
    "BOOLEAN": lambda text: text == "t",
    "INTEGER": int,
    "BIGINT": int,
    "FLOAT": float,
}


def _open(path: str, mode: str) -> sqlite3.Connection:
    try:
        address = f"{Path(path).resolve().as_uri()}?mode={mode}"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=10)
        connection.execute("pragma foreign_keys=on")
        connection.execute("pragma synchronous=full")
        connection.execute("select name from sqlite_master limit 1").fetchone()
    except sqlite3.Error as error:
        raise Unavailable(f"the database {path} cannot be opened: {error}") from error
    return connection


def _kinds(connection: sqlite3.Connection, name: str) -> dict[str, str]:
    return {row[1]: row[2].upper() for row in connection.execute(f'pragma table_info("{name}")')}


def _tables(connection: sqlite3.Connection) -> tuple[Table, ...]:
    found: dict[str, Table] = {}
    refers: dict[str, set[str]] = {}
    for (name,) in connection.execute(_TABLES).fetchall():
        columns = connection.execute(f'pragma table_info("{name}")').fetchall()
        names = tuple(row[1] for row in columns)
        key = tuple(column for _, column in sorted((row[5], row[1]) for row in columns if row[5]))
        found[name] = Table(name, names, key or names)
        refers[name] = {row[2] for row in connection.execute(f'pragma foreign_key_list("{name}")')}
    return in_order(found, refers)


class SqliteReading:
    """One moment of a file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.tables = _tables(connection)
        try:
            (self.schema,) = connection.execute("select version_num from alembic_version").fetchone()
        except (sqlite3.OperationalError, TypeError):
            raise TransferFailed("the database has no schema: there is nothing to read") from None

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, path: str, scratch: Path | None) -> AsyncIterator[Self]:
        """Hold on to one moment until the end of the block."""
        with contextlib.closing(_open(path, "ro")) as connection:
            if scratch is None:
                connection.execute("begin")
                yield cls(connection)
                return
            try:
                await asyncio.to_thread(_copy_file, connection, scratch)
                with contextlib.closing(_open(str(scratch), "ro")) as copied:
                    yield cls(copied)
            finally:
                await asyncio.to_thread(scratch.unlink, missing_ok=True)

    async def copy(self, table: Table, sink: Callable[[bytes], object]) -> int:
        """Give all rows of a table."""
        return await asyncio.to_thread(self._copy, table, sink)

    def _copy(self, table: Table, sink: Callable[[bytes], object]) -> int:
        kinds = _kinds(self._connection, table.name)
        flags = [kinds[column] == "BOOLEAN" for column in table.columns]
        names, key = (", ".join(f'"{column}"' for column in columns) for columns in (table.columns, table.key))
        number = 0
        try:
            rows = self._connection.execute(f'select {names} from "{table.name}" order by {key}')
            while some := rows.fetchmany(_ROWS_AT_ONCE):
                number += len(some)
                sink(b"".join(encode(_flagged(row, flags)) for row in some))
        except (sqlite3.Error, UnicodeError) as error:
            raise TransferFailed(f"the rows of {table.name} cannot be read: {error}") from error
        return number


def _copy_file(connection: sqlite3.Connection, target: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(target)) as copied:
            connection.backup(copied)
            # A file of its own, without a log beside it.
            copied.execute("pragma journal_mode=delete")
    except sqlite3.Error as error:
        raise TransferFailed(f"the database cannot be copied to {target}: {error}") from error


def _flagged(row: tuple[Any, ...], flags: list[bool]) -> list[Any]:
    return [bool(value) if flag and value is not None else value for value, flag in zip(row, flags, strict=True)]


class SqliteWriting:
    """One transaction that fills a file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.tables = _tables(connection)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, path: str) -> AsyncIterator[Self]:
        """Fill the file until the end of the block."""
        with contextlib.closing(_open(path, "rw")) as connection:
            connection.execute("begin immediate")
            try:
                opened = cls(connection)
                for table in opened.tables:
                    found = connection.execute(f'select 1 from "{table.name}" limit 1').fetchone()
                    if found and table.name not in SEEDED:
                        raise not_empty(table.name)
                yield opened
                connection.execute("commit")
            finally:
                if connection.in_transaction:
                    connection.execute("rollback")

    async def load(self, table: Table, source: BinaryIO) -> int:
        """Take rows."""
        return await asyncio.to_thread(self._load, table, source)

    def _load(self, table: Table, source: BinaryIO) -> int:
        kinds = _kinds(self._connection, table.name)
        read_as = [_READ_AS.get(kinds[column], str) for column in table.columns]
        names = ", ".join(f'"{column}"' for column in table.columns)
        marks = ", ".join("?" for _ in table.columns)
        insert = f'insert into "{table.name}" ({names}) values ({marks})'
        try:
            self._connection.execute(f'delete from "{table.name}"')
            return self._connection.executemany(insert, _rows(source, read_as)).rowcount if source.peek(1) else 0  # type: ignore[attr-defined]
        except (sqlite3.Error, ValueError) as error:
            raise TransferFailed(f"the database does not take the rows of {table.name}: {error}") from error


def _rows(source: BinaryIO, read_as: list[Callable[[str], Any]]) -> Iterator[list[Any]]:
    for line in source:
        fields = zip(decode(line), read_as, strict=True)
        yield [None if text is None else read(text) for text, read in fields]
