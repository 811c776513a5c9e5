"""Faults that a test puts between a simulator and its clients, by the step at which they happen; used up in order.

`hang_up(after=True)`, `delay` and `garbage` spoil the answer alone: what was asked for, a job say, is done by then.
"""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, cast, get_args

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Step = Literal["submit", "look", "result", "file", "upload", "cancel", "ping", "socket"]
Fault = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request on its way: the simulator that would answer, and the connection."""

    application: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    refuse: Callable[[int, str], Response]
    ended: threading.Event

    @property
    def transport(self) -> asyncio.Transport:
        """The connection, which `sim.serving` leaves in the scope."""
        return cast("asyncio.Transport", self.scope["state"]["transport"])

    async def say(self, response: Response) -> None:
        """Say something else than the simulator would."""
        await response(self.scope, self.receive, self.send)

    async def let(self, send: Send) -> None:
        """Let the simulator work."""
        await self.application(self.scope, self.receive, send)

    async def kept(self) -> list[Message]:
        """Let the simulator work, and keep what it says."""
        said: list[Message] = []

        async def keep(message: Message) -> None:
            said.append(message)

        await self.let(keep)
        return said


def status(code: int, *, retry_after: str | None = None) -> Fault:
    """Refuse with this status, in the provider's form of errors."""

    async def happen(exchange: Exchange) -> None:
        response = exchange.refuse(code, "something is the matter here")
        response.headers.update({} if retry_after is None else {"retry-after": retry_after})
        await exchange.say(response)

    return happen


def hang_up(*, after: bool = False) -> Fault:
    """Reset the connection: before the request is read, or after all was done and before the answer."""

    async def happen(exchange: Exchange) -> None:
        if after:
            await exchange.kept()
        exchange.transport.abort()
        while not (await exchange.receive())["type"].endswith("disconnect"):
            pass

    return happen


def delay(event: threading.Event) -> Fault:
    """Do all at once, and answer when the test sets the event."""

    async def happen(exchange: Exchange) -> None:
        said = await exchange.kept()
        while not (exchange.ended.is_set() or await asyncio.to_thread(event.wait, 0.02)):
            pass
        for message in said:
            await exchange.send(message)

    return happen


def wrong_type() -> Fault:
    """Answer 200 with a page, as a proxy or a portal in between does."""
    return lambda exchange: exchange.say(HTMLResponse("<!doctype html><title>Welcome</title><p>Sign in"))


def garbage() -> Fault:
    """Do all, and answer 200 with the first half of what there is to say."""

    async def happen(exchange: Exchange) -> None:
        body = b"".join(message.get("body", b"") for message in await exchange.kept())
        await exchange.say(Response(body[: len(body) // 2], media_type="application/json"))

    return happen


def strange(body: object) -> Fault:
    """Answer 200 with other JSON than was asked for."""
    return lambda exchange: exchange.say(JSONResponse(body))


def huge() -> Fault:
    """Answer 200 with a body that does not end before the client goes."""

    async def spaces(exchange: Exchange) -> AsyncIterator[bytes]:
        while not (exchange.transport.is_closing() or exchange.ended.is_set()):
            yield b" " * 2**16

    return lambda exchange: exchange.say(StreamingResponse(spaces(exchange), media_type="application/json"))


def leak() -> Fault:
    """Refuse with 400 and a text that quotes the key."""

    async def happen(exchange: Exchange) -> None:
        sent = Headers(scope=exchange.scope)
        key = sent.get("x-api-key") or sent.get("authorization", "").rpartition(" ")[2]
        await exchange.say(exchange.refuse(400, f"the request with the key {key} was not understood"))

    return happen


class Faults:
    """What is still to happen, and the middleware that makes it happen."""

    def __init__(self) -> None:
        self._left: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.ended = threading.Event()

    def add(self, step: Step, fault: Fault, *, times: int = 1) -> None:
        """Let the next requests of a step meet a fault."""
        assert step in get_args(Step), step
        self._left[step].extend([fault] * times)

    @property
    def left(self) -> int:
        """How many have not happened yet."""
        return sum(map(len, self._left.values()))

    async def meet(self, step: str, exchange: Exchange) -> None:
        """Let the next fault of this step happen, or the simulator answer."""
        left = self._left[step]
        await (left.popleft()(exchange) if left else exchange.let(exchange.send))
