"""All that is looked at beside products and providers: at once, and each for a while."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from unitask.app import open_store
from unitask.artifacts.model import new_name
from unitask.artifacts.store import trouble
from unitask.cli.checks import environment, machine, rows, server
from unitask.cli.checks.known import Found, found
from unitask.cli.engines import check_engines
from unitask.kit.clock import Clock
from unitask.kit.errors import UnitaskError
from unitask.settings import Settings, WrongSetting

_LOOK_S: Final = 15.0
Look = Callable[[], Awaitable[Iterable[Found]]]


async def all_found(settings: Settings) -> list[Found]:
    """Look at everything. Nothing is changed, but for a small file that is stored and deleted again."""
    looks: dict[str, Look] = {
        "the database": lambda: rows.database(settings),
        "the store of files": lambda: store(settings),
        "the addresses": lambda: server.addresses(settings),
        "the graphics cards": lambda: asyncio.to_thread(lambda: list(machine.cards())),
    }
    later = await asyncio.gather(*(_within(what, look) for what, look in looks.items()))
    return [
        *environment.unknown(os.environ),
        *environment.tracing(settings, os.environ),
        *_engines(settings),
        *server.keys(settings),
        *server.exposure(settings),
        *machine.folders(settings),
        *machine.readers(settings),
        *machine.limits(),
        *(one for some in later for one in some),
    ]


async def _within(what: str, look: Look) -> list[Found]:
    try:
        async with asyncio.timeout(_LOOK_S):
            return list(await look())
    except TimeoutError:
        return [found("too-slow", what=what, seconds=f"{_LOOK_S:g}")]


def _engines(settings: Settings) -> list[Found]:
    try:
        check_engines(settings)
    except WrongSetting as error:
        return [found("engine-unknown", why=error)]
    return []


async def store(settings: Settings) -> list[Found]:
    """Write, read and delete a file where files lie; a folder that is not there yet will be made."""
    if settings.api_url or (not settings.store and not settings.data.is_dir()):
        return []
    try:
        wrong = await trouble(open_store(settings), new_name("txt", Clock().now_us()))
    except UnitaskError as error:
        wrong = str(error)
    return [found("store-fails", why=wrong)] if wrong else []
