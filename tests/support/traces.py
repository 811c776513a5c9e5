"""Everything that requests leave behind, to see that one left nothing."""

from pathlib import Path
from typing import Any

from unitask.app import Services
from unitask.db import Statement

TABLES = ("accounts", "tasks", "queue", "ledger", "idempotency", "artifacts", "deliveries")


async def rows(services: Services, table: str) -> list[dict[str, Any]]:
    """Read a whole table."""
    query = f"select * from {table}"
    return [dict(row) for row in await services.database.fetch(Statement(table, query, query, ()))]


def files(services: Services) -> list[Path]:
    """List what lies in the store."""
    return sorted(path for path in (services.settings.data / "files").rglob("*") if path.is_file())


async def traces(services: Services) -> dict[str, Any]:
    """Read all rows and files."""
    return {table: await rows(services, table) for table in TABLES} | {"files": files(services)}
