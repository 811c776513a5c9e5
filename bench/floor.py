"""The floors: bare ASGI applications that do one INSERT, or one SELECT by primary key, of the same row, durably.

Without `FLOOR_ID` the row that is read is one of its own. Nothing is checked, priced or held. What Unitask costs above
this is what its promises cost.
"""

import asyncio
import os
import queue
import sqlite3
import threading
from typing import Any
from uuid import uuid4

INSERT = (
    "insert into tasks (id, account_id, api_key_id, model, task_type, status, input, config, warnings, logs, "
    "price_points, created_at) values ({marks})"
)
COLUMNS = 12
CONFIG = '{"service_mode":"","webhook_config":{"endpoint":"","secret":""}}'
URL = os.environ["FLOOR_DATABASE"]
GIVEN = os.environ.get("FLOOR_ID")
KNOWN = GIVEN or str(uuid4())
INPUT = b'{"prompt": "%s"}' % (b"a little cat sits in the grass and looks at the clouds, " * 5)


def _row(body: bytes, task_id: str) -> tuple[Any, ...]:
    return (
        task_id or str(uuid4()),
        1,
        1,
        "Qubico/flux1-dev",
        "txt2img",
        "pending",
        body.decode(),
        CONFIG,
        "[]",
        "[]",
        150_000,
        1,
    )


class Sqlite:
    """One connection writes in a thread of its own, one commit for each INSERT; another reads."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._reader = self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(URL.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=full")
        return connection

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._write, daemon=True).start()

    def _write(self) -> None:
        connection = self._connect()
        statement = INSERT.format(marks=", ".join("?" * COLUMNS))
        while True:
            row, future = self._orders.get()
            connection.execute(statement, row)
            self._loop.call_soon_threadsafe(future.set_result, None)

    async def insert(self, body: bytes, task_id: str = "") -> None:
        future = self._loop.create_future()
        self._orders.put((_row(body, task_id), future))
        await future

    async def select(self) -> Any:
        return self._reader.execute("select * from tasks where id = ?", (KNOWN,)).fetchone()


class Postgres:
    """A pool of asyncpg, one statement a request."""

    async def open(self) -> None:
        import asyncpg  # noqa: PLC0415 - only this floor needs it

        async def keep(_: Any) -> None:
            pass

        self._pool = await asyncpg.create_pool(URL, min_size=10, max_size=10, reset=keep)
        self._insert = INSERT.format(marks=", ".join(f"${number + 1}" for number in range(COLUMNS)))

    async def insert(self, body: bytes, task_id: str = "") -> None:
        await self._pool.execute(self._insert, *_row(body, task_id))

    async def select(self) -> Any:
        return await self._pool.fetchrow("select * from tasks where id = $1", KNOWN)


STORE = Sqlite() if URL.startswith("sqlite") else Postgres()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Insert on POST, select on GET, answer a constant."""
    if scope["type"] == "lifespan":
        await receive()
        await STORE.open()
        if not GIVEN:
            await STORE.insert(INPUT, KNOWN)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["method"] == "POST":
        await STORE.insert(body)
    else:
        await STORE.select()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"11")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"ok":true}'})
