"""Artifacts: stored files and the references to them."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "unitask-artifact:"
"""A reference in a stored document: `unitask-artifact:2026/11/21/<random>.png`. Becomes a URL when it is shown."""


_NAME: Final = re.compile(r"\d{4}/\d{2}/\d{2}/[0-9a-f]{32}\.[a-z0-9]{1,8}")


def is_stored_name(path: str) -> bool:
    """Whether a text has the form of a path in the store, and so cannot lead anywhere else."""
    return _NAME.fullmatch(path) is not None


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
