"""Files on the local disk."""

import asyncio
import contextlib
import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from unitask.artifacts.model import StoredFile
from unitask.kit.clock import SECOND_US
from unitask.kit.errors import BodyTooLarge, NotFound, Unavailable


class LocalStore:
    """A folder: files lie under year/month/day and a random name, so an address cannot be guessed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    async def save(
        self, chunks: AsyncIterator[bytes], *, extension: str, content_type: str, limit_bytes: int, now: int
    ) -> StoredFile:
        """Write a file that is complete and on disk when this returns, or not there at all.

        Raises:
            BodyTooLarge: more than `limit_bytes` came.
            Unavailable: the disk does not take it.

        """
        day = datetime.fromtimestamp(now // SECOND_US, UTC)
        name = f"{day:%Y/%m/%d}/{secrets.token_hex(16)}.{extension}"
        target = self._folder / name
        partial = target.with_suffix(".partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                size, digest = await _pour(chunks, file, limit_bytes)
                await asyncio.to_thread(_flush, file)
            partial.rename(target)
            await asyncio.to_thread(_flush_folder, target.parent)
        except OSError as error:
            raise Unavailable(f"the file cannot be stored: {error.strerror}") from error
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        return StoredFile(name, content_type, size, digest)

    def locate(self, path: str) -> Path:
        """Find a stored file on disk.

        Raises:
            NotFound: it is gone, or the path leads elsewhere.

        """
        target = (self._folder / path).resolve()
        if not target.is_relative_to(self._folder) or not target.is_file():
            raise NotFound("no such file; it may have expired")
        return target

    def remove(self, path: str) -> None:
        """Delete a file; one that is gone already is fine."""
        (self._folder / path).unlink(missing_ok=True)


async def _pour(chunks: AsyncIterator[bytes], file: BinaryIO, limit_bytes: int) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit_bytes:
            raise BodyTooLarge(f"the file is larger than {limit_bytes} bytes")
        digest.update(chunk)
        file.write(chunk)
    return size, digest.hexdigest()


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
