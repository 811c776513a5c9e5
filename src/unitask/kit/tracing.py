"""Traces: an order is one trace, over processes and machines. What is off costs next to nothing and imports nothing.

A trace is carried as text: W3C's `traceparent`, and after a space its `tracestate` where one came. Who has no text, and
is not the beginning of an order, makes no spans.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

if TYPE_CHECKING:
    from unitask.kit.otlp import Exporting

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int | float | bool | None]
"""Names without a dot are ours and get `unitask.` before them; what is None is left out."""
STATE_LIMIT: Final = 512
_LENGTH: Final = 55
_PARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_KEY: Final = r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_MEMBER: Final = rf"{_KEY}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_STATE: Final = re.compile(rf"{_MEMBER}(?:[ \t]*,[ \t]*{_MEMBER}){{0,31}}")
_current: ContextVar[str | None] = ContextVar("trace", default=None)
_exporting: "Exporting | None" = None


class Span:
    """A stretch of work that is told to the collector when it ends, or nothing at all.

    `trace` goes on to whoever continues the work: it names this span, or what came in where none is recorded.
    """

    __slots__ = ("_span", "_token", "trace")

    def __init__(self, trace: str | None = None, span: Any = None) -> None:
        self.trace = trace
        self._span = span
        self._token: Any = None

    @property
    def is_recorded(self) -> bool:
        """Whether anybody will see it."""
        return self._span is not None

    def set(self, attributes: Attributes) -> None:
        """Say more about it."""
        if self._span is not None:
            self._span.set_attributes(named(attributes))

    def fail(self, kind: str) -> None:
        """Mark it as failed, by a word for the kind of failure: sentences may quote what a client sent."""
        if self._span is not None and _exporting is not None:
            _exporting.fail(self._span, kind)

    def end(self, at_ns: int | None = None) -> None:
        """End it; a second time changes nothing."""
        if self._span is not None:
            self._span.end(at_ns)
            self._span = None

    def __enter__(self) -> Self:
        if self.trace is not None:
            self._token = _current.set(self.trace)
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if self._token is not None:
            _current.reset(self._token)
        if error is not None:
            self.fail(type(error).__name__.lstrip("_"))
        self.end()


NOTHING: Final = Span()


def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    parent: str | None = None,
    kind: Kind = "internal",
    is_root: bool = False,
    began_ns: int | None = None,
) -> Span:
    """Begin a span below `parent`, or below the one that is open here; `is_root`: without either it begins a trace."""
    parent = parent or _current.get()
    if parent is None and not (is_root and _exporting):
        return NOTHING
    if _exporting is None:
        return Span(parent)
    begun = _exporting.begin(name, parent, kind, named(attributes or {}), began_ns)
    return Span(_exporting.text(begun), begun) if begun else Span(parent)


def named(attributes: Attributes) -> dict[str, Any]:
    """Give attributes the names that the collector sees."""
    return {
        name if "." in name else f"unitask.{name}": value for name, value in attributes.items() if value is not None
    }


def is_on() -> bool:
    """Whether spans are recorded in this process."""
    return _exporting is not None


def trace_id() -> str | None:
    """Name the trace of the span that is open here."""
    return id_of(_current.get())


def id_of(trace: str | None) -> str | None:
    """Name a trace."""
    return None if trace is None else trace[3:35]


def now_ns() -> int:
    """Tell the time as spans have it: nanoseconds since the epoch."""
    return time.time_ns()


def received(fields: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Read the trace in the head of a request, names in lower case; None where there is none that can be read."""
    parents, states = [], []
    for name, value in fields:
        if name == b"traceparent":
            parents.append(value)
        elif name == b"tracestate":
            states.append(value)
    if len(parents) != 1:
        return None
    return joined(parents[0].decode("latin-1"), ",".join(one.decode("latin-1") for one in states))


def joined(traceparent: str, tracestate: str = "") -> str | None:
    """Write a trace as we carry it, or None: the first header must have its form, the second is left out if it has not.

    What a later version of the standard adds to the first is left out.
    """
    parent, rest = traceparent[:_LENGTH], traceparent[_LENGTH:]
    if not _PARENT.fullmatch(parent) or (rest and (parent.startswith("00") or not rest.startswith("-"))):
        return None
    if not parent.startswith("00"):
        parent = f"00{parent[2:53]}{int(parent[53:], 16) & 1:02x}"
    state = tracestate.strip(" \t")
    return f"{parent} {state}" if len(state) <= STATE_LIMIT and _STATE.fullmatch(state) else parent


def carried(text: str | None) -> str | None:
    """Read a trace as another process of ours wrote it, or None."""
    if text is None:
        return None
    parent, _, state = text.partition(" ")
    return joined(parent, state)


def headers(trace: str | None) -> dict[str, str]:
    """Write a trace as headers of a request."""
    if trace is None:
        return {}
    parent, _, state = trace.partition(" ")
    return {"traceparent": parent, **({"tracestate": state} if state else {})}


@contextmanager
def running(service: str, *, on: bool) -> Iterator[None]:
    """Record spans as this service until left, if that is on; what is not told by then has two seconds more.

    Raises:
        Unavailable: the libraries are not installed.

    """
    global _exporting  # noqa: PLW0603 - as for logging, there is one for the process
    if not on:
        yield
        return
    from unitask.kit.otlp import Exporting  # noqa: PLC0415 - its libraries are loaded only where tracing is on

    _exporting = exporting = Exporting(service)
    try:
        yield
    finally:
        _exporting = None
        exporting.close()
