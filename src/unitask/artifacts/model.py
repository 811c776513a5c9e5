"""Artifacts: stored files and the references to them."""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from unitask.kit.clock import SECOND_US

PREFIX: Final = "unitask-artifact:"
"""A reference in a stored document: `unitask-artifact:2026/11/21/<random>.png`. Becomes a URL when it is shown."""

INCOMING: Final = "incoming/"
"""Where an upload lies until it has been looked at: in front of the name that it gets then."""

DEFAULT_REGION: Final = "us-east-1"
_NAME: Final = re.compile(r"\d{4}/\d{2}/\d{2}/[0-9a-f]{32}\.[a-z0-9]{1,8}")


def new_name(extension: str, now: int) -> str:
    """Make a name that cannot be guessed: year/month/day, chance, and a real extension."""
    day = datetime.fromtimestamp(now // SECOND_US, UTC)
    return f"{day:%Y/%m/%d}/{secrets.token_hex(16)}.{extension}"


def is_stored_name(path: str) -> bool:
    """Whether a text has the form of a path in the store, and so cannot lead anywhere else."""
    return _NAME.fullmatch(path) is not None


class ArtifactKind(StrEnum):
    """Why a file is kept. An upload is one that has not been looked at yet; then it is an input.

    A preview is a picture of what a running attempt has so far. It is never published, and gone when the attempt ends.
    """

    INPUT = "input"
    OUTPUT = "output"
    UPLOAD = "upload"
    PREVIEW = "preview"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the store: `path` is its name there. `bucket_id` names the account's own bucket, if it lies there.

    `sha256` is empty for what went past us, straight into a bucket.
    """

    path: str
    content_type: str
    size_bytes: int
    sha256: str
    bucket_id: int | None = None

    @property
    def reference(self) -> str:
        """How documents in the database name this file."""
        return PREFIX + self.path


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored file with its owner and its end. `published_at` None: an attempt made it that has not settled."""

    id: str
    account_id: int
    task_id: str | None
    attempt: int | None
    kind: ArtifactKind
    file: StoredFile
    created_at: int
    expires_at: int
    published_at: int | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    """A file that is to be removed, and how often that was tried in vain."""

    id: str
    path: str
    bucket_id: int | None
    tries: int
    incoming: bool

    @property
    def names(self) -> list[str]:
        """Every name under which it may lie: an upload may have been on its way from one to the other."""
        return [self.path, INCOMING + self.path] if self.incoming else [self.path]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A place in an object store that speaks S3; an empty endpoint means Amazon's in that region."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    access_key_id: str = ""

    @property
    def address(self) -> str:
        """Where the store is."""
        return self.endpoint or f"https://s3.{self.region or DEFAULT_REGION}.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Owned:
    """What may be shown of an account's own bucket: all but its credentials."""

    place: Bucket
    since: int
