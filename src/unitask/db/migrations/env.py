"""Alembic's entry: runs the scripts on either database."""

import asyncio

from alembic import context
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from unitask.db.schema import metadata


def _run(connection: Connection) -> None:
    context.configure(connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


async def _run_async(url: str) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - needs the extra `postgres`

    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


def main() -> None:
    """Run all scripts that the database has not seen."""
    url: str = context.config.attributes["url"]
    if url.startswith("sqlite"):
        engine = create_engine(url, poolclass=NullPool)
        with engine.begin() as connection:
            _run(connection)
        engine.dispose()
    else:
        asyncio.run(_run_async(url))


main()
