"""Bringing a database to the schema of this release, with Alembic."""

import asyncio
import contextlib
import sqlite3
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from unitask.kit.errors import Unavailable

HEAD: Final = "0003"
_SQLITE_NEEDED: Final = (3, 38)
_UPGRADE: Final = "the database has schema {found}, this release needs {head}: run `unitask migrate`"


def _sqlalchemy_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)


def upgrade(url: str) -> None:
    """Create the schema or bring it up to date. Safe to run again; blocks until done.

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
    command.upgrade(config, "head")


def _create_file(path: str) -> None:
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma journal_mode=wal")
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"the database {path} cannot be opened: {error}") from error


async def check(url: str) -> str | None:
    """Say what is wrong with the schema, or None when it is this release's.

    Raises:
        Unavailable: the database cannot be opened.

    """
    if sqlite3.sqlite_version_info < _SQLITE_NEEDED:
        return f"SQLite is {sqlite3.sqlite_version}, 3.38 or newer is needed: use a newer build of Python"
    found = await _version(url)
    return None if found == HEAD else _UPGRADE.format(found=found or "none", head=HEAD)


async def _version(url: str) -> str | None:
    query = "select version_num from alembic_version"
    if url.startswith("sqlite:///"):
        return _sqlite_version(url.removeprefix("sqlite:///"), query)
    client = await _connect(url)
    try:
        exists = await client.fetchval("select to_regclass('alembic_version') is not null")
        version: str | None = await client.fetchval(query) if exists else None
    finally:
        await client.close()
    return version


async def _connect(url: str) -> Any:
    try:
        import asyncpg  # noqa: PLC0415 - only where PostgreSQL is used
    except ModuleNotFoundError as error:
        raise Unavailable("PostgreSQL needs its driver: pip install 'unitask[postgres]'") from error
    try:
        return await asyncpg.connect(url, timeout=10)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"the database cannot be reached: {type(error).__name__}: {error}") from error


def _sqlite_version(path: str, query: str) -> str | None:
    if not Path(path).exists():
        return None
    with contextlib.closing(sqlite3.connect(path)) as connection:
        try:
            row = connection.execute(query).fetchone()
        except sqlite3.OperationalError:
            return None
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"the database {path} cannot be opened: {error}") from error
    return row[0] if row else None
