"""Stored files on their way into a backup."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from unitask.artifacts import repository
from unitask.artifacts.store import Store
from unitask.backup.manifest import FileLine, TablePart
from unitask.backup.packing import Counted
from unitask.db import Database
from unitask.db.transfer import decode
from unitask.kit.clock import Clock
from unitask.kit.errors import NotFound

_PIECE_BYTES: Final = 4 * 2**20
_AT_ONCE: Final = 8


class Copies:
    """Copies files out of the installation's own store, and counts them."""

    def __init__(self, store: Store, folder: Path, database: Database, clock: Clock) -> None:
        self._store = store
        self._folder = folder
        self._database = database
        self._clock = clock
        self.number = 0
        self.size_bytes = 0
        self.expired = 0
        self.lost = 0
        self.troubles: list[str] = []

    async def copy(self, rows: Path, artifacts: TablePart, moment: int) -> AsyncIterator[FileLine]:
        """Copy the published files that these rows of `artifacts` name and that had not expired at this moment.

        Raises:
            Unavailable: the store cannot be read.

        """
        waiting = _wanted(rows, artifacts, moment)
        while some := list(islice(waiting, _AT_ONCE)):
            for wanted, line in zip(some, await asyncio.gather(*map(self._copy, some)), strict=True):
                self._count(wanted, line)
                yield line

    async def _copy(self, wanted: FileLine) -> FileLine:
        target = self._folder / wanted.path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("wb") as file:
                counted = Counted(file)
                async for piece in content(self._store, wanted.path):
                    counted.write(piece)
        except NotFound:
            target.unlink()
            is_kept = await repository.find(self._database, wanted.path, self._clock.now_us()) is not None
            return FileLine(path=wanted.path, absent="lost" if is_kept else "expired")
        return wanted.model_copy(update={"size_bytes": counted.size_bytes, "sha256": counted.sha256})

    def _count(self, wanted: FileLine, line: FileLine) -> None:
        if line.absent == "expired":
            self.expired += 1
        elif line.absent:
            self.lost += 1
            self.troubles.append(f"{line.path} is lost: the database names it, the store does not have it")
        else:
            self.number += 1
            self.size_bytes += line.size_bytes
            if wanted.sha256 not in {"", line.sha256} or wanted.size_bytes != line.size_bytes:
                self.troubles.append(f"{line.path} is not what was stored once; the backup has it as it is now")


def _wanted(rows: Path, artifacts: TablePart, moment: int) -> Iterator[FileLine]:
    with gzip.open(rows) as lines:
        for line in lines:
            row = dict(zip(artifacts.columns, decode(line), strict=True))
            is_alive = row["pinned"] == "t" or int(row["expires_at"] or 0) > moment
            if row["bucket_id"] is None and row["published_at"] and row["remove_at"] is None and is_alive:
                yield FileLine(
                    path=row["path"] or "",
                    content_type=row["content_type"] or "",
                    size_bytes=int(row["size_bytes"] or 0),
                    sha256=row["sha256"] or "",
                )


async def content(store: Store, path: str) -> AsyncIterator[bytes]:
    """Read a stored file piece by piece, as long as it is.

    Raises:
        NotFound: there is none.

    """
    size_bytes = (await store.facts(path)).size_bytes
    for start in range(0, size_bytes, _PIECE_BYTES):
        yield await store.read(path, start, min(_PIECE_BYTES, size_bytes - start))
