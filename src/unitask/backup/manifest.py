"""What a backup is: the list of its parts, and how each of them lies in its folder.

manifest.json           written last: a folder without it is no backup
tables/<name>.rows.gz   one for each table, see `unitask.db.transfer`
files.jsonl.gz          a line for each stored file
files/<name>            the stored files under their own names
secret                  the installation's secret, where it was made by itself
"""

import hashlib
import hmac
from pathlib import Path
from typing import Annotated, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from unitask.artifacts.model import is_stored_name
from unitask.db.transfer import Table
from unitask.kit.errors import UnitaskError
from unitask.settings import Settings

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
LISTING: Final = "files.jsonl.gz"
SECRET: Final = "secret"  # noqa: S105 - the name of a file
_SIZE_LIMIT: Final = 16 * 2**20
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z_0-9]{1,63}$")]
_Sum = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Number = Annotated[int, Field(ge=0)]


class BackupRefused(UnitaskError):
    """A backup is damaged, or does not fit what it is to be restored to; the sentence names the file."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Document):
    """One file of the backup itself."""

    name: str
    size_bytes: _Number
    sha256: _Sum


class TablePart(_Document):
    """The rows of one table; `rows_sha256` is of the rows themselves, and so the same for whoever holds them."""

    name: _Name
    columns: tuple[_Name, ...]
    key: tuple[_Name, ...]
    rows: _Number
    rows_sha256: _Sum
    part: Part

    @property
    def table(self) -> Table:
        """The table as a database has it."""
        return Table(self.name, self.columns, self.key)


class Manifest(_Document):
    """All that is in a backup. Times in microseconds; `tables` in the order in which they can be filled."""

    format: Literal[1]
    release: str
    db_schema: Annotated[str, StringConstraints(pattern=r"^\w{1,32}$")]
    database: Literal["sqlite", "postgresql"]
    made_at: int
    secret_print: _Sum
    has_secret: bool
    tables: tuple[TablePart, ...]
    listing: Part
    files: _Number
    files_bytes: _Number
    expired: _Number
    lost: _Number

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)


class FileLine(_Document):
    """A stored file. `absent` says why the backup has only its name: it expired meanwhile, or had been lost before."""

    path: str
    content_type: str = ""
    size_bytes: _Number = 0
    sha256: str = ""
    absent: Literal["", "expired", "lost"] = ""

    @classmethod
    def read(cls, line: bytes) -> "FileLine":
        """Read a line of the listing.

        Raises:
            BackupRefused: it is none.

        """
        try:
            found = cls.model_validate_json(line)
        except ValidationError:
            raise BackupRefused(f"{LISTING} is damaged: a line cannot be read") from None
        if not is_stored_name(found.path):
            raise BackupRefused(f"{LISTING} is damaged: {found.path!r} is no name of a stored file")
        return found


def secret_print(secret: str) -> str:
    """Tell two secrets apart without showing either."""
    return hmac.digest(secret.encode(), b"unitask backup", "sha256").hex()


def write(folder: Path, manifest: Manifest) -> None:
    """Make a backup of what lies in the folder."""
    content = orjson.dumps(manifest.model_dump(mode="json"))
    document = {"sha256": hashlib.sha256(content).hexdigest(), "backup": orjson.Fragment(content)}
    partial = folder / f"{MANIFEST}.partial"
    partial.write_bytes(orjson.dumps(document) + b"\n")
    partial.rename(folder / MANIFEST)


def read(folder: Path) -> Manifest:
    """Read what a backup holds.

    Raises:
        BackupRefused: there is none, or its manifest is damaged.

    """
    path = folder / MANIFEST
    if not path.is_file():
        raise BackupRefused(f"{path} is missing: this is no backup, or one that was cut off")
    if path.stat().st_size > _SIZE_LIMIT:
        raise BackupRefused(f"{path} is damaged: it is too large")
    try:
        document = orjson.loads(path.read_bytes())
        content = orjson.dumps(document["backup"])
        is_whole = hashlib.sha256(content).hexdigest() == document["sha256"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise BackupRefused(f"{path} is damaged: it is not what was written")
    try:
        return Manifest.model_validate_json(content)
    except ValidationError:
        raise BackupRefused(
            f"{path} is of another form than this release reads: take the release that wrote it"
        ) from None


def kind_of(settings: Settings) -> Literal["sqlite", "postgresql"]:
    """Name the kind of database in use."""
    return "sqlite" if settings.database.startswith("sqlite:///") else "postgresql"
