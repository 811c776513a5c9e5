"""One client's connection: uvicorn's, with the limits of time and size that uvicorn does not have.

Uvicorn waits for ever for the head of a request, for its body and for a client that does not read, and takes a head
of any size. Here every such wait is counted, once a second, and ended; `docs/decisions/0012-slow-clients.md` says why
it is done this way.
"""

import socket
import struct
from asyncio import Event, Transport
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from httptools import parse_url
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from unitask.api import passage
from unitask.api.cycle import Cycle
from unitask.api.envelope import failure

HEAD_BYTES: Final = 64 * 2**10
HEAD_FIELDS: Final = 100
URL_BYTES: Final = 16 * 2**10
LEAST_BYTES_PER_S: Final = 500
_WRAPPING: Final = 8
"""So many bytes of chunk heads may come for each byte of a body."""
_REASONS: Final = {400: b"Bad Request", 408: b"Request Timeout", 414: b"URI Too Long", 431: b"Header Fields Too Large"}
_NOTHING: Final = 0
_HEAD: Final = 1
_BODY: Final = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a client may keep us waiting, and how many may be connected."""

    wait_s: float
    connections: int


class Connection(HttpToolsProtocol):
    """Uvicorn's connection, watched. `_awaited` is what the client has to send next, `_came` what it has sent of it."""

    def __init__(self, limits: Limits, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._limits = limits
        self._awaited = _HEAD
        self._came = 0
        self._body = 0
        self._waited_s = 0.0
        self._unread_s = 0.0
        self._unread_most = 0
        self._idle_s = 0.0
        self._refusal = (400, "the request is not valid HTTP")

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Hang up on the one too many: files and the database need descriptors, too."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Count what comes beside a body."""
        if self._awaited == _NOTHING:
            self._await(_HEAD)
        self._came += len(data)
        super().data_received(data)
        if self._came > HEAD_BYTES and self._awaited != _NOTHING:
            if self._awaited == _HEAD:
                self._refuse(431, f"the head of the request is larger than {HEAD_BYTES} bytes")
            elif self._came > HEAD_BYTES + _WRAPPING * self._body:
                self._refuse(400, "the body comes in too many pieces")

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        super().on_message_begin()
        if self._awaited != _HEAD:
            self._await(_HEAD)

    def on_headers_complete(self) -> None:
        """Refuse a head that is too large in one way or another, or wait for the body."""
        if len(self.url) > URL_BYTES:
            self._refusal = 414, f"the address is longer than {URL_BYTES} bytes"
            raise ValueError(self._refusal)
        if len(self.headers) > HEAD_FIELDS or (self._came > HEAD_BYTES and self._head_bytes() > HEAD_BYTES):
            self._refusal = 431, f"the head of the request has more than {HEAD_FIELDS} fields or {HEAD_BYTES} bytes"
            raise ValueError(self._refusal)
        self._await(_BODY)
        self._body = 0
        self._begin()

    def _begin(self) -> None:
        """Let the application answer, after the requests before this one; uvicorn's way with a cycle of ours."""
        version, method, url = self.parser.get_http_version(), self.parser.get_method(), parse_url(self.url)
        path = url.path.decode("ascii")
        self.scope["method"] = method.decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["raw_path"] = url.path
        self.scope["query_string"] = url.query or b""
        before: RequestResponseCycle | None = self.cycle
        self.cycle = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """Count the body."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for nothing."""
        self._await(_NOTHING)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request that is there already; `tick` counts how long there is none."""
        self._idle_s = 0.0
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def resume_writing(self) -> None:
        """Note that the client has read."""
        self._unread_s, self._unread_most = 0.0, 0
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong in the words of our other answers; `msg` is uvicorn's."""
        del msg
        self._refuse(*self._refusal)

    def tick(self, seconds: float) -> None:
        """Count a time in which the client may have kept us waiting."""
        if self._awaited == _NOTHING and not self._at_work:
            self._idle_s += seconds
        if not self._reads_enough(seconds):
            self._cut()
        elif self._idle_s > self.timeout_keep_alive:
            self.transport.close()
        elif not self.transport.is_closing() and not self._sends_enough(seconds):
            given = f"{self._limits.wait_s:g} seconds, and one more for every {LEAST_BYTES_PER_S} bytes of a body"
            self._refuse(408, f"the request came too slowly: it is given {given}")

    def _await(self, what: int) -> None:
        self._awaited, self._came, self._waited_s = what, 0, 0.0

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _reads_enough(self, seconds: float) -> bool:
        unread = self.transport.get_write_buffer_size()
        if not unread:
            self._unread_s, self._unread_most = 0.0, 0
            return True
        self._unread_s += seconds
        self._unread_most = max(self._unread_most, unread)
        return self._unread_s <= self._limits.wait_s + (self._unread_most - unread) / LEAST_BYTES_PER_S

    def _sends_enough(self, seconds: float) -> bool:
        """Tell whether the client is in time; what we do not take because we are busy is not its fault."""
        earned_s = 0.0
        if self._awaited == _NOTHING:
            return True
        if self._at_work:
            if self._awaited == _HEAD or self.flow.read_paused:
                return True
            # A body that nobody wants any more is not given more time for coming fast.
            earned_s = self._body / LEAST_BYTES_PER_S
        self._waited_s += seconds
        return self._waited_s <= self._limits.wait_s + earned_s

    @property
    def _at_work(self) -> bool:
        """Whether a request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _refuse(self, status: int, sentence: str) -> None:
        """Answer if an answer can still be read as one, and hang up."""
        if self._at_work and self.cycle.response_started:
            self._cut()
            return
        nothing_came = self._awaited == _HEAD and not self._came
        answered = self._awaited == _BODY and not self._at_work
        if not nothing_came and not answered:
            answer = failure(status, sentence)
            head = b"HTTP/1.1 %d %s\r\n" % (status, _REASONS[status])
            fields = [*answer.headers, *passage.refused(status), (b"connection", b"close")]
            self.transport.write(head + b"".join(b"%s: %s\r\n" % one for one in fields) + b"\r\n" + answer.body)
        self.transport.close()

    def _cut(self) -> None:
        """Hang up with a reset: otherwise the system would keep what the client has not read, and go on offering it."""
        found = self.transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
