"""The client for programs on an event loop: the same calls, awaited."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx

from unitask_sdk import calls, files, follow
from unitask_sdk.effects import Answer, Course, Download, Effect, Emit, Listen, NextLine, Pause, Request, Steps, Tell
from unitask_sdk.errors import TooLarge
from unitask_sdk.hands import ANSWER_BYTES, QUIET_S, head, lost, options, timeouts, too_large
from unitask_sdk.model import Account, Delivery, Document, Event, Page, Product, Quote, Task
from unitask_sdk.session import Session

T = TypeVar("T")
_PIECE_BYTES: Final = 2**20


class _Hands:
    """Carries out the effects of one call."""

    def __init__(self, http: httpx.AsyncClient, stack: AsyncExitStack) -> None:
        self._http = http
        self._stack = stack
        self._lines: AsyncIterator[str] | None = None

    async def do(self, effect: Effect) -> Any:
        """Do it, and give what came of it."""
        match effect:
            case Request():
                return await self._send(effect)
            case Download():
                return await self._download(effect)
            case Listen(request):
                return await self._listen(request)
            case NextLine():
                return await anext(self._lines, None) if self._lines else None
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Tell(whom, what):
                said = whom(what)
                if inspect.isawaitable(said):
                    await said
        return None

    async def _send(self, request: Request) -> Answer:
        async with AsyncExitStack() as stack:
            answer = await self._open(request, stack)
            return head(answer, await _bounded(answer))

    async def _download(self, wanted: Download) -> Answer:
        async with AsyncExitStack() as stack:
            answer = await self._open(wanted.request, stack, follow_redirects=True)
            if not answer.is_success:
                return head(answer, await _bounded(answer))
            size = 0
            async for piece in answer.aiter_bytes():
                size += len(piece)
                if size > wanted.limit_bytes:
                    raise TooLarge(too_large(wanted.limit_bytes))
                wanted.into.write(piece)
            return head(answer, b"")

    async def _listen(self, request: Request) -> Answer:
        await self._stack.aclose()
        answer = await self._open(request, self._stack, read_s=QUIET_S)
        self._lines = answer.aiter_lines()
        return head(answer, b"" if answer.is_success else await _bounded(answer))

    async def _open(
        self, request: Request, stack: AsyncExitStack, *, read_s: float | None = None, **more: Any
    ) -> httpx.Response:
        body = _pieces(request.body) if isinstance(request.body, Path) else request.body
        stream = self._http.stream(
            request.method,
            request.url,
            headers=request.headers,
            content=body,
            timeout=timeouts(request, read_s),
            **more,
        )
        return await stack.enter_async_context(stream)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    """Read a file beside the event loop."""
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece


async def _bounded(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > ANSWER_BYTES:
            raise TooLarge(too_large(ANSWER_BYTES))
    return bytes(body)


class AsyncClient:
    """Does what `unitask_sdk.Client` does, on an event loop of asyncio. `progress` may be a coroutine function."""

    def __init__(self, address: str | None = None, api_key: str | None = None, *, patience_s: float = 60.0) -> None:
        """Open a client; nothing is sent yet."""
        self.session = Session.open(address, api_key, patience_s)
        self._http = httpx.AsyncClient(**options())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def _go(self, course: Course[Any], hands: _Hands) -> None:
        """Do what is to be done until there is something to emit, or all is done."""
        while (effect := course.effect) is not None and not isinstance(effect, Emit):
            try:
                result = await hands.do(effect)
            except httpx.HTTPError as error:
                course.failed(lost(error, self.session))
            else:
                course.done(result)

    async def _each(self, steps: Steps[Any]) -> AsyncIterator[Any]:
        course = Course(steps)
        async with AsyncExitStack() as stack:
            hands = _Hands(self._http, stack)
            await self._go(course, hands)
            while isinstance(course.effect, Emit):
                yield course.effect.value
                course.done(None)
                await self._go(course, hands)

    async def _run(self, steps: Steps[T]) -> T:
        course = Course(steps)
        async with AsyncExitStack() as stack:
            await self._go(course, _Hands(self._http, stack))
        return course.result

    async def create(
        self,
        model: str,
        task_type: str,
        input: Mapping[str, Any],  # noqa: A002 - the wire's name
        *,
        config: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Task:
        """Do as `Client.create` does."""
        return await self._run(
            calls.create(self.session, calls.order(model, task_type, input, config), idempotency_key)
        )

    async def run(
        self,
        model: str,
        task_type: str,
        input: Mapping[str, Any],  # noqa: A002 - the wire's name
        *,
        config: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        progress: Callable[[Event], Any] | None = None,
    ) -> Task:
        """Do as `Client.run` does."""
        creation = calls.create(self.session, calls.order(model, task_type, input, config), idempotency_key)
        return await self._run(follow.run(self.session, creation, timeout_s, progress))

    async def wait(
        self,
        task: Task | str,
        *,
        timeout_s: float | None = None,
        progress: Callable[[Event], Any] | None = None,
    ) -> Task:
        """Do as `Client.wait` does."""
        return await self._run(follow.wait(self.session, task, timeout_s, progress))

    def events(self, task: Task | str, *, timeout_s: float | None = None) -> AsyncIterator[Event]:
        """Do as `Client.events` does."""
        return self._each(follow.events(self.session, task, timeout_s))

    async def get(self, task: Task | str) -> Task:
        """Do as `Client.get` does."""
        return await self._run(calls.get(self.session, task))

    async def cancel(self, task: Task | str) -> Task:
        """Do as `Client.cancel` does."""
        return await self._run(calls.cancel(self.session, task))

    async def list(
        self, *, status: str = "", model: str = "", task_type: str = "", cursor: str | None = None, limit: int = 20
    ) -> Page:
        """Do as `Client.list` does."""
        filters = {"status": status, "model": model, "task_type": task_type}
        return await self._run(calls.page(self.session, filters, cursor, limit))

    def tasks(self, *, status: str = "", model: str = "", task_type: str = "") -> AsyncIterator[Task]:
        """Do as `Client.tasks` does."""
        return self._each(calls.every(self.session, {"status": status, "model": model, "task_type": task_type}))

    async def upload(self, file: str | Path | bytes, *, name: str | None = None) -> str:
        """Do as `Client.upload` does."""
        return await self._run(files.upload(self.session, Path(file) if isinstance(file, str) else file, name))

    async def download(self, url: str, path: str | Path, *, limit_bytes: int = files.DOWNLOAD_BYTES) -> Path:
        """Do as `Client.download` does."""
        path = Path(path)
        with files.arriving(path) as file:
            await self._run(files.download(url, file, limit_bytes))
        return path

    async def read(self, url: str, *, limit_bytes: int) -> tuple[bytes, str]:
        """Do as `Client.read` does."""
        file = BytesIO()
        kind = await self._run(files.download(url, file, limit_bytes))
        return file.getvalue(), kind

    async def quote(
        self,
        model: str,
        task_type: str,
        input: Mapping[str, Any],  # noqa: A002 - the wire's name
    ) -> Quote:
        """Do as `Client.quote` does."""
        return await self._run(calls.quote(self.session, calls.order(model, task_type, input, None)))

    async def products(self) -> tuple[Product, ...]:
        """Do as `Client.products` does."""
        return await self._run(calls.products(self.session))

    async def account(self) -> Account:
        """Do as `Client.account` does."""
        return await self._run(calls.account(self.session))

    async def statement(self, *, start_s: float | None = None, end_s: float | None = None) -> Document:
        """Do as `Client.statement` does."""
        return await self._run(calls.statement(self.session, start_s, end_s))

    def deliveries(self, *, task_id: str = "", state: str = "") -> AsyncIterator[Delivery]:
        """Do as `Client.deliveries` does."""
        return self._each(calls.deliveries(self.session, {"task_id": task_id, "state": state}))

    async def replay(self, delivery_id: str) -> Delivery:
        """Do as `Client.replay` does."""
        return await self._run(calls.replay(self.session, delivery_id))
