"""The client for programs that wait for each call."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from unitask_sdk import calls, clock, files, follow
from unitask_sdk.effects import Answer, Course, Download, Effect, Emit, Listen, NextLine, Pause, Request, Steps, Tell
from unitask_sdk.errors import TooLarge
from unitask_sdk.hands import ANSWER_BYTES, QUIET_S, head, lost, options, timeouts, too_large
from unitask_sdk.model import Account, Delivery, Document, Event, Page, Product, Quote, Task
from unitask_sdk.session import Session

T = TypeVar("T")


class _Hands:
    """Carries out the effects of one call."""

    def __init__(self, http: httpx.Client, stack: ExitStack) -> None:
        self._http = http
        self._stack = stack
        self._lines: Iterator[str] = iter(())

    def do(self, effect: Effect) -> Any:
        """Do it, and give what came of it."""
        match effect:
            case Request():
                return self._send(effect)
            case Download():
                return self._download(effect)
            case Listen(request):
                return self._listen(request)
            case NextLine():
                return next(self._lines, None)
            case Pause(seconds):
                clock.sleep(seconds)
            case Tell(whom, what):
                whom(what)
        return None

    def _send(self, request: Request) -> Answer:
        with ExitStack() as stack:
            answer = self._open(request, stack)
            return head(answer, _bounded(answer))

    def _download(self, wanted: Download) -> Answer:
        with ExitStack() as stack:
            answer = self._open(wanted.request, stack, follow_redirects=True)
            if not answer.is_success:
                return head(answer, _bounded(answer))
            size = 0
            for piece in answer.iter_bytes():
                size += len(piece)
                if size > wanted.limit_bytes:
                    raise TooLarge(too_large(wanted.limit_bytes))
                wanted.into.write(piece)
            return head(answer, b"")

    def _listen(self, request: Request) -> Answer:
        self._stack.close()
        answer = self._open(request, self._stack, read_s=QUIET_S)
        self._lines = answer.iter_lines()
        return head(answer, b"" if answer.is_success else _bounded(answer))

    def _open(self, request: Request, stack: ExitStack, *, read_s: float | None = None, **more: Any) -> httpx.Response:
        body = stack.enter_context(request.body.open("rb")) if isinstance(request.body, Path) else request.body
        stream = self._http.stream(
            request.method,
            request.url,
            headers=request.headers,
            content=body,
            timeout=timeouts(request, read_s),
            **more,
        )
        return stack.enter_context(stream)


def _bounded(answer: httpx.Response) -> bytes:
    body = bytearray()
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > ANSWER_BYTES:
            raise TooLarge(too_large(ANSWER_BYTES))
    return bytes(body)


class Client:
    """Speaks to a Unitask, or to another server of the Unified API.

    Address and key come from the arguments, else from UNITASK_ADDRESS and UNITASK_API_KEY. A call is tried again for up
    to `patience_s` seconds when the connection breaks or the server is busy. Use it as a context manager, or close it.

    Every call raises an error of `unitask_sdk.errors` with a sentence that says what to change.
    """

    def __init__(self, address: str | None = None, api_key: str | None = None, *, patience_s: float = 60.0) -> None:
        """Open a client; nothing is sent yet."""
        self.session = Session.open(address, api_key, patience_s)
        self._http = httpx.Client(**options())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def _go(self, course: Course[Any], hands: _Hands) -> None:
        """Do what is to be done until there is something to emit, or all is done."""
        while (effect := course.effect) is not None and not isinstance(effect, Emit):
            try:
                result = hands.do(effect)
            except httpx.HTTPError as error:
                course.failed(lost(error, self.session))
            else:
                course.done(result)

    def _each(self, steps: Steps[Any]) -> Iterator[Any]:
        course = Course(steps)
        with ExitStack() as stack:
            hands = _Hands(self._http, stack)
            self._go(course, hands)
            while isinstance(course.effect, Emit):
                yield course.effect.value
                course.done(None)
                self._go(course, hands)

    def _run(self, steps: Steps[T]) -> T:
        course = Course(steps)
        with ExitStack() as stack:
            self._go(course, _Hands(self._http, stack))
        return course.result

    def create(
        self,
        model: str,
        task_type: str,
        input: Mapping[str, Any],  # noqa: A002 - the wire's name
        *,
        config: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Task:
        """Order a task. Calling it again with the same key gives the same task, within a day."""
        return self._run(calls.create(self.session, calls.order(model, task_type, input, config), idempotency_key))

    def run(
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
        """Order a task and wait for its result.

        Raises:
            TaskFailed: it ended without one.
            NotFinished: it goes on after `timeout_s` seconds.

        """
        creation = calls.create(self.session, calls.order(model, task_type, input, config), idempotency_key)
        return self._run(follow.run(self.session, creation, timeout_s, progress))

    def wait(
        self,
        task: Task | str,
        *,
        timeout_s: float | None = None,
        progress: Callable[[Event], Any] | None = None,
    ) -> Task:
        """Wait until a task has ended, whatever its end; `progress` is called with every change.

        Raises:
            NotFinished: it goes on after `timeout_s` seconds.

        """
        return self._run(follow.wait(self.session, task, timeout_s, progress))

    def events(self, task: Task | str, *, timeout_s: float | None = None) -> Iterator[Event]:
        """Give every change of a task as it happens, until its end; the last one has the task.

        Raises:
            NotFinished: it goes on after `timeout_s` seconds.

        """
        return self._each(follow.events(self.session, task, timeout_s))

    def get(self, task: Task | str) -> Task:
        """Read a task."""
        return self._run(calls.get(self.session, task))

    def cancel(self, task: Task | str) -> Task:
        """Take an order back. A task that runs fails a moment later; one that has ended is refused with Conflict."""
        return self._run(calls.cancel(self.session, task))

    def list(
        self, *, status: str = "", model: str = "", task_type: str = "", cursor: str | None = None, limit: int = 20
    ) -> Page:
        """List some tasks, newest first, at most 100."""
        filters = {"status": status, "model": model, "task_type": task_type}
        return self._run(calls.page(self.session, filters, cursor, limit))

    def tasks(self, *, status: str = "", model: str = "", task_type: str = "") -> Iterator[Task]:
        """Give all tasks, newest first, page by page as they are asked for."""
        return self._each(calls.every(self.session, {"status": status, "model": model, "task_type": task_type}))

    def upload(self, file: str | Path | bytes, *, name: str | None = None) -> str:
        """Give a text that stands for a file in an input: a data URI if it is small, else an address.

        A text is a path. Bytes need a `name`, whose end says what they are.
        """
        return self._run(files.upload(self.session, Path(file) if isinstance(file, str) else file, name))

    def download(self, url: str, path: str | Path, *, limit_bytes: int = files.DOWNLOAD_BYTES) -> Path:
        """Save a file of a result. It is there whole or not at all."""
        path = Path(path)
        with files.arriving(path) as file:
            self._run(files.download(url, file, limit_bytes))
        return path

    def read(self, url: str, *, limit_bytes: int) -> tuple[bytes, str]:
        """Read a file of a result into memory, and give its content type."""
        file = BytesIO()
        kind = self._run(files.download(url, file, limit_bytes))
        return file.getvalue(), kind

    def quote(
        self,
        model: str,
        task_type: str,
        input: Mapping[str, Any],  # noqa: A002 - the wire's name
    ) -> Quote:
        """Tell what a task would cost at most, without ordering it."""
        return self._run(calls.quote(self.session, calls.order(model, task_type, input, None)))

    def products(self) -> tuple[Product, ...]:
        """List what the server makes, with the schema of every input."""
        return self._run(calls.products(self.session))

    def account(self) -> Account:
        """Tell whose key it is, and what is left."""
        return self._run(calls.account(self.session))

    def statement(self, *, start_s: float | None = None, end_s: float | None = None) -> Document:
        """Tell what came in and went out between two moments in seconds since the epoch, or in the last 30 days."""
        return self._run(calls.statement(self.session, start_s, end_s))

    def deliveries(self, *, task_id: str = "", state: str = "") -> Iterator[Delivery]:
        """Give the webhook messages, newest first."""
        return self._each(calls.deliveries(self.session, {"task_id": task_id, "state": state}))

    def replay(self, delivery_id: str) -> Delivery:
        """Send a webhook message again."""
        return self._run(calls.replay(self.session, delivery_id))
