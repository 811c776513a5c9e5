"""`unitask worker`."""

import asyncio
import contextlib
import signal
import sys

import click

from unitask.cli.checks import environment
from unitask.cli.door import api_and_token
from unitask.cli.engines import check_engines, usable_providers
from unitask.cli.loop import run
from unitask.kit import log, tracing
from unitask.kit.devices import memory
from unitask.kit.errors import Unavailable
from unitask.kit.process import die_with_parent
from unitask.settings import Settings
from unitask.worker.client import ApiClient
from unitask.worker.installed import devices_of, usable_engines
from unitask.worker.service import Options, Worker


@click.command()
@click.option("--api", "api_url", help="Address of the API.")
@click.option("--slots", type=int, help="Tasks at the same time.")
@click.option("--embedded", is_flag=True, hidden=True, help="End with the process that started this one.")
def worker(api_url: str | None, slots: int | None, *, embedded: bool) -> None:
    """Run a worker: claims tasks from an API and makes them with the engines that are installed here."""
    settings = Settings.load(api_url=api_url, slots=slots)
    log.configure(settings.log_level, as_json=settings.log_json)
    if embedded:
        die_with_parent()
    else:
        environment.warn()
    api, token = api_and_token(settings)
    check_engines(settings)
    engines = usable_engines(settings.engines)
    routing = usable_providers(settings)
    if not engines and not routing.providers:
        raise Unavailable("no engine can run here; `unitask doctor` says what is missing")
    options = Options(
        api_url=api,
        slots=settings.slots,
        engines=engines,
        devices=devices_of(engines, settings.devices),
        batch=settings.batch,
        memory_bytes=settings.engine_memory_bytes,
        allow_private=settings.allow_private_networks,
        models=settings.models_folder,
        products=settings.products,
        drain_s=settings.drain_s,
        memory=memory(),
        routing=routing,
    )
    with tracing.running("unitask-worker", on=settings.tracing):
        run(_work(api, token, options, embedded=embedded))


async def _work(api_url: str, token: str, options: Options, *, embedded: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    if embedded:
        loop.add_reader(sys.stdin.fileno(), stop.set)
    client = ApiClient(api_url, token)
    try:
        await Worker(client, options).run(stop)
    finally:
        await client.close()
