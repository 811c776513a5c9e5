"""What a process looks at now and then while it runs, so that a scrape finds it and never waits for it."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from unitask.app import Services
from unitask.db.migrate import outgrown
from unitask.kit.beside import beside
from unitask.kit.disks import free_bytes
from unitask.kit.errors import UnitaskError
from unitask.kit.meters import FAST_S, Gauge, Histogram

LAG: Final = Histogram(
    "unitask_event_loop_lag_seconds",
    "By how much this process was late for its own appointments; all its requests waited as long.",
    FAST_S,
)
DATABASE_UP: Final = Gauge("unitask_database_up", "1: the database answered this process; 0: it did not.")
DATABASE: Final = Histogram(
    "unitask_database_seconds", "How long the database took to answer this process the shortest question.", FAST_S
)
STORE_UP: Final = Gauge("unitask_store_up", "1: this process reached the place where files lie; 0: it did not.")
STORE_FREE: Final = Gauge(
    "unitask_store_free_bytes", "Room where files lie; only of a folder, an object store does not tell."
)
_PULSE_S: Final = 0.5
log = logging.getLogger(__name__)
_DATABASE_EVERY_S: Final = 5.0
_STORE_EVERY_S: Final = 30.0
_LIMIT_S: Final = 5.0


@contextlib.asynccontextmanager
async def watching(services: Services) -> AsyncIterator[None]:
    """Look at the loop, the database and the store until left."""
    looks = {
        "pulse": _pulse(),
        "watch-database": _every(_DATABASE_EVERY_S, lambda: _database(services)),
        "watch-store": _every(_STORE_EVERY_S, lambda: _store(services)),
    }
    async with beside(looks):
        yield


async def _pulse() -> None:
    while True:
        due = time.monotonic() + _PULSE_S
        await asyncio.sleep(_PULSE_S)
        LAG.observe(max(0.0, time.monotonic() - due))


async def _every(seconds: float, look: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await look()
        except Exception:  # one look that nobody foresaw must not be the last
            log.exception("a look at the process's own health failed")
        await asyncio.sleep(seconds)


async def _database(services: Services) -> None:
    began = time.monotonic()
    DATABASE_UP.set(float(await _answers(outgrown(services.database))))
    DATABASE.observe(time.monotonic() - began)


async def _store(services: Services) -> None:
    settings = services.settings
    if settings.store:
        STORE_UP.set(float(await _answers(services.artifacts.buckets.own.listing("", 1))))
        return
    folder = (settings.data / "files").resolve()
    # What is not there yet is made with the first file.
    place = next(one for one in (folder, *folder.parents) if one.exists())
    STORE_UP.set(float(os.access(place, os.W_OK)))
    free = free_bytes(folder)
    if free is not None:
        STORE_FREE.set(free)


async def _answers(question: Awaitable[object]) -> bool:
    """Tell whether a question is answered in time; whatever it is that keeps it from that."""
    try:
        async with asyncio.timeout(_LIMIT_S):
            await question
    except (UnitaskError, OSError):
        return False
    return True
