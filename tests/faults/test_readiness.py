"""`GET /readyz` of a started server while its database is away, hangs or takes no more, and while it ends."""

import resource
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import psutil
import pytest

from support.installation import LIMIT_S, Installation
from support.wait import answered, seen
from unitask.api.health import _DATABASE_S

SMALL_BYTES = 4096
Install = Callable[..., Installation]


@asynccontextmanager
async def started(installation: Installation, *, with_worker: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    """Start a server and speak to it."""
    await installation.serve(with_worker=with_worker)
    async with installation.client() as client:
        yield client


async def says(client: httpx.AsyncClient, status: int, check: str, sentence: str) -> None:
    """Wait until readiness answers with this status, and says this of that check."""

    async def asked() -> bool:
        answer = await client.get("/readyz")
        said = answer.json()
        assert said["status"] == ("ready" if answer.is_success else "unavailable")
        return answer.status_code == status and sentence in said["checks"][check]

    await answered(asked, within_s=LIMIT_S, what=f"{status} with {sentence!r}")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """Be connected to a database beside the server."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close(timeout=LIMIT_S)


@pytest.mark.parametrize("database_source", ["postgres"], indirect=True)
async def test_a_database_that_lets_nobody_in(install: Install, database_url: str) -> None:
    """503 while it does not, and 200 again by itself."""
    name = urlsplit(database_url).path[1:]
    async with (
        connected(database_url.replace(f"/{name}?", "/template1?")) as admin,
        started(install()) as client,
    ):
        await admin.execute(f"alter database {name} with allow_connections false")
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        await says(client, 503, "database", "see that the database runs")
        said = (await client.get("/readyz")).json()
        assert said["checks"]["writes"] == said["checks"]["schema"] == "not known while the database does not answer"
        assert said["reason"] == said["checks"]["database"]
        assert (await client.get("/healthz")).is_success
        await admin.execute(f"alter database {name} with allow_connections true")
        await says(client, 200, "database", "ok")


@pytest.mark.parametrize("database_source", ["postgres"], indirect=True)
async def test_a_database_that_does_not_answer(install: Install, database_url: str) -> None:
    """503 within a deadline, however long the database takes."""
    other = await asyncpg.connect(database_url)
    async with started(install()) as client:
        async with other.transaction():
            await other.execute("lock table queue in access exclusive mode")
            answer = await client.get("/readyz", timeout=_DATABASE_S + 10)
            assert answer.status_code == 503
            assert "did not answer within" in answer.json()["checks"]["database"]
        await says(client, 200, "database", "ok")
    await other.close()


@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_a_disk_without_room_for_the_database(install: Install) -> None:
    """503 although it can still be read, for nobody can order; 200 when there is room again."""
    installation = install()
    async with started(installation) as client:
        (server,) = installation.programs
        before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (SMALL_BYTES, -1))
        await says(client, 503, "writes", "mostly its disk is full")
        assert (await client.get("/readyz")).json()["checks"]["database"] == "ok"
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)
        await says(client, 200, "writes", "ok")


@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_a_database_that_cannot_be_read(install: Install) -> None:
    """503 and what to look at, whatever has written over the file."""
    installation = install()
    async with started(installation) as client:
        path = installation.folder / "unitask.db"
        with sqlite3.connect(path) as other:
            other.execute("pragma wal_checkpoint(truncate)")
        other.close()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        await says(client, 503, "database", "malformed; see that the database runs")
        assert (await client.get("/healthz")).is_success


@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_a_server_that_was_told_to_end(install: Install) -> None:
    """It answers as long as its worker takes to end, and is not ready for more."""
    installation = install()
    async with started(installation, with_worker=True) as client:
        (server,) = installation.programs
        worker = await seen(lambda: psutil.Process(server.pid).children(), within_s=LIMIT_S, what="a worker")
        worker[0].send_signal(signal.SIGSTOP)  # it does not hear that it is to end
        server.send(signal.SIGTERM)
        await says(client, 503, "ending", "send requests to another")
        assert (await client.get("/healthz")).is_success
        await seen(lambda: server.process.poll() is not None, within_s=LIMIT_S, what="its end")
        assert server.process.returncode == 0
