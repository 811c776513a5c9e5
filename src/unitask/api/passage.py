"""One request's way through the process: under which id it is found, what it took us, how it is counted."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Final, cast

from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from unitask.kit.ids import is_uuid, short_ids
from unitask.kit.meters import FAST_S, Histogram

OVERHEAD: Final = b"x-overhead-ms"
REQUEST_ID: Final = b"x-request-id"
_SANE: Final = re.compile(rb"[\w.:/+=@-]{1,128}", re.ASCII)
_ids: Final = short_ids()
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NS_PER_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000
_CLASSES: Final = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")
OTHER: Final = "other"
"""The route of what no route of the API serves: the dashboard's files, the pages of the reference, unknown paths."""

SECONDS: Final = Histogram(
    "unitask_http_request_seconds",
    "What requests took the server itself until it began to answer (x-overhead-ms), by the template of their route and "
    "the class of the answer's status; none: the client was gone before.",
    FAST_S,
    ("method", "route", "status"),
)


class Passage:
    """Stands between the server and the application. `waited_ns`: what passed while others had to do something.

    It is paid for by every request, so it does little: 2 microseconds.
    """

    __slots__ = ("_began_ns", "_receive", "_scope", "_send", "_spent_ns", "_status", "request_id", "route", "waited_ns")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._began_ns = perf_counter_ns()
        self._scope = scope
        self._receive = receive
        self._send = send
        self._spent_ns = 0
        self._status = 0
        self.waited_ns = 0
        self.route = OTHER
        self.request_id = _request_id(scope)
        scope["passage"] = self

    async def receive(self) -> Message:
        """Wait for what the client sends."""
        began_ns = perf_counter_ns()
        try:
            return await self._receive()
        finally:
            self.waited_ns += perf_counter_ns() - began_ns

    async def send(self, message: Message) -> None:
        """Say in the head of the answer what it took us, and under which id it is found.

        They stand right behind the length, where `unitask.api.cycle` looks for what no two answers have in common.
        """
        if message["type"] == "http.response.start":
            self._status = message["status"]
            spent_ns = self._spent_ns = max(0, perf_counter_ns() - self._began_ns - self.waited_ns)
            headers = list(message.get("headers", ()))
            first = 1 if headers and headers[0][0] == b"content-length" else 0
            headers[first:first] = (OVERHEAD, b"%.1f" % (spent_ns / _NS_PER_MS)), (REQUEST_ID, self.request_id)
            message["headers"] = headers
        await self._send(message)

    def fields(self) -> Mapping[str, object]:
        """Tell what every line says that is logged on the way."""
        fields: dict[str, object] = {"request_id": self.request_id.decode()}
        task_id = (self._scope.get("path_params") or {}).get("task_id")
        if task_id is not None and is_uuid(str(task_id).strip()):
            fields["task_id"] = str(task_id).strip()
        return fields

    def end(self) -> None:
        """Count it."""
        method = self._scope["method"]
        if self.route is OTHER and method not in _METHODS:
            method = OTHER
        spent_ns = self._spent_ns if self._status else perf_counter_ns() - self._began_ns - self.waited_ns
        SECONDS.observe(spent_ns / _NS_PER_S, method, self.route, _CLASSES[self._status // 100])


def _request_id(scope: Scope) -> bytes:
    """Take the client's, if it is one, or make one."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID:
            if _SANE.fullmatch(value):
                return cast("bytes", value)
            break
    return next(_ids)


def refused(status: int) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    """Count what never became a request, and give the two fields for the answer to it."""
    SECONDS.observe(0.0, OTHER, OTHER, _CLASSES[status // 100])
    return (OVERHEAD, b"0.0"), (REQUEST_ID, next(_ids))


@contextmanager
def waiting(request: Request) -> Iterator[None]:
    """Count what passes inside as a wait that the client asked for, or for somebody whom it named."""
    passage = request.scope.get("passage")
    began_ns = perf_counter_ns()
    try:
        yield
    finally:
        if isinstance(passage, Passage):
            passage.waited_ns += perf_counter_ns() - began_ns
