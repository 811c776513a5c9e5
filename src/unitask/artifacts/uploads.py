"""Large files: announced first, then sent straight to where they will lie, then looked at."""

import contextlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Final

from unitask.artifacts import repository
from unitask.artifacts.model import INCOMING, Artifact, ArtifactKind, StoredFile, new_name
from unitask.artifacts.service import Artifacts
from unitask.db import Database
from unitask.kit import faults
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import Conflict, InvalidRequest, NotFound
from unitask.kit.ids import is_uuid, new_id
from unitask.kit.media import CONTENT_TYPES, HEAD_BYTES, sniff

OPEN_S: Final = 3600
_NONE: Final = "no such upload; it may have expired"


@dataclass(frozen=True, slots=True)
class Announced:
    """An upload that may begin: `address` takes the file by PUT, from whoever knows it."""

    artifact: Artifact
    address: str


class Uploads:
    """An upload lies beside the files until it is complete, and is looked at where its sender cannot change it."""

    def __init__(self, database: Database, clock: Clock, artifacts: Artifacts, base_url: str, secret: str) -> None:
        self._database = database
        self._clock = clock
        self._artifacts = artifacts
        self._store = artifacts.buckets.own
        self._base_url = base_url.rstrip("/")
        self._secret = secret.encode()

    async def announce(self, *, extension: str, size_bytes: int, account_id: int) -> Announced:
        """Give an address for a file of this size; it is good for an hour.

        Raises:
            InvalidRequest: the file is too large.

        """
        limit = self._artifacts.keeping.upload_limit_bytes
        if not 0 < size_bytes <= limit:
            raise InvalidRequest(f"invalid request: size_bytes is 1 to {limit}")
        now = self._clock.now_us()
        file = StoredFile(new_name(extension, now), CONTENT_TYPES[extension], size_bytes, "")
        until = now + OPEN_S * SECOND_US
        upload = Artifact(new_id(now), account_id, None, None, ArtifactKind.UPLOAD, file, now, until)
        signed = await self._store.upload_address(INCOMING + file.path, seconds=OPEN_S)
        await self._database.write(lambda tx: repository.add(tx, [upload]))
        return Announced(upload, signed or f"{self._base_url}/uploads/{upload.id}.{self._signature(upload.id)}")

    async def receive(self, token: str, chunks: AsyncIterator[bytes]) -> int:
        """Take the file of an upload that came to our own address; gives its size.

        Raises:
            NotFound: nobody was given this address, or it has expired.
            Conflict: the file has come before.
            BodyTooLarge: it is larger than was announced.

        """
        upload_id, _, signature = token.partition(".")
        expected = self._signature(upload_id) if is_uuid(upload_id) else ""
        if not expected or not hmac.compare_digest(expected.encode(), signature.encode()):
            raise NotFound(_NONE)
        upload = await self._find(upload_id)
        name = INCOMING + upload.file.path
        if upload.kind is not ArtifactKind.UPLOAD or await self._has(name):
            raise Conflict("the file of this upload has come already; announce another upload")
        size, _ = await self._store.save(
            chunks, name, content_type=upload.file.content_type, limit_bytes=upload.file.size_bytes
        )
        return size

    async def complete(self, upload_id: str, account_id: int) -> Artifact:
        """Look at what has come and make it an input; what is not as announced is removed.

        Raises:
            NotFound: there is no such upload in this account, or it has expired.
            Conflict: nothing has come yet.
            InvalidRequest: it is not what was announced; says how.

        """
        upload = await self._find(upload_id) if is_uuid(upload_id) else None
        if upload is None or upload.account_id != account_id:
            raise NotFound(_NONE)
        if upload.kind is not ArtifactKind.UPLOAD:
            return upload
        with contextlib.suppress(NotFound):  # not come, or moved before something ended us: the check tells
            await self._store.move(INCOMING + upload.file.path, upload.file.path)
        faults.point("complete.moved")
        await self._check(upload.file)
        now = self._clock.now_us()
        until = now + self._artifacts.keeping.input_us
        done = await self._database.write(
            lambda tx: repository.complete_upload(tx, upload_id, expires_at=until, now=now)
        )
        return done or replace(await self._find(upload_id), expires_at=until)

    async def _check(self, announced: StoredFile) -> None:
        """Compare what lies where only we can write with what was announced."""
        try:
            facts = await self._store.facts(announced.path)
        except NotFound:
            raise Conflict("the file has not come yet: send it to upload_url by PUT first") from None
        found = sniff(await self._store.read(announced.path, 0, HEAD_BYTES)) if facts.size_bytes else None
        seen = found.content_type if found else "of no known format"
        wrong = ""
        if facts.size_bytes != announced.size_bytes:
            wrong = f"{announced.size_bytes} bytes were announced and {facts.size_bytes} came"
        elif seen != announced.content_type:
            wrong = f"{announced.content_type} was announced, but the data is {seen}"
        elif facts.content_type not in {"", announced.content_type}:
            wrong = f"send the file with the header Content-Type: {announced.content_type}"
        if wrong:
            await self._store.remove([announced.path])
            raise InvalidRequest(f"invalid request: {wrong}; the file was removed, send it again")

    async def _find(self, upload_id: str) -> Artifact:
        found = await repository.read_upload(self._database, upload_id, self._clock.now_us())
        if found is None:
            raise NotFound(_NONE)
        return found

    async def _has(self, name: str) -> bool:
        try:
            await self._store.facts(name)
        except NotFound:
            return False
        return True

    def _signature(self, upload_id: str) -> str:
        return hmac.new(self._secret, b"upload " + upload_id.encode(), "sha256").hexdigest()
