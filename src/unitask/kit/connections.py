"""Connections that go to checked addresses only: the network backends under `unitask.kit.net`.

httpcore hands a backend the name and the port; what comes back was resolved, checked and connected in one
step, so that nothing can change in between.
"""

import asyncio
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, Final

import httpcore

CONNECT_TIMEOUT_S: Final = 10.0
_LOOK_S: Final = 1.0

Resolver = Callable[[str, int], list[str]]


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


class CheckedAsyncBackend(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only; the deadline is the caller's `asyncio.timeout`."""

    def __init__(self, addresses: Resolver) -> None:
        self._addresses = addresses
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the signature of httpcore
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check and connect; the `ConnectError` carries the last failure."""
        addresses = await asyncio.wrap_future(_in_thread(self._addresses, host, port))
        failure: Exception | None = None
        for address in addresses:
            share_s = CONNECT_TIMEOUT_S / len(addresses)
            try:
                return await self._inner.connect_tcp(address, port, share_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise httpcore.ConnectError(failure)


class KeptConnections:
    """Open connections, kept by server for the next request.

    httpcore's own pool looks at every connection several times for every request, which costs milliseconds when there
    are a hundred; here a request looks at the one that it takes.
    """

    def __init__(
        self, backend: httpcore.AsyncNetworkBackend, tls: Callable[[], ssl.SSLContext], *, limit: int, keep_s: float
    ) -> None:
        self._backend = backend
        self._tls = tls
        self._places = asyncio.Semaphore(limit)
        self._keep_s = keep_s
        self._idle: dict[tuple[bytes, bytes, int | None], list[httpcore.AsyncHTTPConnection]] = {}
        self._looked_s = 0.0

    @asynccontextmanager
    async def stream(self, request: httpcore.Request) -> AsyncIterator[httpcore.Response]:
        """Send a request; its connection is kept if the answer was read to its end."""
        async with self._places:
            await self._drop_expired()
            connection = self._take(request.url)
            try:
                response = await connection.handle_async_request(request)
                try:
                    yield response
                finally:
                    await response.aclose()
            finally:
                if connection.is_closed() or not connection.is_idle():
                    await connection.aclose()
                else:
                    self._idle.setdefault(_key(request.url), []).append(connection)

    async def aclose(self) -> None:
        """Close those that wait."""
        kept, self._idle = self._idle, {}
        for connection in (one for those in kept.values() for one in those):
            await connection.aclose()

    def _take(self, url: httpcore.URL) -> httpcore.AsyncHTTPConnection:
        kept = self._idle.get(_key(url), [])
        if kept and not kept[-1].has_expired():
            return kept.pop()
        return httpcore.AsyncHTTPConnection(
            url.origin,
            ssl_context=self._tls() if url.scheme == b"https" else None,
            keepalive_expiry=self._keep_s,
            network_backend=self._backend,
        )

    async def _drop_expired(self) -> None:
        """Close what nobody took in time; looking once a second is often enough."""
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_S:
            return
        self._looked_s = now_s
        expired = []
        for key, kept in list(self._idle.items()):
            expired += [one for one in kept if one.has_expired()]
            self._idle[key] = [one for one in kept if one not in expired]
            if not self._idle[key]:
                del self._idle[key]
        for connection in expired:
            await connection.aclose()


def _key(url: httpcore.URL) -> tuple[bytes, bytes, int | None]:
    return url.scheme, url.host, url.port
