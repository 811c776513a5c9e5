"""A client of server-sent events that reads them one by one, while the application runs on."""

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from starlette.types import ASGIApp, Message


@dataclass(frozen=True, slots=True)
class Event:
    """What came: its id, its name and its data."""

    id: str
    name: str
    data: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> "Event | None":
        """Read one block; None for a comment."""
        fields = dict(line.split(": ", 1) for line in text.strip().splitlines() if not line.startswith(":"))
        return cls(fields["id"], fields["event"], json.loads(fields["data"])) if fields else None


class Stream:
    """An open answer. `status` and `headers` are there as soon as it is entered."""

    def __init__(self, application: ASGIApp, path: str, headers: dict[str, str]) -> None:
        self._application = application
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
            "server": ("unitask.test", 80),
            "client": ("127.0.0.1", 1),
        }
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._requested = False
        self.status = 0
        self.headers: dict[str, str] = {}

    async def _receive(self) -> Message:
        if not self._requested:
            self._requested = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def __aenter__(self) -> Self:
        """Ask, and read the head of the answer."""
        self._serving = asyncio.create_task(self._application(self._scope, self._receive, self._sent.put))
        start = await asyncio.wait_for(self._sent.get(), 5)
        self.status = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up; the application must notice."""
        self._gone.set()
        await asyncio.wait_for(self._serving, 5)

    async def next(self, within_s: float = 5) -> Event | None:
        """Read the next event; None at the end."""
        while True:
            message = await asyncio.wait_for(self._sent.get(), within_s)
            if event := Event.parse(message["body"].decode()):
                return event
            if not message.get("more_body"):
                return None

    async def rest(self) -> list[Event]:
        """Read all that comes until the end."""
        events = []
        while event := await self.next():
            events.append(event)
        return events
