"""Making a backup while the server runs."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unitask import __version__
from unitask.app import open_store
from unitask.backup import manifest as form
from unitask.backup.manifest import Manifest, Part, TablePart
from unitask.backup.packing import Counted, packed
from unitask.backup.stored import Copies
from unitask.db import Database, open_database
from unitask.db.migrate import versions
from unitask.db.transfer import Reading, Table, reading
from unitask.kit.clock import Clock
from unitask.kit.errors import Conflict, Unavailable
from unitask.settings import Settings

Say = Callable[[str], None]
_SAY_EVERY: Final = 1000


@dataclass(frozen=True, slots=True)
class Saved:
    """A backup that was made; `troubles` are of the installation: what it had lost before."""

    manifest: Manifest
    troubles: list[str]


async def save(settings: Settings, folder: Path, clock: Clock, say: Say) -> Saved:
    """Write a backup of the database and of all published files in the installation's own store into a new folder.

    The server may run: everything is of the moment at which the database began to be read.

    Raises:
        Conflict: there is something in the folder.
        Unavailable: database, store or folder cannot be used, or there is no installation.

    """
    try:
        schema, _ = await versions(settings.database_direct)
        if schema is None:
            raise Unavailable(_nothing(settings))
        database = await open_database(settings.database, settings.database_direct_url)
        try:
            with _prepared(folder):
                return await _save(settings, folder, clock, say, database)
        finally:
            await database.close()
    except OSError as error:
        raise Unavailable(f"the backup cannot be written: {error}") from error


def _nothing(settings: Settings) -> str:
    if settings.database_url:
        return "the database of UNITASK_DATABASE_URL has no schema: there is nothing to save"
    path = settings.database.removeprefix("sqlite:///")
    return f"the database {path} is not there or is empty: set UNITASK_DATA to the data folder of the server"


@contextlib.contextmanager
def _prepared(folder: Path) -> Iterator[None]:
    """Have the folder; after a failure what is still empty of it goes again, so that the next try can have it."""
    was_there = folder.is_dir()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty: name a folder that is not there yet")
    tables = folder / "tables"
    tables.mkdir()
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            tables.rmdir()
            if not was_there:
                folder.rmdir()
        raise


async def _save(settings: Settings, folder: Path, clock: Clock, say: Say, database: Database) -> Saved:
    made_at = clock.now_us()
    async with reading(settings.database_direct, folder / "snapshot.db.partial") as moment:
        schema = moment.schema
        tables = [await _table(moment, table, folder, say) for table in moment.tables]
    artifacts = next(table for table in tables if table.name == "artifacts")
    files = Copies(open_store(settings), folder / "files", database, clock)
    parts: list[Part] = []
    with packed(folder / form.LISTING, parts, form.LISTING) as listing:
        async for line in files.copy(folder / artifacts.part.name, artifacts, made_at):
            listing.write(line.model_dump_json(exclude_defaults=True).encode() + b"\n")
            if not files.number % _SAY_EVERY:
                say(f"files: {files.number:,}, {files.size_bytes / 2**20:,.0f} MiB")
    secret = settings.key_secret()
    has_secret = settings.secret is None
    if has_secret:
        with os.fdopen(os.open(folder / form.SECRET, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secret)
    manifest = Manifest(
        format=form.FORMAT,
        release=__version__,
        db_schema=schema,
        database=form.kind_of(settings),
        made_at=made_at,
        secret_print=form.secret_print(secret),
        has_secret=has_secret,
        tables=tuple(tables),
        listing=parts[0],
        files=files.number,
        files_bytes=files.size_bytes,
        expired=files.expired,
        lost=files.lost,
    )
    await asyncio.to_thread(os.sync)
    form.write(folder, manifest)
    await asyncio.to_thread(os.sync)
    return Saved(manifest, files.troubles)


async def _table(moment: Reading, table: Table, folder: Path, say: Say) -> TablePart:
    name = f"tables/{table.name}.rows.gz"
    parts: list[Part] = []
    with packed(folder / name, parts, name) as file:
        counted = Counted(file)  # type: ignore[arg-type]
        rows = await moment.copy(table, counted.write)
    say(f"table {table.name}: {rows:,} rows")
    return TablePart(
        name=table.name,
        columns=table.columns,
        key=table.key,
        rows=rows,
        rows_sha256=counted.sha256,
        part=parts[0],
    )
