"""Logging: one JSON object a line on standard error, or plain text on a terminal."""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

import orjson

from unitask.kit import tracing

Fields = Callable[[], Mapping[str, object]]
ABOUT: Final[ContextVar[Fields | None]] = ContextVar("about", default=None)
"""What every line says that is logged in this context; asked for only when there is a line."""
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Let every line that is logged inside say these too, whoever logs it."""
    outer = ABOUT.get()
    token = ABOUT.set(lambda: {**(outer() if outer else {}), **fields})
    try:
        yield
    finally:
        ABOUT.reset(token)


def _extra(record: logging.LogRecord) -> dict[str, object]:
    # Libraries that add fields of their own to every record begin them with a line.
    own = {key: value for key, value in vars(record).items() if key not in _STANDARD and not key.startswith("_")}
    around = ABOUT.get()
    return {**around(), **own} if around else own


def _with_trace(record: logging.LogRecord) -> bool:
    """Name the trace that a line belongs to, where it does not say so itself."""
    if "trace_id" not in vars(record) and (trace_id := tracing.trace_id()):
        record.trace_id = trace_id
    return True


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message and whatever was passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line, default=str).decode()
        except orjson.JSONEncodeError:  # half a character, or a number of more than 64 bits
            return json.dumps(line, default=str, ensure_ascii=True, skipkeys=True)


class TextFormatter(logging.Formatter):
    """A line for a person: time, level, message, then the extras as key=value."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        moment = datetime.fromtimestamp(record.created).astimezone()
        extras = " ".join(f"{key}={value}" for key, value in _extra(record).items())
        line = f"{moment:%H:%M:%S} {record.levelname.lower():7} {record.getMessage()} {extras}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def manner() -> tuple[str, bool]:
    """Tell how this process logs, for a child that is to do the same: the level, and whether as JSON."""
    root = logging.getLogger()
    return logging.getLevelName(root.level), any(isinstance(one.formatter, JsonFormatter) for one in root.handlers)


def configure(level: str, *, as_json: bool) -> None:
    """Send all logging to standard error in one format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    handler.addFilter(_with_trace)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
