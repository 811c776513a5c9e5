"""Two installations of real processes: the provider `hub` of the near one is the far one."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from support.books import troubles
from support.installation import LIMIT_S, Installation, Program, ended, read
from support.keys import API_KEY
from support.sql import rows
from support.wait import answered
from unitask.db import Database, open_database

FAR_POINTS: Final = 5_000
"""What the far one charges for a unit of any product."""


@dataclass
class Chain:
    """Both, a client of each, and the near one's worker, which is a process of its own."""

    near: Installation
    far: Installation
    client: httpx.AsyncClient
    beyond: httpx.AsyncClient
    worker: Program
    marker: Path

    async def order(self, product: str, **inputs: Any) -> str:
        """Order something at the near one; gives its id there."""
        model, task_type = product.rsplit("/", 1)
        body = {"model": model, "task_type": task_type, "input": inputs}
        answer = await self.client.post("/api/v1/task", json=body)
        assert answer.is_success, answer.text
        return str(answer.json()["data"]["task_id"])

    async def held(self) -> str:
        """Order something that runs at the far one, until it is told to end."""
        task_id = await self.order("tester/do", do="save_when_told", marker=str(self.marker))

        async def runs() -> bool:
            found = await self.made()
            return bool(found) and found[0]["meta"]["progress"] > 0

        await answered(runs, within_s=LIMIT_S, what="the job at the far one")
        return task_id

    async def made(self) -> list[dict[str, Any]]:
        """List what was ordered at the far one, the oldest first."""
        async with opened(self.far) as database:
            ids = [row["id"] for row in await rows(database, "select id from tasks order by id")]
        return [await read(self.beyond, str(task_id)) for task_id in ids]

    async def ended(self, task_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Wait for the end of a task; gives it, and what was ordered for it at the far one."""
        (task,) = await ended(self.client, [task_id], within_s=2 * LIMIT_S)
        return task, await self.made()

    def tell(self) -> None:
        """Let what is held end well."""
        self.marker.touch()


@asynccontextmanager
async def opened(installation: Installation) -> AsyncIterator[Database]:
    """Open a database beside its server."""
    database = await open_database(installation.database_url)
    try:
        yield database
    finally:
        await database.close()


def _install(folder: Path, template: Path, **settings: str) -> Installation:
    folder.mkdir()
    shutil.copy(template, folder / "unitask.db")
    strict = {"UNITASK_ALLOW_PRIVATE_NETWORKS": "false"}
    return Installation(folder, f"sqlite:///{folder / 'unitask.db'}", {**strict, **settings})


@asynccontextmanager
async def chained(folder: Path, template: Path, **settings: str) -> AsyncIterator[Chain]:
    """Run both, with these settings; at the end all processes are killed, and the books of both must be right."""
    prices = folder / "prices.toml"
    prices.write_text(f'"*" = "{FAR_POINTS / 10**7:.4f}"')
    providers = folder / "providers.toml"
    far = _install(
        folder / "far", template, UNITASK_ENGINES="cpu,preview,tester", UNITASK_PRICES=str(prices), **settings
    )
    providers.write_text(f'[provider.hub]\nengine = "upstream"\nurl = "{far.url}"\n')
    known = {"UNITASK_PROVIDERS": str(providers), "UNITASK_KEY_HUB": API_KEY}
    near = _install(folder / "near", template, UNITASK_ENGINES="hub", **known, **settings)
    headers = {"X-API-Key": API_KEY}
    try:
        async with near.client(headers) as client, far.client(headers) as beyond:
            await far.serve(with_worker=True)
            await near.serve()
            yield Chain(near, far, client, beyond, near.work(), folder / "told")
        for installation in (near, far):
            installation.end()
            async with opened(installation) as database:
                assert await troubles(database) == []
    finally:
        for installation in (near, far):
            installation.end()
            print(installation.said())  # noqa: T201 - pytest shows it where a test fails
