"""`unitask up`, `unitask serve`, `unitask migrate`."""

import asyncio
import contextlib
import gc
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click
from pydantic import SecretStr

from unitask import dashboard
from unitask.api import Application
from unitask.api.serving import Server, listen
from unitask.app import Services
from unitask.cli.catalogue import barring, keyless, levels
from unitask.cli.checks import environment
from unitask.cli.engines import check_engines
from unitask.cli.loop import run
from unitask.db.migrate import upgrade
from unitask.kit import log, tracing
from unitask.settings import Settings
from unitask.tasks.orders import Bars

_STOP_S: Final = 5
_RESTART_S: Final = 1.0
_LONGEST_RESTART_S: Final = 30.0


class _Server(Server):
    """A server that asks us first when it is told to end, so that the worker can still report."""

    def __init__(self, application: Application) -> None:
        super().__init__(application, stop_s=_STOP_S)
        self.asked_to_end = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Remember the signal; a second one ends at once."""
        if self.asked_to_end.is_set():
            super().handle_exit(sig, frame)
        self._loop.call_soon_threadsafe(self.asked_to_end.set)


async def _serve(settings: Settings, *, with_worker: bool) -> None:
    listener = listen(settings.host, settings.port)
    changes: dict[str, Any] = {"port": listener.getsockname()[1]}
    if with_worker and settings.worker_token is None:
        changes["worker_token"] = SecretStr(secrets.token_hex(32))
    settings = settings.model_copy(update=changes)
    services = await Services.open(settings)
    try:
        _greet(services, await services.first_key(), barring(keyless(settings) if with_worker else {}))
        application = Application(services, dashboard.routes(settings))
        await _answer(application, listener, _embedded_worker(settings) if with_worker else _nobody())
    finally:
        await services.close()


async def _emulate(settings: Settings) -> None:
    from unitask.emulator.run import API_KEY, opened  # noqa: PLC0415 - what only the emulator needs

    listener = listen(settings.host, settings.port)
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    async with opened(settings) as application:
        click.echo(f"The Unitask emulator listens on {settings.base_url}  (reference: {settings.base_url}/docs)")
        click.echo(f"API key: {settings.api_key.get_secret_value() if settings.api_key else API_KEY}")
        click.echo("Every product answers with a card. Not for production: see /emulator for what can be scripted.")
        await _answer(application, listener, _nobody())


def _nobody() -> contextlib.AbstractAsyncContextManager[None]:
    return contextlib.nullcontext()


async def _answer(
    application: Application, listener: socket.socket, beside: contextlib.AbstractAsyncContextManager[None]
) -> None:
    """Serve until asked to end."""
    server = _Server(application)
    # What exists by now lives as long as the server: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    serving = asyncio.create_task(server.serve([listener]), name="server")
    async with beside:
        asked = asyncio.create_task(server.asked_to_end.wait(), name="asked-to-end")
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        application.is_ending = True
    application.services.tasks.claims.stop_waiting()
    server.should_exit = True
    await serving


def _greet(services: Services, first_key: str | None, bars: Bars) -> None:
    settings = services.settings
    base = settings.base_url
    click.echo(f"Unitask listens on {base}  (dashboard: {base}/dashboard, reference: {base}/docs)")
    if first_key and settings.api_key is None:  # who has set one knows it, and this ends up in logs
        click.echo(f"API key, shown this once: {first_key}")
    click.echo(f"Products and who makes them here:\n{levels(services.catalogue, services.orders, bars)}")


@contextlib.asynccontextmanager
async def _embedded_worker(settings: Settings) -> AsyncIterator[None]:
    """Keep a worker process running. Its standard input is a pipe of ours: when we end, however, it hears of it."""
    keeper = asyncio.create_task(_keep_worker(settings), name="embedded-worker")
    try:
        yield
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper


async def _keep_worker(settings: Settings) -> None:
    token = settings.worker_token.get_secret_value() if settings.worker_token else ""
    environment = {
        **os.environ,
        "UNITASK_API_URL": settings.local_url,
        "UNITASK_WORKER_TOKEN": token,
        "UNITASK_DATA": str(settings.data),
        "UNITASK_DRAIN_S": "0",  # whoever ends `up` does not wait for tasks: they run again at the next start
    }
    loop = asyncio.get_running_loop()
    pause_s = 0.0
    while True:
        began = loop.time()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "unitask",
            "worker",
            "--embedded",
            stdin=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for us, who tell the worker when the time has come
        )
        try:
            await process.wait()
        except asyncio.CancelledError:
            await _stop(process)
            raise
        lived_s = loop.time() - began
        pause_s = _RESTART_S if lived_s > _LONGEST_RESTART_S else min(max(2 * pause_s, _RESTART_S), _LONGEST_RESTART_S)
        status = process.returncode
        click.echo(f"the worker ended with status {status}; starting another in {pause_s:g} s", err=True)
        await asyncio.sleep(pause_s)


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def _run(settings: Settings, serving: Coroutine[Any, Any, None]) -> None:
    log.configure(settings.log_level, as_json=settings.log_json)
    environment.warn()
    with contextlib.suppress(KeyboardInterrupt), tracing.running("unitask-api", on=settings.tracing):
        run(serving)


_host = click.option("--host", help="Address to listen on.")
_port = click.option("--port", type=int, help="Port to listen on; 0 for a free one.")
_data = click.option("--data", type=click.Path(path_type=Path), help="Folder of the database and the files.")


@click.command()
@_host
@_port
@_data
@click.option(
    "--emulator",
    is_flag=True,
    help="Answer every product at once with a card, as tests script it, in a folder that is gone afterwards.",
)
def up(host: str | None, port: int | None, data: Path | None, *, emulator: bool) -> None:
    """Run everything in one command: API, worker, housekeeping, on SQLite and local files."""
    settings = Settings.load(host=host, port=port, data=data)
    if not emulator:
        check_engines(settings)
        upgrade(settings.database_direct)
        _run(settings, _serve(settings, with_worker=True))
        return
    from unitask.emulator.run import emulated  # noqa: PLC0415 - what only the emulator needs

    with tempfile.TemporaryDirectory(prefix="unitask-emulator-") as folder:
        settings = emulated(
            settings
            if data
            else settings.model_copy(update={"data": Path(folder), "database_url": "", "database_direct_url": ""})
        )
        upgrade(settings.database_direct)
        _run(settings, _emulate(settings))


@click.command()
@_host
@_port
@_data
def serve(host: str | None, port: int | None, data: Path | None) -> None:
    """Run the API alone; workers come from elsewhere with UNITASK_WORKER_TOKEN."""
    settings = Settings.load(host=host, port=port, data=data)
    check_engines(settings)
    if settings.worker_token is None:
        click.echo("UNITASK_WORKER_TOKEN is not set: no worker can take part, so no task will run", err=True)
    _run(settings, _serve(settings, with_worker=False))


@click.command()
@_data
def migrate(data: Path | None) -> None:
    """Bring the database to the schema of this release."""
    settings = Settings.load(data=data)
    upgrade(settings.database_direct)
    click.echo("The database has the schema of this release.")
