"""Restoring a backup into an empty installation, and looking at everything that came of it."""

import asyncio
import gzip
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from unitask.administration import books
from unitask.app import open_store
from unitask.artifacts import repository
from unitask.artifacts.store import Store
from unitask.backup import manifest as form
from unitask.backup.manifest import BackupRefused, FileLine, Manifest
from unitask.backup.references import References, references
from unitask.backup.save import Say
from unitask.backup.stored import content
from unitask.backup.whole import check_whole, listed
from unitask.db import Database, open_database
from unitask.db.migrate import HEAD, upgrade, versions
from unitask.db.transfer import TransferFailed, decode, reading, writing
from unitask.kit.clock import Clock
from unitask.kit.errors import NotFound, Unavailable, UnitaskError
from unitask.settings import Settings

_AT_ONCE: Final = 8
_FORGOTTEN_AT_ONCE: Final = 500
_PIECE_BYTES: Final = 2**20
_SAY_EVERY: Final = 1000


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored and looked at. `troubles` says what is not as it should be; then nobody should rely on it."""

    manifest: Manifest
    stored: int
    found: int
    references: References
    secret: Path | None
    troubles: list[str]


async def restore(settings: Settings, folder: Path, clock: Clock, say: Say) -> Restored:
    """Restore a backup into an empty database and the store of these settings, then read all of it back.

    Stored files come first; those that are there already, and equal, stay. Then come all rows in one transaction, so
    that a restore that was interrupted can be begun again.

    Raises:
        BackupRefused: the backup is damaged, or the secret of these settings is another.
        TransferFailed: the database is not empty, or does not take the rows; it holds nothing of the backup then.
        Unavailable: database or store cannot be used.

    """
    say("looking at the backup")
    manifest = await asyncio.to_thread(check_whole, folder)
    _check_secret(settings, manifest)
    await _prepare(settings, manifest)
    stored, found = await _fill_store(open_store(settings), folder, say)
    await _load(settings, manifest, folder, say)
    troubles = await _differences(settings, manifest, say)
    await asyncio.to_thread(upgrade, settings.database_direct)
    secret = _restore_secret(settings, manifest, folder)
    database = await open_database(settings.database, settings.database_direct_url)
    try:
        await _forget_absent(database, folder, clock)
        say("looking at the files of completed tasks")
        named = await references(database, open_store(settings), clock.now_us(), _outputs(folder, manifest))
        troubles += [f"{path} is named by a completed task and is not in the store" for path in named.missing]
        troubles += [f"the books: {sentence}" for sentence in await books.troubles(database)]
    finally:
        await database.close()
    return Restored(manifest, stored, found, named, secret, troubles)


def _check_secret(settings: Settings, manifest: Manifest) -> None:
    own = settings.secret.get_secret_value() if settings.secret else None
    path = settings.data / form.SECRET
    if own is None and path.exists():
        own = path.read_text()
    if own is None and not manifest.has_secret:
        raise BackupRefused("the backup does not have the secret: set UNITASK_SECRET to that of its installation")
    if own is not None and form.secret_print(own) != manifest.secret_print:
        where = "UNITASK_SECRET" if settings.secret else str(path)
        raise BackupRefused(f"{where} is not the secret of the backup: no key in it would open anything")


def _restore_secret(settings: Settings, manifest: Manifest, folder: Path) -> Path | None:
    target = settings.data / form.SECRET
    if settings.secret or not manifest.has_secret or target.exists():
        return None
    settings.data.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write((folder / form.SECRET).read_text())
    return target


async def _prepare(settings: Settings, manifest: Manifest) -> None:
    """Give the database the schema of the backup, and see that it is empty."""
    found, _ = await versions(settings.database_direct)
    if manifest.db_schema > HEAD:
        raise BackupRefused(
            f"the backup has schema {manifest.db_schema}, this release {HEAD}: take release {manifest.release} or later"
        )
    if found not in {None, manifest.db_schema}:
        raise BackupRefused(
            f"the backup has schema {manifest.db_schema}, the database {found}: name a database without any tables"
        )
    await asyncio.to_thread(upgrade, settings.database_direct, manifest.db_schema)
    async with writing(settings.database_direct) as empty:
        ours = {table.name: set(table.columns) for table in empty.tables}
    if ours != {table.name: set(table.columns) for table in manifest.tables}:
        raise BackupRefused(f"the tables of the backup are not those of schema {manifest.db_schema}")


async def _fill_store(store: Store, folder: Path, say: Say) -> tuple[int, int]:
    """Store all files and read them back; gives how many were stored, and how many were there already."""
    numbers = [0, 0]

    async def bring(file: FileLine) -> None:
        is_there = await _is_stored(store, file)
        if not is_there:
            await store.save(
                _content(folder / "files" / file.path),
                file.path,
                content_type=file.content_type,
                limit_bytes=file.size_bytes,
            )
            if not await _is_stored(store, file):
                raise Unavailable(f"{file.path} reads differently from what was stored")
        numbers[is_there] += 1

    files = (line for line in listed(folder) if not line.absent)
    try:
        while some := list(islice(files, _AT_ONCE)):
            await asyncio.gather(*map(bring, some))
            if not sum(numbers) % _SAY_EVERY:
                say(f"files: {sum(numbers):,}")
    except UnitaskError as error:
        raise Unavailable(
            f"{error}; {sum(numbers)} files were stored and no row was: the same command begins again and leaves them"
        ) from error
    say(f"files: {sum(numbers):,}")
    return numbers[0], numbers[1]


async def _content(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece


async def _is_stored(store: Store, file: FileLine) -> bool:
    """Read a file in the store to its end."""
    digest = hashlib.sha256()
    try:
        async for piece in content(store, file.path):
            digest.update(piece)
    except NotFound:
        return False
    return digest.hexdigest() == file.sha256


async def _load(settings: Settings, manifest: Manifest, folder: Path, say: Say) -> None:
    try:
        async with writing(settings.database_direct) as database:
            for table in manifest.tables:
                with gzip.open(folder / table.part.name) as source:
                    rows = await database.load(table.table, source)  # type: ignore[arg-type]
                say(f"table {table.name}: {rows:,} rows")
    except TransferFailed as error:
        raise TransferFailed(f"{error}; no row was restored") from error


async def _differences(settings: Settings, manifest: Manifest, say: Say) -> list[str]:
    """Read every row back and compare."""
    say("reading all rows back")
    troubles = []
    async with reading(settings.database_direct) as moment:
        for table in manifest.tables:
            digest = hashlib.sha256()
            rows = await moment.copy(table.table, digest.update)
            if rows != table.rows:
                troubles.append(f"the table {table.name} has {rows} rows, the backup {table.rows}")
            elif digest.hexdigest() != table.rows_sha256:
                troubles.append(f"the rows of {table.name} are not those of the backup")
    return troubles


async def _forget_absent(database: Database, folder: Path, clock: Clock) -> None:
    """Give up the files that the backup has by name only."""
    absent = (line.path for line in listed(folder) if line.absent)
    now = clock.now_us()
    while some := list(islice(absent, _FORGOTTEN_AT_ONCE)):
        paths = tuple(some)
        await database.write(lambda tx, paths=paths: repository.give_up_paths(tx, paths, now))  # type: ignore[misc]


def _outputs(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Read the outputs of completed tasks."""
    tasks = next(table for table in manifest.tables if table.name == "tasks")
    status, output = tasks.columns.index("status"), tasks.columns.index("output")
    with gzip.open(folder / tasks.part.name) as lines:
        for row in map(decode, lines):
            if row[status] == "completed":
                yield row[output] or ""
