"""Whether a backup is still what was written."""

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from unitask.backup import manifest as form
from unitask.backup.manifest import BackupRefused, FileLine, Manifest, Part

_PIECE_BYTES: Final = 2**20


def check_whole(folder: Path) -> Manifest:
    """Read every byte of a backup.

    Raises:
        BackupRefused: a part is missing, cut off or changed; the sentence names it.

    """
    manifest = form.read(folder)
    for part in (*(table.part for table in manifest.tables), manifest.listing):
        _check(folder, part)
    files = 0
    for line in listed(folder):
        if not line.absent:
            files += 1
            _check(folder, Part(name=f"files/{line.path}", size_bytes=line.size_bytes, sha256=line.sha256))
    if files != manifest.files:
        raise BackupRefused(f"{folder / form.LISTING} is damaged: it lists {files} files, not {manifest.files}")
    if manifest.has_secret and form.secret_print(_secret(folder)) != manifest.secret_print:
        raise BackupRefused(f"{folder / form.SECRET} is damaged: it is not what was written")
    return manifest


def _secret(folder: Path) -> str:
    try:
        return (folder / form.SECRET).read_text()
    except (OSError, UnicodeError):
        raise BackupRefused(f"{folder / form.SECRET} is missing or cannot be read") from None


def listed(folder: Path) -> Iterator[FileLine]:
    """Read the listing of stored files."""
    with gzip.open(folder / form.LISTING) as lines:
        yield from map(FileLine.read, lines)


def _check(folder: Path, part: Part) -> None:
    path, digest, size_bytes = folder / part.name, hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
                size_bytes += len(piece)
    except OSError as error:
        raise BackupRefused(f"{path} is missing or cannot be read: {error.strerror}") from None
    if size_bytes != part.size_bytes:
        raise BackupRefused(f"{path} is damaged: it has {size_bytes} bytes, not {part.size_bytes}")
    if digest.hexdigest() != part.sha256:
        raise BackupRefused(f"{path} is damaged: it is not what was written")
