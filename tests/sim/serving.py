"""An ASGI application on loopback, served by uvicorn's protocols in a thread; it is up and gone within milliseconds."""

import asyncio
import importlib.util
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

END_LIMIT_S: Final = 1.0


class Connection(HttpToolsProtocol):
    """One client's connection, which is in the scope of its requests for whoever wants to cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep it; answers are not held back for more to come."""
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Thread(threading.Thread):
    """The thread in which one application answers; its loop is there once it is `ready`."""

    def __init__(self, application: ASGIApp, listener: socket.socket) -> None:
        super().__init__(daemon=True)
        self._application = application
        self._listener = listener
        self.ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop

    def run(self) -> None:
        """Serve until the end."""
        asyncio.run(self._serve())

    def end(self) -> None:
        """Cut all connections, and wait for the thread."""
        self.loop.call_soon_threadsafe(self._over.set)
        self.join()

    async def _serve(self) -> None:
        self.loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        sockets = "websockets-sansio" if importlib.util.find_spec("websockets") else "none"
        config = uvicorn.Config(
            self._application, http=Connection, ws=sockets, lifespan="off", log_config=None, proxy_headers=False
        )
        config.load()
        state = ServerState()
        server = await self.loop.create_server(
            lambda: Connection(config=config, server_state=state, app_state={}), sock=self._listener
        )
        self.ready.set()
        await self._over.wait()
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        if state.tasks:
            _, hanging = await asyncio.wait(state.tasks, timeout=END_LIMIT_S)
            for task in hanging:
                task.cancel()


@contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """Take a free port."""
    with socket.create_server((host, 0), backlog=512) as listener:
        yield listener


@contextmanager
def answering(application: ASGIApp, listener: socket.socket) -> Iterator[Thread]:
    """Answer on a port."""
    thread = Thread(application, listener)
    thread.start()
    thread.ready.wait()
    try:
        yield thread
    finally:
        thread.end()
