"""Checksums of files: SHA-256, and the one that git gives a file."""

import hashlib
from pathlib import Path
from typing import Final

_CHUNK: Final = 2**20


def sha256_of(path: Path) -> str:
    """Give the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def git_sha1_of(path: Path) -> str:
    """Give the checksum under which git stores a file: SHA-1 over its size and its content."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
