"""Services with a file of providers on an empty database, and a real worker for them in the test's own process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pydantic import BaseModel

from sim.unified import Unified
from support.books import troubles
from support.clock import ManualClock
from support.customer import Customer
from support.keys import WORKER_TOKEN
from support.sql import rows
from support.wait import seen
from support.worker import HandWorker
from unitask.api import Application
from unitask.app import Services
from unitask.queue.model import Offer
from unitask.remote import calls, drive
from unitask.routing import Routing
from unitask.settings import Settings
from unitask.spec import protocol
from unitask.tasks.model import Task
from unitask.worker import remote_pool
from unitask.worker.client import Answer, ApiClient, _understood
from unitask.worker.service import Options, Worker

LIMIT_S: Final = 20.0
NOWHERE: Final = "http://127.0.0.1:9"
"""Where nobody answers."""


def provider(name: str, url: str = NOWHERE, **more: str) -> str:
    """Write the table of a Unitask or hub."""
    lines = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[provider.{name}]\nengine = "upstream"\nurl = "{url}"\n{lines}'


def route(*order: str, products: str = '["Qubico/flux1-*"]', **more: str) -> str:
    """Write the table of a route; each step as TOML has it."""
    lines = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f"[[route]]\nproducts = {products}\norder = [{', '.join(order)}]\n{lines}"


def key_for(monkeypatch: pytest.MonkeyPatch, name: str, key: str = Unified.key) -> None:
    """Let the operator have a key for a provider."""
    monkeypatch.setenv(f"UNITASK_KEY_{name.upper()}", key)


def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the worker wait for next to nothing between its tries and its looks."""
    for module, name in ((calls, "_PAUSE_S"), (drive, "_FIRST_LOOK_S"), (remote_pool, "_LOOK_S")):
        monkeypatch.setattr(module, name, 0.01)


class InnerClient(ApiClient):
    """Speaks to an API in the same process."""

    def __init__(self, services: Services) -> None:
        super().__init__("http://unitask.test", WORKER_TOKEN)
        inside = httpx.ASGITransport(Application(services))
        self._http = httpx.AsyncClient(transport=inside, base_url=self._url, headers=self._headers)
        self.begun = 0
        self.beats: list[protocol.BeatRequest] = []

    async def beat(self, request: protocol.BeatRequest) -> protocol.BeatAnswer:
        """Keep what the worker says of itself."""
        self.begun += 1
        answer = await super().beat(request)
        self.beats.append(request)
        return answer

    async def _send(self, name: str, message: BaseModel, kind: type[Answer], *, timeout_s: float = LIMIT_S) -> Answer:
        del timeout_s
        content = message.model_dump_json().encode()
        headers = {"Content-Type": "application/json"}
        return _understood(
            await self._request("POST", f"{protocol.PREFIX}/{name}", content=content, headers=headers), kind
        )


@dataclass
class Working:
    """A real worker, and how it speaks to the API."""

    worker: Worker
    client: InnerClient

    async def beats(self) -> protocol.BeatRequest:
        """Wait for a heartbeat that is said and heard from now on."""
        begun = self.client.begun
        await seen(lambda: len(self.client.beats) > begun, within_s=LIMIT_S, what="a heartbeat")
        return self.client.beats[-1]


@dataclass
class Provided:
    """Services and someone who orders there."""

    services: Services
    customer: Customer
    clock: ManualClock
    folder: Path

    @classmethod
    async def opened(cls, settings: Settings, clock: ManualClock, text: str, **changes: Any) -> "Provided":
        """Open services whose file of providers says this; `changes` of the settings."""
        path = settings.data.with_name("providers.toml")
        path.write_text(text)
        own = settings.model_copy(update={"providers": path, "engines": None, **changes})
        services = await Services.open(own, clock)
        return cls(services, await Customer.of(services), clock, settings.data.parent)

    async def close(self) -> None:
        """Close the services; the books must be right."""
        assert await troubles(self.services.database) == []
        await self.services.close()

    async def says(self, *products: str, engines: str, name: str = "hand") -> HandWorker:
        """Let a worker say what it makes: products by engines such as `hub:full spare:full`; nothing else."""
        pairs = [one.split(":") for one in engines.split()]
        makes = [Offer(product, engine, level) for product in products for engine, level in pairs]
        self.clock.pass_s(0.001)  # what is said at the same moment is not news
        worker = HandWorker(self.services, name, tuple(engine for engine, _ in pairs), makes=makes)
        await worker.beat()
        await self.services.tasks.claims.follow()
        return worker

    async def places(self) -> list[tuple[str, str]]:
        """List engine and further engines of all live tasks, the oldest first."""
        found = await rows(self.services.database, "select engine, routes from queue order by task_id")
        return [(row["engine"], row["routes"]) for row in found]

    async def ended(self, task: Task) -> Task:
        """Wait for the end of a task."""
        end = asyncio.get_running_loop().time() + LIMIT_S
        while not (now := await self.customer.see(task.id)).status.final:
            assert asyncio.get_running_loop().time() < end, f"the task did not end: {now}"
            await asyncio.sleep(0.01)
        return now

    @asynccontextmanager
    async def working(self, *names: str, prepared: Callable[[Worker], None] = lambda _: None) -> AsyncIterator[Working]:
        """Run a real worker for these providers until the end of the block; it has said what it makes."""
        client = InnerClient(self.services)
        known = self.services.settings.routing().among(names)
        worker = Worker(client, options_of(known, "http://unitask.test", self.folder / "models"))
        prepared(worker)
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        await seen(lambda: client.beats or running.done(), within_s=LIMIT_S, what="a first heartbeat")
        await self.services.tasks.claims.follow()
        try:
            yield Working(worker, client)
        finally:
            stop.set()
            await running
            await client.close()


def options_of(known: Routing, api_url: str = NOWHERE, models: Path = Path("models")) -> Options:
    """Write the options of a worker that has providers and no engine of its own."""
    return Options(
        api_url=api_url,
        slots=1,
        engines=(),
        devices={},
        batch=1,
        memory_bytes=0,
        allow_private=False,
        models=models,
        routing=known,
    )


Open = Callable[..., Awaitable[Provided]]


@asynccontextmanager
async def opening(settings: Settings, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """Open services with these providers and routes, with keys for `hub` and `spare`, and close them at the end."""
    for name in ("hub", "spare"):
        key_for(monkeypatch, name)
    async with AsyncExitStack() as opened:

        async def make(*tables: str, **changes: object) -> Provided:
            found = await Provided.opened(settings, clock, "\n".join(tables), **changes)
            opened.push_async_callback(found.close)
            return found

        yield make
