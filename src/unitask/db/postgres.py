"""PostgreSQL through asyncpg. Hints travel by LISTEN/NOTIFY, outside of every transaction.

Behind PgBouncer in transaction mode a connection is ours from the beginning to the end of a transaction alone. So
nothing is kept on it, no prepared statement either. A statement that stands by itself is one transaction: between its
text and its values the driver sends no `Sync` (asyncpg 0.30 and later).
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Self, TypeVar

import asyncpg

from unitask.db.database import Row, Transaction
from unitask.db.load import Load, Writes
from unitask.db.statements import Statement, bind, joined
from unitask.kit.errors import Unavailable

T = TypeVar("T")
log = logging.getLogger(__name__)

_ATTEMPTS: Final = 5
_NOTIFY_GAP_S: Final = 0.005
# A hint may be lost, so it does not wait for the disk as what it is about did.
_NOTIFY: Final = "select set_config('synchronous_commit', 'off', true), pg_notify($1, '')"
_RELISTEN_S: Final = 1.0
_POOL_SIZE: Final = 10
_CLOSE_S: Final = 3.0
_STATEMENTS: Final = 100
_NOW: Final = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint"
_LOST: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # the database takes no connections
    asyncpg.InsufficientResourcesError,  # a full disk, or too many connections
    asyncpg.InternalClientError,  # the server has said goodbye, and the connection is about to be closed
)
_AGAIN: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class PostgresTransaction:
    """The statements of one transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, statement: Statement, **parameters: Any) -> list[Row]:
        """Run a statement and give its rows."""
        rows: list[Row] = await self._connection.fetch(statement.postgres, *_ordered(statement, parameters))
        return rows

    async def fetch_one(self, statement: Statement, **parameters: Any) -> Row | None:
        """Run a statement and give its first row, if any."""
        rows = await self.fetch(statement, **parameters)
        return rows[0] if rows else None

    async def execute(self, statement: Statement, **parameters: Any) -> None:
        """Run a statement for its effect."""
        await self._connection.fetch(statement.postgres, *_ordered(statement, parameters))

    @asynccontextmanager
    async def together(self) -> AsyncIterator["_Together"]:
        """Send what is executed inside in one round trip."""
        collected = _Together()
        yield collected
        if collected.statements:
            await self._connection.fetch(joined(tuple(collected.statements)), *collected.parameters)


class _Together:
    """Collects statements that run for their effect."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.parameters: list[Any] = []

    async def execute(self, statement: Statement, **parameters: Any) -> None:
        """Keep a statement for later."""
        self.statements.append(statement)
        self.parameters += _ordered(statement, parameters)

    async def fetch(self, statement: Statement, **_: Any) -> list[Row]:
        """Refuse: there is no answer yet."""
        raise RuntimeError(f"{statement.name} cannot be fetched together with others")

    async def fetch_one(self, statement: Statement, **_: Any) -> Row | None:
        """Refuse: there is no answer yet."""
        raise RuntimeError(f"{statement.name} cannot be fetched together with others")

    @asynccontextmanager
    async def together(self) -> AsyncIterator["_Together"]:
        """Go on collecting."""
        yield self


def _ordered(statement: Statement, parameters: dict[str, Any]) -> list[Any]:
    return [bind(parameters[name]) for name in statement.parameters]


async def _as_text(connection: Any) -> None:
    """Let ids be text in Python, as they are in SQLite and on the wire."""
    await connection.set_type_codec("uuid", encoder=str, decoder=str, schema="pg_catalog", format="text")


async def _keep(_: Any) -> None:
    """Leave a connection as it is when it goes back: no use case sets anything on it."""


class PostgresDatabase:
    """A pool of connections, and one more that listens."""

    def __init__(self, url: str, pool: Any) -> None:
        self._url = url
        self._pool = pool
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._writes = Writes()
        self._hinted: set[str] = set()
        self._notifying: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, url: str, direct_url: str = "") -> Self:
        """Open the pool. With `direct_url`, which leads past PgBouncer and listens, `url` leads to PgBouncer.

        Raises:
            Unavailable: no answer at this address.

        """
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=2,
                max_size=_POOL_SIZE,
                init=_as_text,
                reset=_keep,
                statement_cache_size=0 if direct_url else _STATEMENTS,
                command_timeout=60,
                timeout=10,
            )
        except (*_LOST, TimeoutError) as error:
            raise Unavailable(f"the database does not answer: {error}") from error
        return cls(direct_url or url, pool)

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in one transaction, durable when this returns."""
        number = self._writes.begin()
        try:
            written = await self._write(work)
        except Unavailable as error:
            self._writes.failed = str(error.__cause__ or error)
            raise
        finally:
            self._writes.end(number)
        self._writes.failed = ""
        return written

    async def _write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    return await work(PostgresTransaction(connection))
            except _AGAIN:
                if attempt == _ATTEMPTS:
                    raise
                log.info("transaction runs again", extra={"attempt": attempt})
            except _LOST as error:
                raise Unavailable("the database is not reachable at present; try again in a moment") from error
        raise AssertionError

    async def fetch(self, statement: Statement, **parameters: Any) -> list[Row]:
        """Read outside of any transaction."""
        try:
            rows: list[Row] = await self._pool.fetch(statement.postgres, *_ordered(statement, parameters))
        except _LOST as error:
            raise Unavailable("the database is not reachable at present; try again in a moment") from error
        return rows

    def load(self) -> Load:
        """Tell how many connections are in use; the disk is the server's."""
        idle: int = self._pool.get_idle_size()
        return self._writes.load(self._pool.get_size() - idle, _POOL_SIZE)

    async def now_us(self) -> int:
        """Read the server's clock, less half of the way there and back."""
        try:
            async with self._pool.acquire() as connection:
                # From here: the wait for a connection is not a part of the way.
                began = time.monotonic_ns()
                now: int = await connection.fetchval(_NOW)
                return now + (time.monotonic_ns() - began) // 2000
        except _LOST as error:
            raise Unavailable("the database is not reachable at present; try again in a moment") from error

    async def notify(self, channel: str) -> None:
        """Wake this process at once and the others by NOTIFY; hints within five milliseconds are joined into one."""
        for heard in self._listeners.get(channel, []):
            heard()
        self._hinted.add(channel)
        if self._notifying is None:
            self._notifying = asyncio.create_task(self._notify(), name="notify")

    async def _notify(self) -> None:
        try:
            while self._hinted:
                channels, self._hinted = self._hinted, set()
                for channel in channels:
                    await self._pool.execute(_NOTIFY, channel)
                await asyncio.sleep(_NOTIFY_GAP_S)
        except (*_LOST, TimeoutError):
            log.warning("a hint was lost; the other processes poll")
        finally:
            self._notifying = None

    async def listen(self, channel: str, heard: Callable[[], None]) -> None:
        """Call `heard` on every hint."""
        self._listeners.setdefault(channel, []).append(heard)
        if self._listening is not None:
            self._listening.cancel()
        self._listening = asyncio.create_task(self._keep_listening(), name="listen")

    async def _keep_listening(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (*_LOST, TimeoutError):
                log.warning("lost the connection that listens; polling goes on")
            await asyncio.sleep(_RELISTEN_S)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=10)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            for channel, listeners in self._listeners.items():
                await connection.add_listener(channel, lambda *_, heard=tuple(listeners): [call() for call in heard])
            await lost.wait()
        finally:
            connection.terminate()

    async def close(self) -> None:
        """Close every connection."""
        for task in (self._listening, self._notifying):
            if task is not None:
                task.cancel()
        try:
            await asyncio.wait_for(self._pool.close(), _CLOSE_S)
        except TimeoutError:  # a connection on which no answer comes any more
            self._pool.terminate()
