"""Files of a backup while they are written."""

import contextlib
import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from unitask.backup.manifest import Part

_FAST: Final = 3


class Counted:
    """A file that is written, with size and SHA-256 of what went in."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def write(self, piece: bytes) -> int:
        """Write on."""
        self._digest.update(piece)
        self.size_bytes += len(piece)
        return self._file.write(piece)

    def flush(self) -> None:
        """Write what was held back."""
        self._file.flush()

    @property
    def sha256(self) -> str:
        """SHA-256 of all that was written."""
        return self._digest.hexdigest()


@contextlib.contextmanager
def packed(path: Path, parts: list[Part], name: str) -> Iterator[gzip.GzipFile]:
    """Write a compressed file; when the block has ended, `parts` has it."""
    with path.open("wb") as file:
        counted = Counted(file)
        with gzip.GzipFile("", "wb", _FAST, counted, mtime=0) as file_in_it:
            yield file_in_it
        parts.append(Part(name=name, size_bytes=counted.size_bytes, sha256=counted.sha256))
