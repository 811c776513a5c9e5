"""Spans by OpenTelemetry's SDK, sent over OTLP in batches by a thread of its own. Imported only where tracing is on.

Where to, how often and which is said by the standard variables of the SDK (`OTEL_EXPORTER_OTLP_ENDPOINT` and so on).
"""

import logging
import os
import platform
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from unitask.kit.errors import Unavailable
from unitask.kit.tracing import STATE_LIMIT

try:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from opentelemetry.trace import (
        NonRecordingSpan,
        Span,
        SpanContext,
        SpanKind,
        StatusCode,
        TraceFlags,
        set_span_in_context,
    )
    from opentelemetry.trace.span import TraceState
except ModuleNotFoundError as error:
    raise Unavailable("UNITASK_TRACING needs its libraries: pip install 'unitask[tracing]'") from error

_FLUSH_S: Final = 2.0
_SAY_EVERY_S: Final = 60.0
_WHY_CHARACTERS: Final = 300
_KINDS: Final = {kind.name.lower(): kind for kind in SpanKind}
log = logging.getLogger(__name__)


class _Reason(logging.Handler):
    """Hears what the library says of a batch, which it would say of every batch, and keeps the first of it."""

    def __init__(self) -> None:
        super().__init__()
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Hear a line."""
        self.said = self.said or record.getMessage()


class _Bearing(SpanExporter):
    """An exporter whose failures are a sentence now and then: a collector that is away must cost nobody anything."""

    def __init__(self) -> None:
        self._inner = OTLPSpanExporter()
        self._why = _Reason()
        library = logging.getLogger("opentelemetry")
        library.handlers, library.propagate = [self._why], False
        self._lost = 0
        self._said = -_SAY_EVERY_S

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; what cannot be sent is dropped."""
        self._why.said = ""
        result = self._inner.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._lost += len(spans)
            if time.monotonic() - self._said >= _SAY_EVERY_S:
                why = self._why.said[:_WHY_CHARACTERS]
                log.warning("the collector of traces does not take them: %s", why, extra={"dropped_spans": self._lost})
                self._said, self._lost = time.monotonic(), 0
        return result

    def shutdown(self) -> None:
        """Let go of the connection; a batch that is under way is given up."""
        self._inner.shutdown()  # type: ignore[no-untyped-call]


class Exporting:
    """What `unitask.kit.tracing` needs of the SDK."""

    def __init__(self, service: str) -> None:
        ours = {"service.name": service, "service.instance.id": f"{platform.node()}:{os.getpid()}"}
        resource = Resource.create({**ours, **OTELResourceDetector().detect().attributes})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_Bearing()))
        self._tracer = self._provider.get_tracer("unitask")

    def begin(
        self, name: str, parent: str | None, kind: str, attributes: dict[str, Any], began_ns: int | None
    ) -> Span | None:
        """Begin a span; None where the sampler does not want it."""
        context = set_span_in_context(NonRecordingSpan(_context(parent))) if parent else None
        span = self._tracer.start_span(name, context, _KINDS[kind], attributes, start_time=began_ns)
        return span if span.is_recording() else None

    def text(self, span: Span) -> str:
        """Write the trace as whoever continues it reads it."""
        context = span.get_span_context()
        parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        state = context.trace_state.to_header()
        return f"{parent} {state}" if 0 < len(state) <= STATE_LIMIT else parent

    def fail(self, span: Span, kind: str) -> None:
        """Mark a span as failed."""
        span.set_status(StatusCode.ERROR)
        span.set_attribute("error.type", kind)

    def close(self) -> None:
        """Send what is left, for a moment; what the collector does not take by then is lost."""
        closing = threading.Thread(target=self._provider.shutdown, name="last-traces", daemon=True)
        closing.start()
        closing.join(_FLUSH_S)


def _context(trace: str) -> SpanContext:
    parent, _, state = trace.partition(" ")
    _, trace_id, span_id, flags = parent.split("-")
    return SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
        trace_state=TraceState.from_header([state]) if state else None,
    )
