"""What is wrong with the database, and what its rows tell of servers, workers, receivers and books."""

import asyncio
from pathlib import Path
from typing import Final

from unitask.administration import books
from unitask.administration.signs import LATE_US, Signs, is_sealed_otherwise, signs
from unitask.cli.checks.known import Findings, Found, found
from unitask.cli.checks.machine import is_full
from unitask.cli.checks.server import clock_apart
from unitask.db import Database, open_database
from unitask.db.look import file_state
from unitask.db.migrate import check
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import UnitaskError
from unitask.settings import Settings

_LOCK_S: Final = 3.0
_MOST: Final = 20


async def database(settings: Settings) -> list[Found]:
    """Look at the database and, where it can be used, into it."""
    if settings.api_url:
        return []  # a worker needs none
    if (troubles := await asyncio.to_thread(_file, settings)) is not None:
        return troubles
    try:
        if wrong := await check(settings.database_direct):
            text = f"{wrong} (`unitask up` does it by itself)" if "migrate" in wrong else wrong
            return [found("database-schema", why=text)]
        return await _inside(settings)
    except Exception as error:  # noqa: BLE001 - whatever keeps the database away is what the operator wants to read
        ours = isinstance(error, UnitaskError)
        why = str(error) if ours else f"the database does not answer: {type(error).__name__}: {error}"
        return [found("database-away", why=why)]


def _file(settings: Settings) -> list[Found] | None:
    """Look at a SQLite file; None where nothing is wrong with it and it can be opened."""
    path = settings.database.removeprefix("sqlite:///")
    state = file_state(path, _LOCK_S) if path != settings.database else None
    if state is None:
        return None
    if state.locked:
        return [found("database-locked", path=path, seconds=f"{_LOCK_S:g}")]
    if state.read_only:
        return [found("database-read-only", path=path)]
    if state.failed:
        is_told = is_full(settings.data) and Path(path).stat().st_dev == settings.data.stat().st_dev
        return [] if is_told else [found("database-fails", path=path, why=state.failed)]
    return None if state.journal == "wal" else [found("database-no-wal", path=path, mode=state.journal)]


async def _inside(settings: Settings) -> list[Found]:
    opened = await open_database(settings.database, settings.database_direct_url)
    try:
        theirs = await opened.now_us()
        seen = await signs(opened, theirs or Clock().now_us())
        return [
            *(clock_apart(theirs / SECOND_US, "the database") if theirs else []),
            *await _secret(settings, opened, seen),
            *_work(seen),
            *[found("books-wrong", why=why) for why in (await books.troubles(opened))[:_MOST]],
        ]
    finally:
        await opened.close()


async def _secret(settings: Settings, opened: Database, seen: Signs) -> list[Found]:
    path = settings.data / "secret"
    if settings.secret is None and not path.exists():
        return [found("secret-lost", path=path)] if seen.has_keys else []
    return [found("secret-other")] if await is_sealed_otherwise(opened, settings.key_secret()) else []


def _work(seen: Signs) -> Findings:
    if seen.unmade and not seen.workers_alive:
        yield found("no-worker", number=sum(one.number for one in seen.unmade))
    else:
        for one in seen.unmade[:_MOST]:
            yield found("no-maker", number=one.number, product=one.product, engine=one.engine)
    if seen.overdue:
        yield found("no-housekeeping", number=seen.overdue)
    if seen.late_messages:
        yield found("messages-late", number=seen.late_messages, minutes=LATE_US // SECOND_US // 60)
    if seen.disabled_endpoints:
        yield found("endpoints-off", number=seen.disabled_endpoints)
    for row in seen.leftovers:
        yield found("leftovers", number=row["number"], provider=row["provider"])
