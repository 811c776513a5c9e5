"""Bringing a database to the schema of this release, with Alembic."""

import contextlib
import sqlite3
from importlib.resources import files
from pathlib import Path
from typing import Final

HEAD: Final = "0001"
_SQLITE_NEEDED: Final = (3, 38)
_UPGRADE: Final = "the database has schema {found}, this release needs {head}: run `unitask migrate`"


def _sqlalchemy_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)


def upgrade(url: str) -> None:
    """Create the schema or bring it up to date. Safe to run again; blocks until done."""
    from alembic import command  # noqa: PLC0415 - half of the start-up time, needed once per release
    from alembic.config import Config  # noqa: PLC0415 - same

    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma journal_mode=wal")
    config = Config()
    config.set_main_option("script_location", str(files("unitask.db") / "migrations"))
    config.attributes["url"] = _sqlalchemy_url(url)
    command.upgrade(config, "head")


async def check(url: str) -> str | None:
    """Say what is wrong with the schema, or None when it is this release's."""
    if sqlite3.sqlite_version_info < _SQLITE_NEEDED:
        return f"SQLite is {sqlite3.sqlite_version}, 3.38 or newer is needed: use a newer build of Python"
    found = await _version(url)
    return None if found == HEAD else _UPGRADE.format(found=found or "none", head=HEAD)


async def _version(url: str) -> str | None:
    query = "select version_num from alembic_version"
    if url.startswith("sqlite:///"):
        return _sqlite_version(url.removeprefix("sqlite:///"), query)
    import asyncpg  # noqa: PLC0415 - only where PostgreSQL is used

    client = await asyncpg.connect(url, timeout=10)
    try:
        version: str | None = await client.fetchval(query)
    except asyncpg.UndefinedTableError:
        version = None
    finally:
        await client.close()
    return version


def _sqlite_version(path: str, query: str) -> str | None:
    if not Path(path).exists():
        return None
    with contextlib.closing(sqlite3.connect(path)) as connection:
        try:
            row = connection.execute(query).fetchone()
        except sqlite3.OperationalError:
            return None
    return row[0] if row else None
