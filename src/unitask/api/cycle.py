"""One request and its answer: uvicorn's, with an answer of known length in one write instead of two."""

from functools import lru_cache
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    RequestResponseCycle,
)

from unitask.api.passage import OVERHEAD, REQUEST_ID

_CHANGING: Final = (OVERHEAD, REQUEST_ID)
_FRAMING: Final = {b"connection", b"content-length", b"transfer-encoding"}


class Cycle(RequestResponseCycle):
    """Keeps back the head of an answer that begins with its length, and writes it with the body.

    Each write is a call of the system and wakes the client, so one instead of two saves a tenth of a get. What is
    unusual (a client that does not read, `HEAD`, a body in pieces) goes uvicorn's way, and so do streams, whose head
    tells a client at once that it is heard.
    """

    def __init__(self, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._head: Any = None

    async def send(self, message: Any) -> None:
        """Take the head, or the head's body."""
        if self._head is None:
            if message["type"] == "http.response.start" and not self.response_started and _begins_with_length(message):
                self._head = message
            else:
                await super().send(message)
            return
        head, self._head = self._head, None
        if not self._write(head, message):
            await super().send(head)
            await super().send(message)

    def _write(self, head: Any, message: Any) -> bool:
        """Write an answer, if nothing about it is unusual."""
        (_, length), *fields = head["headers"]
        # What differs from answer to answer, and is plain by its making, is written beside the lines that are kept.
        changing = b""
        while fields and fields[0][0] in _CHANGING:
            changing += b"%s: %s\r\n" % fields.pop(0)
        body = message.get("body", b"")
        whole = message["type"] == "http.response.body" and not message.get("more_body") and int(length) == len(body)
        lines = _lines(tuple(fields)) if whole else None
        if lines is None or self.disconnected or self.flow.write_paused or self.scope["method"] == "HEAD":
            return False
        usual = b"".join([b"%s: %s\r\n" % one for one in self.default_headers])
        close = b"" if self.keep_alive else b"connection: close\r\n"
        measured = b"content-length: ", length, b"\r\n", changing
        self.response_started = self.response_complete = True
        self.transport.write(b"".join((STATUS_LINE[head["status"]], usual, *measured, lines, close, b"\r\n", body)))
        self.message_event.set()
        if close:
            self.transport.close()
        self.on_response()
        return True


def _begins_with_length(message: Any) -> bool:
    headers = message.get("headers")
    return bool(headers) and headers[0][0] == b"content-length" and headers[0][1].isdigit()


@lru_cache(maxsize=256)
def _lines(fields: tuple[tuple[bytes, bytes], ...]) -> bytes | None:
    """Write fields of a head; None where one is not plain. Most answers have the same."""
    for name, value in fields:
        if name.lower() in _FRAMING or HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
            return None
    return b"".join([b"%s: %s\r\n" % (name.lower(), value) for name, value in fields])
