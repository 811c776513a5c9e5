"""The API of the emulator: that of the real server, and the routes under `/emulator` that tests drive it by."""

import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from unitask import dashboard
from unitask.api import Application
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import body, number, route
from unitask.app import Services
from unitask.emulator.clock import VirtualClock
from unitask.emulator.orders import NOTES, ScriptedOrders
from unitask.emulator.player import Player
from unitask.emulator.script import HEADER, SENT, Script
from unitask.kit.clock import rfc3339
from unitask.kit.errors import InvalidRequest

_KEPT: Final = 1000
_ANSWER_BYTES: Final = 2**16
_BAD: Final = 400
_LONGEST_S: Final = 10 * 365 * 24 * 3600.0


class ClockRequest(BaseModel):
    """How far to move the clock on."""

    model_config = ConfigDict(extra="forbid")

    advance_s: float = Field(ge=0, le=_LONGEST_S)


@dataclass(slots=True)
class Record:
    """One request to the API, and where it differs from the documented schema."""

    at: str
    method: str
    path: str
    status: int = 0
    task_id: str = ""
    differences: list[str] = field(default_factory=list)


class EmulatedApplication(Application):
    """Answers as the real server does, plays the tasks, and keeps a record of the last thousand requests."""

    def __init__(self, services: Services, clock: VirtualClock, orders: ScriptedOrders) -> None:
        super().__init__(
            services,
            [
                *dashboard.routes(services.settings),
                route("GET", "/emulator", self._about),
                route("GET", "/emulator/clock", self._read_clock),
                route("POST", "/emulator/clock", self._move_clock),
                route("GET", "/emulator/requests", self._list_requests),
                route("DELETE", "/emulator/requests", self._forget_requests),
            ],
        )
        self._clock = clock
        self._player = Player(services, clock, orders, self.deliverer)
        self._records: deque[Record] = deque(maxlen=_KEPT)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        """Play beside answering."""
        async with super().lifespan(app), self._player.running():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request, and write down what was asked."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await super().__call__(scope, receive, send)
            return
        record = Record(rfc3339(self._clock.now_us()), scope["method"], scope["path"])
        answer = bytearray()

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
            elif len(answer) < _ANSWER_BYTES:
                answer.extend(message.get("body", b""))
            await send(message)

        SENT.set(dict(scope["headers"]).get(HEADER.encode(), b"").decode("latin-1"))
        NOTES.set(record.differences)
        try:
            await super().__call__(scope, receive, watched)
        finally:
            _read_answer(record, bytes(answer))
            self._records.append(record)

    async def _about(self, _: Request) -> JsonAnswer:
        """Say what can be asked for."""
        told = {
            "clock": rfc3339(self._clock.now_us()),
            "header": HEADER,
            "config": "config.emulator",
            "script": Script.model_json_schema(),
        }
        return success(told)

    async def _read_clock(self, _: Request) -> JsonAnswer:
        """Tell what time it is."""
        return success({"now": rfc3339(self._clock.now_us())})

    async def _move_clock(self, request: Request) -> JsonAnswer:
        """Move the clock on; whatever falls due on the way has happened when this answers."""
        try:
            asked = ClockRequest.model_validate_json(await body(request))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise InvalidRequest(f'invalid request: send {{"advance_s": 60}}: {first["msg"]}') from error
        await self._player.advance(asked.advance_s)
        return await self._read_clock(request)

    async def _list_requests(self, request: Request) -> JsonAnswer:
        """List the last requests, oldest first."""
        most = number(request, "limit", _KEPT, most=_KEPT)
        found: list[dict[str, Any]] = [asdict(record) for record in self._records]
        return success({"requests": found[len(found) - min(most, len(found)) :]})

    async def _forget_requests(self, _: Request) -> JsonAnswer:
        """Begin a new list of requests."""
        self._records.clear()
        return success({"requests": []})


def _read_answer(record: Record, answer: bytes) -> None:
    """Take the task's id from an answer, or why the request was refused."""
    try:
        document = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return
    if not isinstance(document, dict):
        return
    data = document.get("data")
    if isinstance(data, dict) and isinstance(data.get("task_id"), str):
        record.task_id = data["task_id"]
    if record.status == _BAD:
        record.differences.append(str(document.get("message", "")))
