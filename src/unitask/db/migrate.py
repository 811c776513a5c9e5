"""Bringing a database to the schema of this release, with Alembic."""

import asyncio
import contextlib
import logging
import sqlite3
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from unitask.db.database import Database
from unitask.db.statements import Queries
from unitask.kit.errors import Unavailable

SQL: Final = Queries(__package__)
HEAD: Final = "0005"
_SQLITE_NEEDED: Final = (3, 38)
_UPGRADE: Final = "the database has schema {found}, this release needs {head}: run `unitask migrate`"
_TOO_OLD: Final = "the database has schema {found}, which this release ({head}) is too old for: install a later one"
_QUESTIONS: Final = (
    ("alembic_version", "select version_num from alembic_version"),
    ("compatibility", "select oldest from compatibility"),
)
log = logging.getLogger(__name__)


def _sqlalchemy_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)


def upgrade(url: str, to: str = "head") -> None:
    """Create the schema or bring it up to date, or only up to one revision. Safe to run again; blocks until done.

    Raises:
        Unavailable: the database cannot be opened.

    """
    from alembic import command  # noqa: PLC0415 - half of the start-up time, needed once per release
    from alembic.config import Config  # noqa: PLC0415 - same

    if url.startswith("sqlite:///"):
        _create_file(url.removeprefix("sqlite:///"))
    else:
        asyncio.run(check(url))
    config = Config()
    config.set_main_option("script_location", str(files("unitask.db") / "migrations"))
    config.attributes["url"] = _sqlalchemy_url(url)
    command.upgrade(config, to)


def _create_file(path: str) -> None:
    try:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds prompts and hashes of keys
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma journal_mode=wal")
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"the database {path} cannot be opened: {error}") from error


async def check(url: str) -> str | None:
    """Say what is wrong with the schema; None when this release works with it: its own, or that of a later release.

    Raises:
        Unavailable: the database cannot be opened.

    """
    if sqlite3.sqlite_version_info < _SQLITE_NEEDED:
        return f"SQLite is {sqlite3.sqlite_version}, 3.38 or newer is needed: use a newer build of Python"
    found, oldest = await versions(url)
    if found == HEAD:
        return None
    if found and oldest and oldest <= HEAD < found:
        log.warning("the database has schema %s of a later release; this one (%s) works with it", found, HEAD)
        return None
    return (_TOO_OLD if found and found > HEAD else _UPGRADE).format(found=found or "none", head=HEAD)


async def outgrown(database: Database) -> str | None:
    """Say that an open database was brought to a schema that this release does not work with any more, or None.

    Raises:
        Unavailable: the database cannot be reached.

    """
    rows = await database.fetch(SQL.oldest_that_fits)
    return _TOO_OLD.format(found="of a later release", head=HEAD) if rows and rows[0]["oldest"] > HEAD else None


async def versions(url: str) -> tuple[str | None, str | None]:
    """Read which schema a database has, and the oldest release's that works with it; None where there is none.

    Raises:
        Unavailable: the database cannot be opened.

    """
    path = url.removeprefix("sqlite:///")
    return await _ask_postgres(url) if path == url else _ask_sqlite(path)


async def _ask_postgres(url: str) -> tuple[str | None, str | None]:
    client = await connect(url)
    try:
        answers = [
            await client.fetchval(query) if await client.fetchval("select to_regclass($1) is not null", table) else None
            for table, query in _QUESTIONS
        ]
    finally:
        await client.close()
    return answers[0], answers[1]


def _ask_sqlite(path: str) -> tuple[str | None, str | None]:
    if not Path(path).exists():
        return None, None
    with contextlib.closing(sqlite3.connect(path)) as connection:
        answers = [_first(connection, path, query) for _, query in _QUESTIONS]
    return answers[0], answers[1]


def _first(connection: sqlite3.Connection, path: str, query: str) -> str | None:
    try:
        row = connection.execute(query).fetchone()
    except sqlite3.OperationalError:
        return None
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"the database {path} cannot be opened: {error}") from error
    return row[0] if row else None


async def connect(url: str) -> Any:
    """Open one connection to PostgreSQL.

    Raises:
        Unavailable: there is no driver, or no answer.

    """
    try:
        import asyncpg  # noqa: PLC0415 - only where PostgreSQL is used
    except ModuleNotFoundError as error:
        raise Unavailable("PostgreSQL needs its driver: pip install 'unitask[postgres]'") from error
    try:
        return await asyncpg.connect(url, timeout=10)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"the database cannot be reached: {type(error).__name__}: {error}") from error
