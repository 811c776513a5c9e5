"""SQLite: one writer thread that commits in groups, readers beside it.

A transaction is an ordinary coroutine that awaits only its own statements. The writer thread drives it to the end
without an event loop, so a use case costs one hop between threads, however many statements it has. All transactions
that wait when the thread is free share one commit, each in a savepoint of its own: one that fails takes no other
with it.
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from unitask.db.database import Row, Transaction
from unitask.db.load import Load, Writes
from unitask.db.statements import Statement, bind
from unitask.kit.disks import free_bytes
from unitask.kit.errors import Unavailable

T = TypeVar("T")
log = logging.getLogger(__name__)

_PRAGMAS: Final = (
    "pragma journal_mode=wal",
    "pragma synchronous=full",
    "pragma busy_timeout=10000",
    "pragma foreign_keys=on",
    "pragma temp_store=memory",
    "pragma mmap_size=268435456",
    "pragma wal_autocheckpoint=4000",
)
_GROUP_LIMIT: Final = 64
# The file, its disk or another program keeps us from it; what else goes wrong is a mistake of the statement.
_AWAY: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOTADB,
    }
)
_PRIMARY: Final = 0xFF
"""The bits of an error's number that tell its kind; those above tell it apart from others of that kind."""


def connect(path: str) -> sqlite3.Connection:
    """Open the file with the settings that the whole system relies on."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    return connection


def _run(connection: sqlite3.Connection, statement: Statement, parameters: dict[str, Any]) -> list[Row]:
    bound = {name: bind(value) for name, value in parameters.items()}
    try:
        return connection.execute(statement.sqlite, bound).fetchall()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _AWAY:  # the module's own errors have no number
            raise Unavailable(f"the database cannot be read or written: {error}") from error
        raise


class SqliteTransaction:
    """The statements of one transaction; its methods never suspend."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def fetch(self, statement: Statement, **parameters: Any) -> list[Row]:
        """Run a statement and give its rows."""
        return _run(self._connection, statement, parameters)

    async def fetch_one(self, statement: Statement, **parameters: Any) -> Row | None:
        """Run a statement and give its first row, if any."""
        rows = _run(self._connection, statement, parameters)
        return rows[0] if rows else None

    async def execute(self, statement: Statement, **parameters: Any) -> None:
        """Run a statement for its effect."""
        _run(self._connection, statement, parameters)

    @contextlib.asynccontextmanager
    async def together(self) -> AsyncIterator["SqliteTransaction"]:
        """Run what is executed inside, one after the other: nothing is far away here."""
        yield self


@dataclass(slots=True)
class _Order:
    work: Callable[[Transaction], Awaitable[Any]]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


def _drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast("T", stop.value)
    coroutine.close()
    raise RuntimeError("a transaction may await nothing but its own statements")


class SqliteDatabase:
    """One file, one writing thread in this process; other processes may open it too and wait for their turn."""

    def __init__(self, path: str) -> None:
        self._folder = Path(path).resolve().parent
        self._writes = Writes()
        self._reader = connect(path)
        self._writer = connect(path)
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._closed = False
        self._writing = False
        self._thread = threading.Thread(target=self._serve, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in one transaction, durable when this returns."""
        self._require_open()
        order = _Order(work, self._loop.create_future())
        number = self._writes.begin()
        self._orders.put(order)
        try:
            return cast("T", await order.future)
        finally:
            self._writes.end(number)

    async def fetch(self, statement: Statement, **parameters: Any) -> list[Row]:
        """Read on the loop's own connection: a look-up by index takes microseconds, less than a hop to a thread."""
        self._require_open()
        return _run(self._reader, statement, parameters)

    def _require_open(self) -> None:
        if self._closed:
            raise Unavailable("the server is shutting down; send the request again")

    def load(self) -> Load:
        """Tell what waits for the writer, and how much room the disk has."""
        return self._writes.load(int(self._writing), 1, free_bytes(self._folder))

    async def now_us(self) -> None:
        """Have no clock but this machine's."""

    async def notify(self, channel: str) -> None:
        """Wake the listeners of this process; another process polls."""
        for heard in self._listeners.get(channel, []):
            heard()

    async def listen(self, channel: str, heard: Callable[[], None]) -> None:
        """Call `heard` on every hint."""
        self._listeners.setdefault(channel, []).append(heard)

    async def close(self) -> None:
        """Finish what was accepted, then close the file."""
        if self._closed:
            return
        self._closed = True
        self._orders.put(None)
        await asyncio.to_thread(self._thread.join)
        self._reader.close()

    def _serve(self) -> None:
        transaction = SqliteTransaction(self._writer)
        while (order := self._orders.get()) is not None:
            group = [order]
            last = False
            with contextlib.suppress(queue.Empty):
                while len(group) < _GROUP_LIMIT:
                    following = self._orders.get_nowait()
                    if following is None:
                        last = True
                        break
                    group.append(following)
            self._writing = True
            self._commit(group, transaction)
            self._writing = False
            self._loop.call_soon_threadsafe(_deliver, group)
            if last:
                break
        self._writer.close()

    def _commit(self, group: list[_Order], transaction: SqliteTransaction) -> None:
        try:
            self._writer.execute("begin immediate")
            for order in group:
                self._try(order, transaction)
            self._writer.execute("commit")
            self._writes.failed = ""
        except sqlite3.Error as error:
            log.exception("a group of transactions failed", extra={"transactions": len(group)})
            if self._writer.in_transaction:
                self._writer.execute("rollback")
            self._writes.failed = str(error)
            for order in group:
                order.error = order.error or Unavailable(f"the database cannot be written: {error}")

    def _try(self, order: _Order, transaction: SqliteTransaction) -> None:
        self._writer.execute("savepoint one")
        try:
            order.result = _drive(cast("Coroutine[Any, Any, Any]", order.work(transaction)))
        except Exception as error:
            order.error = error
            if not self._writer.in_transaction:
                raise sqlite3.OperationalError(f"the transaction was lost: {error}") from error
            self._writer.execute("rollback to one")
        self._writer.execute("release one")


def _deliver(group: list[_Order]) -> None:
    for order in group:
        if order.future.done():
            continue
        if order.error is not None:
            order.future.set_exception(order.error)
        else:
            order.future.set_result(order.result)
