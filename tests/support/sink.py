"""A receiver of webhooks on loopback that answers, or misbehaves, as a test wants."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Received:
    """One request; header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Its `webhook-id`."""
        return self.headers["webhook-id"]

    @property
    def task(self) -> dict[str, Any]:
        """The task that it tells of."""
        data: dict[str, Any] = json.loads(self.body)["data"]
        return data


Behaviour = Callable[[BaseHTTPRequestHandler, "Sink"], None]


@dataclass
class Sink:
    """What came in, and how the next requests are met: one behaviour each, the last one again and again."""

    port: int
    behaviours: list[Behaviour]
    received: list[Received] = field(default_factory=list)
    most_at_once: int = 0
    connections: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    _busy: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        """Write an address of this sink."""
        return f"http://{host}:{self.port}{path}"

    @property
    def ids(self) -> list[str]:
        """The ids of all messages, in the order in which they came."""
        return [one.id for one in self.received]

    def meet(self, handler: BaseHTTPRequestHandler) -> None:
        """Write a request down and behave."""
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        with self._lock:
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.received.append(Received(handler.path, headers, body))
            behaviour = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
            self._busy += 1
            self.most_at_once = max(self.most_at_once, self._busy)
        try:
            behaviour(handler, self)
        finally:
            with self._lock:
                self._busy -= 1


def says(status: int = 200, body: bytes = b"ok", **headers: str) -> Behaviour:
    """Answer completely."""

    def behave(handler: BaseHTTPRequestHandler, _: Sink) -> None:
        handler.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def hangs(handler: BaseHTTPRequestHandler, sink: Sink) -> None:
    """Say nothing until the end of the test."""
    sink.stopped.wait(LIMIT_S)
    handler.close_connection = True


def resets(handler: BaseHTTPRequestHandler, _: Sink) -> None:
    """Cut the connection with a reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def floods(handler: BaseHTTPRequestHandler, _: Sink) -> None:
    """Announce a gigabyte, and send it as long as it is taken."""
    handler.send_response(200)
    handler.send_header("content-length", str(2**30))
    handler.end_headers()
    with suppress(OSError):
        for _ in range(2**14):
            handler.wfile.write(b"x" * 2**16)
    handler.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: clients hang up, as many tests want them to."""


@contextmanager
def receiving(*behaviours: Behaviour, host: str = "127.0.0.1") -> Iterator[Sink]:
    """Run a sink."""
    sink: Sink

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = LIMIT_S

        def setup(self) -> None:
            super().setup()
            sink.connections += 1

        def do_POST(self) -> None:
            sink.meet(self)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Log nothing."""

    with _Server((host, 0), Handler) as server:
        sink = Sink(server.server_address[1], list(behaviours or (says(),)))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield sink
        finally:
            sink.stopped.set()
            server.shutdown()
            thread.join()
