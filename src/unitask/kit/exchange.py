"""One HTTP/1.1 connection to a server that a stranger chose: it answers one request after the other.

asyncio carries the bytes and httptools reads them. httpcore, which does both, costs four times the processor time of a
webhook, most of it in the layers between.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, cast

import httpcore
import httptools

_HEAD_BYTES: Final = 64 * 2**10
_PER_BYTE: Final = 8
"""So many bytes may come for each of the body: it can be sent in pieces of one."""
_FINAL: Final = 200
_UPGRADE: Final = 101
_LENGTHS: Final = frozenset({b"content-length", b"transfer-encoding"})


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """Read a header by its lower-case name, "" where there is none."""
    value = next((value for key, value in headers if key.lower() == name), b"")
    return value.decode("utf-8", "replace").strip()


@dataclass(slots=True)
class Answered:
    """What came back; `body` is cut at the limit that was given."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)


class _Reading:
    """An answer as it comes in; httptools calls the methods whose names begin with `on`."""

    def __init__(self, limit_bytes: int) -> None:
        self.answered = Answered()
        self.is_over = False
        self.is_whole = False
        self._limit_bytes = limit_bytes
        self._came_bytes = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            httpcore.RemoteProtocolError: this is no answer.

        """
        self._came_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.is_whole = False
        except httptools.HttpParserError as error:
            if not self.is_over:
                raise httpcore.RemoteProtocolError(str(error)) from error
            self.is_whole = False
        most = _HEAD_BYTES + (_PER_BYTE * self._limit_bytes if self.answered.status else 0)
        if self._came_bytes > most and not self.is_over:
            raise httpcore.RemoteProtocolError("the answer is too long")

    @property
    def ends_with_connection(self) -> bool:
        """Whether its body has no stated length."""
        names = {name.lower() for name, _ in self.answered.headers}
        return self.answered.status > 0 and names.isdisjoint(_LENGTHS)

    def on_message_begin(self) -> None:
        """Begin, after a preliminary answer too; nothing may follow the real one."""
        if self.is_over:
            self.is_whole = False
        elif not self.answered.status:
            self.answered.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; what comes after the body is none that we look at."""
        if not self.answered.status:
            self.answered.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Note the status, if it is not of a preliminary answer."""
        status = self._parser.get_status_code()
        if not self.is_over and (status >= _FINAL or status == _UPGRADE):
            self.answered.status = status

    def on_body(self, data: bytes) -> None:
        """Keep what is within the limit."""
        if not self.is_over:
            self.answered.body += data[: self._limit_bytes - len(self.answered.body)]
            self.is_over = len(self.answered.body) >= self._limit_bytes

    def on_message_complete(self) -> None:
        """End."""
        if self.answered.status and not self.is_over:
            self.is_over = True
            self.is_whole = self._parser.should_keep_alive()


class Exchange(asyncio.Protocol):
    """Made by `loop.create_connection`. `usable`: open, no answer under way. `since_s` is for the one who keeps it."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self.usable = False
        self.since_s = 0.0
        self._reading: _Reading | None = None
        self._answer: asyncio.Future[Answered] | None = None

    async def ask(self, request: bytes, limit_bytes: int) -> Answered:
        """Send a request and read at most `limit_bytes` of the body of its answer.

        Raises:
            httpcore.NetworkError: the server hung up.
            httpcore.ProtocolError: what it says is no answer.

        """
        self._reading = _Reading(limit_bytes)
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self.usable = False
        self._transport.write(request)
        try:
            return await answer
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        self.usable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self.usable = True

    def connection_lost(self, error: Exception | None) -> None:
        """End; a body of no stated length ends with the connection."""
        self.usable = False
        if error is None and self._reading and self._reading.ends_with_connection:
            self._end(self._reading.answered)
        else:
            self._end(httpcore.ReadError(str(error or "the server hung up")))

    def data_received(self, data: bytes) -> None:
        """Read on; who speaks without being asked is hung up on."""
        if self._reading is None:
            self.close()
            return
        try:
            self._reading.feed(data)
        except httpcore.RemoteProtocolError as error:
            self._end(error)
        else:
            if self._reading.is_over:
                self.usable = self._reading.is_whole
                self._end(self._reading.answered)

    def _end(self, answer: Answered | Exception) -> None:
        if self._answer and not self._answer.done():
            if isinstance(answer, Exception):
                self._answer.set_exception(answer)
            else:
                self._answer.set_result(answer)
        self._reading = self._answer = None
        if not self.usable:
            self.close()
