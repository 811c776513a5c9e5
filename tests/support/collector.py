"""A receiver of traces on loopback, as the specification of OTLP over HTTP has it, with the official messages.

It takes `POST /v1/traces` in protobuf, plain or packed with gzip, refuses other types with 415 and what it cannot read
with 400, and answers with the official answer, which may say that only a part was taken.
"""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from support.threaded import threaded
from support.wait import seen

PROTOBUF = "application/x-protobuf"
LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Told:
    """A span as the collector has it; ids are hexadecimal, `parent` is empty at the beginning of a trace."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    began_ns: int
    ended_ns: int
    attributes: dict[str, Any]
    failed: bool
    state: str

    @property
    def traceparent(self) -> str:
        """What whoever goes on with it sends as a header."""
        return f"00-{self.trace}-{self.id}-01"


@dataclass
class Collector:
    """What came in. `rejects`: so many spans of each request are said to be refused."""

    url: str
    rejects: int = 0
    spans: list[Told] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Give the settings of processes that send their spans here, soon after they end."""
        return {
            "UNITASK_TRACING": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }

    def trace(self, trace_id: str) -> list[Told]:
        """List the spans of a trace, as they began."""
        return sorted((one for one in self.spans if one.trace == trace_id), key=lambda one: one.began_ns)

    async def told(self, trace_id: str, *names: str) -> list[Told]:
        """Wait until a trace has spans of all these names, as often as they stand there; gives the whole trace."""

        def all_there() -> list[Told]:
            found = self.trace(trace_id)
            there = [one.name for one in found]
            return found if all(there.count(name) >= names.count(name) for name in names) else []

        try:
            return await seen(all_there, within_s=LIMIT_S, what=f"{names} in the trace")
        except AssertionError as error:
            raise AssertionError(f"{error}; seen: {[(one.service, one.name) for one in self.spans]}") from error

    def take(self, content: bytes) -> ExportTraceServiceResponse:
        """Read a request."""
        request = ExportTraceServiceRequest.FromString(content)
        self.bodies.append(content)
        for group in request.resource_spans:
            service = _attributes(group.resource.attributes)["service.name"]
            self.spans += [_told(service, span) for scope in group.scope_spans for span in scope.spans]
        answer = ExportTraceServiceResponse()
        if self.rejects:
            answer.partial_success.rejected_spans = self.rejects
            answer.partial_success.error_message = "no room"
        return answer


def _told(service: str, span: SpanMessage) -> Told:
    return Told(
        service=service,
        name=span.name,
        kind=SpanMessage.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        began_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        state=span.trace_state,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    def value(one: AnyValue) -> Any:
        return getattr(one, str(one.WhichOneof("value")))

    found: dict[str, Any] = {}
    for pair in pairs:
        assert isinstance(pair, KeyValue)
        found[pair.key] = value(pair.value)
    return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector."""
    collector: Collector

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = LIMIT_S

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            if self.path != "/v1/traces":
                return self.say(404, b"")
            if self.headers["content-type"] != PROTOBUF:
                return self.say(415, b"")
            collector.heads.append({name.lower(): value for name, value in self.headers.items()})
            try:
                packed = self.headers.get("content-encoding", "") == "gzip"
                answer = collector.take(gzip.decompress(content) if packed else content)
            except Exception:  # noqa: BLE001 - whatever cannot be read is no request
                return self.say(400, b"")
            return self.say(200, answer.SerializeToString())

        def say(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", PROTOBUF)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Log nothing."""

    with threaded(Handler) as port:
        collector = Collector(f"http://127.0.0.1:{port}")
        yield collector
