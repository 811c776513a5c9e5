"""Artifacts: stored files and the references to them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "unitask-artifact:"
"""A reference in a stored document: `unitask-artifact:2026/11/21/<random>.png`. Becomes a URL when it is shown."""


class ArtifactKind(StrEnum):
    """Why a file is kept."""

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the store: `path` is its unguessable name, with a real extension."""

    path: str
    content_type: str
    size_bytes: int
    sha256: str

    @property
    def reference(self) -> str:
        """How documents in the database name this file."""
        return PREFIX + self.path


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored file with its owner and its end."""

    id: str
    account_id: int
    task_id: str | None
    attempt: int | None
    kind: ArtifactKind
    file: StoredFile
    created_at: int
    expires_at: int
