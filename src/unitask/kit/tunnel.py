"""A way out for libraries that speak to a stranger's server by themselves: a proxy on loopback, under the same guard.

Such a library resolves names and follows redirects on its own. Told to go through this proxy (HTTP `CONNECT`), every
connection that it makes is resolved, checked and made by `unitask.kit.net.Guard`; TLS stays between the library and
the server. Whoever does not know the secret in the address is turned away.

The library believes the server and reads an answer of any length into memory. So a connection ends when more comes back
than fits an answer while nothing is sent; that holds for HTTP/1.1, where every question is sent after the last answer.
"""

import asyncio
import base64
import contextlib
import hmac
import re
import secrets
from typing import Final

import httpcore

from unitask.kit.net import Guard, Refused, Unreachable

_HEAD_BYTES: Final = 8192
_HEAD_S: Final = 5.0
_IDLE_S: Final = 120.0
_PIECE_BYTES: Final = 64 * 2**10
ANSWER_BYTES: Final = 16 * 2**20
_CONNECT: Final = re.compile(rb"CONNECT ([\w.:\[\]-]{1,300}) HTTP/1\.1\r\n")
_OPEN: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"
_ENDED: Final = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


class Tunnel:
    """Opens at the first question for its address."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._secret = secrets.token_hex(16)
        self._starting = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    async def address(self) -> str:
        """Give the address to set as a proxy, with its secret."""
        async with self._starting:
            if self._server is None:
                self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_HEAD_BYTES)
            port = self._server.sockets[0].getsockname()[1]
        return f"http://tunnel:{self._secret}@127.0.0.1:{port}"

    async def close(self) -> None:
        """Close it with all connections through it."""
        if self._server is not None:
            self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="tunnel")
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
            asked = _CONNECT.match(head)
            if asked is None or not self._is_known(head):
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            else:
                await self._pass(asked[1].decode(), reader, writer)
        except _ENDED:
            pass  # whoever asked is gone, or says nothing
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _is_known(self, head: bytes) -> bool:
        expected = b"Basic " + base64.b64encode(f"tunnel:{self._secret}".encode())
        given = re.search(rb"\r\nproxy-authorization: *([^\r]*)\r\n", head, re.IGNORECASE)
        return given is not None and hmac.compare_digest(given[1], expected)

    async def _pass(self, server: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            stream = await self._guard.connect(f"https://{server}")
        except Refused:
            writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        except Unreachable:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return
        async with contextlib.aclosing(stream):
            writer.write(_OPEN)
            passing = _Passing(reader, writer, stream)
            ways = [asyncio.create_task(passing.there()), asyncio.create_task(passing.back())]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)


class _Passing:
    """One connection through the tunnel."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: httpcore.AsyncNetworkStream
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._stream = stream
        self._answered_bytes = 0

    async def there(self) -> None:
        """Pass on what the library sends."""
        while True:
            async with asyncio.timeout(_IDLE_S):
                piece = await self._reader.read(_PIECE_BYTES)
            if not piece:
                return
            self._answered_bytes = 0
            await self._stream.write(piece, _IDLE_S)

    async def back(self) -> None:
        """Pass on what the server answers, up to the limit."""
        while self._answered_bytes < ANSWER_BYTES and (piece := await self._stream.read(_PIECE_BYTES, _IDLE_S)):
            self._answered_bytes += len(piece)
            self._writer.write(piece)
            async with asyncio.timeout(_IDLE_S):
                await self._writer.drain()
