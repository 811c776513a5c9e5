"""Uvicorn as this project runs it: how it listens, what it is told, and how it looks after its connections."""

import socket
from functools import partial
from typing import Final

import uvicorn

from unitask.api.application import Application
from unitask.api.connection import Connection, Limits
from unitask.kit.errors import Unavailable
from unitask.kit.process import open_files
from unitask.settings import Settings

_BACKLOG: Final = 2048
_KEEP_ALIVE_S: Final = 75
_TICKS_PER_S: Final = 10
_OWN_FILES: Final = 256
"""Descriptors that are not for clients: the database, stored files, webhooks, the worker."""


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address; port 0 takes a free one.

    Raises:
        Unavailable: the address is taken, or is none of this machine's.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # From here on connections wait for us: an address that is told to anyone must not refuse any.
        listener.listen(_BACKLOG)
    except OSError as error:
        raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port") from error
    return listener


class Server(uvicorn.Server):
    """Serves an application with its settings; slow clients are hung up on.

    Outside the main thread uvicorn leaves the process's signals alone: set `should_exit` to end it there.
    """

    def __init__(self, application: Application, *, stop_s: int) -> None:
        """Prepare to serve; when it is to end, requests under way are given `stop_s` seconds."""
        super().__init__(_config(application, stop_s))

    async def on_tick(self, counter: int) -> bool:
        """Once a second, let every connection see how long its client has kept us waiting."""
        if counter % _TICKS_PER_S == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.tick(1.0)
        return await super().on_tick(counter)


def _config(application: Application, stop_s: int) -> uvicorn.Config:
    settings = application.services.settings
    return uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        http=partial(Connection, _limits(settings)),  # type: ignore[arg-type]
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=stop_s,
        backlog=_BACKLOG,
    )


def _limits(settings: Settings) -> Limits:
    files = open_files()
    return Limits(settings.slow_client_s, max(files - _OWN_FILES, files // 2))
