"""What the simulators of all providers share: jobs that go on when they are looked at, keys, files, faults."""

import asyncio
import base64
import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar, Final, Literal, TypeVar
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import Receive, Scope, Send

from sim.faults import Exchange, Faults
from sim.results import TYPES, content, kind_of
from sim.serving import Thread, answering, listening

State = Literal["queued", "running", "done", "failed", "cancelled"]
Why = Literal["input", "provider", "content"]
ENDS: Final = ("done", "failed", "cancelled")


class Refused(Exception):
    """An order is not taken; the answer says why."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True, slots=True)
class Failure:
    """How a job is to end: the input is bad, the provider broke, or the content is refused."""

    message: str
    why: Why


@dataclass
class Job:
    """One order that a simulator took. `order` is what was ordered, `headers` how it was sent (names in lower case)."""

    id: str
    number: int
    name: str
    order: dict[str, Any]
    headers: dict[str, str]
    kind: str
    failure: Failure | None = None
    state: State = "queued"
    seen: int = 0
    fetched: int = 0
    expired: bool = False
    forgotten: bool = False
    output: Any = None
    files: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str | None:
        """Its idempotency key."""
        return self.headers.get("idempotency-key")

    @property
    def cancelled(self) -> bool:
        """Whether it was taken back."""
        return self.state == "cancelled"

    @property
    def ended(self) -> bool:
        """Whether it stays as it is."""
        return self.state in ENDS


@dataclass
class Stored:
    """A file that a simulator gives out: of a job, or uploaded."""

    content: bytes
    content_type: str
    job: Job | None = None
    fetched: int = 0


class Simulator:
    """One provider, as far as a client sees it.

    `looks`: at which look a job is done. `outputs`: what a model answers (by its name), where it is not what one of its
    kind usually does: the provider's form, with `$png`, `$mp4`, `$wav`, ... in the places of addresses.
    """

    key: ClassVar[str] = "sk-of-the-provider"
    scheme: ClassVar[str] = "Bearer"
    gone: ClassVar[int] = 404
    usual: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, *, looks: int = 2) -> None:
        self.looks = looks
        self.url = ""
        self.faults = Faults()
        self.jobs: list[Job] = []
        self.uploads: list[Stored] = []
        self.asked: list[tuple[str, str]] = []
        self.heard: list[tuple[str, dict[str, str]]] = []
        self.outputs: dict[str, Any] = {}
        self.thread: Thread | None = None
        self._files: dict[str, Stored] = {}
        self._failures: deque[Failure] = deque()
        self._free = threading.Event()
        self._free.set()
        self._numbers = count(1)
        self._router = Router([Route("/files/{path:path}", self.file, name="file:open"), *self.routes()])

    # What a provider is.

    def routes(self) -> list[BaseRoute]:
        """Name each route after its step; those that need no key are `open`."""
        raise NotImplementedError

    def refuse(self, code: int, message: str) -> Response:
        """Write an error in the provider's form."""
        raise NotImplementedError

    def key_in(self, headers: Headers) -> str | None:
        """Find the key in a request."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return key if scheme == self.scheme else None

    @property
    def headers(self) -> dict[str, str]:
        """What a client with the right key sends."""
        return {"Authorization": f"{self.scheme} {self.key}"} if self.key else {}

    def new_id(self) -> str:
        """Make an id as the provider's look."""
        return str(uuid4())

    # What a test asks.

    @property
    def submitted(self) -> int:
        """How many jobs were made."""
        return len(self.jobs)

    @property
    def duplicates(self) -> int:
        """How many of them were made from an order that had made one already."""
        return self.submitted - len({json.dumps([job.name, job.order], sort_keys=True) for job in self.jobs})

    @property
    def job(self) -> Job:
        """The last one."""
        return self.jobs[-1]

    # What a test wants to happen.

    def hold(self) -> None:
        """Let all jobs run and not end."""
        self._free.clear()

    def release(self) -> None:
        """Let them go on."""
        self._free.set()

    @property
    def held(self) -> bool:
        """Whether jobs run for ever."""
        return not self._free.is_set()

    def fail(self, message: str, *, why: Why = "provider") -> None:
        """Let the next job end failed."""
        self._failures.append(Failure(message, why))

    def expire(self) -> None:
        """Let the results that there are be gone."""
        for job in self.jobs:
            job.expired = True

    def forget(self) -> None:
        """Know the jobs that there are no more."""
        for job in self.jobs:
            job.forgotten = True

    # The life of a job.

    def make(self, name: str, order: dict[str, Any], headers: Headers, *, id_: str = "") -> Job:
        """Take an order."""
        failure = self._failures.popleft() if self._failures else None
        job = Job(id_ or self.new_id(), next(self._numbers), name, order, dict(headers), kind_of(name), failure)
        self.jobs.append(job)
        return job

    def bad_input(self) -> Failure | None:
        """Take the next failure if it is one that this provider tells at once, by refusing the order."""
        return self._failures.popleft() if self._failures and self._failures[0].why == "input" else None

    def find(self, job_id: str) -> Job | None:
        """Find the newest job with this id, unless it was forgotten."""
        return next((job for job in reversed(self.jobs) if job.id == job_id and not job.forgotten), None)

    def look(self, job: Job) -> Job:
        """Let a job go a step on."""
        if job.ended:
            return job
        if self.held:
            job.state = "running"
            return job
        job.seen += 1
        if job.seen >= self.looks:
            return self.finish(job)
        job.state = "running" if job.seen > 1 or self.looks < 3 else "queued"
        return job

    def finish(self, job: Job) -> Job:
        """Let a job end, well or as it was told to."""
        job.state = "failed" if job.failure else "done"
        if not job.failure:
            template = self.outputs.get(job.name, self.usual.get(job.kind))
            job.output = self.filled(template, job)
        return job

    def progress(self, job: Job) -> float:
        """Tell how far it is, between 0 and 1."""
        return 1.0 if job.ended else min(job.seen / self.looks, 0.99)

    async def unheld(self, request: Request) -> bool:
        """Wait, the request having been read, until jobs may end; false if the client goes before."""
        if not self.held:
            return True
        waiting = asyncio.ensure_future(asyncio.to_thread(self._free.wait))
        leaving = asyncio.ensure_future(request.receive())
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for one in (waiting, leaving):
            one.cancel()
        return not self.held

    # Files.

    def store(self, path: str, stored: Stored) -> str:
        """Keep a file; gives its address."""
        self._files[path] = stored
        return f"{self.url}/files/{path}"

    def filled(self, template: Any, job: Job) -> Any:
        """Put addresses of real files into a template of an output."""
        if isinstance(template, dict):
            return {name: self.filled(value, job) for name, value in template.items()}
        if isinstance(template, list):
            return [self.filled(value, job) for value in template]
        if not (isinstance(template, str) and template.startswith("$")):
            return template
        extension = template[1:]
        path = f"{job.id}/output-{len(job.files)}.{extension}"
        job.files[path] = extension
        return self.store(path, Stored(content(extension), TYPES[extension], job))

    def upload(self, name: str, sent: bytes, content_type: str) -> str:
        """Keep what a client sent; gives its address."""
        stored = Stored(sent, content_type)
        self.uploads.append(stored)
        return self.store(f"uploads/{len(self.uploads)}/{name}", stored)

    async def file(self, request: Request) -> Response:
        """Give a file out."""
        stored = self._files.get(request.path_params["path"])
        if stored is None or (stored.job and stored.job.expired):
            return self.refuse(self.gone, "no such file, or it has expired")
        return self.give(stored)

    @staticmethod
    def give(stored: Stored) -> Response:
        """Answer with a file."""
        stored.fetched += 1
        if stored.job:
            stored.job.fetched += 1
        return Response(stored.content, media_type=stored.content_type)

    # The application.

    def step_of(self, scope: Scope) -> tuple[str, bool]:
        """Find the step of a request, and whether it needs no key: its route's name tells."""
        found = (route for route in self._router.routes if route.matches(scope)[0] is Match.FULL)
        step, _, rest = str(getattr(next(found, None), "name", "")).partition(":")
        return step, rest == "open" or not step

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, unless a fault comes in between."""
        self.asked.append((scope.get("method", "GET"), scope["path"]))
        self.heard.append((scope["path"], dict(Headers(scope=scope))))
        exchange = Exchange(self._guarded, scope, receive, send, self.refuse, self.faults.ended)
        await self.faults.meet(self.step_of(scope)[0], exchange)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.key and not self.step_of(scope)[1] and self.key_in(Headers(scope=scope)) != self.key:
            return await self.refuse(401, "the key is wrong")(scope, receive, send)
        try:
            await self._router(scope, receive, send)
        except Refused as refused:
            await refused.response(scope, receive, send)


S = TypeVar("S", bound=Simulator)


@contextmanager
def served(simulator: S) -> Iterator[S]:
    """Run a simulator on loopback until the end of the block."""
    with listening() as listener:
        simulator.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with answering(simulator, listener) as simulator.thread:
            try:
                yield simulator
            finally:
                simulator.faults.ended.set()
                simulator.release()


async def document(request: Request, otherwise: Response) -> dict[str, Any]:
    """Read a body of JSON.

    Raises:
        Refused: with `otherwise`, if it is no object.

    """
    try:
        body = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(otherwise)
    return body


@dataclass(frozen=True, slots=True)
class Sent:
    """A file in a request."""

    name: str
    content: bytes
    content_type: str

    def described(self) -> dict[str, str]:
        """Write it down as a part of an order."""
        return {"name": self.name, "type": self.content_type, "data": base64.b64encode(self.content).decode()}


async def fields(request: Request) -> tuple[dict[str, Any], dict[str, list[Sent]]]:
    """Read a body, a form or JSON: its plain fields, and its files."""
    if "form" not in request.headers.get("content-type", ""):
        body = None
        with suppress(ValueError):
            body = json.loads(await request.body())
        return (body if isinstance(body, dict) else {}), {}
    plain: dict[str, Any] = {}
    files: dict[str, list[Sent]] = {}
    async with request.form() as form:
        for name, value in form.multi_items():
            if isinstance(value, str):
                plain[name] = value
                continue
            kind = value.content_type or "application/octet-stream"
            files.setdefault(name, []).append(Sent(value.filename or "", await value.read(), kind))
    return plain, files
