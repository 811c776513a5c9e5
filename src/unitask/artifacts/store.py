"""Where files lie: what a store offers, and the one on the local disk."""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from unitask.kit.clock import SECOND_US
from unitask.kit.errors import BodyTooLarge, NotFound, Unavailable


@dataclass(frozen=True, slots=True)
class Listed:
    """A file found in a store; `changed_at` by the store's own clock."""

    name: str
    changed_at: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What a store knows of a file; `content_type` empty where it keeps none."""

    size_bytes: int
    content_type: str


class Store(Protocol):
    """A place for files. Names look like paths; every method raises `Unavailable` when the store cannot do it."""

    async def save(
        self, chunks: AsyncIterator[bytes], name: str, *, content_type: str, limit_bytes: int
    ) -> tuple[int, str]:
        """Write a file that is complete when this returns, or not there at all; gives its size and SHA-256.

        Raises:
            BodyTooLarge: more than `limit_bytes` came.

        """

    async def locate(self, name: str, *, method: str, seconds: int) -> Path | str:
        """Find a file: on disk, or a signed address that answers `method` for so many seconds.

        Raises:
            NotFound: it is gone, where that can be told without asking.

        """

    async def facts(self, name: str) -> Facts:
        """Look at a file.

        Raises:
            NotFound: there is none.

        """

    async def read(self, name: str, start: int, size_bytes: int) -> bytes:
        """Read a part of a file; less if it ends before.

        Raises:
            NotFound: there is none.

        """

    async def move(self, old: str, new: str) -> None:
        """Give a file another name.

        Raises:
            NotFound: there is none.

        """

    async def remove(self, names: Sequence[str]) -> set[str]:
        """Delete files; gives the names of those that could not be. One that is gone already is fine."""

    async def listing(self, after: str, most: int) -> list[Listed]:
        """List files by name, those behind `after`."""

    async def upload_address(self, name: str, *, seconds: int) -> str | None:
        """Sign an address that takes a file by PUT; None where files come through us."""


class Meter:
    """Passes chunks on, counts and hashes them, and stops when more than the limit come."""

    def __init__(self, chunks: AsyncIterator[bytes], limit_bytes: int) -> None:
        self._chunks = chunks
        self._limit_bytes = limit_bytes
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the chunks.

        Raises:
            BodyTooLarge: more than the limit came.

        """
        async for chunk in self._chunks:
            self.size_bytes += len(chunk)
            if self.size_bytes > self._limit_bytes:
                raise BodyTooLarge(f"the file is larger than {self._limit_bytes} bytes")
            self._digest.update(chunk)
            yield chunk

    @property
    def found(self) -> tuple[int, str]:
        """Size and SHA-256 of what has passed."""
        return self.size_bytes, self._digest.hexdigest()


class LocalStore:
    """A folder; see `Store`. What an interrupted save leaves ends in `.partial`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    async def save(
        self, chunks: AsyncIterator[bytes], name: str, *, content_type: str, limit_bytes: int
    ) -> tuple[int, str]:
        """Write a file, and wait until it is on disk."""
        del content_type
        target = self._folder / name
        partial = target.with_suffix(".partial")
        meter = Meter(chunks, limit_bytes)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                async for chunk in meter:
                    file.write(chunk)
                await asyncio.to_thread(_flush, file)
            partial.rename(target)
            await asyncio.to_thread(_flush_folder, target.parent)
        except OSError as error:
            raise Unavailable(f"the file cannot be stored: {error.strerror}") from error
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        return meter.found

    async def locate(self, name: str, *, method: str, seconds: int) -> Path:
        """Find a file on disk; a name that leads elsewhere finds nothing."""
        del method, seconds
        return self._path(name)

    def _path(self, name: str) -> Path:
        target = (self._folder / name).resolve()
        if not target.is_relative_to(self._folder) or not target.is_file():
            raise NotFound("no such file; it may have expired")
        return target

    async def facts(self, name: str) -> Facts:
        """Look at a file."""
        return Facts(self._path(name).stat().st_size, "")

    async def read(self, name: str, start: int, size_bytes: int) -> bytes:
        """Read a part of a file."""
        return await asyncio.to_thread(_read, self._path(name), start, size_bytes)

    async def move(self, old: str, new: str) -> None:
        """Rename a file, and wait until that is on disk."""
        source, target = self._path(old), self._folder / new
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
            await asyncio.to_thread(_flush_folder, target.parent)
        except OSError as error:
            raise Unavailable(f"the file cannot be stored: {error.strerror}") from error

    async def remove(self, names: Sequence[str]) -> set[str]:
        """Delete files."""
        return await asyncio.to_thread(self._remove, names)

    def _remove(self, names: Sequence[str]) -> set[str]:
        failed = set()
        for name in names:
            try:
                (self._folder / name).unlink(missing_ok=True)
            except OSError:
                failed.add(name)
        return failed

    async def listing(self, after: str, most: int) -> list[Listed]:
        """List files by name."""
        return await asyncio.to_thread(self._listing, after, most)

    def _listing(self, after: str, most: int) -> list[Listed]:
        found: list[Listed] = []
        for path in _files(self._folder, self._folder, after):
            with contextlib.suppress(OSError):  # gone since
                name = path.relative_to(self._folder).as_posix()
                found.append(Listed(name, int(path.lstat().st_mtime * SECOND_US)))
            if len(found) == most:
                break
        return found

    async def upload_address(self, name: str, *, seconds: int) -> None:
        """Give none: files come through us."""
        del name, seconds


def _files(folder: Path, root: Path, after: str) -> Iterator[Path]:
    """Walk in the order of names; folders that lie wholly before `after` are not opened."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name + "/" * entry.is_dir(follow_symlinks=False))
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        name = path.relative_to(root).as_posix()
        if entry.is_dir(follow_symlinks=False):
            if f"{name}/" >= after[: len(name) + 1]:
                yield from _files(path, root, after)
        elif name > after:
            yield path


def _read(path: Path, start: int, size_bytes: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size_bytes)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def trouble(store: Store, name: str) -> str | None:
    """Write, read and delete a small file under this name; gives what goes wrong, or None."""

    async def content() -> AsyncIterator[bytes]:
        yield name.encode()

    try:
        await store.save(content(), name, content_type="text/plain", limit_bytes=len(name))
        if await store.read(name, 0, 2 * len(name)) != name.encode():
            return "a file that was written reads differently"
    except (NotFound, Unavailable) as error:
        return str(error)
    return "files cannot be deleted" if await store.remove([name]) else None
