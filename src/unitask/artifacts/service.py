"""Use cases of stored files."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from unitask.artifacts import repository
from unitask.artifacts.model import PREFIX, Artifact, ArtifactKind, StoredFile, is_stored_name
from unitask.artifacts.store import LocalStore
from unitask.db import Database
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import NotFound
from unitask.kit.ids import new_id
from unitask.kit.media import CONTENT_TYPES

INPUT_KEEP_US: Final = 24 * 3600 * SECOND_US
UNPUBLISHED_KEEP_US: Final = 24 * 3600 * SECOND_US
_SWEEP: Final = 200
# A text that is a reference from its first quote to its last; one that only mentions some is a client's own.
_REFERENCE: Final = re.compile(rf'(?<!\\)"{PREFIX}(?=[0-9A-Za-z./]+")')
log = logging.getLogger(__name__)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


class Artifacts:
    """Stores files, shows where they can be had, and deletes them when their time is over."""

    def __init__(self, database: Database, clock: Clock, store: LocalStore, public_url: str) -> None:
        self._database = database
        self._clock = clock
        self._store = store
        self.files_url = f"{public_url.rstrip('/')}/files/"

    async def store(self, chunks: AsyncIterator[bytes], *, extension: str, limit_bytes: int) -> StoredFile:
        """Put a stream into the store; nothing refers to it yet."""
        return await self._store.save(
            chunks,
            extension=extension,
            content_type=CONTENT_TYPES.get(extension, "application/octet-stream"),
            limit_bytes=limit_bytes,
            now=self._clock.now_us(),
        )

    async def store_bytes(self, content: bytes, *, extension: str) -> StoredFile:
        """Put bytes into the store; nothing refers to them yet."""
        return await self.store(_once(content), extension=extension, limit_bytes=len(content))

    def discard(self, file: StoredFile) -> None:
        """Take back a file that came to no use."""
        self._store.remove(file.path)

    def as_input(self, file: StoredFile, account_id: int) -> Artifact:
        """Make a stored file an input: kept as long as an upload."""
        now = self._clock.now_us()
        return Artifact(new_id(now), account_id, None, None, ArtifactKind.INPUT, file, now, now + INPUT_KEEP_US)

    async def keep_upload(self, content: bytes, *, extension: str, account_id: int) -> Artifact:
        """Keep an uploaded file for a day."""
        artifact = self.as_input(await self.store_bytes(content, extension=extension), account_id)
        await self._database.write(lambda tx: repository.add(tx, [artifact]))
        return artifact

    async def add_output(self, file: StoredFile, *, account_id: int, task_id: str, attempt: int) -> None:
        """Write down a file that an attempt made; it is published when the attempt settles."""
        now = self._clock.now_us()
        artifact = Artifact(
            new_id(now),
            account_id,
            task_id,
            attempt,
            ArtifactKind.OUTPUT,
            file,
            now,
            now + UNPUBLISHED_KEEP_US,
        )
        await self._database.write(lambda tx: repository.add(tx, [artifact]))

    async def open(self, path: str) -> tuple[Artifact, Path]:
        """Find a file by the path in its URL.

        Raises:
            NotFound: there is none, or it has expired.

        """
        artifact = None
        if is_stored_name(path):
            artifact = await repository.find(self._database, path, self._clock.now_us())
        if artifact is None:
            raise NotFound("no such file; it may have expired")
        return artifact, self._store.locate(path)

    def with_urls(self, document: str) -> str:
        """Turn the references in a JSON text into addresses that answer a plain GET."""
        return _REFERENCE.sub(f'"{self.files_url}', document) if PREFIX in document else document

    def own_path(self, source: str) -> str | None:
        """Tell the path of a file of this store from its URL or reference; None for anything else."""
        for prefix in (self.files_url, PREFIX):
            name = source.removeprefix(prefix)
            if name != source and is_stored_name(name):
                return name
        return None

    async def sweep(self) -> int:
        """Delete some files past their end; returns how many."""
        past = await repository.expired(self._database, now=self._clock.now_us(), most=_SWEEP)
        for _, path in past:
            await asyncio.to_thread(self._store.remove, path)
        await self._database.write(lambda tx: repository.remove(tx, [artifact_id for artifact_id, _ in past]))
        return len(past)
