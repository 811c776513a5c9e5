"""Connections that go to checked addresses only: the network backends under `unitask.kit.net`.

httpcore hands a backend the name and the port; what comes back was resolved, checked and connected in one
step, so that nothing can change in between.
"""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Final

import httpcore

CONNECT_TIMEOUT_S: Final = 10.0

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
