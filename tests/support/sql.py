"""Statements that only tests need."""

from typing import Any

from unitask.db import Database, Statement
from unitask.db.statements import parse


def sql(text: str) -> Statement:
    """Make a statement for both databases."""
    return parse(f"-- name: it\n{text}")["it"]


async def rows(database: Database, text: str, **parameters: Any) -> list[dict[str, Any]]:
    """Read rows as plain objects."""
    return [dict(row) for row in await database.fetch(sql(text), **parameters)]
