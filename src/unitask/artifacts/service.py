"""Use cases of stored files."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from unitask.artifacts import repository
from unitask.artifacts.buckets import Buckets
from unitask.artifacts.model import PREFIX, Artifact, ArtifactKind, StoredFile, is_stored_name, new_name
from unitask.artifacts.store import Store
from unitask.artifacts.sweep import Sweeper
from unitask.db import Database, Transaction
from unitask.kit.clock import DAY_US, SECOND_US, Clock
from unitask.kit.errors import Conflict, InvalidRequest, NotFound, Unavailable
from unitask.kit.ids import is_uuid, new_id
from unitask.kit.media import CONTENT_TYPES
from unitask.kit.paging import LAST_ID, check_page, cut_page

PAGE_LIMIT: Final = 100
GONE: Final = "no such file; it may have expired"
_UNPUBLISHED_KEEP_US: Final = DAY_US
_AFTER_PIN_US: Final = DAY_US
_SIGNED_S: Final = 300
PLACE_S: Final = 3600
_READ_BYTES: Final = 4 * 2**20
# A text that is a reference from its first quote to its last; one that only mentions some is a client's own.
_REFERENCE: Final = re.compile(rf'(?<!\\)"{PREFIX}(?=[0-9A-Za-z./]+")')


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long inputs are kept, how much an account may pin, and how large an upload straight to the store may be."""

    input_hours: int = 24
    pin_limit_bytes: int = 2**30
    upload_limit_bytes: int = 2**31

    @property
    def input_us(self) -> int:
        """How long inputs are kept."""
        return self.input_hours * 3600 * SECOND_US


@dataclass(frozen=True, slots=True)
class Asked:
    """A page of an account's files: those older than the file `before`, newest first; empty filters match all."""

    before: str = ""
    size: int = 20
    task_id: str = ""
    kind: str = ""


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


class Artifacts:
    """Stores files, shows where they can be had, and deletes them when their time is over."""

    def __init__(
        self, database: Database, clock: Clock, buckets: Buckets, public_url: str, keeping: Keeping | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self.buckets = buckets
        self.keeping = keeping or Keeping()
        self.files_url = f"{public_url.rstrip('/')}/files/"
        sweeper = Sweeper(database, clock, buckets)
        self.sweep = sweeper.sweep
        self.sweep_orphans = sweeper.sweep_orphans

    async def store(self, chunks: AsyncIterator[bytes], *, extension: str, limit_bytes: int) -> StoredFile:
        """Put a stream into the installation's store; nothing refers to it yet."""
        return await self._save(self.buckets.own, chunks, extension, limit_bytes)

    async def store_output(
        self, chunks: AsyncIterator[bytes], *, extension: str, limit_bytes: int, account_id: int | None
    ) -> StoredFile:
        """Put a stream where this account's outputs go; nothing refers to it yet.

        Raises:
            Unavailable: the store, or the account's own bucket, does not take it.

        """
        if account_id is None:
            return await self.store(chunks, extension=extension, limit_bytes=limit_bytes)
        bucket_id, store = await self.buckets.of_account(account_id)
        try:
            file = await self._save(store, chunks, extension, limit_bytes)
        except Unavailable as error:
            if bucket_id is None:
                raise
            raise Unavailable(f"the own bucket of the account does not take the result: {error}") from error
        return replace(file, bucket_id=bucket_id)

    async def place_output(self, extension: str, account_id: int | None) -> tuple[StoredFile, str] | None:
        """Name a file that is to come, and sign an address that takes it by PUT; None where it has to come through us.

        That is where files lie in a folder, and where they go to a stranger's bucket, which is reached under guard.
        """
        if account_id is not None and (await self.buckets.of_account(account_id))[0] is not None:
            return None
        name = new_name(extension, self._clock.now_us())
        address = await self.buckets.own.upload_address(name, seconds=PLACE_S)
        return None if address is None else (StoredFile(name, CONTENT_TYPES[extension], 0, ""), address)

    async def placed(self, reference: str, *, size_bytes: int, sha256: str) -> StoredFile:
        """Look at a file that was put in the place that it was given.

        Raises:
            InvalidRequest: the reference is none of ours, or something else lies there.
            NotFound: nothing does.

        """
        name = self.own_path(reference)
        content_type = CONTENT_TYPES.get(name.rpartition(".")[2]) if name else None
        if name is None or content_type is None:
            raise InvalidRequest("invalid request: reference is not a place for a file")
        facts = await self.buckets.own.facts(name)
        if facts.size_bytes != size_bytes or facts.content_type not in {"", content_type}:
            raise InvalidRequest(
                f"invalid request: {size_bytes} bytes of {content_type} were announced, {facts.size_bytes} bytes of "
                f"{facts.content_type} lie there"
            )
        return StoredFile(name, content_type, size_bytes, sha256)

    async def is_of(self, file: StoredFile, task_id: str, attempt: int) -> bool:
        """Whether a file is written down already, as one of this attempt.

        Raises:
            Conflict: as something else.

        """
        known = await repository.find(self._database, file.path, self._clock.now_us())
        if known and (known.task_id, known.attempt, known.kind) != (task_id, attempt, ArtifactKind.OUTPUT):
            raise Conflict("this place is taken")
        return known is not None

    async def _save(self, store: Store, chunks: AsyncIterator[bytes], extension: str, limit_bytes: int) -> StoredFile:
        name = new_name(extension, self._clock.now_us())
        content_type = CONTENT_TYPES.get(extension, "application/octet-stream")
        size, digest = await store.save(chunks, name, content_type=content_type, limit_bytes=limit_bytes)
        return StoredFile(name, content_type, size, digest)

    async def store_bytes(self, content: bytes, *, extension: str) -> StoredFile:
        """Put bytes into the installation's store; nothing refers to them yet."""
        return await self.store(_once(content), extension=extension, limit_bytes=len(content))

    async def discard(self, file: StoredFile) -> None:
        """Take back a file that came to no use; what cannot be removed now, the sweep finds later."""
        await (await self.buckets.store(file.bucket_id)).remove([file.path])

    def as_input(self, file: StoredFile, account_id: int) -> Artifact:
        """Make a stored file an input: kept as long as an upload."""
        now = self._clock.now_us()
        until = now + self.keeping.input_us
        return Artifact(new_id(now), account_id, None, None, ArtifactKind.INPUT, file, now, until, published_at=now)

    async def keep_upload(self, content: bytes, *, extension: str, account_id: int) -> Artifact:
        """Keep an uploaded file for a while."""
        artifact = self.as_input(await self.store_bytes(content, extension=extension), account_id)
        await self._database.write(lambda tx: repository.add(tx, [artifact]))
        return artifact

    async def add_made(
        self, tx: Transaction, file: StoredFile, kind: ArtifactKind, *, account_id: int, task_id: str, attempt: int
    ) -> None:
        """Write down a file that an attempt made: an output, published when the attempt settles, or a preview.

        The preview before it stays until the next: a client that was told of it may be about to read it.
        """
        now = self._clock.now_us()
        if kind is ArtifactKind.PREVIEW:
            await repository.give_up_previews(tx, [task_id], now, newest=1)
        artifact = Artifact(new_id(now), account_id, task_id, attempt, kind, file, now, now + _UNPUBLISHED_KEEP_US)
        await repository.add(tx, [artifact])

    async def find(self, path: str) -> Artifact:
        """Find a file by the path in its URL.

        Raises:
            NotFound: there is none, or it has expired.

        """
        artifact = None
        if is_stored_name(path):
            artifact = await repository.find(self._database, path, self._clock.now_us())
        if artifact is None:
            raise NotFound(GONE)
        return artifact

    async def locate(self, artifact: Artifact, method: str) -> Path | str:
        """Tell where a file lies: on this disk, or at an address signed for a few minutes.

        Raises:
            NotFound: it is lost from the disk.

        """
        store = await self.buckets.store(artifact.file.bucket_id)
        seconds = self.seconds_left(artifact, _SIGNED_S)
        return await store.locate(artifact.file.path, method=method, seconds=seconds)

    def seconds_left(self, artifact: Artifact, most: int) -> int:
        """Tell for how long a file can be had, counted up to `most`."""
        left = most if artifact.pinned else (artifact.expires_at - self._clock.now_us()) // SECOND_US
        return max(1, min(most, left))

    async def content(self, artifact: Artifact) -> AsyncIterator[bytes]:
        """Read a file piece by piece, wherever it lies."""
        store = await self.buckets.store(artifact.file.bucket_id)
        for start in range(0, artifact.file.size_bytes, _READ_BYTES):
            yield await store.read(artifact.file.path, start, min(_READ_BYTES, artifact.file.size_bytes - start))

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

    async def get(self, artifact_id: str, account_id: int) -> Artifact:
        """Read one of an account's files by its id.

        Raises:
            NotFound: there is none in this account, or it has expired.

        """
        found = None
        if is_uuid(artifact_id):
            found = await repository.read(self._database, artifact_id, account_id, self._clock.now_us())
        if found is None:
            raise NotFound(GONE)
        return found

    async def newest(self, account_id: int, asked: Asked) -> tuple[list[Artifact], str | None]:
        """List an account's files, newest first, and the cursor to the next page.

        Raises:
            InvalidRequest: size, cursor or a filter cannot be.

        """
        check_page(size=asked.size, limit=PAGE_LIMIT, before=asked.before)
        if asked.task_id and not is_uuid(asked.task_id):
            raise InvalidRequest("invalid request: task_id must be the id of a task")
        if asked.kind not in {"", ArtifactKind.INPUT, ArtifactKind.OUTPUT}:
            raise InvalidRequest("invalid request: kind is input or output")
        found = await repository.newest(
            self._database,
            account_id=account_id,
            before=asked.before or LAST_ID,
            task_id=asked.task_id,
            kind=asked.kind,
            size=asked.size + 1,
            now=self._clock.now_us(),
        )
        return cut_page(found, asked.size)

    async def delete(self, artifact_id: str, account_id: int) -> None:
        """Delete a file: gone at once for everyone, and from the store with the next sweep.

        Raises:
            NotFound: there is none in this account.

        """
        await self.get(artifact_id, account_id)
        now = self._clock.now_us()
        await self._database.write(lambda tx: repository.give_up(tx, artifact_id, now))

    async def pin(self, artifact_id: str, account_id: int) -> Artifact:
        """Keep a file until it is unpinned or deleted.

        Raises:
            NotFound: there is none in this account.
            Conflict: the account's pinned files would be too large together.

        """
        now, limit = self._clock.now_us(), self.keeping.pin_limit_bytes

        async def work(tx: Transaction) -> Artifact | None:
            pinned_bytes = await repository.lock_pins(tx, account_id)
            found = await repository.read(tx, artifact_id, account_id, now)
            if found is None or found.pinned:
                return found
            if pinned_bytes + found.file.size_bytes > limit:
                raise Conflict(
                    f"this file has {found.file.size_bytes} bytes and {pinned_bytes} are pinned; "
                    f"{limit} may be: unpin others, or download the file and keep it yourself"
                )
            await repository.pin(tx, artifact_id)
            return replace(found, pinned=True)

        found = await self._database.write(work) if is_uuid(artifact_id) else None
        if found is None:
            raise NotFound(GONE)
        return found

    async def unpin(self, artifact_id: str, account_id: int) -> Artifact:
        """Let a file expire when it would have, but not within a day from now.

        Raises:
            NotFound: there is none in this account.

        """
        if (await self.get(artifact_id, account_id)).pinned:
            until = self._clock.now_us() + _AFTER_PIN_US
            await self._database.write(lambda tx: repository.unpin(tx, artifact_id, until))
        return await self.get(artifact_id, account_id)
