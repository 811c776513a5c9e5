"""Connections that go to checked addresses only, under `unitask.kit.net`.

Who connects hands over the name and the port; what comes back was resolved, checked and connected in one step, so that
nothing can change in between.
"""

import asyncio
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from typing import Any, Final, NamedTuple, TypeVar

import httpcore

from unitask.kit.exchange import Answered, Exchange

CONNECT_TIMEOUT_S: Final = 10.0

Resolver = Callable[[str, int], list[str]]
Connected = TypeVar("Connected")


class Deadline:
    """One moment for all steps of a request; a limit for each step alone lets a slow drip go on for ever."""

    def __init__(self, timeout_s: float) -> None:
        self._end_s = time.monotonic() + timeout_s

    def left_s(self) -> float:
        """Seconds to go; raises httpcore's timeout when there are none."""
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise httpcore.ReadTimeout
        return left_s


def _in_thread(resolve: Resolver, host: str, port: int) -> Future[list[str]]:
    """Resolve in a daemon thread: the system's resolver takes no timeout, and the wait must be given up."""
    future: Future[list[str]] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(resolve(host, port))
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
            future.set_exception(error)

    threading.Thread(target=run, name="resolve", daemon=True).start()
    return future


class CheckedBackend(httpcore.NetworkBackend):
    """Connects to checked addresses only, and gives every step no more than the time that is left."""

    def __init__(self, addresses: Resolver, inner: httpcore.NetworkBackend, deadline: Deadline) -> None:
        self._addresses = addresses
        self._inner = inner
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline decides
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve, check and connect; the `ConnectError` carries the last failure."""
        addresses = _in_thread(self._addresses, host, port).result(self._deadline.left_s())
        failure: Exception | None = None
        for index, address in enumerate(addresses):
            # A dead first address leaves the others their share of the time.
            share_s = min(CONNECT_TIMEOUT_S, self._deadline.left_s() / (len(addresses) - index))
            try:
                stream = self._inner.connect_tcp(address, port, share_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._deadline)
        raise httpcore.ConnectError(failure)


class _Stream(httpcore.NetworkStream):
    """A connection whose every step ends at the deadline."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline decides
        return self._inner.read(max_bytes, self._deadline.left_s())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the deadline decides
        self._inner.write(buffer, self._deadline.left_s())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the deadline decides
    ) -> httpcore.NetworkStream:
        stream = self._inner.start_tls(ssl_context, server_hostname, self._deadline.left_s())
        return _Stream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


async def reach(addresses: Resolver, host: str, port: int, connect: Callable[[str], Awaitable[Connected]]) -> Connected:
    """Resolve, check and connect to the first address that answers, within the caller's `asyncio.timeout`.

    Raises:
        httpcore.ConnectError: none did, or the name has none; carries the last failure.

    """
    try:
        found = await asyncio.wrap_future(_in_thread(addresses, host, port))
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(error) from error
    failure: Exception | None = None
    for address in found:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S / len(found)):
                return await connect(address)
        except (OSError, httpcore.ConnectError, httpcore.ConnectTimeout) as error:  # TimeoutError is an OSError
            failure = error
    raise httpcore.ConnectError(failure)


class Server(NamedTuple):
    """Where a request goes."""

    host: str
    port: int
    has_tls: bool


class KeptConnections:
    """Open connections, as many kept by server for the next request as may be in use; they live `keep_s` seconds."""

    def __init__(self, addresses: Resolver, tls: Callable[[], ssl.SSLContext], *, limit: int, keep_s: float) -> None:
        self._addresses = addresses
        self._tls = tls
        self._places = asyncio.Semaphore(limit)
        self._limit = limit
        self._keep_s = keep_s
        self._idle: dict[Server, list[Exchange]] = {}
        self._kept = 0
        self._looking: asyncio.TimerHandle | None = None

    async def ask(self, server: Server, request: bytes, limit_bytes: int) -> Answered:
        """Send a request; its connection is kept if the answer was read to its end.

        Raises:
            httpcore.ConnectError: no connection.
            httpcore.NetworkError, httpcore.ProtocolError: see `Exchange.ask`.

        """
        async with self._places:
            connection = self._take(server) or await self._connect(server)
            answered = await connection.ask(request, limit_bytes)
            if connection.usable:
                self._keep(server, connection)
            return answered

    async def aclose(self) -> None:
        """Close those that wait."""
        if self._looking:
            self._looking.cancel()
        for connection in (one for kept in self._idle.values() for one in kept):
            connection.close()
        self._idle = {}
        await asyncio.sleep(0)

    def _keep(self, server: Server, connection: Exchange) -> None:
        if self._kept >= self._limit:
            connection.close()
            return
        connection.since_s = time.monotonic()
        self._idle.setdefault(server, []).append(connection)
        self._kept += 1
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(self._keep_s, self._drop_expired)

    def _take(self, server: Server) -> Exchange | None:
        kept = self._idle.get(server, [])
        while kept:
            connection = kept.pop()
            self._kept -= 1
            if connection.usable:
                return connection
        return None

    async def _connect(self, server: Server) -> Exchange:
        async def connect(address: str) -> Exchange:
            _, connection = await asyncio.get_running_loop().create_connection(
                Exchange,
                address,
                server.port,
                ssl=self._tls() if server.has_tls else None,
                server_hostname=server.host if server.has_tls else None,
            )
            return connection

        return await reach(self._addresses, server.host, server.port, connect)

    def _drop_expired(self) -> None:
        """Close what nobody took in time; looks again while there is something left."""
        oldest_s = time.monotonic() - self._keep_s
        idle, self._idle = self._idle, {}
        for server, kept in idle.items():
            for connection in kept:
                if connection.usable and connection.since_s > oldest_s:
                    self._idle.setdefault(server, []).append(connection)
                else:
                    connection.close()
        self._kept = sum(map(len, self._idle.values()))
        self._looking = None
        if self._kept:
            self._looking = asyncio.get_running_loop().call_later(self._keep_s, self._drop_expired)
