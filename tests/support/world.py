"""A database that is made new for each of the many stories of one test, and the loop in which they happen."""

import asyncio
import shutil
from collections.abc import Coroutine
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

T = TypeVar("T")
TABLES = (
    *("audit", "credit_packs", "ledger", "deliveries", "artifacts", "idempotency", "queue", "tasks", "workers"),
    *("usage", "leases", "api_keys", "buckets", "credentials", "accounts"),
)


class World:
    """An event loop and one database that is emptied for each story."""

    def __init__(self, source: str, folder: Path) -> None:
        self.run = asyncio.Runner()
        self.folder = folder
        self._source = source
        self._numbers = count()
        self._admin: Any = None
        self._url = ""

    def __call__(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the loop."""
        return self.run.run(work)

    async def empty(self) -> str:
        """Make an empty database; gives its address."""
        if not self._source.startswith("postgresql"):
            path = self.folder / f"{next(self._numbers)}.db"
            shutil.copy(self._source, path)
            return f"sqlite:///{path}"
        if self._admin is None:
            admin = await asyncpg.connect(self._source.format(name="template1"))
            await admin.execute("create database any_story template postgres")
            await admin.close()
            self._url = self._source.format(name="any_story")
            self._admin = await asyncpg.connect(self._url)
        for table in TABLES:
            await self._admin.execute(f"delete from {table}")
        await self._admin.execute("update plans set limits = '{}'")
        return self._url

    def close(self) -> None:
        """Clear away."""
        self(self._drop())
        self.run.close()

    async def _drop(self) -> None:
        if self._admin is not None:
            await self._admin.close()
            admin = await asyncpg.connect(self._source.format(name="template1"))
            await admin.execute("drop database any_story with (force)")
            await admin.close()
