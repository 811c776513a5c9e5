"""Starting the emulator: settings, a world of its own, and a server in a thread for tests."""

import asyncio
import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr

from unitask.api.serving import Server, listen
from unitask.app import Services
from unitask.catalogue import Catalogue
from unitask.db.migrate import upgrade
from unitask.emulator.application import EmulatedApplication
from unitask.emulator.clock import VirtualClock
from unitask.emulator.orders import ScriptedOrders, as_cards
from unitask.settings import Settings

API_KEY: Final = "emulator-key"
_START_S: Final = 30.0
_STOP_S: Final = 1
_LEASE_S: Final = 10.0**9


def emulated(settings: Settings) -> Settings:
    """Change settings as the emulator needs them: a known key, and addresses of this machine may be reached."""
    return settings.model_copy(
        update={
            "api_key": settings.api_key or SecretStr(API_KEY),
            "allow_private_networks": True,
            "engines": ("preview",),
            "providers": None,
            "lease_s": _LEASE_S,
        }
    )


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[EmulatedApplication]:
    """Open the emulator's services; the database must have its schema."""
    clock = VirtualClock()
    catalogue = as_cards(Catalogue.load().priced(settings.price_list()))
    services = await Services.open(settings, clock, catalogue=catalogue, orders=ScriptedOrders)
    try:
        await services.first_key()
        assert isinstance(services.orders, ScriptedOrders)  # noqa: S101 - asked for above
        yield EmulatedApplication(services, clock, services.orders)
    finally:
        services.tasks.claims.stop_waiting()
        await services.close()


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator, as a test sees it."""

    url: str
    api_key: str

    def advance(self, seconds: float) -> None:
        """Move the clock on; what falls due on the way has happened when this returns, webhooks included."""
        self._call("POST", "/emulator/clock", json={"advance_s": seconds})

    def requests(self) -> list[dict[str, Any]]:
        """List the last requests, oldest first, each with its `differences` from the documented schema."""
        found: list[dict[str, Any]] = self._call("GET", "/emulator/requests")["requests"]
        return found

    def forget_requests(self) -> None:
        """Begin a new list of requests."""
        self._call("DELETE", "/emulator/requests")

    def _call(self, method: str, path: str, **more: Any) -> Any:
        answer = httpx.request(method, self.url + path, timeout=60, trust_env=False, **more)
        answer.raise_for_status()
        return answer.json()["data"]


@contextlib.contextmanager
def emulator(**changes: Any) -> Iterator[Emulator]:
    """Run an emulator in a thread of this process, on a free port and in a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="unitask-emulator-"))
    listener = listen("127.0.0.1", 0)
    settings = emulated(Settings.load(data=folder, **changes))
    settings = settings.model_copy(
        update={
            "host": "127.0.0.1",
            "port": listener.getsockname()[1],
            "public_url": "",
            "database_url": "",
            "database_direct_url": "",
        }
    )
    upgrade(settings.database_direct)
    thread = _Thread(settings, listener)
    thread.start()
    try:
        thread.wait()
        key = settings.api_key.get_secret_value() if settings.api_key else API_KEY
        yield Emulator(settings.base_url, key)
    finally:
        thread.stop()
        listener.close()
        shutil.rmtree(folder, ignore_errors=True)


class _Server(Server):
    """A server that says when it answers."""

    def __init__(self, application: EmulatedApplication, ready: threading.Event) -> None:
        super().__init__(application, stop_s=_STOP_S)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self._ready.set()


class _Thread(threading.Thread):
    """The server with an event loop of its own."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        super().__init__(name="unitask-emulator", daemon=True)
        self._settings = settings
        self._listener = listener
        self._ready = threading.Event()
        self._server: Server | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Serve until stopped."""
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told to the thread that waits
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        async with opened(self._settings) as application:
            self._server = _Server(application, self._ready)
            await self._server.serve([self._listener])

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: it could not start.

        """
        if not self._ready.wait(_START_S) or self._error:
            raise RuntimeError("the emulator did not start") from self._error

    def stop(self) -> None:
        """End it."""
        if self._server is not None:
            self._server.should_exit = True
        self.join(timeout=_START_S)
