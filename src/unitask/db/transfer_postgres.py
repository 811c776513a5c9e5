"""Whole tables of PostgreSQL, by COPY; see `unitask.db.transfer`."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, BinaryIO, Final, Self

import asyncpg

from unitask.db.migrate import connect
from unitask.db.transfer import SEEDED, Table, TransferFailed, in_order, not_empty

_ERRORS: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_TABLES: Final = """
select c.relname as name,
  array(select a.attname::text from pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum) as columns,
  array(select a.attname::text from pg_index i cross join unnest(i.indkey) with ordinality as k(number, place)
    join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
    where i.indrelid = c.oid and i.indisprimary order by k.place) as key,
  array(select r.relname::text from pg_constraint f join pg_class r on r.oid = f.confrelid
    where f.conrelid = c.oid and f.contype = 'f') as refers
from pg_class c
where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  and c.relname <> 'alembic_version'"""
_TEXTS: Final = """
select attrelid::regclass::text as name, attname as column from pg_attribute
where attrelid = any($1::regclass[]) and attnum > 0 and attcollation <> 0"""
_NUMBERED: Final = """
select table_name as name, column_name as column from information_schema.columns
where table_schema = current_schema() and pg_get_serial_sequence(quote_ident(table_name), column_name) is not null"""


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


async def _tables(connection: Any) -> tuple[Table, ...]:
    rows = await connection.fetch(_TABLES)
    found = {
        row["name"]: Table(row["name"], tuple(row["columns"]), tuple(row["key"] or row["columns"])) for row in rows
    }
    return in_order(found, {row["name"]: set(row["refers"]) for row in rows})


class PostgresReading:
    """One moment of a database."""

    def __init__(self, connection: Any, schema: str, tables: tuple[Table, ...], texts: set[tuple[str, str]]) -> None:
        self._connection = connection
        self._texts = texts
        self.schema = schema
        self.tables = tables

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator[Self]:
        """Hold on to one moment until the end of the block."""
        connection = await connect(url)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield await cls._of(connection)
        finally:
            connection.terminate()

    @classmethod
    async def _of(cls, connection: Any) -> Self:
        if not await connection.fetchval("select to_regclass('alembic_version') is not null"):
            raise TransferFailed("the database has no schema: there is nothing to read")
        schema: str = await connection.fetchval("select version_num from alembic_version")
        tables = await _tables(connection)
        texts = await connection.fetch(_TEXTS, [table.name for table in tables])
        return cls(connection, schema, tables, {(row["name"], row["column"]) for row in texts})

    async def copy(self, table: Table, sink: Callable[[bytes], object]) -> int:
        """Give all rows of a table."""

        async def take(piece: bytes) -> None:
            sink(piece)

        # Letters in the order of their bytes, as SQLite has them, whatever the language of this database.
        order = ", ".join(
            f'"{column}" collate "C"' if (table.name, column) in self._texts else f'"{column}"' for column in table.key
        )
        query = f'select {_listed(table.columns)} from "{table.name}" order by {order}'
        try:
            said: str = await self._connection.copy_from_query(query, output=take, format="text")
        except _ERRORS as error:
            raise TransferFailed(f"the rows of {table.name} cannot be read: {error}") from error
        return int(said.rpartition(" ")[2])


class PostgresWriting:
    """One transaction that fills a database."""

    def __init__(self, connection: Any, tables: tuple[Table, ...]) -> None:
        self._connection = connection
        self.tables = tables

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator[Self]:
        """Fill the database until the end of the block."""
        connection = await connect(url)
        try:
            async with connection.transaction():
                opened = cls(connection, await _tables(connection))
                await opened._see_empty()
                yield opened
                await opened._go_on_counting()
            await connection.execute("analyze")
        finally:
            connection.terminate()

    async def _see_empty(self) -> None:
        names = _listed([table.name for table in self.tables])
        await self._connection.execute(f"lock table {names} in exclusive mode")
        for table in self.tables:
            found = await self._connection.fetchval(f'select exists (select 1 from "{table.name}")')
            if found and table.name not in SEEDED:
                raise not_empty(table.name)

    async def load(self, table: Table, source: BinaryIO) -> int:
        """Take rows."""
        try:
            await self._connection.execute(f'delete from "{table.name}"')
            said: str = await self._connection.copy_to_table(
                table.name, source=source, columns=table.columns, format="text"
            )
        except _ERRORS as error:
            raise TransferFailed(f"the database does not take the rows of {table.name}: {error}") from error
        return int(said.rpartition(" ")[2])

    async def _go_on_counting(self) -> None:
        """Let numbers that the database gives out go on behind those that are there."""
        for row in await self._connection.fetch(_NUMBERED):
            name, column = row["name"], row["column"]
            await self._connection.execute(
                f"select setval(pg_get_serial_sequence('\"{name}\"', '{column}'), max(\"{column}\")) "
                f'from "{name}" having max("{column}") is not null'
            )
